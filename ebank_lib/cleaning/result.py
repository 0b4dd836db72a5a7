"""What cleaning hands on: the panel, the ledger, and the ways to ask them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..catalog import Catalog
from ..display import html_table
from ..errors import UnknownNameError
from ..wording import language, percent, t
from .ledger import COLUMNS, DECISIONS, plain, reasons, safe_for_spreadsheets, shown

__all__ = ["Cleaned"]


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
    conservation : DataFrame
        ``cells, in_panel, rejected``: the first is the sum of the others (checked on every run).
    """

    source: object
    catalog: Catalog
    panel: pd.DataFrame
    entries: pd.DataFrame
    cells: pd.DataFrame
    policy: str
    conservation: pd.DataFrame
    _reasons: dict = field(default_factory=dict, repr=False, compare=False)
    # What later stages learn from the whole panel, month by month; kept with the data it was learnt from.
    contexts: dict = field(default_factory=dict, repr=False, compare=False)

    def __getstate__(self) -> dict:
        return self.__dict__ | {"contexts": {}}     # another process learns what it needs itself

    def __repr__(self) -> str:
        return (f"Cleaned({self.source!r}, {self.months[0]}..{self.months[-1]}, "
                f"{int(self.conservation['cells'].iloc[0])} cells, policy {self.policy!r})")

    @property
    def ledger(self) -> pd.DataFrame:
        """One row a decision, in the order of the cells, with the reason in the language in use."""
        lang = language()
        if lang not in self._reasons:
            self._reasons[lang] = self._with_reasons(self.entries, lang)
        return self._reasons[lang]

    def _with_reasons(self, entries: pd.DataFrame, lang: str | None) -> pd.DataFrame:
        return entries.assign(reason=reasons(entries, lang))[COLUMNS]

    def _only(self, decision: str) -> pd.DataFrame:
        return self._with_reasons(self.entries[self.entries["decision"] == decision], None).reset_index(drop=True)

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
        return list(self.panel.index.get_level_values("branch").unique())

    @property
    def months(self) -> pd.PeriodIndex:
        """The months of the panel."""
        return pd.PeriodIndex(self.panel.index.get_level_values("month").unique(), name="month")

    def series(self, branch: str, indicator: str, start=None, end=None) -> pd.Series:
        """Return one series on a monthly ``PeriodIndex``, NaN where missing, in the base unit.

        No indicator ("") is the catalogue's first headline indicator.

        Raises
        ------
        UnknownNameError
            Listing the branches, indicators or months that exist.
        """
        branch = self.branch_id(branch)
        indicator = self.catalog.indicator(indicator).key
        y = self.panel.loc[branch, indicator].copy()
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
        e = self.entries
        mine = e["branch"].isin(names) & (e["month"] == month) & (e["indicator"] == key)
        return self._with_reasons(e[mine], lang).reset_index(drop=True)

    def labelled(self, ledger: pd.DataFrame, lang: str | None = None) -> pd.DataFrame:
        """Return rows of the ledger with names instead of keys, for showing."""
        branches, indicators = self.catalog.branches, self.catalog.indicators
        return ledger.assign(
            branch=[branches[b].label(lang) if b in branches else b for b in ledger["branch"].astype(str)],
            indicator=[indicators[k].label(lang) if k in indicators else k for k in ledger["indicator"].astype(str)],
            decision=[t(f"cleaning.{d}", lang) for d in ledger["decision"].astype(str)])

    def summary(self, lang: str | None = None) -> pd.DataFrame:
        """Return one row per rule and decision: ``rule, decision, cells, reason``, the commonest first."""
        count = self.entries.groupby(["decision", "rule"], observed=True).size().rename("cells").reset_index()
        count = count.sort_values(["decision", "cells", "rule"], ascending=[True, False, True], kind="stable")
        count["rule"] = count["rule"].astype(str)
        count["reason"] = [t(f"cleaning.about_{r}", lang) for r in count["rule"]]
        return count[["rule", "decision", "cells", "reason"]].reset_index(drop=True)

    def quality(self, lang: str | None = None) -> pd.DataFrame:
        """Return one row per branch: decisions on its cells, numbers missing from the panel and their share."""
        e = self.entries[self.entries["cell"] >= 0]
        once = e.drop_duplicates(["cell", "decision"])
        counts = pd.crosstab(once["branch"].astype(str), once["decision"].astype(str))
        counts = counts.reindex(columns=list(DECISIONS), fill_value=0)
        fills = self.entries[self.entries["decision"] == "filled"].groupby("branch", observed=True).size()
        used = self.panel.notna().any().pipe(lambda s: s.index[s])
        missing = self.panel[used].isna().sum(axis=1).groupby(level=0, sort=False).sum()
        rows = []
        for b in [i for i in self.catalog.branches if i in counts.index]:
            gone = int(missing.get(b, 0))
            size = len(self.months) * len(used)
            rows.append({"branch": self.catalog.branches[b].label(lang), **counts.loc[b].astype(int).to_dict(),
                         "filled": int(fills.get(b, 0)), "missing": gone,
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
        e = self.entries
        mine = e[(e["branch"] == self.branch_id(branch)) & e["decision"].isin(["corrected", "flagged", "filled"])]
        proofs = [_proof(d, lang) for d in mine["detail"]]
        mine = self._with_reasons(mine, lang).astype({"decision": str, "indicator": str})
        mine["reason"] = list(zip(mine["reason"], proofs, strict=True))
        number = ["month", "decision", "file", "sheet", "row", "column", "indicator"]
        single = mine.groupby(number, sort=False, dropna=False, observed=True).agg(
            text=("text", "first"), after=("after", "last"),
            reason=("reason", lambda r: t("cleaning.and", lang).join(_once(r))))
        rows = single.reset_index().groupby(["month", "decision", "reason"], sort=False).agg(
            {"indicator": ["first", "size"], "file": "first", "sheet": "first", "column": "first", "row": "first",
             "text": "first", "after": "first"})
        rows.columns = ["indicator", "numbers", *rows.columns.get_level_values(0)[2:]]
        rows = rows.reset_index().sort_values("month", kind="stable", ignore_index=True)
        printed = rows["file"].fillna("").astype(str) != ""
        return pd.DataFrame({
            "month": rows["month"],
            "indicator": [self.catalog.indicator(k).label(lang) for k in rows["indicator"]],
            "numbers": rows["numbers"],
            "address": [_address(r) if p else None for r, p in zip(rows.itertuples(), printed, strict=True)],
            "text": rows["text"].astype(object).where(printed),
            "after": [self._said(k, v, lang) for k, v in zip(rows["indicator"], rows["after"], strict=True)],
            "decision": [t(f"cleaning.{d}", lang) for d in rows["decision"]],
            "reason": rows["reason"]})

    def _said(self, key: str, value: float, lang: str | None) -> str:
        if pd.isna(value) or self.catalog.indicators[key].kind == "ratio":
            return percent(value, 2)
        return f"{plain(value)}{'' if language(lang) == 'zh' else ' '}{self.catalog.unit_label(key, lang)}"

    def reading(self, branch: str | None = None, lang: str | None = None) -> str:
        """Say in a sentence what cleaning did: in all, or to the numbers of one branch."""
        e = self.entries
        if branch is not None:
            e = e[e["branch"] == self.branch_id(branch)]
        count = e.drop_duplicates(["cell", "decision", "branch", "month", "indicator"])["decision"].value_counts()
        count = {name: int(count.get(name, 0)) for name in DECISIONS}
        if branch is not None:
            return t("cleaning.reading_branch", lang, branch=self.catalog.branch(branch).label(lang), **count)
        done = self.conservation.iloc[0]
        return t("cleaning.reading", lang, cells=f"{done['cells']:,}", in_panel=f"{done['in_panel']:,}",
                 kept_out=f"{done['rejected']:,}", **count)

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
        return self._with_reasons(found.head(n), lang).reset_index(drop=True)

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
        ledger = self._with_reasons(self.entries, lang).assign(month=lambda d: d["month"].astype(str))
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
        note = t("cleaning.missing", share=percent(float(self.panel.isna().to_numpy().mean())))
        return html_table(table, caption=caption, notes=[note, t("cleaning.several")])


def _address(cell) -> str:
    """Return where a cell stands as a spreadsheet writes it; a column with a name of its own follows the row."""
    letters = cell.column.isupper() and cell.column.isascii() and len(cell.column) <= 3
    return f"{cell.file} {cell.sheet}!" + (f"{cell.column}{cell.row}" if letters else f"{cell.row} {cell.column}")


def _proof(detail: object, lang: str | None) -> str:
    """Return the proof that ends a reason, in words."""
    return shown("proof", detail["proof"], lang) if isinstance(detail, dict) and "proof" in detail else ""


def _once(reasons: Iterable[tuple[str, str]]) -> list[str]:
    """Return reasons of one number without repeating any, nor the proof that several of them end on."""
    said: dict[str, None] = {}
    before: set[str] = set()
    for reason, proof in reasons:
        if proof and proof in before:
            reason = reason.removesuffix(proof).rstrip(" ,，")
        before.add(proof)
        said[reason] = None
    return list(said)


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
