"""The board of levers: what sliders ask is what scenarios say, and without widgets the same is shown."""

import re
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

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
    lever_board,
    load_strategy,
    run_scenarios,
    simulate_for,
)
from ebank_lib.scenarios.what_if import moved
from ebank_lib.wording import use_language

H, N = 16, 400
PAST = {"sms": np.linspace(90.0, 100.0, 44), "phone": np.linspace(50.0, 52.0, 44),
        "coverage": np.linspace(0.4, 0.55, 44), "affluent": np.full(44, 1e4)}
MOVES = {"sms": Move(indicator="sms", low=0.02, high=0.08, takes_from={"phone": 0.3}),
         "coverage": Move(indicator="coverage", how="ceiling", low=0.1, high=0.3),
         "phone": Move(indicator="phone", how="growth", low=-0.2, high=-0.05)}


def strategy(push=None):
    """Two levers, one of them of two effects, together and with a stress; `push` in place of the first."""
    push = push or Lever(key="push", zh="推广", en="Push", delay=2, ramp=6, moves=[MOVES["sms"], MOVES["coverage"]])
    return Strategy(
        targets=(Target(key="more", line="a", indicator="sms", zh="短信", en="More SMS", goal=110.0),
                 Target(key="cover", line="a", indicator="coverage", zh="覆盖", en="Cover", goal=0.7,
                        deadline="2012-10"),
                 Target(key="call", line="a", indicator="phone", zh="电话", en="Calls", goal=53.0)),
        levers=(push, Lever(key="other", zh="其他", en="Other", moves=[MOVES["coverage"]])),
        bundles=(Bundle(key="both", zh="一起", en="Both", levers=["push", "other"]),),
        stress=(Stress(key="fall", zh="下跌", en="Fall", moves=[MOVES["phone"]]),))


@pytest.fixture(scope="module")
def paths(make_paths):
    rng = np.random.default_rng
    return make_paths({
        "sms": 100 + np.cumsum(0.3 + 1.5 * rng(1).standard_normal((H, N)), axis=0),
        "phone": 52 + np.cumsum(0.05 + 0.3 * rng(3).standard_normal((H, N)), axis=0),
        "coverage": 1 / (1 + np.exp(-0.2 - np.cumsum(0.03 + 0.1 * rng(2).standard_normal((H, N)), axis=0))),
        "affluent": np.full((H, N), 1e4)}, PAST)


@pytest.fixture(scope="module")
def scenarios(paths):
    return run_scenarios(paths, "rizhao", strategy(), seed=5)


def rows(result, scenario):
    """Months as texts: a column of none but missing ones has no type of its own."""
    table = result.table.assign(**{c: result.table[c].astype(str) for c in ("month_50", "month_80")})
    return table[table["scenario"] == scenario].reset_index(drop=True)


# --- what is reckoned

@pytest.mark.parametrize("key", ["push", "other", "fall"])
def test_a_lever_as_stated_is_its_scenario(scenarios, key):
    got = moved(scenarios, key)
    assert_frame_equal(rows(got, key), rows(scenarios, key), check_exact=True)
    assert_frame_equal(rows(got, "baseline"), rows(scenarios, "baseline"), check_exact=True)


@settings(max_examples=15)
@given(ends=st.tuples(st.floats(0.001, 0.4), st.floats(0.001, 0.4)).filter(lambda e: e[0] != e[1]).map(sorted),
       ramp=st.integers(0, 24), delay=st.integers(0, 20))
def test_a_lever_moved_is_the_scenario_of_a_strategy_that_states_it_so(scenarios, paths, ends, ramp, delay):
    low, high = ends
    push = Lever(key="push", zh="推广", en="Push", delay=delay, ramp=ramp, moves=[
        MOVES["sms"].model_copy(update={"low": low, "high": high}), MOVES["coverage"]])
    whole = run_scenarios(paths, "rizhao", strategy(push), seed=5)
    got = moved(scenarios, "push", {"sms": (low, high)}, ramp=ramp, delay=delay)
    assert_frame_equal(rows(got, "push"), rows(whole, "push"), check_exact=True)
    for key in ("sms", "phone", "coverage"):
        assert got.view("push")[key].tobytes() == whole.view("push")[key].tobytes()


@settings(max_examples=10)
@given(key=st.sampled_from(["push", "other", "fall"]), ramp=st.integers(0, 36), delay=st.integers(0, 36))
def test_no_effect_is_the_baseline_to_the_byte(scenarios, key, ramp, delay):
    nothing = {move.indicator: (0, 0) for move in scenarios.lever(key).moves}
    got = moved(scenarios, key, nothing, ramp=ramp, delay=delay)
    same = [c for c in got.table.columns if c not in ("scenario", "kind", "assumed", "change_vs_baseline", "change_se")]
    assert_frame_equal(rows(got, key)[same], rows(scenarios, "baseline")[same], check_exact=True)
    assert (rows(got, key)[["change_vs_baseline", "change_se"]] == 0).all(axis=None)
    assert all(got.view(key)[k].tobytes() == y[0].tobytes() for k, y in scenarios.base.paths.values.items())


