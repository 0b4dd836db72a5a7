"""Odds against closed forms: drifting walks, AR(1), certainty; both kinds of reached; totals of dependent months."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from ebank_lib.scenarios import Target, said_odds
from ebank_lib.scenarios.odds import View, binomial_se, judged, measure, odds_of, pace_of

MONTHS = pd.period_range("2008-01", "2011-08", freq="M")
N, H = 20_000, 16
END = pd.Period("2012-12", "M")
PAST = np.linspace(90.0, 100.0, len(MONTHS))


def target(**about):
    usual = {"key": "x", "line": "a", "indicator": "sms", "zh": "目标", "en": "target", "goal": 110.0}
    return Target(**(usual | about))


def odds(paths, deadline=END, **about):
    one = target(**about)
    return odds_of(measure(View.of(paths, "rizhao"), one, deadline), deadline)


def shocks(n=N, seed=1):
    return np.random.default_rng(seed).standard_normal((H, n))


def walk(drift=0.5, sd=2.0, n=N):
    return 100.0 + np.cumsum(drift + sd * shocks(n), axis=0)


def test_a_drifting_walk_is_normal_at_the_date(make_paths):
    got = odds(make_paths({"sms": walk()}, {"sms": PAST}))
    p = norm.sf((110 - 100 - 0.5 * H) / (2 * np.sqrt(H)))
    assert abs(got.p_at - p) < 4 * binomial_se(p, N)
    assert abs(got.expected - 108) < 4 * 8 / np.sqrt(N)


def first_passage(level, drift, sd, months):
    """P(a walk passes a level in some of its months), by carrying the density of those that have not yet, on a grid."""
    x = np.linspace(level - 14 * sd * np.sqrt(months), level, 1501)
    step = x[1] - x[0]
    density = norm.pdf(x, drift, sd)
    kernel = norm.pdf(x[:, None] - x[None, :], drift, sd) * step
    kernel[:, [0, -1]] /= 2
    for _ in range(months - 1):
        density = kernel @ density
    return 1 - np.trapezoid(density, x)


def test_reached_at_some_time_is_the_first_passage_of_the_walk(make_paths):
    got = odds(make_paths({"sms": walk()}, {"sms": PAST}))
    p = first_passage(10.0, 0.5, 2.0, H)
    assert abs(got.p_by - p) < 4 * binomial_se(p, N)
    assert got.p_by > got.p_at + 0.02


def test_without_drift_it_is_the_reflection_principle_with_its_correction_for_months(make_paths):
    paths = make_paths({"sms": walk(drift=0.0)}, {"sms": PAST})
    # Siegmund 1985: a walk looked at in months is a continuous one with the level 0.5826 steps further.
    p = 2 * norm.sf((10 + 0.5826 * 2.0) / (2.0 * np.sqrt(H)))
    assert abs(odds(paths).p_by - p) < 4 * binomial_se(p, N) + 0.003


def test_an_ar1_forgets_where_it_started(make_paths):
    phi, mean = 0.8, 105.0
    e, y, rows = shocks(), np.full(N, 100.0), []
    for row in e:
        y = mean + phi * (y - mean) + 2 * row
        rows.append(y)
    got = odds(make_paths({"sms": rows}, {"sms": PAST}))
    sd = 2 * np.sqrt((1 - phi ** (2 * H)) / (1 - phi**2))
    p = norm.sf((110 - mean - phi**H * (100 - mean)) / sd)
    assert abs(got.p_at - p) < 4 * binomial_se(p, N)


@pytest.mark.parametrize("slope, reached", [(0.7, True), (0.5, False)])
def test_a_trend_without_chance_is_certain_and_never_called_so(make_paths, slope, reached):
    line = 100 + slope * np.arange(1, H + 1)[:, None] * np.ones((1, 500))
    got = odds(make_paths({"sms": line}, {"sms": PAST}))
    assert got.p_at == got.p_by == float(reached)
    assert said_odds(got.p_at, 500, "en") == ("> 99%" if reached else "< 1%")
    assert got.month_50 == got.month_80 or (pd.isna(got.month_50) and not reached)
    assert np.isclose(got.shortfall_if_missed, 0 if reached else 110 - 108)


def test_the_month_that_odds_pass_a_half_is_the_one_in_which_the_median_does(make_paths):
    got = odds(make_paths({"sms": walk(drift=1.0, sd=1.0)}, {"sms": PAST}))
    assert got.month_50 in (MONTHS[-1] + 10, MONTHS[-1] + 11) and got.month_80 > got.month_50


def test_what_is_reached_after_the_date_does_not_count(make_paths):
    y = np.full((H, 4), 100.0)
    y[-1] = 120.0
    late = odds(make_paths({"sms": y}, {"sms": PAST}), END - 1)
    assert (late.p_at, late.p_by) == (0, 0) and late.month_50 == END
    assert odds(make_paths({"sms": y[::-1]}, {"sms": PAST})).p_by == 1


def test_shortfall_is_the_normal_loss(make_paths):
    got = odds(make_paths({"sms": walk()}, {"sms": PAST}))
    sd, gap = 8.0, 2.0
    loss = gap * norm.cdf(gap / sd) + sd * norm.pdf(gap / sd)
    assert np.isclose(got.shortfall_if_missed, loss / norm.cdf(gap / sd), rtol=0.03)


def ar1(n=N, phi=0.9, start=0.0):
    e, y, rows = np.random.default_rng(3).standard_normal((12, n)), np.full(n, start), []
    for row in e:
        y = phi * y + row
        rows.append(1000 + y)
    return np.array(rows)


def test_the_spread_of_an_annual_total_and_the_mistake_of_independent_months(make_paths):
    """AR(1) 0.9 from a known start: months taken as independent understate the year's spread by a factor of two."""
    flow = np.vstack([np.full((4, N), 1000.0), ar1()])
    paths = make_paths({"mobile_txn": flow}, {"mobile_txn": np.full(44, 1000.0)})
    goal = target(indicator="mobile_txn", kind="total", goal=12_000.0)
    total = measure(View.of(paths, "rizhao"), goal, END).value[-1]
    psi = np.array([(1 - 0.9**k) / (1 - 0.9) for k in range(1, 13)])
    assert np.isclose(total.std(), np.sqrt((psi**2).sum()), rtol=0.02)
    independent = np.sqrt(sum((1 - 0.9 ** (2 * k)) / (1 - 0.81) for k in range(1, 13)))
    assert 1.3 < total.std() / independent < 2.9
    got = odds_of(measure(View.of(paths, "rizhao"), goal, END), END)
    assert abs(got.p_at - 0.5) < 4 * binomial_se(0.5, N)


