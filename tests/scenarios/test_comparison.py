"""Scenarios on common paths: paired changes, stable draws, tornado, the effect that is needed, plain sentences."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.events import known_events
from ebank_lib.scenarios import (
    Bundle,
    Evidence,
    Lever,
    Move,
    Strategy,
    Stress,
    Target,
    evaluate_targets,
    load_strategy,
    required_effects,
    run_scenarios,
    simulate_for,
)
from ebank_lib.scenarios.levers import draw
from ebank_lib.scenarios.odds import View, said_odds, said_pace, said_value
from ebank_lib.scenarios.what_if import required_effect

H, N = 16, 1000
PAST = {"sms": np.linspace(90.0, 100.0, 44), "coverage": np.linspace(0.4, 0.55, 44), "affluent": np.full(44, 1e4)}


def target(**about):
    usual = {"key": "goal", "line": "a", "indicator": "sms", "zh": "目标", "en": "target", "goal": 110.0}
    return Target(**(usual | about))


def lever(key="push", kind=Lever, low=0.02, high=0.08, indicator="sms", **about):
    return kind(key=key, zh="措施", en=key, ramp=6, moves=[Move(indicator=indicator, low=low, high=high, **about)])


def both(*levers):
    return Bundle(key="both", zh="一起", en="both", levers=list(levers))


@pytest.fixture(scope="module")
def paths(make_paths):
    return many(make_paths, N)


def many(make_paths, n):
    rng = np.random.default_rng
    values = {"sms": 100 + np.cumsum(0.3 + 1.5 * rng(1).standard_normal((H, n)), axis=0),
              "coverage": 1 / (1 + np.exp(-0.2 - np.cumsum(0.03 + 0.1 * rng(2).standard_normal((H, n)), axis=0))),
              "affluent": np.full((H, n), 1e4)}
    return make_paths(values, PAST)


STRATEGY = Strategy(targets=(target(), target(key="share", indicator="coverage", goal=0.7)),
                    levers=(lever(), lever("cover", indicator="coverage", low=0.01, high=0.1),
                            lever("none", low=0.0, high=0.0)),
                    bundles=(both("push", "cover"),),
                    stress=(lever("shock", Stress, -0.1, -0.02),))


@pytest.fixture(scope="module")
def result(paths):
    return run_scenarios(paths, "rizhao", STRATEGY)


def odds(result, scenario, goal="goal"):
    return result.table.set_index(["scenario", "target"]).loc[(scenario, goal)]


def test_a_row_for_every_scenario_and_target(result):
    assert len(result.table) == 6 * 2 and (result.table["reason"] == "").all()
    assert result.table["scenario"].unique().tolist() == ["baseline", "push", "cover", "none", "both", "shock"]


def test_a_lever_changes_only_what_it_moves_and_one_without_effect_nothing(result):
    same = [c for c in result.table if c not in ("scenario", "kind", "target", "assumed")]
    assert odds(result, "none")[same].equals(odds(result, "baseline")[same])
    assert odds(result, "push", "share")[same].equals(odds(result, "baseline", "share")[same])
    assert odds(result, "push")["p_at"] > odds(result, "baseline")["p_at"] > odds(result, "shock")["p_at"]
    assert odds(result, "both")["p_at"] == odds(result, "push")["p_at"]


def test_changes_are_paired_and_their_error_is_smaller_than_that_of_two_counts(paths, result):
    row = odds(result, "push")
    view, moved = result.base, result.view("push")
    pairs = (moved["sms"][-1] >= 110).astype(float) - (view["sms"][-1] >= 110)
    assert np.isclose(row["change_vs_baseline"], pairs.mean()) and np.isclose(row["change_se"], pairs.std() / N**0.5)
    assert np.isclose(row["change_vs_baseline"], row["p_at"] - odds(result, "baseline")["p_at"])
    assert row["change_se"] < np.hypot(row["se_at"], odds(result, "baseline")["se_at"])


def test_other_levers_and_more_paths_leave_a_lever_as_it_was(make_paths, paths, result):
    alone = run_scenarios(paths, "rizhao", Strategy(targets=STRATEGY.targets, levers=STRATEGY.levers[:1]))
    assert odds(alone, "push").equals(odds(result, "push"))
    more = run_scenarios(many(make_paths, 2 * N), "rizhao", STRATEGY)
    assert (more.drawn["push"].effects[0].size[:N] == result.drawn["push"].effects[0].size).all()


def test_the_tornado_is_the_odds_at_both_ends_of_each_effect(result):
    table = result.tornado("goal").set_index("scenario")
    assert set(table.index) == {"push", "shock"}    # what touches the target, and only that
    sms = result.base["sms"][-1]
    assert np.isclose(table.loc["push", "p_low"], (sms * 1.02 >= 110).mean())
    assert np.isclose(table.loc["push", "p_high"], (sms * 1.08 >= 110).mean())
    assert table["swing"].is_monotonic_decreasing and np.isclose(table.loc["push", "expected_high"], 1.08 * sms.mean())


def needed(paths, one, goal, odds=0.8):
    view = View.of(paths, "rizhao")
    by = pd.Period(goal.deadline or "2012-12", "M")
    return (required_effect(view, draw(one, view, 0, {}), goal, by, odds) or [{}])[0]


def test_the_effect_that_is_needed_is_the_quantile_of_each_paths_own(paths):
    one = lever(low=0.03, high=0.03 * 4)        # median 0.06
    got = needed(paths, one, target())
    exact = np.sort(own_multiples(paths, one))[799]
    assert np.isclose(got["times"], exact, rtol=1e-6) and got["times_low"] < exact < got["times_high"]
    assert got["required"] == pytest.approx(0.06 * got["times"])


def own_multiples(paths, one):
    """Of each path's own draw of a lever, what its target of 110 needs."""
    view = View.of(paths, "rizhao")
    return np.maximum(110 / view["sms"][-1] - 1, 0) / draw(one, view, 0, {}).effects[0].size


