"""What is said of a whole sheet or file: its month, year, branch and indicator, from its name or above its table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..catalog import fold
from ..errors import SourceError
from .grids import Grid
from .headings import Layout
from .months import Month, Year
from .patterns import search
from .spec import BranchAt, Heading
from .units import Naming, longest_in


def one_indicator(grid: Grid, layout: Layout, above: list[list[str]]) -> Heading:
    """Return the indicator of a whole table: stated, or named by the file, the sheet or the rows above the table."""
    place = layout.spec.indicator
    if place.source == "constant":
        return Heading(indicator=place.value)
    texts = _texts(place.source, grid.file, grid.sheet, above)
    if place.pattern is not None:
        texts = [m["indicator"] for text in texts if (m := search(place.pattern, text)) and m["indicator"]]
    path = _one("indicator", map(layout.inside, texts), texts, grid.file, grid.sheet,
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
