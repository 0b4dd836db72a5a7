"""Where something stands on a page: a figure, a table, a cell of a recorded table, or a number as it is printed."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..wording import t
from .cells import Cell, cells_at, parse
from .citing import Number, matches, numbers_in
from .content import Item
from .opened import Opened
from .origin import Origin

__all__ = ["Found", "find", "printed_numbers"]

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
    return [] if len(numbers) != 1 else [found for found in printed_numbers(report, labels)
                                         if _same(found.shown, numbers[0].text)]


def printed_numbers(report: Opened, labels: Mapping[str, str]) -> Iterable[Found]:
    """Yield every number that the page prints in its lines of state, its tables and its readings."""
    lang = report.about.lang
    for said in report.content.said:
        for number, cells in zip(said.cited.numbers, said.cited.cells, strict=True):
            label = t(f"trace.in_{said.kind}", lang, where=said.where, text=said.cited.text)
            yield Found(said.kind, label, number.text, said.origin, tuple(cells))
    for _, one in _all_items(report):
        if one.kind == "table":
            yield from _in_table(report, one, labels)


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


def _in_table(report: Opened, item: Item, labels: Mapping[str, str]) -> Iterable[Found]:
    head, *rows = _grid(item.html)
    for row in rows:
        keys = {labels[text] for text in row if text in labels} | set(row)
        for at, text in enumerate(row):
            if text in labels or not (numbers := numbers_in(text)):
                continue
            for number in numbers:
                label = f"{_label(report, item)} · {row[0]} · {head[at] if at < len(head) else at + 1}"
                yield Found("number", label, number.text, item.origin,
                            _recorded(report, item, number, keys, len(numbers) == 1), item.records)


def _grid(text: str) -> list[list[str]]:
    return [[html.unescape(re.sub(r"<[^>]*>", "", cell)).strip()
             for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row, flags=re.S)]
            for row in re.findall(r"<tr\b[^>]*>(.*?)</tr>", text, flags=re.S)] or [[]]


def _recorded(report: Opened, item: Item, number: Number, keys: set[str], alone: bool) -> tuple[Cell, ...]:
    """Return the recorded cell of the same notebook that a printed number is: of a row that the page's row names."""
    best: tuple[int, Cell] | None = None
    for table in report.content.tables:
        if item.origin is None or table["notebook"] != item.origin.notebook:
            continue
        for cell in _fitting(table, number, keys):
            row = table["rows"][cell.at]
            named = sum(str(v) in keys for v in row if isinstance(v, str))
            worth = 10 * named + 3 * (table["prompt"] == item.origin.prompt) + matches(number, cell.value)
            if named and (best is None or worth > best[0]):
                best = worth, cell
    return (best[1],) if best and alone else ()


def _fitting(table: Mapping[str, Any], number: Number, keys: set[str]) -> Iterable[Cell]:
    rows = [n for n, row in enumerate(table["rows"]) if any(isinstance(v, str) and v in keys for v in row)]
    if not rows:
        return
    for cell in cells_at([table], parse(table["name"])):
        if cell.at in set(rows) and matches(number, cell.value):
            yield cell


def _same(one: str, two: str) -> bool:
    def plain(text: str) -> str:
        return re.sub(r"[ ,]", "", text).replace("−", "-")

    return plain(one) == plain(two)
