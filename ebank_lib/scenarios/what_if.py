"""A lever of another size: what it would have to achieve for a target to be reached with some odds, and what it does to
every target when it is moved by hand, on the same random paths.

The board's table and fan are the same with and without widgets: sliders only choose what :func:`moved` is asked.
"""

from __future__ import annotations

import html
import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import ValidationError
from scipy.stats import beta

from ..config import expected_of
from ..display import Shown, describe, html_table, plain_text, say
from ..errors import ConfigError, EbankError
from ..monthly import checked_name
from ..wording import language, t
from .comparison import Scenarios, both_odds, run_scenarios, said_timing
from .levers import Drawn, apply_lever, needed_for, said_size
from .odds import View, measure, said_odds, said_value
from .strategy import Move, Strategy, Stress, Target

_MOST = 20.0            # times as high: what bisection tries of a count
_STEPS = 40
_COLUMNS = ["target", "lever", "odds", "p_now", "p_most", "times", "times_low", "times_high", "indicator", "how",
            "required", "required_low", "required_high", "assumed"]
_MONTHS = 36        # as far as the sliders of delay and ramp go, or farther where the strategy says so
_STEP = 0.005       # of an effect: half a per cent, half a point
_LEAST = -0.95      # a fall beyond this is no measure's effect


# ---------------------------------------------------------------- what a lever would have to achieve

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
              value=said_size(catalog, row.indicator, row.how, [row.required], lang),
              range=said_size(catalog, row.indicator, row.how, [row.required_low, row.required_high], lang))
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


# ---------------------------------------------------------------- moved by hand

def moved(scenarios: Scenarios, lever: str, sizes: Mapping[str, tuple[float, float]] | None = None,
          **months: int) -> Scenarios:
    """Ask of one lever or stress, its effects and timing changed, with which odds the targets are reached.

    `sizes` are 80% ranges of the effects that are changed, by indicator and in the terms of :class:`Move`; `months` are
    another ``ramp`` or ``delay``. What is changed is a stated range, whatever evidence there was; (0, 0) is no effect,
    and leaves the baseline's odds and paths to the byte. Branch, paths, targets, deadlines, evidence and seed are kept.
    What no strategy file may state is an error here too.
    """
    stated, targets = scenarios.lever(lever), scenarios.strategy.targets
    data = stated.model_dump() | months
    moves = {move["indicator"]: move for move in data["moves"]}
    for name, (low, high) in (sizes or {}).items():
        checked_name(name, f"effect of {lever}", moves)
        moves[name] |= {"low": float(low), "high": float(high), "evidence": None}
        if low == high == 0:        # nothing of any kind is the same nothing, also of a gap, where 0 is no part
            moves[name] |= {"how": "level", "ceiling": None}
    try:
        changed = type(stated).model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError("wrong value", found=first["input"], expected=expected_of(first),
                          key=".".join(map(str, (lever, *first["loc"])))) from error
    usual = next((scenarios.deadlines[target.key] for target in targets if target.deadline is None), None)
    strategy = Strategy(targets=targets, **{"stress" if isinstance(changed, Stress) else "levers": [changed]})
    return run_scenarios(scenarios.base.paths, scenarios.branch, strategy, deadline=usual, seed=scenarios.seed,
                         evidence=scenarios.evidence)


