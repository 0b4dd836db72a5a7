"""The shape of errors: quantiles by hand, a panel's own drawn towards the shipped one, straight beyond its ends."""

import numpy as np
import pandas as pd
from scipy.stats import norm

from ebank_lib.forecasting.calibration import GAUSSIAN, PROBS, ErrorShape, near_quantiles, panel_shape, shape_of


def test_quantiles_of_neighbouring_months_by_hand():
    errors = np.full((3, 9), np.nan)
    errors[:, 0], errors[0, 3], errors[:, 8] = (-1.0, 0.0, 2.0), 4.0, 99.0
    # a month and three on each side: -1, 0, 2 and, of the first row, 4; each stands in the middle of its weight
    found = near_quantiles(errors, 0, np.array([1.0, 2.0, 1.0]))
    values, weights = np.array([-1.0, 0.0, 2.0, 4.0]), np.array([1.0, 2.0, 1.0, 1.0])
    assert np.allclose(found, np.interp(PROBS, (np.cumsum(weights) - weights / 2) / 5, values))
    assert near_quantiles(errors[:, 1:2], 0, np.ones(3)) is None


def test_draws_take_the_shape_month_by_month_and_go_on_straight_beyond_it():
    probs = np.array([0.1, 0.5, 0.9])
    shape = ErrorShape("test", probs, np.array([[-2.0, 0.0, 1.0], [-4.0, 0.5, 3.0]]))
    z = norm.ppf(0.9)
    shocks = np.array([[0.0, 0.0, z], [-z, -2 * z, 2 * z], [z / 2, z, 0.0]])
    assert np.allclose(shape.warp(shocks), [[0.0, 0.5, 3.0], [-2.0, -8.5, 5.5], [0.5, 3.0, 0.5]])
    assert np.allclose(shape.quantile(0.1, 3), [-2.0, -4.0, -4.0])
    assert np.array_equal(GAUSSIAN.warp(shocks), shocks)


def test_a_panel_counts_its_branches_against_fifteen_and_each_branch_once():
    shipped = shape_of("combination")
    errors = [np.full((3, 12), 2.0), np.full((1, 12), -1.0), np.full((3, 12), np.nan)]
    own = panel_shape(errors, ["a", "b", "c"], shipped)
    alone = near_quantiles(np.vstack(errors[:2]), 0, np.array([1 / 3] * 3 + [1.0]))
    assert own.branches == 2 and np.allclose(own.quantiles[0], (15 * shipped.quantiles[0] + 2 * alone) / 17)
    assert own.common == shipped.common


def test_the_shipped_shape_is_in_order_and_centred():
    shape = shape_of("combination")
    assert shape.quantiles.shape == (12, 15)
    assert (pd.DataFrame(shape.quantiles).diff(axis=1).iloc[:, 1:] > 0).all().all()
    assert (shape.quantile(0.5, 20) == 0).all()
    assert shape_of("snaive").probs is None


def errors(size, shift=0.0, branches=40):
    return [shift + size * np.random.default_rng(s).standard_normal((3, 12)) for s in range(branches)]


def test_limits_and_centre_follow_what_the_branches_were_missed_by():
    shipped = shape_of("combination")

    def width(shape):
        return shape.quantile(0.9, 12)[6] - shape.quantile(0.1, 12)[6]

    calm, wild, low = (panel_shape(errors(*e), range(40), shipped) for e in ((0.3,), (3.0,), (1.0, 0.8)))
    assert width(calm) < 0.6 * width(shipped) < width(shipped) < 1.3 * width(shipped) < width(wild)
    assert low.quantile(0.5, 12)[6] > 0.4 and abs(calm.quantile(0.5, 12)[6]) < 0.1
    assert low.branches == 40 and shipped.branches == 0


def test_few_branches_say_little_and_a_wild_one_does_not_speak_for_all():
    shipped = shape_of("combination")
    few = panel_shape(errors(0.2, branches=2), range(2), shipped)
    assert np.isclose(few.quantile(0.9, 12)[6], shipped.quantile(0.9, 12)[6], rtol=0.15)
    one_wild = panel_shape([*errors(1.0), 1e3 * errors(1.0)[0]], range(41), shipped)
    assert one_wild.quantile(0.8, 12)[6] < 1.3 * panel_shape(errors(1.0), range(40), shipped).quantile(0.8, 12)[6]
    assert panel_shape([], [], shipped) is shipped


def test_months_hang_together_more_than_the_model_says():
    shape = shape_of("combination")
    corr = shape.hanging_together(np.eye(3))
    assert np.allclose(np.diag(corr), 1) and np.allclose(corr[0, 1:], shape.common) and 0.1 < shape.common < 0.2
    assert np.array_equal(GAUSSIAN.hanging_together(np.eye(3)), np.eye(3))
