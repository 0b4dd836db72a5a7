"""Many cells with one cause: a column in another unit, a row pasted again, two rows swapped."""

import numpy as np
import pytest

from ebank_lib.cleaning.mistakes import Swap, _stretches, conforming, find_stale, find_swaps, find_unit_slips
from ebank_lib.cleaning.series import expect

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


@pytest.mark.parametrize("blank, found", [(3, True), (4, False)])
def test_a_jump_is_seen_over_three_blank_months_and_no_more(blank, found):
    x = columns({(u, m): 4 for u in range(5) for m in range(14, 24)})
    x[:, 14 - blank: 14] = np.nan
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


@pytest.mark.parametrize(("noise", "sure"), [(0.70, True), (0.72, False)])
def test_there_and_back_tell_a_power_the_root_of_two_more_closely_than_one_jump(noise, sure):
    jump = np.zeros(24)
    jump[6], jump[9] = 4.0, -4.0
    (slip,) = _stretches(jump, 0, noise)
    assert slip.back and slip.sure == sure                  # half a power is the least that must be ruled out
    jump[9] = 0.0
    assert [s.sure for n in (0.49, 0.51) for s in _stretches(jump, 0, n)] == [True, False]


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


@pytest.mark.parametrize(("each", "found"), [(14.1 / 3, True), (13.9 / 3, False)])
def test_what_chance_repeats_and_what_does_not_repeat_say_nothing_for_or_against_a_pasted_row(each, found):
    """Three numbers tell just enough; the fourth would repeat anyway, the fifth does not."""
    x = steady(keys=5)
    x[3, 12, :4] = x[3, 11, :4]
    expected, _ = judge(x)
    chance = np.array([*[np.exp(-each)] * 3, 2.0, 0.5])
    stale = find_stale(x, chance * 2.5 * expected.step_sd * x, expected, [np.arange(5)])
    assert stale[3, 12].tolist() == [found] * 4 + [False] and stale.sum() == 4 * found


def test_two_rows_that_fit_each_others_branch_are_a_pair():
    x = steady(keys=6)
    x[[1, 4], 7] = x[[4, 1], 7]
    expected, own = judge(x)
    (swap,) = [s for s in find_swaps(x, expected, own, [np.arange(6)]) if s.gain > 20]
    assert (swap.month, swap.first, swap.second, swap.share) == (7, 1, 4, 1.0)
    assert swap.gain == pytest.approx(133.591, abs=0.001)     # at most 25 a column


def test_pairs_near_one_another_are_judged_again():
    def pair(month, first, second):
        return Swap(month, first, second, np.arange(3), 50.0, 1.0, 3)

    one = pair(10, 1, 4)
    assert one.near(pair(13, 4, 5)) and one.near(pair(7, 0, 1))
    assert not one.near(pair(14, 4, 5)) and not one.near(pair(10, 2, 3))
    assert one.key == (10, 1, 4, (0, 1, 2))


def test_rows_with_gaps_are_compared_where_all_four_numbers_are_known():
    x = steady(keys=6)
    x[[1, 4], 7] = x[[4, 1], 7]
    x[1, 7, 2] = np.nan
    x[4, 7, 3] = np.nan
    expected, own = judge(x)
    (swap,) = [s for s in find_swaps(x, expected, own, [np.arange(6)]) if s.gain > 20]
    assert (swap.first, swap.second, swap.share) == (1, 4, 1.0)


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
