"""Small tables in words and ways that other tests do not have: each is read exactly, or asked about, from its draft."""

import csv
import sqlite3

import pandas as pd
import pytest

from ebank_lib.cleaning import clean
from ebank_lib.drafting import draft_into
from ebank_lib.sources import open_source

from .conftest import book

MONTHS = pd.period_range("2018-01", periods=24, freq="M")
ZH, EN = ("秦安支行", "清水支行", "甘谷支行", "武山支行"), ("Marlow", "Henley", "Augusta", "Twyford")


def value(branch, item, month):
    """A figure as printed, told from all others."""
    n = (month - MONTHS[0]).n
    return round(10 * (len(branch) + 7 * ord(branch[0]) % 13) * (item + 2) * 1.01**n + n * 7 % 5 + item, 2)


def total(branches, item, month):
    return round(sum(value(b, item, month) for b in branches), 2)


def year_to_date(branch, item, month):
    return round(sum(value(branch, item, m) for m in MONTHS if m.year == month.year and m <= month), 2)


@pytest.fixture
def exact(tmp_path, unlike):
    """A function that drafts what lies in the folder and holds it against the figures: printed names of indicators with
    what one of their printed unit is."""
    def check(branches, factors, paths=None):
        written = draft_into(tmp_path, [tmp_path])
        rows = [(b, str(m), k, value(b, n, m) * factor) for b in branches for m in MONTHS
                for n, (k, factor) in enumerate(factors.items())]
        expected = pd.DataFrame(rows, columns=["branch", "month", "indicator", "value"])
        names = {k: (paths or {}).get(k, [[k]]) for k in factors}
        assert unlike(tmp_path, expected, names, {b: [b] for b in branches}).empty
        return written.draft

    return check


# --- units ------------------------------------------------------------------------------------------------------------

def test_a_scale_alone_is_one_of_whatever_its_indicator_counts(tmp_path, exact):
    items = {"App users": ("thousand", 1e3), "QR payments": ("thousand", 1e3), "Teller transactions": ("thousand", 1e3),
             "Merchant fees": ("CNY thousand", 1e3)}
    rows = [["Month", "Branch", "KPI", "Unit", "Value"]]
    rows += [[m.strftime("%b %Y"), b, k, u, value(b, n, m)] for m in MONTHS for b in EN
             for n, (k, (u, _)) in enumerate(items.items())]
    book(tmp_path / "kpi.xlsx", Extract=rows)
    exact(EN, {k: factor for k, (_, factor) in items.items()})
    units = open_source(tmp_path).catalog.units
    assert (units["thousand"].base, units["CNY thousand"].base) == ("", "元")


def test_a_scale_alone_is_none_of_a_share(tmp_path, exact):
    rows = [["Month", "Branch", "App users (thousand)"]]
    rows += [[m.strftime("%b %Y"), b, value(b, 0, m)] for m in MONTHS for b in EN]
    book(tmp_path / "kpi.xlsx", Extract=rows)
    exact(EN, {"App users": 1e3})
    path = tmp_path / "catalog.yaml"
    text = path.read_text(encoding="utf-8")
    text = text.replace("kind: stock, unit: 户", "kind: ratio, unit: '1', bounded: false")
    path.write_text(text.replace("base_units:\n", "base_units:\n  '1': {zh: '', en: ''}\n"), encoding="utf-8")
    assert clean(open_source(tmp_path)).panel.isna().all(axis=None)


def test_the_units_of_tables_beside_one_another_are_those_above_their_own_columns(tmp_path, exact):
    sheets = {}
    for m in MONTHS:
        rows = [["月报"], ["表一 客户数（户）", None, None, None, "表二 交易额（万元）"],
                ["机构", "手机银行", "电话银行", None, "机构", "网上支付", "POS消费"]]
        rows += [[b, value(b, 0, m), value(b, 1, m), None, b, value(b, 2, m), value(b, 3, m)] for b in ZH]
        sheets[f"{m.year}{m.month:02}"] = rows
    book(tmp_path / "月报.xlsx", **sheets)
    exact(ZH, {"手机银行": 1, "电话银行": 1, "网上支付": 1e4, "POS消费": 1e4})


