"""A line small enough for a table cell: what was, and what is forecast with its limits, as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from ..wording import t
from .saying import said_month, said_range, said_value

__all__ = ["spark"]

_WIDE, _HIGH, _EDGE = 150, 36, 3


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
    said = [t("index.spark", lang, first=said_month(seen[0][0], lang), start=said_value(indicator, values[0], lang),
              last=said_month(seen[-1][0], lang), end=said_value(indicator, values[-1], lang),
              low=said_value(indicator, min(values), lang), high=said_value(indicator, max(values), lang))]
    if summary["forecast"]:
        row = summary["forecast"][-1]
        said.append(t("index.spark_ahead", lang, month=said_month(row["month"], lang),
                      value=said_value(indicator, row["y_hat"], lang),
                      limits=said_range(indicator, row["lo-80"], row["hi-80"], lang)))
    return ("" if lang == "zh" else " ").join(said)
