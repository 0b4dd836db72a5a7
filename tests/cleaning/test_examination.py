"""What the numbers prove. One mistake at a time in a province that is otherwise right: found, blamed on the right cell,
corrected only if proven, and nothing else touched."""

import numpy as np
import pandas as pd
import pytest

from ebank_lib.cleaning.examination import _Examination
from ebank_lib.cleaning.identities import RULES

from .conftest import small_catalog
from .test_identities import KEYS, grid


def changed(cleaned):
    return cleaned.entries[cleaned.entries["decision"].isin(["corrected", "flagged", "filled"])]


def only(cleaned, branch, month, indicator):
    """Whether nothing but this place was touched."""
    rows = changed(cleaned)
    found = set(zip(rows["branch"], rows["month"].astype(str), rows["indicator"], strict=True))
    return found == {(branch, month, indicator)}


@pytest.mark.parametrize(("power", "place"), [
    (10, ("east", "a")), (0.1, ("east", "a")), (0.1, ("all", "both")), (100, ("west", "stock")),
    (0.01, ("hill", "new")), (100, ("hill", "new")), (10, ("north", "activity")), (0.01, ("north", "activity"))])
def test_a_slipped_point_is_put_back(province, rules_at, place, power):
    branch, key = place
    mask = province.at(branch, "2010-04", key)
    text = province.cells.loc[mask, "text"].iloc[0]
    province.print(branch, "2010-04", key, repr(float(f"{float(text) * power:.10g}")).removesuffix(".0"))
    cleaned = province.clean()
    assert rules_at(cleaned, branch, "2010-04", key)["decimal_slip"] == "corrected"
    true = float(text) * (0.01 if key == "activity" else 1)
    assert cleaned.panel.loc[(branch, "2010-04"), key] == pytest.approx(true, rel=1e-12)
    assert only(cleaned, branch, "2010-04", key)


@pytest.mark.parametrize("branch, key, rule", [
    ("east", "a", "sum_mismatch"), ("all", "both", "sum_mismatch"), ("west", "stock", "change_mismatch"),
    ("hill", "new", "change_mismatch"), ("lake", "active", "ratio_mismatch"), ("all", "sales", "total_mismatch")])
def test_the_identity_names_the_one_cell_that_is_wrong(province, rules_at, branch, key, rule):
    printed = province.cells.loc[province.at(branch, "2010-04", key), "text"].iloc[0]
    province.print(branch, "2010-04", key, int(int(printed) * 1.07))
    cleaned = province.clean()
    rules = rules_at(cleaned, branch, "2010-04", key)
    assert only(cleaned, branch, "2010-04", key) and rule in rules
    if key == "sales":     # nothing but the sum speaks: whether the total is wrong or a branch is not proven
        assert rules[rule] == "flagged" and cleaned.panel.loc[(branch, "2010-04"), key] == int(int(printed) * 1.07)
    else:
        assert rules[rule] == "corrected" and cleaned.panel.loc[(branch, "2010-04"), key] == int(printed)


def test_a_wrong_ratio_follows_from_its_parts(province, rules_at):
    printed = float(province.cells.loc[province.at("east", "2010-04", "activity"), "text"].iloc[0])
    province.print("east", "2010-04", "activity", round(printed + 3.21, 2))
    cleaned = province.clean()
    assert rules_at(cleaned, "east", "2010-04", "activity")["ratio_mismatch"] == "corrected"
    assert cleaned.panel.loc[("east", "2010-04"), "activity"] == pytest.approx(printed / 100, abs=1e-12)


def test_rounding_is_no_mistake(province):
    mask = (province.cells["month"] == "2010-02") & province.cells["indicator"].isin(["a", "b", "both", "stock"])
    province.cells.loc[mask, "text"] = [f"{int(t) / 1e4:.2f}" for t in province.cells.loc[mask, "text"]]
    province.cells.loc[mask, "unit"] = "万户"
    assert changed(province.clean()).empty


@pytest.mark.parametrize(("months", "key"), [
    (["2010-02"], "a"), (["2010-02"], "activity"), (["2010-02", "2010-03"], "stock"),
    (["2010-02", "2010-03"], "activity"), (["2009-01"], "stock"), (["2011-06"], "a")])
