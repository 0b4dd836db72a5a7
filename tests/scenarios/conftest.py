"""Paths made by hand: what scenarios need of a simulation, with a law that has closed forms."""

import numpy as np
import pandas as pd
import pytest

from ebank_lib.catalog import load_catalog
from ebank_lib.forecasting.joint import JointPaths, follow, plan_of

MONTHS = pd.period_range("2008-01", "2011-08", freq="M")


@pytest.fixture(scope="session")
def catalog(root):
    return load_catalog(root / "data" / "catalog.yaml", root / "data" / "branches.csv")


@pytest.fixture(scope="session")
def make_paths(catalog):
    """Return a maker of JointPaths from free indicators' paths and pasts, all that follows from them included.

    Paths are (horizon, n), of the first branch, or (branches, horizon, n); a past is (44,) or (branches, 44).
    """

    def make(values, past, branches=("rizhao",), seed=0):
        values = {k: np.asarray(v, float).reshape(len(branches), *np.shape(v)[-2:]) for k, v in values.items()}
        known = {k: np.asarray(y, float).reshape(len(branches), len(MONTHS), 1) for k, y in past.items()}
        whole = plan_of(catalog)
        follows = [k for k in whole.derived if set(whole.movers(k)) <= set(values)]
        plan = plan_of(catalog, [*values, *follows])
        for key in plan.derived:
            known[key] = follow(plan.derived[key], known, {}, key)
        history = pd.DataFrame({k: y.ravel() for k, y in known.items()},
                               index=pd.MultiIndex.from_product([branches, MONTHS], names=["branch", "month"]))
        full = plan.complete(values, {k: y[:, -1, 0] for k, y in known.items()})
        horizon = next(iter(values.values())).shape[1]
        ahead = pd.period_range(MONTHS[-1] + 1, periods=horizon, freq="M", name="month")
        return JointPaths(full, tuple(branches), ahead, MONTHS[-1], history, catalog, plan, seed)

    return make
