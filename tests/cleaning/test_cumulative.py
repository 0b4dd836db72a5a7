"""What is printed as the sum since January becomes each month's own number; what cannot be known is said to be so."""

import shutil

import numpy as np
import pandas as pd
import pytest

from ebank_lib.cleaning import clean
from ebank_lib.cli.trace import Inputs, printed_cells
from ebank_lib.sources.units import as_text


def print_sums(province, key):
    """Print an indicator as sums since January."""
    cells = province.cells
    if "cumulative" not in cells:
        cells["cumulative"] = ""
    mine = cells["indicator"] == key
    for name in cells["branch"].unique():
        rows = cells.index[mine & (cells["branch"] == name)]
        months = pd.PeriodIndex(cells.loc[rows, "month"])
        sums = pd.Series(cells.loc[rows, "text"].astype(float).to_numpy(), months).groupby(months.year).cumsum()
        cells.loc[rows, "text"] = [as_text(float(v)) for v in sums]
    cells.loc[mine, "cumulative"] = "year"


def rules(cleaned, branch, month, indicator):
    found = cleaned.trace(branch, month, indicator)
    return found[found["month"] == month].set_index("rule")["decision"].astype(str).to_dict()


def test_without_the_column_nothing_happens(province):
    before = province.clean()
    province.cells["cumulative"] = ""
    pd.testing.assert_frame_equal(province.clean().entries, before.entries)


def test_the_panel_holds_each_months_own_number(province):
    as_months = province.clean()
    for key in ("sales", "a", "new"):
        print_sums(province, key)
    cleaned = province.clean()
    pd.testing.assert_frame_equal(cleaned.panel, as_months.panel)
    assert set(cleaned.entries["decision"]) <= {"parsed", "converted"}
    one = cleaned.entries.query("branch == 'east' and indicator == 'sales' and rule == 'year_to_date'")
    assert len(one) == 30 and (one["decision"] == "converted").all()
    printed = pd.Series(one["text"].astype(float).to_numpy(), pd.PeriodIndex(one["month"]))
    assert (one["before"] == printed.to_numpy()).all() and np.array_equal(one["after"], cleaned.series("east", "sales"))
    january = printed.index.month == 1
    assert (one.loc[january, "before"] == one.loc[january, "after"]).all() and january.sum() == 3


def test_a_number_leads_to_the_sums_of_both_months(province):
    print_sums(province, "sales")
    cleaned = province.clean()
    found = cleaned.trace("east", "2010-03", "sales", lang="en")
    assert found["month"].astype(str).tolist() == ["2010-02", "2010-03", "2010-03"]
    assert found["rule"].tolist() == ["number", "number", "year_to_date"]
    earlier = found.iloc[0]
    where = f"{earlier['before']:,.0f} ({earlier['file']} 表!{earlier['column']}{earlier['row']})"
    assert where in found["reason"].iloc[-1]
    assert cleaned.trace("east", "2010-01", "sales")["month"].astype(str).tolist() == ["2010-01", "2010-01"]
    month = pd.Period("2010-03", "M")
    of_report = printed_cells(cleaned, Inputs(("east",), ("sales",), (month,), True))
    assert sorted(of_report["month"].astype(str)) == ["2010-02", "2010-03", "2010-03"]
    # Of several months every row stands once.
    both = printed_cells(cleaned, Inputs(("east",), ("sales",), (month - 1, month), True))
    assert not both.duplicated().any() and both["month"].nunique() == 3


