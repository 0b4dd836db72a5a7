"""What is learnt from all branches: kept by its content, the same to the bit, learnt once."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.forecasting import Context, backtest_indicator, forecast_indicator, learn, revise_indicator
from ebank_lib.forecasting import context as context_module
from ebank_lib.forecasting.context import Grid
from ebank_lib.forecasting.joint import simulate_joint
from ebank_lib.forecasting.pooling import PlainForecasts, Pooled
from ebank_lib.forecasting.series import SCALES, Transform
from ebank_lib.store import VARIABLE, kept_arrays

KEYS = ["mobile", "mobile_txn", "counter_txn"]
LEARNT = ("pooled", "plain", "shape", "surprises")


@pytest.fixture
def few(cleaned):
    """Six branches, three indicators, nothing learnt yet."""
    return part(cleaned)


def part(cleaned, panel=None):
    panel = cleaned.panel if panel is None else panel
    names = [*cleaned.catalog.reporting[:5], "rizhao"]
    return replace(cleaned, panel=panel.loc[panel.index.get_level_values("branch").isin(names), KEYS], contexts={})


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def entries(place):
    return {(what, p.parent.name + p.name) for what in LEARNT for p in (place / f"forecasting-{what}").glob("*/*")}


def asked(few, origins=2):
    """All that the notebooks ask for of one branch."""
    few = replace(few, contexts={})
    models = ("combination",)
    f = forecast_indicator(few, "rizhao", "counter_txn", models=models)
    b = backtest_indicator(few, "rizhao", "counter_txn", origins=origins, models=models)
    r = revise_indicator(few, "rizhao", "counter_txn", models=models)
    joint = simulate_joint(few, horizon=12, n=50, branches=["rizhao"])
    tables = [x.astype({c: float for c in x if c[:3] in ("lo-", "hi-", "y_h")}) for x in (f.table, b.table, r.table)]
    return tables, {k: joint.array(k) for k in joint.indicators}


def no_more(monkeypatch):
    def called(*_, **__):
        raise AssertionError("what the store has is learnt again")

    for name in ("learn_pooled", "plain_forecasts", "panel_shape", "surprises_of"):
        monkeypatch.setattr(context_module, name, called)


def same(a, b):
    for x, y in zip(a[0], b[0], strict=True):
        pd.testing.assert_frame_equal(x, y, check_exact=True)
    assert a[1].keys() == b[1].keys() and all(np.array_equal(v, b[1][k], equal_nan=True) for k, v in a[1].items())


def test_with_and_without_the_store_to_the_bit_and_what_is_kept_is_not_learnt_again(few, place, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    without = asked(few)
    monkeypatch.setenv(VARIABLE, str(place))
    same(without, asked(few))
    kept = entries(place)
    no_more(monkeypatch)
    same(without, asked(few))
    assert entries(place) == kept


def test_after_learning_no_branch_learns_anything(few, place, monkeypatch):
    learn(few, origins=2)
    kept = entries(place)
    assert {what for what, _ in kept} == set(LEARNT)
    no_more(monkeypatch)
    asked(few)
    learn(few, origins=2)
    assert entries(place) == kept


def test_of_one_indicator_no_more_is_learnt_than_is_asked_for_of_it(few, place, monkeypatch):
    learn(few, origins=2, indicator="counter_txn")
    kept = entries(place)
    with monkeypatch.context() as patched:
        no_more(patched)
        asked(few)
    learn(few, origins=2)
    whole = entries(place)
    # Stocks do not teach flows: what they would be tried out at is learnt when that is asked for.
    assert kept < whole and {what for what, _ in whole - kept} == {"pooled", "plain", "shape"}


def test_learnt_in_parts_it_is_the_same(few, place):
    learn(few, origins=1)
    one = {p.relative_to(place): p.read_bytes() for p in place.glob("forecasting-*/*/*")}
    for path in one:
        (place / path).unlink()
    for k in range(2):
        learn(few, origins=1, part=(k, 2))
    assert not list(place.glob("forecasting-shape/*/*"))
    learn(few, origins=1)
    assert {p.relative_to(place): p.read_bytes() for p in place.glob("forecasting-*/*/*")} == one


def test_without_a_store_nothing_is_done(few, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    no_more(monkeypatch)
    learn(few)
    assert few.contexts == {}


def test_a_changed_figure_changes_what_depends_on_it_and_nothing_else(cleaned, few):
    last = few.months[-1]
    panel = cleaned.panel.copy()
    panel.loc[("jinan", last - 3), "mobile_txn"] *= 1.01
    panel.loc[("linyi", last), "counter_txn"] *= 1.01        # a branch that nobody here learns from
    before, after = Context.of(few), Context.of(part(cleaned, panel))
    assert "jinan" in before.branches and "linyi" not in before.branches
    changed = {(key, back) for key in KEYS for back in (0, 1, 3, 4, 12)
               if before.until(last - back)[key].content != after.until(last - back)[key].content}
    assert changed == {("mobile_txn", 0), ("mobile_txn", 1), ("mobile_txn", 3)}


def test_the_content_is_of_the_branches_the_calendar_and_the_listed_events_too(few):
    whole = Context.of(few)
    key, events = "mobile_txn", whole.events.assign(month=whole.events["month"] + 1)
    others = [replace(whole, **what) for what in (
        {"most": 4}, {"calendar": "none"}, {"events": events}, {"last": whole.last - 1})]
    assert len({c[key].content for c in (whole, *others)}) == 5
    assert replace(whole)[key].content == whole[key].content


def test_what_the_branches_say_survives_in_the_store(place):
    effects = np.full((4, 2), np.nan)
    effects[[0, 2]] = (0.1, 0.02), (-0.3, 0.4)
    pooled = Pooled(effects, (5, 25), np.arange(12) / 7, 0.25, 9)
    again = [Pooled(**kept_arrays("forecasting-pooled", ("test",), lambda: vars(pooled))) for _ in range(2)]
    for one in again:
        assert one.prior == ({"festival": (0.1, 0.02), "quarter_end": (-0.3, 0.4)}, (5, 25))
        assert (float(one.spread), int(one.branches)) == (0.25, 9) and np.array_equal(one.season, pooled.season)


@given(st.sampled_from(SCALES), st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_an_error_is_measured_on_the_scale_in_the_spread_that_was_stated(scale, came):
    said = PlainForecasts(np.array([[0.1, 0.2, 0.3, 0.4]]), np.array([[0.5, 0.0, 2.0, 1.0]]),
                          np.array([SCALES.index(scale)]))
    off = said.missed([0], np.array([came]))[0]
    z = Transform(scale).forward(np.where((np.array(came) == 0) & (scale == "log"), np.nan, came))
    assert np.isnan(off[1]) and np.array_equal(off[[0, 2]], (z[[0, 2]] - [0.1, 0.3]) / [0.5, 2.0], equal_nan=True)


def test_a_grid_is_the_panel_and_leaves_out_what_is_doubtful_at_the_end(cleaned):
    last = cleaned.months[-1]
    doubtful = pd.DataFrame({"branch": ["jinan", "jinan"], "month": [last - 1, last - 5], "indicator": "sms"})
    grid = Grid(cleaned.panel, doubtful)
    y = cleaned.series("jinan", "sms").to_numpy()
    for back, out in ((0, [-2]), (3, []), (4, [-2]), (1, [-1])):    # counted from the end of what was known then
        expected = y[: len(y) - back].copy()
        expected[out] = np.nan
        known = grid.column("sms", last.ordinal - back)[grid.branches["jinan"]]
        assert np.array_equal(known, expected, equal_nan=True)
    able = [bool(grid.able("sms", last.ordinal - back)[grid.branches["jinan"]]) for back in range(7)]
    assert able == [True, False, True, True, True, False, True]
    assert grid.column("sms", grid.first - 1).shape == (len(grid.branches), 0)
    assert Context.of(cleaned).present == set(cleaned.branches)
