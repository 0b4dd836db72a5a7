"""Where a branch stands among its peers: percentile, rank, and the gap to the median and the leader in months.

Percentile: the share of the *other* branches that stand below, ties counting half; the highest of all has 100%, the
lowest 0%. Sixteen branches are few: the interval (Jeffreys, Beta(k + 1/2, n - k + 1/2) of k below among n others;
Brown, Cai and DasGupta 2001, Statistical Science 16) says which share of branches *like these* may stand below.

Months behind: for how many months the leader (or the median) has stood at or above where the branch stands now, read
off the leader's own history. Sizes depend on how large a city is, so they are compared twice: as they stand, and as
a multiple of the branch's own base month.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ..catalog import Catalog, Indicator
from ..cleaning import reporting, trusted_panel
from ..display import Shown, describe
from ..errors import SeriesError
from ..monthly import checked_name
from ..wording import cell, cite, join, language, month_name, number, percent, t

YEAR = 12
MIN_OF_YEAR = 9      # months of the twelve that must be there; one lost workbook must not cost a year
MIN_OTHERS = 4          # fewer others than this have no percentile worth the name
_COLUMNS = ["indicator", "measure", "month", "y", "n", "rank", "percentile", "lo", "hi", "median", "gap_median",
            "median_months", "median_state", "leader", "leader_y", "gap_leader", "leader_months", "leader_state",
            "status"]


def comparable_keys(panel: pd.DataFrame, catalog: Catalog, indicators: Sequence[str] | None = None) -> list[str]:
    """Return the indicators to compare: those asked for, else all with a value but net new customers, which are the
    growth of a stock that is compared itself."""
    if indicators is not None:
        return list(dict.fromkeys(
            checked_name(catalog.indicator(key).key, "indicator", panel.columns) for key in indicators))
    new = {part for i in catalog.identities if i.kind == "change" for part in i.parts}
    return [k for k in catalog.indicators if k in panel.columns and k not in new and panel[k].notna().any()]


def by_branch(panel: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return an indicator as months x branches; at once, since looking up hundreds one by one takes seconds."""
    return panel[key].unstack("branch").astype(float).rename_axis(columns="branch")  # noqa: PD010 - nothing to aggregate


def matrix(panel: pd.DataFrame, catalog: Catalog, key: str) -> pd.DataFrame:
    """Return an indicator as it is compared: months x reporting branches (those of the panel), base units.

    A flow is the mean of the last twelve months, because in a single month its season would say more than its level;
    it is there from the twelfth month of a branch on where at least nine of the twelve are.
    """
    branches = reporting(catalog, panel)
    if not branches:
        here = panel.index.get_level_values("branch").unique()[:5]
        raise SeriesError("holds no branch to compare", found=", ".join(map(str, here)) or "nothing",
                          expected="branches of the catalogue")
    wide = by_branch(panel, key)[branches]
    wide = wide.reindex(pd.period_range(wide.index[0], wide.index[-1], freq="M", name="month"))
    if catalog.indicators[key].kind != "flow":
        return wide
    begun = wide.notna().cummax()
    return wide.rolling(YEAR, min_periods=MIN_OF_YEAR).mean().where(begun.shift(YEAR - 1, fill_value=False))


def base_month(wide: pd.DataFrame) -> pd.Period | None:
    """Return the first month in which at least half of the branches that ever report have a value above zero."""
    ever = int((wide > 0).any().sum())
    enough = (wide > 0).sum(axis=1) >= max(ever / 2, 1)
    return wide.index[enough.to_numpy().argmax()] if ever and enough.any() else None


def indexed(wide: pd.DataFrame) -> tuple[pd.DataFrame, pd.Period | None]:
    """Return each branch as a multiple of its own value in the base month, and that month.

    A branch without a value above zero in the base month has none: it began later.
    """
    base = base_month(wide)
    if base is None:
        return wide * np.nan, None
    start = wide.loc[base]
    return (wide / start.where(start > 0)).where(wide >= 0).loc[base:].reindex(wide.index), base


def scaled(wide: pd.DataFrame, ind: Indicator) -> pd.DataFrame:
    """Return logs, or log odds of a bounded ratio (its growth slows near 100% whatever branches do); NaN outside."""
    if ind.kind == "ratio" and ind.bounded:
        inside = wide.where((wide > 0) & (wide < 1))
        return np.log(inside / (1 - inside))
    return np.log(wide.where(wide > 0))


