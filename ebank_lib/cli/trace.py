"""The commands that look into a report: where a number of it comes from, and whether it is as it was written.

The way back leads from a figure, a table or a number of a page to the cells of recorded tables and the printed cells.
What a table's columns are made of is said where the table is made (:func:`ebank_lib.display.describe`) and travels with
it. A number that is a value of the panel leads to its own cells; anything computed leads to the series that went in,
and no closer claim is made: a forecast is a function of all its months.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ..catalog import as_period
from ..cleaning import clean
from ..cleaning.panel import taken_off
from ..errors import ConfigError, EbankError
from ..files import find_source
from ..reports import seal
from ..reports.branch import files_read
from ..reports.cells import Cell, Origin, Sentence, cells_at, value_text
from ..reports.content import Content, Item, read_content, words_of
from ..reports.page import About, make_brief, said_in
from ..sources import open_source
from ..wording import has, listed, month_name, t
from .answers import print_ledger

_FEW = 12       # printed cells, and places, that are listed without being asked
_ITEM = re.compile(r"(?:(?P<fig>图|figures?|fig)|(?:表|tables?|tab))[ \-.]*(?P<n>\d+)", re.I)
_NUMBER = re.compile(r"(?<![\w.,])(?:[<>+−-] ?)?\d[\d,]*(?:\.\d+)?(?: ?(?:%|万|亿|bn\b|m\b|k\b))?")


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

    @cached_property
    def sentences(self) -> list[Sentence]:
        """Return what the page says: the texts of its brief, lines of state, readings."""
        return said_in(make_brief(self.content, self.about), self.content)


def open_report(path: str | Path) -> Opened:
    """Read a finished report again: its folder, or the page in it. What is none is a ConfigError."""
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        books = [folder / "notebooks" / f"{name}.ipynb" for name in run["stages"] if seal.plain_path(str(name))]
        about = About.read(run["about"], run["files"])
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
    """A place: ``figure``, ``table``, ``brief``, ``state``, ``reading``, ``cell`` or ``number`` (in a page's table)."""

    kind: str
    label: str
    shown: str = ""
    origin: Origin | None = None
    cells: tuple[Cell, ...] = ()
    records: tuple[str, ...] = ()


def find(report: Opened, text: str) -> list[Found]:
    """Return every place of a report that a text names, in the order of the page.

    It may be ``图 3``, ``Figure 3`` or ``tab-2``; an id as ``growth[sms].last_yoy``; a number as printed, ``7.53万``,
    in a sentence or in a table.
    """
    text = " ".join(text.split())
    if item := _ITEM.fullmatch(text):
        kind = "figure" if item["fig"] else "table"
        return [Found(kind, _label(report, one), origin=one.origin, records=one.records)
                for one in report.content.items if one.kind == kind and one.number == int(item["n"])]
    if cells := cells_at(report.content.rows, text):
        return [Found("cell", cell.id, origin=_maker(report, cell.table), cells=(cell,), records=(cell.table,))
                for cell in cells]
    wanted = _numbers(text)
    return [one for one in _printed(report) if wanted and wanted[0] in _numbers(one.shown)]


def _printed(report: Opened) -> list[Found]:
    """Return every cited number of the page's sentences, and every cell of its tables with row and column.

    Which recorded cell stands in a table's cell is not known: the table's record is named, whose cells have ids.
    """
    found = []
    for said in report.sentences:
        label = t(f"trace.in_{said.kind}", report.about.lang, text=said.text,
                  where=said.name or (said.origin.short if said.origin else ""))
        found += [Found(said.kind, label, said.text[one.start:one.end], said.origin, one.cells)
                  for one in said.citations]
    for item in report.content.items:
        if item.kind == "table":
            head, *body = [[words_of(cell) for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row, flags=re.S)]
                           for row in re.findall(r"<tr\b[^>]*>(.*?)</tr>", item.html, flags=re.S)]
            found += [Found("number", f"{_label(report, item)} · {row[0]} · {above}", text, item.origin, (),
                            item.records) for row in body for above, text in zip(head, row, strict=False)]
    return found


def _label(report: Opened, item: Item) -> str:
    return f"{t(f'report.{item.kind}', report.about.lang, n=item.number)} {item.caption}".strip()


