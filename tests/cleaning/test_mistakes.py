"""Series that no identity speaks for: a level that moves and stays is a fact, a month that alone is off is a spike."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ebank_lib.cleaning import POLICIES, clean

from .conftest import small_catalog

MONTHS = pd.period_range("2008-01", periods=36, freq="M")


def noisy(seed, noise=0.012, growth=0.03, size=2000):
    rng = np.random.default_rng(seed)
    return np.round(size * np.exp(growth * np.arange(len(MONTHS)) + noise * rng.normal(size=len(MONTHS))))


def clean_one(values, policy="conservative"):
    """Clean one series of one branch; return its numbers and what was said of them, as (rule, decision, month)."""
    cells = pd.DataFrame({"file": "u.csv", "sheet": "", "row": np.arange(2, 2 + len(values)), "column": "B",
                          "branch": "east分行", "month": MONTHS[:len(values)], "indicator": "stock",
                          "text": [str(int(v)) for v in values], "unit": "户", "revision": 0, "merged": ""})
    cleaned = clean(SimpleNamespace(catalog=small_catalog(total=False)), policy, cells=cells)
    rows = cleaned.entries[cleaned.entries["decision"].isin(["flagged", "corrected", "filled"])]
    said = {(r.rule, r.decision, (r.month - MONTHS[0]).n) for r in rows.itertuples()}
    return cleaned.panel.loc["east", "stock"].to_numpy(float), said


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("at", [4, 9, 18, 32])
@pytest.mark.parametrize("times", [4.15, 2.0, 0.4])
@pytest.mark.parametrize("seed", range(2))
def test_a_level_that_moves_and_stays_is_only_said(policy, at, times, seed):
    values = noisy(seed)
    values[at:] = np.round(values[at:] * times)
    got, said = clean_one(values, policy)
    assert said == {("level_break", "flagged", at)} and np.array_equal(got, values)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("at", [1, 2, 34, 35])
@pytest.mark.parametrize("times", [3.0, 0.3])
def test_a_step_too_near_an_end_to_be_judged_is_left_alone(policy, at, times):
    values = noisy(7)
    values[at:] = np.round(values[at:] * times)
    got, said = clean_one(values, policy)
    assert said == set() and np.array_equal(got, values)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_step_between_constants(policy):
    values = np.where(np.arange(36) < 10, 100.0, 250.0)
    got, said = clean_one(values, policy)
    assert said == {("level_break", "flagged", 10)} and np.array_equal(got, values)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("at", [2, 12, 33])
def test_zeros_before_a_launch_are_no_spikes(policy, at):
    values = np.where(np.arange(36) < at, 0.0, 500.0 + 3 * np.arange(36))
    got, said = clean_one(values, policy)
    assert "spike" not in {rule for rule, _, _ in said} and np.array_equal(got, values)


@pytest.mark.parametrize("at", [1, 5, 18, 34])
@pytest.mark.parametrize("times", [2.3, 0.37, 1.5])
@pytest.mark.parametrize("growth", [0.0, 0.03, 0.08])
def test_a_month_that_alone_is_off_is_a_spike(at, times, growth):
    true = noisy(at, growth=growth)
    values = true.copy()
    values[at] = np.round(values[at] * times)
    for policy in ("conservative", "none"):
        got, said = clean_one(values, policy)
        assert said == {("spike", "flagged", at)} and np.array_equal(got, values)
    got, said = clean_one(values, "interpolate")
    assert said == {("spike", "flagged", at), ("interpolated", "filled", at)}
    assert got[at] == pytest.approx(true[at], rel=0.06) and np.array_equal(np.delete(got, at), np.delete(values, at))


@pytest.mark.parametrize("step", [0.4, 4.0])
def test_a_spike_in_a_series_that_also_steps(step):
    values = noisy(3)
    values[24:] = np.round(values[24:] * step)
    values[10] = np.round(values[10] * 0.2)
    got, said = clean_one(values, "interpolate")
    assert said == {("spike", "flagged", 10), ("interpolated", "filled", 10), ("level_break", "flagged", 24)}
    assert got[23] == values[23] and got[24] == values[24]


@pytest.mark.parametrize("seed", range(4))
def test_a_series_as_rough_as_published_ones(seed):
    """A fifth up or down from one month to the next is usual here; ninety times less is not, and it comes back."""
    values = noisy(seed, noise=0.15)
    assert not clean_one(values)[1]
    values[20] = np.round(values[20] / 90)
    assert {rule for rule, _, month in clean_one(values)[1] if month == 20} <= {"spike", "decimal_slip"}
    assert 20 in {month for _, _, month in clean_one(values)[1]}
