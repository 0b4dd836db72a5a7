"""The calendar's effects: found where planted, nothing where there are none, foreseen in the months ahead."""

import numpy as np
import pandas as pd
import pytest

from ebank_lib.events import calendar_regressors
from ebank_lib.forecasting import forecast
from ebank_lib.forecasting.calendar import drawn_to, fit_calendar

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


def test_regression_with_arma_errors_uses_what_there_is_to_regress_on():
    y = np.exp(pd.Series(walk(5, 0.01) + effects(MONTHS, end=0.4), MONTHS))
    f = forecast(y, models=("regarma", "snaive"), calendar="china")
    rise = np.log(f.block("regarma")["y_hat"].to_numpy())
    assert f.failures.empty and rise[3] - (rise[2] + rise[4]) / 2 > 0.2        # December against its neighbours
    g = forecast(y, models=("regarma", "snaive"))
    assert list(g.failures["model"]) == ["regarma"] and "nothing to regress on" in g.failures["reason"].iloc[0]


@pytest.mark.parametrize("estimate, se, mean, sd, between", [
    (1.0, 0.1, 0.0, 0.1, 0.5), (2.0, 1e-15, 0.0, 0.1, 2.0), (2.0, 0.1, 1.0, 0.0, 1.0), (2.0, 0.3, 1.0, 0.1, 1.1)])
def test_an_estimate_is_drawn_by_precision(estimate, se, mean, sd, between):
    assert np.isclose(drawn_to(estimate, se, mean, sd), between)
