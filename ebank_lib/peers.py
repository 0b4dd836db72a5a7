"""A branch among its peers: percentile, rank, how many months behind the leader; and where things stand now.

Percentile: the share of the *other* branches that stand below, ties counting half; the highest of all has 100%, the
lowest 0%. Sixteen branches are few: the interval (Jeffreys, Beta(k + 1/2, n - k + 1/2) of k below among n others;
Brown, Cai and DasGupta 2001, Statistical Science 16) says which share of branches *like these* may stand below.

Months behind: for how many months the leader has stood at or above where the branch stands now, read off the leader's
own history. Sizes depend on how large a city is, so they are compared twice: as they stand, and as
a multiple of the branch's own base month.

Where things stand now (:func:`standing`) compares a size by its growth on the same month a year before, which does not
depend on how large a city is; a ratio by its level.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from .catalog import Catalog
from .cleaning import reporting, trusted_panel
from .display import Shown, describe, html_table
from .monthly import checked_name
from .wording import cell, cite, language, month_name, number, percent, t

YEAR = 12
MIN_OF_YEAR = 9      # months of the twelve that must be there; one lost workbook must not cost a year
MIN_OTHERS = 4          # fewer others than this have no percentile worth the name
_COLUMNS = ["indicator", "measure", "month", "y", "n", "rank", "percentile", "lo", "hi", "median", "leader", "leader_y",
            "leader_months", "leader_state", "status"]
_STANDING = ["indicator", "kind", "month", "y", "before", "yoy", "compared", "n", "rank", "median", "whole", "first",
             "first_value", "last", "last_value"]


def by_branch(panel: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return an indicator as months x branches; at once, since looking up hundreds one by one takes seconds."""
    return panel[key].unstack("branch").astype(float).rename_axis(columns="branch")  # noqa: PD010 - nothing to aggregate


def matrix(panel: pd.DataFrame, catalog: Catalog, key: str) -> pd.DataFrame:
    """Return an indicator as it is compared: months x reporting branches (those of the panel), base units.

    A flow is the mean of the last twelve months, because in a single month its season would say more than its level;
    it is there from the twelfth month of a branch on where at least nine of the twelve are.
    """
    wide = by_branch(panel, key)[reporting(catalog, panel)]
    wide = wide.reindex(pd.period_range(wide.index[0], wide.index[-1], freq="M", name="month"))
    if catalog.indicators[key].kind != "flow":
        return wide
    begun = wide.notna().cummax()
    return wide.rolling(YEAR, min_periods=MIN_OF_YEAR).mean().where(begun.shift(YEAR - 1, fill_value=False))


def indexed(wide: pd.DataFrame) -> pd.DataFrame:
    """Return each branch as a multiple of its own value in the base month, the first in which at least half of the
    branches that ever report have a value above zero.

    A branch without a value above zero in the base month has none: it began later.
    """
    there = wide > 0
    enough = there.sum(axis=1) >= max(there.any().sum() / 2, 1)
    if not enough.any():
        return wide * np.nan
    base = enough.idxmax()
    start = wide.loc[base]
    return (wide / start.where(start > 0)).where(wide >= 0).loc[base:].reindex(wide.index)


