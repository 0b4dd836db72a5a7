"""A cleaned source: the panel, the ledger, and the ways to ask them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import pandas as pd

from ..catalog import Catalog
from ..display import describe, html_table
from ..errors import ConfigError, SourceError, UnknownNameError
from ..files import write_atomically
from ..monthly import checked_name
from ..sources import Source, open_source
from ..store import kept_frames, store
from ..wording import cell, cite, join, percent, t
from .assembling import assemble, tidy
from .examination import examine
from .ledger import DECISIONS, JUDGED, Book, csv_of, for_reading, packed, table_files, unpacked, with_reasons
from .panel import (
    POLICIES,
    as_month,
    build_panel,
    check_conservation,
    check_origins,
    own_months,
    repair,
    taken_off,
    total_frame,
)
from .parsing import STATED, cell_name, read_number, stated_cells

_NAMED = 4      # numbers in doubt that one sentence names
# What may be wrong by a factor or stand in the wrong row: kept in the panel, left out of a series unless asked for.
_DOUBTFUL = ("spike", "decimal_slip", "unit_slip", "swapped_rows", "edge", "falling_sum")


def clean(source: Source | pd.DataFrame | str | Path, policy: str = "conservative", start=None, end=None,
          cells: pd.DataFrame | None = None) -> Cleaned:
    """Read a source and clean it.

    Parameters
    ----------
    source : Source, path or DataFrame
        An opened source; where its ``sources.yaml``, or the CSV or Parquet file of a panel is; or a frame, all about
        which is drafted (:func:`~ebank_lib.from_frame` takes what is known).
    policy : {"conservative", "none", "interpolate"}
        ``none`` changes nothing. ``conservative`` corrects and fills only what an identity proves to the printed digit,
        or a power of ten that both neighbours support. ``interpolate`` also fills the gaps inside a series and replaces
        flagged spikes. Everything suspicious is flagged under every policy.
    start, end : month, optional
        Only cells of these months are used, as evidence too: what comes later cannot leak into the past.
    cells : DataFrame, optional
        Instead of ``source.cells()``.

    Returns
    -------
    Cleaned

    Raises
    ------
    UnknownNameError
        An unknown policy or month.
    SourceError
        The source prints no cell in these months, or the end lies before the start.
    """
    checked_name(policy, "policy", POLICIES)
    if isinstance(source, pd.DataFrame | pd.Series):
        from ..sources.frame import from_frame  # what drafts a description is loaded for those without one

        source = from_frame(source)
    source = open_source(source) if isinstance(source, (str, Path)) else source
    keep = cells is None and store() is not None and source.content is not None
    cells = source.cells() if cells is None else cells
    cells = _between(cells.assign(stated=stated_cells(source, cells)), start, end)
    make = partial(_tables, cells, source.catalog, policy, cells.pop("stated").to_numpy(object))
    key = getattr(source, "content", None), policy, *(None if month is None else str(month) for month in (start, end))
    tables = unpacked(kept_frames("cleaned", key, lambda: packed(make()))) if keep else make()
    describe(tables["conservation"], branch="*", indicator="*")
    return Cleaned(source, source.catalog, cells=cells, policy=policy, **tables)


def _tables(cells: pd.DataFrame, catalog: Catalog, policy: str, stated: np.ndarray) -> dict[str, pd.DataFrame]:
    book = Book()
    grid, names = assemble(cells, catalog, book, stated)
    for n in (~grid.present.any(axis=0)).nonzero()[0]:
        book.add_loose("", grid.months[n], "", "flagged", "missing_month")
    falls = own_months(grid, cells, catalog, book)
    repaired = repair(grid, falls + examine(grid, catalog), policy, book)
    panel, in_panel = build_panel(repaired, catalog, book)
    entries = book.entries(cells, names)
    check_origins(repaired, entries)
    return {"panel": panel, "entries": entries, "conservation": check_conservation(cells, entries, in_panel)}


def _between(cells: pd.DataFrame, start, end) -> pd.DataFrame:
    if cells.empty:
        raise SourceError("prints no cell", expected="at least one branch, month and indicator")
    if start is None and end is None:
        return cells.reset_index(drop=True)
    month = pd.PeriodIndex(cells["month"])
    known = pd.period_range(month.min(), month.max(), freq="M")
    first, last = as_month(start, known) or known[0], as_month(end, known) or known[-1]
    if first > last:
        raise SourceError("the end lies before the start", found=f"{first} to {last}", expected="the start first")
    return cells[(month >= first) & (month <= last)].reset_index(drop=True)


@dataclass(frozen=True, repr=False)
class Cleaned:
    """A cleaned source.

    Attributes
    ----------
    panel : DataFrame
        Index ``(branch, month)``: branches in the catalogue's order, the printed total last, every month from the first
        to the last; a float column an indicator, in base units (ratios as fractions); NaN where nothing is known.
    entries : DataFrame
        The ledger, neutral in language: `ledger` without ``reason``, with ``detail`` and ``cell``.
    cells : DataFrame
        The cells as printed.
    policy : str
        How it was cleaned, see :func:`clean`.
    conservation : DataFrame
        ``cells, in_panel, rejected``: the first is the sum of the others (checked on every run).
    own : tuple of str
        Indicators of :meth:`with_indicator`, which no cell prints.
    """

    source: object
    catalog: Catalog
    panel: pd.DataFrame
    entries: pd.DataFrame
    cells: pd.DataFrame
    policy: str
    conservation: pd.DataFrame
    own: tuple[str, ...] = ()
    # What later stages learn from the whole panel, month by month.
    contexts: dict = field(default_factory=dict, repr=False, compare=False)

    def __getstate__(self) -> dict:
        return self.__dict__ | {"contexts": {}}     # another process learns what it needs itself

    def __repr__(self) -> str:
        return (f"Cleaned({self.source!r}, {self.months[0]}..{self.months[-1]}, "
                f"{int(self.conservation['cells'].iloc[0])} cells, policy {self.policy!r})")

    # --- the panel ------------------------------------------------------------------------------------------------

    @cached_property
    def branches(self) -> list[str]:
        """Ids of the branches of the panel, in its order."""
        return list(self.panel.index.get_level_values("branch").unique())

    @cached_property
    def months(self) -> pd.PeriodIndex:
        """The months of the panel."""
        return pd.PeriodIndex(self.panel.index.get_level_values("month").unique(), name="month")

    def branch_id(self, branch: str) -> str:
        """Return the id under which a branch stands in the panel: its own, or of the one it merged into."""
        found = self.catalog.branch(branch)
        if found.id not in self.branches:
            if found.merged_into in self.branches:
                return found.merged_into
            raise UnknownNameError("branch", found.id, self.branches)
        return found.id

    def block(self, branch: str, doubtful: str = "omit") -> pd.DataFrame:
        """Return the panel's rows of one branch: a row a month (monthly ``PeriodIndex``), a column an indicator.

        Numbers that are `doubtful` are left out ("omit") or as the panel has them ("keep").
        """
        return self._of(doubtful).loc[self.branch_id(branch)]

    def _of(self, doubtful: str) -> pd.DataFrame:
        return self.panel if checked_name(doubtful, "doubtful", ("omit", "keep")) == "keep" else self.trusted

    def series(self, branch: str, indicator: str, start=None, end=None, doubtful: str = "omit") -> pd.Series:
        """Return one series on a monthly ``PeriodIndex``, NaN where missing, in the base unit.

        No indicator ("") is the catalogue's first headline indicator. Numbers that are flagged as off (`doubtful`) are
        left out, and :meth:`left_out` says which; ``doubtful="keep"`` has them as the panel does.

        Raises
        ------
        UnknownNameError
            Listing the branches, indicators or months that exist.
        """
        y = self.block(branch, doubtful)[self.catalog.indicator(indicator).key].copy()
        first, last = as_month(start, self.months), as_month(end, self.months)
        return y.loc[first or y.index[0]: last or y.index[-1]]

    def wide(self, indicator: str = "", doubtful: str = "omit") -> pd.DataFrame:
        """Return an indicator of the branches that report: a row a month (monthly ``PeriodIndex``), a column a branch.

        ``np.log(cleaned.wide("mobile_txn")).diff().corr()`` says how their growth hangs together; levels that all grow
        would look alike whatever they have in common. Numbers that are `doubtful` as in :meth:`block`.
        """
        y = self._of(doubtful)[self.catalog.indicator(indicator).key]
        return pd.DataFrame({b: y.loc[b] for b in self.catalog.reporting if b in self.branches}).set_axis(self.months)

    @cached_property
    def doubtful(self) -> pd.DataFrame:
        """Numbers of the panel that are flagged as off by a factor, in the wrong row, or unconfirmed at an end, one row
        each: ``branch, month, indicator, value, rule`` and the cell's ``file, sheet, cell, text, likely`` (the number
        that it may be, as it would be printed there; NaN where nothing says)."""
        e = self.judged
        filled = e.loc[e["decision"] == "filled", "cell"]
        e = e[(e["decision"] == "flagged") & e["rule"].isin(_DOUBTFUL) & ~e["cell"].isin(filled)]
        e = e.drop_duplicates("cell").astype(dict.fromkeys(("branch", "indicator", "rule", "file", "sheet"), object))
        sums = set(self.entries.loc[self.entries["rule"] == "year_to_date", "cell"])    # print more than the number
        likely = [_as_printed(row.text, row.before, row.detail.get("value", np.nan)) if row.cell not in sums
                  and row.rule in ("decimal_slip", "swapped_rows") else np.nan for row in e.itertuples()]
        heirs = {b.id: b.merged_into for b in self.catalog.branches.values() if b.merged_into}
        found = e.assign(
            branch=[b if b in self.branches else heirs.get(b, b) for b in e["branch"]], value=e["after"], likely=likely,
            cell=[cell_name(*pair) for pair in zip(e["column"].astype(str), e["row"], strict=True)])[
            ["branch", "month", "indicator", "value", "rule", "file", "sheet", "cell", "text", "likely"]]
        return describe(found.reset_index(drop=True), branch="branch", indicator="indicator", exact=["value"],
                        months={"value": "row"})

    def _doubtful_of(self, branch: str | None) -> pd.DataFrame:
        return self.doubtful if branch is None else self.doubtful[self.doubtful["branch"] == self.branch_id(branch)]

    @cached_property
    def trusted(self) -> pd.DataFrame:
        """The panel without the numbers that are `doubtful`."""
        rows = self.panel.index.get_indexer(pd.MultiIndex.from_frame(self.doubtful[["branch", "month"]]))
        values = self.panel.to_numpy(copy=True)
        columns = self.panel.columns.get_indexer(self.doubtful["indicator"])
        values[rows[rows >= 0], columns[rows >= 0]] = np.nan
        frame = pd.DataFrame(values, self.panel.index, self.panel.columns)
        return frame.assign(**{key: self.catalog.derive(frame, key) for key in self.own})

    def left_out(self, branch: str, indicator: str | list[str] = "", lang: str | None = None) -> str:
        """Say in a line which numbers of an indicator :meth:`series` leaves out, or of several :meth:`block`; "": none.

        Of several indicators four are named at most. The numbers stand in `doubtful`.
        """
        several = not isinstance(indicator, str)
        keys = list(indicator) if several else [self.catalog.indicator(indicator).key]
        mine = self._doubtful_of(branch)
        mine = mine[mine["indicator"].isin(keys)].sort_values("month", kind="stable")
        said = [t("cleaning.printed_of" if several else "cleaning.printed", lang, month=str(row.month),
                  indicator=self.catalog.indicators[row.indicator].short_label(lang),
                  text=cite(row.text, cell("doubtful", "text", branch=row.branch, month=row.month,
                                           indicator=row.indicator)))
                for row in mine.head(_NAMED if several else len(mine)).itertuples()]
        cells = join(said, t("cleaning.comma", lang))
        if len(said) < len(mine):
            cells = t("cleaning.and_more", lang, cells=cells, n=len(mine))
        return t("cleaning.left_out", lang, cells=cells) if said else ""

    def suspects(self, branch: str | None = None, n: int = 10) -> pd.DataFrame:
        """Return the `n` numbers in doubt that lie furthest from their neighbours, the furthest first.

        Columns of `doubtful`, and ``earlier, later``: the numbers of the months beside it, NaN where none is trusted.
        """
        d = self._doubtful_of(branch)
        columns = self.trusted.columns.get_indexer(d["indicator"])
        beside = {name: self.trusted.reindex(pd.MultiIndex.from_arrays([d["branch"], d["month"] + shift])).to_numpy()[
            np.arange(len(d)), columns] for name, shift in (("earlier", -1), ("later", 1))}
        d = d.assign(**beside)
        with np.errstate(divide="ignore", invalid="ignore"):
            off = np.log(d["value"] / d[["earlier", "later"]].mean(axis=1)).abs()
        return d.loc[off.sort_values(ascending=False, kind="stable").index].head(n)

    def suggestions(self, branch: str | None = None, lang: str | None = None) -> pd.DataFrame:
        """Return the lines that ``corrections.csv`` asks for what is `doubtful`: ``file, sheet, cell, value, reason,
        who``. The value is the likely one, ``?`` where nothing says; whoever pastes a line puts in both and a name."""
        d = self._doubtful_of(branch)
        value = ["?" if np.isnan(v) else f"{v:.15g}" for v in d["likely"]]
        reason = [t(f"cleaning.about_{rule}", lang) for rule in d["rule"]]
        return d.assign(value=value, reason=reason, who="")[STATED]

    def to_frame(self, lang: str | None = None) -> pd.DataFrame:
        """Return the panel as other libraries take it, a row a number in base units: ``branch, month`` (monthly
        period), ``indicator, unit, value, doubtful`` (whether :meth:`series` leaves it out). What is not known has no
        row."""
        values, panel = self.panel.to_numpy(float), self.panel
        row, column = np.nonzero(~np.isnan(values))
        units = np.array([self.catalog.unit_label(key, lang) for key in panel.columns], object)
        found = {name: panel.index.get_level_values(name)[row] for name in ("branch", "month")}
        return pd.DataFrame({**found, "indicator": panel.columns[column], "unit": units[column],
                             "value": values[row, column],
                             "doubtful": self.trusted.isna().to_numpy()[row, column]})

    def total(self, doubtful: str = "omit") -> pd.DataFrame:
        """Return all branches together, months x indicators: the printed total where there is one, else the branches'
        sum (only of months in which every branch reports); ratios from their numerators and denominators. Numbers that
        are `doubtful` are left out ("omit") or as the panel has them ("keep")."""
        return total_frame(self._of(doubtful), self.catalog)

    def with_indicator(self, key: str, numerator: str | None = None, denominator: str | list[str] | None = None, *,
                       parts: Iterable[str] = (), en: str = "", zh: str = "", bounded: bool = True) -> Cleaned:
        """Return the source with an indicator of one's own, which every verb then takes as any other.

        A ratio of two indicators (`denominator` may be several, added up), or the sum of `parts` of one kind and unit;
        `en` and `zh` are what it is called, by default its key. It is missing where one of them is missing or in doubt,
        and for all branches together it is made of their sums. A ratio without a ceiling is ``bounded=False``. In
        forecasts it follows from what it is made of; the numerator of a share of one indicator is from then on forecast
        as the share times the whole, as in a catalogue that lists it. Cells and ledger know nothing of it.

        Raises
        ------
        ConfigError
            A key that is taken or is none; parts that do not add up; a share outside 0..1.
        UnknownNameError
            An unknown indicator.
        """
        catalog = self.catalog.with_indicator(key, numerator, denominator, parts, en, zh, bounded)
        new = catalog.derive(self.panel, key)
        if not parts and bounded and not (new.dropna().between(0, 1)).all():
            raise ConfigError("a share lies outside 0..1", key=key, found=f"{new.min():.4g}..{new.max():.4g}",
                              expected="fractions", hint="bounded=False makes a ratio without a ceiling")
        return replace(self, catalog=catalog, panel=self.panel.assign(**{key: new}), own=(*self.own, key), contexts={})

    # --- the ledger -----------------------------------------------------------------------------------------------

    @property
    def ledger(self) -> pd.DataFrame:
        """One row a decision, in the order of the cells, with the reason in the language in use."""
        return with_reasons(self.entries)

    @property
    def rejected(self) -> pd.DataFrame:
        """The rows of `ledger` of cells that are not in the panel, and why."""
        return with_reasons(self.entries[self.entries["decision"] == "rejected"])

    @cached_property
    def judged(self) -> pd.DataFrame:
        """The rows of `entries` of numbers that were corrected, flagged or filled: a small part of a ledger."""
        return self.entries[self.entries["decision"].isin(JUDGED)]

    def rows(self, branch: str) -> pd.DataFrame:
        """Return the rows of `entries` of a branch and of those that merged into it."""
        return self.entries[self.entries["branch"].isin(self._names(self.branch_id(branch)))]

    def _names(self, branch: str, month: pd.Period | None = None) -> list[str]:
        """Return the branches whose cells are a branch's numbers: its own and those that merged into it (later)."""
        return [branch, *(b.id for b in self.catalog.branches.values()
                          if b.merged_into == branch and (month is None or month < b.merged_month))]

    def trace(self, branch: str, month, indicator: str, lang: str | None = None) -> pd.DataFrame:
        """Return the ledger's rows of one number: the printed cells it comes from and what was done to them.

        A number from before a merger comes from the rows of both branches, one printed as a sum since January from the
        sums of two months.
        """
        branch, key = self.branch_id(branch), self.catalog.indicator(indicator).key
        month = as_month(month, self.months)
        e = self.entries
        mine = e["branch"].isin(self._names(branch, month)) & (e["month"] == month) & (e["indicator"] == key)
        return with_reasons(e[mine | taken_off(e, mine)], lang)

    def labelled(self, ledger: pd.DataFrame, lang: str | None = None) -> pd.DataFrame:
        """Return rows of the ledger, under its index, with names instead of keys and reasons in the language."""
        branches, indicators = self.catalog.branches, self.catalog.indicators
        return ledger.assign(
            reason=with_reasons(self.entries.loc[ledger.index], lang)["reason"],
            branch=[branches[b].label(lang) if b in branches else b for b in ledger["branch"].astype(str)],
            indicator=[indicators[k].label(lang) if k in indicators else k for k in ledger["indicator"].astype(str)],
            decision=[t(f"cleaning.{d}", lang) for d in ledger["decision"].astype(str)])

    def summary(self, lang: str | None = None) -> pd.DataFrame:
        """Return one row per rule and decision: ``rule, decision, cells, reason``, the commonest first."""
        found = self.entries.groupby(["decision", "rule"], observed=True).size().rename("cells").reset_index()
        found = found.sort_values(["decision", "cells", "rule"], ascending=[True, False, True], ignore_index=True)
        found = found[["rule", "decision", "cells"]].astype({"rule": "str"})
        found["reason"] = [t(f"cleaning.about_{r}", lang) for r in found["rule"]]
        return describe(found, branch="*", indicator="*")

    def of(self, branch: str, lang: str | None = None) -> pd.DataFrame:
        """Return what was corrected, flagged or filled in a branch, in the order of the months and for reading.

        Numbers of one month treated alike for one reason (two rows swapped, say) share a row, which shows the first
        of them: ``month, indicator, numbers, address, text, after, decision, reason``. The ledger has them singly.
        """
        mine = self.judged[self.judged["branch"] == self.branch_id(branch)]
        return describe(for_reading(mine, self.catalog, lang), indicator="*")

    def decided(self, branch: str | None = None) -> pd.DataFrame:
        """Return on how many numbers each decision was made, in all or of a branch: ``decision, numbers``."""
        e = self.entries if branch is None else self.entries[self.entries["branch"] == self.branch_id(branch)]
        found = e.drop_duplicates(["cell", "decision", "branch", "month", "indicator"])["decision"].value_counts()
        made = pd.DataFrame({"decision": DECISIONS, "numbers": [int(found.get(name, 0)) for name in DECISIONS]})
        return describe(made, branch="*" if branch is None else "@", indicator="*")

    def reading(self, branch: str | None = None, lang: str | None = None) -> str:
        """Say in a sentence what cleaning did: in all, or to the numbers of one branch.

        Its numbers stand in ``conservation`` and ``decisions``, or in ``decisions_branch`` (:meth:`decided`).
        """
        table = "decisions" if branch is None else "decisions_branch"
        made = {str(row.decision): cite(row.numbers, cell(table, "numbers", decision=row.decision))
                for row in self.decided(branch).itertuples()}
        if branch is not None:
            return t("cleaning.reading_branch", lang, branch=self.catalog.branch(branch).label(lang), **made)
        cells, in_panel, rejected = (cite(f"{self.conservation[name].iloc[0]:,}", cell("conservation", name))
                                     for name in ("cells", "in_panel", "rejected"))
        return t("cleaning.reading", lang, cells=cells, in_panel=in_panel, kept_out=rejected, **made)

    def plot(self, branch: str | None = None, indicator: str | None = None, ax=None, lang: str | None = None):
        """Draw the map of branches and months; of an indicator all branches on one log scale; of a branch (and an
        indicator) the series before and after."""
        from ..charts.cleaning import plot_before_after, plot_quality
        from ..charts.province import plot_multiples

        if branch is None and indicator is not None:
            return plot_multiples(self, indicator, lang)
        if branch is None:
            return plot_quality(self, ax, lang)
        return plot_before_after(self, branch, self.catalog.indicator(indicator or "").key, ax, lang)

    def save(self, folder: str | Path, lang: str | None = None) -> list[Path]:
        """Write ``panel.csv`` and ``panel.parquet`` (:meth:`to_frame`) and ``ledger.csv``: the same bytes for the
        same numbers. Texts a spreadsheet could take for a formula get an apostrophe in front, in CSV files only."""
        files = table_files("panel", self.to_frame(lang=lang))
        files["ledger.csv"] = csv_of(with_reasons(self.entries, lang))
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomically(Path(folder) / name, content)
        return [Path(folder) / name for name in files]

    def _repr_html_(self) -> str:
        counts = {str(name): f"{self.conservation[name].iloc[0]:,}" for name in self.conservation}
        caption = t("cleaning.caption", policy=t(f"cleaning.policy_{self.policy}"), **counts)
        table = self.summary()[["reason", "decision", "cells"]].rename(columns={"reason": "rule"})
        table["decision"] = [t(f"cleaning.{d}") for d in table["decision"].astype(str)]
        note = t("cleaning.missing", share=percent(float(self.panel.isna().to_numpy().mean())))
        return html_table(table, caption=caption, notes=[note, t("cleaning.several")])


def _as_printed(text: str, before: float, likely: float) -> float:
    """Return a number of the base unit as its cell would print it."""
    printed = read_number(text).value
    return float(tidy(likely * printed / before)) if before and np.isfinite(likely) else np.nan
