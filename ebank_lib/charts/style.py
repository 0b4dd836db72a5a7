"""One look for every picture: fonts, colours, axes with units, and words that find their own place.

Months lie on the axis as matplotlib's day numbers (:func:`month_numbers`), so that a chart does not depend on which
date converter another library has registered.
"""

from __future__ import annotations

import importlib.util
import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, wraps
from pathlib import Path

import matplotlib as mpl
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import LogLocator
from matplotlib.transforms import ScaledTranslation
from scipy.optimize import isotonic_regression

from ..wording import columns_of, language, month_name, number, t

# Okabe and Ito (2008), without yellow, which vanishes on white: told apart by readers of every colour vision.
colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F5539", "#444444")
INK, MUTED, GRID, EVENT = "#222222", "#6B6B6B", "#E3E3E3", "#8A3B12"
BAND = "#0072B2"           # limits: this colour at alpha 0.15 (95%) and 0.25 (80%)
WIDTH = 9.0                # inches; 900 px on the page, drawn at 150 dpi to be sharp
MOST = 48                  # indicators in a picture: hundreds could not be read, nor would the page bear them
HALO = [withStroke(linewidth=2.5, foreground="white")]      # keeps words legible on lines

# When zhplot is not there (it is not on conda-forge): what systems commonly have.
_OTHER_FACES = ("Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Zen Hei",
                "SimHei")


@cache
def chinese_faces() -> tuple[str, ...]:
    """Return the names of the faces with Chinese glyphs, best first.

    The file that the package zhplot carries is registered by its path. The package itself is not imported: that
    would change matplotlib's settings and an environment variable behind the reader's back.
    """
    faces = []
    spec = importlib.util.find_spec("zhplot")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).rglob("*.[ot]tf")):
            font_manager.fontManager.addfont(path)
            faces.append(font_manager.FontProperties(fname=path).get_name())
    here = {font.name for font in font_manager.fontManager.ttflist}
    return (*dict.fromkeys(faces), *(face for face in _OTHER_FACES if face in here and face not in faces))


def _rules() -> dict[str, object]:
    """Return what distinguishes our pictures from matplotlib's, as its settings."""
    return {
        # The names themselves, not "sans-serif": only so is a missing glyph looked for in the next face.
        "font.family": [*chinese_faces(), "DejaVu Sans"],
        "font.size": 10.0,
        "axes.unicode_minus": False,
        "text.parse_math": False,       # a dollar in a branch's name is a dollar
        "text.color": INK, "axes.labelcolor": MUTED, "xtick.color": MUTED, "ytick.color": MUTED,
        "axes.prop_cycle": mpl.cycler(color=list(colours)),
        "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False,
        "axes.edgecolor": MUTED, "axes.linewidth": 0.8,
        "axes.grid": True, "axes.grid.axis": "y", "grid.color": GRID, "grid.linewidth": 0.8,
        "axes.axisbelow": True,
        # A height of its own: else every title measures all ticks of the axis for words above it that we never have.
        "axes.titley": 1.0,
        "axes.titlelocation": "left", "axes.titlesize": 11.0, "axes.titleweight": "normal", "axes.titlepad": 18.0,
        "axes.labelsize": 9.0, "xtick.labelsize": 9.0, "ytick.labelsize": 9.0,
        "xtick.major.size": 3.0, "ytick.major.size": 0.0, "xtick.minor.size": 0.0, "ytick.minor.size": 0.0,
        "axes.xmargin": 0.01, "axes.ymargin": 0.06,
        "lines.linewidth": 1.6, "lines.markersize": 3.5, "lines.solid_capstyle": "round",
        "legend.frameon": False, "legend.fontsize": 9.0,
        "figure.figsize": (WIDTH, 4.0), "figure.dpi": 150.0, "figure.constrained_layout.use": True,
        "figure.titlesize": 12.0, "figure.facecolor": "white",
        "savefig.dpi": 150.0, "savefig.facecolor": "white",
        "svg.fonttype": "path", "svg.hashsalt": "ebank", "pdf.fonttype": 42,
    }


def use_style() -> None:
    """Set matplotlib's defaults for every picture that follows: faces, colours, sizes, clean axes.

    Pictures are the same bytes for the same numbers: SVG ids are salted with a constant.
    """
    mpl.rcParams.update(_rules())


def styled() -> AbstractContextManager:
    """Return what a picture is drawn and saved in: our style, whatever matplotlib is set to, the same bytes again."""
    # Set for the whole session, or for this picture.
    return nullcontext() if mpl.rcParams["svg.hashsalt"] == "ebank" else mpl.rc_context(_rules())


