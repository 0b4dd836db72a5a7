"""Known answers: a few layouts as workbooks have them, and every cell, note and count that must be read of them.

The expected rows stand in ``known.csv``, checked by eye against the sheets below.
"""

import gzip
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from ebank_lib.errors import SourceError

from .conftest import Folder

KNOWN = Path(__file__).with_name("known.csv")


def book(folder, name, sheets):
    """Write a workbook: sheet -> rows of cells; a range in a row of its own, ("merge", "A1:B1"), is merged."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, rows in sheets.items():
        page = made.create_sheet(title)
        for row in [r for r in rows if r[:1] != ["merge"]]:
            page.append(row)
        for _, area in [r for r in rows if r[:1] == ["merge"]]:
            page.merge_cells(area)
    made.save(folder.path / name)


def wide(folder):
    folder.workbook()
    folder.workbook("2010-04_修订2.xlsx", rows=[("东城分行", 5, 6.5, 0.5, 7), ("注：见上", None, None, None, None),
                                                ("西城分行", "-", "-", "-", "-"), ("新分行", 1, None, None, None)])


def blocks(folder):
    """Names that wait for figures, blank rows within the table, footnotes across it, a second table of texts."""
    folder.files("""
        - path: "*.xlsx"
          month: {from: title}
          sheets:
            - {sheet: "表*", branch: 机构, skip: "^小计", unmapped: keep, missing: allow,
               headings: {客户数: online, 收入: income, 活动率: activity}}
            - {sheet: 表二, branch: 机构, unmapped: ignore, headings: {客户数: online}}
            - {sheet: 无, optional: true, branch: 机构, headings: {客户数: online}}
        """)
    book(folder, "a.xlsx", {
        "表一": [["2010年3月统计表"], ["单位：万元"], ["机构", "客户数（户）", "收入", "其他"],
                ["东城分行", 1, 2.5, "x"], ["小计", 9, 9, 9], ["其中", None, None, None],
                ["西城分行", 3, "－", "y"], [], ["北城分行", None, None, None], ["合计", 4, 5, "z"],
                ["说明：一", None, None, None], [], ["制表：张三"],
                ["merge", "A1:D1"], ["merge", "A11:D11"]],
        "表二": [["2010年4月"], ["机构", "客户数", "收入"], ["未报分行", "并入", "并入"], ["东城分行", 8, 9],
                [None, 7, None], ["西城分行", 5, 6], ["merge", "A4:A5"]],
        "封面": [["附件"], [None, "二"]]})


def months_down(folder):
    """A sheet a branch, months down; two levels of headings, one of them merged, numbers rows between years."""
    folder.files("""
        - path: "分行/*.xlsx"
          sheets:
            - sheet: "*"
              branch: {from: sheet, pattern: "(?P<branch>.+)表"}
              month: {from: column, column: 月份}
              ignore: [备注]
              headings:
                网银/户数: {indicator: online, unit: 万户}
                网银/新增: online_new
                收入（万元）: income
        """)
    (folder.path / "分行").mkdir()
    book(folder, "分行/b.xlsx", {
        "东城表": [["月份", "网银", None, "收入（万元）", "备注"], [None, "户数", "新增（户）", None, None],
                  ["2009年12月", 1.5, 20, 3, "甲"], ["2010-01", 1.6, "30", None, None], [],
                  ["201002", 1.7, 40, 5, "乙"], ["注", None, None, None, "丙"], ["merge", "A1:A2"], ["merge", "B1:C1"],
                  ["merge", "D1:D2"]],
        "西城表": [["月份", "网银", None, "收入(万元)", "备注"], [None, "户数", "新增", None, None],
                  ["２０１０年１月", "2.5万", 1, 2, None]]})


def long_table(folder):
    folder.files("""
        - path: "*.csv"
          layout: long
          branch: 机构
          month: {from: column, column: 月份, format: "%Y/%m"}
          revision: {from: file, pattern: "v(?P<revision>\\\\d)"}
          address: {file: 原文件, sheet: 原表, row: 行}
          columns:
            客户: {indicator: online, unit: {column: 单位}}
            收入: {indicator: income, unit: 万元}
          ignore: [备注]
          unmapped: keep
        """)
    head = "机构,月份,客户,单位,收入,备注,别的,原文件,原表,行\n"
    folder.write("t_v3.csv", head + "东城分行,2010/03,1,万户,2,a,q,x.xls,一,7\n\n西城分行,2010/04,,户,-,,,y.xls,,12\n")
    folder.write("t.csv", head + "北城分行,2010/03,5,户,6,,r,z.xls,二,3\n")


def month_in_the_name(folder):
    folder.files("""
        - path: "*.csv.gz"
          layout: long
          branch: {from: file, pattern: "(?P<branch>.+)_"}
          month: {from: file}
          columns: {客户: online}
        - path: "*.parquet"
          layout: long
          branch: {from: constant, value: 北城分行}
          month: {from: column, column: 月}
          columns: {户: {indicator: online, unit: 万户}}
          unmapped: ignore
        """)
    (folder.path / "西城_201004.csv.gz").write_bytes(gzip.compress("客户\n12\n\n".encode()))
    table = pd.DataFrame({"月": pd.to_datetime(["2010-05-31", "2010-06-30"]), "户": [1.25, None], "x": [True, False]})
    table.to_parquet(folder.path / "n.parquet")


LAYOUTS = {f.__name__: f for f in (wide, blocks, months_down, long_table, month_in_the_name)}


def read(layout, path):
    """Return all that was read of a layout in one frame of texts: what kind of row, where, and what is said there."""
    folder = Folder(path)
    LAYOUTS[layout](folder)
    source = folder.open()
    rows = []
    for kind in ("cells", "notes", "accounting", "files"):
        for row in getattr(source, kind)().astype(object).itertuples(index=False):
            # Not the bytes and hashes of a zip with today's date; no cell is cumulative here.
            values = row[:-2] if kind == "files" else row[:-1] if kind == "cells" else row
            rows.append((layout, kind, " | ".join(map(str, values))))
    return pd.DataFrame(rows, columns=["layout", "kind", "row"])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_cell_note_and_count_is_the_one_that_is_known(layout, tmp_path):
    known = pd.read_csv(KNOWN, dtype=str, keep_default_na=False)
    expected = known[known["layout"] == layout].reset_index(drop=True)
    got = read(layout, tmp_path)
    assert got["row"].tolist() == expected["row"].tolist() and got["kind"].tolist() == expected["kind"].tolist()


@pytest.mark.parametrize("row", ["１２", "1234567890", "12a", "", "-1", "1.0"])
def test_a_row_of_an_address_is_a_short_number(row, tmp_path):
    folder = Folder(tmp_path)
    long_table(folder)
    text = (folder.path / "t.csv").read_text(encoding="utf-8")
    folder.write("t.csv", text.replace("二,3", f"二,{row}"))
    with pytest.raises(SourceError, match="holds no row number"):
        folder.cells()
