"""One sheet becomes cells, headings and notes: which rows are its tables', and what each of their cells is.

A cell has a branch, an indicator and a month, each written in a place that the source names: a column, a level of the
headings, a row of its own, above the table, the name of the sheet or the file.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import NoReturn

import numpy as np
import pandas as pd
from xlsxwriter.utility import xl_col_to_name as letters
from xlsxwriter.utility import xl_range

from ..errors import nearest
from .grids import Grid
from .headings import ADD, Column, Layout, Line, Table, find_tables
from .months import Month
from .rows import Body, month_of, name_of_branch, one_indicator, year_of
from .spec import SheetSpec
from .units import Naming, plain

_INSIDE = ("column", "row", "heading")     # where each cell of a table may have a month or indicator of its own
_IGNORED, _HEADING, _CELL = 1, 2, 3         # what one description ignores, another may read


@dataclass
class Block:
    """What was read of one table: lines x columns of cells.

    What is said of cells (`branches`, `months` as numbers of monthly periods, `indicators`, `units`, `cumulative`, the
    `merged` range, what makes them `hidden`, and the `files` and `sheets` that a long table may name) is an array, or
    what makes one, that spreads over lines and columns: one entry for all, one a line (n x 1), one a column (1 x n), or
    one a cell. Cells of months out of the `span` are not asked for. The counts are those of all the sheet, and stand in
    its first block.
    """

    file: str
    sheet: str = ""
    revision: int = 0
    rows: Sequence[int] = ()                                  # from 1
    columns: Sequence[str] = ()                               # letters, or names
    texts: Sequence[Sequence[str]] = ()
    branches: object = ""
    months: object = 0
    indicators: object = ""                                   # "": a kept heading that is no indicator's
    units: object = ""
    cumulative: object = ""
    files: object = None
    sheets: object = None
    merged: object = ""
    hidden: object = ""
    span: tuple[float, float] = (-math.inf, math.inf)         # the first and the last month that is kept
    notes: list[tuple[int, str, str]] = field(default_factory=list)    # row, letters, text
    printed: int = 0
    headings: int = 0
    ignored: int = 0
    mapped: bool = True
    absent: list[str] = field(default_factory=list)           # indicators whose headings it does not have

    def __post_init__(self):
        # Sixteen bytes a text, where a list of them takes eighty.
        self.texts = np.array(self.texts, np.dtypes.StringDType()).reshape(self.shape)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), len(self.columns)

    @cached_property
    def inside(self) -> np.ndarray:
        """Which cells are kept."""
        months = np.broadcast_to(np.asarray(self.months), self.shape)
        return (self.span[0] <= months) & (months <= self.span[1])

    @property
    def cells(self) -> int:
        """The kept cells that are not blank."""
        return int(np.count_nonzero((self.texts != "") & self.inside))

    @property
    def outside(self) -> int:
        """The other cells that are not blank."""
        return int(np.count_nonzero((self.texts != "") & ~self.inside))


def read_sheet(grid: Grid, specs: list[SheetSpec], month: Month | None, naming: Naming, revision: int,
               span: tuple[int, int]) -> list[Block]:
    """Return the blocks of a sheet, one a table; the first of them counts what all of the sheet prints. Of several
    `specs` each reads the tables that have its headings; `month` is that of a spec which has none. A SourceError has
    the place of what the source does not describe, and the line of YAML that would."""
    bodies, absent = [], []
    for spec in specs:
        layout = Layout(spec, spec.month or month, naming)
        mine = [Body(grid, table, layout) for table in find_tables(grid, layout)
                if len(specs) == 1 or _reads(grid, table, layout)]
        absent += _refuse_absent(grid, layout, mine)
        bodies += mine
    taken = _taken(grid, bodies)
    free = np.flatnonzero(~(taken == _CELL).any(axis=1)).tolist()      # rows without cells
    blocks = [_block(body, revision, span, free) for body in bodies]
    printed = np.array(grid.texts, np.dtypes.StringDType()).reshape(taken.shape) != ""
    first = blocks[0]
    first.absent, first.printed = absent, int(printed.sum())
    first.headings = int((printed & (taken == _HEADING)).sum())
    first.ignored = int((printed & (taken == _IGNORED)).sum()) + sum(block.outside for block in blocks)
    # What is neither heading nor cell nor ignored is a note.
    first.notes = [(r + 1, letters(c), grid.texts[r][c]) for r, c in np.argwhere(printed & (taken == 0)).tolist()]
    return blocks


def _reads(grid: Grid, table: Table, layout: Layout) -> bool:
    """Whether a table's headings or items bear one of the source's names, if they name the indicators."""
    if layout.spec.indicator.source not in _INSIDE:
        return True
    texts = {plain(text) for r in range(table.top, table.end) for text in grid.texts[r][table.left : table.right]}
    return any(layout.naming.path([text])[0] == name.rpartition("/")[2] for text in texts for name in layout.wanted)


def _refuse_absent(grid: Grid, layout: Layout, bodies: list[Body]) -> list[str]:
    """Return the indicators that the sheet does not have, unless it has to have them."""
    place = layout.spec.indicator.source
    if place not in _INSIDE:
        return []
    found = {one.indicator for body in bodies for one in (body.columns if place == "heading" else body.lines)}
    where = found - {None, ""}
    absent = {target.indicator: heading for heading, target in reversed(layout.spec.headings.items())
              if target.indicator not in found}
    if absent and not (where and layout.spec.missing == "allow"):
        heading = min(absent.values(), key=[*layout.spec.headings].index)
        inside = [text for body in bodies[:1] for text in (
            [column.path for column in body.columns] if place == "heading" else
            [plain(row[body.table.key]) for row in grid.texts[body.table.bottom + 1 : body.table.end]])]
        raise grid.error("has no such heading", bodies[0].table.bottom if bodies else None,
                         found=nearest(plain(heading), inside) or "nothing like it",
                         expected=f"{heading} (indicator {layout.spec.headings[heading].indicator})",
                         hint=None if not where else "`missing: allow` lets sheets lack headings")
    return sorted(absent)


def _taken(grid: Grid, bodies: list[Body]) -> np.ndarray:
    """Return what each cell of a sheet is, 0 where no table takes it."""
    taken = np.zeros((len(grid.texts), max(map(len, grid.texts), default=0)), np.int8)
    for body in bodies:
        table, lines, mine = body.table, [line.place for line in body.lines], np.zeros_like(taken)
        ignored = [column.place for column in body.columns if column.indicator is None]
        beside = [*table.keys.values(), *([] if body.unit_column is None else [body.unit_column])]
        mine[table.top : table.bottom + 1, table.left : table.right] = _HEADING
        mine[table.top : table.bottom + 1, ignored] = _IGNORED
        for columns, what in ((beside, _HEADING), (ignored, _IGNORED), ([c.place for c in body.used], _CELL)):
            mine[np.ix_(lines, columns)] = what
        mine[body.headings, table.left : table.right] = _HEADING
        mine[body.ignored, table.left : table.right] = _IGNORED
        taken = np.maximum(taken, mine)
    return taken


# --- the block of a table ---------------------------------------------------------------------------------------------

def _block(body: Body, revision: int, span: tuple[int, int], free: list[int]) -> Block:
    grid, table, layout, lines, used = body.grid, body.table, body.layout, body.lines, body.used
    above = [grid.texts[r] for r in free if r < table.top]

    whole = Line(0)       # what is said of the table as a whole
    if layout.spec.indicator.source not in _INSIDE:
        one = one_indicator(grid, layout, above)
        whole.indicator, whole.cumulative = one.indicator, one.cumulative
    if layout.spec.branch.source not in _INSIDE:
        whole.branch = name_of_branch(layout.spec.branch, layout.naming, grid.file, grid.sheet, above)

    def said(key: str, name: str) -> np.ndarray:
        place = layout.places[key].source
        found = [getattr(one, name) for one in (
            used if place == "heading" else lines if place in _INSIDE else [whole])]
        return np.array(found, object).reshape((1, -1) if place == "heading" else (-1, 1))

    block = Block(grid.file, grid.sheet, revision, [line.place + 1 for line in lines], [letters(c.place) for c in used],
                  [[grid.texts[line.place][c.place] for c in used] for line in lines], span=span)
    block.branches, block.indicators = said("branch", "branch"), said("indicator", "indicator")
    block.cumulative = said("indicator", "cumulative")
    block.months = _months(body, above)
    if all(block.shape):
        block.units = _units(body, np.broadcast_to(block.indicators, block.shape), free)
    block.merged = _merged(body)
    if grid.extras.hidden or grid.extras.rows or grid.extras.columns:
        block.hidden = [[grid.extras.hides(line.place, c.place) for c in used] for line in lines]
    return block


def _months(body: Body, above: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the months of the cells, as an array that spreads over lines and columns."""
    grid, table, month, year = body.grid, body.table, body.layout.month, body.layout.month.year
    same_year = None if year is None or year.source in _INSIDE else year_of(year, grid.file, grid.sheet, above)
    in_cell = cache(lambda value, text, year: month.in_cell(value, text, year) if text else None)

    def at(line: Line | None, column: Column | None) -> int:
        own = (column.year if column else None) or (line.year if line else None) or same_year
        if month.source not in _INSIDE:
            return month_of(month, grid.file, grid.sheet, above, own)
        value, text = (column if month.source == "heading" else line).month
        found = in_cell(value, text, own)
        if found is None:
            row, c = column.marked["month"] if month.source == "heading" else (
                line.place, table.keys.get("month", table.key))
            hint = "`fill: down` takes the month above" if not text.strip() else f"{month.why_not(text)}. ".lstrip(
                ". ") + f"A row that is not of a month is left out by `ignore: [{text.strip()}]` or `skip`"
            raise grid.error("holds no month", row, c, found=text, expected=month.expected, hint=hint)
        return found

    places = {month.source, *([year.source] if year is not None else [])}
    down = body.lines if places & {"column", "row"} else [None]
    across = body.used if "heading" in places else [None]
    return np.array([[at(line, column) for column in across] for line in down], np.int64).reshape(
        len(down), len(across))


