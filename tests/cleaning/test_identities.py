"""Equations of a hand-made grid: which there are, which hold within rounding, which are obeyed."""

import numpy as np
import pandas as pd
import pytest

from ebank_lib.cleaning.assembling import Grid
from ebank_lib.cleaning.identities import RULES, Sums, build_system, learn

from .conftest import small_catalog

KEYS = list(small_catalog().indicators)
MONTHS = pd.period_range("2009-01", periods=8, freq="M")


def grid(units=("north", "south", "all"), partial=()):
    """Numbers that obey every identity, counts exact, ratios to the hundredth of a per cent."""
    value = np.zeros((len(units), len(MONTHS), len(KEYS)))
    at = {key: n for n, key in enumerate(KEYS)}
    for u, unit in enumerate(units):
        if unit == "all":
            value[u] = value[:u].sum(axis=0)
        else:
            value[u, :, at["new"]] = 10 * (u + 1) + np.arange(8)
            value[u, :, at["stock"]] = 1000 * (u + 1) + np.cumsum(value[u, :, at["new"]])
            value[u, :, at["active"]] = 400 * (u + 1) + 7 * np.arange(8)
            value[u, :, at["a"]], value[u, :, at["b"]] = 50 + u, 20 + np.arange(8)
            value[u, :, at["both"]] = value[u, :, at["a"]] + value[u, :, at["b"]]
            value[u, :, at["sales"]] = 5000 * (u + 1)
        value[u, :, at["activity"]] = np.round(value[u, :, at["active"]] / value[u, :, at["stock"]], 4)
    half = np.full(value.shape, 0.5)
    half[:, :, at["activity"]] = 0.00005
    cells = np.arange(value.size).reshape(value.shape)
    unknown = np.zeros(value.shape[1:], bool)
    for month, key in partial:
        unknown[month, at[key]] = True
    return Grid(list(units), MONTHS, KEYS, value, half, cells, np.ones(value.shape[:2], bool),
                np.full(value.shape, -1), [np.arange(len(KEYS))], unknown, np.zeros(value.shape, bool))


def counts(system):
    return {rule: int((system.rule == n).sum()) for n, rule in enumerate(RULES)}


def test_every_identity_is_asked_of_every_row_and_month():
    system = build_system(grid(), small_catalog())
    assert counts(system) == {"sum_mismatch": 3 * 8, "change_mismatch": 3 * 7, "ratio_mismatch": 3 * 8,
                              "total_mismatch": 7 * 8, "within_mismatch": 3 * 8}
    assert len(set(system.family.tolist())) == 3 + 3 + 3 + 7 + 3
    assert system.is_linear.sum() == 24 + 21 + 56 and system.in_branch.sum() == 24 + 21 and system.is_change.sum() == 21