def in_style(plot: Callable) -> Callable:
    """Let a function draw in our style, whatever matplotlib is set to where it is called, in the reader's language."""
    signature = inspect.signature(plot)

    @wraps(plot)
    def drawn(*args, **options):
        given = signature.bind(*args, **options)
        given.arguments["lang"] = language(given.arguments.get("lang"))
        with styled():
            return plot(*given.args, **given.kwargs)
    return drawn


def panels(rows: int = 1, columns: int = 1, height: float = 4.0, width: float = WIDTH,
           **options) -> tuple[Figure, np.ndarray]:
    """Return a figure with rows x columns of axes, as :func:`matplotlib.pyplot.subplots` makes them."""
    return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", squeeze=False, **options)


def some_of(n: int, total: int, lang: str, words: str = "charts.some") -> str:
    """Say how many of all are drawn; nothing where all are."""
    return t(words, lang, n=n, total=total) if n < total else ""


def axes_of(ax: Axes | None, height: float = 4.0, width: float = WIDTH) -> Axes:
    """Return the axes that were given, else new ones in a figure of their own."""
    return panels(height=height, width=width)[1][0, 0] if ax is None else ax


def sentence(title: str, lang: str, text: str = "", ax: Axes | None = None) -> Axes:
    """Say in a sentence, in a low figure of its own or on `ax`, that there is nothing to draw, or why."""
    ax = axes_of(ax, 0.9)
    ax.set_axis_off()
    ax.set_title(wrap(title, 96))
    ax.text(0, 0.9, text or t("charts.nothing", lang), color=MUTED, transform=ax.transAxes, va="top")
    return ax


def compact(picture: Axes | Figure) -> Figure:
    """Make a picture small enough to stand beside others on a first screen, its letters no smaller."""
    fig = picture if isinstance(picture, Figure) else picture.figure
    fig.set_size_inches(5.2, 3.4 if any(ax.axison for ax in fig.axes) else 0.9)   # a sentence needs no more
    return headline(fig, fig.get_suptitle(), fig.get_supxlabel())


def headline(fig: Figure, title: str, *notes: str) -> Figure:
    """Write a title at the left edge above all axes, and notes that are not empty, smaller, below them."""
    fig.suptitle(title, x=0.01, ha="left")
    if any(notes):
        columns = int(138 * fig.get_size_inches()[0] / WIDTH)
        note = "\n".join(wrap(line, columns) for line in "\n".join(filter(None, notes)).split("\n"))
        fig.supxlabel(note, x=0.01, ha="left", fontsize=8.5, color=MUTED)
    return fig


def legend_above(ax: Axes, handles: Sequence[Artist]) -> None:
    """Set the key above the axes at the right, where it covers no data and no event's words."""
    ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(handles), borderaxespad=0.1,
              columnspacing=1.4, handlelength=1.6)


def legend_below(ax: Axes, **options) -> None:
    """Set the key a third of an inch below the axes, however high they are."""
    inches = ax.figure.get_size_inches()[1] * ax.get_position().height
    ax.legend(**{"loc": "upper left", "bbox_to_anchor": (0, -0.3 / inches), "fontsize": 8.5, "handlelength": 1.2,
                 "columnspacing": 1.2} | options)


def name_rows(ax: Axes, names: Sequence[str], top: float = -0.6, size: float = 9.0) -> None:
    """Name the rows 0, 1, ... of a picture from the top down; grid lines stand upright."""
    ax.set_yticks(range(len(names)), names, fontsize=size)
    ax.tick_params(axis="y", labelcolor=INK, length=0)
    ax.set_ylim(len(names) - 0.4, top)
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)


def write_beside(ax: Axes, text: str, point: tuple[float, float], left: bool = False, **look) -> None:
    """Write at the right (or the left) of a bar's end."""
    ax.annotate(text, point, (-3 if left else 4, 0), textcoords="offset points", va="center",
                ha="right" if left else "left", **{"fontsize": 8.5, "color": INK} | look)


def fan(ax: Axes, start: tuple[float, float], x: Sequence[float], bands: Mapping[float, tuple[Sequence, Sequence]],
        lang: str) -> list[Patch]:
    """Draw limits ``{level: (low, high)}`` that open at `start`, the widest palest; return their key."""
    key = []
    widest = sorted(bands, reverse=True)
    for n, (level, alpha) in enumerate(zip(widest, np.linspace(0.15, 0.30, len(widest)) if len(widest) > 1 else [0.2],
                                           strict=True)):
        low, high = (np.r_[start[1], side] for side in bands[level])
        ax.fill_between(np.r_[start[0], x], low, high, color=BAND, alpha=alpha, lw=0, zorder=1)
        key.append(Patch(color=BAND, alpha=0.42 if n else 0.18, lw=0,
                         label=t("forecasting.limits", lang, level=f"{level:g}")))
    return key


