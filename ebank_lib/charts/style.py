"""One look for every picture: fonts, colours, axes with units, labels at line ends.

Months lie on the axis as matplotlib's day numbers (:func:`month_numbers`), so that a chart does not depend on which
date converter another library has registered.
"""

from __future__ import annotations

import importlib.util
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator
from matplotlib.transforms import Affine2D, IdentityTransform, ScaledTranslation

from ebank_lib.wording import language, number

__all__ = ["BAND", "EVENT", "GRID", "INK", "MUTED", "WIDTH", "colour_map", "colours", "compact", "label_lines",
           "mark_event", "month_axis", "month_numbers", "percent_axis", "save", "unit_axis", "use_style", "wrap"]

# Okabe and Ito (2008), without yellow, which vanishes on white: told apart by readers of every colour vision.
colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F5539", "#444444")
INK, MUTED, GRID, EVENT = "#222222", "#6B6B6B", "#E3E3E3", "#8A3B12"
BAND = "#0072B2"           # limits: this colour at alpha 0.15 (95%) and 0.25 (80%)
WIDTH = 9.0                # inches; 900 px on the page, drawn at 150 dpi to be sharp

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


def use_style() -> None:
    """Set matplotlib's defaults for every picture that follows: faces, colours, sizes, clean axes.

    Pictures are the same bytes for the same numbers: PNG carries no date, SVG ids are salted with a constant.
    """
    mpl.rcParams.update({
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
    })


def compact(picture: Axes | Figure) -> Figure:
    """Make a picture small enough to stand beside others on a first screen, its letters no smaller."""
    fig = picture if isinstance(picture, Figure) else picture.figure
    fig.set_size_inches(5.2, 3.4 if any(ax.axison for ax in fig.axes) else 0.9)   # a sentence needs no more
    return fig


def save(fig: Figure, path: str | Path) -> Path:
    """Write a picture whose bytes depend on nothing but what it shows; the format follows the file's suffix."""
    path = Path(path)
    stamp = {".png": "Software", ".svg": "Date", ".pdf": "CreationDate"}.get(path.suffix.lower())
    fig.savefig(path, metadata={stamp: None} if stamp else None)
    return path


def colour_map(keys: Iterable[str]) -> dict[str, str]:
    """Return a colour for each key, in order; more keys than colours begin again, so draw those as panels."""
    return {key: colours[n % len(colours)] for n, key in enumerate(dict.fromkeys(keys))}


def month_numbers(months: pd.PeriodIndex | Sequence[pd.Period]) -> np.ndarray:
    """Return months as matplotlib's day numbers of their first day.

    Examples
    --------
    >>> month_numbers(pd.period_range("1970-01", periods=2, freq="M"))
    array([ 0., 31.])
    """
    return np.asarray(mdates.date2num(pd.PeriodIndex(months, freq="M").to_timestamp()), dtype=float)


def _label_above(ax: Axes, text: str) -> None:
    """Write the axis label level above the axis' upper end, where it is read without turning the head."""
    up = ScaledTranslation(0, 4 / 72, ax.figure.dpi_scale_trans)
    ax.yaxis.set_label_coords(0, 1, transform=ax.transAxes + up)
    ax.set_ylabel(text, rotation=0, ha="left", va="bottom")
    if text and not ax.get_title(loc="left"):
        # The layout makes room above the axes for a title only; a blank one keeps the label inside the picture.
        ax.set_title(" ", fontsize=9, pad=4)


def _plain_ticks(ax: Axes, write, span: float = 2.0) -> None:
    """Format the value axis by `write(value)`; a log axis of few decades also labels 2 and 5."""
    axis = ax.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    if ax.get_yscale() == "log":
        low, high = ax.get_ylim()
        decades = math.log10(high / low) if low > 0 and high > low else 1.0
        subs = (1.0,) if decades > 4 else (1.0, 3.0) if decades > span else (1.0, 2.0, 5.0)
        if decades < 0.7:
            subs = tuple(np.arange(1.0, 10.0, 0.5 if decades < 0.35 else 1.0))
        axis.set_major_locator(LogLocator(base=10, subs=subs, numticks=12))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())


def unit_axis(ax: Axes, unit: str, lang: str | None = None, label: str = "") -> Axes:
    """Write the values of the vertical axis as 10万, 1.2亿 or 100 k, 12 m, and the unit above the axis.

    Parameters
    ----------
    ax : Axes
        Call it after drawing and after choosing a linear or log scale.
    unit : str
        How the base unit is written (``catalog.base_units[indicator.unit](lang)``); "" for a plain number.
    label : str
        What is measured; stands before the unit.
    """
    lang = language(lang)
    _plain_ticks(ax, lambda value: number(value, "", lang))
    brackets = "{}（{}）" if lang == "zh" else "{} ({})"
    _label_above(ax, brackets.format(label, unit) if label and unit else label or unit)
    return ax