def test_a_change_has_three_cells_a_total_one_of_every_row():
    system = build_system(grid(), small_catalog())
    size = np.bincount(system.equation)
    by_rule = {rule: set(size[system.rule == n].tolist()) for n, rule in enumerate(RULES)}
    assert by_rule == {"sum_mismatch": {3}, "change_mismatch": {3}, "ratio_mismatch": {3}, "total_mismatch": {3},
                       "within_mismatch": {2}}
    change = np.flatnonzero(system.rule == 1)[0]
    entries = system.entries_of(np.array([change]))
    stock, new = KEYS.index("stock"), KEYS.index("new")
    assert system.cell[entries].tolist() == [len(KEYS) + stock, stock, len(KEYS) + new]
    assert system.n[entries].tolist() == [-1, 1, 1]
    ratio = system.entries_of(np.flatnonzero(system.rule == 2)[:1])
    assert [system.n[ratio].tolist(), system.d[ratio].tolist(), system.r[ratio].tolist()] == [
        [0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_a_row_that_is_not_printed_is_not_asked_for_and_an_unknown_branch_spoils_the_total():
    g = grid(partial=[(2, "a")])
    g.present[1, :3] = False
    system = build_system(g, small_catalog())
    assert counts(system)["total_mismatch"] == 7 * 8 - 1
    assert counts(system)["sum_mismatch"] == 8 + 5 + 8 and counts(system)["change_mismatch"] == 7 + 4 + 7
    total = np.flatnonzero(system.rule == 3)
    assert sorted(set(np.bincount(system.equation)[total].tolist())) == [2, 3]


def test_a_branch_and_its_heir_obey_sums_and_changes_as_one_too():
    # The merger comes after these months.
    system = build_system(grid(("lake", "old")), small_catalog(total=False, merged=True))
    assert counts(system) == {"sum_mismatch": 3 * 8, "change_mismatch": 3 * 7, "ratio_mismatch": 2 * 8,
                              "total_mismatch": 0, "within_mismatch": 2 * 8}
    assert sorted(set(np.bincount(system.equation).tolist())) == [2, 3, 6]


def test_all_hold_and_a_wrong_cell_breaks_just_its_own():
    g = grid()
    system = build_system(g, small_catalog())
    assert system.sums(g.value.ravel(), g.half.ravel()).holds(system.is_within).all()
    place = np.ravel_multi_index((0, 3, KEYS.index("stock")), g.value.shape)
    x = g.value.ravel().copy()
    x[place] += 40
    failing = ~system.sums(x, g.half.ravel()).holds(system.is_within)
    assert sorted(RULES[r] for r in system.rule[failing]) == ["change_mismatch", "change_mismatch", "ratio_mismatch",
                                                             "total_mismatch"]
    assert set(np.flatnonzero(failing)) <= set(system.around(np.array([place])).tolist())
    some = system.around(np.array([place]))
    assert (system.sums(x, g.half.ravel(), some).holds(system.is_within[some]) == ~failing[some]).all()
    x[place] = np.nan
    sums = system.sums(x, g.half.ravel())
    assert sums.unknown.sum() == len(some) and (sums.unknown[some] == 1).all()


@pytest.mark.parametrize("gap, fits", [(0.0, True), (0.15, True), (-0.15, True), (0.151, False)])
def test_an_equation_holds_within_the_rounding_of_its_cells(gap, fits):
    """N within 0.1, R within 0.05: together 0.15."""
    one = np.ones(1)
    got = Sums(10 * one + gap, one, 10 * one, 0.1 * one, 0 * one, 0.05 * one, 0 * one).holds(np.array([False]))
    assert got[0] == fits


def test_a_quotient_takes_the_rounding_of_its_denominator_too():
    one = np.ones(1)
    # 50 / 100 = 0.5; the denominator within 1 moves it by 0.005.
    for r, fits in ((0.5 + 0.0049, True), (0.5 + 0.0052, False)):
        assert Sums(50 * one, 100 * one, r * one, 0 * one, one, 0 * one, 0 * one).holds(np.array([False]))[0] == fits


def test_parts_may_be_less_than_the_whole_and_not_more():
    one = np.ones(1)
    for n, fits in ((-5.0, True), (0.4, True), (0.6, False)):
        assert Sums(n * one, one, 0 * one, 0.5 * one, 0 * one, 0 * one, 0 * one).holds(np.array([True]))[0] == fits


def test_counts_that_add_up_to_the_last_digit_are_exact():
    g = grid()
    system = build_system(g, small_catalog())
    half = learn(system, g).reshape(g.value.shape)
    assert system.used.all()
    exact = {key for n, key in enumerate(KEYS) if (half[:, :, n] == 0).all()}
    assert exact == {"stock", "new", "active", "a", "b", "both", "sales"}
    assert (half[:, :, KEYS.index("activity")] == 0.00005).all()


@pytest.mark.parametrize("broken, used", [(4, True), (5, False)])
def test_an_identity_obeyed_in_half_of_the_months_still_counts(broken, used):
    g = grid()
    g.value[0, :broken, KEYS.index("both")] += 9
    system = build_system(g, small_catalog())
    learn(system, g)
    family = system.family[np.flatnonzero(system.rule == 0)[0]]
    assert system.used[system.family == family].all() == used
    assert system.used[(system.rule == 0) & (system.family != family)].all()


def test_of_few_equations_all_must_hold():
    g = grid()
    g.value[:2, :, KEYS.index("both")][:, 3:] = np.nan       # three months are left to ask
    g.value[0, 1, KEYS.index("both")] += 9
    system = build_system(g, small_catalog())
    learn(system, g)
    first = system.family[np.flatnonzero(system.rule == 0)[0]]
    assert not system.used[system.family == first].any()
    assert system.used[(system.rule == 0) & (system.family == first + 1)].all()


def test_sums_that_are_off_by_the_dust_of_binary_fractions_are_exact():
    g = grid()
    g.value[:, :, KEYS.index("sales")] = np.array([0.1, 0.2, 0.1 + 0.2])[:, None] * 1e5 * (1 + np.arange(8))
    g.value[2, :, KEYS.index("sales")] += 1e-6
    g.half[:, :, KEYS.index("sales")] = 0.05
    half = learn(build_system(g, small_catalog()), g).reshape(g.value.shape)
    assert (half[:, :, KEYS.index("sales")] == 0).all()


def test_numbers_that_hold_only_within_rounding_are_not_exact():
    g = grid()
    g.value[:, :, KEYS.index("sales")] = [[5000.0] * 8, [7000.0] * 8, [12001.0] * 8]
    system = build_system(g, small_catalog())
    half = learn(system, g).reshape(g.value.shape)
    assert (half[:, :, KEYS.index("sales")] == 0.5).all()
