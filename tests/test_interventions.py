"""Planted events are found, clean series stay clean, known events are fitted first and named."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import dblquad
from scipy.linalg import toeplitz
from scipy.signal import lfilter
from scipy.special import gammaln

from ebank_lib.errors import ConfigError, SeriesError
from ebank_lib.events import festival, find_interventions, known_events, take_out
from ebank_lib.events.interventions import critical_value, required
from ebank_lib.events.noise import _NOISES, KINDS, WINDOWS, State, shape, whitening

MONTHS = pd.period_range("2008-01", periods=44, freq="M")


def walk(seed, size=0.0, kind="level_shift", at=20):
    rng = np.random.default_rng(seed)
    z = 0.02 * np.arange(44) + 0.03 * np.cumsum(rng.standard_normal(44)) + size * shape(kind, at, 44)
    return pd.Series(1e5 * np.exp(z), index=MONTHS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_event_is_found_with_its_month_kind_and_size(kind):
    got = find_interventions(walk(1, 0.5, kind)).table
    assert (got["month"] == MONTHS[20]).sum() == 1
    row = got[got["month"] == MONTHS[20]].iloc[0]
    assert row["kind"] == kind and abs(np.log1p(row["size"]) - 0.5) < 0.1


def test_whitened_noise_is_independent_with_variance_one():
    lags = np.arange(20)
    ar = whitening(0, 0.7, 0.0, 20)
    assert np.allclose(ar @ toeplitz(0.7**lags / (1 - 0.49)) @ ar.T, np.eye(20))
    ma = whitening(1, 0.0, -0.6, 21)[1:]
    assert np.allclose(ma.sum(axis=1), 0)       # the level itself is not seen
    differences = np.linalg.lstsq(np.diff(np.eye(21), axis=0).T, ma.T, rcond=None)[0].T
    gamma = np.where(lags == 0, 1.36, np.where(lags == 1, -0.6, 0.0))
    assert np.allclose(differences @ toeplitz(gamma) @ differences.T, np.eye(20))


def test_products_and_lengths_are_those_of_the_whitened_events():
    """What the products give at once, found again event by event; every model, the festival's windows included."""
    n, z = 30, np.random.default_rng(2).standard_normal(30).cumsum()
    state = State.of(z, MONTHS[:n], "china")
    assert state.gains.shape == (60, 3 * n + 11)
    for j in (0, 7, n - 1, n + 12, 2 * n + 5, 3 * n - 1, 3 * n + 3):
        x = state.bank.shocks(state.column(j)[None])[:, 0]
        off = x - np.einsum("sk,skn->sn", np.einsum("skn,sn->sk", state.bank.base, x), state.bank.base)
        assert np.allclose(state.gains[:, j], (state.residual * x).sum(axis=1), atol=1e-10)
        assert np.allclose(state.norms[:, j], (off**2).sum(axis=1), atol=1e-10)


@pytest.mark.parametrize("i", range(len(_NOISES)))
def test_each_noise_is_recognised_in_a_long_series_of_its_own(i):
    d, phi, theta = [(1, 0, 0), (1, 0, 0.3), (1, 0, -0.2), (1, 0, -0.4), (1, 0, -0.6), (1, 0, -0.75), (1, 0, -0.9),
                     (1, 0.5, 0), (1, 0.8, 0), (0, 0, 0), (0, -0.3, 0), (0, 0.3, 0), (0, 0.5, 0), (0, 0.7, 0),
                     (0, 0.85, 0)][i]
    x = lfilter([1, theta], [1, -phi], np.random.default_rng(20 + i).standard_normal(900))[100:]
    weight = np.exp(State.of(np.cumsum(x) if d else x).weight).reshape(-1, len(_NOISES)).sum(axis=0)
    assert weight.argmax() == i


def test_the_size_of_one_event_is_its_mean_over_the_models():
    z = np.random.default_rng(5).standard_normal(44).cumsum() + 6 * shape("level_shift", 20, 44)
    start = State.of(z)
    taken = start.take(44 + 20)
    weight = np.exp(taken.weight)
    size = weight @ (start.gains[:, 64] / start.norms[:, 64]) / weight.sum()
    assert taken.sizes()[0] == pytest.approx(start.scale * size, rel=1e-3)      # models of hardly any weight left out


