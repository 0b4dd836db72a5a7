"""How fast and how steadily: growth 环比, 定基 and 同比, volatility, trends.

Growth exists only where it means something: both values are there, the earlier one is above zero, the later one not
below. Everything else stays missing, with the reason in the table; no division ever gives an infinite number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from .catalog import Catalog, as_period
from .display import Shown, describe, html_table
from .errors import SeriesError, UnknownNameError
from .monthly import checked_name, regular
from .wording import cell, cite, language, listed, month_name, number, percent, t

KINDS = ("mom", "base", "yoy")
MIN_TREND = 12      # months: below this the normal approximation of Mann-Kendall's S is not to be trusted
# The coefficient of ranks about their trend above which a series is tested as a random walk.
WALK = 0.6
# What each picture's sentence is about: a column of the summary, and how its values are written.
_READ = {"mom": ("geo_mean", lambda v, lang: percent(v - 1, 1, True)),
         "base": ("base", lambda v, lang: f"{v:.2f}" if v < 100 else number(v, "", lang)),
         "yoy": ("last_yoy", lambda v, lang: percent(v, 1, True)),
         "volatility": ("robust", lambda v, lang: percent(v))}


# --- one series

def as_months(y: pd.Series) -> pd.Series:
    """Return a Series of numbers by months or dates as floats on every month from its first to its last, missing months
    as NaN; anything else is a SeriesError."""
    if not isinstance(y, pd.Series):
        raise SeriesError("is no series", found=type(y).__name__, expected="a pandas Series with a monthly PeriodIndex")
    y = regular(y)
    if not isinstance(y.index, pd.PeriodIndex):
        raise SeriesError("has no months", found=type(y.index).__name__,
                          expected="a monthly PeriodIndex, as y.to_period('M') has")
    return y.rename_axis(None)


def growth_rates(y: pd.Series, kind: str = "mom", base_month: pd.Period | str | None = None) -> pd.Series:
    """Return the growth of a monthly series.

    Parameters
    ----------
    y : Series of float, monthly PeriodIndex
    kind : {"mom", "base", "yoy"}
        ``mom`` 环比: rate on the month before; ``yoy`` 同比: rate on the same month a year before (0.05 = 5%);
        ``base`` 定基: multiple of the base month (1 there).
    base_month : Period or str, optional
        For ``base``; default the first month with a value.

    Returns
    -------
    Series
        NaN wherever a value is missing, the earlier one is not above zero or the later one is below zero.

    Examples
    --------
    >>> y = pd.Series([100.0, 110.0, 0.0, 5.0], pd.period_range("2008-01", periods=4, freq="M"))
    >>> growth_rates(y).round(3).tolist()
    [nan, 0.1, -1.0, nan]
    >>> growth_rates(y, "base", "2008-02").round(3).tolist()
    [0.909, 1.0, 0.0, 0.045]
    """
    checked_name(kind, "kind of growth", KINDS)
    y = as_months(y)
    if kind == "base":
        there = y.dropna()
        base = y.get(as_month(base_month), math.nan) if base_month is not None else (
            there.iloc[0] if len(there) else math.nan)
        return (y / base).where(y >= 0) if base > 0 else y * np.nan
    earlier = y.shift(1 if kind == "mom" else 12)
    return (y / earlier.where(earlier > 0)).where(y >= 0) - 1


def as_month(month: pd.Period | str) -> pd.Period:
    """Return a month given as text or Period."""
    found = as_period(month)
    if found is None:
        raise SeriesError("is no month", found=str(month), expected="YYYY-MM")
    return found


def log_growth(y: pd.Series) -> pd.Series:
    """Return the difference of logs, NaN where a value is missing or not above zero."""
    y = as_months(y)
    return np.log(y.where(y > 0)).diff()


def robust_sd(x: Sequence[float]) -> float:
    """Return 1.4826 times the median absolute deviation: the sd of normal data, blind to a few jumps."""
    x = np.asarray(x, dtype=float)
    x = x[np.isfinite(x)]
    return float(1.4826 * np.median(np.abs(x - np.median(x)))) if x.size else math.nan


def volatility(y: pd.Series) -> pd.Series:
    """Return the standard deviation of the last 12 months' log growth (0.05: months differ by about 5%); NaN with fewer
    than 8 of them."""
    return log_growth(y).rolling(12, min_periods=8).std()


class Trend(NamedTuple):
    """A slope per month with its interval, the test of "no trend", and a verdict: rises, falls, none, unknown."""

    slope: float
    lo: float
    hi: float
    p_value: float
    n: int
    verdict: str


def trend(x: pd.Series, level: float = 0.95) -> Trend:
    """Test whether a series drifts: Theil-Sen slope and Mann-Kendall test with a variance for autocorrelation.

    Mann-Kendall and Theil-Sen (Sen 1968) are moved little by single jumps, of which banks' policies make many. The
    variance of S is multiplied by n / n*, the effective sample size of an AR(1) (Yue and Wang 2004, Water Resources
    Management 18), its coefficient taken from the ranks of the detrended series and corrected for bias. On 43 months
    of AR(1) with coefficients -0.4 .. 0.6 it rejects "no trend" at 5% in 5 to 7% of cases; a regression slope with HAC
    errors does so in 6 to 23%. A random walk without drift would pass in a fifth of cases: where the ranks hang
    together as a random walk's do (coefficient above 0.6), slope, interval and test are those of the mean change
    instead, its variance that of independent changes or Newey and West's (3 lags), whichever is larger. Gaps are
    allowed: times are the true months. Fewer than 12 values: verdict ``unknown``.
    """
    values = x.to_numpy(dtype=float)
    here = np.flatnonzero(np.isfinite(values))
    v, n = values[here], here.size
    if n < MIN_TREND:
        return Trend(math.nan, math.nan, math.nan, math.nan, n, "unknown")
    i, j = np.triu_indices(n, 1)
    slopes = np.sort((v[j] - v[i]) / (here[j] - here[i]))
    slope = float(np.median(slopes))
    s = float(np.sign(v[j] - v[i]).sum())
    ties = np.unique(v, return_counts=True)[1]
    var = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    inflation, rho = _variance_inflation(values - slope * np.arange(values.size))
    if rho > WALK:
        slope, se = _mean_change(v, here)
        p, up = float(2 * stats.t.sf(abs(slope) / se, n - 2)), slope
        reach = stats.t.ppf((1 + level) / 2, n - 2) * se
        lo, hi = slope - reach, slope + reach
    else:
        var *= inflation
        p, up = float(2 * stats.norm.sf(max(abs(s) - 1, 0) / math.sqrt(var))) if var > 0 else 1.0, s
        reach = stats.norm.ppf((1 + level) / 2) * math.sqrt(var)
        lo, hi = (slopes[int(np.clip(round(k), 0, slopes.size - 1))]
                  for k in ((slopes.size - reach) / 2 - 1, (slopes.size + reach) / 2))
    return Trend(slope, float(lo), float(hi), p, n, "none" if p >= 1 - level else "rises" if up > 0 else "falls")


def _mean_change(v: np.ndarray, months: np.ndarray) -> tuple[float, float]:
    """Return the mean change a month of a walk seen at `months`, and its standard error (Newey and West 1987)."""
    change = (v[-1] - v[0]) / (months[-1] - months[0])
    steps = np.diff(months)
    shocks = (np.diff(v) - change * steps) / np.sqrt(steps)
    own = float(shocks @ shocks)
    together = own + 2 * sum((1 - k / 4) * float(shocks[k:] @ shocks[:-k]) for k in (1, 2, 3))
    return float(change), math.sqrt(max(own, together) / (shocks.size - 1) / (months[-1] - months[0]))


def _variance_inflation(x: np.ndarray) -> tuple[float, float]:
    """Return n / n* for the ranks of `x` (NaN where missing), taken as AR(1), and the coefficient of that."""
    n = int(np.isfinite(x).sum())
    # What only rounding tells apart has one rank.
    x = x - np.nanmedian(x)
    x = np.round(x / (np.nanmax(np.abs(x)) or 1.0), 9)
    ranks = np.full(x.size, np.nan)
    ranks[np.isfinite(x)] = stats.rankdata(x[np.isfinite(x)])
    ranks -= np.nanmean(ranks)
    power = np.nansum(ranks**2)
    if power <= 0:
        return 1.0, 0.0
    rho = np.nansum(ranks[1:] * ranks[:-1]) / power
    # Estimated from detrended data, rho is too small by about (2 + 4 rho) / n (Marriott and Pope 1954).
    rho = float(np.clip(rho + (2 + 4 * rho) / n, -0.9, 0.95))
    k = np.arange(1, n)
    return max(0.3, 1 + 2 * float(((1 - k / n) * rho**k).sum())), rho


# --- a branch

@dataclass(frozen=True, repr=False)
class GrowthAnalysis(Shown):
    """Growth of one branch's indicators.

    Attributes
    ----------
    y : DataFrame
        The figures, months x indicators.
    summary : DataFrame
        One row an indicator, see :func:`analyse_growth`.
    notes : tuple of str
        What could not be computed, in the language in use when it was.
    """

    branch: str
    catalog: Catalog
    base_month: pd.Period
    y: pd.DataFrame
    summary: pd.DataFrame
    notes: tuple[str, ...] = ()
    events: tuple = ()

    def series(self, indicator: str, column: str = "y") -> pd.Series:
        """Return one indicator by month: its figures (``y``) or their growth (``mom``, ``base``, ``yoy``)."""
        y = self.y[checked_name(indicator, "indicator", self.y.columns)]
        return y if column == "y" else growth_rates(y, column, self.base_month)

    @property
    def table(self) -> pd.DataFrame:
        """``indicator, month, y, mom, base, yoy``: one row an indicator and month."""
        return pd.concat([pd.DataFrame({"indicator": key, "month": self.y.index} | {
            name: self.series(key, name).to_numpy() for name in ("y", *KINDS)}) for key in self.y], ignore_index=True)

    @property
    def months(self) -> pd.PeriodIndex:
        """The months from the first to the last in which the branch has a figure."""
        there = self.y.dropna(how="all").index
        return pd.period_range(there.min(), there.max(), freq="M")

    def keys(self, kinds: Sequence[str] = ("stock", "flow"), group: str | None = None) -> list[str]:
        """Return the analysed indicators of these kinds (and group) that have a value, without net new customers,
        which have no growth of their own."""
        if group is not None:
            checked_name(group, "group", self.catalog.groups)
        rows = self.summary[self.summary["of"].isin(("size", "ratio"))]
        return [key for key in rows["indicator"] if self.catalog.indicators[key].kind in kinds
                and group in (None, self.catalog.indicators[key].group)]

    def groups(self, kinds: Sequence[str] = ("stock", "flow")) -> list[str]:
        """Return the groups that have something to draw, in the catalogue's order."""
        here = {self.catalog.indicators[key].group for key in self.keys(kinds)}
        return [group for group in self.catalog.groups if group in here]

    def events_for(self, keys: Sequence[str]) -> list[dict]:
        """Return the events that concern these indicators: ``month, zh, en``; one without indicators concerns all."""
        return [{"month": as_month(e.month), "zh": e.zh, "en": e.en} for e in self.events
                if not e.indicators or set(keys) & set(e.indicators)]

    def plot(self, kind: str = "mom", group: str | None = None, lang: str | None = None):
        """Draw ``mom`` (figure 4-1), ``base`` (4-3), ``ratio`` (4-4), ``yoy`` or ``volatility``; returns the Figure."""
        from .charts.growth import plot_growth

        return plot_growth(self, kind, group, lang)

    def reading(self, lang: str | None = None, kind: str = "yoy") -> str:
        """Say in one sentence what the picture of this kind shows."""
        lang = language(lang)
        if kind == "ratio":
            return self._ratios(lang)
        column, write = _READ[kind]
        who = self.catalog.branch(self.branch).label(lang)
        sizes = self.summary[self.summary["of"] == "size"].set_index("indicator")
        rows = sizes.dropna(subset=[column, "geo_mean"] if kind == "base" else [column])
        if rows.empty:
            return t("growth.reading_nothing", lang, branch=who)
        ends = {"high": rows[column].idxmax(), "low": rows[column].idxmin()}
        values = {}
        for name, key in ends.items():
            value = rows.loc[key, column]
            text = cite(write(value, lang), cell("growth", column, indicator=key))
            if kind == "base":
                text = t(f"growth.times_{'up' if value >= 1 else 'down'}", lang, value=text)
            values |= {name: self.catalog.indicators[key].short_label(lang), f"{name}_value": text}
        months = self.y[sizes.index].dropna(how="all").index
        counted, more = {"of": "size", column: "!="}, int((rows["vol_verdict"] == "rises").sum())
        return t(f"growth.reading_{kind}" + ("_none" if kind == "volatility" and not more else ""), lang, branch=who,
                 n=cite(len(rows), cell("growth", **counted)), base=month_name(self.base_month, lang),
                 up=cite(int((rows["geo_mean"] > 1).sum()), cell("growth", of="size", geo_mean=">1")),
                 more=cite(more, cell("growth", of="size", vol_verdict="rises")),
                 first=month_name(months.min(), lang), last=month_name(months.max(), lang), **values)

    def _ratios(self, lang: str) -> str:
        who = self.catalog.branch(self.branch).label(lang)
        rows = self.summary[self.summary["of"] == "ratio"].set_index("indicator")
        if rows.empty:
            return t("growth.reading_no_ratio", lang, branch=who)
        bounded = [key for key in rows.index if self.catalog.indicators[key].bounded]
        best = rows.loc[bounded or rows.index, "gain"].idxmax()
        first, last = (cite(percent(rows.loc[best, column]), cell("growth", column, indicator=best))
                       for column in ("y_first", "y_last"))
        return t("growth.reading_ratio", lang, branch=who, best=self.catalog.indicators[best].short_label(lang),
                 up=cite(int((rows["gain"] > 0).sum()), cell("growth", of="ratio", gain=">0")),
                 n=cite(len(rows), cell("growth", of="ratio")), before=first, after=last)

    def to_html(self, lang: str | None = None) -> str:
        """Return an indicator a row as HTML."""
        keep = ["indicator", "n", "mean_index", "last_yoy", "volatility", "robust", "verdict", "vol_verdict"]
        shown = self.summary.loc[self.summary["n"] > 0, keep]
        shown = shown.assign(indicator=[self.catalog.indicators[key].label(lang) for key in shown["indicator"]], **{
            name: [t(f"growth.{name}_{value}", lang) for value in shown[name]] for name in ("verdict", "vol_verdict")})
        there = self.y.dropna(how="all").index
        months = self.y.index if there.empty else there
        caption = t("growth.caption", lang, branch=self.catalog.branch(self.branch).label(lang),
                    first=month_name(months.min(), lang), last=month_name(months.max(), lang))
        formats = {"mean_index": "{:.3f}", "last_yoy": lambda v: percent(v, sign=True), "volatility": percent,
                   "robust": percent}
        return html_table(shown, caption=caption, heads={name: t(f"growth.{name}", lang) for name in keep[1:]},
                          formats=formats, lang=lang, notes=[t("growth.method", lang), *self.notes])


