"""Series that no identity speaks for: where a number should lie, and what lies elsewhere. A level that moves and stays
is a fact, a month that alone is off is a spike, a power of ten a slip, an end that nothing confirms is doubtful."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ebank_lib.cleaning import POLICIES, clean, series
from ebank_lib.cleaning.series import (
    common_move,
    expect,
    find_breaks,
    find_edges,
    find_spikes,
    mad,
    median,
    neighbours,
)

from .conftest import small_catalog

MONTHS = pd.period_range("2008-01", periods=36, freq="M")


def noisy(seed, noise=0.012, growth=0.03, size=2000):
    rng = np.random.default_rng(seed)
    return np.round(size * np.exp(growth * np.arange(len(MONTHS)) + noise * rng.normal(size=len(MONTHS))))


def clean_one(values, policy="conservative"):
    """Clean one series of one branch; return its numbers and what was said of them, as (rule, decision, month)."""
    cells = pd.DataFrame({"file": "u.csv", "sheet": "", "row": np.arange(2, 2 + len(values)), "column": "B",
                          "branch": "east分行", "month": MONTHS[:len(values)], "indicator": "stock",
                          "text": [str(int(v)) for v in values], "unit": "户", "revision": 0, "merged": ""})
    cleaned = clean(SimpleNamespace(catalog=small_catalog(total=False)), policy, cells=cells)
    rows = cleaned.entries[cleaned.entries["decision"].isin(["flagged", "corrected", "filled"])]
    said = {(r.rule, r.decision, (r.month - MONTHS[0]).n) for r in rows.itertuples()}
    return cleaned.panel.loc["east", "stock"].to_numpy(float), said


@pytest.mark.parametrize(("policy", "at", "times", "seed"), [
    ("conservative", 4, 4.15, 0), ("conservative", 18, 0.4, 1), ("conservative", 32, 2.0, 0), ("none", 9, 2.0, 1),
    ("none", 32, 4.15, 1), ("interpolate", 4, 0.4, 1), ("interpolate", 9, 4.15, 0), ("interpolate", 18, 2.0, 0),
    ("interpolate", 32, 0.4, 0)])
def test_a_level_that_moves_and_stays_is_only_said(policy, at, times, seed):
    values = noisy(seed)
    values[at:] = np.round(values[at:] * times)
    got, said = clean_one(values, policy)
    assert said == {("level_break", "flagged", at)} and np.array_equal(got, values)


@pytest.mark.parametrize(("times", "found"), [(1.12, [18]), (1.08, [])])
def test_a_level_breaks_by_a_tenth_at_least_however_smooth_the_series(times, found):
    """Nine times the least noise, a hundredth."""
    values = 2000 * np.exp(0.03 * np.arange(36))
    values[18:] *= times
    x = values[None, :, None]
    expected = expect(x, np.full(x.shape, 0.005), np.ones(x.shape), np.array([True]))
    assert [odd.place for odd in find_breaks(x, expected, np.array([True]))] == found


@pytest.mark.parametrize("spread", [0.3, 1.6])
def test_a_jump_of_many_times_is_odd_only_where_the_series_does_not_do_so_by_itself(spread):
    rng = np.random.default_rng(4)
    values = np.round(2e5 * np.exp(spread * rng.normal(size=len(MONTHS))))
    values[14:19] = 1e5, 1e5, 4e6, 1e5, 1e5
    got, said = clean_one(values)
    assert (("spike", "flagged", 16) in said) == (spread == 0.3) and np.array_equal(got, values)


@pytest.mark.parametrize(("policy", "at", "times"), [
    ("conservative", 1, 3.0), ("conservative", 35, 0.3), ("none", 2, 0.3), ("none", 34, 3.0), ("interpolate", 1, 0.3),
    ("interpolate", 2, 3.0), ("interpolate", 34, 0.3), ("interpolate", 35, 3.0)])
def test_a_step_too_near_an_end_to_be_judged_is_left_alone(policy, at, times):
    values = noisy(7)
    values[at:] = np.round(values[at:] * times)
    got, said = clean_one(values, policy)
    # In the newest month nothing says yet whether it stays.
    assert said == ({("edge", "flagged", 35)} if at == 35 else set()) and np.array_equal(got, values)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_step_between_constants(policy):
    values = np.where(np.arange(36) < 10, 100.0, 250.0)
    got, said = clean_one(values, policy)
    assert said == {("level_break", "flagged", 10)} and np.array_equal(got, values)


@pytest.mark.parametrize(("policy", "at"), [("conservative", 2), ("none", 12), ("interpolate", 33)])
def test_zeros_before_a_launch_are_no_spikes(policy, at):
    values = np.where(np.arange(36) < at, 0.0, 500.0 + 3 * np.arange(36))
    got, said = clean_one(values, policy)
    assert "spike" not in {rule for rule, _, _ in said} and np.array_equal(got, values)


@pytest.mark.parametrize(("at", "times", "growth"), [
    (1, 2.3, 0.03), (5, 0.37, 0.08), (18, 1.5, 0.0), (34, 0.37, 0.0), (34, 1.5, 0.08), (1, 1.5, 0.08)])
def test_a_month_that_alone_is_off_is_a_spike(at, times, growth):
    true = noisy(at, growth=growth)
    values = true.copy()
    values[at] = np.round(values[at] * times)
    for policy in ("conservative", "none"):
        got, said = clean_one(values, policy)
        assert said == {("spike", "flagged", at)} and np.array_equal(got, values)
    got, said = clean_one(values, "interpolate")
    assert said == {("spike", "flagged", at), ("interpolated", "filled", at)}
    assert got[at] == pytest.approx(true[at], rel=0.06) and np.array_equal(np.delete(got, at), np.delete(values, at))


@pytest.mark.parametrize("step", [0.4, 4.0])
def test_a_spike_in_a_series_that_also_steps(step):
    values = noisy(3)
    values[24:] = np.round(values[24:] * step)
    values[10] = np.round(values[10] * 0.2)
    got, said = clean_one(values, "interpolate")
    assert said == {("spike", "flagged", 10), ("interpolated", "filled", 10), ("level_break", "flagged", 24)}
    assert got[23] == values[23] and got[24] == values[24]


@pytest.mark.parametrize("seed", range(4))
def test_a_series_as_rough_as_published_ones(seed):
    """A fifth up or down from one month to the next is usual here; ninety times less is not, and it comes back."""
    values = noisy(seed, noise=0.15)
    assert not clean_one(values)[1]
    values[20] = np.round(values[20] / 90)
    assert {rule for rule, _, month in clean_one(values)[1] if month == 20} <= {"spike", "decimal_slip"}
    assert 20 in {month for _, _, month in clean_one(values)[1]}


# --- single cells, by hand

@pytest.mark.parametrize("value, likely, sd, step, power", [
    (99_434_0.0, 99_000.0, 0.02, 1, 1),        # moved back a whole number
    (99_434_1.0, 99_000.0, 0.02, 1, 0),        # moved back it would not be one
    (943.4, 9_400.0, 0.02, 1, -1),             # a digit more than the column prints
    (943.0, 9_400.0, 0.02, 1, 0),              # nothing speaks for a lost nought
    (99_434_000.0, 99_000.0, 0.02, 1, 3),
    (99_434_0.0, 160_000.0, 0.2, 1, 1),        # within half in logs
    (99_434_0.0, 165_000.0, 0.2, 1, 0),
    (994_340.07, 115_000.0, 0.2, 0.001, 1),    # where any number could be printed the fit must be close
    (994_340.07, 116_000.0, 0.2, 0.001, 0),
    (99_434_0.0, 99_000.0, 0.28, 1, 1), (99_434_0.0, 99_000.0, 0.29, 1, 0),     # must stand out by eight
    (99_434_0.0, 106_000.0, 0.022, 1, 1), (99_434_0.0, 106_000.0, 0.021, 1, 0),  # and be left within three
    (-99_434_0.0, 99_000.0, 0.02, 1, 0), (99_434_0.0, -1.0, 0.02, 1, 0), (99_434.0, 99_000.0, 0.02, 1, 0)])
def test_a_power_of_ten_is_sure_where_digits_and_neighbours_agree(value, likely, sd, step, power):
    found, sure = series._power(value, step, likely, sd)
    assert (found if sure else 0) == power


@pytest.mark.parametrize("value, power", [(99_434_1.0, 1), (943.0, -2), (99_434.0, 0), (115_500_0.0, 0)])
def test_a_power_of_ten_is_named_where_only_the_neighbours_support_it(value, power):
    """99,000 likely: within 15% of it, whatever the digits say."""
    assert series._power(value, 1, 99_000.0, 0.02) == (power, False)


def spikes(values):
    x = np.array(values, float)[None, :, None]
    expected = expect(x, np.full(x.shape, 0.5), np.ones(x.shape), np.array([True]))
    return find_spikes(x, np.ones(x.shape), expected)


@pytest.mark.parametrize("power", [1, 2, 3])
def test_a_power_of_ten_stands_out_by_all_its_places(power):
    """However rough the series, a slip of so many places is seen if it is eight times what is usual."""
    usual = power * np.log(10) / series._CLEAR
    assert series._power(99_434.0 * 10**power, 1, 99_000.0, 0.99 * usual)[0] == power
    assert series._power(99_434.0 * 10**power, 1, 99_000.0, 1.01 * usual) == (0, False)


def test_a_spike_is_the_oddest_of_its_neighbours_and_says_what_was_likely():
    values = noisy(5)
    true = values[15]
    values[15] = np.round(true * 1.6)
    (odd,) = spikes(values)
    assert odd.place == 15 and odd.z > 6 and odd.power == 0 and odd.likely == pytest.approx(true, rel=0.03)
    values[15] = np.round(true * 0.5)
    assert spikes(values)[0].z < -6


@pytest.mark.parametrize("z, found", [(6.05, True), (5.95, False)])
def test_six_standard_deviations_are_odd(z, found):
    values = noisy(5)
    values[20] = np.round(values[20] * 1.4)
    x = values[None, :, None]
    e = expect(x, np.full(x.shape, 0.5), np.ones(x.shape), np.array([True]))
    e.sd = np.full(x.shape, (np.arcsinh(values[20] / e.scale[0, 20, 0]) - e.centre[0, 20, 0]) / z)
    assert [odd.place for odd in find_spikes(x, np.ones(x.shape), e)] == ([20] if found else [])


@pytest.mark.parametrize("after, found", [(1.0, True), (1.35, False), (0.8, True)])
def test_a_spike_comes_back_and_both_neighbours_say_so(after, found):
    values = np.full(36, 10_000.0) + np.arange(36) % 3
    values[20] *= 1.5
    values[21:] = np.round(values[21:] * after)
    assert (20 in {odd.place for odd in spikes(values)}) == found


def breaks(values, window=6):
    x = np.array(values, float)[None, :, None]
    expected = expect(x, np.full(x.shape, 0.5), np.ones(x.shape), np.array([True]))
    return find_breaks(x, expected, np.array([True]), window)


@pytest.mark.parametrize("at, found", [(2, False), (3, True), (33, True), (34, False)])
def test_three_months_on_both_sides_are_needed_to_see_a_level_break(at, found):
    values = noisy(4)
    values[at:] = np.round(values[at:] * 2)
    assert [odd.place for odd in breaks(values)] == ([at] if found else [])


def test_a_break_says_how_many_times_the_level_before_it_is():
    values = np.r_[np.full(12, 100.0), np.full(12, 300.0)]
    (odd,) = breaks(values)
    assert (odd.place, odd.times, odd.likely) == (12, 3.0, 100.0)
    down = breaks(values[::-1])
    assert down[0].z < 0 and down[0].times == pytest.approx(1 / 3)
    assert breaks(np.r_[np.zeros(12), np.full(12, 300.0)])[0].times == np.inf


def test_a_level_that_comes_back_is_no_break():
    values = np.r_[np.full(12, 100.0), 300.0, np.full(12, 100.0)]
    assert breaks(values) == []


# --- medians, neighbours and expectations, to the number

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
    year = level(values[34:47]).sd[0, :, 0]         # from thirteen on each month has a year around it
    assert year[11] > 5 * year[1]


def test_what_all_branches_do_is_no_move_of_one():
    rng = np.random.default_rng(2)
    own = 0.01 * rng.normal(size=(7, 36))
    x = 5000 * np.exp(0.1 * rng.normal(size=36) + own)[:, :, None]
    e = expect(x, np.full(x.shape, 0.5), np.ones(x.shape), np.ones(7, bool))
    assert (e.step_sd[:, 0, 0] < 0.03).all()
    assert expect(x[:1], np.full((1, 36, 1), 0.5), np.ones((1, 36, 1)), np.ones(1, bool)).step_sd[0, 0, 0] > 0.1


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


# --- the ends, and what is many times off

@pytest.mark.parametrize("at", [0, 59])
@pytest.mark.parametrize("power", [10, 100, 0.1])
def test_a_point_that_slips_in_the_first_or_last_month_is_flagged(at, power):
    rng = np.random.default_rng(3)
    values = np.round(50_000 * np.exp(np.cumsum(0.01 + 0.01 * rng.normal(size=36))))[:36]
    at = min(at, 35)
    true, values[at] = values[at], np.round(values[at] * power)
    got, said = clean_one(values)
    assert said == {("decimal_slip", "flagged", at)} and got[at] == values[at] != true


@pytest.mark.parametrize("times, found", [(1.6, True), (0.6, True), (1.1, False)])
def test_the_newest_month_is_judged_by_what_was_foretold(times, found):
    values = noisy(8)
    values[-1] = np.round(values[-1] * times)
    _, said = clean_one(values)
    assert said == ({("edge", "flagged", 35)} if found else set())


def test_the_next_month_confirms_the_newest():
    values = noisy(8)
    values[-2:] = np.round(values[-2:] * 1.6)
    assert clean_one(values)[1] == set()


def edges(x):
    x = np.array(x, float)[:, :, None]
    expected = expect(x, np.full(x.shape, 0.5), np.ones(x.shape), np.ones(len(x), bool))
    found = find_edges(x, np.zeros(x.shape, bool), np.ones(x.shape), expected, np.ones(len(x), bool))
    return [np.unravel_index(odd.place, x.shape)[:2] for odd in found]


@pytest.mark.parametrize(("months", "found"), [(4, []), (5, [(0, 4)])])
def test_three_moves_before_it_are_the_least_that_foretell_the_newest_month(months, found):
    assert edges([[*[1000.0] * (months - 1), 3000.0]]) == found


@pytest.mark.parametrize("month", [0, 35])
def test_an_end_is_likely_to_be_what_the_drift_leads_to(month):
    x = np.round(20_000 * 1.05 ** np.arange(36) * np.exp(0.002 * np.random.default_rng(4).normal(size=(1, 36))))
    true = x[0, month]
    x[0, month] *= 10
    x = x[:, :, None]
    expected = expect(x, np.full(x.shape, 0.5), np.ones(x.shape), np.ones(1, bool))
    (odd,) = find_edges(x, np.zeros(x.shape, bool), np.ones(x.shape), expected, np.ones(1, bool))
    assert odd.place == month and odd.likely == pytest.approx(true, rel=0.02)


def test_the_drift_is_that_of_the_six_moves_before():
    """Up and down by a twentieth in turn: of six the middle is no move, of five or seven it is one."""
    x = np.where(np.arange(30) % 2, 21_000.0, 20_000.0)[None, :, None]
    before, x[0, -1] = float(x[0, -2, 0]), 5 * x[0, -1]
    expected = expect(x, np.full(x.shape, 0.5), np.ones(x.shape), np.ones(1, bool))
    (odd,) = find_edges(x, np.zeros(x.shape, bool), np.ones(x.shape), expected, np.ones(1, bool))
    assert odd.likely == pytest.approx(before, rel=1e-3)


def test_what_all_branches_do_or_the_same_month_did_before_is_no_surprise():
    rng = np.random.default_rng(5)
    x = 20_000 * np.exp(0.01 * rng.normal(size=(6, 36)))
    x[:, -1] *= 2.0
    assert edges(x) == [] and edges(x[:1]) == [(0, 35)]
    x[:, [11, 23]] *= 2.0
    assert edges(x[:1]) == []


@pytest.mark.parametrize("months", [[0.05, 0.4, 0.8], [0.1], [0.3, 1.0]])
def test_a_branch_that_begins_or_ends_slowly_is_none_either(months):
    rng = np.random.default_rng(6)
    x = 20_000 * np.exp(0.01 * rng.normal(size=(6, 36)))
    n = len(months)
    x[2, :9], x[2, 9:9 + n] = np.nan, x[2, 9:9 + n] * months
    x[4, 27:], x[4, 27 - n:27] = np.nan, x[4, 27 - n:27] * months[::-1]
    assert edges(x) == []
    x[2, 9:9 + n] = 400_000.0, *x[2, 9 + n:9 + 2 * n - 1]       # one that begins with far too much is
    assert edges(x) == [(2, 9)]


@pytest.mark.parametrize("digits", ["3,4", "0"])
@pytest.mark.parametrize("power", [10, 100, 0.1, 0.01])
@pytest.mark.parametrize("seed", range(2))
def test_a_slip_in_a_very_smooth_series_is_named(seed, power, digits):
    """Named always, put right only where the digits ask for it."""
    rng = np.random.default_rng(seed)
    values = np.round(200_000 * np.exp(np.cumsum(0.01 + 0.0005 * rng.normal(size=36)))) // 10 * 10 + 7
    true, at = values[17], 17
    x = values[:, None].T[:, :, None].copy()
    x[0, at, 0] = true * power if digits == "3,4" else np.round(true * power)
    step = np.ones(x.shape)
    expected = expect(x, step / 2, np.ones(x.shape), np.array([True]))
    (odd,) = find_spikes(x, step, expected)
    assert odd.power == round(np.log10(power)) and odd.sure == (power > 1 or digits == "3,4")


def test_values_many_times_what_stands_on_both_sides_are_told_in_a_restless_series():
    """As published tables are: a median change of a third every month, and once sixteen times everything around."""
    restless = [93, 113, 228, 182, 4007, 224, 390, 178, 277, 150, 310, 120, 260, 190, 330, 140, 200, 280]
    assert [odd.place for odd in spikes(np.array(restless) * 1000.0)] == [4]
    flipping = [65, 138, 20, 719, 23, 255, 21, 520, 30, 410, 25, 600, 19, 300, 40, 500]
    assert spikes(np.array(flipping) * 1000.0) == []                    # this one is always like that
    few = [4, 6, 9, 1, 13, 8, 10, 4, 7, 9, 6, 12, 8, 5]
    assert spikes(few) == []                                            # and of a few customers nothing is told


def test_the_month_before_a_new_level_may_be_off_itself():
    """449,793 between 6 and 14,444 is no new level, however the months after it compare with those before."""
    values = np.array([9, 9, 7, 9, 6, 6, 6, 449_793, 14_444, 14_444, 13_971, 14_632, 15_020, 14_877, 15_310, 15_122.0])
    found = breaks(values)
    assert 7 not in [odd.place for odd in found]
    (odd,) = [odd for odd in spikes(values) if odd.place == 7]
    assert odd.likely == pytest.approx(14_444, rel=0.05)


@pytest.mark.parametrize("back", [2, 3, 4])
def test_what_comes_back_within_months_does_not_stay(back):
    values = np.full(30, 1000.0) + np.arange(30) % 3
    values[15:15 + back] *= 4
    assert 15 not in [odd.place for odd in breaks(values)]
