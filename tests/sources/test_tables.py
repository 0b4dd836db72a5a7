"""One model of a table: month, branch, indicator and unit may each be written anywhere, and a cell is the same cell."""

from __future__ import annotations

import openpyxl
import pytest

from ebank_lib.errors import ConfigError, SourceError, UnknownNameError

# Branch, month, indicator and what is printed: every table below prints these and nothing else.
TRUTH = {("东城分行", "2010-01", "online"): "11", ("东城分行", "2010-02", "online"): "12",
         ("东城分行", "2010-01", "income"): "1.5", ("东城分行", "2010-02", "income"): "1.6",
         ("西城分行", "2010-01", "online"): "21", ("西城分行", "2010-02", "online"): "22",
         ("西城分行", "2010-01", "income"): "2.5", ("西城分行", "2010-02", "income"): "2.6"}


def write(folder, sheets, merges=(), name="book.xlsx"):
    """Write a workbook whose sheets are rows of texts split at blanks; `.` is a blank cell, figures are numbers."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, text in sheets.items():
        page = book.create_sheet(title)
        for r, row in enumerate(text.strip("\n").splitlines(), start=1):
            for c, word in enumerate(row.split(), start=1):
                value = float(word) if word.replace(".", "", 1).isdigit() and len(word) < 4 else word
                page.cell(r, c, None if word == "." else value)
        for area in merges:
            page.merge_cells(area)
    book.save(folder.path / name)


def read(folder, yaml, **sheets):
    """Return what a description reads of a workbook, and check that everything printed is accounted for."""
    write(folder, sheets, sheets.pop("merges", ()))
    folder.files('- path: "*.xlsx"\n  sheets:\n' + "\n".join(f"    {line}" for line in yaml.strip("\n").splitlines()))
    source = folder.open()
    cells = source.cells()
    counts = source.accounting()
    assert (counts["printed"] == counts[["headings", "cells", "notes", "ignored"]].sum(axis=1)).all()
    keys = zip(cells["branch"], cells["month"].astype(str), cells["indicator"], strict=True)
    found = {key: text for key, text in zip(keys, cells["text"], strict=True) if text}
    assert len(found) == sum(cells["text"] != "")
    return found


HEADINGS = "headings: {客户: online, 收入: income}"


def test_months_across_and_items_down_in_a_sheet_a_branch(folder):
    rows = "项目 单位 2010-01 2010-02 一季度\n 客户 户 {0}1 {0}2 .\n 收入 元 {0}.5 {0}.6 9"
    found = read(folder, f"""
- branch: {{from: sheet}}
  indicator: 项目
  month: {{from: heading}}
  ignore: [一季度, 汇总]
  {HEADINGS}""", 东城分行=rows.format(1), 西城分行=rows.format(2), 汇总="anything 1 2")
    assert found == TRUTH


def test_a_year_stands_above_its_months(folder):
    found = read(folder, f"""
- branch: 机构
  indicator: 项目
  month: {{from: heading, year: {{from: heading}}}}
  {HEADINGS}""", S="""
机构 项目 2010年 .
. . 1月 2月
东城分行 客户 11 12
东城分行 收入 1.5 1.6
西城分行 客户 21 22
西城分行 收入 2.5 2.6""", merges=("A1:A2", "B1:B2", "C1:D1"))
    assert found == TRUTH


def test_a_year_fills_a_column_beside_its_months(folder):
    found = read(folder, f"""
- branch: 机构
  month: {{from: column, column: 月份, year: {{from: column, column: 年份}}}}
  fill: down
  {HEADINGS}""", S="""
年份 月份 机构 客户 收入
2010年 1月 东城分行 11 1.5
. . 西城分行 21 2.5
. 2月 东城分行 12 1.6
. . 西城分行 22 2.6""")
    assert found == TRUTH


def test_years_across_and_months_down(folder):
    found = read(folder, """
- branch: {from: constant, value: 东城}
  indicator: {from: constant, value: online}
  month: {from: column, column: 月份, year: {from: heading}}""", S="月份 2010年 2011年\n1月 1 3\n2月 2 4")
    assert found == {("东城", f"{year}-0{month}", "online"): str(2 * (year - 2010) + month)
                     for year in (2010, 2011) for month in (1, 2)}


def test_branches_across_over_their_indicators(folder):
    found = read(folder, f"""
- branch: {{from: heading}}
  month: 月份
  ignore: [全辖]
  {HEADINGS}""", S="""
