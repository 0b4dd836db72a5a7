"""Workbooks of many layouts with the same kind of contents, written by openpyxl; nothing of them is described."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from ebank_lib.drafting import draft_into

from .conftest import book

ZH = {"手机银行客户数": ("stock", "万户"), "柜面交易量": ("flow", "万笔"), "理财销售额": ("flow", "万元"),
      "电子渠道占比": ("ratio", "%")}
EN = {"Mobile customers": ("stock", "thousand customers"), "Counter transactions": ("flow", "thousand transactions"),
      "Fee income": ("flow", "CNY thousand"), "Digital share": ("ratio", "%")}
FACTOR = {"万户": 1e4, "万笔": 1e4, "万元": 1e4, "%": .01, "thousand customers": 1e3, "thousand transactions": 1e3,
          "CNY thousand": 1e3, "户": 1, "笔": 1, "元": 1}


@dataclass
class Case:
    """What a layout prints: values by (branch, month, indicator), as printed, and the units."""

    lang: str = "zh"
    first: str = "2018-01"
    months: int = 24
    branches: tuple[str, ...] = ()
    indicators: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self):
        usual = ("莲湖支行", "碑林支行", "灞桥支行") if self.lang == "zh" else ("Dunmore", "Ashby", "Kelso")
        self.branches = self.branches or usual
        self.indicators = self.indicators or (ZH if self.lang == "zh" else EN)
        self.index = pd.period_range(self.first, periods=self.months, freq="M")
        rng = np.random.default_rng(7)
        self.values = {}
        for b, name in enumerate(self.branches):
            for k, (key, (kind, _)) in enumerate(self.indicators.items()):
                level = (b + 2) * (k + 1) * 3.0
                for n, month in enumerate(self.index):
                    wave = 1 + .1 * np.sin(month.month) + rng.normal(0, .02)
                    value = {"stock": level * 1.012**n + rng.normal(0, .01), "flow": level * wave * 1.01**n,
                             "ratio": 40 + 5 * b + .2 * n + rng.normal(0, .3)}[kind]
                    self.values[name, month, key] = round(value, 2)

    def value(self, branch, month, key):
        return self.values[branch, month, key]

    def total(self, month, key):
        return round(sum(self.values[b, month, key] for b in self.branches), 2)

    def year_to_date(self, branch, month, key):
        return round(sum(self.values[branch, m, key] for m in self.index if m.year == month.year and m <= month), 2)

    def expected(self):
        """The panel: branch and indicator as printed, values in base units."""
        rows = [(b, str(m), k, v * FACTOR[self.indicators[k][1]]) for (b, m, k), v in self.values.items()]
        return pd.DataFrame(rows, columns=["branch", "month", "indicator", "value"])


def headed(case):
    return [f"{k}（{u}）" if case.lang == "zh" else f"{k} ({u})" for k, (_, u) in case.indicators.items()]


def year_row_above_months(folder):
    """Months across below a merged row of years; a sheet a branch, items down with a column of units."""
    case = Case()
    years = sorted({m.year for m in case.index})
    for_sheet = {}
    for b in case.branches:
        above = [c for y in years for c in [(f"{y}年", 12, 1), *[None] * 11]]
        rows = [["电子银行业务统计"], [("指标", 1, 2), ("单位", 1, 2), *above],
                [None, None, *(f"{m.month}月" for m in case.index)]]
        rows += [[k, u, *(case.value(b, m, k) for m in case.index)] for k, (_, u) in case.indicators.items()]
        for_sheet[b] = rows
    book(folder / "统计表.xlsx", **for_sheet)
    return case


def year_merged_beside_months(folder):
    """A column of years merged over twelve rows beside one of months; a sheet a branch."""
    case = Case()
    sheets = {}
    for b in case.branches:
        rows = [[f"{b}电子银行情况"], ["年份", "月份", *headed(case)]]
        for m in case.index:
            year = (f"{m.year}年", 1, 12) if m.month == 1 else None
            rows.append([year, f"{m.month}月", *(case.value(b, m, k) for k in case.indicators)])
        sheets[b] = rows
    book(folder / "各行情况.xlsx", **sheets)
    return case


def sheet_a_year(folder):
    """A sheet a year, branches down with the months across, an indicator a file."""
    case = Case("en", months=36)
    for k, (_, u) in case.indicators.items():
        sheets = {}
        for y in sorted({m.year for m in case.index}):
            mine = [m for m in case.index if m.year == y]
            rows = [[k], [f"Unit: {u}"], ["Branch", *(m.strftime("%b") for m in mine), "Full year"]]
            for b in case.branches:
                line = [case.value(b, m, k) for m in mine]
                rows.append([b, *line, round(sum(line), 2)])
            rows.append(["Total", *(case.total(m, k) for m in mine), None])
            sheets[str(y)] = rows
        book(folder / f"{k}.xlsx", **sheets)
    return case


def blocks_of_branches(folder):
    """A block a branch in one sheet a year: the branch's name in a row of its own, indicators below, months across."""
    case = Case()
    for y in sorted({m.year for m in case.index}):
        mine = [m for m in case.index if m.year == y]
        rows = [[f"{y}年支行业务情况"], ["项目", "计量单位", *(f"{m.month}月" for m in mine)]]
        for b in case.branches:
            rows.append([b])
            rows += [[k, u, *(case.value(b, m, k) for m in mine)] for k, (_, u) in case.indicators.items()]
        book(folder / f"{y}年.xlsx", 支行业务=rows)
    return case


