"""Pictures of the province: its branches side by side, the fan of the whole, who made the growth and who carries it."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from ebank_lib.catalog import Catalog
from ebank_lib.errors import SeriesError
from ebank_lib.forecasting import JointPaths
from ebank_lib.province.contributions import Carriers, GrowthDecomposition, points_text, span_text
from ebank_lib.province.hierarchy import full_years, reporting
from ebank_lib.province.league import League
from ebank_lib.wording import language, month_name, number, percent, t

from . import style
from .growth import empty_figure
from .style import BAND, GRID, INK, MUTED, WIDTH, colours, month_axis, month_numbers, percent_axis, unit_axis

__all__ = ["plot_carriers", "plot_decomposition", "plot_league", "plot_multiples", "plot_total_fan"]

_HALO = [withStroke(linewidth=2.5, foreground="white")]
MOST = 24       # panels or bars of a picture; hundreds could not be read, nor would the page bear them


# --- small multiples

def plot_multiples(data, indicator: str = "", paths: JointPaths | None = None, lang: str | None = None,
                   grid: Mapping[str, tuple[int, int]] | None = None) -> Figure:
    """Draw every branch in a panel of its own, all on one scale.

    Stocks and flows as an index of the first month in which all branches have a figure (= 100) on a log scale, so that
    equal slopes are equal growth; ratios as they are. Of more than 24 branches the largest are drawn (of a ratio: those
    with the largest denominator), unless `grid` says where each stands.

    Parameters
    ----------
    data : Cleaned, or anything with its ``panel`` and ``catalog``
    indicator : str
        Default: the first of the catalogue's headline.
    paths : JointPaths, optional
        Whose medians continue the lines.
    grid : mapping of branch to (row, column), optional
        Where panels stand, e.g. roughly as on a map; default row by row in the catalogue's order.

    Returns
    -------
    Figure
        With a sentence instead of axes when no branch has a figure.
    """
    lang = language(lang)
    catalog, panel = data.catalog, data.panel
    ind = catalog.indicator(indicator)
    there = [b for b, some in panel[ind.key].notna().groupby(level="branch", sort=False).any().items() if some]
    there = [b for b in reporting(catalog, panel) if b in set(there)]
    chosen = there if grid else _largest_of(data, ind, there)
    history = {b: _monthly(panel.loc[b, ind.key]) for b in chosen}
    title = t("province.title_multiples", lang, label=ind.label(lang))
    if not history:
        return empty_figure(title, lang)
    ratio = ind.kind == "ratio"
    begin = max(y[y.notna() & (ratio | (y > 0))].first_valid_index() or y.index[-1] for y in history.values())
    base = {b: 1.0 if ratio else float(y.loc[begin:].bfill().iloc[0]) / 100 for b, y in history.items()}
    where = grid or {b: divmod(n, 4) for n, b in enumerate(history)}
    rows, columns = (1 + max(where[b][axis] for b in history) for axis in (0, 1))
    fig, axes = plt.subplots(rows, columns, figsize=(WIDTH, 1.45 * rows + 0.7), squeeze=False, sharex=True, sharey=True)
    for ax in axes.ravel():
        ax.set_visible(False)
    months = next(iter(history.values())).index
    for n, (b, y) in enumerate(history.items()):
        ax = axes[where[b]]
        ax.set_visible(True)
        ax.plot(month_numbers(y.index), (y.where(ratio | (y > 0)) / base[b]).to_numpy(), color=INK, lw=1.3)
        if paths is not None and b in paths.branches and ind.key in paths.values:
            ahead = np.median(paths.of(b, ind.key).to_numpy(), axis=1) / base[b]
            last = y.iloc[-1] / base[b]
            ax.plot(month_numbers(pd.PeriodIndex([y.index[-1], *paths.months])), np.r_[last, ahead], color=BAND, lw=1.3)
            months = months.union(paths.months)
        ax.set_title(catalog.branch(b).label(lang), fontsize=9, pad=3)
        ax.text(0.04, 0.94, _now(y, ind, catalog, lang), transform=ax.transAxes, ha="left", va="top", fontsize=8,
                color=MUTED, path_effects=_HALO)
        if n == 0:
            ax.set_yscale("linear" if ratio else "log")
    first = next(ax for ax in axes.ravel() if ax.get_visible())
    low, high = first.get_ylim()
    first.set_ylim(low, high + (high - low) * 0.18 if ratio else high * (high / low) ** 0.18)
    for place in ((r, c) for r in range(rows) for c in range(columns) if axes[r, c].get_visible()):
        ax = axes[place]
        (percent_axis if ratio else unit_axis)(ax, *(() if ratio else ("",)), lang)
        # The edge panels are those without a panel beside or below them.
        ax.tick_params(labelleft=not any(axes[place[0], c].get_visible() for c in range(place[1])), labelsize=8,
                       labelbottom=not any(axes[r, place[1]].get_visible() for r in range(place[0] + 1, rows)))
    month_axis(first, lang, pd.PeriodIndex(months, freq="M"))
    key = "note_multiples_ratio" if ratio else "note_multiples"
    note = t(f"province.{key}", lang, **({} if ratio else {"first": month_name(begin, lang)}),
             end=month_name(panel.index.get_level_values("month").max(), lang))
    if len(there) > len(history):
        note = style.wrap(_some_of(len(history), len(there), lang) + note, 138)
    fig.suptitle(title, x=0.01, ha="left")
    fig.supxlabel(note, x=0.01, ha="left", fontsize=8.5, color=MUTED)
    if paths is not None:
        line = Line2D([], [], color=BAND, label=t("province.forecast_median", lang))
        fig.legend(handles=[line], loc="upper right", handlelength=1.6)
    return fig


def _largest_of(data, ind, branches: list[str]) -> list[str]:
    """Return at most 24 branches, the largest at the end, in the catalogue's order."""
    if len(branches) <= MOST:
        return branches
    of = [k for k in ind.denominators if k in data.panel.columns] or [ind.key]
    size = data.panel[of].groupby(level="branch", sort=False).last().sum(axis=1).loc[branches]
    chosen = set(size.sort_values(ascending=False, kind="stable").index[:MOST])
    return [b for b in branches if b in chosen]


