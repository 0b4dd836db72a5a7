"""What is known beside a series itself at the end of a month.

The source's calendar and its listed events, what the branches say of calendar and growth, what the forecasts of an
indicator missed by in all of them, and the surprises that they shared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

import numpy as np
import pandas as pd

from ..catalog import Catalog
from ..cleaning import trusted_panel
from ..errors import EbankError
from ..events import known_events
from ..store import digest, kept_arrays
from .calendar import Pooled, learn_pooled
from .candidates import ErrorShape, panel_shape, panel_weights, run_models, shape_of
from .ets import fit_ets
from .forecast import DEFAULT, LONGEST, Forecast, checked, forecast_ready
from .joint import Dependence, Plan, dependence_of, follow_forecast, plan_of
from .series import SCALES, Prepared, Transform, kind_of, prepare, with_calendar

_BACK = (18, 12, 6) # months before the end, of the origins whose errors the limits are learnt from
_AHEAD = 12         # months after them
_LEAST = 24         # figures that a branch must have by then
_SURPRISING = 12    # months of a series whose surprises are looked at


class Grid:
    """A panel as one array, indicators x branches x months: what was known at the end of a month is a slice of it."""

    def __init__(self, panel: pd.DataFrame):
        months = pd.PeriodIndex(panel.index.get_level_values("month"), freq="M").asi8
        codes, names = pd.factorize(panel.index.get_level_values("branch"))
        self.branches = {name: n for n, name in enumerate(names)}
        self.keys = {key: n for n, key in enumerate(panel.columns)}
        self.first, self.last = int(months.min()), int(months.max())
        self.months = pd.PeriodIndex.from_ordinals(np.arange(self.first, self.last + 1), freq="M", name="month")
        self.values = np.full((len(self.keys), len(self.branches), len(self.months)), np.nan)
        self.values[:, codes, months - self.first] = panel.to_numpy(dtype=float).T
        self.start = np.full(len(self.branches), self.last + 1)     # of each branch, its first row's month
        np.minimum.at(self.start, codes, months)

    def column(self, key: str, last: int) -> np.ndarray:
        """Return an indicator as it was known at the end of a month, (branches, months)."""
        return self.values[self.keys[key], :, :max(last - self.first + 1, 0)]

    def able(self, key: str, last: int) -> np.ndarray:
        """Return which branches had 24 figures by the end of a month and one in it, (branches,)."""
        values = self.column(key, last)
        if not values.shape[1]:
            return np.zeros(len(self.branches), dtype=bool)
        return ((~np.isnan(values)).sum(axis=1) >= _LEAST) & np.isfinite(values[:, -1])


@dataclass(frozen=True, eq=False)
class Context:
    """What is known beside each series of a panel; everything is worked out when first asked for, and once.

    What is learnt from all branches is kept in the store (:mod:`ebank_lib.store`), where there is one, under the
    content of what it is learnt from: the figures up to the month, the calendar, the listed events.

    `panel` has an index (branch, month) and a column an indicator; `calendar` and `events` are the source's, see
    :func:`ebank_lib.events.known_events`. Figures in doubt are left out of the panel of cleaned data: at the end
    of a history one would be taken for news. `most` limits the branches to learn
    from, evenly spread over the catalogue's order. Nothing after `last` is looked at; `now` is the context of a later
    month, which is asked for those of other months; `grid` is the panel as an array.
    """

    panel: pd.DataFrame = field(repr=False)
    catalog: Catalog = field(repr=False)
    calendar: str = "none"
    events: pd.DataFrame | None = field(default=None, repr=False)
    most: int | None = None
    last: pd.Period | None = None
    now: Context | None = field(default=None, repr=False)
    grid: Grid | None = field(default=None, repr=False)

    def __post_init__(self):
        if self.grid is None:
            object.__setattr__(self, "grid", Grid(self.panel))
        if self.last is None:
            object.__setattr__(self, "last", self.grid.months[-1])

    @classmethod
    def of(cls, cleaned, until: pd.Period | None = None, most: int | None = None) -> Context:
        """Return the context of cleaned data, as of the end of a month if one is given; made once for each."""
        made = getattr(cleaned, "contexts", {})
        panel = trusted_panel(cleaned)
        if None not in made or made[None].panel is not panel:
            made.clear()
            source = getattr(cleaned, "source", None)
            about = {} if source is None else {"calendar": source.config.calendar, "events": known_events(source)}
            made[None] = cls(panel, cleaned.catalog, **about)
        if most not in made:
            made[most] = replace(made[None], most=most)
        return made[most] if until is None else made[most].until(until)

    @cached_property
    def _earlier(self) -> Callable[[pd.Period], Context]:
        return cache(lambda month: replace(self, last=month, now=self))

    def until(self, month: pd.Period) -> Context:
        """Return what was known at the end of a month, this one's last or an earlier one."""
        now = self.now or self
        return now if month >= now.last else now._earlier(month)

    @cached_property
    def present(self) -> set[str]:
        """Branches that the panel speaks of by then, the total of all among them."""
        return {name for name, n in self.grid.branches.items() if self.grid.start[n] <= self.last.ordinal}

    @cached_property
    def branches(self) -> list[str]:
        """Branches that are learnt from: those that report, without the total."""
        there = [b for b in self.catalog.reporting if b in self.present]
        if self.most is None or len(there) <= self.most:
            return there
        return [there[i] for i in np.linspace(0, len(there) - 1, self.most).astype(int)]

    @cached_property
    def rows(self) -> np.ndarray:
        """Where the branches that are learnt from stand in a column of the grid."""
        return np.array([self.grid.branches[b] for b in self.branches], dtype=int)

    @cached_property
    def available(self) -> list[str]:
        """Indicators that the panel says anything of."""
        return [k for k in self.catalog.indicators
                if k in self.grid.keys and not np.isnan(self.grid.column(k, self.last.ordinal)).all()]

    @cached_property
    def plan(self) -> Plan:
        """Which indicators of the panel are modelled and how the others follow."""
        return plan_of(self.catalog, self.available)

    @cached_property
    def origins(self) -> dict[int, pd.Period]:
        """The months from which forecasts are looked at whose errors are learnt from, by their place."""
        return {n: self.last - back for n, back in enumerate(_BACK) if self.last.ordinal - back >= self.grid.first}

    @cached_property
    def _indicators(self) -> Callable[[str], Known]:
        return cache(lambda key: Known(self, key))

    def __getitem__(self, key: str) -> Known:
        return self._indicators(key)

    @cached_property
    def _shapes(self) -> Callable[[str], ErrorShape]:
        """The shape of the combination's errors on the indicators of each kind that are modelled by themselves: they
        learn from one another's errors, as all branches have made them."""
        return cache(self._learn_shape)

    def _learn_shape(self, kind: str) -> ErrorShape:
        shipped = shape_of("combination")
        alike = [self[key] for key in self.plan.free if self[key].kind == kind]
        origins = [self.until(then)[one.key] for one in alike for then in self.origins.values()
                   if self.grid.able(one.key, then.ordinal)[self.rows].any()]

        def learn() -> dict[str, np.ndarray]:
            of = [(b, one.errors[n]) for n, b in enumerate(self.branches) for one in alike]
            found = panel_shape([e for _, e in of], [b for b, _ in of], shipped)
            return {"quantiles": found.quantiles, "branches": np.array([found.branches])}

        found = kept_arrays("forecasting-shape", (
            [one.key for one in alike], [one.content for one in (*alike, *origins)]), learn)
        return replace(shipped, quantiles=found["quantiles"], branches=int(found["branches"][0]))

    def shape(self, key: str) -> ErrorShape:
        """Return the shape of the combination's errors on an indicator, as all branches have made them.

        Of an indicator that follows from others it is the shipped one: its forecast is made of theirs.
        """
        return self._shapes(self[key].kind) if key in self.plan.free else shape_of("combination")

    def forecast(self, branch: str, key: str, horizon: int = 12, level=(80, 95), models=DEFAULT, **about) -> Forecast:
        """Return the forecast of a series, see :func:`ebank_lib.forecasting.forecast_indicator`.

        The horizon counts from the panel's last month: of a series that ends earlier the forecast reaches further.
        `about` are the unit and the label.
        """
        horizon, level, models = checked(horizon, level, models)
        about = {"kind": self[key].kind, "unique_id": key, **about}
        if (followed := follow_forecast(self, branch, key, horizon, level, models, **about)) is not None:
            return followed
        shape, ready = (self.shape(key), self[key].ready(branch)) if "combination" in models else (
            None, self[key].unweighted(branch))
        horizon = min(horizon + (self.last - ready.y.index[-1]).n, LONGEST)
        return forecast_ready(ready, horizon, level, models, shape, **about)

    @cached_property
    def dependence(self) -> Dependence:
        """How the surprises of all indicators that are modelled hang together, in the plan's order."""
        return dependence_of([self[key].surprises for key in self.plan.free])