@dataclass(frozen=True, repr=False)
class Peers(Shown):
    """One branch among the branches of its source; see :func:`compare_peers`.

    Attributes
    ----------
    latest : DataFrame
        One row an indicator and measure: ``indicator, measure`` (``level`` in base units, ``growth`` as a multiple of
        the base month), ``month`` (the branch's last with a value; the last of all where there is none), ``y, n``
        (branches with a value), ``rank`` (1 is the highest),
        ``percentile, lo, hi, median, gap_median`` (y less the median), ``median_months, median_state, leader,
        leader_y, gap_leader, leader_months, leader_state, status``. States: ``behind``, ``ahead`` (months that the
        branch itself has stood at or above today's median), ``equal``, ``behind_window`` and ``ahead_window`` (so
        since the data begin: at least so many months), ``leader``. Status: ``ok``, ``missing`` (no value), ``late``
        (began after the base month, so no growth since then), ``short`` (a flow of less than twelve months), ``few``
        (fewer than four others).
    everyone : DataFrame
        Every branch in the same month: ``indicator, measure, month, branch, y, rank, percentile``.
    bases : dict
        The base month of each indicator's growth.
    """

    branch: str
    catalog: Catalog
    latest: pd.DataFrame
    everyone: pd.DataFrame
    bases: dict[str, pd.Period | None]
    level: float = 0.95
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

    def said(self, indicator: str, measure: str, value: float, lang: str | None = None) -> str:
        """Return a value of the table as it is said: units, per cent, or times the base month."""
        if measure == "growth":
            digits = 2 if value < 100 else 0
            return t("peers.times", lang, value=f"{value:,.{digits}f}") if math.isfinite(value) else "–"
        if self.catalog.indicators[indicator].kind == "ratio":
            return percent(value)
        return number(value, self.catalog.unit_label(indicator, lang), lang)

    def _what(self, row, lang: str) -> str:
        return t(f"peers.what_{row['measure']}", lang,
                 indicator=self.catalog.indicators[row["indicator"]].short_label(lang))

    def furthest(self, lang: str | None = None) -> str:
        """Return the sentence of the scale-free row most months behind the leader, or ""; cells as :meth:`reading`."""
        lang, rows = language(lang), self.scale_free()
        rows = rows[rows["leader_state"].isin(["behind", "behind_window"])]
        if rows.empty:
            return ""
        row = rows.loc[rows["leader_months"].idxmax()]
        ind, growth = self.catalog.indicators[row["indicator"]], row["measure"] == "growth"

        def gap(other: str) -> dict[str, str]:
            """A gap in words: of multiples the other's own, since "0.2 times lower" can be read in two ways."""
            if growth:
                theirs = _cited(row, other, self.said(ind.key, "growth", row[other], lang))
                return {"gap": "", "note": t("peers.with_other", lang, other=theirs)}
            points = t("peers.points", lang, n=f"{abs(row['y'] - row[other]) * 100:.1f}")
            column = "gap_median" if other == "median" else "gap_leader"
            return {"gap": t("peers.with_gap", lang, gap=_cited(row, column, points)), "note": ""}

        def count(months: int) -> str:
            return t(f"peers.months_{months}" if months < 2 else "peers.months_n", lang, n=months)

        place = {name: _cited(row, name, int(row[name])) for name in ("rank", "n")}
        where = t("peers.few", lang, **place) if row["status"] == "few" else t(
            "peers.where", lang, level=percent(self.level, 0), **place,
            **{name: _cited(row, name, percent(row[name], 0)) for name in ("percentile", "lo", "hi")})
        parts = [t(f"peers.{side}_{row[f'{side}_state']}", lang, leader=self.catalog.branch(row["leader"]).label(lang),
                   months=_cited(row, f"{side}_months", count(int(row[f"{side}_months"]))), **gap(other))
                 for side, other in (("median", "median"), ("leader", "leader_y"))]
        return t(f"peers.sentence_{row['measure']}", lang, indicator=ind.label(lang), where=where,
                 branch=self.catalog.branch(self.branch).label(lang), month=month_name(row["month"], lang),
                 base=month_name(self.bases.get(ind.key), lang), gaps=join(parts, "；" if lang == "zh" else "; "),
                 y=_cited(row, "y", self.said(ind.key, row["measure"], row["y"], lang)))

    @property
    def table(self) -> pd.DataFrame:
        """What a notebook shows."""
        return self.latest

    def plot(self, lang: str | None = None):
        """Draw every branch as a dot on the percentile of its province, this one marked; returns the Figure."""
        from ..charts.peers import plot_peers

        return plot_peers(self, lang)


