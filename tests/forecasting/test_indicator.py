"""A branch's indicator forecast and tested with all that is known: the same limits as the joint paths."""

import numpy as np
import pandas as pd
import pytest

from ebank_lib.errors import UnknownNameError
from ebank_lib.forecasting import Context, backtest_indicator, forecast_indicator, simulate_joint


def test_the_forecast_is_the_one_that_is_simulated(cleaned):
    f = forecast_indicator(cleaned, "rizhao", "counter_txn", horizon=24)
    joint = simulate_joint(cleaned, branches=["rizhao"], indicators=["counter_txn"], n=10)
    pd.testing.assert_frame_equal(f.block(), joint.forecasts["rizhao", "counter_txn"].block())


def test_the_backtest_counts_from_each_cutoff(cleaned):
    b = backtest_indicator(cleaned, "rizhao", "counter_txn", origins=2, models=("combination",), peers=None)
    assert b.origins == 2 and b.table["horizon"].max() <= 12 and (b.table["month"] > b.table["cutoff"]).all()
    direct = Context.of(cleaned, b.table["cutoff"].min()).forecast("rizhao", "counter_txn", models=("combination",))
    rows = b.table[(b.table["cutoff"] == b.table["cutoff"].min()) & (b.table["model"] == "combination")]
    assert np.allclose(rows["y_hat"].astype(float), direct.block()["y_hat"].iloc[: len(rows)])


def test_wrong_names_are_errors(cleaned):
    with pytest.raises(UnknownNameError, match="rizhao"):
        forecast_indicator(cleaned, "rizao", "sms")
    with pytest.raises(UnknownNameError, match="sms"):
        forecast_indicator(cleaned, "rizhao", "smss")
