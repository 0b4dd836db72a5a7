"""How the figures are printed: sheets, headings, units, layouts that change over the years; and the .xlsx files.

A `Sheet` holds what each cell shows, by (row key, indicator); its layout decides where that cell stands. Row keys are
branch ids, ``total``, and names of its own for subtotal rows and repeated headings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import xlsxwriter
from growth_paths import Truth
from xlsxwriter.utility import xl_col_to_name

TOTAL = "total"
UNIT_FACTOR = {"户": 1, "万户": 1e4, "笔": 1, "万笔": 1e4, "元": 1, "千元": 1e3, "万元": 1e4, "亿元": 1e8,
               "%": 0.01, "倍": 1}
# No clock in the files: the same figures give the same bytes.
WRITTEN = datetime(2011, 9, 15, 9, 0, 0)


@dataclass(frozen=True)
class Heading:
    """One column: its indicator, the heading above (empty: one cell over both rows), its own, usual unit, decimals."""

    indicator: str
    upper: str
    lower: str
    unit: str
    decimals: int = 0


def _columns(unit: str, decimals: int, upper: str, **lower: str) -> list[Heading]:
    return [Heading(key, upper, name, *(("%", 2) if name.endswith(("率", "占比", "之比")) else (unit, decimals)))
            for key, name in lower.items()]


SHEETS: dict[str, list[Heading]] = {
    "客户": [
        *_columns("户", 0, "个人网银", personal_online="客户数", personal_online_new="净新增",
                  personal_online_active="活跃客户数", personal_online_activity="活动率"),
        *_columns("户", 0, "企业网银", corporate_online="客户数", corporate_online_new="净新增"),
        *_columns("户", 0, "电话银行", phone="客户数", phone_new="净新增"),
        *_columns("户", 0, "手机银行", mobile="客户数", mobile_new="净新增", mobile_active="活跃客户数",
                  mobile_activity="活动率"),
        *_columns("户", 0, "短信金融服务", sms="客户数", sms_new="净新增"),
        *_columns("户", 0, "对公及代发新开户", corporate_accounts_new="开户数",
                  corporate_accounts_new_signed="同步签约数", synchronisation="同步率"),
        *_columns("户", 0, "对公及代发存量", corporate_existing="客户数", corporate_existing_signed="已签约数",
                  conversion="转化率"),
        *_columns("户", 0, "公众富裕及以上", affluent="客户数", affluent_signed="已签约数", coverage="覆盖率"),
        *_columns("户", 0, "个人住房贷款", mortgage="客户数", mortgage_signed="已签约数", mortgage_coverage="覆盖率"),
    ],
    "交易": [
        *_columns("笔", 0, "电子银行交易量", personal_online_txn="个人网银", corporate_online_txn="企业网银",
                  phone_txn="电话银行", mobile_txn="手机银行", key_customer_txn="重客系统", etxn_total="合计"),
        Heading("counter_txn", "", "柜面交易量", "笔"),
        *_columns("%", 2, "渠道占比", echannel_share="电子银行占比", echannel_counter_ratio="与柜面之比"),
    ],
    "收入": [
        *_columns("元", 2, "中间业务收入", sms_income="短信金融服务", personal_online_income="个人网银",
                  corporate_online_income="企业网银", income_total="合计"),
        *_columns("万元", 2, "投资理财销售", investment_sales="销售额", investment_sales_e="电子渠道销售额",
                  investment_share="电子渠道占比"),
    ],
}
TITLES = {"客户": "电子银行客户及重点客户签约情况月报表", "交易": "电子银行交易量情况月报表",
          "收入": "电子银行中间业务收入及投资理财销售月报表"}


@dataclass(frozen=True)
class Layout:
    """How that year's form looks."""

    serial: bool  # a column 序号 before 机构
    above: int  # rows between title and headings
    brackets: str
    net_new: str  # how the column 净新增 is called
    order: tuple[str, ...]  # upper headings that come first in 客户
    unit_above: bool  # 交易: the unit stands once, in the upper heading
    total: str
    gap: int  # blank rows between the total and the footnotes


LAYOUTS = {
    2008: Layout(False, 0, "（）", "净新增", (), False, "合计", 0),
    2009: Layout(True, 1, "（）", "净新增", (), False, "总计", 1),
    2010: Layout(False, 2, "()", "本月净增", ("短信金融服务", "手机银行"), True, "全省合计", 1),
    2011: Layout(True, 1, "()", "本月净增", ("手机银行", "个人网银"), True, "合计", 0),
}


@dataclass
class Row:
    """A line of the table: `kind` is branch, total, subtotal or heading."""

    key: str
    name: str
    kind: str = "branch"


