"""Which cells a sentence states: every number in it is looked up in the tables that were recorded.

A sentence may say in which columns its numbers stand (``about``); else all tables of its notebook are looked through.
Where several cells round to the printed number, a cell or count that is pointed at alone is taken in its turn; then
the row wins that explains most numbers of the sentence, the one whose texts the sentence names, and the largest and
smallest of a column, because sentences tell extremes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..wording import LANGUAGES, t
from .cells import Cell, cells_at, parse, value_text

__all__ = ["Cited", "Number", "cite", "matches", "numbers_in", "tooltips"]

_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
# Dates, orders such as (1,1,2) and what stands in quotation marks (a target's name) are words.
_WORDS = re.compile("|".join((
    r"(?<![\d.,])(?:\d{4}年(?:\d{1,2}月)?|\d{1,2}月(?!\d)|\d{4}-\d{2}(?:-\d{2})?(?!\d)|12个月"
    r"|12 (?:months (?:to|before)|before)|(?:(?<=the )|(?<=average of ))12 to|1 to (?=\d+ months? ahead))",
    rf"(?:{_MONTHS})[a-z]*\.? \d{{4}}", rf"(?:{_MONTHS})[a-z]* \d{{1,2}}\b", r"\(\d+(?:, ?\d+)+\)", "“[^”]*”",
    '"[^"]*"', r"[dD]=\d", "近12个月", r"(?:last|past) 12\b", r"(?:为|as )1(?![\d.,])", r"提前1至")))
_NUMBER = re.compile(r"(?P<sign>[<>+−-] ?)?(?P<digits>\d[\d,]*(?:\.\d+)?)(?P<unit> ?(?:%|‰|万|亿|个?百分点|"
                     r"percentage points?|points|bn\b|m\b|k\b))?")
_BETWEEN = re.compile(r" ?(?:到|至|to|–|~) ?")
_SCALES = {"万": 1e-4, "亿": 1e-8, "k": 1e-3, "m": 1e-6, "bn": 1e-9, "‰": 1e3}


@dataclass(frozen=True)
class Number:
    """A number as it is printed in a sentence: where, its value, its decimals, sign and unit."""

    start: int
    end: int
    text: str
    value: float
    decimals: int
    sign: str = ""
    unit: str = ""

    @property
    def scales(self) -> tuple[float, ...]:
        """What a cell may have been multiplied by."""
        return (100.0, 1.0) if self.unit == "%" else (100.0,) if self.points else (_SCALES.get(self.unit, 1.0),)

    @property
    def points(self) -> bool:
        """Whether it is a difference in percentage points."""
        return "point" in self.unit or "百分点" in self.unit


@dataclass(frozen=True)
class Cited:
    """A sentence with its numbers: the cells each one states; none where none was found."""

    text: str
    numbers: tuple[Number, ...] = ()
    cells: tuple[tuple[Cell, ...], ...] = ()
    about: tuple[str, ...] = field(default=())

    @property
    def ids(self) -> list[str]:
        """Return the ids of all cells, in the order of the sentence; of one without numbers, the table it is about."""
        found = [cell.id for some in self.cells for cell in some]
        return list(dict.fromkeys(found)) or list(self.about)

    @property
    def uncited(self) -> list[str]:
        """Return the numbers that no recorded cell has."""
        return [number.text for number, some in zip(self.numbers, self.cells, strict=True) if not some]


def numbers_in(text: str) -> list[Number]:
    """Return the numbers of a sentence; dates, orders and names in quotation marks are words.

    Examples
    --------
    >>> [n.text for n in numbers_in("2011年8月增长+149%，最低的是-5.0%（< 1%），7.53万笔，ARIMA(1,1,2)")]
    ['+149%', '-5.0%', '< 1%', '7.53万']
    """
    hidden = _WORDS.sub(lambda m: "\0" * len(m[0]), text)
    found = []
    for match in _NUMBER.finditer(hidden):
        before = hidden[max(0, match.start() - 1):match.start()]
        sign, digits = (match["sign"] or "").strip(), match["digits"].rstrip(",")
        if before.isalnum() and before.isascii():
            if not sign:      # B2B
                continue
            sign = ""         # to-149
        end = match.end() if digits == match["digits"] else match.start("digits") + len(digits)
        start = match.start() if sign else match.start("digits")
        found.append(Number(start, end, text[start:end], float(digits.replace(",", "")),
                            len(digits.partition(".")[2]), "-" if sign == "−" else sign, (match["unit"] or "").strip()))
    for n in range(len(found) - 2, -1, -1):     # -6.0 to -2.0 points: the unit is said once
        one, two = found[n], found[n + 1]
        if not one.unit and two.unit and _BETWEEN.fullmatch(hidden[one.end:two.start]):
            found[n] = replace(one, unit=two.unit)
    return found


def matches(number: Number, value: Any) -> int:
    """Return how a cell says a number: 0 not at all, 4 as it stands (a fraction of a number in per cent), 3 as it
    stands though in per cent itself, 2 without its sign, 1 as index or remainder.

    An index of 1.117 is said as +11.7%, a ratio of 0.19 as 81% less.

    Examples
    --------
    >>> [matches(numbers_in(text)[0], value) for text, value in
    ...  [("12.3%", 0.1234), ("+11.7%", 1.117), ("81%", 0.189), ("< 1%", 0.004), ("5.0%", -0.05), ("12", 12.6)]]
    [4, 1, 1, 4, 2, 0]
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    slack = 0.5 * 10.0 ** -number.decimals * (1 + 1e-6) + 1e-9 * abs(number.value)
    said = -number.value if number.sign == "-" else number.value
    if number.sign in ("<", ">"):
        shown = value * number.scales[0]
        return 4 * bool(shown < number.value if number.sign == "<" else shown > number.value)
    for how, scale in zip((4, 3), number.scales, strict=False):
        if abs(value * scale - said) <= slack:
            return how
    for scale in number.scales if number.sign == "" else ():
        if abs(abs(value) * scale - said) <= slack:
            return 2
    if number.unit == "%" and any(
            abs(v * 100 - said) <= slack for v in (value - 1, *((1 - value,) if number.sign == "" else ()))):
        return 1
    return 0


