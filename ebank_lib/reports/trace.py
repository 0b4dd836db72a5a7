"""The way back: from a figure, a table or a number of a page to the cells of recorded tables and the printed cells.

What a table's columns are made of is said where the table is made (:func:`ebank_lib.display.describe`) and travels with
it. A number that is a value of the panel leads to its own cells; anything computed leads to the series that went in,
and no closer claim is made: a forecast is a function of all its months.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ConfigError, UnknownNameError
from ..wording import LANGUAGES, month_name, t
from .artefacts import about_of
from .cells import Cell, cells_at, row_ids
from .content import Content, Item, read_content
from .origin import Origin
from .page import About
from .seal import plain_path

__all__ = ["Found", "Inputs", "Opened", "find", "inputs_of", "labels_of", "month_of", "open_report",
           "printed_cells", "printed_numbers", "trace"]

_ITEM = re.compile(r"(?:(?P<fig>图|figures?|fig)|(?:表|tables?|tab))[ \-.]*(?P<n>\d+)", re.I)
_NUMBER = re.compile(r"(?<![\w.,])(?P<sign>[<>+−-] ?)?(?P<digits>\d[\d,]*(?:\.\d+)?)"
                     r"(?P<unit> ?(?:%|万|亿|bn\b|m\b|k\b))?")
_ABOVE = re.compile(r"[（(](万|亿|k|m|bn)(?=[^a-z]|$)")
_SCALES = {"%": 100.0, "万": 1e-4, "亿": 1e-8, "k": 1e-3, "m": 1e-6, "bn": 1e-9}


def trace(cleaned: Any, branch: str, indicator: str, month: str) -> pd.DataFrame:
    """Return the ledger rows of one value: every printed cell that it comes from and what was done to it.

    Parameters
    ----------
    cleaned : Cleaned
    branch, indicator : str
    month : str
        ``YYYY-MM``.

    Raises
    ------
    UnknownNameError
        The branch, the indicator or the month does not exist; the message lists what does.
    """
    name, key = cleaned.catalog.branch(branch).id, cleaned.catalog.indicator(indicator).key
    months = cleaned.panel.index.get_level_values("month").unique()
    when = month_of(month)
    if when not in months:
        raise UnknownNameError("month", month, [str(m) for m in months])
    return cleaned.trace(name, when, key)


def month_of(text: str) -> pd.Period | None:
    """Return the month that ``YYYY-MM`` names; None for anything else (pandas takes ``2008`` for January).

    Examples
    --------
    >>> month_of("2008-10"), month_of("2008"), month_of("2008-13")
    (Period('2008-10', 'M'), None, None)
    """
    match = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", str(text), flags=re.ASCII)
    return pd.Period(year=int(match[1]), month=int(match[2]), freq="M") if match else None


# ---------------------------------------------------------------- a finished report

@dataclass(frozen=True)
class Opened:
    """A report: its folder, its ``run.json``, what its page says of itself, and the content of its notebooks."""

    folder: Path
    run: dict[str, Any]
    about: About
    content: Content

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """Return the recorded tables by their names."""
        return {table["name"]: table for table in self.content.tables}

    @property
    def months(self) -> pd.PeriodIndex:
        """Return the months of the report."""
        return pd.period_range(self.about.first, self.about.last, freq="M")

    @property
    def indicator(self) -> str:
        """Return the indicator that its notebooks were given; "" for none."""
        return next((str(b["indicator"]) for b in self.run.get("parameters", {}).values() if b.get("indicator")), "")


def open_report(path: str | Path) -> Opened:
    """Read a finished report again.

    Parameters
    ----------
    path : path
        Its folder, or the page in it.

    Raises
    ------
    ConfigError
        There is no report, or its ``run.json`` does not say what one must know.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        books = [folder / "notebooks" / f"{name}.ipynb" for name in run["stages"] if plain_path(str(name))]
        about = about_of(run["about"], run["files"])
    except OSError as error:
        raise ConfigError("is no report", file=str(path), found=error.strerror or "nothing",
                          expected="a report's folder with run.json") from None
    except (UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError("is no report of this version", file=str(folder / "run.json"),
                          found=f"{type(error).__name__}: {error}", hint="Make it again: ebank report.") from None
    return Opened(folder, run, about, read_content(books, about.lang, about.fills))


# ---------------------------------------------------------------- places on the page

@dataclass(frozen=True)
class Found:
    """A place: ``figure``, ``table``, ``state``, ``reading``, ``cell`` or ``number`` (in a table of the page)."""

    kind: str
    label: str
    shown: str = ""
    origin: Origin | None = None
    cells: tuple[Cell, ...] = ()
    records: tuple[str, ...] = ()


def find(report: Opened, text: str, labels: Mapping[str, str]) -> list[Found]:
    """Return every place of a report that a text names, in the order of the page.

    Parameters
    ----------
    report : Opened
    text : str
        ``图 3``, ``Figure 3``, ``tab-2``; an id as ``growth[sms].last_yoy``; a number as printed, ``7.53万``.
    labels : mapping of label to key
        Names of indicators, branches and months as the page writes them, by which rows of the page's tables and of the
        recorded ones are recognised.
    """
    text = " ".join(text.split())
    item = _ITEM.fullmatch(text)
    if item:
        kind = "figure" if item["fig"] else "table"
        return [Found(kind, _label(report, one), origin=one.origin, records=one.records)
                for one in _items(report) if one.kind == kind and one.number == int(item["n"])]
    cells = cells_at(report.content.tables, text)
    if cells:
        return [Found("cell", cell.id, origin=_maker(report, cell.table), cells=(cell,), records=(cell.table,))
                for cell in cells]
    return [one for one in printed_numbers(report, labels) if _plain(one.shown) == _plain(text)]


def printed_numbers(report: Opened, labels: Mapping[str, str]) -> Iterator[Found]:
    """Yield every cited number of the page's sentences and every number of its tables.

    A number in a table has a recorded cell where just one figure of the recorded rows that share most of its row's
    names says it.
    """
    for said in report.content.sentences:
        label = t(f"trace.in_{'state' if said.kind == 'state' else 'readings'}", report.about.lang, where=said.name or said.origin.short,
                  text=said.text)
        for one in said.citations:
            yield Found(said.kind, label, said.text[one.start:one.end], said.origin, one.cells)
    for item in _items(report):
        if item.kind == "table":
            yield from _in_table(report, item, labels)


def _items(report: Opened) -> Iterator[Item]:
    return (item for stage in report.content.stages for item in stage.items)


def _label(report: Opened, item: Item) -> str:
    return f"{t(f'report.{item.kind}', report.about.lang, n=item.number)} {item.caption}".strip()


def _maker(report: Opened, name: str) -> Origin:
    """Return the notebook's cell that recorded a table."""
    table = report.tables[name]
    at = (table["notebook"], table["prompt"])
    return next((item.origin for item in _items(report) if item.origin is not None
                 and (item.origin.notebook, item.origin.prompt) == at), Origin(*at, ""))


def _in_table(report: Opened, item: Item, labels: Mapping[str, str]) -> Iterator[Found]:
    head, *body = _grid(item.html)
    tables = [table for table in report.content.tables if item.origin and table["notebook"] == item.origin.notebook]
    for row in body:
        keys = {labels.get(text, text) for text in row}
        alike = [(len(keys & {v for v in values if isinstance(v, str) and v}), table, at)
                 for table in tables for at, values in enumerate(table["rows"])]
        most = max((named for named, _, _ in alike), default=0)
        alike = [(table, at) for named, table, at in alike if named == most > 0]
        for at, text in enumerate(row):
            above = head[at] if at < len(head) else str(at + 1)
            scale = next((m[1] for m in map(_ABOVE.search, (above, item.caption)) if m), "")
            for number in _NUMBER.finditer("" if text in labels else text):
                label = f"{_label(report, item)} · {row[0]} · {above}"
                cells = _alone(number, scale, above, alike)
                yield Found("number", label, number[0].strip(), item.origin, cells, item.records)


def _alone(number: re.Match, scale: str, head: str, rows: Iterable[tuple[Mapping[str, Any], int]]) -> tuple[Cell, ...]:
    """Return the recorded cell that says a number; none where different ones do: it is not known which is meant."""
    found = [(table, at, column) for table, at in rows for column, value in enumerate(table["rows"][at])
             if _says(number, scale, value)]
    found = [one for one in found if one[0]["columns"][one[2]]["head"] == head] or found
    if len({(table["columns"][column]["name"], table["rows"][at][column]) for table, at, column in found}) != 1:
        return ()
    table, at, column = found[0]
    return (Cell(table["name"], row_ids(table)[at], table["columns"][column]["name"], table["rows"][at][column], at),)


def _says(number: re.Match, scale: str, value: Any) -> bool:
    """Whether a value, rounded and scaled as the printed number is, is that number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or (number["sign"] or "").strip() in ("<", ">"):
        return False
    digits = number["digits"].replace(",", "")
    printed = float(digits) * (-1 if (number["sign"] or "").strip() in ("-", "−") else 1)
    shown = value * _SCALES.get((number["unit"] or "").strip() or scale, 1.0)
    return abs(shown - printed) <= 0.5 * 10.0 ** -len(digits.partition(".")[2]) * (1 + 1e-6) + 1e-9 * abs(printed)


def _grid(text: str) -> list[list[str]]:
    """Return the texts of an HTML table, row by row."""
    return [[html.unescape(re.sub(r"<[^>]*>", "", cell)).strip()
             for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row, flags=re.S)]
            for row in re.findall(r"<tr\b[^>]*>(.*?)</tr>", text, flags=re.S)] or [[]]


def _plain(text: str) -> str:
    """Return a printed number without its unit, spaces and commas."""
    number = _NUMBER.search(text)
    return re.sub(r"[ ,]", "", number[0] if number else text).replace("−", "-")


# ---------------------------------------------------------------- what a number is made of

@dataclass(frozen=True)
class Inputs:
    """Values of the panel: every month of `months` of every branch and indicator.

    ``exact``: the number is this one as it stands. ``pooled``: what is learnt from the other branches (the season's
    shape, the width of limits) went in besides.
    """

    branches: tuple[str, ...]
    indicators: tuple[str, ...]
    months: tuple[pd.Period, ...]
    exact: bool = False
    pooled: bool = False


def labels_of(catalog: Any, months: pd.PeriodIndex) -> dict[str, str]:
    """Return what pages call branches, indicators and months, in every language and length, with their keys."""
    labels: dict[str, str] = {}
    for lang in LANGUAGES:
        for one in catalog.indicators.values():
            labels |= {one.label(lang): one.key, one.short_label(lang): one.key}
        labels |= {branch.label(lang): branch.id for branch in catalog.branches.values()}
        labels |= {month_name(month, lang): str(month) for month in (*months, *(months[-1] + n for n in range(1, 61)))}
    return labels


def inputs_of(report: Opened, cleaned: Any, cell: Cell | None, notebook: str = "") -> Inputs:
    """Return what a cell is made of; without a cell, what its notebook looks at.

    Parameters
    ----------
    report : Opened
    cleaned : Cleaned
        The source, cleaned.
    cell : Cell or None
        Of a recorded table. Counts are made of the rows they count.
    notebook : str
        Where it was made.
    """
    table = None if cell is None else report.tables.get(cell.table)
    described = table and table.get("from")
    if not described:
        narrow = (notebook[:2] in ("03", "04") or cell is not None) and not notebook.startswith("06")
        described = {"branch": "@", "indicator": "@" if narrow else "*"}
    row = {} if table is None or cell.at < 0 else {
        c["name"]: v for c, v in zip(table["columns"], table["rows"][cell.at], strict=True)}
    column = "" if cell is None else cell.column
    branches = _branches("*" if column in described.get("across", ()) else described["branch"], row, report, cleaned)
    indicators = _indicators(described["indicator"], row, report, cleaned)
    how = described.get("months", {}).get(column, "all")
    months = _months(how, row, branches, indicators, report, cleaned)
    exact = column in described.get("exact", ()) and _is_value(cell, branches, indicators, months, cleaned)
    if not exact and how == "row":      # the row's month, but something made of more than it
        months = _months("all", row, branches, indicators, report, cleaned)
    return Inputs(branches, _with_parts(indicators, exact, cleaned.catalog), months, exact,
                  bool(described.get("pooled")) and not exact)


def _branches(how: str, row: Mapping[str, Any], report: Opened, cleaned: Any) -> tuple[str, ...]:
    everyone = tuple(b for b in cleaned.branches if b in set(cleaned.catalog.reporting))
    named = row.get(how, how) if how not in ("@", "*") else report.about.branch if how == "@" else "*"
    whole = named not in cleaned.branches or named == cleaned.catalog.total
    return everyone if whole else (str(named),)


def _indicators(how: str, row: Mapping[str, Any], report: Opened, cleaned: Any) -> tuple[str, ...]:
    catalog = cleaned.catalog
    if how == "@":
        return (catalog.indicator(report.indicator).key,)
    named = row.get(how)
    return (str(named),) if named in catalog.indicators else tuple(
        k for k in catalog.indicators if k in cleaned.panel.columns)


def _with_parts(indicators: tuple[str, ...], exact: bool, catalog: Any) -> tuple[str, ...]:
    """Add what a ratio consists of, where the number was computed from it rather than printed."""
    one = catalog.indicators[indicators[0]]
    if exact or len(indicators) != 1 or one.kind != "ratio":
        return indicators
    return tuple(dict.fromkeys([one.key, *([one.numerator] if one.numerator else []), *one.denominators]))


def _months(how: str, row: Mapping[str, Any], branches, indicators, report: Opened, cleaned: Any) -> tuple:
    every = [m for m in report.months if m in set(cleaned.months)]
    if how == "row":
        month = month_of(str(row.get("month", "")))
        return (month,) if month in every else ()
    if how in ("first", "last", "ends"):
        y = cleaned.series(branches[0], indicators[0]).loc[every[0]:every[-1]].dropna()
        ends = (y.index[0], y.index[-1]) if len(y) else ()
        return ends if how == "ends" else ends[:1] if how == "first" else ends[-1:]
    if how == "yoy":
        return tuple(m for m in every if m in (every[-1], every[-1] - 12))
    if how in ("window", "before", "windows"):
        length = 12 if cleaned.catalog.indicators[indicators[0]].kind == "flow" else 1
        now = {every[-1] - n for n in range(length)}
        before = {m - 12 for m in now}
        return tuple(m for m in every if m in {"window": now, "before": before, "windows": now | before}[how])
    return tuple(every)


def _is_value(cell: Cell, branches, indicators, months, cleaned: Any) -> bool:
    """Whether the recorded number is the value of the panel, to the digits that are recorded."""
    if not (len(branches) == len(indicators) == len(months) == 1) or not isinstance(cell.value, (int, float)):
        return False
    value = float(cleaned.series(branches[0], indicators[0]).get(months[0], math.nan))
    return math.isclose(value, cell.value, rel_tol=1e-9, abs_tol=1e-12)


def printed_cells(cleaned: Any, inputs: Inputs) -> pd.DataFrame:
    """Return the ledger's rows of some values of the panel: ``file, sheet, row, column, branch, month, indicator, text,
    unit, decision, rule, before, after``; of before a merger those of both branches."""
    rows = cleaned.entries
    mine = rows[rows["indicator"].isin(inputs.indicators) & rows["month"].isin(inputs.months)]
    found = []
    for name in inputs.branches:
        found.append(mine[mine["branch"] == name])
        found += [mine[(mine["branch"] == old.id) & (mine["month"] < old.merged_month)]
                  for old in cleaned.catalog.branches.values() if old.merged_into == name]
    columns = ["file", "sheet", "row", "column", "branch", "month", "indicator", "text", "unit", "decision", "rule",
               "before", "after"]
    return pd.concat(found)[columns].reset_index(drop=True)
