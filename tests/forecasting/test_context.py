"""What is known beside a series: nothing of later months, and what the branches teach."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.forecasting import Context
from ebank_lib.forecasting.candidates import run_models
from ebank_lib.forecasting.context import missed, plain_forecasts, surprises_of
from ebank_lib.forecasting.series import SCALES, Transform, prepare

from .test_forecast import growth, monthly


def test_nothing_after_the_cutoff_is_looked_at(cleaned):
    cutoff = pd.Period("2010-06", "M")

    class Changed:
        catalog, source, entries = cleaned.catalog, cleaned.source, cleaned.entries
        panel = cleaned.trusted.copy()

    later = Changed.panel.index.get_level_values("month") > cutoff
    Changed.panel.loc[later] *= np.random.default_rng(0).uniform(0.2, 5, (later.sum(), 1))
    a, b = (Context.of(x, cutoff).forecast("rizhao", "counter_txn") for x in (cleaned, Changed))
    pd.testing.assert_frame_equal(a.table, b.table)


def test_a_figure_at_the_end_that_the_ledger_doubts_is_not_taken_for_news(cleaned):
    from ebank_lib.cleaning import clean

    # At the end of 2010-09 a whole column stood in another unit, and no later month had proved it yet.
    then = clean(cleaned.source, cleaned.policy, end="2010-09", cells=cleaned.cells)
    doubtful = then.series("rizhao", "mobile_txn", doubtful="keep").iloc[-1]
    f = Context.of(then).forecast("rizhao", "mobile_txn")
    assert doubtful < 100 and f.y.iloc[-1] > 1000 and f.block()["lo-95"].min() > 1000
    assert f.block()["month"].iloc[-1] == pd.Period("2011-09", "M")


@pytest.mark.parametrize("before", [0, 1])
def test_errors_are_those_of_the_months_that_were_forecast(cleaned, before):
    # A figure in doubt at an origin is left out there, and with it the origin: what a forecast from the month before
    # said of its first month is not held against what came a month later. One in doubt the month before is a gap.
    plain = Context.of(cleaned)
    origin = plain.last - 6
    panel = plain.panel.copy()
    panel.loc[("rizhao", origin - before), "sms"] = np.nan
    context = Context(panel, cleaned.catalog, calendar=plain.calendar, events=plain.events)
    n = context.branches.index("rizhao")
    assert np.isfinite(plain["sms"].errors[n, 2, :6]).all()
    assert np.isfinite(context["sms"].errors[n, 2, :6]).all() == bool(before)
    assert np.isnan(context["sms"].errors[n, 2]).all() != bool(before)
    missing = np.flatnonzero(np.isnan(context["sms"].errors[n, 0]))     # of the origin a year before, that month alone
    assert missing.tolist() == [11 - before]


def test_listed_events_are_those_of_the_branch_and_indicator(cleaned):
    context = Context.of(cleaned)
    assert (None, pd.Period("2008-10", "M")) in context["sms"].listed("rizhao")
    assert context["mobile"].listed("rizhao") == [] and len(context["mobile"].listed("dongying")) == 1


def test_calendar_and_branches_make_the_forecasts_better_on_the_sample(cleaned):
    cutoff, last = pd.Period("2010-08", "M"), pd.Period("2011-08", "M")
    with_all, alone = Context.of(cleaned, cutoff), None
    missed = {"all": [], "alone": []}
    for branch in cleaned.catalog.reporting[:6]:
        for key in ("counter_txn", "corporate_online_txn"):
            came = cleaned.series(branch, key).loc[cutoff + 1: last]
            alone = with_all[key].series(branch)
            from ebank_lib.forecasting import forecast

            for name, f in (("all", with_all.forecast(branch, key, models=("combination",))),
                            ("alone", forecast(alone, models=("combination",), kind="flow"))):
                said = f.block().set_index("month")["y_hat"].reindex(came.index)
                missed[name].append(float((np.log(said) - np.log(came)).abs().mean()))
    assert np.mean(missed["all"]) < 0.95 * np.mean(missed["alone"])


KEYS = ["mobile", "mobile_txn", "counter_txn"]


def of_few(cleaned, panel=None):
    """Six branches, three indicators, nothing learnt yet."""
    panel = cleaned.panel if panel is None else panel
    names = [*cleaned.catalog.reporting[:5], "rizhao"]
    return replace(cleaned, panel=panel.loc[panel.index.get_level_values("branch").isin(names), KEYS], contexts={})


def test_a_changed_figure_changes_what_depends_on_it_and_nothing_else(cleaned):
    last = cleaned.months[-1]
    panel = cleaned.panel.copy()
    panel.loc[("jinan", last - 3), "mobile_txn"] *= 1.01
    panel.loc[("linyi", last), "counter_txn"] *= 1.01        # a branch that nobody here learns from
    before, after = Context.of(of_few(cleaned)), Context.of(of_few(cleaned, panel))
    assert "jinan" in before.branches and "linyi" not in before.branches
    changed = {(key, back) for key in KEYS for back in (0, 1, 3, 4, 12)
               if before.until(last - back)[key].content != after.until(last - back)[key].content}
    assert changed == {("mobile_txn", 0), ("mobile_txn", 1), ("mobile_txn", 3)}


def test_the_content_is_of_the_branches_the_calendar_and_the_listed_events_too(cleaned):
    whole = Context.of(of_few(cleaned))
    key, events = "mobile_txn", whole.events.assign(month=whole.events["month"] + 1)
    others = [replace(whole, **what) for what in (
        {"most": 4}, {"calendar": "none"}, {"events": events}, {"last": whole.last - 1})]
    assert len({c[key].content for c in (whole, *others)}) == 5
    assert replace(whole)[key].content == whole[key].content


def test_a_grid_is_the_panel_without_what_is_doubtful(cleaned):
    row = cleaned.doubtful.query("branch == 'dongying' and indicator == 'mortgage'").iloc[0]     # 220,848 for 22,0848
    grid = Context.of(cleaned).grid
    y = cleaned.series("dongying", "mortgage", doubtful="keep")
    known = grid.column("mortgage", y.index[-2].ordinal)[grid.branches["dongying"]]
    assert np.array_equal(known, y.mask(y.index == row["month"]).to_numpy()[:-1], equal_nan=True)
    able = [bool(grid.able("mortgage", month.ordinal)[grid.branches["dongying"]])
            for month in (row["month"] - 1, row["month"], row["month"] + 1)]
    assert able == [True, False, True]
    assert grid.column("mortgage", grid.first - 1).shape == (len(grid.branches), 0)
    assert Context.of(cleaned).present == set(cleaned.branches)


def test_a_plain_forecast_is_the_combination():
    series = [prepare(growth(1), "flow"), None, prepare(monthly(np.full(30, 5.0))), prepare(growth(2, n=9), "flow")]
    found = plain_forecasts(series, 12)
    part = run_models(series[0], 12, ("combination",))[0]["combination"]
    assert np.array_equal(found["mean"][0], part.mean) and np.array_equal(found["sd"][0], part.sd)
    assert np.isnan(found["mean"][1:]).all() and np.isnan(found["sd"][1:]).all()
    assert [SCALES[n] for n in found["scale"]] == ["log", "none", "none", "log"]


def test_surprises_are_one_step_errors_in_their_months_less_the_first_two():
    y = growth(3, n=20)
    y.iloc[7] = np.nan
    months = pd.period_range(y.index[0] - 3, y.index[-1], freq="M")
    ready = {"a": prepare(y, "flow"), "b": prepare(growth(4, n=11).set_axis(y.index[:11]), "flow")}
    found = surprises_of(ready, ["a", "b", "c"], months)
    assert np.isnan(found[1:]).all() and np.isnan(found[0, :5]).all() and np.isnan(found[0, 10])
    assert np.isfinite(found[0, 5:10]).all() and np.isfinite(found[0, 11:]).all()


@pytest.mark.parametrize("n, looked", [(11, False), (12, True)])
def test_a_year_of_months_has_surprises(n, looked):
    y = growth(4, n=n)
    assert np.isfinite(surprises_of({"a": prepare(y, "flow")}, ["a"], y.index)).any() == looked


@given(st.sampled_from(SCALES), st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_an_error_is_measured_on_the_scale_in_the_spread_that_was_stated(scale, came):
    said = {"mean": np.array([[0.1, 0.2, 0.3, 0.4]]), "sd": np.array([[0.5, 0.0, 2.0, 1.0]]),
            "scale": np.array([SCALES.index(scale)])}
    off = missed(said, [0], np.array([came]))[0]
    z = Transform(scale).forward(np.where((np.array(came) == 0) & (scale == "log"), np.nan, came))
    assert np.isnan(off[1]) and np.array_equal(off[[0, 2]], (z[[0, 2]] - [0.1, 0.3]) / [0.5, 2.0], equal_nan=True)
