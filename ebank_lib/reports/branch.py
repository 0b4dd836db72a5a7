"""One branch's report: notebooks run, page, workbook and chain of hashes written, each whole or not at all.

::

    reports/rizhao/
      report.html   tables.xlsx   summary.json   run.json
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
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from .. import __version__
from ..catalog import ID, Catalog
from ..cleaning import clean
from ..errors import ConfigError, UnknownNameError
from ..files import own_folder, write_atomically
from ..paths import portable_source
from ..sources import open_source
from ..store import kept_data, store
from ..wording import t, use_language
from .artefacts import about_plain, build, renew
from .execution import Executed, Finished, Held, NotDone, NotebookError, Progress, province_notebooks, run_notebooks
from .page import About
from .seal import library_versions, package_sha256, run_json_bytes, source_links
from .summary import summarise, summary_bytes
from .trace import month_of

__all__ = ["Province", "Report", "make_province_report", "make_report", "open_province"]



@dataclass(frozen=True)
class Province:
    """A source read and cleaned once, for all its branches: what a report says about its origin."""

    given: str
    cleaned: Any
    files: pd.DataFrame
    links: tuple[dict[str, Any], ...]

    @property
    def catalog(self):
        """The source's catalogue."""
        return self.cleaned.catalog


@dataclass(frozen=True)
class Report:
    """A finished report: where it is and what its notebooks wrote to stderr (nothing, when all is well)."""

    branch: str
    folder: Path
    executed: tuple[Executed, ...]

    @property
    def page(self) -> Path:
        """Return the page."""
        return self.folder / "report.html"

    @property
    def warnings(self) -> list[str]:
        """Return what notebooks wrote to stderr, each with notebook and cell."""
        return [f"{book.name} {line}" for book in self.executed for line in book.stderr]

    @property
    def not_done(self) -> dict[str, NotDone]:
        """Return the stages that the data do not allow: notebook to cell and reason."""
        return {book.name: book.not_done for book in self.executed if book.not_done}


def open_province(source: str | Path) -> Province:
    """Read and clean a source.

    Raises
    ------
    SourceError, ConfigError
        As :func:`ebank_lib.open_source` and :func:`ebank_lib.clean`.
    """
    opened = open_source(source)
    cleaned = clean(opened)
    files = opened.files()
    return Province(portable_source(source), cleaned, files, tuple(_source_links(files, cleaned)))


def _source_links(files: pd.DataFrame, cleaned: Any) -> list[dict[str, Any]]:
    """Return the links from the files to the panel; from the store, since they are every report's, and long to hash."""
    def made() -> list[dict[str, Any]]:
        return source_links(files, cleaned.cells, cleaned.ledger, cleaned.panel)

    if store() is None or cleaned.source.content is None:
        return made()
    return kept_data("source-links", (cleaned.source.content,), made)


def make_report(source: str | Path | Province, branch: str, *, lang: str = "zh", indicator: str | None = None,
                start: str | None = None, end: str | None = None, out: str | Path = "reports",
                extra: Mapping[str, str] | None = None, notebooks: Iterable[Path] | None = None, workers: int = 2,
                cell_timeout: float = 300, progress: Progress | None = None, held: Held | None = None,
                finished: Finished | None = None) -> Report:
    """Run the notebooks for a branch and write its report.

    Parameters
    ----------
    source : path or Province
        A source, or one already read.
    branch : str
        Its id; ``0351`` and what is left of it after a detour through a number are the same.
    indicator : str, optional
        What is forecast; else the first of the catalogue's headline indicators that the branch reports.
    start, end : str, optional
        First and last month, ``YYYY-MM``.
    out : path
        The report is written into ``out/branch``.
    extra : mapping of parameter to text, optional
        Further parameters of the notebooks.
    held, finished : callable, optional
        See :func:`~ebank_lib.reports.execution.run_notebooks`.

    Raises
    ------
    UnknownNameError
        A branch, indicator, month or parameter that does not exist.
    NotebookError
        A notebook failed; it is kept in ``failed/``, and the report of the run before stays.
    """
    province = source if isinstance(source, Province) else open_province(source)
    name = province.catalog.branch(branch).id
    reported = _reported(province, name)
    if indicator is not None and province.catalog.indicator(indicator).key not in reported:
        raise UnknownNameError(f"indicator reported by {name}", indicator, reported)
    label = province.catalog.branch(name).label(lang)
    return _make(province, name, label, reported, notebooks, lang=lang, indicator=indicator, start=start, end=end,
                 out=out, extra=extra, workers=workers, cell_timeout=cell_timeout, progress=progress, held=held,
                 finished=finished)


