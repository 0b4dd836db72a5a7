"""One sheet becomes cells, headings and notes: which column is which indicator, which rows are the table."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

from ..errors import SourceError, nearest, quote
from .grids import Block, Grid, letters, range_name
from .patterns import search
from .spec import BranchAt, Month, SheetSpec
from .units import Naming, fold, is_line, is_unit_heading, plain

__all__ = ["ADD", "month_of", "name_of_branch", "not_mapped", "read_sheet"]

_NO_MONTH = {"file": "names no month", "sheet": "has a name without one month",
             "title": "has not one month above the table"}
_MAX_LEVELS = 4
ADD = "Add it under `units` of the catalogue with its base and factor, or say the heading's `unit` in the YAML"
_NUMBER = re.compile(r"[约近逾≈~＇'\"(（¥￥$\s]*[-+−－]?[0-9][0-9,.\s]*(?:[eE][-+]?\d+)?\D{0,12}")


def is_number(value: object, text: str) -> bool:
    """Whether a cell holds a figure, typed as one or written as one ("2.5万", "约1,200", "12*")."""
    if isinstance(value, int | float):
        return not isinstance(value, bool)
    return len(text) <= 60 and bool(_NUMBER.fullmatch(unicodedata.normalize("NFKC", text).strip()))


@dataclass(frozen=True)
class Column:
    """A column of the table: its place from 0, the heading's path, what it is and the unit printed in its heading.
    ``indicator`` is "" for a kept and None for an ignored column."""

    index: int
    path: str
    indicator: str | None
    unit: str


@dataclass(frozen=True)
class Header:
    """The heading rows (from, to, inclusive), the key column, whose heading the source names, and whether the last of
    the rows holds units."""

    top: int
    bottom: int
    key: int
    units: bool


def find_header(grid: Grid, heading: str, naming: Naming) -> Header:
    """Return the heading rows around the first cell that holds `heading` and stands above a table."""
    wanted = plain(heading)
    best: tuple[int, Header] | None = None
    for r, row in enumerate(grid.texts):
        for c, text in enumerate(row):
            if text and len(text) <= 100 and plain(text) == wanted and grid.first_of(r, c) == (r, c):
                header = _extend(grid, r, c, naming)
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


def _extend(grid: Grid, row: int, column: int, naming: Naming) -> Header:
    """Find the heading rows above and below the key column's own heading, the last of which may hold only units."""
    bottom = grid.merges.get((row, column), (row, column, row, column))[2]
    bottom = min(bottom, len(grid.texts) - 1, row + _MAX_LEVELS - 1)
    if bottom == row:
        while bottom + 1 < len(grid.texts) and bottom - row < _MAX_LEVELS - 1 and _is_level(grid, bottom + 1, column):
            bottom += 1

    def units(r: int) -> bool:
        return naming.is_unit_row(grid.texts[r][column], [*grid.texts[r][:column], *grid.texts[r][column + 1:]])

    if bottom + 1 < len(grid.texts) and bottom - row < _MAX_LEVELS - 1 and units(bottom + 1):
        bottom += 1
    top = row
    while top > 0 and bottom - top < _MAX_LEVELS - 1 and _is_level(grid, top - 1, column, above=True):
        top -= 1
    return Header(top, bottom, column, bottom > row and units(bottom))


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
        return len(filled) > 1 and not any(is_line(texts[c]) for c in filled)
    return not any(fold(texts[c]).strip("-—–") == "" for c in filled)


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


def _levels(grid: Grid, origins: list[list[tuple[int, int] | None]], column: int) -> list[str]:
    """Return the levels of a heading as printed."""
    places = dict.fromkeys(at for level in origins if (at := level[column]) is not None)
    return [grid.texts[r][c] for r, c in places]


def read_columns(grid: Grid, header: Header, spec: SheetSpec, naming: Naming,
                 skip: set[int]) -> tuple[list[Column], int | None]:
    """Return every column that has a heading, but for the key columns in `skip`, and the place of a column of units."""
    wanted = {naming.path([heading])[0]: target for heading, target in spec.headings.items()}
    ignored = {naming.path([heading])[0] for heading in spec.ignore}
    mapped = wanted.keys() | ignored
    origins = [_origins(grid, header, row) for row in range(header.top, header.bottom + 1)]
    columns: list[Column] = []
    where: dict[str, int] = {}
    others: list[tuple[int, str, list[str]]] = []
    unit_column = None
    found = {c: levels for c in range(len(grid.texts[0])) if c not in skip and (levels := _levels(grid, origins, c))}
    paths = {c: naming.path(levels, mapped) for c, levels in found.items()}
    absent = wanted.keys() - {path for path, _ in paths.values()}
    for c, levels in found.items():
        path, unit = paths[c]
        if path not in mapped:
            path, unit = naming.behind(path, absent) or (path, unit)
        target = wanted.get(path)
        if path not in mapped:
            if is_unit_heading(path) and any(naming.is_unit(row[c]) for row in grid.texts[header.bottom + 1:]):
                unit_column = c
                continue
            others.append((c, path, levels))
        if target is None:
            columns.append(Column(c, path, "" if spec.unmapped == "keep" and path not in ignored else None, unit))
            continue
        if target.indicator in where:
            raise grid.error("has two columns for one indicator", header.bottom, c, found="/".join(levels),
                             expected=f"one column of {target.indicator} ({letters(where[target.indicator])} is one)")
        where[target.indicator] = c
        columns.append(Column(c, path, target.indicator, unit))
    for c, path, levels in others:
        meant = naming.unknown_unit(levels, header.units, wanted)
        if meant and wanted[meant].indicator not in where:
            raise grid.error("has a unit that the catalogue does not know", header.bottom, c, found="/".join(levels),
                             expected="one of " + ", ".join(naming.bases), hint=ADD)
        if spec.unmapped == "error":
            raise not_mapped("heading", path, wanted, file=grid.file, sheet=grid.sheet, row=header.bottom + 1,
                             column=letters(c), found="/".join(levels))
    for heading, target in spec.headings.items():
        if target.indicator not in where and not (where and spec.missing == "allow"):
            near = nearest(plain(heading), [column.path for column in columns])
            raise grid.error("has no such heading", header.bottom, found=near or "nothing like it",
                             expected=f"{heading} (indicator {target.indicator})")
    return columns, unit_column


