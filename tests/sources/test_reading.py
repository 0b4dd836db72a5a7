"""Cells exactly as printed, each with its address; nothing printed is unaccounted for."""

from __future__ import annotations

import datetime as dt
import gzip
import shutil
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from ebank_lib.cleaning import clean
from ebank_lib.errors import ConfigError, SourceError, UnknownNameError
from ebank_lib.sources.grids import letters
from ebank_lib.sources.months import month_in_text

from .conftest import SOURCES

COLUMNS = ["file", "sheet", "row", "column", "branch", "month", "indicator", "text", "unit", "revision", "merged",
           "hidden", "cumulative"]


def texts(cells, column):
    return cells.text[cells.column == column].tolist()


def balanced(source):
    account = source.accounting()
    return (account.printed == account[["headings", "cells", "notes", "ignored"]].sum(axis=1)).all()


def test_every_cell_has_its_address_and_its_text(province):
    cells = province.cells()
    assert list(cells.columns) == COLUMNS
    assert cells[["row", "column"]].drop_duplicates().shape[0] == 16
    assert texts(cells, "C") == ["12345", "１２，３４５", "7", "24697"]
    assert texts(cells, "D") == ["1.5", "-", "", "3"]
    assert texts(cells, "E") == ["0.25", "34.5%", "0.3", "0.3"]
    assert texts(cells, "F") == ["3000.5", "2.5万", "1e+22", "#REF!"]
    assert cells.branch.tolist()[::4] == ["东城分行", "西城分行", "北城分行", "合计"]
    assert set(cells.month.astype(str)) == {"2010-03"}
    assert dict(zip(cells.column, cells.indicator)) == {
        "C": "online",
        "D": "online_new",
        "E": "activity",
        "F": "income",
    }


def test_units_stand_in_brackets_or_in_a_line_above_the_table(province):
    cells = province.cells()
    # 单位：户、元 names two: the one that measures income is meant.
    assert dict(zip(cells.column, cells.unit)) == {"C": "户", "D": "万户", "E": "%", "F": "元"}


def test_what_is_no_cell_is_a_heading_or_a_note(province):
    source = province.open()
    assert source.notes().text.tolist() == [
        "全省电子银行客户情况表（2010年3月）",
        "单位：户、元",
        "注：本表为模拟数据。",
        "制表：张三　复核：李四",
    ]
    account = source.accounting().iloc[0]
    assert (account.printed, account.headings, account.cells, account.notes, account.ignored) == (33, 10, 15, 4, 4)
    assert balanced(source)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.0, "12"),
        (0.1, "0.1"),
        (1e-7, "1e-07"),
        (-0.5, "-0.5"),
        (123456789012345, "123456789012345"),
        (True, "TRUE"),
        (dt.date(2010, 3, 1), "2010-03-01"),
        (dt.datetime(2010, 3, 1, 8, 30), "2010-03-01 08:30:00"),
        (dt.time(8, 30), "08:30:00"),
        ("０１", "０１"),
        (" 12 ", " 12 "),
        ("'12", "'12"),
        ("1\n2", "1\n2"),
        ("=1+1", "=1+1"),
        ("约1,200", "约1,200"),
    ],
)
def test_a_value_is_printed_without_loss(folder, value, text):
    folder.workbook(change=lambda sheet: sheet.__setitem__("C5", value))
    assert texts(folder.cells(), "C")[0] == text


@pytest.mark.parametrize(
    ("style", "text"), [("0%", "34.56%"), ("0.00%", "34.56%"), ('0.0"%"', "0.3456%"), ("0.00", "0.3456")]
)
def test_a_cell_shown_as_a_percentage_is_printed_as_one(folder, style, text):
    def change(sheet):
        sheet["E5"] = 0.3456
        sheet["E5"].number_format = style

    folder.workbook(change=change)
    assert texts(folder.cells(), "E")[0] == text