def analyse_growth(data, branch: str, catalog: Catalog | None = None, base_month: pd.Period | str | None = None,
                   events: Sequence = ()) -> GrowthAnalysis:
    """Analyse the growth of a branch's indicators.

    Parameters
    ----------
    data : Cleaned or DataFrame
        What cleaning hands on; or a panel with index ``(branch, month)`` and a float column an indicator, in base
        units, which needs `catalog`.
    branch : str
    base_month : Period or str, optional
        Of 定基; default the first month in which at least half of the branch's indicators are above zero.
    events : sequence, optional
        Default: the source's. Objects with ``month, indicators, branches`` and ``zh, en``; marked in the pictures.

    Returns
    -------
    GrowthAnalysis
        Its ``summary`` has for each indicator: ``n`` months with a value, ``missing``, ``mean_index`` (mean of
        month-on-month indices), ``geo_mean`` (geometric), ``last_yoy`` (of the panel's last month), ``volatility`` (sd
        of log growth), ``robust`` (1.4826 MAD), ``vol_first, vol_last`` (12-month volatility of the first and last
        year), ``slope, p_value, verdict`` (trend of log growth, per month), ``vol_slope, vol_p, vol_verdict`` (trend
        of its absolute deviations from that trend: whether growth becomes more or less steady), see :func:`trend`;
        ``of`` (what it counts as: size for stocks and flows, ratio, new for net new customers, none without a value),
        ``y_first, y_last, gain`` (first and last value, their difference), ``base`` (last multiple of the base month).

    Raises
    ------
    UnknownNameError
        Branch or base month; lists what exists.
    """
    catalog = data.catalog if catalog is None else catalog
    whole = isinstance(data, pd.DataFrame)
    known = data.index.get_level_values("branch").unique() if whole else data.branches
    branch = checked_name(catalog.branch(branch).id, "branch in the panel", known)
    frame = (data.xs(branch, level="branch") if whole else data.block(branch)).sort_index()
    if not whole:
        events = events or data.source.config.events
    keys = [k for k in catalog.indicators if k in frame.columns]
    share = (frame[keys].loc[:, (frame[keys] > 0).any()] > 0).mean(axis=1).fillna(0.0)
    first = frame.index[share >= min(0.5, share.max())][0]     # the first month in which half of what there is begins
    base = as_month(base_month) if base_month is not None else first
    if base not in frame.index:
        raise UnknownNameError("base month", base, [str(frame.index[0]), "…", str(frame.index[-1])])
    y = pd.DataFrame({key: as_months(frame[key]) for key in keys})
    new = {part for identity in catalog.identities if identity.kind == "change" for part in identity.parts}
    summary = pd.DataFrame([_summary(y[key], base, catalog.indicators[key].kind, key in new) for key in keys])
    describe(summary, indicator="indicator", exact=("y_first", "y_last"),
             kinds=dict.fromkeys(("last_yoy", "volatility", "robust", "vol_first", "vol_last"), "percent"),
             months={"y_first": "first", "y_last": "last", "last_yoy": "yoy", "gain": "ends", "base": "ends"})
    notes = _notes(frame[keys], catalog, base)
    if not whole and (doubts := data.left_out(branch, keys)):
        notes.append(doubts)
    mine = tuple(e for e in events if not e.branches or branch in e.branches)
    return GrowthAnalysis(branch, catalog, base, y, summary, tuple(notes), mine)


