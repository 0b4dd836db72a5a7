"""The headings of a sheet: where each of its tables begins, and what each of a table's columns is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from xlsxwriter.utility import xl_col_to_name as letters

from ..catalog import fold
from ..errors import SourceError, nearest, quote
from .grids import Grid
from .months import Month, Years
from .spec import Heading, SheetSpec
from .units import COUNT, Naming, counted, is_line, is_number, is_unit_heading, plain

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
    def ignored(self) -> set[str]:
        return {self.naming.path([name])[0] for name in self.spec.ignore} | {fold(name) for name in self.spec.ignore}

    @cached_property
    def mapped(self) -> set[str]:
        return {*self.wanted, *self.ignored}

    def leaves_out(self, *texts: str) -> bool:
        """Whether one of the texts is a name that the source leaves out."""
        return any(text and (plain(text) in self.ignored or fold(text) in self.ignored) for text in texts)

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

    def reads(self, key: str, value: object, text: str) -> bool:
        """Whether a cell of a heading could be this key's."""
        if key == "month":
            return self.month_in(value, text) is not None
        if key == "year":
            return len(text) <= 12 and self.month.year.in_text(text) is not None
        return key == "branch" and fold(text) in self.naming.branches


@dataclass
class Table:
    """A table of a sheet: its heading rows (from, to, inclusive), the columns it spans (from, to, exclusive), the row
    after its last, the columns of keys; the heading rows that do not only count columns, and whether the last of these
    holds units."""

    top: int
    bottom: int
    left: int
    right: int
    end: int
    keys: dict[str, int]
    levels: list[int]
    units: bool

    @property
    def key(self) -> int:
        """The column by which the table was found."""
        return next(iter(self.keys.values()))


@dataclass(eq=False)
class Line:
    """A row or a column of a table: its place from 0, and what it says of its cells where nothing else does.

    The month is a cell's value and text. ``indicator`` is "" for a kept line, and where it is written elsewhere.
    """

    place: int
    branch: str = ""
    month: tuple[object, str] | None = None
    year: int | None = None
    indicator: str | None = ""
    unit: str = ""
    cumulative: str = ""


@dataclass(eq=False)
class Column(Line):
    """A column of a table: besides, all texts of its heading, those of them that name an indicator, their path, and the
    cells that hold the month, year or branch. ``indicator`` is None for an ignored one."""

    texts: Sequence[str] = ()
    names: Sequence[str] = ()
    path: str = ""
    marked: dict[str, tuple[int, int]] = field(default_factory=dict)


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

    def width(table: Table) -> int:
        return sum(map(any, _headings(grid, table)))

    wide = [table for table in found if width(table) > 1] or [max(found, key=width)]
    for table in wide:
        table.end = min([other.top for other in wide if other.top > table.bottom and other.left < table.right
                         and table.left < other.right], default=table.end)
    return wide


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
    top, bottom, levels, units = _extend(grid, layout, row, column)
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
    return Table(top, bottom, left, right, len(grid.texts), found, levels, units)


def _extend(grid: Grid, layout: Layout, row: int, column: int) -> tuple[int, int, list[int], bool]:
    """Return the first and the last heading row above and below a key column's own heading, those of them that do not
    only count the columns, and whether the last of these holds units."""
    bottom = grid.merges.get((row, column), (row, column, row, column))[2]
    bottom = min(bottom, len(grid.texts) - 1, row + _MAX_LEVELS - 1)
    levels, closed = [*range(row, bottom + 1)], bottom > row      # closed: no further level but one of units

    def units(r: int) -> bool:
        return layout.naming.is_unit_row(grid.texts[r][column], [*grid.texts[r][:column], *grid.texts[r][column + 1:]])

    while bottom + 1 < len(grid.texts) and bottom - row < _MAX_LEVELS - 1:
        if not _counts(grid.texts[bottom + 1], column):
            level = _is_level(grid, layout, bottom + 1, column)
            of_units = units(bottom + 1) and (closed or len(levels) > 1 or not level)
            if not of_units and (closed or not level):
                break
            levels.append(bottom + 1)
            closed = closed or of_units
        bottom += 1
    top = row
    while top > 0 and bottom - top < _MAX_LEVELS - 1 and _is_level(grid, layout, top - 1, column, above=True):
        top -= 1
    return top, bottom, [*range(top, row), *levels], levels[-1] > row and units(levels[-1])


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


