"""What a target measures, on every path: the value that counts, what it must reach, and the months it can be judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ..errors import ConfigError, UnknownNameError
from ..forecasting.joint import JointPaths, follow
from ..peers.position import by_branch
from .strategy import Target, yearly

__all__ = ["Measure", "View", "measure", "observed_total", "past_values", "threshold_of"]


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

    def every_branch(self, key: str) -> np.ndarray:
        """Return an indicator of all branches, (branches, horizon, n), this one's as changed."""
        values = self.paths.values[key]
        if key in self.changed:
            values = values.copy()
            values[self.at] = self.changed[key]
        return values

    def history(self, key: str) -> pd.Series:
        """Return the branch's past of an indicator, up to the origin."""
        return self.past[key]

    def narrowed(self, months: int, chosen: np.ndarray, keys: Iterable[str]) -> View:
        """Return some paths' first months of these indicators; they are moved and judged as they are among all."""
        def part(y: np.ndarray) -> np.ndarray:
            return y[..., :months, :][..., chosen]

        values = {key: part(self.paths.values[key]) for key in keys if key in self.paths.values}
        changed = {key: part(y) for key, y in self.changed.items()}
        return replace(self, paths=replace(self.paths, values=values, months=self.paths.months[:months]),
                       changed=changed)

    def changes(self, target: Target) -> bool:
        """Whether anything that a target is made of is changed."""
        return not self.changed.keys().isdisjoint((target.indicator, *target.of))

    def must_be_free(self, key: str) -> None:
        """Refuse an indicator that follows from others, or that has no paths."""
        plan = self.paths.plan
        if key in plan.derived:
            raise ConfigError("follows from other indicators and is not moved by itself", key=key, found=key,
                              expected=f"one of {', '.join(plan.movers(key))}")
        self[key]

    def with_free(self, changed: Mapping[str, np.ndarray]) -> View:
        """Replace free indicators and compute anew what follows from them, and nothing else."""
        plan = self.paths.plan
        for key in changed:
            self.must_be_free(key)
        # What did not change keeps its very bytes, and so does all that follows from it.
        new = {key: y for key, y in changed.items() if not np.array_equal(y, self[key], equal_nan=True)}
        out = replace(self, changed={**self.changed, **new})
        touched = plan.touched(new)
        last = {key: y[self.at] for key, y in self.paths.last.items()} if touched else {}
        values = dict(out.changed)
        for key in touched:
            rule = plan.derived[key]
            values[key] = follow(rule, {part: out[part] for part in rule.parts}, last, key)
            out = replace(out, changed=values)
        return out


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
    def history(self) -> pd.Series:
        """The past in the terms of the goal."""
        return past_values(self.view, self.target)

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
    months, y = paths.months, view[key]
    if yearly(target, paths.catalog):
        return _of_year(view, target, deadline)
    if target.kind == "growth":
        before = _twelve_before(view.history(key), y, months)
        growth = np.divide(y, before, out=np.full_like(y, np.nan), where=before > 0) - 1
        return Measure(view, target, months, y, (1 + threshold_of(view, target)) * before, growth)
    if target.kind == "share":
        whole = sum(view[part] for part in target.of)
        share = np.divide(y, whole, out=np.full_like(y, np.nan), where=whole > 0)
        return Measure(view, target, months, share, _filled(share, target.threshold), share)
    if target.kind == "rank":
        every = view.every_branch(key)
        place = np.where(np.isnan(y), np.nan, 1.0 + (every > y[None]).sum(axis=0))
        return Measure(view, target, months, -place, _filled(place, -target.threshold), place)
    return Measure(view, target, months, y, _filled(y, threshold_of(view, target)), y)


def threshold_of(view: View, target: Target) -> float:
    """Return the value from which a target counts as reached, in the terms of its goal.

    Without a goal it is the branch's own: a raise's the mean of the last twelve months, a growth's that of the last
    twelve months over those before; NaN when there are too few.
    """
    if target.threshold is not None:
        return target.threshold
    past = past_values(view, target).dropna()
    if past.empty:
        return np.nan
    return float(past.iloc[-12:].mean() if target.kind == "raise" else past.iloc[-1])


def _filled(like: np.ndarray, value: float) -> np.ndarray:
    return np.broadcast_to(np.float64(value), like.shape)


def past_values(view: View, target: Target) -> pd.Series:
    """Return the past of a branch in the terms of a target's goal; a yearly one's over the last twelve months."""
    key, history = target.indicator, view.paths.history
    y = view.history(key)
    if yearly(target, view.paths.catalog):
        y = y.rolling(12).sum()
    if target.kind == "growth":
        before = y.shift(12)
        return y / before.where(before > 0) - 1
    if target.kind == "share":
        whole = sum(view.history(part) for part in target.of)
        return y / whole.where(whole > 0)
    if target.kind == "rank":
        every = by_branch(history, key)[list(view.paths.branches)].loc[y.index]
        return every.rank(axis=1, ascending=False, method="min")[view.branch]
    return y


def _twelve_before(past: pd.Series, y: np.ndarray, months: pd.PeriodIndex) -> np.ndarray:
    """The same months a year before, (horizon, n): observed for the first twelve, simulated after."""
    observed = past.reindex(months[:12] - 12).to_numpy(float)[:, None]
    return np.vstack([np.broadcast_to(observed, (len(observed), y.shape[1])), y[:-12]])


def _of_year(view: View, target: Target, deadline: pd.Period) -> Measure:
    months, past = view.paths.months, view.history(target.indicator)
    y = view[target.indicator]
    value = _so_far(past, y, months, deadline)
    keep = (months.year == deadline.year) & (months <= deadline)
    if target.kind == "total":
        needed, shown = _filled(value, target.threshold), value
    else:
        if deadline - 12 in months:
            before = _so_far(past, y, months, deadline - 12)[months.get_loc(deadline - 12)]
        else:
            before = np.full(y.shape[1], observed_total(past, deadline - 12))
        needed = np.broadcast_to((1 + threshold_of(view, target)) * before, value.shape)
        shown = np.divide(value, before, out=np.full_like(value, np.nan),
                          where=np.broadcast_to(before > 0, value.shape)) - 1
    return Measure(view, target, months[keep], value[keep], needed[keep], shown[keep])


def observed_total(past: pd.Series, end: pd.Period) -> float:
    """Return the observed sum from January to a month; NaN when a month is missing."""
    wanted = pd.period_range(pd.Period(year=end.year, month=1, freq="M"), end, freq="M")
    return float(past.reindex(wanted).sum(skipna=False))


def _so_far(past: pd.Series, y: np.ndarray, months: pd.PeriodIndex, end: pd.Period) -> np.ndarray:
    """The sum from January of ``end``'s year up to each month of it, (horizon, n); NaN in other years."""
    out = np.full_like(y, np.nan)
    within = (months.year == end.year) & (months <= end)
    if within.any():
        first = months[within][0]
        start = observed_total(past, first - 1) if first.month > 1 else 0.0
        out[within] = start + np.cumsum(y[within], axis=0)
    return out