def blocks_with_headings(folder):
    """A block a branch, each with its own headings, below each other; months down."""
    case = Case("en")
    rows = [["E-banking by branch"], []]
    for b in case.branches:
        rows += [[b], ["Month", *headed(case)]]
        rows += [[m.strftime("%b %Y"), *(case.value(b, m, k) for k in case.indicators)] for m in case.index]
        rows.append([])
    book(folder / "branches.xlsx", Data=rows)
    return case


def tables_beside(folder):
    """Two tables beside one another: customers and income at the left, the rest at the right; a sheet a month."""
    case = Case()
    sheets = {}
    heads = headed(case)
    for m in case.index:
        rows = [["电子银行月报"], ["支行", *heads[:2], None, "支行", *heads[2:]]]
        for b in case.branches:
            line = [case.value(b, m, k) for k in case.indicators]
            rows.append([b, *line[:2], None, b, *line[2:]])
        sheets[f"{m.year}-{m.month:02}"] = rows
    book(folder / "月报.xlsx", **sheets)
    return case


def many_levels(folder):
    """Headings of six rows: groups, names, units, and two rows that count the columns."""
    case = Case(months=14)
    for m in case.index:
        rows = [["电子银行业务综合报表"], [f"{m.year}年{m.month}月"],
                [("机构", 1, 3), ("零售业务", 2, 1), None, ("公司及其他", 2, 1)],
                [None, "客户", "交易", "销售", "占比"],
                [None, "手机银行客户数", "柜面交易量", "理财销售额", "电子渠道占比"],
                ["甲", 1, 2, 3, 4], [None, "万户", "万笔", "万元", "%"]]
        rows += [[b, *(case.value(b, m, k) for k in case.indicators)] for b in case.branches]
        rows.append(["合计", *(case.total(m, k) for k in list(case.indicators)[:3])])
        book(folder / f"综合{m.year}{m.month:02}.xlsx", Sheet1=rows)
    return case


def quarters_between(folder):
    """Quarters, half-years and the year between the months; a sheet a branch and one of all."""
    case = Case("en")
    sheets = {}
    for b in [*case.branches, "All branches"]:
        def value(m, k, b=b):
            return case.total(m, k) if b == "All branches" else case.value(b, m, k)
        rows = []
        for y in sorted({m.year for m in case.index}):
            mine = [m for m in case.index if m.year == y]
            after = {2: ["Q1"], 5: ["Q2", "H1"], 8: ["Q3"], 11: ["Q4", "H2", str(y)]}
            names = [n for i, m in enumerate(mine) for n in [m.strftime("%b-%y"), *after.get(i, [])]]
            rows.append(["Item", "Unit", *names])
            for k, (_, u) in case.indicators.items():
                line = {m.strftime("%b-%y"): value(m, k) for m in mine}
                rows.append([k, u, *(line.get(n, round(sum(line.values()), 1)) for n in names)])
            rows.append([])
        sheets[b] = rows
    book(folder / "quarterly.xlsx", **sheets)
    return case