def test_addresses_are_the_sheets_own_when_the_table_begins_further_down(folder):
    def change(sheet):
        for area in list(sheet.merged_cells.ranges):
            sheet.unmerge_cells(str(area))
        sheet.move_range("A1:F11", rows=3, cols=2)
        for area in ("C6:C7", "D6:D7", "E6:G6", "H6:H7"):
            sheet.merge_cells(area)

    folder.workbook(change=change)
    cells = folder.cells()
    assert (cells.row.min(), cells.row.max()) == (8, 11)
    assert cells.column.drop_duplicates().tolist() == ["E", "F", "G", "H"]
    assert texts(cells, "E")[0] == "12345"


def test_a_merged_cell_is_named_and_a_merged_branch_is_filled(folder):
    def change(sheet):
        sheet["C6"] = None
        sheet.merge_cells("C5:C6")
        sheet["B8"] = None
        sheet.merge_cells("B7:B8")

    folder.workbook(change=change)
    cells = folder.cells()
    merged = cells[cells.merged != ""].set_index(["row", "column"])
    assert merged.merged.to_dict() == {(6, "C"): "C5:C6"} | {(8, c): "B7:B8" for c in "CDEF"}
    assert merged.branch[8, "C"] == "北城分行"
    assert merged.text[6, "C"] == ""


def test_headings_need_not_be_merged(folder):
    def change(sheet):
        for area in list(sheet.merged_cells.ranges):
            sheet.unmerge_cells(str(area))

    folder.workbook(change=change)
    assert dict(zip(*[folder.cells()[c] for c in ("column", "indicator")])) == {
        "C": "online",
        "D": "online_new",
        "E": "activity",
        "F": "income",
    }


@pytest.mark.parametrize(
    "rows",
    [
        [("小计", 1, 2, 3, 4)],  # a subtotal among the branches
        [("机构", "客户数（户）", "净新增", "活动率", "收入")],  # the headings again
        [(None, 5, None, None, None)],  # a figure that nobody claims
        [("东城片区", None, None, None, None)],  # a line that only names what follows
    ],
)
def test_rows_amid_the_table_are_cells_for_the_cleaning_to_judge(folder, rows):
    before = [("东城分行", 1, 1, 1, 1)]
    after = [("西城分行", 2, 2, 2, 2)]
    folder.workbook(rows=before + rows + after)
    source = folder.open()
    assert source.cells().row.drop_duplicates().tolist() == [5, 6, 7]
    assert balanced(source)


@pytest.mark.parametrize(
    "rows",
    [
        [(None, None, None, None, None), ("合计", 3, 3, 3, 3)],  # a blank line before the total
        [(None, None, None, None, None), ("东城分行", None, None, None, None)],
    ],
)
def test_a_blank_line_does_not_hide_a_branch(folder, rows):
    folder.workbook(rows=[("西城分行", 1, 1, 1, 1), *rows])
    assert folder.cells().row.drop_duplicates().tolist() == [5, 7]


def test_a_branch_that_reported_nothing_is_a_row_of_blanks(folder):
    folder.workbook(rows=[("西城分行", 1, 1, 1, 1), ("东 城", None, None, None, None)])
    cells = folder.cells()
    assert cells.branch.drop_duplicates().tolist() == ["西城分行", "东 城"]
    assert cells.text[cells.row == 6].tolist() == [""] * 4


def test_signatures_and_footnotes_are_notes_wherever_they_stand(folder):
    def change(sheet):
        sheet["B9"] = "注：第一条"
        sheet["B10"], sheet["D10"] = "制表：", "复核："
        sheet["C11"] = "附注"
        sheet["A13"] = "A" * 5
        sheet["H6"] = "页边"

    folder.workbook(change=change)
    source = folder.open()
    assert source.cells().row.max() == 8
    assert {"注：第一条", "制表：", "复核：", "附注", "页边"} <= set(source.notes().text)
    assert balanced(source)


