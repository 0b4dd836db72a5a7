"""Pictures of the strategy: where each target stands and its odds, and what scenarios make of them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ..scenarios import Scenarios, Targets, said_odds
from ..scenarios.odds import judged, said_value
from ..scenarios.strategy import yearly
from ..wording import goal_text, month_name, t
from . import style
from .style import BAND, EVENT, INK, MUTED, axes_of, colours, legend_below, month_numbers, name_rows, wrap, write_beside

_COLOUR = {"baseline": MUTED, "lever": colours[0], "bundle": colours[2], "stress": colours[1]}
_PALE = "#B9CFE0"
_PAST = 24                                  # months of history in a fan
_OTHER_PACE = ("growth", "total", "rank")   # their paces are averages or of another indicator: the table has them
_VERDICT = ("at_risk", "slowing", "behind", "far", "away", "past")


# --- where the targets stand

@style.in_style
def plot_targets(targets: Targets, lang: str | None = None, brief: bool = False) -> Figure:
    """Draw each target as a bar to its present state with a year ago, trend and goal, and its pace beside it.

    Shares are drawn in per cent; other indicators in per cent of their goal, which their label says. With `brief` the
    state is drawn alone, under the indicators' short names: the picture for a first screen.
    """
    catalog = targets.catalog
    branch = catalog.branch(targets.branch).label(lang)
    rows = targets.table.to_dict("records")
    if not rows:
        return style.sentence(t("scenarios.caption", lang, branch=branch), lang, targets.reading(lang)).figure
    side = {"columns": 1} if brief else {"columns": 2, "width_ratios": (2.2, 1), "sharey": True}
    fig, (ax,) = style.panels(height=1.3 + 0.62 * len(rows), **side)
    names, scales = [], []
    for n, (target, row) in enumerate(zip(targets.targets, rows, strict=True)):
        share = target.kind in ("share", "growth") or catalog.indicator(target.indicator).kind == "ratio"
        scales.append(100.0 if share or not np.isfinite(row["reached_from"]) else 100.0 / row["reached_from"])
        if target.kind in _OTHER_PACE:
            row |= {"needed_per_month": np.nan, "achieved_per_month_12m": np.nan, "momentum_per_month": np.nan}
        _state(ax[0], n, row, scales[n], target.kind, lang, targets)
        of_goal = "" if share or target.kind == "rank" else "\n（占目标）" if lang == "zh" else "\n(of goal)"
        names.append(catalog.indicator(target.indicator).short_label(lang) if brief else
                     wrap(target.label(lang), 28 if lang == "zh" else 26) + of_goal)
    for axis in ax:
        name_rows(axis, names, -0.75)
    ax[0].set_xlim(0, max(104.0, ax[0].get_xlim()[1]))
    ax[0].xaxis.set_major_formatter(lambda v, _: f"{v:.0f}%")
    if not brief:
        deadlines = {row["deadline"] for row in rows}
        when = month_name(deadlines.pop(), lang) if len(deadlines) == 1 else "–"
        _paces(ax[1], rows, scales, lang)
        ax[0].set_title(t("scenarios.title", lang, branch=branch, deadline=when), fontsize=9.5)
    legend_below(ax[0], handles=[
        Patch(color=_PALE, label=t("scenarios.now", lang)),
        Line2D([], [], color=MUTED, marker="|", ms=9, mew=1.6, ls="", label=t("scenarios.year_ago", lang)),
        Line2D([], [], color=BAND, marker="D", ms=6, ls="", label=t("scenarios.trend", lang)),
        Line2D([], [], color=EVENT, marker="|", ms=13, mew=2.4, ls="", label=t("scenarios.goal", lang))],
        ncols=4, handlelength=1.4)
    return fig


def _state(ax: Axes, n: int, row: dict, scale: float, kind: str, lang: str, targets: Targets) -> None:
    """Draw a target's present state, a year ago, the trend and the goal."""
    current, goal, trend = (row[name] * scale for name in ("current", "reached_from", "trend_at_deadline"))
    if not np.isfinite(current):
        ax.text(2, n, t("scenarios.short_no_data", lang), va="center", color=MUTED, fontsize=9)
        return
    verdict = t(f"scenarios.short_{row['verdict']}", lang)
    now = said_value(targets.catalog, row["indicator"], row["current"], lang, kind)
    if kind == "rank":      # a place is no length
        ax.text(1, n, f"{now} · {verdict}", va="center", fontsize=9, color=INK)
        return
    ax.barh(n, current, height=0.5, color=_PALE, zorder=1)
    ax.text(1, n, now, va="center", ha="left", fontsize=9, color=INK)
    if np.isfinite(row["achieved_per_month_12m"]):
        ago = (row["current"] - 12 * row["achieved_per_month_12m"]) * scale
        ax.plot([ago, ago], [n - 0.17, n + 0.17], color=MUTED, lw=1.6, zorder=2)
    if np.isfinite(goal):
        ax.plot([goal, goal], [n - 0.33, n + 0.33], color=EVENT, lw=2.4, zorder=3,
                ls="-" if kind == "level" else (0, (1.5, 1)))
    if np.isfinite(trend) and row["verdict"] not in ("past", "no_data"):
        ax.plot([current, trend], [n, n], color=BAND, lw=1.2, zorder=3)
        ax.plot([trend], [n], "D", color=BAND, ms=6, zorder=4)
    ax.text(0, n - 0.36, verdict, fontsize=8.5, va="center", color=EVENT if row["verdict"] in _VERDICT else MUTED)


