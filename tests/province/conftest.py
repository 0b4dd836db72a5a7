"""Paths as simulate_joint hands them on, small, made by hand."""

import types

import numpy as np
import pandas as pd
import pytest

from ebank_lib.forecasting import JointPaths
from ebank_lib.forecasting.joint import plan_of


@pytest.fixture(scope="package")
def few(cleaned):
    """The sample with three branches and few indicators."""
    keys = ["personal_online", "mobile", "personal_online_new", "sms_income", "personal_online_income",
            "corporate_online_income", "income_total", "affluent", "affluent_signed", "coverage"]
    names = ["jinan", "rizhao", "heze"]
    panel = cleaned.panel[keys]
    return types.SimpleNamespace(panel=panel[panel.index.get_level_values("branch").isin(names)],
                                 catalog=cleaned.catalog)


@pytest.fixture(scope="package")
def paths(few):
    """Paths of the free indicators: growth at random, the branches together."""
    rng = np.random.default_rng(0)
    plan = plan_of(few.catalog, few.panel.columns)
    branches = ("jinan", "rizhao", "heze")
    origin = pd.Period(few.panel.index.get_level_values("month").max(), "M")
    now = few.panel.xs(origin, level="month").reindex(list(branches))
    steps = rng.normal(0.02, 0.03, (1, 24, 200)) + rng.normal(0, 0.02, (3, 24, 200))
    values = {}
    for key in plan.free:
        share = few.catalog.indicators[key].kind == "ratio"
        growth = np.exp(np.cumsum(steps * (0 if share else 1), axis=1))
        values[key] = now[key].to_numpy()[:, None, None] * growth
    last = {k: now[k].to_numpy() for k in few.panel.columns}
    return JointPaths(plan.complete(values, last), branches, pd.period_range(origin + 1, periods=24, freq="M"), origin,
                      few.panel, few.catalog, plan)