def test_effects_can_be_moved_one_by_one(scenarios):
    stated, got = rows(scenarios, "push"), rows(moved(scenarios, "push", {"coverage": (0.6, 0.9)}), "push")
    for target, moves in (("more", False), ("call", False), ("cover", True)):
        a, b = (r.set_index("target").loc[target, "expected"] for r in (stated, got))
        assert (b > a) if moves else (a == b)


def test_a_range_set_by_hand_takes_the_place_of_evidence(scenarios, paths):
    learnt = Move(indicator="sms", low=0.02, high=0.08, evidence=Evidence(interventions=["sms"]))
    bare = learnt.model_copy(update={"low": None, "high": None})
    for move, reason in ((learnt, ""), (bare, "too few comparable interventions to learn from")):
        push = Lever(key="push", zh="推广", en="Push", moves=[move])
        got = run_scenarios(paths, "rizhao", strategy(push), seed=5)
        assert rows(got, "push")["reason"].str.contains(reason).all()
        assert_frame_equal(rows(moved(got, "push"), "push"), rows(got, "push"), check_exact=True)
        by_hand = rows(moved(got, "push", {"sms": (0.02, 0.08)}), "push")
        assert (by_hand["reason"] == "").all() and by_hand["assumed"].all()


@pytest.mark.parametrize("key, sizes, months, error, said", [
    ("pusch", None, {}, UnknownNameError, "push"),
    ("push", {"phone": (0.1, 0.2)}, {}, UnknownNameError, "effect of push"),
    ("push", {"sms": (0.2, 0.1)}, {}, ConfigError, "backwards"),
    ("push", {"sms": (0.1, 0.1)}, {}, ConfigError, "bare point"),
    ("push", {"sms": (-0.1, 0.1)}, {}, ConfigError, "belongs under stress"),
    ("push", {"coverage": (0.0, 0.5)}, {}, ConfigError, "between 0 and 1"),
    ("push", {"sms": (0.1, float("nan"))}, {}, ConfigError, "push.moves.0"),
    ("push", None, {"ramp": -1}, ConfigError, "push.ramp"),
    ("push", None, {"delay": 1000}, ConfigError, "push.delay"),
])
def test_what_no_strategy_may_state_is_refused(scenarios, key, sizes, months, error, said):
    with pytest.raises(error, match=re.escape(said)):
        moved(scenarios, key, sizes, **months)


# --- without widgets

def test_without_widgets_it_is_a_table_with_the_odds_of_the_scenarios(scenarios, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)       # importing it would raise
    board = lever_board(scenarios, "push", lang="en")
    table, before, after = board.table, rows(scenarios, "baseline"), rows(scenarios, "push")
    for name in ("p_at", "p_by", "expected"):
        assert table[name].equals(after[name]) and table[f"{name}_before"].equals(before[name])
    with pytest.raises(ImportError):
        lever_board(scenarios, "push", interactive=True)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_what_a_batch_stores_is_plain_and_the_same_each_time(scenarios, monkeypatch, lang):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda one, **_: shown.append(one))
    for _ in range(2):
        lever_board(scenarios, "push", lang=lang)._ipython_display_()
    assert len(shown) == 4 and shown[0] == shown[2] and set(shown[0]) == {"text/html", "text/plain"}
    assert not re.search(r"widget|model_id|[0-9a-f]{32}|0x[0-9a-f]{6}|nan|[{}]", "".join(shown[0].values()))
    assert bool(re.search("[\u4e00-\u9fff]", shown[0]["text/html"])) == (lang == "zh")


def test_it_begins_with_the_measure_that_helps_most(scenarios):
    board, block = lever_board(scenarios), scenarios.block(scenarios.most_moved)
    alone = block[block["kind"] == "lever"].set_index("scenario")["change_vs_baseline"]
    assert board.target == scenarios.most_moved and alone[board.lever] == alone.max()
    assert lever_board(scenarios, target="call").target == "call"


def test_what_the_lever_does_not_touch_is_the_same_and_its_range_is_said(scenarios):
    html = lever_board(scenarios, "other", lang="en").to_html()
    assert html.count("<td>same</td>") == 4        # two targets, odds and mean
    assert "10% to 30% of the gap (assumed)" in html


@pytest.mark.parametrize("interactive", [False, True])
def test_nothing_to_move_is_a_sentence(paths, interactive):
    whole = strategy()
    for empty in (Strategy(), Strategy(targets=whole.targets), whole.model_copy(update={"targets": []})):
        board = lever_board(run_scenarios(paths, "rizhao", empty), interactive=interactive, lang="en")
        html = board.children[0].value if interactive else board.to_html()
        assert "lists no measure to move" in html
        assert interactive or (board.table.empty and board.plot().get_title(loc="left"))


