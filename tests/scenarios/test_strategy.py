"""Strategy files: the study's own, and everything a file can get wrong."""

import pytest

from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.scenarios import Strategy, load_strategy


@pytest.fixture(scope="module")
def strategy(root, catalog):
    return load_strategy(root / "data" / "strategies.yaml", catalog)


def test_the_study_has_six_channels_three_lines_and_four_measures_across(strategy):
    assert len({lever.channel for lever in strategy.levers if lever.channel}) == 6
    assert {lever.line for lever in strategy.levers if lever.line} == {"wholesale", "retail", "investment", "across"}
    assert sum(lever.line == "across" for lever in strategy.levers) == 4
    assert {s.key for s in strategy.stress} == {"policy_stops", "competitor_push", "system_downtime"}
    assert all(move.low is not None and move.low < move.high for x in strategy.levers for move in x.moves)


def test_every_channel_has_a_yardstick_that_a_lever_moves(strategy):
    assert {target.channel for target in strategy.yardsticks} == set(strategy.channels)
    moved = {move.indicator for lever in strategy.levers for move in lever.moves}
    assert {target.indicator for target in strategy.yardsticks} <= moved


def test_every_target_has_a_lever_and_every_stress_harms(strategy):
    moved = {move.indicator for lever in strategy.levers for move in lever.moves}
    assert {target.indicator for target in strategy.targets} <= moved
    assert all(move.high < 0 for stress in strategy.stress for move in stress.moves)


HEAD = "lines: {a: {zh: 甲, en: A}}\nchannels: {c: {zh: 丙, en: C}}\n"
TARGET = "targets:\n  - {key: x, line: a, zh: 目标, en: target, "
LEVER = "levers:\n  - {key: x, zh: 措施, en: lever, "
SMS = "moves: [{indicator: sms, low: 0.1, high: 0.2}]}"


@pytest.mark.parametrize("text, error, words", [
    (TARGET + "indicator: coverage, goal: 1.3}", ConfigError, "ceiling"),
    (TARGET + "indicator: sms, kind: share, of: [sms, mobile], goal: 1.1}", ConfigError, "ceiling"),
    (TARGET + "indicator: phone, kind: share, of: [sms, mobile], goal: 0.1}", ConfigError, "no part of the whole"),
    (TARGET + "indicator: sms, kind: share, goal: 0.5}", ConfigError, "of goes with"),
    (TARGET + "indicator: sms, goal: 5, of: [sms]}", ConfigError, "of goes with"),
    (TARGET + "indicator: sms, goal: 5, over: year}", ConfigError, "over goes with"),
    (TARGET + "indicator: sms, kind: total, goal: 5}", ConfigError, "only a flow"),
    (TARGET + "indicator: coverage, kind: growth, goal: 0.1}", ConfigError, "not set on a ratio"),
    (TARGET + "indicator: sms, kind: rank, goal: 2.5}", ConfigError, "whole number from 1 to 16"),
    (TARGET + "indicator: sms, kind: rank, goal: 17}", ConfigError, "whole number from 1 to 16"),
    (TARGET + "indicator: sms, kind: growth, reached: 0.1}", ConfigError, "without a goal"),
    ("targets:\n  - {key: x, zh: 目标, en: target, indicator: sms, goal: 5}", ConfigError, "a line or a channel"),
    (TARGET + "channel: d, indicator: sms, goal: 5}", UnknownNameError, "channel"),
    (LEVER + "channel: d, " + SMS, UnknownNameError, "channel"),
    (LEVER + "moves: [{indicator: smss, low: 0.1, high: 0.2}]}", UnknownNameError, "Did you mean 'sms'"),
    (LEVER + "moves: [{indicator: sms, low: -0.2, high: -0.1}]}", ConfigError, "belongs under stress"),
    (LEVER + "moves: [{indicator: sms, low: 0.2, high: 0.1}]}", ConfigError, "runs backwards"),
    (LEVER + "moves: [{indicator: sms, low: .nan, high: 0.1}]}", ConfigError, "moves.0.low"),
    (LEVER + "moves: []}", ConfigError, "moves"),
    (LEVER + "moves: [{indicator: sms, low: 0.1, high: 0.2}, {indicator: sms, low: 0.1, high: 0.2}]}", ConfigError,
     "each indicator moved once"),
    (LEVER + "moves: [{indicator: sms, low: 0.1, high: 0.2, ceiling: high}]}", ConfigError,
     "moves.0.ceiling': wrong value; found 'high'; expected a number"),
    (LEVER + "moves: [{indicator: sms, low: 0.1, high: 0.2, takes_from: {phone: 2.0}}]}", ConfigError,
     "at most 1, not {'phone': 2.0}"),
    (LEVER + "moves: [{indicator: sms, evidence: {interventions: [" + "sms, " * 21 + "]}}]}", ConfigError,
     "at most 20 items"),
    (LEVER + "moves: [{indicator: coverage, low: 0.1, high: 1.4}]}", ConfigError, "more than a share has points"),
    (LEVER + "moves: [{indicator: coverage, low: 0.1, high: 0.4, ceiling: 1.2}]}", ConfigError, "ceiling of a share"),
    (LEVER + "moves: [{indicator: sms, how: ceiling, low: 0.1, high: 0.4}]}", ConfigError, "gap to"),
    (LEVER + "moves: [{indicator: mobile, low: 0.1, high: 0.2, takes_from: {sms_income: 0.1}}]}", ConfigError,
     "same unit"),
    (LEVER + "moves: [{indicator: mobile, low: 0.1, high: 0.2, takes_from: {mobile: 0.1}}]}", ConfigError,
     "same unit"),
    (LEVER + "delay: -1, " + SMS, ConfigError, "delay"),
    (LEVER + "gain: 3, " + SMS, ConfigError, "unknown key"),
    (LEVER + SMS + "\nbundles: [{key: b, zh: 乙, en: b, levers: [x, z]}]", UnknownNameError, "lever"),
    (LEVER + SMS + "\nstress:\n  - {key: x, zh: 乙, en: b, " + SMS, ConfigError, "twice"),
    ("levers:\n\t- key: x", ConfigError, "plain YAML"),
    ("a: &a [1]\nlevers: [*a]", ConfigError, "alias"),
    ("levers: !!python/object/apply:os.system ['true']", ConfigError, "plain YAML"),
])
def test_what_is_wrong_is_named(tmp_path, catalog, text, error, words):
    path = tmp_path / "strategies.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(error, match=words):
        load_strategy(path, catalog)


def test_a_source_without_strategies_has_none(shandong):
    class Bare:
        class config:
            strategies = None

    assert load_strategy(Bare) == Strategy() and len(load_strategy(shandong).targets) == 5
