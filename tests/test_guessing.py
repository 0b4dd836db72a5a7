"""Indicators drafted from names: what a name says decides, values only where it says nothing."""

import pandas as pd
import pytest
import yaml

from ebank_lib.catalog import Unit
from ebank_lib.errors import ConfigError
from ebank_lib.guessing import branch_id, draft_indicator, draft_tables, printed_unit, split_unit, unit_named
from ebank_lib.wording import use_language


@pytest.fixture(autouse=True)
def in_english():
    before = use_language("en")
    yield
    use_language(before)


def drafted(name, *args, **more):
    i, _ = draft_indicator(name, *args, **more)
    return i.key, i.unit, i.kind


@pytest.mark.parametrize(("text", "base", "factor"), [
    ("万户", "户", 1e4), ("亿元", "元", 1e8), ("人民币万元", "元", 1e4), ("单位：万笔", "笔", 1e4),
    ("万 张", "张", 1e4), ("Rs. Crore", "卢比", 1e7), ("lakh", "笔", 1e5), ("million yuan", "元", 1e6),
    ("amount in CNY thousand", "元", 1e3), ("'000", "笔", 1e3),
    ("%", "1", 0.01), ("台", "台", 1), ("customers", "户", 1), ("number", "笔", 1)])
def test_a_unit_is_a_scale_and_what_is_counted(text, base, factor):
    assert unit_named(text, base="笔") == Unit(base=base, factor=factor)


@pytest.mark.parametrize("text", ["万", "furlong", "", "日照分行", "2011年"])
def test_no_unit_is_guessed_where_none_is_named(text):
    assert unit_named(text) is None


def test_only_brackets_that_hold_a_unit_are_taken_off():
    assert split_unit("客户数（含企业）（万户）") == ("客户数（含企业）", "万户")
    assert split_unit("Customers (active)") == ("Customers (active)", "")


@pytest.mark.parametrize("name", ["手机银行交易量", "mobile_txn", "mobileTxn", "Mobile transactions",
                                  "手机银行/交易笔数", "二、交易量/1、手机银行（万笔）",
                                  "Transactions/Mobile banking ('000)"])
def test_what_the_packages_own_catalogue_knows_is_that_however_it_is_written(name):
    assert drafted(name) == ("mobile_txn", "笔", "flow")


def test_a_known_name_under_another_unit_is_another_thing():
    assert drafted("手机银行", unit="万笔") == ("mobile_transactions", "笔", "flow")
    assert drafted("手机银行交易量", unit="万元") == ("mobile_transactions", "元", "flow")


@pytest.mark.parametrize(("name", "unit", "kind"), [
    ("微信银行客户", "户", "stock"), ("微信银行新增客户", "户", "flow"), ("微信银行净增", "户", "flow"),
    ("存款余额", "元", "stock"), ("自助设备交易额", "元", "flow"), ("信用卡发卡量（万张）", "张", "stock"),
    ("POS终端", "台", "stock"),
    ("Value of UPI transactions (Rs. crore)", "卢比", "flow"), ("wechat_customers", "户", "stock"),
    ("quick payment share", "1", "ratio"), ("代发客户覆盖率", "1", "ratio"), ("客户满意度（%）", "1", "ratio")])
def test_the_name_says_what_is_counted_and_how(name, unit, kind):
    assert drafted(name)[1:] == (unit, kind)


def test_values_decide_where_the_name_says_nothing():
    level = pd.Series([100, 101, 103, 103, 104, 106, 107.0])
    assert drafted("y", level) == ("y", "1", "stock")
    assert drafted("y", level.diff()) == ("y", "1", "flow")
    assert drafted("y", level / 1000) == ("y", "1", "ratio")
    assert drafted("y", -level) == drafted("y") == ("y", "1", "flow")


def test_shares_beyond_one_are_percentages_and_ratios_beyond_a_hundred_have_no_ceiling():
    for values, unit, bounded in (([0.4, 0.6], "", True), ([40, 60], "%", True), ([140, 160], "", False)):
        i, why = draft_indicator("渠道活动率", values := pd.Series(values))
        assert (printed_unit(i, values), i.bounded) == (unit, bounded)
        assert ("per cent" in why[-1]) == (unit == "%")
    assert not draft_indicator("与柜面之比", pd.Series([2.0, 3.0]))[0].bounded


def test_reasons_are_said_in_the_language_in_use():
    assert draft_indicator("微信银行客户", unit="万户")[1] == ["a stock, for the name says “客户”", "in 万户, as given"]
    use_language("zh")
    assert draft_indicator("微信银行客户")[1] == ["名称含“客户”，故为存量", "未给单位，名称含“客户”，按户计"]


def test_names_without_a_translation_keep_apart_and_are_shown_as_written():
    one, two = (draft_indicator(name)[0] for name in ("云闪付客户数", "龙支付客户数"))
    assert one.key != two.key and one.zh == one.en == "云闪付客户数"
    assert draft_indicator("con")[0].key == "con_"      # no file on Windows may be called so


@pytest.mark.parametrize("name", ["x" * 300, "a\x00b", "客户\u202e数"])
def test_what_is_no_name_is_an_error_that_says_so(name):
    with pytest.raises(ConfigError, match="is no name of an indicator"):
        draft_indicator(name)


def test_a_drafted_catalogue_has_the_units_of_its_indicators_and_the_printed_ones():
    indicators = [draft_indicator(name)[0] for name in ("手机银行交易量", "手机银行活动率", "净利润（万港元）")]
    units, bases, groups = draft_tables(indicators, [("百笔", "笔"), ("crore", "笔"), ("万户", "笔")])
    assert units["crore"] == Unit(base="笔", factor=1e7) and units["百笔"].factor == 100 and "万户" not in units
    assert units["lakh transactions"].factor == 1e5 and units["%"] == Unit(base="1", factor=0.01)
    assert {u.base for u in units.values()} == set(bases) == {i.unit for i in indicators}
    assert set(groups) == {i.group for i in indicators}


def test_names_of_other_workbooks_are_understood(shared_data):
    seen = [(i, "/".join(p)) for path in sorted((shared_data / "layouts").glob("*/about.yaml"))
            for i in yaml.safe_load(path.read_text(encoding="utf-8"))["indicators"] for p in i["printed"]]
    right = [drafted(name) == (i["key"], i["unit"], i["kind"]) for i, name in seen]
    counted = [drafted(name)[1:] == (i["unit"], i["kind"]) for i, name in seen]
    # The rest are codes (MB_CUST), or names that only the sheet around them makes clear.
    assert len(seen) >= 60 and sum(right) >= 50 and sum(counted) >= 58


def test_branches_get_ids_from_their_names_and_keep_them_whoever_comes_beside():
    assert branch_id(["日照分行"], []) == "rizhao" and branch_id(["0351"], []) == "0351"
    assert branch_id(["East End"], []) == "east_end" and branch_id(["East"], ["west"]) == "East"
    assert branch_id(["云州分行"], []) == branch_id(["云州分行"], ["rizhao", "b_1"]) != branch_id(["临江分行"], [])
    assert branch_id(["East"], ["east"]) not in ("East", "east") and branch_id(["total"], []) != "total"