def test_six_are_searched_at_most():
    rng = np.random.default_rng(0)
    z = 0.02 * rng.standard_normal(84)
    z[rng.choice(np.arange(5, 79, 4), 8, replace=False)] += rng.choice([-1, 1], 8) * (1 + rng.random(8)) * 0.4
    y = pd.Series(np.exp(z), index=pd.period_range("2008-01", periods=84, freq="M"))
    assert len(find_interventions(y).table) == 6


def test_no_window_reaches_beyond_the_season_of_its_festival():
    assert all(0 <= before <= 20 and 0 <= after <= 20 and (before, after) != (0, 0) for before, after in WINDOWS)
    assert len(set(WINDOWS)) == len(WINDOWS) == 11


def test_the_least_months_and_values_are_enough():
    z = np.arange(18) % 2 * 1.0
    z[9] = 40.0
    months = MONTHS[:18]
    assert [event[:2] for event in take_out(z, months)[1]] == [("outlier", 9)]
    assert find_interventions(pd.Series(np.exp(z / 10), index=months)).table["month"].tolist() == [months[9]]
    assert take_out(z[:17], months[:17])[1] == [] and take_out(z % 2, months)[1] == []


@given(st.integers(0, 10**6), st.integers(2, 42), st.sampled_from(KINDS))
def test_in_a_random_walk_the_gain_of_an_event_is_that_of_least_squares_on_the_changes(seed, at, kind):
    z = np.cumsum(np.random.default_rng(seed).standard_normal(44))
    state, j = State.of(z), KINDS.index(kind) * 44 + at
    drift = np.ones((43, 1))
    without = sm.OLS(np.diff(z), drift).fit()
    full = sm.OLS(np.diff(z), np.column_stack([drift, np.diff(shape(kind, at, 44))])).fit()
    scale = state.scale**2
    assert state.ssr[0] * scale == pytest.approx(without.ssr)       # the first model is the walk with drift only
    assert state.gains[0, j] ** 2 / state.norms[0, j] * scale == pytest.approx(without.ssr - full.ssr, abs=1e-9)
    taken = state.take(j)
    assert taken.ssr[0] * scale == pytest.approx(full.ssr)


def test_the_bayes_factor_is_the_integral_over_size_and_scale():
    state = State.of(walk(4, 0.1).head(20).to_numpy() / 1e5)
    q, g, v, spare = state.ssr[0], state.gains[0, 9], state.norms[0, 9], state.spare[0]
    peak = np.sqrt(q / spare)       # sizes in units of s, s in units of its likeliest value

    def integrand(size, s):
        s = s * peak
        return np.exp(-(spare + 1) * np.log(s / peak) - (q - 2 * size * s * g + (size * s) ** 2 * v) / (2 * s**2)
                      - size**2 / 32) / np.sqrt(32 * np.pi)

    above = dblquad(integrand, 0.2, 6, -20, 20)[0]
    log_below = np.log(0.5) + spare / 2 * np.log(2 / spare) + gammaln(spare / 2)
    assert state.factors[0, 9] == pytest.approx(np.log(above) - log_below, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["walk", "white"])
def test_clean_series_raise_one_alarm_in_ten_or_so(form):
    rng = np.random.default_rng(2024)
    found = 0
    for _ in range(150):
        e = rng.standard_normal(44)
        z = 0.03 * (np.cumsum(e) if form == "walk" else e) + 0.01 * np.arange(44)
        found += len(find_interventions(pd.Series(np.exp(z), index=MONTHS), calendar="china").table)
    assert found / 150 < 0.15 + 2 * np.sqrt(0.15 / 150)


@pytest.mark.parametrize("kind", KINDS)
def test_six_sigma_are_found_nearly_always(kind):
    got = [find_interventions(walk(100 + seed, 0.18, kind, 8 + seed)).table for seed in range(28)]
    hits = [((table["month"] - MONTHS[8 + seed]).map(lambda d: abs(d.n)) <= 1).any() for seed, table in enumerate(got)]
    assert np.mean(hits) >= 0.9


