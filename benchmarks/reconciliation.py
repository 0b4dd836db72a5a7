"""How far forecasts of branches and province miss, before and after they are made to add up.

    python -m benchmarks.reconciliation [--data FOLDER] [--origins 6] [--models combination] [--methods mint]

On the sample and on the 12 largest banks of the RBI's NEFT tables. Exits with 1 when MinT with shrinkage costs more
than one per cent of the base forecasts' mean absolute scaled error over all levels on either.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ebank_lib.cleaning import clean
from ebank_lib.errors import EbankError, SeriesError, UnknownNameError
from ebank_lib.forecasting import kind_of
from ebank_lib.forecasting.backtest import cutoffs_of
from ebank_lib.province import METHODS
from ebank_lib.province.reconciliation import covariance, forecast_after, node_errors, reconcile_paths
from ebank_lib.province.sums import LEVELS, Hierarchy, hierarchies

ROOT = Path(__file__).resolve().parent.parent
MOST = 1.01     # the MASE after over that before


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
    if indicators is None:      # net new customers are the changes of a stock
        new = {part for i in catalog.identities if i.kind == "change" for part in i.parts}
        indicators = [k for k, i in catalog.indicators.items() if k in there and i.kind != "ratio" and k not in new]
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


def reconcile(base: pd.DataFrame, S: np.ndarray, method: str, errors=None, floor: bool = True) -> pd.DataFrame:
    """Reconcile forecasts of all nodes (u + m, horizon), the sums first: paths of which there is one."""
    values, u = base.to_numpy(dtype=float)[:, :, None], len(S) - S.shape[1]
    bottom = reconcile_paths(values[u:], values[:u], S, covariance(method, S, errors), floor)
    return pd.DataFrame(S @ bottom[:, :, 0], index=base.index, columns=base.columns)


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("EBANK_SHARED", ROOT.parent / "shared")))
    parser.add_argument("--origins", type=int, default=6)
    parser.add_argument("--models", default="combination")
    parser.add_argument("--methods", nargs="*", default=["mint"], choices=METHODS)
    options = parser.parse_args()
    os.environ["EBANK_SHARED"] = str(options.data)
    banks = clean(ROOT / "tests" / "rbi" / "neft")
    size = banks.panel.drop(index="all-banks", level="branch")["outward_txn"].groupby(level="branch").apply(
        lambda y: y.iloc[-36:].median())
    largest = size.sort_values(ascending=False).index[:12].tolist()
    missed = False
    for name, cleaned, branches in (("sample", clean(ROOT / "data" / "shandong"), None), ("NEFT", banks, largest)):
        scores = reconciliation_backtest(cleaned, None, options.origins, 12, options.methods, options.models,
                                         branches).scores()
        print(f"{name}\n{scores.round(3).to_string(index=False)}")
        missed |= bool((scores[(scores["level"] == "all") & (scores["method"] == "mint")]["ratio"] > MOST).any())
    print(f"goal: MinT's MASE over all levels at most {MOST:g} of the base's{'  MISSED' if missed else ''}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