@dataclass(frozen=True, repr=False)
class LeverBoard(Shown):
    """What a lever does to every target; see :func:`lever_board`.

    ``scenarios`` are the baseline and the lever (:func:`moved`); ``lever`` is "" where there is nothing to move, or
    nothing to hold it against, ``target``, whose fan is drawn, "" where none has odds.
    """

    scenarios: Scenarios
    lever: str
    target: str
    lang: str

    @property
    def table(self) -> pd.DataFrame:
        """A row a target: ``target, indicator, deadline, p_at_before, p_at, p_by_before, p_by, expected_before,
        expected, change_vs_baseline, change_se, reason``."""
        rows = self.scenarios.table
        base = rows[rows["kind"] == "baseline"][["target", "p_at", "p_by", "expected"]]
        return rows[rows["scenario"] == self.lever].merge(base, on="target", suffixes=("", "_before"))[[
            "target", "indicator", "deadline", "p_at_before", "p_at", "p_by_before", "p_by", "expected_before",
            "expected", "change_vs_baseline", "change_se", "reason"]]

    def to_html(self, lang: str | None = None) -> str:
        """Return the table with what the lever is said to do below it, or the sentence that there is none."""
        lang, scenarios, rows = language(lang or self.lang), self.scenarios, []
        if not self.lever:
            return f'<p class="note">{html.escape(t("scenarios.board_empty", lang))}</p>'
        for row in self.table.to_dict("records"):
            target = scenarios.target(row["target"])
            same = t("scenarios.untouched", lang) if row["expected"] == row["expected_before"] else ""
            before, after = (said_value(scenarios.catalog, target.indicator, row[c], lang, target.kind)
                             for c in ("expected_before", "expected"))
            rows.append([target.label(lang), row["deadline"],
                         both_odds(row["p_at_before"], row["p_by_before"], scenarios.n, lang),
                         same or both_odds(row["p_at"], row["p_by"], scenarios.n, lang), before, same or after])
        heads = {name: t(f"scenarios.{name}", lang) for name in (
            "target", "deadline", "board_before", "board_after", "board_expected_before", "board_expected_after")}
        caption = t("scenarios.board_caption", lang, lever=scenarios.label(self.lever, lang),
                    branch=scenarios.catalog.branch(scenarios.branch).label(lang))
        failed = self.table[self.table["reason"] != ""].drop_duplicates("reason").assign(scenario=self.lever)
        return html_table(pd.DataFrame(rows, columns=list(heads)), caption=caption, lang=lang, heads=heads,
                          notes=[*self._effects(lang), *scenarios.failures(failed, lang, marked=False)])

    def plot(self, ax=None):
        """Draw the fans of the baseline and of the lever for one target; see ``charts.scenarios.plot_paths``.

        A lever without a result leaves the baseline's fan, a target without paths a sentence.
        """
        from ..charts.scenarios import plot_paths

        known = set(self.scenarios.rows().query("target == @self.target")["scenario"])
        return plot_paths(self.scenarios, self.lever if self.lever in known else "baseline",
                          self.target if "baseline" in known else "", ax=ax, lang=self.lang)

    def _effects(self, lang: str) -> list[str]:
        """What the lever is taken to do, and when, in a sentence."""
        rows, catalog = self.scenarios.levers_table().to_dict("records"), self.scenarios.catalog
        if not rows:
            return []
        said = [t("scenarios.board_effect", lang, indicator=catalog.indicator(row["indicator"]).short_label(lang),
                  range=t("scenarios.board_no_effect", lang) if row["low"] == row["high"] == 0 else said_size(
                      catalog, row["indicator"], row["how"], [row["low"], row["high"]], lang),
                  source=t(f"scenarios.{'assumed' if row['source'] == 'assumed' else 'estimated'}", lang))
                for row in rows]
        sep, when = "；" if lang == "zh" else "; ", dict.fromkeys(said_timing(row, lang) for row in rows)
        return [t("scenarios.board_effects", lang, effects=sep.join(said), timing=sep.join(when))]

    def _ipython_display_(self) -> None:
        """Show table and fan, each an output of its own, as a page needs them."""
        import matplotlib.pyplot as plt
        from IPython.display import display

        page = self.to_html()
        display({"text/html": page, "text/plain": plain_text(page)}, raw=True)
        if self.lever:
            figure = self.plot().figure
            display(figure)
            plt.close(figure)


