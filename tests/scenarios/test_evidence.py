"""Saturation: curves of known ceiling are recovered, growth without an end has none, a share stays below 100%."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit

from ebank_lib.errors import SeriesError
from ebank_lib.scenarios.evidence import saturation

MONTHS = pd.period_range("2005-01", periods=72, freq="M")
T = np.arange(72) / 12


def noisy(y, seed=0, sd=0.01):
    return pd.Series(y * np.exp(sd * np.random.default_rng(seed).standard_normal(len(y))), index=MONTHS[: len(y)])


CURVES = {"logistic": 5000 / (1 + np.exp(-1.5 * (T - 2.5))), "gompertz": 5000 * np.exp(-4 * np.exp(-0.8 * T)),
          "exponential": 100 * np.exp(0.4 * T)}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("seed", range(3))
def test_the_curve_that_made_the_series_is_found(name, seed):
    got = saturation(noisy(CURVES[name], seed))
    assert got.model == name
    assert np.isinf(got.ceiling) if name == "exponential" else abs(got.ceiling / 5000 - 1) < 0.05


@pytest.mark.parametrize("name", ["logistic", "gompertz"])
def test_the_fit_is_that_of_scipy_on_the_same_criterion(name):
    def curve(t, a, b, c):
        return a - np.log1p(np.exp(-c * (t - b))) if name == "logistic" else a - b * np.exp(-c * t)

    y = noisy(CURVES[name], 4)
    p, _ = curve_fit(curve, T, np.log(y), p0=[np.log(5000), 2.5, 1.0], maxfev=10_000)
    rss = ((np.log(y) - curve(T, *p)) ** 2).sum()
    row = saturation(y).table.set_index("model").loc[name]
    assert np.isclose(row["ceiling"], np.exp(p[0]), rtol=1e-3)
    assert np.isclose(row["aicc"], 72 * np.log(rss / 72) + 8 + 2 * 4 * 5 / (72 - 5), atol=1e-3)


def test_growth_without_an_end_has_three_parameters_with_its_variance_and_its_error_on_what_was_held_out():
    y = noisy(CURVES["exponential"], 4)
    row, z = saturation(y).table.set_index("model").loc["exponential"], np.log(y.to_numpy())
    rss = ((z - np.polyval(np.polyfit(T, z, 1), T)) ** 2).sum()
    assert np.isclose(row["aicc"], 72 * np.log(rss / 72) + 6 + 2 * 3 * 4 / (72 - 4))
    early = np.polyfit(T[:60], z[:60], 1)
    assert np.isclose(row["rmse_12"], np.sqrt(((z[60:] - np.polyval(early, T[60:])) ** 2).mean()))


def test_missing_months_keep_their_place_on_the_way():
    whole = noisy(CURVES["logistic"], 1, sd=0.0)
    assert np.isclose(saturation(whole.drop(whole.index[[3, 20, 21]])).ceiling, 5000, rtol=1e-3)


def test_a_share_never_has_a_ceiling_above_one():
    growing = noisy(np.linspace(0.3, 0.97, 72))
    assert saturation(growing, ratio=True).ceiling <= 1
    assert (saturation(growing, ratio=True).table["ceiling"].iloc[:2] <= 1).all()


@pytest.mark.parametrize("y", [pd.Series(np.arange(1.0, 20.0)), pd.Series(np.zeros(60)), pd.Series(dtype=float)])
def test_too_little_is_said(y):
    with pytest.raises(SeriesError, match="too short or not positive: no curve of growth can be told.*at least 30"):
        saturation(y)
