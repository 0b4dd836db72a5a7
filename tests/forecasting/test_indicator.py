"""A branch's indicators forecast and tested with all that is known; what is learnt is kept and learnt once."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.forecasting import (
    Context,
    backtest_branches,
    backtest_indicator,
    backtest_many,
    compare,
    forecast_indicator,
    learn,
    revise_indicator,
    simulate_joint,
)
from ebank_lib.forecasting import context as context_module
from ebank_lib.store import VARIABLE

from .test_context import of_few


def test_the_forecast_is_the_one_that_is_simulated(cleaned):
    f = forecast_indicator(cleaned, "rizhao", "counter_txn", horizon=24)
    joint = simulate_joint(cleaned, branches=["rizhao"], indicators=["counter_txn"], n=10)
    pd.testing.assert_frame_equal(f.block(), joint.forecasts["rizhao", "counter_txn"].block())


def test_the_backtest_counts_from_each_cutoff(cleaned):
    b = backtest_indicator(cleaned, "rizhao", "counter_txn", origins=2, models=("combination",), peers=None)
    assert b.origins == 2 and b.table["horizon"].max() <= 12 and (b.table["month"] > b.table["cutoff"]).all()
    direct = Context.of(cleaned, b.table["cutoff"].min()).forecast("rizhao", "counter_txn", models=("combination",))
    rows = b.table[(b.table["cutoff"] == b.table["cutoff"].min()) & (b.table["model"] == "combination")]
    assert np.allclose(rows["y_hat"].astype(float), direct.block()["y_hat"].iloc[: len(rows)])


def test_wrong_names_are_errors(cleaned):
    with pytest.raises(UnknownNameError, match="rizhao"):
        forecast_indicator(cleaned, "rizao", "sms")
    with pytest.raises(UnknownNameError, match="sms"):
        forecast_indicator(cleaned, "rizhao", "smss")


def test_another_calendar_moves_the_months_of_the_festival_and_no_other(cleaned):
    source, moved, stated = (forecast_indicator(of_few(cleaned), "rizhao", "counter_txn", 8, models=["theta"],
                                                calendar=name).table["y_hat"].to_numpy()
                             for name in (None, "china:2012-02-20", "china"))
    assert np.array_equal(source, stated)       # it is the source's
    change = moved / source - 1                 # months 5 to 7 are January to March 2012
    assert change[4] > 0.02 and change[5] < -0.02 and np.allclose(np.delete(change, [4, 5, 6]), 0, atol=1e-12)


def test_an_indicator_too_short_to_be_tested_says_why(cleaned):
    late = cleaned.panel.index.get_level_values("month") > cleaned.months[20]
    short = replace(cleaned, panel=cleaned.panel.assign(sms=cleaned.panel["sms"].mask(late)), contexts={})
    b = backtest_many(short, "rizhao", ["counter_txn", "sms"], ("theta",), origins=6, beside=False)
    grades = b.grades().set_index("unique_id")
    assert grades.index.tolist() == ["counter_txn", "sms"] and grades["n"].tolist() == [6, 0]
    assert grades.loc["counter_txn", "reason"] == "" and grades.loc["sms", "letter"] == "E"
    assert "too few months" in grades.loc["sms", "reason"] and "too few months" in b.to_html("en")
    assert "最不可信" in b.reading("zh")


def test_a_branch_is_graded_by_its_indicators(cleaned):
    b = backtest_many(cleaned, "rizhao", ["sms", "key_customer_txn", "mobile_activity"], models=("theta",), origins=6,
                      beside=False)
    assert b.grades()["unique_id"].tolist() == ["sms", "key_customer_txn", "mobile_activity"]
    assert {uid: part.kind for uid, part in b.parts.items()} == {
        "sms": "stock", "key_customer_txn": "flow", "mobile_activity": "ratio"}
    best, worst = (b.grades().sort_values(["letter", "ratio"])["unique_id"].iloc[n] for n in (0, -1))
    assert all(cleaned.catalog.indicator(key).short_label("zh") in b.reading("zh") for key in (best, worst))
    with pytest.raises(UnknownNameError, match="sms"):
        backtest_many(cleaned, "rizhao", ["smss"])


def test_shared_out_by_origin_it_says_what_the_indicator_alone_says(cleaned):
    many = backtest_many(cleaned, "rizhao", "sms", models=("theta",), origins=2)
    one = backtest_indicator(cleaned, "rizhao", "sms", models=("theta",), origins=2, peers=None)
    pd.testing.assert_frame_equal(many.parts["sms"].table, one.table, check_dtype=False)


LEARNT = ("pooled", "weights", "plain", "shape", "surprises")


@pytest.fixture
def few(cleaned):
    return of_few(cleaned)


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

    for name in ("learn_pooled", "panel_weights", "plain_forecasts", "panel_shape", "surprises_of"):
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
    assert kept < whole and {what for what, _ in whole - kept} == {"pooled", "weights", "plain", "shape"}


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


def test_the_branches_forecasts_are_added_up_and_compared_together(cleaned):
    few = replace(of_few(cleaned), contexts={})
    asked = {"models": ("theta",), "horizon": 3, "origins": 9}
    b = backtest_branches(few, few.catalog.indicator("counter_txn").zh, **asked)
    assert b.what == "branch" and list(b.parts) == Context.of(few).branches and len(b.parts) > 2
    one = backtest_indicator(few, "rizhao", "counter_txn", **asked)
    pd.testing.assert_frame_equal(b.parts["rizhao"].table, one.table)
    rows = b.table[b.table["y"].notna()]
    sums = rows.groupby(["model", "cutoff", "horizon"])[["y", "y_hat"]].sum()
    off = (sums["y_hat"] - sums["y"]).groupby("model")
    whole = sums["y"].groupby("model").mean()
    found = b.sums().set_index("model")
    assert found.index.tolist() == ["theta", "snaive", "drift"] and (found["origins"] == 9).all()
    assert np.allclose(found["wape"], (100 * off.agg(lambda x: x.abs().mean()) / whole)[found.index])
    assert np.allclose(found["bias"], (100 * off.mean() / whole)[found.index])
    # What moves all branches counts once: one mean loss an origin.
    rows = rows.assign(loss=(rows["y"] - rows["y_hat"]).abs() / rows["scale"])
    loss = rows[rows["horizon"] <= 2].pivot_table("loss", ["cutoff", "horizon"], "model").groupby("cutoff").mean()
    t = compare(b, other="drift").table.iloc[0]
    assert (t["n"], t["horizon"]) == (9, 2) and np.isclose(t["difference"], (loss["theta"] - loss["drift"]).mean())
    better = int((b.grades()["ratio"] < 1).sum())
    assert f"Of the {len(b.parts)} branches that can be judged, in {better}" in b.reading("en")
    assert f"{found['wape']['theta']:.1f}%" in b.reading("zh") and few.catalog.branch("rizhao").zh in b.to_html("zh")
    ratio = backtest_branches(cleaned, "mobile_activity", branches=["rizhao", "jinan"], **asked)
    assert "added up" not in ratio.reading("en") and "Of the 2 branches that can be judged" in ratio.reading("en")


def test_branches_of_no_history_are_not_judged_and_none_is_an_error(cleaned):
    few = of_few(cleaned)
    young = replace(few, panel=few.panel[few.panel.index.get_level_values("month") > few.months[-10]], contexts={})
    b = backtest_branches(young, "counter_txn", models=("theta",), origins=2)
    assert "历史太短" in b.reading("zh") and "too short" in b.to_html("en")
    assert (b.sums()["origins"] == 0).all() and b.sums()["wape"].isna().all()
    with pytest.raises(SeriesError, match="no branch to test; found 'counter_txn'"):
        backtest_branches(young, "counter_txn", branches=[])
