"""One fitted model: what it reports agrees with what it is."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from ebank_lib.arma import fit_arma, select_order
from ebank_lib.arma.model import arch_lm, default_lag

from .oracles import as_statsmodels, innovations


@pytest.fixture(scope="module")
def y():
    rng = np.random.default_rng(11)
    a, y = rng.standard_normal(170), np.zeros(170)
    for i in range(1, 170):
        y[i] = 0.7 * y[i - 1] + a[i] + 0.4 * a[i - 1]
    return pd.Series(20 + y[50:], index=pd.period_range("2005-01", periods=120, freq="M"), name="y")


@pytest.fixture(scope="module")
def model(y):
    return fit_arma(y, (1, 0, 1))


def test_against_statsmodels(model):
    theirs = as_statsmodels(model)
    assert theirs.llf == pytest.approx(model.loglik, abs=1e-6)
    np.testing.assert_allclose(theirs.standardized_forecasts_error[0] * np.sqrt(model.sigma2), model.resid, atol=1e-6)
    forecast = theirs.get_forecast(8, exog=np.ones((8, 1)))
    got, spare = model.forecast(8, level=90), model.nobs - model.k + 1
    np.testing.assert_allclose(got["y_hat"], forecast.predicted_mean, rtol=1e-8)
    np.testing.assert_allclose((got["hi-90"] - got["y_hat"]) / norm.ppf(0.95),
                               forecast.se_mean * np.sqrt(model.nobs / spare), rtol=1e-6)
    np.testing.assert_allclose(got["y_hat"] - got["lo-90"], got["hi-90"] - got["y_hat"])


def test_roots(model):
    roots = model.roots()
    assert roots["part"].tolist() == ["ar", "ma"]
    assert roots["modulus"].tolist() == pytest.approx(model.params[["ar1", "ma1"]])
    assert roots["real"].tolist() == pytest.approx([model.params["ar1"], -model.params["ma1"]])
    assert roots["period"].tolist() == [np.inf, 2.0]


def test_no_standard_error_at_the_boundary_and_why():
    rng = np.random.default_rng(3)
    over_differenced = fit_arma(np.diff(rng.standard_normal(61)), (0, 0, 1), trend="n")
    assert over_differenced.std_errors.isna().all()
    assert "unit circle" in over_differenced.std_errors_note("en")
    assert over_differenced.roots()["modulus"].iloc[0] == pytest.approx(1, abs=1e-3)


def test_tables_and_equation(model):
    assert list(model.tidy().columns) == ["term", "estimate", "std_error", "statistic", "p_value"]
    assert model.criterion("aicc") == pytest.approx(model.criterion("aic") + 2 * 4 * 5 / (120 - 5))
    assert model._repr_latex_().startswith("$(1 - 0.") and "B)(y_t - " in model._repr_latex_()
    tests = model.tests(lang="en")
    assert tests["null"].tolist() == ["residuals are not autocorrelated", "residuals are normal",
                                      "residual variance is constant"]
    assert "0x" not in repr(model) and repr(model) == repr(fit_arma(model.y, (1, 0, 1)))


def test_selection_speaks_and_counts(y):
    chosen = select_order(y, 3, 3, d=0, criterion="bic")
    assert chosen.order in ((1, 0, 1), (1, 0, 0), (2, 0, 0))
    assert "BIC" in chosen.why("en") and chosen.why("zh").endswith("。")
    assert chosen.table["weight"].sum() == pytest.approx(1)
    assert chosen._repr_html_() == select_order(y, 3, 3, d=0, criterion="bic")._repr_html_()
    picks = chosen.selection_uncertainty(n=10, seed=1)
    assert picks["share"].sum() == pytest.approx(1) and picks["picks"].sum() == 10
    pd.testing.assert_frame_equal(picks, chosen.selection_uncertainty(n=10, seed=1))
    assert chosen.near.iloc[0][["p", "q"]].tolist() == [chosen.order[0], chosen.order[2]]


def test_passing_over_is_said():
    rng = np.random.default_rng(3)
    chosen = select_order(np.diff(rng.standard_normal(61)), 2, 2, d=0, seasonal=False)
    assert chosen.raw == (0, 1, 0, 0) and chosen.chosen != chosen.raw
    row = chosen.table.query("p == 0 and q == 1").iloc[0]
    assert row["near_unit"] and not row["regular"] and row["rank"] == 1
    assert "passed over" in chosen.why("en")


def test_regressor_and_drift_are_found():
    rng = np.random.default_rng(5)
    x = (np.arange(96) % 12 == 1).astype(float)
    months = pd.period_range("2003-01", periods=96, freq="M")
    y = pd.Series(np.cumsum(3 + rng.standard_normal(96)) + 20 * x, index=months)
    chosen = select_order(y, 1, 1, d=1, exog=pd.DataFrame({"festival": x}, index=y.index))
    assert chosen.design.trend == "ct"
    assert chosen.best.params["festival"] == pytest.approx(20, abs=1.5)
    assert chosen.best.params["drift"] == pytest.approx(3, abs=0.5)


def test_d_of_what_is_left_after_differencing_over_the_season():
    rng = np.random.default_rng(6)
    wave = 8 * np.sin(2 * np.pi * np.arange(72) / 12)
    y = pd.Series(wave + rng.standard_normal(72), index=pd.period_range("2003-01", periods=72, freq="M"))
    assert select_order(y, 1, 1, seasonal=(0, 1, 1)).order[1] == 0
    assert select_order(y.cumsum(), 1, 1, seasonal=(0, 1, 1)).order[1] == 1


def test_rivals_are_the_choice_the_near_and_what_was_passed_over():
    rng = np.random.default_rng(3)
    chosen = select_order(np.diff(rng.standard_normal(61)), 2, 2, d=0, seasonal=False)
    text = chosen.rivals()._repr_html_()
    assert text.count("<tr>") == 1 + len(chosen.near) + 1


def test_lags_of_the_residual_tests_and_squares_that_do_not_vary():
    assert [default_lag(n, 2, season) for n, season in ((44, 1), (44, 12), (200, 1), (200, 12), (8, 1))] == [
        8, 8, 10, 24, 5]
    assert arch_lm(np.tile([1.0, -1.0], 10), 2) == (0.0, 1.0)


def test_covariance_is_the_inverse_of_the_whole_hessian(model):
    """Of the log-likelihood by the Kalman filter, in the coefficients and the mean, sigma2 at its best."""
    y, n = model.y.to_numpy(), model.nobs

    def f(x):
        white, log_f = innovations(x[:1], x[1:2], y - x[2])
        return 0.5 * (n * np.log(np.mean(white**2)) + log_f)

    at, h = model.params.to_numpy(), np.array([1e-3, 1e-3, 1e-2])
    hessian = np.array([[sum(a * b * f(at + a * h * u + b * h * v) for a in (-1, 1) for b in (-1, 1)) / 4 / (h @ u)
                         / (h @ v) for u in np.eye(3)] for v in np.eye(3)])
    np.testing.assert_allclose(model._covariance[0], np.linalg.inv(hessian), rtol=0.01, atol=1e-5)
