"""A study's statements are held against figures by a rule that can also say no, or nothing."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from ebank_lib.catalog import load_catalog
from ebank_lib.cleaning import Cleaned
from ebank_lib.cleaning.ledger import COLUMNS, Book
from ebank_lib.cleaning.panel import total_frame
from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.growth import log_growth
from ebank_lib.rules import FACTS, stylised_facts
from ebank_lib.rules.facts import Check, _judge
from ebank_lib.rules.statistics import Data
from ebank_lib.wording import use_language

MONTHS = pd.period_range("2008-01", periods=44, freq="M")


@pytest.fixture
def catalog(root):
    return load_catalog(root / "data" / "catalog.yaml", root / "data" / "branches.csv")


def cleaned_of(catalog, frames, facts=None):
    """What facts need of a cleaned source: a panel, a catalogue, and where the facts are written."""
    panel = pd.concat({b: pd.DataFrame(f, index=MONTHS, dtype=float) for b, f in frames.items()},
                      names=["branch", "month"])
    source = SimpleNamespace(config=SimpleNamespace(facts=facts.name if facts else None),
                             path=facts.parent / "sources.yaml" if facts else None)
    none = pd.DataFrame()
    entries = Book().entries(pd.DataFrame(columns=COLUMNS), np.empty(0, object))
    return Cleaned(source, catalog, panel, entries, none, "none", none)


def judge(tmp_path, catalog, frame, *checks, **fact):
    """Hold one fact with these checks against rizhao's figures."""
    path = tmp_path / "facts.yaml"
    path.write_text(json.dumps({"replications": 199, "facts": [
        {"fact": 1, "zh": "论断", "en": "statement", "checks": list(checks), **fact}]}), encoding="utf-8")
    return stylised_facts(cleaned_of(catalog, {"rizhao": frame, "jinan": frame}), "rizhao", path)


def path_of(growth, noise, seed=0, jump=None):
    step = growth + noise * np.random.default_rng(seed).normal(size=43)
    if jump:
        step[jump[0] - 1] += jump[1]
    return 1e5 * np.exp(np.r_[0, np.cumsum(step)])


def check(statistic, side, threshold, indicators, **more):
    return {"statistic": statistic, "side": side, "threshold": threshold, "indicators": indicators, **more}


def verdict(facts):
    return facts.numbers["verdict"].tolist()


def test_growth_well_above_one_holds_fails_and_is_unclear(tmp_path, catalog):
    for growth, expected in ((0.03, "holds"), (-0.03, "fails"), (0.0, "unclear")):
        y = path_of(growth, 0.02, seed=1)
        found = judge(tmp_path, catalog, {"sms": y}, check("mean_index", "above", 1, ["sms"]))
        assert verdict(found) == [expected]
        row = found.numbers.iloc[0]
        assert row.lo <= row.value <= row.hi


def test_the_least_favourable_indicator_decides(tmp_path, catalog):
    frame = {"sms": path_of(0.05, 0.01), "phone": path_of(-0.02, 0.01, 1), "mobile": path_of(0.04, 0.01, 2)}
    found = judge(tmp_path, catalog, frame, check("mean_index", "above", 1, ["sms", "phone", "mobile"]))
    assert verdict(found) == ["fails"]
    assert found.numbers.iloc[0]["item"] == "phone"


def test_volatility_is_compared_pair_by_pair(tmp_path, catalog):
    frame = {"sms": path_of(0.03, 0.05), "phone": path_of(0.01, 0.004, 1), "mobile": path_of(0.06, 0.02, 2)}
    others = check("volatility_ratio", "above", 1, ["sms", "mobile"], against=["phone"])
    same = check("volatility_ratio", "above", 1, ["phone"], against=["sms", "mobile"])
    found = judge(tmp_path, catalog, frame, others, same)
    assert verdict(found) == ["holds", "fails"]
    sd = {k: log_growth(pd.Series(v, MONTHS)).std() for k, v in frame.items()}
    assert found.numbers.iloc[0]["value"] == pytest.approx(sd["mobile"] / sd["phone"])