def cite(text: str, tables: Sequence[Mapping[str, Any]], about: Iterable[str] = (), notebook: str = "") -> Cited:
    """Look up the numbers of a sentence.

    Parameters
    ----------
    text : str
    tables : sequence of records
        All of the report.
    about : iterable of str
        Ids (see :mod:`ebank_lib.reports.cells`) of columns and counts in which the numbers stand.
    notebook : str
        Whose tables are looked through where `about` says nothing; small whole numbers are not looked for there.
    """
    about = tuple(about)
    numbers = numbers_in(text)
    places = [place for place in (parse(one) for one in about) if place is not None]
    groups = ([cells_at(tables, place) for place in places] if about else
              [cells_at([table], parse(table["name"])) for table in tables if table.get("notebook") == notebook])
    found = [cell for group in groups for cell in group]
    # A count, and a cell that is pointed at alone, is said once and in its turn.
    pointed = {id(group[0]) for group in groups if len(group) == 1}
    fits = [[(cell, how) for cell in found if (how := _fits(number, cell))] if about or not _plain(number) else []
            for number in numbers]
    support: dict[tuple[str, int], int] = {}
    for some in fits:
        for key in {(cell.table, cell.at) for cell, _ in some if cell.at >= 0}:
            support[key] = support.get(key, 0) + 1
    used_tables = {cell.table for cell in found}
    named = _named_rows(text, [table for table in tables if table["name"] in used_tables])
    ends = _extremes(found)
    order = {id(cell): n for n, cell in enumerate(found)}
    used: set[int] = set()

    def worth(one: tuple[Cell, int]) -> tuple:
        cell, how = one
        turn = 1 if id(cell) not in pointed else 0 if id(cell) in used else 2
        told = (support.get((cell.table, cell.at), 0), (cell.table, cell.at) in named)
        return (turn, 0 if turn == 1 else -order[id(cell)], *((how, *told) if about else (*told, how)),
                cell.value in ends.get((cell.table, cell.column), ()), -order[id(cell)])

    chosen = []
    for some in fits:
        best = max(some, key=worth)[0] if some else None
        chosen.append(() if best is None else (best,))
        used |= {id(best)}
    known = [cell for some in chosen for cell in some]
    chosen = [some or _derived(number, known) for number, some in zip(numbers, chosen, strict=True)]
    return Cited(text, tuple(numbers), tuple(chosen), _tables_named(about, tables))


