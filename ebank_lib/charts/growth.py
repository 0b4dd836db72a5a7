"""Figures 4-1 (环比), 4-3 (定基) and 4-4 (ratios) of the study for any branch; growth on the year; volatility; and the
study's facts, each figure with its interval beside its limit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..growth import GrowthAnalysis, volatility
from ..monthly import checked_name
from ..rules.facts import Facts, written
from ..wording import month_name, percent, t
from . import style

KINDS = ("mom", "base", "yoy", "ratio", "volatility")
LOG_FROM = 8.0        # a base-period multiple as large as this is drawn on a log axis
MAX_LINES = 8         # more lines than colours: panels instead


@style.in_style
def plot_growth(result: GrowthAnalysis, kind: str = "mom", group: str | None = None, lang: str | None = None) -> Figure:
    """Draw the growth of a branch's indicators, of all groups that have data or of one.

    ``mom``: one panel an indicator, one scale for a group, so that panels compare; months beyond the scale are marked
    with their value. ``base`` and ``yoy``: lines labelled at their ends, one axis a group. ``ratio``: levels, shares of
    one on axes of their own. ``volatility``: how steady growth is. Where there is nothing to draw, a sentence says so.
    Of more than 48 indicators the first of each group, or the least steady, are drawn, which the picture says; a group
    has a picture of its own.
    """
    title = t(f"charts.{checked_name(kind, 'kind of picture', KINDS)}", lang, month=month_name(result.base_month, lang),
              branch=result.catalog.branch(result.branch).label(lang))
    if group:
        named = result.catalog.groups[checked_name(group, "group", result.catalog.groups)]
        title = t("charts.with_group", lang, title=title, group=named(lang))
    if kind == "volatility":
        return _steadiness(result, group, title, lang)
    kinds, column = (("ratio",), "y") if kind == "ratio" else (("stock", "flow"), kind)
    by_group = {g: [k for k in result.keys(kinds, g) if result.series(k, column).notna().any()]
                for g in ([group] if group else result.groups(kinds))}
    keys = [k for members in by_group.values() for k in members]
    if not keys:
        return style.sentence(title, lang, t(f"charts.{'no_ratio' if kind == 'ratio' else 'nothing'}", lang)).figure
    if kind == "ratio":
        bounded = [k for k in keys if result.catalog.indicators[k].bounded]
        by_group = {"bounded": bounded, "free": [k for k in keys if k not in bounded]}
    # As many as can be read: the first of each group, then the second of each, and so on.
    order = sorted((n, at, key) for at, members in enumerate(by_group.values()) for n, key in enumerate(members))
    chosen = {key for _, _, key in order[:style.MOST]}
    by_group = {g: kept for g, members in by_group.items() if (kept := [key for key in members if key in chosen])}
    if kind == "mom":
        fig, note = _panels(result, by_group, lang)
    else:
        fig, note = _lines(result, by_group, kind, lang, titled=kind != "ratio" and not group), ""
    return style.headline(fig, title, note, style.some_of(min(style.MOST, len(keys)), len(keys), lang))


# --- 环比: small multiples

def _panels(result: GrowthAnalysis, by_group: dict[str, list[str]], lang: str) -> tuple[Figure, str]:
    keys = [k for group in by_group.values() for k in group]
    blanks = {c: sum(-len(group) % c for group in by_group.values()) for c in (3, 4)}
    columns = min(len(keys), 2) if len(keys) <= 4 else 3 if len(keys) <= 6 or blanks[3] < blanks[4] else 4
    rows = sum(math.ceil(len(group) / columns) for group in by_group.values())
    fig = plt.figure(figsize=(style.WIDTH, (1.65 if columns < 4 else 1.4) * rows + 0.75))
    grid, row, off_scale = fig.add_gridspec(rows, columns), 0, False
    for group, members in by_group.items():
        # A stock's months differ by a few per cent, a flow's by dozens: one scale for each kind.
        kinds = [result.catalog.indicators[k].kind for k in members]
        limits = {kind: _shared_limits([result.series(k, "mom") for k, own in zip(members, kinds, strict=True)
                                        if own == kind]) for kind in kinds}
        colour = style.colours[list(result.catalog.groups).index(group) % len(style.colours)]
        for n, (key, kind) in enumerate(zip(members, kinds, strict=True)):
            ax = fig.add_subplot(grid[row + n // columns, n % columns])
            off_scale |= _panel(ax, result, key, limits[kind], colour, lang)
            if n % columns and kinds[n - 1] == kind:
                ax.tick_params(labelleft=False)
        row += math.ceil(len(members) / columns)
    gap = "；" if lang == "zh" else "; "
    events = gap.join(f"{month_name(e['month'], lang)} {e[lang]}" for e in result.events_for(keys))
    notes = [t("charts.rate_mom", lang), t("charts.same_scale", lang)] + [t("charts.off_scale", lang)] * off_scale
    return fig, gap.join(notes) + ("\n" + t("charts.event_note", lang, events=events) if events else "")


def _shared_limits(series: Sequence[pd.Series]) -> tuple[float, float]:
    """Return the scale that shows nearly all months of a group: a jump of a lifetime must not flatten the rest."""
    x = np.concatenate([s.dropna().to_numpy() for s in series])
    low, high = np.quantile(x, [0.02, 0.98])
    room = max(float(high - low), 1e-3)
    within = x[(x >= low - room) & (x <= high + room)]
    # Where a month lies beyond, its value is written between the edge and the others.
    over, under = (room / 4 if beyond else room / 12 for beyond in (within.max() < x.max(), within.min() > x.min()))
    return min(float(within.min()), 0.0) - under, max(float(within.max()), 0.0) + over


def _panel(ax: Axes, result: GrowthAnalysis, key: str, limits: tuple[float, float], colour: str, lang: str) -> bool:
    y = result.series(key, "mom")
    low, high = limits
    ax.axhline(0, color=style.MUTED, lw=0.8)
    style.dots_and_lines(ax, y, color=colour, lw=1.2)
    ax.set_ylim(low, high)
    style.month_axis(ax, lang, result.months)
    style.value_axis(ax, "ratio", "", lang, sign=True)
    ax.locator_params(axis="y", nbins=4)
    ax.set_title(result.catalog.indicators[key].short_label(lang), fontsize=9.5, pad=5)
    for event in result.events_for([key]):
        ax.axvline(style.month_numbers([event["month"]])[0], color=style.EVENT, lw=0.9, ls=(0, (2, 2)), zorder=1)
    outside = y[(y > high) | (y < low)]
    left_edge, right_edge = ax.get_xlim()
    before = {True: (-np.inf, 0), False: (-np.inf, 0)}      # where the last label of this edge stands, and its row
    for month, value in outside.items():
        x, up = style.month_numbers([month])[0], value > 0
        row = before[up][1] + 1 if (x - before[up][0]) < 0.3 * (right_edge - left_edge) else 0
        before[up] = (x, row)
        edge = high if up else low
        ax.plot([x], [edge], marker="^" if up else "v", ms=5, color=colour, clip_on=False, zorder=4)
        left = x > (left_edge + right_edge) / 2
        down = -1 - 10 * row if up else 1 + 10 * row
        ax.annotate(percent(value, 0, True), (x, edge), xytext=(-5 if left else 5, down),
                    textcoords="offset points", ha="right" if left else "left", va="top" if up else "bottom",
                    fontsize=8, color=colour, path_effects=style.HALO, zorder=5)
    return not outside.empty


# --- 定基, 同比, ratios: lines by group

def _lines(result: GrowthAnalysis, by_group: dict[str, list[str]], kind: str, lang: str, titled: bool) -> Figure:
    axes_keys = [(group, keys[i:i + MAX_LINES]) for group, keys in by_group.items()
                 for i in range(0, len(keys), MAX_LINES)]
    columns = 1 if len(axes_keys) == 1 else 2
    rows = math.ceil(len(axes_keys) / columns)
    fig = plt.figure(figsize=(style.WIDTH, (4.0 if rows == 1 else 3.2) * rows))
    grid = fig.add_gridspec(rows, columns)
    for n, (group, keys) in enumerate(axes_keys):
        last_alone = n == len(axes_keys) - 1 and n % columns == 0
        ax = fig.add_subplot(grid[n // columns, :] if last_alone else grid[n // columns, n % columns])
        _lines_on(ax, result, {k: result.series(k, "y" if kind == "ratio" else kind) for k in keys}, kind, lang)
        if titled:
            ax.set_title(result.catalog.groups[group](lang))
    return fig


def _lines_on(ax: Axes, result: GrowthAnalysis, series: dict[str, pd.Series], kind: str, lang: str) -> None:
    """Draw each indicator's line in a colour of its own, its label at its end, with the events that concern any."""
    for (key, y), colour in zip(series.items(), style.colours, strict=False):
        style.dots_and_lines(ax, y, color=colour, label=result.catalog.indicators[key].short_label(lang))
    values = np.concatenate([y.dropna().to_numpy() for y in series.values()])
    log = kind in ("base", "volatility") and values.min() > 0 and values.max() / values.min() >= LOG_FROM
    if log:
        ax.set_yscale("log")
    elif kind == "volatility":
        ax.set_ylim(bottom=0)
    elif kind == "ratio":
        # From zero, and to 100% where that is the most there can be: a steady rise must not look like a leap.
        low, high = ax.get_ylim()
        whole = high > 0.6 and result.catalog.indicators[next(iter(series))].bounded
        ax.set_ylim(low if values.min() < 0 else 0.0, 1.0 if whole else high)
    elif kind == "yoy":
        low, high = np.quantile(values, [0.02, 0.98])
        room = max(high - low, 0.02) * 0.5
        ax.set_ylim(min(max(values.min(), low - room), 0) - room / 8, max(min(values.max(), high + room), 0) + room / 8)
    if kind in ("base", "yoy"):
        ax.axhline(1 if kind == "base" else 0, color=style.MUTED, lw=0.8, zorder=1)
    style.month_axis(ax, lang, result.months if kind in ("base", "ratio") else result.months[12:])
    word = {"base": "multiple", "yoy": "rate_yoy", "volatility": "rolling_sd"}.get(kind)
    label = t(f"charts.{word}{'_log' if log else ''}", lang, month=month_name(result.base_month, lang)) if word else ""
    style.value_axis(ax, "" if kind == "base" else "ratio", "", lang, label, sign=kind == "yoy")
    for event in result.events_for(list(series)):
        style.mark_event(ax, event["month"], event[lang])
    style.label_lines(ax)


