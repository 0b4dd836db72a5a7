"""Odds of targets: the scores against closed forms and another library, targets that do not look ahead, a small run."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import odds
from benchmarks._calibrating import learn_common, normal_scores
from benchmarks._scores import brier, clustered_error, decomposition, reliability
from ebank_lib.forecasting.candidates import ErrorShape, shape_of

pairs = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=60)


@given(pairs)
def test_the_parts_of_the_brier_score_close_exactly(drawn):
    stated, came = np.array(drawn).T
    p = decomposition(stated, came)
    total = p["reliability"] - p["resolution"] + p["uncertainty"] + p["within_variance"] - p["within_covariance"]
    assert total == pytest.approx(p["brier"], abs=1e-12)
    assert p["brier"] == pytest.approx(brier(stated, came), abs=1e-15)


def test_stating_the_base_rate_has_neither_resolution_nor_unreliability():
    p = decomposition(np.full(8, 0.25), [1, 0, 0, 0, 0, 1, 0, 0])
    assert p["brier"] == p["uncertainty"] == 0.1875 and p["reliability"] == p["resolution"] == 0


def test_knowing_it_all_is_resolution_alone():
    p = decomposition([0, 1, 1, 0], [0, 1, 1, 0])
    assert (p["brier"], p["resolution"], p["uncertainty"]) == (0, 0.25, 0.25)


def test_the_clustered_error_is_that_of_statsmodels():
    rng = np.random.default_rng(1)
    off, cluster = rng.normal(size=200), rng.integers(0, 17, 200)
    fit = sm.OLS(off, np.ones(200)).fit(cov_type="cluster", cov_kwds={"groups": cluster})
    assert clustered_error(off, cluster) == pytest.approx(fit.bse[0], rel=1e-9)


def test_a_target_counted_many_times_in_its_series_is_no_more_evidence():
    rng = np.random.default_rng(2)
    stated = rng.uniform(size=300)
    came, series = rng.uniform(size=300) < stated, np.arange(300)
    once, often = reliability(stated, came, series), reliability(*(np.tile(x, 20) for x in (stated, came, series)))
    assert (often["n"] == 20 * once["n"]).all()
    middle = slice(3, 7)        # where the floor, the binomial error of independent targets, does not bind
    assert (often["se"] / once["se"])[middle].between(0.95, 1.05).all()


def test_true_odds_pass_and_shaded_odds_fail():
    rng = np.random.default_rng(3)
    stated = rng.uniform(size=20_000)
    came, series = rng.uniform(size=20_000) < stated, np.arange(20_000) // 4
    assert reliability(stated, came, series)["z"].abs().max() < 3
    assert reliability(0.9 * stated, came, series)["z"].abs().max() > 5


@given(st.integers(0, 2**32 - 1))
def test_scores_undo_the_shape(seed):
    draws = np.random.default_rng(seed).standard_normal((5, 14)).clip(-3.4, 3.4)
    shape = shape_of("combination")
    assert normal_scores(shape.warp(draws), shape) == pytest.approx(draws, abs=1e-9)


def test_a_common_share_that_was_put_in_is_found_again():
    lags = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    stated = 0.6**lags
    true = ErrorShape(common=0.2).hanging_together(stated)
    assert np.diag(true) == pytest.approx(1) and np.linalg.eigvalsh(true).min() > 0
    scores = np.random.default_rng(5).multivariate_normal(np.zeros(12), true, 2000)
    assert learn_common(scores, np.broadcast_to(stated, (2000, 12, 12)), np.ones(2000)) == pytest.approx(0.2, abs=0.051)


@pytest.fixture
def case():
    rng = np.random.default_rng(4)
    y = np.exp(np.cumsum(rng.normal(0.01, 0.05, 62)))
    return odds.Case("made", "a", "a", pd.Series(y[:44]), y[44:])


def test_targets_are_drawn_without_a_look_ahead(case):
    drawn = odds.targets(case)
    other = odds.targets(replace(case, truth=np.exp(1.0) * case.truth))
    assert drawn["threshold"].equals(other["threshold"]) and not drawn["came"].equals(other["came"])
    assert set(drawn["kind"]) == set(odds.KINDS)


def test_what_a_target_looks_at():
    paths, y = np.arange(1.0, 19.0)[:, None], np.arange(100.0, 144.0)
    assert odds.measure("level", 3, paths, y) == [3]
    assert odds.measure("growth", 12, paths, y) == [12 / 143] and odds.measure("growth", 3, paths, y) == [3 / 134]
    assert odds.measure("growth", 15, paths, y) == [5]
    assert odds.measure("total", 12, paths, y) == [78] and odds.measure("any_time", 5, paths[::-1], y) == [18]


@pytest.mark.slow
@pytest.mark.real_data
def test_a_small_run_of_the_benchmark(shared_data, monkeypatch):
    monkeypatch.setenv("EBANK_SHARED", str(shared_data.parent))
    cases = odds.read_m3(shared_data, 20) + odds.read_rbi(shared_data, 2)
    said = [s for s in map(odds.work, cases[:20]) if s is not None]
    said += [s for case in cases[20:] for s in odds.work_table([case])][:20]
    got = [odds.judge((s, learnt, 400, odds.SEED)) for s, learnt in zip(said, odds.learn(said), strict=True)]
    rows, places = (pd.concat(frames, ignore_index=True) for frames in zip(*got, strict=True))
    rows = rows.assign(climatology=odds.climatology(rows))
    assert rows["paths"].between(0, 1).all() and set(rows["data"]) == {"M3", "RBI"}
    scores = odds.scores(rows, ["kind"])
    assert 1 - brier(rows["paths"], rows["came"]) / brier(rows["climatology"], rows["came"]) > odds.LEAST_SKILL
    # Months drawn one by one make a high month somewhere too likely and a total too sure.
    assert scores.loc["any_time", "paths"] < scores.loc["any_time", "independent"]
    total = places[places["what"] == "total of 12"]
    assert ((total["independent"] - 0.5).abs() > 0.4).mean() > ((total["paths"] - 0.5).abs() > 0.4).mean() + 0.1
