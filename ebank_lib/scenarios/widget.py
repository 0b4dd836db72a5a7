"""A lever moved by hand: what a measure does to every target if its effect were another, on the same random paths.

The table and the fan are the same with and without widgets: sliders only choose what :func:`moved` is asked.
"""

from __future__ import annotations

import html
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from pydantic import ValidationError

from ..config import expected_of
from ..display import Shown, html_table, plain_text
from ..errors import ConfigError, EbankError, UnknownNameError
from ..wording import language, t
from .comparison import Scenarios, both_odds, run_scenarios, said_timing
from .levers import said_range
from .odds import said_value
from .strategy import Lever, Move, Strategy, Stress

_MONTHS = 36        # as far as the sliders of delay and ramp go, or farther where the strategy says so
_STEP = 0.005       # of an effect: half a per cent, half a point
_LEAST = -0.95      # a fall beyond this is no measure's effect

Sizes = Mapping[str, tuple[float, float]]


def moved(scenarios: Scenarios, lever: str, sizes: Sizes | None = None, ramp: int | None = None,
          delay: int | None = None) -> Scenarios:
    """Ask of one lever or stress, its effects and timing changed, with which odds the targets are reached.

    `sizes` are 80% ranges of the effects that are changed, by indicator and in the terms of :class:`Move`. What is
    changed is a stated range, whatever evidence there was; (0, 0) is no effect, and leaves the baseline's odds and
    paths to the byte. Branch, paths, targets, deadlines, evidence and seed are kept. What no strategy file may state is
    an error here too.
    """
    changed = _changed(scenarios.lever(lever), sizes or {}, ramp, delay)
    targets = scenarios.strategy.targets
    strategy = Strategy(targets=targets, **{"stress" if isinstance(changed, Stress) else "levers": [changed]})
    usual = next((scenarios.deadlines[target.key] for target in targets if target.deadline is None), None)
    return run_scenarios(scenarios.base.paths, scenarios.branch, strategy, deadline=usual, seed=scenarios.seed,
                         evidence=scenarios.evidence)


def _changed(lever: Lever, sizes: Sizes, ramp: int | None, delay: int | None) -> Lever:
    """The lever with other sizes and timing, held against all that a strategy file's lever must keep."""
    data = lever.model_dump()
    moves = {move["indicator"]: move for move in data["moves"]}
    for name, (low, high) in sizes.items():
        if name not in moves:
            raise UnknownNameError(f"effect of {lever.key}", name, moves)
        moves[name] |= {"low": float(low), "high": float(high), "evidence": None}
        if low == high == 0:        # nothing of any kind is the same nothing, also of a gap, where 0 is no part
            moves[name] |= {"how": "level", "ceiling": None}
    data |= {name: value for name, value in (("ramp", ramp), ("delay", delay)) if value is not None}
    try:
        return type(lever).model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError("wrong value", found=first["input"], expected=expected_of(first), key=".".join(
            [lever.key, *(str(part) for part in first["loc"])])) from error


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
        said, when, catalog = [], [], self.scenarios.catalog
        for row in self.scenarios.levers_table().to_dict("records"):
            size = t("scenarios.board_no_effect", lang) if row["low"] == row["high"] == 0 else said_range(
                catalog, row["indicator"], row["how"], row["low"], row["high"], lang)
            source = t(f"scenarios.{'assumed' if row['source'] == 'assumed' else 'estimated'}", lang)
            said.append(t("scenarios.board_effect", lang, range=size, source=source,
                          indicator=catalog.indicator(row["indicator"]).short_label(lang)))
            when.append(said_timing(row, lang))
        sep = "；" if lang == "zh" else "; "
        return [t("scenarios.board_effects", lang, effects=sep.join(said), timing=sep.join(dict.fromkeys(when)))] \
            if said else []

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
    lever = None if lever is None else scenarios.lever(lever).key
    if not scenarios.strategy.pulled or not scenarios.strategy.targets:
        board = LeverBoard(scenarios, "", target, lang)
    else:
        lever = lever or _helps_most(scenarios, target)
        board = LeverBoard(moved(scenarios, lever), lever, target, lang)
    return _widgets(scenarios, board) if interactive else board