def dots_and_lines(ax: Axes, y: pd.Series, **look) -> None:
    """Draw a series; a month between two gaps has no line to lie on and gets a dot."""
    x = month_numbers(y.index)
    here = y.notna().to_numpy()
    lone = here & ~np.r_[False, here[:-1]] & ~np.r_[here[1:], False]
    drawn = ax.plot(x, y.to_numpy(), **look)[0]
    if lone.any():
        ax.plot(x[lone], y.to_numpy()[lone], "o", ms=2.5, color=drawn.get_color(), label="_lone")


def month_numbers(months: pd.PeriodIndex | Sequence[pd.Period]) -> np.ndarray:
    """Return months as matplotlib's day numbers of their first day."""
    return mdates.date2num(pd.PeriodIndex(months, freq="M").asi8.astype("datetime64[M]"))


# What a log axis of more than so many decades marks, in each of them.
_LOG_MARKS = ((4, (1,)), (2, (1, 3)), (0.7, (1, 2, 5)), (0.35, np.arange(1, 10)), (0, np.arange(1, 10, 0.5)))


def value_axis(ax: Axes, kind: str, unit: str, lang: str, label: str = "", sign: bool = False) -> None:
    """Write the vertical axis' values: a ratio's as per cent (growth rates with their sign), others as 1.2亿 or 12 m.

    What is measured, or else the unit, stands level above the axis' upper end, to be read without turning the head.
    Call it after drawing and after choosing a linear or log scale; a log axis of few decades also labels 2 and 5.
    """
    def rate(value: float) -> str:
        low, high = sorted(ax.get_ylim())
        if ax.get_yscale() == "log":
            return f"{value * 100:,.10g}%"
        digits = 0 if high - low >= 0.05 else 1 if high - low >= 0.005 else 2
        plus = "+" if sign and round(value * 100, digits) > 0 else ""
        return f"{plus}{value * 100:,.{digits}f}%".replace("-0%", "0%")

    ax.yaxis.set_major_formatter(lambda value, _: rate(value) if kind == "ratio" else number(value, "", lang))
    if ax.get_yscale() == "log":
        low, high = ax.get_ylim()
        decades = math.log10(high / low) if low > 0 and high > low else 1.0
        subs = next(marks for more, marks in _LOG_MARKS if decades > more)
        ax.yaxis.set_major_locator(LogLocator(base=10, subs=subs, numticks=12))
        ax.set_yticks([], minor=True)
    text = label or ("" if kind == "ratio" else unit)
    up = ScaledTranslation(0, 4 / 72, ax.figure.dpi_scale_trans)
    ax.yaxis.set_label_coords(0, 1, transform=ax.transAxes + up)
    ax.set_ylabel(text, rotation=0, ha="left", va="bottom")
    if text and not ax.get_title(loc="left"):
        # The layout makes room above the axes for a title only; a blank one keeps the label inside the picture.
        ax.set_title(" ", fontsize=9, pad=4)


def wrap(text: str, width: int) -> str:
    """Break a text into lines of at most `width` columns, a Chinese character being two; words stay whole, and brackets
    with what they hold on to."""
    lines, used = [""], 0
    for piece in re.findall(r"（*[\u2e80-\uffef][，。；：、）]*|[^\s\u2e80-\uffef]+\s*|\s+", text):
        columns = columns_of(piece.rstrip())
        if lines[-1] and used + columns > width:
            lines, used = [*lines, ""], 0
        lines[-1] += piece
        used += columns + len(piece) - len(piece.rstrip())
    return "\n".join(line.rstrip() for line in lines)


_STEPS = (1, 2, 3, 6, 12, 24, 36, 60, 120)


def month_axis(ax: Axes, lang: str, months: pd.PeriodIndex | None = None) -> None:
    """Mark the horizontal axis by months: a year at each January, months between where there is room.

    The axis is cut to the `months` given; else it keeps the limits that drawing has set.
    """
    if months is not None and len(months):
        x = month_numbers(months)
        room = max((x.max() - x.min()) * 0.012, 8.0)
        ax.set_xlim(x.min() - room, x.max() + room)
    low, high = sorted(ax.get_xlim())
    shown = pd.period_range(*(mdates.num2date(v).strftime("%Y-%m") for v in (low, high)), freq="M")
    shown = shown[(month_numbers(shown) >= low) & (month_numbers(shown) <= high)]
    fits = max(2.0, ax.get_position().width * ax.figure.get_size_inches()[0] * 1.5)
    step = next((s for s in _STEPS if len(shown) / s <= fits), _STEPS[-1])
    # 24 months and more: years that divide evenly, whatever month the data begin with.
    ticks = [p for p in shown if (p.year * 12 + p.month - 1) % step == 0] or list(shown[:1])
    names = [(f"{p.month}月", f"{p.year}年") if lang == "zh" else month_name(p, "en").split() for p in ticks]
    ax.set_xticks(month_numbers(ticks), [year if p.month == 1 else f"{month}\n{year}" if p == ticks[0] else month
                                         for p, (month, year) in zip(ticks, names, strict=True)])
    ax.set_xticks([], minor=True)