def long_table(folder):
    """A long table: date, branch code and name, item, unit, value."""
    case = Case()
    rows = [["数据日期", "机构代码", "机构名称", "指标名称", "计量单位", "指标值"]]
    for n, b in enumerate(case.branches):
        rows += [[f"{m.year}{m.month:02}", f"610{n + 1}", b, k, u, case.value(b, m, k)]
                 for m in case.index for k, (_, u) in case.indicators.items()]
    book(folder / "明细.xlsx", 明细=rows)
    return case


def two_layouts(folder):
    """The same indicators in two layouts: a sheet a month in 2018, months down in the years after."""
    case = Case(months=36)
    sheets = {}
    for m in case.index[:12]:
        rows = [["支行", *headed(case)]]
        rows += [[b.removesuffix("支行"), *(case.value(b, m, k) for k in case.indicators)] for b in case.branches]
        sheets[f"{m.month}月"] = rows
    book(folder / "2018.xlsx", **sheets)
    rows = [["月份", "机构名称", *headed(case)]]
    rows += [[f"{m.year}.{m.month:02}", b, *(case.value(b, m, k) for k in case.indicators)]
             for m in case.index[12:] for b in case.branches]
    book(folder / "2019-2020.xlsx", 数据=rows)
    return case


def month_in_title(folder):
    """A workbook a branch and month: both in the title, items down, one column of figures among several."""
    case = Case(months=14)
    n = 0
    for b in case.branches:
        for i, m in enumerate(case.index):
            n += 1
            rows = [[f"{b}{m.year}年{m.month}月电子银行业务表"], ["项目", "单位", "本月", "本年累计", "上月"]]
            for k, (kind, u) in case.indicators.items():
                before = case.value(b, case.index[i - 1], k) if i else None
                rows.append([k, u, case.value(b, m, k), case.year_to_date(b, m, k) if kind == "flow" else None, before])
            book(folder / f"附件{n}.xlsx", Sheet1=rows)
    return case


