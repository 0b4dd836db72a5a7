"""Which cell is blamed, with what value, and whether it is proven: a grid that obeys every identity, spoilt by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from ebank_lib.cleaning import blame
from ebank_lib.cleaning.blame import Evidence, copied, explain, fill, rule_names
from ebank_lib.cleaning.identities import build_system, learn
from ebank_lib.cleaning.series import expect

from .conftest import small_catalog
from .test_identities import KEYS, grid

SHAPE = grid().value.shape


def at(unit, month, key):
    return int(np.ravel_multi_index((unit, month, KEYS.index(key)), SHAPE))


def examine(spoil, prior=None, stale=(), units=("north", "south", "all")):
    g = grid(units)
    true = g.value.copy()
    for place, value in spoil.items():
        g.value.flat[place] = value
    system = build_system(g, small_catalog(total="all" in units))
    half = learn(system, g)
    step = 2 * g.half
    repeated = np.zeros(g.size, bool)
    repeated[list(stale)] = True
    ev = Evidence(g.value.ravel(), half, step.ravel(), np.zeros(g.size) if prior is None else prior, repeated)
    own = np.array([u != "all" for u in units])
    return system, ev, expect(g.value, g.half, np.ones(g.value.shape), own), true


def verdicts(spoil, **options):
    system, ev, expected, true = examine(spoil, **options)
    found = explain(system, ev, expected)
    return [(v.place, v.value, v.proven, v.power, rule_names(system, v.rules)) for v in found], true


@pytest.mark.parametrize("key, off, rules", [
    ("stock", 40, ["change_mismatch", "ratio_mismatch", "total_mismatch"]),
    ("new", 6, ["change_mismatch", "total_mismatch"]), ("a", 6, ["sum_mismatch", "total_mismatch"]),
    ("both", -6, ["sum_mismatch", "total_mismatch"]), ("active", 60, ["ratio_mismatch", "total_mismatch"])])
def test_two_sharp_equations_prove_the_one_cell_in_both(key, off, rules):
    true = grid().value.flat[at(0, 4, key)]
    found, _ = verdicts({at(0, 4, key): true + off})
    assert found == [(at(0, 4, key), true, True, 0, rules)]


def test_one_equation_proves_nothing_and_the_likelier_cell_is_named():
    true = grid().value
    prior = np.zeros(true.size)
    prior[at(2, 4, "sales")] = 2.0
    found, _ = verdicts({at(2, 4, "sales"): true.flat[at(2, 4, "sales")] + 30}, prior=prior)
    assert found == [(at(2, 4, "sales"), true.flat[at(2, 4, "sales")], False, 0, ["total_mismatch"])]


def test_one_equation_and_a_power_of_ten_are_proof():
    true = grid().value.flat[at(0, 4, "sales")]
    found, _ = verdicts({at(0, 4, "sales"): true * 10})
    assert found == [(at(0, 4, "sales"), true, True, -1, ["total_mismatch"])]


def test_where_no_series_speaks_the_power_of_ten_does():
    place = at(0, 4, "sales")
    system, ev, expected, true = examine({place: grid().value.flat[place] * 10})
    expected.sd = expected.sd * 1e6
    (found,) = explain(system, ev, expected)
    assert (found.place, found.value, found.power) == (place, true.flat[place], -1)


@pytest.mark.parametrize("key", ["active", "stock", "activity"])
@pytest.mark.parametrize("power", [-1, 0, 1, 2])
@pytest.mark.parametrize(("off", "holds"), [(0.99, True), (-0.99, True), (1.01, False), (-1.01, False)])
def test_a_number_that_lost_digits_leaves_an_equation_the_room_of_those_that_are_left(key, power, off, holds):
    """active / stock = activity: 106 for 1,064 says 1,060 within 5; one printed too large is as exact as any."""
    system, _, _, true = examine({}, units=("north",))
    x, cell = true.ravel().copy(), at(0, 4, key)
    x[at(0, 4, "activity")] = x[at(0, 4, "active")] / x[at(0, 4, "stock")]
    half = np.where(np.arange(x.size) == cell, 1e-4 * x[cell], 0.0)
    moved = x[cell] + off * half[cell] * 10.0 ** max(power, 0)
    (entry,) = [e for e in system.touching(np.array([cell]))[1] if system.rule[system.equation[e]] == 2]
    entry, equation = np.array([entry]), system.equation[[entry]]
    x[cell] = moved / 10.0**power
    assert blame._hold_after(system, system.sums(x, half), entry, equation, moved - x[[cell]], half[[cell]],
                             np.array([power])) == [holds]


@pytest.mark.parametrize(("lead", "accepted"), [(4.0, [1]), (3.9, [])])
def test_an_explanation_leads_in_every_equation_that_it_restores(lead, accepted):
    """The second cell's value follows from another equation than the one in which the first cell is its rival."""
    none = np.zeros(2)
    made = blame._Candidates(
        cell=np.array([0, 1]), equation=np.array([0, 1]), value=none, score=np.array([5.0, 5 + lead]), proven=none > 0,
        exact=none > 0, power=none, stale=none > 0, z=none, pair=np.array([1, 1]), touched=np.array([0, 1]),
        fixed=none == 0, failed=none == 0)
    assert blame._accept(SimpleNamespace(size=2), made) == accepted