# --- words that find their own place: labels at line ends, events at the top of their month

def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> np.ndarray:
    """Return positions as near as possible (least squares) to `wanted`, in their order, at least `gap` apart.

    They lie within ``[low, high]`` where there is room; else they are centred on it.
    """
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    # With the gaps taken off, "at least a gap apart" is "not decreasing".
    level = isotonic_regression(np.asarray(wanted, dtype=float)[order] - steps).x
    room = high - low - steps[-1]
    placed = np.empty(len(wanted))
    placed[order] = steps + (np.clip(level, low, low + room) if room >= 0 else low + room / 2)
    return placed


def label_lines(ax: Axes, lines: Sequence[Line2D] | None = None) -> list[Text]:
    """Write each line's label beside its end, in its colour, moved apart until none covers another.

    Default: every line of the axes that was given a label. A line without a finite point gets none. Call it after
    the axis' limits and scale are settled.
    """
    if lines is None:
        lines = [line for line in ax.get_lines() if not str(line.get_label()).startswith("_")]
    ends = {}
    for line in lines:
        x, y = (np.asarray(data, dtype=float) for data in line.get_data())
        finite = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & ((y > 0) | (ax.get_yscale() != "log")))
        if finite.size:
            ends[line] = float(x[finite[-1]]), float(y[finite[-1]])
    if not ends:
        return []
    ax.get_ylim()       # limits that drawing has left to be worked out
    wanted = ax.transLimits.transform(ax.transScale.transform(list(ends.values())))[:, 1]
    # The layout may yet take from the height of the axes, and the words must not meet then.
    points = 0.85 * ax.get_position().height * ax.figure.get_size_inches()[1] * 72
    rows = max(str(line.get_label()).count("\n") + 1 for line in ends)
    beside = ax.transAxes + ScaledTranslation(8 / 72, 0, ax.figure.dpi_scale_trans)
    made = []
    for (line, end), y in zip(ends.items(), spread(np.clip(wanted, 0, 1), 12 * rows / points, 0, 1), strict=True):
        colour = to_hex(line.get_color())
        made.append(ax.annotate(line.get_label(), end, (1, y), textcoords=beside, color=colour, fontsize=9.0,
                                va="center_baseline", annotation_clip=False, arrowprops={
                                    "arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.7, "shrinkA": 3,
                                    "shrinkB": 1, "relpos": (0, 0.5), "patchA": None}))
    return made


def mark_event(ax: Axes, month: pd.Period | str, text: str) -> Text | None:
    """Mark a month by a dotted line and a word at its top; headroom is made for the word.

    Events are set in rows when they lie close. An event outside the months shown is not drawn (returns None).
    Call it after the axis' limits and scale are settled.
    """
    x = float(month_numbers([pd.Period(month, "M")])[0])
    low, high = sorted(ax.get_xlim())
    if not low <= x <= high:
        return None
    row = 14 / 72       # inches from one event's words to the next
    part = row / max(ax.get_position().height * ax.figure.get_size_inches()[1], 0.5)
    marks = [line for line in ax.get_lines() if line.get_gid() == "event"]
    near = sum(abs(float(line.get_xdata()[0]) - x) < (high - low) * 0.3 for line in marks)
    if near >= getattr(ax, "_event_rows", 0):
        ax._event_rows = near + 1
        raised = min(0.4, part * 1.15)
        bottom, top = ax.transScale.transform([(1, y) for y in ax.get_ylim()])[:, 1]
        top += (top - bottom) * raised / (1 - raised)
        ax.set_ylim(top=ax.transScale.inverted().transform((1, top))[1])
    # A line ends below the words of the events before it, so that it crosses none of them.
    ax.axvline(x, ymax=1 - near * part, color=EVENT, lw=1.0, ls=(0, (2, 2)), gid="event", zorder=1.5)
    left = x < low + (high - low) * 0.6
    down = ScaledTranslation((4 if left else -4) / 72, -2 / 72 - row * near, ax.figure.dpi_scale_trans)
    return ax.text(x, 1.0, text, transform=ax.get_xaxis_transform() + down, ha="left" if left else "right",
                   va="top", fontsize=8.5, color=EVENT, path_effects=HALO)