def test_months_of_the_year_already_observed_count_as_they_are(make_paths):
    paths = make_paths({"mobile_txn": np.full((4, 10), 50.0)}, {"mobile_txn": np.full(44, 100.0)})
    m = measure(View.of(paths, "rizhao"), target(indicator="mobile_txn", kind="total", goal=1000.0),
                pd.Period("2011-12", "M"))
    assert m.value[:, 0].tolist() == [850, 900, 950, 1000] and odds_of(m, m.months[-1]).p_at == 1
    past = np.full(44, 100.0)
    past[40] = np.nan
    paths = make_paths({"mobile_txn": np.full((4, 10), 50.0)}, {"mobile_txn": past})
    assert judged(View.of(paths, "rizhao"), target(indicator="mobile_txn", kind="total"),
                  pd.Period("2011-12", "M")) == "missing_months"


def test_growth_of_a_stock_is_against_the_same_month_and_of_a_flow_against_the_year(make_paths):
    grown = 100 * 1.02 ** np.arange(1, 17)[:, None] * np.ones((1, 3))
    past = 100 * 1.02 ** np.arange(-43, 1)
    paths = make_paths({"sms": grown, "mobile_txn": grown}, {"sms": past, "mobile_txn": past})
    view = View.of(paths, "rizhao")
    for key in ("sms", "mobile_txn"):
        m = measure(view, target(indicator=key, kind="growth", goal=0.2), END)
        # Of a stock also in the months whose year before was observed.
        assert np.allclose(m.shown[0 if key == "sms" else -1:], 1.02**12 - 1)
        assert np.allclose(m.view.past_of(m.target).dropna().iloc[-1], 1.02**12 - 1)
    assert len(measure(view, target(indicator="mobile_txn", kind="growth", goal=0.2), END).months) == 12