def test_a_column_that_changes_its_unit_and_says_nothing(province, months, key):
    power = 100 if key == "activity" else 10_000
    mask = province.cells["month"].astype(str).isin(months) & (province.cells["indicator"] == key)
    true = province.cells.loc[mask, "text"].astype(float)
    province.cells.loc[mask, "text"] = [repr(round(t / power, 6)) for t in true]
    cleaned = province.clean()
    assert set(changed(cleaned)["rule"]) == {"unit_slip"} and len(changed(cleaned)) == mask.sum()
    got = [cleaned.panel.loc[(b, m), key] for m in months for b in (*province.true, "all")]
    assert np.allclose(got, true * (0.01 if key == "activity" else 1), rtol=1e-12)


@pytest.mark.parametrize(("spoilt", "key", "times", "restored"), [
    ({}, "a", 10, -4),                  # breaks a sum and a total
    ({"a": 10}, "a", 0.1, 2),           # restores both
    ({"a": 10}, "b", 10, -2),           # the sum did not hold before either
    ({}, "active", 10, -4)])            # a ratio and a total; that a part is not larger than the whole is no proof
def test_what_a_unit_restores_is_weighed_against_what_it_breaks(spoilt, key, times, restored):
    g = grid()
    for name, factor in spoilt.items():
        g.value[0, 4, KEYS.index(name)] *= factor
    found = _Examination(g, small_catalog())._restored([(0, 4, KEYS.index(key))], times)
    assert found == restored


def test_what_is_unknown_or_not_obeyed_is_neither_restored_nor_broken():
    g, at = grid(), KEYS.index("a")
    g.value[1, 4, at], g.value[2, 4, at] = np.nan, 10 * g.value[0, 4, at]     # "restored" if the unknown were nothing
    examination = _Examination(g, small_catalog())
    assert examination._restored([(0, 4, at)], 10) == -2        # its own sum
    examination.system.used[examination.system.rule == RULES.index("sum_mismatch")] = False
    assert examination._restored([(0, 4, at)], 10) == 0


def test_a_unit_that_stays_changed_is_flagged_where_nothing_proves_it(lonely):
    mask = (lonely.cells["month"] >= "2010-06") & (lonely.cells["indicator"] == "sales")
    lonely.cells.loc[mask, "text"] = [repr(int(t) / 1e4) for t in lonely.cells.loc[mask, "text"]]
    cleaned = lonely.clean()
    assert set(changed(cleaned)["decision"]) == {"flagged"} and "unit_slip" in set(changed(cleaned)["rule"])


def test_two_rows_swapped(province, rules_at):
    one, two = province.at("east", "2010-04"), province.at("hill", "2010-04")
    texts = province.cells.loc[one, "text"].to_numpy().copy()
    province.cells.loc[one, "text"] = province.cells.loc[two, "text"].to_numpy()
    province.cells.loc[two, "text"] = texts
    cleaned = province.clean()
    assert set(changed(cleaned)["rule"]) == {"swapped_rows"} and set(changed(cleaned)["decision"]) == {"corrected"}
    for b in ("east", "hill"):
        assert cleaned.panel.loc[(b, "2010-04"), "stock"] == province.number(b, "2010-04", "stock")


def test_a_row_pasted_again_from_the_month_before(province):
    before, after = province.at("east", "2010-03"), province.at("east", "2010-04")
    province.cells.loc[after, "text"] = province.cells.loc[before, "text"].to_numpy()
    cleaned = province.clean()
    rows = changed(cleaned)
    assert set(rows["branch"]) == {"east"} and set(rows["month"].astype(str)) == {"2010-04"}
    assert set(rows.loc[rows["rule"] == "stale_repeat", "indicator"]) >= {"stock", "new", "active", "a", "b", "both"}
    for key in ("stock", "new", "a", "b", "both"):
        assert cleaned.panel.loc[("east", "2010-04"), key] == province.number("east", "2010-04", key)


def test_a_spike_that_no_identity_speaks_of_is_flagged_and_kept(lonely, rules_at):
    n = lonely.number("east", "2010-04", "sales")
    lonely.print("east", "2010-04", "sales", int(n * 2.3))
    cleaned = lonely.clean()
    assert rules_at(cleaned, "east", "2010-04", "sales") == {"number": "parsed", "spike": "flagged"}
    assert cleaned.panel.loc[("east", "2010-04"), "sales"] == int(n * 2.3)