def make_province_report(source: str | Path | Province, *, lang: str = "zh", indicator: str | None = None,
                         start: str | None = None, end: str | None = None, out: str | Path = "reports",
                         extra: Mapping[str, str] | None = None, notebooks: Iterable[Path] | None = None,
                         workers: int = 2, cell_timeout: float = 300, progress: Progress | None = None,
                         held: Held | None = None, finished: Finished | None = None) -> Report:
    """Run the notebooks that look at all branches together, and write their report.

    Parameters and errors are those of :func:`make_report`; the report is written into ``out/`` and the id of the
    source's total of all branches, ``out/province`` where it has none.
    """
    province = source if isinstance(source, Province) else open_province(source)
    name = province.catalog.total or "province"
    panel = province.cleaned.panel
    reported = [str(column) for column in panel.columns if panel[column].notna().any()]
    if indicator is not None and province.catalog.indicator(indicator).key not in reported:
        raise UnknownNameError("indicator that a branch reports", indicator, reported)
    label = province.catalog.branch(name).label(lang) if province.catalog.total else t("report.all_branches", lang)
    return _make(province, name, label, reported, notebooks or province_notebooks(), lang=lang, indicator=indicator,
                 start=start, end=end, out=out, extra=extra, workers=workers, cell_timeout=cell_timeout,
                 progress=progress, held=held, finished=finished)


def _make(province: Province, name: str, label: str, reported, notebooks, *, lang, indicator, start, end, out,
          **how) -> Report:
    months = _months(province, start, end)
    folder = _folder(Path(out), name)
    before = use_language(lang)
    work = Path(tempfile.mkdtemp(prefix="eb-work-"))
    try:
        chosen = indicator or _default_indicator(province.catalog, reported)
        executed = run_notebooks(province.given, name, work / "notebooks", lang=lang, indicator=chosen, start=start,
                                 end=end, notebooks=notebooks, **how)
        return _write(province, name, label, lang, chosen, months, executed, folder)
    except NotebookError as error:
        raise _keep(error, folder) from None
    finally:
        use_language(before)
        shutil.rmtree(work, ignore_errors=True)


def _folder(out: Path, branch: str) -> Path:
    """Return the branch's folder, made; never outside `out`, whatever the branch is called or `out` holds."""
    if not ID.fullmatch(branch):
        raise ConfigError("bad branch id", found=branch, expected="letters, digits, _ and -")
    return own_folder(out, branch)


def _reported(province: Province, branch: str) -> list[str]:
    """Return the indicators that the branch has any value of."""
    panel = province.cleaned.panel
    if branch not in panel.index.get_level_values("branch"):
        raise UnknownNameError("branch with data", branch, panel.index.get_level_values("branch").unique())
    rows = panel.xs(branch, level="branch")
    return [str(column) for column in rows.columns if rows[column].notna().any()]


