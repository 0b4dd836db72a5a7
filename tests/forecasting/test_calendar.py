"""The calendar and the season: found where planted, foreseen in the months ahead, drawn together by branches."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from ebank_lib.events import calendar_regressors
from ebank_lib.forecasting import forecast
from ebank_lib.forecasting.calendar import Pooled, _common, drawn_to, fit_calendar, growth_evidence, learn_pooled
from ebank_lib.forecasting.candidates import predict
from ebank_lib.forecasting.series import prepare
from ebank_lib.store import VARIABLE, kept_arrays

MONTHS = pd.period_range("2008-01", periods=44, freq="M")
AHEAD = pd.period_range("2011-09", periods=12, freq="M")
FIRST = MONTHS[0].ordinal


def walk(seed, spread=0.02, n=44):
    rng = np.random.default_rng(seed)
    return 10 + 0.02 * np.arange(n) + np.cumsum(0.3 * spread * rng.standard_normal(n)) + spread * rng.standard_normal(n)


def effects(months, festival=-0.3, day=0.03, end=0.15):
    x = calendar_regressors(months)
    return festival * x["festival"] + day * 0.21 * x["working_days"] + end * x["quarter_end"]


def test_planted_effects_are_found_within_their_errors():
    z_scores = []
    for seed in range(40):
        found = fit_calendar((walk(seed) + effects(MONTHS)).to_numpy(), FIRST, "china", window=(10, 10))
        truth = np.array([-0.3, 0.03, 0.15, 0.0])
        z_scores.append((found.estimate - truth) / found.se)
    z_scores = np.array(z_scores)
    assert (np.abs(z_scores.mean(axis=0)) < 0.6).all()
    assert (np.abs(z_scores) < 3).mean() > 0.95


def test_where_nothing_was_planted_little_is_used():
    used = np.array([np.abs(fit_calendar(walk(seed), FIRST, "china").used) for seed in range(30)])
    assert used[:, 0].mean() < 0.03 and (used[:, 1:] < 0.05).all()


def test_what_is_used_is_never_more_than_what_was_estimated():
    found = fit_calendar((walk(1) + effects(MONTHS)).to_numpy(), FIRST, "china")
    assert (np.abs(found.used) <= np.abs(found.estimate)).all() and (found.used * found.estimate >= 0).all()


def test_a_forecast_foresees_the_calendar():
    better = []
    for seed in range(8):
        z = pd.Series(walk(seed, 0.005, 56), MONTHS.append(AHEAD)) + effects(MONTHS.append(AHEAD))
        y = np.exp(z)
        missed = [np.abs(np.log(forecast(y.iloc[:44], models=("theta",), calendar=c).block()["y_hat"].to_numpy())
                         - z.iloc[44:]).mean() for c in ("none", "china")]
        better.append(missed[1] < missed[0])
    assert sum(better) >= 7


def test_the_calendar_of_numbered_months_is_nothing():
    y = np.exp(walk(3))
    a, b = forecast(y, models=("theta",)), forecast(y, models=("theta",), calendar="china")
    pd.testing.assert_frame_equal(a.table, b.table)


def test_too_short_a_series_has_no_calendar():
    found = fit_calendar(walk(2)[:25], FIRST, "china")
    assert found.used.size == 0 and found.between(AHEAD[0].ordinal, 12).tolist() == [0.0] * 12


def test_the_study_s_method_and_last_year_s_month_are_as_they_were():
    y = np.exp(pd.Series(walk(4) + effects(MONTHS), MONTHS))
    a, b = (forecast(y, models=("snaive", "arma"), calendar=c) for c in ("none", "china"))
    assert np.allclose(a.block("snaive")["y_hat"], b.block("snaive")["y_hat"])
    assert np.allclose(a.block("arma")["y_hat"], b.block("arma")["y_hat"], rtol=0.02)


@pytest.mark.parametrize("estimate, se, mean, sd, between", [
    (1.0, 0.1, 0.0, 0.1, 0.5), (2.0, 1e-15, 0.0, 0.1, 2.0), (2.0, 0.1, 1.0, 0.0, 1.0), (2.0, 0.3, 1.0, 0.1, 1.1)])
def test_an_estimate_is_drawn_by_precision(estimate, se, mean, sd, between):
    assert np.isclose(drawn_to(estimate, se, mean, sd), between)


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


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def test_what_the_branches_say_survives_in_the_store(place):
    effects = np.full((4, 2), np.nan)
    effects[[0, 2]] = (0.1, 0.02), (-0.3, 0.4)
    pooled = Pooled(effects, (5, 25), 0.25, 9)
    again = [Pooled(**kept_arrays("forecasting-pooled", ("test",), lambda: vars(pooled))) for _ in range(2)]
    for one in again:
        assert one.prior == ({"festival": (0.1, 0.02), "quarter_end": (-0.3, 0.4)}, (5, 25))
        assert (float(one.lasts), int(one.branches)) == (0.25, 9)


def many(count=10, growth=0.02, seed=0):
    return [np.exp(pd.Series(walk(100 * seed + b, 0.05) + (growth - 0.02) * np.arange(44), MONTHS))
            for b in range(count)]


def pooled_of(series):
    return learn_pooled([prepare(y, "flow") for y in series])


def test_branches_say_together_how_far_growth_lasts():
    series = many()
    prior, pull, sure = np.array([growth_evidence(prepare(y, "flow").work.values) for y in series]).T
    assert np.isclose(pooled_of(series).lasts, (pull.sum() + 2 * prior.mean()) / (sure.sum() + 2))
    assert pooled_of(series).lasts > 0.5
    stopped = [y.where(y.index < MONTHS[24], y.iloc[:24].median() * (1 + 0.01 * np.cos(np.arange(44)))) for y in series]
    assert pooled_of(stopped).lasts < 0
    own, taught = prepare(series[0], "flow"), prepare(series[0], "flow", pooled=pooled_of(stopped))
    ahead = [predict("snaive_drift", ready.work, 12).mean for ready in (own, taught)]
    assert (ahead[1] < ahead[0]).all()


def test_fewer_than_four_branches_teach_nothing():
    assert pooled_of(many(3)) is None
    assert pooled_of([pd.Series(5.0, MONTHS)] * 6) is None
