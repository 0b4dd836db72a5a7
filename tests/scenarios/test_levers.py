"""Levers: how large, how they come in, what they take from others; no share above 100%, no point without a range."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import kstest, norm

from ebank_lib.errors import ConfigError, SeriesError
from ebank_lib.scenarios import Evidence, Lever, Move, Stress, learn_evidence
from ebank_lib.scenarios.levers import Z90, Effect, Pooled, apply_lever, draw, standard_draws
from ebank_lib.scenarios.odds import View

H, N = 24, 200
PAST = {"mobile": np.full(44, 1000.0), "sms": np.full(44, 500.0), "mobile_activity": np.full(44, 0.4),
        "coverage": np.full(44, 0.55), "affluent": np.full(44, 1e4)}


def size_at(move, z):
    return Effect(move, 0.0, np.inf).at(z)


def lever(*moves, kind=Lever, **about):
    return kind(**({"key": "x", "zh": "措施", "en": "lever", "moves": [Move(**m) for m in moves], "ramp": 6,
                    "delay": 2} | about))


@pytest.fixture
def view(make_paths):
    rng = np.random.default_rng(0)
    flat = {k: np.full((H, N), v[0]) for k, v in PAST.items()}
    flat["coverage"] = 1 / (1 + np.exp(-rng.normal(0.2, 1.0, (H, N))))
    return View.of(make_paths(flat, PAST), "rizhao")


def pulled(view, one, seed=0, events=None):
    return apply_lever(view, draw(one, view, seed, learn_evidence(view.paths, [one], events)))


@pytest.mark.parametrize("low, high, how", [(0.05, 0.2, "level"), (-0.3, -0.1, "level"), (-0.1, 0.2, "growth"),
                                            (0.2, 0.7, "ceiling")])
def test_the_stated_range_holds_eighty_per_cent(low, high, how):
    move = Move(indicator="sms", how=how, low=low, high=high, ceiling=1000.0)
    assert np.allclose(size_at(move, np.array([-Z90, Z90])), [low, high])
    size = size_at(move, standard_draws("x", 20_000, 0))
    assert abs(((size >= low) & (size <= high)).mean() - 0.8) < 0.01
    if how == "ceiling":
        assert ((size > 0) & (size < 1)).all()
    if how == "level":
        assert (np.sign(size) == np.sign(low)).all()


def test_a_range_from_nothing_never_does_harm():
    assert (size_at(Move(indicator="sms", low=0.0, high=0.1), standard_draws("x", 1000, 0)) >= 0).all()


def test_draws_are_a_levers_own_and_the_first_stay_when_there_are_more():
    assert (standard_draws("a", 50, 7) == standard_draws("a", 500, 7)[:50]).all()
    assert not np.isclose(standard_draws("a", 50, 7), standard_draws("b", 50, 7)).any()
    assert not np.isclose(standard_draws("a", 50, 7), standard_draws("a", 50, 8)).any()
    assert abs(np.corrcoef(standard_draws("a", 5000, 7), standard_draws("b", 5000, 7))[0, 1]) < 0.05
    assert kstest(standard_draws("a", 5000, 7), norm.cdf).pvalue > 0.01


@pytest.mark.parametrize("how", ["level", "growth"])
@pytest.mark.parametrize("key", ["sms", "coverage"])
def test_a_lever_without_effect_changes_nothing_to_the_byte(view, how, key):
    moved = pulled(view, lever({"indicator": key, "how": how, "low": 0.0, "high": 0.0}))
    assert moved.changed == {}
    assert all(moved[k].tobytes() == view[k].tobytes() for k in view.paths.values)


def test_a_level_comes_in_over_delay_and_ramp(view):
    one = lever({"indicator": "sms", "low": 0.1, "high": 0.4})
    size = draw(one, view, 0, {}).effects[0].size
    moved = pulled(view, one)["sms"]
    assert (moved[:2] == 500).all()
    assert np.allclose(moved[4], 500 * (1 + size) ** 0.5)
    assert np.allclose(moved[8:], 500 * (1 + size))
    assert np.allclose(moved[-1].std(), (500 * size).std())


def test_growth_adds_up_over_years_and_a_stress_passes(view):
    grown = pulled(view, lever({"indicator": "sms", "how": "growth", "low": 0.1, "high": 0.2}, ramp=0, delay=0))
    size = draw(lever({"indicator": "sms", "how": "growth", "low": 0.1, "high": 0.2}), view, 0, {}).effects[0].size
    assert np.allclose(grown["sms"][[11, 23]], 500 * (1 + size) ** np.array([[1], [2]]))
    down = lever({"indicator": "sms", "low": -0.3, "high": -0.1, "lasts": 3}, kind=Stress, ramp=0, delay=6)
    sms = pulled(view, down)["sms"]
    assert (sms[:6] == 500).all() and (sms[6:9] < 500).all() and (sms[9:] == 500).all()


@given(st.floats(0.001, 0.9), st.sampled_from(["level", "growth", "ceiling"]))
def test_no_share_passes_its_ceiling_or_falls(view_of_shares, size, how):
    one = lever({"indicator": "coverage", "how": how, "low": size, "high": size * 1.09})
    moved, before = pulled(view_of_shares, one), view_of_shares["coverage"]
    assert (moved["coverage"] <= 1).all() and (moved["coverage"] >= before - 1e-12).all()
    assert (moved["affluent_signed"] <= moved["affluent"]).all()


@pytest.fixture(scope="module")
def view_of_shares(make_paths):
    values = {"coverage": np.linspace(0.001, 1.0, 24 * 5).reshape(24, 5), "affluent": np.full((24, 5), 1e4)}
    return View.of(make_paths(values, {k: PAST[k] for k in values}), "rizhao")


def test_points_of_a_share_are_those_at_its_level_of_today(make_paths):
    flat = make_paths({"mobile_activity": np.full((H, 3), 0.4)}, {"mobile_activity": PAST["mobile_activity"]})
    view = View.of(flat, "rizhao")
    one = lever({"indicator": "mobile_activity", "low": 0.02, "high": 0.08})
    assert np.allclose(pulled(view, one)["mobile_activity"][-1], 0.4 + draw(one, view, 0, {}).effects[0].size)


def test_a_ceiling_stops_a_level_but_does_not_pull_down_what_is_above(view):
    moved = pulled(view, lever({"indicator": "sms", "low": 0.5, "high": 0.9, "ceiling": 600.0}))
    assert moved["sms"].max() == 600.0
    assert pulled(view, lever({"indicator": "sms", "low": 0.5, "high": 0.9, "ceiling": 400.0}))["sms"].max() == 500.0


def test_what_is_gained_is_partly_taken_from_others(view):
    one = lever({"indicator": "mobile", "low": 0.1, "high": 0.4, "takes_from": {"sms": 0.2}})
    moved = pulled(view, one)
    assert np.allclose(500 - moved["sms"], 0.2 * (moved["mobile"] - 1000))
    greedy = pulled(view, lever({"indicator": "mobile", "low": 3.0, "high": 9.0, "takes_from": {"sms": 1.0}}))
    assert greedy["sms"].min() == 0


def test_what_follows_is_computed_anew_and_nothing_else(view):
    moved = pulled(view, lever({"indicator": "mobile", "low": 0.1, "high": 0.4}))
    assert set(moved.changed) == {"mobile", "mobile_new", "mobile_active"}
    assert np.allclose(np.cumsum(moved["mobile_new"], axis=0) + 1000, moved["mobile"])
    assert np.allclose(moved["mobile_active"], moved["mobile"] * moved["mobile_activity"])


def test_an_indicator_that_follows_from_others_is_refused_with_those_to_move(view):
    with pytest.raises(ConfigError, match="mobile_activity, mobile"):
        pulled(view, lever({"indicator": "mobile_active", "low": 0.1, "high": 0.2}))


@pytest.mark.parametrize("about, words", [
    ({"low": -0.2, "high": -0.1},
     r"no negative range, as in moves.0 \(-0.2 to -0.1\): what does harm belongs under stress"),
    ({"low": 0.3, "high": 0.1}, "low below high: from 0.3 to 0.1 the range runs backwards"),
    ({"low": 0.1, "high": 0.1}, "low below high, an 80% range: 0.1 is a bare point"),
    ({"low": 0.1}, "low and high, an 80% range, or evidence"),
    ({}, "80% range"),
    ({"how": "ceiling", "low": 0.2, "high": 1.2}, "the part of a gap that is closed, between 0 and 1"),
    ({"low": 0.1, "high": 0.2, "takes_from": {"sms": 1.5}},
     "parts of what is gained under takes_from, above 0 and at most 1, not {'sms': 1.5}"),
    ({"how": "growth", "evidence": Evidence(interventions=["mobile"])},
     "how: level, which evidence of interventions is about"),
    ({"low": 0.1, "high": 0.2, "ceiling": -1.0}, "a ceiling above 0"),
    ({"low": -2.0, "high": -1.5}, "greater than -1"),
])
def test_a_size_that_cannot_be_is_refused(about, words):
    with pytest.raises(ValidationError, match=words):
        lever({"indicator": "mobile"} | about)


def known(*rows):
    return pd.DataFrame([{"month": pd.Period(m, "M"), "zh": "推广", "en": "push", "branches": b, "indicators": i}
                         for m, b, i in rows], columns=["month", "zh", "en", "branches", "indicators"])


def test_without_evidence_the_stated_range_is_taken_and_why_is_kept(view):
    one = lever({"indicator": "mobile", "low": 0.1, "high": 0.2, "evidence": Evidence(interventions=["mobile"])})
    drawn = draw(one, view, 0, learn_evidence(view.paths, [one]))
    assert drawn.assumed and "at least 5" in drawn.effects[0].reason
    assert np.allclose(drawn.effects[0].size, size_at(one.moves[0], standard_draws("x", N, 0)))
    bare = lever({"indicator": "mobile", "evidence": Evidence(interventions=["mobile"])})
    with pytest.raises(SeriesError, match="low and high beside the evidence"):
        draw(bare, view, 0, learn_evidence(view.paths, [bare]))


def test_evidence_recovers_pushes_of_known_size(make_paths, catalog):
    rng, branches = np.random.default_rng(5), tuple(catalog.reporting[:8])
    pushes = rng.normal(np.log(1.5), 0.1, len(branches))
    y = np.cumsum(rng.normal(0.01, 0.01, (8, 44)), axis=1) + 8
    y[:, 20:] += pushes[:, None]
    paths = make_paths({"mobile": np.full((8, 12, 2000), 1e4)}, {"mobile": np.exp(y)}, branches=branches)
    one = lever({"indicator": "mobile", "evidence": Evidence(interventions=["mobile"])})
    events = known(*((paths.history.index[20][1], b, "mobile") for b in branches))
    learnt = learn_evidence(paths, [one], events)
    pooled = learnt[("mobile",)]
    assert isinstance(pooled, Pooled) and pooled.named and pooled.k == 8
    assert abs(pooled.mu - pushes.mean()) < 0.03 and 0.04 < pooled.tau < 0.2
    drawn = draw(one, View.of(paths, branches[0]), 0, learnt)
    low, high = pooled.size_at(np.array([-Z90, Z90]))
    size = drawn.effects[0].size
    assert not drawn.assumed and abs(((size > low) & (size < high)).mean() - 0.8) < 0.03
    # An event that names no indicator, a merger say, is no push; found shifts stand in, and say so.
    found = learn_evidence(paths, [one], known((paths.history.index[20][1], "", "")))[("mobile",)]
    assert not found.named and set(found.table["month"].astype(str)) >= {"2009-09"}
    # Of eight branches the lowest two are the lowest third.
    low = set(paths.history["mobile"].xs(paths.history.index[19][1], level="month").nsmallest(2).index)
    assert set(pooled.table.loc[pooled.table["lagged"], "branch"]) == low and pooled.lagged == 2


def test_pooling_is_that_of_published_software():
    """Paule and Mandel with Hartung and Knapp, 10 trials of BCG-like size: against the weighted moments themselves."""
    from ebank_lib.scenarios.levers import pool

    effects = np.array([0.10, 0.35, 0.22, 0.48, 0.05, 0.30])
    variances = np.array([0.004, 0.010, 0.006, 0.012, 0.003, 0.008])
    mu, tau, se = pool(effects, variances)
    w = 1 / (variances + tau**2)
    # Definition of the Paule-Mandel spread: the weighted sum of squares equals its expectation, k - 1.
    assert np.isclose((w * (effects - mu) ** 2).sum(), len(effects) - 1, rtol=1e-4)
    assert np.isclose(mu, (w * effects).sum() / w.sum(), rtol=1e-6)
    hartung = np.sqrt((w * (effects - mu) ** 2).sum() / ((len(effects) - 1) * w.sum()))
    assert np.isclose(se, max(hartung, w.sum() ** -0.5), rtol=1e-4)
