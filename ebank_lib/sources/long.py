"""Long tables - CSV, Parquet, the answer to a query: a row a branch and month, or a row a figure."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np

from ..catalog import fold
from ..errors import SourceError, nearest, quote
from .blocks import Block
from .grids import csv_rows
from .headings import ADD, Layout, not_mapped
from .numbers import as_text
from .places import month_of, name_of_branch, year_of
from .spec import DatabaseSpec, Heading, Limits, LongColumn, LongSpec
from .units import Naming

_NOBODYS = LongColumn(indicator="")      # a column that is kept


class Table:
    """A rectangular table: names of columns, and a list of values a column, as the format types them and as texts.
    `first` is the number of the first row as a reader of the file counts."""

    def __init__(self, file: str, names: list[str], values: list[Sequence[object]], first: int):
        self.file, self.names, self.values, self.first = file, names, values, first
        self.columns = [[as_text(value) for value in column] for column in values]

    def column(self, name: str) -> list[str]:
        """Return the texts of a column."""
        return self.columns[self.names.index(name)]

    def error(self, message: str, column: str | None, line: int | None = None, **more) -> SourceError:
        """An error at a place of this table."""
        return SourceError(message, file=self.file, row=None if line is None else line + self.first, column=column,
                           **more)


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
    return Table(name, names, list(zip(*filled)) or [()] * len(names), 2)


def _parquet(data: bytes, name: str, limits: Limits) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pandas import PeriodIndex

    pa.array(PeriodIndex(["2000-01"], freq="M"))    # makes pandas register its type, without which months are numbers
    batches, size = [], 0
    try:
        with pq.ParquetFile(io.BytesIO(data)) as file:
            meta, schema = file.metadata, file.schema_arrow
            limits.refuse("table_cells", meta.num_rows * meta.num_columns, "has too many cells", file=name)
            odd = next((f for f in schema if not _is_plain(f.type)), None)
            if odd is not None:
                raise SourceError("has a column that is no table's", file=name, column=odd.name, found=str(odd.type),
                                  expected="texts, numbers or dates")
            for batch in file.iter_batches(1_000):      # a text that is kept once may be that of every row
                batches.append([c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns])
                size += sum(column.nbytes for column in batches[-1])
                limits.refuse("unpacked_bytes", size, "unpacks to too much", file=name)
    except (pa.ArrowException, OSError) as error:
        raise SourceError("is damaged or no Parquet file", file=name, found=(str(error).splitlines() or [""])[0],
                          expected="a Parquet file") from None
    columns = [pa.chunked_array(parts) for parts in zip(*batches)] or [pa.chunked_array([], pa.null()) for _ in schema]
    values = [column.to_pandas().tolist() if isinstance(column.type, pa.BaseExtensionType) else column.to_pylist()
              for column in columns]
    return Table(name, schema.names, values, 1)


def _is_plain(kind) -> bool:
    """Whether a column of this type holds what a cell may: nothing nested, no bytes, nothing of an extension."""
    from pyarrow import BaseExtensionType, types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    if isinstance(kind, BaseExtensionType):
        return kind.extension_name == "pandas.period"
    return any(getattr(types, f"is_{name}")(kind) for name in (
        "string", "large_string", "integer", "floating", "decimal", "boolean", "date", "timestamp", "time", "null"))


def read_lines(table: Table, spec: LongSpec | DatabaseSpec, revision: int, naming: Naming) -> Block:
    """Read a long table: its figures stand in a column an indicator, or in one with their indicators beside them."""
    figures = [*spec.columns] if spec.indicator is None else [spec.value]
    places = (spec.branch, spec.month, spec.month.year, spec.indicator, spec.unit, *(
        column.unit for column in spec.columns.values()))
    keys = {*(place.column for place in places if place is not None), spec.address.file, spec.address.sheet,
            spec.address.row} - {None}
    table.names = _spelt(table.names, {*keys, *figures, *spec.ignore})
    kept = _kept(table, spec, keys, figures)
    by_name = dict(zip(table.names, table.columns))
    left_out = cache(Layout(spec, spec.month, naming).leaves_out)
    marks = [by_name[place.column] for place in (spec.branch, spec.month, spec.indicator) if place and place.column]
    lines = [n for n, row in enumerate(zip(*table.columns)) if any(row) and not any(left_out(m[n]) for m in marks)]

    def taken(name: str) -> list[str]:
        return [by_name[name][n] for n in lines]

    mine = spec.columns if spec.indicator is None or spec.unit else {spec.value: _NOBODYS}
    printed = [_unit(table, name, mine.get(name), naming) for name in kept]
    if spec.indicator is None:
        targets = [spec.columns.get(name, _NOBODYS) for name in kept]
        said = {name: [[getattr(target, name) for target in targets]] for name in ("indicator", "cumulative")}
        units = list(zip(*(taken(target.unit.column) if target.unit.column else [unit] * len(lines)
                           for target, unit in zip(targets, printed))))
    else:
        lines, targets, own = _named(table, spec, lines, naming)
        beside = taken(spec.unit.column) if spec.unit and spec.unit.column else [""] * len(lines)
        said = {name: _column([getattr(one, name) for one in targets], kept) for name in ("indicator", "cumulative")}
        units = _column([unit or (column if column.strip("-—–－/ ") else "") or printed[0] or target.unit
                         or (spec.unit.text if spec.unit else "")
                         for unit, column, target in zip(own, beside, targets)], kept)
        units[:, 1:] = printed[1:]
    months = np.array(_months(table, spec, lines), np.int64).reshape(-1, 1)
    wanted = {t.indicator: heading for heading, t in reversed([*spec.columns.items(), *spec.headings.items()])}
    absent = sorted(wanted.keys() - {target.indicator for target in targets})
    if absent and spec.missing == "error":
        column = spec.indicator and spec.indicator.column
        raise table.error("does not name an indicator", column, found="no line of it",
                          expected=f"{wanted[absent[0]]} (indicator {absent[0]})",
                          hint="`missing: allow` if it need not be there")
    block = Block(
        table.file, "", revision, _rows(table, spec, lines), kept, list(zip(*map(taken, kept))),
        indicators=said["indicator"], months=months, units=units, cumulative=said["cumulative"], absent=absent,
        branches=_column(taken(spec.branch.column)) if spec.branch.source == "column" else
        name_of_branch(spec.branch, naming, table.file, ""),
        files=_column(taken(spec.address.file)) if spec.address.file else None,
        sheets=_column(taken(spec.address.sheet)) if spec.address.sheet else None)
    if isinstance(spec, LongSpec):
        block.span = spec.span
    filled = {name: 1 + sum(map(bool, column)) for name, column in by_name.items()}
    block.printed, block.headings = sum(filled.values()), sum(n if name in keys else 1 for name, n in filled.items())
    block.ignored = block.printed - block.headings - block.cells
    return block


def _column(texts: list[str], kept: Sequence[str] = ("",)) -> np.ndarray:
    """Return what is said of the first of the `kept` columns, a row a line, with nothing said of the others."""
    found = np.full((len(texts), len(kept)), "", object)
    found[:, 0] = texts
    return found


def _spelt(names: list[str], said: set[str]) -> list[str]:
    """Return the names of columns as the source spells them, which is free in width, blanks and capitals."""
    spelt = {fold(name): name for name in said}
    known = {name: spelt.get(fold(name), name) for name in names}
    return [name if known[name] in names else known[name] for name in names]


def _kept(table: Table, spec: LongSpec | DatabaseSpec, keys: set[str], figures: list[str]) -> list[str]:
    """Return the columns whose cells are read; those of figures are first."""
    count = Counter(table.names)
    needed = [*sorted(keys), *(name for name in figures if spec.missing == "error" or spec.indicator)]
    for name in [*needed, *count]:
        if count[name] != 1:
            near = nearest(name, count)
            raise table.error("needs the column once", name, found=f"{count[name]} times",
                              expected="one column of this name",
                              hint=f"Did you mean {quote(near)}?" if near and near != name else
                              f"There are {', '.join(count)}")
    rest = [n for n in table.names if n not in figures and n not in keys and n not in spec.ignore]
    if rest and spec.unmapped == "error":
        raise not_mapped("column", rest[0], figures, file=table.file, column=rest[0], found=rest[0])
    kept = figures + (rest if spec.unmapped == "keep" else [])
    return kept if spec.indicator is not None else [name for name in table.names if name in kept]


def _unit(table: Table, name: str, target: LongColumn | None, naming: Naming) -> str:
    known, strange = naming.line([name])
    given = target.unit.text if target else ""
    if strange and target and not (known or given):
        raise table.error("has a unit that the catalogue does not know", name, found=name,
                          expected="one of " + ", ".join(naming.bases), hint=ADD)
    return given or "".join(known[:1])


def _named(table: Table, spec: LongSpec | DatabaseSpec, lines: list[int],
           naming: Naming) -> tuple[list[int], list[Heading], list[str]]:
    """Return the lines of indicators that are wanted or kept, what the source says of each, and the unit it names."""
    exact = {fold(name): target for name, target in spec.headings.items()}
    paths = Counter(naming.path([name])[0] for name in spec.headings)
    loose = {path: target for name, target in spec.headings.items() if paths[path := naming.path([name])[0]] == 1}
    column = table.column(spec.indicator.column)

    @cache
    def said(text: str) -> tuple[Heading | None, str]:
        path, unit = naming.path([text])
        other = Heading(indicator="") if spec.unmapped == "keep" else None
        return exact.get(fold(text)) or loose.get(path) or other, unit

    if spec.unmapped == "error":
        n = next((n for n in lines if said(column[n])[0] is None), None)
        if n is not None:
            raise not_mapped("heading", column[n], spec.headings, file=table.file, row=n + table.first,
                             column=spec.indicator.column, found=column[n])
    lines = [n for n in lines if said(column[n])[0] is not None]
    return lines, [said(column[n])[0] for n in lines], [said(column[n])[1] for n in lines]


def _months(table: Table, spec: LongSpec | DatabaseSpec, lines: list[int]) -> list[int]:
    month, year = spec.month, spec.month.year
    if year is not None and year.source == "column":
        told = cache(lambda text: year.in_text(text) if text else None)
        years = [told(text) for text in map(table.column(year.column).__getitem__, lines)]
    else:
        years = [None if year is None else year_of(year, table.file, "", ())] * len(lines)
    if month.source != "column":
        return [month_of(month, table.file, year=own) for own in years]
    in_cell, found = cache(month.in_cell), []
    values, texts = table.values[table.names.index(month.column)], table.column(month.column)
    for n, own in zip(lines, years):
        found.append(in_cell(values[n], texts[n], own))
        if found[-1] is None:
            raise table.error("holds no month", month.column, n, found=texts[n] or "nothing", expected=month.expected,
                              hint=month.why_not(texts[n], own) or None)
    return found


def _rows(table: Table, spec: LongSpec | DatabaseSpec, lines: list[int]) -> list[int]:
    if spec.address.row is None:
        return [n + table.first for n in lines]
    texts = table.column(spec.address.row)
    for n in lines:
        if not (texts[n].isascii() and texts[n].isdigit() and len(texts[n]) < 10):
            raise table.error("holds no row number", spec.address.row, n, found=texts[n], expected="digits")
    return [int(texts[n]) for n in lines]
