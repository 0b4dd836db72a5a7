"""Names, units, revisions: what is printed decides, every cell keeps a row, nothing unknown is guessed."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ebank_lib.cleaning.assembling import _blocks, _column_decimals, _same_rounded, _unusual, tidy
from ebank_lib.errors import SourceError, UnknownNameError


def test_clean_workbooks_pass_untouched(province):
    cleaned = province.clean()
    assert set(cleaned.entries["decision"]) <= {"parsed", "converted"}
    for b, series in province.true.items():
        for key, values in series.items():
            assert np.array_equal(cleaned.panel.loc[b, key].to_numpy(), values)
    assert cleaned.panel.index.names == ["branch", "month"]
    assert list(cleaned.panel.columns) == list(province.catalog.indicators)
    assert cleaned.branches == [*province.true, "all"]
    assert cleaned.panel["activity"].between(0, 1).all()


def test_every_cell_is_in_the_panel_or_rejected(province):
    province.print("east", "2010-03", "a", "-")
    counts = province.clean().conservation.iloc[0]
    assert counts["cells"] == len(province.cells) == counts["in_panel"] + counts["rejected"]
    assert counts["rejected"] == 1


@pytest.mark.parametrize("text, rule", [("", "blank"), ("—", "dash"), ("并入他行", "not_a_number")])
def test_no_number_is_rejected_with_the_reason(lonely, rules_at, text, rule):
    lonely.print("east", "2010-03", "sales", text)
    cleaned = lonely.clean()
    assert rules_at(cleaned, "east", "2010-03", "sales") == {rule: "rejected"}
    assert np.isnan(cleaned.panel.loc[("east", "2010-03"), "sales"])


def test_a_stated_unit_is_converted(province, rules_at):
    mask = (province.cells["indicator"] == "sales") & (province.cells["month"] == "2010-02")
    province.cells.loc[mask, "unit"] = "万元"
    province.cells.loc[mask, "text"] = [repr(int(t) / 1e4) for t in province.cells.loc[mask, "text"]]
    cleaned = province.clean()
    assert rules_at(cleaned, "east", "2010-02", "sales") == {"unit_heading": "converted"}
    assert cleaned.panel.loc[("east", "2010-02"), "sales"] == province.number("east", "2010-02", "sales")


def test_an_unusual_unit_is_noted_even_if_its_factor_is_one(province, rules_at):
    mask = (province.cells["indicator"] == "sales") & (province.cells["month"] != "2010-02")
    province.cells.loc[mask, "unit"] = "万元"
    province.cells.loc[mask, "text"] = [repr(int(t) / 1e4) for t in province.cells.loc[mask, "text"]]
    assert rules_at(province.clean(), "east", "2010-02", "sales") == {"unit_heading": "converted"}


def test_an_unknown_unit_is_rejected_with_a_suggestion(province):
    mask = (province.cells["indicator"] == "sales") & (province.cells["month"] == "2010-02")
    province.cells.loc[mask, "unit"] = "万原"
    cleaned = province.clean()
    assert cleaned.panel.xs(pd.Period("2010-02", "M"), level="month")["sales"].isna().all()
    assert (cleaned.rejected["rule"] == "unknown_unit").all() and "万元" in cleaned.rejected["reason"].iloc[0]


def test_a_unit_of_another_kind_is_rejected(province):
    province.cells.loc[province.at("east", "2010-02", "sales"), "unit"] = "万户"
    assert province.clean().rejected["rule"].tolist() == ["other_unit"]


def test_units_written_in_the_cell_go_before_the_heading(province):
    n = province.number("east", "2010-02", "sales")
    province.print("east", "2010-02", "sales", f"{n / 1e4}万元")
    province.print("east", "2010-03", "a", f"{province.number('east', '2010-03', 'a') / 1e4!r}万")
    cleaned = province.clean()
    assert cleaned.panel.loc[("east", "2010-02"), "sales"] == n
    assert cleaned.panel.loc[("east", "2010-03"), "a"] == province.number("east", "2010-03", "a")
    assert cleaned.ledger.query("rule == 'inline_unit'")["decision"].tolist() == ["converted", "converted"]


def test_aliases_lead_to_their_branch_and_are_noted(province, rules_at):
    province.cells.loc[province.at("east", "2010-02"), "branch"] = "east市分行"
    province.cells.loc[province.at("west", "2010-02"), "branch"] = " west 分行"
    province.cells.loc[province.at("hill", "2010-02"), "branch"] = "hill分行（注1）"
    cleaned = province.clean()
    assert cleaned.panel.notna().all().all()
    for b in ("east", "west", "hill"):
        assert rules_at(cleaned, b, "2010-02", "a") == {"number": "parsed", "alias": "parsed"}


def test_rows_that_are_no_branch(lonely):
    province = lonely
    extra = {"鲁东小计": "subtotal_row", "总计": "total_row", "机构名称": "heading_row", "easst分行": "unknown_branch"}
    for n, name in enumerate(extra):
        row = province.cells[province.at("east", "2010-02")].assign(branch=name, row=40 + n)
        row["text"] = "客户数" if name == "机构名称" else row["text"]
        province.cells = pd.concat([province.cells, row], ignore_index=True)
    cleaned = province.clean()
    found = cleaned.rejected.groupby("branch", observed=True)["rule"].unique().map(list).to_dict()
    assert found == {name: [rule] for name, rule in extra.items()}
    assert "east" in cleaned.rejected.loc[cleaned.rejected["rule"] == "unknown_branch", "reason"].iloc[0]


def test_a_later_revision_supersedes_and_a_changed_number_is_noted(province, rules_at):
    again = province.cells[province.cells["month"] == "2010-02"].assign(revision=1, file="2010-02_修订1.xlsx")
    province.print("east", "2010-02", "sales", 123456)
    province.cells = pd.concat([province.cells, again], ignore_index=True)
    cleaned = province.clean()
    assert (cleaned.rejected["rule"] == "superseded").all() and len(cleaned.rejected) == len(again)
    assert rules_at(cleaned, "east", "2010-02", "sales") == {"superseded": "rejected", "number": "parsed",
                                                             "revision": "parsed"}
    assert rules_at(cleaned, "east", "2010-02", "a") == {"superseded": "rejected", "number": "parsed"}
    assert cleaned.panel.loc[("east", "2010-02"), "sales"] == province.number("east", "2010-02", "sales")


def test_a_blank_in_the_revision_leaves_the_earlier_number(province):
    again = province.cells[province.at("east", "2010-02", "sales")].assign(revision=1, text="")
    province.cells = pd.concat([province.cells, again], ignore_index=True)
    assert province.clean().panel.loc[("east", "2010-02"), "sales"] == province.number("east", "2010-02", "sales")


def test_the_same_number_twice_is_no_question_two_numbers_are(province, rules_at):
    twin = province.cells[province.at("east", "2010-02")].assign(row=30)
    twin.loc[twin["indicator"] == "sales", "text"] = "1"
    twin.loc[twin["indicator"] == "a", "text"] = f"{round(province.number('east', '2010-02', 'a') / 1e4, 2)}万"
    province.cells = pd.concat([province.cells, twin], ignore_index=True)
    cleaned = province.clean()
    assert rules_at(cleaned, "east", "2010-02", "stock")["duplicate"] == "rejected"
    sales = cleaned.trace("east", "2010-02", "sales")
    assert sales[["decision", "rule"]].astype(str).agg(" ".join, axis=1).tolist() == [
        "parsed number", "flagged duplicate", "rejected other_number"]
    assert "flagged" not in cleaned.trace("east", "2010-02", "a")["decision"].astype(str).tolist()


def test_a_month_without_a_file_is_a_row_of_the_ledger(province):
    province.cells = province.cells[province.cells["month"] != "2010-02"].reset_index(drop=True)
    cleaned = province.clean()
    gone = cleaned.ledger.query("decision == 'flagged' and rule == 'missing_month'")
    assert gone["month"].astype(str).tolist() == ["2010-02"]
    assert len(cleaned.months) == 30 and np.isnan(cleaned.panel.loc[("east", "2010-02"), "sales"])


def test_what_two_identities_give_in_a_missing_month_is_filled_and_true(province):
    province.cells = province.cells[province.cells["month"] != "2010-02"].reset_index(drop=True)
    cleaned = province.clean()
    assert set(cleaned.ledger.query("decision == 'filled'")["rule"]) == {"from_identity"}
    for b in province.true:
        for key in ("stock", "new"):
            assert cleaned.panel.loc[(b, "2010-02"), key] == province.number(b, "2010-02", key)


def test_a_merged_branch_joins_its_heir_and_both_cells_are_traced(merged):
    cleaned = merged.clean()
    assert cleaned.branches == [*(b for b in merged.true if b != "old"), "all"]
    for key in ("stock", "new", "a", "both", "sales"):
        whole = merged.true["lake"][key] + np.where(np.arange(30) < 12, merged.true["old"][key], 0)
        if key != "stock" and key != "new":
            assert np.array_equal(cleaned.panel.loc["lake", key].to_numpy(), whole)
    early = cleaned.trace("lake", "2009-05", "a")
    assert set(early["branch"]) == {"lake", "old"} and "merger" in set(early["rule"])
    assert set(cleaned.trace("lake", "2010-05", "a")["branch"]) == {"lake"}
    ratio = cleaned.panel.loc[("lake", "2009-05")]
    assert ratio["activity"] == pytest.approx(ratio["active"] / ratio["stock"], rel=1e-12)


def test_half_of_a_merged_branch_is_no_sum(merged):
    merged.catalog = merged.catalog.__class__(**{**vars(merged.catalog), "identities": ()})
    merged.cells = merged.cells[merged.cells["branch"] != "全部合计"].reset_index(drop=True)
    merged.print("old", "2009-05", "sales", "-")
    cleaned = merged.clean()
    assert np.isnan(cleaned.panel.loc[("lake", "2009-05"), "sales"])
    assert cleaned.rejected["rule"].astype(str).tolist() == ["merger_part", "dash"]


def test_a_merged_branch_that_reports_again_would_count_twice(merged):
    row = merged.cells[merged.at("old", "2009-12")].assign(month=pd.Period("2010-03", "M"), file="2010-03.xlsx", row=40)
    merged.cells = pd.concat([merged.cells, row], ignore_index=True)
    assert set(merged.clean().rejected["rule"]) == {"merger"}


def test_only_the_months_asked_for_are_used(province):
    cleaned = province.clean(start="2009-06", end="2010-05")
    assert [str(cleaned.months[0]), str(cleaned.months[-1])] == ["2009-06", "2010-05"]
    assert cleaned.conservation["cells"].iloc[0] < len(province.cells)
    for wrong in ({"start": "2030-01"}, {"end": "soon"}):
        with pytest.raises(UnknownNameError):
            province.clean(**wrong)
    with pytest.raises(SourceError, match="end lies before the start"):
        province.clean(start="2010-05", end="2009-06")


def test_no_cells_and_unknown_policies_are_errors(province):
    with pytest.raises(UnknownNameError, match="conservative"):
        province.clean("conservativ")
    province.cells = province.cells.iloc[:0]
    with pytest.raises(SourceError):
        province.clean()


def texts(decimals):
    return SimpleNamespace(decimals=np.array(decimals))


def column_of(n, **columns):
    return pd.DataFrame({"file": "f", "sheet": "s", "column": "C", "month": "2010-03", "indicator": "a"},
                        index=range(n)).assign(**columns)


@pytest.mark.parametrize("decimals, expected", [
    ([2, 2, 1, 0], 2), ([2, 2, 0, 0, 0], 2), ([2, 0, 0, 0, 0], 0), ([2, 2, 0, 0, 0, 0, 0, 0], 0)])
def test_a_column_has_the_digits_that_one_in_four_of_its_numbers_prints(decimals, expected):
    found = _column_decimals(column_of(len(decimals)), texts(decimals), np.ones(len(decimals), bool))
    assert found[decimals.index(min(decimals))] == expected


def test_a_number_three_digits_short_of_its_column_was_rounded():
    found = _column_decimals(column_of(5), texts([4, 4, 4, 2, 1]), np.ones(5, bool))
    assert found.tolist() == [4, 4, 4, 4, 1]


def test_every_column_and_month_has_digits_of_its_own_and_dead_cells_say_nothing():
    cells = column_of(6, column=["C", "C", "C", "D", "D", "C"], month=["2010-03"] * 5 + ["2010-04"])
    alive = np.array([True, True, True, True, True, False])
    assert _column_decimals(cells, texts([2, 2, 0, 1, 0, 0]), alive).tolist() == [2, 2, 2, 0, 0, 0]


def test_a_unit_is_unusual_that_fewer_cells_of_the_indicator_have_than_another():
    cells = column_of(7, indicator=["a", "a", "a", "b", "b", "b", "b"])
    codes = np.array([0, 0, 1, 0, 1, 1, 0])
    assert _unusual(cells, codes, np.ones(7, bool)).tolist() == [False, False, True, False, False, False, False]
    dead = np.array([True, False, True, True, True, True, False])
    assert _unusual(cells, codes, dead).tolist() == [False, False, False, True, False, False, True]


@pytest.mark.parametrize("x, rounded", [
    (0.1 + 0.2, 0.3), (13.8042 * 1e4, 138042.0), (4.35 * 100, 435.0), (-1.1 * 3, -3.3), (0.0, 0.0), (1e-300, 1e-300),
    (123456789012345678.0, 123456789012346000.0)])
def test_a_product_is_what_a_hand_would_write(x, rounded):
    assert tidy(np.array([x]))[0] == rounded


@pytest.mark.parametrize("a, half_a, b, half_b, same", [
    (8_277_084.0, 0.5, 8.28, 0.005, True), (8_277_084.0, 0.5, 8.27, 0.005, True),       # rounded, or cut off
    (8_277_084.0, 0.5, 8.26, 0.005, False), (27_226_080.0, 0.5, 27.22608, 5e-6, True),
    (8_277_084.0, 0.5, 8_280_000.0, 5000.0, True), (8_277_084.0, 0.5, 8.3, 0.05, False),
    (10_000.0, 0.5, 10_000.6, 0.5, True),
    (10_000.0, 0.5, 10_001.1, 0.5, False), (120.0, 0.5, 12.0, 0.5, False), (5000.0, 0.5, 5.0, 0.005, True)])
def test_one_number_rounded_twice_is_one_number(a, half_a, b, half_b, same):
    assert _same_rounded(*(np.array([v]) for v in (a, half_a, b, half_b)))[0] == same


def test_of_columns_that_stand_together_the_largest_sets_count():
    cells = column_of(5, sheet=["s", "s", "t", "t", "u"])
    blocks = _blocks(cells, np.array([0, 2, 0, 2, 2]))
    assert [b.tolist() for b in blocks] == [[0, 2]]
    blocks = _blocks(cells, np.array([0, 2, 1, 2, -1]))
    assert [b.tolist() for b in blocks] == [[0, 2], [1, 2]]


def test_from_the_month_of_its_merger_on_a_branch_is_its_heirs(merged):
    """Merged in 2010-01: a row of its own in that month counts for nothing and is no part of the heir's number."""
    row = merged.cells[merged.at("old", "2009-12")].assign(month=pd.Period("2010-01", "M"), file="2010-01.xlsx", row=40)
    merged.cells = pd.concat([merged.cells, row], ignore_index=True)
    cleaned = merged.clean()
    assert set(cleaned.rejected["rule"]) == {"merger"} and len(cleaned.rejected) == len(row)
    assert cleaned.panel.loc[("lake", "2010-01"), "a"] == merged.number("lake", "2010-01", "a")
    assert set(cleaned.trace("lake", "2010-01", "a")["branch"]) == {"lake"}
    assert set(cleaned.trace("lake", "2009-12", "a")["branch"]) == {"lake", "old"}
