"""What is read of a table: its columns, and its rows: which are its lines, which name what is below them, which are
left out; and what is said of all of it by the rows above it, or by the name of its sheet or file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from xlsxwriter.utility import xl_col_to_name as letters

from ..catalog import fold
from ..errors import SourceError
from .grids import Grid
from .headings import Layout, Line, Table, not_mapped, read_columns
from .months import Month, Year, Years, search
from .spec import BranchAt, Heading
from .units import Naming, is_number, longest_in


class Body:
    """A table as it is read: its `columns`, those of figures that are `used`, the place of a `unit_column`; its rows
    that are `lines`, those that are `headings` of what is below them, and those that are `ignored`.

    A row belongs to the table when it has a figure under a mapped heading, or when it bears a known name. What lies
    between two such rows and has a name belongs to it too; a row without name and figure, and all texts after the last
    row, are notes. After a blank row the table goes on only with a known name or a line that is at least half figures.
    """

    def __init__(self, grid: Grid, table: Table, layout: Layout):
        self.grid, self.table, self.layout, self.spec = grid, table, layout, layout.spec
        self.columns, self.unit_column = read_columns(grid, table, layout)
        self.used = [column for column in self.columns if column.indicator is not None]
        self.above = dict.fromkeys(layout.written("row"))         # what rows of their own say
        self.before: dict[str, tuple[object, str]] = {}                 # the last cell of each key column
        self.groups: list[str] = []
        self.waiting: list = []       # rows with a name and nothing else: part of the table if it goes on
        self.lines: list[Line] = []
        self.headings: list[int] = []
        self.ignored: list[int] = []
        self.ended = self.grouped = self.left_out = False
        self.years = Years()
        self.seen: set[tuple[str, str]] = set()       # below rows of branches, months across
        for r in range(table.top if self.above else 0):
            self._names_rows_below(r, grid.texts[r][table.left : table.right])
        for r in range(table.bottom + 1, table.end):
            self._row(r)

    def _row(self, r: int) -> None:
        grid, used, table = self.grid, self.used, self.table
        inside = grid.texts[r][table.left : table.right]
        if self.spec.skip is not None and search(self.spec.skip, next((t for t in inside if t), "")):
            return
        texts = [(grid.values[r][c.place], grid.texts[r][c.place]) for c in used]
        figures = sum(is_number(value, text) for value, text in texts)
        filled = sum(1 for _, text in texts if text.strip())
        cells = {key: self._cell(r, key, c, figures > 0) for key, c in table.keys.items()}
        name = cells[next(iter(cells))][1].strip()
        if not figures and self.above and self._names_rows_below(r, inside):
            return
        if inside == grid.texts[table.bottom][table.left : table.right]:
            self.headings.append(r)       # the headings again
            return
        if not name and not figures and not filled:
            self.ended = self.ended or not any(t.strip() for t in inside)
            return
        if (self.left_out and figures) or any(
                self.layout.leaves_out(text) and self._path(text) is None for _, text in cells.values()):
            self.ignored.append(r)
            return
        if self._goes_on(cells, figures, filled):
            self.before |= cells
            self._add_waiting()
            self._add(r, cells, figures)
            self.ended = False
            return
        group = "indicator" in cells and "branch" not in cells and not filled
        area = grid.merges.get((r, table.key))      # footnotes are merged over columns, names of branches are not
        if name and (group or (not self.ended and (area is None or area[3] == area[1]))):
            self.waiting.append((r, cells, group))

    def _cell(self, r: int, key: str, column: int, figures: bool) -> tuple[object, str]:
        """Return the value and the text of a row's key; a blank one may mean the one above."""
        row, c = self.grid.first_of(r, column)
        cell = self.grid.values[row][c], self.grid.texts[row][c]
        return self.before.get(key, cell) if not cell[1].strip() and figures and self.spec.fill == "down" else cell

    def _goes_on(self, cells: dict[str, tuple[object, str]], figures: int, filled: int) -> bool:
        name = cells[next(iter(cells))][1].strip()
        known = ("branch" in cells and fold(cells["branch"][1]) in self.layout.naming.branches) or (
            "branch" not in cells and "indicator" in cells and self._path(name) is not None)
        if known or (2 * figures >= len(self.used) if self.ended else figures > 0):
            return True
        return not self.ended and len(self.used) > 0 and 2 * filled >= len(self.used)

    def _add_waiting(self) -> None:
        for r, cells, group in self.waiting:
            if group:
                text = cells["indicator"][1]
                # Groups that follow each other are within one another; one after items stands for the last.
                self.groups[len(self.groups) - 1 if self.grouped and self.groups else len(self.groups):] = [text]
                self.grouped = False
                self.headings.append(r)
            else:
                self._add(r, cells, 0)
        self.waiting = []

    def _names_rows_below(self, r: int, inside: Sequence[str]) -> bool:
        """Whether a row with one text names the branch, month, year or indicator of the rows below it."""
        texts = list(dict.fromkeys(t for t in inside if t.strip()))
        if len(texts) != 1:
            return False
        if "branch" in self.above and self.layout.leaves_out(texts[0]):
            self.left_out = True
            self.ignored.append(r)
            return True
        for key in self.above:
            said = self._said(key, texts[0])
            if said:
                self.above[key], self.left_out = said, self.left_out and key != "branch"
                self.groups, self.ended, self.waiting, self.grouped = [], False, [], False
                self.headings.append(r)
                return True
        return False

    def _said(self, key: str, text: str) -> object:
        """Return what a row of its own says of a key, None if it is not about it."""
        if key == "branch":
            branch = self.layout.spec.branch
            name = branch_in(branch, self.layout.naming, text)
            return name if branch.pattern or (name and fold(name) in self.layout.naming.branches) else None
        if key == "indicator":
            return self._path(text)
        return self.layout.month.year.in_text(text) if key == "year" else (
            (text, text) if self.layout.month_in(text, text) is not None else None)

    def _path(self, text: str) -> str | None:
        """Return the wanted name that an item has, with its groups or alone."""
        naming, wanted = self.layout.naming, self.layout.wanted
        for n in range(len(self.groups) + 1):
            path = naming.path([*self.groups[n:], text], wanted)[0]
            if path in wanted:
                return path
        return None

    def _add(self, r: int, cells: dict[str, tuple[object, str]], figures: int) -> None:
        line = Line(r, branch=cells["branch"][1] if "branch" in cells else self.above.get("branch") or "",
                    month=cells.get("month") or self.above.get("month"), year=self.above.get("year"))
        if "year" in cells:
            line.year = self.layout.month.year.in_text(cells["year"][1])
            if self.table.keys["year"] == self.table.keys.get("month"):
                line.year = self.years.along(line.year, self.layout.month_in(*line.month))
            if line.year is None:
                raise self.grid.error("holds no year", r, self.table.keys["year"], found=cells["year"][1],
                                      expected="a year such as 2010")
        path = self.above.get("indicator")
        if "indicator" in cells:
            text = cells["indicator"][1]
            path, line.unit = self._path(text), self.layout.naming.path([*self.groups, text])[1]
            self.grouped = True
            if path is None:
                if figures and self.spec.unmapped == "error":
                    raise not_mapped("heading", fold(text), self.spec.headings, file=self.grid.file,
                                     sheet=self.grid.sheet, row=r + 1, column=letters(self.table.keys["indicator"]),
                                     found="/".join([*self.groups, text]))
                if self.spec.unmapped != "keep":
                    self.ignored.append(r)
                    return
        for key in self.above:
            if self.above[key] is None:
                raise self.grid.error(f"has no {key} above it", r,
                                      expected=f"a row that names the {key} above its rows")
        if path is not None and self.layout.written("row") == ["branch"] and "month" not in cells:
            if (line.branch, path) in self.seen:
                raise self.grid.error("prints an indicator twice below one branch", r, expected="each once",
                                      found=f"{'/'.join([line.branch, *self.groups])} {cells['indicator'][1]}",
                                      hint="A branch that is not in branches.csv yet?")
            self.seen.add((line.branch, path))
        if path is not None:
            line.indicator, line.cumulative = (getattr(self.layout.wanted[path], name)
                                               for name in ("indicator", "cumulative"))
        self.lines.append(line)