def test_a_heading_left_out_may_have_a_unit_that_no_indicator_has(tmp_path, exact):
    for m in MONTHS:
        rows = [["快报"], [("机构", 1, 2), "签约客户", "排名上升"], [None, "户", "%"], ["甲", 1, 2]]
        rows[1].insert(2, "交易额同比")
        rows[2].insert(2, "%")
        rows[1][3], rows[2][3], rows[3] = "网点目标", "台", ["甲", 1, 2, 3]
        book(tmp_path / f"快报{m}.xlsx", Sheet1=[*rows, *([b, value(b, 0, m), 3.5, 12] for b in ZH)])
    exact(ZH, {"签约客户": 1})


def test_the_one_unit_above_the_only_indicator_is_its_own_whatever_its_name_says(tmp_path, exact):
    items = {"Acquiring volume": "CNY million", "Card fees": "thousand"}
    book(tmp_path / "cards.xlsx", **{k: [[f"{k} ({u})"], ["Outlet", *(m.strftime("%b-%y") for m in MONTHS)], *(
        [b, *(value(b, n, m) for m in MONTHS)] for b in EN)] for n, (k, u) in enumerate(items.items())})
    assert exact(EN, {"Acquiring volume": 1e6, "Card fees": 1e3}).questions == []


def test_small_figures_of_a_scale_are_no_shares(tmp_path, exact):
    rows = [["Month", "Branch", "Payments (million)"]]
    rows += [[m.strftime("%b %Y"), b, round(value(b, 0, m) / 1e4, 6)] for m in MONTHS for b in EN]
    book(tmp_path / "payments.xlsx", Data=rows)
    exact(EN, {"Payments": 100})


# --- months -----------------------------------------------------------------------------------------------------------

def test_october_is_the_month_that_numbers_with_a_point_leave_out(tmp_path, exact):
    rows = [["月份", "机构", "登录次数（次）"]]
    rows += [[float(f"{m.year}.{m.month:02}"), b, value(b, 0, m)] for m in MONTHS for b in ZH]
    book(tmp_path / "登录.xlsx", 登录=rows)
    exact(ZH, {"登录次数": 1})
    assert "%Y.%m" in (tmp_path / "sources.yaml").read_text(encoding="utf-8")


def test_january_and_october_that_look_alike_are_no_month(tmp_path):
    rows = [["月份", "机构", "签约客户（户）"]]
    rows += [[float(f"{m.year}.{m.month}"), b, value(b, 0, m)] for m in MONTHS for b in ZH]
    book(tmp_path / "客户.xlsx", 客户=rows)
    written = draft_into(tmp_path, [tmp_path])
    assert any("January or October?" in question for question in written.draft.questions)


def test_months_across_as_numbers_with_the_branches_in_rows_of_their_own(tmp_path, exact):
    rows = [["项目", *(float(f"{m.year}.{m.month:02}") for m in MONTHS), "同比%"]]
    for b in ZH:
        rows += [[(b, 26, 1)], ["网银客户（户）", *(value(b, 0, m) for m in MONTHS), 1.5],
                 ["网银交易（万笔）", *(value(b, 1, m) for m in MONTHS), 2.5]]
    book(tmp_path / "明细.xlsx", 明细=rows)
    exact(ZH, {"网银客户": 1, "网银交易": 1e4})


def test_months_numbered_below_their_years(tmp_path, exact):
    sheets = {}
    for b in ZH:
        rows = [[("指标", 1, 2), ("单位", 1, 2), ("2018年", 12, 1), *[None] * 11, ("2019年", 12, 1), *[None] * 11],
                [None, None, *(m.month for m in MONTHS)]]
        sheets[b] = [*rows, ["呼入量", "次", *(value(b, 0, m) for m in MONTHS)],
                     ["投诉量", "件", *(value(b, 1, m) for m in MONTHS)]]
    book(tmp_path / "客服.xlsx", **sheets)
    exact(ZH, {"呼入量": 1, "投诉量": 1})


