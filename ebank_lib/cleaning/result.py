"""What cleaning hands on: the panel, the ledger, and the ways to ask them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from .. import reads
from ..catalog import Catalog
from ..display import html_table
from ..errors import UnknownNameError
from ..wording import language, percent, t
from .counting import JUDGED, count, decisions
from .fingerprints import fingerprints_of, missing_and_judged
from .kept import Kept, Later
from .ledger import DECISIONS, safe_for_spreadsheets, with_reasons
from .totals import total_frame
from .treated import treated

__all__ = ["Cleaned", "fingerprints"]


class _Table:
    """A whole table of a cleaned source: loaded, and noted, when it is asked for."""

    def __init__(self, part: str):
        self.part = part

    def __set_name__(self, owner: type, name: str) -> None:
        self.slot = f"_{name}"

    def __get__(self, cleaned, owner=None):
        if cleaned is None:
            raise AttributeError(self.slot)     # a field without a default
        cleaned._note(self.part)
        return cleaned._whole(self.slot)

    def __set__(self, cleaned, value) -> None:
        cleaned.__dict__[self.slot] = value


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
    conservation : DataFrame
        ``cells, in_panel, rejected``: the first is the sum of the others (checked on every run).

    What was looked at is noted (:mod:`ebank_lib.reads`): the whole panel, ledger or cells by touching them, one
    branch by asking for that branch alone.
    """

    source: object
    catalog: Catalog
    panel: pd.DataFrame = _Table("panel")
    entries: pd.DataFrame = _Table("ledger")
    cells: pd.DataFrame = _Table("cells")
    policy: str
    conservation: pd.DataFrame
    # Policy, first and last month; None where the cells came from elsewhere, whose reader has noted them.
    how: tuple | None = field(default=None, repr=False, compare=False)
    _reasons: dict = field(default_factory=dict, repr=False, compare=False)
    # What later stages learn from the whole panel, month by month; kept with the data it was learnt from.
    contexts: dict = field(default_factory=dict, repr=False, compare=False)
    _reads: set = field(default_factory=set, repr=False, compare=False)
    _kept: Kept | None = field(default=None, init=False, repr=False, compare=False)

    def __getstate__(self) -> dict:
        for name in ("panel", "ledger", "cells"):   # what another process looks at, it does not note here
            self._note(name)
        return self.__dict__ | {"contexts": {}}     # it learns what it needs itself

    def __repr__(self) -> str:
        self._note("counts")
        return (f"Cleaned({self.source!r}, {self.months[0]}..{self.months[-1]}, "
                f"{int(self.conservation['cells'].iloc[0])} cells, policy {self.policy!r})")

    # --- what is asked for, and noted -----------------------------------------------------------------------------

    def _note(self, name: str) -> None:
        self._reads.add(name)
        path = getattr(self.source, "path", None)
        if path is not None and self.how is not None:
            reads.note(name, str(path), self.how)

    def _looked_at(self, branch: str) -> str:
        """Note that one branch was asked for; returns its id in the panel."""
        branch = self.branch_id(branch)
        self._note(f"branch:{branch}")
        return branch

    def _whole(self, slot: str) -> pd.DataFrame:
        table = self.__dict__[slot]
        if isinstance(table, Later):
            table = self.__dict__[slot] = table()
        return table

    def _once(self, name: str, make):
        if name not in self.__dict__:
            self.__dict__[name] = make()
        return self.__dict__[name]

    @property
    def reads(self) -> frozenset[str]:
        """The names of the parts that were looked at, see :mod:`ebank_lib.reads`."""
        return frozenset(self._reads)

    @property
    def _counts(self) -> dict:
        self._note("counts")
        return self._kept.record["counts"] if self._kept is not None else self._once(
            "_counted", lambda: count(self._whole("_entries"), self._whole("_panel"), self.catalog))

    def _rows(self, names: Iterable[str]) -> pd.DataFrame:
        """Return the ledger's rows of some branches, as numbered in the whole."""
        names = list(names)
        if self._kept is not None and isinstance(self.__dict__["_entries"], Later):
            return self._kept.entries_of(names)
        entries = self._whole("_entries")
        return entries[entries["branch"].isin(names)]

    def rows(self, branch: str) -> pd.DataFrame:
        """Return the rows of `entries` of a branch and of those that merged into it.

        Raises
        ------
        UnknownNameError
            No such branch in the panel.
        """
        branch = self._looked_at(branch)
        return self._rows([branch, *(b.id for b in self.catalog.branches.values() if b.merged_into == branch)])

    def block(self, branch: str) -> pd.DataFrame:
        """Return the panel's rows of one branch: a row a month (monthly ``PeriodIndex``), a column an indicator.

        Raises
        ------
        UnknownNameError
            No such branch in the panel.
        """
        branch = self._looked_at(branch)
        block = self._whole("_panel").loc[branch]
        return block.set_axis(pd.PeriodIndex(block.index, freq="M", name="month"))

    def total(self) -> pd.DataFrame:
        """Return all branches together, see :func:`~ebank_lib.cleaning.totals.total_frame`."""
        self._note("total")
        return self._once("_total", lambda: total_frame(self._whole("_panel"), self.catalog)).copy()

    @property
    def judged(self) -> pd.DataFrame:
        """The rows of `entries` of numbers that were corrected, flagged or filled: a small part of a ledger."""
        self._note("judged")
        return self._judged()

    def _judged(self) -> pd.DataFrame:
        if self._kept is not None and isinstance(self.__dict__["_entries"], Later):
            return self._once("_judgements", self._kept.judged)
        entries = self._whole("_entries")
        return entries[entries["decision"].isin(JUDGED)]

    def map(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return where the panel has no number (its axes, True or False) and ``branch, month, indicator, decision`` of
        what was judged: what a map of the trouble is drawn from, whatever the numbers are."""
        self._note("map")
        return missing_and_judged(self._whole("_panel"), self._judged())

    # --- the ledger -----------------------------------------------------------------------------------------------

    @property
    def ledger(self) -> pd.DataFrame:
        """One row a decision, in the order of the cells, with the reason in the language in use."""
        lang = language()
        if lang not in self._reasons:
            self._reasons[lang] = with_reasons(self.entries, lang)
        return self._reasons[lang]

    def _only(self, decision: str) -> pd.DataFrame:
        return with_reasons(self.entries[self.entries["decision"] == decision], None).reset_index(drop=True)

    @property
    def rejected(self) -> pd.DataFrame:
        """Cells that are not in the panel, and why."""
        return self._only("rejected")

    @property
    def flagged(self) -> pd.DataFrame:
        """Numbers kept as printed that something speaks against."""
        return self._only("flagged")

    @property
    def corrected(self) -> pd.DataFrame:
        """Numbers that were changed, with the proof."""
        return self._only("corrected")

    @property
    def filled(self) -> pd.DataFrame:
        """Numbers of the panel that no cell printed."""
        return self._only("filled")

    @property
    def branches(self) -> list[str]:
        """Ids of the branches of the panel, in its order."""
        return list(self._once("_ids", lambda: list(self._axis("branch"))))

    @property
    def months(self) -> pd.PeriodIndex:
        """The months of the panel."""
        return self._once("_months", lambda: pd.PeriodIndex(self._axis("month"), name="month"))

    def _axis(self, name: str) -> pd.Index:
        return self._whole("_panel").index.get_level_values(name).unique()

    def series(self, branch: str, indicator: str, start=None, end=None) -> pd.Series:
        """Return one series on a monthly ``PeriodIndex``, NaN where missing, in the base unit.

        No indicator ("") is the catalogue's first headline indicator.

        Raises
        ------
        UnknownNameError
            Listing the branches, indicators or months that exist.
        """
        branch = self._looked_at(branch)
        indicator = self.catalog.indicator(indicator).key
        y = self._whole("_panel").loc[branch, indicator].copy()
        y.index = pd.PeriodIndex(y.index, freq="M", name="month")
        first, last = as_month(start, self.months), as_month(end, self.months)
        return y.loc[first or y.index[0]: last or y.index[-1]].rename(indicator)

    def branch_id(self, branch: str) -> str:
        """Return the id under which a branch stands in the panel: its own, or of the one it merged into.

        Raises
        ------
        UnknownNameError
            No such branch in the panel.
        """
        found = self.catalog.branch(branch)
        if found.id not in self.branches:
            if found.merged_into in self.branches:
                return found.merged_into
            raise UnknownNameError("branch", found.id, self.branches)
        return found.id

    def trace(self, branch: str, month, indicator: str, lang: str | None = None) -> pd.DataFrame:
        """Return the ledger's rows of one number: the printed cells it comes from and what was done to them.

        A number from before a merger comes from the rows of both branches.
        """
        branch, key = self.branch_id(branch), self.catalog.indicator(indicator).key
        month = as_month(month, self.months)
        names = [branch, *(b.id for b in self.catalog.branches.values()
                           if b.merged_into == branch and month < b.merged_month)]
        e = self.rows(branch)
        mine = e["branch"].isin(names) & (e["month"] == month) & (e["indicator"] == key)
        return with_reasons(e[mine], lang).reset_index(drop=True)

    def labelled(self, ledger: pd.DataFrame, lang: str | None = None) -> pd.DataFrame:
        """Return rows of the ledger with names instead of keys, for showing."""
        branches, indicators = self.catalog.branches, self.catalog.indicators
        return ledger.assign(
            branch=[branches[b].label(lang) if b in branches else b for b in ledger["branch"].astype(str)],
            indicator=[indicators[k].label(lang) if k in indicators else k for k in ledger["indicator"].astype(str)],
            decision=[t(f"cleaning.{d}", lang) for d in ledger["decision"].astype(str)])

    def summary(self, lang: str | None = None) -> pd.DataFrame:
        """Return one row per rule and decision: ``rule, decision, cells, reason``, the commonest first."""
        found = pd.DataFrame(self._counts["rules"], columns=["rule", "decision", "cells"])
        found["decision"] = pd.Categorical(found["decision"], DECISIONS)
        found["reason"] = [t(f"cleaning.about_{r}", lang) for r in found["rule"]]
        return found

    def quality(self, lang: str | None = None) -> pd.DataFrame:
        """Return one row per branch: decisions on its cells, numbers missing from the panel and their share."""
        found, rows = self._counts, []
        for b in [i for i in self.catalog.branches if i in found["cells"]]:
            numbers = found["cells"][b]
            gone, size = found["missing"].get(b, 0), len(self.months) * found["used"]
            rows.append({"branch": self.catalog.branches[b].label(lang), **dict(zip(DECISIONS, numbers, strict=True)),
                         "filled": found["filled"].get(b, 0), "missing": gone,
                         "missing_share": gone / size if b in self.branches and size else float("nan")})
        return pd.DataFrame(rows, columns=["branch", *DECISIONS, "missing", "missing_share"])

    def of(self, branch: str, lang: str | None = None) -> pd.DataFrame:
        """Return what was corrected, flagged or filled in a branch, in the order of the months and for reading.

        Numbers of one month treated alike for one reason (two rows swapped, say) share a row, which shows the first
        of them: ``month, indicator, numbers, address, text, after, decision, reason``. The ledger has them singly.

        Raises
        ------
        UnknownNameError
            No such branch.
        """
        e = self.rows(branch)
        mine = e[(e["branch"] == self.branch_id(branch)) & e["decision"].isin(JUDGED)]
        return treated(mine, self.catalog, lang)

    def reading(self, branch: str | None = None, lang: str | None = None) -> str:
        """Say in a sentence what cleaning did: in all, or to the numbers of one branch."""
        made = self._decisions(branch)
        if branch is not None:
            return t("cleaning.reading_branch", lang, branch=self.catalog.branch(branch).label(lang), **made)
        done = self.conservation.iloc[0]
        return t("cleaning.reading", lang, cells=f"{done['cells']:,}", in_panel=f"{done['in_panel']:,}",
                 kept_out=f"{done['rejected']:,}", **made)

    def decided(self, branch: str | None = None) -> pd.DataFrame:
        """Return the figures that :meth:`reading` says, for recording: ``decision, numbers``, in all or of a branch."""
        made = self._decisions(branch)
        return pd.DataFrame({"decision": list(made), "numbers": list(made.values())})

    def _decisions(self, branch: str | None) -> dict[str, int]:
        if branch is None:
            return self._counts["decisions"]
        e = self.rows(branch)
        return decisions(e[e["branch"] == self.branch_id(branch)])

    def examples(self, rule: str, n: int = 5, lang: str | None = None) -> pd.DataFrame:
        """Return the first `n` ledger rows of a rule.

        Raises
        ------
        UnknownNameError
            Listing the rules of this ledger.
        """
        found = self.entries[self.entries["rule"] == rule]
        if found.empty:
            raise UnknownNameError("rule", rule, sorted(self.entries["rule"].astype(str).unique()))
        return with_reasons(found.head(n), lang).reset_index(drop=True)

    def plot(self, branch: str | None = None, indicator: str | None = None, kind: str = "trouble", ax=None,
             lang: str | None = None):
        """Draw the map of branches and months (`kind`: trouble, corrected, flagged, missing), or one series before and
        after when a branch and an indicator are given."""
        from ..charts.cleaning import plot_before_after, plot_quality

        if branch is None:
            return plot_quality(self, kind, ax, lang)
        return plot_before_after(self, branch, self.catalog.indicator(indicator or "").key, ax, lang)

    def save(self, folder: str | Path, lang: str | None = None) -> list[Path]:
        """Write ``panel.csv``, ``panel.parquet`` and ``ledger.csv``: the same bytes for the same numbers.

        Texts a spreadsheet could take for a formula get an apostrophe in front, in the CSV files only.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        flat = self.panel.reset_index()
        flat["month"] = flat["month"].astype(str)
        ledger = with_reasons(self.entries, lang).assign(month=lambda d: d["month"].astype(str))
        paths = [folder / "panel.csv", folder / "panel.parquet", folder / "ledger.csv"]
        options = {"index": False, "encoding": "utf-8-sig", "lineterminator": "\n", "float_format": "%.15g"}
        safe_for_spreadsheets(flat).to_csv(paths[0], **options)
        flat.to_parquet(paths[1], index=False)
        safe_for_spreadsheets(ledger).to_csv(paths[2], **options)
        return paths

    def _repr_html_(self) -> str:
        c = self.conservation.iloc[0]
        caption = t("cleaning.caption", cells=f"{c['cells']:,}", in_panel=f"{c['in_panel']:,}",
                    rejected=f"{c['rejected']:,}", policy=t(f"cleaning.policy_{self.policy}"))
        table = self.summary()
        table = pd.DataFrame({"rule": table["reason"],
                              "decision": [t(f"cleaning.{d}") for d in table["decision"].astype(str)],
                              "cells": table["cells"]})
        note = t("cleaning.missing", share=percent(self._counts["missing_share"]))
        return html_table(table, caption=caption, notes=[note, t("cleaning.several")])


def fingerprints(cleaned: Cleaned) -> dict[str, str]:
    """Return the hash of every part that :attr:`Cleaned.reads` can name; asking looks at none of them."""
    if cleaned._kept is not None:
        return dict(cleaned._kept.record["fingerprints"])
    tables = (cleaned._whole(f"_{name}") for name in ("panel", "entries", "cells"))
    return dict(cleaned._once("_fingerprints", lambda: fingerprints_of(
        cleaned.source, cleaned.catalog, *tables, cleaned.policy,
        count(cleaned._whole("_entries"), cleaned._whole("_panel"), cleaned.catalog))))


def as_month(month, known: pd.PeriodIndex) -> pd.Period | None:
    """Return a month as a period, or None for None.

    Raises
    ------
    UnknownNameError
        It is no month, or none of the months that exist.
    """
    if month is None:
        return None
    try:
        found = month if isinstance(month, pd.Period) else pd.Period(str(month), "M")
    except ValueError:
        found = None
    if found is None or found not in known:
        span = [str(known[0]), "…", str(known[-1])] if len(known) else []
        raise UnknownNameError("month", month, span)
    return found
