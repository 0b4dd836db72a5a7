"""Forecasts of branches and province before and after they add up, at origins that know nothing of what came."""

import types

import numpy as np
import pandas as pd
import pytest

from benchmarks.reconciliation import reconciliation_backtest
from ebank_lib.cleaning import clean
from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.forecasting.ets import fit_ets
from ebank_lib.province import METHODS
from ebank_lib.province.reconciliation import one_step_errors

FEW = ["income_total", "sms"]
PLACES = ["jinan", "rizhao", "laiwu", "heze"]


@pytest.fixture(scope="module")
def tested(cleaned):
    return reconciliation_backtest(cleaned, FEW, origins=2, models="theta", branches=PLACES)


def test_errors_are_those_of_the_smoothing_at_today_s_size():
    rng = np.random.default_rng(0)
    y = pd.Series(np.exp(5 + 0.03 * np.arange(40) + 0.05 * np.cumsum(rng.normal(size=40))),
                  pd.period_range("2008-01", periods=40, freq="M"))
    found = one_step_errors(y, "flow")
    z = np.log(y.to_numpy())
    e = fit_ets(z, "AAdN").residuals(z)
    assert found.iloc[:2].isna().all()
    plain = y.iloc[-1] * (np.exp(e) - 1)
    inside = (found.iloc[2:] != found.max()) & (found.iloc[2:] != found.min())
    assert found.iloc[2:][inside].to_numpy() == pytest.approx(plain[2:][inside], rel=1e-6)
    # The same growth ten times as large has errors ten times as large.
    assert one_step_errors(y * 10, "flow").iloc[2:].to_numpy() == pytest.approx(found.iloc[2:] * 10, rel=1e-4)


def test_one_misprint_does_not_decide_and_missing_months_stay_missing():
    rng = np.random.default_rng(1)
    y = pd.Series(100 + rng.normal(size=48), pd.period_range("2008-01", periods=48, freq="M"))
    y.iloc[20] = np.nan
    odd = y.copy()
    odd.iloc[30] = 120.0
    calm, struck = one_step_errors(y, "stock"), one_step_errors(odd, "stock")
    assert np.isnan(calm.iloc[20])
    assert struck.std() < 2 * calm.std()
    assert (one_step_errors(y * 0 + 5, "stock").dropna() == 0).all()          # never changed: no surprise


def test_every_level_has_every_method_and_sums_hold(tested):
    assert set(tested.scores()["level"]) == {"province", "province_part", "branch", "branch_part", "all"}
    assert set(tested.table["method"]) == {"base", *METHODS} and tested.failures.empty
    rows = tested.table[tested.table["horizon"] == 5]
    wide = rows.pivot_table(index=["method", "cutoff"], columns=["branch", "indicator"], values="y_hat")
    sums = {m: wide.loc[m]["shandong"]["income_total"] - wide.loc[m].drop(columns="shandong", level=0).xs(
        "income_total", axis=1, level=1).sum(axis=1) for m in ("base", *METHODS)}
    assert (sums["base"].abs() > 1).all()                                     # as they come they do not add up
    assert all((sums[m].abs() < 1e-3).all() for m in METHODS)


def test_bottom_up_leaves_the_lowest_level_alone(tested):
    rows = tested.table[tested.table["level"] == "branch_part"]
    wide = rows.pivot_table(index=["branch", "indicator", "cutoff", "horizon"], columns="method", values="y_hat")
    assert wide["bottom_up"].to_numpy() == pytest.approx(wide["base"].to_numpy())


def test_the_scores_are_absolute_errors_over_yearly_changes(tested, cleaned):
    rows = tested.table[(tested.table["branch"] == "rizhao") & (tested.table["indicator"] == "sms")
                        & (tested.table["method"] == "mint")]
    y = cleaned.series("rizhao", "sms")
    cutoff = rows["cutoff"].min()
    assert rows.loc[rows["cutoff"] == cutoff, "scale"].iloc[0] == pytest.approx(y.loc[:cutoff].diff(12).abs().mean())
    assert rows["y"].to_numpy() == pytest.approx(y.loc[pd.PeriodIndex(rows["month"], freq="M")].to_numpy())
    everything = tested.table[tested.table["method"] == "mint"]
    mase = ((everything["y_hat"] - everything["y"]).abs() / everything["scale"]).mean()
    scores = tested.scores().set_index(["level", "method"])
    assert scores.loc[("all", "mint"), "mase"] == pytest.approx(mase)
    assert scores.loc[("all", "mint"), "ratio"] == pytest.approx(mase / scores.loc[("all", "base"), "mase"])
    assert scores.loc[("all", "mint"), "n"] == len(everything)


@pytest.mark.slow
def test_reconciling_costs_no_more_than_one_per_cent_on_the_sample(cleaned):
    scores = reconciliation_backtest(cleaned, models="theta", origins=3, methods=("mint",)).scores()
    assert scores.set_index(["level", "method"]).loc[("all", "mint"), "ratio"] <= 1.01


def test_nothing_is_known_of_what_comes_after_the_origin(cleaned, tested):
    cutoff = tested.table["cutoff"].min()
    panel = cleaned.panel.copy()
    panel[panel.index.get_level_values("month") > cutoff] *= 3
    changed = reconciliation_backtest(types.SimpleNamespace(panel=panel, catalog=cleaned.catalog), ["sms"], origins=2,
                                      models="theta", methods=("mint",), branches=PLACES).table
    mine = tested.table[(tested.table["indicator"] == "sms") & (tested.table["method"] == "mint")]
    first = [frame[(frame["cutoff"] == cutoff) & (frame["method"] == "mint")]["y_hat"].to_numpy()
             for frame in (mine, changed)]
    assert np.array_equal(*first)


def test_what_cannot_be_tested_is_said(cleaned):
    with pytest.raises(UnknownNameError, match="Did you mean 'mint'"):
        reconciliation_backtest(cleaned, methods=("mnit",))
    short = types.SimpleNamespace(panel=cleaned.panel.groupby(level="branch", sort=False).head(20),
                                  catalog=cleaned.catalog)
    with pytest.raises(SeriesError, match="nothing could be tested"):
        reconciliation_backtest(short, ["sms"])
    dead = cleaned.panel.copy()
    dead.loc["heze", "sms"] = np.nan
    dead.loc[("heze", "2011-07"), "sms"] = 5.0
    found = reconciliation_backtest(types.SimpleNamespace(panel=dead, catalog=cleaned.catalog), ["sms", "mobile"],
                                    origins=1, models="theta", methods=("mint",), branches=PLACES)
    assert found.failures["indicator"].tolist() == ["sms"] and "too few months" in found.failures["reason"].iloc[0]
    assert "sms" not in set(found.table["indicator"])


@pytest.mark.real_data
@pytest.mark.slow
def test_reconciling_costs_no_more_than_one_per_cent_on_rbi(root, shared_data, monkeypatch):
    monkeypatch.setenv("EBANK_SHARED", str(shared_data.parent))
    banks = clean(root / "tests" / "rbi" / "neft")
    size = banks.panel.drop(index="all-banks", level="branch")["outward_txn"].groupby(level="branch").apply(
        lambda y: y.iloc[-36:].median())
    largest = size.sort_values(ascending=False).index[:12].tolist()
    found = reconciliation_backtest(banks, branches=largest, models="theta", methods=("mint",)).scores()
    assert found.set_index(["level", "method"]).loc[("all", "mint"), "ratio"] <= 1.01