def lever_board(scenarios: Scenarios, lever: str | None = None, target: str | None = None, interactive: bool = False,
                lang: str | None = None):
    """Show what a lever does to every target; with a running kernel, let the reader move it.

    Parameters
    ----------
    scenarios : Scenarios
    lever : str, optional
        A lever or stress; default the lever that moves the odds of `target` most.
    target : str, optional
        Whose fan is drawn; default the one that scenarios move most.
    interactive : bool
        False, what a batch needs: the lever as the strategy states it, as a plain table and picture. True: the same
        with sliders (ipywidgets), reckoned anew at each change. It is said, never guessed, so that a notebook shows the
        same wherever it is run.
    lang : {"zh", "en"}, optional

    Returns
    -------
    LeverBoard, or ipywidgets.VBox when interactive
        A strategy without levers or targets is a sentence in either.

    Raises
    ------
    UnknownNameError
        No such lever or target.
    """
    lang = language(lang)
    target = scenarios.most_moved if target is None else scenarios.target(target).key
    lever = "" if lever is None else scenarios.lever(lever).key
    pulled = scenarios.strategy.pulled
    if not pulled or not scenarios.strategy.targets:
        board = LeverBoard(scenarios, "", target, lang)
    else:
        rows = scenarios.rows("lever").query("target == @target")
        best = [*rows.nlargest(1, ["change_vs_baseline", "expected"])["scenario"], pulled[0].key]
        board = LeverBoard(moved(scenarios, lever := lever or best[0]), lever, target, lang)
    return _widgets(scenarios, board) if interactive else board


def _widgets(scenarios: Scenarios, board: LeverBoard):
    """The board with sliders that ask :func:`moved`; it keeps its language: a slider is answered outside the cell."""
    import ipywidgets as w

    if not board.lever:
        return w.VBox([w.HTML(board.to_html())])
    lang, wide = board.lang, {"layout": w.Layout(width="640px"), "style": {"description_width": "200px"}}

    def choice(name: str, items, value: str):
        return w.Dropdown(options=[(one.label(lang), one.key) for one in items], value=value,
                          description=t(f"scenarios.{name}", lang), **wide)

    def months(name: str, value: int):
        return w.IntSlider(value=value, max=max(_MONTHS, value), description=t(f"scenarios.board_{name}", lang),
                           continuous_update=False, **wide)

    def size(move: Move, low: float, high: float, harm: bool):
        # Twice as far as stated, so that there is room on either side.
        least = max(_LEAST, min(-0.2, math.floor(20 * low) / 10)) if harm else 0.0
        most = 0.99 if move.how == "ceiling" else 0.0 if harm and high <= 0 else max(0.2, math.ceil(20 * high) / 10)
        return w.FloatRangeSlider(value=(low, high), min=min(low, least), max=max(high, most), step=_STEP,
                                  description=scenarios.catalog.indicator(move.indicator).short_label(lang),
                                  readout_format=".1%", continuous_update=False, **wide)

    lever = choice("lever", scenarios.strategy.pulled, board.lever)
    target = choice("target", scenarios.strategy.targets, board.target or scenarios.strategy.targets[0].key)
    reset = w.Button(description=t("scenarios.board_reset", lang))
    box = w.VBox([lever, target, reset, w.VBox()])

    def choose(_=None) -> None:
        """Lay out the chosen lever's sliders, each at what evidence or the strategy states."""
        one, old = scenarios.lever(lever.value), box.children[-1]
        effects = scenarios.drawn[one.key].effects if one.key in scenarios.drawn else ()
        learnt = {effect.move.indicator: effect.range_80 for effect in effects if effect.pooled}
        stated = {m.indicator: learnt.get(m.indicator, (m.low or 0.0, m.high or 0.0)) for m in one.moves}

        def answer(**values) -> Shown:
            *sizes, delay, ramp = values.values()
            sizes = {name: ends for name, ends in zip(stated, sizes, strict=True) if ends != stated[name]}
            try:
                now = moved(scenarios, one.key, sizes, ramp=ramp, delay=delay)
            except EbankError as error:
                return say(t("scenarios.board_refused", lang, reason=error))
            return LeverBoard(now, one.key, target.value, lang)

        sliders = [*(size(move, *stated[move.indicator], isinstance(one, Stress)) for move in one.moves),
                   months("delay", one.delay), months("ramp", one.ramp)]
        asked = w.interactive(answer, {"auto_display": True}, **{str(n): slider for n, slider in enumerate(sliders)})
        box.children = (*box.children[:-1], asked)
        for part in (*old.children, old):
            part.close()

    choose()
    lever.observe(choose, "value")
    reset.on_click(choose)
    target.observe(lambda _: box.children[-1].update(), "value")
    return box
