"""A lever moved by hand: what a measure does to every target if its effect were another, on the same random paths.

The table and the fan are the same with and without widgets: sliders only choose what :func:`moved` is asked.
"""

from __future__ import annotations

import html
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd
from pydantic import ValidationError

from ..display import html_table
from ..errors import ConfigError, EbankError, UnknownNameError
from ..wording import language, t
from .levers import said_range
from .odds import said_value
from .result import Scenarios, said_timing
from .simulation import run_scenarios
from .strategy import Lever, Stress

__all__ = ["LeverBoard", "lever_board", "moved"]

_MONTHS = 36        # as far as the sliders of delay and ramp go, or farther where the strategy says so
_STEP = 0.005       # of an effect: half a per cent, half a point
_LEAST = -0.95      # a fall beyond this is no measure's effect

Sizes = Mapping[str, tuple[float, float]] | tuple[float, float]


def moved(scenarios: Scenarios, lever: str, sizes: Sizes | None = None, ramp: int | None = None,
          delay: int | None = None) -> Scenarios:
    """Ask of one lever or stress, its effects and timing changed, with which odds the targets are reached.

    `sizes` are 80% ranges of the effects that are changed, in the terms of :class:`Move`; a pair alone is that of every
    effect. What is changed is a stated range, whatever evidence there was; (0, 0) is no effect, and leaves the
    baseline's odds and paths to the byte. Branch, paths, targets, deadlines, evidence and seed are kept.

    Raises
    ------
    UnknownNameError
        No such lever; an indicator that it does not move.
    ConfigError
        A range that runs backwards, is a bare point or does not fit its indicator; months out of range.
    """
    changed = _changed(scenarios.lever(lever), sizes, ramp, delay)
    strategy = replace(scenarios.strategy, levers=(), bundles=(), stress=(), yardsticks=())
    part = "stress" if isinstance(changed, Stress) else "levers"
    usual = next((scenarios.deadlines[target.key] for target in strategy.targets if target.deadline is None), None)
    return run_scenarios(scenarios.base.paths, scenarios.branch, replace(strategy, **{part: (changed,)}),
                         deadline=usual, seed=scenarios.seed, evidence=scenarios.evidence)


@dataclass(frozen=True)
class LeverBoard:
    """What a lever does to every target; see :func:`lever_board`.

    ``scenarios`` are the baseline and the lever (:func:`moved`); ``lever`` is "" where there is nothing to move, or
    nothing to hold it against, ``target``, whose fan is drawn, "" where none has odds.
    """

    scenarios: Scenarios = field(repr=False)
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

    def to_html(self) -> str:
        """Return the table with what the lever is said to do below it, or the sentence that there is none."""
        if not self.lever:
            return f'<p class="note">{html.escape(t("scenarios.board_empty", self.lang))}</p>'
        scenarios, rows = self.scenarios, []
        before = scenarios.table[scenarios.table["kind"] == "baseline"].to_dict("records")
        after = scenarios.table[scenarios.table["scenario"] == self.lever]
        for old, new in zip(before, after.to_dict("records"), strict=True):
            target = scenarios.target(new["target"])
            same = not new["reason"] and new["expected"] == old["expected"]
            ends = [said_value(scenarios.catalog, target.indicator, row["expected"], self.lang, target.kind)
                    for row in (old, new)]
            rows.append([target.label(self.lang), new["deadline"], scenarios.both_odds(old, math.nan, self.lang),
                         scenarios.both_odds(new, old["expected"], self.lang), ends[0],
                         t("scenarios.untouched", self.lang) if same else ends[1]])
        heads = {name: t(f"scenarios.{name}", self.lang) for name in (
            "target", "deadline", "board_before", "board_after", "board_expected_before", "board_expected_after")}
        caption = t("scenarios.board_caption", self.lang, lever=scenarios.label(self.lever, self.lang),
                    branch=scenarios.catalog.branch(scenarios.branch).label(self.lang))
        failed = after[after["reason"] != ""].drop_duplicates("reason")
        return html_table(pd.DataFrame(rows, columns=list(heads)), caption=caption, lang=self.lang, heads=heads,
                          notes=[*self._effects(), *scenarios.failures(failed, self.lang, marked=False)])

    def plot(self, ax=None):
        """Draw the fans of the baseline and of the lever for one target; see ``charts.scenarios.plot_paths``.

        A lever without a result leaves the baseline's fan, a target without paths a sentence.
        """
        from ..charts.scenarios import plot_paths

        failed = set(self.scenarios.table["scenario"]) - set(
            self.scenarios.rows().query("target == @self.target")["scenario"])
        return plot_paths(self.scenarios, "baseline" if self.lever in {"", *failed} else self.lever,
                          "" if "baseline" in failed else self.target, ax=ax, lang=self.lang)

    def _effects(self) -> list[str]:
        """What the lever is taken to do, and when, in a sentence."""
        said, when = [], []
        for row in self.scenarios.levers_table().to_dict("records"):
            size = t("scenarios.board_no_effect", self.lang) if row["low"] == row["high"] == 0 else said_range(
                self.scenarios.catalog, row["indicator"], row["how"], row["low"], row["high"], self.lang)
            source = "assumed" if row["source"] == "assumed" else "estimated"
            said.append(t("scenarios.board_effect", self.lang, range=size, source=t(f"scenarios.{source}", self.lang),
                          indicator=self.scenarios.catalog.indicator(row["indicator"]).short_label(self.lang)))
            when.append(said_timing(row, self.lang))
        sep = "；" if self.lang == "zh" else "; "
        return [t("scenarios.board_effects", self.lang, effects=sep.join(said),
                  timing=sep.join(dict.fromkeys(when)))] if said else []

    def _repr_html_(self) -> str:
        return self.to_html()

    def _ipython_display_(self) -> None:
        """Show table and fan, each an output of its own, as a page needs them."""
        import matplotlib.pyplot as plt
        from IPython.display import display

        plain = self.table.to_string(index=False)
        display({"text/html": self.to_html(), "text/plain": plain}, raw=True)
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
    levers = (*scenarios.strategy.levers, *scenarios.strategy.stress)
    target = scenarios.most_moved if target is None else scenarios.target(target).key
    lever = None if lever is None else scenarios.lever(lever).key
    if not levers or not scenarios.strategy.targets:
        board = LeverBoard(scenarios, "", target, lang)
    else:
        board = _board(scenarios, lever or _helps_most(scenarios, target), target, lang)
    return _widgets(scenarios, board) if interactive else board


