"""What the calendar and the season do to a series, both tested, and shrunk by how well they are known.

The calendar's effects (a festival that moves, working days, the pushes at a quarter's end) are estimated together,
taken off before any method sees the series and put back on the months ahead, which every method thereby foresees. What
returns in the same month every year stays with the season. Four years give each month's term three or four looks; taken
at face value such terms carry their noise into every forecast. Each is therefore multiplied by the share of its
variance that is not sampling noise (empirical Bayes, Miller & Williams 2003, Int. J. Forecasting 19), and none is used
where the F test does not find a season at 10%.

Sixteen branches under one calendar hold many more looks at it than one: each branch's own estimate is drawn towards
what all say, as far as they agree. Seasons are each branch's own: on real banks one drawn towards the others' is worse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import fdtrc

from ..compiled import compiled
from ..events.calendar import calendar_regressors, known_months, place_of

if TYPE_CHECKING:
    from .series import Prepared

EFFECTS = ("festival", "working_days", "quarter_end", "quarter_start")
WINDOWS = ((3, 7), (10, 10), (20, 10), (5, 25))    # days before and after the festival
_FIXED = 15         # columns before the festival's windows: the series, drift, three effects, five waves
_LEAST = 26         # months: two festivals, and two years of working days
LATE = (12, 8, 4)   # months before the end, of the origins that growth and weights are learnt from
_THETAS = (0.0, -0.2, -0.4, -0.6, -0.8, -0.95)
_DOUBT = 2.0        # squared t below which an effect is taken for nothing
_LEVEL = 0.10       # of the season's F test
_LEAST_SEASON = 28  # months: below, a month has fewer than two looks
FEWEST = 4          # branches below which nothing is pooled
_SHARED = 0.5       # part of an estimate's error that the branches are thought to have in common


@dataclass(frozen=True)
class CalendarEffect:
    """The calendar's effects on one series, on its modelling scale; see :func:`fit_calendar`.

    ``estimate``, ``se`` and ``used`` (4,) are of :data:`EFFECTS`, empty where there are none; ``used`` is what is left
    after shrinking. ``festival`` is what the whole window's falling into a month adds, ``working_days`` what a day more
    adds, ``quarter_end`` and ``quarter_start`` what these months stand above the quarter's other months.
    """

    calendar: str = "none"
    window: tuple[int, int] = WINDOWS[1]
    estimate: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)
    se: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)
    used: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)

    def between(self, first: int, n: int) -> np.ndarray:
        """Return what the calendar adds in `n` months, the first one given by its ordinal, (n,)."""
        if not self.used.any():
            return np.zeros(n)
        return _columns(first, n, self.calendar, self.window) @ self.used


NOTHING = CalendarEffect()


def _columns(first: int, n: int, calendar: str, window: tuple[int, int]) -> np.ndarray:
    """The columns of :data:`EFFECTS` in `n` months, (n, 4): a month's row is the same in any span."""
    at = place_of(first, first + n - 1, calendar)
    return _worked_out(calendar, window)[at: at + n]


@lru_cache(maxsize=64)
def _worked_out(calendar: str, window: tuple[int, int]) -> np.ndarray:
    months = known_months(calendar)
    moving = calendar_regressors(months, calendar, *window)
    return np.column_stack([moving["festival"], moving["working_days"] * 0.21, moving["quarter_end"],
                            (months.month % 3 == 1) - 1 / 3])


