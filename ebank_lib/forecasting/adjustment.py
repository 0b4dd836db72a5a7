"""A series without what returns every year: the calendar taken out first, then the season."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ..errors import SeriesError
from ..events import checked_calendar, take_out
from ..monthly import KINDS, checked_name
from .calendar import find_season, fit_calendar
from .series import Transform, as_monthly, observed

_LEAST = 36         # months: three looks at each, as X-13 asks for
_LOOKS = 2          # observed values of a calendar month below which its season is only guessed


def seasonally_adjust(y, *, calendar: str = "none", kind: str | None = None) -> pd.DataFrame:
    """Take calendar and season out of a monthly series.

    The calendar comes first: the festival that moves between months and the working days, estimated by
    :mod:`ebank_lib.forecasting.calendar` and kept as far as they are surer than chance. What is left goes through STL.
    Months out of line and level shifts are put aside while both are estimated and stay in the adjusted series.

    Parameters
    ----------
    y : Series or array (T,)
        Monthly, 36 months at least; missing months are NaN or absent.
    calendar : {"none", "china", "india"}
        Whose festival and working days, as of :func:`ebank_lib.forecast`.
    kind : {"stock", "flow", "ratio", "multiple"}, optional
        A ``ratio`` is adjusted by amounts; anything else, where it is positive throughout, by factors.

    Returns
    -------
    DataFrame
        ``month, y, calendar, seasonal, adjusted``, a row a month from the first observed to the last. In the unit of
        `y`, with ``y = adjusted + calendar + seasonal``; of positive series calendar and season are factors about 1
        and ``y = adjusted * calendar * seasonal``. Where `y` is missing so is ``adjusted``. Where no season is found
        (F test at 10%) it is 0, or the factor 1.

    Raises
    ------
    SeriesError
        Too few months, or a calendar month that was observed less than twice; what is no monthly series of numbers.
    UnknownNameError
        An unknown calendar or kind.

    Notes
    -----
    Cleveland, Cleveland, McRae & Terpenning (1990, J. Official Statistics 6, 3-73), the season smoothed over seven
    years by local constants as X-11 does; regressors before the filter as in X-13ARIMA-SEATS (Findley et al. 1998, J.
    Business & Economic Statistics 16, 127-152).

    Examples
    --------
    >>> t = np.arange(48)
    >>> y = pd.Series(np.exp(t / 50 + 0.2 * np.cos(t * np.pi / 6)), pd.period_range("2008-01", periods=48, freq="M"))
    >>> seasonally_adjust(y)["seasonal"].round(2).tolist()[:4]
    [1.22, 1.19, 1.11, 1.0]
    """
    from statsmodels.tsa.seasonal import STL  # slow to import, and used here only

    checked_calendar(calendar)
    checked_name(KINDS[0] if kind is None else kind, "kind", KINDS)
    y, numbered = as_monthly(y)
    y, calendar = observed(y), "none" if numbered else calendar
    if len(y) < _LEAST:
        raise SeriesError("too few months to find a season", found=len(y), expected=f"at least {_LEAST}")
    looks = y.groupby(y.index.month).count()
    if looks.min() < _LOOKS:
        raise SeriesError("a month of the year was hardly ever observed", key=f"month {looks.idxmin()}",
                          found=int(looks.min()), expected=f"at least {_LOOKS} years that have it")
    scale = Transform("log" if y.min() > 0 and kind != "ratio" else "none")
    z, first = pd.Series(scale.forward(y)).interpolate().to_numpy(), y.index[0].ordinal
    usual, _ = take_out(z, y.index, calendar=calendar)
    effect = fit_calendar(usual, first, calendar)
    # Festival and working days only: the pushes at a quarter's end return every year, and are the season's.
    moving = replace(effect, used=effect.used * [1, 1, 0, 0][:effect.used.size]).between(first, len(y))
    season = (STL(usual - moving, period=12, seasonal=7, seasonal_deg=0).fit().seasonal
              if find_season(usual - moving).kept else np.zeros(len(y)))
    moving, season = scale.back(moving), scale.back(season)
    return pd.DataFrame({"month": y.index.asi8 if numbered else y.index, "y": y.to_numpy(), "calendar": moving,
                         "seasonal": season, "adjusted": (y / moving / season if scale.name == "log" else
                                                          y - moving - season).to_numpy()})
