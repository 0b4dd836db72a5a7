"""Wherever a unit is printed it is read; one that is printed and not understood is an error that names it."""

from __future__ import annotations

import openpyxl
import pytest

from ebank_lib.cleaning import clean
from ebank_lib.errors import SourceError, UnknownNameError

YAML = """\
- path: "*.xlsx"
  month: {{from: file}}
  sheets:
    - {{sheet: "*", branch: 机构, {more}headings: {{客户数: online, 收入: {income}}}}}
"""
HEADINGS = ["机构", "客户数", "收入"]
ROWS = [["东城分行", 1200, 5.5], ["西城分行", 800, 2.5]]


def write(folder, rows, merges=(), more="", income="income", name="2010-03.xlsx"):
    """Write a workbook of one sheet and the YAML that reads its two indicators."""
    folder.files(YAML.format(more=more, income=income))
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for area in merges:
        book.active.merge_cells(area)
    book.save(folder.path / name)


def units(folder):
    cells = folder.cells()
    return dict(zip(cells["indicator"].astype(str), cells["unit"].astype(str)))


# ---------------------------------------------------------------- a row of units

def test_a_row_of_units_below_merged_headings_is_part_of_the_headings(folder):
    write(folder, [["机构", "业务", None], [None, "客户数", "收入"], [None, "(户)", "(万元)"], *ROWS],
          ["A1:A2", "B1:C1"], )
    folder.edit("客户数: online, 收入: income", "业务/客户数: online, 业务/收入: income")
    assert units(folder) == {"online": "户", "income": "万元"}
    cleaned = clean(folder.open())
    assert cleaned.panel["income"].tolist() == [55_000, 25_000]
    assert not (cleaned.entries["rule"] == "heading_row").any()


@pytest.mark.parametrize("row", [[None, "户", "万元"], ["单位", "户", "万元"], [None, "单位：户", "单位：万元"],
                                 [None, "（户）", "〔万元〕"], [None, None, "人民币万元"]])
@pytest.mark.parametrize("merged", [True, False])
def test_a_row_of_units_needs_no_brackets(folder, row, merged):
    write(folder, [HEADINGS, [None, None, None], row, *ROWS] if merged else [HEADINGS, row, *ROWS],
          [f"{c}1:{c}2" for c in "ABC"] if merged else [])
    assert units(folder)["income"] == "万元"
    assert len(folder.cells()) == 4


@pytest.mark.parametrize("row", [[None, "(户)", "(Mn)"], [None, "户", "百万元"], ["单位", "户", "亿户次"]])
def test_a_unit_in_a_row_of_units_that_is_not_understood_is_named(folder, row):
    write(folder, [HEADINGS, [None, None, None], row, *ROWS], [f"{c}1:{c}2" for c in "ABC"])
    with pytest.raises(SourceError, match=row[2].strip("()")) as caught:
        folder.cells()
    assert (caught.value.file, caught.value.column) == ("2010-03.xlsx", "C")


@pytest.mark.parametrize("row", [[None, "(1)", "(2)"], ["甲", 1, 2]])
def test_a_row_that_numbers_the_columns_is_no_row_of_units(folder, row):
    write(folder, [HEADINGS, [None, None, None], row, *ROWS], [f"{c}1:{c}2" for c in "ABC"])
    assert units(folder) == {"online": "", "income": ""}


# ---------------------------------------------------------------- a line, a note

@pytest.mark.parametrize("line", [
    "单位：人民币万元", "单位（万元）", "（单位：万元）", "单位: 万元", "单位：户、万元", "金额单位：万元",
    "货币单位:万元", "单位：万元，户", "计量单位为万元", "单位：万元 2010年3月", "单位 万元", "收入统计表（万元）",
    "收入统计表〔万元〕",
    "（万元）", "金额单位：人民币 万元", "单位：万元（保留两位小数）"])
def test_a_line_above_the_table_gives_the_unit_of_its_kind(folder, line):
    write(folder, [["收入表"], [line], HEADINGS, *ROWS])
    found = units(folder)
    assert found["income"] == "万元"
    assert found["online"] in ("", "户")


def test_a_line_beside_the_title_and_a_note_below_are_read_too(folder):
    write(folder, [["收入表", None, "单位：万元"], HEADINGS, *ROWS])
    assert units(folder)["income"] == "万元"
    write(folder, [["收入表"], HEADINGS, *ROWS, [], ["注：本表金额单位为万元。"]])
    assert units(folder)["income"] == "万元"