def test_five_large_events_that_hide_one_another_are_all_found():
    rng, missed = np.random.default_rng(3), 0
    for i in range(10):
        e = rng.standard_normal(44)
        z = np.cumsum(e) if i % 2 else e
        at = rng.choice(np.arange(4, 40, 3), 5, replace=False)
        z = z + sum(rng.choice([-8, 8]) * shape(KINDS[rng.integers(3)], month, 44) for month in at)
        table = find_interventions(pd.Series(np.exp(0.03 * z), index=MONTHS)).table
        position = MONTHS.get_indexer(pd.PeriodIndex(table["month"]))
        missed += sum(np.abs(position - month).min() > 1 for month in at)
    assert missed <= 2


def test_several_large_events_do_not_hide_one_another():
    y = walk(3, 0.6) * np.exp(-0.5 * shape("outlier", 30, 44) + 0.7 * shape("level_shift", 10, 44))
    assert {MONTHS[10], MONTHS[20], MONTHS[30]} <= set(find_interventions(y).table["month"])


def test_a_known_event_is_listed_whether_it_shows_or_not():
    events = pd.DataFrame({"month": [MONTHS[20], MONTHS[33]], "zh": ["推动", "升级"], "en": ["push", "upgrade"]})
    got = find_interventions(walk(1, 0.5), events)
    rows = got.table.set_index("en")
    assert rows.loc["push", "found"] and not rows.loc["upgrade", "found"]
    assert "push" in got.reading("en") and "does not show" in got.reading("en")
    assert "推动" in got.reading("zh") and "<table" in got._repr_html_()


def test_a_named_event_a_month_beside_is_recognised_and_said():
    events = pd.DataFrame({"month": [MONTHS[19]], "zh": ["推动"], "en": ["push"], "kind": [""]})
    got = find_interventions(walk(1, 0.5), events)
    row = got.table[got.table["en"] == "push"].iloc[0]
    assert row["month"] == MONTHS[20] and row["off"] == 1 and row["found"]
    assert "listed for Aug 2009, a month before" in got.reading("en") and "晚一个月" in got.reading("zh")
    late = find_interventions(walk(1, 0.5), events.assign(month=MONTHS[21]))
    assert late.table.loc[late.table["en"] == "push", "off"].item() == -1
    assert "a month after it shows" in late.reading("en") and "早一个月" in late.reading("zh")


@pytest.mark.parametrize("kind", KINDS)
def test_a_named_event_may_name_its_kind(kind):
    events = pd.DataFrame({"month": [MONTHS[20]], "zh": ["推动"], "en": ["push"], "kind": [kind]})
    table = find_interventions(walk(1, 0.5), events).table
    assert table.loc[table["en"] == "push", "kind"].item() == kind
    with pytest.raises(ConfigError, match="is no kind of event; found 'earthquake'; expected outlier, level_sh"):
        find_interventions(walk(1), events.assign(kind="earthquake"))


def test_a_festival_that_moves_the_months_is_one_finding_and_no_list_of_odd_months():
    rng = np.random.default_rng(8)
    x = festival(MONTHS, "china", 4, 10).to_numpy()
    y = pd.Series(np.exp(0.03 * np.cumsum(rng.standard_normal(44)) - 0.4 * x), index=MONTHS)
    got = find_interventions(y, calendar="china")
    assert got.table["kind"].tolist() == ["festival"]
    assert got.table["size"].item() == pytest.approx(np.expm1(-0.4), abs=0.1)
    assert "Spring Festival" in got.reading("en") and "春节" in got.reading("zh")
    assert f"{got.window[1]} days after" in got.reading("en")
    assert (find_interventions(y, calendar="none").table["kind"] != "festival").all()


def test_diwali_is_found_in_its_own_calendar():
    rng = np.random.default_rng(9)
    months = pd.period_range("2011-04", periods=60, freq="M")
    x = festival(months, "india", 10, 4).to_numpy()
    y = pd.Series(np.exp(0.03 * np.cumsum(rng.standard_normal(60)) + 0.4 * x), index=months)
    got = find_interventions(y, calendar="india")
    assert got.table["kind"].tolist() == ["festival"] and "Diwali" in got.reading("en")


