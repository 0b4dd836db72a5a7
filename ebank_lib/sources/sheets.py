"""One sheet becomes cells, headings and notes: which rows are its tables', and what each of their cells is.

A cell has a branch, an indicator and a month, each written in a place that the source names: a column, a level of the
headings, a row of its own, above the table, the name of the sheet or the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NoReturn

import numpy as np

from ..errors import nearest
from .blocks import Block, letters, range_name
from .grids import Grid
from .headings import ADD, Column, Layout, Table, find_tables, read_columns
from .months import Month, year_carried
from .places import month_of, name_of_branch, one_indicator, year_of
from .rows import Line, Rows
from .spec import SheetSpec
from .units import Naming, plain

_HEADING, _CELL, _IGNORED = 1, 2, 3

# A table, its columns, the place of a column of units, and its rows.
_Part = tuple[Table, list[Column], int | None, Rows]


def read_sheet(grid: Grid, specs: list[SheetSpec], month: Month | None, naming: Naming, revision: int,
               span: tuple[int, int]) -> list[Block]:
    """Return the blocks of a sheet, one a table; the first of them counts what all of the sheet prints. Of several
    `specs` each reads the tables that have its headings; `month` is that of a spec which has none. A SourceError has
    the place of what the source does not describe, and the line of YAML that would."""
    taken = np.zeros((len(grid.texts), max(map(len, grid.texts), default=0)), np.int8)
    read, absent = [], []
    for spec in specs:
        layout = Layout(spec, spec.month or month, naming)
        parts = []
        for table in find_tables(grid, layout):
            if len(specs) > 1 and not _has_headings(grid, table, layout):
                continue
            columns, unit_column = read_columns(grid, table, layout)
            used = [c for c in columns if c.indicator is not None]
            parts.append((table, columns, unit_column, Rows(grid, table, used, layout)))
            _take(taken, parts[-1])
        absent += _refuse_absent(grid, layout, parts)
        read += [(part, layout) for part in parts]
    blocks = [_block(grid, part, layout, revision, span, taken) for part, layout in read]
    for block in blocks[1:]:
        blocks[0].ignored += block.ignored
        block.ignored = 0
    blocks[0].absent = absent
    _account(blocks, grid, taken)
    return blocks


def _has_headings(grid: Grid, table: Table, layout: Layout) -> bool:
    """Whether a table's headings or items bear one of the source's names."""
    texts = {plain(text) for r in range(table.top, table.end) for text in grid.texts[r][table.left : table.right]}
    return any(layout.naming.path([text])[0] == name.rpartition("/")[2] for text in texts for name in layout.wanted)


# --- the block of a table ---------------------------------------------------------------------------------------------

def _block(grid: Grid, part: _Part, layout: Layout, revision: int, span: tuple[int, int], taken: np.ndarray) -> Block:
    """Return the cells of a table, each with its branch, indicator, month and unit."""
    table, columns, _, rows = part
    used, lines = [c for c in columns if c.indicator is not None], rows.lines
    above = [grid.texts[r] for r in range(table.top) if not (taken[r] == _CELL).any()]
    block = Block(grid.file, grid.sheet, revision, [line.row + 1 for line in lines], [letters(c.index) for c in used],
                  [[grid.texts[line.row][c.index] for c in used] for line in lines])
    place = layout.places["indicator"].source
    said = used if place == "heading" else lines if place in ("column", "row") else [
        one_indicator(grid, layout, above)]
    for name in ("indicator", "cumulative"):
        found = np.array([getattr(one, name) for one in said], object)
        setattr(block, f"{name}s" if name == "indicator" else name, found[:, None] if said is lines else found[None])
    block.branches = (
        [[line.branch] for line in lines] if layout.places["branch"].source in ("column", "row") else
        [[grid.text_of(*c.at["branch"]) for c in used]] if layout.places["branch"].source == "heading" else
        name_of_branch(layout.spec.branch, grid.file, grid.sheet, above, layout.naming))
    block.months = _months(grid, table, layout, used, lines, above)
    if all(block.shape):
        block.units = _units(grid, part, layout, np.broadcast_to(block.indicators, block.shape), taken)
        months = np.broadcast_to(block.months, block.shape)
        if months.min() < span[0] or months.max() > span[1]:
            block.kept = (months >= span[0]) & (months <= span[1])
            block.ignored = sum(map(bool, np.array(block.texts, object)[~block.kept]))
    _mark_merged(block, grid, table.key, lines, used)
    block.hidden = {(i, j): why for i, line in enumerate(lines)
                    if grid.hidden or grid.hidden_rows or grid.hidden_columns
                    for j, c in enumerate(used) if (why := grid.hides(line.row, c.index))}
    return block


def _refuse_absent(grid: Grid, layout: Layout, parts: list[_Part]) -> list[str]:
    """Return the indicators that the sheet does not have, unless it has to have them."""
    place = layout.spec.indicator.source
    if place not in ("heading", "column", "row"):
        return []
    found = {one.indicator for _, columns, _, rows in parts for one in (columns if place == "heading" else rows.lines)}
    where = found - {None, ""}
    absent = sorted({target.indicator for target in layout.spec.headings.values()} - found)
    for heading, target in layout.spec.headings.items():
        if target.indicator in absent and not (where and layout.spec.missing == "allow"):
            table, columns, *_ = parts[0]
            inside = [c.path for c in columns] if place == "heading" else [
                plain(grid.texts[r][table.key]) for r in range(table.bottom + 1, table.end)]
            near = nearest(plain(heading), inside)
            raise grid.error("has no such heading", table.bottom, found=near or "nothing like it",
                             expected=f"{heading} (indicator {target.indicator})",
                             hint=None if not where else "`missing: allow` lets sheets lack headings")
    return absent


def _months(grid: Grid, table: Table, layout: Layout, used: list[Column], lines: list[Line],
            above: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the months of the cells, as an array that spreads over lines and columns."""
    month, year = layout.month, layout.month.year
    inside = ("column", "row", "heading")
    same_year = None if year is None or year.source in inside else year_of(year, grid.file, grid.sheet, above)
    places = {month.source, *([year.source] if year is not None else [])}

    years: dict[int, int | None] = {}
    last = None
    for column in used if year is not None and year.source == "heading" else ():
        r, c = column.at["year"]
        found = year.in_text(grid.texts[r][c])
        if column.at["year"] == column.at.get("month"):
            at_month = layout.month_in(grid.values[r][c], grid.texts[r][c])
            found = found or year_carried(last, at_month)
            last = None if None in (found, at_month) else (found - 1970) * 12 + at_month % 12
        years[column.index] = found

    def year_at(line: Line | None, column: Column | None) -> int | None:
        if year is None or year.source not in inside:
            return same_year
        return line.year if year.source != "heading" else years[column.index]

    @cache
    def month_at(text: str, year: int | None, value: object) -> int | None:
        return month.in_cell(value, text, year) if text else None

    def at(line: Line | None, column: Column | None) -> int:
        year = year_at(line, column)
        if month.source not in inside:
            return month_of(month, grid.file, grid.sheet, above, year)
        row, c = column.at["month"] if month.source == "heading" else (line.row, table.keys.get("month", table.key))
        value, text = (grid.values[row][c], grid.texts[row][c]) if month.source == "heading" else line.month
        found = month_at(text, year, value)
        if found is None:
            hint = "`fill: down` takes the month above" if not text.strip() else f"{month.why_not(text)}. ".lstrip(
                ". ") + f"A row that is not of a month is left out by `ignore: [{text.strip()}]` or `skip`"
            raise grid.error("holds no month", row, c, found=text, expected=month.expected, hint=hint)
        return found

    down = lines if places & {"column", "row"} else [None]
    across = used if "heading" in places else [None]
    return np.array([[at(line, column) for column in across] for line in down], np.int64).reshape(
        len(down), len(across))


