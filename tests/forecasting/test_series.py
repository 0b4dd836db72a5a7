"""A series at the door: what is done to it is exactly what is said, and scales are undone."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.forecasting.calendar import find_season
from ebank_lib.forecasting.series import Transform, as_monthly, choose_transform, modelling_scale, observed, prepare

from .test_forecast import growth, monthly


@given(st.sampled_from(["none", "log", "sqrt"]), st.lists(st.floats(0.01, 1e6), min_size=1, max_size=5))
def test_a_scale_is_undone(name, values):
    assert np.allclose(Transform(name).back(Transform(name).forward(values)), values)


def test_the_scales_by_hand():
    assert np.allclose(Transform("log").forward([1.0, np.e]), [0, 1])
    assert np.allclose(Transform("sqrt").forward([0.0, 9.0]), [0, 3]) and Transform("sqrt").back(-2.0) == 0
    assert np.allclose(Transform("logit").forward([0.5, 0.2]), [0, np.log(0.25)])
    assert np.allclose(Transform("logit").forward([0.0, 1.0]), [np.log(1e-4 / 0.9999), np.log(0.9999 / 1e-4)])
    assert np.isclose(Transform("logit").back(np.log(0.25)), 0.2)
    assert Transform("none", 1.0, 2.0).back([0.0, 1.5, 3.0]).tolist() == [1.0, 1.5, 2.0]
    assert np.isfinite(Transform("log").back(1e6)) and Transform("logit").back([-1e6, 1e6]).round(9).tolist() == [0, 1]


@pytest.mark.parametrize("values, kind, expected", [
    ([1.0, 2.0], "flow", ("log", 0.0, np.inf)), ([0.0, 2.0], "stock", ("sqrt", 0.0, np.inf)),
    ([-1.0, 2.0], "flow", ("none", -np.inf, np.inf)), ([0.0, 1.0], "ratio", ("logit", 0.0, 1.0)),
    ([1.0, 5.0], "multiple", ("log", 0.0, np.inf)), ([np.nan], None, ("none", -np.inf, np.inf))])
def test_the_scale_of_a_kind(values, kind, expected):
    found = choose_transform(np.array(values), kind)
    assert (found.name, found.low, found.high) == expected and not found.monotone


def test_no_share_and_no_kind():
    with pytest.raises(SeriesError, match=r"found 1\.2"):
        choose_transform(np.array([0.5, 1.2]), "ratio")
    with pytest.raises(UnknownNameError, match="flow"):
        modelling_scale(monthly([1.0, 2.0]), "flw")


def test_gaps_are_filled_on_the_scale_and_late_months_counted():
    y = monthly([np.nan, 1.0, np.nan, np.nan, 8.0, 4.0, np.nan, np.nan])
    ready = prepare(y, "flow")
    assert ready.y.index[0] == pd.Period("2008-02", "M") and len(ready.y) == 5 and ready.late == 2
    assert [str(m) for m in ready.gaps] == ["2008-03", "2008-04"] and ready.y.isna().sum() == 2
    assert np.allclose(np.exp(ready.work.given), [1, 2, 4, 8, 4]) and ready.work.first == ready.y.index[0].ordinal
    assert not (ready.constant or ready.numbered or ready.events)


def test_the_door():
    y, numbered = as_monthly(pd.Series([1, 2, 3], index=[5, 3, 4]))
    assert numbered and y.index.asi8.tolist() == [3, 4, 5] and y.tolist() == [2, 3, 1]
    late, _ = as_monthly(pd.Series([1.0, 2.0], pd.DatetimeIndex(["2008-03-31", "2008-01-01"])))
    assert late.index.astype(str).tolist() == ["2008-01", "2008-02", "2008-03"] and np.isnan(late.iloc[1])
    with pytest.raises(SeriesError, match="has numbers for months that are none; .*consecutive integers"):
        as_monthly(pd.Series([1.0], index=[20_001]))
    with pytest.raises(SeriesError, match="found 2; expected at least 3"):
        prepare(monthly([1.0, 2.0, np.nan]))
    assert observed(monthly([np.nan, 1.0, np.nan, 2.0, np.nan])).index.astype(str).tolist() == [
        "2008-02", "2008-03", "2008-04"]
    assert observed(monthly([np.nan, np.nan])).empty


@pytest.mark.parametrize("n, falls, monotone", [(24, False, True), (23, False, False), (30, True, False)])
def test_a_stock_that_never_fell_in_two_years_does_not_fall(n, falls, monotone):
    values = 100.0 + np.arange(n)
    values[10] -= 50 * falls
    found = prepare(monthly(values), "stock").transform
    assert (found.monotone, found.low) == (monotone, values[-1] if monotone else 0.0)


def test_a_season_by_hand():
    t = np.arange(48)
    wave = np.tile(np.arange(12.0) - 5.5, 4)
    found = find_season(0.3 * t + wave)
    assert np.allclose(found.terms, np.arange(12) - 5.5) and found.kept == 1.0
    noise = np.random.default_rng(1).normal(size=48)
    z = 0.3 * t + 2 * wave + noise
    found = find_season(z)
    left = z[6:-6] - np.convolve(z, np.r_[0.5, np.ones(11), 0.5] / 12, "valid")
    terms = left.reshape(3, 12).mean(axis=0)[(np.arange(12) - 6) % 12]
    terms = terms - terms.mean()
    variance = ((left - terms[(np.arange(36) + 6) % 12]) ** 2).sum() / (36 - 12) / 3
    assert np.isclose(found.kept, 1 - variance / ((terms**2).sum() / 11))
    assert np.allclose(found.terms, terms * found.kept)
    assert find_season(noise[:27]).kept == 0 and find_season(noise).kept == 0
    assert find_season((0.3 * t + wave)[:28]).kept == 1.0


def test_work_as_it_was_begins_alike_and_ends_earlier():
    work = prepare(growth(2), "flow").work
    then = work.until(8)
    assert len(then.values) == len(then.given) == 36 and then.first == work.first
