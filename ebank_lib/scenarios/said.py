"""How values, paces and effects are said."""

from __future__ import annotations

import numpy as np

from ebank_lib.catalog import Catalog
from ebank_lib.forecasting import kind_of
from ebank_lib.wording import number, percent, t

__all__ = ["said_pace", "said_range", "said_size", "said_value"]


def said_value(catalog: Catalog, indicator: str, value: float, lang: str | None = None, kind: str = "level") -> str:
    """Return a value in the terms of a target of some kind: a share or growth in per cent, a rank as a place.

    Parameters
    ----------
    kind : str
        Of the target.
    """
    if not np.isfinite(value):
        return "–"
    if kind == "rank":
        return t("scenarios.place", lang, n=f"{value:.0f}")
    if kind == "growth":
        return percent(value, sign=True)
    if kind == "share" or kind_of(catalog.indicator(indicator)) == "ratio":
        return percent(value)
    return number(value, catalog.unit_label(indicator, lang), lang)


def said_pace(catalog: Catalog, indicator: str, value: float, lang: str | None = None, kind: str = "level",
              sign: bool = True) -> str:
    """Return a difference as it is said: points for a share, places for a rank, else units."""
    if not np.isfinite(value):
        return "–"
    if kind == "rank":
        return t("scenarios.places", lang, n=f"{value:.1f}")
    if kind == "share" or kind_of(catalog.indicator(indicator)) == "ratio":
        return t("scenarios.points", lang, n=f"{value * 100:{'+' if sign else ''}.2f}")
    return ("+" if sign and value > 0 else "") + number(value, catalog.unit_label(indicator, lang), lang)


def said_size(catalog: Catalog, indicator: str, how: str, value: float, lang: str | None = None) -> str:
    """Return the size of an effect: per cent of a count, points of a share, the part of a gap that is closed."""
    if not np.isfinite(value):
        return "–"
    if how == "ceiling":
        return t("scenarios.of_gap", lang, n=percent(value, 0))
    ratio = kind_of(catalog.indicator(indicator)) == "ratio"
    said = t("scenarios.points", lang, n=f"{value * 100:+.1f}") if ratio else percent(value, sign=True)
    return t("scenarios.a_year", lang, size=said) if how == "growth" else said


def said_range(catalog: Catalog, indicator: str, how: str, low: float, high: float, lang: str | None = None) -> str:
    """Return a range of sizes, its unit said once."""
    if not np.isfinite([low, high]).all():
        return t("scenarios.range", lang, low=said_size(catalog, indicator, how, low, lang),
                 high=said_size(catalog, indicator, how, high, lang))
    if how == "ceiling":
        return t("scenarios.of_gap", lang, n=t("scenarios.range", lang, low=percent(low, 0), high=percent(high, 0)))
    if kind_of(catalog.indicator(indicator)) == "ratio":
        ends = {"low": f"{low * 100:+.1f}", "high": f"{high * 100:+.1f}"}
        said = t("scenarios.points", lang, n=t("scenarios.range", lang, **ends))
    else:
        digits = 1 if min(abs(low), abs(high)) < 0.02 else 0
        said = t("scenarios.range", lang, low=percent(low, digits, sign=True), high=percent(high, digits, sign=True))
    return t("scenarios.a_year", lang, size=said) if how == "growth" else said
