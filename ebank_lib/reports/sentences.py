"""Sentences of a report with the cells that they state: every cited number leads to its cell and says which it is."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..wording import t
from .cells import Cell, cells_of, value_text
from .origin import Origin

__all__ = ["Citation", "Sentence", "cited_tables", "linked", "resolved"]


@dataclass(frozen=True)
class Citation:
    """A number of a sentence, from ``start`` to ``end``, and the cells that it states."""

    start: int
    end: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Sentence:
    """A sentence as a notebook said it, of its ``state`` (with a name and a level) or a ``reading``.

    ``refs`` are references as they travelled in the notebook; ``citations`` what they are in the recorded tables.
    """

    kind: str
    text: str
    refs: tuple[Any, ...] = ()
    name: str = ""
    level: str = "info"
    anchor: str = ""
    origin: Origin | None = None
    citations: tuple[Citation, ...] = ()
    html: str = ""

    @property
    def where(self) -> str:
        """Return what names it in a list of places: its name, else the notebook's cell."""
        return self.name or (self.origin.short if self.origin else "")

    @property
    def cells(self) -> list[str]:
        """Return the ids of the cells that it states, in the order of the text."""
        return list(dict.fromkeys(cell.id for one in self.citations for cell in one.cells))

    @classmethod
    def read(cls, kind: str, said: Mapping[str, Any], origin: Origin, anchor: str) -> Sentence:
        """Return a sentence from what a notebook's output carries."""
        return cls(kind, str(said["text"]), tuple(said.get("cells", ())), str(said.get("name", "")),
                   str(said.get("level", "info")), anchor, origin)


def resolved(sentence: Sentence, tables: Sequence[Mapping[str, Any]]) -> Sentence:
    """Return a sentence with the cells of the recorded tables that its references name; others are left out."""
    found = [Citation(int(start), int(end), tuple(cell for ref in refs for cell in cells_of(tables, ref)))
             for start, end, refs in sentence.refs]
    return replace(sentence, citations=tuple(one for one in found if one.cells))


def linked(sentence: Sentence, tables: Mapping[str, Mapping[str, Any]], first: int, lang: str,
           anchors: Mapping[str, str]) -> str:
    """Return a sentence as HTML in which every cited number leads to its cell and names it on hover and focus.

    Parameters
    ----------
    sentence : Sentence
    tables : mapping of name to record
    first : int
        Number of the first tooltip on the page.
    lang : {"zh", "en"}
    anchors : mapping of table to the id of its place on the page
    """
    text, done, parts = sentence.text, 0, []
    for n, one in enumerate(sentence.citations, first):
        tip = "\n".join(_tip(cell, tables[cell.table], lang) for cell in one.cells)
        parts += [html.escape(text[done:one.start]),
                  f'<span class="cite"><a class="cell" href="#{anchors[one.cells[0].table]}" '
                  f'aria-describedby="cell-{n}">{html.escape(text[one.start:one.end])}</a>'
                  f'<span class="tip" role="tooltip" id="cell-{n}">{html.escape(tip)}</span></span>']
        done = one.end
    return "".join(parts) + html.escape(text[done:])


def cited_tables(sentences: Iterable[Sentence]) -> dict[str, list[Cell]]:
    """Return the cells that sentences state, by table, each once."""
    found: dict[str, dict[str, Cell]] = {}
    for cell in (cell for sentence in sentences for one in sentence.citations for cell in one.cells):
        found.setdefault(cell.table, {})[cell.id] = cell
    return {name: list(cells.values()) for name, cells in found.items()}


def _tip(cell: Cell, table: Mapping[str, Any], lang: str) -> str:
    """Return what a tooltip says of a cell: its id, the value in full, the column in words."""
    if not cell.column:
        return t("report.cell_count", lang, id=cell.id, n=cell.value)
    head = next(column["head"] for column in table["columns"] if column["name"] == cell.column)
    said = t("report.cell_value", lang, id=cell.id, value=value_text(cell.value))
    return said if head == cell.column else f"{said} · {head}"
