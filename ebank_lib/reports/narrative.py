"""Sentences of a report joined with the cells that they state."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ConfigError
from .cells import Cell, cells_at, parse, row_ids, value_text
from .citing import Cited, cite, tooltips
from .origin import Origin

__all__ = ["Said", "carry_cells", "listed"]

_READING = re.compile(r'<p class="reading">([^<]*)</p>')


@dataclass(frozen=True)
class Said:
    """A sentence of a report with its cells: of ``state`` (where: the line's name) or of ``readings`` (its cell)."""

    kind: str
    where: str
    cited: Cited
    origin: Origin | None


def carry_cells(content: Any, lang: str) -> None:
    """Give every line of state and every reading of a content the ids of its cells.

    A line of state gets ``cells`` (ids), ``html`` (its numbers lead to the cells) and ``uncited`` (numbers for which
    there is no recorded cell); readings are changed within their items. ``content.cited`` has the cells by table,
    ``content.sentences`` how many numbers there were and which have no cell.

    Parameters
    ----------
    content : Content

    Raises
    ------
    ConfigError
        A line of state names a cell that was not recorded.
    """
    scribe = _Scribe(content, lang)
    for line in content.state:
        named = [_named(line["name"], one, scribe.tables) for one in line["cells"]]
        about = [*line.get("about", ()), *named]
        cited = cite(line["text"], content.tables, about, line["origin"].notebook)
        line["html"] = scribe.html(Said("state", line["name"], cited, line["origin"]))
        line["cells"] = list(dict.fromkeys([*named, *cited.ids]))
        line["uncited"] = cited.uncited
        for one in named:
            scribe.note(cells_at(content.tables, parse(one)))
    for at, stage in enumerate(content.stages):
        items = tuple(_cited_item(item, stage.notebook, content, scribe) for item in stage.items)
        content.stages[at] = replace(stage, items=items)
    content.cited = {name: list(some.values()) for name, some in scribe.cited.items()}
    content.said, content.sentences = scribe.said, scribe.counted


def listed(content: Any) -> list[dict[str, Any]]:
    """Return what the end of the page says of each recorded table: name, title, rows, origin and the cells stated."""
    return [{"name": table["name"], "title": table["title"], "rows": len(table["rows"]),
             "origin": f"{table['notebook'].split('_')[0]} [{table['prompt']}]",
             "cells": [f"{cell.id} = {value_text(cell.value)}" for cell in content.cited.get(table["name"], ())]}
            for table in content.tables]


def _named(line: str, cell: list, tables: dict[str, dict[str, Any]]) -> str:
    """Return the id of a cell that is named by table, row (position or value of the first column) and column."""
    name, row, column = cell
    table = tables.get(name)
    if table is not None and column in [one["name"] for one in table["columns"]]:
        first = [one[0] for one in table["rows"]]
        at = row if isinstance(row, int) else next((n for n, v in enumerate(first) if str(v) == row), -1)
        if 0 <= at < len(first):
            return f"{name}[{row_ids(table)[at]}].{column}"
    raise ConfigError("a line of state names a cell that was not recorded", key=line, found=f"{name}[{row}].{column}",
                      expected="a recorded table, a row and a column of it")


def _cited_item(item: Any, notebook: str, content: Any, scribe: _Scribe) -> Any:
    if item.kind != "block" or "reading" not in item.html or item.origin is None:
        return item

    def linked(match: re.Match) -> str:
        cited = cite(html.unescape(match[1]), content.tables, item.about, notebook)
        return f'<p class="reading">{scribe.html(Said("readings", item.origin.short, cited, item.origin))}</p>'

    return replace(item, html=_READING.sub(linked, item.html))


class _Scribe:
    """Writes sentences with their cells and keeps count."""

    def __init__(self, content: Any, lang: str):
        self.tables = {table["name"]: table for table in content.tables}
        self.said: list[Said] = []
        self.cited: dict[str, dict[str, Cell]] = {}
        self.counted = {kind: {"numbers": 0, "cited": 0, "uncited": {}} for kind in ("state", "readings")}
        shown = {name: item.anchor for stage in content.stages for item in stage.items if item.kind == "table"
                 for name in item.records}
        self._anchors = {name: shown.get(name, f"rec-{name}") for name in self.tables}
        self._lang, self._next = lang, 1

    def html(self, said: Said) -> str:
        """Return a sentence as HTML."""
        self.said.append(said)
        cited, kind, where = said.cited, said.kind, said.where
        count = self.counted[kind]
        count["numbers"] += len(cited.numbers)
        count["cited"] += len(cited.numbers) - len(cited.uncited)
        if cited.uncited or not (cited.ids or kind == "readings"):
            count["uncited"].setdefault(where, []).extend(cited.uncited)
        made = tooltips(cited, self.tables, self._next, self._lang, self._anchors)
        self._next += sum(bool(some) for some in cited.cells)
        for some in cited.cells:
            self.note(some)
        return made

    def note(self, cells: Any) -> None:
        """Remember cells for the list at the end of the page."""
        for cell in cells:
            self.cited.setdefault(cell.table, {})[cell.id] = cell
