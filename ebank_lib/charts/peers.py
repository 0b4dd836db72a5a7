"""Pictures of a branch among its peers: where it stands."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..peers import Peers, Standing
from ..wording import percent, t
from . import style

OTHERS = "#B9B9B9"
_COLUMNS = {"rank": 1.05, "percentile": 1.17, "months": 1.43}      # what stands beside each row, and where


def _rows(places: list[pd.Series], branch: str, names: list[str], top: float, inches: float) -> Axes:
    """Draw a row an indicator: where each branch lies between the lowest (0) and the highest (1), one of them marked,
    the median as a stroke."""
    ax = style.axes_of(None, inches)
    for at, place in enumerate(places):
        others = place.drop(branch)
        ax.plot(others, [at] * len(others), "o", ms=4, color=OTHERS, alpha=0.8, mew=0, zorder=3)
        ax.plot(place[branch], at, "o", ms=7, color=style.BAND, zorder=4)
    at = np.arange(len(places))
    ax.hlines(at, 0, 1, color=style.GRID, lw=0.8, zorder=1)
    ax.vlines([place.median() for place in places], at - 0.3, at + 0.3, color=style.MUTED, lw=1.1, zorder=2)
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
        ax.text(x, -0.9, t(f"peers.plot_{word}", lang), va="center", fontsize=8.5, color=style.MUTED)
    ax.set_xlim(-0.03, 1.85 if lang == "en" else 1.75)
    ax.text(0.5, -0.9, t("peers.plot_axis", lang), ha="center", va="center", fontsize=8.5, color=style.MUTED)
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
        for x, text, side, colour in ((-0.04, low, "right", style.MUTED), (1.04, high, "left", style.MUTED),
                                      (1.44, own, "left", style.INK)):
            ax.text(x, at, text, va="center", ha=side, fontsize=8.5, color=colour)
    ax.set_xlim(-0.4, 2.1)
    return style.headline(ax.figure, "", t("peers.standing_key", lang, branch=who))