月份 东城分行 . 西城分行 . 全辖
. 客户 收入 客户 收入 收入
2010-01 11 1.5 21 2.5 4
2010-02 12 1.6 22 2.6 4.2""", merges=("A1:A2", "B1:C1", "D1:E1"))
    assert found == TRUTH


def test_a_sheet_a_month_with_the_year_in_the_name_of_the_file(folder):
    rows = "机构 客户 收入\n 东城分行 1{0} 1.{1}\n 西城分行 2{0} 2.{1}"
    write(folder, {"1月": rows.format(1, 5), "2 月": rows.format(2, 6), "说明": "text"}, name="2010年报.xlsx")
    folder.files(f"""
- path: "*.xlsx"
  sheets:
    - branch: 机构
      month: {{from: sheet, year: {{from: file}}}}
      ignore: [说明]
      {HEADINGS}""")
    cells = folder.cells()
    assert dict(zip(zip(cells.branch, cells.month.astype(str), cells.indicator), cells.text, strict=True)) == TRUTH


def test_an_indicator_a_sheet_and_what_its_title_says(folder):
    rows = "{0}情况\n单位：{1}\n机构 2010-01 2010-02\n东城分行 {2} {3}\n西城分行 {4} {5}"
    for place in ("sheet", "title"):
        found = read(folder, f"""
- branch: 机构
  month: {{from: heading}}
  indicator: {{from: {place}}}
  {HEADINGS}""", 客户=rows.format("客户", "户", 11, 12, 21, 22), 收入=rows.format("收入", "万元", 1.5, 1.6, 2.5, 2.6))
        assert found == TRUTH
    assert dict(zip(folder.cells().indicator, folder.cells().unit)) == {"online": "户", "income": "万元"}


def test_rows_of_their_own_name_the_branch_of_the_rows_below(folder):
    found = read(folder, f"""
- branch: {{from: row}}
  indicator: 项目
  month: {{from: heading}}
  {HEADINGS}""", S="""
项目 2010-01 2010-02
东城分行 . .
客户 11 12
收入 1.5 1.6

西城分行 . .
客户 21 22
收入 2.5 2.6
注：模拟 . .""")
    assert found == TRUTH


def test_figures_below_a_row_that_is_left_out_are_nobody_s(folder):
    found = read(folder, f"""
- branch: {{from: row}}
  indicator: 项目
  month: {{from: heading}}
  ignore: [小计]
  {HEADINGS}""", S="""
项目 2010-01 2010-02
东城分行 . .
客户 11 12
收入 1.5 1.6
小计 . .
客户 32 34
收入 4.0 4.2
西城分行 . .
客户 21 22
收入 2.5 2.6""")
    assert found == TRUTH


def test_the_folder_of_a_file_may_say_its_year(folder):
    for year in (2010, 2011):
        (folder.path / str(year)).mkdir()
        write(folder, {"S": f"机构 客户\n东城 {year - 2009}"}, name=f"{year}/1月.xlsx")
    folder.files('- path: "*/*.xlsx"\n  month: {from: file, year: {from: file}}\n  sheets:\n'
                 "    - {sheet: S, branch: 机构, headings: {客户: online}}")
    assert dict(zip(folder.cells().month.astype(str), folder.cells().text, strict=True)) == {
        "2010-01": "1", "2011-01": "2"}


def test_items_of_groups_are_told_apart(folder):
    found = read(folder, """
- branch: {from: constant, value: 东城}
  indicator: 项目
  month: {from: heading}
  headings: {一、客户/手机: online, 二、收入/手机: income}""", S="""
项目 2010-01
一、客户 .
手机 11
二、收入 .
手机 1.5
注：一、二 .""")
    assert found == {("东城", "2010-01", "online"): "11", ("东城", "2010-01", "income"): "1.5"}


@pytest.mark.parametrize("rows", [
    "机构 客户 . 机构 收入\n东城分行 11 . 东城分行 1.5\n西城分行 21 . 西城分行 2.5",
    "机构 客户\n东城分行 11\n西城分行 21\n\n说明：下表 .\n机构 收入\n东城分行 1.5\n西城分行 2.5"])
def test_two_tables_stand_beside_or_below_one_another(folder, rows):
    found = read(folder, f"- branch: 机构\n  month: {{from: sheet}}\n  {HEADINGS}", **{"2010年1月": rows})
    assert found == {key: text for key, text in TRUTH.items() if key[1] == "2010-01"}


def test_a_long_table_in_a_sheet_has_its_figures_in_a_column(folder):
    rows = "\n".join(" ".join((*key, text)) for key, text in TRUTH.items())
    found = read(folder, """
- branch: 机构
  month: 年月
  indicator: 指标
  value: 数值
  headings: {online: online, income: income}""", S=f"机构 年月 指标 数值\n{rows}")
    assert found == TRUTH


def test_headings_of_six_levels_with_their_numbers_below(folder):
    found = read(folder, """
