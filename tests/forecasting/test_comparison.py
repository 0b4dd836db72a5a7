"""Tests of a difference in accuracy: parity with other software, honest size, hypotheses said."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.forecasting import backtest, compare, diebold_mariano, giacomini_white

from .test_forecast import growth

A = [2.1, 2.4, 3.3, 2.9, 2.7, 1.8, 1.2, 0.9, 1.1, 1.5, 3.1, 3.6]
B = [1.9, 1.7, 2.4, 2.2, 2.1, 1.9, 1.6, 1.1, 1.5, 1.8, 2.2, 2.4]
# Autocovariances of these differences add up to less than nothing, so Bartlett's weights are used.
C = [2.1, 1.4, 3.3, 0.9, 2.7, 1.8, 2.2, 3.9, 1.1, 2.5, 3.1, 1.6]
D = [1.9, 1.7, 2.4, 1.2, 2.1, 1.3, 2.6, 2.8, 1.5, 1.8, 2.2, 1.4]


def overlapping(rng, n, horizon):
    return np.convolve(rng.normal(size=n + horizon - 1), np.ones(horizon), "valid")


@pytest.mark.parametrize("a, b, horizon, variance, statistic, p", [
    (A, B, 1, "autocovariances", 1.8922746461174826, 0.08505470673792274),
    (A, B, 2, "autocovariances", 1.1925502345338261, 0.2581358094804761),
    (A, B, 3, "autocovariances", 1.0834465803726254, 0.3017872398757726),
    (C, D, 2, "bartlett", 2.9198855723550885, 0.013940337556630893),
    (C, D, 3, "autocovariances", 4.632243543984245, 0.0007257507391198148)])
def test_as_the_package_dieboldmariano_says(a, b, horizon, variance, statistic, p):
    """Version 1.1.0 of that package, itself tested against forecast::dm.test of R."""
    found = diebold_mariano(a, b, horizon)
    assert found.variance == variance and found.distribution == "t(11)"
    assert np.isclose(found.statistic, statistic) and np.isclose(found.p_value, p)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("horizon", [1, 2, 4])
def test_as_a_regression_on_a_constant_with_robust_errors(seed, horizon):
    d = overlapping(np.random.default_rng(seed), 30, horizon) + 0.5
    found = diebold_mariano(d, np.zeros(30), horizon)
    kernel = "uniform" if found.variance == "autocovariances" else "bartlett"
    fit = sm.OLS(d, np.ones(30)).fit(cov_type="HAC", cov_kwds={"maxlags": horizon - 1, "kernel": kernel})
    factor = np.sqrt((31 - 2 * horizon + horizon * (horizon - 1) / 30) / 30)
    assert np.isclose(found.statistic, factor * fit.tvalues[0])


def test_the_conditional_test_is_n_r2_of_its_regression():
    rng = np.random.default_rng(0)
    d = rng.normal(size=40)
    found = giacomini_white(d, np.zeros(40))
    z = np.column_stack([np.ones(39), d[:-1]]) * d[1:, None]
    fit = sm.OLS(np.ones(39), z).fit()
    assert found.n == 39 and np.isclose(found.statistic, 39 * fit.rsquared)


def test_the_conditional_test_finds_what_the_mean_hides():
    """Better and worse by turns for long: equal on average, yet foretold by the last difference."""
    d = np.repeat([1.0, -1.0, 1.0, -1.0], 15) + 0.3 * np.random.default_rng(0).normal(size=60)
    assert diebold_mariano(d, np.zeros(60)).p_value > 0.3
    assert giacomini_white(d, np.zeros(60)).p_value < 0.001


@given(st.lists(st.floats(0, 100), min_size=8, max_size=30), st.integers(1, 7), st.integers(0, 99))
def test_changing_sides_changes_the_sign_only(losses, horizon, seed):
    other = np.random.default_rng(seed).uniform(0, 100, len(losses))
    one, two = diebold_mariano(losses, other, horizon), diebold_mariano(other, losses, horizon)
    assert np.isclose(one.statistic, -two.statistic) and np.isclose(one.p_value, two.p_value)
    less = diebold_mariano(losses, other, horizon, "less").p_value
    more = diebold_mariano(losses, other, horizon, "greater").p_value
    assert np.isclose(less + more, 1) and np.isclose(2 * min(less, more), one.p_value)
    assert one.variance in ("autocovariances", "bartlett") and 0 <= one.p_value <= 1


@pytest.mark.parametrize("n, horizon", [(12, 1), (12, 3), (24, 6)])
def test_equal_methods_are_called_different_about_as_often_as_promised(n, horizon):
    """Overlapping losses of equal methods: by cosines close to one in twenty (measured 5.4 to 5.7 per cent)."""
    rng = np.random.default_rng(0)
    p = [diebold_mariano(overlapping(rng, n, horizon), np.zeros(n), horizon, variance="cosines").p_value
         for _ in range(1500)]
    assert np.mean(np.array(p) < 0.05) < 0.075


def test_nothing_to_test_is_said_not_guessed():
    same = diebold_mariano(A, A)
    few = diebold_mariano(A[:7], B[:7])
    assert np.isnan(same.p_value) and same.reason == "the losses never differ"
    assert np.isnan(few.p_value) and "found 7; expected at least 8" in few.reason
    assert "expected at least 13" in diebold_mariano(A, B, 12).reason
    with pytest.raises(SeriesError, match="same origins"):
        diebold_mariano(A, B[:-1])
    with pytest.raises(SeriesError, match="not finite"):
        diebold_mariano(A, [*B[:-1], np.nan])
    with pytest.raises(UnknownNameError, match="two-sided"):
        diebold_mariano(A, B, alternative="both")


@pytest.fixture(scope="module")
def tested():
    return backtest(growth(), ("theta", "drift"), kind="flow")


def test_a_comparison_states_its_hypotheses_and_pairs(tested):
    c = compare(tested)
    assert c.table["other"].tolist() == ["drift", "snaive"] and (c.table["horizon"] == 3).all()
    assert c.null and c.alternative and "原假设" in c.to_html("zh") and "Null" in c.to_html("en")
    scores = tested.scored().assign(loss=lambda t: (t["y"] - t["y_hat"]).abs() / t["scale"])
    mean = scores[scores["horizon"] <= 3].groupby("model")["loss"].mean()
    assert np.allclose(c.table["difference"], mean["theta"] - mean[["drift", "snaive"]].to_numpy())
    assert all(("偶然" in s) or ("无从" in s) for s in c.reading("zh").split("。")[:-1])


def test_one_pair_other_losses_and_the_conditional_test(tested):
    for loss in ("squared", "crps"):
        assert len(compare(tested, "drift", "snaive", loss=loss, horizon=1).table) == 1
    assert compare(tested, test="gw").table["n"].eq(9).all()
    assert "told" in compare(tested, test="gw").reading("en")
    with pytest.raises(UnknownNameError, match="theta"):
        compare(tested, other="thetta")
    with pytest.raises(UnknownNameError, match="absolute"):
        compare(tested, loss="linear")
