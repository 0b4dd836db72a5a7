"""Planted events are found, clean series stay clean, known events are fitted first and named."""

import numpy as np
import pandas as pd
import pytest

from ebank_lib.errors import SeriesError
from ebank_lib.events import find_interventions
from ebank_lib.events.noise import KINDS, shape
from ebank_lib.events.search import critical_value

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


def test_clean_series_raise_few_alarms():
    assert np.mean([len(find_interventions(walk(seed)).table) for seed in range(60)]) < 0.35


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


def test_scale_changes_nothing():
    a, b = find_interventions(walk(5, 0.4)).table, find_interventions(walk(5, 0.4) * 1e-6).table
    pd.testing.assert_frame_equal(a, b, rtol=1e-6)


def test_the_critical_value_is_one_of_a_search():
    assert critical_value(44) > 3.2 and critical_value(24) > 3.2 and critical_value(240) > critical_value(120)


def test_a_season_is_no_event():
    season = np.exp(0.3 * np.cos(np.arange(44) * np.pi / 6))
    assert np.mean([len(find_interventions(walk(seed) * season).table) for seed in range(20)]) < 0.4


def test_bad_input():
    with pytest.raises(SeriesError, match="18 months"):
        find_interventions(walk(1).iloc[:10])
    with pytest.raises(SeriesError, match="constant"):
        find_interventions(pd.Series(5.0, index=MONTHS))
    with pytest.raises(SeriesError, match="PeriodIndex"):
        find_interventions(pd.Series(np.arange(30.0)))


def test_the_policy_push_of_2008_comes_out(cleaned):
    from ebank_lib.events import known_events

    got = find_interventions(cleaned.series("rizhao", "sms"), known_events(cleaned.source, "rizhao", "sms"), "china")
    row = got.table[got.table["month"] == pd.Period("2008-10", "M")].iloc[0]
    assert row["kind"] == "level_shift" and row["found"] and row["size"] > 1 and row["zh"]