- branch: 机构
  month: {from: sheet}
  headings: {甲/乙/丙/丁/戊/客户: online, 甲/乙/丙/丁/戊/收入: income}""", **{"2010年1月": """
机构 甲 .
. 乙 .
. 丙 .
. 丁 .
. 戊 .
. 客户 收入
栏次 1 2
东城分行 11 1.5
西城分行 21 2.5"""}, merges=("A1:A6", "B1:C1", "B2:C2", "B3:C3", "B4:C4", "B5:C5"))
    assert found == {key: text for key, text in TRUTH.items() if key[1] == "2010-01"}


def test_a_key_column_without_a_heading_is_given_by_its_letter(folder):
    found = read(folder, f"""
- branch: {{from: sheet}}
  indicator: {{from: column, column: A}}
  month: {{from: heading}}
  {HEADINGS}""", 东城分行=". 2010-01 2010-02\n客户 11 12\n收入 1.5 1.6")
    assert found == {key: text for key, text in TRUTH.items() if key[0] == "东城分行"}


def test_case_width_and_blanks_of_names_do_not_matter(folder):
    found = read(folder, """
- sheet: "ＤＡＴＡ"
  branch: BRANCH
  month: {from: column, column: Month}
  headings: {Mobile Customers: online}""", data="Branch month mobilecustomers\nEast 2010-01 11")
    assert found == {("East", "2010-01", "online"): "11"}


def test_two_entries_share_the_months_of_a_file(folder):
    write(folder, {"S": "机构 月份 客户\n东城分行 2010-01 11\n东城分行 2010-02 12"})
    entry = """
- path: "*.xlsx"
  {span}
  sheets: [{{branch: 机构, month: 月份, headings: {{客户: {key}}}}}]"""
    folder.files(entry.format(span="to: 2010-01", key="online") + entry.format(span="from: 2010-02", key="income"))
    cells = folder.cells()
    assert list(zip(cells.month.astype(str), cells.indicator, cells.text)) == [
        ("2010-01", "online", "11"), ("2010-02", "income", "12")]
    assert folder.open().accounting()["ignored"].tolist() == [1, 1]
    assert len(folder.open().files()) == 1
    folder.files(entry.format(span="to: 2010-02", key="online") + entry.format(span="from: 2010-02", key="income"))
    with pytest.raises(ConfigError, match="names a file twice.*`to: 2018-12` in one"):
        folder.cells()


ASKED = [
    # what is printed, how it is described, and what the error says
    ("项目 2010-01 全年\n客户 1 2", "branch: {from: sheet}\n  indicator: 项目\n  month: {from: heading}",
     r"row 1, column 'C': has a heading without a month; found '全年'.*`ignore: \[全年\]`"),
    ("项目 1月\n客户 1", "branch: {from: sheet}\n  indicator: 项目\n  month: {from: heading}",
     "row 1, column 'B': has a heading without a month; found '1月'.*year: "),
    ("机构 月份 客户\n东城 2010-01 1\n. 合计 2", "branch: 机构\n  month: 月份",
     r"row 3, column 'B': holds no month; found '合计'.*`ignore: \[合计\]`"),
    ("机构 月份 客户\n东城 2010-01 1\n西城 . 2", "branch: 机构\n  month: 月份",
     "row 3, column 'B': holds no month; found ''.*`fill: down` takes the month above"),
    ("项目 2010-01\n客户 1\n存款 2", "branch: {from: sheet}\n  indicator: 项目\n  month: {from: heading}",
     "row 3, column 'A': has a heading that is not mapped; found '存款'"),
    ("项目 2010-01\n收入 1", "branch: {from: sheet}\n  indicator: 项目\n  month: {from: heading}\n  missing: allow\n"
     "  unmapped: ignore", "has no such heading.*客户"),
    ("机构 2010-01\n东城 1", "branch: 机构\n  indicator: {from: title}\n  month: {from: heading}",
     r"names no indicator.*one of the names under `headings`.*`ignore: \[S\]`"),
    ("项目 2010-01\n客户 1", "branch: {from: row}\n  indicator: 项目\n  month: {from: heading}",
     "row 2: has no branch above it"),
    ("项目 2010-01\n东城 .\n客户 1\n南郊 .\n客户 2",
     "branch: {from: row}\n  indicator: 项目\n  month: {from: heading}",
     "row 5: prints an indicator twice below one branch; found '东城/南郊 客户'.*not in branches.csv yet"),
    ("月份 客户\n2010年11月 1\n12月 2\n1月 3",
     "branch: {from: sheet}\n  month: {from: column, column: 月份, year: {from: column, column: 月份}}",
     "row 4, column 'A': holds no year; found '1月'"),
    ("项目 2010年12月 1月\n客户 1 2",
     "branch: {from: sheet}\n  indicator: 项目\n  month: {from: heading, year: {from: heading}}",
     "row 1, column 'C': holds no month; found '1月'"),
    ("项目 2010-01 2010年1月\n客户 1 2", "branch: {from: sheet}\n  indicator: 项目\n  month: {from: heading}",
     "has two columns for one month"),
]


@pytest.mark.parametrize(("rows", "yaml", "message"), ASKED)
def test_an_error_says_where_what_and_which_line_would_read_it(folder, rows, yaml, message):
    with pytest.raises(SourceError, match=message):
        read(folder, f"- {yaml}\n  headings: {{客户: online}}", S=rows)


@pytest.mark.parametrize(("yaml", "message"), [
    ("branch: {from: sheet}\n  month: {from: heading}\n  headings: {客户: online}", "a column of branches, of months"),
    ("branch: 机构\n  month: 月份\n  indicator: 指标\n  headings: {客户: online}", "value'?: is missing; expected"),
    ("branch: 机构\n  month: {from: heading}\n  indicator: {from: constant, value: onlin}",
     "indicator.value.*unknown indicator 'onlin'"),
    ("branch: 机构\n  month: {from: sheet}", "headings'?: is missing; expected the printed names"),
    ("branch: 机构\n  month: {from: sheet}\n  headings: {客户: {indicator: online, cumulative: year}}",
     "goes with flows")])
def test_a_description_that_makes_no_table_is_refused(folder, yaml, message):
    folder.files(f'- path: "*.xlsx"\n  sheets:\n    - {yaml}'.replace("\n  month", "\n      month").replace(
        "\n  headings", "\n      headings").replace("\n  indicator", "\n      indicator"))
    with pytest.raises((ConfigError, UnknownNameError), match=message):
        folder.open()


def test_a_row_above_a_block_s_own_headings_names_its_branch(folder):
    block = "{0}城分行\n 月份 客户（户） 收入（元）\n 2010-01 {1}1 {1}.5\n 2010-02 {1}2 {1}.6\n"
    found = read(folder, f"""
