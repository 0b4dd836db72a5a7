"""What a source holds and what cleaning did: ``ebank branches``, ``indicators`` and ``check``."""

from __future__ import annotations

import argparse

from ..cleaning import clean
from ..sources import open_source
from ..wording import t, use_language
from .tables import in_words, print_frame, print_table

__all__ = ["branches", "check", "indicators"]


def branches(options: argparse.Namespace) -> int:
    """List the branches of a source."""
    lang, catalog = options.lang, open_source(options.source).catalog
    rows = [[b.id, b.label(lang), t(f"cli.role_{b.role}", lang)] for b in catalog.branches.values()]
    print_table([t(key, lang) for key in ("general.branch", "cli.label", "cli.role")], rows)
    return 0


def indicators(options: argparse.Namespace) -> int:
    """List the indicators of a source."""
    table = open_source(options.source).catalog.table(options.lang)
    print_frame(table.assign(kind=[t(f"general.{kind}", options.lang) for kind in table["kind"]]), options.lang)
    return 0


def check(options: argparse.Namespace) -> int:
    """Say what cleaning did."""
    use_language(options.lang)
    cleaned = clean(open_source(options.source))
    rejected, summary = cleaned.rejected, cleaned.summary(options.lang)
    if options.branch is not None:
        mine = cleaned.entries[cleaned.entries["branch"] == cleaned.catalog.branch(options.branch).id]
        rejected = mine[mine["decision"] == "rejected"]
        summary = mine.groupby(["rule", "decision"], observed=True).size().rename("cells").reset_index()
    print_frame(in_words(summary, options.lang), options.lang)
    print(t("cli.rejected", options.lang, n=len(rejected)) if len(rejected) else t("cli.none_rejected", options.lang))
    return 1 if options.strict and len(rejected) else 0
