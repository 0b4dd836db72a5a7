"""What the past says of a lever: how large comparable pushes of a branch and its peers were, and where growth ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import least_squares
from scipy.special import expit
from scipy.stats import norm
from scipy.stats import t as student
from statsmodels.stats.meta_analysis import combine_effects

from ..errors import SeriesError
from ..events import find_interventions
from ..forecasting.joint import JointPaths
from ..store import kept_arrays, kept_frames
from .strategy import Lever

_COLUMNS = ["branch", "indicator", "month", "size", "t", "zh", "en"]
LEAST = 3               # fewer do not show how far effects differ
_TAIL = float(norm.ppf(0.99))
LEAST_MONTHS = 30       # twelve are held out, and a curve of three parameters needs some to be fitted on
_IN_SIGHT = 5.0         # a ceiling this many times above the highest month is only extrapolated
_HELD = 12


# ---------------------------------------------------------------- past pushes

@dataclass(frozen=True)
class Pooled:
    """What the next measure of the kind may bring, from what past ones brought; see :func:`pool`.

    ``table`` has the interventions pooled: ``branch, indicator, month, size, t, zh, en``; ``mu, tau, se`` are the mean
    of log(1 + size), the spread between interventions and the standard error of the mean. Those that the source does
    not name were found by their size, and are likely too high on the whole.
    """

    table: pd.DataFrame = field(repr=False)
    mu: float
    tau: float
    se: float
    named: bool

    @property
    def k(self) -> int:
        """Number of interventions."""
        return len(self.table)

    def size_at(self, z):
        """Return the size at a point of the prediction distribution, given as a standard normal's; never below 0.

        The tails are cut at 1% and 99%: so few interventions say nothing about what lies there.
        """
        spread = np.sqrt(self.tau**2 + self.se**2)
        q = student.ppf(norm.cdf(np.clip(z, -_TAIL, _TAIL)), self.k - 2)
        return np.maximum(np.expm1(self.mu + spread * q), 0.0)


Evidenced = Mapping[tuple[str, ...], Pooled | str]     # by the indicators named: what was learnt, or why nothing was


def pool(effects: np.ndarray, variances: np.ndarray) -> tuple[float, float, float]:
    """Pool effects that differ by more than their errors: mean, spread between them, standard error of the mean.

    Random effects by Paule and Mandel (1982), the error after Hartung and Knapp (2001), never below the plain one;
    computed by ``statsmodels.stats.meta_analysis``. The next effect is then t-distributed with k - 2 degrees of freedom
    and variance tau^2 + se^2 (Higgins, Thompson and Spiegelhalter 2009, JRSS A 172).
    """
    got = combine_effects(np.asarray(effects, float), np.asarray(variances, float), method_re="iterated")
    return (float(got.mean_effect_re), float(np.sqrt(max(got.tau2, 0.0))),
            float(max(got.sd_eff_w_re_hksj, got.sd_eff_w_re)))


def learn_evidence(paths: JointPaths, levers: Iterable[Lever], events: pd.DataFrame | None = None) -> Evidenced:
    """Pool the past pushes that levers name as evidence, once for every branch; for each list of indicators that is
    named, what was learnt, or why nothing was. Nothing after the origin is looked at.

    `events` are the source's known ones (:func:`ebank_lib.events.known_events`). Those that name an indicator count
    whatever they brought, so that nothing is chosen by its size; only when there are fewer than three are level shifts
    upward taken that the search found.
    """
    learnt: dict[tuple[str, ...], Pooled | str] = {}
    for move in (move for lever in levers for move in lever.moves if move.evidence is not None):
        key = tuple(move.evidence.interventions)
        if key not in learnt:
            try:
                learnt[key] = _pooled(paths, list(key), events)
            except SeriesError as error:
                learnt[key] = str(error)
    return learnt


def _pooled(paths: JointPaths, indicators: list[str], events: pd.DataFrame | None) -> Pooled:
    history, reporting, origin = paths.history, paths.catalog.reporting, paths.origin
    codes, names = pd.factorize(history.index.get_level_values("branch"))
    months = pd.PeriodIndex(history.index.get_level_values("month"), freq="M")
    made_from = (history[indicators].to_numpy(float), codes, list(map(str, names)), months, indicators, reporting,
                 origin, events)
    pushes = kept_frames("evidence", made_from, lambda: _pushes(history, reporting, indicators, origin, events))
    named = len(pushes["named"]) >= LEAST
    table = pushes["named" if named else "found"]
    if len(table) < LEAST:
        raise SeriesError("too few comparable interventions to learn from", found=len(table),
                          expected=f"at least {LEAST} of {', '.join(indicators)}")
    log = np.log1p(table["size"].to_numpy())
    return Pooled(table, *pool(log, (log / table["t"].to_numpy()) ** 2), named)


def _pushes(history: pd.DataFrame, reporting: list[str], indicators: list[str], origin, events) \
        -> dict[str, pd.DataFrame]:
    """Return what is known of the pushes that the source names, and of the upward shifts that the search found."""
    named, found = [], []
    there = dict(iter(history[indicators].groupby(level="branch", sort=False)))
    for key in indicators:
        for branch in (b for b in reporting if b in there):
            y = there[branch][key].droplevel("branch")
            try:
                got = find_interventions(y[y.index <= origin], _aimed(events, branch, key))
            except SeriesError:     # too short or constant: a branch without evidence, not without a history
                continue
            for row in got.table[got.table["t"] != 0].to_dict("records") if got.log else []:
                about = [branch, key, *(row[c] for c in _COLUMNS if c not in ("branch", "indicator"))]
                if row["en"]:
                    named.append(about)
                elif row["found"] and row["kind"] == "level_shift" and row["size"] > 0:
                    found.append(about)
    return {"named": pd.DataFrame(named, columns=_COLUMNS), "found": pd.DataFrame(found, columns=_COLUMNS)}


def _aimed(events: pd.DataFrame | None, branch: str, key: str) -> pd.DataFrame | None:
    """Events that name this indicator, in this branch: a merger that touches everything is no push."""
    if events is None or events.empty:
        return None
    here = [branch in b.split(";") or not b for b in events["branches"]]
    aimed = [key in i.split(";") for i in events["indicators"]]
    return events[np.array(here) & np.array(aimed)].reset_index(drop=True)


# ---------------------------------------------------------------- saturation: curves of growth with an end or without

class Saturation(NamedTuple):
    """The curve of growth that holds, what the series does not pass, and ``table``: ``model, aicc, rmse_12, ceiling``.

    ``rmse_12`` is of the logarithm over the last twelve months, by the curve fitted on those before. A curve with a
    ceiling holds when it has the lower AICc and the lower ``rmse_12`` than exponential growth, and its ceiling is
    within five times the highest month. ``ceiling`` is that curve's, else 1 for a share, else inf.
    """

    model: str
    ceiling: float
    table: pd.DataFrame


def ceiling_of(y: pd.Series, ratio: bool) -> float:
    """Return where a series saturates; kept, for several levers and every set of targets ask for the same history."""
    return float(kept_arrays("saturation", (y.to_numpy(float), pd.PeriodIndex(y.index), ratio),
                             lambda: {"ceiling": np.array([saturation(y, ratio).ceiling])})["ceiling"][0])


def saturation(y: pd.Series, ratio: bool = False) -> Saturation:
    """Compare logistic, Gompertz and exponential growth of a series of at least 30 observed months, all positive; of a
    share (`ratio`) the ceiling is at most 1.

    Least squares on the logarithm; a Gompertz curve there is a level less an exponential decay.
    """
    seen = y.dropna()
    if len(seen) < LEAST_MONTHS or not (seen > 0).all():
        raise SeriesError("too short or not positive: no curve of growth can be told", found=f"{len(seen)} months",
                          expected=f"at least {LEAST_MONTHS} positive months")
    t = (seen.index.asi8 - seen.index.asi8[0]) / 12
    z = np.log(seen.to_numpy(float))
    table = pd.DataFrame([_row(name, t, z, ratio) for name in ("logistic", "gompertz", "exponential")])
    plain, better = table.iloc[-1], table.iloc[:-1]
    better = better[(better["aicc"] < plain["aicc"]) & (better["rmse_12"] < plain["rmse_12"])
                    & (better["ceiling"] <= (1.0 if ratio else _IN_SIGHT * seen.max()))]
    if better.empty:
        return Saturation("exponential", 1.0 if ratio else np.inf, table)
    best = better.loc[better["aicc"].idxmin()]
    return Saturation(str(best["model"]), float(best["ceiling"]), table)


def _row(name: str, t: np.ndarray, z: np.ndarray, ratio: bool) -> dict:
    fitted, ceiling, k = _fit(name, t, z, ratio)
    n, rss = len(z), float(((z - fitted(t)) ** 2).sum())
    k += 1      # the variance
    aicc = n * np.log(max(rss / n, 1e-300)) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    early = _fit(name, t[:-_HELD], z[:-_HELD], ratio)[0]
    missed = z[-_HELD:] - early(t[-_HELD:])
    return {"model": name, "aicc": float(aicc), "rmse_12": float(np.sqrt((missed**2).mean())), "ceiling": ceiling}


def _curve(name: str, p: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The logarithm of a curve with ceiling exp(p[0])."""
    if name == "logistic":
        return p[0] - np.logaddexp(0.0, -(p[1] + np.exp(p[2]) * t))
    return p[0] - np.exp(p[1] - np.exp(p[2]) * t)


