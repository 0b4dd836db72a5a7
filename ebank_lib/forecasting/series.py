"""A series at the door: monthly, in order, finite, on the scale that is modelled; what was done to it is said.

Stocks and flows grow by per cent, so their logarithm is modelled; a share moves slower near 0 and 1, so its logit is.
What has zeros takes the square root, what is negative stays as it is. Medians and limits are quantiles and go back as
they are; a mean does not, and is taken over the distribution after going back, without the bias of the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from ..catalog import Indicator
from ..errors import SeriesError
from ..events import checked_calendar, take_out
from ..monthly import KINDS, checked_name, regular
from .calendar import NOTHING, CalendarEffect, Season, find_season, fit_calendar, growth_share

_EDGE = 1e-4        # a share of exactly 0 or 1 is moved inside by this much
_FEWEST = 3         # observed months
_LEAST = 36         # months that an adjustment takes: three looks at each, as X-13 asks for
_LOOKS = 2          # observed values of a calendar month below which its season is only guessed


def _logit(y: np.ndarray) -> np.ndarray:
    inside = np.clip(y, _EDGE, 1 - _EDGE)
    return np.log(inside / (1 - inside))


# name -> onto the scale, and back
_SCALES = {
    "none": (np.copy, np.copy), "log": (np.log, lambda z: np.exp(np.minimum(z, 700.0))),
    "sqrt": (np.sqrt, lambda z: np.maximum(z, 0.0) ** 2),
    "logit": (_logit, lambda z: 1 / (1 + np.exp(-np.clip(z, -700, 700))))}
SCALES = tuple(_SCALES)


def kind_of(indicator: Indicator) -> str:
    """Return the kind by which an indicator is forecast: stock, flow, ratio or, without a ceiling, multiple."""
    return "multiple" if indicator.kind == "ratio" and not indicator.bounded else indicator.kind


@dataclass(frozen=True)
class Transform:
    """A scale: ``name`` (log, logit, sqrt, none), the bounds ``low, high`` that no forecast crosses."""

    name: str
    low: float = -np.inf
    high: float = np.inf
    monotone: bool = False      # a stock that never fell: no path of it does

    def forward(self, y):
        """Put values on the scale."""
        return _SCALES[self.name][0](np.asarray(y, dtype=float))

    def back(self, z):
        """Bring values back from the scale; quantiles stay quantiles."""
        return np.clip(_SCALES[self.name][1](np.asarray(z, dtype=float)), self.low, self.high)


def choose_transform(y: pd.Series | np.ndarray, kind: str | None = None) -> Transform:
    """Return the scale for a series of a kind, see :func:`modelling_scale`.

    Without a kind the logarithm is taken of what is positive throughout, as for a flow, but nothing is held above zero
    that has been below it.
    """
    if kind is not None:
        checked_name(kind, "kind", KINDS)
    values = np.asarray(y, dtype=float)
    values = values[np.isfinite(values)]
    if kind == "ratio":
        outside = values[(values < 0) | (values > 1)]
        if outside.size:
            raise SeriesError("a share lies outside 0..1", found=float(outside[0]), expected="fractions within 0..1",
                              hint="A ratio without a ceiling has kind 'multiple'")
        return Transform("logit", 0.0, 1.0)
    if not values.size or values.min() < 0:
        return Transform("none")        # net new customers may be negative, and their forecast too
    return Transform("log" if values.min() > 0 else "sqrt", 0.0)


def modelling_scale(y: pd.Series, kind: str | None = None) -> pd.Series:
    """Return a monthly series on the scale that is modelled: logs of counts and sums, logits of shares.

    Parameters
    ----------
    y : Series
    kind : {"stock", "flow", "ratio", "multiple"}, optional
        ``ratio`` lies within 0..1, ``multiple`` is a ratio without a ceiling; without a kind what is positive
        throughout is taken for a flow.

    Raises
    ------
    UnknownNameError
        No such kind.
    SeriesError
        What is no monthly series of numbers; a ratio outside 0..1.

    Examples
    --------
    >>> modelling_scale(pd.Series([1.0, np.e], name="y"), "flow").tolist()
    [0.0, 1.0]
    """
    y, numbered = as_monthly(y)
    return pd.Series(choose_transform(y, kind).forward(y), y.index.asi8 if numbered else y.index, name=y.name)


@dataclass(eq=False)
class Work:
    """One series at work: complete, on its modelling scale. Methods share what they have in common.

    ``values`` (T,) are without the events that are beyond doubt and without what the calendar adds, ``given`` (T,) is
    as it was; ``first`` is the ordinal of the first month; ``calendar`` says what the calendar adds, ``lasts`` how far
    growth has lasted in the other branches, see ``growth_evidence``, ``weights`` what the combination's members count
    for in them.
    """

    values: np.ndarray
    given: np.ndarray
    first: int
    calendar: CalendarEffect = NOTHING
    lasts: float | None = None
    weights: np.ndarray | None = None

    @cached_property
    def months(self) -> pd.PeriodIndex:
        """The months of the series."""
        return pd.PeriodIndex.from_ordinals(np.arange(self.first, self.first + len(self.values)), freq="M")

    @cached_property
    def plain(self) -> np.ndarray:
        """The values without the events, with what the calendar adds, (T,)."""
        return self.values + self.calendar.between(self.first, len(self.values))

    @cached_property
    def season(self) -> Season:
        """The shrunk season."""
        return find_season(self.values)

    @cached_property
    def adjusted(self) -> np.ndarray:
        """The values less their season, (T,); the very array of the series where there is none."""
        terms = np.resize(self.season.terms, len(self.values))
        return self.values - terms if terms.any() else self.values

    @cached_property
    def growth_share(self) -> float:
        """How much of last year's growth is taken to go on."""
        return growth_share(self.values, self.lasts)

    def season_ahead(self, horizon: int) -> np.ndarray:
        """Return the season's terms of the months ahead."""
        return self.season.terms[np.arange(len(self.values), len(self.values) + horizon) % 12]

    def until(self, back: int) -> Work:
        """Return the series as it was some months before its end, the calendar's effects as they are known now."""
        n = len(self.values) - back
        return Work(self.values[:n], self.given[:n], self.first, self.calendar, self.lasts)