class Known:
    """What is known of one indicator at the end of a month, in every branch."""

    def __init__(self, context: Context, key: str):
        self.context, self.key = context, key
        self.kind = kind_of(context.catalog.indicator(key))

    @cached_property
    def values(self) -> np.ndarray:
        """The figures, (branches, months)."""
        return self.context.grid.column(self.key, self.context.last.ordinal)

    @cached_property
    def able(self) -> np.ndarray:
        """Which of the branches' forecasts from here are looked at to learn from their errors."""
        return self.context.grid.able(self.key, self.context.last.ordinal)[self.context.rows]

    @cached_property
    def events(self) -> list[tuple]:
        """The listed events of the indicator, (branches, kind, month)."""
        listed = self.context.events
        if listed is None or listed.empty:
            return []
        columns = (listed[c] for c in ("branches", "indicators", "kind", "month"))
        return [(branches, kind or None, month) for branches, keys, kind, month in zip(*columns, strict=True)
                if _applies(self.key, keys)]

    def listed(self, branch: str) -> list[tuple[str | None, pd.Period]]:
        """Return the events that the source lists for a series, (kind or None, month)."""
        return [(kind, month) for branches, kind, month in self.events if _applies(branch, branches)]

    @cached_property
    def content(self) -> str:
        """The hash of all that is learnt from: branches, figures, calendar, listed events."""
        context = self.context
        return digest(context.grid.first, self.values[context.rows], self.able, context.calendar, self.kind,
                      digest(context.branches), [self.listed(b) for b in context.branches] if self.events else [])

    def series(self, branch: str) -> pd.Series:
        """Return one series (T,)."""
        values = self.values[self.context.grid.branches[branch]]
        return pd.Series(values, index=self.context.grid.months[: values.size], name=self.key)

    @cached_property
    def _alone(self) -> Callable[[str], Prepared]:
        """Each branch's series prepared by itself."""
        return cache(lambda branch: prepare(self.series(branch), self.kind, self.context.calendar,
                                            events=self.listed(branch)))

    @cached_property
    def unweighted(self) -> Callable[[str], Prepared]:
        """Each branch's series with what all say of calendar and growth: all that the single methods ask for."""
        return cache(lambda branch: with_calendar(self._alone(branch), self.context.calendar, self.pooled))

    @cached_property
    def ready(self) -> Callable[[str], Prepared]:
        """Each series prepared with all of this; the total of all branches counts as a branch."""
        return cache(lambda branch: replace(self.unweighted(branch), work=replace(
            self.unweighted(branch).work, weights=self.weights)))

    @cached_property
    def bases(self) -> dict[str, Prepared]:
        """The series as each branch alone has them, of those branches where it can be forecast."""
        found = {}
        for branch in self.context.branches:
            with suppress(EbankError):
                found[branch] = self._alone(branch)
        return found

    @cached_property
    def pooled(self) -> Pooled | None:
        """What the branches say of calendar and growth."""
        found = Pooled(**kept_arrays("forecasting-pooled", (self.content,), lambda: vars(
            learn_pooled(self.bases.values(), self.context.calendar) or Pooled())))
        return found if found.branches else None

    def _looked_at(self, prepared: Callable[[str], Prepared]) -> list[Prepared | None]:
        """The branches' series, None where nothing is learnt from a branch's errors."""
        return [prepared(b) if able and b in self.bases else None
                for b, able in zip(self.context.branches, self.able, strict=True)]

    @cached_property
    def weights(self) -> np.ndarray | None:
        """What the combination's members count for in all branches."""
        def learn() -> dict[str, np.ndarray]:
            found = panel_weights(p.work for p in self._looked_at(self.unweighted) if p and not p.constant)
            return {"weights": np.empty(0) if found is None else found}

        found = kept_arrays("forecasting-weights", (self.content,), learn)["weights"]
        return found if found.size else None

    @cached_property
    def plain(self) -> dict[str, np.ndarray]:
        """The branches' forecasts from here, of those whose errors are learnt from."""
        # What could not be forecast then has no error.
        return kept_arrays("forecasting-plain", (self.content,), lambda: plain_forecasts(
            self._looked_at(self.ready), _AHEAD))

    @cached_property
    def errors(self) -> np.ndarray:
        """What the combination would have missed the last months by, (branches, origins, 12), NaN where none.

        In units of the spread it stated. Everything is as it was known at each origin: the branch's events, and what
        all branches said of the calendar.
        """
        context = self.context
        out = np.full((len(context.branches), len(_BACK), _AHEAD), np.nan)
        values = self.values[context.rows]
        for i, then in context.origins.items():
            able = context.grid.able(self.key, then.ordinal)[context.rows]
            if able.any():
                origin = context.until(then)
                # A branch that did not report yet is not among those of then.
                at = {b: n for n, b in enumerate(origin.branches)}
                mine = [n for n, b in enumerate(context.branches) if able[n] and b in at]
                theirs = [at[context.branches[n]] for n in mine]
                came = values[mine, then.ordinal + 1 - context.grid.first:][:, :_AHEAD]
                out[mine, i, : came.shape[1]] = missed(origin[self.key].plain, theirs, came)
        return out

    @cached_property
    def surprises(self) -> np.ndarray:
        """The one-step errors in every branch, (branches, months), NaN where there are none."""
        return kept_arrays("forecasting-surprises", (self.content,), lambda: {"errors": surprises_of(
            self.bases, self.context.branches, self.context.grid.months)})["errors"]