@pytest.mark.parametrize("odds", [0.5, 0.8, 0.9])
def test_a_lever_of_the_size_that_is_needed_has_the_odds_asked_for(paths, odds):
    """A lever stated at the median answered, with the same range of 1/2 to 2 about it: a sure effect's answer has not
    the odds."""
    got = needed(paths, lever(low=0.03, high=0.12), target(), odds)
    middle = got["required"] * (1 + 1e-9)
    stated = lever(low=middle / 2, high=middle * 2)
    result = run_scenarios(paths, "rizhao", Strategy(targets=(target(),), levers=(stated,)), seed=0)
    assert result.table.set_index("scenario").loc[stated.key, "p_at"] == odds
    if odds == 0.9:
        sure = np.quantile(np.maximum(110 / View.of(paths, "rizhao")["sms"][-1] - 1, 0), odds)
        assert sure < got["required"] * 0.98


def test_the_interval_is_that_of_resampled_paths(paths):
    got = needed(paths, lever(low=0.03, high=0.12), target())
    own = own_multiples(paths, lever(low=0.03, high=0.12))
    again = np.random.default_rng(0).choice(own, (2000, N))
    low, high = np.quantile(np.sort(again, axis=1)[:, 799], [0.025, 0.975])
    assert np.allclose((got["times_low"], got["times_high"]), (low, high), rtol=0.03)


def test_needed_is_also_nothing_or_more_than_there_is(paths):
    nothing = needed(paths, lever(), target(goal=60.0))
    assert nothing["times"] == 0 and nothing["p_now"] == 1
    never = needed(paths, lever(ceiling=105.0), target())
    assert never["times"] == np.inf and never["p_now"] <= never["p_most"] < 0.8
    full = Lever(key="x", zh="甲", en="a", moves=[Move(indicator="coverage", how="ceiling", low=0.1, high=0.3)])
    assert needed(paths, full, target(indicator="coverage", goal=0.9))["required"] < 1
    with pytest.raises(ConfigError, match="odds lie between 0 and 1"):
        needed(paths, lever(), target(), odds=80)
    asked = run_scenarios(paths, "rizhao", Strategy(targets=(target(), target(key="late", deadline="2015-01")),
                                                    levers=(lever(low=0.0, high=0.0),)))
    assert required_effects(asked).table.empty      # what has no effect, or no odds, is not asked


@pytest.mark.parametrize("goal, ceiling, said", [
    (60.0, None, "not needed"), (110.0, 105.0, "not enough at the most it can do ("), (110.0, None, "95% limits")])
def test_what_is_needed_is_said(paths, goal, ceiling, said):
    asked = run_scenarios(paths, "rizhao", Strategy(targets=(target(goal=goal),), levers=(lever(ceiling=ceiling),)))
    assert said in required_effects(asked).to_html("en")


