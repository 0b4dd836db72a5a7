"""How far forecasts of branches and province miss, before and after they are made to add up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ebank_lib.catalog import Catalog
from ebank_lib.display import html_table
from ebank_lib.errors import EbankError, SeriesError, UnknownNameError
from ebank_lib.forecasting import forecast, kind_of
from ebank_lib.forecasting.backtest import cutoffs_of
from ebank_lib.forecasting.ets import fit_ets
from ebank_lib.forecasting.series import prepare
from ebank_lib.forecasting.transforms import Transform
from ebank_lib.wording import language, percent, t

from .hierarchy import LEVELS, Hierarchy, hierarchies
from .reconciliation import METHODS, reconcile

__all__ = ["ReconciliationBacktest", "node_errors", "one_step_errors", "reconciliation_backtest"]

_START = 2      # months at which the smoothing's start is fitted and its errors say nothing
_WIDEST = 3.0   # robust standard deviations: a surprise beyond this counts as this


def one_step_errors(y: pd.Series, kind: str | None = None) -> pd.Series:
    """Return by how much each month surprised, in the unit of the series and at the size it has today.

    The one-step errors of a damped trend on the modelling scale, less the shrunk season, are put at the last value and
    taken back: where growth is modelled in per cent, an error of 3% counts as 3% of what the branch does now, not of
    what it did at the start. A surprise beyond three robust standard deviations (1.4826 MAD) is put at three, so that
    one misprint or push does not decide how much a node is believed. NaN where a month is missing and at the first two.

    Parameters
    ----------
    y : Series (T,)
        Monthly.
    kind : str, optional
        As for :func:`ebank_lib.forecasting.forecast`.

    Raises
    ------
    SeriesError
        Fewer than three observed months.
    """
    ready = prepare(y, kind)
    out = pd.Series(np.nan, index=y.index, name=y.name)
    values = ready.work.adjusted.to_numpy(dtype=float)
    e = np.zeros(len(values)) if ready.constant else fit_ets(values, "AAdN").residuals(values)
    scale, now = Transform(ready.transform.name), float(ready.work.values[-1])
    at_today = scale.back(now + e) - scale.back(now)
    out.loc[ready.y.index] = np.where(ready.y.notna(), at_today, np.nan)
    out.loc[ready.y.index[:_START]] = np.nan
    widest = _WIDEST * 1.4826 * (out - out.median()).abs().median()
    return out.clip(out.median() - widest, out.median() + widest) if widest > 0 else out


def node_errors(h: Hierarchy, history: pd.DataFrame, catalog: Catalog) -> pd.DataFrame:
    """Return the one-step errors of every node, (months, nodes); see :func:`one_step_errors`."""
    return pd.DataFrame({node: one_step_errors(history[node], kind_of(catalog.indicator(node[1])))
                         for node in h.nodes})[h.nodes]


@dataclass(frozen=True)
class ReconciliationBacktest:
    """What each method said of every node at each origin; see :func:`reconciliation_backtest`.

    Attributes
    ----------
    table : DataFrame
        ``branch, indicator, level, cutoff, month, horizon, method, y, y_hat, scale``: ``method`` is ``base`` or how
        the base was reconciled, ``scale`` the mean absolute yearly change up to the cutoff.
    failures : DataFrame
        ``indicator, cutoff, reason`` of the origins at which a hierarchy could not be forecast.
    """

    table: pd.DataFrame = field(repr=False)
    failures: pd.DataFrame = field(repr=False)
    methods: tuple[str, ...]
    origins: int
    horizon: int
    catalog: Catalog = field(repr=False)

    def scores(self, by: str = "level") -> pd.DataFrame:
        """Return the mean absolute scaled error of each method.

        Parameters
        ----------
        by : {"level", "indicator", "horizon"}

        Returns
        -------
        DataFrame
            `by`, ``method, n, mase, ratio`` (to the base's MASE); `by` ends with ``all``.
        """
        if by not in ("level", "indicator", "horizon"):
            raise UnknownNameError("breakdown", by, ("level", "indicator", "horizon"))
        rows = self.table[self.table["scale"] > 0].copy()
        rows["mase"] = (rows["y_hat"] - rows["y"]).abs() / rows["scale"]
        rows = rows.dropna(subset=["mase"])
        parts = [rows.assign(**{by: rows[by].astype(object)}), rows.assign(**{by: "all"})]
        out = pd.concat(parts).groupby([by, "method"], sort=False)["mase"].agg(["size", "mean"]).reset_index()
        out = out.rename(columns={"size": "n", "mean": "mase"})
        base = out[out["method"] == "base"].set_index(by)["mase"]
        out["ratio"] = out["mase"] / out[by].map(base)
        order = {level: n for n, level in enumerate([*LEVELS, "all"])}
        return out.sort_values(by, key=lambda c: c.map(order), kind="stable", ignore_index=True) \
            if by == "level" else out

    def reading(self, lang: str | None = None, method: str = "mint") -> str:
        """Say in a sentence what reconciling does to the error."""
        rows = self.scores()
        rows = rows[rows["level"] == "all"].set_index("method")
        if method not in rows.index:
            return t("province.no_backtest", lang)
        change = rows.loc[method, "ratio"] - 1
        way = "same" if abs(change) < 0.0005 else "less" if change < 0 else "more"
        return t(f"province.backtest_{way}", lang, method=t(f"province.method_{method}", lang),
                 base=f"{rows.loc['base', 'mase']:.3f}", mase=f"{rows.loc[method, 'mase']:.3f}",
                 change=percent(abs(change)), n=self.origins, horizon=self.horizon)

    def to_html(self, lang: str | None = None) -> str:
        """Return the scores by level as HTML, a column a method."""
        lang = language(lang)
        wide = self.scores().pivot_table(index="level", columns="method", values="mase")
        wide = wide.reindex([k for k in [*LEVELS, "all"] if k in wide.index])[["base", *self.methods]]
        heads = {"level": t("province.level", lang), **{m: t(f"province.method_{m}", lang) for m in wide.columns}}
        wide = wide.reset_index()
        wide["level"] = [t(f"province.level_{k}", lang) for k in wide["level"]]
        notes = [self.reading(lang)]
        if len(self.failures):
            notes.append(t("province.failed", lang, n=len(self.failures)))
        return html_table(wide, caption=t("province.backtest_caption", lang, n=self.origins, horizon=self.horizon),
                          heads=heads, formats=dict.fromkeys(wide.columns[1:], "{:.3f}"), notes=notes, lang=lang)

    def _repr_html_(self) -> str:
        return self.to_html()


def reconciliation_backtest(cleaned, indicators: Iterable[str] | None = None, origins: int = 6, horizon: int = 12,
                            methods: Sequence[str] = METHODS, models: str = "combination",
                            branches: Sequence[str] | None = None) -> ReconciliationBacktest:
    """Forecast every node at past origins, reconcile, and compare with what came.

    At each origin only the months up to it are known, also to what is filled in the sums and to the errors' covariance.

    Parameters
    ----------
    cleaned : Cleaned
    indicators : names, optional
        Default: all stocks and flows with data.
    origins, horizon : int
        As in :func:`ebank_lib.forecasting.backtest`.
    methods : names
        Of :data:`ebank_lib.province.METHODS`.
    models : str
        The method of the base forecasts.
    branches : names, optional

    Raises
    ------
    SeriesError, UnknownNameError
        No hierarchy or too few months for a single origin; an unknown name.
    """
    for method in methods:
        if method not in METHODS:
            raise UnknownNameError("reconciliation method", method, METHODS)
    catalog, panel = cleaned.catalog, cleaned.panel
    there = [k for k in panel.columns if panel[k].notna().any()]
    blocks, failures = [], []
    months = panel.index.get_level_values("month")
    calendar = pd.period_range(months.min(), months.max(), freq="M")
    cutoffs = [calendar[known - 1] for known in cutoffs_of(len(calendar), horizon, origins)]
    for h in hierarchies(catalog, indicators, branches, there):
        actual = _monthly(h.history(panel))
        for cutoff in cutoffs:
            try:
                blocks.append(_origin(h, panel[months <= cutoff], actual, cutoff, horizon, methods, models, catalog))
            except EbankError as error:
                failures.append({"indicator": h.indicators[0], "cutoff": cutoff, "reason": str(error)})
    if not blocks:
        raise SeriesError("nothing could be tested", found=failures[0]["reason"] if failures else f"{len(calendar)} "
                          "months", expected="more than 24 months of at least one stock or flow")
    return ReconciliationBacktest(pd.concat(blocks, ignore_index=True),
                                  pd.DataFrame(failures, columns=["indicator", "cutoff", "reason"]), tuple(methods),
                                  len(cutoffs), horizon, catalog)


def _monthly(history: pd.DataFrame) -> pd.DataFrame:
    return history.set_axis(pd.PeriodIndex(history.index, freq="M"))


def _origin(h: Hierarchy, past_panel, actual, cutoff, horizon, methods, models, catalog) -> pd.DataFrame:
    past = _monthly(h.history(past_panel))
    ahead = pd.period_range(cutoff + 1, periods=horizon, freq="M")
    base = pd.DataFrame({node: _said(past[node], cutoff, horizon, models, kind_of(catalog.indicator(node[1])))
                         for node in h.nodes}, index=ahead)[h.nodes].T
    errors = node_errors(h, past, catalog).to_numpy() if {"variance", "mint"} & set(methods) else None
    floor = not (past < 0).any(axis=None)
    scale = past.diff(12).abs().mean()
    said = {"base": base} | {m: reconcile(base, h.S, m, errors, floor) for m in methods}
    known = ahead[ahead <= actual.index[-1]]
    blocks = [pd.DataFrame({
        "branch": np.repeat(h.nodes.get_level_values("branch"), len(known)),
        "indicator": np.repeat(h.nodes.get_level_values("indicator"), len(known)),
        "level": np.repeat(h.level, len(known)), "cutoff": cutoff, "month": np.tile(known, len(h.nodes)),
        "horizon": np.tile(np.arange(1, len(known) + 1), len(h.nodes)), "method": name,
        "y": actual.loc[known, h.nodes].to_numpy().T.ravel(), "y_hat": values[known].to_numpy().ravel(),
        "scale": np.repeat(scale[h.nodes].to_numpy(), len(known))}) for name, values in said.items()]
    return pd.concat(blocks, ignore_index=True)


def _said(y: pd.Series, cutoff: pd.Period, horizon: int, models: str, kind: str) -> np.ndarray:
    """The forecast of the months after the cutoff, which an unobserved month at the end puts further away."""
    last = y.last_valid_index()
    late = 0 if last is None else (cutoff - last).n
    f = forecast(y, horizon + late, models=(models,), kind=kind)
    return f.block()["y_hat"].to_numpy()[late:]