def _cited(row, column: str, text: object) -> str:
    return cite(text, cell("peers_free", column, indicator=row["indicator"], measure=row["measure"]))


def percentile_interval(below: np.ndarray | float, others: np.ndarray | int, level: float = 0.95):
    """Return the Jeffreys interval of a percentile: how many of how many others stand below (ties count half).

    None below has the lower end 0, all below the upper end 1.
    """
    below, others = np.asarray(below, float), np.asarray(others, float)
    lo, hi = stats.beta.interval(level, below + 0.5, others - below + 0.5)
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
    rows, fields, bases, own = [], [], {}, panel.loc[branch]
    for key in comparable_keys(panel, catalog, indicators):
        wide = matrix(panel, catalog, key)
        measures = {"level": wide}
        if catalog.indicators[key].kind != "ratio":
            measures["growth"], bases[key] = indexed(wide)
        for measure, values in measures.items():
            month = values[branch].last_valid_index()
            absent = "" if month is not None else (
                "short" if own[key].notna().any() and not wide[branch].notna().any() else
                "late" if measure == "growth" and wide[branch].notna().any() else "missing")
            about = {"indicator": key, "measure": measure, "month": values.index[-1] if month is None else month}
            rows.append(about | place(values.loc[:about["month"]], branch, absent))
            fields.append(_everyone(values.loc[about["month"]], about))
    latest = describe(pd.DataFrame(rows, columns=_COLUMNS), kinds={"percentile": "percent"}, indicator="indicator",
                      months={"y": "row"}, exact=["y"], across=[
                          "rank", "percentile", "lo", "hi", "median", "gap_median", "median_months", "leader_y",
                          "gap_leader", "leader_months", "n"])
    everyone = pd.concat(fields or [pd.DataFrame(columns=["indicator", "measure", "month", "branch", "y", "rank",
                                                          "percentile"])], ignore_index=True)
    return Peers(branch, catalog, latest, everyone, bases)


def place(values: pd.DataFrame, branch: str, absent: str = "") -> dict:
    """Where a branch stands in the last of some months (months x branches); `absent` says why it has no value there."""
    now, y = values.iloc[-1], float(values[branch].iloc[-1])
    n = int(now.notna().sum())
    median, leader = (float(now.median()), str(now.idxmax())) if n else (math.nan, "")
    leader_y = float(now[leader]) if n else math.nan
    row = {"y": y, "n": n, "rank": math.nan, "percentile": math.nan, "lo": math.nan, "hi": math.nan, "median": median,
           "gap_median": y - median, "median_months": math.nan, "median_state": "", "leader": leader,
           "leader_y": leader_y, "gap_leader": y - leader_y, "leader_months": math.nan, "leader_state": "",
           "status": absent}
    if absent:
        return row
    above, tied = int((now > y).sum()), int((now == y).sum()) - 1
    row |= {"rank": above + 1.0, "status": "few"}
    if n - 1 >= MIN_OTHERS:
        below = n - 1 - above - 0.5 * tied
        lo, hi = percentile_interval(below, n - 1)
        row |= {"percentile": below / (n - 1), "lo": float(lo), "hi": float(hi), "status": "ok"}
    own = values[branch].to_numpy()
    for name, state in (("median", _behind(values.median(axis=1).to_numpy(), own)),
                        ("leader", _behind(values[leader].to_numpy(), own) if above else ("leader", 0))):
        row |= {f"{name}_state": state[0], f"{name}_months": float(state[1])}
    return row


def _behind(other: np.ndarray, own: np.ndarray) -> tuple[str, int]:
    """Compare the last values of two histories: who has stood for how long where the other stands now."""
    if own[-1] == other[-1]:
        return "equal", 0
    state, history, value = ("behind", other, own[-1]) if own[-1] < other[-1] else ("ahead", own, other[-1])
    months, since_the_beginning = months_since(history, value)
    return (f"{state}_window" if since_the_beginning else state), months


def _everyone(y: pd.Series, about: dict) -> pd.DataFrame:
    n = int(y.notna().sum())
    share = (y.rank() - 1) / (n - 1) if n - 1 >= MIN_OTHERS else y * np.nan
    return pd.DataFrame({**about, "branch": y.index.to_numpy(object), "y": y.to_numpy(),
                         "rank": y.rank(ascending=False, method="min").to_numpy(), "percentile": share.to_numpy()})
