"""The public verb ``forecast`` and its result."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from ebank_lib.catalog import Indicator
from ebank_lib.display import html_table
from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.wording import language, month_name, number, percent, t

from .calibration import ErrorShape, shape_of
from .candidates import CANDIDATES, Prediction
from .combination import COMBINATIONS, run_models
from .series import Prepared, prepare
from .transforms import Transform

__all__ = ["DEFAULT", "Forecast", "forecast", "kind_of"]

DEFAULT = ("combination", "arma", "snaive")
LONGEST = 120
# Equally likely points of the normal distribution: their mean is its mean, without the tails that have no evidence.
_GRID = ndtri((np.arange(200) + 0.5) / 200)


@dataclass(frozen=True)
class Forecast:
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
    """

    table: pd.DataFrame = field(repr=False)
    y: pd.Series = field(repr=False)
    unique_id: str
    models: tuple[str, ...]
    level: tuple[float, ...]
    transform: Transform
    kind: str | None = None
    unit: object = field(default="", repr=False)
    label: object = field(default="", repr=False)
    notes: tuple[tuple[str, dict], ...] = ()
    parts: Mapping[str, Prediction] = field(default_factory=dict, repr=False)
    shapes: Mapping[str, ErrorShape] = field(default_factory=dict, repr=False)

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
        """Return one method's rows (default: the one that is read out).

        Raises
        ------
        UnknownNameError
            The method was not asked for.
        """
        model = self.headline if model is None else model
        if model not in self.models:
            raise UnknownNameError("forecast model", model, self.models)
        return self.table[self.table["model"] == model].reset_index(drop=True)

    def said(self, value: float, lang: str | None = None) -> str:
        """Return a value as it is said of this series: a share in per cent, else a figure with its unit."""
        return percent(value) if self.kind == "ratio" else number(value, in_language(self.unit, lang), lang)

    def reading(self, lang: str | None = None) -> str:
        """Return the forecast in a sentence."""
        lang = language(lang)
        last = self.block().iloc[-1]
        widest = max(self.level)
        now = self.y.iloc[-1]
        change = last["y_hat"] - now if self.kind == "ratio" else last["y_hat"] / now - 1 if now else np.nan
        ratio, way = self.kind == "ratio", "up" if change >= 0 else "down"
        still = abs(change) < 0.0005        # written as 0.0
        size = t("forecasting.points", lang, n=f"{abs(change) * 100:.1f}") if ratio else percent(abs(change))
        values = {
            "label": in_language(self.label, lang) or t("forecasting.the_series", lang),
            "month": self._month(last["month"], lang), "value": self.said(last["y_hat"], lang),
            "lo": self.said(last[f"lo-{widest:g}"], lang), "hi": self.said(last[f"hi-{widest:g}"], lang),
            "level": f"{widest:g}", "origin": self._month(self.y.index[-1], lang), "now": self.said(now, lang),
            "change": t("forecasting.change_none", lang) if still else t(
                f"forecasting.change_{'points_' if ratio else ''}{way}", lang, size=size),
            "model": t(f"forecasting.model_{self.headline}", lang)}
        if not np.isfinite(change):     # nothing to divide by
            del values["change"]
        return t(f"forecasting.reading{'' if 'change' in values else '_level'}", lang, **values)

    def remarks(self, lang: str | None = None) -> list[str]:
        """Return what must be known beside the figures: scale, gaps, failures, each in a sentence."""
        said = [t("forecasting.scale_" + self.transform.name, lang)]
        sep = "、" if language(lang) == "zh" else ", "
        if self.headline == "combination" and self.parts["combination"].detail:
            members = [part.rsplit(" ", 1) for part in self.parts["combination"].detail.split(", ")]
            said.append(t("forecasting.weights", lang, members=sep.join(
                f"{t('forecasting.model_' + name, lang)} {percent(float(w), 0)}" for name, w in members)))
        if self.shapes[self.headline].probs is not None and self.parts[self.headline].sd.any():
            own = self.shapes[self.headline].branches
            said.append(t(f"forecasting.calibrated{'_branches' if own else ''}", lang, n=own))
        for key, values in self.notes:
            if "members" in values:
                values = {"members": sep.join(t(f"forecasting.model_{m}", lang) for m in values["members"])}
            said.append(t(key, lang, **values))
        said += [t("forecasting.failed", lang, model=t(f"forecasting.model_{row.model}", lang),
                   reason=reason_in_words(row.reason, lang))
                 for row in self.failures.itertuples()]
        return said

    def plot(self, ax=None, lang: str | None = None, **options):
        """Draw history, forecast and limits; see :func:`ebank_lib.charts.forecasting.plot_forecast`."""
        from ebank_lib.charts.forecasting import plot_forecast

        return plot_forecast(self, ax=ax, lang=lang, **options)

    def _month(self, month, lang: str | None = None) -> str:
        return month_name(month, lang) if isinstance(month, pd.Period) else t("forecasting.month_no", lang, n=month)

    def to_html(self, lang: str | None = None) -> str:
        """Return the headline's table as HTML, with the sentence and the remarks below it."""
        lang = language(lang)
        shown = self.block().drop(columns=["unique_id", "model", "mean", "reason"])
        limits = [c for c in shown.columns if c[:3] in ("lo-", "hi-")]
        heads = {"month": t("general.month", lang), "horizon": t("forecasting.horizon", lang),
                 "y_hat": t("forecasting.y_hat", lang)}
        heads |= {c: t("forecasting." + c[:2], lang, level=c[3:]) for c in limits}
        formats = {c: lambda v: self.said(v, lang) for c in ["y_hat", *limits]}
        caption = t("forecasting.caption", lang, label=in_language(self.label, lang) or self.unique_id,
                    model=t(f"forecasting.model_{self.headline}", lang))
        return html_table(shown, caption=caption, formats=formats, heads=heads, lang=lang,
                          notes=[self.reading(lang), *self.remarks(lang)])

    def _repr_html_(self) -> str:
        return self.to_html()