def test_a_ratio_follows_from_its_confirmed_parts_and_not_from_others():
    true = grid().value.flat[at(0, 4, "activity")]
    found, _ = verdicts({at(0, 4, "activity"): true + 0.05})
    assert found == [(at(0, 4, "activity"), true, True, 0, ["ratio_mismatch"])]
    alone, _ = verdicts({at(0, 4, "activity"): true + 0.05}, units=("north",))
    assert [(place, proven) for place, _, proven, *_ in alone] == [(at(0, 4, "activity"), False)]


def test_a_repeat_is_blamed_before_a_number_that_repeats_nothing():
    true = grid().value
    place = at(0, 4, "sales")
    found, _ = verdicts({place: true.flat[place] + 9}, stale=[place])
    assert [(p, proven) for p, _, proven, *_ in found] == [(place, False)]


def test_a_stock_and_its_net_new_are_proven_together():
    true = grid().value
    spoil = {at(0, 4, "stock"): true.flat[at(0, 4, "stock")] + 40, at(0, 4, "new"): true.flat[at(0, 4, "new")] + 6}
    found, _ = verdicts(spoil)
    assert {(place, value, proven) for place, value, proven, *_ in found} == {
        (place, true.flat[place], True) for place in spoil}


def test_explained_numbers_are_put_in_place_and_settled():
    place = at(0, 4, "both")
    system, ev, expected, true = examine({place: 1.0})
    explain(system, ev, expected)
    assert ev.x[place] == true.flat[place] and ev.settled[place] and not ev.doubtful[place]
    assert ev.settled.sum() == 1 and np.array_equal(ev.x, true.ravel())
    doubtful = at(2, 4, "sales")
    system, ev, expected, true = examine({doubtful: 17000.0}, prior=np.eye(1, true.size, doubtful).ravel() * 9)
    explain(system, ev, expected)
    assert ev.doubtful.nonzero()[0].tolist() == [doubtful]


def test_an_unknown_cell_is_filled_where_two_equations_agree():
    place = at(0, 4, "a")
    system, ev, expected, true = examine({place: np.nan})
    (found,) = fill(system, ev, expected)
    assert (found.place, found.value, found.proven) == (place, true.flat[place], True)
    assert rule_names(system, found.rules) == ["sum_mismatch", "total_mismatch"] and ev.x[place] == true.flat[place]


def test_one_equation_fills_only_between_confirmed_cells():
    place = at(0, 4, "sales")
    system, ev, expected, _ = examine({place: np.nan})
    assert fill(system, ev, expected) == []                 # nothing else confirms the others' sales
    place = at(0, 4, "a")
    system, ev, expected, true = examine({place: np.nan, at(2, 4, "a"): np.nan})
    found = fill(system, ev, expected)
    assert {v.place: v.value for v in found} == {p: true.flat[p] for p in (place, at(2, 4, "a"))}


def test_equations_that_disagree_fill_nothing():
    true = grid().value
    place = at(0, 4, "a")
    system, ev, expected, _ = examine({place: np.nan, at(0, 4, "b"): true.flat[at(0, 4, "b")] + 3})
    assert place not in [v.place for v in fill(system, ev, expected)]


def test_an_equation_of_repeats_confirms_nothing():
    places = [at(0, 4, key) for key in ("a", "b", "both")]
    system, ev, *_ = examine({}, stale=places)
    assert [rule_names(system, (q,)) for q in copied(system, ev).nonzero()[0]] == [["sum_mismatch"]]
    ev.settled[places[0]] = True
    assert not copied(system, ev).any()