@dataclass
class Sheet:
    """One sheet of one file, before it is written."""

    file: str
    month: tuple[int, int]
    t: int
    name: str
    revision: int
    layout: Layout
    columns: list[Heading]
    rows: list[Row]
    units: dict[str, tuple[str, int]] = field(default_factory=dict)  # this month's unit and decimals where unusual
    cells: dict[tuple[str, str], object] = field(default_factory=dict)
    merges: list[tuple[str, str, str]] = field(default_factory=list)  # upper row, lower row, indicator
    marks: set[str] = field(default_factory=set)  # footnotes that cells refer to
    remarks: list[str] = field(default_factory=list)  # further footnotes

    def unit(self, indicator: str) -> tuple[str, int]:
        """The unit and decimals in which a column is printed (and says so)."""
        return self.units.get(indicator) or next((c.unit, c.decimals) for c in self.columns
                                                 if c.indicator == indicator)

    def number(self, value: float, indicator: str) -> int | float:
        """A value of the base unit as this sheet prints it."""
        unit, decimals = self.unit(indicator)
        return to_unit(value, unit, decimals)

    @property
    def first_row(self) -> int:
        """Index from 0 of the first row of the table."""
        return 1 + self.layout.above + 2

    def place(self, key: str, indicator: str) -> tuple[int, int]:
        """Row and column from 0."""
        row = next(n for n, r in enumerate(self.rows) if r.key == key)
        column = next(n for n, c in enumerate(self.columns) if c.indicator == indicator)
        return self.first_row + row, self.layout.serial + 1 + column

    def address(self, key: str, indicator: str) -> tuple[int, str]:
        """Row from 1 and column letter, as the workbook shows them."""
        row, column = self.place(key, indicator)
        return row + 1, xl_col_to_name(column)

    def lower(self, column: Heading, with_unit: bool = True) -> str:
        """The lower heading's text."""
        name = self.layout.net_new if column.lower == "净新增" else column.lower
        if not with_unit or (self.layout.unit_above and self.name == "交易" and column.upper == "电子银行交易量"):
            return name
        return name + self.bracket(self.unit(column.indicator)[0])

    def upper(self, column: Heading) -> str:
        """The upper heading's text."""
        if self.layout.unit_above and self.name == "交易" and column.upper == "电子银行交易量":
            return column.upper + self.bracket(self.unit(column.indicator)[0])
        return column.upper

    def bracket(self, unit: str) -> str:
        return self.layout.brackets[0] + unit + self.layout.brackets[1]


def plain(number: float) -> int | float:
    """A plain int or float without the dust of binary fractions."""
    number = round(float(number), 8)
    return int(number) if number == int(number) else number


def to_unit(value: float, unit: str, decimals: int) -> int | float:
    """A value of the base unit in another, rounded as printed."""
    return plain(round(value / UNIT_FACTOR[unit], decimals))


def from_unit(number: float, unit: str) -> int | float:
    """Back to the base unit."""
    return plain(number * UNIT_FACTOR[unit])


def rounding(value: float, unit: str, decimals: int) -> int | float:
    """Half a unit of the last printed place, in the base unit; 0 where nothing is lost."""
    if abs(from_unit(to_unit(value, unit, decimals), unit) - value) < 1e-9 * max(1.0, abs(value)):
        return 0
    return plain(0.5 * 10**-decimals * UNIT_FACTOR[unit])


def as_text(value: object) -> str:
    """A cell as the reader gives it: numbers without loss, whole ones without a point."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else repr(float(value))
    return str(value)


def layout_of(year: int) -> Layout:
    """The form of that year; later years keep the last one."""
    return LAYOUTS[min(year, max(LAYOUTS))]


def sheet_columns(name: str, layout: Layout) -> list[Heading]:
    """The columns in that year's order."""
    rank = {upper: n - len(layout.order) for n, upper in enumerate(layout.order)}
    return sorted(SHEETS[name], key=lambda c: rank.get(c.upper, 0))  # stable: the rest keeps its order


def build_sheets(truth: Truth, names: dict[str, str], t: int, file: str, revision: int,
                 units: dict[tuple[str, int], tuple[str, int]]) -> list[Sheet]:
    """The three sheets of a month as they should be; `units` gives (indicator, month) -> unit and decimals."""
    layout = layout_of(truth.months[t][0])
    present = [r for r in truth.rows if truth.printed(r, "phone", t) is not None]
    sheets = []
    for name in SHEETS:
        rows = [Row(r, names[r]) for r in present] + [Row(TOTAL, layout.total, "total")]
        columns = sheet_columns(name, layout)
        sheet = Sheet(file, truth.months[t], t, name, revision, layout, columns, rows,
                      {c.indicator: units[c.indicator, t] for c in columns if (c.indicator, t) in units})
        sheet.remarks = ["注：{}自{}年{}月起并入{}。".format(names[r], *truth.months[at], names[truth.merged_into[r]])
                         for r, at in truth.merged_at.items() if at <= t < at + 6]
        for row in rows:
            for c in columns:
                sheet.cells[row.key, c.indicator] = sheet.number(truth.printed(row.key, c.indicator, t), c.indicator)
        sheets.append(sheet)
    return sheets


NOTES = {
    "*": "* 为快报数，以决算为准（模拟数据）。", "注1": "注1：已剔除睡眠户（模拟数据）。",
    "注2": "注2：含县域支行（模拟数据）。", "①": "① 系统切换期间补录（模拟数据）。",
}


