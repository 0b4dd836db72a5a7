"""Seasonal adjustment: it adds up, finds what was put in, and makes no season where there is none."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.seasonal import STL

from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.events import festival
from ebank_lib.forecasting import seasonally_adjust

from .test_forecast import growth, monthly

T = np.arange(60)
SEASON = 0.2 * np.cos(T * np.pi / 6)


def noise(sd=0.01, seed=0):
    return sd * np.random.default_rng(seed).standard_normal(60)


@given(st.lists(st.floats(-1e6, 1e6), min_size=36, max_size=60), st.booleans())
def test_the_parts_always_make_up_the_series(values, positive):
    y = monthly(np.abs(values) + 1 if positive else values)
    a = seasonally_adjust(y)
    parts = a[["calendar", "seasonal", "adjusted"]]
    made = parts.prod(axis=1) if y.min() > 0 else parts.sum(axis=1)
    assert list(a) == ["month", "y", "calendar", "seasonal", "adjusted"] and a["y"].tolist() == y.tolist()
    assert np.allclose(made, y, rtol=1e-12, atol=1e-12 * (1 + y.abs().max()))


def test_a_season_that_was_put_in_is_taken_out():
    trend = 0.02 * T
    a = seasonally_adjust(monthly(np.exp(trend + SEASON + noise())))
    assert np.abs(np.log(a["seasonal"]) - SEASON).max() < 0.02 and (a["calendar"] == 1).all()
    assert np.std(np.log(a["adjusted"]) - trend) < 0.015


def test_a_share_and_what_falls_below_zero_are_adjusted_by_amounts():
    for y, kind in ((monthly(0.5 + SEASON / 4 + noise(0.001)), "ratio"), (monthly(100 * SEASON + noise()), None)):
        a = seasonally_adjust(y, kind=kind)
        assert np.allclose(a["adjusted"] + a["seasonal"] + a["calendar"], y) and abs(a["seasonal"].mean()) < 1e-2


def test_the_festival_comes_out_first_and_only_where_there_is_one():
    months = pd.period_range("2008-01", periods=60, freq="M")
    moved = -0.2 * festival(months).to_numpy()
    y = monthly(np.exp(0.02 * T + moved + noise()))
    a = seasonally_adjust(y, calendar="china")
    assert np.corrcoef(np.log(a["calendar"]), moved)[0, 1] > 0.98
    left, plain = (np.std(np.diff(np.log(found["adjusted"]))) for found in (a, seasonally_adjust(y)))
    assert left < 0.018 < plain


def test_without_a_season_nothing_is_taken_for_one():
    y = monthly(np.exp(0.02 * T + noise()))
    assert (seasonally_adjust(y)["seasonal"] == 1).all() and seasonally_adjust(y)["adjusted"].tolist() == y.tolist()


def test_a_month_out_of_line_stays_in_the_adjusted_series_and_moves_no_season():
    usual = monthly(np.exp(0.02 * T + SEASON + noise()))
    struck = usual.copy()
    struck.iloc[30] *= 3
    a, b = seasonally_adjust(usual), seasonally_adjust(struck)
    assert np.abs(b["seasonal"] / a["seasonal"] - 1).max() < 0.01
    assert b["adjusted"].iloc[30] / a["adjusted"].iloc[30] == pytest.approx(3, rel=0.01)


def test_missing_months_stay_missing_and_their_season_is_known():
    y = growth(n=60)
    gone = y.drop(y.index[[20, 33]])
    a = seasonally_adjust(gone)
    assert len(a) == 60 and a["adjusted"].isna().to_numpy().nonzero()[0].tolist() == [20, 33]
    assert a["seasonal"].notna().all()


def test_it_is_stl_as_statsmodels_has_it():
    z = 0.02 * T + SEASON + noise()
    season = STL(z, period=12, seasonal=7, seasonal_deg=0).fit().seasonal
    assert np.allclose(np.log(seasonally_adjust(np.exp(z))["seasonal"]), season)


@pytest.mark.parametrize("y, options, error, said", [
    (monthly(T[:35] + 1.0), {}, SeriesError, "too few months to find a season; found 35; expected at least 36"),
    (monthly(np.where(T % 12 == 1, np.nan, T + 1.0)), {}, SeriesError,
     "key 'month 2': a month of the year was hardly ever observed; found 0; expected at least 2"),
    (monthly(T + 1.0), {"calendar": "mars"}, UnknownNameError, "unknown calendar 'mars'"),
    (monthly(T + 1.0), {"kind": "level"}, UnknownNameError, "unknown kind 'level'")])
def test_what_cannot_be_adjusted_says_why(y, options, error, said):
    with pytest.raises(error, match=said):
        seasonally_adjust(y, **options)
