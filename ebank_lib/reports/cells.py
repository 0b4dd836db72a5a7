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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Cell", "cell_id", "cells_at", "cells_of", "row_ids", "value_text"]

_ORDER = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}
_ID = re.compile(r"([A-Za-z_]\w*)(?:\[([^\[\]]*)\])?(?:\.([^\[\]]+))?", re.S | re.A)
_WORD = re.compile(r"[A-Za-z0-9_.+-]*", re.ASCII)
_CONDITION = re.compile(r"([^=<>!\[\]]+)((?:!=|<=|>=|=|<|>).*)", re.S)
_SIGN = re.compile(r"(!=|<=|>=|=|<|>)?(.*)", re.S)


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


def cells_at(tables: Iterable[Mapping[str, Any]], text: str) -> list[Cell]:
    """Return the cells that an id names, in the order of the table; [] where there is none.

    Parameters
    ----------
    tables : iterable of records
        As :func:`~ebank_lib.reports.record.table_of` makes them.
    text : str
        An id, or a table's name for all its cells.
    """
    match = _ID.fullmatch(text.strip())
    table = next((one for one in tables if match and one["name"] == match[1]), None)
    if table is None:
        return []
    rows = _rows_named(table, match[2] or "")
    if match[2] is not None and not match[3]:
        return [Cell(table["name"], match[2], "", len(rows))]
    columns = [column["name"] for column in table["columns"]]
    return _cells(table, rows, [c for c in columns if c == match[3]] if match[3] else columns)


def cells_of(tables: Iterable[Mapping[str, Any]], ref: Mapping[str, Any]) -> list[Cell]:
    """Return the cell that a reference of a sentence names, or the number of rows that it counts; [] where none is.

    Parameters
    ----------
    tables : iterable of records
    ref : mapping
        ``table, column, rows``, as :func:`ebank_lib.display.plain_cells` writes them. A column's cell must be alone.
    """
    table = next((one for one in tables if one["name"] == ref["table"]), None)
    if table is None or not set(ref["rows"]) <= {column["name"] for column in table["columns"]}:
        return []
    every = range(len(table["rows"]))
    if not ref["column"]:
        rows = _rows_where(table, ref["rows"].items(), every)
        return [Cell(table["name"], ",".join(_condition(*one) for one in ref["rows"].items()), "", len(rows))]
    wanted = [(_position(table, name), said or "") for name, said in ref["rows"].items()]
    rows = [n for n in every if all(_is(table["rows"][n][at], "=", said) for at, said in wanted)]
    return _cells(table, rows, [ref["column"]]) if len(rows) == 1 and _position(table, ref["column"]) >= 0 else []


def cell_id(table: Mapping[str, Any], at: int, column: str) -> str:
    """Return a cell's id.

    Examples
    --------
    >>> cell_id({"name": "t", "columns": [{"name": "key", "kind": "text"}, {"name": "n", "kind": "integer"}],
    ...          "rows": [["a", 1], ["b", 1]]}, 1, "n")
    't[b].n'
    """
    return f"{table['name']}[{row_ids(table)[at]}].{column}"


def row_ids(table: Mapping[str, Any]) -> list[str]:
    """Return what names each row within its table."""
    keys = _keys(table)
    return [",".join(str(row[k]) for k in keys) if keys else f"#{n + 1}" for n, row in enumerate(table["rows"])]


def value_text(value: Any) -> str:
    """Return a cell's value in full, as the CSV has it.

    Examples
    --------
    >>> value_text(0.25), value_text(None), value_text(True), value_text("2011-12")
    ('0.25', '–', 'True', '2011-12')
    """
    return "–" if value is None else repr(value) if isinstance(value, float) else str(value)


def _cells(table: Mapping[str, Any], rows: Iterable[int], columns: Iterable[str]) -> list[Cell]:
    ids, columns = row_ids(table), [(name, _position(table, name)) for name in columns]
    return [Cell(table["name"], ids[n], name, table["rows"][n][at], n) for n in rows for name, at in columns]


def _keys(table: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the positions of the columns that tell the rows apart: the first and fewest that do; () for none.

    Only plain words count, which are the same in every language.
    """
    rows = table["rows"]
    fit = [at for at, column in enumerate(table["columns"]) if column["kind"] in ("text", "month", "date", "integer")
           and all(row[at] is not None and _WORD.fullmatch(str(row[at])) for row in rows)][:8]
    some = itertools.chain.from_iterable(itertools.combinations(fit, many) for many in (1, 2, 3))
    return next((one for one in some if len({tuple(row[at] for at in one) for row in rows}) == len(rows)), ())


def _position(table: Mapping[str, Any], name: str) -> int:
    return next((at for at, column in enumerate(table["columns"]) if column["name"] == name), -1)


def _rows_named(table: Mapping[str, Any], rows: str) -> list[int]:
    """Return the positions of the rows that an id names: by key values (some of them do), position or conditions."""
    if rows and rows in (ids := row_ids(table)):
        return [ids.index(rows)]
    found = list(range(len(table["rows"])))
    for part in [p.strip() for p in rows.split(",") if p.strip()]:
        condition = _CONDITION.fullmatch(part)
        if part[:1] == "#" and part[1:].isdigit():
            found = [n for n in found if n == int(part[1:]) - 1]
        elif condition and _position(table, condition[1].strip()) >= 0:
            found = _rows_where(table, [(condition[1].strip(), condition[2])], found)
        else:
            keys = _keys(table) or range(len(table["columns"]))
            named = [n for n in found if part in [str(table["rows"][n][k]) for k in keys]]
            found = named or [n for n in found if part in map(str, table["rows"][n])]
    return found


def _rows_where(table: Mapping[str, Any], conditions: Iterable[tuple[str, str | None]],
                rows: Iterable[int]) -> list[int]:
    """Return the positions of the rows whose columns are as the conditions say, see :class:`ebank_lib.wording.Ref`."""
    wanted = [(_position(table, name), *_SIGN.fullmatch(said or "").groups()) for name, said in conditions]
    return [n for n in rows if all(_is(table["rows"][n][at], sign or "=", text.strip()) for at, sign, text in wanted)]


def _condition(name: str, said: str | None) -> str:
    said = said or ""
    return f"{name}{said}" if _SIGN.fullmatch(said)[1] else f"{name}={said}"


def _is(value: Any, sign: str, text: str) -> bool:
    if sign in ("=", "!="):
        return (("" if value is None else str(value)) == text) == (sign == "=")
    if not isinstance(value, (int, float)):
        return False
    try:
        return _ORDER[sign](value, float(text))
    except ValueError:
        return False