def _summary(y: pd.Series, base: pd.Period, kind: str, new: bool) -> dict:
    dlog, there, vol = log_growth(y), y.dropna(), volatility(y).dropna()
    multiple = growth_rates(y, "base", base).dropna()
    drift = trend(dlog)
    time = pd.Series(np.arange(len(dlog), dtype=float), dlog.index)
    centred = dlog - drift.slope * time if drift.n >= MIN_TREND else dlog
    spread = trend((centred - centred.median()).abs())
    first, last, vol_first, vol_last, _, of_base = (
        float(x.iloc[at]) if len(x) else math.nan for x in (there, vol, multiple) for at in (0, -1))
    return {"indicator": y.name, "n": len(there), "missing": len(y) - len(there),
            "mean_index": float(growth_rates(y).mean() + 1), "geo_mean": float(np.exp(dlog.mean())),
            "last_yoy": float(growth_rates(y, "yoy").iloc[-1]), "volatility": float(dlog.std()),
            "robust": robust_sd(dlog), "vol_first": vol_first, "vol_last": vol_last, "slope": drift.slope,
            "p_value": drift.p_value, "verdict": drift.verdict, "vol_slope": spread.slope, "vol_p": spread.p_value,
            "vol_verdict": spread.verdict,
            "of": "none" if there.empty else "new" if new else "ratio" if kind == "ratio" else "size",
            "y_first": first, "y_last": last, "gain": last - first, "base": of_base}


def _notes(frame: pd.DataFrame, catalog: Catalog, base: pd.Period) -> list[str]:
    def names(keys) -> str:
        return listed(catalog.indicators[k].short_label() for k in keys)

    notes = []
    empty = [k for k in frame.columns if frame[k].isna().all()]
    if empty:
        notes.append(t("growth.note_empty", n=len(empty), names=names(empty)))
    # A branch that began late or ended early misses nothing outside its own time.
    alive = frame.notna().any(axis=1)
    gaps = frame[alive.cummax() & alive[::-1].cummax()].drop(columns=empty).isna().sum()
    if gaps.any():
        notes.append(t("growth.note_missing", n=int((gaps > 0).sum()), months=int(gaps.max()),
                       most=catalog.indicators[gaps.idxmax()].short_label()))
    no_base = [k for k in frame.columns if not frame.loc[base, k] > 0 and frame[k].notna().any()]
    if no_base:
        notes.append(t("growth.note_base", names=names(no_base), month=month_name(base)))
    low = [k for k in frame.columns if (frame[k] <= 0).any()]
    if low:
        notes.append(t("growth.note_not_positive", names=names(low)))
    return notes