def _maker(report: Opened, name: str) -> Origin:
    """Return the notebook's cell that recorded a table."""
    table = report.tables[name]
    at = (table["notebook"], table["prompt"])
    return next((item.origin for item in report.content.items if item.origin is not None
                 and (item.origin.notebook, item.origin.prompt) == at), Origin(*at, ""))


def _numbers(text: str) -> list[str]:
    """Return the numbers of a text as they are printed, without their units, spaces and commas."""
    return [re.sub(r"[ ,]", "", number).replace("−", "-") for number in _NUMBER.findall(text)]


# ---------------------------------------------------------------- what a number is made of

@dataclass(frozen=True)
class Inputs:
    """Values of the panel: every month of `months` of every branch and indicator.

    ``exact``: the number is this one as it stands. ``pooled``: what is learnt from the other branches (how far
    growth lasts, what festivals do, the width of limits) went in besides.
    """

    branches: tuple[str, ...]
    indicators: tuple[str, ...]
    months: tuple[pd.Period, ...]
    exact: bool = False
    pooled: bool = False


def inputs_of(report: Opened, cleaned: Any, cell: Cell | None, notebook: str = "") -> Inputs:
    """Return what a cell of a recorded table is made of; without a cell, what its notebook looks at.

    Counts are made of the rows they count.
    """
    table = None if cell is None else report.tables.get(cell.table)
    described = table and table.get("from")
    if not described:
        narrow = (notebook[:2] in ("03", "04") or cell is not None) and not notebook.startswith("06")
        described = {"branch": "@", "indicator": "@" if narrow else "*"}
    row = {} if table is None or cell.at < 0 else report.content.rows[cell.table][cell.at]
    column = "" if cell is None else cell.column
    branches = _branches("*" if column in described.get("across", ()) else described["branch"], row, report, cleaned)
    indicators = _indicators(described["indicator"], row, report, cleaned)
    how = described.get("months", {}).get(column, "all")
    months = _months(how, row, branches, indicators, report, cleaned)
    exact = column in described.get("exact", ()) and _is_value(cell, branches, indicators, months, cleaned)
    if not exact and how == "row":      # the row's month, but something made of more than it
        months = _months("all", row, branches, indicators, report, cleaned)
    one = cleaned.catalog.indicators[indicators[0]]
    if not exact and len(indicators) == 1 and one.kind == "ratio":      # computed from its parts rather than printed
        indicators = tuple(dict.fromkeys([one.key, *([one.numerator] if one.numerator else []), *one.denominators]))
    return Inputs(branches, indicators, months, exact, bool(described.get("pooled")) and not exact)


def _branches(how: str, row: Mapping[str, Any], report: Opened, cleaned: Any) -> tuple[str, ...]:
    named = row.get(how, how) if how not in ("@", "*") else report.about.branch if how == "@" else "*"
    if named in cleaned.branches and named != cleaned.catalog.total:
        return (str(named),)
    return tuple(b for b in cleaned.branches if b in set(cleaned.catalog.reporting))


def _indicators(how: str, row: Mapping[str, Any], report: Opened, cleaned: Any) -> tuple[str, ...]:
    catalog = cleaned.catalog
    if how == "@":
        return (catalog.indicator(report.about.indicator).key,)
    named = row.get(how)
    return (str(named),) if named in catalog.indicators else tuple(
        k for k in catalog.indicators if k in cleaned.panel.columns)


def _months(how: str, row: Mapping[str, Any], branches, indicators, report: Opened, cleaned: Any) -> tuple:
    """Return the months that a column is made of, see :func:`ebank_lib.display.describe`."""
    every = [m for m in cleaned.months if report.about.first <= m <= report.about.last]
    if how == "row":
        return tuple(m for m in every if str(m) == row.get("month"))
    if how in ("first", "last", "ends"):
        known = cleaned.series(branches[0], indicators[0]).loc[every[0]:every[-1]].dropna().index
        return tuple(known[{"first": [0], "last": [-1], "ends": [0, -1]}[how]]) if len(known) else ()
    length = 12 if cleaned.catalog.indicators[indicators[0]].kind == "flow" else 1
    now = {every[-1] - n for n in range(length)}
    before = {m - 12 for m in now}
    some = {"yoy": {every[-1], every[-1] - 12}, "window": now, "before": before, "windows": now | before}
    return tuple(m for m in every if m in some.get(how, every))


