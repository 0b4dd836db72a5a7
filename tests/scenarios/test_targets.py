"""The strategy's targets: the study's five, errors in the YAML, the verdicts' rules, no share above 100%."""

from dataclasses import dataclass, field

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


def test_the_sample_has_every_target_of_the_study(cleaned):
    got = evaluate_targets(cleaned, "rizhao")
    assert len(got.table) == 5 and not got.table["verdict"].eq("no_data").any()
    assert got.table["trend_at_deadline"].between(0, 1).all()


def test_the_hardest_target_is_the_one_that_needs_most_of_todays_pace(cleaned):
    targets = evaluate_targets(cleaned, "rizhao")
    behind = targets.table[targets.table["verdict"].isin(["behind", "far", "away"])]
    name = behind.loc[behind["ratio"].idxmax(), "target"]
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
