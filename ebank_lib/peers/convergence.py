"""Do the branches come closer together? Beta convergence (the small grow faster), sigma convergence (less spread).

Beta: mean growth of each branch on where it began, ``(x_T - x_0) / T = a + b x_0``, x the log (log odds of a share).
Null: b = 0; alternative: b differs from 0. A chance low in month 0 would be followed by fast growth (Galton's fallacy,
Friedman 1992), so where a branch began is told by the month before: two stage least squares, whose t is that of growth
on the month before. HC3 errors and Student's t with n - 2 degrees of freedom, since branches of different size are not
equally noisy (MacKinnon and White 1985; Long and Ervin 2000 for small n). The half-life follows from
``b = -(1 - exp(-beta T)) / T`` (Barro and Sala-i-Martin 1992): ln 2 / beta.

Sigma: how far the branches lie from their median in the first and the last month. Null: as far; alternative: not.
Brown and Forsythe's (1974) deviations, paired; Student's t with n - 1 degrees of freedom.

False alarms, 16 branches, at a stated 5%: beta 5 to 6% with measurement noise that does not last from one month to the
next, sigma 3 to 4% for normal and for t samples of 3 degrees of freedom (6,000 simulations; fewer in the tests). With
many indicators some are significant by luck: p values are adjusted by Holm's method, each test for itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ..catalog import Catalog
from ..cleaning import trusted_panel
from ..display import Shown, describe
from ..wording import cell, cite, language, percent, t
from .position import base_month, comparable_keys, matrix, scaled

MIN_BRANCHES = 6
MIN_MONTHS = 12
LEVEL = 0.95        # of intervals; verdicts at 1 - LEVEL by adjusted p values
_BETA = ("b", "se", "b_lo", "b_hi", "beta_p", "half_life", "half_lo", "half_hi")
_COLUMNS = ["indicator", "first", "start", "last", "months", "n", "left_out", *_BETA, "beta_adjusted", "beta_verdict",
            "sd_first", "sd_last", "ratio", "sigma_t", "sigma_p", "sigma_adjusted", "sigma_verdict", "status"]


@dataclass(frozen=True, repr=False)
class Convergence(Shown):
    """Whether the branches come closer together; see :func:`convergence`.

    Attributes
    ----------
    table : DataFrame
        One row an indicator: ``indicator, first, start`` (the month after, from which growth counts), ``last, months,
        n`` (branches with a value in first and last), ``left_out``, ``b, se, b_lo, b_hi, beta_p, half_life, half_lo,
        half_hi`` (months; infinite where the interval of b reaches 0, missing where b says no convergence),
        ``beta_adjusted, beta_verdict``, ``sd_first, sd_last, ratio, sigma_t,
        sigma_p, sigma_adjusted, sigma_verdict, status``. Verdicts: ``converges, diverges, none, unknown``; status
        ``ok``, ``few`` (fewer than six branches) or ``short`` (less than a year).
    points : DataFrame
        ``indicator, branch, initial`` (x in the month ``start``), ``growth`` (of x, a month).
    """

    catalog: Catalog
    table: pd.DataFrame
    points: pd.DataFrame
    level: float = LEVEL
    method = "peers.convergence_method"

    def reading(self, lang: str | None = None) -> str:
        """Say in one sentence for how many indicators the branches come closer together or drift apart.

        Its counts know their rows in the table recorded as ``convergence``.
        """
        lang, ok = language(lang), self.table[self.table["status"] == "ok"]
        if ok.empty:
            return t("peers.convergence_nothing", lang)
        count = {f"{test}_{how}": int((ok[f"{test}_verdict"] == how).sum())
                 for test in ("beta", "sigma") for how in ("converges", "diverges")}
        said = {name: cite(n, cell("convergence", status="ok", **{f"{name.split('_')[0]}_verdict": name.split("_")[1]}))
                for name, n in count.items()}
        return t(f"peers.convergence_reading{'' if any(count.values()) else '_none'}", lang,
                 n=cite(len(ok), cell("convergence", status="ok")), level=percent(1 - self.level, 0), **said)

    def plot(self, lang: str | None = None):
        """Draw growth against where each branch began, one panel an indicator; returns the Figure."""
        from ..charts.peers import plot_convergence

        return plot_convergence(self, lang)


def beta_convergence(before: np.ndarray, initial: np.ndarray, final: np.ndarray, months: int) -> pd.Series:
    """Regress mean growth on the start, logs (or log odds) in two months so many apart, the start told by one before.

    Returns ``b`` (growth a month for each unit of log), ``se, b_lo, b_hi, beta_p`` and ``half_life, half_lo, half_hi``
    in months: missing where b is not negative, infinite where an end is not.
    """
    start = np.polyval(np.polyfit(before, initial, 1), before)
    fit = sm.OLS((final - initial) / months, sm.add_constant(start)).fit(cov_type="HC3", use_t=True)
    b, (lo, hi) = fit.params[1], fit.conf_int(1 - LEVEL)[1]

    def half(slope: float) -> float:
        if b >= 0 or slope >= 0:
            return math.nan if b >= 0 else math.inf
        # b = -1/T closes the whole gap within the window: no positive half-life is left.
        return math.log(2) * months / -math.log1p(slope * months) if slope * months > -1 else 0.0

    return pd.Series([b, fit.bse[1], lo, hi, fit.pvalues[1], half(b), half(lo), half(hi)], _BETA)


def spread_test(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Test that paired samples (..., n) lie as far from their medians: t (positive where the last spreads) and p."""
    early, late = (np.abs(x - np.median(x, axis=-1, keepdims=True)) for x in (first, last))
    # Where every branch moved by the same amount nothing spread at all, and there is no t to work out.
    same = np.ptp(late - early, axis=-1) <= 1e-12 * np.maximum(1.0, late.max(axis=-1))
    found = stats.ttest_rel(late + same[..., None] * np.arange(late.shape[-1]), early, axis=-1)
    return np.where(same, 0.0, found.statistic), np.where(same, 1.0, found.pvalue)