def test_a_power_of_ten_needs_both_neighbours_and_the_digits(lonely, rules_at):
    n = lonely.number("east", "2010-04", "sales")
    lonely.print("east", "2010-04", "sales", n * 10)
    assert lonely.clean().panel.loc[("east", "2010-04"), "sales"] == n
    lonely.print("east", "2010-04", "sales", n * 10 + 7)      # moved back it would be no whole number
    cleaned = lonely.clean()
    assert rules_at(cleaned, "east", "2010-04", "sales")["decimal_slip"] == "flagged"
    assert cleaned.panel.loc[("east", "2010-04"), "sales"] == n * 10 + 7


def test_what_happens_to_all_branches_is_no_mistake(lonely):
    mask = (lonely.cells["month"] == "2010-02") & (lonely.cells["indicator"] == "sales")
    lonely.cells.loc[mask, "text"] = [str(int(int(t) * 0.4)) for t in lonely.cells.loc[mask, "text"]]
    assert changed(lonely.clean()).empty


def test_a_stock_that_jumps_and_stays_is_a_fact(province):
    """The policy push: the new customers say so, and every later month."""
    jump = 60_000
    later = province.cells["month"] >= "2010-04"
    for b in ("lake", "all"):
        name = province.catalog.branches[b].zh
        mine = province.cells["branch"] == name
        for key, mask in (("stock", mine & later), ("new", mine & (province.cells["month"] == "2010-04"))):
            mask = mask & (province.cells["indicator"] == key)
            province.cells.loc[mask, "text"] = [str(int(t) + jump) for t in province.cells.loc[mask, "text"]]
    printed = province.cells.set_index(["indicator", "branch", "month"])["text"]
    stock, active = printed["stock"].astype(float), printed["active"].astype(float)
    ratio = province.cells["indicator"] == "activity"
    keys = pd.MultiIndex.from_frame(province.cells.loc[ratio, ["branch", "month"]])
    province.cells.loc[ratio, "text"] = [repr(round(100 * v, 2)) for v in (active / stock).reindex(keys)]
    cleaned = province.clean()
    assert cleaned.ledger.query("decision == 'corrected'").empty
    assert not {"stock", "new"} & set(changed(cleaned)["indicator"])
    assert cleaned.panel.loc[("lake", "2010-04"), "stock"] == province.number("lake", "2010-04", "stock") + jump


def test_a_level_that_breaks_without_proof_is_only_flagged(lonely):
    mask = (lonely.cells["indicator"] == "sales") & (lonely.cells["branch"] == "lake分行")
    mask &= lonely.cells["month"] >= "2010-04"
    lonely.cells.loc[mask, "text"] = [str(int(int(t) * 2.5)) for t in lonely.cells.loc[mask, "text"]]
    cleaned = lonely.clean()
    assert changed(cleaned)[["rule", "decision"]].astype(str).to_numpy().tolist() == [["level_break", "flagged"]]
    assert str(changed(cleaned)["month"].iloc[0]) == "2010-04"


def test_a_part_larger_than_its_whole(lonely):
    lonely.print("east", "2010-04", "active", lonely.number("east", "2010-04", "stock") * 2)
    lonely.print("east", "2010-04", "activity", "-")
    cleaned = lonely.clean()
    assert "within_mismatch" in set(changed(cleaned)["rule"])


def test_a_blank_that_two_identities_give_is_filled(province, rules_at):
    province.print("east", "2010-04", "a", "")
    cleaned = province.clean()
    assert rules_at(cleaned, "east", "2010-04", "a") == {"blank": "rejected", "from_identity": "filled"}
    assert cleaned.panel.loc[("east", "2010-04"), "a"] == province.number("east", "2010-04", "a")


def test_two_mistakes_in_one_equation_do_not_make_a_third(province):
    """The stock of one month and the new customers of the next hide each other's proof; no right number may suffer."""
    province.print("east", "2010-04", "stock", province.number("east", "2010-04", "stock") + 777)
    province.print("east", "2010-05", "new", province.number("east", "2010-05", "new") + 77)
    cleaned = province.clean()
    for month in ("2010-03", "2010-04", "2010-05", "2010-06"):
        for key in ("stock", "new"):
            printed = float(province.cells.loc[province.at("east", month, key), "text"].iloc[0])
            assert cleaned.panel.loc[("east", month), key] in (printed, province.number("east", month, key))
    assert set(changed(cleaned)["indicator"]) <= {"stock", "new"}


