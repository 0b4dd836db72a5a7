"""The commands that draft a source, say what it holds and what cleaning did; tables on a terminal."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..cleaning import Cleaned, clean
from ..display import heading
from ..errors import ConfigError, EbankError
from ..files import named_file
from ..sources import open_source
from ..wording import columns_of, language, listed, number, t

_MISNAMED = ("unknown_branch", "unknown_unit")
_ROWS = 8


def branches(options: argparse.Namespace) -> int:
    """List the branches of a source."""
    rows = [[b.id, b.label(), t(f"cli.role_{b.role}")] for b in open_source(options.source).catalog.branches.values()]
    _print_table([t(key) for key in ("general.branch", "cli.label", "cli.role")], rows)
    return 0


def indicators(options: argparse.Namespace) -> int:
    """List the indicators of a source."""
    table = open_source(options.source).catalog.table()
    print_frame(table.assign(kind=[t(f"general.{kind}") for kind in table["kind"]]))
    return 0


def check(options: argparse.Namespace) -> int:
    """Say what cleaning did and what it suspects; whatever else a report reads is read, too."""
    from ..rules.facts import load_facts  # they bring the models that no other answer needs
    from ..rules.problems import load_problems
    from ..scenarios import load_strategy

    source = open_source(options.source)
    load_strategy(source)
    load_problems(source)
    if (facts := named_file(source, "facts")) is not None:
        load_facts(facts, source.catalog)
    cleaned = clean(source)
    rejected, summary = cleaned.rejected, cleaned.summary()
    if options.branch is not None:
        branch = cleaned.catalog.branch(options.branch).id
        rejected, mine = rejected[rejected["branch"] == branch], cleaned.entries[cleaned.entries["branch"] == branch]
        summary = mine.groupby(["rule", "decision"], observed=True).size().rename("cells").reset_index()
    print_frame(_in_words(summary))
    print(t("cli.rejected", n=len(rejected)) if len(rejected) else t("cli.none_rejected"))
    for reason, rows in rejected[rejected["rule"].isin(_MISNAMED)].groupby("reason", sort=False):
        first = rows.iloc[0]
        print(t("cli.misnamed", reason=reason, n=len(rows), place=f"{first['file']} {first['sheet']}"))
    if absent := [b for b in cleaned.catalog.reporting if b not in cleaned.branches]:
        print(t("cli.no_figures", names=listed(cleaned.catalog.branch(b).label() for b in absent)))
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


# ---------------------------------------------------------------- a source that nobody has described yet

def new(options: argparse.Namespace) -> int:
    """Draft ``sources.yaml``, ``catalog.yaml`` and ``branches.csv``, and show what is read by them."""
    from ..drafting import draft_into

    if not options.paths and not options.from_db:
        raise ConfigError("needs files or a database", found="neither", expected="--from PATH... or --from-db URL_ENV")
    folder = Path(options.folder)
    written = draft_into(folder, [Path(path) for path in options.paths or []], options.from_db, options.table)
    print(*[*written.said, *(t("cli.wrote", file=path) for path in written.files)], sep="\n")
    read = _preview(folder) if all(path.suffix != ".new" for path in written.files) else True
    draft = written.draft
    for left in draft.left_out if draft else []:
        print(t("cli.left_out", what=left))
    if draft and draft.questions:
        print(t("cli.questions", n=len(draft.questions)), *(f"  ? {asked}" for asked in draft.questions), sep="\n")
    branch = next((key for key, row in draft.rows.items() if row["role"] == "branch"), "") if draft else ""
    print(t("cli.next", check=f"ebank check --source {folder}",
            report=f"ebank report --source {folder} --branch {branch or 'B'} --lang {options.lang}"))
    return 0 if read else 1


def _preview(folder: Path) -> bool:
    """Show how many cells are read, which are not and why, and the first rows of the panel."""
    try:
        source = open_source(folder)
        cleaned = clean(source)
    except EbankError as error:
        print(t("cli.not_read", message=error))
        return False
    counts = source.accounting()[["printed", "cells", "headings", "notes", "ignored"]].sum()
    print(t("cli.read", sheets=len(source.accounting()), files=len(source.files()), **counts.to_dict()))
    rejected = cleaned.rejected
    for _, rows in rejected.groupby("rule", sort=False):
        first = rows.iloc[0]
        print(t("cli.misnamed", reason=first["reason"], n=len(rows), place=f"{first['file']} {first['sheet']}".strip()))
    panel = cleaned.panel.dropna(how="all").dropna(axis=1, how="all")
    labels = {key: one.short_label() for key, one in cleaned.catalog.indicators.items()}
    shown = panel.head(_ROWS).rename(columns=labels).reset_index()
    print_frame(shown.assign(branch=[f"{b} {cleaned.catalog.branch(b).label()}" for b in shown["branch"]]))
    return True


# ---------------------------------------------------------------- tables on a terminal

def _in_words(given: Any) -> Any:
    """Return a table of decisions with words for their codes."""
    return given.assign(decision=[t(f"cleaning.{code}") for code in given["decision"]])


def print_ledger(rows: Any) -> None:
    """Print rows of the ledger; what no cell printed has no row of a sheet."""
    print_frame(_in_words(rows.assign(row=rows["row"].astype(object).where(rows["row"] > 0))))


def print_frame(given: Any) -> None:
    """Print a DataFrame with headings in the reader's language."""
    def text(value: object) -> str:
        if value is None or value != value:
            return "–"
        return f"{value:,.10g}" if isinstance(value, float) else str(value)

    rows = [[text(v) for v in row] for row in given.itertuples(index=False)]
    _print_table([heading(str(c), language()) for c in given.columns], rows)


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in columns; a Chinese sign takes two places."""
    lines = [list(heads), *[["".join(c if c.isprintable() else "�" for c in str(v)) for v in row] for row in rows]]
    widths = [max(columns_of(line[at]) for line in lines) for at in range(len(heads))]
    for line in lines:
        print("  ".join(text + " " * (width - columns_of(text)) for text, width in zip(line, widths)).rstrip())
