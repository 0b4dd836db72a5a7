"""Pictures of cleaning: where the trouble sits, and what was done to one series."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from ..cleaning import Cleaned
from ..wording import t
from . import style

# What is marked on a series, in the order of the legend: decision -> (marker, colour).
_MARKS = {"corrected": ("o", style.colours[1]), "flagged": ("^", style.colours[4]), "filled": ("D", style.colours[2]),
          "revision": ("s", style.colours[3])}


def share_table(cleaned: Cleaned) -> pd.DataFrame:
    """Return branch x month: the share of the indicators that were corrected, flagged or filled, or are missing.

    NaN before a branch's first figure and after its last.
    """
    absent, e = cleaned.panel.isna(), cleaned.judged
    absent = absent.loc[:, ~absent.all()]
    e = e[e["decision"].isin(["corrected", "flagged", "filled"])]
    heirs = {b.id: b.merged_into for b in cleaned.catalog.branches.values() if b.merged_into}
    treated = pd.crosstab([e["branch"].astype(object).replace(heirs), e["month"]], e["indicator"].astype(object))
    treated = treated.reindex(index=absent.index, columns=absent.columns, fill_value=0) > 0
    share, there = (pd.DataFrame(rows.to_numpy().reshape(len(cleaned.branches), -1), cleaned.branches, cleaned.months)
                    for rows in ((absent | treated).mean(axis=1), ~absent.all(axis=1)))
    return share.where(there.cummax(axis=1) & there.loc[:, ::-1].cummax(axis=1))


@style.in_style
def plot_quality(cleaned: Cleaned, ax: Axes | None = None, lang: str | None = None) -> Axes:
    """Draw branch x month: how much of each monthly row was corrected, flagged, filled or is missing.

    Sources with more than 40 branches show the 40 with most trouble; months before a branch's first figure and after
    its last are left blank.
    """
    table = share_table(cleaned)
    title = t("cleaning.chart_trouble", lang)
    if len(table) > 40:
        title = style.wrap(t("cleaning.chart_worst", lang, title=title, n=40, total=len(table)), 84)
        table = table[table.index.isin(table.sum(axis=1).nlargest(40).index)]
    ax = style.axes_of(ax, 0.9 + 0.23 * len(table))
    colours = LinearSegmentedColormap.from_list("trouble", ["#F4F4F4", "#F1C27D", style.colours[1], "#7A2E00"])
    x = style.month_numbers(table.columns)
    edges = np.r_[x - 15, x[-1] + 15]
    mesh = ax.pcolormesh(edges, np.arange(len(table) + 1), np.ma.masked_invalid(table.to_numpy()), cmap=colours,
                         vmin=0, vmax=1, edgecolors="white" if len(x) <= 60 else "none", linewidth=0.4)
    ax.hlines(np.arange(1, len(table)), *edges[[0, -1]], colors="white", lw=0.8)
    ax.set_yticks(np.arange(len(table)) + 0.5, [cleaned.catalog.branches[b].label(lang) for b in table.index])
    ax.invert_yaxis()
    ax.grid(False)
    style.month_axis(ax, lang, table.columns)
    ax.set_xlim(edges[0], edges[-1])
    style.headline(ax.figure, title)
    bar = ax.figure.colorbar(mesh, ax=ax, fraction=0.025, pad=0.01, ticks=[0, 0.5, 1], format=lambda v, _: f"{v:.0%}")
    bar.outline.set_visible(False)
    return ax


def printed_series(cleaned: Cleaned, branch: str, indicator: str) -> pd.Series:
    """Return what the cells of a series said before anything was corrected (the sum, where branches merged)."""
    own = cleaned.catalog.branch(branch).id
    heirs = [b.id for b in cleaned.catalog.branches.values() if b.merged_into == own]
    e = cleaned.rows(branch)
    e = e[e["branch"].isin([own, *heirs]) & (e["indicator"] == indicator) & (e["cell"] >= 0)]
    dead = set(e.loc[e["decision"] == "rejected", "cell"])
    read = e[e["decision"].isin(["parsed", "converted"]) & ~e["rule"].isin(["revision", "merger", "alias"])
             & ~e["cell"].isin(dead)].drop_duplicates("cell", keep="last")
    if cleaned.catalog.indicator(indicator).kind == "ratio":
        read = read[read["branch"] == own]   # ratios of two branches do not add up
    out = read.groupby("month")["after"].sum()
    out.index = pd.PeriodIndex(out.index, freq="M")
    return out.reindex(cleaned.months)


@style.in_style
def plot_before_after(cleaned: Cleaned, branch: str, indicator: str, ax: Axes | None = None,
                      lang: str | None = None) -> Axes:
    """Draw a series as printed (grey) and as cleaned, with what the ledger did to it marked.

    A log axis where what was printed spans more than a factor of thirty.
    """
    ax, indicator = style.axes_of(ax, 3.4), cleaned.catalog.indicator(indicator).key
    y, before = cleaned.series(branch, indicator, doubtful="keep"), printed_series(cleaned, branch, indicator)
    x = style.month_numbers(y.index)
    ax.plot(x, before.to_numpy(), color="#9A9A9A", lw=1.2, ls=(0, (4, 2)), label=t("cleaning.chart_printed", lang))
    ax.plot(x, y.to_numpy(), color=style.colours[0], lw=1.8, label=t("cleaning.chart_cleaned", lang))
    e = cleaned.rows(branch)
    e = e[(e["branch"] == cleaned.catalog.branch(branch).id) & (e["indicator"] == indicator)]
    decision = e["decision"].astype(str).where(e["rule"] != "revision", "revision")
    for name, (marker, colour) in _MARKS.items():
        at = y.reindex(pd.PeriodIndex(e.loc[decision == name, "month"].unique(), freq="M")).dropna()
        if len(at):
            ax.plot(style.month_numbers(at.index), at.to_numpy(), marker, ms=6, mfc="none", mew=1.6, color=colour,
                    label=t("cleaning.chart_revision" if name == "revision" else f"cleaning.{name}", lang))
    both = pd.concat([before, y]).dropna()
    if len(both) and (both > 0).all() and both.max() > 30 * both.min():
        ax.set_yscale("log")
    style.month_axis(ax, lang, y.index)
    ind = cleaned.catalog.indicator(indicator)
    style.value_axis(ax, ind.kind, cleaned.catalog.unit_label(indicator, lang), lang)
    ax.set_title(t("cleaning.chart_series", lang, branch=cleaned.catalog.branch(branch).label(lang),
                   name=ind.label(lang)))
    ax.legend(loc="best", ncols=5)
    return ax
