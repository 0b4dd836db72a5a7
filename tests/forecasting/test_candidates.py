"""Each method against its formula, the combination's weights by hand, the shape of errors: quantiles, draws, limits."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from statsmodels.tsa.arima_process import arma2ma

from ebank_lib.arma import fit_arma
from ebank_lib.arma.levels import shock_weights, state_space
from ebank_lib.errors import SeriesError
from ebank_lib.forecasting import candidates, forecast
from ebank_lib.forecasting.calendar import CalendarEffect, growth_evidence
from ebank_lib.forecasting.candidates import (
    CANDIDATES,
    GAUSSIAN,
    MEMBERS,
    PROBS,
    ErrorShape,
    centred,
    near_quantiles,
    panel_shape,
    panel_weights,
    predict,
    run_models,
    shape_of,
)
from ebank_lib.forecasting.ets import FORMS, fit_ets, select_ets
from ebank_lib.forecasting.series import Work, prepare

from .test_forecast import growth, monthly

FIRST = pd.Period("2008-01", "M").ordinal


def work_of(z, **more):
    z = np.asarray(z, dtype=float)
    return Work(z, z, FIRST, **more)


Z = np.random.default_rng(7).normal(size=40).cumsum() + np.sin(np.arange(40) * np.pi / 6)


def test_last_year_s_month_and_its_errors():
    found = predict("snaive", work_of(Z), 14)
    change = Z[12:] - Z[:-12]
    lag1 = np.clip(np.sum(change[1:] * change[:-1]) / (change.size - 1) / np.mean(change**2), 0, 0.95)
    assert np.array_equal(found.mean, [*Z[-12:], *Z[-12:-10]])
    assert np.allclose(found.cov[0, :12], np.mean(change**2) * lag1 ** np.arange(12))
    # 13 months ahead two yearly changes add up, that of the same month last year and one twelve months apart
    assert np.isclose(found.cov[12, 12], np.mean(change**2) * (2 + 2 * lag1**12))


@pytest.mark.parametrize("lasts", [None, 0.9, -3.0])
def test_last_year_s_month_plus_the_share_of_the_growth_that_lasts(lasts):
    found = predict("snaive_drift", work_of(Z, lasts=lasts), 26)
    change = Z[12:] - Z[:-12]
    prior, pull, sure = growth_evidence(Z)
    share = (1 + np.clip((pull + prior) / (sure + 1) if lasts is None else lasts, -1, 1)) / 2
    assert np.allclose(found.mean, np.tile(Z[-12:], 3)[:26] + share * change[-12:].mean() * (np.arange(26) // 12 + 1))
    missed = [change[n] - change[n - 12: n].mean() * share for n in range(12, change.size)]
    assert np.isclose(found.cov[0, 0], np.mean(np.square(missed)))


def test_what_has_grown_evenly_goes_on_and_what_stands_still_after_a_jump_does_not():
    t = np.arange(60.0)
    even, once = 0.03 * t + np.sin(t * np.pi / 6), np.where(t < 30, 0.0, 1.0)
    assert np.allclose(predict("snaive_drift", work_of(even), 12).mean, even[-12:] + 12 * 0.03)
    assert np.allclose(predict("snaive_drift", work_of(once + 0.01 * np.cos(t)), 12).mean, 1, atol=0.02)


def test_evidence_of_growth_by_hand():
    prior, pull, sure = growth_evidence(Z)
    change = Z[12:] - Z[:-12]
    half = [change[k - 12: k].mean() / 2 for k in (16, 20, 24)]
    left = [change[k:] - u for k, u in zip((16, 20, 24), half, strict=True)]
    noise = sum(np.mean(e**2) for e in left)
    assert np.isclose(prior, change.mean() ** 4 / np.mean(change**2) ** 2)
    assert np.isclose(pull, sum(u * e.mean() for u, e in zip(half, left, strict=True)) / noise)
    assert np.isclose(sure, np.sum(np.square(half)) / noise)
    assert growth_evidence(Z[:24])[1:] == (0.0, 0.0) and growth_evidence(np.zeros(40)) == (0.0, 0.0, 0.0)


def test_a_straight_line_and_the_last_month_with_what_is_not_known_of_them():
    h, steps = np.arange(1, 5), np.diff(Z)
    line, last = predict("drift", work_of(Z), 4), predict("naive", work_of(Z), 4)
    assert np.allclose(line.mean, Z[-1] + h * steps.mean())
    assert np.allclose(line.sd**2, steps.var(ddof=1) * (h + h**2 / steps.size))
    assert np.isclose(line.cov[0, 3], steps.var(ddof=1) * (1 + 4 / steps.size))
    # the variance of Student's t with as many degrees as there are changes less one
    assert np.allclose(last.mean, Z[-1]) and np.allclose(last.sd**2, np.mean(steps**2) * 38 / 36 * h)
    assert np.isclose(predict("naive", work_of(Z[:3]), 1).cov[0, 0], 4 * np.mean(steps[:2] ** 2))


def test_theta_is_simple_smoothing_plus_half_the_straight_trend():
    work = work_of(Z[:24])          # too short for a season
    found, fit = predict("theta", work, 3), fit_ets(Z[:24], "ANN")
    alpha, slope = fit.weights[0], np.polyfit(np.arange(24), Z[:24], 1)[0]
    lead = np.arange(3) + (1 - (1 - alpha) ** 24) / alpha
    assert np.allclose(found.mean, fit.last[0] + slope / 2 * lead)
    assert np.allclose(found.sd**2, fit.sigma2 * (1 + np.arange(3) * alpha**2))
    taught = [predict("theta", work_of(Z[:24], lasts=lasts), 3).mean for lasts in (-1.0, 0.5, 1.2)]
    shares = (taught - fit.last[0]) / (slope * lead)
    assert np.allclose(shares.T, [0.5, (1 + 0.5**6) / 2, 1.0])


def test_exponential_smoothing_of_a_panel_s_series_leaves_the_season_that_was_found():
    t = np.arange(48)
    wave = 3 * np.cos(2 * np.pi * t / 12) + 0.1 * np.random.default_rng(0).normal(size=48)
    alone, short, taught = work_of(wave), work_of(wave[:26], lasts=0.5), work_of(wave, lasts=0.5)
    assert taught.season.kept > 0.9 and not short.season.kept
    for work in (alone, short):
        assert np.allclose(predict("ets", work, 12).mean, select_ets(work.values).forecast(12)[0])
    ahead = select_ets(taught.adjusted, FORMS[:3]).forecast(12)[0] + taught.season_ahead(12)
    assert np.allclose(predict("ets", taught, 12).mean, ahead)


def test_damped_smoothing_is_of_the_series_less_its_season():
    t = np.arange(48)
    season = np.cos(2 * np.pi * t / 12)
    work = work_of(0.1 * t + 3 * season + 0.01 * np.random.default_rng(0).normal(size=48))
    found, fit = predict("damped", work, 12), fit_ets(work.adjusted, "AAdN")
    assert work.season.kept > 0.99
    assert np.allclose(found.mean, fit.forecast(12)[0] + work.season_ahead(12))
    assert np.allclose(work.season_ahead(12), 3 * season[:12], atol=0.05)


@pytest.mark.parametrize("ar, ma, lags", [((0.5, -0.2), (0.4,), []), ((), (0.3, 0.2), [1]), ((0.7,), (), [1, 1]),
                                          ((0.3,), (0.4,), [1, 12])])
def test_weights_of_past_shocks_are_those_of_statsmodels(ar, ma, lags):
    differences = np.ones(1)
    for lag in lags:
        differences = np.convolve(differences, [1, *np.zeros(lag - 1), -1])
    psi = shock_weights(state_space(np.array(ar), np.array(ma), -differences[1:]), 15)
    assert np.allclose(psi, arma2ma(np.convolve([1.0, *(-np.array(ar))], differences), [1.0, *ma], 15))


@pytest.mark.parametrize("order, name", [((1, 1, 1), "ARIMA(1,1,1)"),
                                         (((0, 1, 1), (0, 1, 1)), "ARIMA(0,1,1)(0,1,1)[12]")])
def test_a_stated_order_is_the_fitted_model_on_the_modelling_scale(order, name):
    y = growth(n=60)
    f, model = forecast(y, models=[order], kind="flow", level=95), fit_arma(np.log(y), *(
        order if len(order) == 2 else (order,)))
    exact = np.exp(model.forecast(12, 95))
    assert f.models == (name,) and model.name() == name
    assert np.allclose(f.table["y_hat"], exact["y_hat"], rtol=1e-6)
    assert np.allclose(f.table[["lo-95", "hi-95"]], exact[["lo-95", "hi-95"]], rtol=1e-4)     # of 1000 points


def test_an_order_that_cannot_be_is_refused_by_what_is_wrong_with_it():
    for order, wrong in (((1, 3, 1), "d out of range"), ((1, 1), "holds 3"), (((1, 1, 1), (1, 2, 0)), "D out of")):
        with pytest.raises(SeriesError, match=wrong):
            forecast(growth(), models=[order])


def test_the_calendar_comes_back_on_the_months_ahead_but_to_what_saw_it():
    added = CalendarEffect("china", used=np.array([0.3, 0.1, 0.2, 0.1]))
    for name, seen in (("drift", False), ("snaive", True)):
        plain, with_all = predict(name, work_of(Z), 3), predict(name, work_of(Z, calendar=added), 3)
        assert np.allclose(with_all.mean - plain.mean, 0 if seen else added.between(FIRST + 40, 3))
        assert np.array_equal(with_all.cov, plain.cov)


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_month_too_few_is_said(name):
    least = CANDIDATES[name][1]
    with pytest.raises(SeriesError, match=f"too few months for this method; found {least - 1}; .* least {least}"):
        predict(name, work_of(Z[: least - 1]), 1)


def test_the_combination_is_a_quarter_equal_and_the_rest_by_inverse_squared_late_errors():
    ready = prepare(growth(5), "flow")
    parts = run_models(ready, 12, ("combination", *MEMBERS))[0]
    error = []
    for m in MEMBERS:
        said = [np.abs(predict(m, ready.work.until(back), back).mean - ready.work.plain[-back:]).mean()
                for back in (12, 8, 4)]
        error.append(np.mean(said))
    own = 1 / np.square(error)
    weights = 0.25 / 4 + 0.75 * own / own.sum()
    members = [parts[m] for m in MEMBERS]
    assert np.allclose(parts["combination"].mean, sum(w * p.mean for w, p in zip(weights, members, strict=True)))
    cov = sum(w * p.cov for w, p in zip(weights, members, strict=True))
    late = [np.mean(sum(w * (predict(m, ready.work.until(back), back).mean - ready.work.plain[-back:])
                        for w, m in zip(weights, MEMBERS, strict=True)) ** 2) for back in (12, 8, 4)]
    spread = np.exp(-0.3) * np.diag(cov) ** 0.42 * np.sqrt(np.mean(late)) ** 0.09 * np.arange(1, 13) ** 0.09
    assert np.allclose(parts["combination"].sd, spread)
    sd = np.sqrt(np.diag(cov))
    assert np.allclose(parts["combination"].cov / np.outer(spread, spread), cov / np.outer(sd, sd))
    assert parts["combination"].weights == {m: round(w, 2) for m, w in zip(MEMBERS, weights, strict=True)}


def test_a_panels_weights_are_those_that_would_have_missed_least_in_all_branches_together():
    """Against a fine grid of all weights; and where one member alone is right, it gets all that is not equal."""
    works = [prepare(growth(seed, n=60), "flow").work for seed in range(6)]
    weights = panel_weights(works)
    missed = [np.array([predict(m, work.until(12), 12).mean for m in MEMBERS]) - work.plain[-12:] for work in works]
    power = sum(e @ e.T / (e**2).sum() for e in missed)
    grid = [np.array(w) / 20 for w in itertools.product(range(21), repeat=4) if sum(w) == 20]
    best = (weights - 1 / 16) / 0.75
    assert np.isclose(weights.sum(), 1) and best.min() >= -1e-9
    assert best @ power @ best <= min(w @ power @ w for w in grid) + 1e-9
    line = [prepare(monthly(100 * np.exp(0.01 * k * np.arange(60))), "flow").work for k in range(1, 6)]
    assert panel_weights(works[:3]) is None and panel_weights([work.until(33) for work in works]) is None
    assert panel_weights(line)[MEMBERS.index("theta")] < 0.1      # which halves what goes on


def test_a_panels_weights_are_used_and_said():
    ready = prepare(growth(5, n=60), "flow")
    work = replace(ready.work, weights=np.array([0.4, 0.3, 0.2, 0.1]))
    assert np.allclose(candidates._weights(work, MEMBERS)[0], [0.4, 0.3, 0.2, 0.1])
    assert np.allclose(candidates._weights(work, ("ets", "damped"))[0], [2 / 3, 1 / 3])
    for models, panel, said in ((("combination",), work, True), (("combination",), ready.work, False),
                                (("theta",), work, False)):        # a single method weighs nothing
        notes = run_models(replace(ready, work=panel), 6, models)[2]
        assert (("forecasting.weights_panel", {}) in notes) == said


def test_with_too_few_late_months_weights_are_equal_and_one_origin_is_enough():
    parts = run_models(prepare(growth(5, n=27), "flow"), 6, ("combination",))[0]
    assert parts["combination"].weights == dict.fromkeys(MEMBERS, 0.25)
    ready = prepare(growth(5, n=28), "flow")
    error = [np.abs(predict(m, ready.work.until(4), 4).mean - ready.work.plain[-4:]).mean() for m in MEMBERS]
    own = 1 / np.square(error)
    weights = run_models(ready, 6, ("combination",))[0]["combination"].weights
    assert weights == {m: round(w, 2) for m, w in zip(MEMBERS, 0.25 / 4 + 0.75 * own / own.sum(), strict=True)}


def test_what_cannot_be_used_says_why_and_something_stands_in():
    short = prepare(growth(1, n=12), "flow")
    parts, reasons, notes = run_models(short, 3, ("combination", "snaive", "arma"))
    assert list(parts) == ["combination", "arma"] and "expected at least 13" in reasons["snaive"]
    assert notes == (("forecasting.members_missing", {"members": ["snaive_drift"]}),)
    parts, reasons, notes = run_models(prepare(growth(1, n=5), "flow"), 3, ("combination", "snaive"))
    assert list(parts) == ["naive"] and notes == (("forecasting.fallback", {"n": 5}),)
    assert "expected at least 10" in reasons["combination"] and set(reasons) == {"combination", "snaive"}
    parts, reasons, notes = run_models(prepare(monthly(np.full(9, 3.0))), 2, ("ets", "snaive"))
    assert [p.mean.tolist() for p in parts.values()] == [[3.0, 3.0]] * 2 and not reasons
    assert notes == (("forecasting.constant", {}),) and not parts["ets"].cov.any()


def test_quantiles_of_neighbouring_months_by_hand():
    errors = np.full((3, 9), np.nan)
    errors[:, 0], errors[0, 3], errors[:, 8] = (-1.0, 0.0, 2.0), 4.0, 99.0
    # a month and three on each side: -1, 0, 2 and, of the first row, 4; each stands in the middle of its weight
    found = near_quantiles(errors, 0, np.array([1.0, 2.0, 1.0]))
    values, weights = np.array([-1.0, 0.0, 2.0, 4.0]), np.array([1.0, 2.0, 1.0, 1.0])
    assert np.allclose(found, np.interp(PROBS, (np.cumsum(weights) - weights / 2) / 5, values))
    assert near_quantiles(errors[:, 1:2], 0, np.ones(3)) is None


def quantile(shape, p, horizon):
    return shape.warp(np.full((1, horizon), norm.ppf(p)))[0]


def test_draws_take_the_shape_month_by_month_and_go_on_straight_beyond_it():
    probs = np.array([0.1, 0.5, 0.9])
    shape = ErrorShape(probs, np.array([[-2.0, 0.0, 1.0], [-4.0, 0.5, 3.0]]))
    z = norm.ppf(0.9)
    shocks = np.array([[0.0, 0.0, z], [-z, -2 * z, 2 * z], [z / 2, z, 0.0]])
    assert np.allclose(shape.warp(shocks), [[0.0, 0.5, 3.0], [-2.0, -8.5, 5.5], [0.5, 3.0, 0.5]])
    assert np.allclose(quantile(shape, 0.1, 3), [-2.0, -4.0, -4.0])
    assert np.array_equal(GAUSSIAN.warp(shocks), shocks)


def test_a_panel_counts_its_branches_against_fifteen_and_each_branch_once():
    shipped = shape_of("combination")
    errors = [np.full((3, 12), 2.0), np.full((1, 12), -1.0), np.full((3, 12), np.nan)]
    own = panel_shape(errors, ["a", "b", "c"], shipped)
    alone = centred(near_quantiles(np.vstack(errors[:2]), 0, np.array([1 / 3] * 3 + [1.0])))
    assert own.branches == 2 and np.allclose(own.quantiles[0], (15 * shipped.quantiles[0] + 2 * alone) / 17)
    assert own.common == shipped.common


def test_the_shipped_shape_is_in_order_and_centred():
    shape = shape_of("combination")
    assert shape.quantiles.shape == (12, 15)
    assert (pd.DataFrame(shape.quantiles).diff(axis=1).iloc[:, 1:] > 0).all().all()
    assert (quantile(shape, 0.5, 20) == 0).all()
    assert shape_of("snaive").probs is None


def errors(size, shift=0.0, branches=40):
    return [shift + size * np.random.default_rng(s).standard_normal((3, 12)) for s in range(branches)]


def test_limits_follow_what_the_branches_were_missed_by_and_the_centre_stays():
    shipped = shape_of("combination")

    def width(shape):
        return quantile(shape, 0.9, 12)[6] - quantile(shape, 0.1, 12)[6]

    calm, wild, low = (panel_shape(errors(*e), range(40), shipped) for e in ((0.3,), (3.0,), (1.0, 0.8)))
    assert width(calm) < 0.6 * width(shipped) < width(shipped) < 1.3 * width(shipped) < width(wild)
    assert quantile(low, 0.9, 12)[6] > quantile(shipped, 0.9, 12)[6] and quantile(low, 0.1, 12)[6] > -1
    assert not any(quantile(shape, 0.5, 12).any() for shape in (calm, wild, low))
    assert low.branches == 40 and shipped.branches == 0


def test_few_branches_say_little_and_a_wild_one_does_not_speak_for_all():
    shipped = shape_of("combination")
    few = panel_shape(errors(0.2, branches=2), range(2), shipped)
    assert np.isclose(quantile(few, 0.9, 12)[6], quantile(shipped, 0.9, 12)[6], rtol=0.15)
    one_wild = panel_shape([*errors(1.0), 1e3 * errors(1.0)[0]], range(41), shipped)
    usual = panel_shape(errors(1.0), range(40), shipped)
    assert quantile(one_wild, 0.8, 12)[6] < 1.3 * quantile(usual, 0.8, 12)[6]
    assert panel_shape([], [], shipped) is shipped


def test_months_hang_together_more_than_the_model_says():
    shape = shape_of("combination")
    corr = shape.hanging_together(np.eye(3))
    assert np.allclose(np.diag(corr), 1) and np.allclose(corr[0, 1:], shape.common) and 0.1 < shape.common < 0.2
    assert np.array_equal(GAUSSIAN.hanging_together(np.eye(3)), np.eye(3))
