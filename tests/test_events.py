"""The calendar against well-known dates; the festival's share of each month; what the source says happened."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib import events
from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.sources.spec import Event

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
    x = events.festival(ALL, "china", before, after)
    by_month = x.groupby(x.index.month).mean()
    assert np.allclose(by_month, 0, atol=1e-12)
    assert np.allclose(x.groupby(x.index.year).sum(), 0, atol=1e-9) or before > 20     # the window lies in its year
    assert x.abs().max() <= 1


def test_a_february_without_the_festival_is_below_its_mean():
    x = events.festival(pd.period_range("2011-12", "2012-03", freq="M"), before=0, after=6)
    assert x["2012-02"] < 0 < x["2012-01"]      # the festival of 2012 began on 23 January
    assert x["2012-03"] == 0


def test_working_days_know_holidays_and_exchanged_weekends():
    assert events.working_days(2010, 2) == 17      # seven days off from 13 Feb, two Saturdays/Sundays worked
    assert events.working_days(2010, 2, "none") == 20
    january = [events.working_days(year, 1) for year in range(1990, 2051)]
    x = events.calendar_regressors(pd.period_range("2010-01", periods=1, freq="M"))["working_days"].item()
    assert x == pytest.approx((events.working_days(2010, 1) - np.mean(january)) / 21 * 100)


def test_regressors_reach_into_the_future_without_gaps():
    months = pd.period_range("2008-01", "2012-12", freq="M")
    x = events.calendar_regressors(months)
    assert list(x.columns) == ["festival", "working_days", "quarter_end"]
    assert x.index.equals(months) and x.notna().all().all()
    assert x["quarter_end"].gt(0).sum() == 20
    assert "festival" not in events.calendar_regressors(months, "none")


def test_what_cannot_be_known_is_an_error():
    with pytest.raises(SeriesError, match="festival dates are not known for these months; found .*1990..2050"):
        events.festival(pd.period_range("1980-01", periods=3, freq="M"))
    with pytest.raises(UnknownNameError, match="unknown festival calendar 'persia'. Known: china, india"):
        events.festival(ALL, "persia")
    with pytest.raises(UnknownNameError):
        events.calendar_regressors(ALL, "persia")
    with pytest.raises(SeriesError, match="months are needed; found 'list'; expected a monthly PeriodIndex"):
        events.calendar_regressors(["2010-01"])


def test_a_festival_on_another_day_takes_its_window_and_holidays_with_it_and_leaves_the_rest():
    moved, months = "china:2012-02-20", pd.period_range("2008-01", "2014-12", freq="M")
    usual, asked = (events.calendar_regressors(months, name) for name in ("china", moved))
    changed = usual.index[(usual != asked).any(axis=1)]
    assert {str(month) for month in changed} == {"2012-01", "2012-02", "2012-03"}
    assert asked.loc["2012", "festival"].sum() == pytest.approx(usual.loc["2012", "festival"].sum())
    then, now = ([events.working_days(2012, month, name) for month in (1, 2, 3)] for name in ("china", moved))
    assert now[0] > then[0] and now[1] < then[1] and abs(sum(now) - sum(then)) <= 2
    assert [events.festival_dates(name)[2012] for name in ("china", moved)] == [date(2012, 1, 23), date(2012, 2, 20)]


def test_a_festival_put_where_it_is_is_the_calendars_own():
    months = pd.period_range("2010-01", "2010-12", freq="M")
    usual, asked = (events.festival(months, name) for name in ("china", "china:2010-02-14,2011-02-03"))
    pd.testing.assert_series_equal(usual, asked, check_names=False)


@pytest.mark.parametrize("calendar, error, said", [
    ("china:soon", SeriesError, "is no day of a festival; found 'china:soon'; expected china:2013-01-25"),
    ("china:1980-02-16", SeriesError, "festival dates are not known for this year; found 'china:1980-02-16'"),
    ("none:2012-01-01", UnknownNameError, "unknown calendar 'none'. Known: china, india"),
    ("mars", UnknownNameError, "unknown calendar 'mars'. Known: china, india, none"),
    (["china"], UnknownNameError, "unknown calendar")])
def test_what_is_no_calendar_says_so(calendar, error, said):
    with pytest.raises(error, match=said):
        events.checked_calendar(calendar)


def test_known_events_of_a_branch_and_an_indicator():
    source = SimpleNamespace(config=SimpleNamespace(events=[
        Event(month="2010-03", zh="系统升级", en="system change"),
        Event(month="2008-10", zh="政策推动", en="policy push", branches=["rizhao"], indicators=["sms"],
              kind="level_shift")]))
    assert events.known_events(source)["en"].tolist() == ["policy push", "system change"]
    assert events.known_events(source)["kind"].tolist() == ["level_shift", ""]
    assert events.known_events(source, "jinan")["en"].tolist() == ["system change"]
    assert events.known_events(source, "rizhao", "sms").shape == (2, 6)
    assert events.known_events(SimpleNamespace(config=SimpleNamespace(events=[]))).empty
