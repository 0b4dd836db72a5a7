"""What branches teach one another: effects and seasons drawn together, plain forecasts and what they missed by."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

from ebank_lib.forecasting.candidates import MEMBERS, predict
from ebank_lib.forecasting.pooling import PlainForecasts, Pooled, _common, learn_pooled, plain_forecasts, surprises_of
from ebank_lib.forecasting.series import SCALES, Transform, prepare
from ebank_lib.store import VARIABLE, kept_arrays

from .test_calendar import MONTHS, walk
from .test_forecast import growth, monthly


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_the_common_effect_is_that_of_dersimonian_and_laird_shrunk_by_its_error(seed):
    rng = np.random.default_rng(seed)
    variances = rng.uniform(0.5, 2, 9)
    estimates = 3 + rng.normal(size=9) * np.sqrt(variances + 2.0 * seed)
    found = combine_effects(estimates, variances, method_re="dl")
    mean, tau2 = found.mean_effect_re, found.tau2
    assert tau2 > 0
    shared = 0.5 * variances.mean()     # branches share their shocks: the mean is no surer than half of one's error
    error = max(1 / (1 / (variances + tau2)).sum(), shared)
    assert np.allclose(_common(estimates, variances), (mean * (1 - 2 * error / mean**2), np.sqrt(tau2 + shared)))
    assert _common(estimates - estimates.mean(), variances)[0] == 0.0       # in doubt it is taken for nothing


def test_a_plain_forecast_is_the_mean_of_the_members_and_of_their_variances():
    series = [prepare(growth(1), "flow"), None, prepare(monthly(np.full(30, 5.0))), prepare(growth(2, n=9), "flow")]
    found = plain_forecasts(series, 12)
    members = [predict(m, series[0].work, 12) for m in MEMBERS]
    assert np.allclose(found.mean[0], np.mean([p.mean for p in members], axis=0))
    assert np.allclose(found.sd[0] ** 2, np.mean([p.sd**2 for p in members], axis=0))
    assert np.isnan(found.mean[1:]).all() and np.isnan(found.sd[1:]).all()
    assert [SCALES[n] for n in found.scale] == ["log", "none", "none", "log"]


def test_surprises_are_one_step_errors_in_their_months_less_the_first_two():
    y = growth(3, n=20)
    y.iloc[7] = np.nan
    months = pd.period_range(y.index[0] - 3, y.index[-1], freq="M")
    ready = {"a": prepare(y, "flow"), "b": prepare(growth(4, n=11).set_axis(y.index[:11]), "flow")}
    found = surprises_of(ready, ["a", "b", "c"], months)
    assert np.isnan(found[1:]).all() and np.isnan(found[0, :5]).all() and np.isnan(found[0, 10])
    assert np.isfinite(found[0, 5:10]).all() and np.isfinite(found[0, 11:]).all()


def test_what_the_branches_say_survives_in_the_store(place):
    effects = np.full((4, 2), np.nan)
    effects[[0, 2]] = (0.1, 0.02), (-0.3, 0.4)
    pooled = Pooled(effects, (5, 25), np.arange(12) / 7, 0.25, 9)
    again = [Pooled(**kept_arrays("forecasting-pooled", ("test",), lambda: vars(pooled))) for _ in range(2)]
    for one in again:
        assert one.prior == ({"festival": (0.1, 0.02), "quarter_end": (-0.3, 0.4)}, (5, 25))
        assert (float(one.spread), int(one.branches)) == (0.25, 9) and np.array_equal(one.season, pooled.season)


@given(st.sampled_from(SCALES), st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_an_error_is_measured_on_the_scale_in_the_spread_that_was_stated(scale, came):
    said = PlainForecasts(np.array([[0.1, 0.2, 0.3, 0.4]]), np.array([[0.5, 0.0, 2.0, 1.0]]),
                          np.array([SCALES.index(scale)]))
    off = said.missed([0], np.array([came]))[0]
    z = Transform(scale).forward(np.where((np.array(came) == 0) & (scale == "log"), np.nan, came))
    assert np.isnan(off[1]) and np.array_equal(off[[0, 2]], (z[[0, 2]] - [0.1, 0.3]) / [0.5, 2.0], equal_nan=True)


def many(count=10, wave=0.15, own=0.0, seed=0):
    rng = np.random.default_rng(seed)
    season = wave * np.cos(2 * np.pi * np.arange(44) / 12)
    return [np.exp(pd.Series(walk(100 * seed + b, 0.05) + season * (1 + own * rng.standard_normal()), MONTHS))
            for b in range(count)]


def pooled_of(series):
    return learn_pooled([prepare(y, "flow") for y in series])


def test_branches_agree_on_a_season_that_one_alone_cannot_show():
    pooled = pooled_of(many())
    truth = 0.15 * np.cos(2 * np.pi * np.arange(12) / 12)
    alone = [pooled_of(many(4, seed=s)).season for s in range(1, 3)]
    assert np.abs(pooled.season - truth).mean() < 0.05 and np.isclose(pooled.season.sum(), 0)
    assert np.abs(pooled.season - truth).mean() < np.mean([np.abs(a - truth).mean() for a in alone]) + 0.01


def test_branches_that_have_no_season_teach_none():
    pooled = pooled_of(many(wave=0.0))
    assert np.abs(pooled.season).mean() < 0.02


def test_fewer_than_four_branches_teach_nothing():
    assert pooled_of(many(3)) is None
    assert pooled_of([pd.Series(5.0, MONTHS)] * 6) is None


def test_a_branch_unlike_the_others_keeps_much_of_its_own():
    pooled = pooled_of(many(own=0.5))
    z = pd.Series(0.02 * np.arange(44) + 0.6 * np.cos(2 * np.pi * np.arange(44) / 12), MONTHS)
    drawn = pooled.season_for(z.to_numpy(), z.index[0].ordinal)
    assert pooled.season[0] < drawn[0] <= 0.6 + 1e-9 and drawn[0] > 0.4


@pytest.mark.parametrize("n, looked", [(11, False), (12, True)])
def test_a_year_of_months_has_surprises(n, looked):
    y = growth(4, n=n)
    assert np.isfinite(surprises_of({"a": prepare(y, "flow")}, ["a"], y.index)).any() == looked