def test_columns_have_the_letters_of_a_sheet():
    assert [letters(n) for n in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


# ---------------------------------------------------------------- headings


@pytest.mark.parametrize(
    ("at", "heading", "message", "column"),
    [
        ("C4", "客户总数（户）", "not mapped.*个人网银/客户总数.*个人网银/客户数", "C"),
        ("C4", "客户数（百万户）", "unit that the catalogue does not know", "C"),
        ("D4", "客户数", "two columns for one indicator", "D"),
        ("B3", "单位名称", "no such heading", None),
    ],
)
def test_a_heading_that_does_not_fit_is_named_with_the_nearest(folder, at, heading, message, column):
    folder.workbook(change=lambda sheet: sheet.__setitem__(at, heading))
    with pytest.raises(SourceError, match=message) as caught:
        folder.cells()
    assert (caught.value.file, caught.value.sheet, caught.value.column) == ("2010-03.xlsx", "客户", column)


def test_a_missing_column_is_named(folder):
    folder.workbook(change=lambda sheet: [sheet.__setitem__(at, None) for at in ("F3", "F5", "F6", "F7", "F8")])
    with pytest.raises(SourceError, match="收入.*income"):
        folder.cells()
    folder.edit("branch: 机构", "branch: 机构\n        missing: allow")
    assert "income" not in set(folder.cells().indicator)


@pytest.mark.parametrize(("how", "indicators"), [("keep", ["", "online"]), ("ignore", ["online"])])
def test_other_headings_are_kept_or_left_out_but_counted(folder, how, indicators):
    folder.workbook()
    folder.edit("ignore: [序号]", f"unmapped: {how}\n        missing: allow")
    for heading in ("个人网银/净新增", "个人网银/活动率", "收入"):
        folder.edit(f"          {heading}: ", f"          别的{heading}: ")
    source = folder.open()
    assert sorted(source.cells().indicator.unique()) == indicators
    assert balanced(source)
    assert source.accounting().printed[0] == 33


@pytest.mark.parametrize(
    "heading",
    [
        "客 户 数（户）",
        "客户数(户)",
        "客户数＊（户）",
        "客户数①(户)",
        "客户数（注1）（户）",
        "客户数\n（户）",
        "客户数【户】",
    ],
)
def test_width_space_marks_and_brackets_do_not_matter(folder, heading):
    folder.workbook(change=lambda sheet: sheet.__setitem__("C4", heading))
    cells = folder.cells()
    assert (cells.indicator[0], cells.unit[0]) == ("online", "户")


def test_a_unit_of_the_upper_heading_holds_for_the_lower(folder):
    def change(sheet):
        sheet["C3"], sheet["C4"], sheet["D4"] = "个人网银（万户）", "客户数", "净新增（户）"

    folder.workbook(change=change)
    cells = folder.cells()
    assert dict(zip(cells.column, cells.unit)) == {"C": "万户", "D": "户", "E": "%", "F": "元"}


def test_a_unit_is_given_by_the_yaml_where_none_is_printed(folder):
    folder.workbook(change=lambda sheet: sheet.__setitem__("F2", None))
    assert folder.cells().unit[3] == ""
    folder.edit("收入: income", "收入: {indicator: income, unit: 万元}")
    assert folder.cells().unit[3] == "万元"


# ---------------------------------------------------------------- months, revisions, sheets


@pytest.mark.parametrize(
    ("rule", "title", "month"),
    [
        ("{from: title}", "2010年4月", "2010-04"),
        ("{from: title}", "二〇一〇年十二月", "2010-12"),
        ("{from: title}", "２０１１年０１月", "2011-01"),
        ('{from: title, pattern: "(?P<month>\\\\d+)/(?P<year>\\\\d{4})"}', "5/2010", "2010-05"),
        ("{from: file}", "x", "2010-03"),
        ('{from: sheet, pattern: "(?P<year>..)-(?P<month>..)"}', "x", "2011-07"),
    ],
)
def test_the_month_stands_in_the_name_or_above_the_table(folder, rule, title, month):
    folder.workbook(month=title, sheet="11-07" if "sheet" in rule else "客户")
    folder.edit('{from: file, pattern: "(?P<year>\\\\d{4})-(?P<month>\\\\d{2})"}', rule)
    folder.edit("sheet: 客户", 'sheet: "*"')
    assert folder.cells().month.astype(str)[0] == month


def test_a_text_that_names_two_months_names_none():
    assert month_in_text("2010-03 and 2010-04") is None
    assert month_in_text("２０１０年３月") == month_in_text("201003.xlsx") == month_in_text("20100331") == 482


@pytest.mark.parametrize(
    "text",
    [
        "2010年1-3月",
        "2010年1—3月",
        "２０１０年１～３月",
        "2010年1月-3月",
        "2010年1月至3月累计",
        "2010年1、2月",
        "2010年1季度",
        "2010年3季度",
        "2010年3 季度",
        "2010年3个月",
        "2010.1-3",
        "2010/01-03",
        "2010年1-3",
        "201001-03",
        "2010-01~03",
        "2010.01-2010.03",
        "2010年1月—2010年3月",
        "二〇一〇年一月至三月",
        "2010-01-03月",
    ],
)
def test_a_quarter_and_several_months_are_no_month(folder, text):
    assert month_in_text(text) is None
    pattern = '{from: title, pattern: "(?P<year>\\\\d{4})年(?P<month>\\\\d+)"}'
    for rule in ("{from: title}", pattern) if "年" in text and text[0] != "二" else ("{from: title}",):
        folder.workbook(month=text)
        folder.write("sources.yaml", SOURCES)
        folder.edit('{from: file, pattern: "(?P<year>\\\\d{4})-(?P<month>\\\\d{2})"}', rule)
        with pytest.raises(SourceError, match="names no month"):
            folder.cells()


@pytest.mark.parametrize(
    "text",
    [
        "2010年3月",
        "2010-03-15",
        "2010/3/1",
        "20100315",
        "2010年3月31日",
        "2010年3月末",
        "2010年3月（1-3月累计）",
        "2010.03",
        "201003_2",
    ],
)
def test_a_day_or_a_remark_behind_a_month_does_no_harm(text):
    assert month_in_text(text) == 482


@pytest.mark.parametrize("end", ["2010", "2010Q3", 2010])
def test_a_year_or_a_quarter_is_no_end(province, end):
    with pytest.raises(UnknownNameError, match="unknown month .*2010.*2010-03"):
        clean(province.open(), end=end)
    assert len(clean(province.open(), end="2010-03").panel) > 0


@pytest.mark.parametrize("text", ["2010年1季度", "2010年1-3月", "1季度", "40238"])
def test_a_row_of_a_quarter_among_months_is_named(folder, text):
    book = openpyxl.Workbook()
    for row in [["月份", "客户数"], ["2010年3月", 5], [text, 15]]:
        book.active.append(row)
    book.active.title = "东城"
    book.save(folder.path / "a.xlsx")
    folder.files("""\
        - path: "*.xlsx"
          sheets:
            - {sheet: "*", branch: {from: sheet}, month: {from: column, column: 月份}, headings: {客户数: online}}
        """)
    with pytest.raises(SourceError, match=f"row 3, column 'A': holds no month; found '{text}'"):
        folder.cells()


@pytest.mark.parametrize("month", ["2010", "2010Q3", "2010-13", "March", "2010-03-01"])
def test_an_event_has_a_year_and_a_month(folder, month):
    folder.edit("files:", f'events: [{{month: "{month}", zh: 甲, en: A}}]\nfiles:')
    with pytest.raises(ConfigError, match="events.0.month.*such as 2010-03"):
        folder.open()


@pytest.mark.parametrize("name", ["march.xlsx", "2010-13.xlsx", "1010-03.xlsx"])
def test_a_file_without_a_month_is_named_with_the_pattern(folder, name):
    folder.workbook(name)
    with pytest.raises(SourceError, match=r"names no month.*\(\?P<year>") as caught:
        folder.cells()
    assert caught.value.file == name


def test_revisions_are_all_read(folder):
    for name in ("2010-03.xlsx", "2010-03_修订2.xlsx", "2010-04.xlsx"):
        folder.workbook(name)
    cells = folder.cells()
    assert cells.groupby("file", observed=True).revision.first().to_dict() == {
        "2010-03.xlsx": 0,
        "2010-03_修订2.xlsx": 2,
        "2010-04.xlsx": 0,
    }
    files = folder.open().files()
    assert files["first"].astype(str).tolist() == ["2010-03", "2010-03", "2010-04"]
    assert files.revision.tolist() == [0, 2, 0]


def test_a_sheet_that_is_missing_is_named_and_one_too_many_is_counted(folder):
    folder.workbook(change=lambda sheet: sheet.parent.create_sheet("说明").__setitem__("A1", "说明"))
    source = folder.open()
    assert source.accounting().set_index("sheet").loc["说明", ["mapped", "printed", "ignored"]].tolist() == [
        False,
        1,
        1,
    ]
    folder.edit("sheet: 客户", "sheet: 收入")
    with pytest.raises(SourceError, match="客户, 说明.*a sheet 收入"):
        folder.cells()
    folder.edit("sheet: 收入", "sheet: 收入\n        optional: true")
    assert len(folder.cells()) == 0


def branch_book(path, months=("2010年1月", dt.date(2010, 2, 1), "2010-03", 201004)):
    book = openpyxl.Workbook()
    for n, name in enumerate(["东城分行", "西城分行"]):
        sheet = book.active if n == 0 else book.create_sheet()
        sheet.title = name
        sheet.append(["月份", "客户数(户)", "收入(元)"])
        for m, month in enumerate(months):
            sheet.append([month, 100 * n + m, 1.5 * m])
        sheet.append(["全年合计", 1, 2])
    book.save(path)


def test_one_sheet_a_branch_with_the_months_below_each_other(folder):
    branch_book(folder.path / "a.xlsx")
    folder.files("""\
        - path: a.xlsx
          sheets:
            - sheet: "*分行"
              branch: {from: sheet}
              month: {from: column, column: 月份}
              skip: 合计
              headings: {客户数: online, 收入: income}
        """)
    source = folder.open()
    cells = source.cells()
    assert cells.groupby("branch", observed=True).size().to_dict() == {"东城分行": 8, "西城分行": 8}
    assert cells.month.astype(str).tolist()[:8:2] == ["2010-01", "2010-02", "2010-03", "2010-04"]
    assert balanced(source)


def test_a_row_without_a_month_is_named(folder):
    branch_book(folder.path / "a.xlsx", months=[2010.1])
    folder.files("""\
        - path: a.xlsx
          sheets:
            - branch: {from: sheet}
              month: {from: column, column: 月份}
              headings: {客户数: online, 收入: income}
        """)
    with pytest.raises(SourceError, match=r"row 2, column 'A': holds no month; found '2010.1'"):
        folder.cells()  # 2010.10 typed as a number: October or January?


# ---------------------------------------------------------------- other formats


def test_an_xls_reads_like_the_xlsx(folder):
    shutil.copy(Path(__file__).with_name("province.xls"), folder.path / "2010-03.xls")
    folder.edit("*.xlsx", "*.xls")
    source = folder.open()
    cells = source.cells()
    assert texts(cells, "C") == ["12345", "１２，３４５", "7", "24697"]
    assert texts(cells, "E") == ["34.56%", "34.5%", "0.3", "50%"]
    assert texts(cells, "F") == ["3000.5", "2.5万", "1e+22", "#REF!"]
    assert cells.unit.tolist()[:4] == ["户", "万户", "%", "元"]
    assert source.accounting()[["sheet", "mapped", "printed"]].to_numpy().tolist() == [
        ["客户", True, 33],
        ["说明", False, 1],
    ]
    assert balanced(source)


C = "table:table-cell"


def ods(path, rows):
    """Write a minimal .ods; a number is a float, ("%", x) a percentage, ("*", n) n repeated blanks."""

    def cell(value):
        if isinstance(value, tuple) and value[0] == "*":
            return f'<table:table-cell table:number-columns-repeated="{value[1]}"/>'
        if isinstance(value, tuple):
            return f'<{C} office:value-type="percentage" office:value="{value[1]}"><text:p>x</text:p></{C}>'
        if isinstance(value, str):
            return (
                f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
                if value
                else "<table:table-cell/>"
            )
        return f'<{C} office:value-type="float" office:value="{value}"><text:p>{value}</text:p></{C}>'

    lines = "".join(
        row if isinstance(row, str) else f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows
    )
    spaces = " ".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for n in ("office", "table", "text"))
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {spaces}><office:body><office:spreadsheet>'
        f'<table:table table:name="客户">{lines}</table:table>'
        f"</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml",
            '<?xml version="1.0"?><m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )


WIDE = [
    ["全省（2010年3月）"],
    ["机构", "个人网银", "", "", "收入(元)"],
    ["", "客户数(户)", "净新增(万户)", "活动率(%)", ""],
    ["东城分行", 12345, 1.5, ("%", 0.3456), "2,000"],
    ["西城分行", 7, "-", 0.5, 3],
    ["注：模拟"],
]


def test_an_ods_reads_alike(folder):
    ods(
        folder.path / "2010-03.ods",
        [
            *WIDE,
            '<table:table-row table:number-rows-repeated="1048000"><table:table-cell '
            'table:number-columns-repeated="16384"/></table:table-row>',
        ],
    )
    folder.edit("*.xlsx", "*.ods")
    source = folder.open()
    cells = source.cells()
    assert cells.text.tolist() == ["12345", "1.5", "34.56%", "2,000", "7", "-", "0.5", "3"]
    assert cells.column.tolist()[:4] == ["B", "C", "D", "E"]
    assert cells.unit.tolist()[:4] == ["户", "万户", "%", "元"]
    assert balanced(source)


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-8", None), ("utf-8-sig", None), ("gb18030", None), ("gb18030", "gb18030"), ("utf-16", "utf-16")],
)
def test_a_csv_saved_from_a_sheet_reads_alike_in_every_encoding(folder, encoding, declared):
    lines = [",".join(f'"{v[1] if isinstance(v, tuple) else v}"' for v in row) for row in WIDE]
    folder.write("2010-03.csv", "\n".join(lines).encode(encoding))
    folder.edit("*.xlsx", "*.csv")
    if declared:
        folder.edit("    month:", f"    encoding: {declared}\n    month:")
    cells = folder.cells()
    assert cells.text.tolist() == ["12345", "1.5", "0.3456", "2,000", "7", "-", "0.5", "3"]
    assert set(cells.sheet) == {""}


