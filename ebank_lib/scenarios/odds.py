"""What a target measures on every path: the value that counts, what it must reach, the months it can be judged; its
odds, counted on the paths, with the error of counting; the pace that it needs; how all that is said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ..catalog import Catalog
from ..errors import ConfigError, UnknownNameError
from ..forecasting.joint import JointPaths, follow
from ..forecasting.series import choose_transform
from ..peers import by_branch
from ..wording import language, number, percent, t
from .strategy import Target, is_share, yearly

REASONS = ("past", "beyond_horizon", "no_paths", "missing_months", "needs_paths", "no_values")


@dataclass(frozen=True)
class View:
    """The paths of one branch, some of them replaced by a scenario; the others' stay what they are.

    ``at`` is the branch's position in ``paths.branches``, ``past`` its history up to the origin, which no scenario
    changes; ``changed`` holds (horizon, n) by indicator.
    """

    paths: JointPaths = field(repr=False)
    at: int
    past: pd.DataFrame = field(repr=False)      # looked up once: a search asks for it thousands of times
    changed: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, paths: JointPaths, branch: str) -> View:
        """Return the paths of a branch as they were simulated."""
        if branch not in paths.branches:
            raise UnknownNameError("branch of the simulated paths", branch, paths.branches)
        past = paths.history.loc[branch]
        return cls(paths, list(paths.branches).index(branch), past[past.index <= paths.origin])

    @property
    def branch(self) -> str:
        return self.paths.branches[self.at]

    def __getitem__(self, key: str) -> np.ndarray:
        if key in self.changed:
            return self.changed[key]
        if key not in self.paths.values:
            raise UnknownNameError("indicator of the simulated paths", key, self.paths.values)
        return self.paths.values[key][self.at]

    def changes(self, target: Target) -> bool:
        """Whether anything that a target is made of is changed."""
        return not self.changed.keys().isdisjoint((target.indicator, *target.of))

    def must_be_free(self, key: str) -> None:
        """Refuse an indicator that follows from others, naming those to move, or that has no paths."""
        plan = self.paths.plan
        if key in plan.derived:
            raise ConfigError("follows from other indicators and is not moved by itself", key=key, found=key,
                              expected=f"one of {', '.join(plan.movers(key))}")
        self[key]

    def with_free(self, changed: Mapping[str, np.ndarray]) -> View:
        """Replace free indicators and compute anew what follows from them, and nothing else."""
        # What did not change keeps its very bytes, and so does all that follows from it.
        new = {key: y for key, y in changed.items() if not np.array_equal(y, self[key], equal_nan=True)}
        out, plan = replace(self, changed={**self.changed, **new}), self.paths.plan
        touched = plan.touched(new)
        last = {key: y[self.at] for key, y in self.paths.last.items()} if touched else {}
        for key in touched:
            out = replace(out, changed={**out.changed, key: follow(plan.derived[key], out, last, key)})
        return out

    def past_of(self, target: Target) -> pd.Series:
        """Return the past in the terms of a target's goal; a yearly one's over the last twelve months."""
        y = self.past[target.indicator]
        if yearly(target, self.paths.catalog):
            y = y.rolling(12).sum()
        if target.kind == "growth":
            before = y.shift(12)
            return y / before.where(before > 0) - 1
        if target.kind == "share":
            whole = sum(self.past[part] for part in target.of)
            return y / whole.where(whole > 0)
        if target.kind == "rank":
            every = by_branch(self.paths.history, target.indicator)[list(self.paths.branches)].loc[y.index]
            return every.rank(axis=1, ascending=False, method="min")[self.branch]
        return y

    def threshold(self, target: Target) -> float:
        """Return the value from which a target counts as reached, in the terms of its goal.

        Without a goal it is the branch's own: a raise's the mean of the last twelve months, a growth's that of the last
        twelve months over those before; NaN when there are too few.
        """
        if target.threshold is not None:
            return target.threshold
        past = self.past_of(target).dropna()
        if past.empty:
            return np.nan
        return float(past.iloc[-12:].mean() if target.kind == "raise" else past.iloc[-1])


# ---------------------------------------------------------------- what is measured

@dataclass(frozen=True)
class Measure:
    """A target on the paths of a branch, in the ``months`` in which it can be judged; see :func:`measure`.

    It is reached where ``value >= needed``, both (months, n) in the indicator's unit (a rank with its sign turned);
    ``shown`` is the value in the terms of the goal: growth as a fraction, a rank as a place.
    """

    view: View = field(repr=False)
    target: Target
    months: pd.PeriodIndex
    value: np.ndarray = field(repr=False)
    needed: np.ndarray = field(repr=False)
    shown: np.ndarray = field(repr=False)

    @property
    def reached(self) -> np.ndarray:
        """Where it is reached, (h, n)."""
        return self.value >= self.needed


def measure(view: View, target: Target, deadline: pd.Period) -> Measure:
    """Follow a target along every path; months beyond the deadline are kept where they mean something.

    Yearly targets have the months of the deadline's year up to it; months already observed count as they are, and a
    missing one among them leaves NaN.
    """
    paths, key = view.paths, target.indicator
    months, y, needed = paths.months, view[key], view.threshold(target)
    value = shown = y
    if yearly(target, paths.catalog):
        months = months[(months.year == deadline.year) & (months <= deadline)]
        value = shown = _so_far(view, key, deadline)
        if target.kind == "growth":
            before = _so_far(view, key, deadline - 12)[-1]
            shown, needed = _over(value, before) - 1, (1 + needed) * before
    elif target.kind == "growth":
        # The same months a year before: observed for the first twelve, simulated after.
        observed = view.past[key].reindex(months[:12] - 12).to_numpy(float)[:, None]
        before = np.vstack([np.broadcast_to(observed, (len(observed), y.shape[1])), y[:-12]])
        shown, needed = _over(y, before) - 1, (1 + needed) * before
    elif target.kind == "share":
        value = shown = _over(y, sum(view[part] for part in target.of))
    elif target.kind == "rank":
        every = paths.values[key].copy()
        every[view.at] = y      # the others' stay
        shown = np.where(np.isnan(y), np.nan, 1.0 + (every > y[None]).sum(axis=0))
        value, needed = -shown, -needed
    return Measure(view, target, months, value, np.broadcast_to(needed, value.shape), shown)


def _over(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=np.broadcast_to(below > 0, above.shape))


def _so_far(view: View, key: str, end: pd.Period) -> np.ndarray:
    """The sum from January of ``end``'s year, observed or simulated, up to each simulated month of it until `end`; of
    a year without one a row, the observed sum, which is NaN when a month is missing."""
    months, y = view.paths.months, view[key]
    simulated = y[(months.year == end.year) & (months <= end)]
    observed = view.past[key].reindex(pd.period_range(f"{end.year}-01", end - len(simulated), freq="M"))
    return observed.sum(skipna=False) + np.cumsum(simulated if len(simulated) else np.zeros((1, y.shape[1])), axis=0)


# ---------------------------------------------------------------- odds and pace

@dataclass(frozen=True)
class Odds:
    """How likely a target is reached.

    ``p_at, p_by`` are the shares of the ``n`` paths on which it is reached in the deadline's month, and on which it is
    reached in at least one month from the first simulated one to the deadline; ``se_at, se_by`` their standard errors.
    ``expected, median`` are of the value at the deadline, in the goal's terms; ``shortfall_if_missed`` the mean of what
    is missing at the deadline over the paths that do not reach it, in the indicator's unit. ``month_50, month_80``: the
    first month with such odds of being reached in it, NaT when there is none on the paths.
    """

    p_at: float
    p_by: float
    se_at: float
    se_by: float
    expected: float
    median: float
    shortfall_if_missed: float
    month_50: pd.Period
    month_80: pd.Period
    n: int


@dataclass(frozen=True)
class Pace:
    """The pace that a target needs and that of the last twelve months, in the indicator's unit (a share's: fractions);
    NaN for a rank.

    ``momentum_per_month`` is what the pace of the last twelve months brings a month until the deadline if it is kept up
    on the scale that is modelled: growth in per cent, of a share in logits.
    """

    needed_per_month: float = math.nan
    achieved_per_month_12m: float = math.nan
    momentum_per_month: float = math.nan

    @property
    def ratio(self) -> float:
        """The needed pace over the momentum: infinite where there is none and something is needed."""
        needed, momentum = self.needed_per_month, self.momentum_per_month
        if not np.isfinite([needed, momentum]).all():
            return math.nan
        return needed / momentum if momentum > 0 else math.inf if needed > 0 else 0.0


def binomial_se(p: float, n: int) -> float:
    """Return the standard error of a share counted on n independent paths; one of 0 or 1 is taken with half a path to
    either side, for it has an error too."""
    p = min(max(p, 0.5 / n), 1 - 0.5 / n)
    return math.sqrt(p * (1 - p) / n)


def hardest_of(odds: Sequence[float], ratios: Sequence[float | None]) -> int:
    """Return the place of the hardest of some targets: the lowest odds in per cent; of those alike, the one that needs
    most of today's pace (`ratios`, needed to achieved; unknown counts as most)."""
    most = [math.inf if ratio is None or math.isnan(ratio) else ratio for ratio in ratios]
    return min(range(len(odds)), key=lambda n: (round(odds[n], 2), -most[n]))


