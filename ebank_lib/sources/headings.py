"""The headings of a sheet: where each of its tables begins, and what each of a table's columns is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ..catalog import fold
from ..errors import SourceError, nearest, quote
from .blocks import letters
from .grids import Grid
from .months import Month
from .numbers import COUNT, counted, is_number
from .spec import Heading, SheetSpec
from .units import Naming, is_line, is_unit_heading, plain

_MAX_LEVELS = 9        # of headings, with a row of units and one of numbers
ADD = "Add it under `units` of the catalogue with its base and factor, or say the heading's `unit` in the YAML"
_COUNTS = ("栏次", "行次", "列次", "列号", "甲", "乙", "丙", "a", "b", "(a)", "(1)", "no.")


@dataclass(frozen=True)
class Layout:
    """What the source says of a sheet: for each of branch, indicator, month and year the record of the YAML about where
    it is written, the names that it gives to indicators, and those that it leaves out, as they are compared."""

    spec: SheetSpec
    month: Month
    naming: Naming

    @cached_property
    def wanted(self) -> dict[str, Heading]:
        return {self.naming.path([heading])[0]: target for heading, target in self.spec.headings.items()}

    @cached_property
    def printed(self) -> dict[str, str]:
        """The wanted names as the source spells them."""
        return {self.naming.path([heading])[0]: heading for heading in self.spec.headings}

    @cached_property
    def ignored(self) -> set[str]:
        return {self.naming.path([name])[0] for name in self.spec.ignore} | {fold(name) for name in self.spec.ignore}

    @cached_property
    def mapped(self) -> set[str]:
        return {*self.wanted, *self.ignored}

    def leaves_out(self, *texts: str) -> bool:
        """Whether one of the texts is a name that the source leaves out."""
        return any(text and (plain(text) in self.ignored or fold(text) in self.ignored) for text in texts)

    def inside(self, text: str) -> str | None:
        """Return the one wanted name that a longer text, such as a title, holds; the longest of several within one
        another."""
        whole = self.naming.path([text])[0]
        if whole in self.wanted:
            return whole
        found = [name for name in self.wanted if name and name in whole]
        found = [name for name in found if not any(name != other and name in other for other in found)]
        return found[0] if len(found) == 1 else None

    @cached_property
    def places(self) -> dict[str, object]:
        found = {"branch": self.spec.branch, "indicator": self.spec.indicator, "month": self.month}
        return found | ({"year": self.month.year} if self.month.year is not None else {})

    def written(self, source: str) -> list[str]:
        """Return the keys that are written in such a place."""
        return [key for key, place in self.places.items() if place.source == source]

    @cached_property
    def heading_levels(self) -> list[str]:
        """The keys besides the indicator that are levels of the headings."""
        return [key for key in self.written("heading") if key != "indicator"]

    def month_in(self, value: object, text: str) -> int | None:
        """Return the month that a cell could be about; of the year 2000 where another place says which."""
        return self.month.in_cell(value, text, 2000 if self.month.year is not None else None) if text else None

    def compared(self, key: str, value: object, text: str) -> object:
        """Return what a cell of a heading says of a key, however it is written."""
        return (self.month_in(value, text) if key == "month" else None) or fold(text)

    def reads(self, key: str, value: object, text: str) -> bool:
        """Whether a cell of a heading could be this key's."""
        if key == "month":
            return self.month_in(value, text) is not None
        if key == "year":
            return len(text) <= 12 and self.month.year.in_text(text) is not None
        return key == "branch" and fold(text) in self.naming.branches


@dataclass(frozen=True)
class Table:
    """A table of a sheet: its heading rows (from, to, inclusive), the columns it spans (from, to, exclusive), the row
    after its last, the columns of keys; heading rows that only count columns, and whether the last holds units."""

    top: int
    bottom: int
    left: int
    right: int
    end: int
    keys: dict[str, int]
    counting: frozenset[int] = frozenset()
    units: bool = False

    @property
    def key(self) -> int:
        """The column by which the table was found."""
        return next(iter(self.keys.values()))

    @property
    def levels(self) -> list[int]:
        return [r for r in range(self.top, self.bottom + 1) if r not in self.counting]