def test_a_wrong_declared_encoding_is_an_error(folder):
    folder.write("2010-03.csv", "机构,收入\n东城,1\n".encode("gb18030"))
    folder.edit("*.xlsx", "*.csv")
    folder.edit("    month:", "    encoding: utf-8\n    month:")
    with pytest.raises(SourceError, match="is in another encoding"):
        folder.cells()


LONG = """\
- path: {path}
  layout: long
  branch: bank
  month: {{from: column, column: month}}
  columns:
    n: online
    income: {{indicator: income, unit: {{column: unit}}}}
"""
TABLE = pd.DataFrame(
    {
        "month": ["2010-01", "2010-02"],
        "bank": ["东城", "西城"],
        "n": ["1,234", "-"],
        "income": ["5.0", ""],
        "unit": ["元", "万元"],
    }
)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_a_long_table_has_a_row_a_branch_and_month(folder, ending):
    path = folder.path / f"t.{ending}"
    TABLE.to_parquet(path) if ending == "parquet" else TABLE.to_csv(path, index=False)
    folder.files(LONG.format(path=path.name))
    source = folder.open()
    cells = source.cells()
    assert cells.text.tolist() == ["1,234", "5.0", "-", ""]
    assert cells.unit.tolist() == ["", "元", "", "万元"]
    assert cells.row.tolist() == ([1, 1, 2, 2] if ending == "parquet" else [2, 2, 3, 3])
    assert cells.column.tolist() == ["n", "income"] * 2
    assert balanced(source)