def _slopes(name: str, p: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Derivatives of :func:`_curve` by its parameters, (T, 3)."""
    rate = np.exp(p[2]) * t
    left = expit(-(p[1] + rate)) if name == "logistic" else np.exp(p[1] - rate)
    return np.column_stack([np.ones_like(t), left if name == "logistic" else -left, left * rate])


def _fit(name: str, t: np.ndarray, z: np.ndarray, ratio: bool):
    """(curve, ceiling, number of parameters)."""
    if name == "exponential":
        slope, level = np.polyfit(t, z, 1)
        return (lambda at: level + slope * at), np.inf, 2
    high = 0.0 if ratio else z.max() + np.log(1e3)
    # A curve that has just begun and one that is nearly done are two valleys: start in both, keep the better.
    found = []
    for top in (0.05, 0.7, 2.5):
        start = min(z.max() + top, high - 1e-6)
        gap = np.maximum(start - z, 1e-3)
        q = -np.log(np.expm1(gap)) if name == "logistic" else -np.log(gap)
        slope, level = np.polyfit(t, q, 1)
        p0 = np.array([start, level if name == "logistic" else -level, np.log(max(slope, 0.02))])
        found.append(least_squares(lambda p: _curve(name, p, t) - z, p0, x_scale=[1.0, 1.0, 0.5], max_nfev=200,
                                   jac=lambda p: _slopes(name, p, t),
                                   bounds=([min(z.max() - 1.0, high - 1.0), -50, -6], [high, 50, 4])))
    best = min(found, key=lambda got: got.cost)
    return (lambda at: _curve(name, best.x, at)), float(np.exp(best.x[0])), 3