def _steadiness(result: GrowthAnalysis, group: str | None, title: str, lang: str) -> Figure:
    """Draw how steady growth is: ranked over the whole period, and over the last twelve months as time goes."""
    rolling = {k: volatility(result.series(k)) for k in result.keys(("stock", "flow"), group)}
    rolling = {k: sd for k, sd in rolling.items() if sd.notna().any()}
    if not rolling:
        return style.sentence(title, lang).figure
    rows = result.summary.set_index("indicator").loc[list(rolling)]
    rows = rows.sort_values("robust", ascending=False, kind="stable").iloc[:style.MOST]
    lines = len(rows) <= MAX_LINES
    fig, axes = style.panels(1, 2 if lines else 1, max(3.2, 0.26 * len(rows) + 1.3),
                             width_ratios=[2, 3] if lines else [1])
    colour = dict(zip(rolling, style.colours, strict=False)) if lines else dict.fromkeys(rows.index, style.colours[0])
    _ranking(axes[0, 0], rows, [result.catalog.indicators[k].short_label(lang) for k in rows.index],
             [colour[k] for k in rows.index], lang)
    if lines:
        _lines_on(axes[0, 1], result, rolling, "volatility", lang)
    return style.headline(fig, title, style.some_of(len(rows), len(rolling), lang))