def test_every_lever_that_touches_a_target_is_asked_what_it_needs(result, paths):
    found = required_effects(result, odds=0.7)
    assert found.table[["target", "lever"]].to_numpy().tolist() == [["goal", "push"], ["share", "cover"]]
    alone = needed(paths, STRATEGY.levers[0], STRATEGY.targets[0], odds=0.7)
    row = found.table.iloc[0]
    assert row.to_dict() == alone
    assert row["required"] == pytest.approx(alone["times"] * np.sqrt(0.02 * 0.08)) and "<table" in found.to_html("zh")
    assert row["p_now"] == odds(result, "baseline")["p_at"]


def test_levers_of_a_bundle_that_move_one_indicator_are_said_to_overlap(paths):
    pushes = (lever("push"), lever("again"), lever("p", indicator="coverage"))
    for bundled, said in ((["push", "again"], True), (["push", "p"], False)):
        shown = run_scenarios(paths, "rizhao", Strategy(targets=(target(),), levers=pushes, bundles=(both(*bundled),)))
        assert ("They likely overlap" in shown.to_html("en")) == ("多半有重叠" in shown.to_html("zh")) == said


def test_what_cannot_be_answered_keeps_its_row_with_the_reason(paths):
    goals = (target(), target(key="late", deadline="2016-01"), target(key="gone", deadline="2010-01"),
             target(key="other", indicator="phone"))
    got = run_scenarios(paths, "rizhao", Strategy(targets=goals, levers=(lever(), lever("p", indicator="phone"))))
    reasons = got.table.set_index(["scenario", "target"])["reason"]
    assert reasons["baseline", "late"] == "beyond_horizon" and reasons["baseline", "gone"] == "past"
    assert reasons["baseline", "other"] == "needs_paths" and "phone" in reasons["p", "goal"]
    assert len(got.table) == 3 * 4 and "no result" in got.to_html("en") and len(got.sentences("en")) >= 3


def test_wrong_questions_are_errors(paths):
    with pytest.raises(UnknownNameError, match="unknown branch of the simulated paths"):
        run_scenarios(paths, "jinan", STRATEGY)
    with pytest.raises(UnknownNameError, match="unknown indicator of the simulated paths 'phone'"):
        View.of(paths, "rizhao")["phone"]
    with pytest.raises(ConfigError, match="follows from other indicators and is not moved by itself"):
        run_scenarios(paths, "rizhao", Strategy(targets=(target(),), levers=(lever(indicator="affluent_signed"),)))
    with pytest.raises(ConfigError, match="ceiling of a share"):
        run_scenarios(paths, "rizhao", Strategy(targets=(target(indicator="coverage", goal=1.3),)))
    with pytest.raises(UnknownNameError, match="target"):
        run_scenarios(paths, "rizhao", STRATEGY).tornado("gaol")


@pytest.mark.parametrize("lang, assumed", [("zh", "假定"), ("en", "assumed")])
def test_what_is_assumed_is_called_so_everywhere(result, lang, assumed):
    best = result.sentences(lang)[3]
    assert assumed in best and "%" in best
    assert assumed in result.name("push", lang) and result.to_html(lang).count(assumed) >= 5
    assert (result.levers_table()["source"] == "assumed").all()
    assert result.effects(lang)._repr_html_().count(f"<td>{assumed}</td>") == 4


def test_an_effect_with_evidence_is_not_called_assumed(make_paths, catalog):
    branches, rng = tuple(catalog.reporting[:6]), np.random.default_rng(3)
    y = np.cumsum(rng.normal(0.01, 0.01, (6, 44)), axis=1) + 4.0
    y[:, 20:] += rng.normal(0.4, 0.05, (6, 1))
    paths = make_paths({"sms": np.exp(y[:, -1, None, None] + np.cumsum(rng.normal(0, 0.05, (6, H, N)), axis=1))},
                       {"sms": np.exp(y)}, branches=branches)
    events = pd.DataFrame([{"month": paths.history.index[20][1], "zh": "推广", "en": "push", "branches": "",
                            "indicators": "sms"}])
    learnt = Move(indicator="sms", evidence=Evidence(interventions=["sms"]))
    one = Lever(key="push", zh="推广", en="push", moves=[learnt])
    two = Lever(key="mixed", zh="乙", en="mixed", moves=[learnt, Move(indicator="phone", low=0.1, high=0.2)])
    goal = target(goal=float(1.3 * np.exp(y[0, -1])))
    got = run_scenarios(paths, branches[0], Strategy(targets=(goal,), levers=(one,)), events=events)
    assert "estimated from 6 past pushes" in got.sentences("en")[3] and "lowest third" not in got.sentences("en")[3]
    assert "estimated from the past" in got.name("push", "en")
    assert got.levers_table()["k"].tolist() == [6] and not got.table["assumed"].any()
    mixed = run_scenarios(make_paths({"sms": paths.values["sms"], "phone": paths.values["sms"]},
                                     {"sms": np.exp(y), "phone": np.exp(y)}, branches=branches),
                          branches[0], Strategy(targets=(goal,), levers=(two,)), events=events)
    assert "partly assumed" in mixed.name("mixed", "en") and "estimated from 6" in mixed.sentences("en")[3]


