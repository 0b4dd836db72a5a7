"""The reverse question: what would a lever have to achieve for a target to be reached with some odds?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.stats import beta

from ..catalog import Catalog
from ..display import describe, html_table
from ..errors import ConfigError, SeriesError
from ..forecasting.joint import JointPaths
from ..wording import language, t
from .levers import Drawn, Effect, apply_lever, needed_for, said_range, said_size
from .measures import View
from .odds import judged, said_odds
from .result import Scenarios
from .strategy import Lever, Move, Target

__all__ = ["RequiredEffect", "RequiredEffects", "required_effect", "required_effects"]

_MOST = 20.0            # times as high: what bisection tries of a count
_STEPS = 40


@dataclass(frozen=True)
class RequiredEffect:
    """What a lever would have to achieve; see :func:`required_effect`.

    ``times`` its median effect, 0 when it is not needed and infinite when the most there is does not do, with a 95%
    ``interval`` from resampled paths; ``now`` and ``most`` are the odds without it and at the most there is,
    ``effects`` those that move the target.
    """

    lever: Lever
    target: Target
    times: float
    interval: tuple[float, float]
    now: float
    most: float
    n: int
    effects: tuple[Effect, ...] = field(repr=False)
    assumed: bool = True

    @property
    def table(self) -> pd.DataFrame:
        """``indicator, how, required, low, high``: each effect's required size with its interval."""
        rows = []
        for effect in self.effects:
            how, median = effect.move.how, float(effect.at(0.0))
            sizes = [median * times for times in (self.times, *self.interval)]
            rows.append([effect.move.indicator, how, *(
                min(size, 1.0) if how == "ceiling" and math.isfinite(size) else size for size in sizes)])
        return pd.DataFrame(rows, columns=["indicator", "how", "required", "low", "high"])

    def said(self, catalog: Catalog, lang: str) -> str:
        """Return the answer in a few words: the sizes, not needed, or not reachable."""
        if not math.isfinite(self.times):
            return t("scenarios.answer_never", lang, most=said_odds(self.most, self.n, lang))
        if self.times == 0:
            return t("scenarios.answer_nothing", lang)
        return ("；" if lang == "zh" else "; ").join(
            t("scenarios.required_size", lang, indicator=catalog.indicator(row.indicator).short_label(lang),
              value=said_size(catalog, row.indicator, row.how, row.required, lang),
              range=said_range(catalog, row.indicator, row.how, row.low, row.high, lang))
            for row in self.table.itertuples())


@dataclass(frozen=True)
class RequiredEffects:
    """What every lever would have to achieve for every target; see :func:`required_effects`.

    Attributes
    ----------
    table : DataFrame
        A row an effect that moves the target: ``target, lever, odds, p_now, p_most, times, times_low, times_high`` (of
        the lever's median), ``indicator, how, required, required_low, required_high, assumed``. Infinite where no size
        does.
    """

    table: pd.DataFrame = field(repr=False)
    effects: tuple[RequiredEffect, ...] = field(repr=False)
    odds: float
    catalog: Catalog = field(repr=False)

    def to_html(self, lang: str | None = None) -> str:
        """Return the answers as an HTML table."""
        lang = language(lang)
        columns = ["target", "lever", "p_now", "required_answer"]
        rows = [(one.target.label(lang), one.lever.label(lang), said_odds(one.now, one.n, lang),
                 one.said(self.catalog, lang)) for one in self.effects]
        return html_table(pd.DataFrame(rows, columns=columns), lang=lang,
                          caption=t("scenarios.required_caption", lang, odds=f"{self.odds * 100:g}%"),
                          heads={c: t(f"scenarios.{c}", lang) for c in columns},
                          notes=[t("scenarios.required_note", lang)])

    def _repr_html_(self) -> str:
        return self.to_html()


def required_effects(scenarios: Scenarios, odds: float = 0.8) -> RequiredEffects:
    """Return, for every target with odds and every lever that touches it, what the lever would have to achieve.

    Parameters
    ----------
    scenarios : Scenarios
    odds : float
        Within 0 and 1.

    Returns
    -------
    RequiredEffects
        By target; of each target's levers the one that needs the least of its own effect first.

    Raises
    ------
    ConfigError
        Odds out of range.
    """
    found = []
    for target in scenarios.strategy.targets:
        rows = scenarios.block(target.key)
        touching = rows[(rows["kind"] == "lever") & (rows["reason"] == "")
                        & (rows["expected"] != rows.loc[0, "expected"])]
        answers = [required_effect(scenarios.base, scenarios.drawn[key], target, scenarios.deadlines[target.key], odds)
                   for key in touching["scenario"]]
        found += sorted(answers, key=lambda one: one.times)
    rows = [(one.target.key, one.lever.key, odds, one.now, one.most, one.times, *one.interval, *row, one.assumed)
            for one in found for row in one.table.itertuples(index=False)]
    columns = ["target", "lever", "odds", "p_now", "p_most", "times", "times_low", "times_high", "indicator", "how",
               "required", "required_low", "required_high", "assumed"]
    table = describe(pd.DataFrame(rows, columns=columns), kinds={"p_now": "percent", "p_most": "percent"},
                     indicator="indicator", pooled=True)
    return RequiredEffects(table, tuple(found), odds, scenarios.catalog)