def _units(body: Body, indicators: np.ndarray, free: list[int]) -> np.ndarray:
    """Return the unit of every cell: its heading's; else its row's, in the item's name or a column of units; else that
    of a line above the table, the nearest one of the indicator's kind, of a note below it, of the sheet's or the file's
    name; else what the source's YAML says."""
    grid, table, unit_column, naming = body.grid, body.table, body.unit_column, body.layout.naming
    given = {target.indicator: target.unit or "" for target in body.spec.headings.values()}
    beside = [(r, *naming.line(grid.texts[r], r > table.top)) for r in (
        *reversed([r for r in free if r < table.top]), *(r for r in free if r > table.bottom))]
    beside += [(table.top, *naming.line([grid.sheet, grid.file.rpartition("/")[2].partition(".")[0]]))]

    def fitting(indicator: str, units: Iterable[str]) -> list[str]:
        own = [unit for unit in units if naming.bases[unit] == naming.indicators.get(indicator)]
        return own or [unit for unit in units if naming.bases[unit] == "" and naming.counted(indicator)]

    def refuse(row: int, text: str) -> NoReturn:
        raise grid.error("prints a unit that is not understood", row, found=text, hint=ADD,
                         expected="one of " + ", ".join(naming.bases))

    def of_row(indicator: str, row: int, column: int) -> str:
        if unit_column is None:
            return ""
        known, unknown = naming.line([f"单位：{grid.text_of(row, unit_column)}"])
        units = fitting(indicator, known)
        if unknown and not units and naming.counted(indicator) and grid.texts[row][column]:
            refuse(row, unknown[0])
        return "".join(units[:1])

    @cache
    def of_table(indicator: str) -> str:
        near = next((units for _, known, _ in beside if (units := fitting(indicator, known))), [])
        if len(near) == 1 or given.get(indicator) or not naming.counted(indicator):
            return near[0] if len(near) == 1 else given.get(indicator, "")
        if near:
            refuse(table.bottom, "、".join(near))
        for row, _, unknown in beside:
            if unknown:
                refuse(row, unknown[0])
        return ""

    lines = [*zip(body.lines, indicators, strict=True)]
    if unit_column is None and not any(line.unit for line in body.lines) and (indicators == indicators[:1]).all():
        lines = lines[:1]       # what is said of the first is said of all
    return np.array([[c.unit or line.unit or of_row(i, line.place, c.place) or of_table(i)
                      for c, i in zip(body.used, said, strict=True)] for line, said in lines], object)


