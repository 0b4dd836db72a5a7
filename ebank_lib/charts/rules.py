"""The study's facts, each figure with its interval beside its limit."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..rules.facts import Facts, written
from ..wording import percent, t
from . import style

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
