"""One sheet becomes cells, headings and notes: which column is which indicator, which rows are the table."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..catalog import Catalog
from ..errors import SourceError, nearest, quote
from .grids import Block, Grid, letters, range_name
from .spec import BranchAt, Month, SheetSpec, search

__all__ = ["Naming", "fold", "month_of", "name_of_branch", "not_mapped", "read_sheet"]

_NO_MONTH = {"file": "names no month", "sheet": "has a name without one month",
             "title": "has not one month above the table"}
_MAX_LEVELS = 4
_MARKS = re.compile(r"[*＊※†‡§#＃①-⑳¹²³⁴-⁹]|[\[［【(（]\s*(?:注\s*)?(?:\d{1,2}\s*)?[\]］】)）]"
                    r"|注\s*\d{1,2}$")
_BRACKETS = re.compile(r"[(（\[［【]([^()（）\[\]［］【】]*)[)）\]］】]")
_UNIT_LINE = re.compile(r"(?:单位|[Uu]nits?)\s*[:：]\s*([^()（）\[\]【】]{1,60})")
_BETWEEN_UNITS = re.compile(r"[、,，;；/和\s]+")
_NUMBER = re.compile(r"[约近逾≈~＇'\"(（¥￥$\s]*[-+−－]?[0-9][0-9,.\s]*(?:[eE][-+]?\d+)?\D{0,12}")


def fold(text: str) -> str:
    """Return a name as it is compared: NFKC, without whitespace."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def plain(text: str) -> str:
    """Return a heading as it is compared: footnote marks taken off, then folded."""
    return fold(_MARKS.sub("", text))


def is_number(value: object, text: str) -> bool:
    """Whether a cell holds a figure, typed as one or written as one ("2.5万", "约1,200", "12*")."""
    if isinstance(value, int | float):
        return not isinstance(value, bool)
    return len(text) <= 60 and bool(_NUMBER.fullmatch(unicodedata.normalize("NFKC", text).strip()))


@dataclass(frozen=True)
class Column:
    """A column of the table: its place from 0, the heading's path, what it is and the unit printed for it.
    ``indicator`` is "" for a kept and None for an ignored column."""

    index: int
    path: str
    indicator: str | None
    unit: str


@dataclass(frozen=True)
class Header:
    """The heading rows (from, to, inclusive) and the key column, whose heading the source names."""

    top: int
    bottom: int
    key: int


class Naming:
    """What a sheet's reader needs of the catalogue: names of branches, units, and the base unit of each and of every
    indicator. Units are found whatever the width and spacing of their letters."""

    def __init__(self, catalog: Catalog):
        self._units = {fold(unit).casefold(): unit for unit in catalog.units}
        self.bases = {name: unit.base for name, unit in catalog.units.items()}
        self.indicators = {key: i.unit for key, i in catalog.indicators.items()}
        self.branches = {fold(n) for b in catalog.branches.values() for n in (b.id, b.zh, b.en, *b.aliases)}

    def unit(self, text: str) -> str | None:
        """Return the catalogue's spelling of a unit, or None."""
        return self._units.get(fold(text).casefold())

    def split(self, heading: str) -> tuple[str, str]:
        """Return a heading without the brackets that hold a unit, and that unit ("" if none)."""
        unit = ""
        for match in _BRACKETS.finditer(heading):
            inner = _UNIT_LINE.search(match[1])
            known = self.unit(inner[1] if inner else match[1])
            if known is not None:
                unit, heading = known, heading.replace(match[0], "", 1)
        return heading, unit

    def path(self, heading: str) -> str:
        """Return a heading's path as it is compared: without marks, units, whitespace."""
        return plain(self.split(_MARKS.sub("", heading))[0])


def find_header(grid: Grid, heading: str) -> Header:
    """Return the heading rows around the first cell that holds `heading` and stands above a table."""
    wanted = plain(heading)
    best: tuple[int, Header] | None = None
    for r, row in enumerate(grid.texts):
        for c, text in enumerate(row):
            if text and len(text) <= 100 and plain(text) == wanted and grid.first_of(r, c) == (r, c):
                header = _extend(grid, r, c)
                width = sum(any(column) for column in zip(*grid.texts[header.top : header.bottom + 1]))
                if best is None or width > best[0]:
                    best = width, header
                break
        if best is not None and best[0] > 1:
            break  # the first that has other headings beside it; later ones are repeated heading rows
    if best is None:
        near = nearest(wanted, dict.fromkeys(plain(t) for row in grid.texts[:50] for t in row if 0 < len(t) <= 100))
        raise grid.error("has no such heading", found=near or "nothing like it",
                         expected=f"a cell {quote(heading)} above the table")
    return best[1]