def _some_of(n: int, total: int, lang: str) -> str:
    return t("province.chart_some", lang, n=n, total=total) + ("" if lang == "zh" else " ")


def _monthly(y: pd.Series) -> pd.Series:
    return y.set_axis(pd.PeriodIndex(y.index, freq="M"))


def _now(y: pd.Series, ind, catalog: Catalog, lang: str) -> str:
    """The last month's figure and what became of it in a year."""
    now = y.iloc[-1]
    then = y.iloc[-13] if len(y) > 12 else np.nan
    if ind.kind == "ratio":
        change = t("province.in_points", lang, n=f"{(now - then) * 100:+.1f}") if np.isfinite(now - then) else ""
        return f"{percent(now)}  {change}".rstrip()
    return f"{number(now, '', lang)}  {percent(now / then - 1, 0, True) if then > 0 else ''}".rstrip()


# --- the fan of the whole

def plot_total_fan(paths: JointPaths, indicator: str = "", ax: Axes | None = None, lang: str | None = None,
                   months: int = 36, level=(80, 95)) -> Axes:
    """Draw the province's history and the fan of its paths.

    Parameters
    ----------
    paths : JointPaths
    indicator : str
        Default: the first of the catalogue's headline.
    months : int
        How much history.
    level : numbers
        Per cent of the paths within each band.
    """
    lang = language(lang)
    ax = plt.subplots()[1] if ax is None else ax
    catalog = paths.catalog
    ind = catalog.indicator(indicator)
    past = _total_history(paths, ind).iloc[-months:]
    said = paths.total(ind.key)
    x, now = month_numbers(said.index), float(past.dropna().iloc[-1])
    origin = month_numbers(past.dropna().index[-1:])[0]
    levels = sorted(level, reverse=True)
    key = []
    for lv, alpha in zip(levels, np.linspace(0.15, 0.30, len(levels)) if len(levels) > 1 else [0.2], strict=True):
        low, high = np.quantile(said.to_numpy(), (0.5 - lv / 200, 0.5 + lv / 200), axis=1)
        ax.fill_between(np.r_[origin, x], np.r_[now, low], np.r_[now, high], color=BAND, alpha=alpha, lw=0)
        key.append(Patch(color=BAND, alpha=0.18 if lv == levels[0] else 0.42, lw=0,
                         label=t("forecasting.limits", lang, level=f"{lv:g}")))
    ax.plot(month_numbers(past.index), past.to_numpy(), color=INK)
    middle = np.median(said.to_numpy(), axis=1)
    line, = ax.plot(np.r_[origin, x], np.r_[now, middle], color=BAND, lw=2.0, label=t("province.forecast_median", lang))
    ax.plot([origin], [now], "o", color=INK, ms=4)
    ax.axvline(origin, color=MUTED, lw=0.8, zorder=0)
    ax.set_title(t("province.title_fan", lang, label=ind.label(lang)))
    if ind.kind == "ratio":
        percent_axis(ax, lang)
    else:
        unit_axis(ax, catalog.unit_label(ind.key, lang), lang)
    month_axis(ax, lang, past.index.append(pd.PeriodIndex(said.index, freq="M")))
    ax.legend(handles=[line, *key], loc="lower right", bbox_to_anchor=(1, 1), ncols=1 + len(key), borderaxespad=0.1,
              columnspacing=1.4, handlelength=1.6)
    text = percent(middle[-1]) if ind.kind == "ratio" else number(middle[-1], "", lang)
    ax.annotate(text, (x[-1], middle[-1]), (5, 0), textcoords="offset points", color=BAND, fontsize=9, va="center",
                annotation_clip=False)
    return ax


