"""Figures of a summary as a reader sees them: with the unit of their indicator, as a change, as a small line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from ..wording import month_name, number, percent, t

__all__ = ["change_text", "month_text", "range_text", "spark", "value_text"]

_WIDE, _HIGH, _EDGE = 150, 36, 3


def value_text(indicator: Mapping[str, Any], value: float | None, lang: str) -> str:
    """Return a value of a summary's indicator.

    Examples
    --------
    >>> value_text({"kind": "stock", "unit": {"en": "customers"}}, 12345.0, "en")
    '12.3 k customers'
    """
    if value is None:
        return "–"
    return percent(value) if indicator["kind"] == "ratio" else number(value, indicator["unit"][lang], lang)


def range_text(indicator: Mapping[str, Any], lo: float | None, hi: float | None, lang: str) -> str:
    """Return two limits with "to" between them, the unit once."""
    bare = indicator if indicator["kind"] == "ratio" else {**indicator, "unit": {lang: ""}}
    return t("index.to", lang, lo=value_text(bare, lo, lang), hi=value_text(indicator, hi, lang))


def change_text(indicator: Mapping[str, Any], change: float | None, lang: str) -> str:
    """Return a ``yoy`` or ``mom`` of a summary: per cent, or percentage points of a ratio.

    Examples
    --------
    >>> change_text({"kind": "ratio"}, 0.0123, "en"), change_text({"kind": "flow"}, -0.05, "en")
    ('+1.2 points', '-5.0%')
    """
    if change is None:
        return "–"
    if indicator["kind"] == "ratio":
        return t("index.points", lang, n=f"{100 * change:+.1f}")
    return percent(change, sign=True)


def month_text(month: str | None, lang: str) -> str:
    """Return the name of a summary's month.

    Examples
    --------
    >>> month_text("2011-08", "en"), month_text(None, "en")
    ('Aug 2011', '–')
    """
    return "–" if month is None else month_name(pd.Period(month, "M"), lang)


def spark(summary: Mapping[str, Any], lang: str) -> Markup:
    """Return a summary's last months and its forecast with the 80% limits as an SVG picture, told in its title.

    The scale is the picture's own, from the least to the most that is shown. A month without a value is a gap.
    """
    ys = summary["spark"]["y"]
    ahead = summary["forecast"]
    known = [y for y in ys if y is not None]
    if not known:
        return Markup("")
    limits = [row[key] for row in ahead for key in ("lo-80", "hi-80", "y_hat") if row[key] is not None]
    low, high = min(known + limits), max(known + limits)
    steps = max(len(ys) + len(ahead) - 1, 1)

    def x(at: int) -> float:
        return _EDGE + at * (_WIDE - 2 * _EDGE) / steps

    def y(value: float) -> float:
        return _HIGH / 2 if high == low else _HIGH - _EDGE - (value - low) / (high - low) * (_HIGH - 2 * _EDGE)

    def line(points: list[tuple[int, float | None]]) -> str:
        parts, pen = [], "M"
        for at, value in points:
            if value is None:
                pen = "M"
                continue
            parts.append(f"{pen}{x(at):.1f} {y(value):.1f}")
            pen = "L"
        return "".join(parts)

    drawn = []
    last = max(at for at, value in enumerate(ys) if value is not None)
    if ahead:
        first = len(ys)
        band = [(first + n, row["hi-80"]) for n, row in enumerate(ahead)]
        band += [(first + n, row["lo-80"]) for n, row in reversed(list(enumerate(ahead)))]
        if all(value is not None for _, value in band):
            drawn.append(f'<path class="band" d="{line([(last, ys[last]), *band])}Z"/>')
        path = line([(last, ys[last]), *((first + n, row["y_hat"]) for n, row in enumerate(ahead))])
        drawn.append(f'<path class="ahead" d="{path}"/>')
    drawn.append(f'<path class="was" d="{line(list(enumerate(ys)))}"/>')
    drawn.append(f'<circle cx="{x(last):.1f}" cy="{y(ys[last]):.1f}" r="2.2"/>')
    return Markup('<svg class="spark" role="img" viewBox="0 0 {} {}" width="{}" height="{}"><title>{}</title>{}</svg>'
                  ).format(_WIDE, _HIGH, _WIDE, _HIGH, _told(summary, lang), Markup("".join(drawn)))


def _told(summary: Mapping[str, Any], lang: str) -> str:
    """Return what the picture shows in words."""
    indicator = summary["indicator"]
    seen = [(m, v) for m, v in zip(summary["spark"]["months"], summary["spark"]["y"], strict=True) if v is not None]
    values = [value for _, value in seen]
    said = [t("index.spark", lang, first=month_text(seen[0][0], lang), start=value_text(indicator, values[0], lang),
              last=month_text(seen[-1][0], lang), end=value_text(indicator, values[-1], lang),
              low=value_text(indicator, min(values), lang), high=value_text(indicator, max(values), lang))]
    if summary["forecast"]:
        row = summary["forecast"][-1]
        said.append(t("index.spark_ahead", lang, month=month_text(row["month"], lang),
                      value=value_text(indicator, row["y_hat"], lang),
                      limits=range_text(indicator, row["lo-80"], row["hi-80"], lang)))
    return ("" if lang == "zh" else " ").join(said)
