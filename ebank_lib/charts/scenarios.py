"""Pictures of the strategy: where each target stands, where the trend leads, and the pace that is needed."""

from __future__ import annotations

import re
import textwrap

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ebank_lib.scenarios import Targets, said_odds
from ebank_lib.scenarios.odds import said_value
from ebank_lib.wording import language, month_name, t

from .growth import empty_figure
from .style import BAND, EVENT, INK, MUTED, WIDTH, colours, wrap

__all__ = ["plot_odds", "plot_targets"]


def plot_targets(targets: Targets, ax=None, lang: str | None = None, brief: bool = False) -> Figure:
    """Draw each target as a bar to its present state with a year ago, trend and goal, and its pace beside it.

    Shares are drawn in per cent; other indicators in per cent of their goal, which their label says.

    Parameters
    ----------
    targets : Targets
    ax : pair of Axes, optional
        For the state and for the pace.
    brief : bool
        The state alone, under the indicators' short names: the picture for a first screen.

    Returns
    -------
    Figure
        With a sentence instead of axes when the source has no targets.
    """
    lang = language(lang)
    rows = targets.table.reset_index(drop=True)
    if rows.empty and ax is None:
        return empty_figure(t("scenarios.caption", lang, branch=targets.catalog.branch(targets.branch).label(lang)),
                            lang, targets.reading(lang))
    if ax is None:
        height = 1.3 + 0.62 * max(len(rows), 1)
        columns = {"ncols": 1, "squeeze": False} if brief else {"ncols": 2, "width_ratios": (2.2, 1), "sharey": True}
        fig, ax = plt.subplots(figsize=(WIDTH, height), **columns)
        ax = np.ravel(ax)
    else:
        fig = ax[0].figure
    left = ax[0]
    at = np.arange(len(rows))
    scales = []
    for n, (target, row) in enumerate(zip(targets.targets, rows.to_dict("records"), strict=True)):
        share = _is_share(targets, target)
        scales.append(100.0 if share or not np.isfinite(row["reached_from"]) else 100.0 / row["reached_from"])
        if target.kind in _OTHER_PACE:       # its paces are averages or of another indicator: the table has them
            row |= {"achieved_per_month_12m": np.nan}
            rows.loc[n, ["needed_per_month", "achieved_per_month_12m"]] = np.nan
        _state(left, n, row, scales[n], target.kind, lang, targets)
    names = [targets.catalog.indicator(target.indicator).short_label(lang) if brief else
             _wrapped(target.label(lang), lang) + _of_goal(targets, target, lang) for target in targets.targets]
    left.set_yticks(at, names)
    left.tick_params(axis="y", labelcolor=INK)
    left.set_ylim(len(rows) - 0.4, -0.75)
    left.set_xlim(0, max(104.0, left.get_xlim()[1]))
    left.xaxis.set_major_formatter(lambda v, _: f"{v:.0f}%")
    for axis in ax:
        axis.grid(axis="x")
        axis.grid(axis="y", visible=False)
        axis.tick_params(axis="y", length=0)
    deadlines = rows["deadline"].unique()
    when = month_name(deadlines[0], lang) if len(deadlines) == 1 else "–"
    left.set_title(t("scenarios.title", lang, branch=targets.catalog.branch(targets.branch).label(lang), deadline=when),
                   fontsize=9.5)
    below = {"loc": "upper left", "bbox_to_anchor": (0, -0.09), "fontsize": 8.5, "columnspacing": 1.2}
    left.legend(handles=_key(lang), ncols=4, handlelength=1.4, **below)
    if not brief:
        _paces(ax[1], rows, scales, lang, targets, below)
    return fig


