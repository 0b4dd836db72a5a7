"""A new month arrives: was it within the limits, what does it do to the forecast, and which datum moved it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from ebank_lib.cleaning import clean
from ebank_lib.display import say
from ebank_lib.errors import SeriesError
from ebank_lib.events import find_interventions, known_events
from ebank_lib.wording import t

from .context import Context
from .forecast import DEFAULT, Forecast, forecast, forecast_ready
from .revision import Revision
from .scoring import distribution
from .series import as_monthly, prepare

__all__ = ["interventions_indicator", "revise", "revise_indicator"]

APART = 6           # restated months that are told apart; the smaller ones come together
POINTS = 2000       # of the old distribution, in which a new month's place is looked up

Forecaster = Callable[[pd.Series, tuple[str, ...]], Forecast]


def revise(before: Forecast, y, forecaster: Forecaster | None = None) -> Revision:
    """Say what new data do to a forecast made before.

    Parameters
    ----------
    before : Forecast
        Made from the series as it was known then.
    y : Series or array
        The same series as it is known now: one or more new months, earlier months restated, or both.
    forecaster : callable, optional
        ``(y, models) -> Forecast`` in the place of ``forecast`` with the horizon, levels and kind of `before`.

    Returns
    -------
    Revision
        Its contributions come from forecasting again after each step, in this order: with a `forecaster`, what it knows
        beside the series now; restated months from the earliest on; then for each new month first as if it had come
        exactly as forecast, then as it came. The steps lead from the old forecast to the new one, so they add up
        exactly; another order would share out otherwise.

    Raises
    ------
    SeriesError
        The series ends before the old forecast's last known month, or cannot be forecast.

    Examples
    --------
    >>> y = pd.Series(np.exp(np.arange(44) / 20), index=pd.period_range("2008-01", periods=44, freq="M"))
    >>> r = revise(forecast(y.iloc[:-1], models=("drift",)), y)
    >>> r.status, len(r.table), bool(r.check["inside-80"].all())
    ('inside', 11, True)
    """
    new, numbered = as_monthly(y)
    new = new.loc[new.first_valid_index(): new.last_valid_index()] if new.notna().any() else new.iloc[:0]
    old = as_monthly(before.y)[0]
    if new.empty or new.index[-1] < old.index[-1]:
        raise SeriesError("the new data end before the old forecast starts",
                          found="no month" if new.empty else str(new.index[-1]),
                          expected=f"{old.index[-1]} or later")
    model = before.headline
    again = forecaster or _as_before(before)
    lead = before.block(model).set_axis(_months(before.block(model)["month"], numbered), axis=0)
    ahead = lead.index[lead.index > new.index[-1]]
    arrived = new.index[new.index > old.index[-1]]
    restated = _restated(old, new)
    after = before
    if len(arrived) or restated or forecaster:
        after = again(new if not numbered else pd.Series(new.to_numpy(), [m.ordinal for m in new.index]), before.models)
    steps = _Steps(old, lead["y_hat"], model, again, ahead)
    if forecaster:
        steps.beside()
    for months in _one_by_one(restated, old, new):
        steps.restate(months, new)
    for month in arrived[new.loc[arrived].notna()]:
        steps.arrive(month, float(new[month]))
    final = pd.Series(after.block()["y_hat"].to_numpy(), _months(after.block()["month"], numbered))
    moved = steps.settled(final)
    table = pd.DataFrame({"month": ahead, "old": lead.loc[ahead, "y_hat"].to_numpy(),
                          "new": final.reindex(ahead).to_numpy()})
    table["change"] = table["new"] - table["old"]
    table["change_pct"] = 100 * table["change"] / table["old"].abs().where(table["old"] != 0)
    check, departure = _check(before, new.loc[arrived].dropna(), lead, model)
    if numbered:
        table, check, moved = (_numbered(frame) for frame in (table, check, moved))
    return Revision(table, moved, check, before, after, departure)


def _as_before(f: Forecast) -> Forecaster:
    return lambda y, models: forecast(y, f.horizon, f.level, models, f.kind, f.unit, f.label, f.unique_id)


def _months(months, numbered: bool) -> pd.PeriodIndex:
    return pd.PeriodIndex.from_ordinals(np.asarray(months, dtype="int64"), freq="M") if numbered else pd.PeriodIndex(
        months, freq="M")


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """Months as the numbers that the series came with."""
    return frame.assign(**{c: [None if m is None or pd.isna(m) else m.ordinal for m in frame[c]]
                           for c in ("month", "datum") if c in frame})


def _restated(old: pd.Series, new: pd.Series) -> list[pd.Period]:
    """Months up to the old origin whose value differs, appeared or went."""
    months = old.index.union(new.index[new.index <= old.index[-1]])
    was, now = old.reindex(months), new.reindex(months)
    return list(months[~((was == now) | (was.isna() & now.isna()))])


def _one_by_one(restated: list, old: pd.Series, new: pd.Series) -> list[list]:
    """The most restated months each for itself, the others together, in order of time of their first."""
    if len(restated) <= APART:
        return [[m] for m in restated]
    was, now = old.reindex(restated), new.reindex(restated)
    size = ((now - was).abs() / was.abs().where(was != 0)).fillna(np.inf)
    apart = set(size.sort_values(ascending=False, kind="stable").index[:APART])
    return sorted([[m] for m in apart] + [[m for m in restated if m not in apart]], key=lambda group: group[0])


class _Steps:
    """From the old data to the new in steps, forecasting again after each."""

    def __init__(self, y: pd.Series, said: pd.Series, model: str, again: Forecaster, ahead: pd.PeriodIndex):
        self.y, self.said, self.model, self.again, self.ahead = y, said, model, again, ahead
        self.rows: list[dict] = []
        self.path = [said.reindex(ahead)]

    def beside(self) -> None:
        """What is known beside the series changed: forecast the old data again; nothing is told where nothing moved."""
        self._step("beside", None, np.nan, np.nan)
        if np.allclose(self.path[-1], self.path[-2], rtol=1e-9, equal_nan=True):
            del self.rows[-1], self.path[-2]

    def restate(self, months: list, new: pd.Series) -> None:
        values = new.reindex(months)
        was = self.y.reindex(months)
        every = self.y.index.union(pd.PeriodIndex(months, freq="M"))
        self.y = self.y.reindex(every)
        self.y[months] = values
        many = len(months) > 1
        self._step("revised", None if many else months[0], np.nan if many else was.iloc[0],
                   np.nan if many else values.iloc[0])

    def arrive(self, month: pd.Period, value: float) -> None:
        expected = float(self.said[month]) if month in self.said.index else np.nan
        if np.isfinite(expected):
            self._put(month, expected)
            self._step("passing", month, expected, expected)
        self._put(month, value)
        self._step("news", month, expected, value)

    def _put(self, month: pd.Period, value: float) -> None:
        self.y = self.y.reindex(pd.period_range(self.y.index[0], month, freq="M"))
        self.y[month] = value

    def _step(self, cause: str, datum, was: float, now: float) -> None:
        block = self.again(self.y, (self.model,)).block()
        self.said = pd.Series(block["y_hat"].to_numpy(), pd.PeriodIndex(block["month"]))
        self.path.append(self.said.reindex(self.ahead))
        self.rows.append({"datum": datum, "cause": cause, "was": was, "now": now})

    def settled(self, final: pd.Series) -> pd.DataFrame:
        """Return the contributions, the last step ending at the new forecast."""
        columns = ["datum", "cause", "was", "now", "month", "contribution"]
        if not self.rows or not len(self.ahead):
            return pd.DataFrame(columns=columns)
        self.path[-1] = final.reindex(self.ahead)
        return pd.concat([pd.DataFrame([row] * len(self.ahead)).assign(
            month=self.ahead, contribution=(self.path[n + 1] - self.path[n]).to_numpy())
            for n, row in enumerate(self.rows)], ignore_index=True)[columns]


def interventions_indicator(cleaned, branch: str, indicator: str = ""):
    """Look for months out of line in a branch's indicator, with the source's calendar and its listed events.

    Parameters
    ----------
    cleaned : Cleaned
    branch, indicator : str
        "" is the catalogue's first headline indicator.

    Returns
    -------
    Interventions, or a sentence to be shown
        See :func:`ebank_lib.events.find_interventions`; a series too short or too constant to be searched is said to
        be so.
    """
    key, branch = cleaned.catalog.indicator(indicator).key, cleaned.branch_id(branch)
    config = cleaned.source.config
    try:
        return find_interventions(cleaned.series(branch, key), known_events(cleaned.source, branch, key),
                                  calendar=config.calendar)
    except SeriesError:
        return say(t("forecasting.not_searched", n=int(cleaned.series(branch, key).count())))


def revise_indicator(cleaned, branch: str, indicator: str = "", months: int = 1, horizon: int = 12, level=(80, 95),
                     models=DEFAULT, reclean: bool = False) -> Revision:
    """Say what the last months of a branch's indicator did to the forecast that was made before they came.

    Parameters
    ----------
    cleaned : Cleaned
    branch, indicator : str
        "" is the catalogue's first headline indicator.
    months : int
        How many months ago the forecast was made.
    horizon, level, models
        As in :func:`ebank_lib.forecasting.forecast_indicator`, whose forecasts these are.
    reclean : bool
        Take the older series as it was cleaned then, so that what cleaning corrected since is among the restatements.

    Raises
    ------
    SeriesError
        Fewer months than that, or too few before them to forecast.
    UnknownNameError
        An unknown branch, indicator or model.
    """
    key, branch = cleaned.catalog.indicator(indicator).key, cleaned.branch_id(branch)
    y = cleaned.series(branch, key)
    y = y.loc[y.first_valid_index(): y.last_valid_index()] if y.notna().any() else y.iloc[:0]
    if isinstance(months, bool) or int(months) != months or not 1 <= months <= len(y) - 3:
        raise SeriesError("the number of months back is out of range", found=months, expected=f"1 to {len(y) - 3}")
    cutoff = y.index[-1 - months]
    then = cleaned if not reclean else clean(cleaned.source, cleaned.policy, start=cleaned.months[0], end=cutoff,
                                             cells=cleaned.cells)
    about = {"unit": lambda lang=None: cleaned.catalog.unit_label(key, lang), "unique_id": key,
             "label": cleaned.catalog.indicator(key).short_label}
    before = Context.of(then, cutoff).forecast(branch, key, horizon, level, models, **about)
    now = Context.of(cleaned)

    def again(series: pd.Series, models: tuple[str, ...]) -> Forecast:
        ready = prepare(series, before.kind, now.calendar, now.pooled(key), now.listed(branch, key))
        shape = now.shape(key) if "combination" in models else None
        return forecast_ready(ready, before.horizon, before.level, models, shape=shape, kind=before.kind, **about)

    return revise(before, y, again)


def _check(before: Forecast, came: pd.Series, lead: pd.DataFrame, model: str) -> tuple[pd.DataFrame, float]:
    """The new months against the old forecast, and how improbable they are together."""
    came = came[came.index.isin(lead.index)]
    rows = lead.loc[came.index]
    check = pd.DataFrame({"month": came.index, "actual": came.to_numpy(), "y_hat": rows["y_hat"].to_numpy()})
    for lv in before.level:
        low, high = rows[f"lo-{lv:g}"].to_numpy(), rows[f"hi-{lv:g}"].to_numpy()
        check[f"lo-{lv:g}"], check[f"hi-{lv:g}"] = low, high
        check[f"inside-{lv:g}"] = (came.to_numpy() >= low) & (came.to_numpy() <= high)
    at = lead.index.get_indexer(came.index)
    points = distribution(before, model, POINTS)[:, at]
    below = (points < came.to_numpy()).mean(axis=0)
    check["pit"] = (below + (points <= came.to_numpy()).mean(axis=0)) / 2
    part = before.parts[model]
    if len(came) < 2 or not (part.sd[at] > 0).all():
        return check, np.nan
    # Months of one forecast err together: the sum of their normal scores has the spread that its paths have.
    corr = part.cov[np.ix_(at, at)] / np.outer(part.sd[at], part.sd[at])
    score = ndtri(check["pit"].clip(0.5 / POINTS, 1 - 0.5 / POINTS).to_numpy()).sum() / np.sqrt(corr.sum())
    return check, float(2 * ndtr(-abs(score)))