@pytest.mark.parametrize(("line", "named"), [
    ("单位：百万元", "百万元"), ("金额单位：百万元", "百万元"), ("单位：户、枚", "枚"),
    ("收入统计表（百万元）", "百万元"), ("单位：万", "万"), ("单位：10000元", "10000元"),
    ("单位：千元 见附注", "千元"), ("Amount in Rs. mn", "Rs. mn"),
    ("单位：元、万元", "元、万元")])
def test_a_line_that_is_not_understood_is_an_error_unless_the_yaml_says_the_unit(folder, line, named):
    write(folder, [["收入表"], [line], HEADINGS, *ROWS])
    with pytest.raises(SourceError, match=f"not understood; found .*{named}.*expected one of 户, 万户, 元") as caught:
        folder.cells()
    assert "catalogue" in caught.value.hint
    write(folder, [["收入表"], [line], HEADINGS, *ROWS], income="{indicator: income, unit: 万元}")
    if line.startswith("单位：户"):
        assert units(folder) == {"online": "户", "income": "万元"}


def test_a_level_that_is_a_unit_may_be_the_heading_itself(folder):
    write(folder, [["机构", "交易", None], [None, "户", "万元"], *ROWS])
    folder.edit("客户数: online, 收入: income", "交易/户: online, 交易/万元: income")
    assert units(folder) == {"online": "户", "income": "万元"}


def test_a_sub_heading_of_a_missing_column_is_another_column(folder):
    write(folder, [["机构", "客户数", "收入", None], [None, None, "手续费", "其他"], ["东城分行", 1200, 5, 6]],
          more="unmapped: ignore, missing: allow, ")
    assert units(folder) == {"online": ""}


def test_a_unit_of_the_yaml_is_one_of_the_catalogue(folder):
    write(folder, [HEADINGS, *ROWS], income="{indicator: income, unit: 百万元}")
    with pytest.raises(UnknownNameError, match=r"sheets\.0\.headings\.收入\.unit': unknown unit '百万元'"):
        folder.open()


@pytest.mark.parametrize("line", ["填报单位：东城分行", "单位：东城分行", "编制单位：电子银行部", "单位负责人：张三",
                                  "单位：", "统计表（2010年3月）"])
def test_an_organisation_is_no_unit(folder, line):
    write(folder, [["收入表"], [line], HEADINGS, *ROWS])
    assert units(folder) == {"online": "", "income": ""}


def test_the_heading_speaks_before_the_line(folder):
    write(folder, [["单位：万元"], ["机构", "客户数（户）", "收入（元）"], *ROWS])
    assert units(folder) == {"online": "户", "income": "元"}


def test_units_of_an_earlier_tables_headings_are_not_the_next_ones(folder):
    write(folder, [["网点", "户均（户）", "存款（万元）"], ["甲", 1, 2], [], HEADINGS, *ROWS])
    assert units(folder) == {"online": "", "income": ""}


def test_the_name_of_a_sheet_or_a_file_may_hold_the_unit(folder):
    write(folder, [HEADINGS, *ROWS], name="2010-03收入（万元）.xlsx")
    assert units(folder) == {"online": "", "income": "万元"}
    (folder.path / "2010-03收入（万元）.xlsx").unlink()
    write(folder, [HEADINGS, *ROWS])
    book = openpyxl.load_workbook(folder.path / "2010-03.xlsx")
    book.active.title = "收入（单位：万元）"
    book.save(folder.path / "2010-03.xlsx")
    assert units(folder) == {"online": "", "income": "万元"}


def test_numbers_without_any_unit_are_said_by_check(folder, capsys):
    from ebank_lib.cli import main

    write(folder, [HEADINGS, *ROWS])
    assert folder.open().without_unit().astype(str).to_numpy().tolist() == [
        ["online", "2", "2010-03.xlsx", "Sheet", "B"], ["income", "2", "2010-03.xlsx", "Sheet", "C"]]
    main(["check", "--source", str(folder.path), "--lang", "zh"])
    assert "收入：2 个数字没有印任何单位，按元读入（最先在 2010-03.xlsx Sheet C）" in capsys.readouterr().out
    write(folder, [["单位：户、万元"], HEADINGS, *ROWS])
    assert folder.open().without_unit().empty
    write(folder, [HEADINGS, ["东城分行", "1200户", "5.5万元"]])
    assert folder.open().without_unit().empty


