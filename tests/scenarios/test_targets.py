"""The strategy's targets: the study's five, errors in the YAML, the verdicts' rules, no share above 100%."""

from dataclasses import dataclass, field, replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.scenarios import Target, evaluate_targets, load_targets

MONTHS = pd.period_range("2008-01", "2011-08", freq="M")


@dataclass
class Branch:
    """What evaluate_targets needs of cleaned data."""

    catalog: object
    data: dict = field(default_factory=dict)
    panel = pd.DataFrame({"x": 0.0}, index=pd.MultiIndex.from_product([["rizhao"], MONTHS], names=["branch", "month"]))

    def series(self, branch, indicator):
        return self.data.get(indicator, pd.Series(np.nan, index=MONTHS))


def share(start, end, noise=0.02, seed=0):
    z = np.linspace(np.log(start / (1 - start)), np.log(end / (1 - end)), len(MONTHS))
    return pd.Series(1 / (1 + np.exp(-z - noise * np.random.default_rng(seed).normal(size=len(MONTHS)))), index=MONTHS)


def target(**about):
    return Target(**({"key": "x", "line": "retail", "indicator": "coverage", "zh": "目标", "en": "target",
                      "goal": 0.7} | about))


def test_the_five_targets_of_the_study(root, catalog):
    targets = load_targets(root / "data" / "strategies.yaml", catalog)
    assert {t.indicator: t.goal for t in targets} == {
        "synchronisation": 1.0, "conversion": 0.8, "coverage": 0.7, "mortgage_coverage": 1.0, "investment_share": None}
    assert {t.indicator for t in targets if t.reached == 0.995} == {"synchronisation", "mortgage_coverage"}
    assert [t.kind for t in targets][-1] == "raise"


HEAD = "lines: {a: {zh: 甲, en: A}}\ntargets:\n  - {key: x, line: a, zh: 目标, en: target, "


@pytest.mark.parametrize("rest, error, words", [
    ("indicator: coverage, goal: 1.3}", ConfigError, "ceiling"),
    ("indicator: coverag, goal: 0.7}", UnknownNameError, "coverage"),
    ("indicator: coverage, gaol: 0.7}", ConfigError, "Did you mean 'goal'"),
    ("indicator: coverage}", ConfigError, "a level needs a goal"),
    ("indicator: coverage, goal: -1}", ConfigError, "targets.0.goal"),
    ("indicator: coverage, goal: .nan}", ConfigError, "targets.0.goal"),
    ("indicator: coverage, goal: 0.7, reached: 0.9}", ConfigError, "above the goal"),
    ("indicator: coverage, goal: 0.7, deadline: soon}", ConfigError, "no month"),
    ("indicator: coverage, kind: raise, goal: 0.7}", ConfigError, "a raise has no goal"),
    ("indicator: sms, goal: 7}\n  - {key: x, line: a, zh: 乙, en: b, indicator: sms, goal: 5}", ConfigError, "twice"),
    ("indicator: coverage, goal: !!python/name:os.system ''}", ConfigError, "plain YAML"),
])
def test_wrong_yaml_is_named(tmp_path, catalog, rest, error, words):
    path = tmp_path / "strategies.yaml"
    path.write_text(HEAD + rest, encoding="utf-8")
    with pytest.raises(error, match=words):
        load_targets(path, catalog)


@pytest.mark.parametrize("series, about, verdict", [
    (share(0.5, 0.75), {}, "reached"),
    (share(0.3, 0.66), {}, "on_course"),
    (share(0.3, 0.5), {"goal": 0.65}, "behind"),
    (share(0.3, 0.4), {"goal": 1.0, "reached": 0.995}, "far"),
    (share(0.5, 0.4), {}, "away"),
    (share(0.3, 0.5), {"deadline": "2011-08"}, "past"),
    (share(0.3, 0.5), {"deadline": "2010-01"}, "past"),
    (pd.Series(np.nan, index=MONTHS), {}, "no_data"),
    (share(0.1, 0.3), {"kind": "raise", "goal": None}, "on_course"),
    (share(0.3, 0.1), {"kind": "raise", "goal": None}, "away")])
