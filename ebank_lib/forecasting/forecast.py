"""Series -> forecast with limits and paths: the verbs ``forecast``, ``simulate_paths``."""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from ..compiled import compiled
from ..display import Shown, html_table
from ..events import checked_calendar
from ..monthly import KINDS, checked_count, checked_levels, checked_name, checked_seed, each
from ..wording import cell, cite, listed, month_name, number, percent, t
from .candidates import CANDIDATES, ErrorShape, model_name, order_name, order_of, run_models, shape_of
from .series import Prediction, Prepared, Transform, prepare

DEFAULT = ("combination", "arma", "snaive")
LONGEST = 120
PATHS = 1000        # equally likely values of a month: a forecast's quantiles and mean are theirs, as of its paths


@dataclass(frozen=True, repr=False)
class Forecast(Shown):
    """A forecast by one or several methods; see :func:`forecast`.

    Attributes
    ----------
    table : DataFrame
        ``unique_id, month, horizon, model, y_hat, lo-80, hi-80, lo-95, hi-95, ..., mean, reason``; a block a method,
        the first the one that is read out. ``y_hat`` is the median (as likely above as below, least absolute error),
        ``mean`` the mean after going back from the modelling scale (for sums). A method that failed keeps its rows,
        empty, with the reason.
    y : Series
        The history, NaN where a month is missing.
    transform : Transform
        The scale that was modelled.
    notes : tuple of (str, dict)
        What had to be done or left, as wording entries and their values.
    paths : mapping of model to array (n, horizon)
        Of an indicator that follows from others: its futures, made of theirs.
    """

    table: pd.DataFrame
    y: pd.Series
    unique_id: str
    models: tuple[str, ...]
    level: tuple[float, ...]
    transform: Transform
    kind: str | None = None
    unit: object = ""
    label: object = ""
    notes: tuple[tuple[str, dict], ...] = ()
    parts: Mapping[str, Prediction] = field(default_factory=dict)
    shapes: Mapping[str, ErrorShape] = field(default_factory=dict)
    paths: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """The method that is read out: the first that did not fail."""
        return next(model for model in self.models if model in self.parts)

    @property
    def horizon(self) -> int:
        """Months ahead."""
        return int(self.table["horizon"].max())

    @property
    def failures(self) -> pd.DataFrame:
        """``model, reason`` of the methods that failed."""
        failed = self.table.loc[self.table["reason"] != "", ["model", "reason"]]
        return failed.drop_duplicates(ignore_index=True)

    def block(self, model: str | None = None) -> pd.DataFrame:
        """Return one method's rows (default: the one that is read out)."""
        model = self.headline if model is None else model
        checked_name(model, "forecast model", self.models)
        return self.table[self.table["model"] == model].reset_index(drop=True)

    def said(self, value: float, lang: str | None = None) -> str:
        """Return a value as it is said of this series: a share in per cent, else a figure with its unit."""
        return percent(value) if self.kind == "ratio" else number(value, in_language(self.unit, lang), lang)

    def reading(self, lang: str | None = None) -> str:
        """Return the forecast in a sentence."""
        ratio = self.kind == "ratio"
        last, widest, now = self.block().iloc[-1], max(self.level), self.y.iloc[-1]
        ahead, lo, hi = (cell("forecast", column, month=last["month"], model=self.headline)
                         for column in ("y_hat", f"lo-{widest:g}", f"hi-{widest:g}"))
        today = cell("series", "y", month=self.y.index[-1])
        change = last["y_hat"] - now if ratio else last["y_hat"] / now - 1 if now else np.nan
        values = {
            "label": in_language(self.label, lang) or t("forecasting.the_series", lang),
            "month": self._month(last["month"], lang), "value": cite(self.said(last["y_hat"], lang), ahead),
            "lo": cite(self.said(last[lo.column], lang), lo), "hi": cite(self.said(last[hi.column], lang), hi),
            "level": f"{widest:g}", "origin": self._month(self.y.index[-1], lang),
            "now": cite(self.said(now, lang), today), "model": model_name(self.headline, lang)}
        if not np.isfinite(change):     # nothing to divide by
            return t("forecasting.reading_level", lang, **values)
        size = cite(f"{abs(change) * 100:.1f}" if ratio else percent(abs(change)), ahead, today)
        way = ("points_" if ratio else "") + ("up" if change >= 0 else "down")
        values["change"] = t(f"forecasting.change_{way}", lang,
                             size=t("forecasting.points", lang, n=size) if ratio else size)
        if abs(change) < 0.0005:        # written as 0.0
            values["change"] = t("forecasting.change_none", lang)
        return t("forecasting.reading", lang, **values)

    def remarks(self, lang: str | None = None) -> list[str]:
        """Return what must be known beside the figures: scale, gaps, failures, each in a sentence."""
        said = [] if self.headline in self.paths else [t("forecasting.scale_" + self.transform.name, lang)]
        if self.parts[self.headline].weights:
            said.append(t("forecasting.weights", lang, members=listed(
                (f"{model_name(name, lang)} {percent(w, 0)}"
                 for name, w in self.parts[self.headline].weights.items()), lang)))
        if self.shapes[self.headline].probs is not None and self.parts[self.headline].sd.any():
            own = self.shapes[self.headline].branches
            said.append(t(f"forecasting.calibrated{'_branches' if own else ''}", lang, n=own))
        written = {"parts": lambda parts: listed((in_language(part, lang) for part in parts), lang),
                   "members": lambda names: listed((model_name(name, lang) for name in names), lang),
                   "month": lambda month: self._month(month, lang) if isinstance(month, int) else month,
                   "share": lambda share: percent(share, 0)}
        said += [t(key, lang, **{name: written[name](value) if name in written else value
                                 for name, value in values.items()}) for key, values in self.notes]
        said += [t("forecasting.failed", lang, model=model_name(row.model, lang),
                   reason=reason_in_words(row.reason, lang))
                 for row in self.failures.itertuples()]
        return said

    def plot(self, ax=None, lang: str | None = None, **options):
        """Draw history, forecast and limits; see :func:`ebank_lib.charts.forecasting.plot_forecast`."""
        from ..charts.forecasting import plot_forecast

        return plot_forecast(self, ax=ax, lang=lang, **options)

    def _month(self, month, lang: str | None = None) -> str:
        return month_name(month, lang) if isinstance(month, pd.Period) else t("forecasting.month_no", lang, n=month)

    def to_html(self, lang: str | None = None) -> str:
        """Return the headline's table as HTML, with the sentence and the remarks below it."""
        shown = self.block().drop(columns=["unique_id", "model", "mean", "reason"])
        limits = [c for c in shown.columns if c[:3] in ("lo-", "hi-")]
        formats = {c: lambda v: self.said(v, lang) for c in ["y_hat", *limits]}
        caption = t("forecasting.caption", lang, label=in_language(self.label, lang) or self.unique_id,
                    model=model_name(self.headline, lang))
        return html_table(shown, caption=caption, formats=formats, heads=heads_of(shown, lang), lang=lang,
                          notes=[self.reading(lang), *self.remarks(lang)])