def test_an_event_is_kept_in_every_sample_when_it_is_named(tmp_path, catalog):
    """One jump makes SMS the most volatile; resampled freely it is missing from a third of the samples."""
    frame = {"sms": path_of(0.03, 0.01, jump=(9, 1.4)), "mobile": path_of(0.03, 0.02, 1)}
    free = check("volatility_ratio", "above", 1, ["sms"], against=["mobile"])
    found = judge(tmp_path, catalog, frame, free, free | {"fixed": ["2008-10"]})
    assert verdict(found) == ["unclear", "holds"]


def test_a_jump_is_measured_against_the_other_months(tmp_path, catalog):
    frame = {"sms": path_of(0.03, 0.02, jump=(9, 1.4)), "mobile": path_of(0.03, 0.02, 1)}
    jump = {"side": "above", "threshold": 10, "month": "2008-10"}
    alone = {"statistic": "other_jumps", "side": "below", "threshold": 1, "month": "2008-10", "indicators": ["sms"]}
    found = judge(tmp_path, catalog, frame, check("jump", indicators=["sms"], **jump),
                  check("jump", indicators=["mobile"], **jump), alone, alone | {"month": "2008-11"})
    assert verdict(found) == ["holds", "fails", "holds", "fails"]


def test_volatility_that_grows_is_told_from_one_that_does_not(tmp_path, catalog):
    rng = np.random.default_rng(1)
    shocks = rng.normal(size=43)
    growing = 1e5 * np.exp(np.r_[0, np.cumsum(0.03 + np.linspace(0.01, 0.12, 43) * shocks)])
    calming = 1e5 * np.exp(np.r_[0, np.cumsum(0.03 + np.linspace(0.12, 0.01, 43) * shocks[::-1])])
    frame = {"sms_income": growing, "personal_online_income": calming}
    found = judge(tmp_path, catalog, frame, check("later_volatility", "above", 1, ["sms_income"]),
                  check("later_volatility", "above", 1, ["personal_online_income"]))
    assert verdict(found) == ["holds", "fails"]


def test_a_ratio_that_rises_steadily(tmp_path, catalog):
    rng = np.random.default_rng(2)
    frame = {"coverage": 0.3 + 0.005 * np.arange(44) + 0.002 * rng.normal(size=44), "sms": path_of(0.03, 0.05)}
    found = judge(tmp_path, catalog, frame, check("slope", "above", 0, ["coverage"]),
                  check("typical_volatility", "below", 1, ["coverage"], against=["sms"]))
    assert verdict(found) == ["holds", "holds"]
    assert found.numbers.iloc[0]["value"] == pytest.approx(0.06, abs=0.005)


def test_a_year_is_compared_on_the_months_that_both_years_have(tmp_path, catalog):
    base = np.repeat([100.0, 100, 250, 300], [12, 12, 12, 8])
    holed = base.copy()
    holed[13] = np.nan                                        # 2009-02: then 2010-02 is left out too
    found = judge(tmp_path, catalog, {"mobile_txn": holed, "phone_txn": base * 0 + 100},
                  check("annual_growth", "above", 1, ["mobile_txn"]),
                  check("annual_growth_gap", "above", 0, ["mobile_txn"], against=["phone_txn"]),
                  check("annual_ratio", "above", 1, ["mobile_txn"], against=["phone_txn"]), year=2010)
    assert found.numbers["value"].tolist() == pytest.approx([1.5, 1.5, 2.5])
    assert verdict(found) == ["holds"] * 3


@pytest.mark.parametrize(("text", "bound", "said"), [("翻番", 0.9, True), ("翻番", 1.0, False), ("增长", 0.9, False)])
def test_a_round_word_for_doubling_is_said_with_the_bound_it_is_judged_by(tmp_path, catalog, text, bound, said):
    grown = check("annual_growth", "above", bound, ["mobile_txn"])
    found = judge(tmp_path, catalog, {"mobile_txn": path_of(0.06, 0.0)}, grown, year=2010, zh=text)
    use_language("en")
    assert ("“Double” in fact 1 is a round word: growth above 90% counts." in found._repr_html_()) == said