def _paces(ax: Axes, rows: list[dict], scales: list[float], lang: str) -> None:
    """Draw the pace needed and the pace achieved, a pair of bars a target."""
    pair = {"needed": colours[1], "momentum": MUTED}
    for n, (row, scale) in enumerate(zip(rows, scales, strict=True)):
        for (name, colour), shift in zip(pair.items(), (-0.15, 0.15), strict=True):
            pace = row[f"{name}_per_month"] * scale
            if np.isfinite(pace):
                ax.barh(n + shift, pace, height=0.26, color=colour, zorder=2)
                write_beside(ax, f"{pace:+.2f}" if abs(pace) >= 0.005 else "0", (max(pace, 0), n + shift), color=colour)
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, 0) - 0.05 * (high - low), max(high, 0) + 0.3 * (high - low))
    ax.axvline(0, color=MUTED, lw=0.8)
    ax.set_title(t("scenarios.pace_title", lang), fontsize=9.5)
    legend_below(ax, handles=_key(pair, lang), ncols=2, handlelength=1.0)


def _key(looks: dict[str, str], lang: str) -> list:
    return [Patch(color=colour, label=t(f"scenarios.{word}", lang)) for word, colour in looks.items()]


@style.in_style
def plot_odds(targets: Targets, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw both odds of every target: of being there in the date's month, and in some month up to it."""
    rows = targets.table.to_dict("records")
    if not rows:
        return style.sentence("", lang, targets.reading(lang), ax)
    ax = axes_of(ax, 1.1 + 0.62 * len(rows))
    for n, row in enumerate(rows):
        if not np.isfinite(row["p_at"]):
            ax.text(0.01, n, t("scenarios.no_odds_short", lang), va="center", color=MUTED, fontsize=9)
            continue
        for value, colour, shift in ((row["p_at"], colours[0], -0.19), (row["p_by"], colours[5], 0.19)):
            ax.barh(n + shift, value, height=0.34, color=colour, zorder=2)
            write_beside(ax, said_odds(value, int(row["n"]), lang), (value, n + shift))
    ax.set_xlim(0, 1.08)
    _odds_axis(ax)
    return _finish(ax, t("scenarios.odds_title", lang, branch=targets.catalog.branch(targets.branch).label(lang)),
                   [f"{wrap(target.label(lang), 34)}\n{month_name(row['deadline'], lang)}"
                    for target, row in zip(targets.targets, rows, strict=True)],
                   _key({"odds_at": colours[0], "odds_by": colours[5]}, lang), 8.5)


def _finish(ax: Axes, title: str, names: list[str], key: list, size: float = 8) -> Axes:
    """Name the rows, and write the title above and the key below them."""
    name_rows(ax, names, size=size)
    ax.set_title(wrap(title, 96), fontsize=9.5, pad=8)
    legend_below(ax, handles=key, ncols=len(key))
    return ax


# --- what scenarios make of them

@style.in_style
def plot_scenarios(scenarios: Scenarios, target: str, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw the odds of a target at its date under each scenario that touches it, the baseline as a line through all.

    Target "" draws the sentence that there is none, here as in the pictures below.
    """
    if not target:
        return _no_target(scenarios, ax, lang)
    rows = scenarios.block(target)
    rows = rows[rows["reason"] == ""]
    title = t("scenarios.scenario_title", lang, target=scenarios.target(target).label(lang),
              deadline=month_name(scenarios.deadlines[target], lang))
    if rows.empty:
        return style.sentence(title, lang, t("scenarios.no_odds_short", lang), ax)
    rows = rows[(rows["expected"] != rows["expected"].iloc[0]) | (rows["kind"] == "baseline")].to_dict("records")
    ax = axes_of(ax, 1.1 + 0.27 * len(rows))
    for n, row in enumerate(rows):
        ax.barh(n, row["p_at"], height=0.6, color=_COLOUR[row["kind"]], zorder=2)
        write_beside(ax, said_odds(row["p_at"], int(row["n"]), lang), (row["p_at"], n))
    ax.axvline(rows[0]["p_at"], color=MUTED, lw=0.8, zorder=1)
    ax.set_xlim(0, 1.08)
    _odds_axis(ax)
    return _finish(ax, title, [wrap(scenarios.name(row["scenario"], lang), 46) for row in rows],
                   _key({f"kind_{row['kind']}": _COLOUR[row["kind"]] for row in rows}, lang))


@style.in_style
def plot_tornado(scenarios: Scenarios, target: str, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw how far a target's odds move when each effect is at its low or at its high end, the ten widest.

    Where no effect moves the odds by a per cent, the expected value is drawn instead.
    """
    if not target:
        return _no_target(scenarios, ax, lang)
    table, goal = scenarios.tornado(target), scenarios.target(target)
    odds = table["swing"].max() >= 0.01
    if not odds:
        table = table.sort_values(["swing_expected", "scenario"], ascending=[False, True])
    rows = table.iloc[:10].to_dict("records")
    title = t(f"scenarios.tornado_title{'' if odds else '_expected'}", lang, target=goal.label(lang))
    if not rows:
        return style.sentence(title, lang, t("scenarios.tornado_nothing", lang), ax)
    ax = axes_of(ax, 1.3 + 0.34 * len(rows))
    centre = scenarios.block(target).iloc[0]["p_at" if odds else "expected"]

    def written(value: float) -> str:
        return said_odds(value, scenarios.n, lang) if odds else said_value(
            scenarios.catalog, goal.indicator, value, lang, goal.kind)

    ends = {"low": (colours[5], -0.15), "high": (colours[0], 0.15)}
    for n, row in enumerate(rows):
        for side, (colour, shift) in ends.items():
            end = row[f"{'p' if odds else 'expected'}_{side}"]
            ax.barh(n + shift, end - centre, left=centre, height=0.28, color=colour, zorder=2)
            write_beside(ax, written(end), (end, n + shift), end < centre, fontsize=8)
    ax.axvline(centre, color=MUTED, lw=1.0, zorder=3)
    low, high = ax.get_xlim()
    ax.set_xlim(low - 0.1 * (high - low), high + 0.1 * (high - low))
    if odds:
        _odds_axis(ax)
    else:
        ax.xaxis.set_major_formatter(lambda v, _: written(v))
    return _finish(ax, title, [wrap(scenarios.name(row["scenario"], lang), 46) for row in rows], [
        *_key({f"tornado_{side}": colour for side, (colour, _) in ends.items()}, lang),
        Line2D([], [], color=MUTED, label=f"{t('scenarios.baseline', lang)} {written(centre)}")])


@style.in_style
def plot_paths(scenarios: Scenarios, scenario: str, target: str, ax: Axes | None = None,
               lang: str | None = None) -> Axes:
    """Draw a target's past, the fan of the baseline and that of a lever, bundle or stress, and the goal at its date."""
    catalog = scenarios.catalog
    if not target:
        return _no_target(scenarios, ax, lang)
    goal, by = scenarios.target(target), scenarios.deadlines[target]
    ind = catalog.indicator(goal.indicator)
    title = t("scenarios.paths_title", lang, indicator=ind.short_label(lang), scenario=scenarios.label(scenario, lang))
    measures = {name: judged(scenarios.view(name), goal, by) for name in ("baseline", scenario)}
    if any(isinstance(m, str) for m in measures.values()):
        return style.sentence(title, lang, t("scenarios.no_odds_short", lang), ax)
    ax = axes_of(ax, 3.6)
    past = scenarios.base.past_of(goal).dropna().iloc[-_PAST:]
    ax.plot(month_numbers(past.index), past.to_numpy(), color=INK, lw=1.5)
    for (name, m), colour in zip(measures.items(), (MUTED, BAND), strict=False):
        keep = m.months <= by
        x, (low, middle, high) = month_numbers(m.months[keep]), np.quantile(m.shown[keep], [0.1, 0.5, 0.9], axis=1)
        if past.index[-1] + 1 == m.months[0] and not yearly(goal, catalog):     # the fan opens at today
            x = np.r_[month_numbers(past.index[-1:]), x]
            low, middle, high = (np.r_[past.iloc[-1], side] for side in (low, middle, high))
        ax.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
        ax.plot(x, middle, color=colour, lw=1.8, label=wrap(scenarios.label(name, lang), 60))
    level = scenarios.base.threshold(goal)
    ax.plot(month_numbers([by]), [level], marker="D", ms=7, color=EVENT, ls="", zorder=4)
    ax.axhline(level, color=EVENT, lw=1.0, ls=(0, (4, 2)), zorder=1)
    ax.annotate(t("scenarios.goal_line", lang, value=goal_text(
        said_value(catalog, goal.indicator, level, lang, goal.kind))),
                (month_numbers(past.index[:1])[0], level), (0, 4), textcoords="offset points", fontsize=8.5,
                color=EVENT)
    if goal.kind == "rank":
        ax.invert_yaxis()
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        style.value_axis(ax, "ratio" if goal.kind in ("share", "growth") else ind.kind,
                         catalog.unit_label(goal.indicator, lang), lang)
    style.month_axis(ax, lang)
    ax.set_title(wrap(title, 96), fontsize=9.5, pad=10)
    legend_below(ax, title=t("scenarios.paths_note", lang), title_fontsize=8, alignment="left", ncols=2)
    return ax


def _no_target(scenarios: Scenarios, ax: Axes | None, lang: str) -> Axes:
    title = t("scenarios.scenarios_caption", lang, branch=scenarios.catalog.branch(scenarios.branch).label(lang))
    return style.sentence(title, lang, scenarios.sentences(lang)[0], ax)


def _odds_axis(ax: Axes) -> None:
    low, high = ax.get_xlim()
    ticks = [v for v in np.arange(0, 1.01, 0.2 if high - low > 0.5 else 0.1) if low <= v <= high]
    ax.set_xticks(ticks, [f"{v * 100:.0f}%" for v in ticks])