def _is_value(cell: Cell, branches, indicators, months, cleaned: Any) -> bool:
    """Whether the recorded number is the value of the panel, to the digits that are recorded."""
    if not (len(branches) == len(indicators) == len(months) == 1) or not isinstance(cell.value, (int, float)):
        return False
    value = float(cleaned.series(branches[0], indicators[0], doubtful="keep").get(months[0], math.nan))
    return math.isclose(value, cell.value, rel_tol=1e-9, abs_tol=1e-12)


def printed_cells(cleaned: Any, inputs: Inputs) -> pd.DataFrame:
    """Return the ledger's rows of some values of the panel: ``file, sheet, row, column, branch, month, indicator, text,
    unit, decision, rule, before, after``; of before a merger those of both branches, of sums since January those of the
    month before as well."""
    rows = cleaned.entries
    mine = rows[rows["indicator"].isin(inputs.indicators) & rows["month"].isin(inputs.months)]
    found = []
    for name in inputs.branches:
        found.append(mine[mine["branch"] == name])
        found += [mine[(mine["branch"] == old.id) & (mine["month"] < old.merged_month)]
                  for old in cleaned.catalog.branches.values() if old.merged_into == name]
    columns = ["file", "sheet", "row", "column", "branch", "month", "indicator", "text", "unit", "decision", "rule",
               "before", "after"]
    found = pd.concat(found)
    sums = rows[taken_off(rows, rows.index.isin(found.index))]
    return pd.concat([found, sums])[columns].reset_index(drop=True)


# ---------------------------------------------------------------- a number, back to the printed cells

def trace(options: argparse.Namespace) -> int:
    """Show the way back of what is named: of a number of a report, or of one value."""
    value = [name for name in ("branch", "indicator", "month") if getattr(options, name)]
    if options.report is None:
        missing = [f"--{name}" for name in ("source", "branch", "indicator", "month") if not getattr(options, name)]
        if missing:
            raise ConfigError("nothing to trace", found="no " + ", ".join(missing),
                              expected="REPORT WHAT, or --source --branch --indicator --month")
        return _value(options)
    if value or options.what is None:
        raise ConfigError("not both a report and a value" if value else "nothing to trace in the report",
                          found=", ".join(f"--{name}" for name in value) or "no WHAT", expected="REPORT WHAT")
    return _in_report(options)


def _value(options: argparse.Namespace) -> int:
    """Show the printed cells that a value of the panel comes from, or that no file has its month."""
    cleaned = clean(open_source(options.source))
    branch, key = cleaned.catalog.branch(options.branch), cleaned.catalog.indicator(options.indicator)
    month, printed = as_period(options.month), sorted(cleaned.cells["month"].dropna().unique())
    absent = month is not None and month not in printed
    rows = cleaned.entries[:0] if absent and month not in cleaned.months else cleaned.trace(
        options.branch, options.month, options.indicator)
    value = cleaned.panel[key.key].get((branch.id, month))
    missing = value is None or value != value
    shown = t("cli.missing") if missing else f"{value:,.10g} {cleaned.catalog.unit_label(key.key)}".strip()
    print(f"{branch.label()} · {key.label()} · {options.month} = {shown}")
    if absent:
        at = bisect(printed, month)
        print(t("cli.no_file", month=month_name(month), n=len(printed), first=month_name(printed[0]),
                last=month_name(printed[-1]), near=listed(map(month_name, printed[max(0, at - 1):at + 1]))))
    elif rows.empty:
        print(t("cli.no_cell"))
    if not rows.empty:
        print_ledger(rows[["file", "sheet", "row", "column", "text", "unit", "decision", "rule", "before", "after",
                            "reason"]])
    return 0


def _in_report(options: argparse.Namespace) -> int:
    report = open_report(options.report)
    cleaned, remark = _source(options, report)
    found = find(report, options.what)
    if not found:
        raise ConfigError("is nowhere in the report", file=str(report.folder), found=options.what,
                          expected="a figure, a table, a cell of a recorded table or a number as printed",
                          hint="Recorded tables: " + ", ".join(report.tables) + ".")
    if len(found) > 1:
        print(t("trace.places", text=options.what, n=len(found)))
    shown = found if options.all else found[:_FEW]
    for one in shown:
        _show(one, report, cleaned, remark, options)
    if len(shown) < len(found):
        print(t("trace.more_places", n=len(found) - len(shown)))
    return 0