def test_every_growth_statistic_is_its_formula(tmp_path, catalog):
    frame = {"sms": path_of(0.03, 0.05), "phone": path_of(0.01, 0.02, 1), "mobile": path_of(0.06, 0.03, 2)}
    found = judge(tmp_path, catalog, frame, check("growth_gap", "above", 0, ["sms"], against=["phone"]),
                  check("typical_volatility", "above", 0.1, ["sms"], against=["phone", "mobile", "sms"]),
                  check("later_volatility", "above", 0.1, ["sms", "phone"]),
                  check("jump", "above", 0, ["sms"], month="2009-01"))
    dlog = {k: np.diff(np.log(v)) for k, v in frame.items()}
    sd = {k: v.std(ddof=1) for k, v in dlog.items()}
    others = np.delete(dlog["sms"], 11)
    z = (dlog["sms"][11] - np.median(others)) / (1.4826 * np.median(np.abs(others - np.median(others))))
    later = [v[21:].std(ddof=1) / v[:21].std(ddof=1) for v in (dlog["sms"], dlog["phone"])]
    assert found.numbers["value"].tolist() == pytest.approx([
        dlog["sms"].mean() - dlog["phone"].mean(), sd["sms"] / np.median(list(sd.values())), np.sqrt(np.prod(later)),
        z])


def test_too_little_data_is_no_verdict(tmp_path, catalog):
    few = np.where(np.arange(44) < 8, path_of(0.1, 0.01), np.nan)
    found = judge(tmp_path, catalog, {"sms": few}, check("mean_index", "above", 1, ["sms"]),
                  check("mean_index", "above", 1, ["phone"]))
    assert verdict(found) == ["unclear", "unclear"]
    assert "Not enough" in found.labelled("en")["reading"][0]


def test_gaps_are_left_out_and_not_filled(tmp_path, catalog):
    y = path_of(0.03, 0.02)
    y[[5, 20, 21]] = np.nan
    found = judge(tmp_path, catalog, {"sms": y}, check("mean_index", "above", 1, ["sms"]))
    assert found.numbers.iloc[0]["value"] == pytest.approx(np.exp(log_growth(pd.Series(y, MONTHS))).mean())


def test_the_interval_of_a_mean_covers_it_about_as_often_as_it_says(tmp_path, catalog):
    """90% intervals of 60 series: 54 expected, 2.3 its standard deviation; the bootstrap runs a little narrow."""
    hits = 0
    for seed in range(60):
        found = judge(tmp_path, catalog, {"sms": path_of(0.03, 0.05, seed)}, check("mean_index", "above", 1, ["sms"]))
        row = found.numbers.iloc[0]
        hits += row.lo <= np.exp(0.03 + 0.05**2 / 2) <= row.hi
    assert 46 <= hits <= 60


def test_the_same_seed_gives_the_same_table(tmp_path, catalog):
    frame = {"sms": path_of(0.03, 0.02)}
    once, again = (judge(tmp_path, catalog, frame, check("mean_index", "above", 1, ["sms"])) for _ in range(2))
    pd.testing.assert_frame_equal(once.numbers, again.numbers)
    assert once._repr_html_() == again._repr_html_()


def test_a_fact_holds_when_all_its_checks_do(tmp_path, catalog):
    up, down = (check("mean_index", side, 1, ["sms"]) for side in ("above", "below"))
    frame = {"sms": path_of(0.03, 0.01)}
    assert judge(tmp_path, catalog, frame, up, up).verdicts["verdict"].tolist() == ["holds"]
    assert judge(tmp_path, catalog, frame, up, down).verdicts["verdict"].tolist() == ["fails"]


# --- the province

def test_the_total_is_the_printed_one_and_else_the_sum_of_all_branches(catalog):
    branches = {b: {"phone_txn": np.full(44, 10.0), "etxn_total": np.full(44, 20.0)} for b in catalog.reporting}
    n = len(branches)
    assert (total_frame(cleaned_of(catalog, branches).panel, catalog)["phone_txn"] == 10 * n).all()
    printed = cleaned_of(catalog, branches | {catalog.total: {"phone_txn": np.r_[np.nan, np.full(43, 7.0)]}}).panel
    assert total_frame(printed, catalog)["phone_txn"].tolist()[:2] == [10 * n, 7]
    branches[catalog.reporting[0]]["phone_txn"][3] = np.nan   # a branch is missing: no sum for that month
    assert np.isnan(total_frame(cleaned_of(catalog, branches).panel, catalog)["phone_txn"].iloc[3])


# --- the file