def _merged(body: Body) -> object:
    merges, key = body.grid.merges, body.table.key
    if not merges:
        return ""
    found = np.full((len(body.lines), len(body.used)), "", object)
    down, across = ({one.place: n for n, one in enumerate(lines)} for lines in (body.lines, body.used))
    for row, n in down.items():
        if (row, key) in merges and merges[row, key][0] != row:
            found[n] = xl_range(*merges[row, key])
    for (row, column), area in merges.items():
        if row in down and column in across and area[:2] != (row, column):
            found[down[row], across[column]] = xl_range(*area)
    return found


# --- the frames of all blocks -----------------------------------------------------------------------------------------

def cells_frame(blocks: list[Block]) -> pd.DataFrame:
    """Return the cells of all blocks, in their order, row by row: repeated texts are categories, no object a cell."""
    blocks = [b for b in blocks if all(b.shape)]

    def every(values: Callable[[Block], object], kind: type) -> np.ndarray:
        parts = [np.broadcast_to(np.asarray(values(b), kind), b.shape)[b.inside] for b in blocks]
        return np.concatenate([np.empty(0, kind), *parts])

    def texts(values: Callable[[Block], object]) -> pd.Categorical:
        codes, known = pd.factorize(every(values, object))
        return pd.Categorical.from_codes(codes, pd.Index(known, dtype="str"))

    return pd.DataFrame({
        "file": texts(lambda b: b.file if b.files is None else b.files),
        "sheet": texts(lambda b: b.sheet if b.sheets is None else b.sheets),
        "row": every(lambda b: np.array(b.rows)[:, None], np.int64),
        "column": texts(lambda b: [b.columns]),
        "branch": texts(lambda b: b.branches),
        "month": pd.PeriodIndex.from_ordinals(every(lambda b: b.months, np.int64), freq="M"),
        "indicator": texts(lambda b: b.indicators),
        "text": pd.array([text for b in blocks for text in b.texts[b.inside].tolist()], dtype="str"),
        "unit": texts(lambda b: b.units),
        "revision": every(lambda b: b.revision, np.int64),
        "merged": texts(lambda b: b.merged),
        "hidden": texts(lambda b: b.hidden),
        "cumulative": texts(lambda b: b.cumulative)})