def _source(options: argparse.Namespace, report: Opened) -> tuple[Any, str]:
    """Return the source, cleaned, and what must be said of it; None where it is not at hand."""
    try:
        path = find_source(options.source or report.run["source"])
    except EbankError:
        if options.source:
            raise
        return None, "no_source"
    opened = open_source(path)
    cleaned = clean(opened)
    then = {one["file"]: one["sha256"] for one in report.run["files"]}
    now = {one["file"]: one["sha256"] for one in files_read(opened)}
    return cleaned, "" if then == now else "changed_source"


def _show(one: Found, report: Opened, cleaned: Any, remark: str, options: argparse.Namespace) -> None:
    """Print a place of the report: who made it, its cells, and the printed cells behind them."""
    alone = one.kind == "cell"
    print(_stated(one.cells[0]) if alone else one.label)
    if one.origin is not None:
        print("  " + t("report.origin", notebook=f"{one.origin.notebook}.ipynb", prompt=one.origin.prompt))
        for name, place in one.origin.calls:
            print(t("trace.calls", name=name, place=place))
    if one.records:
        print(t("trace.in_workbook", names=", ".join(one.records)))
    for cell in () if alone else one.cells:
        print("  " + _stated(cell))
    if remark:
        print(t(f"trace.{remark}"))
    if cleaned is not None:
        notebook = one.origin.notebook if one.origin is not None else ""
        for cell in one.cells or (None,):
            _back(inputs_of(report, cleaned, cell, notebook), cleaned, options)


def _stated(cell: Cell) -> str:
    if not cell.column:
        return t("trace.counted", id=cell.id, n=cell.value)
    return t("trace.cell", id=cell.id, value=value_text(cell.value))


def _back(inputs: Inputs, cleaned: Any, options: argparse.Namespace) -> None:
    """Print what a number is made of and the printed cells behind it."""
    catalog = cleaned.catalog
    names = {"branches": [catalog.branch(b).label() for b in inputs.branches],
             "indicators": [catalog.indicator(i).label() for i in inputs.indicators]}
    said = {k: ", ".join(v) if len(v) <= 3 else t(f"trace.{k}", n=len(v)) for k, v in names.items()}
    months = [month_name(m) for m in inputs.months]
    if inputs.exact:
        print(t("trace.exact", branch=said["branches"], indicator=said["indicators"], month=months[0]))
    else:
        span = ", ".join(months)
        if len(months) > 2:
            span = t("trace.span", first=months[0], last=months[-1], n=len(months))
        print(t("trace.made_of", months=span, **said))
    if inputs.pooled:
        print(t("trace.pooled"))
    rows = printed_cells(cleaned, inputs)
    printed = rows[rows["row"] > 0].drop_duplicates(["file", "sheet", "row", "column"])
    print(t("trace.printed", cells=len(printed), files=printed["file"].nunique(), rows=len(rows)))
    if options.all or len(rows) <= _FEW:
        print_ledger(rows)
    else:
        print(t("trace.list_all"))


# ---------------------------------------------------------------- a report, as it was written

def verify(options: argparse.Namespace) -> int:
    """Name what does not agree."""
    verdicts = seal.verify(options.folder, options.source)
    for verdict in verdicts:
        folder = verdict.folder.as_posix()
        if verdict.holds:
            print(t("verify.held", folder=folder, n=verdict.files))
        else:
            first, *more = verdict.broken
            step = next(key for key in (f"report.step_{first.step}", f"verify.step_{first.step}") if has(key))
            expected, found = (t(f"verify.{said}") if has(f"verify.{said}") else said
                               for said in (first.expected, first.found))
            print(t("verify.broken", folder=folder, step=t(step), file=first.file, expected=expected, found=found))
            if more:
                print(t("verify.more", n=len(more), files=", ".join(one.file for one in more[:5])
                        + (" …" if len(more) > 5 else "")))
        for key, values in verdict.remarks:
            print(t(f"verify.{key}", **values))
    return 0 if all(verdict.holds for verdict in verdicts) else 1