def test_a_source_without_facts_gives_an_empty_table_that_says_so(catalog):
    found = stylised_facts(cleaned_of(catalog, {"rizhao": {"sms": path_of(0.03, 0.01)}}), "rizhao")
    assert found.table.empty and found.verdicts.empty
    assert "no facts" in found.reading("en")
    use_language("zh")
    assert "没有列出" in found._repr_html_()


@pytest.mark.parametrize(("wrong", "error", "says"), [
    (check("mean_indx", "above", 1, ["sms"]), UnknownNameError, "mean_index"),
    (check("mean_index", "above", 1, ["smss"]), UnknownNameError, "sms"),
    (check("mean_index", "over", 1, ["sms"]), ConfigError, "side"),
    (check("volatility_ratio", "above", 1, ["sms"]), ConfigError, "against"),
    (check("jump", "above", 1, ["sms"], month="Oct"), ConfigError, "YYYY-MM"),
    (check("annual_growth", "above", 1, ["sms"]), ConfigError, "year"),
    (check("mean_index", "above", 1, ["sms"], tresh=1), ConfigError, "tresh"),
])
def test_a_wrong_file_is_an_error_that_names_the_place(tmp_path, catalog, wrong, error, says):
    with pytest.raises(error, match=says):
        judge(tmp_path, catalog, {"sms": path_of(0.03, 0.01)}, wrong)


def test_every_statistic_is_used_and_worded_in_both_languages(root, catalog):
    spec = yaml.safe_load((root / "data" / "shandong" / "facts.yaml").read_text(encoding="utf-8"))
    used = {c["statistic"] for f in spec["facts"] for c in f["checks"]}
    assert used == set(FACTS)
    assert [f["fact"] for f in spec["facts"]] == [1, 2, 3, 4, 5, 6, 7]


# --- the sample

@pytest.fixture(scope="module")
def rizhao(cleaned):
    return stylised_facts(cleaned, "rizhao")


def test_the_sample_has_the_seven_facts_of_the_study(rizhao):
    assert rizhao.verdicts.set_index("fact")["verdict"].to_dict() == dict.fromkeys(range(1, 8), "holds")


def test_the_push_was_rizhao_s_alone(cleaned):
    assert stylised_facts(cleaned, "jinan").verdicts.set_index("fact").loc[3, "verdict"] == "fails"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_table_reads_in_both_languages(rizhao, lang):
    use_language(lang)
    table = rizhao.table
    assert {"fact", "statement", "statistic", "value", "lo", "hi", "level", "verdict", "reading"} <= set(table.columns)
    for text in [*table["reading"], rizhao.reading()]:
        assert "{" not in text and "nan" not in text
    html = rizhao._repr_html_()
    assert ("成立" if lang == "zh" else "holds") in html
    assert ("个百分点" if lang == "zh" else " points") in html and "90%" in html.rsplit("</table>")[-1]


@pytest.mark.slow
@pytest.mark.parametrize("statistic, other, promised", [
    ("mean_index", False, 0.08), ("growth_gap", True, 0.08), ("volatility_ratio", True, 0.12),
    ("later_volatility", False, 0.13), ("slope", False, 0.08)])
@pytest.mark.parametrize("degrees", [3, 1000])
def test_at_its_threshold_a_check_holds_as_seldom_as_is_stated(statistic, other, promised, degrees):
    """Of 100 simulated branches; three standard errors above what is stated would be more."""
    rng, months = np.random.default_rng(11), pd.period_range("2008-01", periods=44, freq="M")
    ask = Check(statistic=statistic, side="above", threshold=0 if statistic in ("growth_gap", "slope") else 1,
                indicators=["a"], against=["b"] if other else [])
    drift = -0.05**2 / 2 if statistic == "mean_index" else 0.0
    held = 0
    for _ in range(100):
        x = np.cumsum(drift + 0.05 * stats.t(degrees).rvs((44, 2), random_state=rng), axis=0)
        values = 1 / (1 + np.exp(-x)) if statistic == "slope" else np.exp(x)
        frame = pd.DataFrame(values, months, ["a", "b"])
        held += _judge(ask, Data(frame, ["a"], 199, 0, ask.against), 0.9)["verdict"] == "holds"
    assert held / 100 < promised + 3 * np.sqrt(promised * (1 - promised) / 100)