def test_the_verdict_follows_its_rule(catalog, series, about, verdict):
    got = evaluate_targets(Branch(catalog, {"coverage": series}), "rizhao", [target(**about)], odds=False)
    assert got.table["verdict"].tolist() == [verdict]
    for lang in ("zh", "en"):
        sentence = got.sentences(lang)[0]
        assert "{" not in sentence and "nan" not in sentence and "inf" not in sentence
    assert "<table" in got._repr_html_()


def test_the_pace_is_arithmetic_a_manager_can_check(catalog):
    y = pd.Series(np.linspace(0.20, 0.63, len(MONTHS)), index=MONTHS)
    row = evaluate_targets(Branch(catalog, {"coverage": y}), "rizhao", [target()], odds=False).table.iloc[0]
    assert row["months_left"] == 16 and str(row["deadline"]) == "2012-12"
    assert np.isclose(row["needed_per_month"], (0.7 - 0.63) / 16)
    assert np.isclose(row["achieved_per_month_12m"], 0.01)
    assert np.isclose(row["ratio"], 0.07 / 16 / 0.01)


def test_the_trend_of_a_share_saturates(catalog):
    got = evaluate_targets(Branch(catalog, {"coverage": share(0.05, 0.97)}), "rizhao",
                           [target(goal=1.0, reached=0.995)], months_ahead=100, odds=False)
    assert 0.97 < got.table["trend_at_deadline"].iloc[0] <= 1


def test_a_target_on_a_count(catalog):
    y = pd.Series(np.linspace(1e5, 2e5, len(MONTHS)), index=MONTHS)
    got = evaluate_targets(Branch(catalog, {"sms": y}), "rizhao", [target(indicator="sms", goal=3e5)], odds=False)
    assert got.table["verdict"].tolist() == ["behind"]
    assert "30万户" in got.sentences("zh")[0] or "20万户" in got.sentences("zh")[0]


def test_wrong_questions_are_errors(catalog):
    branch = Branch(catalog, {"coverage": share(0.3, 0.5)})
    with pytest.raises(UnknownNameError, match="rizhao"):
        evaluate_targets(branch, "rizao", [target()])
    with pytest.raises(UnknownNameError, match="coverage"):
        evaluate_targets(branch, "rizhao", [target(indicator="coverages")])
    with pytest.raises(ConfigError, match="no month"):
        evaluate_targets(branch, "rizhao", [target()], deadline="soon")
    with pytest.raises(ConfigError, match="ten years"):
        evaluate_targets(branch, "rizhao", [target()], deadline="2050-01")
    with pytest.raises(ConfigError, match="exclude"):
        evaluate_targets(branch, "rizhao", [target()], deadline="2012-01", months_ahead=3)


def test_no_targets_is_an_answer(catalog):
    got = evaluate_targets(Branch(catalog), "rizhao", [])
    assert got.table.empty and "no targets" in got.reading("en")


@pytest.fixture(scope="module")
def rizhao(cleaned):
    return evaluate_targets(cleaned, "rizhao", n=500)


def test_the_sample_has_every_target_of_the_study(rizhao):
    got = rizhao
    assert len(got.table) == 5 and not got.table["verdict"].eq("no_data").any()
    assert got.table["trend_at_deadline"].between(0, 1).all()


def test_the_hardest_target_has_the_lowest_odds_and_of_those_alike_the_steepest_pace(rizhao):
    targets = rizhao
    lowest = targets.table[targets.table["p_at"].round(2) == targets.table["p_at"].round(2).min()]
    name = lowest.loc[lowest["ratio"].idxmax(), "target"]
    label = next(t for t in targets.targets if t.key == name).label("en")
    assert targets.hardest("en").startswith(label)


def test_nothing_is_hardest_when_nothing_is_behind(catalog):
    assert evaluate_targets(Branch(catalog), "rizhao", targets=[]).hardest() == ""


def test_without_targets_there_is_a_sentence_and_no_empty_table_or_axes(catalog):
    none = evaluate_targets(Branch(catalog), "rizhao", targets=[])
    assert none.sentences("en") == [none.reading("en")] and "<table" not in none.to_html("en")
    fig = none.plot(lang="en")
    assert [text.get_text() for ax in fig.axes for text in ax.texts] == [none.reading("en")]
    assert not any(ax.axison for ax in fig.axes)
    plt.close(fig)


