"""The command ``ebank new``: a first description of files that nobody has described yet."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..cleaning import clean
from ..drafting import draft_into
from ..errors import ConfigError, EbankError
from ..sources import open_source
from ..wording import t
from .answers import print_frame

_ROWS = 8


def new(options: argparse.Namespace) -> int:
    """Draft ``sources.yaml``, ``catalog.yaml`` and ``branches.csv``, and show what is read by them."""
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