def odds_of(m: Measure, deadline: pd.Period) -> Odds:
    """Count a target's paths up to a deadline, one of the measure's months."""
    at = m.months.get_loc(deadline)
    ok, shown = m.reached, m.shown[at]
    n = ok.shape[1]
    p_at, p_by = float(ok[at].mean()), float(ok[: at + 1].any(axis=0).mean())
    missing = np.maximum(m.needed[at] - m.value[at], 0.0)
    by_month = ok.mean(axis=1)

    def first(level: float):
        passed = np.flatnonzero(by_month >= level)
        return m.months[passed[0]] if len(passed) else pd.NaT

    return Odds(p_at, p_by, binomial_se(p_at, n), binomial_se(p_by, n), float(shown.mean()), float(np.median(shown)),
                float(missing[~ok[at]].mean()) if p_at < 1 else 0.0, first(0.5), first(0.8), n)


def judged(view: View, target: Target, deadline: pd.Period) -> Measure | str:
    """Return a target's measure, or why it has no odds: one of :data:`REASONS`."""
    months, keys = view.paths.months, (target.indicator, *target.of)
    if deadline < months[0]:
        return "past"
    if deadline > months[-1]:
        return "beyond_horizon"
    if any(key not in view.paths.values for key in keys):
        return "needs_paths"
    if any(np.isnan(view[key]).any() for key in keys):
        return "no_paths"
    m = measure(view, target, deadline)
    at = m.months.get_loc(deadline)
    return "missing_months" if np.isnan(m.value[at]).any() or np.isnan(m.needed[at]).any() else m