def test_taken_out_only_beyond_doubt_unless_listed():
    z = np.log(walk(1, 0.16).to_numpy())        # some five shocks: found, but not beyond doubt
    same, none = take_out(z, MONTHS)
    assert none == [] and np.array_equal(same, z)
    adjusted, events = take_out(z, MONTHS, listed=[(None, MONTHS[20])])
    assert [(kind, at) for kind, at, _ in events] == [("level_shift", 20)]
    size = events[0][2]
    assert np.allclose(adjusted, z + size * (np.arange(44) < 20))
    assert abs(size - 0.16) < 0.08


def test_a_listed_event_smaller_than_its_error_or_outside_stays():
    z = np.log(walk(1).to_numpy())
    quiet = int(np.abs(np.diff(z) - np.diff(z).mean()).argmin()) + 1
    listed = [("level_shift", MONTHS[quiet]), (None, MONTHS[0]), (None, MONTHS[-1] + 5)]
    same, events = take_out(z, MONTHS, listed=listed)
    assert events == [] and np.array_equal(same, z)


def test_in_the_last_months_only_a_named_kind_is_taken_out():
    z = np.log(walk(1, -0.6, "outlier", 43).to_numpy())
    assert take_out(z, MONTHS)[1] == [] and take_out(z, MONTHS, listed=[(None, MONTHS[43])])[1] == []
    adjusted, events = take_out(z, MONTHS, listed=[("outlier", MONTHS[43])])
    assert events[0][:2] == ("outlier", 43) and abs(events[0][2] + 0.6) < 0.15
    assert np.array_equal(adjusted[:43], z[:43])


def test_with_a_calendar_the_festival_is_left_in():
    rng = np.random.default_rng(8)
    x = festival(MONTHS, "china", 4, 10).to_numpy()
    z = 0.01 * np.cumsum(rng.standard_normal(44)) - 0.8 * x
    same, events = take_out(z, MONTHS, calendar="china")
    assert events == [] and np.array_equal(same, z)


def test_what_is_required_grows_with_the_months_and_with_times():
    assert required(24) < required(44) < required(120)
    assert [required(44, times) for times in (1.5, 2, 3)] == pytest.approx([9.06, 14.71, 25.44], abs=0.006)
    assert required(44, 1) == required(44) == 3.8


@given(st.integers(0, 10**6), st.floats(-50, 50), st.floats(0.01, 100))
def test_level_unit_and_sign_change_nothing_but_the_size(seed, level, unit):
    rng = np.random.default_rng(seed)
    z = np.cumsum(rng.standard_normal(30)) + rng.choice([-9, 9]) * shape(KINDS[seed % 3], 12, 30)
    months = pd.period_range("2010-01", periods=30, freq="M")
    a, b = take_out(z, months), take_out(level - unit * z, months)
    assert [event[:2] for event in a[1]] == [event[:2] for event in b[1]]
    assert np.allclose([-unit * event[2] for event in a[1]], [event[2] for event in b[1]], rtol=1e-5)


def test_scale_changes_nothing():
    a, b = find_interventions(walk(5, 0.4)).table, find_interventions(walk(5, 0.4) * 1e-6).table
    pd.testing.assert_frame_equal(a, b, rtol=1e-6)


def test_the_critical_value_is_one_of_a_search():
    assert critical_value(44) > 3.2 and critical_value(24) > 3.2 and critical_value(240) > critical_value(120)


def test_a_season_is_no_event():
    season = np.exp(0.3 * np.cos(np.arange(44) * np.pi / 6))
    assert np.mean([len(find_interventions(walk(seed) * season).table) for seed in range(20)]) < 0.4


def test_bad_input():
    with pytest.raises(SeriesError, match="too short or too constant to search for events; found '10 months'.*18"):
        find_interventions(walk(1).iloc[:10])
    with pytest.raises(SeriesError, match="constant"):
        find_interventions(pd.Series(5.0, index=MONTHS))
    with pytest.raises(SeriesError, match="PeriodIndex"):
        find_interventions(pd.Series(np.arange(30.0)))


def test_the_policy_push_of_2008_comes_out(cleaned):
    got = find_interventions(cleaned.series("rizhao", "sms"), known_events(cleaned.source, "rizhao", "sms"), "china")
    row = got.table[got.table["month"] == pd.Period("2008-10", "M")].iloc[0]
    assert row["kind"] == "level_shift" and row["found"] and row["size"] > 1 and row["zh"]