def _units(grid: Grid, part: _Part, layout: Layout, indicators: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Return the unit of every cell: its heading's; else its row's, in the item's name or a column of units; else that
    of a line above the table, the nearest one of the indicator's kind, of a note below it, of the sheet's or the file's
    name; else what the source's YAML says."""
    table, columns, unit_column, rows = part
    naming, used = layout.naming, [c for c in columns if c.indicator is not None]
    given = {target.indicator: target.unit or "" for target in layout.spec.headings.values()}
    free = [r for r in range(len(grid.texts)) if not (taken[r] == _CELL).any()]
    beside = [(r, *naming.line(grid.texts[r], r > table.top)) for r in (
        *reversed([r for r in free if r < table.top]), *(r for r in free if r > table.bottom))]
    beside += [(table.top, *naming.line([grid.sheet, grid.file.rpartition("/")[2].partition(".")[0]]))]

    def fitting(indicator: str, units: Iterable[str]) -> list[str]:
        own = [unit for unit in units if naming.bases[unit] == naming.indicators.get(indicator)]
        return own or [unit for unit in units if naming.bases[unit] == "" and naming.counted(indicator)]

    def refuse(row: int, text: str) -> NoReturn:
        raise grid.error("prints a unit that is not understood", row, found=text, hint=ADD,
                         expected="one of " + ", ".join(naming.bases))

    def of_row(indicator: str, row: int, filled: bool) -> str:
        known, unknown = naming.line([f"单位：{grid.text_of(row, unit_column)}"])
        units = fitting(indicator, known)
        if unknown and not units and naming.counted(indicator) and filled:
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

    lines = [*zip(rows.lines, indicators, strict=True)]
    if unit_column is None and not any(line.unit for line in rows.lines) and (indicators == indicators[:1]).all():
        lines = lines[:1]       # what is said of the first is said of all
    return np.array([[c.unit or line.unit
                      or (of_row(i, line.row, bool(grid.texts[line.row][c.index])) if unit_column is not None else "")
                      or of_table(i) for c, i in zip(used, said, strict=True)]
                     for line, said in lines], object)


# --- what each printed cell is ----------------------------------------------------------------------------------------

def _mark_merged(block: Block, grid: Grid, key: int, lines: list[Line], used: list[Column]) -> None:
    for i, line in enumerate(lines if grid.merges else []):
        by_name = grid.merges.get((line.row, key))
        whole = range_name(by_name) if by_name and by_name[0] != line.row else ""
        for j, column in enumerate(used):
            area = grid.merges.get((line.row, column.index))
            own = range_name(area) if area and area[:2] != (line.row, column.index) else whole
            if own:
                block.merged[i, j] = own


def _take(taken: np.ndarray, part: _Part) -> None:
    """Mark what the cells of a table are."""
    table, columns, unit_column, rows = part
    used = [c.index for c in columns if c.indicator is not None]
    ignored = [c.index for c in columns if c.indicator is None]
    beside = [*table.keys.values(), *([unit_column] if unit_column is not None else [])]
    lines = [line.row for line in rows.lines]
    taken[table.top : table.bottom + 1, table.left : table.right] = _HEADING
    taken[table.top : table.bottom + 1, ignored] = _IGNORED
    for marked, places, what in ((lines, beside, _HEADING), (lines, ignored, _IGNORED), (lines, used, _CELL),
                                 (rows.headings, range(table.left, table.right), _HEADING),
                                 (rows.ignored, range(table.left, table.right), _IGNORED)):
        if marked and len(places):
            taken[np.ix_(marked, list(places))] = what


def _account(blocks: list[Block], grid: Grid, taken: np.ndarray) -> None:
    """Say of every printed cell what it is; what is neither heading nor cell nor ignored is a note."""
    first = blocks[0]
    for r, (row, kinds) in enumerate(zip(grid.texts, taken.tolist(), strict=True)):
        for c, (text, kind) in enumerate(zip(row, kinds, strict=True)):
            if text:
                first.printed += 1
                first.headings += kind == _HEADING
                first.ignored += kind == _IGNORED
                if not kind:
                    first.notes.append((r + 1, letters(c), text))