@dataclass(frozen=True, repr=False)
class Peers(Shown):
    """One branch among the branches of its source; see :func:`compare_peers`.

    Attributes
    ----------
    latest : DataFrame
        One row an indicator and measure: ``indicator, measure`` (``level`` in base units, ``growth`` as a multiple of
        the base month), ``month`` (the branch's last with a value; the last of all where there is none), ``y, n``
        (branches with a value), ``rank`` (1 is the highest), ``percentile, lo, hi, median, leader, leader_y,
        leader_months, leader_state, status``. States: ``behind``, ``behind_window`` (so since the data begin: at least
        so many months), ``leader``. Status: ``ok``, ``missing`` (no value), ``late`` (began after the base month, so no
        growth since then), ``short`` (a flow of less than twelve months), ``few`` (fewer than four others).
    everyone : DataFrame
        The values of every branch in that month: (indicator, measure) x branches.
    """

    branch: str
    catalog: Catalog
    latest: pd.DataFrame
    everyone: pd.DataFrame
    method = "peers.method"

    def scale_free(self) -> pd.DataFrame:
        """Return of :attr:`latest` what does not depend on a branch's size: ratios, and the growth of sizes; not
        the parts whose share of the whole is a row of its own."""
        within = {p for i in self.catalog.identities if i.kind == "within" for p in i.parts}
        rows = self.latest[~self.latest["indicator"].isin(within)]
        ratio = np.array([self.catalog.indicators[k].kind == "ratio" for k in rows["indicator"]], dtype=bool)
        return rows[ratio | (rows["measure"] == "growth").to_numpy()].reset_index(drop=True)

    def reading(self, lang: str | None = None) -> str:
        """Say in one sentence where the branch stands furthest ahead and furthest behind, sizes apart.

        Its numbers know their cells in the table recorded as ``peers_free`` (:meth:`scale_free`).
        """
        lang = language(lang)
        who = self.catalog.branch(self.branch).label(lang)
        rows = self.scale_free().dropna(subset=["percentile"])
        if rows.empty:
            return t("peers.reading_nothing", lang, branch=who)
        best, worst, most = (rows.loc[at] for at in (rows["percentile"].idxmax(), rows["percentile"].idxmin(),
                                                     rows["n"].idxmax()))
        count = {name: cite(int(is_so.sum()), cell("peers_free", percentile=said)) for name, is_so, said in (
            ("count", rows["percentile"].notna(), "!="), ("top", rows["percentile"] >= 0.75, ">=0.75"),
            ("bottom", rows["percentile"] <= 0.25, "<=0.25"))}
        return t("peers.reading", lang, branch=who, month=month_name(rows["month"].max(), lang),
                 n=_cited(most, "n", int(most["n"])), best=self._what(best, lang), worst=self._what(worst, lang),
                 best_rank=_cited(best, "rank", int(best["rank"])),
                 worst_rank=_cited(worst, "rank", int(worst["rank"])), **count)

    def _what(self, row, lang: str) -> str:
        return t(f"peers.what_{row['measure']}", lang,
                 indicator=self.catalog.indicators[row["indicator"]].short_label(lang))

    @property
    def table(self) -> pd.DataFrame:
        """What a notebook shows."""
        return self.latest

    def plot(self, lang: str | None = None):
        """Draw every branch as a dot on the percentile of its province, this one marked; returns the Figure."""
        from .charts.province import plot_peers

        return plot_peers(self, lang)


def _cited(row, column: str, text: object) -> str:
    return cite(text, cell("peers_free", column, indicator=row["indicator"], measure=row["measure"]))


def percentile_interval(below: np.ndarray | float, others: np.ndarray | int):
    """Return the 95% Jeffreys interval of a percentile: how many of how many others stand below (ties count half).

    None below has the lower end 0, all below the upper end 1.
    """
    below, others = np.asarray(below, float), np.asarray(others, float)
    lo, hi = stats.beta.interval(0.95, below + 0.5, others - below + 0.5)
    return np.where(below == 0, 0.0, lo), np.where(below == others, 1.0, hi)


def months_since(history: np.ndarray, value: float) -> tuple[int, bool]:
    """Return for how many months a history has stood at or above a value, and whether since its very beginning.

    Its last month is at or above the value. Missing months (NaN) say nothing.
    """
    here = np.flatnonzero(np.isfinite(history))
    # The same level computed in another order of operations may differ in its last digit.
    under = here[history[here] < value - 1e-12 * abs(value)]
    since = here[here > under[-1]] if under.size else here
    return int(len(history) - 1 - since[0]), not under.size


