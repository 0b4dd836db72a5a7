"""Everything that a report's folder holds as a function of its executed notebooks: no clock, no source, no machine.

So whoever has the notebooks can make page, workbook and tables again and compare them byte by byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd

from ..files import holds, write_atomically
from ..wording import t
from . import trace
from .content import Content, read_content
from .exports import export_files
from .pages import About, build_page
from .workbook import workbook_bytes

__all__ = ["STEPS", "Artefacts", "about_of", "about_plain", "build", "files_sha256", "renew", "step_of"]

# The links of the chain in their order, and the files that each one is about.
STEPS = ("source", "cells", "ledger", "panel", "notebooks", "tables", "workbook", "exports", "page", "summary")
_PLAIN = ("branch", "branch_label", "indicator_label", "source_title", "simulated", "first", "last", "lang")


@dataclass
class Artefacts:
    """A report before it is written: what it says, its files by their path in the folder, the links of the chain."""

    content: Content
    files: dict[str, bytes] = field(default_factory=dict)
    links: list[dict[str, Any]] = field(default_factory=list)

    def add(self, step: str, files: Mapping[str, bytes], count: int | None = None) -> None:
        """Add files and the link that holds them."""
        self.files.update(files)
        self.links.append(trace.link(step, len(files) if count is None else count, files_sha256(files)))


def files_sha256(files: Mapping[str, bytes]) -> str:
    """Return the hash of a link's files: of the one there is, else of their names and hashes in alphabetical order."""
    if len(files) == 1:
        return trace.text_sha256(next(iter(files.values())))
    return trace.text_sha256("\n".join(f"{Path(name).stem if name.endswith('.ipynb') else name} "
                                       f"{trace.text_sha256(content)}" for name, content in sorted(files.items())))


def step_of(file: str) -> str:
    """Return the link of the chain that a file of a report's folder belongs to.

    Examples
    --------
    >>> step_of("tables.xlsx"), step_of("tables/growth.csv"), step_of("notebooks/01.ipynb"), step_of("x.json")
    ('workbook', 'exports', 'notebooks', 'other')
    """
    folders = {"notebooks": "notebooks", "tables": "exports"}
    names = {"tables.xlsx": "workbook", "report.html": "page", "summary.json": "summary"}
    return names.get(file) or folders.get(file.split("/")[0] if "/" in file else "", "other")


def build(notebooks: Sequence[Path], about: About, links: Iterable[Mapping[str, Any]] = ()) -> Artefacts:
    """Return a report's files, made from its executed notebooks.

    Parameters
    ----------
    notebooks : sequence of Path
        Executed, in the order of the page.
    about : About
        Its chain is not looked at.
    links : iterable
        Of the chain before the notebooks, see :func:`~ebank_lib.reports.trace.source_links`.

    Raises
    ------
    ConfigError
        A notebook cannot be read, or the page would be too large.
    """
    content = read_content(notebooks, about.lang, about.fills)
    made = Artefacts(content, links=[dict(one) for one in links])
    made.add("notebooks", {f"notebooks/{path.name}": path.read_bytes() for path in notebooks})
    tables = json.dumps(content.tables, sort_keys=True, ensure_ascii=False)
    made.links.append(trace.link("tables", len(content.tables), trace.text_sha256(tables)))
    notes = [t("report.source", about.lang, title=about.source_title),
             *([t("report.simulated", about.lang)] if about.simulated else [])]
    made.add("workbook", {"tables.xlsx": workbook_bytes(
        content.tables, t("report.title", about.lang, branch=about.branch_label), notes, about.lang)},
        len(content.tables))
    made.add("exports", export_files(content.tables))
    page = build_page(content, about.with_chain(made.links)).encode("utf-8")
    made.add("page", {"report.html": page}, len(page))
    return made


def about_plain(about: About) -> dict[str, Any]:
    """Return what a page says of itself as plain JSON; files and chain stand in ``run.json`` anyway."""
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


def renew(path: Path, content: bytes) -> None:
    """Write a file unless it holds just that; with a page that changes goes the PDF that it was printed to.

    Raises
    ------
    ConfigError
        The folder cannot be written to.
    """
    if holds(path, content):
        return
    if path.suffix == ".html":
        path.with_suffix(".pdf").unlink(missing_ok=True)
    write_atomically(path, content)