# --- what is said of a whole table, sheet or file ---------------------------------------------------------------------

def one_indicator(grid: Grid, layout: Layout, above: list[list[str]]) -> Heading:
    """Return the indicator of a whole table: stated, or named by the file, the sheet or the rows above the table."""
    place = layout.spec.indicator
    if place.source == "constant":
        return Heading(indicator=place.value)
    texts = _texts(place.source, grid.file, grid.sheet, above)
    if place.pattern is not None:
        texts = [m["indicator"] for text in texts if (m := search(place.pattern, text)) and m["indicator"]]
    held = [longest_in(layout.naming.path([text])[0], layout.wanted) for text in texts]
    path = _one("indicator", held, texts, grid.file, grid.sheet,
                "one of the names under `headings`",
                f"A sheet without one is left out by `ignore: [{grid.sheet}]`" if grid.sheet else None)
    return layout.wanted[path]


def _one(what: str, said: Iterable[Any], texts: Sequence[str], file: str, sheet: str | None, expected: str,
         hint: str | None = None) -> Any:
    found = {*said} - {None}
    if len(found) != 1:
        raise SourceError(f"names several {what}{'e' * (what == 'branch')}s" if found else f"names no {what}",
                          file=file, sheet=sheet or None, found=" | ".join(texts) or "nothing",
                          expected=expected, hint=hint)
    return found.pop()