def required_effect(view: View, drawn: Drawn, target: Target, by: pd.Period, odds: float) -> RequiredEffect:
    """Return what a lever would have to achieve for a target to be reached at a date with some odds.

    All the lever's effects are scaled together, from nothing to the most that there is (a share of 100%, a gap wholly
    closed, a count twenty-one times as high), until so many paths reach the target.

    Raises
    ------
    ConfigError
        Odds out of range; a lever without any effect.
    SeriesError
        The target has no odds on these paths.

    Notes
    -----
    Every path has its own least multiple, found by bisection; the answer is their quantile. Its interval is that of
    the bootstrap (Efron 1979) with infinitely many replicates, whose distribution is known for a quantile. It is the
    error of counting paths, not of the trend or the lever.
    """
    if not 0 < odds < 1:
        raise ConfigError("odds lie between 0 and 1", key="odds", found=odds, expected="as 0.8")
    paths, lever = view.paths, drawn.lever
    wanted = needed_for([target], [lever], paths)
    medians = [float(effect.at(0.0)) for effect in drawn.effects]
    if not any(medians):
        raise ConfigError("a lever without effect cannot be scaled", key=lever.key, found=0, expected="a range above 0")

    def reached(times, view: View = view, drawn: Drawn = drawn) -> np.ndarray:
        m = judged(apply_lever(view, drawn.times(times), wanted), target, by)
        if isinstance(m, str):
            raise SeriesError("the target has no odds on these paths", key=target.key, found=m)
        return m.reached[m.months.get_loc(by)]

    most = max(_limit(move, paths) / abs(size) for move, size in zip(lever.moves, medians, strict=True) if size)
    now, then = reached(0.0), reached(most)
    # Only where the size decides is it searched for, and only up to the deadline.
    undecided = np.flatnonzero(~now & then)
    least = np.where(now, 0.0, np.inf)
    if undecided.size:
        near = view.narrowed(paths.months.get_loc(by) + 1, undecided, _looked_at(view, lever, target, wanted))
        few = replace(drawn, effects=tuple(replace(one, size=one.size[undecided]) for one in drawn.effects))
        low, high = np.zeros(undecided.size), np.full(undecided.size, most)
        for _ in range(_STEPS):
            middle = (low + high) / 2
            ok = reached(middle, near, few)
            low, high = np.where(ok, low, middle), np.where(ok, middle, high)
        least[undecided] = high
    least.sort()
    rank = math.ceil(odds * paths.n) - 1
    # The bootstrapped quantile is the rank-th of n positions drawn at random, whose distribution is known: a beta.
    ends = np.floor(paths.n * beta.ppf([0.025, 0.975], rank + 1, paths.n - rank)).astype(int)
    interval = least[np.minimum(ends, paths.n - 1)]
    # What moves the target is the answer; the lever's other effects grow in step and do not help it.
    helps = tuple(one for one in drawn.effects if not wanted.isdisjoint((one.move.indicator, *one.move.takes_from)))
    return RequiredEffect(lever, target, float(least[rank]), (float(interval[0]), float(interval[1])),
                          float(now.mean()), float(then.mean()), paths.n, helps, drawn.assumed)


def _looked_at(view: View, lever: Lever, target: Target, wanted: frozenset[str]) -> set[str]:
    """The indicators that a lever moves, that a target asks for, and that what follows from the moved is made of."""
    plan, named = view.paths.plan, {key for move in lever.moves for key in (move.indicator, *move.takes_from)}
    follows = plan.touched(wanted & named)
    parts = {part for key in follows for part in plan.derived[key].parts}
    return named | parts | {*follows, target.indicator, *target.of}


def _limit(move: Move, paths: JointPaths) -> float:
    ratio = move.how == "ceiling" or paths.catalog.indicator(move.indicator).kind == "ratio"
    return 1.0 if ratio else _MOST
