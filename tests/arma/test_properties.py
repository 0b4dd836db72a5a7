"""What must hold of any series: checked on random parameters, data and gaps against the definition."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.linalg import toeplitz
from scipy.signal import lfilter

from ebank_lib.arma import fit_arma, select_order
from ebank_lib.arma.levels import state_space
from ebank_lib.arma.likelihood import AR_EDGE, levinson, multiply, objective

from .oracles import as_statsmodels, innovations

SHAPES = [(0, 0, 0, 0, 1), (1, 0, 0, 0, 1), (0, 2, 0, 0, 1), (2, 1, 0, 0, 1), (5, 5, 0, 0, 1), (12, 3, 0, 0, 1),
          (1, 12, 0, 0, 1), (0, 1, 0, 1, 12), (1, 1, 1, 0, 4), (2, 0, 2, 2, 3)]
COMPARED = ["loglik", "aic", "aicc", "bic", "hqic"]


def polynomial(partial):
    table = np.zeros((max(len(partial), 1),) * 2)
    levinson(np.asarray(partial, dtype=float), table)
    return table[len(partial) - 1].copy() if len(partial) else np.zeros(0)


def factors_of(x, shape):
    parts = np.split(x, np.cumsum(shape[:3]))
    return [polynomial(np.sin(v) * (AR_EDGE if b % 2 == 0 else 1.0)) for b, v in enumerate(parts)]


def expanded(factors, shape):
    p, q, sp, sq, season = shape
    phi, theta = np.empty(p + sp * season), np.empty(q + sq * season)
    multiply(factors[0], factors[2], season, phi)
    multiply(factors[1], factors[3], season, theta)
    return phi, -theta


def autocovariances(phi, theta, n):
    """By the definition: sums of products of the psi weights, far out."""
    psi = lfilter(np.r_[1.0, theta], np.r_[1.0, -phi], np.eye(1, 4000)[0])
    return np.array([psi[:psi.size - k] @ psi[k:] for k in range(n)])


@st.composite
def problems(draw):
    shape = draw(st.sampled_from(SHAPES))
    k = sum(shape[:4])
    x = np.array(draw(st.lists(st.floats(-0.9, 0.9), min_size=k, max_size=k)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    t = draw(st.integers(30, 60))
    missing = np.array(draw(st.lists(st.integers(0, t - 1), unique=True, max_size=5)), dtype=int)
    y = rng.standard_normal(t).cumsum()
    regressors = np.vstack([np.ones(t), rng.standard_normal(t)])[:draw(st.integers(0, 2))]
    filled = y.copy()
    filled[missing] = 0.0
    columns = np.vstack([np.eye(t)[missing], regressors, filled])
    return shape, x, y, missing, regressors, columns


@settings(max_examples=60)
@given(problems())
def test_likelihood_is_the_dense_normal_one(problem):
    shape, x, y, missing, regressors, columns = problem
    factors = factors_of(x, shape)
    phi, theta = expanded(factors, shape)
    # Nearer to the circle the definition's sums do not settle within 4,000 terms.
    assume(np.abs(np.roots(np.r_[1.0, -phi])).max(initial=0) < 0.99)
    beta = np.empty(len(regressors) + 1)
    f = objective(x, shape, False, columns, len(missing), beta, np.empty(0))

    seen = np.setdiff1d(np.arange(len(y)), missing)
    v = toeplitz(autocovariances(phi, theta, len(y)))[np.ix_(seen, seen)]
    inverse, xs = np.linalg.inv(v), regressors[:, seen]
    b = np.linalg.solve(xs @ inverse @ xs.T, xs @ inverse @ y[seen])
    e = y[seen] - b @ xs
    s2 = e @ inverse @ e / seen.size
    assert f == pytest.approx(0.5 * (seen.size * np.log(s2) + np.linalg.slogdet(v)[1]), abs=1e-5)
    np.testing.assert_allclose(beta, np.r_[b, s2], rtol=1e-4, atol=1e-6)

    # and so says the Kalman filter
    rest = np.where(np.isin(np.arange(len(y)), missing), np.nan, y - b @ regressors)
    white, log_f = innovations(phi, theta, rest)
    s2 = np.nanmean(white**2)
    assert f == pytest.approx(0.5 * (seen.size * np.log(s2) + log_f), abs=1e-5)


@settings(max_examples=60)
@given(problems())
def test_gradient_is_the_slope(problem):
    shape, x, _, missing, regressors, columns = problem
    beta = np.empty(len(regressors) + 1)
    coefficients = np.concatenate([(-1) ** b * c for b, c in enumerate(factors_of(x, shape))])
    for natural, at in ((False, x), (True, coefficients)):
        gradient = np.empty(len(x))

        def f(z, natural=natural):
            return objective(z, shape, natural, columns, len(missing), beta, np.empty(0))

        objective(at, shape, natural, columns, len(missing), beta, gradient)
        h = 1e-6
        slope = np.array([(f(at + h * u) - f(at - h * u)) / (2 * h) for u in np.eye(len(x))])
        scale = 1 + np.abs(gradient).max(initial=0)
        np.testing.assert_allclose(gradient, slope.reshape(gradient.shape), atol=2e-5 * scale)


def test_boundary_is_an_ordinary_point_of_the_moving_average():
    y = np.random.default_rng(0).standard_normal(40)
    columns, beta = np.vstack([np.ones(40), y]), np.empty(2)
    at, gradient = np.array([np.pi / 2]), np.empty(1)
    f = objective(at, (0, 1, 0, 0, 1), False, columns, 0, beta, gradient)
    v = toeplitz(np.r_[2.0, -1.0, np.zeros(38)])  # theta = -1
    inverse = np.linalg.inv(v)
    m = (np.ones(40) @ inverse @ y) / (np.ones(40) @ inverse @ np.ones(40))
    s2 = (y - m) @ inverse @ (y - m) / 40
    assert f == pytest.approx(0.5 * (40 * np.log(s2) + np.linalg.slogdet(v)[1]), abs=1e-9)
    assert abs(gradient[0]) < 1e-9


def series(seed, n=44, gaps=()):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(n + 50)
    y = np.zeros(n + 50)
    for i in range(2, n + 50):
        y[i] = 0.6 * y[i - 1] - 0.2 * y[i - 2] + a[i] + 0.5 * a[i - 1]
    y = pd.Series(y[50:] + 3, index=pd.period_range("2008-01", periods=n, freq="M"), name="y")
    y.iloc[list(gaps)] = np.nan
    return y


@pytest.mark.parametrize(("seed", "scale", "shift"), [(1, 1e9, 7.0), (2, 1e-9, 0.0), (3, -3.0, 1e4), (4, 1.0, 100.0)])
def test_scale_and_shift_change_nothing(seed, scale, shift):
    y = series(seed)
    a, b = (select_order(v, 3, 3, d=0) for v in (y, scale * y + shift))
    assert a.order == b.order and a.raw == b.raw
    known = len(y) * np.log(abs(scale))
    np.testing.assert_allclose(b.table["loglik"] + known, a.table["loglik"], atol=1e-4)
    np.testing.assert_allclose(b.table["sigma2"] / scale**2, a.table["sigma2"], rtol=1e-3)
    fa, fb = a.best.forecast(6), b.best.forecast(6)
    np.testing.assert_allclose((fb["y_hat"] - shift) / scale, fa["y_hat"], rtol=1e-3)


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_time_reversal_leaves_the_likelihood(seed):
    rng = np.random.default_rng(seed)
    y, x = rng.standard_normal(44), rng.uniform(-1.3, 1.3, 6)
    values = []
    for z in (y, y[::-1].copy()):
        columns, beta = np.vstack([np.ones(44), z]), np.empty(2)
        values.append(objective(x, (3, 3, 0, 0, 1), False, columns, 0, beta, np.empty(0)))
    assert values[0] == pytest.approx(values[1], abs=1e-7)


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 43), max_size=3, unique=True))
def test_a_larger_order_is_never_worse_and_what_comes_back_is_stationary(seed, gaps):
    chosen = select_order(series(seed, gaps=gaps), 3, 3, d=0)
    grid = chosen.table.sort_values(["p", "q"])["loglik"].to_numpy().reshape(4, 4)
    assert (np.diff(grid, axis=0) > -1e-6).all() and (np.diff(grid, axis=1) > -1e-6).all()
    assert (chosen.table["min_ar_root"] > 1).all() and (chosen.table["min_ma_root"] > 1 - 1e-9).all()
    best = chosen.best
    white, log_f = innovations(best.ar_polynomial, best.ma_polynomial,
                               (best.y - best.params.get("mean", 0)).to_numpy())
    n = best.nobs
    assert best.loglik == pytest.approx(-0.5 * (n * np.log(2 * np.pi * np.nanmean(white**2)) + n + log_f), abs=1e-6)


def test_select_order_is_deterministic():
    one, two = (select_order(series(5), 2, 2, mode="thorough", seed=3).table for _ in range(2))
    pd.testing.assert_frame_equal(one, two)


def test_gaps_when_differenced_are_integrated_out():
    """A random walk seen every other month is a random walk of twice the variance."""
    rng = np.random.default_rng(4)
    y = pd.Series(rng.standard_normal(61).cumsum())
    half = y.where(np.arange(61) % 2 == 0)
    got = fit_arma(half, (0, 1, 0))
    steps = y.iloc[::2].diff().dropna().to_numpy()
    s2 = np.mean(steps**2) / 2
    assert got.nobs == 30 and got.sigma2 == pytest.approx(s2)
    assert got.loglik == pytest.approx(-15 * (np.log(2 * np.pi * 2 * s2) + 1))
    np.testing.assert_allclose(got._smoothed()[1::2], (y.iloc[:-1:2].to_numpy() + y.iloc[2::2].to_numpy()) / 2)


def test_airline_model_with_gaps_as_statsmodels_says():
    y = series(2, n=72).cumsum()
    y.iloc[[20, 33, 34]] = np.nan
    ours = fit_arma(y, (0, 1, 1), (0, 1, 1, 12))
    theirs = as_statsmodels(ours)
    ahead = theirs.get_forecast(6)
    got, spare = ours.forecast(6, level=95), ours.nobs - ours.k + 1
    np.testing.assert_allclose(got["y_hat"], ahead.predicted_mean, rtol=1e-4)
    np.testing.assert_allclose(got["hi-95"] - got["y_hat"],
                               1.959964 * ahead.se_mean * np.sqrt(ours.nobs / spare), rtol=1e-3)


def test_the_filter_starts_exactly_where_roots_crowd_the_circle():
    """Partial autocorrelations near 1 of both signs: a summed series for the first covariance loses its digits."""
    x = np.array([1.54, -1.53, 1.55, 1.52, 1.5, -1.2, 1.4])
    shape, y = (4, 3, 0, 0, 1), np.random.default_rng(2).standard_normal(44)
    phi, theta = expanded(factors_of(x, shape), shape)
    f = objective(x, shape, False, y[None], 0, np.empty(1), np.empty(0))
    white, log_f = innovations(phi, theta, y)
    assert f == pytest.approx(0.5 * (44 * np.log(np.mean(white**2)) + log_f), abs=1e-4)  # by summing, 0.018
    transition, disturbance, _, initial = state_space(phi, theta, np.zeros(0))
    after = transition @ initial @ transition.T + np.outer(disturbance, disturbance)
    np.testing.assert_allclose(after, initial, atol=1e-9 * np.abs(initial).max())


def test_the_largest_order_can_be_limited():
    y = np.random.default_rng(4).standard_normal(60).cumsum()
    rows = select_order(y, d=1, max_order=3).table
    assert (rows["p"] + rows["q"]).max() == 3
