"""Does a series wander, and what follows: a battery of tests on level, log and their differences, d and D.

Tests that take a unit root as the null (ADF, Phillips-Perron, DF-GLS, Zivot-Andrews with one break) stand beside one
that takes stationarity as the null (KPSS): only where they agree is the answer clear, and the verdict says when they
do not. Statistics are those of the package arch; R's urca and tseries give the same ones (see the tests).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from arch.unitroot import ADF, DFGLS, KPSS, PhillipsPerron, ZivotAndrews
from scipy.stats import kruskal
from statsmodels.tsa.seasonal import STL

from .display import Shown, describe, html_table
from .growth import as_months
from .wording import cell, cite, has, join, language, month_name, t

LEVEL = 0.05
MIN_MONTHS = 24          # the tests' tables begin about here
BRIDGED = 3              # missing months in a row that a test looks past
YEAR = 12                # months of a season
STRONG = 0.64            # seasonal strength from which one differences (Hyndman's rule in R's forecast::nsdiffs)


def without_gaps(y: pd.Series) -> pd.Series:
    """Return the longest stretch (the later one of equals) without a gap of more than three months.

    Months missing within it lie on a straight line between their neighbours: their expectation, were `y` a random walk
    with drift. One month that is missing would otherwise cost all those before it.
    """
    y = as_months(y)
    y = y.loc[y.first_valid_index():y.last_valid_index()]
    gap = y.isna()
    stretch = (gap != gap.shift()).cumsum()
    y = y.interpolate().where(~gap | (gap.groupby(stretch).transform("size") <= BRIDGED))
    runs = (y.notna() != y.notna().shift()).cumsum()[y.notna()]
    return y[y.index.isin(runs.index[runs == runs.mode().max()])]


def choose_d(y: pd.Series) -> int:
    """Return how often to difference (at most twice): the fewest times after which KPSS does not reject stationarity.

    The rule of Hyndman and Khandakar (2008), as in R's ``forecast::ndiffs``: KPSS about a level with
    ``trunc(3 sqrt(n) / 13)`` lags, at 5%. `y` is on the scale that is modelled. A series of fewer than 10 values or
    constant gives 0; gaps are treated as of :func:`without_gaps`.
    """
    x = without_gaps(y).to_numpy()
    if x.size < 10:
        return 0
    for d in range(2):
        if _constant(x) or KPSS(_scaled(x), trend="c", lags=int(3 * math.sqrt(x.size) / 13)).pvalue >= LEVEL:
            return d
        x = np.diff(x)
    return 2


def _scaled(x: np.ndarray) -> np.ndarray:
    """Standardise: the statistics do not depend on scale, the arithmetic behind them does."""
    return (x - x.mean()) / x.std()


def _constant(x: np.ndarray) -> bool:
    return bool(np.ptp(x) <= 1e-9 * max(1.0, float(np.abs(x).max())))


def seasonal_strength(y: pd.Series) -> float:
    """Return Wang, Smith and Hyndman's (2006) strength of seasonality: 0 none .. 1 nothing but season.

    ``1 - var(remainder) / var(seasonal + remainder)`` of STL, not below 0; NaN with fewer than two years
    and a month. The settings are those of R's ``forecast::mstl`` (a constant per month, not a line: with
    a line, a third of all series of 44 months of noise would seem seasonal).
    """
    x = without_gaps(y).to_numpy()
    if x.size <= 2 * YEAR or _constant(x):
        return math.nan
    parts = STL(_scaled(x), period=YEAR, seasonal=11, seasonal_deg=0, seasonal_jump=2, trend_jump=3,
                low_pass_jump=2).fit(inner_iter=2)
    whole = float(np.var(parts.resid + parts.seasonal))
    return max(0.0, 1 - float(np.var(parts.resid)) / whole) if whole > 0 else math.nan


def choose_D(y: pd.Series) -> int:
    """Return 1 when the season is so strong that one should difference over a year, else 0.

    Strength above 0.64, the rule of R's ``forecast::nsdiffs``; three whole years are needed. Of 600 series of 44 months
    without any season it calls 0.2% (noise) to 1.3% (random walks) seasonal.
    """
    return int(len(without_gaps(y)) >= 3 * YEAR and seasonal_strength(y) > STRONG)


@dataclass(frozen=True, repr=False)
class Battery(Shown):
    """Unit-root and seasonal tests of one series.

    Attributes
    ----------
    table : DataFrame
        ``transform`` (level, log, diff, dlog), ``test``, ``null`` (unit_root, unit_root_break, stationary, no_season),
        ``lags, trend`` (c level, ct trend), ``n, statistic, p_value, cv_5, rejects`` (at 5%; None where there is no
        test), ``break_month`` (Zivot-Andrews: first month of the new regime), ``note``.
    d, D : int
        The differencing that follows, on the log where every value is above zero (`log`), else on the level; `d`
        without differencing over the year, `d_seasonal` after it.
    """

    name: str
    y: pd.Series
    table: pd.DataFrame
    log: bool
    d: int
    D: int
    d_seasonal: int = 0
    notes: tuple[str, ...] = ()

    def conclusion(self, transform: str) -> str:
        """Return what the tests on one scale say together.

        ``stationary``: at least two of ADF, Phillips-Perron and DF-GLS reject a unit root and KPSS does not reject
        stationarity; ``unit_root``: the reverse; ``both_reject`` and ``neither_rejects``: they disagree;
        ``no_test``: there was none.
        """
        rows = self.table[(self.table["transform"] == transform) & (self.table["trend"] == _trend(transform))]
        kpss = rows.loc[rows["test"] == "kpss", "rejects"].dropna()
        against, of = self.rejections(transform)
        if of < 2 or kpss.empty:
            return "no_test"
        if against * 2 > of:
            return "both_reject" if kpss.any() else "stationary"
        return "unit_root" if kpss.any() else "neither_rejects"

    def finding(self, transform: str) -> str:
        """Return the conclusion as its wording is called: on level and log, stationary means about a trend."""
        found = self.conclusion(transform)
        return "stationary_about_trend" if found == "stationary" and _trend(transform) == "ct" else found

    def rejections(self, transform: str) -> tuple[int, int]:
        """Return how many tests reject a unit root on one scale, and of how many."""
        rows = self.table[(self.table["transform"] == transform) & (self.table["null"] == "unit_root")]
        done = rows["rejects"].dropna()
        return int(done.sum()), len(done)

    def verdict(self, lang: str | None = None) -> str:
        """Say in words what the tests find, where they disagree and what follows for differencing."""
        lang = language(lang)
        scale, change = ("log", "dlog") if self.log else ("level", "diff")
        found = self.conclusion(scale)
        if found == "no_test":
            return t("stationarity.verdict_none", lang, why=_note("|".join(self.notes) or "singular", lang))
        parts = []
        for transform in (scale, change):
            against, of = (cite(n, cell("unit_roots", transform=transform, null="unit_root", rejects=how))
                           for n, how in zip(self.rejections(transform), (True, "!="), strict=True))
            parts.append(t(f"stationarity.{self.finding(transform)}", lang, k=against, n=of,
                           scale=t(f"stationarity.{transform}", lang)))
        row = self.table.query("test == 'za' and transform == @scale and rejects == True")
        if len(row) and found != "stationary":
            month = cite(month_name(row["break_month"].item(), lang),
                         cell("unit_roots", "break_month", transform=scale, test="za"))
            parts.append(t("stationarity.break", lang, month=month))
        parts.append(t("stationarity.follows", lang, d=self.d, D=self.D,
                       what=t(f"stationarity.difference_{min(self.d, 2)}", lang)))
        strength = self.table.query("test == 'seasonal_strength' and transform == @scale")["statistic"].item()
        if math.isfinite(strength):
            sure = (self.table.query("test == 'kruskal' and transform == @change")["p_value"] < LEVEL).any()
            said = cite(f"{strength:.2f}", cell("unit_roots", "statistic", transform=scale, test="seasonal_strength"))
            parts.append(t(f"stationarity.season_{'yes' if self.D else 'unsure' if sure else 'no'}", lang,
                           strength=said, d=self.d_seasonal))
        if {"stationary": 0, "unit_root": 1}.get(found, min(self.d, 1)) != min(self.d, 1):
            parts.append(t("stationarity.trend_or_root", lang))
        return join(parts, "" if lang == "zh" else " ")

    def plot(self, lang: str | None = None, unit: str = ""):
        """Draw the series, its differences and their autocorrelations, each with its verdict; returns the Figure."""
        from .charts.arma import plot_stationarity

        return plot_stationarity(self, lang, unit)

    def to_html(self, lang: str | None = None) -> str:
        """Return the tests, the verdict below as HTML."""
        lang = language(lang)
        shown = self.table.drop(columns="break_month")
        for column, prefix in (("transform", ""), ("test", "test_"), ("null", "null_"), ("trend", "trend_")):
            shown[column] = [t(f"stationarity.{prefix}{v}", lang) if v else "" for v in shown[column]]
        shown["rejects"] = [t(f"stationarity.rejects_{'none' if v is None else 'yes' if v else 'no'}", lang)
                            for v in shown["rejects"]]
        breaks = ["" if pd.isna(month) else t("stationarity.break_at", lang, month=month_name(month, lang))
                  for month in self.table["break_month"]]
        shown["note"] = ["; ".join(filter(None, (_note(codes, lang), at)))
                         for codes, at in zip(shown["note"], breaks, strict=True)]
        formats = {"lags": "{:.0f}", "statistic": "{:.3f}", "cv_5": "{:.3f}",
                   "p_value": lambda v: "<0.001" if v < 0.001 else f"{v:.3f}"}
        gaps = [_note(note, lang) for note in self.notes if note.startswith(("bridged", "gaps"))]
        return html_table(shown, caption=t("stationarity.caption", lang, name=self.name), formats=formats, lang=lang,
                          heads={c: t(f"stationarity.head_{c}", lang) for c in shown.columns},
                          notes=[self.verdict(lang), *gaps, t("stationarity.rule", lang)])


def _trend(transform: str) -> str:
    """About what a scale is tested: level and log about a trend, differences about a level."""
    return "ct" if transform in ("level", "log") else "c"


def _note(codes: str, lang: str | None) -> str:
    """Put a note's codes (``code:value``, parted by ``|``) into words; what is no code is a package's own message."""
    texts = []
    for code in filter(None, codes.split("|")):
        name, _, value = code.partition(":")
        texts.append(t(f"stationarity.note_{name}", lang, value=value) if has(f"stationarity.note_{name}") else code)
    return "; ".join(texts)


def unit_root_battery(y: pd.Series, name: str | None = None) -> Battery:
    """Test a monthly series for unit roots and season, on its level and log and on their differences.

    Parameters
    ----------
    y : Series of float, monthly PeriodIndex
        Missing months are bridged by a straight line on the log scale (on the level where a figure is not positive),
        up to three in a row; else the longest stretch without such a gap is tested. The notes say so.
    name : str, optional
        For captions; default the series' own name.

    Returns
    -------
    Battery
        Too short, constant or not positive (for logs): rows without a statistic, with the reason in ``note``.

    Raises
    ------
    SeriesError
        `y` is no monthly series of numbers.

    Notes
    -----
    Lags: ADF, DF-GLS and Zivot-Andrews by AIC up to ``min(12 (n/100)^(1/4), n / 8)``; Phillips-Perron and KPSS
    ``4 (n/100)^(1/4)`` as R's tseries (the data-dependent rule fails on over-differenced series). Level and log are
    tested about a trend (KPSS about a level as well), differences about a level. Season: strength (Wang, Smith and
    Hyndman 2006) and Kruskal-Wallis. HEGY and OCSB are not used: on three and a half years they have next to no power.
    """
    y = as_months(y)
    known = y.dropna()
    positive = len(known) > 0 and bool((known > 0).all())
    logs = without_gaps(np.log(y)) if positive else known * np.nan
    run = np.exp(logs).where(y.reindex(logs.index).isna(), y) if positive else without_gaps(y)
    short = f"short:{MIN_MONTHS}" if len(run) < MIN_MONTHS else ""
    bridged = int(y.reindex(run.index).isna().sum())
    notes = [f"bridged:{bridged}"] if bridged else []
    if len(run) - bridged < len(known):
        notes.append(f"gaps:{len(run)}")
    if short or _constant(run.to_numpy()):
        notes.append(short or "constant")
    rows = []
    for transform, x in {"level": run, "log": logs, "diff": run.diff().iloc[1:], "dlog": logs.diff().iloc[1:]}.items():
        bar = short or ("not_positive" if transform in ("log", "dlog") and not positive else "")
        rows += _root_rows(transform, x, bar) + _season_rows(transform, x, bar)
    table = pd.DataFrame(rows).astype({"rejects": object})
    table["rejects"] = table["rejects"].where(table["rejects"].notna(), None)
    base = logs if positive else run
    title = name if name is not None else "" if y.name is None else str(y.name)
    return Battery(title, y, describe(table), positive, choose_d(base), choose_D(base),
                   choose_d(base.diff(YEAR)), tuple(notes))


def _row(transform: str, test: str, null: str, trend: str, n: int, note: str) -> dict:
    return {"transform": transform, "test": test, "null": null, "lags": np.nan, "trend": trend, "n": n,
            "statistic": np.nan, "p_value": np.nan, "cv_5": np.nan, "rejects": None, "break_month": pd.NaT,
            "note": note}


def _root_rows(transform: str, x: pd.Series, bar: str) -> list[dict]:
    trend, n = _trend(transform), len(x)
    cap, short = max(1, min(int(12 * (n / 100) ** 0.25), n // 8)), int(4 * (n / 100) ** 0.25)
    plan = [("adf", trend, lambda v: ADF(v, trend=trend, max_lags=cap, method="aic")),
            ("pp", trend, lambda v: PhillipsPerron(v, trend=trend, lags=short)),
            ("dfgls", trend, lambda v: DFGLS(v, trend=trend, max_lags=cap, method="aic")),
            # Where the regressions with lags cannot be solved, without any.
            ("za", trend, lambda v: ZivotAndrews(v, trend=trend, max_lags=min(cap, int(0.15 * len(v)) - 1)),
             lambda v: ZivotAndrews(v, trend=trend, lags=0)),
            *(("kpss", about, lambda v, about=about: KPSS(v, trend=about, lags=short))
              for about in dict.fromkeys((trend, "c")))]
    return [_root_row(transform, test, about, makes, x, bar) for test, about, *makes in plan]


def _root_row(transform: str, test: str, trend: str, makes: list, x: pd.Series, bar: str) -> dict:
    null, values = {"kpss": "stationary", "za": "unit_root_break"}.get(test, "unit_root"), x.to_numpy()
    bar = bar or ("constant" if _constant(values) else "singular" if _constant(np.diff(_scaled(values))) else "")
    row = _row(transform, test, null, trend, len(x), bar)
    if bar:
        return row
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for make in makes:
            try:        # arch works out a test when a result is first asked for, and may fail then
                found = make(_scaled(values))
                statistic, p = float(found.stat), float(found.pvalue)
                break
            except (ValueError, RuntimeError, ArithmeticError, np.linalg.LinAlgError) as error:
                note = _message(error)
        else:
            return row | {"note": "few" if test == "za" and note == "singular" else note}
    said = "|".join(dict.fromkeys(_message(w.message) for w in caught))
    if not math.isfinite(statistic):
        return row | {"note": said or "singular"}
    if test == "za":
        at = np.asarray(found._all_stats)      # the statistic at each break; arch does not publish the place
        row["break_month"] = x.index[int(np.nanargmin(at))]
    return row | {"lags": int(found.lags), "statistic": statistic, "p_value": p, "rejects": p < LEVEL,
                  "cv_5": float(found.critical_values["5%"]), "note": said}


def _message(said: object) -> str:
    """Return a package's warning or error as a note: one line, or our own word for what it means."""
    text = " ".join(str(said).replace("|", "/").split())
    return "singular" if "singular" in text.lower() or "rank-deficient" in text else text


def _season_rows(transform: str, x: pd.Series, bar: str) -> list[dict]:
    note = bar or ("constant" if _constant(x.to_numpy()) else f"short:{2 * YEAR + 1}" if len(x) < 2 * YEAR else "")
    if _trend(transform) == "ct":
        row = _row(transform, "seasonal_strength", "no_season", "", len(x), note or f"strong:{STRONG}")
        return [row | {"statistic": math.nan if note else seasonal_strength(x)}]
    row = _row(transform, "kruskal", "no_season", "", len(x), note)
    if note:
        return [row]
    statistic, p = kruskal(*(x[x.index.month % YEAR == k] for k in range(YEAR)))
    return [row | {"statistic": float(statistic), "p_value": float(p), "rejects": bool(p < LEVEL)}]