def reason_in_words(reason: str, lang: str | None = None) -> str:
    """Return why a method failed as a reader is told it; the table has the message itself."""
    few = re.search(r"too few months.*found (\d+); expected at least (\d+)", reason)
    if few:
        return t("forecasting.reason_few", lang, found=few[1], least=few[2])
    known = {"the method failed": "failed", "the method returned no finite": "not_finite"}
    key = next((name for start, name in known.items() if reason.startswith(start)), "other")
    return t(f"forecasting.reason_{key}", lang)


def in_language(text: object, lang: str | None = None) -> str:
    """Return a text, or what a bilingual label says in a language."""
    return str(text(lang) if callable(text) else text or "")


def kind_of(indicator: Indicator) -> str:
    """Return the kind by which an indicator is forecast: stock, flow, ratio or, without a ceiling, multiple."""
    return "multiple" if indicator.kind == "ratio" and not indicator.bounded else indicator.kind


def forecast(y, horizon: int = 12, level=(80, 95), models=DEFAULT, kind: str | Indicator | None = None,
             unit: object = "", label: object = "", unique_id: str | None = None, calendar: str = "none",
             pooled=None, events=()) -> Forecast:
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
        ``combination``, ``median`` (of its members) and the names of
        :data:`ebank_lib.forecasting.candidates.CANDIDATES`; the first is read out.
    kind : {"stock", "flow", "ratio", "multiple"} or Indicator, optional
        Chooses the modelling scale and the bounds.
    unit, label : str or callable of the language, optional
        How values and the series are called in sentences and pictures.
    unique_id : str, optional
        Default: the name of the series.
    calendar : {"none", "china", "india"}
        Whose festivals, working days and quarter ends the methods allow for.
    pooled : Pooled, optional
        What other branches say, see :func:`ebank_lib.forecasting.pooling.learn_pooled`.
    events : sequence of (kind or None, month)
        Known events (``outlier``, ``level_shift``, ``temporary``, None: whichever suits best), which are fitted first
        and not forecast to happen again.

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
    horizon, level, models = checked(horizon, level, models)
    if isinstance(kind, Indicator):
        label = label or kind.short_label
        kind = kind_of(kind)
    ready = prepare(y, kind, calendar, pooled, events)
    return forecast_ready(ready, horizon, level, models, kind=kind, unit=unit, label=label,
                          unique_id=str(unique_id if unique_id is not None else ready.y.name or "y"))