def test_a_target_without_paths_and_a_lever_without_result_say_why(paths):
    mobile = Target(key="t", line="a", indicator="mobile", zh="手机", en="Mobile", goal=1.0)
    lost = strategy().model_copy(update={"targets": [mobile]})
    board = lever_board(run_scenarios(paths, "rizhao", lost), lang="en")
    assert "needs simulated paths" in board.to_html() and board.table["p_at"].isna().all()
    bare = Lever(key="push", zh="推广", en="Push",
                 moves=[Move(indicator="sms", evidence=Evidence(interventions=["sms"]))])
    failed = lever_board(run_scenarios(paths, "rizhao", strategy(bare)), "push", lang="en")
    assert "no result (key &#x27;push&#x27;: too few comparable" in failed.to_html()
    assert board.plot() is not None and len(failed.plot().lines) > 0


def test_unknown_names_are_refused(scenarios):
    for wrong in ({"lever": "none"}, {"target": "none"}, {"lang": "fr"}):
        with pytest.raises(UnknownNameError):
            lever_board(scenarios, **wrong)


# --- with widgets, which need no browser

def sliders(box):
    """A lever's sliders; they are laid out anew when it is chosen, so they are looked up."""
    *sizes, delay, ramp, _ = box.children[-1].children
    return sizes, delay, ramp


def answer(box):
    """What stands below the sliders."""
    return box.children[-1].result


@pytest.fixture
def board(scenarios):
    return lever_board(scenarios, "push", "more", interactive=True, lang="en")


def test_untouched_sliders_show_what_the_batch_shows(scenarios, board):
    assert answer(board).to_html() == lever_board(scenarios, "push", "more", lang="en").to_html()
    sizes, delay, ramp = sliders(board)
    assert [one.value for one in sizes] == [(0.02, 0.08), (0.1, 0.3)]
    assert (delay.value, ramp.value) == (2, 6)


def test_a_slider_asks_what_moved_answers(scenarios, board):
    sizes, delay, _ = sliders(board)
    sizes[0].value = (0.1, 0.2)
    delay.value = 5
    wanted = moved(scenarios, "push", {"sms": (0.1, 0.2)}, ramp=6, delay=5)
    odds, page = rows(wanted, "push").set_index("target").loc["more", "p_at"], answer(board).to_html()
    assert f"<td>{odds * 100:.0f}% / " in page and "+10% to +20% (assumed)" in page and "delay 5, " in page
    assert_frame_equal(answer(board).scenarios.table, wanted.table, check_exact=True)


def test_reset_brings_back_what_is_stated(board):
    page = answer(board).to_html()
    sizes, _, ramp = sliders(board)
    sizes[1].value, ramp.value = (0.5, 0.9), 30
    assert answer(board).to_html() != page
    board.children[2].click()
    assert answer(board).to_html() == page


def test_no_effect_on_the_sliders_changes_nothing(board):
    for one in sliders(board)[0]:
        one.value = (0.0, 0.0)
    body = answer(board).to_html().split("<tbody>")[1].split("</tbody>")[0]
    assert body.count("<td>same</td>") == 6


def test_another_lever_brings_its_own_sliders_and_another_target_its_fan(scenarios, board):
    lever, target, _, old = board.children
    target.value = "call"
    assert answer(board).target == "call" and answer(board).plot() is not None
    lever.value = "fall"
    ((one,), _, _) = sliders(board)
    assert one.value == (-0.2, -0.05) and one.max == 0 and all(each.comm is None for each in (old, *old.children))
    assert answer(board).to_html() == lever_board(scenarios, "fall", "call", lang="en").to_html()


def test_what_cannot_be_is_said_in_place_of_an_answer(board):
    (size, _), _, _ = sliders(board)
    size.value = (0.1, 0.1)
    assert "bare point" in answer(board).to_html() and "<table" not in answer(board).to_html()
    size.value = (0.1, 0.2)
    assert "<table" in answer(board).to_html()


def test_it_keeps_the_language_it_was_made_in(board):
    use_language("zh")          # what a kernel falls back to where a slider's message arrives
    sliders(board)[1].value = 7
    assert not re.search("[\u4e00-\u9fff]", answer(board).to_html())


@pytest.mark.slow
def test_the_sample_answers_a_slider_in_under_a_second(cleaned):
    stated = load_strategy(cleaned.source)
    result = run_scenarios(simulate_for(cleaned, "rizhao", stated), "rizhao", stated,
                           events=known_events(cleaned.source))
    board = lever_board(result, "mobile_editions", interactive=True, lang="en")
    stating = sliders(board)[0][0].value
    assert "(estimated from the past)" in answer(board).to_html() and 0 < stating[0] < stating[1]
    took = []
    for delay in (5, 8, 11):
        begun = time.perf_counter()
        sliders(board)[1].value = delay
        answer(board).plot().figure.canvas.draw()
        took.append(time.perf_counter() - begun)
    assert min(took) < 1.0
    levers = (*stated.levers, *stated.stress)
    for one in levers:
        assert_frame_equal(rows(moved(result, one.key), one.key), rows(result, one.key), check_exact=True)
