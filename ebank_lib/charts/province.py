"""Pictures of the province: its branches side by side, the fan of the whole, who made the growth and who carries it;
and of a branch among its peers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..catalog import Catalog
from ..cleaning import reporting, trusted_panel
from ..errors import SeriesError
from ..forecasting import JointPaths
from ..forecasting.forecast import said_of
from ..peers import Peers, Standing
from ..province.contributions import Carriers, GrowthDecomposition, points_text
from ..province.league import League
from ..province.sums import TENTH, add_up, full_years
from ..wording import month_name, number, percent, t
from . import style
from .style import BAND, INK, MUTED, month_axis, month_numbers

MOST = 24       # branches in a picture; hundreds could not be read, nor would the page bear them


# --- small multiples

@style.in_style
def plot_multiples(data, indicator: str = "", lang: str | None = None) -> Figure:
    """Draw every branch of `data` (a Cleaned, or anything with its panel and catalog) in a panel, all on one scale.

    Stocks and flows as an index of the first month in which all branches have a figure (= 100) on a log scale, so that
    equal slopes are equal growth; ratios as they are. Numbers in doubt are left out, and counted below. Of more than 24
    branches the largest are drawn (of a ratio: those with the largest denominator). Default indicator: the first of the
    catalogue's headline.
    """
    catalog, panel = data.catalog, trusted_panel(data)
    ind = catalog.indicator(indicator)
    ratio = ind.kind == "ratio"
    known = panel[ind.key].notna() & (ratio | (panel[ind.key] > 0))
    there = [b for b in reporting(catalog, panel) if known.loc[b].any()]
    title = t("province.title_multiples", lang, label=ind.label(lang))
    if not there:
        return style.sentence(title, lang).figure
    # Sizes of what the branches are told apart by; the largest stay, in the catalogue's order.
    of = [k for k in ind.denominators if k in panel.columns] or [ind.key]
    size = panel[of].groupby(level="branch", sort=False).last().sum(axis=1).loc[there]
    chosen = set(size.sort_values(ascending=False, kind="stable").index[:MOST])
    history = {b: panel.loc[b, ind.key].where(known.loc[b]) for b in there if b in chosen}
    begin = max(y.first_valid_index() for y in history.values())
    base = {b: 1.0 if ratio else y.bfill().ffill()[begin] / 100 for b, y in history.items()}
    rows = -(-len(history) // 4)
    fig, axes = style.panels(rows, min(4, len(history)), 1.45 * rows + 0.7, sharex=True, sharey=True)
    for n, (ax, (b, y)) in enumerate(zip(axes.flat, history.items(), strict=False)):
        ax.plot(month_numbers(y.index), (y / base[b]).to_numpy(), color=INK, lw=1.3)
        ax.set_title(catalog.branch(b).label(lang), fontsize=9, pad=3)
        whole = panel.loc[b, ind.key]
        now, then = whole.iloc[-1], whole.iloc[-13] if len(whole) > 12 else np.nan
        change = now - then if ratio else now / then - 1 if then > 0 else np.nan
        ax.text(0.04, 0.94, _written(now, change, ind, lang, 0), transform=ax.transAxes, ha="left", va="top",
                fontsize=8, color=MUTED, path_effects=style.HALO)
        # A panel without one below it names its months.
        ax.tick_params(labelsize=8, labelbottom=n + axes.shape[1] >= len(history))
    for ax in axes.flat[len(history):]:
        ax.set_visible(False)
    first = axes[0, 0]
    if not ratio:
        values = pd.concat([y / base[b] for b, y in history.items()])
        room = max(values.max() / values.min(), 1.1) ** 0.06
        first.set_ylim(values.min() / room, values.max() * room)
        first.set_yscale("log")
    low, high = first.get_ylim()
    first.set_ylim(low, high + (high - low) * 0.18 if ratio else high * (high / low) ** 0.18)
    style.value_axis(first, ind.kind, "", lang)      # and of all, which share it
    month_axis(first, lang, pd.PeriodIndex(next(iter(history.values())).index, freq="M"))
    note = t(f"province.note_multiples{'_ratio' if ratio else ''}", lang, first=month_name(begin, lang),
             end=month_name(panel.index.get_level_values("month").max(), lang))
    if doubted := int((data.panel[ind.key].notna() & panel[ind.key].isna()).loc[list(history)].sum()):
        note += t("province.multiples_left_out", lang, n=doubted)
    some = style.some_of(len(history), len(there), lang, "province.chart_some")
    return style.headline(fig, title, ("" if lang == "zh" else " ").join(filter(None, [some, note])))


def _written(now: float, change: float, ind, lang: str, digits: int = 1) -> str:
    """A figure and what became of it in a year: of a ratio in points, else a rate."""
    text = percent(now) if ind.kind == "ratio" else number(now, "", lang)
    if not np.isfinite(change):
        return text
    points = t("province.in_points", lang, n=f"{change * 100:+.1f}")
    return f"{text}  {points if ind.kind == 'ratio' else percent(change, digits, True)}"


# --- the fan of the whole

@style.in_style
def plot_total_fan(paths: JointPaths, indicator: str = "", ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw three years of the province's history and the fan of its paths: bands that hold 80% and 95% of them.

    Default indicator: the first of the catalogue's headline.
    """
    ax = style.axes_of(ax)
    ind = paths.catalog.indicator(indicator)
    past = _total_history(paths, ind).iloc[-36:]
    total, seen = paths.total(ind.key), past.dropna()
    x, now, origin = month_numbers(total.index), float(seen.iloc[-1]), month_numbers(seen.index[-1:])[0]
    said = said_of(total.to_numpy().T, (80, 95))
    key = style.fan(ax, (origin, now), x, {lv: (said[f"lo-{lv}"], said[f"hi-{lv}"]) for lv in (80, 95)}, lang)
    ax.plot(month_numbers(past.index), past.to_numpy(), color=INK)
    middle = said["y_hat"]
    line, = ax.plot(np.r_[origin, x], np.r_[now, middle], color=BAND, lw=2.0, label=t("province.forecast_median", lang))
    ax.plot([origin], [now], "o", color=INK, ms=4)
    ax.axvline(origin, color=MUTED, lw=0.8, zorder=0)
    ax.set_title(t("province.title_fan", lang, label=ind.label(lang)))
    style.value_axis(ax, ind.kind, paths.catalog.unit_label(ind.key, lang), lang)
    month_axis(ax, lang, past.index.append(pd.PeriodIndex(total.index, freq="M")))
    style.legend_above(ax, [line, *key])
    text = percent(middle[-1]) if ind.kind == "ratio" else number(middle[-1], "", lang)
    style.write_beside(ax, text, (x[-1], middle[-1]), color=BAND, fontsize=9, annotation_clip=False)
    return ax


