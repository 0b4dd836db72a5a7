"""One branch's report: page, workbook, tables and seal set from executed notebooks, each whole or not at all.

::

    reports/rizhao/
      report.html   brief.docx    tables.xlsx   summary.json   run.json
      panel.csv     panel.parquet  every number of the branch, cleaned, in base units
      previous.json the last summary that said something else, if there was one
      report.pdf    the page printed, if that was asked for
      notebooks/    01_data_cleaning.ipynb ...     as executed
      tables/       growth.csv growth.parquet ...  every recorded table
      failed/       the notebook that stopped the last run, if one did

A run that fails leaves the report of the run before as it was. A stage that the data do not allow is no failure: the
page shows what there is of it and says why it ends there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from .. import __version__
from ..catalog import Catalog, as_period
from ..cleaning import clean
from ..cleaning.ledger import table_files
from ..errors import ConfigError, UnknownNameError
from ..files import CORRECTIONS, own_folder, portable_source, renew, write_atomically
from ..scenarios import Strategy, load_strategy
from ..sources import Source, open_source
from ..store import kept_frames
from ..versions import library_versions, package_sha256
from ..wording import t, use_language
from .content import Content, read_content
from .export import docx_bytes, export_files
from .page import About, build_page, make_brief
from .seal import run_json_bytes, source_links, text_sha256
from .summary import labels_of, summarise, summary_bytes
from .workbook import sheets_of, workbook_bytes

PROVINCE = "province"       # the folder of all branches together, where the source prints no total of them


@dataclass(frozen=True)
class Province:
    """A source read and cleaned once, for all its branches: what a report says about its origin."""

    given: str
    cleaned: Any
    files: tuple[dict[str, Any], ...]
    links: tuple[dict[str, Any], ...]

    @property
    def catalog(self) -> Catalog:
        """The source's catalogue."""
        return self.cleaned.catalog

    @cached_property
    def strategy(self) -> Strategy:
        """The source's targets and levers."""
        return load_strategy(self.cleaned.source)

    @property
    def whole(self) -> str:
        """The name of the report of all branches together."""
        return self.catalog.total or PROVINCE


def open_province(source: str | Path) -> Province:
    """Read and clean a source."""
    opened = open_source(source)
    cleaned = clean(opened)
    files = files_read(opened)

    def links() -> dict[str, pd.DataFrame]:
        return {"links": pd.DataFrame(source_links(files, cleaned.cells, cleaned.ledger, cleaned.panel))}

    # From the store, where there are files to know them by: they are every report's, and long to hash.
    made = links() if opened.content is None else kept_frames("source-links", (opened.content,), links)
    return Province(portable_source(source), cleaned, tuple(files), tuple(made["links"].to_dict("records")))


def files_read(source: Source) -> list[dict[str, Any]]:
    """Return ``file, bytes, sha256`` of what a source's cells are from: its files, and what a reader says of them."""
    files = source.files()[["file", "bytes", "sha256"]].to_dict("records")
    if said := source.stated:
        files.append({"file": CORRECTIONS, "bytes": len(said), "sha256": text_sha256(said)})
    return files


def scope_of(province: Province, branch: str | None, lang: str = "zh", indicator: str | None = None,
             start: str | None = None, end: str | None = None) -> About:
    """Return what a report is about; what does not exist, or a month after the last, is an error that says so.

    A branch is known by its id (``0351`` and what is left of it after a detour through a number are the same); None is
    all together. Without an indicator the first of the catalogue's headline that is reported is forecast, else the
    first that is. First and last month are texts ``YYYY-MM``.
    """
    catalog, panel, source = province.catalog, province.cleaned.panel, province.cleaned.source
    known = panel.index.get_level_values("month").unique()
    name, what = province.whole, "indicator that a branch reports"
    if branch is not None:
        name = catalog.branch(branch).id
        what, with_data = f"indicator reported by {name}", panel.index.get_level_values("branch").unique()
        if name not in with_data:
            raise UnknownNameError("branch with data", name, with_data)
        panel = panel.xs(name, level="branch")
    reported = [str(column) for column in panel.columns if panel[column].notna().any()]
    chosen = None if indicator is None else catalog.indicator(indicator).key
    if chosen is not None and chosen not in reported:
        raise UnknownNameError(what, chosen, reported)
    if not reported:
        raise ConfigError("the branch has no data")
    chosen = chosen or next((key for key in catalog.headline if key in reported), reported[0])
    months = [known.min() if start is None else as_period(start), known.max() if end is None else as_period(end)]
    for month, text in zip(months, (start, end), strict=True):
        if month not in known:
            raise UnknownNameError("month", text, [f"{known.min()} .. {known.max()}"])
    if months[0] > months[1]:
        raise ConfigError("the first month is after the last", found=f"{months[0]} .. {months[1]}")
    return About(name, labels_of(catalog, name)[lang], catalog.indicator(chosen).label(lang), source.title(lang),
                 source.simulated, *months, lang, province.links, province.files, chosen, names_of(province, lang))