def plain_forecasts(series: Sequence[Prepared | None], horizon: int) -> dict[str, np.ndarray]:
    """Forecast each series from its end by the combination.

    ``mean`` and ``sd`` (series, months) are on the modelling scale, NaN where there is no series, it is constant, or
    fewer than two members can be used; ``scale`` (series,) is the place of the scale's name among :data:`SCALES`.
    """
    mean, sd = np.full((2, len(series), horizon), np.nan)
    scale = np.zeros(len(series), dtype=np.int8)
    for n, ready in enumerate(series):
        if ready is None or ready.constant:
            continue
        scale[n] = SCALES.index(ready.transform.name)
        part = run_models(ready, horizon, ("combination",))[0].get("combination")
        if part is not None:
            mean[n], sd[n] = part.mean, part.sd
    return {"mean": mean, "sd": sd, "scale": scale}


def missed(plain: Mapping[str, np.ndarray], rows: Sequence[int], came: np.ndarray) -> np.ndarray:
    """Return the errors of some of the :func:`plain_forecasts`, (series, months), in units of the spread stated.

    `came` (series, months) is what came, on each series' own scale; NaN where it is not known.
    """
    scale, n = plain["scale"][rows], came.shape[1]
    off = np.full(came.shape, np.nan)
    for at, name in enumerate(SCALES):
        y = came[scale == at]
        # A month of nothing lies infinitely far off on the log scale: no error of a size.
        y = np.where(y > 0, y, np.nan) if name == "log" else np.maximum(y, 0) if name == "sqrt" else y
        off[scale == at] = Transform(name).forward(y)
    sd = plain["sd"][rows][:, :n]
    return np.divide(off - plain["mean"][rows][:, :n], sd, out=np.full(came.shape, np.nan), where=sd > 0)


def surprises_of(prepared: Mapping[str, Prepared], branches: Sequence[str], months: pd.PeriodIndex) -> np.ndarray:
    """Return the one-step errors of an indicator in every branch, (branches, months), NaN where there are none.

    Those of a damped trend on the modelling scale, less season and calendar.
    """
    errors = np.full((len(branches), len(months)), np.nan)
    for row, branch in zip(errors, branches, strict=True):
        ready = prepared.get(branch)
        if ready is not None and not ready.constant and len(ready.y) >= _SURPRISING:
            x = ready.work.adjusted
            e = np.where(ready.y.notna(), fit_ets(x, "AAdN").residuals(x), np.nan)
            e[:2] = np.nan      # the start is fitted to the first months
            at = months.get_loc(ready.y.index[0])
            row[at: at + len(e)] = e
    return errors


def _applies(name: str, listed: str) -> bool:
    return not listed or name in listed.split(";")
