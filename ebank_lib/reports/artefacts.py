"""Everything that a report's folder holds as a function of its executed notebooks: no clock, no source, no machine.

So whoever has the notebooks can make page, workbook and tables again and compare them byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd

from ..wording import t
from .content import Content, read_content
from .page import About, build_page
from .workbook import export_files, workbook_bytes

__all__ = ["Artefacts", "about_of", "about_plain", "build"]

_PLAIN = ("branch", "branch_label", "indicator_label", "source_title", "simulated", "first", "last", "lang")


@dataclass
class Artefacts:
    """A report before it is written: what it says, and its files by their path in the folder."""

    content: Content
    files: dict[str, bytes] = field(default_factory=dict)


def build(notebooks: Sequence[Path], about: About) -> Artefacts:
    """Return a report's files, made from its executed notebooks.

    Parameters
    ----------
    notebooks : sequence of Path
        Executed, in the order of the page.
    about : About

    Raises
    ------
    ConfigError
        A notebook cannot be read, or the page would be too large.
    """
    content = read_content(notebooks, about.lang, about.fills)
    notes = [t("report.source", about.lang, title=about.source_title),
             *([t("report.simulated", about.lang)] if about.simulated else [])]
    title = t("report.title", about.lang, branch=about.branch_label)
    return Artefacts(content, {
        **{f"notebooks/{path.name}": path.read_bytes() for path in notebooks},
        "tables.xlsx": workbook_bytes(content.tables, title, notes, about.lang),
        **export_files(content.tables),
        "report.html": build_page(content, about).encode("utf-8")})


def about_plain(about: About) -> dict[str, Any]:
    """Return what a page says of itself as plain JSON; the source's files and steps stand in ``run.json`` anyway."""
    return {name: str(value) if isinstance(value := getattr(about, name), pd.Period) else value for name in _PLAIN}


def about_of(plain: Mapping[str, Any], files: Iterable[Mapping[str, Any]]) -> About:
    """Return it from what ``run.json`` says; the inverse of :func:`about_plain`.

    Raises
    ------
    KeyError, TypeError, ValueError
        ``run.json`` does not say it.
    """
    known = {f.name for f in fields(About)}
    values = {name: plain[name] for name in _PLAIN if name in known}
    months = {name: pd.Period(values[name], "M") for name in ("first", "last")}
    return About(**{**values, **months}, files=tuple(dict(file) for file in files))
