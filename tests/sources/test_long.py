"""Long tables, a row a branch and month, or a row a figure; and the CSV files that hold them and others."""

from __future__ import annotations

import pandas as pd
import pytest

from ebank_lib.cleaning import clean
from ebank_lib.errors import ConfigError, SourceError, UnknownNameError
from ebank_lib.sources.grids import csv_rows
from ebank_lib.sources.spec import Limits


def rows(text, encoding="utf-8"):
    return csv_rows(text.encode(encoding), "t.csv", None, Limits())


# ---------------------------------------------------------------- what separates the fields


@pytest.mark.parametrize("comma", [",", ";", "\t", "|"])
@pytest.mark.parametrize("title", ["", "Monthly returns, all branches, in units\n", "一;二\n\n", "a;b;c;d,e,f\n"])
def test_fields_are_cut_as_most_of_the_first_lines_are(comma, title):
    table = [["机构", "月份", "收入"], ["东城", "2010-01", "5"], ["西城", "2010-02", "6"], ["北城", "2010-03", "7"]]
    assert rows(title + "\n".join(map(comma.join, table)))[-4:] == table


def test_thousands_in_a_file_of_semicolons_are_no_fields():
    assert rows("机构;客户;收入\n东城;1,234;5,678\n西城;2,345;6,789\n")[1:] == [
        ["东城", "1,234", "5,678"], ["西城", "2,345", "6,789"]]
    assert rows('机构,客户\n东城,"1;2;3"\n西城,"4;5;6"\n')[1] == ["东城", "1;2;3"]


def test_a_line_that_names_the_separator_is_followed_and_not_counted():
    assert rows("sep=;\r\n机构;收入\r\n东城;1,5\r\n") == [["机构", "收入"], ["东城", "1,5"]]
    assert rows("\ufeffsep=\t\na,b\tc\n") == [["a,b", "c"]]


def test_western_european_text_is_not_taken_for_chinese():
    table = "Filial;Mês;Clientes\nSão Paulo;2010-01;5\nBrasília;2010-01;6\n"
    with pytest.raises(SourceError, match="no likely GB18030.* save it as UTF-8, or declare its `encoding`: .*cp1252"):
        rows(table, "cp1252")
    assert csv_rows(table.encode("cp1252"), "t.csv", "cp1252", Limits()) == rows(table)
    with pytest.raises(SourceError, match="found bytes that are no UTF-16;|found 'bytes that are no UTF-16'"):
        csv_rows(b"\xff\xfea", "t.csv", None, Limits())
    assert rows("机构;客户\n東城（元）;5\n", "gb18030") == [["机构", "客户"], ["東城（元）", "5"]]


def test_notes_above_and_below_a_wide_csv_are_notes(folder):
    folder.write("2010-03.csv", "全省客户情况表;;\n单位：户;;\n机构;客户数;备注\n东城;12,345;\n西城;7;x\n"
                 "注：模拟数据，仅供测试\n制表：张三\n")
    folder.files("""\
        - path: "2010-03.csv"
          month: {from: file}
          sheets: [{branch: 机构, headings: {客户数: online}, ignore: [备注]}]
        """)
    source = folder.open()
    assert source.cells()[["branch", "text", "unit", "row"]].to_numpy().tolist() == [
        ["东城", "12,345", "户", 4], ["西城", "7", "户", 5]]
    assert source.notes().text.tolist() == ["全省客户情况表", "单位：户", "注：模拟数据，仅供测试", "制表：张三"]


# ---------------------------------------------------------------- a row a figure

FACTS = """\
- path: "t.*"
  layout: long
  branch: org_id
  month: stat_date
  indicator: ind
  value: val
  unit: unit
  headings: {"0351": online, 网银客户数: online, 收入（合计）: {indicator: income, unit: 万元}}
"""
ROWS = pd.DataFrame(
    [("0101", "2010-01-31", "0351", "1,234", "户"), ("0101", "2010-01-31", "收入(合计)", "5.0", "元"),
     ("101", "2010-02-28", "网银客户数", "-", "万户"), ("0101", "2010-02-28", "收入（合计）", "7", "")],
    columns=["org_id", "stat_date", "ind", "val", "unit"])