@pytest.mark.parametrize("gap", ["blank", "no row"])
def test_after_a_gap_a_month_is_not_known(lonely, gap):
    print_sums(lonely, "sales")
    if gap == "blank":
        lonely.print("east", "2010-03", "sales", "")
    else:
        lonely.cells = lonely.cells[~lonely.at("east", "2010-03", "sales")].reset_index(drop=True)
    cleaned = lonely.clean()
    own = cleaned.series("east", "sales")
    assert own.index[own.isna()].astype(str).tolist() == ["2010-03", "2010-04"]
    assert own["2010-05"] == lonely.number("east", "2010-05", "sales")
    assert rules(cleaned, "east", "2010-04", "sales") == {"number": "parsed", "year_to_date": "rejected"}
    assert "2010-03" in cleaned.rejected.query("rule == 'year_to_date'")["reason"].item()
    counts = cleaned.conservation.iloc[0]
    assert counts["cells"] == counts["in_panel"] + counts["rejected"]


def test_a_gap_in_december_leaves_january_alone(lonely):
    print_sums(lonely, "sales")
    lonely.print("east", "2009-12", "sales", "-")
    own = lonely.clean().series("east", "sales")
    assert own.index[own.isna()].astype(str).tolist() == ["2009-12"]


def test_a_table_that_begins_within_a_year_begins_a_month_later(lonely):
    print_sums(lonely, "sales")
    cleaned = lonely.clean(start="2009-05")
    for branch in cleaned.branches:
        own = cleaned.series(branch, "sales")
        assert own.index[own.isna()].astype(str).tolist() == ["2009-05"]


def test_an_identity_fills_what_a_gap_takes(province):
    """a + b = both, and the branches add up: the month after the gap follows from the others."""
    print_sums(province, "a")
    province.print("east", "2010-03", "a", "")
    cleaned = province.clean()
    assert cleaned.series("east", "a")["2010-04"] == province.number("east", "2010-04", "a")
    assert rules(cleaned, "east", "2010-04", "a")["from_identity"] == "filled"


def test_a_number_of_the_month_itself_in_january_begins_the_year(lonely):
    print_sums(lonely, "sales")
    january = lonely.cells["month"].dt.month == 1
    lonely.cells.loc[january, "cumulative"] = ""
    assert np.array_equal(lonely.clean().series("east", "sales"), lonely.true["east"]["sales"])


def test_a_sum_that_falls_is_in_doubt_and_left_out(lonely):
    print_sums(lonely, "sales")
    at = lonely.at("east", "2010-06", "sales")
    before = float(lonely.cells.loc[lonely.at("east", "2010-05", "sales"), "text"].item())
    lonely.cells.loc[at, "text"] = as_text(before - 7000)
    cleaned = lonely.clean()
    assert rules(cleaned, "east", "2010-06", "sales")["falling_sum"] == "flagged"
    assert cleaned.series("east", "sales", doubtful="keep")["2010-06"] == -7000
    assert np.isnan(cleaned.series("east", "sales")["2010-06"])
    doubt = cleaned.doubtful[cleaned.doubtful["month"].astype(str) == "2010-06"]
    assert doubt["value"].tolist() == [-7000] and doubt["likely"].isna().all()
    assert "7,000" in cleaned.of("east", "en")["reason"].iloc[0]
    assert lonely.clean("interpolate").series("east", "sales", doubtful="keep")["2010-06"] > 0


def test_a_net_flow_may_fall(lonely):
    """The change of a stock is what comes less what goes."""
    print_sums(lonely, "new")
    for later in pd.period_range("2010-06", "2010-12", freq="M"):
        at = lonely.at("east", later, "new")
        lonely.cells.loc[at, "text"] = as_text(float(lonely.cells.loc[at, "text"].item()) - 3000)
    cleaned = lonely.clean()
    assert cleaned.series("east", "new", doubtful="keep")["2010-06"] < 0
    assert "falling_sum" not in set(cleaned.entries["rule"])


def test_a_difference_is_as_exact_as_its_two_sums_together(lonely):
    """In units of 10,000 with two digits, a sum may fall by less than it is rounded to; and identities know it."""
    mask = lonely.cells["indicator"] == "a"
    print_sums(lonely, "a")
    lonely.cells.loc[mask, "unit"] = "万户"
    lonely.cells.loc[mask, "text"] = [f"{float(t) / 1e4:.2f}" for t in lonely.cells.loc[mask, "text"]]
    cleaned = lonely.clean()
    error = (cleaned.panel["a"] - np.concatenate([lonely.true[b]["a"] for b in cleaned.branches])).abs()
    assert 50 < error.max() <= 100
    assert set(cleaned.entries["decision"]) <= {"parsed", "converted"}