def pace_of(m: Measure, deadline: pd.Period) -> Pace:
    """Return the pace that a target needs and the one of the last twelve months.

    Where months add up to a year's total, it is the average month from the first simulated one of the year to the
    deadline, against the average of the last twelve; else the change a month, see :class:`Pace`.
    """
    target, catalog, y = m.target, m.view.paths.catalog, m.view.past[m.target.indicator]
    if target.kind == "rank":
        return Pace()
    at = m.months.get_loc(deadline)
    needed = float(np.median(m.needed[at]))
    if yearly(target, catalog):
        first, left = m.months[0], at + 1
        last = y.iloc[-12:].mean()
        rest = max(needed - y[(y.index.year == deadline.year) & (y.index < first)].sum(), 0.0)
        return Pace(rest / left, float(last), float(last))
    share = target.kind == "share" or is_share(catalog, target.indicator)
    seen = (m.view.past_of(target) if target.kind == "share" else y).dropna()
    if seen.empty:
        return Pace()
    current, left = float(seen.iloc[-1]), (deadline - seen.index[-1]).n
    before = float(seen.get(seen.index[-1] - 12, np.nan))
    scale = choose_transform(seen, "ratio" if share and seen.between(0, 1).all() else None)
    then, now = scale.forward([before, current])
    carried = float(scale.back(now + (now - then) / 12 * left))
    return Pace(max(needed - current, 0.0) / left, (current - before) / 12, (carried - current) / left)


# ---------------------------------------------------------------- in words

def said_odds(p: float, n: int, lang: str | None = None, error: bool = False) -> str:
    """Return odds as they are said: no more digits than n paths allow, and never 0% or 100%.

    Whole per cents from 400 paths on, fives from 100 on, tens below. With `error`, two standard errors beside it:
    0.4234 of 1000 is "42% (±4)", of 200 "40%", and 0 of 50 "< 6%".
    """
    language(lang)
    if not np.isfinite(p):
        return "–"
    step = 1 if n >= 400 else 5 if n >= 100 else 10
    # None of n paths shows no more than that the chance is below 3 in n (95%).
    edge = max(1, math.ceil(300 / n))
    if p * 100 < edge or p * 100 > 100 - edge:
        return f"< {edge}%" if p < 0.5 else f"> {100 - edge}%"
    told = min(max(round(p * 100 / step) * step, edge), 100 - edge)
    return f"{told:g}%" + (f" (±{max(1, math.ceil(200 * binomial_se(p, n) - 0.05))})" if error else "")


def said_value(catalog: Catalog, indicator: str, value: float, lang: str | None = None, kind: str = "level") -> str:
    """Return a value in the terms of a target of some kind: a share or growth in per cent, a rank as a place."""
    if not np.isfinite(value):
        return "–"
    if kind == "rank":
        return t("scenarios.place", lang, n=f"{value:.0f}")
    if kind == "growth":
        return percent(value, sign=True)
    if kind == "share" or is_share(catalog, indicator):
        return percent(value)
    return number(value, catalog.unit_label(indicator, lang), lang)


def said_pace(catalog: Catalog, indicator: str, value: float, lang: str | None = None, kind: str = "level",
              sign: bool = True) -> str:
    """Return a difference as it is said: points for a share, places for a rank, else units."""
    if not np.isfinite(value):
        return "–"
    if kind == "rank":
        return t("scenarios.places", lang, n=f"{value:.1f}")
    if kind == "share" or is_share(catalog, indicator):
        return t("scenarios.points", lang, n=f"{value * 100:{'+' if sign else ''}.2f}")
    return ("+" if sign and value > 0 else "") + number(value, catalog.unit_label(indicator, lang), lang)