def facts(folder, change="", table=ROWS, ending="csv"):
    """Return a source with the table `ROWS`; `change` replaces a part of its YAML (old -> new)."""
    path = folder.path / f"t.{ending}"
    table.to_parquet(path, index=False) if ending == "parquet" else table.to_csv(path, index=False)
    old, _, new = change.partition(" -> ")
    assert old in FACTS
    folder.files(FACTS.replace(old, new, 1) if change else FACTS)
    return folder.open()


def balanced(source):
    counts = source.accounting()
    return (counts.printed == counts[["headings", "cells", "notes", "ignored"]].sum(axis=1)).all()


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_names_in_a_column_say_what_the_figures_are(folder, ending):
    source = facts(folder, ending=ending)
    cells = source.cells()
    assert cells.indicator.tolist() == ["online", "income", "online", "income"]
    assert cells.text.tolist() == ["1,234", "5.0", "-", "7"]
    assert cells.unit.tolist() == ["户", "元", "万户", "万元"]       # the row's, or else the source's
    assert cells.branch.tolist() == ["0101", "0101", "101", "0101"]
    assert cells.month.astype(str).tolist() == ["2010-01", "2010-01", "2010-02", "2010-02"]
    assert cells.row.tolist() == ([1, 2, 3, 4] if ending == "parquet" else [2, 3, 4, 5])
    assert set(cells.column) == {"val"} and set(cells.cumulative) == {""}
    assert balanced(source)


@pytest.mark.parametrize("codes", [[351, 351], [351.0, 351.0], pd.Categorical([351, 351])])
def test_a_number_is_no_code(folder, codes):
    """A column of numbers has lost the noughts: whether 351 was 0351 nobody knows."""
    table = ROWS.iloc[[0, 0]].assign(ind=codes)
    with pytest.raises(SourceError, match="row 1, column 'ind': has a heading that is not mapped; found '351'"):
        facts(folder, table=table, ending="parquet").cells()


@pytest.mark.parametrize(("ids", "branch"), [(["0351"], "northwest"), ([351], None), ([351.0], None)])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_branch_of_digits_is_its_digits(folder, ids, branch, ending):
    folder.write("branches.csv", "branch,zh,en,role,aliases,merged_into,merged_month\nall,全省,All,total,,,\n"
                 "northwest,西北分行,Northwest,branch,0351,,\n")
    cleaned = clean(facts(folder, "headings -> missing: allow\n  headings", ROWS.iloc[[0]].assign(org_id=ids), ending))
    assert cleaned.panel.index.get_level_values("branch").unique().tolist() == ([branch] if branch else [])
    assert cleaned.rejected.rule.tolist() == ([] if branch else ["unknown_branch"])


@pytest.mark.parametrize(("change", "message"), [
    (", 收入（合计） -> , 收入", r"row 3, column 'ind': has a heading that is not mapped; found '收入\(合计\)'"),
    ("网银客户数: online -> 活动率: activity", "row 4, column 'ind': has a heading.*not mapped; found '网银客户数'"),
    ("网银客户数 -> 活动率: activity, 网银客户数", r"does not name an indicator.*活动率 \(indicator activity\)"),
    ("value: val -> value: figure", "column 'figure': needs the column once; found '0 times'"),
    ("unit: unit -> ignore: [nothing]", "column 'unit': has a column that is not mapped"),
    ("unit: unit -> unit: units", "column 'units': needs the column once; found '0 times'.*Did you mean 'unit'")])
def test_what_is_not_said_is_asked_for(folder, change, message):
    with pytest.raises(SourceError, match=message):
        facts(folder, change).cells()


@pytest.mark.parametrize("change", [
    "value: val -> ignore: []", "indicator: ind -> ignore: []", "headings -> columns: {val: online}\n  headings",
    "indicator: ind -> indicator: {from: file}", "month: stat_date -> month: {from: title}",
    "branch: org_id -> branch: {from: sheet}"])
def test_a_long_table_that_cannot_be_one_is_refused(folder, change):
    with pytest.raises(ConfigError, match="either `columns`, or|for a long table has no"):
        facts(folder, change)


def test_a_unit_or_an_indicator_that_does_not_exist_is_named(folder):
    with pytest.raises(UnknownNameError, match="unknown unit '角'"):
        facts(folder, "unit: 万元 -> unit: 角")
    with pytest.raises(UnknownNameError, match="unknown indicator 'incme'.*income"):
        facts(folder, "indicator: income -> indicator: incme")