def _ranking(ax: Axes, rows: pd.DataFrame, names: list[str], colours: list[str], lang: str) -> None:
    at, values = np.arange(len(rows)), rows[["volatility", "robust"]]
    floor = float(values[values > 0].min().min())
    floor = max(floor, 1e-5) if math.isfinite(floor) else 1e-5          # all are constant
    sd, robust = values.clip(lower=floor).to_numpy().T
    ax.hlines(at, robust, sd, colors=colours, lw=1.2, alpha=0.5, zorder=2)
    ax.scatter(robust, at, 36, colours, zorder=2)
    ax.scatter(sd, at, 36, "white", edgecolors=colours, lw=1.3, zorder=2)
    style.name_rows(ax, names)
    ax.set_xscale("log")
    low, high = floor / 1.3, max(float(values.max().max()), floor) * 1.3
    ax.set_xlim(low, high)
    ticks = [v for v in (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10) if low <= v <= high]
    ax.set_xticks(ticks, [f"{v * 100:g}%" for v in ticks])
    ax.set_xticks([], minor=True)
    ax.set_title(t("charts.whole_sd", lang), fontsize=9, color=style.MUTED, pad=6)
    handles = [ax.plot([], [], "o", ms=6, color=style.MUTED, label=t("charts.robust_sd", lang))[0],
               ax.plot([], [], "o", ms=6, mfc="white", mec=style.MUTED, label=t("charts.sd", lang))[0]]
    style.legend_below(ax, handles=handles, ncols=2, handletextpad=0.2)


