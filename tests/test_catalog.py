"""The catalogue: what is measured, and the errors that say what is wrong with it."""

import datetime as dt
import gzip
import os
from dataclasses import replace

import pandas as pd
import pytest

from ebank_lib.catalog import as_period, load_catalog
from ebank_lib.errors import ConfigError, EbankError, UnknownNameError


@pytest.fixture(scope="module")
def catalog(root):
    return load_catalog(root / "data" / "catalog.yaml", root / "data" / "branches.csv")


def test_it_holds_every_group_of_the_study(catalog):
    kinds = {i.kind for i in catalog.indicators.values()}
    assert kinds == {"stock", "flow", "ratio"}
    for key in ("personal_online", "corporate_online", "phone", "mobile", "sms", "key_customer_txn", "etxn_total",
                "sms_income", "income_total", "personal_online_activity", "mobile_activity", "echannel_share",
                "echannel_counter_ratio", "synchronisation", "conversion", "coverage"):
        assert catalog.indicator(key).zh and catalog.indicator(key).en


def test_sixteen_branches_report_and_one_was_merged(catalog):
    assert len(catalog.reporting) == 16 and "rizhao" in catalog.reporting and "qingdao" not in catalog.branches
    assert catalog.total == "shandong"
    assert catalog.branch("shengli").merged_into == "dongying"
    assert catalog.branch("shengli").merged_month == pd.Period("2009-07", "M")


def test_an_indicator_goes_by_its_labels_too(catalog):
    one = catalog.indicators["mobile_txn"]
    for text in (one.zh, one.en, one.short_label("zh"), one.en.upper(), f" {one.zh}　"):
        assert catalog.indicator(text) is one, text
    with pytest.raises(UnknownNameError, match="Did you mean 'mobile_txn'"):
        catalog.indicator(one.zh + "数")
    other = catalog.indicators["counter_txn"].model_copy(update={"zh": one.zh})
    both = replace(catalog, indicators={**catalog.indicators, "counter_txn": other})
    with pytest.raises(UnknownNameError):
        both.indicator(one.zh)
    own = catalog.with_indicator("both", parts=[one.zh, catalog.indicators["counter_txn"].en])
    assert own.identities[-1].parts == ["mobile_txn", "counter_txn"]


def test_chart_labels_are_unambiguous_within_a_language(catalog):
    for lang in ("zh", "en"):
        labels = [i.short_label(lang) for i in catalog.indicators.values()]
        assert len(set(labels)) == len(labels)


def test_what_does_not_exist_is_answered_with_what_does(catalog):
    with pytest.raises(UnknownNameError, match="Did you mean 'mobile'"):
        catalog.indicator("moblie")
    with pytest.raises(UnknownNameError, match="Did you mean 'rizhao'"):
        catalog.branch("rizaho")


def test_no_name_is_the_first_headline_indicator(catalog):
    assert catalog.indicator("").key == catalog.headline[0] == "mobile_txn"


def test_a_ratio_is_its_parts(catalog):
    panel = pd.DataFrame({"etxn_total": [3.0, 1.0, 0.0], "counter_txn": [1.0, None, 0.0]})
    assert catalog.derive(panel, "echannel_share").tolist()[0] == 0.75
    assert catalog.derive(panel, "echannel_share").isna().tolist() == [False, True, True]
    with pytest.raises(ConfigError, match="is not derived from other indicators"):
        catalog.derive(panel, "sms")


BRANCHES = "branch,zh,en,role,aliases,merged_into,merged_month\n"