def fit_calendar(values: np.ndarray, first: int, calendar: str = "none",
                 prior: Mapping[str, tuple[float, float]] | None = None,
                 window: tuple[int, int] | None = None) -> CalendarEffect:
    """Estimate the calendar's effects on a complete series (T,) on its modelling scale; none below 26 months.

    `first` is the ordinal of its first month. `prior` says what other series say of an effect, (mean, sd): the estimate
    is drawn towards it as the two errors have it; without one it is shrunk towards nothing by the factor
    ``1 - 2 / t^2``, positive part. `window` is one of :data:`WINDOWS`, None chooses among them.

    Least squares on ``(1 - B) z = drift + effects + season + (1 + theta B) e``; theta, the festival's window and the
    season's form (none, two waves, five waves) by the Bayesian criterion.
    """
    n = len(values)
    if calendar == "none" or n < _LEAST:
        return NOTHING
    tried = WINDOWS if window is None else (window,)
    fixed = _filtered(first, n, calendar)
    seen = np.empty((len(_THETAS), n - 1, _FIXED + len(tried)))
    seen[:, :, :1] = _recursive(np.diff(values)[:, None], np.array(_THETAS))
    seen[:, :, 1: _FIXED] = fixed[:, :, : _FIXED - 1]
    for w, days in enumerate(tried):
        seen[:, :, _FIXED + w] = fixed[:, :, _FIXED - 1 + WINDOWS.index(days)]
    gram = seen.transpose(0, 2, 1) @ seen
    gram += 1e-9 * np.eye(seen.shape[2]) * gram[:, 1:2, 1:2]      # a festival's column may be empty
    best = (np.inf, 0, 0, 0, 0)
    found = []
    for use in _used_columns(len(tried), n >= 36):
        inverse = np.linalg.inv(gram[:, use[:, :, None], use[:, None, :]])      # (thetas, windows, k, k)
        onto = gram[:, use, 0]
        beta = (inverse @ onto[..., None])[..., 0]
        sse = np.maximum(gram[:, :1, 0] - (beta * onto).sum(axis=2), 1e-300)
        found.append((inverse, beta, sse))
        for w, i in enumerate(sse.argmin(axis=0).tolist()):
            value = (n - 1) * np.log(sse[i, w]) + use.shape[1] * np.log(n)
            if value < best[0] - 1e-9:
                best = (value, len(found) - 1, i, w, use.shape[1])
    _, form, i, w, k = best
    inverse, beta, sse = found[form]
    estimate = beta[i, w, :4].copy()
    variance = np.diag(inverse[i, w])[:4] * sse[i, w] / max(n - 1 - k, 1)
    se = np.sqrt(np.maximum(variance, 0.0))
    ratio = np.divide(estimate, se, out=np.zeros(4), where=se > 1e-12)
    used = np.where(ratio**2 > _DOUBT, estimate * (1 - _DOUBT / np.maximum(ratio**2, _DOUBT)), 0.0)
    for j, name in enumerate(EFFECTS):
        if prior and name in prior:
            used[j] = drawn_to(estimate[j], se[j], *prior[name])
    return CalendarEffect(calendar, tried[w], estimate, se, used)


@lru_cache(maxsize=512)
def _filtered(first: int, n: int, calendar: str) -> np.ndarray:
    """The regressors as each theta's noise sees them, (thetas, n - 1, k): drift, effects, waves, windows."""
    steps = np.arange(n)
    turns = 2 * np.pi * steps[:, None] / 12 * np.arange(1, 6)
    fixed = _columns(first, n, calendar, WINDOWS[0])[:, 1:]
    moving = [_columns(first, n, calendar, w)[:, 0] for w in WINDOWS]
    stack = np.diff(np.column_stack([steps, fixed, np.sin(turns), np.cos(turns), *moving]), axis=0)
    return _recursive(stack, np.array(_THETAS))


@cache
def _used_columns(windows: int, waves: bool) -> list[np.ndarray]:
    """The columns of each form of the season, (windows, k): the effects, the drift, the waves."""
    # The fourth wave is the quarter's pattern, which has columns of its own.
    forms = [[], [5, 6, 10, 11], [5, 6, 7, 9, 10, 11, 12, 14]] if waves else [[]]
    return [np.array([[_FIXED + w, 2, 3, 4, 1, *form] for w in range(windows)]) for form in forms]


@compiled
def _recursive(columns, thetas):
    """Columns (n, k) as each theta's noise sees them, (thetas, n, k): x[t] - theta y[t - 1]."""
    # scipy.signal does this too, and takes a tenth of a second to import.
    out = np.empty((thetas.size, *columns.shape))
    for i in range(thetas.size):
        for j in range(columns.shape[1]):
            before = 0.0
            for t in range(columns.shape[0]):
                out[i, t, j] = columns[t, j] + before
                before = -thetas[i] * out[i, t, j]
    return out


def drawn_to(estimate: float, se: float, mean: float, sd: float) -> float:
    """Return an estimate drawn towards what others say, by the precision of each."""
    if se <= 1e-12 or sd <= 1e-12:
        return estimate if se <= 1e-12 else mean
    return (estimate / se**2 + mean / sd**2) / (1 / se**2 + 1 / sd**2)


@dataclass(frozen=True)
class Season:
    """Terms to add per calendar position (12,), and how much of them was kept (0 nothing, 1 all)."""

    terms: np.ndarray
    kept: float


def find_season(z: np.ndarray) -> Season:
    """Return the shrunk additive season of a complete series (T,) on its modelling scale.

    The trend is the centred 2x12 moving average; the terms are the means of what is left, by month.
    """
    if z.size < _LEAST_SEASON:
        return Season(np.zeros(12), 0.0)
    weights = np.r_[0.5, np.ones(11), 0.5] / 12
    left = z[6:-6] - np.convolve(z, weights, "valid")
    month = np.arange(6, z.size - 6) % 12
    looks = np.bincount(month, minlength=12)
    terms = np.bincount(month, left, minlength=12) / looks
    terms = terms - terms.mean()
    spare = left.size - 12
    noise = float(((left - terms[month]) ** 2).sum() / spare) * float(np.mean(1 / looks))
    signal = float((terms**2).sum() / 11)
    if signal <= 1e-20:
        return Season(np.zeros(12), 0.0)
    ratio = signal / noise if noise > 1e-12 * signal else np.inf
    p = float(fdtrc(11, spare, ratio)) if np.isfinite(ratio) else 0.0
    kept = max(0.0, 1 - 1 / ratio) if p < _LEVEL else 0.0
    return Season(terms * kept, kept)