def reason_in_words(reason: str, lang: str | None = None) -> str:
    """Return why a method failed as a reader is told it; the table has the message itself."""
    few = re.search(r"too few months.*found (\d+); expected at least (\d+)", reason)
    if few:
        return t("forecasting.reason_few", lang, found=few[1], least=few[2])
    known = {"the method failed": "failed", "the method returned no finite": "not_finite"}
    key = next((name for start, name in known.items() if reason.startswith(start)), "other")
    return t(f"forecasting.reason_{key}", lang)


def heads_of(frame: pd.DataFrame, lang: str | None, **other: str) -> dict[str, str]:
    """Return how the columns of a table are headed, ``lo-80`` with its level; `other` are entries by other names."""
    other = {"month": "general.month", "actual": "forecasting.history", **other}
    named = {column: column.partition("-") for column in frame.columns}
    return {column: t(other.get(name, f"forecasting.{name}"), lang, level=level)
            for column, (name, _, level) in named.items()}


def in_language(text: object, lang: str | None = None) -> str:
    """Return a text, or what a bilingual label says in a language."""
    return str(text(lang) if callable(text) else text or "")


def forecast(y, horizon: int = 12, level=(80, 95), models=DEFAULT, kind: str | None = None,
             unit: object = "", label: object = "", unique_id: str | None = None, calendar: str = "none") -> Forecast:
    """Forecast one monthly series, always with limits.

    Parameters
    ----------
    y : Series or array (T,)
        Monthly; an index of months, dates or integers. Missing months are NaN or absent.
    horizon : int
        Months ahead, 1 to 120, counted from the last observed month.
    level : numbers
        Coverage of the limits in per cent, within 0..100.
    models : names
        ``combination`` and the names of :data:`ebank_lib.forecasting.candidates.CANDIDATES`; orders of an ARIMA,
        ``(p, d, q)`` or, with a season of 12 months, ``((p, d, q), (P, D, Q))``, in a list. The first is read out.
    kind : {"stock", "flow", "ratio", "multiple"}, optional
        Chooses the modelling scale and the bounds.
    unit, label : str or callable of the language, optional
        How values and the series are called in sentences and pictures.
    unique_id : str, optional
        Default: the name of the series.
    calendar : {"none", "china", "india"}
        Whose festivals, working days and quarter ends the methods allow for. ``"china:2013-01-25"`` asks what if the
        festival of that year, with its holidays, were on that day (several: a comma between them).

    Returns
    -------
    Forecast

    Raises
    ------
    SeriesError
        Fewer than three observed months, values that are no finite numbers, a horizon or level out of range.
    UnknownNameError
        An unknown model or kind.

    Examples
    --------
    >>> months = pd.period_range("2008-01", periods=44, freq="M")
    >>> f = forecast(pd.Series(np.exp(np.arange(44) / 20), index=months), models=("drift", "snaive"), kind="stock")
    >>> f.transform.name, f.horizon, [str(m) for m in f.table["month"].iloc[[0, -1]]]
    ('log', 12, ['2011-09', '2012-08'])
    """
    horizon, level, models = checked(horizon, level, models, kind, calendar)
    ready = prepare(y, kind, calendar)
    return forecast_ready(ready, horizon, level, models, kind=kind, unit=unit, label=label,
                          unique_id=str(unique_id if unique_id is not None else ready.y.name or "y"))


