"""A forecast of a branch's indicator with all that is known beside the series itself.

The source's calendar and its listed events, what the branches say of calendar and season, and what the forecasts of
this indicator missed by in all of them. ``forecast`` knows a series only; these verbs know its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ebank_lib.catalog import Catalog
from ebank_lib.cleaning import clean
from ebank_lib.errors import EbankError
from ebank_lib.events import known_events

from .backtest import Backtest, backtest
from .calibration import ErrorShape, panel_shape, shape_of
from .coherence import Plan, plan_of
from .combination import errors_of, run_models
from .forecast import DEFAULT, LONGEST, Forecast, checked, forecast_ready, kind_of
from .pooling import Pooled, learn_pooled
from .series import Prepared, prepare, with_calendar

__all__ = ["Context", "backtest_indicator", "forecast_indicator"]

_DOUBTFUL = ("unit_slip", "decimal_slip", "swapped_rows", "spike")
_END = 2            # months
_BACK = (18, 12, 6) # months before the end, of the origins whose errors the limits are learnt from
_AHEAD, _LEAST = 12, 24


@dataclass
class Context:
    """What is known beside each series of a panel; everything is computed when first asked for, and once.

    Parameters
    ----------
    panel : DataFrame
        Index (branch, month), a column an indicator; nothing after its last month is looked at.
    catalog : Catalog
    calendar : {"none", "china", "india"}
        The source's.
    events : DataFrame, optional
        What the source lists, see :func:`ebank_lib.events.known_events`.
    doubtful : DataFrame, optional
        ``branch, month, indicator`` of figures that the ledger says are off by a factor or in the wrong row, but could
        not prove. Within the history the methods see for themselves what comes back; at its end such a figure would be
        taken for news, and is left out.
    most : int, optional
        Learn from so many branches at most, evenly spread over the catalogue's order.
    """

    panel: pd.DataFrame = field(repr=False)
    catalog: Catalog = field(repr=False)
    calendar: str = "none"
    events: pd.DataFrame | None = field(default=None, repr=False)
    doubtful: pd.DataFrame | None = field(default=None, repr=False)
    most: int | None = None
    _family: dict = field(default_factory=dict, repr=False)     # last month -> the context of then
    _done: dict = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, cleaned, until: pd.Period | None = None, most: int | None = None) -> Context:
        """Return the context of cleaned data, as of the end of a month if one is given; made once for each."""
        family = getattr(cleaned, "contexts", {}).setdefault(most, {})
        last = cleaned.panel.index.get_level_values("month").max()
        if last not in family:
            source = getattr(cleaned, "source", None)
            about = {} if source is None else {"calendar": source.config.calendar, "events": known_events(source),
                                               "doubtful": _doubtful(cleaned.entries)}
            family[last] = cls(cleaned.panel, cleaned.catalog, **about, most=most, _family=family)._without_doubtful()
        return family[last].until(last if until is None else until)

    def until(self, month: pd.Period) -> Context:
        """Return what was known at the end of a month, this one's last or an earlier one."""
        if month not in self._family:
            months = self.panel.index.get_level_values("month")
            then = replace(self, panel=self.panel[months <= month], _done={})
            self._family[month] = then._without_doubtful()
        return self._family[month]

    def alone(self) -> Context:
        """Return the same without anything worked out, to be sent to another process."""
        return replace(self, _family={}, _done={})

    def _without_doubtful(self) -> Context:
        if self.doubtful is None or self.doubtful.empty:
            return self
        ends = self.panel.index.get_level_values("month").unique()[-_END:]
        rows = self.doubtful[self.doubtful["month"].isin(ends)]
        panel = self.panel.copy() if len(rows) else self.panel
        for row in rows.itertuples(index=False):
            if (row.branch, row.month) in panel.index and row.indicator in panel.columns:
                panel.loc[(row.branch, row.month), row.indicator] = np.nan
        return replace(self, panel=panel)

    @property
    def branches(self) -> list[str]:
        """Branches that are learnt from: those that report, without the total."""
        present = set(self.panel.index.get_level_values("branch"))
        there = [b for b in self.catalog.reporting if b in present]
        if self.most is None or len(there) <= self.most:
            return there
        return [there[i] for i in np.linspace(0, len(there) - 1, self.most).astype(int)]

    def series(self, branch: str, key: str) -> pd.Series:
        """Return one series (T,)."""
        if ("block", branch) not in self._done:
            block = self.panel.loc[branch]
            self._done["block", branch] = block.set_axis(pd.PeriodIndex(block.index, freq="M")).astype(float)
        return self._done["block", branch][key]

    def pooled(self, key: str) -> Pooled | None:
        """Return what the branches say of an indicator."""
        if ("pooled", key) not in self._done:
            kind = kind_of(self.catalog.indicator(key))
            self._done["pooled", key] = learn_pooled(self.bases(key).values(), kind, self.calendar)
        return self._done["pooled", key]

    def bases(self, key: str) -> dict[str, Prepared]:
        """Return an indicator's series as each branch alone has them, of those branches where it can be forecast."""
        found = {branch: self._base(branch, key) for branch in self.branches}
        return {branch: ready for branch, ready in found.items() if isinstance(ready, Prepared)}

    def _base(self, branch: str, key: str) -> Prepared | EbankError:
        """A series prepared by itself, or why it cannot be."""
        if ("base", branch, key) not in self._done:
            kind = kind_of(self.catalog.indicator(key))
            try:
                found = prepare(self.series(branch, key), kind, self.calendar, events=self.listed(branch, key))
            except EbankError as error:
                found = error
            self._done["base", branch, key] = found
        return self._done["base", branch, key]

    def listed(self, branch: str, key: str) -> list[tuple[str | None, pd.Period]]:
        """Return the events that the source lists for a series, (kind or None, month)."""
        if self.events is None or self.events.empty:
            return []
        if ("events",) not in self._done:
            columns = ("branches", "indicators", "kind", "month")
            self._done["events",] = list(zip(*(self.events[c] for c in columns), strict=True))
        return [(kind or None, month) for branches, keys, kind, month in self._done["events",]
                if _applies(branch, branches) and _applies(key, keys)]

    def ready(self, branch: str, key: str) -> Prepared:
        """Return a series prepared with all of this; the total of all branches counts as a branch.

        Raises
        ------
        SeriesError
            It cannot be forecast.
        """
        if ("ready", branch, key) not in self._done:
            base = self._base(branch, key)
            if isinstance(base, EbankError):
                raise base
            self._done["ready", branch, key] = with_calendar(base, self.calendar, self.pooled(key))
        return self._done["ready", branch, key]

    def shape(self, key: str) -> ErrorShape:
        """Return the shape of the combination's errors on an indicator, as all branches have made them.

        Of an indicator that follows from others it is the shipped one: its forecast is made of theirs.
        """
        if ("shape", key) not in self._done:
            shape = shape_of("combination")
            if key in self.plan.free:
                kind = kind_of(self.catalog.indicator(key))
                alike = [k for k in self.plan.free if kind_of(self.catalog.indicator(k)) == kind]
                of = [(b, self.late_errors(b, k)) for b in self.branches for k in alike]
                shape = panel_shape([e for _, e in of], [b for b, _ in of], shape)
            self._done["shape", key] = shape
        return self._done["shape", key]

    @property
    def plan(self) -> Plan:
        """Which indicators of the panel are modelled and how the others follow."""
        if ("plan",) not in self._done:
            there = [k for k in self.catalog.indicators if k in self.panel.columns and self.panel[k].notna().any()]
            self._done["plan",] = plan_of(self.catalog, there)
        return self._done["plan",]

    def late_errors(self, branch: str, key: str) -> np.ndarray:
        """Return what the combination would have missed the last months by, (origins, 12) scaled, NaN where none.

        Everything is as it was known at each origin: the branch's events, and what all branches said of the calendar.
        """
        if ("late", branch, key) not in self._done:
            rows = np.full((len(_BACK), _AHEAD), np.nan)
            y, last = self.series(branch, key), self.panel.index.get_level_values("month").max()
            for row, back in zip(rows, _BACK, strict=True):
                came = y.iloc[-back:][:_AHEAD]
                if y.iloc[:-back].notna().sum() >= _LEAST and np.isfinite(y.iloc[-back - 1]):
                    with suppress(EbankError):      # it could not be forecast then, and so has no error
                        then = self.until(last - back).ready(branch, key)
                        row[: len(came)] = np.nan if then.constant else errors_of(then, came.to_numpy())
            self._done["late", branch, key] = rows
        return self._done["late", branch, key]

    def take(self, done: Mapping) -> None:
        """Take over what another process worked out."""
        self._done |= done

    def done(self, *what: str) -> dict:
        """Return what has been worked out of the given sorts, for :meth:`take`."""
        return {key: value for key, value in self._done.items() if key[0] in what}

    def forecast(self, branch: str, key: str, horizon: int = 12, level=(80, 95), models=DEFAULT,
                 unit: object = "", label: object = "", unique_id: str | None = None) -> Forecast:
        """Return the forecast of a series, see :func:`forecast_indicator`.

        The horizon counts from the panel's last month: of a series that ends earlier the forecast reaches further.
        """
        horizon, level, models = checked(horizon, level, models)
        shape = self.shape(key) if "combination" in models else None
        return forecast_ready(self.ready(branch, key), self.reach(branch, key, horizon), level, models,
                              self.ran(branch, key, horizon, models), shape, unit=unit, label=label,
                              kind=kind_of(self.catalog.indicator(key)), unique_id=unique_id or key)

    def reach(self, branch: str, key: str, horizon: int) -> int:
        """Return the months ahead of the series' own last month that `horizon` months after the panel's are."""
        return min(horizon + (self.panel.index.get_level_values("month").max() - self.ready(branch, key).y.index[-1]).n,
                   LONGEST)

    def ran(self, branch: str, key: str, horizon: int, models: tuple[str, ...]):
        """Return what the methods say of a series, see ``combination.run_models``."""
        at = ("ran", branch, key, horizon, models)
        if at not in self._done:
            self._done[at] = run_models(self.ready(branch, key), self.reach(branch, key, horizon), models)
        return self._done[at]


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
                       models=DEFAULT, reclean: bool = False, peers: int | None = 12) -> Backtest:
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

    return backtest(cleaned.series(branch, key), models, horizon, origins, level, kind=cleaned.catalog.indicator(key),
                    unit=_about(cleaned, key)["unit"], unique_id=key, forecaster=forecaster)


def _doubtful(ledger: pd.DataFrame) -> pd.DataFrame:
    rows = ledger[(ledger["decision"] == "flagged") & ledger["rule"].isin(_DOUBTFUL)]
    return rows[["branch", "month", "indicator"]].astype({"branch": str, "indicator": str}).drop_duplicates()


def _applies(name: str, listed: str) -> bool:
    return not listed or name in listed.split(";")


def _about(cleaned, key: str) -> dict:
    return {"unit": lambda lang=None: cleaned.catalog.unit_label(key, lang),
            "label": cleaned.catalog.indicator(key).short_label, "unique_id": key}
