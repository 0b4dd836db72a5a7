"""Every recorded table as tidy CSV and Parquet, for those who go on working with the figures in code.

Columns have the names that code uses, in every language; months are texts ``YYYY-MM``, per cent are fractions. The
same table gives the same bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from ..cleaning.ledger import inert

__all__ = ["csv_bytes", "export_files", "parquet_bytes"]


def export_files(tables: Iterable[Mapping[str, Any]]) -> dict[str, bytes]:
    """Return ``tables/NAME.csv`` and ``tables/NAME.parquet`` of every record.

    Parameters
    ----------
    tables : iterable of records
        As :func:`~ebank_lib.reports.record.table_of` makes them; their names are plain ASCII words.
    """
    files = {}
    for table in tables:
        files[f"tables/{table['name']}.csv"] = csv_bytes(table)
        files[f"tables/{table['name']}.parquet"] = parquet_bytes(table)
    return files


def csv_bytes(table: Mapping[str, Any]) -> bytes:
    """Return a record as CSV, in UTF-8 with a mark that spreadsheets know; no text can be taken for a formula.

    Examples
    --------
    >>> csv_bytes({"columns": [{"name": "a"}, {"name": "b"}], "rows": [["=1+1", 0.5]]}).decode("utf-8-sig")
    "a,b\\n'=1+1,0.5\\n"
    """
    names = [column["name"] for column in table["columns"]]
    buffer = io.StringIO()
    lines = csv.writer(buffer, lineterminator="\n")
    for row in [names, *table["rows"]]:     # the heading is a text like any other
        lines.writerow([inert(v) if isinstance(v, str) else None if v != v else v for v in row])
    return buffer.getvalue().encode("utf-8-sig", "replace")


def parquet_bytes(table: Mapping[str, Any]) -> bytes:
    """Return a record as Parquet: integers, floats, booleans and texts as what they are, what is missing as null."""
    import pyarrow as pa
    from pyarrow import parquet

    fields, arrays = [], []
    for at, column in enumerate(table["columns"]):
        values = [row[at] for row in table["rows"]]
        kind = _type(column["kind"], values)
        as_type = {"int64": int, "double": float, "bool": bool, "string": _text}[kind]
        arrays.append(pa.array([None if v is None else as_type(v) for v in values], getattr(pa, _MAKERS[kind])()))
        fields.append(pa.field(column["name"], arrays[-1].type))
    buffer = io.BytesIO()
    parquet.write_table(pa.table(arrays, pa.schema(fields)), buffer, compression="zstd", store_schema=False)
    return buffer.getvalue()


_MAKERS = {"int64": "int64", "double": "float64", "bool": "bool_", "string": "string"}


def _type(kind: str, values: list) -> str:
    """Return the type of a column: what its kind says, if every value is of it."""
    present = [v for v in values if v is not None]
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in present)
    if kind == "integer" and all(isinstance(v, int) and not isinstance(v, bool) and abs(v) < 2**63 for v in present):
        return "int64"
    if kind in ("integer", "number", "percent") and numbers:
        return "double"
    if kind == "flag" and all(isinstance(v, bool) for v in present):
        return "bool"
    return "string"


def _text(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode("utf-8")
