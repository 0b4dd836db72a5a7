"""What is known beside a series itself at the end of a month.

The source's calendar and its listed events, what the branches say of calendar and season, and what the forecasts of
this indicator missed by in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ebank_lib.catalog import Catalog
from ebank_lib.errors import EbankError
from ebank_lib.events import known_events
from ebank_lib.store import digest, kept_arrays

from .calibration import ErrorShape, own_shape, panel_shape, shape_of
from .coherence import Plan, plan_of
from .combination import Said, run_models, said_of
from .dependence import surprises_of
from .forecast import DEFAULT, LONGEST, Forecast, checked, forecast_ready, kind_of
from .grid import Grid
from .pooling import Pooled, arrays_of, learn_pooled
from .series import Prepared, prepare, with_calendar
from .sharing import beside, spare_core

__all__ = ["Context"]

_DOUBTFUL = ("unit_slip", "decimal_slip", "swapped_rows", "spike")
_BACK = (18, 12, 6) # months before the end, of the origins whose errors the limits are learnt from
_AHEAD, _LEAST = 12, 24
_LONG = 800         # forecasts that are worth another process: two seconds and more


@dataclass
class Context:
    """What is known beside each series of a panel; everything is computed when first asked for, and once.

    What is learnt from all branches is kept in the store (:mod:`ebank_lib.store`), where there is one, under the
    content of what it is learnt from: the figures up to the month, the calendar, the listed events.

    Parameters
    ----------
    panel : DataFrame
        Index (branch, month), a column an indicator.
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
    last : Period, optional
        Nothing after this month is looked at; default: the panel's last.
    """

    panel: pd.DataFrame = field(repr=False)
    catalog: Catalog = field(repr=False)
    calendar: str = "none"
    events: pd.DataFrame | None = field(default=None, repr=False)
    doubtful: pd.DataFrame | None = field(default=None, repr=False)
    most: int | None = None
    last: pd.Period | None = None
    _family: dict = field(default_factory=dict, repr=False)     # last month -> the context of then; "grid"
    _done: dict = field(default_factory=dict, repr=False)

    def __post_init__(self):
        if "grid" not in self._family:
            self._family["grid"] = Grid(self.panel, self.doubtful)
        self.last = pd.Period(ordinal=self.grid.last, freq="M") if self.last is None else self.last
        self._family.setdefault(self.last, self)

    @classmethod
    def of(cls, cleaned, until: pd.Period | None = None, most: int | None = None) -> Context:
        """Return the context of cleaned data, as of the end of a month if one is given; made once for each."""
        made = getattr(cleaned, "contexts", {})
        if None not in made or made[None].panel is not cleaned.panel:
            made.clear()
            source = getattr(cleaned, "source", None)
            about = {} if source is None else {"calendar": source.config.calendar, "events": known_events(source),
                                               "doubtful": _doubtful(cleaned)}
            made[None] = cls(cleaned.panel, cleaned.catalog, **about)
        if most not in made:
            made[most] = replace(made[None], most=most, _family={"grid": made[None].grid}, _done={})
        return made[most] if until is None else made[most].until(until)

    @property
    def grid(self) -> Grid:
        """The panel as an array, shared by all months."""
        return self._family["grid"]

    def until(self, month: pd.Period) -> Context:
        """Return what was known at the end of a month, this one's last or an earlier one."""
        if month not in self._family:
            month = min(month, pd.Period(ordinal=self.grid.last, freq="M"))
        if month not in self._family:
            self._family[month] = replace(self, last=month, _done={})
        return self._family[month]

    def __getstate__(self) -> dict:
        # Another process begins with nothing worked out: what is sent must not grow while it is sent.
        return self.__dict__ | {"_family": {}, "_done": {}}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self.__post_init__()

    def _once(self, at: tuple, make: Callable):
        if at not in self._done:
            self._done[at] = make()
        return self._done[at]

    @property
    def present(self) -> set[str]:
        """Branches that the panel speaks of by then, the total of all among them."""
        return self._once(("present",), lambda: self.grid.present(self.last.ordinal))

    @property
    def branches(self) -> list[str]:
        """Branches that are learnt from: those that report, without the total."""
        return self._once(("branches",), self._branches)

    def _branches(self) -> list[str]:
        there = [b for b in self.catalog.reporting if b in self.present]
        if self.most is None or len(there) <= self.most:
            return there
        return [there[i] for i in np.linspace(0, len(there) - 1, self.most).astype(int)]

    def _column(self, key: str) -> np.ndarray:
        return self._once(("column", key), lambda: self.grid.column(key, self.last.ordinal))

    def _rows(self) -> np.ndarray:
        """Where the branches that are learnt from stand in a column."""
        return self._once(("rows",), lambda: np.array([self.grid.branches[b] for b in self.branches], dtype=int))

    def series(self, branch: str, key: str) -> pd.Series:
        """Return one series (T,)."""
        values = self._column(key)[self.grid.branches[branch]]
        months = self._once(("months",), lambda: self.grid.months[: values.size])
        return pd.Series(values, index=months, name=key)

    def content(self, key: str) -> str:
        """Return the hash of all that is learnt from of an indicator: branches, figures, calendar, listed events."""
        return self._once(("content", key), lambda: digest(
            self.grid.first, self._column(key)[self._rows()], self._able(key), self.calendar, self.kind(key),
            self._once(("names",), lambda: digest(self.branches)),
            [self.listed(b, key) for b in self.branches] if self._listed(key) else []))

    def kind(self, key: str) -> str:
        """Return the kind of series that an indicator is, see ``forecast.kind_of``."""
        return kind_of(self.catalog.indicator(key))

    def _able(self, key: str) -> np.ndarray:
        """Which of the branches' forecasts from here are looked at to learn from their errors."""
        return self._once(("able", key), lambda: self.grid.able(key, self.last.ordinal, _LEAST)[self._rows()])

    def pooled(self, key: str) -> Pooled | None:
        """Return what the branches say of an indicator."""
        return self._once(("pooled", key), lambda: Pooled.of_arrays(kept_arrays(
            "forecasting-pooled", (self.content(key),), lambda: arrays_of(
                learn_pooled(self.bases(key).values(), self.kind(key), self.calendar)))))

    def bases(self, key: str) -> dict[str, Prepared]:
        """Return an indicator's series as each branch alone has them, of those branches where it can be forecast."""
        found = {branch: self._base(branch, key) for branch in self.branches}
        return {branch: ready for branch, ready in found.items() if isinstance(ready, Prepared)}

    def _base(self, branch: str, key: str) -> Prepared | EbankError:
        """A series prepared by itself, or why it cannot be."""
        return self._once(("base", branch, key), lambda: self._prepared(branch, key))

    def _prepared(self, branch: str, key: str) -> Prepared | EbankError:
        try:
            return prepare(self.series(branch, key), self.kind(key), self.calendar, events=self.listed(branch, key))
        except EbankError as error:
            return error

    def _listed(self, key: str) -> list[tuple]:
        """The listed events of an indicator, (branches, kind, month)."""
        if self.events is None or self.events.empty:
            return []
        columns = ("branches", "indicators", "kind", "month")
        return self._once(("events", key), lambda: [
            (branches, kind or None, month)
            for branches, keys, kind, month in zip(*(self.events[c] for c in columns), strict=True)
            if _applies(key, keys)])

    def listed(self, branch: str, key: str) -> list[tuple[str | None, pd.Period]]:
        """Return the events that the source lists for a series, (kind or None, month)."""
        return [(kind, month) for branches, kind, month in self._listed(key) if _applies(branch, branches)]

    def ready(self, branch: str, key: str) -> Prepared:
        """Return a series prepared with all of this; the total of all branches counts as a branch.

        Raises
        ------
        SeriesError
            It cannot be forecast.
        """
        return self._once(("ready", branch, key), lambda: self._with_all(branch, key))

    def _with_all(self, branch: str, key: str) -> Prepared:
        base = self._base(branch, key)
        if isinstance(base, EbankError):
            raise base
        return with_calendar(base, self.calendar, self.pooled(key))

    def said(self, key: str) -> Said:
        """Return what the branches' forecasts of an indicator said from here, of those whose errors are learnt from."""
        return self._once(("said", key), lambda: Said(**kept_arrays(
            "forecasting-said", (self.content(key),), lambda: self._say(key))))

    def _say(self, key: str) -> dict[str, np.ndarray]:
        rows = [said_of(self._ready_or_none(b, key), _AHEAD) if able else said_of(None, _AHEAD)
                for b, able in zip(self.branches, self._able(key), strict=True)]
        mean, sd, scale = zip(*rows, strict=True)
        return {"mean": np.array(mean), "sd": np.array(sd), "scale": np.array(scale, dtype=np.int8)}

    def _ready_or_none(self, branch: str, key: str) -> Prepared | None:
        try:
            return self.ready(branch, key)
        except EbankError:
            return None         # it could not be forecast then, and so has no error

    def errors(self, key: str) -> np.ndarray:
        """Return what the combination would have missed the last months by, (branches, origins, 12), NaN where none.

        In units of the spread it stated. Everything is as it was known at each origin: the branch's events, and what
        all branches said of the calendar.
        """
        return self._once(("errors", key), lambda: self._errors(key))

    def _errors(self, key: str) -> np.ndarray:
        out = np.full((len(self.branches), len(_BACK), _AHEAD), np.nan)
        column = self._column(key)[self._rows()]
        for i, then in enumerate(self._origins()):
            able = self.grid.able(key, then, _LEAST)[self._rows()]
            if able.any():
                origin = self.until(pd.Period(ordinal=then, freq="M"))
                # A branch that did not report yet is not among those of then.
                at = {b: n for n, b in enumerate(origin.branches)}
                mine = [n for n, b in enumerate(self.branches) if able[n] and b in at]
                theirs = [at[self.branches[n]] for n in mine]
                came = column[mine, then + 1 - self.grid.first:][:, :_AHEAD]
                out[mine, i, : came.shape[1]] = origin.said(key).missed(theirs, came)
        return out

    def _origins(self) -> list[int]:
        """The months, as ordinals, from which forecasts are looked at whose errors are learnt from."""
        return [self.last.ordinal - back for back in _BACK]

    def shape(self, key: str) -> ErrorShape:
        """Return the shape of the combination's errors on an indicator, as all branches have made them.

        Of an indicator that follows from others it is the shipped one: its forecast is made of theirs.
        """
        shipped = shape_of("combination")
        if key not in self.plan.free:
            return shipped
        return self._once(("shape", self.kind(key)), lambda: self._shape(self.kind(key), shipped))

    def _shape(self, kind: str, shipped: ErrorShape) -> ErrorShape:
        alike = self._alike(kind)
        able = self._able_of(alike)
        content = [*(self.content(k) for k in alike),
                   *(self.until(pd.Period(ordinal=then, freq="M")).content(k) for k, then in able)]

        def learn() -> dict[str, np.ndarray]:
            errors = self._errors_of(alike, len(able))
            of = [(b, e[n]) for n, b in enumerate(self.branches) for e in errors]
            found = panel_shape([e for _, e in of], [b for b, _ in of], shipped)
            return {"quantiles": found.quantiles, "branches": np.array([found.branches])}

        return own_shape(shipped, **kept_arrays("forecasting-shape", (alike, content), learn))

    def _alike(self, kind: str) -> list[str]:
        """The indicators of a kind that are modelled by themselves: they learn from one another's errors."""
        return [k for k in self.plan.free if self.kind(k) == kind]

    def _able_of(self, alike: list[str]) -> list[tuple[str, int]]:
        return [(k, then) for k in alike for then in self._origins()
                if self.grid.able(k, then, _LEAST)[self._rows()].any()]

    def learnt_from(self, key: str) -> list[tuple[int, str]]:
        """Return the months, as ordinals, and the indicators whose forecasts :meth:`shape` learns from."""
        alike = self._alike(self.kind(key)) if key in self.plan.free else []
        return [(then, k) for k, then in self._able_of(alike)]

    def _errors_of(self, keys: list[str], origins: int) -> list[np.ndarray]:
        """The errors on several indicators; of hundreds of branches half of them on another core."""
        new = [k for k in keys if ("errors", k) not in self._done]
        if len(new) > 1 and origins * len(self.branches) >= _LONG and spare_core():
            mine, theirs = new[::2], new[1::2]
            found = beside(lambda: {k: self.errors(k) for k in theirs}, lambda: [self.errors(k) for k in mine])
            self._done |= {("errors", k): e for k, e in (found or {}).items()}
        return [self.errors(k) for k in keys]

    @property
    def plan(self) -> Plan:
        """Which indicators of the panel are modelled and how the others follow."""
        return self._once(("plan",), lambda: plan_of(self.catalog, self.available))

    @property
    def available(self) -> list[str]:
        """Indicators that the panel says anything of."""
        return [k for k in self.catalog.indicators
                if k in self.grid.keys and not np.isnan(self._column(k)).all()]

    def surprises(self, key: str) -> np.ndarray:
        """Return the one-step errors of an indicator in every branch, (branches, months), NaN where there are none."""
        return self._once(("surprises", key), lambda: kept_arrays(
            "forecasting-surprises", (self.content(key),), lambda: {"errors": surprises_of(
                self.bases(key), self.branches, self.grid.months)})["errors"])

    def take(self, done: Mapping) -> None:
        """Take over what another process worked out."""
        self._done |= done

    def done(self, *what: str) -> dict:
        """Return what has been worked out of the given sorts, for :meth:`take`."""
        return {key: value for key, value in self._done.items() if key[0] in what}

    def forecast(self, branch: str, key: str, horizon: int = 12, level=(80, 95), models=DEFAULT,
                 unit: object = "", label: object = "", unique_id: str | None = None) -> Forecast:
        """Return the forecast of a series, see :func:`ebank_lib.forecasting.forecast_indicator`.

        The horizon counts from the panel's last month: of a series that ends earlier the forecast reaches further.
        """
        horizon, level, models = checked(horizon, level, models)
        shape = self.shape(key) if "combination" in models else None
        return forecast_ready(self.ready(branch, key), self.reach(branch, key, horizon), level, models,
                              self.ran(branch, key, horizon, models), shape, unit=unit, label=label,
                              kind=self.kind(key), unique_id=unique_id or key)

    def reach(self, branch: str, key: str, horizon: int) -> int:
        """Return the months ahead of the series' own last month that `horizon` months after the panel's are."""
        return min(horizon + (self.last - self.ready(branch, key).y.index[-1]).n, LONGEST)

    def ran(self, branch: str, key: str, horizon: int, models: tuple[str, ...]):
        """Return what the methods say of a series, see ``combination.run_models``."""
        return self._once(("ran", branch, key, horizon, models), lambda: run_models(
            self.ready(branch, key), self.reach(branch, key, horizon), models))


def _doubtful(cleaned) -> pd.DataFrame:
    judged = getattr(cleaned, "judged", None)       # a small part of a ledger, where it is kept apart
    ledger = cleaned.entries if judged is None else judged
    rows = ledger[(ledger["decision"] == "flagged") & ledger["rule"].isin(_DOUBTFUL)]
    return rows[["branch", "month", "indicator"]].astype({"branch": str, "indicator": str}).drop_duplicates()


def _applies(name: str, listed: str) -> bool:
    return not listed or name in listed.split(";")