def test_pushes_of_branches_that_lagged_are_called_catching_up(make_paths, catalog):
    branches, rng = tuple(catalog.reporting[:15]), np.random.default_rng(3)
    y = np.cumsum(rng.normal(0.01, 0.01, (15, 44)), axis=1) + np.linspace(4, 8, 15)[:, None]
    y[:5, 20:] += rng.normal(0.4, 0.05, (5, 1))
    paths = make_paths({"sms": np.exp(y[:, -1, None, None] + np.cumsum(rng.normal(0, 0.05, (15, H, N)), axis=1))},
                       {"sms": np.exp(y)}, branches=branches)
    events = pd.DataFrame([{"month": paths.history.index[20][1], "zh": "推广", "en": "push",
                            "branches": ";".join(branches[:5]), "indicators": "sms"}])
    move = Move(indicator="sms", evidence=Evidence(interventions=["sms"]))
    strategy = Strategy(targets=(target(goal=float(1.3 * np.exp(y[0, -1]))),),
                        levers=(Lever(key="a", zh="甲", en="a", moves=[move]),))
    got = run_scenarios(paths, branches[0], strategy, events=events)
    assert "5 of them were in branches then among the lowest third" in got.sentences("en")[3]
    assert "其中5次" in got.sentences("zh")[3] and got.levers_table()["lagged"].tolist() == [5]


def test_the_first_screen_has_the_same_five_sentences_in_three_lines(result):
    for lang, sep in (("zh", ""), ("en", " ")):
        assert sep.join(result.stated(lang).values()) == sep.join(result.sentences(lang))


def test_every_number_of_the_first_screen_knows_its_cell(result, paths):
    tables = {"scenarios": result.table, "effects": result.levers_table(),
              "targets": evaluate_targets(Data(paths), "rizhao", STRATEGY.targets, paths=paths).table}
    for said in result.stated("en").values():
        loose = [said[slice(*span)] for span in _numbers(said) if not any(a <= span[0] < b for a, b, _ in said.cells)]
        assert loose == []
        for start, end, (ref, *_) in said.cells:
            rows = tables[ref.table]
            for name, value in ref.rows:
                rows = rows[rows[name].notna() if value == "!=" else rows[name] >= 0.5 if value == ">=0.5"
                            else rows[name] == value]
            assert said[start:end] == _as_said(rows, ref, result)


def _numbers(text):
    without = re.sub(r"[A-Z][a-z]{2} \d{4}|last 12", lambda m: "x" * len(m[0]), text)
    return [m.span() for m in re.finditer(r"\d[\d.,]*", without)]


def _as_said(rows, ref, result):
    if not ref.column:
        return str(len(rows))
    value, goal = rows[ref.column].item(), rows.get("target", rows.get("scenario")).item()
    if ref.column in ("p_at", "p_by"):
        return said_odds(value, result.n, "en")
    if ref.column in ("low", "high"):
        share = rows["indicator"].item() == "coverage"
        digits = 1 if share or rows[["low", "high"]].abs().min(axis=None) < 0.02 else 0
        return f"{value * 100:+.{digits}f}" + ("" if share else "%")
    if ref.column == "ratio":
        return f"{value:.1f}"
    kind = result.target(goal).indicator
    say = said_value if ref.column in ("expected", "reached_from", "goal") else said_pace
    return say(result.catalog, kind, value, "en")


