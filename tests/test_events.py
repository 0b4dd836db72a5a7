"""The calendar against well-known dates; the festival's share of each month; what the source says happened."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

from ebank_lib import events
from ebank_lib.errors import SeriesError, UnknownNameError

ALL = pd.period_range("1990-01", "2050-12", freq="M")


@pytest.mark.parametrize("day", ["1990-01-27", "1999-02-16", "2000-02-05", "2008-02-07", "2009-01-26", "2010-02-14",
                                 "2011-02-03", "2012-01-23", "2020-01-25", "2023-01-22", "2033-01-31", "2050-01-23"])
def test_the_first_day_of_the_lunar_year_is_the_published_one(day):
    day = date.fromisoformat(day)
    assert events.festival_dates("china")[day.year] == day


@pytest.mark.parametrize("day", ["2005-11-01", "2008-10-28", "2010-11-05", "2012-11-13", "2016-10-30", "2023-11-12"])
def test_diwali_is_the_published_one(day):
    day = date.fromisoformat(day)
    assert events.festival_dates("india")[day.year] == day


def test_every_year_has_its_festival_between_21_january_and_21_february():
    dates = events.festival_dates("china")
    assert sorted(dates) == list(range(1990, 2051))
    assert all(date(y, 1, 21) <= d <= date(y, 2, 21) for y, d in dates.items())


@given(before=st.integers(0, 25), after=st.integers(0, 25))
def test_the_shares_of_a_window_add_up_and_only_what_moves_is_left(before, after):
    x = events.spring_festival(ALL, before, after)
    by_month = x.groupby(x.index.month).mean()
    assert np.allclose(by_month, 0, atol=1e-12)
    assert np.allclose(x.groupby(x.index.year).sum(), 0, atol=1e-9) or before > 20     # the window lies in its year
    assert x.abs().max() <= 1


def test_a_february_without_the_festival_is_below_its_mean():
    x = events.spring_festival(pd.period_range("2011-12", "2012-03", freq="M"), before=0, after=6)
    assert x["2012-02"] < 0 < x["2012-01"]      # the festival of 2012 began on 23 January
    assert x["2012-03"] == 0


def test_working_days_know_holidays_and_exchanged_weekends():
    months = pd.period_range("2010-02", periods=1, freq="M")
    assert events.working_days(months).iloc[0] == 17      # seven days off from 13 Feb, two Saturdays/Sundays worked
    assert events.working_days(months, "none").iloc[0] == 20


def test_regressors_reach_into_the_future_without_gaps():
    months = pd.period_range("2008-01", "2012-12", freq="M")
    x = events.calendar_regressors(months)
    assert list(x.columns) == ["festival", "working_days", "quarter_end", "half_year_end"]
    assert x.index.equals(months) and x.notna().all().all()
    assert x["quarter_end"].gt(0).sum() == 20 and x["half_year_end"].gt(0).sum() == 10
    assert "festival" not in events.calendar_regressors(months, "none")


def test_what_cannot_be_known_is_an_error():
    with pytest.raises(SeriesError, match="1990..2050"):
        events.festival(pd.period_range("1980-01", periods=3, freq="M"))
    with pytest.raises(SeriesError, match="0 to 60 days"):
        events.festival(ALL, before=90)
    with pytest.raises(UnknownNameError, match="china, india"):
        events.festival(ALL, "persia")
    with pytest.raises(UnknownNameError):
        events.calendar_regressors(ALL, "persia")
    with pytest.raises(SeriesError, match="PeriodIndex"):
        events.working_days(["2010-01"])


def test_known_events_of_a_branch_and_an_indicator():
    source = SimpleNamespace(config=SimpleNamespace(events=[
        {"month": "2010-03", "zh": "系统升级", "en": "system change"},
        {"month": "2008-10", "zh": "政策推动", "en": "policy push", "branches": ["rizhao"], "indicators": ["sms"],
         "kind": "level_shift"}]))
    assert events.known_events(source)["en"].tolist() == ["policy push", "system change"]
    assert events.known_events(source)["kind"].tolist() == ["level_shift", ""]
    assert events.known_events(source, "jinan")["en"].tolist() == ["system change"]
    assert events.known_events(source, "rizhao", "sms").shape == (2, 6)
    assert events.known_events(SimpleNamespace(config=SimpleNamespace(events=[]))).empty


MONTHS = pd.period_range("2006-03", periods=48, freq="M")


def drifting(seed, n=48):
    return np.cumsum(np.random.default_rng(seed).standard_normal(n))


def test_a_festivals_effect_is_recovered_within_its_standard_error():
    x = events.festival(MONTHS, "china", 10, 10).to_numpy()
    off = []
    for seed in range(120):
        effect = events.festival_effect(drifting(seed) - 5 * x, MONTHS, windows=((10, 10),))
        off.append((effect.coefficient + 5) / abs(effect.coefficient / effect.t))
    assert np.mean(np.abs(off) < 1.96) == pytest.approx(0.95, abs=0.05) and abs(np.mean(off)) < 0.3


def test_the_window_is_chosen_from_the_data():
    for window in ((0, 6), (20, 0), (0, 20)):
        x = events.festival(MONTHS, "china", *window).to_numpy()
        assert events.festival_effect(drifting(1) - 20 * x, MONTHS).window == window


def test_without_a_festival_one_series_in_twenty_is_forecast_with_one():
    for season in (0.0, 3.0):
        fixed = season * np.cos(2 * np.pi * np.arange(48) / 12)
        shrunk = [events.festival_effect(drifting(seed) + fixed, MONTHS).shrunk for seed in range(150)]
        assert np.mean(np.array(shrunk) != 0) < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 150)


@given(st.integers(0, 10**6), st.floats(0.01, 100), st.floats(-5, 5), st.floats(-20, 20))
def test_the_effect_keeps_its_t_in_another_unit_level_and_drift(seed, unit, slope, size):
    x = events.festival(MONTHS, "china", 4, 10).to_numpy()
    z = drifting(seed) + size * x
    a, b = (events.festival_effect(v, MONTHS) for v in (z, unit * (z + slope * np.arange(48)) + 7))
    # The likeliest window of two alike may change with the last digit; one and the same cannot.
    one, two = (events.festival_effect(v, MONTHS, windows=(a.window,)) for v in (z, unit * z + 7))
    assert two.t == pytest.approx(one.t, rel=1e-5, abs=1e-7) and abs(one.t - a.t) < 1e-9
    assert two.coefficient == pytest.approx(unit * one.coefficient, rel=1e-5, abs=1e-7 * unit)
    assert abs(a.shrunk) <= abs(a.coefficient) and a.shrunk * a.coefficient >= 0 and abs(b.shrunk) <= abs(b.coefficient)


@given(st.integers(0, 10**6), st.floats(-5, 5), st.floats(0.01, 10))
def test_with_a_prior_the_effect_lies_between_both(seed, mean, sd):
    alone = events.festival_effect(drifting(seed), MONTHS)
    effect = events.festival_effect(drifting(seed), MONTHS, prior=(mean, sd))
    assert effect[:3] == alone[:3]
    assert min(mean, alone.coefficient) - 1e-9 <= effect.shrunk <= max(mean, alone.coefficient) + 1e-9
    certain = events.festival_effect(drifting(seed), MONTHS, prior=(mean, 0.0))
    assert certain.shrunk == pytest.approx(mean)


def test_it_takes_two_festivals_and_a_calendar():
    z = drifting(2)
    assert events.festival_effect(z[:22], MONTHS[:22], prior=(1.0, 0.1))[1:] == (0, 0, 0)   # February 2007 only
    assert events.festival_effect(z[:24], MONTHS[:24]).t != 0
    assert events.festival_effect(z, MONTHS, "none")[1:] == (0, 0, 0)
    assert events.festival_effect(np.ones(48), MONTHS)[1:] == (0, 0, 0)
    with pytest.raises(SeriesError, match="2001..2035"):
        events.festival_effect(z, pd.period_range("1990-01", periods=48, freq="M"), "india")


def test_diwalis_effect():
    x = events.festival(MONTHS, "india", 10, 4).to_numpy()
    effect = events.festival_effect(drifting(5) + 12 * x, MONTHS, "india")
    assert effect.t > 5 and abs(effect.coefficient - 12) < 6


@given(st.lists(st.tuples(st.floats(0.01, 2), st.floats(0.05, 2), st.sampled_from([-1, 1])), min_size=2, max_size=17))
def test_pooling_is_that_of_dersimonian_and_laird(pairs):
    size, error, sign = np.array(pairs).T
    size = sign * size
    effects = [events.FestivalEffect((10, 10), b, b / e, 0.0) for b, e in zip(size, error, strict=True)]
    mean, sd = events.pooled_festival(effects)
    with np.errstate(all="ignore"):         # statsmodels goes on with a negative variance between branches
        other = combine_effects(size, error**2, method_re="chi2")
    between = max(other.tau2, 0.0)
    w = 1 / (error**2 + between)
    assert mean == pytest.approx(w @ size / w.sum(), rel=1e-6, abs=1e-9)
    assert sd == pytest.approx(np.sqrt(between + 1 / w.sum()), rel=1e-6)


def test_one_branch_is_no_pool():
    nothing = events.FestivalEffect((10, 10), 0.0, 0.0, 0.0)
    with pytest.raises(SeriesError, match="at least 2"):
        events.pooled_festival([nothing, nothing, nothing._replace(coefficient=1.0, t=2.0)])