# --- the study's facts

_COLOURS = {"holds": style.colours[2], "fails": style.colours[1], "unclear": style.MUTED}


@style.in_style
def plot_facts(result: Facts, lang: str | None = None) -> Figure:
    """Draw one row a check: what is measured, its interval against the limit, the verdict in words.

    Every row has its own scale, so nothing is compared between rows; the limit is where they all line up.
    """
    title = t("charts.facts", lang, branch=result.catalog.branch(result.branch).label(lang))
    if result.numbers.empty:
        return style.sentence(title, lang, result.reading(lang)).figure
    rows = list(result.numbers.itertuples())
    ax = style.axes_of(None, 0.42 * len(rows) + 1.0)
    ax.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    ax.set_axis_off()
    for n, (row, text) in enumerate(zip(rows, result.labelled(lang)["statistic"], strict=True)):
        if row.part == "a":
            ax.axhline(n - 0.5, color=style.GRID, lw=0.8)
            ax.text(0, n, str(row.fact), va="center", fontsize=11)
        ax.text(0.025, n, style.wrap(text, 56), va="center", fontsize=8.5, linespacing=1.1)
        _interval(ax, row, n)
        ax.text(0.885, n, t(f"facts.verdict_{row.verdict}", lang), va="center", fontsize=9, color=_COLOURS[row.verdict])
    for text in ax.texts:
        text.set_in_layout(False)       # the axes are as wide as the figure, and their words lie within
    return style.headline(ax.figure, title, t("charts.facts_note", lang, level=percent(result.spec.level, 0)))


def _interval(ax: Axes, row, n: int, middle: float = 0.56, reach: float = 0.15) -> None:
    above = 1 if row.side == "above" else -1
    ax.plot([middle, middle], [n - 0.38, n + 0.38], color=style.INK, lw=1.2)
    ax.annotate("", (middle + 0.02 * above, n - 0.3), (middle, n - 0.3),
                arrowprops={"arrowstyle": "->", "color": style.INK, "lw": 0.8, "shrinkA": 0, "shrinkB": 0})
    ax.text(middle - 0.006 * above, n + 0.2, written(row.statistic, row.threshold), va="center",
            ha="right" if above > 0 else "left", fontsize=7.5, color=style.MUTED)
    if not np.isfinite(row.value):
        return
    ends = [v for v in (row.value, row.lo, row.hi) if np.isfinite(v)]
    scale = reach / max(max(abs(v - row.threshold) for v in ends), 1e-12)
    at = {v: middle + (v - row.threshold) * scale for v in ends}
    text = written(row.statistic, row.value)
    if np.isfinite(row.lo) and row.hi > row.lo:
        ax.plot([at[row.lo], at[row.hi]], [n, n], color=_COLOURS[row.verdict], lw=3, alpha=0.45, solid_capstyle="butt")
        text += f"\n[{written(row.statistic, row.lo)}, {written(row.statistic, row.hi)}]"
    ax.plot([at[row.value]], [n], "o", ms=6, color=_COLOURS[row.verdict])
    ax.text(middle + reach + 0.012, n, text, va="center", fontsize=8, color=style.INK)
