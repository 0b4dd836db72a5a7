"""Made to agree: sums hold at every node, month and path; figures are those of another library; nothing negative."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from benchmarks.reconciliation import reconcile
from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.province.reconciliation import (
    METHODS,
    couple,
    covariance,
    nonnegative,
    projection,
    reconcile_paths,
    shrunk_covariance,
)

# Two branches by two channels: all, two channels, two branches, then the four cells.
S = np.vstack([[1, 1, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1], np.eye(4)])

# hierarchicalforecast 1.5.3 (Nixtla) with numpy 2.4.6 and pandas 3.1.1: methods.MinTrace(method, nonnegative=...)
# fitted to these base forecasts (nodes x two months), with these errors as y_insample and zeros as y_hat_insample.
ERRORS = np.array(
    [[0.3, 6.8, 6.2, -2.0, -1.2, -1.6, 1.2, -0.1, 0.8],
     [-13.6, 9.0, 0.7, 3.9, 0.6, 0.0, 2.1, 2.8, 1.0],
     [-3.9, 0.8, -7.0, -8.7, -1.1, -4.7, -6.5, -4.3, -3.1],
     [-7.8, -5.7, 2.0, 5.4, 0.8, -0.5, 2.5, 3.2, 1.5],
     [2.8, 3.7, -2.6, -4.8, -0.1, -0.8, 0.7, -4.1, -2.2],
     [-8.2, -10.1, -0.8, 0.6, -4.4, 2.7, 0.2, -0.2, -1.1],
     [7.3, -7.1, 2.7, 2.0, -7.5, 0.6, -0.9, 1.2, -0.8],
     [-1.3, 0.6, -5.5, 1.3, -1.5, 0.4, -2.2, 1.0, -0.5],
     [-0.8, 3.7, 6.9, 7.7, -5.7, 3.2, 1.5, 0.4, -0.4],
     [8.9, -7.5, 1.7, 4.1, -7.5, -2.1, -3.8, -0.7, 0.4],
     [14.0, -11.0, -5.0, 0.7, 4.2, -0.9, -3.6, -1.5, -2.2],
     [-3.3, -5.4, 0.2, -0.5, -2.1, -2.4, -4.3, -2.7, -0.5]])
BASE = np.array(
    [[30.0, 31.0],
     [21.0, 2.0],
     [12.0, 25.0],
     [14.0, 9.0],
     [13.0, 26.0],
     [9.0, 2.0],
     [5.0, 8.0],
     [10.0, 1.0],
     [4.0, 9.0]])
THEIRS = {
    "ols": [[29.7777778, 29.7777778],
     [19.5555556, 4.88888889],
     [10.2222222, 24.8888889],
     [15.2222222, 9.22222222],
     [14.5555556, 20.5555556],
     [9.44444444, 0.111111111],
     [5.77777778, 9.11111111],
     [10.1111111, 4.77777778],
     [4.44444444, 15.7777778]],
    "structural": [[29.5, 28.25],
     [19.5, 4.875],
     [10.0, 23.375],
     [15.0, 9.875],
     [14.5, 18.375],
     [9.375, 0.8125],
     [5.625, 9.0625],
     [10.125, 4.0625],
     [4.375, 14.3125]],
    "variance": [[28.9752089, 26.777406],
     [19.0310171, 5.94012553],
     [9.94419181, 20.8372804],
     [14.8743783, 11.1952424],
     [14.1008306, 15.5821635],
     [9.07148137, 1.42592586],
     [5.80289689, 9.76931657],
     [9.95953572, 4.51419966],
     [4.14129492, 11.0679639]],
    "mint": [[28.9217544, 31.4804691],
     [19.2900518, 7.9611512],
     [9.63170263, 23.5193179],
     [14.6556425, 14.0890358],
     [14.2661119, 17.3914333],
     [9.0993212, 2.47865542],
     [5.5563213, 11.6103804],
     [10.1907306, 5.48249578],
     [4.07538134, 11.9089375]]}
LOW = np.array(
    [[8.0, 20.0],
     [9.0, 9.0],
     [1.0, 3.0],
     [7.0, 3.0],
     [1.0, 17.0],
     [6.0, 3.0],
     [0.5, 3.0],
     [5.0, 12.0],
     [0.2, 2.0]])
THEIRS_NONNEGATIVE = {       # an interior point solver's, in single precision
    "ols": [[9.083333, 18.22222],
     [8.583333, 12.77778],
     [0.5, 5.444444],
     [6.416667, 3.111111],
     [2.666667, 15.11111],
     [5.916667, 0.8888893],
     [0.5, 2.222222],
     [2.666667, 11.88889],
     [2.632e-09, 3.222222]],
    "mint": [[9.121064, 19.4392],
     [9.116645, 14.50955],
     [0.004419435, 4.929646],
     [5.443551, 4.591991],
     [3.677513, 14.84721],
     [5.439132, 2.185263],
     [0.004419428, 2.406728],
     [3.677513, 12.32429],
     [6.36745e-09, 2.522919]]}


def case(seed, u=None, m=5, T=30):
    """A random hierarchy with errors and base forecasts of all nodes."""
    rng = np.random.default_rng(seed)
    tree = np.vstack([np.ones(m), *(rng.integers(0, 2, (2, m)))])
    tree = tree[tree.sum(axis=1) > 1]
    matrix = np.vstack([tree, np.eye(m)])
    errors = rng.normal(size=(T, len(matrix))) @ np.diag(rng.uniform(0.5, 5, len(matrix)))
    return matrix, errors, matrix @ rng.uniform(5, 50, m) + rng.normal(0, 3, len(matrix))


# --- means

@pytest.mark.parametrize("method", ["ols", "structural", "mint"])
def test_means_equal_those_of_hierarchicalforecast(method):
    mine = reconcile(pd.DataFrame(BASE), S, method, ERRORS, floor=False)
    assert mine.to_numpy() == pytest.approx(np.array(THEIRS[method]), rel=1e-7)


def test_weights_by_variance_equal_theirs_given_their_variances():
    # They take the mean square there and the variance about the mean for MinT; here it is the latter for both.
    G = projection(S, np.diag((ERRORS**2).mean(axis=0)))
    assert S @ G @ BASE == pytest.approx(np.array(THEIRS["variance"]), rel=1e-7)


@pytest.mark.parametrize("method", ["ols", "mint"])
def test_nonnegative_means_equal_theirs(method):
    mine = reconcile(pd.DataFrame(LOW), S, method, ERRORS)
    assert mine.to_numpy() == pytest.approx(np.array(THEIRS_NONNEGATIVE[method]), rel=2e-6, abs=2e-5)


def test_shrinkage_is_that_of_schaefer_and_strimmer():
    # The formula written out pair by pair, as in their appendix.
    e = ERRORS - ERRORS.mean(axis=0)
    T, n = e.shape
    x = e / e.std(axis=0, ddof=1)
    above = below = 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                w = x[:, i] * x[:, j]
                above += T / (T - 1) ** 3 * ((w - w.mean()) ** 2).sum()
                below += (T / (T - 1) * w.mean()) ** 2
    W, intensity = shrunk_covariance(ERRORS)
    assert intensity == pytest.approx(above / below)
    cov = np.cov(ERRORS.T)
    assert W == pytest.approx(np.where(np.eye(n), cov, (1 - intensity) * cov))


@given(st.integers(0, 10_000), st.sampled_from(METHODS))
def test_every_sum_holds_and_what_agrees_stays(seed, method):
    matrix, errors, base = case(seed)
    m = matrix.shape[1]
    out = reconcile(pd.DataFrame({"h": base}), matrix, method, errors, floor=False)["h"].to_numpy()
    assert out == pytest.approx(matrix @ out[-m:], rel=1e-12)
    G = projection(matrix, covariance(method, matrix, errors))
    assert G @ matrix == pytest.approx(np.eye(m), abs=1e-8)      # unbiased forecasts stay unbiased


@given(st.integers(0, 10_000), st.sampled_from(METHODS), st.randoms(use_true_random=False))
def test_the_order_of_the_branches_does_not_matter(seed, method, random):
    matrix, errors, base = case(seed)
    u, m = len(matrix) - matrix.shape[1], matrix.shape[1]
    above, below = random.sample(range(u), u), random.sample(range(m), m)
    order = [*above, *(u + b for b in below)]
    straight = reconcile(pd.DataFrame({"h": base}), matrix, method, errors)["h"].to_numpy()
    mixed = reconcile(pd.DataFrame({"h": base[order]}), matrix[order][:, below], method, errors[:, order])["h"]
    assert mixed.to_numpy() == pytest.approx(straight[order], rel=1e-7, abs=1e-7)


def test_bottom_up_ignores_the_wholes():
    out = reconcile(pd.DataFrame(BASE), S, "bottom_up")
    assert np.array_equal(out.to_numpy(), S @ BASE[5:])


def test_a_province_of_one_branch_stays_as_it_is():
    alone = pd.DataFrame({"h": [3.0, 4.0]}, index=["x", "y"])
    assert reconcile(alone, np.eye(2), "mint", np.random.default_rng(0).normal(size=(20, 2))).equals(alone)
    # Given twice, as branch and as province, it becomes one number between the two.
    twice = reconcile(pd.DataFrame({"h": [10.0, 20.0]}), np.array([[1], [1]]), "ols")["h"]
    assert twice.tolist() == pytest.approx([15.0, 15.0])


# --- errors that cannot be inverted

def test_errors_that_add_up_exactly_are_no_obstacle():
    rng = np.random.default_rng(1)
    errors = rng.normal(size=(30, 4)) @ S.T                      # singular: the sums' errors are the errors' sums
    W = np.cov(errors.T)                                         # not even shrunk
    assert np.linalg.matrix_rank(W) < len(S)
    out = S @ (projection(S, W) @ BASE)
    assert np.isfinite(out).all() and np.abs(out - BASE).max() < 60
    shrunk = reconcile(pd.DataFrame(BASE), S, "mint", errors)
    assert shrunk.to_numpy() == pytest.approx(S @ shrunk.to_numpy()[5:])


def test_fewer_months_than_nodes_and_a_branch_without_errors():
    errors = ERRORS[:5].copy()
    errors[:, 8] = 0.0                                           # never missed: it is not moved
    out = reconcile(pd.DataFrame(BASE), S, "mint", errors, floor=False)
    assert np.isfinite(out.to_numpy()).all()
    assert out.loc[8].to_numpy() == pytest.approx(BASE[8], rel=1e-4)


def test_a_month_without_an_error_is_left_out():
    errors = np.vstack([ERRORS, ERRORS[:1]])
    errors[-1, 3] = np.nan
    assert shrunk_covariance(errors)[0] == pytest.approx(shrunk_covariance(ERRORS)[0])


@pytest.mark.parametrize(("call", "error", "said"), [
    (lambda: reconcile(pd.DataFrame(BASE), S, "mnit"), UnknownNameError,
     "unknown reconciliation method 'mnit'. Did you mean 'mint'"),
    (lambda: reconcile(pd.DataFrame(BASE), S, "mint", ERRORS[:3]), SeriesError,
     "too few months with an error at every node; found 3"),
])
def test_what_does_not_fit_is_said(call, error, said):
    with pytest.raises(error, match=said):
        call()


# --- not below zero

@given(st.integers(0, 10_000))
def test_nonnegative_meets_the_conditions_of_the_optimum(seed):
    rng = np.random.default_rng(seed)
    m = int(rng.integers(2, 9))
    root = rng.normal(size=(m, m + 2)) * rng.uniform(0.1, 10, (m, 1))
    V, b = root @ root.T, rng.normal(0.3, 1, (m, 20)) * np.sqrt((root**2).sum(axis=1))[:, None]
    x = nonnegative(b, V)
    gradient = np.linalg.solve(V, x - b)
    scale = np.abs(np.linalg.solve(V, b)).max(axis=0) + 1e-12
    assert (x >= 0).all()
    assert (gradient >= -1e-7 * scale).all()                     # nothing gains by rising
    assert np.abs(gradient * (x > 0)).max() <= 1e-7 * scale.max()       # what is above zero is at rest
    assert np.array_equal(x[:, (b >= 0).all(axis=0)], b[:, (b >= 0).all(axis=0)])


def test_nonnegative_equals_scipys_least_squares():
    rng = np.random.default_rng(7)
    root = rng.normal(size=(12, 20))
    V, b = root @ root.T, rng.normal(size=(12, 50)) * 4
    A = np.linalg.cholesky(np.linalg.inv(V)).T
    theirs = np.column_stack([nnls(A, A @ column)[0] for column in b.T])
    assert nonnegative(b, V) == pytest.approx(theirs, abs=1e-8)


# --- paths

def paths_case(seed, n=400, horizon=3):
    rng = np.random.default_rng(seed)
    bottom = rng.gamma(4, 3, (4, horizon, n)) + rng.normal(size=(1, 1, n))
    upper = rng.normal(1, 1.5, (5, horizon, n)) * 5 + (S[:5] @ bottom.reshape(4, -1)).reshape(5, horizon, n).mean(
        axis=2, keepdims=True)
    return bottom, upper


@given(st.integers(0, 1000), st.sampled_from(METHODS))
def test_the_mean_of_the_paths_is_the_reconciled_mean(seed, method):
    bottom, upper = paths_case(seed)
    W = covariance(method, S, ERRORS)
    out = reconcile_paths(bottom, upper, S, W, floor=False)
    base = pd.DataFrame(np.vstack([upper.mean(axis=2), bottom.mean(axis=2)]))
    assert out.mean(axis=2) == pytest.approx(reconcile(base, S, method, ERRORS, floor=False).to_numpy()[5:], rel=1e-9)


@given(st.integers(0, 1000))
def test_each_path_is_reconciled_as_a_mean_is_and_never_negative(seed):
    bottom, upper = paths_case(seed, n=60)
    bottom = bottom - 6
    W = covariance("mint", S, ERRORS)
    out = reconcile_paths(bottom, upper, S, W)
    tied = couple(upper, np.tensordot(S[:5], bottom, 1))
    for k in (0, 17, 59):
        each = reconcile(pd.DataFrame(np.vstack([tied[:, :, k], bottom[:, :, k]])), S, "mint", ERRORS)
        assert out[:, :, k] == pytest.approx(each.to_numpy()[5:], rel=1e-8, abs=1e-8)
    assert (out >= 0).all()


def test_coupling_keeps_each_distribution_and_takes_the_ranks():
    bottom, upper = paths_case(3)
    template = np.tensordot(S[:5], bottom, 1)
    tied = couple(upper, template)
    assert np.array_equal(np.sort(tied, axis=2), np.sort(upper, axis=2))
    assert np.array_equal(np.argsort(tied, axis=2), np.argsort(template, axis=2))


def test_wholes_drawn_like_the_sums_leave_the_parts_alone():
    bottom, _ = paths_case(5)
    upper = np.tensordot(S[:5], bottom, 1)[:, :, ::-1]           # the same draws in another order
    out = reconcile_paths(bottom, upper, S, covariance("mint", S, ERRORS), floor=False)
    assert out == pytest.approx(bottom, rel=1e-9)


def test_the_order_of_the_wholes_draws_does_not_matter():
    bottom, upper = paths_case(6)
    W = covariance("mint", S, ERRORS)
    mixed = upper[:, :, np.random.default_rng(0).permutation(400)]
    assert np.array_equal(reconcile_paths(bottom, mixed, S, W), reconcile_paths(bottom, upper, S, W))


def test_a_province_of_sixteen_branches_takes_less_than_two_seconds():
    branches, channels, rng = 16, 5, np.random.default_rng(0)
    m = branches * channels
    matrix = np.vstack([np.ones(m), np.kron(np.ones(branches), np.eye(channels)),
                        np.kron(np.eye(branches), np.ones(channels)), np.eye(m)])
    bottom = rng.gamma(4, 1, (m, 24, 1000))
    upper = np.tensordot(matrix[:22], bottom, 1) * 0.9
    W = covariance("mint", matrix, rng.normal(size=(42, 102)) * np.sqrt(matrix.sum(axis=1)))
    start = time.process_time()
    out = reconcile_paths(bottom, upper, matrix, W)
    assert time.process_time() - start < 2
    assert (out >= 0).all()
