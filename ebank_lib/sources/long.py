"""Long tables - CSV, Parquet, the answer to a query: a row a branch and month, or a row a figure.

A frame of any shape is read as one: *wide* is a row a month and a column an indicator, *panel* the same with branches,
*long* a row a number; or Nixtla's ``unique_id, ds, y``. Which it is, the names of columns and levels of the index say.
"""

from __future__ import annotations

import datetime as dt
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cache
from numbers import Number
from types import SimpleNamespace

import numpy as np
import pandas as pd

from ..catalog import fold
from ..display import missing
from ..errors import ConfigError, SourceError, nearest, quote
from .grids import csv_rows
from .headings import ADD, Layout, not_mapped
from .months import Month, month_in_text
from .rows import month_of, name_of_branch, year_of
from .sheets import Block, cells_frame
from .spec import BranchAt, DatabaseSpec, Heading, IndicatorAt, Limits, LongColumn, LongSpec, UnitAt
from .units import Naming, as_text

_NOBODYS = LongColumn(indicator="")      # a column that is kept
# Names of columns that are no indicator, in the order in which they are looked for; case and blanks do not matter.
_MONTH = ("month", "ds", "月份", "年月", "统计月份", "date", "日期", "月", "period", "time")
_BRANCH = ("branch", "unique_id", "分行", "机构", "机构名称", "支行")
_INDICATOR, _VALUE = ("indicator", "指标", "指标名称", "variable"), ("value", "y", "数值", "值")
_UNIT = ("unit", "单位")
_KEYS = {*_MONTH, *_BRANCH, *_INDICATOR, *_UNIT}
_OURS = ("doubtful",)       # of a panel.csv that a report leaves
_NO_NUMBER = re.compile(r"(?i)[\W_]*|#?n/?a|nan|null|none|无|未报|缺报?")
_NUMBER = re.compile(r"[\W_]*\d")
_OFTEN = {3: "quarterly", 6: "half-yearly", 12: "yearly"}
TO_MONTHS = "Make months of it first: sums of flows, last values of stocks, as df.resample('ME').sum() and .last() do"
_TOO_FEW = "Months are needed: a quarter's sum or level does not say them"


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
    if name.lower().endswith(".parquet"):
        return _parquet(data, name, limits)
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

    pa.array(pd.PeriodIndex(["2000-01"], freq="M"))    # makes pandas register its type, else months are numbers
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
    # Names are spelt as the source spells them, which is free in width, blanks and capitals.
    spelt = {fold(name): name for name in sorted({*keys, *figures, *spec.ignore})}
    known = [spelt.get(fold(name), name) for name in table.names]
    table.names = [name if own in table.names else own for name, own in zip(table.names, known)]
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


# --- frames of any shape ----------------------------------------------------------------------------------------------

def frame_table(df: object, file: str) -> Table:
    """Return a DataFrame or Series as a long table has it: names of columns and a list of values each; what is missing
    is None. `file` is what errors name."""
    frame = _flat(df, file)
    for name, values in frame.items():
        if isinstance(values.dtype, pd.PeriodDtype) and values.dtype != "period[M]":
            often = len(values) and (values.iloc[0].end_time - values.iloc[0].start_time).days < 31
            raise SourceError("is not monthly", file=file, column=name, found=values.dtype, expected="a period a month",
                              hint=TO_MONTHS.replace("'ME'", "'M'") if often else _TOO_FEW)
    return Table(file, list(frame), [[None if missing(value) else value for value in frame[name].astype(object)]
                                     for name in frame], 1)


def read_panel(table: Table, branch: str | None) -> tuple[Block, pd.DataFrame]:
    """Read a table of any of the shapes, as a long table is read; `branch` is whose a table without branches is.

    The cells have besides ``name`` (of the indicator, as it stands there) and ``when`` (the month); no ``branch`` where
    nobody says it. Errors are those of :func:`~ebank_lib.sources.frame.from_frame`.
    """
    file, lines = table.file, [n for n, row in enumerate(zip(*table.columns, strict=True)) if any(row)]
    month, place, indicator, value, unit = (
        _first_of(table.names, names) for names in (_MONTH, _BRANCH, _INDICATOR, _VALUE, _UNIT))
    month = month or _dated(table)
    if place is None and branch is None:
        place = _telling_apart(table, [month, *filter(None, [indicator, unit])])
    if place is not None and branch is not None:
        raise ConfigError("goes with a table without branches", key="branch", found=branch,
                          expected=f"nothing: the branches are in column {place}")
    figures = [name for name in table.names if name not in (month, place)]
    if place is not None and fold(place) == "unique_id" and figures == ["y"]:
        pairs = [name.split("/") for name in table.column(place)]
        if pairs and all(len(pair) == 2 and all(part.strip() for part in pair) for pair in pairs):
            place, indicator, value, values = "branch", "indicator", "y", dict(zip(table.names, table.values))
            parts = [[pair[n].strip() for pair in pairs] for n in (0, 1)]
            table = Table(file, [place, indicator, month, value], [*parts, values[month], values[value]], 1)
    if indicator is not None and value is not None:
        rest = [name for name in figures if name not in (indicator, value, unit, *_OURS)]
        if rest:
            raise table.error("is a column of no use in a long table", rest[0],
                              expected="branch, month, indicator, value and unit",
                              hint=f"Leave it out: df.drop(columns={rest!r})")
        figures = [value]
    else:
        indicator = value = unit = None
    if not figures or not lines:
        raise SourceError("holds no numbers", file=file, found=f"{len(lines)} rows of "
                          f"{', '.join(table.names) or 'nothing'}",
                          expected="a row a month and a column an indicator, or columns indicator and value")
    for name in filter(None, (place, indicator)):
        for n in lines:
            if not table.column(name)[n].strip():
                raise table.error("holds no name", name, n, found="nothing", expected="a name in every row")
    spec = LongSpec.model_construct(
        path=file, month=Month(**{"from": "column", "column": month}), value=value, unmapped="keep", missing="allow",
        branch=BranchAt(**{"from": "column", "column": place}) if place else
        BranchAt.model_construct(source="constant", value=branch or ""), ignore=_OURS if indicator else (),
        indicator=indicator and IndicatorAt(**{"from": "column", "column": indicator}),
        headings={name: Heading(indicator=name) for name in (table.column(indicator) if indicator else ())},
        unit=unit and UnitAt(column=unit))
    block = read_lines(table, spec, 0, Naming(SimpleNamespace(units={}, indicators={}, branches={})))
    for name in figures:
        _check_numbers(table, name, lines)
    apart = np.diff(np.unique(block.months))
    if len(apart) > 1 and (every := int(np.gcd.reduce(apart))) > 1:
        raise SourceError("is not monthly", file=file, expected="a row a month", hint=_TOO_FEW,
                          found=f"{_OFTEN.get(every, f'every {every} months')} data")
    cells = cells_frame([block]).astype({"branch": object, "indicator": object, "column": object, "unit": object})
    when = np.array(table.column(month), object)[cells["row"] - table.first]
    return block, cells.assign(name=cells["indicator" if indicator else "column"], when=when)


