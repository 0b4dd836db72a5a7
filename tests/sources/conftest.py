"""A small province in a temporary folder: workbooks as a department keeps them, and the YAML that reads them."""

from __future__ import annotations

import textwrap

import openpyxl
import pytest

CATALOG = """\
units:
  户: {base: 户, factor: 1}
  万户: {base: 户, factor: 10000}
  元: {base: 元, factor: 1}
  万元: {base: 元, factor: 10000}
  "%": {base: "1", factor: 0.01}
base_units:
  户: {zh: 户, en: customers}
  元: {zh: 元, en: yuan}
  "1": {zh: "", en: ""}
groups:
  all: {zh: 全部, en: All}
indicators:
  - {key: online, zh: 网银客户数, en: Online customers, group: all, kind: stock, unit: 户}
  - {key: online_new, zh: 网银净新增, en: New online customers, group: all, kind: flow, unit: 户}
  - {key: activity, zh: 活动率, en: Activity, group: all, kind: ratio, unit: "1"}
  - {key: income, zh: 收入, en: Income, group: all, kind: flow, unit: 元}
"""
BRANCHES = """\
branch,zh,en,role,aliases,merged_into,merged_month
all,全省合计,All,total,合计,,
east,东城分行,East,branch,东城;东城市分行,,
west,西城分行,West,branch,西城,,
north,北城分行,North,branch,北城,,
"""
SOURCES = """\
title: {zh: 试验, en: Trial}
simulated: true
catalog: catalog.yaml
branches: branches.csv
files:
  - path: "*.xlsx"
    month: {from: file, pattern: "(?P<year>\\\\d{4})-(?P<month>\\\\d{2})"}
    revision: {from: file, pattern: "修订(?P<revision>\\\\d+)"}
    sheets:
      - sheet: 客户
        branch: 机构
        ignore: [序号]
        headings:
          个人网银/客户数: online
          个人网银/净新增: online_new
          个人网银/活动率: activity
          收入: income
"""
ROWS = [
    ("东城分行", 12345, 1.5, 0.25, 3000.5),
    ("西城分行", "１２，３４５", "-", "34.5%", "2.5万"),
    ("北城分行", 7, None, 0.1 + 0.2, 1e22),
    ("合计", 24697, 3, 0.3, "#REF!"),
]


HEADINGS = {
    "A3": "序号",
    "B3": "机 构",
    "C3": "个人网银",
    "F3": "收入＊",
    "C4": "客户数（户）",
    "D4": "净新增(万户)",
    "E4": "活动率(%)",
}


def province_sheet(sheet, month="2010年3月", rows=ROWS):
    """Title, unit line, two heading rows (C3 on), branches, total, blank row, footnotes; column A numbers the rows."""
    sheet["A1"] = f"全省电子银行客户情况表（{month}）"
    sheet.merge_cells("A1:F1")
    sheet["F2"] = "单位：户、元"
    for at, text in HEADINGS.items():
        sheet[at] = text
    for area in ("A3:A4", "B3:B4", "C3:E3", "F3:F4"):
        sheet.merge_cells(area)
    for n, (name, *values) in enumerate(rows):
        sheet.cell(5 + n, 1, n + 1 if name != "合计" else None)
        for c, value in enumerate([name, *values], start=2):
            cell = sheet.cell(5 + n, c, value)
            if value == "#REF!":
                cell.data_type = "e"
    last = 5 + len(rows)
    sheet.cell(last + 1, 1, "注：本表为模拟数据。")
    sheet.cell(last + 2, 2, "制表：张三　复核：李四")


def build(path, month="2010年3月", rows=ROWS, change=None, sheet="客户"):
    """Write one workbook; `change(sheet)` may spoil it."""
    book = openpyxl.Workbook()
    page = book.active
    page.title = sheet
    province_sheet(page, month, rows)
    if change:
        change(page)
    book.save(path)
    return path


class Folder:
    """A source's folder under construction."""

    def __init__(self, path):
        self.path = path
        self.write("catalog.yaml", CATALOG)
        self.write("branches.csv", BRANCHES)
        self.write("sources.yaml", SOURCES)

    def write(self, name, content):
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            target.write_text(textwrap.dedent(content), encoding="utf-8")
        return target

    def files(self, text):
        """Replace the `files` of the YAML."""
        head = SOURCES.split("files:")[0]
        self.write("sources.yaml", head + "files:\n" + textwrap.indent(textwrap.dedent(text), "  "))

    def edit(self, old, new):
        text = (self.path / "sources.yaml").read_text(encoding="utf-8")
        assert old in text
        self.write("sources.yaml", text.replace(old, new))

    def workbook(self, name="2010-03.xlsx", **options):
        return build(self.path / name, **options)

    def open(self, **options):
        from ebank_lib.sources import open_source

        return open_source(self.path, **options)

    def cells(self, **options):
        return self.open(**options).cells()


@pytest.fixture
def folder(tmp_path):
    """An empty source: catalogue, branches and YAML, no workbook yet."""
    return Folder(tmp_path)


@pytest.fixture
def province(folder):
    """A source with one workbook, March 2010."""
    folder.workbook()
    return folder