def forecast_ready(ready: Prepared, horizon: int, level, models, shape: ErrorShape | None = None, **about) -> Forecast:
    """Forecast a prepared series; `shape` is the combination's shape of errors, if not the shipped one."""
    parts, reasons, notes = run_models(ready, horizon, models)
    shapes = {} if shape is None else {"combination": shape}
    return assemble(ready, horizon, level, models, parts, shapes, reasons, notes=notes, **about)


def checked(horizon, level, models, kind: str | None = None, calendar: str = "none") \
        -> tuple[int, tuple[float, ...], tuple[str, ...]]:
    """Return horizon, levels and models of a forecast as they are used, or say which argument is wrong."""
    horizon, level = checked_count(horizon, "horizon", LONGEST), checked_levels(level)
    models = tuple(order_name(model) for model in each(models))
    for model in models or ("",):
        if not (isinstance(model, str) and order_of(model)):
            checked_name(model, "forecast model", ["combination", *CANDIDATES])
    if kind is not None:
        checked_name(kind, "kind", KINDS)
    checked_calendar(calendar)
    return horizon, level, tuple(dict.fromkeys(models))


def remarks_of(ready: Prepared) -> list[tuple[str, dict]]:
    """Return what had to be done to a series, as wording entries and their values."""
    notes: list[tuple[str, dict]] = []
    if ready.gaps:
        notes.append(("forecasting.gaps", {"n": len(ready.gaps)}))
    if ready.late:
        notes.append(("forecasting.late", {"n": ready.late}))
    notes += [(f"forecasting.out_{kind}", {"month": month.ordinal if ready.numbered else str(month)})
              for kind, month, _ in ready.events]
    if len(ready.y) < 24:
        notes.append(("forecasting.short", {"n": len(ready.y)}))
    return notes


def assemble(ready: Prepared, horizon: int, level, models, parts, shapes, reasons, paths=None, notes=(),
             **about) -> Forecast:
    """Put predictions back on the series' own scale and lay them out as one table."""
    models, shapes = tuple(dict.fromkeys([*models, *parts])), {m: shapes.get(m) or shape_of(m) for m in parts}
    months = pd.period_range(ready.y.index[-1] + 1, periods=horizon, freq="M")
    labels = months.asi8 if ready.numbered else months
    columns = ["y_hat", *(f"{side}-{lv:g}" for lv in level for side in ("lo", "hi")), "mean"]
    paths = paths or {}
    values = {m: _points(part, shapes[m], _scale_of(m, ready.transform), horizon, PATHS) for m, part in parts.items()
              if m not in paths} | paths
    said = {m: said_of(values[m], level) for m in parts}
    nothing = dict.fromkeys(columns, np.full(horizon, np.nan))
    table = pd.DataFrame({"unique_id": about["unique_id"], "month": labels[np.tile(np.arange(horizon), len(models))],
                          "horizon": np.tile(np.arange(1, horizon + 1), len(models)),
                          "model": np.repeat(models, horizon),
                          **{c: np.concatenate([said.get(m, nothing)[c] for m in models]) for c in columns},
                          "reason": np.repeat(["" if m in parts else reasons[m] for m in models], horizon)})
    y = ready.y
    if ready.numbered:
        y = pd.Series(y.to_numpy(), index=[m.ordinal for m in y.index], name=y.name)
    return Forecast(table, y, models=models, level=level, transform=ready.transform,
                    parts=parts, shapes=shapes, paths=paths, notes=(*notes, *remarks_of(ready)), **about)


def _scale_of(model: str, transform: Transform) -> Transform:
    """Return a method's scale: last year's month is said as it was, also of a stock that never fell."""
    if model != "snaive":
        return transform
    return replace(transform, low=0.0 if transform.name in ("log", "sqrt") else transform.low, monotone=False)