def test_parquet_numbers_and_dates_are_printed_without_loss(folder):
    table = pd.DataFrame(
        {
            "month": pd.to_datetime(["2010-01-01", "2010-02-01"]),
            "bank": pd.Categorical(["东城", "西城"]),
            "n": [3.0, 0.1 + 0.2],
            "income": pd.array([2**60, None], dtype="Int64"),
            "unit": ["元", "元"],
        }
    )
    table.to_parquet(folder.path / "t.parquet")
    folder.files(LONG.format(path="t.parquet"))
    cells = folder.cells()
    assert cells.text.tolist() == ["3", str(2**60), "0.3", ""]
    assert cells.month.astype(str).tolist() == ["2010-01", "2010-01", "2010-02", "2010-02"]


def test_a_long_table_may_name_the_original_cell(folder):
    TABLE.assign(book="a.xls", page="S", line=[7, 9]).to_csv(folder.path / "t.csv", index=False)
    folder.files(LONG.format(path="t.csv") + "  address: {file: book, sheet: page, row: line}\n")
    cells = folder.cells()
    assert cells.loc[3, ["file", "sheet", "row", "column"]].tolist() == ["a.xls", "S", 9, "income"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.rename(columns={"n": "number"}), "column 'n': needs the column once"),
        (lambda t: t.assign(extra=1), "column 'extra': has a column that is not mapped"),
        (lambda t: t.assign(month=["2010-01", "xx"]), "row 3, column 'month': holds no month; found 'xx'"),
    ],
)
def test_a_long_table_that_does_not_fit_is_refused_by_name(folder, change, message):
    change(TABLE).to_csv(folder.path / "t.csv", index=False)
    folder.files(LONG.format(path="t.csv"))
    with pytest.raises(SourceError, match=message):
        folder.cells()