def semicolons(folder):
    """CSV with semicolons, English, a title line, and areas with subtotals."""
    case = Case("en", branches=("Dunmore", "Ashby", "Kelso", "Marlow"))
    lines = ["Digital banking;;;;;", ";".join(["Period", "Region", "Outlet", *headed(case)])]
    for m in case.index:
        for area, names in (("North", case.branches[:2]), ("South", case.branches[2:])):
            values = {b: [str(case.value(b, m, k)) for k in case.indicators] for b in names}
            lines += [";".join([f"{m.month:02}/{m.year}", area, b, *values[b]]) for b in names]
            sums = [str(round(sum(case.value(b, m, k) for b in names), 2)) for k in list(case.indicators)[:3]]
            lines.append(";".join([f"{m.month:02}/{m.year}", area, f"{area} subtotal", *sums, ""]))
    (folder / "digital.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return case


def month_and_cumulative(folder):
    """The month's own figures and those of the year so far side by side; a sheet a month in a workbook a year."""
    case = Case()
    for y in sorted({m.year for m in case.index}):
        sheets = {}
        for m in (m for m in case.index if m.year == y):
            rows = [[("机构", 1, 2), *(c for k, (kind, u) in case.indicators.items() for c in (
                [(f"{k}（{u}）", 2, 1), None] if kind == "flow" else [(f"{k}（{u}）", 1, 2)]))],
                    [None, *(c for kind, _ in case.indicators.values()
                             for c in (["本月", "本年累计"] if kind == "flow" else [None]))]]
            for b in case.branches:
                rows.append([b, *(v for k, (kind, _) in case.indicators.items() for v in (
                    [case.value(b, m, k), case.year_to_date(b, m, k)] if kind == "flow" else [case.value(b, m, k)]))])
            sheets[f"{m.month}月"] = rows
        book(folder / f"电子银行{y}年.xlsx", **sheets)
    return case


def unsaid_cumulative(folder):
    """Flows printed from January on without a word about it; branches without a word for branch or a heading."""
    case = Case(branches=("东城", "西城", "海淀"))
    rows = [["电子银行业务"], [None, "月份", *headed(case)]]
    for b in case.branches:
        rows += [[b, f"{m.year}年{m.month}月", *(case.year_to_date(b, m, k) if kind == "flow" else case.value(b, m, k)
                                               for k, (kind, _) in case.indicators.items())] for m in case.index]
    book(folder / "data.xlsx", 数据=rows)
    return case


def branches_across(folder):
    """Branches across and items down, with a column of all branches; a workbook a month."""
    case = Case(months=14)
    for m in case.index:
        rows = [["电子银行经营情况表"], [f"{m.year}年{m.month}月"], ["指标", "计量单位", *case.branches, "全行合计"]]
        rows += [[k, u, *(case.value(b, m, k) for b in case.branches), case.total(m, k) if kind != "ratio" else None]
                 for k, (kind, u) in case.indicators.items()]
        book(folder / f"经营{m.year}{m.month:02}.xlsx", 表1=[*rows, ["制表：张三"]])
    return case


def years_down_months_across(folder):
    """A block an indicator, its name above, years down and months across; a sheet a branch."""
    case = Case()
    sheets = {}
    for b in case.branches:
        rows = [[f"{b}历年数据"]]
        for name, k in zip(headed(case), case.indicators, strict=True):
            rows += [[name], ["年份", *(f"{n}月" for n in range(1, 13))]]
            rows += [[f"{y}年", *(case.value(b, m, k) for m in case.index if m.year == y)] for y in (2018, 2019)]
            rows.append([])
        sheets[b] = rows
    book(folder / "历年.xlsx", **sheets)
    return case


def a_sum_without_a_word(folder):
    """A row that is the sum of the others and does not say so; a sheet that is no table."""
    case = Case()
    sheets = {"目录": [["目录"], ["表1", "客户"], ["表2", "交易"]]}
    for m in case.index:
        rows = [[f"截至{m.year}年{m.month}月末"], ["单位名称", *headed(case)],
                ["陕西省分行", *(case.total(m, k) for k in list(case.indicators)[:3]), 55.0]]
        sheets[f"{m.year}{m.month:02}"] = rows + [[b, *(case.value(b, m, k) for k in case.indicators)]
                                                  for b in case.branches]
    book(folder / "月报.xlsx", **sheets)
    return case


def one_branch(folder):
    """One sheet of one branch, which nothing names but the file and the title, among other words."""
    case = Case(branches=("莲湖支行",))
    rows = [["莲湖支行电子银行月报"], ["月份", *headed(case)]]
    rows += [[f"{m.year}年{m.month}月", *(case.value("莲湖支行", m, k) for k in case.indicators)] for m in case.index]
    book(folder / "莲湖支行电子银行.xlsx", Sheet1=rows)
    return case


def files_of_branches(folder):
    """A workbook a branch, whose name stands between words that all of them have."""
    case = Case()
    for b in case.branches:
        rows = [["月份", *headed(case)]]
        rows += [[f"{m.year}年{m.month}月", *(case.value(b, m, k) for k in case.indicators)] for m in case.index]
        book(folder / f"电子银行{b}统计表.xlsx", Sheet1=rows)
    return case


LAYOUTS = [year_row_above_months, year_merged_beside_months, sheet_a_year, blocks_of_branches, blocks_with_headings,
           tables_beside, many_levels, quarters_between, long_table, two_layouts, month_in_title, semicolons,
           month_and_cumulative, unsaid_cumulative, branches_across, years_down_months_across, a_sum_without_a_word,
           one_branch, files_of_branches]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_a_layout_is_read_exactly_from_its_draft(layout, tmp_path, unlike):
    case = layout(tmp_path)
    draft_into(tmp_path, [tmp_path])
    names = {key: [[key]] for key in case.indicators}
    assert unlike(tmp_path, case.expected(), names, {b: [b] for b in case.branches}).empty
