"""Cells of recorded tables and their ids, the same in every language: ``growth[personal_online].mean_index``.

::

    TABLE[ROW].COLUMN     one cell; ROW names the row by the columns that tell rows apart: forecast[2011-12,combination]
    TABLE[#3].COLUMN      by its position, where no columns tell the rows apart
    TABLE[A=x,B>0]        how many rows are so (= != > < >= <=; A= means missing); TABLE[] how many there are
    TABLE[A=x].COLUMN     the cells of a column in the rows that are so
"""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Cell", "Place", "cell_id", "cells_at", "column_of", "keys_of", "parse", "row_ids", "rows_at", "value_text"]

_COMPARED = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}
_WORD = re.compile(r"[A-Za-z0-9_.+-]*", re.ASCII)
_CONDITION = re.compile(r"([^=<>!\[\]]+)(!=|<=|>=|=|<|>)(.*)")


@dataclass(frozen=True)
class Place:
    """What an id names: a table, its rows (None: all of them, unasked) and a column ("": none)."""

    table: str
    rows: str | None = None
    column: str = ""

    @property
    def counts(self) -> bool:
        """Whether the number of rows is meant rather than what stands in them."""
        return self.rows is not None and not self.column


@dataclass(frozen=True)
class Cell:
    """One cell of a recorded table, or a number of its rows (then without a column)."""

    table: str
    row: str
    column: str
    value: Any
    at: int = -1

    @property
    def id(self) -> str:
        """Return the id."""
        return f"{self.table}[{self.row}]" + (f".{self.column}" if self.column else "")


def parse(text: str) -> Place | None:
    """Return what an id names; None for what is no id.

    Examples
    --------
    >>> parse("forecast[2011-12].lo-95"), parse("growth.last_yoy").rows, parse("growth[of=size]").counts, parse("a b")
    (Place(table='forecast', rows='2011-12', column='lo-95'), None, True, None)
    """
    match = re.fullmatch(r"([A-Za-z_]\w*)(?:\[([^\[\]]*)\])?(?:\.([^\[\]]+))?", text.strip(), flags=re.S | re.A)
    return Place(match[1], match[2], match[3] or "") if match else None


def keys_of(table: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the positions of the columns that tell the rows apart: the first and fewest that do; () for none.

    Only plain words count, which are the same in every language.
    """
    rows = table["rows"]
    fit = [at for at, column in enumerate(table["columns"]) if column["kind"] in ("text", "month", "date", "integer")
           and all(row[at] is not None and _WORD.fullmatch(str(row[at])) for row in rows)][:8]
    for many in (1, 2, 3):
        for some in itertools.combinations(fit, many):
            if len({tuple(row[at] for at in some) for row in rows}) == len(rows):
                return some
    return ()


def row_ids(table: Mapping[str, Any]) -> list[str]:
    """Return what names each row within its table."""
    keys = keys_of(table)
    return [",".join(str(row[k]) for k in keys) if keys else f"#{n + 1}" for n, row in enumerate(table["rows"])]


def column_of(table: Mapping[str, Any], name: str) -> int | None:
    """Return the position of a column by its name."""
    return next((at for at, column in enumerate(table["columns"]) if column["name"] == name), None)


def cell_id(table: Mapping[str, Any], at: int, column: str) -> str:
    """Return a cell's id.

    Examples
    --------
    >>> cell_id({"name": "t", "columns": [{"name": "key", "kind": "text"}, {"name": "n", "kind": "integer"}],
    ...          "rows": [["a", 1], ["b", 1]]}, 1, "n")
    't[b].n'
    """
    return f"{table['name']}[{row_ids(table)[at]}].{column}"


def rows_at(table: Mapping[str, Any], rows: str | None) -> list[int]:
    """Return the positions of the rows that are named: by key values (some of them do), position or conditions."""
    if rows and rows in (ids := row_ids(table)):
        return [ids.index(rows)]
    found = list(range(len(table["rows"])))
    for part in [p.strip() for p in (rows or "").split(",") if p.strip()]:
        condition = _CONDITION.fullmatch(part)
        if part[:1] == "#" and part[1:].isdigit():
            found = [n for n in found if n == int(part[1:]) - 1]
        elif condition and (at := column_of(table, condition[1].strip())) is not None:
            found = [n for n in found if _is(table["rows"][n][at], condition[2], condition[3].strip())]
        else:
            keys = keys_of(table) or range(len(table["columns"]))
            named = [n for n in found if part in [str(table["rows"][n][k]) for k in keys]]
            found = named or [n for n in found if part in map(str, table["rows"][n])]
    return found


def _is(value: Any, sign: str, text: str) -> bool:
    if sign in ("=", "!="):
        return (("" if value is None else str(value)) == text) == (sign == "=")
    if not isinstance(value, (int, float)):
        return False
    try:
        return _COMPARED[sign](value, float(text))
    except ValueError:
        return False


def cells_at(tables: Iterable[Mapping[str, Any]], place: Place) -> list[Cell]:
    """Return the cells that an id names, in the order of the table; [] where there is none."""
    table = next((one for one in tables if one["name"] == place.table), None)
    if table is None:
        return []
    rows = rows_at(table, place.rows)
    if place.counts:
        return [Cell(place.table, place.rows or "", "", len(rows))]
    names, ids = [column["name"] for column in table["columns"]], row_ids(table)
    if place.column and place.column not in names:
        return []
    shown: Sequence[str] = [place.column] if place.column else names
    return [Cell(place.table, ids[n], name, table["rows"][n][names.index(name)], n)
            for n in rows for name in shown]


def value_text(value: Any) -> str:
    """Return a cell's value in full, as the CSV has it.

    Examples
    --------
    >>> value_text(0.25), value_text(None), value_text(True), value_text("2011-12")
    ('0.25', '–', 'True', '2011-12')
    """
    return "–" if value is None else repr(value) if isinstance(value, float) else str(value)