def _texts(source: str, file: str, sheet: str | None, above: Sequence[Sequence[str]]) -> list[str]:
    return {"file": [file.rpartition("/")[2]], "sheet": [sheet or ""],
            "title": [text for row in above for text in row if text]}[source]


def month_of(month: Month, file: str, sheet: str | None = None, above: Sequence[Sequence[str]] = (),
             year: int | None = None) -> int:
    """Return the month of a whole sheet or file, from the file's name, the sheet's name or the rows above the table."""
    if month.source == "constant":
        return month.in_text(month.value, year)
    texts = _texts(month.source, file, sheet, above)
    sheet = None if month.source == "file" else sheet
    return _one("month", (month.in_text(text, year) for text in texts), texts, file, sheet, month.expected,
                f"A sheet that is of no month is left out by `ignore: [{sheet}]`" if sheet else
                "A narrower `path` leaves the file out; `month: {from: ...}` says where else the month is")


def year_of(year: Year, file: str, sheet: str, above: Sequence[Sequence[str]]) -> int:
    """Return the year of a whole sheet or file; a file's folder may say it where its name says none."""
    if year.source == "constant":
        return year.value
    texts = _texts(year.source, file, sheet, above)
    if year.source == "file" and year.in_text(texts[0]) is None:
        texts = file.split("/")[-2:-1] or texts      # 2018/3月.xlsx
    return _one("year", map(year.in_text, texts), texts, file, sheet, "one year, such as 2010 or 2010年",
                "Say where the year is by `year:` under `month:`, with a `pattern` if several are there")


def name_of_branch(branch: BranchAt, naming: Naming, file: str, sheet: str,
                   above: Sequence[Sequence[str]] = ()) -> str:
    """Return the branch that a whole sheet or file belongs to, as printed: what the pattern finds, the one branch that
    the text names, or else all of the name."""
    if branch.source == "constant":
        return branch.value
    texts = _texts(branch.source, file, sheet, above)
    texts = [text.partition(".")[0] for text in texts] if branch.source == "file" else texts
    found = [name for text in texts if (name := branch_in(branch, naming, text))]
    if not found and branch.pattern is None and branch.source != "title":
        return texts[0]
    return _one("branch", found, texts, file, sheet, f"the pattern {branch.pattern}" if branch.pattern else
                "one branch of branches.csv, or a `pattern` with (?P<branch>...)")


def branch_in(branch: BranchAt, naming: Naming, text: str) -> str | None:
    """Return the branch that a text names: by the pattern, or as the longest known name in it."""
    if branch.pattern is not None:
        match = search(branch.pattern, text)
        return match["branch"] or None if match else None
    whole = fold(text)
    if whole in naming.branches:
        return text
    return longest_in(whole, (name for name in naming.branches if len(name) > 1))
