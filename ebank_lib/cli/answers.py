"""The commands that answer and make nothing: what a source holds, what cleaning did, where a number comes from, whether
a report is as it was written."""

from __future__ import annotations

import argparse
import unicodedata
from collections.abc import Sequence
from typing import Any

from ..catalog import as_period
from ..cleaning import Cleaned, clean
from ..errors import ConfigError, EbankError
from ..files import find_source
from ..reports import seal
from ..reports import trace as back
from ..reports.cells import value_text
from ..rules.facts import load_facts
from ..rules.problems import load_problems
from ..scenarios import load_strategy
from ..sources import open_source
from ..wording import has, month_name, number, t

__all__ = ["branches", "check", "indicators", "trace", "verify"]

_MISNAMED = ("unknown_branch", "unknown_unit")
_FEW = 12       # printed cells, and places, that are listed without being asked


# ---------------------------------------------------------------- a source

def branches(options: argparse.Namespace) -> int:
    """List the branches of a source."""
    rows = [[b.id, b.label(), t(f"cli.role_{b.role}")] for b in open_source(options.source).catalog.branches.values()]
    _print_table([t(key) for key in ("general.branch", "cli.label", "cli.role")], rows)
    return 0


def indicators(options: argparse.Namespace) -> int:
    """List the indicators of a source."""
    table = open_source(options.source).catalog.table()
    _print_frame(table.assign(kind=[t(f"general.{kind}") for kind in table["kind"]]))
    return 0


def check(options: argparse.Namespace) -> int:
    """Say what cleaning did and what it suspects; whatever else a report reads is read, too."""
    source = open_source(options.source)
    load_strategy(source)
    load_problems(source)
    if source.config.facts is not None:
        load_facts(source.path.parent / source.config.facts, source.catalog)
    cleaned = clean(source)
    rejected, summary = cleaned.rejected, cleaned.summary()
    if options.branch is not None:
        branch = cleaned.catalog.branch(options.branch).id
        rejected, mine = rejected[rejected["branch"] == branch], cleaned.entries[cleaned.entries["branch"] == branch]
        summary = mine.groupby(["rule", "decision"], observed=True).size().rename("cells").reset_index()
    _print_frame(_in_words(summary))
    print(t("cli.rejected", n=len(rejected)) if len(rejected) else t("cli.none_rejected"))
    for reason, rows in rejected[rejected["rule"].isin(_MISNAMED)].groupby("reason", sort=False):
        first = rows.iloc[0]
        print(t("cli.misnamed", reason=reason, n=len(rows), place=f"{first['file']} {first['sheet']}"))
    sheets = source.accounting().assign(absent=lambda d: d["absent"].str.split()).explode("absent").dropna()
    for key, lacking in sheets.groupby("absent"):
        print(t("cli.no_heading", indicator=cleaned.catalog.indicator(key).label(), n=len(lacking),
                place=" ".join(filter(None, lacking.iloc[0][["file", "sheet"]]))))
    for bare in source.without_unit().itertuples():
        indicator = cleaned.catalog.indicator(bare.indicator)
        print(t("cli.no_unit", indicator=indicator.label(), n=bare.cells,
                unit=cleaned.catalog.unit_label(indicator.key),
                place=" ".join(filter(None, (bare.file, bare.sheet, bare.column)))))
    lines = cleaned.suggestions(options.branch)
    if len(lines):
        _print_suspects(cleaned, options.branch)
        print(t("cli.suspected", n=len(lines)), lines.to_csv(index=False), sep="\n", end="")
    return 1 if options.strict and len(rejected) else 0


def _print_suspects(cleaned: Cleaned, branch: str | None) -> None:
    """Print the numbers in doubt that lie furthest from their neighbours, with these."""
    catalog, found = cleaned.catalog, cleaned.suspects(branch)
    print(t("cli.suspects", n=len(found)))
    heads = ("general.branch", "general.month", "general.indicator", "cli.cell", "cleaning.chart_printed",
             "cli.earlier", "cli.later", "cli.about")
    _print_table([t(head) for head in heads], [
        [catalog.branch(one.branch).label(), one.month, catalog.indicator(one.indicator).label(),
         f"{one.file} {one.sheet} {one.cell}", one.text,
         *(number(v, catalog.unit_label(one.indicator)) for v in (one.earlier, one.later)),
         t(f"cleaning.about_{one.rule}")] for one in found.itertuples()])


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
    rows = back.trace(cleaned, options.branch, options.indicator, options.month)
    branch, key = cleaned.catalog.branch(options.branch), cleaned.catalog.indicator(options.indicator)
    value = cleaned.panel[key.key].get((branch.id, as_period(options.month)))
    missing = value is None or value != value
    shown = t("cli.missing") if missing else f"{value:,.10g} {cleaned.catalog.unit_label(key.key)}".strip()
    print(f"{branch.label()} · {key.label()} · {options.month} = {shown}")
    if rows.empty:
        print(t("cli.no_cell"))
    else:
        _print_ledger(rows[["file", "sheet", "row", "column", "text", "unit", "decision", "rule", "before", "after",
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
    now = {one.file: one.sha256 for one in opened.files().itertuples()}
    return cleaned, "" if then == now else "changed_source"


def _show(one: Any, report: Any, cleaned: Any, remark: str, options: argparse.Namespace) -> None:
    """Print a place of the report: who made it, its cells, and the printed cells behind them."""
    alone = one.kind == "cell"
    print(_stated(one.cells[0]) if alone else one.label)
    if one.origin is not None:
        print("  " + t("report.origin", notebook=f"{one.origin.notebook}.ipynb", prompt=one.origin.prompt))
        for call in one.origin.calls:
            print(t("trace.calls", name=call.name, file=call.file, line=call.line))
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
        _print_ledger(rows)
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


# ---------------------------------------------------------------- tables on a terminal

def _in_words(given: Any) -> Any:
    """Return a table of decisions with words for their codes."""
    return given.assign(decision=[t(f"cleaning.{code}") for code in given["decision"]])


def _print_ledger(rows: Any) -> None:
    """Print rows of the ledger; what no cell printed has no row of a sheet."""
    _print_frame(_in_words(rows.assign(row=rows["row"].astype(object).where(rows["row"] > 0))))


def _print_frame(given: Any) -> None:
    """Print a DataFrame with headings in the reader's language."""
    def head(name: str) -> str:
        return next((t(key) for key in (f"general.{name}", f"table.{name}") if has(key)), name)

    def text(value: object) -> str:
        if value is None or value != value:
            return "–"
        return f"{value:,.10g}" if isinstance(value, float) else str(value)

    rows = [[text(v) for v in row] for row in given.itertuples(index=False)]
    _print_table([head(str(c)) for c in given.columns], rows)


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in columns; a Chinese sign takes two places."""
    lines = [list(heads), *[["".join(c if c.isprintable() else "�" for c in str(v)) for v in row] for row in rows]]
    widths = [max(_width(line[at]) for line in lines) for at in range(len(heads))]
    for line in lines:
        print("  ".join(text + " " * (width - _width(text)) for text, width in zip(line, widths)).rstrip())


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