def accounting_frame(sheets: Iterable[list[Block]]) -> pd.DataFrame:
    """Return what each sheet prints and what it was taken for, a row a sheet of so many blocks."""
    counts = [(b.file, b.sheet, b.mapped, b.printed, b.headings, sum(block.cells for block in sheet), len(b.notes),
               b.ignored, " ".join(b.absent)) for sheet in sheets for b in sheet[:1]]
    return pd.DataFrame(counts, columns=["file", "sheet", "mapped", "printed", "headings", "cells", "notes", "ignored",
                                         "absent"])


def files_frame(files: list[tuple[str, int, str]], blocks: list[Block]) -> pd.DataFrame:
    """Return what was read, a row a file: its name, size and hash, and what its blocks hold."""
    found = defaultdict(list)
    for block in blocks:
        found[block.file].append(block)
    rows = []
    for name, size, sha256 in dict.fromkeys(files):       # two entries of the source may read one file
        months = np.concatenate([np.empty(0, np.int64), *(
            np.broadcast_to(np.asarray(b.months), b.shape)[b.inside] for b in found[name] if all(b.shape))])
        ends = (pd.Period(ordinal=end(months), freq="M") if months.size else pd.NaT for end in (min, max))
        rows.append((name, *ends, max((b.revision for b in found[name]), default=0), sum(b.cells for b in found[name]),
                     size, sha256))
    frame = pd.DataFrame(rows, columns=["file", "first", "last", "revision", "cells", "bytes", "sha256"])
    return frame.assign(**{name: pd.PeriodIndex(frame[name], freq="M") for name in ("first", "last")})