def percent_axis(ax: Axes, lang: str | None = None, label: str = "", sign: bool = False) -> Axes:
    """Write the values of the vertical axis, fractions, as per cent; with `sign`, growth rates as +5%."""
    language(lang)

    def write(value: float) -> str:
        low, high = sorted(ax.get_ylim())
        if ax.get_yscale() == "log":
            return f"{value * 100:,.10g}%"
        digits = 0 if high - low >= 0.05 else 1 if high - low >= 0.005 else 2
        plus = "+" if sign and round(value * 100, digits) > 0 else ""
        return f"{plus}{value * 100:,.{digits}f}%".replace("-0%", "0%")

    _plain_ticks(ax, write)
    _label_above(ax, label)
    return ax


def wrap(text: str, width: int) -> str:
    """Break a text into lines of at most `width` columns, a Chinese character being two; words stay whole.

    Examples
    --------
    >>> wrap("电话银行客户", 8), wrap("phone banking", 8)
    ('电话银行\\n客户', 'phone\\nbanking')
    """
    lines, used = [""], 0
    for piece in re.findall(r"[\u2e80-\uffef][，。；：、）]*|[^\s\u2e80-\uffef]+\s*|\s+", text):
        columns = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in piece.rstrip())
        if lines[-1] and used + columns > width:
            lines, used = [*lines, ""], 0
        lines[-1] += piece
        used += columns + len(piece) - len(piece.rstrip())
    return "\n".join(line.rstrip() for line in lines)


_STEPS = (1, 2, 3, 6, 12, 24, 36, 60, 120)
_SHORT = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def month_axis(ax: Axes, lang: str | None = None, months: pd.PeriodIndex | None = None) -> Axes:
    """Mark the horizontal axis by months: a year at each January, months between where there is room.

    Parameters
    ----------
    months : PeriodIndex, optional
        The months shown; the axis is cut to them. Default: the limits that drawing has set.
    """
    lang = language(lang)
    if months is not None and len(months):
        x = month_numbers(months)
        room = max((x.max() - x.min()) * 0.012, 8.0)
        ax.set_xlim(x.min() - room, x.max() + room)
    low, high = sorted(ax.get_xlim())
    first, last = (pd.Period(mdates.num2date(v).strftime("%Y-%m"), "M") for v in (low, high))
    shown = pd.period_range(first, last, freq="M")
    shown = shown[(month_numbers(shown) >= low) & (month_numbers(shown) <= high)]
    inches = ax.get_position().width * ax.figure.get_size_inches()[0]
    fits = max(2.0, inches * 1.5)
    step = next((s for s in _STEPS if len(shown) / s <= fits), _STEPS[-1])
    # 24 months and more: years that divide evenly, whatever month the data begin with.
    ticks = [p for p in shown if (p.year * 12 + p.month - 1) % step == 0] or list(shown[:1])
    ax.xaxis.set_major_locator(FixedLocator(list(month_numbers(ticks)) if ticks else []))
    ax.xaxis.set_minor_locator(NullLocator())
    names = {round(x): _tick_name(p, p == ticks[0], lang) for p, x in zip(ticks, month_numbers(ticks), strict=True)}
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: names.get(round(value), "")))
    return ax


def _tick_name(month: pd.Period, first: bool, lang: str) -> str:
    year = f"{month.year}年" if lang == "zh" else str(month.year)
    if month.month == 1:
        return year
    name = f"{month.month}月" if lang == "zh" else _SHORT[month.month - 1]
    return f"{name}\n{year}" if first else name