def test_quarters_stand_between_the_years_and_the_months(tmp_path, exact):
    heads, texts, sheets = [[("机构", 1, 3)], [None], [None]], "一二三四", {}
    for y in (2018, 2019):
        heads[0] += [(f"{y}年", 17, 1), *[None] * 16]
        for n in range(4):
            heads[1] += [(f"{texts[n]}季度", 4, 1), None, None, None]
            heads[2] += [*(f"{3 * n + k}月" for k in (1, 2, 3)), "小计"]
        heads[1].append(("全年", 1, 2))
        heads[2].append(None)
    items = {"收单笔数": "万笔", "收单金额": "万元"}
    for i, (item, unit) in enumerate(items.items()):
        rows = [[b] for b in ZH]
        for row in rows:
            for m in MONTHS:
                row.append(value(row[0], i, m))
                row += [year_to_date(row[0], i, m)] * ((m.month % 3 == 0) + (m.month == 12))
        sheets[item] = [[f"{item}（单位：{unit}）"], *heads, *rows]
    book(tmp_path / "收单.xlsx", **sheets)
    exact(ZH, dict.fromkeys(items, 1e4))


def test_days_that_may_be_months_are_what_makes_months_follow_one_another(tmp_path, exact):
    rows = [["As at", "Office", "App users (number)"]]
    rows += [[f"01/{m.month:02}/{m.year}", b, value(b, 0, m)] for m in MONTHS for b in EN]
    book(tmp_path / "extract.xlsx", Extract=rows)
    exact(EN, {"App users": 1})


def test_a_date_that_all_sheets_have_is_not_their_month(tmp_path, exact):
    for y in (2018, 2019):
        sheets = {f"{m.month}月": [[f"{y}年业务情况"], ["统计截止：2020年1月"], ["支行", "签约客户（户）"],
                                *([b, value(b, 0, m)] for b in ZH)] for m in MONTHS if m.year == y}
        book(tmp_path / f"{y}年度.xlsx", **sheets)
    exact(ZH, {"签约客户": 1})


def test_a_column_of_months_may_end_in_a_total(tmp_path, exact):
    for b in ZH:
        rows = [["机构：" + b], ["年月", "掌银客户"], [None, "户"],
                *([m.year * 100 + m.month, value(b, 0, m)] for m in MONTHS), ["合计", 5]]
        book(tmp_path / f"{b}_运营.xlsx", 数据=rows)
    exact(ZH, {"掌银客户": 1})


def test_branches_whose_names_begin_like_months(tmp_path, exact):
    book(tmp_path / "book.xlsx", **{b: [["Month", "App users (number)"], *(
        [m.strftime("%b %Y"), value(b, 0, m)] for m in MONTHS)] for b in EN})
    exact(EN, {"App users": 1})


@pytest.mark.parametrize("across", [False, True])
def test_only_the_first_month_of_a_year_bears_it(tmp_path, exact, across):
    names = [f"{m.year}年{m.month}月" if m.month == 1 else f"{m.month}月" for m in MONTHS]
    if across:
        rows = [["机构", "指标", "单位", *names], *([b, "签约户", "户", *(value(b, 0, m) for m in MONTHS)] for b in ZH)]
    else:
        rows = [["月份", "机构", "签约户（户）"], *([(name, 1, 4) if b == ZH[0] else None, b, value(b, 0, m)]
                                           for name, m in zip(names, MONTHS, strict=True) for b in ZH)]
    book(tmp_path / "表.xlsx", 表=rows)
    exact(ZH, {"签约户": 1})