@dataclass(frozen=True)
class Column:
    """A column of the table: its place from 0, its heading's path, what it is and the unit printed in its heading.

    ``indicator`` is "" for a kept and None for an ignored column; where the indicator is written elsewhere it is "".
    ``at`` are the cells of its heading that hold its month, year or branch.
    """

    index: int
    path: str
    indicator: str | None
    unit: str
    cumulative: str = ""
    at: dict[str, tuple[int, int]] = field(default_factory=dict, hash=False, compare=False)


# --- tables -----------------------------------------------------------------------------------------------------------

def find_tables(grid: Grid, layout: Layout) -> list[Table]:
    """Return the tables of a sheet: each begins at a cell with the heading of the first key column, above others. One
    that repeats the headings of the table above goes on with it."""
    columns = {key: layout.places[key].column for key in ("branch", "indicator", "month", "year")
               if key in layout.places and layout.places[key].source == "column"}
    anchor, heading = next(iter(columns.items()))
    wanted = plain(heading)
    starts = [(r, c) for r, row in enumerate(grid.values) for c, value in enumerate(row) if value and type(value) is str
              and len(value) <= 100 and plain(value) == wanted and grid.first_of(r, c) == (r, c)]
    starts = starts or _lettered(grid, heading, layout)
    found: list[Table] = []
    for r, c in starts:
        if any(t.top <= r <= t.bottom and t.left <= c < t.right for t in found):
            continue
        beside = [column for row, column in starts if row == r]
        table = _table(grid, layout, r, c, beside, {anchor: c}, columns)
        above = next((t for t in reversed(found) if t.left <= c < t.right), None)
        if above is None or not _repeats(grid, table, above, layout.naming):
            found.append(table)
    if not found:
        near = nearest(plain(heading), dict.fromkeys(
            plain(t) for row in grid.texts[:50] for t in row if 0 < len(t) <= 100))
        raise grid.error("has no such heading", found=near or "nothing like it",
                         expected=f"a cell {quote(heading)}, the heading of the {anchor} column",
                         hint="A column without a heading is named by its letter")
    wide = [t for t in found if sum(map(any, _headings(grid, t))) > 1] or [
        max(found, key=lambda t: sum(map(any, _headings(grid, t))))]
    below = [[other.top for other in wide if other.top > table.bottom and other.left < table.right
              and table.left < other.right] for table in wide]
    return [replace(table, end=min(tops, default=table.end)) for table, tops in zip(wide, below, strict=True)]


def _lettered(grid: Grid, heading: str, layout: Layout) -> list[tuple[int, int]]:
    """Return where the table begins whose key column has no heading and is given by its letter: beside the first row
    with two texts or more that may be headings."""
    column = next((c for c in range(len(grid.texts[0]) if grid.texts else 0) if letters(c) == heading), None)
    lasts = {name.rpartition("/")[2] for name in layout.mapped} | {plain(layout.spec.value or "")} - {""}
    for r, (values, texts) in enumerate(zip(grid.values, grid.texts, strict=True)) if column is not None else ():
        like = sum(any(layout.reads(k, v, t) for k in layout.heading_levels) or layout.naming.path([t])[0] in lasts
                   for c, (v, t) in enumerate(zip(values, texts, strict=True)) if t and c != column)
        if like > 1 or (like and plain(layout.spec.value or "") in map(plain, texts)):
            return [(r, column)]
    return []


def _headings(grid: Grid, table: Table) -> list[tuple[str, ...]]:
    rows = grid.texts[table.top : table.bottom + 1]
    return [tuple(row[c] for row in rows) for c in range(table.left, table.right)]


def _repeats(grid: Grid, table: Table, above: Table, naming: Naming) -> bool:
    """Whether a table's headings are those of the one above again, or the lower levels of them, whatever numbers the
    rows."""
    def named(texts: tuple[str, ...]) -> set[str]:
        return {naming.path([text])[0] for text in texts if text and not is_number(text, text)}

    return all(named(texts) <= named(before) for texts, before in zip(
        _headings(grid, table), _headings(grid, above), strict=False))