def _dated(table: Table) -> str:
    """Return the one column of dates, whatever it is called."""
    dated = [name for name, values in zip(table.names, table.values, strict=True)
             if values and all(isinstance(value, dt.date | pd.Period) for value in values)]
    if len(dated) != 1:
        raise SourceError("has no months", file=table.file, found=", ".join(table.names) or "no column",
                          expected="a PeriodIndex or DatetimeIndex, or a column month, ds, date or 月份")
    return dated[0]


def _telling_apart(table: Table, known: list[str]) -> str | None:
    """Return the one column of names, whatever it is called, where the `known` ones leave rows alike: the branches."""
    if len(set(zip(*map(table.column, known), strict=True))) == len(table.columns[0]):
        return None
    named = [name for name, values in zip(table.names, table.values, strict=True) if name not in known
             and all(isinstance(v, str) and not _NUMBER.match(v) and not _NO_NUMBER.fullmatch(v) for v in values)]
    return named[0] if len(named) == 1 else None


def _flat(df: object, file: str) -> pd.DataFrame:
    """Return a frame whose index has become columns, with texts as names, each once."""
    if isinstance(df, pd.Series):
        df = df.to_frame("y" if df.name is None else df.name)
    if not isinstance(df, pd.DataFrame) or df.columns.nlevels > 1:
        raise SourceError("is no table with one name a column", file=file, found=type(df).__name__,
                          expected="a DataFrame", hint="Levels of columns go into rows by df.stack()")
    frame, index = df.reset_index(drop=True).set_axis([as_text(name).strip() for name in df.columns], axis=1), df.index
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise SourceError("has two columns of one name", file=file, column=twice[0], expected="each name once")
    levels: dict[str, pd.Series] = {}
    for n in range(index.nlevels):
        level = index.get_level_values(n)
        told = _first_of(frame, _MONTH) is not None or "month" in levels
        dated = level.dtype.kind == "M" or isinstance(level.dtype, pd.PeriodDtype)
        if level.name is not None and fold(as_text(level.name)).casefold() in _KEYS:
            name = as_text(level.name)
        elif not told and (dated or all(month_in_text(as_text(v)) is not None for v in level.unique())):
            name = "month"
        elif index.nlevels == 1 and pd.api.types.is_integer_dtype(level):
            continue        # the numbers of rows, which may have been sorted or chosen
        else:
            name = "branch"
        if name in levels or name in frame:
            raise SourceError("has more levels of the index than a table of months and branches", file=file,
                              found=", ".join(map(str, index.names)), expected="months, and branches if there are some",
                              hint="Name the levels month and branch, or take others off by df.reset_index(drop=True)")
        levels[name] = pd.Series(level)
    return pd.concat([pd.DataFrame(levels), frame], axis=1) if levels else frame


def _first_of(names: Iterable[str], wanted: Iterable[str]) -> str | None:
    known = {fold(name): name for name in reversed(list(names))}
    return next((known[name] for name in wanted if name in known), None)


def _check_numbers(table: Table, column: str, lines: Iterable[int]) -> None:
    """Refuse what is no number, and no text that says one or why there is none."""
    values = table.values[table.names.index(column)]
    for n in lines:
        value = values[n]
        number = isinstance(value, Number | Decimal) and not isinstance(value, bool | np.bool_ | complex)
        readable = isinstance(value, str) and (any(map(str.isdigit, value)) or _NO_NUMBER.fullmatch(value.strip()))
        if not (value is None or readable or (number and math.isfinite(value))):
            raise table.error("holds no number", column, n, found=as_text(value),
                              expected="numbers, NaN where nothing was reported",
                              hint=f"Leave the column out, df.drop(columns={column!r}), or make numbers of it")
