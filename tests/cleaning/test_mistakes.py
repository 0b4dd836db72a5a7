"""Series that no identity speaks for: a level that moves and stays is a fact, a month that alone is off is a spike."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ebank_lib.cleaning import POLICIES, clean, mistakes
from ebank_lib.cleaning.mistakes import (
    Swap,
    common_move,
    conforming,
    expect,
    find_breaks,
    find_spikes,
    find_stale,
    find_swaps,
    find_unit_slips,
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


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("at", [4, 9, 18, 32])
@pytest.mark.parametrize("times", [4.15, 2.0, 0.4])
@pytest.mark.parametrize("seed", range(2))
def test_a_level_that_moves_and_stays_is_only_said(policy, at, times, seed):
    values = noisy(seed)
    values[at:] = np.round(values[at:] * times)
    got, said = clean_one(values, policy)
    assert said == {("level_break", "flagged", at)} and np.array_equal(got, values)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("at", [1, 2, 34, 35])
@pytest.mark.parametrize("times", [3.0, 0.3])
def test_a_step_too_near_an_end_to_be_judged_is_left_alone(policy, at, times):
    values = noisy(7)
    values[at:] = np.round(values[at:] * times)
    got, said = clean_one(values, policy)
    assert said == set() and np.array_equal(got, values)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_step_between_constants(policy):
    values = np.where(np.arange(36) < 10, 100.0, 250.0)
    got, said = clean_one(values, policy)
    assert said == {("level_break", "flagged", 10)} and np.array_equal(got, values)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("at", [2, 12, 33])
def test_zeros_before_a_launch_are_no_spikes(policy, at):
    values = np.where(np.arange(36) < at, 0.0, 500.0 + 3 * np.arange(36))
    got, said = clean_one(values, policy)
    assert "spike" not in {rule for rule, _, _ in said} and np.array_equal(got, values)


@pytest.mark.parametrize("at", [1, 5, 18, 34])
@pytest.mark.parametrize("times", [2.3, 0.37, 1.5])
@pytest.mark.parametrize("growth", [0.0, 0.03, 0.08])
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


# --- columns in another unit, by hand

def columns(moves, months=24, units=5, noise=0.0):
    """Return (units, months, 1) of about 1,000 that are `moves[unit]` powers of ten larger in some months."""
    rng = np.random.default_rng(1)
    log = np.full((units, months), 3.0) + np.arange(units)[:, None] * 0.3 + noise * rng.normal(size=(units, months))
    for (unit, month), power in moves.items():
        log[unit, month] += power
    return 10.0 ** log[:, :, None]


def slips(x, own=None):
    return find_unit_slips(x, np.ones(x.shape), np.ones(len(x), bool) if own is None else own)


def test_a_column_is_found_with_its_months_its_power_and_its_return():
    x = columns({(u, m): 4 for u in range(5) for m in (7, 8, 9)})
    (slip,) = slips(x)
    assert (slip.first, slip.last, slip.indicator, slip.powers, slip.sure, slip.back) == (7, 9, 0, (4, 3), True, True)


@pytest.mark.parametrize("moved, found", [(0.6, True), (0.52, True), (0.48, False), (0.0, False)])
def test_a_row_agrees_that_moves_by_more_than_half_as_much(moved, found):
    """Three of five rows move by four powers, two by a part of it: four fifths must agree."""
    x = columns({(u, 9): 4 if u < 3 else 4 * moved for u in range(5)})
    assert bool(slips(x)) == found


@pytest.mark.parametrize("rows, found", [(5, True), (4, True), (3, False)])
def test_four_of_five_rows_must_agree(rows, found):
    x = columns({(u, 9): 4 for u in range(rows)})
    assert bool(slips(x)) == found


@pytest.mark.parametrize("size, found", [(0.72, True), (0.69, False), (-0.72, True)])
def test_less_than_seven_tenths_of_a_power_of_ten_is_no_unit(size, found):
    assert bool(slips(columns({(u, 9): size for u in range(5)}))) == found


@pytest.mark.parametrize("length, back", [(12, True), (13, False)])
def test_a_stretch_of_half_the_months_is_the_longest_that_came_back(length, back):
    x = columns({(u, m): 4 for u in range(5) for m in range(6, 6 + length)})
    assert any(s.back for s in slips(x)) == back


def test_a_jump_that_is_never_undone_reaches_to_the_nearer_end():
    late = slips(columns({(u, m): 4 for u in range(5) for m in range(14, 24)}))
    early = slips(columns({(u, m): 4 for u in range(5) for m in range(8, 24)}))
    middle = slips(columns({(u, m): 4 for u in range(5) for m in range(12, 24)}))
    assert [(s.first, s.last, s.back) for s in late] == [(14, 23, False)] and late[0].powers[0] == 4
    assert [(s.first, s.last, s.back) for s in early] == [(0, 7, False)] and early[0].powers[0] == -4
    assert [(s.first, s.last) for s in middle] == [(12, 23)]


@pytest.mark.parametrize("size, powers, sure", [
    (2.0, (2, 1), True), (2.19, (2, 3), True), (2.25, (2, 3), False), (1.09, (1, 2), True), (1.12, (1, 2), False),
    (-1.0, (-1, -2), True), (3.28, (3, 4), True), (5.28, (5, 6), True), (5.32, (5, 6), False), (0.8, (1,), False)])
def test_a_power_is_sure_within_a_tenth_of_itself(size, powers, sure):
    (slip,) = slips(columns({(u, 9): size for u in range(5)}))
    assert slip.powers[:len(powers)] == powers and slip.sure == sure


def test_only_branches_vote_and_two_rows_are_too_few_of_many():
    x = columns({(u, 9): 4 for u in range(5)})
    assert not slips(x, np.array([False] * 5))
    few = np.where(np.arange(5)[:, None, None] < 2, x, np.nan)
    assert not slips(few) and slips(x[:2])


def test_a_column_that_grows_by_tenths_every_month_is_no_slip():
    x = columns({}) * 10.0 ** (0.8 * np.arange(24))[None, :, None] / 1e9
    assert not slips(x)


def test_rows_put_right_by_hand_are_left_out_of_a_slip():
    x = columns({(u, m): 4 for u in range(4) for m in (7, 8)})
    x[4, 7] = np.nan
    (slip,) = slips(x)
    assert conforming(x, np.ones(x.shape), slip, 7, 4).tolist() == [0, 1, 2, 3]
    assert conforming(x, np.ones(x.shape), slip, 8, 4).tolist() == [0, 1, 2, 3]
    x[3, 8] = 0
    assert conforming(x, np.ones(x.shape), slip, 8, 4).tolist() == [0, 1, 2, 3]     # a zero goes with its column


# --- rows pasted again or exchanged, by hand

def steady(units=6, months=20, keys=4, seed=0):
    """Return whole numbers that grow, each row and column at its own level, with noise of a hundredth."""
    rng = np.random.default_rng(seed)
    size = 10_000 * (1 + np.arange(units))[:, None, None] * (1 + np.arange(keys))[None, None, :]
    return np.round(size * np.exp(0.01 * np.arange(months)[None, :, None] + 0.01 * rng.normal(
        size=(units, months, keys))))


def judge(x, step=1.0):
    own = np.ones(len(x), bool)
    return expect(x, np.full(x.shape, step / 2), np.ones(x.shape), own), own


def test_a_repeat_is_suspect_where_chance_would_not_bring_it_about():
    x = steady()
    x[2, 9, 1] = x[2, 8, 1]
    expected, _ = judge(x)
    stale = find_stale(x, np.ones(x.shape), expected, [np.arange(4)])
    assert np.argwhere(stale).tolist() == [[2, 9, 1]]
    coarse = find_stale(x, np.full(x.shape, 100.0), expected, [np.arange(4)])     # two digits repeat by themselves
    assert not coarse.any()
    x[2, 8:10, 1] = 0
    assert not find_stale(x, np.ones(x.shape), judge(x)[0], [np.arange(4)]).any()


def test_the_chance_of_a_repeat_is_one_step_in_what_the_series_moves():
    x = steady(keys=1)
    x[0, 9] = x[0, 8]
    expected, _ = judge(x)
    exact = 2.5 * expected.step_sd[0, 9, 0] * x[0, 9, 0] / 1000
    for step, found in ((0.99 * exact, True), (1.01 * exact, False)):
        assert find_stale(x, np.full(x.shape, step), expected, [np.array([0])])[0, 9, 0] == found


@pytest.mark.parametrize("columns_, found", [(4, True), (3, True), (2, False)])
def test_a_row_of_which_most_repeats_was_pasted_whatever_each_number_tells(columns_, found):
    x = steady(keys=5)
    for key in range(columns_):
        x[3, 12, key] = x[3, 11, key]
    expected, _ = judge(x)
    dull = 0.002 * 2.5 * expected.step_sd * x      # each alone repeats by chance, twice in a thousand months
    stale = find_stale(x, dull, expected, [np.arange(5)])
    assert bool(stale[3, 12, :columns_].all()) == found and not np.delete(stale, 3, 0).any()


def test_two_rows_that_fit_each_others_branch_are_a_pair():
    x = steady(keys=6)
    x[[1, 4], 7] = x[[4, 1], 7]
    expected, own = judge(x)
    (swap,) = [s for s in find_swaps(x, expected, own, [np.arange(6)]) if s.gain > 20]
    assert (swap.month, swap.first, swap.second, swap.telling, swap.share) == (7, 1, 4, 6, 1.0)
    assert swap.gain == pytest.approx(133.591, abs=0.001)     # at most 25 a column


def test_pairs_near_one_another_are_judged_again():
    def pair(month, first, second):
        return Swap(month, first, second, np.arange(3), 50.0, 1.0, 3)

    one = pair(10, 1, 4)
    assert one.near(pair(13, 4, 5)) and one.near(pair(7, 0, 1))
    assert not one.near(pair(14, 4, 5)) and not one.near(pair(10, 2, 3))
    assert one.key == (10, 1, 4, (0, 1, 2))


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
def test_a_power_of_ten_is_named_where_digits_and_neighbours_agree(value, likely, sd, step, power):
    assert mistakes._power(value, step, likely, sd) == power


def spikes(values):
    x = np.array(values, float)[None, :, None]
    expected = expect(x, np.full(x.shape, 0.5), np.ones(x.shape), np.array([True]))
    return find_spikes(x, np.ones(x.shape), expected)


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


def test_rows_with_gaps_are_compared_where_all_four_numbers_are_known():
    x = steady(keys=6)
    x[[1, 4], 7] = x[[4, 1], 7]
    x[1, 7, 2] = np.nan
    x[4, 7, 3] = np.nan
    expected, own = judge(x)
    (swap,) = [s for s in find_swaps(x, expected, own, [np.arange(6)]) if s.gain > 20]
    assert (swap.first, swap.second, swap.telling, swap.share) == (1, 4, 4, 1.0)


def test_rows_of_too_few_numbers_and_the_total_are_not_exchanged():
    x = steady(keys=6)
    x[[1, 4], 7] = x[[4, 1], 7]
    expected, own = judge(x)
    own[4] = False
    assert not [s for s in find_swaps(x, expected, own, [np.arange(6)]) if s.gain > 20]
    own[4] = True
    x[1, 7, 2:] = np.nan
    assert not [s for s in find_swaps(x, expected, own, [np.arange(6)]) if s.gain > 20]
    x[1, 7, 2] = x[1, 6, 2]
    assert [s for s in find_swaps(x, expected, own, [np.arange(6)]) if (s.first, s.second) == (1, 4)]


def test_a_column_that_grows_tenfold_twice_a_year_slips_against_its_usual_growth():
    x = columns({(u, 9): 4 for u in range(5)}) * 10.0 ** (0.3 * np.arange(24))[None, :, None]
    (slip,) = slips(x)
    assert (slip.first, slip.last, slip.powers[0], slip.back) == (9, 9, 4, True)


# --- medians, neighbours and expectations of hand-made series, to the number

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
