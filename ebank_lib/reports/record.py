"""What a notebook hands to the report: tables for the workbook, and the lines that say how the branch stands.

Both travel inside the executed notebook, as metadata of an output. No side file can be lost or be older than the
notebook, JupyterLab shows nothing of it, and nbval compares what is shown rather than this copy.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..display import plain_cells
from ..errors import ConfigError
from ..wording import has, language, t

__all__ = ["KINDS", "record", "state", "table_of"]

KINDS = ("text", "integer", "number", "percent", "month", "date", "flag")
# More digits than anybody reads, fewer than two processors agree on.
_DIGITS = 10
_MAX_ROWS = 100_000


def record(name: str, result: object, title: str = "", *, kinds: Mapping[str, str] | None = None,
           heads: Mapping[str, str] | None = None, notes: Iterable[str] = (), lang: str | None = None) -> None:
    """Hand a table to the report: it becomes a sheet of ``tables.xlsx``.

    Parameters
    ----------
    name : str
        Names the table everywhere: letters, digits and ``_``; once in a report.
    result : DataFrame, Series, or a result with a ``.table``
        A named index becomes columns.
    title : str, optional
        Stands above the table, in the reader's language; else the name.
    kinds : mapping of column to {"text", "integer", "number", "percent", "month", "date", "flag"}, optional
        How a column is written where its type does not say so: fractions that are per cent, above all.
    heads : mapping of column to heading, optional
        Else the wording's heading of that column.
    notes : iterable of str
        Stand below the table.

    Raises
    ------
    ConfigError
        A bad name, an unknown column or kind, or too many rows.

    Notes
    -----
    Numbers are kept with ten significant digits. Outside a notebook nothing happens.
    """
    _publish({}, {"table": table_of(name, result, title, kinds=kinds, heads=heads, notes=notes, lang=lang)})


def state(name: str, sentence: str, *, level: str = "info") -> None:
    """Say one line of the branch's state: shown here, and on the first screen of the page.

    Parameters
    ----------
    name : str
        Names the line; once in a report.
    sentence : str
        In the reader's language; an empty one is not said. Made of cited values (:func:`ebank_lib.wording.cite`), its
        numbers lead to the cells of the recorded tables that they state.
    level : {"info", "good", "attention"}
        How it is marked.

    Raises
    ------
    ConfigError
        A bad name or an unknown level.

    Examples
    --------
    >>> state("growth", "Customers grew by 3.1% a month.")
    """
    _check_name(name)
    if not sentence:
        return
    if level not in ("info", "good", "attention"):
        raise ConfigError("unknown level", key=name, found=level, expected="info, good or attention")
    said = {"name": name, "text": str(sentence), "level": level, "cells": plain_cells(sentence)}
    _publish({"text/html": f'<p class="reading">{html.escape(sentence)}</p>', "text/plain": str(sentence)},
             {"state": said})


def table_of(name: str, result: object, title: str = "", *, kinds: Mapping[str, str] | None = None,
             heads: Mapping[str, str] | None = None, notes: Iterable[str] = (),
             lang: str | None = None) -> dict[str, Any]:
    """Return the record of a table as plain JSON: ``name, title, columns, rows, notes``.

    Examples
    --------
    >>> made = table_of("t", pd.DataFrame({"n": [1, 2]}), lang="en")
    >>> made["columns"], made["rows"]
    ([{'name': 'n', 'head': 'n', 'kind': 'integer'}], [[1], [2]])
    """
    _check_name(name)
    frame = _frame(result)
    known = _described(result)
    kinds, heads = dict(kinds or {}), dict(heads or {})
    for column in [*kinds, *heads]:
        if column not in frame.columns:
            raise ConfigError("no such column", key=name, found=column, expected=", ".join(map(str, frame.columns)))
    for kind in kinds.values():
        if kind not in KINDS:
            raise ConfigError("unknown kind", key=name, found=kind, expected=", ".join(KINDS))
    if len(frame) > _MAX_ROWS:
        raise ConfigError("too many rows to record", key=name, found=len(frame), expected=f"at most {_MAX_ROWS}")
    lang = language(lang)
    kinds, heads = known.get("kinds", {}) | kinds, known.get("heads", {}) | heads
    columns = [{"name": str(c), "head": str(heads.get(c) or _heading(str(c), lang)),
                "kind": kinds.get(c) or _kind(frame.iloc[:, at])} for at, c in enumerate(frame.columns)]
    cells = [[_plain(value) for value in frame.iloc[:, at]] for at in range(frame.shape[1])]
    return {"name": name, "title": title or name, "columns": columns,
            "rows": [list(row) for row in zip(*cells, strict=True)], "notes": [str(note) for note in notes],
            "from": {name: known[name] for name in ("branch", "indicator", "months", "exact", "across", "pooled")
                     if name in known}}


def _described(result: object) -> dict[str, Any]:
    """Return what a result says of its table, see :func:`ebank_lib.display.describe`."""
    table = result if isinstance(result, (pd.DataFrame, pd.Series)) else getattr(result, "table", None)
    return getattr(table, "attrs", {}).get("ebank", {})


def _publish(data: dict[str, str], content: dict[str, Any]) -> None:
    try:
        from IPython import get_ipython
        from IPython.display import publish_display_data
    except ImportError:  # a plain script on a machine without IPython
        return
    if get_ipython() is not None:
        publish_display_data(data, metadata={"ebank": content})


def _check_name(name: str) -> None:
    if not (isinstance(name, str) and name.isidentifier() and name.isascii() and len(name) <= 64):
        raise ConfigError("bad name", found=name, expected="letters, digits and _, beginning with a letter")


def _frame(result: object) -> pd.DataFrame:
    table = result if isinstance(result, (pd.DataFrame, pd.Series)) else getattr(result, "table", None)
    if isinstance(table, pd.Series):
        table = table.rename("value" if table.name is None else table.name).to_frame()
    if not isinstance(table, pd.DataFrame):
        raise ConfigError("is no table", found=type(result).__name__, expected="a DataFrame or a result with .table")
    named = any(name is not None for name in table.index.names) or not isinstance(table.index, pd.RangeIndex)
    return table.reset_index() if named else table


def _heading(name: str, lang: str) -> str:
    return next((t(key, lang) for key in (f"general.{name}", f"table.{name}") if has(key)), name)


def _kind(column: pd.Series) -> str:
    kind = column.dtype
    if isinstance(kind, pd.PeriodDtype):
        return "month"
    if pd.api.types.is_datetime64_any_dtype(kind):
        return "date"
    if pd.api.types.is_bool_dtype(kind):
        return "flag"
    if pd.api.types.is_integer_dtype(kind):
        return "integer"
    if pd.api.types.is_float_dtype(kind):
        return "number"
    present = [v for v in column if not _missing(v)]
    return "month" if present and all(isinstance(v, pd.Period) for v in present) else "text"


def _missing(value: object) -> bool:
    return value is None or (np.isscalar(value) and bool(pd.isna(value))) or value is pd.NaT


def _plain(value: object) -> object:
    """Return a value as JSON has it; what is missing or infinite is null."""
    if _missing(value):
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(part) for part in value)
    return str(value)