def quantiles(values: np.ndarray, probs) -> np.ndarray:
    """Return quantiles over the equally likely values (n, ...), each in the middle of its share of the distribution."""
    return np.quantile(values, probs, axis=0, method="hazen")


def said_of(values: np.ndarray, level) -> dict[str, np.ndarray]:
    """Return what the equally likely values (n, horizon) of each month say: ``y_hat``, ``mean``, ``lo-80``, ..."""
    said = {"y_hat": quantiles(values, 0.5), "mean": values.mean(axis=0)}
    for lv in level:
        said[f"lo-{lv:g}"], said[f"hi-{lv:g}"] = quantiles(values, [0.5 - lv / 200, 0.5 + lv / 200])
    return said


def _points(part: Prediction, shape: ErrorShape, transform: Transform, horizon: int, n: int) -> np.ndarray:
    """Equally likely values of each month, ascending (n, horizon); those of a stock that never fell do not fall."""
    scores = ndtri((np.arange(n) + 0.5) / n)
    points = transform.back(part.mean + part.sd * shape.warp(np.repeat(scores[:, None], horizon, axis=1)))
    return np.maximum.accumulate(points, axis=1) if transform.monotone else points


def distribution(f: Forecast, model: str, points: int) -> np.ndarray:
    """Return a forecast's own distribution as equally likely values, ascending, (points, horizon).

    They are the quantiles of (i + 1/2) / points, i = 0..points - 1; limits and paths are of the same distribution.
    """
    if model in f.paths:
        return quantiles(f.paths[model], (np.arange(points) + 0.5) / points)
    return _points(f.parts[model], f.shapes[model], _scale_of(model, f.transform), f.horizon, points)


def simulate_paths(f: Forecast, n: int = PATHS, model: str | None = None, seed: int = 0) -> pd.DataFrame:
    """Draw future paths (horizon, n): each month distributed as the limits say, months hanging together as errors do.

    Of the method that is read out, if no other is named. Those of an indicator that follows from others are as many as
    were made of theirs (:func:`ebank_lib.forecasting.simulate_joint` makes more).
    """
    checked_count(n, "number of paths", 100_000)
    seed, model = checked_seed(seed), checked_name(f.headline if model is None else model, "forecast model", f.parts)
    if model in f.paths:
        paths = f.paths[model][:n]
    else:
        paths = paths_from(f, np.random.default_rng(seed).standard_normal((n, f.horizon)), model)
    return pd.DataFrame(paths.T, index=pd.Index(f.block(model)["month"], name="month"))


def paths_from(f: Forecast, shocks: np.ndarray, model: str | None = None) -> np.ndarray:
    """Turn independent standard normal shocks (n, horizon), in the order of the months, into paths (n, horizon).

    The shocks say which path has which of a month's equally likely values, so that every month's quantiles are those of
    the forecast whatever is drawn.
    """
    model = f.headline if model is None else model
    part, scale = f.parts[model], _scale_of(model, f.transform)
    sd = part.sd
    safe = np.where(sd > 0, sd, 1.0)
    corr = f.shapes[model].hanging_together(part.cov / np.outer(safe, safe))
    # Lower triangular: a month's shock is new in that month, so that what series share they share month by month. The
    # last digits are evened out, because months that move as one leave no room for a shock of their own.
    root = np.linalg.cholesky(corr + 1e-9 * np.eye(len(sd)))
    wanted = shocks @ (root / np.linalg.norm(root, axis=1, keepdims=True)).T
    points = _points(part, f.shapes[model], scale, len(sd), len(shocks))
    if scale.monotone:
        return _rising(points, wanted)
    paths = np.empty_like(points)
    np.put_along_axis(paths, np.argsort(wanted, axis=0, kind="stable"), points, axis=0)
    return paths


@compiled
def _rising(points, wanted):  # pragma: no cover - compiled
    """Give the values of each month, ascending (n, horizon), to paths that do not fall, the low ones to low shocks.

    A path may take a value that is no lower than what it had; the values of a month are no lower than those of the
    month before, rank by rank, so that there is always one that may.
    """
    n, horizon = points.shape
    paths = np.empty((n, horizon))
    before = np.full(n, -np.inf)
    for h in range(horizon):
        order, i = np.argsort(before), 0
        able = [(wanted[0, h], 0)]      # numba asks an example of what the list will hold
        able.pop()
        for j in range(n):
            while i < n and before[order[i]] <= points[j, h]:
                heapq.heappush(able, (wanted[order[i], h], order[i]))
                i += 1
            paths[heapq.heappop(able)[1], h] = points[j, h]
        before = paths[:, h]
    return paths
