"""The reverse question: what would a lever have to achieve for a target to be reached with some odds?"""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import beta

from ..display import Shown, describe, html_table
from ..errors import ConfigError
from ..wording import language, t
from .comparison import Scenarios
from .levers import Drawn, apply_lever, needed_for, said_range, said_size
from .odds import View, measure, said_odds
from .strategy import Target

_MOST = 20.0            # times as high: what bisection tries of a count
_STEPS = 40
_COLUMNS = ["target", "lever", "odds", "p_now", "p_most", "times", "times_low", "times_high", "indicator", "how",
            "required", "required_low", "required_high", "assumed"]


@dataclass(frozen=True, repr=False)
class RequiredEffects(Shown):
    """What every lever would have to achieve for every target; see :func:`required_effects`.

    Attributes
    ----------
    table : DataFrame
        A row an effect that moves the target: ``target, lever, odds``, the odds without the lever and at the most there
        is ``p_now, p_most``, ``times`` the lever's median effect (0 when it is not needed, infinite when the most there
        is does not do) with a 95% interval ``times_low, times_high`` from resampled paths, ``indicator, how, required,
        required_low, required_high, assumed``.
    """

    table: pd.DataFrame
    odds: float
    scenarios: Scenarios

    def to_html(self, lang: str | None = None) -> str:
        """Return the answers as an HTML table."""
        lang, asked = language(lang), self.scenarios
        columns = ["target", "lever", "p_now", "required_answer"]
        rows = [(asked.target(target).label(lang), asked.lever(lever).label(lang),
                 said_odds(block["p_now"].iloc[0], asked.n, lang), self._answer(block, lang))
                for (target, lever), block in self.table.groupby(["target", "lever"], sort=False)]
        return html_table(pd.DataFrame(rows, columns=columns), lang=lang,
                          caption=t("scenarios.required_caption", lang, odds=f"{self.odds * 100:g}%"),
                          heads={c: t(f"scenarios.{c}", lang) for c in columns},
                          notes=[t("scenarios.required_note", lang)])

    def _answer(self, rows: pd.DataFrame, lang: str) -> str:
        """The answer of one lever for one target in a few words: the sizes, not needed, or not reachable."""
        catalog, times = self.scenarios.catalog, rows["times"].iloc[0]
        if not math.isfinite(times):
            return t("scenarios.answer_never", lang, most=said_odds(rows["p_most"].iloc[0], self.scenarios.n, lang))
        if times == 0:
            return t("scenarios.answer_nothing", lang)
        return ("；" if lang == "zh" else "; ").join(
            t("scenarios.required_size", lang, indicator=catalog.indicator(row.indicator).short_label(lang),
              value=said_size(catalog, row.indicator, row.how, row.required, lang),
              range=said_range(catalog, row.indicator, row.how, row.required_low, row.required_high, lang))
            for row in rows.itertuples())


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
        found += sorted(answers, key=lambda effects: effects[0]["times"])
    table = describe(pd.DataFrame([row for effects in found for row in effects], columns=_COLUMNS),
                     kinds={"p_now": "percent", "p_most": "percent"}, indicator="indicator", pooled=True)
    return RequiredEffects(table, odds, scenarios)


def required_effect(view: View, drawn: Drawn, target: Target, by: pd.Period, odds: float) -> list[dict]:
    """Return what a lever would have to achieve for a target to be reached at a date with some odds: a row an effect.

    All the lever's effects are scaled together, each path's own draw of them, from nothing to the most that there is at
    the median (a share of 100%, a gap wholly closed, a count twenty-one times as high), until so many paths reach the
    target: a lever of the median answered, as uncertain as this one, has the odds asked for. Every path has its own
    least multiple, found by bisection; the answer is their quantile. A path that the most there is would lose counts as
    not reached, so a range across 0 is answered on the safe side. The interval is that of the bootstrap (Efron 1979)
    with infinitely many replicates, whose distribution is known for a quantile. It is the error of counting paths, not
    of the trend.
    """
    if not (isinstance(odds, numbers.Real) and 0 < odds < 1):
        raise ConfigError("odds lie between 0 and 1", key="odds", found=odds, expected="as 0.8")
    paths, lever = view.paths, drawn.lever
    wanted = needed_for([target], [lever], paths)
    medians = [float(effect.at(0.0)) for effect in drawn.effects]

    def reached(times) -> np.ndarray:
        m = measure(apply_lever(view, drawn.times(times), wanted), target, by)
        return m.reached[m.months.get_loc(by)]

    limits = [1.0 if move.how == "ceiling" or paths.catalog.indicator(move.indicator).kind == "ratio" else _MOST
              for move in lever.moves]
    most = max(limit / abs(size) for limit, size in zip(limits, medians, strict=True) if size)
    now, then = reached(0.0), reached(most)
    low, high = np.zeros(paths.n), np.full(paths.n, most)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        ok = reached(middle)
        low, high = np.where(ok, low, middle), np.where(ok, middle, high)
    least = np.sort(np.where(then | (now.mean() >= odds), np.where(now, 0.0, high), np.inf))
    rank = math.ceil(odds * paths.n) - 1
    # The bootstrapped quantile is the rank-th of n positions drawn at random, whose distribution is known: a beta.
    ends = np.floor(paths.n * beta.ppf([0.025, 0.975], rank + 1, paths.n - rank)).astype(int)
    times = [float(least[rank]), *least[np.minimum(ends, paths.n - 1)].tolist()]
    about = [target.key, lever.key, odds, float(now.mean()), float(then.mean()), *times]
    rows = []
    for effect, median in zip(drawn.effects, medians, strict=True):
        move, sizes = effect.move, np.multiply(median, times)
        # What moves the target is the answer; the lever's other effects grow in step and do not help it.
        if not wanted.isdisjoint((move.indicator, *move.takes_from)):
            if move.how == "ceiling":
                sizes = np.where(np.isfinite(sizes), np.minimum(sizes, 1.0), sizes)
            rows.append(dict(zip(_COLUMNS, [*about, move.indicator, move.how, *sizes.tolist(), drawn.assumed],
                                 strict=True)))
    return rows