def compare_peers(cleaned, branch: str, indicators: Sequence[str] | None = None) -> Peers:
    """Compare a branch with the others of its source, indicator by indicator.

    Parameters
    ----------
    cleaned : Cleaned
        Its ``panel`` and ``catalog``; totals and merged units are no peers.
    branch : str
    indicators : sequence of str, optional
        Default: every indicator with a value, without net new customers.

    Raises
    ------
    UnknownNameError
        Branch or indicator; lists what exists.
    """
    catalog, panel = cleaned.catalog, trusted_panel(cleaned)
    branch = catalog.branch(branch).id
    checked_name(branch, "branch among the peers", reporting(catalog, panel))
    if indicators is None:      # without net new customers: the growth of a stock that is compared itself
        new = {part for i in catalog.identities if i.kind == "change" for part in i.parts}
        indicators = [k for k in catalog.indicators if k in panel.columns and k not in new and panel[k].notna().any()]
    rows, fields, own = [], {}, panel.loc[branch]
    for key in dict.fromkeys(checked_name(catalog.indicator(k).key, "indicator", panel.columns) for k in indicators):
        wide = matrix(panel, catalog, key)
        measures = {"level": wide}
        if catalog.indicators[key].kind != "ratio":
            measures["growth"] = indexed(wide)
        for measure, values in measures.items():
            month = values[branch].last_valid_index()
            absent = "" if month is not None else (
                "short" if own[key].notna().any() and not wide[branch].notna().any() else
                "late" if measure == "growth" and wide[branch].notna().any() else "missing")
            about = {"indicator": key, "measure": measure, "month": values.index[-1] if month is None else month}
            rows.append(about | place(values.loc[:about["month"]], branch, absent))
            fields[key, measure] = values.loc[about["month"]]
    latest = describe(pd.DataFrame(rows, columns=_COLUMNS), kinds={"percentile": "percent"}, indicator="indicator",
                      months={"y": "row"}, exact=["y"],
                      across=["rank", "percentile", "lo", "hi", "median", "leader_y", "leader_months", "n"])
    return Peers(branch, catalog, latest, pd.DataFrame(fields).T)


def place(values: pd.DataFrame, branch: str, absent: str = "") -> dict:
    """Where a branch stands in the last of some months (months x branches); `absent` says why it has no value there."""
    now, y = values.iloc[-1], float(values[branch].iloc[-1])
    n = int(now.notna().sum())
    median, leader = (float(now.median()), str(now.idxmax())) if n else (math.nan, "")
    leader_y = float(now[leader]) if n else math.nan
    row = {"y": y, "n": n, "rank": math.nan, "percentile": math.nan, "lo": math.nan, "hi": math.nan, "median": median,
           "leader": leader, "leader_y": leader_y, "leader_months": math.nan, "leader_state": "", "status": absent}
    if absent:
        return row
    above, tied = int((now > y).sum()), int((now == y).sum()) - 1
    row |= {"rank": above + 1.0, "status": "few"}
    if n - 1 >= MIN_OTHERS:
        below = n - 1 - above - 0.5 * tied
        lo, hi = percentile_interval(below, n - 1)
        row |= {"percentile": below / (n - 1), "lo": float(lo), "hi": float(hi), "status": "ok"}
    if not above:
        return row | {"leader_state": "leader", "leader_months": 0.0}
    months, since_the_beginning = months_since(values[leader].to_numpy(), y)
    return row | {"leader_state": "behind_window" if since_the_beginning else "behind", "leader_months": float(months)}


# ---------------------------------------------------------------- where things stand now

@dataclass(frozen=True, repr=False)
class Standing(Shown):
    """A branch, or all together, now and a year before, among the branches; see :func:`standing`.

    Attributes
    ----------
    table : DataFrame
        A row an indicator: ``indicator, kind, month`` (the last with a value), ``y, before`` (the month a year
        earlier), ``yoy`` (growth from there; of a ratio the difference), ``compared`` (what branches are compared by:
        growth of a size, level of a ratio), ``n`` (branches that have it), ``rank`` (1 is the highest), ``median`` of
        the branches, ``whole`` (all together), ``first, first_value, last, last_value`` (highest and lowest branch).
    everyone : DataFrame
        What branches are compared by: indicators x branches.
    branch : str or None
        None is all together, who have no rank.
    """

    table: pd.DataFrame
    everyone: pd.DataFrame
    catalog: Catalog
    branch: str | None = None

    def said(self, indicator: str, value: float, lang: str | None = None) -> str:
        """Return what branches are compared by as it is said: growth with its sign, a ratio per cent."""
        return percent(value, sign=self.catalog.indicators[indicator].kind != "ratio")

    def to_html(self, lang: str | None = None) -> str:
        """Return the table as HTML for reading."""
        lang, catalog, rows = language(lang), self.catalog, self.table.to_dict("records")

        def figure(row: dict, name: str) -> str:
            return percent(row[name]) if row["kind"] == "ratio" else number(
                row[name], catalog.unit_label(row["indicator"], lang), lang)

        def end(row: dict, name: str) -> str:
            value = self.said(row["indicator"], row[f"{name}_value"], lang)
            return f"{catalog.branch(row[name]).label(lang)} {value}" if row[name] else "–"

        shown = pd.DataFrame({
            "indicator": [catalog.indicators[row["indicator"]].label(lang) for row in rows],
            "month": [month_name(row["month"], lang) for row in rows],
            "y": [figure(row, "y") for row in rows], "before": [figure(row, "before") for row in rows],
            "yoy": [t("peers.points", lang, n=f"{100 * row['yoy']:+.1f}") if row["kind"] == "ratio"
                    and math.isfinite(row["yoy"]) else percent(row["yoy"], sign=True) for row in rows],
            "rank": [t("peers.rank_of", lang, rank=f"{row['rank']:.0f}", n=row["n"]) if row["rank"] > 0 else "–"
                     for row in rows],
            "median": [self.said(row["indicator"], row["median"], lang) for row in rows],
            "first": [end(row, "first") for row in rows], "last": [end(row, "last") for row in rows]})
        named = ["indicator", "month", "y", "before", "yoy", "first", "last"]
        if self.branch is not None:
            named[5:] = ["rank", "median", "first"] if (self.table["n"] > 1).any() else []
        who = t("report.all_branches", lang) if self.branch is None else catalog.branch(self.branch).label(lang)
        heads = {c: t(f"peers.standing_{c}", lang) for c in named[2:]}
        return html_table(shown[named], lang=lang, caption=t("peers.standing_caption", lang, branch=who), heads=heads,
                          notes=[t("peers.standing_note", lang)])

    def plot(self, lang: str | None = None):
        """Draw the branches of each indicator from the lowest to the highest, this one marked; returns the Figure."""
        from .charts.province import plot_standing

        return plot_standing(self, lang)