# ---------------------------------------------------------------- a column of units, a unit behind the heading

def test_a_column_of_units_counts_row_by_row(folder):
    headings = ["机构", "单位", "客户数（户）", "收入"]
    write(folder, [headings, ["东城分行", "万元", 1200, 5.5], ["西城分行", "元", 800, 25_000]])
    assert clean(folder.open()).panel["income"].tolist() == [55_000, 25_000]
    account = folder.open().accounting().iloc[0]
    assert (account.headings, account.cells, account.notes) == (8, 4, 0)
    write(folder, [headings, ["东城分行", "百万元", 1200, 5.5]])
    with pytest.raises(SourceError, match="row 2.*not understood; found '百万元'"):
        folder.cells()


def test_a_column_of_organisations_is_no_column_of_units(folder):
    write(folder, [["机构", "单位", "客户数", "收入"], ["东城分行", "一部", 1200, 5.5]])
    with pytest.raises(SourceError, match="not mapped; found '单位'"):
        folder.cells()


@pytest.mark.parametrize("heading", ["收入万元", "收入：万元", "收入 (万元)", "收入｛万元｝", "收入「万元」",
                                     "收入〖万元〗", "收入(人民币万元)", "收入/万元"])
def test_a_unit_may_stand_behind_the_heading_in_any_brackets_or_none(folder, heading):
    write(folder, [["机构", "客户数", heading], *ROWS])
    assert units(folder)["income"] == "万元"


def test_a_heading_that_only_ends_like_a_unit_is_another_column(folder):
    write(folder, [["机构", "客户数户", "客户数", "收入"], ["东城分行", 3, 1200, 5.5]], more="unmapped: ignore, ")
    assert folder.cells()["text"].tolist() == ["1200", "5.5"]


# ---------------------------------------------------------------- a heading whose unit changes

@pytest.mark.parametrize("heading", ["收入（百万元）", "收入：百万元", "收入（千美元）"])
def test_a_column_is_not_lost_when_its_headings_unit_changes(folder, heading):
    write(folder, [["机构", "客户数（户）", "收入（万元）"], *ROWS], more="unmapped: ignore, missing: allow, ")
    assert units(folder) == {"online": "户", "income": "万元"}
    write(folder, [["机构", "客户数（户）", heading], *ROWS], more="unmapped: ignore, missing: allow, ")
    with pytest.raises(SourceError, match=f"unit that the catalogue does not know; found '{heading}'"):
        folder.cells()


def test_a_heading_that_is_not_there_is_said_by_check(folder, capsys):
    from ebank_lib.cli import main

    more = "unmapped: ignore, missing: allow, "
    write(folder, [["机构", "客户数（户）", "收入（万元）"], *ROWS], more=more)
    write(folder, [["机构", "客户数（户）", "营业收入（万元）"], *ROWS], more=more, name="2010-04.xlsx")
    assert folder.open().accounting()["absent"].tolist() == ["", "income"]
    main(["check", "--source", str(folder.path), "--lang", "zh"])
    assert "收入：1 张工作表没有它的表头（最先在 2010-04.xlsx Sheet）" in capsys.readouterr().out


def test_a_remark_in_brackets_beside_the_mapped_heading_is_another_column(folder):
    write(folder, [["机构", "客户数（户）", "收入（万元）", "收入（其中：手续费）"], *[[*row, 1] for row in ROWS]],
          more="unmapped: ignore, missing: allow, ")
    assert units(folder) == {"online": "户", "income": "万元"}


def test_the_name_of_a_long_tables_column_holds_a_unit_too(folder):
    table = """\
        - path: t.csv
          layout: long
          branch: 机构
          month: {{from: column, column: 月}}
          columns: {{客户数: online, {column}: {income}}}
        """
    for column, income in (("收入（万元）", "income"), ("收入（百万元）", "{indicator: income, unit: 万元}")):
        folder.write("t.csv", f"月,机构,客户数,{column}\n2010-03,东城分行,1200,5.5\n")
        folder.files(table.format(column=column, income=income))
        assert units(folder) == {"online": "", "income": "万元"}
    folder.files(table.format(column="收入（百万元）", income="income"))
    with pytest.raises(SourceError, match="t.csv.*unit that the catalogue does not know; found '收入（百万元）'"):
        folder.cells()