def _extend(grid: Grid, row: int, column: int) -> Header:
    """Find the heading rows above and below the key column's own heading."""
    bottom = grid.merges.get((row, column), (row, column, row, column))[2]
    bottom = min(bottom, len(grid.texts) - 1, row + _MAX_LEVELS - 1)
    if bottom == row:
        while bottom + 1 < len(grid.texts) and bottom - row < _MAX_LEVELS - 1 and _is_level(grid, bottom + 1, column):
            bottom += 1
    top = row
    while top > 0 and bottom - top < _MAX_LEVELS - 1 and _is_level(grid, top - 1, column, above=True):
        top -= 1
    return Header(top, bottom, column)


def _is_level(grid: Grid, row: int, key: int, above: bool = False) -> bool:
    """Whether a row next to the headings is a further level: blank in the key column, texts and no number beside."""
    texts, values = grid.texts[row], grid.values[row]
    if texts[key] or grid.first_of(row, key) != (row, key):
        return False
    filled = [c for c, text in enumerate(texts) if text.strip()]
    if not filled or any(is_number(values[c], texts[c]) for c in filled):
        return False
    if above:
        # A title and a line "单位：元" stand above a table too: a level has several texts.
        return len(filled) > 1 and not any(_UNIT_LINE.search(texts[c]) for c in filled)
    return not any(fold(texts[c]).strip("-—–") == "" for c in filled)


def _unit_line(grid: Grid, header: Header, naming: Naming) -> list[str]:
    """Return the units of a line such as "单位：户、元" above the table."""
    for row in grid.texts[: header.top]:
        for text in row:
            match = _UNIT_LINE.search(text[:500]) if text else None
            if match:
                found = [naming.unit(part) for part in [match[1], *_BETWEEN_UNITS.split(match[1])]]
                return list(dict.fromkeys(unit for unit in found if unit is not None))
    return []


def _origins(grid: Grid, header: Header, row: int) -> list[tuple[int, int] | None]:
    """Return for every column the cell whose text is its heading at this level; None where there is none.

    A merged heading covers its range. One that is not merged covers the blank cells to its right, if they have a
    heading below.
    """
    found: list[tuple[int, int] | None] = []
    spreading: tuple[int, int] | None = None
    for c in range(len(grid.texts[row])):
        at = grid.first_of(row, c)
        if grid.texts[at[0]][at[1]]:
            found.append(at)
            spreading = None if (row, c) in grid.merges or c == header.key else (row, c)
            continue
        if (row, c) in grid.merges:
            spreading = None
        below = any(grid.texts[r][c] for r in range(row + 1, header.bottom + 1))
        found.append(spreading if below else None)
    return found


def _path(grid: Grid, origins: list[list[tuple[int, int] | None]], column: int,
          naming: Naming) -> tuple[list[str], str, str]:
    """Return the heading's levels as printed, its unit and its folded path."""
    places = list(dict.fromkeys(at for level in origins if (at := level[column]) is not None))
    printed = [grid.texts[r][c] for r, c in places]
    unit, names = "", []
    for text in printed:
        name, own = naming.split(_MARKS.sub("", text))
        unit = own or unit  # the lower level speaks last
        if fold(name):
            names.append(fold(name))
    return printed, unit, "/".join(names)


