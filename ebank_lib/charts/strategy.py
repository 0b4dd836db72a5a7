"""Pictures of scenarios: odds under each, which assumption matters most, the fan with and without a measure."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ebank_lib.scenarios import Scenarios, said_odds
from ebank_lib.scenarios.measures import Measure, threshold_of
from ebank_lib.scenarios.odds import judged, said_value
from ebank_lib.scenarios.strategy import yearly
from ebank_lib.wording import language, month_name, t

from .style import (
    BAND,
    EVENT,
    GRID,
    INK,
    MUTED,
    WIDTH,
    colours,
    month_axis,
    month_numbers,
    percent_axis,
    unit_axis,
    wrap,
)

__all__ = ["plot_paths", "plot_scenarios", "plot_tornado"]

_COLOUR = {"baseline": MUTED, "lever": colours[0], "bundle": colours[2], "stress": colours[1]}
_PAST = 24      # months of history in a fan


def plot_scenarios(scenarios: Scenarios, target: str, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw the odds of a target at its date under each scenario that touches it, the baseline as a line through all.

    Parameters
    ----------
    scenarios : Scenarios
    target : str
        Its key; "" draws the sentence that there is none.
    """
    lang = language(lang)
    if not target:
        return _nothing(scenarios, ax, lang)
    rows = scenarios.block(target)
    rows = rows[rows["reason"] == ""]
    if len(rows):
        touched = (rows["expected"] != rows["expected"].iloc[0]) | (rows["kind"] == "baseline")
        rows = rows[touched].reset_index(drop=True)
    ax = _axes(ax, 1.1 + 0.27 * len(rows))
    goal = scenarios.target(target)
    title = t("scenarios.scenario_title", lang, target=goal.label(lang),
              deadline=month_name(scenarios.deadlines[target], lang))
    if rows.empty:
        return _sentence(ax, title, t("scenarios.no_odds_short", lang))
    for n, row in enumerate(rows.to_dict("records")):
        ax.barh(n, row["p_at"], height=0.6, color=_COLOUR[row["kind"]], zorder=2)
        ax.annotate(said_odds(row["p_at"], int(row["n"]), lang), (row["p_at"], n), (4, 0), textcoords="offset points",
                    va="center", fontsize=8.5, color=INK)
    ax.axvline(rows.loc[0, "p_at"], color=MUTED, lw=0.8, zorder=1)
    _names(ax, [scenarios.name(key, lang) for key in rows["scenario"]], 46)
    _odds_axis(ax)
    ax.set_title(wrap(title, 96), fontsize=9.5, pad=8)
    kinds = dict.fromkeys(rows["kind"])
    ax.legend(handles=[Patch(color=_COLOUR[k], label=t(f"scenarios.kind_{k}", lang)) for k in kinds], ncols=len(kinds),
              **_below(ax))
    return ax


def plot_tornado(scenarios: Scenarios, target: str, ax: Axes | None = None, lang: str | None = None,
                 most: int = 10) -> Axes:
    """Draw how far a target's odds move when each effect is at its low or at its high end, the widest first.

    Where no effect moves the odds by a per cent, the expected value is drawn instead.

    Parameters
    ----------
    scenarios : Scenarios
    target : str
    most : int
        At most so many bars.
    """
    lang = language(lang)
    if not target:
        return _nothing(scenarios, ax, lang)
    table, goal = scenarios.tornado(target), scenarios.target(target)
    value = "p" if table["swing"].max() >= 0.01 else "expected"
    if value == "expected":
        table = table.sort_values(["swing_expected", "scenario"], ascending=[False, True], ignore_index=True)
    table = table.iloc[:most]
    ax = _axes(ax, 1.3 + 0.34 * max(len(table), 1))
    title = wrap(t(f"scenarios.tornado_title{'' if value == 'p' else '_expected'}", lang, target=goal.label(lang)), 96)
    if table.empty:
        return _sentence(ax, title, t("scenarios.tornado_nothing", lang))
    base = scenarios.block(target).iloc[0]
    centre = base["p_at" if value == "p" else "expected"]
    said = (lambda v: said_odds(v, scenarios.n, lang)) if value == "p" else (
        lambda v: said_value(scenarios.catalog, goal.indicator, v, lang, goal.kind))
    for n, row in enumerate(table.to_dict("records")):
        ends = row[f"{value}_low"], row[f"{value}_high"]
        for end, colour, shift in ((ends[0], colours[5], -0.15), (ends[1], colours[0], 0.15)):
            ax.barh(n + shift, end - centre, left=centre, height=0.28, color=colour, zorder=2)
            right = end >= centre
            ax.annotate(said(end), (end, n + shift), (3 if right else -3, 0), textcoords="offset points", va="center",
                        ha="left" if right else "right", fontsize=8, color=INK)
    ax.axvline(centre, color=MUTED, lw=1.0, zorder=3)
    _names(ax, [scenarios.name(key, lang) for key in table["scenario"]], 46)
    low, high = ax.get_xlim()
    ax.set_xlim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    if value == "p":
        _odds_axis(ax, ends=False)
    else:
        ax.xaxis.set_major_formatter(lambda v, _: said_value(scenarios.catalog, goal.indicator, v, lang, goal.kind))
    ax.set_title(title, fontsize=9.5, pad=8)
    ax.legend(handles=[Patch(color=colours[5], label=t("scenarios.tornado_low", lang)),
                       Patch(color=colours[0], label=t("scenarios.tornado_high", lang)),
                       Line2D([], [], color=MUTED, label=f"{t('scenarios.baseline', lang)} {said(centre)}")],
              ncols=3, **_below(ax))
    return ax