def test_a_short_line_is_named(folder):
    folder.write("t.csv", "month,bank,n,income,unit\n2010-01,东城,1\n")
    folder.files(LONG.format(path="t.csv"))
    with pytest.raises(SourceError, match="row 2: has a line of another length; found '?3 fields'?; expected 5"):
        folder.cells()


# ---------------------------------------------------------------- the source itself


def test_the_files_are_hashed_and_the_frames_are_the_callers_own(province):
    import hashlib

    source = province.open()
    data = (province.path / "2010-03.xlsx").read_bytes()
    assert source.files().loc[0, ["bytes", "sha256"]].tolist() == [len(data), hashlib.sha256(data).hexdigest()]
    mine = source.cells()
    mine["text"] = ""
    assert source.cells().text[0] == "12345"


def test_twice_the_same(province):
    assert province.cells().equals(province.cells())
    assert str(province.path) not in repr(province.open().config)


def test_the_files_may_lie_elsewhere(folder, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other")
    folder.workbook()
    shutil.move(folder.path / "2010-03.xlsx", other / "2010-03.xlsx")
    assert len(folder.cells(root=other)) == 16
    folder.edit("files:", "root_env: EBANK_TEST_ROOT\nfiles:")
    with pytest.raises(ConfigError, match="root_env.*not set; found 'EBANK_TEST_ROOT'"):
        folder.open()
    monkeypatch.setenv("EBANK_TEST_ROOT", str(other))
    assert len(folder.cells()) == 16


def test_a_gzip_that_is_none_is_named(folder):
    folder.write("t.csv.gz", gzip.compress(b"x" * 100)[:20])
    folder.files(LONG.format(path="t.csv.gz"))
    with pytest.raises(SourceError, match=r"t\.csv\.gz.*is no gzip file"):
        folder.cells()