def _plain(number: Number) -> bool:
    """Whether a number is too common to look for it everywhere: 28 stands in many cells."""
    return not number.unit and not number.decimals and number.value < 1000


def _fits(number: Number, cell: Cell) -> int:
    """How a cell says a number; a count is a whole number without a unit, a column's name may hold the level."""
    if not cell.column:
        return 4 if number.unit == "" and number.decimals == 0 and number.value == cell.value else 0
    named = re.search(r"-(\d+(?:\.\d+)?)$", cell.column)
    if named and number.unit == "%" and not number.sign and float(named[1]) == number.value and cell.value is not None:
        return 4
    return matches(number, cell.value)


def _named_rows(text: str, tables: Sequence[Mapping[str, Any]]) -> set[tuple[str, int]]:
    """Return the rows of which a text cell stands in the sentence."""
    return {(table["name"], n) for table in tables for n, row in enumerate(table["rows"][:500])
            if any(isinstance(v, str) and len(v) > 1 and v in text for v in row)}


def _extremes(cells: Iterable[Cell]) -> dict[tuple[str, str], tuple]:
    values: dict[tuple[str, str], list] = {}
    for cell in cells:
        if isinstance(cell.value, (int, float)):
            values.setdefault((cell.table, cell.column), []).append(cell.value)
    return {key: (min(some), max(some)) for key, some in values.items()}


def _derived(number: Number, cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return two cells that the sentence states anyway and of which a number in per cent or points is the change, ratio
    or difference."""
    if number.unit != "%" and not number.points:
        return ()
    plain = [c for c in dict.fromkeys(cells) if c.column and isinstance(c.value, (int, float))]
    for one in plain:
        for two in plain:
            if one is two:
                continue
            made = [one.value - two.value, *((one.value / two.value, one.value / two.value - 1) if two.value else ())]
            if any(matches(number, value) >= 2 for value in made):
                return (one, two)
    return ()


def _tables_named(about: Iterable[str], tables: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the tables a sentence without numbers is about, as ids of the number of their rows."""
    there = {table["name"] for table in tables}
    return tuple(dict.fromkeys(f"{place.table}[{place.rows or ''}]" for place in map(parse, about)
                               if place is not None and place.table in there))


def tooltips(cited: Cited, tables: Mapping[str, Mapping[str, Any]], first: int, lang: str,
             anchors: Mapping[str, str]) -> str:
    """Return a sentence as HTML in which every number leads to its cell and says on hover and focus which it is.

    Parameters
    ----------
    tables : mapping of name to record
    first : int
        Number of the first tooltip on the page.
    anchors : mapping of table to the id of its place on the page
    """
    assert lang in LANGUAGES
    done, parts, n = 0, [], first
    for number, cells in zip(cited.numbers, cited.cells, strict=True):
        if not cells:
            continue
        parts.append(html.escape(cited.text[done:number.start]))
        said = "\n".join(_said(cell, tables[cell.table], lang) for cell in cells)
        parts.append(f'<span class="cite"><a class="cell" href="#{anchors[cells[0].table]}" '
                     f'aria-describedby="cell-{n}">{html.escape(number.text)}</a>'
                     f'<span class="tip" role="tooltip" id="cell-{n}">{html.escape(said)}</span></span>')
        done, n = number.end, n + 1
    return "".join(parts) + html.escape(cited.text[done:])


def _said(cell: Cell, table: Mapping[str, Any], lang: str) -> str:
    """Return what a tooltip says of a cell: its id, the column in words, the value in full."""
    if not cell.column:
        return t("report.cell_count", lang, id=cell.id, n=cell.value)
    head = next(column["head"] for column in table["columns"] if column["name"] == cell.column)
    said = t("report.cell_value", lang, id=cell.id, value=value_text(cell.value))
    return said if head == cell.column else f"{said} · {head}"