def _board(scenarios: Scenarios, lever: str, target: str, lang: str, **changes) -> LeverBoard:
    return LeverBoard(moved(scenarios, lever, **changes), lever, target, lang)


def _helps_most(scenarios: Scenarios, target: str) -> str:
    rows = scenarios.rows("lever").query("target == @target")
    if rows.empty:
        return (*scenarios.strategy.levers, *scenarios.strategy.stress)[0].key
    order = rows.sort_values(["change_vs_baseline", "expected"], ascending=False, kind="stable")
    return str(order["scenario"].iloc[0])


def _changed(lever: Lever, sizes: Sizes | None, ramp: int | None, delay: int | None) -> Lever:
    """The lever with other sizes and timing, held against all that a strategy file's lever must keep."""
    moves = [move.indicator for move in lever.moves]
    sizes = {} if sizes is None else dict.fromkeys(moves, sizes) if isinstance(sizes, tuple) else dict(sizes)
    for name in sizes:
        if name not in moves:
            raise UnknownNameError(f"effect of {lever.key}", name, moves)
    data = lever.model_dump()
    for move in data["moves"]:
        if move["indicator"] in sizes:
            low, high = sizes[move["indicator"]]
            move |= {"low": float(low), "high": float(high), "evidence": None}
            if low == high == 0:        # nothing of any kind is the same nothing, also of a gap, where 0 is no part
                move |= {"how": "level", "ceiling": None}
    data |= {name: value for name, value in (("ramp", ramp), ("delay", delay)) if value is not None}
    try:
        return type(lever).model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(first["msg"].removeprefix("Value error, "), key=".".join(
            [lever.key, *(str(part) for part in first["loc"])])) from error


def _widgets(scenarios: Scenarios, board: LeverBoard):
    import ipywidgets

    if not board.lever:
        return ipywidgets.VBox([ipywidgets.HTML(board.to_html())])
    return _Sliders(scenarios, board).box