def plot_paths(scenarios: Scenarios, scenario: str, target: str, ax: Axes | None = None,
               lang: str | None = None) -> Axes:
    """Draw a target's past, the fan of the baseline and that of a scenario, and the goal at its date.

    Parameters
    ----------
    scenarios : Scenarios
    scenario : str
        A lever, bundle or stress.
    target : str
    """
    lang = language(lang)
    if not target:
        return _nothing(scenarios, ax, lang)
    goal, by = scenarios.target(target), scenarios.deadlines[target]
    label = scenarios.catalog.indicator(goal.indicator).short_label(lang)
    ax = _axes(ax, 3.6)
    title = t("scenarios.paths_title", lang, indicator=label, scenario=scenarios.label(scenario, lang))
    views = [scenarios.base, *([] if scenario == "baseline" else [scenarios.view(scenario)])]
    measures = [judged(view, goal, by) for view in views]
    if not all(isinstance(m, Measure) for m in measures):
        return _sentence(ax, title, t("scenarios.no_odds_short", lang))
    past = measures[0].history.dropna().iloc[-_PAST:]
    ax.plot(month_numbers(past.index), past.to_numpy(), color=INK, lw=1.5)
    for m, colour, name in zip(measures, (MUTED, BAND), ("baseline", scenario), strict=False):
        keep = m.months <= by
        x, shown = month_numbers(m.months[keep]), m.shown[keep]
        low, middle, high = np.quantile(shown, [0.1, 0.5, 0.9], axis=1)
        if past.index[-1] + 1 == m.months[0] and not yearly(goal, scenarios.catalog):     # the fan opens at today
            x = np.r_[month_numbers(past.index[-1:]), x]
            low, middle, high = (np.r_[past.iloc[-1], side] for side in (low, middle, high))
        ax.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
        ax.plot(x, middle, color=colour, lw=1.8, label=wrap(scenarios.label(name, lang), 60))
    level = threshold_of(scenarios.base, goal)
    ax.plot([month_numbers([by])[0]], [level], marker="D", ms=7, color=EVENT, ls="", zorder=4)
    ax.axhline(level, color=EVENT, lw=1.0, ls=(0, (4, 2)), zorder=1)
    said = said_value(scenarios.catalog, goal.indicator, level, lang, goal.kind)
    ax.annotate(t("scenarios.goal_line", lang, value=said), (month_numbers(past.index[:1])[0], level), (0, 4),
                textcoords="offset points", fontsize=8.5, color=EVENT)
    fraction = goal.kind in ("share", "growth") or scenarios.catalog.indicator(goal.indicator).kind == "ratio"
    if goal.kind == "rank":
        ax.invert_yaxis()
    elif fraction:
        percent_axis(ax, lang)
    else:
        unit_axis(ax, scenarios.catalog.unit_label(goal.indicator, lang), lang)
    month_axis(ax, lang)
    ax.set_title(wrap(title, 96), fontsize=9.5, pad=10)
    ax.legend(title=t("scenarios.paths_note", lang), title_fontsize=8, alignment="left", ncols=2, **_below(ax))
    return ax


def _below(ax: Axes) -> dict:
    """Where a legend stands: a third of an inch below the axes, however high they are."""
    inches = ax.figure.get_size_inches()[1] * ax.get_position().height
    return {"loc": "upper left", "bbox_to_anchor": (0, -0.3 / inches), "fontsize": 8.5, "handlelength": 1.2,
            "columnspacing": 1.2}


def _axes(ax: Axes | None, height: float) -> Axes:
    return plt.subplots(figsize=(WIDTH, height))[1] if ax is None else ax


def _nothing(scenarios: Scenarios, ax: Axes | None, lang: str) -> Axes:
    title = t("scenarios.scenarios_caption", lang, branch=scenarios.catalog.branch(scenarios.branch).label(lang))
    return _sentence(_axes(ax, 0.9), title, scenarios.sentences(lang)[0])


def _sentence(ax: Axes, title: str, said: str) -> Axes:
    ax.set_axis_off()
    ax.set_title(title, fontsize=9.5)
    ax.text(0, 0.5, said, transform=ax.transAxes, color=MUTED)
    return ax


def _names(ax: Axes, names: list[str], width: int) -> None:
    ax.set_yticks(range(len(names)), [wrap(name, width) for name in names], fontsize=8)
    ax.tick_params(axis="y", length=0, labelcolor=INK)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(axis="x", color=GRID)
    ax.grid(axis="y", visible=False)


def _odds_axis(ax: Axes, ends: bool = True) -> None:
    if ends:
        ax.set_xlim(0, 1.08)
    low, high = ax.get_xlim()
    ticks = [v for v in np.arange(0, 1.01, 0.2 if high - low > 0.5 else 0.1) if low <= v <= high]
    ax.set_xticks(ticks, [f"{v * 100:.0f}%" for v in ticks])