def write_workbook(path: Path, sheets: list[Sheet]) -> None:
    """Write one month's file; the same content gives the same bytes."""
    with xlsxwriter.Workbook(str(path), {"strings_to_numbers": False, "strings_to_formulas": False,
                                         "strings_to_urls": False}) as book:
        book.set_properties({"title": "电子银行业务月报（模拟数据）", "subject": "模拟数据，非真实业务数据",
                             "author": "ebank make_sample.py", "created": WRITTEN})
        styles = _styles(book)
        for sheet in sheets:
            _write_sheet(book.add_worksheet(sheet.name), sheet, styles)


def _styles(book) -> dict[str, object]:
    base = {"font_name": "宋体", "font_size": 10}
    cell = base | {"border": 1}
    head = cell | {"bold": True, "align": "center", "valign": "vcenter", "text_wrap": True}
    return {
        "title": book.add_format(base | {"bold": True, "font_size": 14, "align": "center"}),
        "plain": book.add_format(base), "name": book.add_format(cell),
        "head": book.add_format(head), "text": book.add_format(cell | {"align": "right"}),
        0: book.add_format(cell | {"num_format": "#,##0"}), 2: book.add_format(cell | {"num_format": "#,##0.00"}),
        4: book.add_format(cell | {"num_format": "#,##0.0000"}),
        "middle": book.add_format(cell | {"num_format": "#,##0", "valign": "vcenter"}),
    }


def _write_sheet(page, sheet: Sheet, styles) -> None:
    layout, width = sheet.layout, sheet.layout.serial + 1 + len(sheet.columns)
    year, month = sheet.month
    revised = f"（修订{sheet.revision}）" if sheet.revision else ""
    page.merge_range(0, 0, 0, width - 1, f"建行山东省分行{year}年{month}月{TITLES[sheet.name]}{revised}（模拟数据）",
                     styles["title"])
    if layout.above:
        page.write_string(1, 0, "编制单位：电子银行部（模拟数据）", styles["plain"])
        page.write_string(1, width - 2, f"{year}年{month}月", styles["plain"])
    _write_headings(page, sheet, styles)
    covered = {(lower, i) for _, lower, i in sheet.merges}
    for n, row in enumerate(sheet.rows):
        r = sheet.first_row + n
        if layout.serial:
            if row.kind == "branch":
                page.write_number(r, 0, 1 + sum(x.kind == "branch" for x in sheet.rows[:n]), styles["name"])
            else:
                page.write_blank(r, 0, None, styles["name"])
        page.write_string(r, layout.serial, row.name, styles["head" if row.kind == "heading" else "name"])
        for m, column in enumerate(sheet.columns):
            if (row.key, column.indicator) not in covered:
                _write_cell(page, r, layout.serial + 1 + m, sheet.cells[row.key, column.indicator], styles)
    for upper, lower, indicator in sheet.merges:
        (top, column), (bottom, _) = sheet.place(upper, indicator), sheet.place(lower, indicator)
        page.merge_range(top, column, bottom, column, sheet.cells[upper, indicator], styles["middle"])
    _write_notes(page, sheet, styles)
    page.set_column(0, 0, 6 if layout.serial else 16)
    page.set_column(layout.serial, layout.serial, 16)
    page.set_column(layout.serial + 1, width - 1, 13)
    page.freeze_panes(sheet.first_row, layout.serial + 1)
    page.set_landscape()


def _write_headings(page, sheet: Sheet, styles) -> None:
    top, layout = sheet.first_row - 2, sheet.layout
    for n, name in enumerate(["序号", "机构"] if layout.serial else ["机构"]):
        page.merge_range(top, n, top + 1, n, name, styles["head"])
    first = layout.serial + 1
    uppers = [c.upper or c.indicator for c in sheet.columns]
    n = 0
    while n < len(uppers):
        last = n
        while last + 1 < len(uppers) and uppers[last + 1] == uppers[n]:
            last += 1
        column = sheet.columns[n]
        if not column.upper:
            page.merge_range(top, first + n, top + 1, first + n, sheet.lower(column), styles["head"])
        else:
            page.merge_range(top, first + n, top, first + last, sheet.upper(column), styles["head"])
            for m in range(n, last + 1):
                page.write_string(top + 1, first + m, sheet.lower(sheet.columns[m]), styles["head"])
        n = last + 1


def _write_cell(page, row: int, column: int, value: object, styles) -> None:
    if value is None:
        page.write_blank(row, column, None, styles["text"])
    elif isinstance(value, str):
        page.write_string(row, column, value, styles["text"])
    else:
        decimals = 0 if isinstance(value, int) else 2 if value == round(value, 2) else 4
        page.write_number(row, column, value, styles[decimals])


def _write_notes(page, sheet: Sheet, styles) -> None:
    texts = ["注：本表为模拟数据，由程序生成，与任何银行的实际经营数据无关。",
             *(NOTES[mark] for mark in NOTES if mark in sheet.marks), *sheet.remarks, "制表：模拟　　复核：模拟"]
    for n, text in enumerate(texts):
        page.write_string(sheet.first_row + len(sheet.rows) + sheet.layout.gap + n, 0, text, styles["plain"])
