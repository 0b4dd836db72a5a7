"""What is said of a whole sheet or file: its month, year, branch and indicator, from its name or above its table."""

from __future__ import annotations

from collections.abc import Sequence

from ..catalog import fold
from ..errors import SourceError
from .grids import Grid
from .headings import Keys, Names
from .months import Month, Year
from .patterns import search
from .spec import BranchAt, Heading
from .units import Naming

_NO_MONTH = {"file": "names no month", "sheet": "has a name without one month",
             "title": "has not one month above the table"}


def one_indicator(grid: Grid, keys: Keys, names: Names, above: list[list[str]]) -> Heading:
    """Return the indicator of a whole table: stated, or named by the file, the sheet or the rows above the table."""
    place = keys.spec.indicator
    if place.source == "constant":
        return Heading(indicator=place.value)
    texts = _texts(place.source, grid.file, grid.sheet, above)
    if place.pattern is not None:
        texts = [m["indicator"] for text in texts if (m := search(place.pattern, text)) and m["indicator"]]
    found = dict.fromkeys(path for text in texts if (path := names.inside(text)) is not None)
    if len(found) != 1:
        raise grid.error("names no indicator" if not found else "names several indicators",
                         found=" | ".join(texts) or "nothing", expected="one of the names under `headings`",
                         hint=f"A sheet without one is left out by `ignore: [{grid.sheet}]`" if grid.sheet else None)
    return names.wanted[found.popitem()[0]]


def _texts(source: str, file: str, sheet: str | None, above: Sequence[Sequence[str]]) -> list[str]:
    """Return the texts of a place that is no part of the table."""
    return {"file": [file.rpartition("/")[2]], "sheet": [sheet or ""],
            "title": [text for row in above for text in row if text]}[source]


def month_of(month: Month, file: str, sheet: str | None = None, above: Sequence[Sequence[str]] = (),
             year: int | None = None) -> int:
    """Return the month of a whole sheet or file, from the file's name, the sheet's name or the rows above the table."""
    if month.source == "constant":
        return month.in_text(month.value, year)
    texts = _texts(month.source, file, sheet, above)
    found = {n for text in texts if (n := month.in_text(text, year)) is not None}
    if len(found) != 1:
        sheet = None if month.source == "file" else sheet
        raise SourceError(_NO_MONTH[month.source], file=file, sheet=sheet, found=" | ".join(texts) or "nothing",
                          expected=month.expected,
                          hint=f"A sheet that is of no month is left out by `ignore: [{sheet}]`" if sheet else
                          "A narrower `path` leaves the file out; `month: {from: ...}` says where else the month is")
    return found.pop()


def year_of(year: Year, file: str, sheet: str, above: Sequence[Sequence[str]]) -> int:
    """Return the year of a whole sheet or file."""
    if year.source == "constant":
        return year.value
    texts = _texts(year.source, file, sheet, above)
    found = {n for text in texts if (n := year.in_text(text)) is not None}
    if len(found) != 1:
        raise SourceError("names no year" if not found else "names several years", file=file, sheet=sheet or None,
                          found=" | ".join(texts) or "nothing", expected="one year, such as 2010 or 2010年",
                          hint="Say where the year is by `year:` under `month:`, with a `pattern` if several are there")
    return found.pop()


def name_of_branch(branch: BranchAt, file: str, sheet: str, above: Sequence[Sequence[str]] = (),
                   naming: Naming | None = None) -> str:
    """Return the branch that a whole sheet or file belongs to, as printed: what the pattern finds, the one branch that
    the text names, or else all of the name."""
    if branch.source == "constant":
        return branch.value
    texts = _texts(branch.source, file, sheet, above)
    texts = [text.partition(".")[0] for text in texts] if branch.source == "file" else texts
    found = dict.fromkeys(name for text in texts if (name := branch_in(branch, naming, text)))
    if not found and branch.pattern is None and branch.source != "title":
        return texts[0]
    if len(found) != 1:
        raise SourceError("names no branch" if not found else "names several branches", file=file, sheet=sheet or None,
                          found=" | ".join(texts), expected=f"the pattern {branch.pattern}" if branch.pattern else
                          "one branch of branches.csv, or a `pattern` with (?P<branch>...)")
    return found.popitem()[0]


def branch_in(branch: BranchAt, naming: Naming | None, text: str) -> str | None:
    """Return the branch that a text names: by the pattern, or as the longest known name in it."""
    if branch.pattern is not None:
        match = search(branch.pattern, text)
        return match["branch"] or None if match else None
    whole = fold(text)
    if naming is None or whole in naming.branches:
        return text
    found = [name for name in naming.branches if len(name) > 1 and name in whole]
    found = [name for name in found if not any(name != other and name in other for other in found)]
    return found[0] if len(found) == 1 else None
