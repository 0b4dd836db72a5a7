"""Long tables - CSV, Parquet, the answer to a query: a row a branch and month, a column an indicator."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from ..errors import SourceError, nearest, quote
from .blocks import Block
from .grids import check_lengths, csv_rows
from .headings import ADD, not_mapped
from .numbers import as_text
from .places import month_of, name_of_branch
from .spec import DatabaseSpec, Limits, LongSpec, UnitAt
from .units import Naming

_MAX_COLUMNS = 10_000

__all__ = ["Table", "read_columns", "read_lines", "read_table"]


class Table:
    """A rectangular table: names of columns, and a list of values a column, as the format types them and as texts.
    `first` is the number of the first row as a reader of the file counts."""

    def __init__(self, file: str, names: list[str], values: list[Sequence[object]], first: int, limits: Limits):
        self.file, self.names, self.values, self.first = file, names, values, first
        self.columns = [[_text(value) for value in column] for column in values]
        check_lengths(zip(*self.columns), limits, file, first=first, names=names)


def _text(value: object) -> str:
    """Return a value as text; the noughts behind a decimal are its column's, not its own."""
    text = format(value, "f") if isinstance(value, Decimal) else as_text(value)
    return text.rstrip("0").rstrip(".") if isinstance(value, Decimal) and "." in text else text


def read_table(data: bytes, name: str, spec: LongSpec, revision: int, limits: Limits, naming: Naming) -> Block:
    """Read a CSV or Parquet file."""
    return read_lines(read_columns(data, name, spec.encoding, limits), spec, revision, naming)


def read_columns(data: bytes, name: str, encoding: str | None, limits: Limits) -> Table:
    """Read a CSV or Parquet file as it is, a list of values and one of texts a column."""
    return _parquet(data, name, limits) if name.lower().endswith(".parquet") else _csv(data, name, encoding, limits)


def _csv(data: bytes, name: str, encoding: str | None, limits: Limits) -> Table:
    rows = csv_rows(data, name, encoding, limits)
    if not rows:
        raise SourceError("is empty", file=name, expected="a line of headings")
    names = [text.strip() for text in rows[0]]
    for n, row in enumerate(rows[1:], start=2):
        if len(row) != len(names) and row:
            raise SourceError("has a line of another length", file=name, row=n, found=f"{len(row)} fields",
                              expected=f"{len(names)} as in the first line")
    # A line without anything is no row of the table, but it is counted, as a spreadsheet would.
    filled = [row or [""] * len(names) for row in rows[1:]]
    return Table(name, names, list(zip(*filled)) or [()] * len(names), 2, limits)


def _parquet(data: bytes, name: str, limits: Limits) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(io.BytesIO(data)) as file:
            _check_parquet(file.metadata, name, limits)
            schema = file.schema_arrow
        odd = next((f for f in schema if not _is_plain(f.type)), None)
        if odd is not None:
            raise SourceError("has a column that is no table's", file=name, column=odd.name, found=str(odd.type),
                              expected="texts, numbers or dates")
        # Repeated texts stay one text each until it is known how long all of them are.
        with pq.ParquetFile(io.BytesIO(data), read_dictionary=[f.name for f in schema if _is_text(f.type)]) as file:
            table = file.read()
        length = sum(_text_bytes(chunk) for column in table.columns for chunk in column.chunks)
        if length > limits.unpacked_bytes:
            raise limits.refuse("unpacked_bytes", "holds too long texts", f"{length} bytes", file=name)
        values = [column.to_pandas().tolist() if isinstance(column.type, pa.BaseExtensionType) else column.to_pylist()
                  for column in table.columns]
    except SourceError:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError, NotImplementedError) as error:
        raise SourceError("is damaged or no Parquet file", file=name, found=(str(error).splitlines() or [""])[0],
                          expected="a Parquet file") from None
    return Table(name, list(table.column_names), values, 1, limits)


def _check_parquet(meta, name: str, limits: Limits) -> None:
    """Refuse what would be too large once read, by what the file says of itself."""
    size = sum(max(0, meta.row_group(n).total_byte_size) for n in range(meta.num_row_groups))
    if meta.num_rows > limits.table_rows:
        raise limits.refuse("table_rows", "has too many rows", meta.num_rows, file=name)
    if meta.num_rows * meta.num_columns > limits.table_cells or meta.num_columns > _MAX_COLUMNS:
        raise limits.refuse("table_cells", "has too many cells", f"{meta.num_rows} rows x {meta.num_columns} columns",
                            file=name)
    if size > limits.unpacked_bytes:
        raise limits.refuse("unpacked_bytes", "unpacks to too much", f"{size} bytes", file=name)