def growth_evidence(z: np.ndarray) -> tuple[float, float, float]:
    """Return how far the growth of a series (T,), two years and more, has lasted: prior, evidence, its weight.

    1 is growth as before, 0 half of it, -1 none. The prior is near 1 where the yearly changes are alike. The evidence
    is of three late origins: what half the growth known there left over, regressed on that half.
    """
    change = z[12:] - z[:-12]
    power = float(np.mean(change**2))
    pull, sure, noise = 0.0, 0.0, 0.0
    for back in LATE:
        known = change.size - back
        if known >= 12:
            half = 0.5 * float(change[known - 12: known].mean())
            left = change[known:] - half
            pull, sure, noise = pull + half * left.mean(), sure + half**2, noise + np.mean(left**2)
    prior = float(change.mean() ** 4 / power**2) if power else 0.0
    return (prior, pull / noise, sure / noise) if noise > 0 else (prior, 0.0, 0.0)


def growth_share(z: np.ndarray, lasts: float | None = None) -> float:
    """Return how much of last year's growth is taken to go on, 0 to 1, and 1/2 where nothing is known.

    By how far growth has lasted in all branches (`lasts`), of a series by itself in it.
    """
    if lasts is None:
        prior, pull, sure = growth_evidence(z)
        lasts = (pull + prior) / (sure + 1)
    return (1 + float(np.clip(lasts, -1, 1))) / 2


@dataclass(frozen=True)
class Pooled:
    """What the branches say of one indicator; see :func:`learn_pooled`.

    ``effects`` (4, 2) are the calendar's common effects and how far a branch's own may lie from each, NaN where too few
    say anything; ``window`` the festival's days before and after; ``lasts`` how far growth has lasted in them, 1 as
    before, 0 half, -1 not at all.
    """

    effects: np.ndarray = field(default_factory=lambda: np.full((len(EFFECTS), 2), np.nan), repr=False)
    window: tuple[int, int] = (10, 10)
    lasts: float = 0.0
    branches: int = 0

    @property
    def prior(self) -> tuple[dict[str, tuple[float, float]], tuple[int, int]]:
        """The calendar's effects and the festival's window, for ``fit_calendar``."""
        effects = {name: tuple(row) for name, row in zip(EFFECTS, self.effects.tolist(), strict=True)
                   if np.isfinite(row).all()}
        return effects, tuple(int(days) for days in self.window)


def learn_pooled(series: Iterable[Prepared], calendar: str = "none") -> Pooled | None:
    """Learn from one indicator's series, one a branch; None where fewer than four say anything.

    Random effects after DerSimonian & Laird (1986, Control. Clin. Trials 7, 177). Branches share their shocks, so the
    mean is no surer than half a single branch's error, however many there are.
    """
    ready = [p for p in series if not (p.constant or p.numbered)]
    fitted = [p.work.calendar for p in ready if p.work.calendar.used.size]
    if len(ready) < FEWEST:
        return None
    windows = Counter(f.window for f in fitted)
    window = max(sorted(windows), key=windows.__getitem__) if fitted else (10, 10)
    effects = np.full((len(EFFECTS), 2), np.nan)
    if len(fitted) >= FEWEST:
        again = [f if f.window == window else fit_calendar(p.work.plain, p.work.first, calendar, window=window)
                 for p, f in ((p, p.work.calendar) for p in ready) if f.used.size]
        for j in range(len(EFFECTS)):
            said = np.array([[f.estimate[j], f.se[j]] for f in again])
            said = said[(said[:, 1] > 1e-12) & (np.abs(said[:, 0]) < 1e6)]
            if len(said) >= FEWEST:
                effects[j] = _common(said[:, 0], said[:, 1] ** 2)
    said = np.array([growth_evidence(p.work.values) for p in ready if len(p.work.values) >= 24]).reshape(-1, 3)
    # What two branches of the mean prior would say is added: few branches, or unsure ones, decide little.
    lasts = (said[:, 1].sum() + 2 * said[:, 0].mean()) / (said[:, 2].sum() + 2) if len(said) else 0.0
    return Pooled(effects, window, float(lasts), len(ready))


def _common(estimates: np.ndarray, variances: np.ndarray) -> tuple[float, float]:
    """Mean of an effect over branches, shrunk, and the standard deviation of one branch's effect around it."""
    w = 1 / variances
    fixed = w @ estimates / w.sum()
    between = max(0.0, (w @ (estimates - fixed) ** 2 - (w.size - 1)) / (w.sum() - w @ w / w.sum()))
    w = 1 / (variances + between)
    mean = float(w @ estimates / w.sum())
    shared = _SHARED * float(np.mean(variances))
    error = max(float(1 / w.sum()), shared)
    keep = max(0.0, 1 - _DOUBT * error / mean**2) if mean else 0.0
    return mean * keep, float(np.sqrt(between + shared))
