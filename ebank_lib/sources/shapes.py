"""Tables of any shape, read as long tables are: a row a number, with the address it has in its own table.

*Wide* is a row a month and a column an indicator, *panel* the same with branches, *long* a row a number; or Nixtla's
``unique_id, ds, y``. Which it is, the names of columns and levels of the index say.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable
from decimal import Decimal
from numbers import Number
from types import SimpleNamespace

import numpy as np
import pandas as pd

from ..catalog import fold
from ..display import missing
from ..errors import ConfigError, SourceError
from .blocks import Block, cells_frame
from .long import Table, read_lines
from .months import month_in_text
from .numbers import as_text
from .spec import BranchAt, Heading, IndicatorAt, LongSpec, Month, UnitAt
from .units import Naming

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
        _column(table.names, names) for names in (_MONTH, _BRANCH, _INDICATOR, _VALUE, _UNIT))
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
        told = _column(frame, _MONTH) is not None or "month" in levels
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


def _column(names: Iterable[str], wanted: Iterable[str]) -> str | None:
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
