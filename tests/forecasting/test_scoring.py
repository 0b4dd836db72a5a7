"""CRPS against closed forms and numeric integration; the distribution is the one of the limits."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import quad
from utilsforecast import losses

from ebank_lib.forecasting import forecast
from ebank_lib.forecasting.scoring import crps, distribution

from .test_forecast import growth

TAU = (np.arange(400) + 0.5) / 400


@pytest.mark.parametrize("z", [-3.0, -1.0, 0.0, 0.4, 2.5])
def test_crps_of_the_normal_is_its_closed_form(z):
    """Gneiting & Raftery (2007), eq. 21."""
    exact = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi)
    assert np.isclose(crps(stats.norm.ppf(TAU)[:, None], [z])[0], exact, rtol=2e-3)


@pytest.mark.parametrize("law", [stats.lognorm(0.5), stats.t(4), stats.gamma(2)])
@pytest.mark.parametrize("y", [0.2, 1.0, 5.0])
def test_crps_is_the_integral_of_the_squared_error_of_probabilities(law, y):
    low, high = law.ppf(1e-9), law.ppf(1 - 1e-9)
    exact = (quad(lambda x: law.cdf(x) ** 2, low, y, limit=200)[0]
             + quad(lambda x: law.sf(x) ** 2, y, high, limit=200)[0])
    assert np.isclose(crps(law.ppf(TAU)[:, None], [y])[0], exact, rtol=6e-3)


def test_crps_is_twice_the_mean_quantile_loss_of_utilsforecast():
    points = np.sort(np.random.default_rng(0).gamma(2, size=(50, 3)), axis=0)
    y = np.array([0.5, 2.0, 9.0])
    tau = (np.arange(50) + 0.5) / 50
    names = [f"q{i}" for i in range(50)]
    frame = pd.DataFrame(points.T, columns=names).assign(unique_id=range(3), y=y)
    loss = losses.mqloss(frame, {"m": names}, tau)["m"]
    assert np.allclose(crps(points, y), 2 * loss)


def test_a_point_scores_its_absolute_error_and_a_missing_month_nothing():
    assert crps(np.full((400, 2), 3.0), [5.0, np.nan])[0] == pytest.approx(2.0)
    assert np.isnan(crps(np.full((400, 1), 3.0), [np.nan])[0])


@pytest.mark.parametrize("model", ["combination", "ets", "snaive"])
def test_the_distribution_is_the_one_of_the_limits(model):
    f = forecast(growth(2), models=(model,), kind="stock")
    points = distribution(f, points=4000)
    for column, q in (("lo-95", 0.025), ("lo-80", 0.1), ("y_hat", 0.5), ("hi-80", 0.9), ("hi-95", 0.975)):
        assert np.allclose(np.quantile(points, q, axis=0), f.block()[column], rtol=2e-3)