def standing(cleaned, branch: str | None = None, indicators: Iterable[str] | None = None) -> Standing:
    """Return how a branch, or all together, stand against the year before and among the branches.

    Parameters
    ----------
    cleaned : Cleaned
    branch : str, optional
        Default: all branches together, where there is a total (:meth:`ebank_lib.cleaning.Cleaned.total`).
    indicators : iterable of str, optional
        Default: the catalogue's headline, or all where it names none; those without a value are left out.

    Raises
    ------
    UnknownNameError
        Branch or indicator; lists what exists.
    """
    catalog, panel = cleaned.catalog, trusted_panel(cleaned)
    total = cleaned.total()
    own = total if branch is None else panel.xs(catalog.branch(branch).id, level="branch")
    wanted = [catalog.indicator(key).key for key in indicators or catalog.headline or catalog.indicators]
    peers = reporting(catalog, panel)
    rows, fields = [], {}
    for key in dict.fromkeys(wanted):
        y = own[key].dropna() if key in own else pd.Series(dtype=float)
        if y.empty:
            continue
        ratio, month = catalog.indicators[key].kind == "ratio", y.index[-1]
        # Each branch, this one and all together, as columns: now, and the change over the year to now.
        frame = by_branch(panel, key)[peers].assign(_own=own[key], _whole=total.get(key, np.nan))
        now, before = (frame.reindex([at]).iloc[0] for at in (month, month - YEAR))
        yoy = now - before if ratio else now / before.where(before > 0) - 1
        compared = now if ratio else yoy
        fields[key] = others = compared[peers].dropna().sort_values(ascending=False, kind="stable")
        mine, found = compared["_own"], len(others)
        rows.append({
            "indicator": key, "kind": catalog.indicators[key].kind, "month": month, "y": y.iloc[-1],
            "before": before["_own"], "yoy": yoy["_own"], "compared": mine, "n": found,
            "rank": (others > mine).sum() + 1.0 if branch is not None and np.isfinite(mine) else np.nan,
            "median": others.median(), "whole": compared["_whole"],
            "first": others.index[0] if found else "", "first_value": others.max(),
            "last": others.index[-1] if found else "", "last_value": others.min()})
    table = describe(pd.DataFrame(rows, columns=_STANDING), kinds=dict.fromkeys(
        ("yoy", "compared", "median", "whole", "first_value", "last_value"), "percent"), indicator="indicator",
        branch="@" if branch is not None else "*", months={"y": "row", "yoy": "yoy", "compared": "yoy"}, exact=["y"],
        across=["n", "rank", "median", "whole", "first_value", "last_value"])
    return Standing(table, pd.DataFrame(fields).T, catalog, branch and catalog.branch(branch).id)