def read_columns(grid: Grid, header: Header, spec: SheetSpec, naming: Naming, skip: set[int]) -> list[Column]:
    """Return every column that has a heading, but for the key columns in `skip`."""
    wanted = {naming.path(heading): target for heading, target in spec.headings.items()}
    ignored = {naming.path(heading) for heading in spec.ignore}
    line = _unit_line(grid, header, naming)
    origins = [_origins(grid, header, row) for row in range(header.top, header.bottom + 1)]
    columns: list[Column] = []
    where: dict[str, int] = {}
    for c in range(len(grid.texts[0])):
        if c in skip:
            continue
        printed, unit, path = _path(grid, origins, c, naming)
        if not printed:
            continue
        target = wanted.get(path)
        if target is None:
            ignore = path in ignored or spec.unmapped == "ignore"
            bare = "/".join(fold(_BRACKETS.sub("", part)) for part in printed)
            if not ignore and bare != path and plain(bare) in wanted:
                raise grid.error("has a unit that the catalogue does not know", header.bottom, c,
                                 found="/".join(printed), expected="one of " + ", ".join(naming.bases))
            if not ignore and spec.unmapped == "error":
                raise not_mapped("heading", path, wanted, file=grid.file, sheet=grid.sheet, row=header.bottom + 1,
                                 column=letters(c), found="/".join(printed))
            columns.append(Column(c, path, None if ignore else "", unit))
            continue
        fitting = [u for u in line if naming.bases[u] == naming.indicators[target.indicator]]
        # Of a line that names several units the one of the indicator's kind.
        unit = unit or (fitting[0] if len(fitting) == 1 else target.unit or "")
        if target.indicator in where:
            raise grid.error("has two columns for one indicator", header.bottom, c, found="/".join(printed),
                             expected=f"one column of {target.indicator} ({letters(where[target.indicator])} is one)")
        where[target.indicator] = c
        columns.append(Column(c, path, target.indicator, unit))
    for heading, target in spec.headings.items():
        if target.indicator not in where and not (where and spec.missing == "allow"):
            near = nearest(plain(heading), [column.path for column in columns])
            raise grid.error("has no such heading", header.bottom, found=near or "nothing like it",
                             expected=f"{heading} (indicator {target.indicator})")
    return columns


def not_mapped(what: str, name: str, known: Iterable[str], **where) -> SourceError:
    """Return the error for a heading or column that the source says nothing of."""
    near = nearest(name, known)
    hint = f"The nearest mapped {what} is {quote(near)}. " if near else ""
    return SourceError(f"has a {what} that is not mapped", expected=f"a {what} under `{what}s` or `ignore`",
                       hint=hint + "Map it, list it under `ignore`, or set `unmapped: keep` or `ignore`", **where)


# --- the rows of the table --------------------------------------------------------------------------------------------

def read_sheet(grid: Grid, spec: SheetSpec, month: Month, naming: Naming, revision: int) -> Block:
    """Read a sheet of the wide layout."""
    by_branch = spec.branch.source == "column"
    header = find_header(grid, spec.branch.column if by_branch else month.column)
    months_at = None if by_branch else header.key
    if by_branch and month.source == "column":
        months_at = _key_column(grid, header, month.column)
    skip = {header.key, months_at} - {None}
    columns = read_columns(grid, header, spec, naming, skip)
    used = [c for c in columns if c.indicator is not None]
    lines = _table_rows(grid, header, used, spec, naming, by_branch)
    block = Block(grid.file, grid.sheet, revision, [letters(c.index) for c in used], [c.indicator for c in used],
                  units=[[c.unit for c in used]] * len(lines))
    same_month = month_of(month, grid.file, grid.sheet, grid.texts[: header.top]) if months_at is None else 0
    same_branch = "" if by_branch else name_of_branch(spec.branch, grid.file, grid.sheet)
    for r in lines:
        block.rows.append(r + 1)
        block.branches.append(grid.text_of(r, header.key) if by_branch else same_branch)
        block.months.append(same_month if months_at is None else _row_month(grid, r, months_at, month))
        block.texts.append([grid.texts[r][c.index] for c in used])
    _mark_merged(block, grid, header.key, lines, used)
    block.hidden = {(i, j): why for i, r in enumerate(lines) if grid.hidden or grid.hidden_rows or grid.hidden_columns
                    for j, c in enumerate(used) if (why := grid.hides(r, c.index))}
    _account(block, grid, header, lines, columns, skip)
    return block


def _key_column(grid: Grid, header: Header, heading: str) -> int:
    for c, texts in enumerate(zip(*grid.texts[header.top : header.bottom + 1])):
        if plain(heading) in [plain(text[:100]) for text in texts]:
            return c
    raise grid.error("has no such heading", header.bottom, expected=f"a cell {quote(heading)} in the heading rows")