def plot_odds(targets: Targets, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw both odds of every target: of being there in the date's month, and in some month up to it.

    Parameters
    ----------
    targets : Targets
    ax : Axes, optional
    """
    lang = language(lang)
    rows = targets.table.reset_index(drop=True)
    if ax is None:
        ax = plt.subplots(figsize=(WIDTH, 1.1 + 0.62 * max(len(rows), 1)))[1]
    if rows.empty:
        ax.set_axis_off()
        ax.text(0, 0.5, targets.reading(lang), color=MUTED, transform=ax.transAxes)
        return ax
    for n, row in enumerate(rows.to_dict("records")):
        if not np.isfinite(row["p_at"]):
            ax.text(0.01, n, t("scenarios.no_odds_short", lang), va="center", color=MUTED, fontsize=9)
            continue
        for value, colour, shift in ((row["p_at"], colours[0], -0.19), (row["p_by"], colours[5], 0.19)):
            ax.barh(n + shift, value, height=0.34, color=colour, zorder=2)
            ax.annotate(said_odds(value, int(row["n"]), lang), (value, n + shift), (4, 0), va="center", fontsize=8.5,
                        textcoords="offset points", color=INK)
    ax.set_yticks(np.arange(len(rows)), [f"{wrap(target.label(lang), 34)}\n{month_name(row['deadline'], lang)}"
                                         for target, row in zip(targets.targets, rows.to_dict("records"), strict=True)])
    ax.tick_params(axis="y", length=0, labelcolor=INK, labelsize=8.5)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(0, 1.08)
    ax.set_xticks(np.arange(0, 1.01, 0.25), ["0%", "25%", "50%", "75%", "100%"])
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    ax.set_title(t("scenarios.odds_title", lang, branch=targets.catalog.branch(targets.branch).label(lang)),
                 fontsize=9.5, pad=8)
    ax.legend(handles=[Patch(color=colours[0], label=t("scenarios.odds_at", lang)),
                       Patch(color=colours[5], label=t("scenarios.odds_by", lang))], ncols=2, handlelength=1.2,
              loc="upper left", bbox_to_anchor=(0, -0.1), fontsize=8.5)
    return ax


def _paces(ax, rows, scales: list[float], lang: str, targets: Targets, below: dict) -> None:
    """Draw the pace needed and the pace achieved, a pair of bars a target."""
    for n, row in enumerate(rows.to_dict("records")):
        _pace(ax, n, row, scales[n], lang, targets)
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, 0) - 0.05 * (high - low), max(high, 0) + 0.3 * (high - low))
    ax.axvline(0, color=MUTED, lw=0.8)
    ax.set_title(t("scenarios.pace_title", lang), fontsize=9.5)
    ax.legend(handles=[Patch(color=colours[1], label=t("scenarios.needed", lang)),
                       Patch(color=MUTED, label=t("scenarios.achieved", lang))], ncols=2, handlelength=1.0, **below)


def _wrapped(text: str, lang: str) -> str:
    """Break a label into lines; a figure such as 100% stays whole."""
    if lang == "en":
        return "\n".join(textwrap.wrap(text, 26))
    lines = [""]
    for part in re.findall(r"[!-~]+|.", text):
        if len(lines[-1]) + len(part) > 14:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


_OTHER_PACE = ("growth", "total", "rank")


def _is_share(targets: Targets, target) -> bool:
    return target.kind in ("share", "growth") or targets.catalog.indicator(target.indicator).kind == "ratio"


def _of_goal(targets: Targets, target, lang: str) -> str:
    if _is_share(targets, target) or target.kind == "rank":
        return ""
    return "\n" + ("（占目标）" if lang == "zh" else "(of goal)")


def _key(lang: str):
    return [Patch(color="#B9CFE0", label=t("scenarios.now", lang)),
            Line2D([], [], color=MUTED, marker="|", ms=9, mew=1.6, ls="", label=t("scenarios.year_ago", lang)),
            Line2D([], [], color=BAND, marker="D", ms=6, ls="", label=t("scenarios.trend", lang)),
            Line2D([], [], color=EVENT, marker="|", ms=13, mew=2.4, ls="", label=t("scenarios.goal", lang))]


def _state(ax, n: int, row: dict, scale: float, kind: str, lang: str, targets: Targets) -> None:
    current, goal, trend = row["current"] * scale, row["reached_from"] * scale, row["trend_at_deadline"] * scale
    if not np.isfinite(current):
        ax.text(2, n, t("scenarios.short_no_data", lang), va="center", color=MUTED, fontsize=9)
        return
    if kind == "rank":      # a place is no length
        text = said_value(targets.catalog, row["indicator"], row["current"], lang, kind)
        ax.text(1, n, f"{text} · {t('scenarios.short_' + row['verdict'], lang)}", va="center", fontsize=9, color=INK)
        return
    ax.barh(n, current, height=0.5, color="#B9CFE0", zorder=1)
    now = said_value(targets.catalog, row["indicator"], row["current"], lang, kind)
    ax.text(1, n, now, va="center", ha="left", fontsize=9, color=INK)
    if np.isfinite(row["achieved_per_month_12m"]):
        ago = (row["current"] - 12 * row["achieved_per_month_12m"]) * scale
        ax.plot([ago, ago], [n - 0.17, n + 0.17], color=MUTED, lw=1.6, zorder=2)
    if np.isfinite(goal):
        style = "-" if kind == "level" else (0, (1.5, 1))
        ax.plot([goal, goal], [n - 0.33, n + 0.33], color=EVENT, lw=2.4, zorder=3, ls=style)
    if np.isfinite(trend) and row["verdict"] not in ("past", "no_data"):
        ax.plot([current, trend], [n, n], color=BAND, lw=1.2, zorder=3)
        ax.plot([trend], [n], "D", color=BAND, ms=6, zorder=4)
    ax.text(0, n - 0.36, t(f"scenarios.short_{row['verdict']}", lang), fontsize=8.5, va="center", ha="left",
            color=EVENT if row["verdict"] in ("behind", "far", "away", "past") else MUTED)


def _pace(ax, n: int, row: dict, scale: float, lang: str, targets: Targets) -> None:
    for value, colour, shift in ((row["needed_per_month"], colours[1], -0.15),
                                 (row["achieved_per_month_12m"], MUTED, 0.15)):
        if not np.isfinite(value):
            continue
        ax.barh(n + shift, value * scale, height=0.26, color=colour, zorder=2)
        text = f"{value * scale:+.2f}" if abs(value * scale) >= 0.005 else "0"
        ax.annotate(text, (max(value * scale, 0), n + shift), (4, 0), textcoords="offset points", fontsize=8.5,
                    va="center", color=colour)
