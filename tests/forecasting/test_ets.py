"""Exponential smoothing against statsmodels, and what its likelihood must obey."""

import warnings

import numpy as np
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from ebank_lib.forecasting.ets import FORMS, fit_ets, select_ets

SHAPES = {"ANN": (None, False, None), "AAN": ("add", False, None), "AAdN": ("add", True, None),
          "ANA": (None, False, "add"), "AAA": ("add", False, "add")}


def series(seed, n=48):
    rng = np.random.default_rng(seed)
    return 50 + np.cumsum(rng.normal(0.2, 1, n)) + 3 * np.sin(np.arange(n) * np.pi / 6) + rng.normal(size=n)


@pytest.mark.parametrize("form", SHAPES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_optimum_is_not_below_statsmodels(form, seed):
    y = series(seed)
    trend, damped, season = SHAPES[form]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ETSModel(y, "add", trend, damped, season, seasonal_periods=12 if season else None).fit(disp=False)
    # statsmodels counts the same Gaussian likelihood; the small slack is the bound that keeps weights off 0 and 1
    assert fit_ets(y, form).loglik >= theirs.llf - 0.05


@pytest.mark.parametrize("form", ["ANN", "AAN", "AAdN"])
def test_the_forecast_is_that_of_statsmodels_at_the_same_weights_and_states(form):
    y = series(5)
    ours = fit_ets(y, form)
    trend, damped, _ = SHAPES[form]
    alpha, beta, _, phi = ours.weights
    level, slope = ours.start[:2]
    params = [alpha, *([beta] if trend else []), *([phi] if damped else []), level, *([slope] if trend else [])]
    theirs = ETSModel(y, "add", trend, damped).smooth(np.array(params))
    assert np.allclose(ours.forecast(8)[0], theirs.forecast(8), rtol=1e-8)


def test_the_error_weights_give_the_textbook_variances():
    h = np.arange(1, 13)
    ann, aan = fit_ets(series(5), "ANN"), fit_ets(series(5), "AAN")
    a = ann.weights[0]
    assert np.allclose(np.cumsum(ann.forecast(12)[1] ** 2), 1 + (h - 1) * a**2)
    a, b = aan.weights[:2]
    textbook = 1 + (h - 1) * (a**2 + a * b * h + b**2 * h * (2 * h - 1) / 6)
    assert np.allclose(np.cumsum(aan.forecast(12)[1] ** 2), textbook)


def test_a_larger_form_is_never_worse():
    for seed in range(4):
        y = series(seed)
        sse = {form: fit_ets(y, form).sse for form in FORMS}
        assert sse["AAN"] <= sse["ANN"] * 1.001 and sse["AAA"] <= sse["ANA"] * 1.001


def test_scale_and_shift_change_nothing_but_scale_and_shift():
    y = series(7)
    a, b = fit_ets(y, "AAdN"), fit_ets(1e6 * y - 4e7, "AAdN")
    assert np.allclose(a.weights, b.weights, atol=1e-6)
    assert np.allclose(b.forecast(6)[0], 1e6 * a.forecast(6)[0] - 4e7, rtol=1e-9)


def test_the_season_is_chosen_where_there_is_one():
    t = np.arange(48)
    assert select_ets(np.cos(t * np.pi / 6) + 0.01 * np.random.default_rng(0).normal(size=48)).form[-1] == "A"
    assert select_ets(np.random.default_rng(0).normal(size=48)).form == "ANN"


def test_a_jump_in_the_last_month_is_no_trend():
    for seed in (0, 7, 10):
        y = 10 + np.cumsum(0.02 + 0.03 * np.random.default_rng(seed).normal(size=40))
        y[-1] += np.log(10_000)         # another unit
        assert fit_ets(y, "AAdN").forecast(12)[0].max() < y[-1] + 1