def month_of(month: Month, file: str, sheet: str | None = None, above: Sequence[Sequence[str]] = ()) -> int:
    """Return the month of a whole sheet or file, from the file's name, the sheet's name or the rows above the table."""
    texts = {"file": [file.rpartition("/")[2]], "sheet": [sheet],
             "title": [text for row in above for text in row if text]}[month.source]
    found = {n for text in texts if (n := month.in_text(text)) is not None}
    if len(found) != 1:
        raise SourceError(_NO_MONTH[month.source], file=file, sheet=None if month.source == "file" else sheet,
                          found=" | ".join(texts) or "nothing", expected=month.expected)
    return found.pop()


def name_of_branch(branch: BranchAt, file: str, sheet: str) -> str:
    """Return the branch that a whole sheet or file belongs to, as printed in its name."""
    if branch.source == "constant":
        return branch.value
    name = sheet if branch.source == "sheet" else file.rpartition("/")[2].partition(".")[0]
    if branch.pattern is None:
        return name
    match = search(branch.pattern, name)
    if not match or not match["branch"]:
        raise SourceError("names no branch", file=file, sheet=sheet, found=name,
                          expected=f"the pattern {branch.pattern}")
    return match["branch"]


def _row_month(grid: Grid, row: int, column: int, month: Month) -> int:
    r, c = grid.first_of(row, column)
    found = month.in_cell(grid.values[r][c], grid.texts[r][c])
    if found is None:
        raise grid.error("holds no month", row, column, found=grid.texts[r][c], expected=month.expected,
                         hint="A row that is not of a month is left out by `skip`")
    return found


def _table_rows(grid: Grid, header: Header, used: list[Column], spec: SheetSpec, naming: Naming,
                by_branch: bool) -> list[int]:
    """Return the rows of the table: from the headings to the last line that still belongs to it.

    A row belongs to it when it has a figure under a mapped heading, or when it bears a branch's known name. What lies
    between two such rows and has a name belongs to it too; a row without name and figure, and all texts after the last
    row, are notes. After a blank row the table goes on only with a known name or a line that is at least half figures.
    """
    rows: list[int] = []
    waiting: list[int] = []   # rows with a name and nothing else: part of the table if it goes on
    ended = False
    for r in range(header.bottom + 1, len(grid.texts)):
        name = grid.text_of(r, header.key).strip()
        texts = [(grid.values[r][c.index], grid.texts[r][c.index]) for c in used]
        figures = sum(is_number(value, text) for value, text in texts)
        filled = sum(1 for _, text in texts if text.strip())
        if spec.skip is not None and search(spec.skip, next((t for t in grid.texts[r] if t), "")):
            continue
        if not name and not figures and not filled:
            ended = ended or not any(t.strip() for t in grid.texts[r])
            continue
        known = by_branch and fold(name) in naming.branches
        inside = known or (2 * figures >= len(used) if ended else figures > 0)
        if inside or (not ended and 2 * filled >= len(used)):
            rows += [*waiting, r]
            waiting = []
            ended = False
        elif name and not ended and not _spans(grid, r, header.key):
            waiting.append(r)
    return rows


def _spans(grid: Grid, row: int, column: int) -> bool:
    """Whether a cell is merged over columns, as footnotes are and names of branches are not."""
    area = grid.merges.get((row, column))
    return area is not None and area[3] > area[1]


def _mark_merged(block: Block, grid: Grid, key: int, lines: list[int], used: list[Column]) -> None:
    for i, r in enumerate(lines if grid.merges else []):
        by_name = grid.merges.get((r, key))
        whole = range_name(by_name) if by_name and by_name[0] != r else ""
        for j, column in enumerate(used):
            area = grid.merges.get((r, column.index))
            own = range_name(area) if area and area[:2] != (r, column.index) else whole
            if own:
                block.merged[i, j] = own


def _account(block: Block, grid: Grid, header: Header, lines: list[int], columns: list[Column], keys: set[int]) -> None:
    """Say of every printed cell what it is; what is neither heading nor cell nor ignored is a note."""
    used = {c.index for c in columns if c.indicator is not None}
    ignored = {c.index for c in columns if c.indicator is None}
    of_table = set(lines)
    for r, row in enumerate(grid.texts):
        for c, text in enumerate(row):
            if not text:
                continue
            block.printed += 1
            heading = header.top <= r <= header.bottom
            if c in ignored and (heading or r in of_table):
                block.ignored += 1
            elif heading or (c in keys and r in of_table):
                block.headings += 1
            elif not (r in of_table and c in used):
                block.notes.append((r + 1, letters(c), text))
