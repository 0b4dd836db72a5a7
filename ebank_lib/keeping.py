"""Tables as Parquet bytes that come back as they were: categories, months, missing values and small objects included.

pandas' own Parquet loses categories that have no row, the kind of an empty column and every object. Here a column is
written as plain codes, numbers or texts, and the schema says how to make it again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .errors import ConfigError

__all__ = ["frame_of", "from_plain", "parquet_of", "to_plain"]

_MARK = "~"


def to_plain(value: Any, kinds: Mapping[str, type] | None = None) -> Any:
    """Return a value as JSON can say it and :func:`from_plain` takes back; named tuples of `kinds` included.

    Raises
    ------
    TypeError
        A value of another kind.

    Examples
    --------
    >>> from_plain(to_plain({"month": pd.Period("2008-01", "M"), "share": float("inf")}))
    {'month': Period('2008-01', 'M'), 'share': inf}
    """
    for name, kind in (kinds or {}).items():
        if isinstance(value, kind):
            return {_MARK: name, "of": [to_plain(part, kinds) for part in value]}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, pd.Period):
        return {_MARK: "month", "of": value.ordinal}
    if isinstance(value, tuple):
        return {_MARK: "tuple", "of": [to_plain(part, kinds) for part in value]}
    if isinstance(value, list):
        return [to_plain(part, kinds) for part in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        plain = {key: to_plain(part, kinds) for key, part in value.items()}
        return {_MARK: "dict", "of": [list(item) for item in plain.items()]} if _MARK in plain else plain
    raise TypeError(f"a {type(value).__name__} cannot be kept")


def from_plain(value: Any, kinds: Mapping[str, type] | None = None) -> Any:
    """Return what :func:`to_plain` was given."""
    if isinstance(value, list):
        return [from_plain(part, kinds) for part in value]
    if not isinstance(value, dict):
        return value
    mark = value.get(_MARK)
    if mark is None:
        return {key: from_plain(part, kinds) for key, part in value.items()}
    if mark == "month":
        return pd.Period(ordinal=value["of"], freq="M")
    parts = from_plain(value["of"], kinds)
    return dict(parts) if mark == "dict" else tuple(parts) if mark == "tuple" else (kinds or {})[mark](*parts)


def parquet_of(frame: pd.DataFrame, kinds: Mapping[str, type] | None = None,
               groups: Sequence[np.ndarray] | None = None) -> bytes:
    """Return a table as Parquet.

    Parameters
    ----------
    frame : DataFrame
        With columns of numbers, texts, categories, months and objects as :func:`to_plain` takes them. Its index is not
        kept: rows are numbered from 0.
    kinds : mapping of named tuples, optional
    groups : sequence of int arrays, optional
        The rows' positions, a part of the file each, to be read alone with :func:`frame_of`.

    Raises
    ------
    TypeError
        A column of another kind.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns, about = {}, {}
    for name in frame.columns:
        columns[name], about[name] = _packed(frame[name], kinds)
    columns["~row"] = pa.array(np.arange(len(frame)), pa.int64())
    schema = {"about": about, "order": list(frame.columns)}
    table = pa.table(columns).replace_schema_metadata({"ebank": json.dumps(schema, ensure_ascii=False)})
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, table.schema, compression="zstd", version="2.6") as writer:
        for rows in [np.arange(len(frame))] if groups is None else groups:
            writer.write_table(table.take(pa.array(rows, pa.int64())), row_group_size=max(1, len(rows)))
    return buffer.getvalue()


def frame_of(body: bytes, kinds: Mapping[str, type] | None = None, groups: Sequence[int] | None = None) -> pd.DataFrame:
    """Return a table from :func:`parquet_of`: all of it, or some parts, whose rows keep their numbers and order."""
    import pyarrow as pa

    try:
        return _frame_of(body, kinds, groups)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, IndexError, AttributeError,
            RecursionError) as error:
        # Its hash was right: somebody else has put it there.
        raise ConfigError("is no table of this store", found=type(error).__name__, expected="what was kept",
                          hint="Delete the folder of kept results; they are made again") from error


def _frame_of(body: bytes, kinds: Mapping[str, type] | None, groups: Sequence[int] | None) -> pd.DataFrame:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BytesIO(body))
    table = file.read() if groups is None else file.read_row_groups(sorted(groups))
    schema = json.loads(table.schema.metadata[b"ebank"])
    row = table.column("~row").to_numpy()
    order = np.argsort(row, kind="stable")
    sorted_already = bool((order == np.arange(len(order))).all())
    made = {name: _unpacked(table.column(name), schema["about"][name], kinds) for name in schema["order"]}
    frame = pd.DataFrame(made, columns=pd.Index(schema["order"], dtype="str"))
    frame = frame if sorted_already else frame.take(order).reset_index(drop=True)
    return frame if groups is None else frame.set_index(pd.Index(row[order]))


def _packed(column: pd.Series, kinds) -> tuple[Any, dict]:
    import pyarrow as pa

    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        held = column.cat.categories
        about = {"kind": "category", "ordered": bool(kind.ordered), "of": str(held.dtype),
                 "categories": [to_plain(c, kinds) for c in held]}
        return pa.array(column.cat.codes.to_numpy(np.int32)), about
    if kind == pd.PeriodDtype("M"):
        return pa.array(pd.PeriodIndex(column).asi8), {"kind": "months"}
    if isinstance(kind, pd.StringDtype):
        return pa.array(column.astype(object).where(column.notna(), None), pa.string()), {"kind": "text"}
    if isinstance(kind, np.dtype) and kind.kind == "O":
        known: dict[int, str | None] = {id(None): None}       # many rows share one object
        for value in column:
            if id(value) not in known:
                known[id(value)] = json.dumps(to_plain(value, kinds), ensure_ascii=False)
        return pa.array([known[id(value)] for value in column], pa.string()), {"kind": "object"}
    if isinstance(kind, np.dtype) and kind.kind in "biuf":
        return pa.array(column.to_numpy(), from_pandas=False), {"kind": "number", "of": kind.str}
    raise TypeError(f"a column of {kind} cannot be kept")


def _unpacked(column: Any, about: dict, kinds) -> Any:
    make: dict[str, Callable[[], Any]] = {
        "category": lambda: pd.Categorical.from_codes(
            column.to_numpy(), pd.Index(from_plain(about["categories"], kinds), dtype=about["of"]), about["ordered"]),
        "months": lambda: pd.PeriodIndex.from_ordinals(column.to_numpy(), freq="M"),
        "text": lambda: pd.array(column.to_numpy(zero_copy_only=False), dtype="str"),
        "object": lambda: _objects(column, kinds),
        "number": lambda: column.to_numpy().astype(about["of"], copy=False),
    }
    return make[about["kind"]]()


def _objects(column: Any, kinds) -> np.ndarray:
    coded = column.combine_chunks().dictionary_encode()
    made = np.empty(len(coded.dictionary) + 1, object)
    made[:-1] = _each([from_plain(json.loads(text), kinds) for text in coded.dictionary.to_pylist()])
    codes = coded.indices.to_numpy(zero_copy_only=False)
    return made[np.where(np.isnan(codes), len(made) - 1, codes).astype(int)] if len(codes) else np.empty(0, object)


def _each(values: list) -> np.ndarray:
    """Return an array of objects, lists among them as they are."""
    out = np.empty(len(values), object)
    for n, value in enumerate(values):
        out[n] = value
    return out
