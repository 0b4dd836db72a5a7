"""What a newcomer did to a source, and what they read: where it is, what stands there, what should, what to do."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

import ebank_lib as eb
from ebank_lib.errors import EbankError
from ebank_lib.sources.database import address

WIDE = pd.DataFrame({"mobile": range(100, 106)}, pd.period_range("2010-01", periods=6, freq="M"))
LONG = "机构,月份,客户\n东城,2010-03,5\n西城,2010-03,6\n"
MONTH = '"(?P<year>\\\\d{4})-(?P<month>\\\\d{2})"'
REVISION = '"修订(?P<revision>\\\\d+)"'


@pytest.mark.parametrize(("old", "new", "read"), [
    ("sheet: 客户", "sheet: 客户表", "file '2010-03.xlsx': has no such sheet; found '客户'; expected a sheet 客户表. "
     "`optional: true` lets workbooks lack it"),
    ("机构", "单位名称", "file '2010-03.xlsx', sheet '客户': has no such heading; found 'nothing like it'; expected a "
     "cell '单位名称', the heading of the branch column. A column without a heading is named by its letter"),
    ("          收入: income\n", "", "file '2010-03.xlsx', sheet '客户', row 4, column 'F': has a heading that is not "
     "mapped; found '收入＊'; expected a heading under `headings` or `ignore`. Map it, list it under `ignore`, or"),
    ("simulated", "simulate", "key 'simulate': unknown key; expected one of branches, calendar, catalog, events, "),
    ("simulated: true", "simulated: maybe", "key 'simulated': wrong value; found 'maybe'; expected true or false"),
    ("catalog: catalog.yaml\n", "", "key 'catalog': is missing"),
    ("simulated: true", "\tsimulated: true", "row 2: is not plain YAML; found 'found character that cannot start any "
     "token'; expected mappings, lists and plain values indented by spaces. Indent by spaces, never by tabs; a text"),
    ("*.xlsx", "*.xls", "file '*.xls': no file matches; found 'nothing'; expected at least one file in the folder. "
     "There are 2010-03.xlsx, branches.csv, catalog.yaml, sources.yaml"),
    ('"*.xlsx"', '"*.xlsx"\n    from: March', "key 'files.0.from': wrong value; found 'March'; expected a month such "
     "as 2010-03"),
    ('"*.xlsx"', '"*.xlsx"\n    from: 2010-03\n    to: 2010-02',
     "key 'files.0.to': ends before it begins; found '2010-02'; expected 2010-03 or later"),
    ("files:", "root_env: EBANK_NOWHERE\nfiles:", "key 'root_env': names an environment variable that is not set; "
     "found 'EBANK_NOWHERE'; expected the folder that holds the files"),
    ("branch: 机构", "branch: {from: column}", "key 'files.0.sheets.0.branch.column': goes with from: column; found "
     "'nothing'; expected the heading of the branch column"),
    ("branch: 机构", "branch: {from: sheet}", "key 'files.0.sheets.0.branch': a sheet needs a column of branches, of "
     "months or of indicators; found 'sheet'; expected from: column"),
    ("收入: income", "收入: income\n          收 入（元）: online", "key 'files.0.sheets.0.headings': names one "
     "heading twice; found '收 入（元）'; expected one indicator a heading"),
    ("客户数: online", "客户数: {indicator: online, cumulative: year}", "客户数.cumulative': goes with flows, which "
     "add up over the year; found 'online, a stock'; expected an indicator of kind: flow"),
    (REVISION, '"(?P<revision>03.*)"', "sheet '客户': names no revision; found '03.xlsx'; expected digits"),
    (MONTH, '"(?P<year>"', "expected a regular expression (missing ), unterminated subpattern at position 0)"),
    (MONTH, '"(?P<jahr>.*)-(?P<month>.*)"', "key 'files.0.month.pattern': wrong value; found "
     "'(?P<jahr>.*)-(?P<month>.*)'; expected named groups (?P<year>...)"),
])
def test_a_line_of_the_yaml_is_answered(province, old, new, read):
    province.edit(old, new)
    with pytest.raises(EbankError) as error:
        province.cells()
    assert read in str(error.value)


@pytest.mark.parametrize(("at", "text", "read"), [
    ("C4", "客户数（百户）", "row 4, column 'C': has a unit that the catalogue does not know; found "
     "'个人网银/客户数（百户）'; expected one of 户, 万户, 元, 万元, %. Add it under `units` of the catalogue with "
     "its base and factor, or say the heading's `unit` in the YAML"),
    ("F2", "单位：亩", "row 2: prints a unit that is not understood; found '亩'; expected one of 户, 万户, 元, 万元, "),
    ("D4", "客户数", "row 4, column 'D': has two columns for one indicator; found '个人网银/客户数'; expected one "
     "column of online (C is one). Map one heading and list the other under `ignore`; two of one name have to be told"),
])
def test_a_cell_of_the_workbook_is_answered(folder, at, text, read):
    folder.workbook(change=lambda sheet: sheet.__setitem__(at, text))
    with pytest.raises(EbankError) as error:
        folder.cells()
    assert read in str(error.value)


@pytest.mark.parametrize(("yaml", "rows", "read"), [
    ("branch: 机构\nindicator: {from: title}\nmonth: {from: heading}", "客户 收入 .\n机构 2010-01 2010-02\n东城 1 2",
     "sheet 'S': names several indicators; found '客户 | 收入'; expected one of the names under `headings`. A sheet "
     "without one is left out by `ignore: [S]`"),
    ("branch: {from: title}\nindicator: 项目\nmonth: {from: heading}", "东城 西城 .\n项目 2010-01 2010-02\n客户 1 2",
     "sheet 'S': names several branches; found '东城 | 西城'; expected one branch of branches.csv, or a `pattern` "),
    ("branch: 机构\nmonth: {from: column, column: 月, year: {from: title}}",
     "2010年 2011年 .\n机构 月 客户\n东城 3月 1",
     "sheet 'S': names several years; found '2010年 | 2011年'; expected one year, such as 2010 or 2010年. Say where "
     "the year is by `year:` under `month:`, with a `pattern` if several are there"),
    ("branch: 机构\nmonth: {from: column, column: 月, year: {from: column, column: 年}}",
     "机构 年 月 客户\n东城 今年 3月 1",
     "row 2, column 'B': holds no year; found '今年'; expected a year such as 2010"),
    ("branch: {from: sheet}\nindicator: 项目\nmonth: {from: heading}", "项目 2010-01 2010年1月\n客户 1 2",
     "row 1, column 'C': has two columns for one month or branch; found '2010年1月'; expected one column of 2010年1月"),
])
def test_a_sheet_of_another_shape_is_answered(folder, yaml, rows, read):
    book = openpyxl.Workbook()
    book.active.title = "S"
    for row in rows.split("\n"):
        book.active.append([None if text == "." else text for text in row.split()])
    book.save(folder.path / "t.xlsx")
    headings = "\nheadings: {客户: online, 收入: income}\nmissing: allow"
    folder.files('- path: "*.xlsx"\n  sheets:\n    - ' + (yaml + headings).replace("\n", "\n      "))
    with pytest.raises(EbankError) as error:
        folder.cells()
    assert read in str(error.value)


@pytest.mark.parametrize(("text", "keys", "read"), [
    (LONG.replace("2010-03", "三月"), "", "row 2, column '月份': holds no month; found '三月'; expected one month, "
     "such as 2010-03 or 2010年3月. A month without its year: `year:` says where that stands, such as `year: "),
    (LONG.replace("2010-03", "一季度"), "", "holds no month; found '一季度'; expected one month, such as 2010-03 or "
     "2010年3月. Several months or a sum up to a month, where one is needed; a `pattern` says which month counts"),
    (LONG, "month: 日期", "column '日期': needs the column once; found '0 times'; expected one column of this name. "
     "There are 机构, 月份, 客户"),
    (LONG, "month: {from: file}, ignore: [月份]", "file 't.csv': names no month; found 't.csv'; expected one month, "
     "such as 2010-03 or 2010年3月. A narrower `path` leaves the file out; `month: {from: ...}` says where else"),
    (LONG, "month: {from: column, column: 月份, year: {from: file}}", "file 't.csv': names no year; found 't.csv'; "),
    (LONG, "value: 客户", "key 'files.0': wrong value; found {'path'"),
    (LONG, "value: 客户", "; expected either `columns`, or `indicator`, `value` and `headings`, with or without "
     "`unit`"),
])
def test_a_long_table_is_answered(folder, text, keys, read):
    folder.write("t.csv", text)
    month = "" if keys.startswith("month") else "month: 月份, "
    folder.files(f"- {{path: t.csv, layout: long, branch: 机构, columns: {{客户: online}}, {month}{keys}}}")
    with pytest.raises(EbankError) as error:
        folder.cells()
    assert read in str(error.value)


@pytest.mark.parametrize(("rows", "limits", "read"), [
    (2, "table_cells: 5", "file 't.parquet': has too many cells; found 6; expected at most 5 (limits.table_cells)"),
    (0, "table_cells: 1", "is damaged or no Parquet file; found 'Parquet file size is 4 bytes, smaller than"),
])
def test_a_parquet_file_is_answered(folder, rows, limits, read):
    table = pd.DataFrame({"机构": ["东城"] * rows, "月份": ["2010年10月"] * rows, "客户": [5] * rows})
    table.to_parquet(folder.path / "t.parquet") if rows else folder.write("t.parquet", b"PAR1")
    folder.files("- {path: t.parquet, layout: long, branch: 机构, month: 月份, columns: {客户: online}}")
    folder.edit("files:", f"limits: {{{limits}}}\nfiles:")
    with pytest.raises(EbankError) as error:
        folder.cells()
    assert read in str(error.value)


def by_url(given, url):
    pytest.importorskip("sqlalchemy")
    given.setenv("EBANK_TEST_URL", url)
    return address("EBANK_TEST_URL", "figures")


def without_sqlalchemy(given):
    given.setitem(sys.modules, "sqlalchemy", None)
    given.setenv("EBANK_TEST_URL", "sqlite:///figures.db")
    return address("EBANK_TEST_URL", "figures")


SAID = [
    (lambda f, g: f.workbook("客户.xlsx") and f.cells(), "file '客户.xlsx': names no month; found '客户.xlsx'; "
     r"expected (?P<year>\d{4})-(?P<month>\d{2}). A narrower `path` leaves the file out; `month: "),
    (lambda f, g: f.workbook(rows=[]) and eb.clean(f.open()),
     "prints no cell; expected at least one branch, month and indicator"),
    (lambda f, g: eb.open_source(f.workbook()), "2010-03.xlsx'; expected a folder with sources.yaml, or a CSV or "
     "Parquet "),
    (lambda f, g: f.write("branches.csv", "id,zh,en\n") and f.open(), "branches.csv', row 1: wrong columns; found "
     "'id,zh,en'; expected branch,zh,en,role,aliases,merged_into,merged_month"),
    (lambda f, g: address("EBANK_NOWHERE", "figures"), "file 'figures': needs the address of a database; found "
     "'EBANK_NOWHERE is not set'; expected its URL in the environment variable EBANK_NOWHERE"),
    (lambda f, g: by_url(g, "here"), "is no address of a database that can be read; found 'what EBANK_TEST_URL holds'; "
     "expected sqlite:///FILE, duckdb:///FILE or postgresql://USER@HOST/NAME (driver psycopg). Of others, have a CSV "),
    (lambda f, g: without_sqlalchemy(g), "file 'figures': needs SQLAlchemy; expected pip install 'ebank[db]'"),
    (lambda f, g: eb.from_frame(pd.concat([WIDE, WIDE])), "row 7, column 'mobile': has a number that stands twice; "
     "found 'branch, 2010-01, mobile as in row 1'; expected one number a branch, month and indicator. Leave one of "
     "them out"),
    (lambda f, g: eb.from_frame(WIDE.set_index(pd.Index(range(6), name="month"), append=True)),
     "has more levels of the index than a table of months and branches; found 'None, month'; expected months, and "),
    (lambda f, g: eb.from_frame(WIDE.set_axis(pd.period_range("2010Q1", periods=6, freq="Q"))),
     "column 'month': is not monthly; found period[Q-DEC]; expected a period a month. Months are needed: a quarter's "
     "sum or level does not say them"),
    (lambda f, g: eb.from_frame(WIDE.set_axis(pd.period_range("2010-01-01", periods=6, freq="D"))), "is not monthly; "
     "found period[D]; expected a period a month. Make months of it first: sums of flows, last values of stocks, as "
     "df.resample('M').sum() and .last() do"),
]


@pytest.mark.parametrize(("did", "read"), SAID, ids=[read[:40] for _, read in SAID])
def test_what_was_done_is_answered(folder, monkeypatch, did, read):
    with pytest.raises(EbankError) as error:
        did(folder, monkeypatch)
    assert read in str(error.value)


def test_a_path_that_is_no_glob_is_answered(province):
    province.edit('"*.xlsx"', '"."')        # what is none, each Python says otherwise
    with pytest.raises(EbankError, match=r"file '\.': (cannot be searched for|no file matches); found"):
        province.cells()


@pytest.mark.parametrize(("at", "records", "length", "read"), [
    (20, [0x002F], 2, "file 't.xls': is locked by a password; expected a workbook without one"),
])
def test_an_xls_is_answered(folder, at, records, length, read):
    book = bytearray(Path(__file__).with_name("province.xls").read_bytes())
    for n, kind in enumerate(records):      # the stream of the workbook begins behind the file's head
        struct.pack_into("<HH", book, 512 + at + 4 * n, kind, length)
    folder.write("t.xls", bytes(book))
    folder.edit("*.xlsx", "*.xls")
    with pytest.raises(EbankError) as error:
        folder.cells()
    assert read in str(error.value)