def not_mapped(what: str, name: str, known: Iterable[str], **where) -> SourceError:
    """Return the error for a heading or column that the source says nothing of."""
    near = nearest(name, known)
    hint = f"The nearest mapped {what} is {quote(near)}. " if near else ""
    return SourceError(f"has a {what} that is not mapped", expected=f"a {what} under `{what}s` or `ignore`",
                       hint=hint + "Map it, list it under `ignore`, or set `unmapped: keep` or `ignore`", **where)


def _units(grid: Grid, header: Header, spec: SheetSpec, naming: Naming, used: list[Column], lines: list[int],
           unit_column: int | None) -> list[list[str]]:
    """Return the unit of every cell: its heading's; else its row's, in a column of units; else that of a line above the
    table, the nearest one of the indicator's kind, of a note below it, of the sheet's or the file's name; else what the
    source's YAML says."""
    given = {target.indicator: target.unit or "" for target in spec.headings.values()}
    below = sorted({*range(header.bottom + 1, len(grid.texts))} - {*lines})
    beside = [(r, *naming.line(grid.texts[r], r > header.top)) for r in (*reversed(range(header.top)), *below)]
    beside += [(header.top, *naming.line([grid.sheet, grid.file.rpartition("/")[2].partition(".")[0]]))]

    def fitting(column: Column, units: Iterable[str]) -> list[str]:
        return [unit for unit in units if naming.bases[unit] == naming.indicators.get(column.indicator)]

    def refuse(row: int, text: str) -> NoReturn:
        raise grid.error("prints a unit that is not understood", row, found=text, hint=ADD,
                         expected="one of " + ", ".join(naming.bases))

    def of_row(column: Column, row: int) -> str:
        known, unknown = naming.line([f"单位：{grid.text_of(row, unit_column)}"])
        units = fitting(column, known)
        if unknown and not units and naming.counted(column.indicator) and grid.texts[row][column.index]:
            refuse(row, unknown[0])
        return "".join(units[:1])

    @cache
    def of_table(column: Column) -> str:
        near = next((units for _, known, _ in beside if (units := fitting(column, known))), [])
        if len(near) == 1 or given.get(column.indicator) or not naming.counted(column.indicator):
            return near[0] if len(near) == 1 else given.get(column.indicator, "")
        if near:
            refuse(header.bottom, "、".join(near))
        for row, _, unknown in beside:
            if unknown:
                refuse(row, unknown[0])
        return ""

    if unit_column is None:
        return [[c.unit or of_table(c) for c in used]] * len(lines)
    return [[c.unit or of_row(c, r) or of_table(c) for c in used] for r in lines]


# --- the rows of the table --------------------------------------------------------------------------------------------

def read_sheet(grid: Grid, spec: SheetSpec, month: Month, naming: Naming, revision: int) -> Block:
    """Read a sheet of the wide layout."""
    by_branch = spec.branch.source == "column"
    header = find_header(grid, spec.branch.column if by_branch else month.column, naming)
    months_at = None if by_branch else header.key
    if by_branch and month.source == "column":
        months_at = _key_column(grid, header, month.column)
    skip = {header.key, months_at} - {None}
    columns, unit_column = read_columns(grid, header, spec, naming, skip)
    used = [c for c in columns if c.indicator is not None]
    lines = _table_rows(grid, header, used, spec, naming, by_branch)
    block = Block(grid.file, grid.sheet, revision, [letters(c.index) for c in used], [c.indicator for c in used],
                  units=_units(grid, header, spec, naming, used, lines, unit_column))
    same_month = month_of(month, grid.file, grid.sheet, grid.texts[: header.top]) if months_at is None else 0
    same_branch = "" if by_branch else name_of_branch(spec.branch, grid.file, grid.sheet)
    for r in lines:
        block.rows.append(r + 1)
        block.branches.append(grid.text_of(r, header.key) if by_branch else same_branch)
        block.months.append(same_month if months_at is None else _row_month(grid, r, months_at, month))
        block.texts.append([grid.texts[r][c.index] for c in used])
    block.absent = sorted({target.indicator for target in spec.headings.values()} - {*block.indicators})
    _mark_merged(block, grid, header.key, lines, used)
    block.hidden = {(i, j): why for i, r in enumerate(lines) if grid.hidden or grid.hidden_rows or grid.hidden_columns
                    for j, c in enumerate(used) if (why := grid.hides(r, c.index))}
    _account(block, grid, header, lines, columns, skip | {unit_column})
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