def _table(grid: Grid, layout: Layout, row: int, column: int, beside: list[int], found: dict[str, int],
           wanted: dict[str, str]) -> Table:
    """Return the table whose first key's heading stands here."""
    top, bottom, counting, units = _extend(grid, layout, row, column)
    width = len(grid.texts[row])
    for key, heading in wanted.items():
        if key not in found:
            at = [c for c, texts in enumerate(zip(*grid.texts[top : bottom + 1], strict=True))
                  if plain(heading) in [plain(text[:100]) for text in texts] or heading == letters(c)]
            if not at:
                raise grid.error("has no such heading", bottom, expected=f"a cell {quote(heading)} in the heading rows")
            found = found | {key: min(at, key=lambda c: (abs(c - column), c))}
    # Tables beside one another have one shape: each begins with its first key column.
    before = column - min(found.values())
    left = 0 if column == beside[0] else column - before
    right = next((c - before for c in beside if c > column), width)
    return Table(top, bottom, left, right, len(grid.texts), found, counting, units)


def _extend(grid: Grid, layout: Layout, row: int, column: int) -> tuple[int, int, frozenset[int], bool]:
    """Return the heading rows above and below a key column's own heading, those of them that only count the columns,
    and whether the last of the others holds units."""
    bottom = grid.merges.get((row, column), (row, column, row, column))[2]
    bottom = min(bottom, len(grid.texts) - 1, row + _MAX_LEVELS - 1)
    merged, counting, levels = bottom > row, set(), row

    def units(r: int) -> bool:
        return layout.naming.is_unit_row(grid.texts[r][column], [*grid.texts[r][:column], *grid.texts[r][column + 1:]])

    last = bottom
    while bottom + 1 < len(grid.texts) and bottom - row < _MAX_LEVELS - 1:
        if _counts(grid.texts[bottom + 1], column):
            counting.add(bottom + 1)
        elif units(bottom + 1) and (merged or last > levels or not _is_level(grid, layout, bottom + 1, column)):
            last = levels = bottom + 1
            merged = True
        elif not merged and _is_level(grid, layout, bottom + 1, column):
            last = bottom + 1
        else:
            break
        bottom += 1
    top = row
    while top > 0 and bottom - top < _MAX_LEVELS - 1 and _is_level(grid, layout, top - 1, column, above=True):
        top -= 1
    return top, bottom, frozenset(counting), last > row and units(last)


def _is_level(grid: Grid, layout: Layout, row: int, key: int, above: bool = False) -> bool:
    """Whether a row next to the headings is a further level: blank in the key column, texts and no number beside but
    months and years."""
    texts, values = grid.texts[row], grid.values[row]
    filled = [c for c, text in enumerate(texts) if text.strip()]
    said = [c for c in filled if any(layout.reads(kind, values[c], texts[c]) for kind in layout.heading_levels)]
    at = grid.first_of(row, key)
    if (texts[key] or at != (row, key)) and not (above and at[0] == row and at[1] in said):
        return False
    if not filled or any(is_number(values[c], texts[c]) for c in {*filled} - {*said}):
        return False
    if above:
        # A title and a line "单位：元" stand above a table too: a level has several texts, or one that is a key's.
        return (len(filled) > 1 and not any(is_line(texts[c]) for c in filled)) or len(filled) == len(said)
    return not any(fold(texts[c]).strip("-—–") == "" for c in filled)


def _counts(texts: Sequence[str], key: int) -> bool:
    """Whether a row only counts the columns: 甲, 1, 2, 3."""
    beside = [text for c, text in enumerate(texts) if text and c != key]
    others = [fold(text) for text in beside if not COUNT.fullmatch(fold(text))]
    return counted(beside) >= (2 if fold(texts[key]) in _COUNTS else 3) and all(text in _COUNTS for text in others)


# --- columns ----------------------------------------------------------------------------------------------------------