def test_a_year_that_only_folders_say(tmp_path, exact):
    for m in MONTHS:
        (tmp_path / str(m.year)).mkdir(exist_ok=True)
        rows = [["机构", "签约户（户）"], *([b, value(b, 0, m)] for b in ZH)]
        book(tmp_path / str(m.year) / f"{m.month}月.xlsx", 表=rows)
    exact(ZH, {"签约户": 1})


def test_no_month_is_asked_for_in_words(tmp_path):
    book(tmp_path / "表.xlsx", 表=[["机构", "签约客户（户）"], *([b, value(b, 0, MONTHS[0])] for b in ZH)])
    assert any("`month: {from: sheet}`" in question for question in draft_into(tmp_path, [tmp_path]).draft.questions)


# --- names ------------------------------------------------------------------------------------------------------------

def test_numbers_and_marks_of_names_are_no_part_of_them(tmp_path, exact):
    for n, b in enumerate(ZH):
        rows = [["月份", "签约户（户）"], *([str(m), value(b, 0, m)] for m in MONTHS)]
        book(tmp_path / f"{n + 1:02}-{b}.xlsx", 表=rows)
    exact(ZH, {"签约户": 1})
    rows = [["月份", "机构", "签约户（户）"]]
    rows += [[str(m), f"{b}*" if b == ZH[0] else b, value(b, 0, m)] for m in MONTHS for b in ZH]
    for path in tmp_path.iterdir():
        path.unlink()
    book(tmp_path / "表.xlsx", 表=rows)
    exact(ZH, {"签约户": 1})


def test_names_that_begin_like_those_of_sums(tmp_path, exact):
    names = ("Grandview", "Overallton", "Wholebrook", "Summerhill")
    rows = [["Month", "Branch", "App users (number)"]]
    rows += [[str(m), b, value(b, 0, m)] for m in MONTHS for b in names]
    book(tmp_path / "users.xlsx", Data=rows)
    exact(names, {"App users": 1})


def test_files_of_products_with_the_same_headings_are_other_indicators(tmp_path):
    for n, product in enumerate(("个人网银", "企业网银")):
        rows = [["月份", "机构", "客户数（户）"], *([str(m), b, value(b, 5 * n, m)] for m in MONTHS for b in ZH)]
        book(tmp_path / f"{product}.xlsx", 数据=rows)
    draft_into(tmp_path, [tmp_path])
    panel = clean(open_source(tmp_path)).panel
    assert panel.shape == (len(ZH) * len(MONTHS), 2) and panel.notna().all(axis=None)


# --- what stands beside and between -----------------------------------------------------------------------------------

def test_year_to_date_and_change_in_groups_of_their_own(tmp_path, exact):
    heads = ["缴费笔数（万笔）", "缴费金额（万元）"]
    for m in MONTHS:
        rows = [[("单位名称", 1, 2), ("本月发生", 2, 1), None, ("本年累计", 2, 1), None, ("比上年增减%", 2, 1), None],
                [None, *heads, *heads, *heads]]
        rows += [[b, value(b, 0, m), value(b, 1, m), year_to_date(b, 0, m), year_to_date(b, 1, m), 3.2, -1.1]
                 for b in ZH]
        book(tmp_path / f"缴费{m.year}{m.month:02}.xlsx", 月报=rows)
    items = ("缴费笔数", "缴费金额")
    drafted = exact(ZH, dict.fromkeys(items, 1e4), {k: [["本月发生", k]] for k in items})
    assert len(drafted.headings) == 2


def test_several_figures_a_row_of_which_one_is_the_months(tmp_path, exact):
    items, units = {"签约客户": 1, "转账笔数": 1e4}, ("户", "万笔")
    rows = [["期数", "行号", "行名", "指标", "当月值", "本年累计值", "同比增幅(%)"]]
    rows += [[f"{m.year}{m.month:02}", f"0{n + 31}", b, f"{k}({u})", value(b, i, m), year_to_date(b, i, m), 5.1]
             for m in MONTHS for n, b in enumerate(ZH) for i, (k, u) in enumerate(zip(items, units, strict=True))]
    with (tmp_path / "out.csv").open("w", encoding="utf-16", newline="") as file:
        csv.writer(file, delimiter="\t").writerows(rows)
    exact(ZH, items)


