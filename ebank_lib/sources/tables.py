"""One sheet becomes cells, headings and notes: every printed cell is one of them."""

from __future__ import annotations

from ..errors import SourceError, quote
from .cells import Block
from .grids import Grid, letters, range_name
from .headings import Column, Header, Naming, find_header, fold, is_number, plain, read_columns
from .months import SUCH_AS, month_from, month_in_cell, search
from .spec import BranchAt, Month, SheetSpec

__all__ = ["month_of_name", "name_of_branch", "read_sheet"]

_NO_MONTH = {"file": "names no month", "sheet": "has a name without one month",
             "title": "has not one month above the table"}


def read_sheet(grid: Grid, spec: SheetSpec, month: Month, naming: Naming, revision: int) -> Block:
    """Read a sheet of the wide layout.

    Raises
    ------
    SourceError
        With the sheet's name and what was missing.
    """
    by_branch = spec.branch.source == "column"
    header = find_header(grid, spec.branch.column if by_branch else month.column)
    months_at = _key_column(grid, header, month.column) if month.source == "column" and by_branch else None
    skip = {header.key} if months_at is None else {header.key, months_at}
    columns = read_columns(grid, header, spec, naming, skip)
    used = [c for c in columns if c.indicator is not None]
    lines = _table_rows(grid, header, used, spec, naming, by_branch)
    block = Block(grid.file, grid.sheet, revision, [letters(c.index) for c in used], [c.indicator for c in used],
                  units=[[c.unit for c in used]] * len(lines))
    same_month = None if month.source == "column" else sheet_month(grid, header, month)
    same_branch = "" if by_branch else name_of_branch(spec.branch, grid.file, grid.sheet)
    month_column = months_at if by_branch else header.key
    for r in lines:
        at = grid.first_of(r, header.key)
        block.rows.append(r + 1)
        block.branches.append(grid.texts[at[0]][at[1]] if by_branch else same_branch)
        block.months.append(_row_month(grid, r, month_column, month) if same_month is None else same_month)
        block.texts.append([grid.texts[r][c.index] for c in used])
    _mark_merged(block, grid, header.key, lines, used)
    _account(block, grid, header, lines, columns, skip)
    return block


def _key_column(grid: Grid, header: Header, heading: str) -> int:
    wanted = plain(heading)
    for c in range(len(grid.texts[0])):
        for r in range(header.top, header.bottom + 1):
            if plain(grid.texts[r][c][:100]) == wanted:
                return c
    raise SourceError("has no such heading", file=grid.file, sheet=grid.sheet, row=header.bottom + 1,
                      expected=f"a cell {quote(heading)} in the heading rows")


def sheet_month(grid: Grid, header: Header, month: Month) -> int:
    """Return the month of a whole sheet, from the file's name, the sheet's name or the rows above the table."""
    if month.source == "file":
        return month_of_name(grid.file, month)
    texts = [grid.sheet]
    if month.source == "title":
        texts = [text for row in grid.texts[: header.top] for text in row if text]
    return _one_month(texts, month, grid.file, grid.sheet)


def month_of_name(file: str, month: Month) -> int:
    """Return the month that a file's name tells."""
    return _one_month([file.rpartition("/")[2]], month, file, None)


def _one_month(texts: list[str], month: Month, file: str, sheet: str | None) -> int:
    found = {n for text in texts if (n := month_from(text, month.pattern)) is not None}
    if len(found) != 1:
        raise SourceError(_NO_MONTH[month.source], file=file, sheet=sheet, found=" | ".join(texts) or "nothing",
                          expected=f"the pattern {month.pattern}" if month.pattern else f"one month, {SUCH_AS}")
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
    at = grid.first_of(row, column)
    text = grid.texts[at[0]][at[1]]
    found = month_in_cell(grid.values[at[0]][at[1]], text, month.pattern, month.format)
    if found is None:
        raise SourceError("holds no month", file=grid.file, sheet=grid.sheet, row=row + 1, column=letters(column),
                          found=text, expected=month.format or month.pattern or SUCH_AS,
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
        at = grid.first_of(r, header.key)
        name = grid.texts[at[0]][at[1]].strip()
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
    area = (grid.merges or {}).get((row, column))
    return area is not None and area[3] > area[1]


def _mark_merged(block: Block, grid: Grid, key: int, lines: list[int], used: list[Column]) -> None:
    if not grid.merges:
        return
    for i, r in enumerate(lines):
        by_name = grid.merges.get((r, key))
        whole = range_name(by_name) if by_name and grid.first_of(r, key)[0] != r else ""
        for j, column in enumerate(used):
            area = grid.merges.get((r, column.index))
            if area and area[:2] != (r, column.index):
                block.merged[i, j] = range_name(area)
            elif whole:
                block.merged[i, j] = whole


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
            if header.top <= r <= header.bottom:
                if c in ignored:
                    block.ignored += 1
                else:
                    block.headings += 1
            elif r in of_table and c in keys:
                block.headings += 1
            elif r in of_table and c in ignored:
                block.ignored += 1
            elif not (r in of_table and c in used):
                block.notes.append((r + 1, letters(c), text))