def forecast_ready(ready: Prepared, horizon: int, level, models, ran=None, shape: ErrorShape | None = None,
                   **about) -> Forecast:
    """Forecast a prepared series.

    `ran` is what ``run_models`` returned, where it has been run already; `shape` the combination's shape of errors,
    where another than the shipped one is known.
    """
    parts, reasons, notes = run_models(ready, horizon, models) if ran is None else ran
    shapes = {model: shape if shape is not None and model == "combination" else shape_of(model) for model in parts}
    return assemble(ready, horizon, level, tuple(dict.fromkeys([*models, *parts])), parts, shapes, reasons,
                    notes=(*_remarks(ready), *notes), **about)


def checked(horizon, level, models) -> tuple[int, tuple[float, ...], tuple[str, ...]]:
    if isinstance(horizon, bool) or int(horizon) != horizon or not 1 <= horizon <= LONGEST:
        raise SeriesError("the horizon is out of range", found=horizon, expected=f"1 to {LONGEST} months")
    level = tuple(np.atleast_1d(level).tolist())
    if not level or not all(0 < lv < 100 for lv in level):
        raise SeriesError("a level is out of range", found=level, expected="per cents between 0 and 100, as 80 or 95")
    models = (models,) if isinstance(models, str) else tuple(models)
    for model in models:
        if model not in COMBINATIONS and model not in CANDIDATES:
            raise UnknownNameError("forecast model", model, [*COMBINATIONS, *CANDIDATES])
    if not models:
        raise UnknownNameError("forecast model", "", [*COMBINATIONS, *CANDIDATES])
    return int(horizon), tuple(sorted(set(level))), tuple(dict.fromkeys(models))


def _remarks(ready: Prepared) -> list[tuple[str, dict]]:
    notes: list[tuple[str, dict]] = []
    if ready.gaps:
        notes.append(("forecasting.gaps", {"n": len(ready.gaps)}))
    if ready.late:
        notes.append(("forecasting.late", {"n": ready.late}))
    notes += [(f"forecasting.out_{kind}", {"month": str(month)}) for kind, month, _ in ready.events]
    if len(ready.y) < 24:
        notes.append(("forecasting.short", {"n": len(ready.y)}))
    return notes


def assemble(ready: Prepared, horizon: int, level, models, parts, shapes, reasons, **about) -> Forecast:
    """Put predictions back on the series' own scale and lay them out as one table."""
    months = pd.period_range(ready.y.index[-1] + 1, periods=horizon, freq="M")
    labels = months.asi8 if ready.numbered else months
    columns = ["y_hat", *(f"{side}-{lv:g}" for lv in level for side in ("lo", "hi")), "mean"]
    nothing = dict.fromkeys(columns, np.full(horizon, np.nan))
    said = [_on_scale(parts[m], shapes[m], scale_of(m, ready.transform), level, horizon) if m in parts else nothing
            for m in models]
    table = pd.DataFrame({"unique_id": about["unique_id"], "month": labels[np.tile(np.arange(horizon), len(models))],
                          "horizon": np.tile(np.arange(1, horizon + 1), len(models)),
                          "model": np.repeat(models, horizon),
                          **{c: np.concatenate([values[c] for values in said]) for c in columns},
                          "reason": np.repeat(["" if m in parts else reasons[m] for m in models], horizon)})
    y = ready.y
    if ready.numbered:
        y = pd.Series(y.to_numpy(), index=[m.ordinal for m in y.index], name=y.name)
    return Forecast(table, y, models=models, level=level, transform=ready.transform,
                    parts=parts, shapes=shapes, **about)


def scale_of(model: str, transform: Transform) -> Transform:
    """Return a method's scale: last year's month is said as it was, also of a stock that never fell."""
    return replace(transform, low=0.0) if model == "snaive" and transform.name in ("log", "sqrt") else transform


def _on_scale(part: Prediction, shape: ErrorShape, transform: Transform, level, horizon: int) -> dict[str, np.ndarray]:
    def quantile(p: float) -> np.ndarray:
        return part.mean + part.sd * shape.quantile(p, horizon)

    points = part.mean + part.sd * shape.warp(np.repeat(_GRID[:, None], horizon, axis=1))
    values = {"y_hat": transform.back(quantile(0.5)), "mean": transform.mean_back(points)}
    for lv in level:
        values[f"lo-{lv:g}"] = transform.back(quantile(0.5 - lv / 200))
        values[f"hi-{lv:g}"] = transform.back(quantile(0.5 + lv / 200))
    return values