- branch: {{from: row}}
  month: {{from: column, column: 月份}}
  {HEADINGS}""", 表=block.format("东", 1) + ".\n" + block.format("西", 2))
    assert found == TRUTH


def test_months_with_their_year_of_two_digits_are_months_apart(folder):
    rows = "项目 单位 Jan-10 Feb-10\n 客户 户 {0}1 {0}2\n 收入 元 {0}.5 {0}.6"
    found = read(folder, f"""
- branch: {{from: sheet}}
  indicator: 项目
  month: {{from: heading}}
  {HEADINGS}""", 东城分行=rows.format(1), 西城分行=rows.format(2))
    assert found == TRUTH


def test_the_files_may_lie_in_another_folder(folder):
    rows = "机构 月份 客户（户）\n 东城分行 2010-01 11"
    write(folder, {"表": rows})
    (folder.path / "later").mkdir()
    (folder.path / "book.xlsx").rename(folder.path / "later" / "book.xlsx")
    folder.files('- path: "*.xlsx"\n  sheets:\n    - {branch: 机构, month: {from: column, column: 月份}, '
                 'headings: {客户: online}}')
    yaml = folder.path / "sources.yaml"
    yaml.write_text("root: later\n" + yaml.read_text(encoding="utf-8"), encoding="utf-8")
    assert [str(m) for m in folder.open().cells()["month"]] == ["2010-01"]


TWO = """
- {{branch: 机构, month: {{from: constant, value: 2010-01}}, headings: {{客户: online}}}}
- {{branch: 机构, month: {{from: constant, value: 2010-01}}, {}}}"""


def test_of_two_descriptions_of_a_sheet_each_finds_its_headings_or_says_which_it_lacks(folder):
    with pytest.raises(SourceError, match="has no such heading.*expected 收入 .indicator income"):
        read(folder, TWO.format("headings: {收入: income}"), 一月="机构 客户\n东城分行 11")
    both = read(folder, TWO.format("unmapped: ignore, value: 元, indicator: {from: constant, value: income}").replace(
        "{客户: online}", "{客户: online}, unmapped: ignore"), 一月="机构 客户 元\n东城分行 11 1.5")
    assert both == {("东城分行", "2010-01", "online"): "11", ("东城分行", "2010-01", "income"): "1.5"}
