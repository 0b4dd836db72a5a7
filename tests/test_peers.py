"""A branch among its peers: positions, months behind, against closed forms and known answers."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from ebank_lib.catalog import Branch, Catalog, Indicator, Texts
from ebank_lib.errors import UnknownNameError
from ebank_lib.peers import compare_peers, matrix, months_since, percentile_interval

MONTHS = pd.period_range("2008-01", periods=44, freq="M")


def province(values, kinds=None, total=False):
    """What peers need of a cleaned source. `values`: indicator -> months x branches; `kinds`: stock where not named."""
    kinds = kinds or {}
    branches = list(next(iter(values.values())))
    units = {"1": Texts(zh="", en=""), "户": Texts(zh="户", en="customers")}
    indicators = {k: Indicator(key=k, zh=f"指标{k}", en=f"indicator {k}", group="all", kind=kinds.get(k, "stock"),
                               unit="1" if kinds.get(k) == "ratio" else "户") for k in values}
    rows = {b: Branch(b, f"{b}分行", b.title()) for b in branches}
    if total:
        rows["all"] = Branch("all", "合计", "All", "total")
    catalog = Catalog(indicators, {}, units, {"all": Texts(zh="全部", en="All")}, (), rows, (next(iter(values)),))
    frames = {b: pd.DataFrame({k: v[b] for k, v in values.items()}, index=MONTHS, dtype=float) for b in branches}
    if total:
        frames["all"] = sum(frames.values())
    panel = pd.concat(frames, names=["branch", "month"])
    return SimpleNamespace(catalog=catalog, panel=panel)


def rising(start=100.0, rate=0.03, n=44):
    return start * np.exp(rate * np.arange(n))


def names(n):
    return [f"b{k:02d}" for k in range(n)]


# --- percentile and rank

@settings(max_examples=25)
@given(st.lists(st.integers(0, 5), min_size=5, max_size=20), st.data())
def test_percentile_and_rank_are_counts_of_the_others(values, data):
    values = [float(v) for v in values]
    me = data.draw(st.integers(0, len(values) - 1))
    branches = names(len(values))
    found = compare_peers(province({"x": {b: np.full(44, v) for b, v in zip(branches, values)}}), branches[me])
    row = found.latest.query("measure == 'level'").iloc[-1]
    others = values[:me] + values[me + 1:]
    assert row["rank"] == 1 + sum(v > values[me] for v in others)
    assert row["percentile"] == pytest.approx(np.mean([(v < values[me]) + (v == values[me]) / 2 for v in others]))
    assert row["lo"] <= row["percentile"] <= row["hi"]
    assert row["median"] == np.median(values)
    assert found.everyone.loc[("x", "level")].tolist() == values


def test_the_interval_of_a_percentile_is_that_of_a_binomial_share():
    """Jeffreys' interval as statsmodels computes it, but for the ends that are certain."""
    for below in range(1, 15):
        lo, hi = percentile_interval(below, 15)
        assert (lo, hi) == pytest.approx(proportion_confint(below, 15, 0.05, "jeffreys"))
    assert percentile_interval(0, 15)[0] == 0 and percentile_interval(15, 15)[1] == 1


def test_the_interval_covers_the_share_of_branches_like_these():
    """Over all shares p a 95% Jeffreys interval of 15 others covers p in about 95% of draws."""
    below = np.arange(16)
    lo, hi = percentile_interval(below, 15)
    cover = [stats.binom.pmf(below, 15, p)[(lo <= p) & (p <= hi)].sum() for p in np.linspace(0.02, 0.98, 97)]
    assert 0.93 < np.mean(cover) < 0.97


def test_the_reading_counts_quarters_and_names_the_ends():
    """Nine branches; of five ratios 0, 2, 3, 6 and 8 of the eight others stand below: 0, 25, 37.5, 75 and 100%."""
    others = {f"o{j}": np.full(44, j / 10 + 0.01) for j in range(8)}
    values = {f"x{k}": {"me": np.full(44, below / 10 + 0.001)} | others for k, below in enumerate((0, 2, 3, 6, 8))}
    found = compare_peers(province(values, dict.fromkeys(values, "ratio")), "me")
    assert found.latest["percentile"].tolist() == [0, 0.25, 0.375, 0.75, 1] and found.latest["rank"].iloc[2] == 6
    said = found.reading("en")
    assert "among 9 branches, " in said and "in the highest quarter in 2 and in the lowest in 2 of 5 comp" in said
    assert said.endswith("(rank 1) and furthest down in indicator x0 (rank 9).")
    assert [said[a:b] for a, b, _ in said.cells] == ["9", "2", "2", "5", "1", "9"]


# --- months behind

@pytest.mark.parametrize("kind", ["stock", "ratio", "flow"])
def test_a_copy_seven_months_late_is_seven_months_behind(kind):
    season = 1 + 0.1 * np.sin(np.arange(60) * np.pi / 6) if kind == "flow" else np.ones(60)
    leader = rising(0.1 if kind == "ratio" else 100, 0.03, 60) * season
    values = {"x": {"lead": leader[16:], "late": leader[9:53],
                    **{f"low{k}": leader[:44] / 9 for k in range(4)}}}
    found = compare_peers(province(values, {"x": kind}), "late")
    row = found.latest.query("measure == 'level'").iloc[-1]
    assert (row["leader"], row["leader_state"], row["leader_months"]) == ("lead", "behind", 7)


