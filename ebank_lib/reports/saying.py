"""Figures of a summary as they are said: with the unit of their indicator, a ratio in per cent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..wording import month_name, number, percent, t

__all__ = ["said_change", "said_month", "said_range", "said_value"]


def said_value(indicator: Mapping[str, Any], value: float | None, lang: str) -> str:
    """Return a value of a summary's indicator.

    Examples
    --------
    >>> said_value({"kind": "stock", "unit": {"en": "customers"}}, 12345.0, "en")
    '12.3 k customers'
    """
    if value is None:
        return "–"
    return percent(value) if indicator["kind"] == "ratio" else number(value, indicator["unit"][lang], lang)


def said_range(indicator: Mapping[str, Any], lo: float | None, hi: float | None, lang: str) -> str:
    """Return two limits with "to" between them, the unit once."""
    bare = indicator if indicator["kind"] == "ratio" else {**indicator, "unit": {lang: ""}}
    return t("index.to", lang, lo=said_value(bare, lo, lang), hi=said_value(indicator, hi, lang))


def said_change(indicator: Mapping[str, Any], change: float | None, lang: str) -> str:
    """Return a ``yoy`` or ``mom`` of a summary: per cent, or percentage points of a ratio.

    Examples
    --------
    >>> said_change({"kind": "ratio"}, 0.0123, "en"), said_change({"kind": "flow"}, -0.05, "en")
    ('+1.2 points', '-5.0%')
    """
    if change is None:
        return "–"
    if indicator["kind"] == "ratio":
        return t("index.points", lang, n=f"{100 * change:+.1f}")
    return percent(change, sign=True)


def said_month(month: str | None, lang: str) -> str:
    """Return the name of a summary's month.

    Examples
    --------
    >>> said_month("2011-08", "en"), said_month(None, "en")
    ('Aug 2011', '–')
    """
    return "–" if month is None else month_name(pd.Period(month, "M"), lang)