def _helps_most(scenarios: Scenarios, target: str) -> str:
    rows = scenarios.rows("lever").query("target == @target")
    best = rows.nlargest(1, ["change_vs_baseline", "expected"])["scenario"]
    return scenarios.strategy.pulled[0].key if best.empty else str(best.iloc[0])


def _widgets(scenarios: Scenarios, board: LeverBoard):
    """The board with sliders that ask :func:`moved`; it keeps its language: a slider is answered outside the cell."""
    import ipywidgets as w

    if not board.lever:
        return w.VBox([w.HTML(board.to_html())])
    lang, wide = board.lang, {"layout": w.Layout(width="640px"), "style": {"description_width": "200px"}}

    def choice(name: str, items, value: str):
        return w.Dropdown(options=[(one.label(lang), one.key) for one in items], value=value,
                          description=t(f"scenarios.{name}", lang), **wide)

    lever = choice("lever", scenarios.strategy.pulled, board.lever)
    target = choice("target", scenarios.strategy.targets, board.target or scenarios.strategy.targets[0].key)
    reset = w.Button(description=t("scenarios.board_reset", lang))
    sliders, table, picture = w.VBox(), w.HTML(), w.Image(format="png")

    def months(name: str, value: int):
        return w.IntSlider(value=value, max=max(_MONTHS, value), description=t(f"scenarios.board_{name}", lang),
                           continuous_update=False, **wide)

    def size(move: Move, low: float, high: float):
        harm = isinstance(scenarios.lever(lever.value), Stress)
        # Twice as far as stated, so that there is room on either side.
        least = max(_LEAST, min(-0.2, math.floor(20 * low) / 10)) if harm else 0.0
        most = 0.99 if move.how == "ceiling" else 0.0 if harm and high <= 0 else max(0.2, math.ceil(20 * high) / 10)
        return w.FloatRangeSlider(value=(low, high), min=min(low, least), max=max(high, most), step=_STEP,
                                  description=scenarios.catalog.indicator(move.indicator).short_label(lang),
                                  readout_format=".1%", continuous_update=False, **wide)

    def choose(_=None) -> None:
        """Lay out the chosen lever's sliders, each at what the strategy states."""
        one = scenarios.lever(lever.value)
        for old in sliders.children:
            old.close()
        sliders.children = (*(size(move, *_stated(scenarios, one.key)[move.indicator]) for move in one.moves),
                            months("delay", one.delay), months("ramp", one.ramp))
        for slider in sliders.children:
            slider.observe(reckon, "value")
        reckon()

    def reckon(_=None) -> None:
        """Show what the sliders say; where that cannot be, why stands in its place and no old picture beside it."""
        *sizes, delay, ramp = (slider.value for slider in sliders.children)
        stated = _stated(scenarios, lever.value)
        sizes = {name: ends for name, ends in zip(stated, sizes, strict=True) if ends != stated[name]}
        try:
            answer = LeverBoard(moved(scenarios, lever.value, sizes, ramp, delay), lever.value, target.value, lang)
        except EbankError as error:
            said = t("scenarios.board_refused", lang, reason=error)
            table.value, picture.value = f'<p class="note">{html.escape(said)}</p>', b""
            return
        table.value, picture.value = answer.to_html(), _png(answer)

    choose()
    lever.observe(choose, "value")
    reset.on_click(choose)
    target.observe(reckon, "value")
    return w.VBox([lever, target, sliders, reset, table, picture])


def _stated(scenarios: Scenarios, lever: str) -> dict[str, tuple[float, float]]:
    """The 80% range of every effect, as evidence or the strategy has it; where neither does, nothing."""
    if lever in scenarios.drawn:
        return {one.move.indicator: one.range_80 if one.pooled else (one.move.low, one.move.high)
                for one in scenarios.drawn[lever].effects}
    return {move.indicator: (0.0, 0.0) if move.low is None else (move.low, move.high)
            for move in scenarios.lever(lever).moves}


def _png(board: LeverBoard) -> bytes:
    import matplotlib.pyplot as plt

    figure, file = board.plot().figure, io.BytesIO()
    figure.savefig(file, format="png", dpi=100, metadata={"Software": None})
    plt.close(figure)
    return file.getvalue()