@settings(max_examples=15)
@given(st.integers(1, 25))
def test_any_lag_is_found_again(lag):
    path = rising(n=44 + lag)
    values = {"x": {"lead": path[lag:], "late": path[:44], **{f"same{k}": path[:44] for k in range(3)}}}
    rows = compare_peers(province(values), "late").latest.query("measure == 'level'")
    assert rows.iloc[-1]["leader_months"] == lag
    ahead = compare_peers(province(values), "lead").latest.query("measure == 'level'").iloc[-1]
    assert (ahead["leader_state"], ahead["leader_months"]) == ("leader", 0)


def test_a_level_that_the_leader_has_never_been_below_is_a_labelled_answer():
    values = {"x": {"lead": rising(1000), "small": rising(10, 0.01), **{f"m{k}": rising(50) for k in range(3)}}}
    found = compare_peers(province(values), "small")
    row = found.latest.query("measure == 'level'").iloc[-1]
    assert (row["leader_state"], row["leader_months"]) == ("behind_window", 43)


def test_growth_does_not_depend_on_size():
    """Two cities that grow alike differ in size and in nothing else."""
    values = {"x": {f"b{k}": rising(10.0 ** k) for k in range(6)}}
    row = compare_peers(province(values), "b0").latest.set_index("measure")
    assert row.loc["level", "rank"] == 6 and row.loc["growth", "median"] == pytest.approx(math.exp(0.03 * 43))
    assert row.loc["growth", "y"] == pytest.approx(math.exp(0.03 * 43))


def test_missing_months_say_nothing():
    assert months_since(np.array([1, np.nan, 3, np.nan, 5]), 2.0) == (2, False)
    assert months_since(np.array([np.nan, np.nan, 3, 4]), 2.0) == (1, True)


def test_a_flow_is_compared_by_the_average_of_twelve_months_and_a_lost_month_costs_nothing_else():
    y = rising(120, 0.0)
    y[20] = np.nan
    wide = matrix(province({"x": {"a": y, "b": y * 2}}, {"x": "flow"}).panel,
                  province({"x": {"a": y, "b": y}}, {"x": "flow"}).catalog, "x")
    assert wide["a"].iloc[:11].isna().all() and wide["a"].iloc[11:].notna().all()
    assert wide["a"].iloc[25] == pytest.approx(120)


# --- branches that are different

def test_a_branch_that_opened_last_year_gets_a_labelled_answer():
    late = np.where(np.arange(44) < 34, np.nan, rising())
    found = compare_peers(province({"x": {"new": late, **{f"b{k}": rising(50 + k) for k in range(6)}}}), "new")
    status = found.latest.set_index("measure")["status"]
    assert (status["level"], status["growth"]) == ("ok", "late")


def test_a_flow_of_less_than_a_year_has_no_average_to_compare():
    late = np.where(np.arange(44) < 36, np.nan, rising())
    found = compare_peers(province({"x": {"new": late, **{b: rising() for b in names(5)}}}, {"x": "flow"}), "new")
    assert found.latest["status"].tolist() == ["short", "short"]


def test_a_branch_without_a_value_keeps_its_row():
    found = compare_peers(province({"x": {"none": np.full(44, np.nan), **{b: rising() for b in names(5)}}}), "none")
    assert found.latest["status"].tolist() == ["missing", "missing"] and found.latest["percentile"].isna().all()
    assert "no ratio to compare it by" in found.reading("en")


def test_few_branches_have_a_rank_but_no_percentile():
    found = compare_peers(province({"x": {"a": rising(), "b": rising(50), "c": rising(30)}}), "b")
    row = found.latest.iloc[0]
    assert (row["rank"], row["status"]) == (2, "few") and math.isnan(row["percentile"])


def test_the_printed_total_is_no_peer(cleaned):
    found = compare_peers(cleaned, "rizhao", ["mobile"])
    assert set(found.everyone.columns) == set(cleaned.catalog.reporting) and found.latest["n"].max() == 16
    with pytest.raises(UnknownNameError, match="rizhao"):
        compare_peers(cleaned, "rizhaoo")
    with pytest.raises(UnknownNameError, match="unknown branch among the peers 'shandong'"):
        compare_peers(cleaned, "shandong")
    with pytest.raises(UnknownNameError, match="mobile"):
        compare_peers(cleaned, "rizhao", ["mobil"])


def test_a_table_s_figures_can_be_found_in_the_panel(cleaned):
    found = compare_peers(cleaned, "rizhao", ["mobile_activity"]).latest.iloc[0]
    last = cleaned.panel["mobile_activity"].xs(cleaned.months[-1], level="month")[cleaned.catalog.reporting]
    assert found["y"] == last["rizhao"] and found["rank"] == last.rank(ascending=False)["rizhao"]
    assert (found["leader"], found["leader_y"], found["median"]) == (last.idxmax(), last.max(), last.median())


# --- published data

@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("name", ["mobile", "neft"])
def test_the_banks_of_india_are_compared_late_starters_and_all(root, shared_data, monkeypatch, name):
    from ebank_lib.cleaning import clean

    monkeypatch.setenv("EBANK_SHARED", str(shared_data.parent))
    banks = clean(root / "tests" / "rbi" / name)
    last = banks.panel.index.get_level_values("month").max()
    first = banks.panel.iloc[:, 0].dropna().reset_index("month").groupby("branch", sort=False)["month"].min()
    young = next(b for b in first.index if first[b] > last - 18 and b in banks.catalog.reporting)
    found = compare_peers(banks, young)
    assert len(found.latest) == 2 * banks.panel.shape[1] and set(found.latest["status"]) <= {"ok", "late", "short"}
    assert set(found.latest["status"]) != {"ok"}
    for lang in ("zh", "en"):
        assert "{" not in found.reading(lang) and "nan" not in found.reading(lang)