def convergence(cleaned, indicators: Sequence[str] | None = None) -> Convergence:
    """Test for each indicator whether the branches come closer together.

    Parameters
    ----------
    cleaned : Cleaned
    indicators : sequence of str, optional
        Default as in :func:`compare_peers`.

    Raises
    ------
    UnknownNameError
        An indicator that does not exist.
    """
    catalog, panel = cleaned.catalog, trusted_panel(cleaned)
    rows, points = [], []
    for key in comparable_keys(panel, catalog, indicators):
        wide = matrix(panel, catalog, key)
        row, x = _one(wide, scaled(wide, catalog.indicators[key]))
        rows.append({"indicator": key, **row})
        if row["status"] == "ok":
            initial, final = x.loc[row["start"]], x.loc[row["last"]]
            points.append(pd.DataFrame({"indicator": key, "branch": x.columns, "initial": initial.to_numpy(),
                                        "growth": ((final - initial) / row["months"]).to_numpy()}))
    table = pd.DataFrame(rows, columns=_COLUMNS)
    for test, sign in (("beta", "b"), ("sigma", "sigma_t")):
        p = table[f"{test}_p"].to_numpy(float)
        known, adjusted = np.isfinite(p), np.full(len(p), np.nan)
        if known.any():
            adjusted[known] = multipletests(p[known], method="holm")[1]
        table[f"{test}_adjusted"] = adjusted
        table[f"{test}_verdict"] = np.select([~known, adjusted >= 1 - LEVEL, table[sign].astype(float) < 0],
                                             ["unknown", "none", "converges"], "diverges")
    points = pd.concat(points or [pd.DataFrame(columns=["indicator", "branch", "initial", "growth"])],
                       ignore_index=True)
    return Convergence(catalog, describe(table, branch="*", indicator="indicator"), points)


def _one(wide: pd.DataFrame, x: pd.DataFrame) -> tuple[dict, pd.DataFrame]:
    """Test one indicator from its base month to the last in which at least half of its branches report."""
    first, last = base_month(wide), base_month(wide.iloc[::-1])
    if first is None:
        return {"months": 0, "n": 0, "left_out": 0, "status": "few"}, x
    both = x.columns[x.loc[[first, last]].notna().all()]
    whole = x.index[x[both].notna().all(axis=1) & (x.index >= first) & (x.index <= last)]
    start = whole[:2][-1]       # the month after, from which growth is counted
    months = (last - start).n
    out = {"first": first, "start": start, "last": last, "months": months, "n": len(both),
           "left_out": int(wide.notna().any().sum()) - len(both)}
    if len(both) < MIN_BRANCHES or months < MIN_MONTHS:
        return out | {"status": "few" if len(both) < MIN_BRANCHES else "short"}, x
    x = x[both]
    a, b = x.loc[first].to_numpy(), x.loc[last].to_numpy()
    sd = (float(np.std(a, ddof=1)), float(np.std(b, ddof=1)))
    out |= {"sd_first": sd[0], "sd_last": sd[1], "ratio": sd[1] / sd[0] if sd[0] > 0 else math.nan}
    out["sigma_t"], p = map(float, spread_test(a, b))
    if sd[0] <= 1e-12:
        return out | {"status": "few"}, x       # all began alike: nothing to regress on
    beta = beta_convergence(a, x.loc[start].to_numpy(), b, months)
    return out | {"sigma_p": p, "status": "ok"} | beta.to_dict(), x