def test_an_identity_that_nobody_obeys_proves_nothing(province):
    both = province.cells["indicator"] == "both"
    rng = np.random.default_rng(1)
    printed = province.cells.loc[both, "text"]
    province.cells.loc[both, "text"] = [str(int(int(t) * rng.uniform(1.1, 1.3))) for t in printed]
    cleaned = province.clean()
    corrected = set(cleaned.entries.query("decision == 'corrected'")["indicator"])
    assert not {"a", "b"} & corrected and "sum_mismatch" not in set(cleaned.entries["rule"])


@pytest.mark.parametrize("seed", range(3))
def test_no_true_number_is_changed_by_random_mistakes(seed):
    """Many mistakes at once: whatever is corrected or filled is right, and right numbers stay."""
    from tests.cleaning.conftest import BRANCHES, MONTHS, Province

    province = Province(seed=seed, total=seed % 2 == 0)
    rng = np.random.default_rng(seed)
    keys = ["stock", "new", "active", "a", "b", "both", "sales"]
    spoilt = set()
    for _ in range(40):
        b, m, k = rng.choice(BRANCHES), str(rng.choice(MONTHS.astype(str))), rng.choice(keys)
        n = province.number(b, m, k)
        text = rng.choice([str(n * 10), str(int(n * rng.uniform(0.2, 3))), "", "-", str(n + 1), repr(n / 100)])
        province.print(b, m, k, text)
        spoilt.add((b, m, k))
    cleaned = province.clean()
    rows = cleaned.entries[cleaned.entries["decision"].isin(["corrected", "filled"])]
    rows = rows[(rows["branch"] != "all") & (rows["indicator"] != "activity")]
    places = zip(rows["branch"], rows["month"].astype(str), rows["indicator"], strict=True)
    true = [province.number(*place) for place in places]
    assert np.array_equal(rows["after"], true)
    assert len(rows) > 10


@pytest.mark.parametrize("total", [True, False])
def test_a_total_that_adds_up_does_not_vouch_for_what_was_pasted(total):
    """Published totals are sums of what is printed, so pasted numbers prove themselves."""
    from tests.cleaning.conftest import BRANCHES, MONTHS, Province

    province = Province(total=total)
    province.catalog = province.catalog.__class__(**{**vars(province.catalog), "identities": ()})
    for n, branch in enumerate(BRANCHES):
        month = str(MONTHS[8 + 3 * n])
        before = str(MONTHS[7 + 3 * n])
        province.print(branch, month, "sales", province.number(branch, before, "sales"))
        if total:
            sums = sum(int(province.cells.loc[province.at(b, month, "sales"), "text"].iloc[0]) for b in BRANCHES)
            province.print("all", month, "sales", sums)
    flags = changed(province.clean())
    found = flags[(flags["rule"] == "stale_repeat") & (flags["decision"] == "flagged")]
    assert set(found["branch"]) == set(BRANCHES) and set(found["indicator"]) == {"sales"}


def swapped(province, month="2010-04", one="east", two="hill", keys=None):
    a, b = province.at(one, month), province.at(two, month)
    if keys:
        a, b = (mask & province.cells["indicator"].isin(keys) for mask in (a, b))
    texts = province.cells.loc[a, "text"].to_numpy().copy()
    province.cells.loc[a, "text"] = province.cells.loc[b, "text"].to_numpy()
    province.cells.loc[b, "text"] = texts


def test_rows_that_only_their_columns_exchange_are_flagged_and_kept(province):
    """Without a stock and its change no identity fails: a total does not see which row a number stands in."""
    province.catalog = province.catalog.__class__(**{**vars(province.catalog), "identities": ()})
    swapped(province)
    cleaned = province.clean()
    rows = changed(cleaned)
    assert set(rows["rule"]) == {"swapped_rows"} and set(rows["decision"]) == {"flagged"}
    reasons = cleaned.ledger.query("decision == 'flagged'").groupby("branch", observed=True)["reason"].first()
    assert "Hill" in reasons["east"] or "hill" in reasons["east"]
    assert "East" in reasons["hill"] or "east" in reasons["hill"]
    assert np.isnan(cleaned.series("east", "a")["2010-04"])


def test_an_identity_does_not_ask_for_a_negative_count(lonely):
    """Both parts are printed three times too large: the total less one of them is no number of customers."""
    for key in ("a", "b"):
        lonely.print("north", "2010-04", key, int(3.3 * lonely.number("north", "2010-04", key)))
    rows = lonely.clean().ledger.query("decision == 'flagged'")
    assert "sum_mismatch" in set(rows["rule"])
    assert not rows["reason"].str.contains("[应改]为 -|示的? -", regex=True).any()