def _total_history(paths: JointPaths, ind) -> pd.Series:
    """The branches of the paths together, month by month."""
    def whole(keys) -> pd.Series:
        able = [b for b in paths.branches if np.isfinite(paths.of(b, ind.key).to_numpy()).all()]
        if not able:
            raise SeriesError("no branch has paths", found=ind.key, expected="paths of at least one branch")
        return sum(full_years(paths.history, [(b, key) for b in able], paths.catalog.indicator(key), 1)[0].sum(
            axis=1, skipna=False) for key in keys)

    if ind.kind != "ratio":
        return whole([ind.key])
    return whole([ind.numerator]) / whole(ind.denominators)


# --- bars

def plot_decomposition(found: GrowthDecomposition, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw each branch's contribution to the province's growth, divided by channel where the indicator is a sum.

    Of more than 24 branches those that moved it most, and the sum of the others as a figure. A sentence instead of bars
    where the province began at nothing.
    """
    lang = language(lang)
    rows = found.by()
    if not np.isfinite(found.growth):
        return empty_figure(found.catalog.indicator(found.indicator).label(lang), lang, found.reading(lang)).axes[0]
    wide, points = found.wide() * 100, found.points().iloc[:-1, -1]
    names = [found.catalog.branch(b).label(lang) for b in rows.index]
    if len(rows) > MOST:
        most = rows["change"].abs().sort_values(ascending=False, kind="stable").index[:MOST]
        drawn = rows.index.isin(most)
        names = [name for name, here in zip(names, drawn, strict=True) if here] + [_others(len(rows) - MOST, lang)]
        # Together they are much longer than any: written, not drawn.
        wide = pd.concat([wide[drawn], pd.DataFrame(0.0, [""], wide.columns)])
        points = [*points[drawn], points[~drawn].sum()]
    ax = _bar_axes(len(names), ax)
    at = np.arange(len(names))
    right, left = np.zeros(len(names)), np.zeros(len(names))
    for n, key in enumerate(found.parts):
        width = wide[key].to_numpy()
        start = np.where(width >= 0, right, left)
        ax.barh(at, width, left=start, height=0.68, color=colours[n] if len(found.parts) > 1 else BAND, lw=0,
                label=found.catalog.indicator(key).short_label(lang))
        right += np.maximum(width, 0)
        left += np.minimum(width, 0)
    _write(ax, at, right, [points_text(v) for v in points])
    _names(ax, at, names)
    ind = found.catalog.indicator(found.indicator)
    ax.set_title(t("province.title_growth", lang, label=ind.short_label(lang), growth=percent(found.growth, sign=True),
                   span=span_text(ind, found.end, found.months, lang)))
    ax.set_xlabel(t("province.axis_points", lang))
    if len(found.parts) > 1:
        ax.legend(loc="lower right", handlelength=1.2)
    return ax


def plot_league(league: League, indicator: str = "", ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw an indicator's ranking (of more than 24 branches the first), each bar with its figure and its growth on the
    year."""
    lang = language(lang)
    ranked = league.of(indicator).dropna(subset=["rank"])
    rows = ranked.iloc[:MOST]
    ind = league.catalog.indicator(league.of(indicator)["indicator"].iloc[0])
    ax = _bar_axes(len(rows), ax)
    at = np.arange(len(rows))
    ax.barh(at, rows["value"], height=0.68, color=BAND, lw=0)
    unit = league.catalog.unit_label(ind.key, lang)
    if ind.kind == "ratio":
        texts = [percent(v) + (f"  {t('province.in_points', lang, n=f'{g * 100:+.1f}')}" if np.isfinite(g) else "")
                 for v, g in zip(rows["value"], rows["growth"], strict=True)]
        ax.xaxis.set_major_formatter(lambda v, _: percent(v, 0))
    else:
        texts = [number(v, "", lang) + (f"  {percent(g, 1, True)}" if np.isfinite(g) else "")
                 for v, g in zip(rows["value"], rows["growth"], strict=True)]
        ax.xaxis.set_major_formatter(lambda v, _: number(v, "", lang))
        ax.set_xlabel(unit)
    _write(ax, at, np.maximum(rows["value"].to_numpy(), 0), texts)
    _names(ax, at, [league.catalog.branch(b).label(lang) for b in rows["branch"]])
    ax.set_title(t("province.title_league", lang, label=ind.short_label(lang), when=t(
        f"province.when_{'flow' if ind.kind == 'flow' else 'stock'}", lang, end=month_name(league.end, lang))))
    if len(ranked) > len(rows):
        ax.set_xlabel(f"{ax.get_xlabel()}\n{_some_of(len(rows), len(ranked), lang)}".strip())
    return ax


def plot_carriers(found: Carriers, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw each branch's expected increase with its 80% limits and its share of the province's; of more than 24
    branches the first, and the sum of the others as a figure."""
    lang = language(lang)
    rows = found.table[found.table["reason"] == ""].sort_values("increase", ascending=False, kind="stable")
    names = [found.catalog.branch(b).label(lang) for b in rows["branch"]]
    if len(rows) > MOST:
        rest = {name: rows[name].iloc[MOST:].sum(min_count=1) for name in ("increase", "share")}
        names = [*names[:MOST], _others(len(rows) - MOST, lang)]
        rows = pd.concat([rows.iloc[:MOST], pd.DataFrame([rest])], ignore_index=True)
    ax = _bar_axes(len(rows), ax)
    at = np.arange(len(rows))
    ind = found.catalog.indicator(found.indicator)
    ends = np.maximum(rows["hi-80"].to_numpy(), 0)
    drawn = np.isfinite(ends)                 # the others together would be much longer than any: written, not drawn
    ax.barh(at[drawn], rows["increase"][drawn], height=0.68, color=BAND, lw=0)
    ax.hlines(at, rows["lo-80"], rows["hi-80"], color=INK, lw=1.0)
    texts = [number(v, "", lang) + (f"  {percent(s, 0)}" if np.isfinite(s) else "")
             for v, s in zip(rows["increase"], rows["share"], strict=True)]
    _write(ax, at, np.where(drawn, ends, 0), texts)
    _names(ax, at, names)
    ax.xaxis.set_major_formatter(lambda v, _: number(v, "", lang))
    ax.set_xlabel(found.catalog.unit_label(ind.key, lang))
    ax.set_title(t("province.title_carry", lang, label=ind.short_label(lang), when=found.when(lang)))
    return ax


def _others(n: int, lang: str) -> str:
    return t("province.chart_others", lang, n=n)


def _bar_axes(rows: int, ax: Axes | None) -> Axes:
    return plt.subplots(figsize=(WIDTH, 1.2 + 0.27 * max(rows, 2)))[1] if ax is None else ax


def _names(ax: Axes, at: np.ndarray, names: list[str]) -> None:
    ax.set_yticks(at, names)
    ax.tick_params(axis="y", labelcolor=INK, length=0)
    ax.set_ylim(len(at) - 0.4, -0.6)
    ax.grid(axis="x", color=GRID)
    ax.grid(axis="y", visible=False)
    ax.axvline(0, color=MUTED, lw=0.8)


def _write(ax: Axes, at: np.ndarray, ends: np.ndarray, texts: list[str]) -> None:
    """Write at each bar's end, and make room for the longest text."""
    low, high = ax.get_xlim()
    longest = max((len(text) for text in texts), default=0)
    ax.set_xlim(low, high + (high - low) * min(0.03 + 0.011 * longest, 0.4))
    for y, x, text in zip(at, ends, texts, strict=True):
        ax.annotate(text, (x, y), (4, 0), textcoords="offset points", va="center", fontsize=8.5, color=MUTED,
                    path_effects=_HALO)