@dataclass(frozen=True)
class Prediction:
    """What a method says on the modelling scale: ``mean`` (H,), error ``cov`` (H, H); a combination has ``weights``."""

    mean: np.ndarray
    cov: np.ndarray
    weights: Mapping[str, float] = field(default_factory=dict)

    @property
    def sd(self) -> np.ndarray:
        """Standard deviation of the error, (H,)."""
        return np.sqrt(np.maximum(np.diag(self.cov), 0.0))


@dataclass(frozen=True)
class Prepared:
    """A series ready to be forecast.

    ``y`` begins and ends with an observed month; ``gaps`` are the months within that were missing and were
    interpolated on the modelling scale for the methods (never in ``y``); ``late`` counts missing months at the end;
    ``events`` (kind, month, size) were taken out for the methods, see :func:`ebank_lib.events.take_out`;
    ``numbered`` says that the series came without months, so that they are numbered.
    """

    y: pd.Series
    work: Work
    transform: Transform
    gaps: tuple[pd.Period, ...] = ()
    late: int = 0
    numbered: bool = False
    constant: bool = False
    events: tuple[tuple[str, pd.Period, float], ...] = ()


def as_monthly(y) -> tuple[pd.Series, bool]:
    """Return `y` as a float Series on a complete monthly PeriodIndex, and whether its months are only numbers.

    Its index may be months (PeriodIndex, or dates, one a month) or consecutive integers (numbered months).
    """
    y = regular(y)
    if isinstance(y.index, pd.PeriodIndex):
        return y, False
    if y.index[0] < 0 or y.index[-1] > 20_000:
        raise SeriesError("has numbers for months that are none", found=f"{y.index[0]}..{y.index[-1]}",
                          expected="consecutive integers from 0")
    return y.set_axis(pd.PeriodIndex.from_ordinals(y.index.to_numpy(), freq="M")), True


def observed(y: pd.Series) -> pd.Series:
    """Return a series from its first to its last observed month."""
    return y.loc[y.first_valid_index(): y.last_valid_index()] if y.notna().any() else y.iloc[:0]


def prepare(y, kind: str | None = None, calendar: str = "none", pooled=None, events=()) -> Prepared:
    """Return a series ready for the methods; all as in :func:`ebank_lib.forecasting.forecast`."""
    given, numbered = as_monthly(y)
    y = observed(given)
    known = y.dropna().to_numpy()
    if known.size < _FEWEST:
        raise SeriesError("too few months to forecast", found=known.size, expected=f"at least {_FEWEST} observed")
    constant = bool((known == known[0]).all())
    transform = choose_transform(known, kind)       # which refuses what is no share, constant or not
    transform = Transform("none") if constant else transform
    if kind == "stock" and not constant and len(y) >= 24 and (np.diff(known) >= 0).all():
        # A stock that never fell in two years and more is not forecast to fall.
        transform = Transform(transform.name, float(known[-1]), transform.high, monotone=True)
    z = transform.forward(y)
    missing, there = np.flatnonzero(np.isnan(z)), np.flatnonzero(~np.isnan(z))
    z[missing] = np.interp(missing, there, z[there])
    adjusted, events = (z, []) if constant else take_out(
        z, y.index, listed=() if numbered else events, calendar="none" if numbered else calendar)
    told = tuple((kind, y.index[at], size) for kind, at, size in events)
    ready = Prepared(y, Work(adjusted, z, y.index[0].ordinal), transform, tuple(y.index[missing]),
                     (given.index[-1] - y.index[-1]).n, numbered, constant, told)
    return with_calendar(ready, calendar, pooled)


def with_calendar(ready: Prepared, calendar: str, pooled=None) -> Prepared:
    """Return a prepared series with the calendar's effects estimated anew, drawn towards what `pooled` says."""
    if ready.constant or ready.numbered:
        return ready
    work = ready.work
    plain, first = work.plain, work.first
    effect = fit_calendar(plain, first, calendar, *(pooled.prior if pooled else ()))
    return replace(ready, work=replace(work, values=plain - effect.between(first, len(plain)), calendar=effect,
                                       lasts=float(pooled.lasts) if pooled else None))


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