def _months(province: Province, start: str | None, end: str | None) -> tuple[pd.Period, pd.Period]:
    """Return first and last month of the report; a month that does not exist is an error."""
    known = province.cleaned.panel.index.get_level_values("month").unique()
    chosen = []
    for text, default in ((start, known.min()), (end, known.max())):
        month = default if text is None else month_of(text)
        if month not in known:
            raise UnknownNameError("month", text, [f"{known.min()} .. {known.max()}"])
        chosen.append(month)
    if chosen[0] > chosen[1]:
        raise ConfigError("the first month is after the last", found=f"{chosen[0]} .. {chosen[1]}")
    return chosen[0], chosen[1]


def _default_indicator(catalog: Catalog, reported: list[str]) -> str:
    """Return the first headline indicator that the branch reports, else the first that it does."""
    if not reported:
        raise ConfigError("the branch has no data")
    return next((key for key in catalog.headline if key in reported), reported[0])


def _write(province, branch, label, lang, indicator, months, executed, folder) -> Report:
    """Write everything, the seal last: a folder whose run.json fits its files is a finished report."""
    catalog, source = province.catalog, province.cleaned.source
    about = About(branch, label, catalog.indicator(indicator).label(lang), source.title(lang), source.simulated,
                  *months, lang, province.links,
                  tuple(province.files[["file", "bytes", "sha256"]].to_dict("records")))
    made = build([book.path for book in executed], about)
    summary = summary_bytes(summarise(about, made.content, province.cleaned, executed))
    made.files["summary.json"] = summary

    _keep_previous(folder, summary)
    for name, content in made.files.items():
        _write_if_other(folder, name, content)
    _remove_others(folder, made.files)
    _write_if_other(folder, "run.json", run_json_bytes(_run(province, executed, about), made.files))
    shutil.rmtree(folder / "failed", ignore_errors=True)
    return Report(branch, folder, tuple(replace(b, path=folder / "notebooks" / b.path.name) for b in executed))


def _write_if_other(folder: Path, name: str, content: bytes) -> None:
    """Write a file of a report unless it holds just that."""
    *folders, file = name.split("/")
    renew(own_folder(folder, *folders) / file, content)


def _keep_previous(folder: Path, summary: bytes) -> None:
    """Keep the summary of the report before for comparison, where it said something else."""
    try:
        before = (folder / "summary.json").read_bytes()
    except FileNotFoundError:
        return
    if before != summary:
        write_atomically(folder / "previous.json", before)


def _remove_others(folder: Path, files: Mapping[str, bytes]) -> None:
    """Remove what a run before left in the folders that are wholly a report's own."""
    for name in ("notebooks", "tables"):
        for old in own_folder(folder, name).glob("*"):
            if f"{name}/{old.name}" not in files and old.is_file():
                old.unlink()


def _run(province, executed, about: About) -> dict[str, Any]:
    """Return what was run on what, with what: no time, no machine, no path outside the project."""
    outside = Path(province.given).is_absolute()
    parameters = {book.name: {k: Path(v).name if outside and k == "source" else v for k, v in book.parameters.items()}
                  for book in executed}
    return {
        "ebank": __version__,
        "code": package_sha256(),
        "about": about_plain(about),
        "stages": [book.name for book in executed],
        "source": Path(province.given).name if outside else province.given,
        "simulated": province.cleaned.source.simulated,
        "parameters": parameters,
        "versions": library_versions(),
        "files": province.files[["file", "bytes", "sha256"]].to_dict("records"),
        "stderr": {book.name: list(book.stderr) for book in executed if book.stderr},
        "stages_not_done": {book.name: {"cell": book.not_done.cell, "message": book.not_done.message}
                            for book in executed if book.not_done},
        "data": list(about.chain),
    }


def _keep(error: NotebookError, folder: Path) -> NotebookError:
    """Move what a failed notebook left out of the work folder, where it would be deleted."""
    if error.kept is None:
        return error
    target = own_folder(folder, "failed") / error.kept.name
    for old in target.parent.glob("*.ipynb"):
        old.unlink()
    write_atomically(target, error.kept.read_bytes())
    return NotebookError(error.notebook, error.cell, error.error, error.message, target)
