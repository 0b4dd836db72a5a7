"""The reverse question: what would a lever have to achieve for a target to be reached with some odds?"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import beta

from ebank_lib.catalog import Catalog
from ebank_lib.display import html_table
from ebank_lib.errors import ConfigError, SeriesError
from ebank_lib.wording import language, month_name, t

from .levers import Drawn, apply_lever, draw, learn_evidence, needed_for
from .loading import as_month, check_indicator
from .measures import View
from .odds import judged, said_odds
from .result import Scenarios
from .said import said_range, said_size
from .spec import Lever, Target
from .targets import default_deadline

if TYPE_CHECKING:
    from ebank_lib.forecasting.joint import JointPaths

__all__ = ["RequiredEffect", "RequiredEffects", "required_effect", "required_effects"]

_MOST = 20.0            # times as high: what bisection tries of a count
_STEPS = 40


@dataclass(frozen=True)
class RequiredEffect:
    """What a lever would have to achieve; see :func:`ebank_lib.scenarios.required_effect`.

    Attributes
    ----------
    times : float
        Of the lever's median effect; 0 when it is not needed, inf when the most there is does not do.
    interval : (float, float)
        95%, from resampled paths.
    now, most : float
        The odds without the lever and at the most there is.
    moves : DataFrame
        ``indicator, how, median``: what one time is.
    """

    lever: Lever
    target: Target
    deadline: pd.Period
    odds: float
    times: float
    interval: tuple[float, float]
    now: float
    most: float
    n: int
    moves: pd.DataFrame = field(repr=False)
    catalog: Catalog = field(repr=False)
    assumed: bool = True

    @property
    def reachable(self) -> bool:
        """Whether any size of the lever gives these odds."""
        return bool(np.isfinite(self.times))

    @property
    def table(self) -> pd.DataFrame:
        """``indicator, how, median, required, low, high``: each effect's required size with its interval."""
        sized = self.moves.copy()
        for name, times in (("required", self.times), ("low", self.interval[0]), ("high", self.interval[1])):
            size = sized["median"] * times
            sized[name] = np.where(sized["how"] == "ceiling", size.where(np.isinf(size), size.clip(upper=1.0)), size)
        return sized

    def reading(self, lang: str | None = None) -> str:
        """Return the answer in a sentence."""
        lang = language(lang)
        about = {"lever": self.lever.label(lang), "target": self.target.label(lang), "odds": f"{self.odds * 100:g}%",
                 "deadline": month_name(self.deadline, lang), "now": said_odds(self.now, self.n, lang),
                 "most": said_odds(self.most, self.n, lang)}
        if not self.reachable:
            return t("scenarios.required_never", lang, **about)
        if self.times == 0:
            return t("scenarios.required_nothing", lang, **about)
        return t("scenarios.required", lang, sizes=self._sizes(lang), times=f"{self.times:.2g}", **about)

    def said(self, lang: str | None = None) -> str:
        """Return the answer in a few words: the sizes, not needed, or not reachable."""
        lang = language(lang)
        if not self.reachable:
            return t("scenarios.answer_never", lang, most=said_odds(self.most, self.n, lang))
        return self._sizes(lang) if self.times > 0 else t("scenarios.answer_nothing", lang)

    def _sizes(self, lang: str) -> str:
        sizes = []
        for row in self.table.to_dict("records"):
            sizes.append(t("scenarios.required_size", lang,
                           value=said_size(self.catalog, row["indicator"], row["how"], row["required"], lang),
                           range=said_range(self.catalog, row["indicator"], row["how"], row["low"], row["high"], lang),
                           indicator=self.catalog.indicator(row["indicator"]).short_label(lang)))
        return ("；" if lang == "zh" else "; ").join(sizes)

    def _repr_html_(self) -> str:
        return f'<p class="reading">{html.escape(self.reading())}</p>'


@dataclass(frozen=True)
class RequiredEffects:
    """What every lever would have to achieve for every target; see :func:`required_effects`."""

    effects: tuple[RequiredEffect, ...] = field(repr=False)
    branch: str
    odds: float

    def __iter__(self) -> Iterator[RequiredEffect]:
        return iter(self.effects)

    def __len__(self) -> int:
        return len(self.effects)

    @property
    def table(self) -> pd.DataFrame:
        """A row an effect that moves the target: ``target, lever, odds, p_now, p_most, times, times_low, times_high``
        (of the lever's median), ``indicator, how, required, required_low, required_high, assumed``. Infinite where no
        size does."""
        rows = [{"target": one.target.key, "lever": one.lever.key, "odds": one.odds, "p_now": one.now,
                 "p_most": one.most, "times": one.times, "times_low": one.interval[0], "times_high": one.interval[1],
                 "indicator": row["indicator"], "how": row["how"], "required": row["required"],
                 "required_low": row["low"], "required_high": row["high"], "assumed": one.assumed}
                for one in self.effects for row in one.table.to_dict("records")]
        return pd.DataFrame(rows, columns=["target", "lever", "odds", "p_now", "p_most", "times", "times_low",
                                           "times_high", "indicator", "how", "required", "required_low",
                                           "required_high", "assumed"])

    def sentences(self, lang: str | None = None) -> list[str]:
        """Return each answer in a sentence, those left out that have the odds already."""
        return [one.reading(lang) for one in self.effects if one.times > 0]

    def to_html(self, lang: str | None = None) -> str:
        """Return the answers as an HTML table."""
        lang = language(lang)
        rows = [{"target": one.target.label(lang), "lever": one.lever.label(lang),
                 "p_now": said_odds(one.now, one.n, lang), "required_answer": one.said(lang)} for one in self.effects]
        columns = ["target", "lever", "p_now", "required_answer"]
        return html_table(pd.DataFrame(rows, columns=columns), lang=lang,
                          caption=t("scenarios.required_caption", lang, odds=f"{self.odds * 100:g}%"),
                          heads={c: t(f"scenarios.{c}", lang) for c in columns},
                          notes=[t("scenarios.required_note", lang)])

    def _repr_html_(self) -> str:
        return self.to_html()