def read_columns(grid: Grid, table: Table, layout: Layout) -> tuple[list[Column], int | None]:
    """Return every column of a table that has a heading, but for the key columns, and the place of a column of units.

    Refused are a heading that the source says nothing of or that lacks the month it should have, a unit that nobody
    knows, and two columns for one indicator.
    """
    naming, columns = layout.naming, _headings_of(grid, table, layout)
    for column in columns:
        column.path, column.unit = naming.path(column.names, layout.mapped)
    absent = layout.wanted.keys() - {column.path for column in columns}
    found: list[Column] = []
    others: list[Column] = []
    unit_column = None
    for column in columns:
        if column.path not in layout.mapped:
            column.path, column.unit = naming.behind(column.path, absent) or (column.path, column.unit)
        marks = _marks(grid, column)
        below = (row[column.place] for row in grid.texts[table.bottom + 1 : table.end])
        left_out = layout.leaves_out(*marks) or (
            column.path not in layout.wanted and layout.leaves_out(column.path, *column.texts))
        if not left_out and any(map(is_unit_heading, (column.path, *marks))) and any(map(naming.is_unit, below)):
            unit_column = column.place
            continue
        found.append(column)
        if left_out or _lacks_key(grid, table, layout, column):
            continue
        if (target := _target(layout, column.path)) is not None:
            column.indicator, column.cumulative = target.indicator, target.cumulative
        else:
            column.indicator = "" if layout.spec.unmapped == "keep" else None
            others.append(column)
    years = Years()
    for column in (c for c in found if c.indicator is not None and "year" in c.marked):
        row, c = column.marked["year"]
        column.year = layout.month.year.in_text(grid.texts[row][c])
        if column.marked["year"] == column.marked.get("month"):
            column.year = years.along(column.year, layout.month_in(*column.month))
    _refuse_repeated(grid, table, layout, [c for c in found if c.indicator is not None and c not in others])
    _refuse_others(grid, table, layout, others, {column.indicator for column in found})
    return found, unit_column


def _headings_of(grid: Grid, table: Table, layout: Layout) -> list[Column]:
    """Return the columns of a table by their headings, from left to right; one without is none of the table's."""
    cells_of = {row: origins(grid, row, table.levels, table.left, table.key) for row in table.levels}
    span = [c for c in range(table.left, table.right) if c not in table.keys.values()]
    levels = {key: _level_of(grid, layout, key, cells_of, span) for key in layout.heading_levels}
    found = []
    for c in span:
        cells = list(dict.fromkeys(at for row in cells_of if (at := cells_of[row][c]) is not None))
        if not cells:
            continue
        at = {key: cells_of[row][c] for key, row in levels.items() if row is not None and cells_of[row][c] is not None}
        column = Column(c, indicator=None, texts=[grid.texts[r][k] for r, k in cells], marked=at,
                        names=[grid.texts[r][k] for r, k in cells if (r, k) not in at.values()])
        said = {key: (grid.values[r][k], grid.texts[r][k]) for key, (r, k) in at.items()}
        column.branch, column.month = said.get("branch", ("", ""))[1], said.get("month")
        found.append(column)
    return found


def _marks(grid: Grid, column: Column) -> list[str]:
    return [grid.texts[row][c] for row, c in column.marked.values()]


