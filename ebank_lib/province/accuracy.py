"""How far forecasts of branches and province miss, before and after they are made to add up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..errors import EbankError, SeriesError, UnknownNameError
from ..forecasting import kind_of
from ..forecasting.backtest import cutoffs_of
from .hierarchy import LEVELS, Hierarchy, hierarchies
from .joint import forecast_after, node_errors
from .reconciliation import METHODS, reconcile

__all__ = ["ReconciliationBacktest", "reconciliation_backtest"]


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

    def scores(self) -> pd.DataFrame:
        """Return the mean absolute scaled error of each method: ``level`` (and ``all``), ``method, n, mase, ratio`` (to
        the base's MASE)."""
        rows = self.table[self.table["scale"] > 0]
        rows = rows.assign(mase=(rows["y_hat"] - rows["y"]).abs() / rows["scale"]).dropna(subset=["mase"])
        rows = pd.concat([rows, rows.assign(level="all")])
        rows["level"] = pd.Categorical(rows["level"], [*LEVELS, "all"])
        out = rows.groupby(["level", "method"], sort=False, observed=True)["mase"].agg(["size", "mean"]).reset_index()
        out = out.rename(columns={"size": "n", "mean": "mase"}).sort_values("level", kind="stable", ignore_index=True)
        base = out[out["method"] == "base"].set_index("level")["mase"].to_dict()
        return out.assign(level=out["level"].astype(str), ratio=out["mase"] / [base[level] for level in out["level"]])


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
        actual = h.history(panel)
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
                                  len(cutoffs), horizon)


def _origin(h: Hierarchy, past_panel, actual, cutoff, horizon, methods, models, catalog) -> pd.DataFrame:
    past = h.history(past_panel)
    ahead = pd.period_range(cutoff + 1, periods=horizon, freq="M")
    base = {}
    for node in h.nodes:
        f, late = forecast_after(past[node], cutoff, horizon, kind_of(catalog.indicator(node[1])), models)
        base[node] = f.block()["y_hat"].to_numpy()[late:]
    base = pd.DataFrame(base, index=ahead)[h.nodes].T
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