@pytest.mark.parametrize(("rows", "message"), [
    ("../x,甲,A,branch,,,\n", "bad branch id"),
    ("a,甲,A,brunch,,,\n", "bad role"),
    ("a,甲,A,branch,,,\nb,甲,B,branch,,,\n", "a name must belong to one branch"),
    ("a,甲,A,merged,,,\n", "role merged goes with merged_into and merged_month"),
    ("a,甲,A,merged,,b,2010-01\nc,丙,C,branch,,,\n", "branch to merge into"),
    ("a,甲,A,merged,,b,2010-13\nb,乙,B,branch,,,\n", "bad month"),
    ("a,甲,A,merged,,b,NaT\nb,乙,B,branch,,,\n", "bad month"),
    ("a,甲,A,total,,,\n", "names no branch"),
    ("a,甲\n", "another length"),
    ("a,甲,A,branch,,,,x\n", "another length"),
    ('a,"甲,A,branch,,,\n', "cannot be read"),
    ("a,甲\0,A,branch,,,\n", "is no name; .*characters that nobody sees"),
    ("a,甲,\u202eA,branch,,,\n", "is no name; .*characters that nobody sees"),
    ('a,"甲\n乙",A,branch,,,\n', "text on one line, without characters that nobody sees"),
    ("a,甲,A\u200bB,branch,,,\n", "nobody sees"),
    ("a,甲,,branch,,,\n", "one branch"),
    ("a,甲,\u3000,branch,,,\n", "one branch"),
    (f"a,甲,{'A' * 201},branch,,,\n", "at most 200 characters"),
    ("a,甲,A,branch,,,\nA,乙,B,branch,,,\n", "bad branch id"),
    ("a,甲,A,branch,,,\n../../x,乙,B,branch,,,\n", "bad branch id"),
    ("/etc/x,甲,A,branch,,,\n", "bad branch id"),
    ("C:\\x,甲,A,branch,,,\n", "bad branch id"),
    ("a.,甲,A,branch,,,\n", "bad branch id"),
    ("nul,甲,A,branch,,,\n", "bad branch id"),
    ("COM1,甲,A,branch,,,\n", "bad branch id"),
    (",甲,A,branch,,,\n", "bad branch id"),
    ("province,甲,A,branch,,,\n", "folder of this name"),
    ("a,甲,East,branch,,,\nb,乙,Ｅａｓｔ,branch,,,\n", "looks like another"),
    ("a,东城,A,branch,,,\nb,东 城,B,branch,,,\n", "looks like another"),
])
def test_a_wrong_branch_file_is_refused_with_its_row(root, tmp_path, rows, message):
    path = tmp_path / "branches.csv"
    path.write_text(BRANCHES + rows, encoding="utf-8")
    with pytest.raises(EbankError, match=message) as caught:
        load_catalog(root / "data" / "catalog.yaml", path)
    assert caught.value.file == str(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_branches_in_a_pipe_or_packed_are_no_table(root, tmp_path):
    os.mkfifo(tmp_path / "branches.csv")
    (tmp_path / "branches.csv.gz").write_bytes(gzip.compress(b"\n" * 50_000_000))
    for name in ("branches.csv", "branches.csv.gz"):
        with pytest.raises(ConfigError, match="cannot be read|is not UTF-8"):
            load_catalog(root / "data" / "catalog.yaml", tmp_path / name)


def test_a_branch_id_that_papermill_took_for_a_number_is_found(root, tmp_path):
    path = tmp_path / "branches.csv"
    path.write_text(BRANCHES + "0351,甲,A,branch,,,\n", encoding="utf-8")
    assert load_catalog(root / "data" / "catalog.yaml", path).branch(351).id == "0351"


@pytest.mark.parametrize("name", ["日照分行", "日照", "日照市分行", " 日 照 ", "RIZHAO", "rizhao"])
def test_a_branch_is_found_by_any_of_its_names(root, name):
    assert load_catalog(root / "data" / "catalog.yaml", root / "data" / "branches.csv").branch(name).id == "rizhao"


def test_a_misspelt_branch_leads_to_the_nearest_branch(root):
    catalog = load_catalog(root / "data" / "catalog.yaml", root / "data" / "branches.csv")
    with pytest.raises(UnknownNameError, match="unknown branch '日照分'. Did you mean 'rizhao'"):
        catalog.branch("日照分")


@pytest.mark.parametrize(("old", "new", "message"), [
    ("group: sales, kind: flow, unit: 元}", "group: sale, kind: flow, unit: 元}", "Did you mean 'sales'"),
    ("numerator: mobile_active,", "numerator: mobile_activ,", "Did you mean 'mobile_active'"),
    ("- {key: phone,", "- {key: mobile,", "stands twice"),
    ("numerator: mobile_active, ", "", "numerator and denominator go together, on a ratio"),
    ("zh: 手机银行客户数,", "zh: ' ',", "indicators.*found ' '; expected a text that is not empty"),
    ("kind: ratio", "kind: rate", "'stock', 'flow' or 'ratio'"),
    ("factor: 10000}", "factor: -1}", "greater than 0"),
    ("- {key: mobile,", "- {key: nul,", "indicators.*letters, digits"),
    ("- {key: mobile,", "- {key: ../x,", "indicators.*letters, digits"),
    ("groups:\n", "groups:\n  a/b: {zh: a, en: b}\n",
     r"groups.a/b'.*letters, digits, _ and - \(at most 64, beginning with a letter or digit\)"),
    ("groups:\n", 'groups:\n  x: {zh: a, en: "b\u200b"}\n', "nobody sees"),
    ("groups:\n", 'groups:\n  x: {zh: a, en: "b\\nc"}\n', "one line"),
    ("groups:\n", "groups:\n  x: {zh: a, en: " + "x" * 100_000 + "}\n", "at most 200"),
])
def test_a_wrong_catalogue_is_refused_by_key(root, tmp_path, old, new, message):
    text = (root / "data" / "catalog.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "catalog.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(EbankError, match=message):
        load_catalog(path, root / "data" / "branches.csv")


@pytest.mark.parametrize("month", ["2010", 2010, "2010Q3", "2010-13", "Oct", "5", "2010-03-01", "", None,
                                   pd.Period("2010", "Y")])
def test_a_year_or_a_quarter_is_no_month(month):
    assert as_period(month) is None


@pytest.mark.parametrize("month", ["2010-03", pd.Period("2010-03", "M"), pd.Timestamp("2010-03-31"),
                                   dt.date(2010, 3, 1)])
def test_a_month_is_a_text_a_period_or_a_date(month):
    assert as_period(month) == pd.Period("2010-03", "M")


def test_a_catalogue_that_is_saved_is_read_as_it_was(catalog, tmp_path):
    catalog.save(tmp_path)
    assert load_catalog(tmp_path / "catalog.yaml", tmp_path / "branches.csv") == catalog