def test_a_difference_has_no_more_digits_than_its_sums(lonely):
    print_sums(lonely, "sales")
    for month, text in (("2010-02", "999999.91"), ("2010-03", "1000000.13")):
        lonely.print("east", month, "sales", text)
    assert lonely.clean().series("east", "sales", doubtful="keep")["2010-03"] == 0.22      # not 0.2199999999720603


def test_what_a_reader_states_is_the_printed_sum(lonely, monkeypatch):
    print_sums(lonely, "sales")
    lonely.print("east", "2010-03", "sales", "x")
    right = int(np.sum(lonely.true["east"]["sales"][12:15]))
    at = int(np.flatnonzero(lonely.at("east", "2010-03", "sales"))[0])

    def stated(source, cells):
        said = np.full(len(cells), None, object)
        said[at] = {"value": str(right), "reason": "电话核实", "who": "张三"}
        return said

    monkeypatch.setattr("ebank_lib.cleaning.cleaned.stated_cells", stated)
    assert np.array_equal(lonely.clean().series("east", "sales"), lonely.true["east"]["sales"])


# ---------------------------------------------------------------- a workbook that prints nothing but sums

CATALOG = """\
units:
  number: {base: 户, factor: 1}
  thousand: {base: 笔, factor: 1000}
  CNY thousand: {base: 元, factor: 1000}
base_units: {户: {zh: 户, en: customers}, 笔: {zh: 笔, en: transactions}, 元: {zh: 元, en: yuan}}
groups: {all: {zh: 全部, en: All}}
indicators:
  - {key: mobile, zh: 手机银行客户数, en: Mobile customers, group: all, kind: stock, unit: 户}
  - {key: mobile_txn, zh: 手机银行交易量, en: Mobile transactions, group: all, kind: flow, unit: 笔}
  - {key: sms_income, zh: 短信收入, en: SMS income, group: all, kind: flow, unit: 元}
  - {key: personal_online, zh: 网银客户数, en: Online customers, group: all, kind: stock, unit: 户}
"""
SOURCES = """\
title: {zh: 累计, en: Cumulative}
catalog: catalog.yaml
branches: branches.csv
files:
  - path: cumulative.xlsx
    sheets:
      - branch: Branch
        month: {from: column, column: Month, year: {from: column, column: Year}}
        headings:
          Mobile customers: mobile
          Mobile transactions, cumulative: {indicator: mobile_txn, cumulative: year}
          SMS income, cumulative: {indicator: sms_income, cumulative: year}
          Online customers: personal_online
"""


def test_a_workbook_of_sums_gives_the_months_that_its_keepers_wrote_down(shared_data, tmp_path):
    folder = shared_data / "layouts" / "14_only_year_to_date"
    if not folder.is_dir():
        pytest.skip("the workbooks of other layouts are not here")
    shutil.copy(folder / "cumulative.xlsx", tmp_path)
    branches = "rivermouth,Rivermouth,Rivermouth\noakfield,Oakfield,Oakfield\ncastle,Castle Hill,Castle Hill\n"
    for name, text in (("catalog.yaml", CATALOG), ("sources.yaml", SOURCES), ("branches.csv", (
            "branch,zh,en,role,aliases,merged_into,merged_month\n" + branches.replace("\n", ",branch,,,\n")))):
        (tmp_path / name).write_text(text, encoding="utf-8")
    panel = clean(tmp_path).panel
    found = {(branch, str(month), key): value for key in panel
             for (branch, month), value in panel[key].dropna().items()}
    expected = pd.read_csv(folder / "expected.csv", index_col=["branch", "month", "indicator"])["value"]
    assert found == expected.to_dict()