def required_effect(paths: JointPaths, branch: str, lever: Lever, target: Target, odds: float = 0.8,
                    deadline: str | pd.Period | None = None, events: pd.DataFrame | None = None,
                    seed: int | None = None) -> RequiredEffect:
    """Return what a lever would have to achieve for a target to be reached with some odds.

    All the lever's effects are scaled together, from nothing to the most that there is (a share of 100%, a gap wholly
    closed, a count twenty-one times as high), until so many paths reach the target at its deadline.

    Parameters
    ----------
    paths, branch, lever, target
    odds : float
        Within 0 and 1.
    deadline, events, seed
        As in :func:`run_scenarios`.

    Returns
    -------
    RequiredEffect
        ``times`` its median effect with a 95% interval over paths; 0 when the odds are there without it, infinite when
        they are not reached at the most there is.

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
    check_indicator(target, paths.catalog, at=target.key)
    view = View.of(paths, paths.catalog.branch(branch).id)
    usual = default_deadline(paths.origin) if deadline is None else as_month(deadline, key="deadline")
    by = usual if target.deadline is None else as_month(target.deadline, key=target.key)
    seed = paths.seed if seed is None else int(seed)
    drawn = draw(lever, view, seed, learn_evidence(paths, [lever], events))
    return _required(view, drawn, target, by, odds)


def required_effects(scenarios: Scenarios, odds: float = 0.8) -> RequiredEffects:
    """Return, for every target with odds and every lever that touches it, what the lever would have to achieve.

    Parameters
    ----------
    scenarios : Scenarios
    odds : float

    Returns
    -------
    RequiredEffects
        By target; of each target's levers the one that needs the least of its own effect first.
    """
    found = []
    for target in scenarios.strategy.targets:
        rows = scenarios.block(target.key)
        base = rows.iloc[0]
        touching = rows[(rows["kind"] == "lever") & (rows["expected"] != base["expected"]) & (rows["reason"] == "")]
        answers = [_required(scenarios.base, scenarios.drawn[key], target, scenarios.deadlines[target.key], odds)
                   for key in touching["scenario"]]
        found += sorted(answers, key=lambda one: one.times)
    return RequiredEffects(tuple(found), scenarios.branch, odds)


def _required(view: View, drawn: Drawn, target: Target, by: pd.Period, odds: float) -> RequiredEffect:
    if not 0 < odds < 1:
        raise ConfigError("odds lie between 0 and 1", key="odds", found=odds, expected="as 0.8")
    paths, lever = view.paths, drawn.lever
    wanted = needed_for([target], [lever], paths)
    medians = [float(one[0]) for one in drawn.times(1.0).sizes]
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
        few = replace(drawn, sizes=tuple(size[undecided] for size in drawn.sizes))
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
    helps = [(move, size) for move, size in zip(lever.moves, medians, strict=True)
             if not wanted.isdisjoint((move.indicator, *move.takes_from))]
    moves = pd.DataFrame({"indicator": [move.indicator for move, _ in helps], "how": [move.how for move, _ in helps],
                          "median": [size for _, size in helps]})
    return RequiredEffect(lever, target, by, odds, float(least[rank]), (float(interval[0]), float(interval[1])),
                          float(now.mean()), float(then.mean()), paths.n, moves, paths.catalog, drawn.assumed)


def _looked_at(view: View, lever: Lever, target: Target, wanted: frozenset[str]) -> set[str]:
    """The indicators that a lever moves, that a target asks for, and that what follows from the moved is made of."""
    plan, named = view.paths.plan, {key for move in lever.moves for key in (move.indicator, *move.takes_from)}
    follows = plan.touched(wanted & named)
    parts = {part for key in follows for part in plan.derived[key].parts}
    return named | parts | {*follows, target.indicator, *target.of}


def _limit(move, paths: JointPaths) -> float:
    ratio = move.how == "ceiling" or paths.catalog.indicator(move.indicator).kind == "ratio"
    return 1.0 if ratio else _MOST
