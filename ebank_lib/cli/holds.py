"""What a source holds, what cleaning did, and the way back from a value to its printed cells."""

from __future__ import annotations

import argparse

from .tables import in_words, print_frame, print_table

__all__ = ["branches", "check", "indicators", "trace"]


def branches(options: argparse.Namespace) -> int:
    """List the branches of a source."""
    from ..sources import open_source
    from ..wording import t

    catalog = open_source(options.source).catalog
    rows = [[b.id, b.label(options.lang), t(f"cli.role_{b.role}", options.lang)] for b in catalog.branches.values()]
    print_table([t("general.branch", options.lang), t("cli.label", options.lang), t("cli.role", options.lang)], rows)
    return 0


def indicators(options: argparse.Namespace) -> int:
    """List the indicators of a source."""
    from ..sources import open_source
    from ..wording import t

    table = open_source(options.source).catalog.table(options.lang)
    heads = [t(f"general.{name}", options.lang) for name in table.columns]
    rows = [[*row[:3], t(f"general.{row[3]}", options.lang), row[4]] for row in table.itertuples(index=False)]
    print_table(heads, rows)
    return 0


def check(options: argparse.Namespace) -> int:
    """Say what cleaning did."""
    from ..cleaning import clean
    from ..sources import open_source
    from ..wording import t, use_language

    use_language(options.lang)
    cleaned = clean(open_source(options.source))
    rejected = cleaned.rejected
    if options.branch is None:
        summary = cleaned.summary(options.lang)
    else:
        branch = cleaned.catalog.branch(options.branch).id
        ledger = cleaned.ledger[cleaned.ledger["branch"] == branch]
        rejected = rejected[rejected["branch"] == branch]
        counts = ledger.groupby(["rule", "decision"], observed=True, sort=True).size()
        summary = counts.rename("cells").reset_index()
    print_frame(in_words(summary, options.lang), options.lang)
    print(t("cli.rejected", options.lang, n=len(rejected)) if len(rejected) else t("cli.none_rejected", options.lang))
    return 1 if options.strict and len(rejected) else 0


def trace(options: argparse.Namespace) -> int:
    """Show the printed cells that a value comes from."""
    from ..cleaning import clean
    from ..reports import trace as way
    from ..sources import open_source
    from ..wording import t, use_language

    use_language(options.lang)
    cleaned = clean(open_source(options.source))
    rows = way.trace(cleaned, options.branch, options.indicator, options.month)
    branch, key = cleaned.catalog.branch(options.branch), cleaned.catalog.indicator(options.indicator)
    value = cleaned.panel[key.key].get((branch.id, way.month_of(options.month)))
    unit = cleaned.catalog.unit_label(key.key, options.lang)
    missing = value is None or value != value
    shown = t("cli.missing", options.lang) if missing else f"{value:,.10g} {unit}".strip()
    print(f"{branch.label(options.lang)} · {key.label(options.lang)} · {options.month} = {shown}")
    if rows.empty:
        print(t("cli.no_cell", options.lang))
        return 0
    keep = ["file", "sheet", "row", "column", "text", "unit", "decision", "rule", "before", "after", "reason"]
    rows = rows[[c for c in keep if c in rows.columns]]
    rows = rows.assign(row=rows["row"].astype(object).where(rows["row"] > 0))   # what no cell printed has no row
    print_frame(in_words(rows, options.lang), options.lang)
    return 0