class _Sliders:
    """The board with sliders: it keeps what is stated, and shows what :func:`moved` answers for what is set.

    The language is kept too: a kernel answers a slider outside the cell that chose it.
    """

    def __init__(self, scenarios: Scenarios, board: LeverBoard):
        import ipywidgets as w

        self._w, self._scenarios, self._lang = w, scenarios, board.lang
        levers = (*scenarios.strategy.levers, *scenarios.strategy.stress)
        wide = {"layout": w.Layout(width="640px"), "style": {"description_width": "200px"}}
        self._wide, self._held = wide, False
        self.lever = w.Dropdown(options=[(one.label(self._lang), one.key) for one in levers], value=board.lever,
                                description=t("scenarios.lever", self._lang), **wide)
        self.target = w.Dropdown(options=[(one.label(self._lang), one.key) for one in scenarios.strategy.targets],
                                 value=board.target or scenarios.strategy.targets[0].key,
                                 description=t("scenarios.target", self._lang), **wide)
        self.delay, self.ramp = (w.IntSlider(description=t(f"scenarios.board_{name}", self._lang), max=_MONTHS,
                                             continuous_update=False, **wide) for name in ("delay", "ramp"))
        self.reset = w.Button(description=t("scenarios.board_reset", self._lang))
        self.sizes, self.table, self.picture = w.VBox(), w.HTML(), w.Image(format="png")
        self.box = w.VBox([self.lever, self.target, self.sizes, self.delay, self.ramp, self.reset, self.table,
                           self.picture])
        self._choose()
        self.lever.observe(self._choose, "value")
        self.reset.on_click(self._choose)
        for one in (self.target, self.delay, self.ramp):
            one.observe(self._reckon, "value")

    def _choose(self, _=None) -> None:
        """Set every slider to what the strategy states of the chosen lever."""
        lever = self._scenarios.lever(self.lever.value)
        self._held = True       # so many changes, one answer
        for slider, value in ((self.delay, lever.delay), (self.ramp, lever.ramp)):
            slider.max = max(_MONTHS, value)
            slider.value = value
        self._stated = self._ranges(lever)
        for old in self.sizes.children:
            old.close()
        self.sizes.children = tuple(self._slider(lever, i, *ends) for i, ends in enumerate(self._stated.values()))
        self._held = False
        self._reckon()

    def _ranges(self, lever: Lever) -> dict[str, tuple[float, float]]:
        """The 80% range of every effect, as evidence or the strategy has it."""
        drawn = self._scenarios.drawn.get(lever.key)
        if drawn is not None:
            return {one.move.indicator: one.range_80 if one.pooled else (one.move.low, one.move.high)
                    for one in drawn.effects}
        # Where evidence is wanting and no range is stated, nothing, until one is set.
        return {move.indicator: (0.0, 0.0) if move.low is None else (move.low, move.high) for move in lever.moves}

    def _slider(self, lever: Lever, i: int, low: float, high: float):
        move, harm = lever.moves[i], isinstance(lever, Stress)
        # Twice as far as stated, so that there is room on either side.
        least = max(_LEAST, min(-0.2, math.floor(20 * low) / 10)) if harm else 0.0
        most = 0.99 if move.how == "ceiling" else 0.0 if harm and high <= 0 else max(0.2, math.ceil(20 * high) / 10)
        one = self._w.FloatRangeSlider(
            value=(low, high), min=min(low, least), max=max(high, most), step=_STEP,
            readout_format=".1%", continuous_update=False,
            description=self._scenarios.catalog.indicator(move.indicator).short_label(self._lang), **self._wide)
        one.observe(self._reckon, "value")
        return one

    def _reckon(self, _=None) -> None:
        if self._held:
            return
        sizes = {name: tuple(one.value) for (name, ends), one in zip(self._stated.items(), self.sizes.children,
                                                                     strict=True) if tuple(one.value) != ends}
        try:
            board = _board(self._scenarios, self.lever.value, self.target.value, self._lang, sizes=sizes,
                           ramp=self.ramp.value, delay=self.delay.value)
        except EbankError as error:     # said in place of the answer, and the old picture does not stand beside it
            said = t("scenarios.board_refused", self._lang, reason=error)
            self.table.value, self.picture.value = f'<p class="note">{html.escape(said)}</p>', b""
            return
        self.table.value, self.picture.value = board.to_html(), _png(board)


def _png(board: LeverBoard) -> bytes:
    import matplotlib.pyplot as plt

    figure, file = board.plot().figure, io.BytesIO()
    figure.savefig(file, format="png", dpi=100, metadata={"Software": None})
    plt.close(figure)
    return file.getvalue()