def spread(wanted: Sequence[float], gap: float, low: float = -math.inf, high: float = math.inf) -> np.ndarray:
    """Return positions as near as possible (least squares) to `wanted`, in their order, at least `gap` apart.

    They lie within ``[low, high]`` where there is room; else they are centred on it.

    Examples
    --------
    >>> spread([0, 1, 10], gap=2).tolist()
    [-0.5, 1.5, 10.0]
    """
    wanted = np.asarray(wanted, dtype=float)
    order = np.argsort(wanted, kind="stable")
    steps = gap * np.arange(len(wanted))
    # With the gaps taken off, "at least a gap apart" is "not decreasing": pool adjacent violators.
    blocks: list[tuple[float, int]] = []
    for value in wanted[order] - steps:
        blocks.append((float(value), 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    level = np.repeat([b[0] for b in blocks], [b[1] for b in blocks]) if blocks else np.array([])
    if len(wanted) and math.isfinite(low) and math.isfinite(high):
        room = high - low - steps[-1]
        level = np.clip(level, low, low + room) if room >= 0 else np.full(len(level), low + room / 2)
    placed = np.empty(len(wanted))
    placed[order] = level + steps
    return placed


class _EndLabel(Annotation):
    """A label beside a line's last point; asked for its place, it lets all labels of the axes find theirs."""

    def __init__(self, ax: Axes, text: str, point: tuple[float, float], colour: str, size: float):
        super().__init__(text, xy=point, xycoords="data", xytext=(0, 0), textcoords="axes pixels", color=colour,
                         fontsize=size, ha="left", va="center_baseline", annotation_clip=False,
                         arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.7, "shrinkA": 3,
                                     "shrinkB": 1, "relpos": (0, 0.5), "patchA": None})
        self.siblings: list[_EndLabel] = [self]
        self.set_transform(IdentityTransform())
        ax.add_artist(self)
        self.set_clip_on(False)     # add_artist clips to the axes, and these stand outside

    def update_positions(self, renderer):
        self._place()
        super().update_positions(renderer)

    def get_tightbbox(self, renderer=None):
        # The words only: their pointer lies between the axes and them, and its shape takes longer than all else here.
        self._place()
        self.set_transform(Affine2D().translate(*self.axes.bbox.p0))
        return Text.get_window_extent(self, renderer)

    def _place(self) -> None:
        # At drawing time, in pixels: right whatever layout, limits or scale were set after the call.
        ax, pixel = self.axes, self.axes.figure.dpi / 72
        ends = [ax.transData.transform(label.xy)[1] - ax.bbox.y0 for label in self.siblings]
        lines = max(label.get_text().count("\n") + 1 for label in self.siblings)
        gap = self.get_fontsize() * pixel * 1.4 * lines
        ends = [min(max(end, 0.0), ax.bbox.height) for end in ends]
        for label, y in zip(self.siblings, spread(ends, gap, 0.0, ax.bbox.height), strict=True):
            label.set_position((ax.bbox.width + 8 * pixel, float(y)))


def label_lines(ax: Axes, lines: Sequence[Line2D] | None = None, labels: Sequence[str] | None = None,
                size: float = 9.0) -> list[Text]:
    """Write each line's label beside its end, in its colour, moved apart until none covers another.

    Parameters
    ----------
    lines : sequence of Line2D, optional
        Default: every line of the axes that was given a label.
    labels : sequence of str, optional
        Default: the lines' own labels.

    Returns
    -------
    list of Text
        The labels; a line without a finite point gets none.
    """
    if lines is None:
        lines = [line for line in ax.get_lines() if not str(line.get_label()).startswith("_")]
    labels = [str(line.get_label()) for line in lines] if labels is None else list(labels)
    made = []
    for line, text in zip(lines, labels, strict=True):
        x, y = (np.asarray(data, dtype=float) for data in line.get_data())
        finite = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & ((y > 0) | (ax.get_yscale() != "log")))
        if finite.size:
            point = (float(x[finite[-1]]), float(y[finite[-1]]))
            made.append(_EndLabel(ax, text, point, mpl.colors.to_hex(line.get_color()), size))
    for label in made:
        label.siblings = made
    return made


_ROW = 14 / 72      # inches from one event's words to the next


def _inches(ax: Axes) -> float:
    return max(ax.get_position().height * ax.figure.get_size_inches()[1], 0.5)


def mark_event(ax: Axes, month: pd.Period | str, text: str, lang: str | None = None) -> Text | None:
    """Mark a month by a dotted line and a word at its top; headroom is made for the word.

    Events are set in rows when they lie close. An event outside the months shown is not drawn (returns None).
    Call it after the axis' limits and scale are settled.
    """
    language(lang)
    x = float(month_numbers([pd.Period(month, "M")])[0])
    low, high = sorted(ax.get_xlim())
    if not low <= x <= high:
        return None
    marks = [line for line in ax.get_lines() if line.get_gid() == "event"]
    near = [line for line in marks if abs(float(line.get_xdata()[0]) - x) < (high - low) * 0.3]
    if len(near) >= getattr(ax, "_event_rows", 0):
        ax._event_rows = len(near) + 1
        _make_headroom(ax)
    # A line ends below the words of the events before it, so that it crosses none of them.
    top = 1 - len(near) * _ROW / _inches(ax)
    ax.axvline(x, ymax=top, color=EVENT, lw=1.0, ls=(0, (2, 2)), gid="event", zorder=1.5)
    left = x < low + (high - low) * 0.6
    down = ScaledTranslation((4 if left else -4) / 72, -2 / 72 - _ROW * len(near), ax.figure.dpi_scale_trans)
    return ax.text(x, 1.0, text, transform=ax.get_xaxis_transform() + down, ha="left" if left else "right",
                   va="top", fontsize=8.5, color=EVENT, path_effects=[withStroke(linewidth=2.5, foreground="white")])


def _make_headroom(ax: Axes) -> None:
    """Raise the upper limit by one row of small text."""
    part = min(0.4, _ROW / _inches(ax) * 1.15)
    low, high = ax.get_ylim()
    if ax.get_yscale() == "log":
        ax.set_ylim(low, high * (high / low) ** (part / (1 - part)))
    else:
        ax.set_ylim(low, high + (high - low) * part / (1 - part))