def test_growth_without_a_goal_must_keep_that_of_the_last_twelve_months(make_paths):
    past = 100 * 1.02 ** np.arange(-43, 1)
    ahead = 100 * np.array([1.021, 1.019]) ** np.arange(1, 17)[:, None]
    paths = make_paths({"sms": ahead, "mobile_txn": ahead}, {"sms": past, "mobile_txn": past})
    for key in ("sms", "mobile_txn"):
        m = measure(View.of(paths, "rizhao"), target(indicator=key, kind="growth", goal=None), END)
        assert m.reached[-1].tolist() == [True, False]


def test_share_and_rank(make_paths):
    values = {"sms": [[[30.0, 10.0]], [[20.0, 20.0]]], "mobile": [[[10.0, 30.0]], [[5.0, 5.0]]]}
    past = {"sms": np.ones((2, 44)) * [[30], [20]], "mobile": np.ones((2, 44))}
    view = View.of(make_paths(values, past, branches=("rizhao", "jinan")), "rizhao")
    by = MONTHS[-1] + 1
    share = measure(view, target(kind="share", of=["sms", "mobile"], goal=0.5), by)
    assert share.value.tolist() == [[0.75, 0.25]] and odds_of(share, by).p_at == 0.5
    rank = measure(view, target(kind="rank", goal=1), by)
    assert rank.shown.tolist() == [[1, 2]] and odds_of(rank, by).p_at == 0.5
    assert rank.view.past_of(rank.target).iloc[-1] == 1 and odds_of(rank, by).expected == 1.5


@pytest.mark.parametrize("deadline, why", [("2011-08", "past"), ("2013-01", "beyond_horizon")])
def test_a_date_outside_the_paths_has_no_odds_but_a_reason(make_paths, deadline, why):
    paths = make_paths({"sms": walk(n=5)}, {"sms": PAST})
    assert judged(View.of(paths, "rizhao"), target(), pd.Period(deadline, "M")) == why


@given(st.floats(0, 1), st.integers(1, 100_000))
def test_odds_are_never_certain_and_have_no_more_digits_than_paths(p, n):
    said = said_odds(p, n, "en")
    assert said not in ("0%", "100%") and "." not in said
    if said[0] not in "<>":
        told = int(said[:-1])
        step = 1 if n >= 400 else 5 if n >= 100 else 10
        edge = max(1, int(np.ceil(300 / n)))
        assert told in (edge, 100 - edge) or told % step == 0
        assert abs(told - p * 100) <= step / 2 + edge


def test_twice_the_paths_change_odds_by_less_than_the_printed_error(make_paths):
    for seed in range(20):
        y = 100 + np.cumsum(0.5 + 2 * np.random.default_rng(seed).standard_normal((H, 2000)), axis=0)
        half = odds(make_paths({"sms": y[:, :1000]}, {"sms": PAST})).p_at
        both = odds(make_paths({"sms": y}, {"sms": PAST})).p_at
        printed = int(said_odds(half, 1000, "en", error=True).split("±")[1].rstrip(")"))
        assert abs(both - half) * 100 < printed


def test_the_standard_error_is_that_of_repeated_draws(make_paths):
    p = [odds(make_paths({"sms": 100 + np.cumsum(0.5 + 2 * np.random.default_rng(s).standard_normal((H, 200)), axis=0)},
                         {"sms": PAST})).p_at for s in range(100)]
    assert np.isclose(np.std(p), binomial_se(np.mean(p), 200), rtol=0.25)


def test_the_pace_in_units(make_paths):
    paths = make_paths({"sms": walk(n=50)}, {"sms": PAST})
    got = pace_of(measure(View.of(paths, "rizhao"), target(), END), END)
    assert np.isclose(got.needed_per_month, 10 / 16)
    assert np.isclose(got.achieved_per_month_12m, 10 / 43)
