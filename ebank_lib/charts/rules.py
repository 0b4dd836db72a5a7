"""The study's facts, each figure with its interval beside its limit; problems and risks, each with its verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..rules.facts import Facts, written
from ..rules.problems import Assessment
from ..wording import percent, t
from . import style

_BAD, _GOOD = style.colours[1], style.colours[2]
_COLOURS = {"holds": _GOOD, "fails": _BAD, "unclear": style.MUTED}
_WIDTH = 62          # columns of the text of a problem's figure
_LINE = 0.165        # inches of a line of small text


def _strip(height: float, rows: float, room: float) -> Axes:
    """Return axes that are a sheet of paper: rows from the top down, nothing drawn yet."""
    ax = style.axes_of(None, height)
    ax.set(xlim=(0, 1), ylim=(rows - room, -room))
    ax.set_axis_off()
    return ax


def _finish(ax: Axes, title: str, note: str) -> Figure:
    for text in ax.texts:
        text.set_in_layout(False)       # the sheet is as wide as the figure, and its words lie within
    return style.headline(ax.figure, title, note)


@style.in_style
def plot_facts(result: Facts, lang: str | None = None) -> Figure:
    """Draw one row a check: what is measured, its interval against the limit, the verdict in words.

    Every row has its own scale, so nothing is compared between rows; the limit is where they all line up.
    """
    title = t("charts.facts", lang, branch=result.catalog.branch(result.branch).label(lang))
    if result.numbers.empty:
        return style.sentence(title, lang, result.reading(lang)).figure
    rows = list(result.numbers.itertuples())
    ax = _strip(0.42 * len(rows) + 1.0, len(rows), 0.5)
    for n, (row, text) in enumerate(zip(rows, result.labelled(lang)["statistic"], strict=True)):
        if row.part == "a":
            ax.axhline(n - 0.5, color=style.GRID, lw=0.8)
            ax.text(0, n, str(row.fact), va="center", fontsize=11)
        ax.text(0.025, n, style.wrap(text, 56), va="center", fontsize=8.5, linespacing=1.1)
        _interval(ax, row, n)
        ax.text(0.885, n, t(f"facts.verdict_{row.verdict}", lang), va="center", fontsize=9, color=_COLOURS[row.verdict])
    return _finish(ax, title, t("charts.facts_note", lang, level=percent(result.spec.level, 0)))


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


def _colour(kind: str, verdict: str) -> str:
    """Return the colour of a verdict: what shows is bad news, but of a strength it is good."""
    if verdict == "unknown":
        return style.GRID
    return _GOOD if (verdict == "shows") == (kind == "strength") else _BAD


@style.in_style
def plot_problems(result: Assessment, lang: str | None = None, kind: str | None = None) -> Figure:
    """Draw one row an entry (of a kind): verdict, statement, the figure that decides and its threshold.

    Returns
    -------
    Figure
        With a sentence instead of rows when the source has no register.
    """
    title = t("problems.title", lang, branch=result.catalog.branch(result.branch).label(lang),
              kinds=t(f"problems.heads_{kind or 'all'}", lang))
    words = result.labelled(lang, kind)
    if words.empty:
        return style.sentence(title, lang, result.reading(lang, kind or "problem")).figure
    rows = [row for _, row in result.of_kind(kind)]
    statements = [style.wrap(s if pd.isna(n) else f"{n:.0f}. {s}", 46)
                  for n, s in zip(words["number"], words["statement"], strict=True)]
    told = [_told(row, w, lang) for row, w in zip(rows, words.to_dict("records"), strict=True)]
    heights = [max(1 + max(a.count("\n"), b.count("\n")), 1.3) * _LINE + 0.08
               for a, b in zip(statements, told, strict=True)]
    heads = {n: r["kind"] for n, r in enumerate(rows) if kind is None and (n == 0 or rows[n - 1]["kind"] != r["kind"])}
    total = sum(heights) + 0.3 * len(heads)
    ax = _strip(total + 0.75, total, 0.0)
    y = 0.0
    for n, row in enumerate(rows):
        if n in heads:
            head = t(f"problems.heads_{heads[n]}", lang)
            ax.text(0, y + 0.2, head[:1].upper() + head[1:], fontsize=9, color=style.MUTED, va="center")
            y += 0.3
        middle = y + heights[n] / 2
        ax.plot([0.012], [middle], "s", ms=10, color=_colour(row["kind"], row["verdict"]), mec=style.MUTED, mew=0.4)
        for x, text, colour in ((0.035, words["verdict"].iloc[n], style.INK), (0.185, statements[n], style.INK),
                                (0.545, told[n], style.MUTED)):
            ax.text(x, middle, text, fontsize=8.5, va="center", linespacing=1.15, color=colour)
        y += heights[n]
        ax.axhline(y, color=style.GRID, lw=0.6)
    return _finish(ax, title, t("problems.plot_note", lang))


def _told(row: dict, words: dict, lang: str) -> str:
    if words["figure"] == "–":
        return style.wrap(t(f"problems.missing_{row['missing']}", lang), _WIDTH)
    whole = t("problems.measured", lang, figure=words["figure"], threshold=words["threshold"])
    if "\n" not in style.wrap(whole, _WIDTH):
        return whole
    # The threshold stays together, on a line of its own.
    return "\n".join([style.wrap(words["figure"], _WIDTH), whole[len(words["figure"]):].strip()])