class Data:
    """What targets need of cleaned data."""

    def __init__(self, paths):
        self.catalog, self.panel, self.source = paths.catalog, paths.history, None

    def series(self, branch, indicator):
        return self.panel.loc[branch, indicator]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_five_sentences_and_no_certainty(result, lang):
    said = result.sentences(lang)
    assert len(said) == 5
    text = "".join(said) + result.to_html(lang)
    assert not any(bad in text for bad in ("{", "nan", "inf ", ">100%<", " 0%", "为0%"))


def test_nothing_to_say_is_said(paths):
    stress = lever("s", Stress, -0.1, -0.05)
    got = run_scenarios(paths, "rizhao", Strategy(targets=(target(goal=1e4),), levers=(lever(),), stress=(stress,)))
    said = got.sentences("en")
    assert "less than even" in said[0] and "No single measure" in said[-2] and "None of the stresses" in said[-1]
    none = run_scenarios(paths, "rizhao", Strategy())
    assert "no targets" in none.to_html("en") and none.sentences("en") == ["This source lists no targets."]
    assert none.most_moved == "" and not none.plot(lang="en").axison


def test_a_bundle_of_independent_effects_is_wider_than_each(paths):
    strategy = Strategy(targets=(target(),), levers=(lever(), lever("other")), bundles=(both("push", "other"),))
    got = run_scenarios(paths, "rizhao", strategy)
    a, b = (np.log1p(got.drawn[k].effects[0].size) for k in ("push", "other"))
    together = np.log(got.view("both")["sms"][-1] / got.base["sms"][-1])
    assert np.allclose(together, a + b) and abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(N)


def test_a_walk_with_a_lever_has_the_odds_of_its_closed_form(make_paths):
    n = 20_000
    y = 100 * np.exp(np.cumsum(0.004 + 0.02 * np.random.default_rng(4).standard_normal((H, n)), axis=0))
    got = run_scenarios(make_paths({"sms": y}, {"sms": PAST["sms"]}), "rizhao",
                        Strategy(targets=(target(),), levers=(lever(low=-0.02 + 0.04, high=0.08),)))
    # log y is normal; log(size) is normal, so the odds are its mean over sizes, taken at 400 equally likely points.
    size = np.exp((np.log(0.02) + np.log(0.08)) / 2 + norm.ppf((np.arange(400) + 0.5) / 400)
                  * np.log(0.08 / 0.02) / (2 * norm.ppf(0.9)))
    exact = norm.sf((np.log(1.1) - np.log1p(size) - 0.004 * H) / (0.02 * np.sqrt(H))).mean()
    assert abs(odds(got, "push")["p_at"] - exact) < 4 * odds(got, "push")["se_at"]


@pytest.fixture(scope="module")
def rizhao(cleaned):
    strategy = load_strategy(cleaned.source)
    paths = simulate_for(cleaned, "rizhao", strategy, n=300)
    return strategy, paths, run_scenarios(paths, "rizhao", strategy, events=known_events(cleaned.source))


@pytest.mark.slow
def test_the_sample_answers_for_every_measure_of_the_study(cleaned, rizhao):
    strategy, paths, got = rizhao
    assert len(got.table) == len(strategy.targets) * (1 + len(strategy.levers) + len(strategy.bundles) + 3)
    assert (got.table["reason"] == "").all()
    whole = got.table[got.table["scenario"] == "whole_strategy"].set_index("target")
    stress = got.table[got.table["kind"] == "stress"]
    assert (whole["change_vs_baseline"] >= 0).all() and (stress["change_vs_baseline"] <= 0).all()
    assert whole["expected"].between(0, 1).all()
    targets = evaluate_targets(cleaned, "rizhao", paths=paths)
    base = got.table[got.table["kind"] == "baseline"]
    assert np.allclose(targets.table["p_at"], base["p_at"])
    mobile = got.levers_table().query("scenario == 'mobile_editions' and indicator == 'mobile'").iloc[0]
    assert mobile["source"] == "jumps" and mobile["k"] >= 5     # the source names four pushes
    assert 0 < mobile["low"] < mobile["high"]


@pytest.mark.slow
def test_the_same_input_gives_the_same_answer(cleaned, rizhao):
    strategy, paths, got = rizhao
    again = run_scenarios(paths, "rizhao", strategy, events=known_events(cleaned.source))
    assert again.table.equals(got.table) and again.to_html("zh") == got.to_html("zh")
