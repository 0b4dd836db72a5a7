"""Problems and risks as a strip: a mark for the verdict, the statement, the figure against its threshold."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ebank_lib.charts import style
from ebank_lib.charts.growth import empty_figure
from ebank_lib.rules.problems import Assessment
from ebank_lib.wording import language, t

__all__ = ["plot_problems"]

_BAD, _GOOD = style.colours[1], style.colours[2]
WIDTH = 62           # columns of the figure's text
_LINE = 0.165        # inches of a line of small text


def _colour(kind: str, verdict: str) -> str:
    """Return the colour of a verdict: what shows is bad news, but of a strength it is good."""
    if verdict == "unknown":
        return style.GRID
    return _GOOD if (verdict == "shows") == (kind == "strength") else _BAD


def plot_problems(result: Assessment, lang: str | None = None, kind: str | None = None) -> Figure:
    """Draw one row an entry (of a kind): verdict, statement, the figure that decides and its threshold.

    Returns
    -------
    Figure
        With a sentence instead of rows when the source has no register.
    """
    lang = language(lang)
    who = result.catalog.branch(result.branch).label(lang)
    title = t("problems.title", lang, branch=who, kinds=t(f"problems.heads_{kind or 'all'}", lang))
    words = result.labelled(lang, kind)
    if words.empty:
        return empty_figure(title, lang, result.reading(lang, kind or "problem"))
    rows = [row for _, row in result.of_kind(kind)]
    statements = [style.wrap(s if pd.isna(n) else f"{n:.0f}. {s}", 46)
                  for n, s in zip(words["number"], words["statement"], strict=True)]
    told = [_told(row, w, lang) for row, w in zip(rows, words.to_dict("records"), strict=True)]
    heights = [max(1 + max(a.count("\n"), b.count("\n")), 1.3) * _LINE + 0.08
               for a, b in zip(statements, told, strict=True)]
    heads = {n: r["kind"] for n, r in enumerate(rows) if kind is None and (n == 0 or rows[n - 1]["kind"] != r["kind"])}
    total = sum(heights) + 0.3 * len(heads)
    fig = plt.figure(figsize=(style.WIDTH, total + 0.75))
    ax = fig.add_subplot()
    ax.set_xlim(0, 1)
    ax.set_ylim(total, 0)
    ax.set_axis_off()
    y = 0.0
    for n, row in enumerate(rows):
        if n in heads:
            head = t(f"problems.heads_{heads[n]}", lang)
            ax.text(0, y + 0.2, head[:1].upper() + head[1:], fontsize=9, color=style.MUTED, va="center")
            y += 0.3
        middle = y + heights[n] / 2
        ax.plot([0.012], [middle], "s", ms=10, color=_colour(row["kind"], row["verdict"]), mec=style.MUTED, mew=0.4)
        ax.text(0.035, middle, words["verdict"].iloc[n], fontsize=8.5, va="center")
        ax.text(0.185, middle, statements[n], fontsize=8.5, va="center", linespacing=1.15)
        ax.text(0.545, middle, told[n], fontsize=8.5, va="center", linespacing=1.15, color=style.MUTED)
        y += heights[n]
        ax.axhline(y, color=style.GRID, lw=0.6)
    fig.suptitle(title, x=0.01, ha="left")
    fig.supxlabel(t("problems.plot_note", lang), x=0.01, ha="left", fontsize=8.5, color=style.MUTED)
    return fig


def _told(row: dict, words: dict, lang: str) -> str:
    if words["figure"] == "–":
        return style.wrap(t(f"problems.missing_{row['missing']}", lang), WIDTH)
    whole = t("problems.measured", lang, figure=words["figure"], threshold=words["threshold"])
    if "\n" not in style.wrap(whole, WIDTH):
        return whole
    # The threshold stays together, on a line of its own.
    figure = style.wrap(words["figure"], WIDTH)
    return "\n".join([figure, whole[len(words["figure"]):].strip()])