def test_names_that_are_ignored_are_left_out_wherever_they_stand(folder):
    source = facts(folder, "headings -> ignore: [网银客户数, '0101 ', '2010年', unused]\n  headings")
    with pytest.raises(SourceError, match="does not name an indicator"):
        source.cells()
    table = pd.concat([ROWS, ROWS.iloc[[0]].assign(stat_date="2010年"), ROWS.iloc[[0]].assign(org_id="小计")])
    source = facts(folder, "headings -> ignore: [网银客户数, 小计, '2010年']\n  headings", table)
    assert source.cells().row.tolist() == [2, 3, 5]
    assert source.accounting().ignored.tolist() == [3]
    assert balanced(source)


@pytest.mark.parametrize(("how", "indicators"), [("keep", ["online", "", "", ""]), ("ignore", ["online"])])
def test_other_names_are_kept_or_left_out_but_counted(folder, how, indicators):
    source = facts(folder, f"headings: -> unmapped: {how}\n  missing: allow\n  headings: {{'0351': online}} #")
    assert source.cells().indicator.tolist() == indicators
    assert balanced(source)


def test_columns_that_are_kept_stand_beside_the_figures(folder):
    source = facts(folder, "headings: -> unmapped: keep\n  headings:", ROWS.assign(remark=["a", "", "", "b"]))
    assert source.cells().head(4)[["column", "text", "indicator"]].to_numpy().tolist() == [
        ["val", "1,234", "online"], ["remark", "a", ""], ["val", "5.0", "income"], ["remark", "", ""]]
    assert balanced(source)


def test_a_unit_stands_in_the_name_the_row_the_heading_or_the_source(folder):
    table = ROWS.assign(ind=["网银客户数（万户）", "收入（合计）（元）", "0351", "收入（合计）"],
                        unit=["户", "-", "—", ""])
    assert facts(folder, table=table).cells().unit.tolist() == ["万户", "元", "", "万元"]
    spelt = table.rename(columns={"val": "val(万户)"})
    assert facts(folder, "value: val -> value: val(万户)", spelt).cells().unit.tolist()[2] == "万户"
    strange = table.drop(columns="unit").rename(columns={"val": "val(千个)"})
    with pytest.raises(SourceError, match="has a unit that the catalogue does not know"):
        facts(folder, "value: val\n  unit: unit -> value: val(千个)", strange).cells()
    everywhere = facts(folder, "unit: unit -> unit: {text: 户}", table.drop(columns="unit"))
    assert everywhere.cells().unit[2] == "户"


def test_columns_are_found_whatever_their_width_and_capitals(folder):
    table = ROWS.rename(columns={"org_id": "ORG_ID", "val": "ＶＡＬ ", "ind": "Ind"})
    assert len(facts(folder, table=table).cells()) == 4


def test_the_year_may_have_a_column_of_its_own(folder):
    table = ROWS.assign(stat_date=["1月", "1", "2月", "12"], y=["2010", "2010年", "2011", "2011"])
    change = "month: stat_date -> month: {from: column, column: stat_date, year: {from: column, column: y}}"
    cells = facts(folder, change, table).cells()
    assert cells.month.astype(str).tolist() == ["2010-01", "2010-01", "2011-02", "2011-12"]
    with pytest.raises(SourceError, match="row 3, column 'stat_date': holds no month"):
        facts(folder, change, table.assign(y=["2010", "", "2011", "2011"])).cells()


def test_sums_from_january_on_are_marked(folder):
    cells = facts(folder, "unit: 万元 -> unit: 万元, cumulative: year").cells()
    assert cells.cumulative.tolist() == ["", "year", "", "year"]
    table = ROWS.iloc[[0, 3]].drop(columns=["ind", "unit"])
    table.to_csv(folder.path / "t.csv", index=False)
    folder.files("""\
        - path: t.csv
          layout: long
          branch: org_id
          month: stat_date
          columns: {val: {indicator: income, cumulative: year}}
        """)
    assert folder.cells().cumulative.tolist() == ["year", "year"]


def test_months_outside_are_left_out_and_counted(folder):
    source = facts(folder, "branch: -> from: 2010-02\n  to: 2010-02\n  branch:")
    assert source.cells().row.tolist() == [4, 5]
    assert source.accounting()[["cells", "ignored"]].to_numpy().tolist() == [[2, 2]]
    assert balanced(source)