def names_of(province: Province, lang: str) -> dict[str, Any]:
    """Return what the keys of recorded tables stand for in a language; see :class:`ebank_lib.reports.page.About`."""
    catalog, strategy = province.catalog, province.strategy
    return {
        "indicators": {key: {"label": one.label(lang), "short": one.short_label(lang), "kind": one.kind,
                             "unit": catalog.unit_label(key, lang)} for key, one in catalog.indicators.items()},
        "branches": {key: one.label(lang) for key, one in catalog.branches.items()},
        "targets": {one.key: one.label(lang) for one in strategy.targets},
        "levers": {one.key: one.label(lang) for one in (*strategy.levers, *strategy.bundles, *strategy.stress)},
        "headline": list(catalog.headline)}


def write_report(province: Province, about: About, notebooks: Sequence[Path], out: Path,
                 check: Callable[[], None]) -> tuple[Path, Content]:
    """Write everything, the seal last: a folder whose run.json fits its files is a finished report. Returns that folder
    and what the report says.

    It goes into the folder of its name in `out`; never outside, whatever is planted in it. `check` is called before the
    first file is written, and raises an error where nothing must be.
    """
    before = use_language(about.lang)
    try:
        content, files = build(notebooks, about)
        notes = [t("report.source", title=about.source_title), *([t("report.simulated")] if about.simulated else [])]
        files["tables.xlsx"] = workbook_bytes(sheets_of(content.tables, province.cleaned, about),
                                              t("report.title", branch=about.branch_label), notes)
        files["summary.json"] = summary_bytes(summarise(about, content, province.cleaned))
        panel = province.cleaned.to_frame()
        mine = slice(None) if about.branch == province.whole else panel["branch"] == about.branch
        files |= table_files("panel", panel[mine])
        files["run.json"] = run_json_bytes(_run(province, content.executed, about), files)
    finally:
        use_language(before)
    check()
    folder = own_folder(out, about.branch)
    last = folder / "summary.json"
    if last.is_file() and (said := last.read_bytes()) != files["summary.json"]:
        write_atomically(folder / "previous.json", said)
    for name in ("notebooks", "tables"):        # wholly a report's own: what a run before left there goes
        for old in own_folder(folder, name).glob("*"):
            if f"{name}/{old.name}" not in files and old.is_file():
                old.unlink()
    for name, written in files.items():
        *folders, file = name.split("/")
        renew(own_folder(folder, *folders) / file, written)
    shutil.rmtree(folder / "failed", ignore_errors=True)
    return folder, content


def build(notebooks: Sequence[Path], about: About) -> tuple[Content, dict[str, bytes]]:
    """Return what a report says and its files by their path in its folder, made from its executed notebooks.

    No clock, no source, no machine: whoever has the notebooks can make all of it again and compare byte by byte.
    """
    content = read_content(notebooks, about.lang, about.fills)
    brief = make_brief(content, about)
    return content, {
        **{f"notebooks/{path.name}": path.read_bytes() for path in notebooks},
        **export_files(content.tables),
        "report.html": build_page(content, about, brief).encode("utf-8"),
        "brief.docx": docx_bytes(brief)}


def _run(province, executed, about: About) -> dict[str, Any]:
    """Return what was run on what, with what: no time, no machine, no path outside the project."""
    outside = Path(province.given).is_absolute()
    parameters = {book.name: {k: Path(v).name if outside and k == "source" else v for k, v in book.parameters.items()}
                  for book in executed}
    return {
        "ebank": __version__,
        "code": package_sha256(),
        "about": about.plain,
        "stages": [book.name for book in executed],
        "source": Path(province.given).name if outside else province.given,
        "simulated": province.cleaned.source.simulated,
        "parameters": parameters,
        "versions": library_versions(),
        "files": list(province.files),
        "stderr": {book.name: list(book.stderr) for book in executed if book.stderr},
        "stages_not_done": {book.name: book.not_done for book in executed if book.not_done},
        "data": list(about.chain),
    }