def origins(grid: Grid, row: int, levels: Sequence[int], left: int, key: int) -> list[tuple[int, int] | None]:
    """Return for every column of the sheet the cell whose text is its heading at one of a table's heading rows; None
    where there is none. The table begins at a column, and one is its key's.

    A merged heading covers its range. One that is not merged covers the blank cells to its right, if they have a
    heading below.
    """
    found: list[tuple[int, int] | None] = []
    spreading: tuple[int, int] | None = None
    for c in range(len(grid.texts[row])):
        at = grid.first_of(row, c)
        if c == left:
            spreading = None
        if grid.texts[at[0]][at[1]]:
            found.append(at)
            spreading = None if (row, c) in grid.merges or c == key else (row, c)
            continue
        if (row, c) in grid.merges:
            spreading = None
        below = any(grid.texts[r][c] for r in levels if r > row)
        found.append(spreading if below else None)
    return found


@dataclass(frozen=True)
class _Printed:
    """The heading of a column as it is printed: all of its texts, those that name an indicator, and the cells that hold
    its month, year or branch, with their texts."""

    index: int
    texts: list[str]
    levels: list[str]
    at: dict[str, tuple[int, int]]
    marks: list[str]


def read_columns(grid: Grid, table: Table, layout: Layout) -> tuple[list[Column], int | None]:
    """Return every column of a table that has a heading, but for the key columns, and the place of a column of units.

    Refused are a heading that the source says nothing of or that lacks the month it should have, a unit that nobody
    knows, and two columns for one indicator.
    """
    naming = layout.naming
    printed = _headings_of(grid, table, layout)
    paths = [naming.path(one.levels, layout.mapped) for one in printed]
    absent = layout.wanted.keys() - {path for path, _ in paths}
    columns: list[Column] = []
    others: list[tuple[_Printed, str]] = []
    unit_column = None
    for one, (path, unit) in zip(printed, paths, strict=True):
        if path not in layout.mapped:
            path, unit = naming.behind(path, absent) or (path, unit)
        below = (row[one.index] for row in grid.texts[table.bottom + 1 : table.end])
        if layout.leaves_out(*one.marks) or (path not in layout.wanted and layout.leaves_out(path, *one.texts)):
            columns.append(Column(one.index, path, None, unit))
        elif any(map(is_unit_heading, (path, *one.marks))) and any(map(naming.is_unit, below)):
            unit_column = one.index
        elif _lacks_key(grid, table, layout, one):
            columns.append(Column(one.index, path, None, unit))
        elif (target := _target(layout, path)) is not None:
            columns.append(Column(one.index, path, target.indicator, unit, target.cumulative, one.at))
        else:
            others.append((one, path))
            columns.append(Column(one.index, path, "" if layout.spec.unmapped == "keep" else None, unit, at=one.at))
    _refuse_repeated(grid, table, layout, columns, [one.index for one, _ in others])
    _refuse_others(grid, table, layout, others, {column.indicator for column in columns})
    return columns, unit_column


def _headings_of(grid: Grid, table: Table, layout: Layout) -> list[_Printed]:
    """Return the headings of a table's columns, from left to right; a column without one is none of the table's."""
    cells_of = {row: origins(grid, row, table.levels, table.left, table.key) for row in table.levels}
    span = [c for c in range(table.left, table.right) if c not in table.keys.values()]
    levels = {key: _level_of(grid, layout, key, cells_of, span) for key in layout.heading_levels}
    found = []
    for c in span:
        cells = list(dict.fromkeys(at for row in cells_of if (at := cells_of[row][c]) is not None))
        at = {key: cells_of[row][c] for key, row in levels.items() if row is not None and cells_of[row][c] is not None}
        if cells:
            texts = {cell: grid.texts[cell[0]][cell[1]] for cell in cells}
            found.append(_Printed(c, list(texts.values()), [t for cell, t in texts.items() if cell not in at.values()],
                                  at, [texts[cell] for cell in at.values()]))
    return found


