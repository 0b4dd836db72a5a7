"""``ebank trace``: from a number of a report, or from one value, back to the printed cells."""

from __future__ import annotations

import argparse
from typing import Any

from ..cleaning import clean
from ..errors import ConfigError, EbankError
from ..paths import find_source
from ..reports import trace as back
from ..reports.cells import value_text
from ..sources import open_source
from ..wording import month_name, t, use_language
from .tables import print_ledger

__all__ = ["trace"]

_FEW = 12       # printed cells, and places, that are listed without being asked


def trace(options: argparse.Namespace) -> int:
    """Show the way back of what is named."""
    use_language(options.lang)
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
    cleaned, lang = clean(open_source(options.source)), options.lang
    rows = back.trace(cleaned, options.branch, options.indicator, options.month)
    branch, key = cleaned.catalog.branch(options.branch), cleaned.catalog.indicator(options.indicator)
    value = cleaned.panel[key.key].get((branch.id, back.month_of(options.month)))
    missing = value is None or value != value
    shown = t("cli.missing", lang) if missing else f"{value:,.10g} {cleaned.catalog.unit_label(key.key, lang)}".strip()
    print(f"{branch.label(lang)} · {key.label(lang)} · {options.month} = {shown}")
    if rows.empty:
        print(t("cli.no_cell", lang))
    else:
        print_ledger(rows[["file", "sheet", "row", "column", "text", "unit", "decision", "rule", "before", "after",
                           "reason"]], lang)
    return 0


def _in_report(options: argparse.Namespace) -> int:
    report = back.open_report(options.report)
    cleaned, remark = _source(options, report)
    labels = {} if cleaned is None else back.labels_of(cleaned.catalog, report.months)
    found = back.find(report, options.what, labels)
    if not found:
        raise ConfigError("is nowhere in the report", file=str(report.folder), found=options.what,
                          expected="a figure, a table, a cell of a recorded table or a number as printed",
                          hint="Recorded tables: " + ", ".join(report.tables) + ".")
    if len(found) > 1:
        print(t("trace.places", options.lang, text=options.what, n=len(found)))
    shown = found if options.all else found[:_FEW]
    for one in shown:
        _show(one, report, cleaned, remark, options)
    if len(shown) < len(found):
        print(t("trace.more_places", options.lang, n=len(found) - len(shown)))
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
    now = {one.file: one.sha256 for one in opened.files().itertuples()}
    return cleaned, "" if then == now else "changed_source"


def _show(one: Any, report: Any, cleaned: Any, remark: str, options: argparse.Namespace) -> None:
    """Print a place of the report: who made it, its cells, and the printed cells behind them."""
    lang, alone = options.lang, one.kind == "cell"
    print(_stated(one.cells[0], lang) if alone else one.label)
    if one.origin is not None:
        print("  " + t("report.origin", lang, notebook=f"{one.origin.notebook}.ipynb", prompt=one.origin.prompt))
        for call in one.origin.calls:
            print(t("trace.calls", lang, name=call.name, file=call.file, line=call.line))
    if one.records:
        print(t("trace.in_workbook", lang, names=", ".join(one.records)))
    for cell in () if alone else one.cells:
        print("  " + _stated(cell, lang))
    if remark:
        print(t(f"trace.{remark}", lang))
    if cleaned is not None:
        notebook = one.origin.notebook if one.origin is not None else ""
        for cell in one.cells or (None,):
            _back(back.inputs_of(report, cleaned, cell, notebook), cleaned, options)


def _stated(cell: Any, lang: str) -> str:
    if not cell.column:
        return t("trace.counted", lang, id=cell.id, n=cell.value)
    return t("trace.cell", lang, id=cell.id, value=value_text(cell.value))


def _back(inputs: Any, cleaned: Any, options: argparse.Namespace) -> None:
    """Print what a number is made of and the printed cells behind it."""
    lang, catalog = options.lang, cleaned.catalog
    names = {"branches": [catalog.branch(b).label(lang) for b in inputs.branches],
             "indicators": [catalog.indicator(i).label(lang) for i in inputs.indicators]}
    said = {k: ", ".join(v) if len(v) <= 3 else t(f"trace.{k}", lang, n=len(v)) for k, v in names.items()}
    months = [month_name(m, lang) for m in inputs.months]
    if inputs.exact:
        print(t("trace.exact", lang, branch=said["branches"], indicator=said["indicators"], month=months[0]))
    else:
        span = ", ".join(months) if len(months) <= 2 else t("trace.span", lang, first=months[0], last=months[-1],
                                                            n=len(months))
        print(t("trace.made_of", lang, months=span, **said))
    if inputs.pooled:
        print(t("trace.pooled", lang))
    rows = back.printed_cells(cleaned, inputs)
    printed = rows[rows["row"] > 0].drop_duplicates(["file", "sheet", "row", "column"])
    print(t("trace.printed", lang, cells=len(printed), files=printed["file"].nunique(), rows=len(rows)))
    if options.all or len(rows) <= _FEW:
        print_ledger(rows, lang)
    else:
        print(t("trace.list_all", lang))
