"""Where something stands on a page: a figure, a table, a cell of a recorded table, or a number as it is printed."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..wording import t
from .cells import Cell, cells_at, parse, row_ids
from .citing import Number, matches, numbers_in
from .content import Item
from .opened import Opened
from .origin import Origin

__all__ = ["Found", "find", "printed_numbers"]

_ABOVE = re.compile(r"[（(](万|亿|k|m|bn)(?=[^a-z]|$)")
_ITEM = re.compile(r"(?:(?P<fig>图|figures?|fig)|(?:表|tables?|tab))[ \-.]*(?P<n>\d+)", re.I)


@dataclass(frozen=True)
class Found:
    """A place: ``figure``, ``table``, ``state``, ``reading``, ``cell`` or ``number`` (in a table of the page)."""

    kind: str
    label: str
    shown: str = ""
    origin: Origin | None = None
    cells: tuple[Cell, ...] = ()
    records: tuple[str, ...] = ()


def find(report: Opened, text: str, labels: Mapping[str, str]) -> list[Found]:
    """Return every place of a report that a text names, in the order of the page.

    Parameters
    ----------
    report : Opened
    text : str
        ``图 3``, ``Figure 3``, ``tab-2``; an id as ``growth[sms].last_yoy``; a number as printed, ``7.53万``.
    labels : mapping of label to key
        Names of indicators, branches and months as the page writes them, by which rows of the page's tables and of the
        recorded ones are recognised.
    """
    text = " ".join(text.split())
    item = _ITEM.fullmatch(text)
    if item:
        return _items(report, "figure" if item["fig"] else "table", int(item["n"]))
    place = parse(text)
    if place is not None and place.table in report.tables:
        cells = tuple(cells_at(report.content.tables, place))
        return [_cell(report, cell) for cell in cells]
    numbers = numbers_in(text)
    return [] if len(numbers) != 1 else list(printed_numbers(report, labels, numbers[0].text))


def printed_numbers(report: Opened, labels: Mapping[str, str], text: str | None = None,
                    look: bool = True) -> Iterable[Found]:
    """Yield every number (or those printed like `text`) of the page's lines of state, its readings and its tables.

    `look`: whether to look for the recorded cells of what stands in tables, which takes long for a whole page.
    """
    lang = report.about.lang
    for said in report.content.said:
        for number, cells in zip(said.cited.numbers, said.cited.cells, strict=True):
            if text is None or _same(number.text, text):
                label = t(f"trace.in_{said.kind}", lang, where=said.where, text=said.cited.text)
                yield Found(said.kind, label, number.text, said.origin, tuple(cells))
    rows = [_Rows(table) for table in report.content.tables]
    for _, one in _all_items(report):
        if one.kind == "table":
            yield from _in_table(report, one, labels, rows, text, look)


class _Rows:
    """A recorded table made ready for being looked through often: the texts of each row, ids made once."""

    def __init__(self, table: Mapping[str, Any]):
        self.table = table
        self.texts = [{v for v in row if isinstance(v, str) and v} for row in table["rows"]]
        self._ids: list[str] | None = None

    def fit(self, at: int, number: Number) -> Cell | None:
        """Return the cell of a row that says a number best; None where none does."""
        hows = [matches(number, value) for value in self.table["rows"][at]]
        column = max(range(len(hows)), key=hows.__getitem__)
        if not hows[column]:
            return None
        if self._ids is None:
            self._ids = row_ids(self.table)
        return Cell(self.table["name"], self._ids[at], self.table["columns"][column]["name"],
                    self.table["rows"][at][column], at)


def _all_items(report: Opened) -> Iterable[tuple[Any, Item]]:
    return ((stage, item) for stage in report.content.stages for item in stage.items)


def _items(report: Opened, kind: str, number: int) -> list[Found]:
    found = [item for _, item in _all_items(report) if item.kind == kind and item.number == number]
    return [Found(kind, _label(report, item), origin=item.origin, records=item.records) for item in found]


def _label(report: Opened, item: Item) -> str:
    return f"{t(f'report.{item.kind}', report.about.lang, n=item.number)} {item.caption}".strip()


def _cell(report: Opened, cell: Cell) -> Found:
    table = report.tables[cell.table]
    origin = next((item.origin for _, item in _all_items(report) if item.origin is not None
                   and item.origin.notebook == table["notebook"] and item.origin.prompt == table["prompt"]),
                  Origin(table["notebook"], table["prompt"], ""))
    return Found("cell", cell.id, origin=origin, cells=(cell,), records=(cell.table,))


def _in_table(report: Opened, item: Item, labels: Mapping[str, str], rows: list[_Rows], wanted: str | None,
              look: bool) -> Iterable[Found]:
    head, *body = _grid(item.html)
    mine = [one for one in rows if item.origin is not None and one.table["notebook"] == item.origin.notebook]
    for row in body:
        numbers = [(at, number) for at, text in enumerate(row) if text not in labels for number in numbers_in(text)]
        if wanted is not None and not any(_same(number.text, wanted) for _, number in numbers):
            continue
        numbers = [(at, _in_unit(number, head[at] if at < len(head) else "", item.caption)) for at, number in numbers]
        keys = {labels[text] for text in row if text in labels} | set(row)
        best = _rows_like(mine, item.origin, [number for _, number in numbers], keys) if look else []
        for at, number in numbers:
            if wanted is None or _same(number.text, wanted):
                label = f"{_label(report, item)} · {row[0]} · {head[at] if at < len(head) else at + 1}"
                cell = next((cell for one, n in best if (cell := one.fit(n, number)) is not None), None)
                yield Found("number", label, number.text, item.origin, () if cell is None else (cell,), item.records)


def _in_unit(number: Number, head: str, caption: str) -> Number:
    """Return a number with the scale that stands above its column or table."""
    said = next((m for m in map(_ABOVE.search, (head, caption)) if m), None)
    return number if said is None or number.unit or number.sign else replace(number, unit=said[1])


def _rows_like(rows: Iterable[_Rows], origin: Origin | None, numbers: list[Number],
               keys: set[str]) -> list[tuple[_Rows, int]]:
    """Return the recorded rows that a row of the page shows, the likeliest first: named by it, or with its numbers."""
    found = []
    for one in rows:
        here = origin is not None and one.table["prompt"] == origin.prompt
        for at, texts in enumerate(one.texts):
            named, values = len(texts & keys), one.table["rows"][at]
            fits = sum(any(matches(number, v) >= 3 for v in values) for number in numbers)
            if fits and (named or fits >= max(3, 0.6 * len(numbers))):
                found.append(((named, fits, here), one, at))
    return [(one, at) for _, one, at in sorted(found, key=lambda x: x[0], reverse=True)]


def _grid(text: str) -> list[list[str]]:
    return [[html.unescape(re.sub(r"<[^>]*>", "", cell)).strip()
             for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row, flags=re.S)]
            for row in re.findall(r"<tr\b[^>]*>(.*?)</tr>", text, flags=re.S)] or [[]]


def _same(one: str, two: str) -> bool:
    def plain(text: str) -> str:
        return re.sub(r"[ ,]", "", text).replace("−", "-")

    return plain(one) == plain(two)
