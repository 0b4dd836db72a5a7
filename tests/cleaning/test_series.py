"""Medians, neighbours and expectations of hand-made series, to the number."""

import numpy as np
import pytest

from ebank_lib.cleaning.series import common_move, expect, mad, median, neighbours

NAN = np.nan


def test_medians_pass_over_what_is_missing_and_ask_for_enough():
    x = np.array([[5.0, NAN, 1.0, 3.0], [NAN, 2.0, NAN, NAN], [NAN] * 4])
    assert np.array_equal(median(x, axis=1), [3, 2, NAN], equal_nan=True)
    assert np.array_equal(median(x, axis=1, least=3), [3, NAN, NAN], equal_nan=True)
    assert np.array_equal(median(x[:, :3], axis=1), [3, 2, NAN], equal_nan=True)     # of two, their mean
    assert np.array_equal(median(x), [5, 2, 1, 3], equal_nan=True)
    assert np.isnan(median(np.empty((2, 0)), axis=1)).all()
    assert mad(np.array([1.0, -2, 3, -4])) == pytest.approx(1.4826 * 2.5)
    assert np.isnan(mad(np.array([1.0, -2, 3]))) and mad(np.array([1.0, -2, 3]), least=3) == pytest.approx(1.4826 * 2)


def test_neighbours_are_the_nearest_within_reach():
    x = np.array([1.0, NAN, NAN, 4, 5, NAN, NAN, NAN, NAN, 10])[None, :, None]
    before, after, back, ahead = (a[0, :, 0] for a in neighbours(x))
    assert np.array_equal(before, [NAN, 1, 1, 1, 4, 5, 5, 5, NAN, NAN], equal_nan=True)
    assert np.array_equal(after, [4, 4, 4, 5, NAN, NAN, 10, 10, 10, NAN], equal_nan=True)
    assert back.tolist() == [4, 1, 2, 3, 1, 1, 2, 3, 4, 4]
    assert ahead.tolist() == [3, 2, 1, 1, 4, 4, 3, 2, 1, 4]
    wide = neighbours(x, reach=5)
    assert wide[0][0, 9, 0] == 5 and wide[2][0, 9, 0] == 5


def test_what_five_branches_do_together_counts_and_what_four_do_does_not():
    x = np.arange(12.0).reshape(6, 2, 1)
    own = np.array([True] * 5 + [False])
    assert common_move(x, own)[:, 0].tolist() == [4, 5]
    assert not common_move(x, np.array([True] * 4 + [False] * 2)).any()
    x[0, 0] = NAN                                       # four are left in this month
    assert common_move(x, own)[:, 0].tolist() == [0, 5]


def level(values):
    x = np.array(values, float)[None, :, None]
    return expect(x, np.full(x.shape, 0.5), np.ones(x.shape), np.array([True]))


def test_a_number_is_expected_between_its_neighbours_and_beyond_an_end_along_the_drift():
    values = 1000.0 * 1.02 ** np.arange(20)
    e = level(values)
    scale = 0.04 * np.median(values)
    assert np.allclose(e.scale, scale, rtol=1e-12)
    g = np.arcsinh(values / scale)
    assert np.allclose(e.centre[0, 1:-1, 0], (g[:-2] + g[2:]) / 2)
    drift = np.median(np.diff(g))
    assert e.centre[0, 0, 0] == pytest.approx(g[1] - drift) and e.centre[0, -1, 0] == pytest.approx(g[-2] + drift)
    assert e.sides[0, :, 0].tolist() == [1, *[2] * 18, 1]
    assert np.allclose(e.likely()[0, :, 0], values, rtol=1e-3)


def test_a_wider_gap_is_a_wider_guess_and_no_series_is_followed_too_closely():
    values = 1000.0 * 1.02 ** np.arange(20)
    e = level(values)
    half = 0.5 / np.sqrt(values**2 + e.scale[0, :, 0] ** 2)
    floor = 0.002 + np.median(half)
    assert np.allclose(e.sd[0, 1:-1, 0], floor, rtol=1e-9)
    assert np.allclose(e.sd[0, [0, -1], 0], 1.5 * np.hypot(e.step_sd[0, 0, 0], floor))
    values[10] = NAN
    gap = level(values)
    assert gap.sd[0, 9, 0] == pytest.approx(gap.sd[0, 5, 0] * np.sqrt(1.5))       # three steps between instead of two


def test_the_noise_of_the_year_around_counts_where_it_is_larger():
    rng = np.random.default_rng(0)
    values = 1000 * np.exp(np.r_[0.001 * rng.normal(size=40), 0.1 * rng.normal(size=20)])
    sd = level(values).sd[0, :, 0]
    assert sd[52] > 5 * sd[10]
    whole = level(values[:12]).sd[0, 1:-1, 0]      # fewer months than a year: one noise for all
    assert np.allclose(whole, whole[0])


def test_distance_is_counted_in_standard_deviations_and_zero_where_nothing_is_expected():
    values = 1000.0 * 1.02 ** np.arange(20)
    e = level(values)
    x = values.copy()
    x[5] *= 1.5
    g = np.arcsinh(x / e.scale[0, :, 0])
    assert e.z(x[[5]], np.array([5]))[0] == pytest.approx((g[5] - e.centre[0, 5, 0]) / e.sd[0, 5, 0])
    alone = level([5.0, NAN, NAN, NAN, NAN])
    assert alone.z(np.array([5.0, 7.0]), np.array([0, 3])).tolist()[0] == 0


def test_months_before_a_merger_are_compared_at_the_size_after_it():
    values = np.r_[np.full(6, 100.0), np.full(6, 300.0)]
    x = values[None, :, None]
    factor = np.r_[np.full(6, 3.0), np.ones(6)][None, :, None]
    e = expect(x, np.full(x.shape, 0.5), factor, np.array([True]))
    assert np.allclose(e.likely()[0, :, 0], values)