@pytest.fixture(scope="module")
def judged(make_paths, catalog):
    """Targets of every kind on paths without chance: coverage and transactions that grow in a straight line."""
    ahead = np.arange(1, 17)[:, None] * np.ones((1, 500))
    past = {"coverage": np.linspace(0.40, 0.572, 44), "mobile_txn": np.linspace(57.0, 100.0, 44)}
    paths = make_paths({"coverage": 0.572 + 0.004 * ahead, "mobile_txn": 100 + ahead}, past)
    targets = [target(key="near", goal=0.6), target(key="high", goal=0.9), target(key="there", goal=0.5),
               target(key="past", deadline="2011-03"), target(key="late", deadline="2013-06"),
               target(key="more", kind="raise", goal=None),
               target(key="year", indicator="mobile_txn", kind="total", goal=1300.0),
               target(key="grow", indicator="mobile_txn", kind="growth", goal=0.2),
               target(key="first", indicator="mobile_txn", kind="rank", goal=1),
               target(key="part", indicator="mobile_txn", kind="share", of=["mobile_txn"], goal=1.0),
               target(key="none", indicator="sms", goal=5.0)]
    data = {k: paths.history.loc["rizhao", k] for k in past}
    return evaluate_targets(Branch(catalog, data), "rizhao", targets, paths=paths)


@pytest.mark.parametrize("key, verdict, p_at", [
    ("near", "on_course", 1.0), ("high", "far", 0.0), ("there", "reached", 1.0), ("past", "past", None),
    ("late", "behind", None), ("more", "on_course", 1.0), ("year", "on_course", 1.0), ("grow", "far", 0.0),
    ("first", "reached", 1.0), ("part", "reached", 1.0), ("none", "no_data", None)])
def test_every_kind_has_its_verdict_and_odds_or_a_reason(judged, key, verdict, p_at):
    row = judged.table.set_index("target").loc[key]
    assert row["verdict"] == verdict
    assert row["p_at"] == p_at if p_at is not None else np.isnan(row["p_at"])


def test_pace_of_a_year_is_an_average_month(judged):
    """2012's months are 105 to 116, their sum 1326."""
    row = judged.table.set_index("target").loc["year"]
    assert np.isclose(row["expected"], 1326) and np.isclose(row["needed_per_month"], 1300 / 12)
    assert np.isclose(row["achieved_per_month_12m"], np.arange(89, 101).mean())
    assert np.isclose(row["current"], np.arange(89, 101).sum())
    assert row["shortfall"] == 0 and str(row["month_50"]) == "2012-12"


@pytest.mark.parametrize("lang, at, by", [("zh", "当月达到的概率为", "达到过的概率为"),
                                          ("en", "it is reached in Dec 2012 are", "in some month up to then")])
def test_both_odds_are_always_said_and_never_certain(judged, lang, at, by):
    with_odds = judged.table["p_at"].notna()
    for said, odds in zip(judged.sentences(lang), with_odds, strict=True):
        assert not odds or (at in said and by in said and ("> 99%" in said or "< 1%" in said))
        assert not any(bad in said for bad in ("{", "nan", " inf", "100%的概率"))
    html = judged.to_html(lang)
    assert "nan" not in html and "<table" in html and ("两倍模拟误差" if lang == "zh" else "twice the error") in html


def test_a_target_beyond_the_paths_is_held_against_the_trend_and_says_so(judged):
    said = judged.sentences("en")[judged.table["target"].tolist().index("late")]
    assert "the trend gets to" in said and "No odds: the date lies beyond the simulated months." in said


def test_a_branch_that_opened_last_year_is_judged_and_called_rough(cleaned):
    panel = cleaned.panel.copy()
    early = (panel.index.get_level_values("branch") == "rizhao") & (panel.index.get_level_values("month") < "2010-11")
    panel.loc[early] = np.nan
    young = replace(cleaned, panel=panel)
    got = evaluate_targets(young, "rizhao", [target()], n=200)
    row = got.table.iloc[0]
    assert row["months_seen"] == 10 and 0 <= row["p_at"] <= 1 and np.isnan(row["achieved_per_month_12m"])
    assert "only 10 months" in got.sentences("en")[0] and "只有10个月" in got.sentences("zh")[0]
    panel.loc[panel.index.get_level_values("branch") == "rizhao"] = np.nan
    closed = evaluate_targets(replace(cleaned, panel=panel), "rizhao", [target()], n=200)
    assert closed.table["verdict"].tolist() == ["no_data"]