def _lacks_key(grid: Grid, table: Table, layout: Layout, one: _Printed) -> bool:
    """Whether a heading says no month, year or branch where headings do; an error unless the source allows it."""
    def says(key: str) -> bool:
        row, c = one.at[key]
        if key == "year" and one.at[key] == one.at.get("month"):
            return True         # the year of the months before, maybe
        return key == "branch" or layout.reads(key, grid.values[row][c], grid.texts[row][c])   # cleaning knows branches

    lacking = next((key for key in layout.heading_levels if key not in one.at or not says(key)), None)
    if lacking is not None and layout.spec.unmapped == "error":
        why = layout.month.why_not(one.texts[-1]) if lacking == "month" else ""
        leave = f"What is none is left out by `ignore: [{one.texts[-1]}]`"
        raise grid.error(f"has a heading without a {lacking}", table.bottom, one.index, found="/".join(one.texts),
                         expected=layout.month.expected if lacking == "month" else f"a {lacking}",
                         hint=f"{why}. {leave}" if why else leave)
    return lacking is not None


def _target(layout: Layout, path: str) -> Heading | None:
    """Return what a column holds, by its heading: an indicator, or figures whose indicator is written elsewhere; None
    if the source says nothing of it."""
    if layout.places["indicator"].source == "heading":
        return layout.wanted.get(path)
    value = layout.spec.value
    figures = bool(layout.heading_levels) if value is None else path == layout.naming.path([value])[0]
    return Heading(indicator="") if figures else None


def _refuse_repeated(grid: Grid, table: Table, layout: Layout, columns: list[Column], others: list[int]) -> None:
    """Refuse two columns for one indicator, month and branch."""
    where: dict[tuple, Column] = {}
    dated = ""          # the last month with its year, of those that bear it for others
    for column in (c for c in columns if c.indicator is not None and c.index not in others):
        at = {key: (grid.values[r][c], grid.texts[r][c]) for key, (r, c) in column.at.items()}
        said = (layout.compared(key, *cell) for key, cell in at.items())
        if "year" in at and column.at["year"] == column.at.get("month") and layout.reads("year", *at["year"]):
            dated = at["year"][1]
        before = where.setdefault((column.indicator, dated, *said), column)
        if before is not column:
            marks = [text for _, text in at.values()]
            one = " ".join([column.indicator, *marks]).strip()
            raise grid.error("has two columns for one " + ("indicator" if column.indicator else "month or branch"),
                             table.bottom, column.index, found="/".join(filter(None, [column.path, *marks])),
                             expected=f"one column of {one} ({letters(before.index)} is one)", hint="Map one heading "
                             "and list the other under `ignore`; two of one name have to be told apart in the sheet")


def _level_of(grid: Grid, layout: Layout, key: str, origins: dict[int, list], span: list[int]) -> int | None:
    """Return the heading row in which most columns have this key; None where none has."""
    counts = {row: sum(layout.reads(key, grid.values[at[0]][at[1]], grid.texts[at[0]][at[1]])
                       for c in span if (at := places[c]) is not None) for row, places in origins.items()}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else None


def _refuse_others(grid: Grid, table: Table, layout: Layout, others: list[tuple[_Printed, str]],
                   found: set[str | None]) -> None:
    """Refuse headings that the source says nothing of: because of a unit that nobody knows, or unless it may."""
    for one, path in others:
        meant = layout.naming.unknown_unit(one.levels, table.units, layout.wanted)
        if meant and layout.wanted[meant].indicator not in found:
            raise grid.error("has a unit that the catalogue does not know", table.bottom, one.index,
                             found="/".join(one.levels), expected="one of " + ", ".join(layout.naming.bases), hint=ADD)
        if layout.spec.unmapped == "error":
            raise not_mapped("heading", path, layout.printed.values(), file=grid.file, sheet=grid.sheet,
                             row=table.bottom + 1, column=letters(one.index), found="/".join(one.levels))


def not_mapped(what: str, name: str, known: Iterable[str], **where) -> SourceError:
    """Return the error for a heading, item or column that the source says nothing of."""
    near = nearest(name, known)
    hint = f"The nearest mapped {what} is {quote(near)}. " if near else ""
    under = "columns" if what == "column" else "headings"
    return SourceError(f"has a {what} that is not mapped", expected=f"a {what} under `{under}` or `ignore`",
                       hint=hint + "Map it, list it under `ignore`, or set `unmapped: keep` or `ignore`", **where)