def _total_history(paths: JointPaths, ind) -> pd.Series:
    """The branches of the paths together, month by month."""
    def whole(keys) -> pd.Series:
        able = [b for b in paths.branches if np.isfinite(paths.of(b, ind.key).to_numpy()).all()]
        if not able:
            raise SeriesError("no branch has paths", found=ind.key, expected="paths of at least one branch")
        return sum(full_years(paths.history, [(b, key) for b in able], paths.catalog.indicator(key), 1)[0].sum(
            axis=1, skipna=False) for key in keys)

    return whole([ind.numerator]) / whole(ind.denominators) if ind.kind == "ratio" else whole([ind.key])


# --- bars

@style.in_style
def plot_decomposition(found: GrowthDecomposition, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw each branch's contribution to the province's growth, divided by channel where the indicator is a sum.

    Of more than 24 branches those that moved it most. A sentence instead of bars where the province began at nothing.
    """
    rows = found.by()
    ind = found.catalog.indicator(found.indicator)
    if not np.isfinite(found.growth):
        return style.sentence(ind.label(lang), lang, found.reading(lang))
    drawn = rows.index.isin(rows["change"].abs().nlargest(MOST).index)
    wide = found.known.pivot_table(index="branch", columns="indicator", values="points", aggfunc="sum")
    wide = wide.loc[rows.index[drawn], list(found.parts)] * 100
    points = add_up(rows[["points"]], TENTH)["points"].iloc[:-1][drawn]
    ax, up, down = style.axes_of(ax, 1.2 + 0.27 * max(len(wide), 2)), wide.clip(lower=0), wide.clip(upper=0)
    start = (up.cumsum(axis=1) - up).where(wide >= 0, down.cumsum(axis=1) - down)
    for key, colour in zip(found.parts, style.colours if len(found.parts) > 1 else [BAND], strict=False):
        ax.barh(np.arange(len(wide)), wide[key], left=start[key], height=0.68, color=colour, lw=0,
                label=found.catalog.indicator(key).short_label(lang))
    ax.set_xlabel(t("province.axis_points", lang))
    _finish(ax, found.catalog, wide.index, up.sum(axis=1), map(points_text, points), len(rows), lang)
    ax.set_title(t("province.title_growth", lang, label=ind.short_label(lang), growth=percent(found.growth, sign=True),
                   span=found.span(lang)))
    if len(found.parts) > 1:
        ax.legend(loc="lower right", handlelength=1.2)
    return ax


@style.in_style
def plot_league(league: League, indicator: str = "", ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw an indicator's ranking (of more than 24 branches the first), each bar with its figure and its growth on the
    year."""
    ranked = league.of(indicator)
    ind = league.catalog.indicator(ranked["indicator"].iloc[0])
    ranked = ranked.dropna(subset=["rank"])
    rows = ranked.iloc[:MOST]
    ax = _bars(ax, rows["value"])
    ratio = ind.kind == "ratio"
    ax.xaxis.set_major_formatter(lambda v, _: percent(v, 0) if ratio else number(v, "", lang))
    ax.set_xlabel("" if ratio else league.catalog.unit_label(ind.key, lang))
    _finish(ax, league.catalog, rows["branch"], rows["value"].clip(lower=0),
            [_written(v, g, ind, lang) for v, g in zip(rows["value"], rows["growth"], strict=True)], len(ranked), lang)
    ax.set_title(t("province.title_league", lang, label=ind.short_label(lang), when=t(
        f"province.when_{'flow' if ind.kind == 'flow' else 'stock'}", lang, end=month_name(league.end, lang))))
    return ax


@style.in_style
def plot_carriers(found: Carriers, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw each branch's expected increase (of more than 24 branches the first) with its 80% limits and its share of
    the province's."""
    rows = found.ranked.iloc[:MOST]
    ax, ind = _bars(ax, rows["increase"]), found.catalog.indicator(found.indicator)
    ax.hlines(np.arange(len(rows)), rows["lo-80"], rows["hi-80"], color=INK, lw=1.0)
    ax.xaxis.set_major_formatter(lambda v, _: number(v, "", lang))
    ax.set_xlabel(found.catalog.unit_label(ind.key, lang))
    _finish(ax, found.catalog, rows["branch"], rows["hi-80"].clip(lower=0),
            [number(v, "", lang) + (f"  {percent(s, 0)}" if np.isfinite(s) else "")
             for v, s in zip(rows["increase"], rows["share"], strict=True)], len(found.ranked), lang)
    ax.set_title(t("province.title_carry", lang, label=ind.short_label(lang), when=found.when(lang)))
    return ax


def _bars(ax: Axes | None, values: pd.Series) -> Axes:
    ax = style.axes_of(ax, 1.2 + 0.27 * max(len(values), 2))
    ax.barh(np.arange(len(values)), values, height=0.68, color=BAND, lw=0)
    return ax


def _finish(ax: Axes, catalog: Catalog, branches, ends, texts, total: int, lang: str) -> None:
    """Name the branches, write at each bar's end with room for the longest text, and say how many of all are drawn."""
    texts = list(texts)
    low, high = ax.get_xlim()
    longest = max(map(len, texts), default=0)
    ax.set_xlim(low, high + (high - low) * min(0.03 + 0.011 * longest, 0.4))
    for y, (x, text) in enumerate(zip(ends, texts, strict=True)):
        style.write_beside(ax, text, (x, y), color=MUTED, path_effects=style.HALO)
    style.name_rows(ax, [catalog.branch(b).label(lang) for b in branches])
    ax.axvline(0, color=MUTED, lw=0.8)
    if some := style.some_of(len(texts), total, lang, "province.chart_some"):
        ax.set_xlabel(f"{ax.get_xlabel()}\n{some}".strip())


# --- a branch among its peers

OTHERS = "#B9B9B9"
_COLUMNS = {"rank": 1.05, "percentile": 1.17, "months": 1.43}      # what stands beside each row, and where


def _rows(places: list[pd.Series], branch: str, names: list[str], top: float, inches: float) -> Axes:
    """Draw a row an indicator: where each branch lies between the lowest (0) and the highest (1), one of them marked,
    the median as a stroke."""
    ax = style.axes_of(None, inches)
    for at, place in enumerate(places):
        others = place.drop(branch)
        ax.plot(others, [at] * len(others), "o", ms=4, color=OTHERS, alpha=0.8, mew=0, zorder=3)
        ax.plot(place[branch], at, "o", ms=7, color=BAND, zorder=4)
    at = np.arange(len(places))
    ax.hlines(at, 0, 1, color=style.GRID, lw=0.8, zorder=1)
    ax.vlines([place.median() for place in places], at - 0.3, at + 0.3, color=MUTED, lw=1.1, zorder=2)
    style.name_rows(ax, names, top, 8.5)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.grid(visible=False)
    return ax


def _placed(y: pd.Series) -> pd.Series:
    """Return where each branch lies between the lowest (0) and the highest (1)."""
    low, high = float(y.min()), float(y.max())
    return (y - low) / (high - low) if high > low else y * 0 + 0.5


@style.in_style
def plot_peers(peers: Peers, lang: str | None = None) -> Figure:
    """Draw a row an indicator: every branch from the lowest to the highest, this one marked; rank and months beside.

    Sizes are drawn by their growth, ratios by their level, so that a small city is not behind for being small.
    """
    catalog, who = peers.catalog, peers.catalog.branch(peers.branch).label(lang)
    rows = peers.scale_free().dropna(subset=["y"])
    rows = rows[rows["n"] > 1]
    if rows.empty:
        return style.sentence(t("peers.plot_title", lang, branch=who), lang, t("peers.nothing", lang)).figure
    total, rows = len(rows), rows.iloc[:style.MOST]
    places, names = [], []
    for row in rows.itertuples():
        y = peers.everyone.loc[(row.indicator, row.measure)].dropna()
        name = catalog.indicators[row.indicator].short_label(lang)
        growth = row.measure == "growth"
        # Of multiples the same factor is the same distance.
        places.append(_placed(np.log(y) if growth and y.min() > 0 else y))
        names.append(t("peers.what_growth", lang, indicator=name) if growth else name)
    ax = _rows(places, peers.branch, names, -1.4, 0.235 * len(rows) + 1.3)
    for at, row in enumerate(rows.itertuples()):
        for x, text in zip(_COLUMNS.values(), _beside(row, lang), strict=True):
            ax.text(x, at, text, va="center", fontsize=8.5)
    for word, x in _COLUMNS.items():
        ax.text(x, -0.9, t(f"peers.plot_{word}", lang), va="center", fontsize=8.5, color=MUTED)
    ax.set_xlim(-0.03, 1.85 if lang == "en" else 1.75)
    ax.text(0.5, -0.9, t("peers.plot_axis", lang), ha="center", va="center", fontsize=8.5, color=MUTED)
    return style.headline(ax.figure, t("peers.plot_title", lang, branch=who), t(
        "peers.plot_note", lang, branch=who, level="95%"), style.some_of(len(rows), total, lang))


def _beside(row, lang: str) -> tuple[str, str, str]:
    rank = f"{row.rank:.0f}/{row.n:.0f}"
    share = percent(row.percentile, 0)
    if math.isfinite(row.lo):
        share += f" [{row.lo * 100:.0f}, {row.hi * 100:.0f}]"
    if row.leader_state == "leader":
        return rank, share, t("peers.leader_leader", lang)
    few = t(f"peers.months_{int(row.leader_months)}" if row.leader_months < 2 else "peers.months_n", lang,
            n=int(row.leader_months))
    return rank, share, t(f"peers.cell_{row.leader_state}", lang, months=few)


@style.in_style
def plot_standing(standing: Standing, lang: str | None = None) -> Figure:
    """Draw a row an indicator: every branch from the lowest to the highest, this one marked, its rank beside.

    Sizes are drawn by their growth on the year, ratios by their level; the ends of each row are written beside it.
    """
    catalog = standing.catalog
    rows = standing.table[(standing.table["rank"] > 0) & (standing.table["n"] > 1)]
    who = catalog.branch(standing.branch).label(lang) if standing.branch else ""
    if rows.empty:
        return style.sentence(t("peers.standing_title", lang, branch=who), lang, t("peers.nothing", lang)).figure
    fields = [standing.everyone.loc[key].dropna() for key in rows["indicator"]]
    names = [t(f"peers.standing_{'level' if row.kind == 'ratio' else 'growth'}", lang,
               indicator=catalog.indicators[row.indicator].short_label(lang)) for row in rows.itertuples()]
    ax = _rows([_placed(y) for y in fields], standing.branch, names, -0.7, 0.36 * len(rows) + 1.1)
    for at, (row, y) in enumerate(zip(rows.itertuples(), fields, strict=True)):
        low, own, high = (standing.said(row.indicator, value, lang) for value in (y.min(), row.compared, y.max()))
        own = t("peers.standing_own", lang, value=own, rank=f"{row.rank:.0f}", n=row.n)
        for x, text, side, colour in ((-0.04, low, "right", MUTED), (1.04, high, "left", MUTED),
                                      (1.44, own, "left", INK)):
            ax.text(x, at, text, va="center", ha=side, fontsize=8.5, color=colour)
    ax.set_xlim(-0.4, 2.1)
    return style.headline(ax.figure, "", t("peers.standing_key", lang, branch=who))
