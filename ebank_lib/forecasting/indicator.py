"""A branch's indicator forecast, and that forecast tested, with all that is known beside the series itself.

``forecast`` and ``backtest`` know a series only; these verbs know its place, see :class:`.context.Context`.
"""

from __future__ import annotations

from ebank_lib.cleaning import clean

from .backtest import Backtest, backtest, cutoffs_of
from .context import Context
from .forecast import DEFAULT, Forecast, checked
from .halving import learn_in_halves

__all__ = ["PEERS", "backtest_indicator", "forecast_indicator"]

PEERS = 12          # branches that a backtest learns from at each origin


def forecast_indicator(cleaned, branch: str, indicator: str = "", horizon: int = 12, level=(80, 95), models=DEFAULT,
                       context: Context | None = None) -> Forecast:
    """Forecast an indicator of a branch with all that is known beside the series.

    Parameters
    ----------
    cleaned : Cleaned
    branch, indicator : str
        "" is the catalogue's first headline indicator.
    horizon, level, models
        As in :func:`ebank_lib.forecasting.forecast`.
    context : Context, optional
        To be shared by several calls.

    Returns
    -------
    Forecast
        With the same limits as :func:`ebank_lib.forecasting.simulate_joint` simulates.

    Raises
    ------
    UnknownNameError, SeriesError
        An unknown name; a series that cannot be forecast.
    """
    key, branch = cleaned.catalog.indicator(indicator).key, cleaned.branch_id(branch)
    return (context or Context.of(cleaned)).forecast(branch, key, horizon, level, models, **_about(cleaned, key))


def backtest_indicator(cleaned, branch: str, indicator: str = "", horizon: int = 12, origins: int = 12, level=(80, 95),
                       models=DEFAULT, reclean: bool = False, peers: int | None = PEERS) -> Backtest:
    """Test the forecasts of :func:`forecast_indicator` by a rolling origin.

    At each origin calendar, season, events, weights and limits are learnt anew from what the panel held by then, of
    this branch and of the others.

    Parameters
    ----------
    cleaned, branch, indicator, horizon, level, models
        As in :func:`forecast_indicator`.
    origins : int
    reclean : bool
        Clean the source anew at each origin from the cells up to it, so that no repair that needed a later month helps
        an earlier forecast.
    peers : int, optional
        Learn from so many branches at most at each origin, evenly spread: with hundreds it would take minutes.
    """
    key, branch = cleaned.catalog.indicator(indicator).key, cleaned.branch_id(branch)

    def forecaster(past, horizon, level, models, cutoff) -> Forecast:
        then = cleaned if not reclean else clean(cleaned.source, cleaned.policy, start=cleaned.months[0], end=cutoff,
                                                 cells=cleaned.cells)
        return Context.of(then, cutoff, peers).forecast(branch, key, horizon, level, models)

    y = cleaned.series(branch, key)
    horizon, level, models = checked(horizon, level, (models,) if isinstance(models, str) else models)
    if not reclean and origins > 0 and "combination" in models and y.notna().any():
        first, last = y.first_valid_index(), y.last_valid_index()
        learn_in_halves([Context.of(cleaned, first + n - 1, peers)
                         for n in cutoffs_of((last - first).n + 1, horizon, origins)], key)
    return backtest(y, models, horizon, origins, level, kind=cleaned.catalog.indicator(key),
                    unit=_about(cleaned, key)["unit"], unique_id=key, forecaster=forecaster)


def _about(cleaned, key: str) -> dict:
    return {"unit": lambda lang=None: cleaned.catalog.unit_label(key, lang),
            "label": cleaned.catalog.indicator(key).short_label, "unique_id": key}