def _lacks_key(grid: Grid, table: Table, layout: Layout, column: Column) -> bool:
    """Whether a heading says no month, year or branch where headings do; an error unless the source allows it."""
    def says(key: str) -> bool:
        row, c = column.marked[key]
        if key == "year" and column.marked[key] == column.marked.get("month"):
            return True         # the year of the months before, maybe
        return key == "branch" or layout.reads(key, grid.values[row][c], grid.texts[row][c])   # cleaning knows branches

    lacking = next((key for key in layout.heading_levels if key not in column.marked or not says(key)), None)
    if lacking is not None and layout.spec.unmapped == "error":
        why = layout.month.why_not(column.texts[-1]) if lacking == "month" else ""
        leave = f"What is none is left out by `ignore: [{column.texts[-1]}]`"
        raise grid.error(f"has a heading without a {lacking}", table.bottom, column.place,
                         found="/".join(column.texts), hint=f"{why}. {leave}" if why else leave,
                         expected=layout.month.expected if lacking == "month" else f"a {lacking}")
    return lacking is not None


def _target(layout: Layout, path: str) -> Heading | None:
    """Return what a column holds, by its heading: an indicator, or figures whose indicator is written elsewhere; None
    if the source says nothing of it."""
    if layout.places["indicator"].source == "heading":
        return layout.wanted.get(path)
    value = layout.spec.value
    figures = bool(layout.heading_levels) if value is None else path == layout.naming.path([value])[0]
    return Heading(indicator="") if figures else None


def _refuse_repeated(grid: Grid, table: Table, layout: Layout, columns: list[Column]) -> None:
    where: dict[tuple, Column] = {}
    for column in columns:
        month = column.month and (layout.month_in(*column.month) or fold(column.month[1]))
        before = where.setdefault((column.indicator, column.year, month, fold(column.branch)), column)
        if before is not column:
            marks = _marks(grid, column)
            one = " ".join([column.indicator, *marks]).strip()
            raise grid.error("has two columns for one " + ("indicator" if column.indicator else "month or branch"),
                             table.bottom, column.place, found="/".join(filter(None, [column.path, *marks])),
                             expected=f"one column of {one} ({letters(before.place)} is one)", hint="Map one heading "
                             "and list the other under `ignore`; two of one name have to be told apart in the sheet")


def _level_of(grid: Grid, layout: Layout, key: str, origins: dict[int, list], span: list[int]) -> int | None:
    """Return the heading row in which most columns have this key; None where none has."""
    counts = {row: sum(layout.reads(key, grid.values[at[0]][at[1]], grid.texts[at[0]][at[1]])
                       for c in span if (at := places[c]) is not None) for row, places in origins.items()}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] else None


def _refuse_others(grid: Grid, table: Table, layout: Layout, others: list[Column], found: set[str | None]) -> None:
    """Refuse headings that the source says nothing of: because of a unit that nobody knows, or unless it may."""
    for column in others:
        meant = layout.naming.unknown_unit(column.names, table.units, layout.wanted)
        if meant and layout.wanted[meant].indicator not in found:
            raise grid.error("has a unit that the catalogue does not know", table.bottom, column.place, hint=ADD,
                             found="/".join(column.names), expected="one of " + ", ".join(layout.naming.bases))
        if layout.spec.unmapped == "error":
            raise not_mapped("heading", column.path, layout.spec.headings, file=grid.file, sheet=grid.sheet,
                             row=table.bottom + 1, column=letters(column.place), found="/".join(column.names))


def not_mapped(what: str, name: str, known: Iterable[str], **where) -> SourceError:
    """Return the error for a heading, item or column that the source says nothing of."""
    near = nearest(name, known)
    hint = f"The nearest mapped {what} is {quote(near)}. " if near else ""
    under = "columns" if what == "column" else "headings"
    return SourceError(f"has a {what} that is not mapped", expected=f"a {what} under `{under}` or `ignore`",
                       hint=hint + "Map it, list it under `ignore`, or set `unmapped: keep` or `ignore`", **where)
