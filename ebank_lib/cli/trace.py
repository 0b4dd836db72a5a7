"""The commands that look into a report: where a number of it comes from, and whether it is as it was written."""

from __future__ import annotations

import argparse
from typing import Any

from ..catalog import as_period
from ..cleaning import clean
from ..errors import ConfigError, EbankError
from ..files import find_source
from ..reports import seal
from ..reports import trace as back
from ..reports.branch import files_read
from ..reports.cells import value_text
from ..sources import open_source
from ..wording import has, month_name, t
from .answers import print_ledger

_FEW = 12       # printed cells, and places, that are listed without being asked


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
    """Show the printed cells that a value of the panel comes from."""
    cleaned = clean(open_source(options.source))
    rows = cleaned.trace(options.branch, options.month, options.indicator)
    branch, key = cleaned.catalog.branch(options.branch), cleaned.catalog.indicator(options.indicator)
    value = cleaned.panel[key.key].get((branch.id, as_period(options.month)))
    missing = value is None or value != value
    shown = t("cli.missing") if missing else f"{value:,.10g} {cleaned.catalog.unit_label(key.key)}".strip()
    print(f"{branch.label()} · {key.label()} · {options.month} = {shown}")
    if rows.empty:
        print(t("cli.no_cell"))
    else:
        print_ledger(rows[["file", "sheet", "row", "column", "text", "unit", "decision", "rule", "before", "after",
                            "reason"]])
    return 0


def _in_report(options: argparse.Namespace) -> int:
    report = back.open_report(options.report)
    cleaned, remark = _source(options, report)
    found = back.find(report, options.what)
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


def _source(options: argparse.Namespace, report: Any) -> tuple[Any, str]:
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


def _show(one: Any, report: Any, cleaned: Any, remark: str, options: argparse.Namespace) -> None:
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
            _back(back.inputs_of(report, cleaned, cell, notebook), cleaned, options)


def _stated(cell: Any) -> str:
    if not cell.column:
        return t("trace.counted", id=cell.id, n=cell.value)
    return t("trace.cell", id=cell.id, value=value_text(cell.value))


def _back(inputs: Any, cleaned: Any, options: argparse.Namespace) -> None:
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
    rows = back.printed_cells(cleaned, inputs)
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