def test_numbered_groups_of_items_that_have_one_name_in_each(tmp_path, exact):
    paths = {f"{a}/{k}": [[a, k]] for a in ("个人网银", "手机银行") for k in ("客户数", "交易金额")}
    sheets = {}
    for b in ZH:
        rows = [["序号", "指标名称", "单位", *(f"{m.year}年{m.month}月" for m in MONTHS)]]
        for n, path in enumerate(paths):
            group, item = path.split("/")
            rows += [["一二"[n // 2], group]] if n % 2 == 0 else []
            rows.append([n % 2 + 1, item, ("户", "万元")[n % 2], *(value(b, n, m) for m in MONTHS)])
        sheets[b] = rows
    book(tmp_path / "渠道.xlsx", **sheets)
    exact(ZH, dict(zip(paths, (1, 1e4, 1, 1e4), strict=True)), paths)


def test_headings_that_a_page_repeats_below_a_title(tmp_path, exact):
    head = ["月份", "支行名称", "理财客户(户)"]
    rows = [["理财统计表"], head]
    for m in MONTHS:
        rows += [["理财统计表（续表）"], head] if m.month == 7 else []
        rows += [[str(m), b, value(b, 0, m)] for b in ZH]
    book(tmp_path / "理财.xlsx", 理财=rows)
    exact(ZH, {"理财客户": 1})


def test_a_block_of_columns_a_branch_each_with_its_months(tmp_path, exact):
    heads = [[], []]
    for b in ZH:
        heads[0] += [(b, 3, 1), None, None, None]
        heads[1] += ["月份", "网银户数（户）", "网银金额（万元）", None]
    rows = [[cell for b in ZH for cell in (f"{m.year}年{m.month}月", value(b, 0, m), value(b, 1, m), None)]
            for m in MONTHS]
    book(tmp_path / "对比.xlsx", 对比=[["网上银行业务对比"], *heads, *rows])
    exact(ZH, {"网银户数": 1, "网银金额": 1e4})


def test_figures_that_no_key_tells_apart_are_asked_about(tmp_path):
    rows = [["月份", "机构", "渠道", "业务笔数（笔）", "业务金额（元）"]]
    rows += [[str(m), b, c, value(b, n, m), value(b, n + 2, m)]
             for m in MONTHS for b in ZH for n, c in enumerate(("手机银行", "柜面"))]
    book(tmp_path / "渠道.xlsx", 数据=rows)
    assert any("渠道" in question for question in draft_into(tmp_path, [tmp_path]).draft.questions)


def test_a_database_of_codes_whose_levels_are_no_names(tmp_path, monkeypatch):
    with sqlite3.connect(tmp_path / "eb.sqlite") as con:
        con.execute("create table dim_org (org_no text, org_name text, org_level int)")
        con.executemany("insert into dim_org values (?, ?, ?)", [
            ("2100", "天水分行", 1), *((f"210{n}", b, 2) for n, b in enumerate(ZH, 1))])
        con.execute("create table eb_month (stat_date text, org_no text, app_login_cnt real)")
        con.executemany("insert into eb_month values (?, ?, ?)", [
            (str(m.end_time.date()), f"210{n}", value(b, 0, m)) for m in MONTHS for n, b in enumerate(ZH, 1)])
    monkeypatch.setenv("EBANK_CODES", f"sqlite:///{tmp_path / 'eb.sqlite'}")
    draft_into(tmp_path / "out", [], "EBANK_CODES")
    panel = clean(open_source(tmp_path / "out")).panel
    assert {key: panel.loc[key].iloc[0, 0] for key in panel.index.get_level_values(0).unique()} == {
        f"210{n}": value(b, 0, MONTHS[0]) for n, b in enumerate(ZH, 1)}
