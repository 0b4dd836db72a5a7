"""A branch's forecast with all that is known beside the series: nothing leaks, the same limits as the joint paths."""

import numpy as np
import pandas as pd
import pytest

from ebank_lib.errors import UnknownNameError
from ebank_lib.forecasting import (
    Context,
    backtest_indicator,
    forecast_indicator,
    simulate_joint,
)
from ebank_lib.forecasting.calibration import GAUSSIAN, scale_factor


def test_the_forecast_is_the_one_that_is_simulated(cleaned):
    f = forecast_indicator(cleaned, "rizhao", "counter_txn", horizon=24)
    joint = simulate_joint(cleaned, branches=["rizhao"], indicators=["counter_txn"], n=10)
    pd.testing.assert_frame_equal(f.block(), joint.forecasts["rizhao", "counter_txn"].block())


def test_nothing_after_the_cutoff_is_looked_at(cleaned):
    cutoff = pd.Period("2010-06", "M")

    class Changed:
        catalog, source, entries = cleaned.catalog, cleaned.source, cleaned.entries
        panel = cleaned.panel.copy()

    later = Changed.panel.index.get_level_values("month") > cutoff
    Changed.panel.loc[later] *= np.random.default_rng(0).uniform(0.2, 5, (later.sum(), 1))
    a, b = (Context.of(x, cutoff).forecast("rizhao", "counter_txn") for x in (cleaned, Changed))
    pd.testing.assert_frame_equal(a.table, b.table)


def test_the_backtest_counts_from_each_cutoff(cleaned):
    b = backtest_indicator(cleaned, "rizhao", "counter_txn", origins=2, models=("combination",))
    assert b.origins == 2 and b.table["horizon"].max() <= 12 and (b.table["month"] > b.table["cutoff"]).all()
    direct = Context.of(cleaned, b.table["cutoff"].min()).forecast("rizhao", "counter_txn", models=("combination",))
    rows = b.table[(b.table["cutoff"] == b.table["cutoff"].min()) & (b.table["model"] == "combination")]
    assert np.allclose(rows["y_hat"].astype(float), direct.block()["y_hat"].iloc[: len(rows)])


def test_a_figure_at_the_end_that_the_ledger_doubts_is_not_taken_for_news(cleaned):
    from ebank_lib.cleaning import clean

    # At the end of 2010-09 a whole column stood in another unit, and no later month had proved it yet.
    then = clean(cleaned.source, cleaned.policy, end="2010-09", cells=cleaned.cells)
    doubtful = then.series("rizhao", "mobile_txn").iloc[-1]
    f = Context.of(then).forecast("rizhao", "mobile_txn")
    assert doubtful < 100 and f.y.iloc[-1] > 1000 and f.block()["lo-95"].min() > 1000
    assert f.block()["month"].iloc[-1] == pd.Period("2011-09", "M")


def test_listed_events_are_those_of_the_branch_and_indicator(cleaned):
    context = Context.of(cleaned)
    assert (None, pd.Period("2008-10", "M")) in context.listed("rizhao", "sms")
    assert context.listed("rizhao", "mobile") == [] and len(context.listed("dongying", "mobile")) == 1


def test_calendar_and_branches_make_the_forecasts_better_on_the_sample(cleaned):
    cutoff, last = pd.Period("2010-08", "M"), pd.Period("2011-08", "M")
    with_all, alone = Context.of(cleaned, cutoff), None
    missed = {"all": [], "alone": []}
    for branch in cleaned.catalog.reporting[:6]:
        for key in ("counter_txn", "corporate_online_txn"):
            came = cleaned.series(branch, key).loc[cutoff + 1: last]
            alone = with_all.series(branch, key)
            from ebank_lib.forecasting import forecast

            for name, f in (("all", with_all.forecast(branch, key, models=("combination",))),
                            ("alone", forecast(alone, models=("combination",), kind="flow"))):
                said = f.block().set_index("month")["y_hat"].reindex(came.index)
                missed[name].append(float((np.log(said) - np.log(came)).abs().mean()))
    assert np.mean(missed["all"]) < 0.95 * np.mean(missed["alone"])


def test_limits_follow_what_the_branch_s_series_missed_by():
    def errors(size):
        return [size * np.random.default_rng(s).standard_normal((3, 12)) for s in range(12)]

    assert scale_factor(errors(0.4), GAUSSIAN) < 0.8 < 0.95 < scale_factor(errors(1.0), GAUSSIAN) < 1.05
    assert scale_factor(errors(2.5), GAUSSIAN) > 1.3 and scale_factor([], GAUSSIAN) == 1
    one_wild = [*errors(1.0), 1e4 * errors(1.0)[0]]
    assert scale_factor(one_wild, GAUSSIAN) < 1.1         # one series that went wrong does not widen all


def test_wrong_names_are_errors(cleaned):
    with pytest.raises(UnknownNameError, match="rizhao"):
        forecast_indicator(cleaned, "rizao", "sms")
    with pytest.raises(UnknownNameError, match="sms"):
        forecast_indicator(cleaned, "rizhao", "smss")