def _is_plain(kind) -> bool:
    """Whether a column of this type holds what a cell may: nothing nested, no bytes, nothing of an extension."""
    from pyarrow import BaseExtensionType
    from pyarrow import types as is_

    if is_.is_dictionary(kind):
        kind = kind.value_type
    if getattr(kind, "extension_name", "") == "pandas.period":
        return True
    return (_is_text(kind) or is_.is_integer(kind) or is_.is_floating(kind) or is_.is_decimal(kind)
            or is_.is_boolean(kind) or is_.is_date(kind) or is_.is_timestamp(kind) or is_.is_time(kind)
            or is_.is_null(kind)) and not isinstance(kind, BaseExtensionType)


def _is_text(kind) -> bool:
    from pyarrow import types as is_

    return is_.is_string(kind) or is_.is_large_string(kind)


def _text_bytes(chunk) -> int:
    """Return how many bytes the texts of a chunk of a column have when each is written out."""
    from pyarrow import compute, types

    coded = types.is_dictionary(chunk.type)
    if not _is_text(chunk.type.value_type if coded else chunk.type):
        return 0
    sizes = compute.binary_length(chunk.dictionary).take(chunk.indices) if coded else compute.binary_length(chunk)
    return compute.sum(sizes.cast("int64")).as_py() or 0


def read_lines(table: Table, spec: LongSpec | DatabaseSpec, revision: int, naming: Naming) -> Block:
    """Read a long table."""
    keys = {spec.branch.column, spec.month.column, spec.address.file, spec.address.sheet, spec.address.row,
            *(c.unit.column for c in spec.columns.values())} - {None}
    count = Counter(table.names)
    for name in [*sorted(keys), *spec.columns, *spec.ignore, *count]:
        if count[name] != 1:
            near = nearest(name, count)
            raise SourceError("needs the column once", file=table.file, column=name, found=f"{count[name]} times",
                              expected="one column of this name",
                              hint=f"Did you mean {quote(near)}?" if near and near != name else None)
    kept = _kept(table, spec, keys)
    by_name = dict(zip(table.names, table.columns))
    lines = [n for n, row in enumerate(zip(*table.columns)) if any(row)]

    def taken(name: str) -> list[str]:
        return [by_name[name][n] for n in lines]

    def unit(name: str) -> list[str]:
        at = spec.columns[name].unit if name in spec.columns else UnitAt()
        if at.column is not None:
            return taken(at.column)
        known, strange = naming.line([name])
        if strange and name in spec.columns and not (known or at.text):
            raise SourceError("has a unit that the catalogue does not know", file=table.file, column=name, found=name,
                              expected="one of " + ", ".join(naming.bases), hint=ADD)
        return [at.text or "".join(known[:1])] * len(lines)

    block = Block(
        table.file, "", revision, _rows(table, spec, lines), kept,
        list(zip(*map(taken, kept))), units=list(zip(*map(unit, kept))),
        indicators=[[spec.columns[k].indicator if k in spec.columns else "" for k in kept]],
        months=[[month] for month in _months(table, spec, lines)],
        branches=[[name] for name in taken(spec.branch.column)] if spec.branch.source == "column" else
        name_of_branch(spec.branch, table.file, ""),
        files=[[name] for name in taken(spec.address.file)] if spec.address.file else None,
        sheets=[[name] for name in taken(spec.address.sheet)] if spec.address.sheet else None)
    for name, column in by_name.items():
        filled = sum(map(bool, column))
        block.printed += 1 + filled
        block.headings += 1 + filled if name in keys else 1
        block.ignored += filled if name not in keys and name not in kept else 0
    return block


def _kept(table: Table, spec: LongSpec | DatabaseSpec, keys: set[str]) -> list[str]:
    rest = [n for n in table.names if n not in spec.columns and n not in keys and n not in spec.ignore]
    if rest and spec.unmapped == "error":
        raise not_mapped("column", rest[0], spec.columns, file=table.file, column=rest[0], found=rest[0])
    return [n for n in table.names if n in spec.columns or (n in rest and spec.unmapped == "keep")]


def _months(table: Table, spec: LongSpec | DatabaseSpec, lines: list[int]) -> list[int]:
    if spec.month.source == "file":
        return [month_of(spec.month, table.file)] * len(lines)
    place = table.names.index(spec.month.column)
    texts, values = table.columns[place], table.values[place]
    known: dict[str, int | None] = {}
    for n in lines:
        if texts[n] not in known:
            known[texts[n]] = spec.month.in_cell(values[n], texts[n])
        if known[texts[n]] is None:
            raise SourceError("holds no month", file=table.file, row=n + table.first, column=spec.month.column,
                              found=texts[n], expected=spec.month.expected)
    return [known[texts[n]] for n in lines]


def _rows(table: Table, spec: LongSpec | DatabaseSpec, lines: list[int]) -> list[int]:
    if spec.address.row is None:
        return [n + table.first for n in lines]
    texts = table.columns[table.names.index(spec.address.row)]
    for n in lines:
        if not (texts[n].isascii() and texts[n].isdigit() and len(texts[n]) < 10):
            raise SourceError("holds no row number", file=table.file, row=n + table.first, column=spec.address.row,
                              found=texts[n], expected="digits")
    return [int(texts[n]) for n in lines]
