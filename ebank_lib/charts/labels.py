"""Words in a picture that find their own place: labels at line ends, events at the top of their month."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Affine2D, IdentityTransform, ScaledTranslation

from .style import EVENT, HALO, month_numbers

__all__ = ["label_lines", "mark_event", "spread"]


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
            made.append(_EndLabel(ax, text, point, to_hex(line.get_color()), size))
    for label in made:
        label.siblings = made
    return made


_ROW = 14 / 72      # inches from one event's words to the next


def _inches(ax: Axes) -> float:
    return max(ax.get_position().height * ax.figure.get_size_inches()[1], 0.5)


def mark_event(ax: Axes, month: pd.Period | str, text: str) -> Text | None:
    """Mark a month by a dotted line and a word at its top; headroom is made for the word.

    Events are set in rows when they lie close. An event outside the months shown is not drawn (returns None).
    Call it after the axis' limits and scale are settled.
    """
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
                   va="top", fontsize=8.5, color=EVENT, path_effects=HALO)


def _make_headroom(ax: Axes) -> None:
    """Raise the upper limit by one row of small text."""
    part = min(0.4, _ROW / _inches(ax) * 1.15)
    low, high = ax.get_ylim()
    if ax.get_yscale() == "log":
        ax.set_ylim(low, high * (high / low) ** (part / (1 - part)))
    else:
        ax.set_ylim(low, high + (high - low) * part / (1 - part))
