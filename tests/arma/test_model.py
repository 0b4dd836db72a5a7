"""One fitted model: what it reports agrees with what it is."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from ebank_lib.arma import fit_arma, select_order
from ebank_lib.arma.inference import profile_of
from ebank_lib.errors import SeriesError


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
    theirs = model.to_statsmodels()
    assert theirs.llf == pytest.approx(model.loglik, abs=1e-6)
    np.testing.assert_allclose(theirs.standardized_forecasts_error[0] * np.sqrt(model.sigma2), model.resid, atol=1e-6)
    ahead = theirs.get_forecast(8, exog=np.ones((8, 1)))
    got = model.forecast(8, level=90, sigma2="ml")
    np.testing.assert_allclose(got["y_hat"], ahead.predicted_mean, rtol=1e-8)
    np.testing.assert_allclose((got["hi-90"] - got["y_hat"]) / norm.ppf(0.95), ahead.se_mean, rtol=1e-6)


def test_weights(model):
    ar, ma = model.params[["ar1", "ma1"]]
    np.testing.assert_allclose(model.psi_weights(4), [1, ar + ma, ar * (ar + ma), ar**2 * (ar + ma)])
    np.testing.assert_allclose(model.pi_weights(3), [1, -(ar + ma), ma * (ar + ma)])
    assert model.roots()["modulus"].tolist() == pytest.approx([ar, ma])
    # the spectrum integrates to the variance
    spectrum = model.spectrum(4001)
    variance = 2 * np.trapezoid(spectrum, spectrum.index) * 2 * np.pi
    assert variance == pytest.approx(model.sigma2 * (1 + (ar + ma) ** 2 / (1 - ar**2)), rel=1e-4)


@pytest.mark.parametrize("innovations", ["normal", "resampled"])
def test_paths_have_the_forecasts_moments(model, innovations):
    paths = model.simulate(40_000, 6, seed=3, innovations=innovations)
    fc = model.forecast(6, level=95)
    se = (fc["hi-95"] - fc["y_hat"]) / norm.ppf(0.975)
    np.testing.assert_allclose(paths.mean(axis=1), fc["y_hat"], atol=0.03)
    np.testing.assert_allclose(paths.std(axis=1), se, rtol=0.02)
    pd.testing.assert_frame_equal(paths, model.simulate(40_000, 6, seed=3, innovations=innovations))


def test_parameter_uncertainty_widens(model):
    plain, wide = model.forecast(6, level=95), model.forecast(6, level=95, parameters=True)
    assert (wide["hi-95"] > plain["hi-95"]).all()
    far = model.forecast(400, level=95, parameters=True, sigma2="ml").iloc[-1]
    total = ((far["hi-95"] - far["y_hat"]) / norm.ppf(0.975)) ** 2
    variance = model.sigma2 * (1 + model.params[["ar1", "ma1"]].sum() ** 2 / (1 - model.params["ar1"] ** 2))
    assert total == pytest.approx(variance + model.std_errors["mean"] ** 2, rel=1e-3)


def test_profile_reaches_the_chi_square_limit(model):
    for term in ("ar1", "ma1", "mean"):
        interval = model.profile(term)
        assert interval["lower"] < model.params[term] < interval["upper"]
        drop = profile_of(model, term)
        for end in ("lower", "upper"):
            assert drop(interval[end]) - model.optimum.value == pytest.approx(3.841459 / 2, abs=1e-3)


def test_no_standard_error_at_the_boundary_and_why():
    rng = np.random.default_rng(3)
    over_differenced = fit_arma(np.diff(rng.standard_normal(61)), (0, 0, 1), trend="n")
    assert over_differenced.std_errors.isna().all()
    assert "unit circle" in over_differenced.std_errors_note("en")
    assert over_differenced.roots()["modulus"].iloc[0] == pytest.approx(1, abs=1e-3)


def test_tables_and_equation(model):
    assert list(model.tidy().columns) == ["term", "estimate", "std_error", "statistic", "p_value"]
    assert model.glance()["aicc"].item() == pytest.approx(model.aic + 2 * 4 * 5 / (120 - 5))
    augmented = model.augment()
    assert len(augmented) == 120 and augmented["fitted"].notna().all()
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
    chosen = select_order(np.diff(rng.standard_normal(61)), 2, 2, d=0)
    assert chosen.raw_order == (0, 0, 1) and chosen.order != chosen.raw_order
    row = chosen.table.query("p == 0 and q == 1").iloc[0]
    assert row["near_unit"] and not row["regular"] and row["rank"] == 1
    assert "passed over" in chosen.why("en")


def test_regressor_and_drift_are_found():
    rng = np.random.default_rng(5)
    x = (np.arange(96) % 12 == 1).astype(float)
    months = pd.period_range("2003-01", periods=96, freq="M")
    y = pd.Series(np.cumsum(3 + rng.standard_normal(96)) + 20 * x, index=months)
    chosen = select_order(y, 1, 1, d=1, exog=pd.DataFrame({"festival": x}, index=y.index))
    assert chosen.trend == "ct"
    assert chosen.best.params["festival"] == pytest.approx(20, abs=1.5)
    assert chosen.best.params["drift"] == pytest.approx(3, abs=0.5)


def seasonal_series(n=72):
    rng = np.random.default_rng(6)
    wave = 8 * np.sin(2 * np.pi * np.arange(n) / 12)
    return pd.Series(wave + rng.standard_normal(n), index=pd.period_range("2003-01", periods=n, freq="M"), name="y")


def test_seasonal_differencing_is_chosen_where_asked():
    strong, none = seasonal_series(), seasonal_series() * 0 + np.random.default_rng(1).standard_normal(72)
    assert select_order(strong, 1, 1, seasonal_order=(0, None, 1, 12)).seasonal_order == (0, 1, 1, 12)
    assert select_order(strong, 1, 1, seasonal_order=(0, None, 1, 12)).order[1] == 0  # of what is left
    assert select_order(none, 1, 1, seasonal_order=(1, None, 0, 12)).seasonal_order == (1, 0, 0, 12)
    assert select_order(none, 1, 1, seasonal_order=(0, None, 0, 12)).seasonal_order == (0, 0, 0, 1)
    given = select_order(strong, 1, 1, seasonal_order=(0, 1, 1, 12), d=0)
    asked = select_order(strong, 1, 1, seasonal_order=(0, None, 1, 12), d=0)
    pd.testing.assert_frame_equal(given.table, asked.table)


@pytest.mark.parametrize("wrong", [(0, None, 0, 1), (0, None, 0, None), (0, None, 0), (3, None, 0, 12)])
def test_a_season_that_is_none(wrong):
    with pytest.raises(SeriesError):
        select_order(seasonal_series(), 1, 1, seasonal_order=wrong)


def test_rivals_are_the_choice_the_near_and_what_was_passed_over():
    rng = np.random.default_rng(3)
    chosen = select_order(np.diff(rng.standard_normal(61)), 2, 2, d=0)
    text = chosen.rivals()._repr_html_()
    assert text.count("<tr>") == 1 + len(chosen.near) + 1
