"""Rolling origin: nothing after the cutoff matters, measures are the library's, the grade follows its rule."""

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from ebank_lib.arma import fit_arma
from ebank_lib.errors import ConfigError, SeriesError, UnknownNameError
from ebank_lib.forecasting import backtest, forecast
from ebank_lib.forecasting.backtest import cutoffs_of
from ebank_lib.forecasting.candidates import CANDIDATES

from .test_forecast import growth, monthly

FAST = ("theta", "drift", "snaive")


def test_what_comes_after_the_cutoff_changes_nothing_that_was_said():
    y = growth(n=50)
    b = backtest(y, FAST, origins=4)
    cutoff = sorted(b.table["cutoff"].unique())[1]
    changed = y.copy()
    changed.loc[cutoff + 1:] *= np.random.default_rng(0).uniform(0.2, 5, (changed.index > cutoff).sum())
    c = backtest(changed, FAST, origins=4)
    said = [c for c in b.table.columns if c not in ("y", "crps")]       # what came, and the score against it
    before, after = (x.table.loc[x.table["cutoff"] <= cutoff, said].reset_index(drop=True) for x in (b, c))
    pd.testing.assert_frame_equal(before, after)


def test_origins_of_44_months():
    b = backtest(growth(), FAST)
    assert b.origins == 12 and b.table["month"].max() == pd.Period("2011-08", "M")
    assert (b.table["month"] > b.table["cutoff"]).all()
    assert cutoffs_of(44, 12, 12)[0] == 24


def test_measures_are_those_of_utilsforecast():
    y = growth(n=60)
    b = backtest(y, FAST, origins=1)
    scores = b.scores().set_index("model")
    for model in FAST:
        rows = b.table[b.table["model"] == model]
        cutoff = rows["cutoff"].iloc[0]
        frame = pd.DataFrame({"unique_id": "y", "y": rows["y"].astype(float), "m": rows["y_hat"].astype(float)})
        train = pd.DataFrame({"unique_id": "y", "y": y.loc[:cutoff].to_numpy()})
        assert np.isclose(scores.loc[model, "mase"], losses.mase(frame, ["m"], 12, train)["m"].iloc[0])
        assert np.isclose(scores.loc[model, "rmsse"], losses.rmsse(frame, ["m"], 12, train)["m"].iloc[0])
        assert np.isclose(scores.loc[model, "smape"], 200 * losses.smape(frame, ["m"])["m"].iloc[0])
        limits = frame.assign(**{"m-lo-95": rows["lo-95"].astype(float), "m-hi-95": rows["hi-95"].astype(float)})
        msis = losses.winkler_score(limits, ["m"], 95)["m"].iloc[0] / rows["scale"].iloc[0]
        assert np.isclose(scores.loc[model, "msis-95"], msis)
        assert np.isclose(scores.loc[model, "crps"], (rows["crps"] / rows["scale"]).mean())
    assert scores.loc[["snaive", "drift"], "ratio"].min() == 1


def test_by_horizon_each_month_ahead_is_compared_with_the_better_simple_rule():
    scores = backtest(growth(), FAST).scores("horizon")
    assert (scores[scores["model"].isin(["snaive", "drift"])].groupby("horizon")["ratio"].min() == 1).all()
    assert scores.groupby("model").size().eq(12).all()


def test_a_series_too_short_for_an_origin_is_grade_e_not_an_error():
    b = backtest(monthly(np.arange(1.0, 20)), FAST)
    assert b.origins == 0 and b.grade().letter == "E" and "E" in b.reading("zh")
    assert b.scores().empty and "<table" in b._repr_html_()


def test_a_model_that_fails_at_some_origins_is_compared_on_the_others(monkeypatch):
    monkeypatch.setitem(CANDIDATES, "snaive_drift", (CANDIDATES["snaive_drift"][0], 25))
    b = backtest(growth(n=38), ("snaive_drift", "snaive"), horizon=6, origins=12)
    failed = b.table[b.table["reason"] != ""]
    assert set(failed["model"]) == {"snaive_drift"} and failed["cutoff"].nunique() == 1
    assert b.scores().set_index("model")["n"].nunique() == 1


def test_what_trends_is_held_against_the_straight_line_not_against_last_year_alone():
    # a strong regular trend: last year's month is far off, a straight line is not, and so is nobody's feat
    y = monthly(1000 * np.exp(np.arange(60) * 0.04 + 0.002 * np.random.default_rng(0).normal(size=60)))
    b = backtest(y, ("combination",), kind="flow")
    assert b.grade("drift").letter == "C" and b.grade("snaive").letter == "D" and b.grade().letter in "CD"
    assert "two simple rules" in b.reading("en")


def test_a_known_better_method_gets_the_better_grade():
    # a season and a trend: neither last year's month nor the straight line is good enough
    t, noise = np.arange(60), 0.02 * np.random.default_rng(0).normal(size=60)
    y = monthly(1000 * np.exp(0.02 * t + 0.3 * np.sin(2 * np.pi * t / 12) + noise))
    b = backtest(y, ("combination", "naive"), kind="flow")
    assert b.grade().letter == "A" and "smaller" not in b.reading("en")
    other = backtest(y, ("naive", "combination"), kind="flow")
    assert other.grade().letter in "CD" and "组合预测的误差更小（MASE" in other.reading("zh")
    assert "error of combination is smaller" in other.reading("en") and "chance" not in other.reading("en")


def test_limits_hold_what_they_promise_where_the_truth_is_known():
    inside, n = 0, 0
    for seed in range(40):
        b = backtest(growth(seed, season=0, n=60), ("drift",), horizon=6, origins=1, kind="stock")
        rows = b.table[b.table["model"] == "drift"].astype({"y": float})
        inside += ((rows["y"] >= rows["lo-80"]) & (rows["y"] <= rows["hi-80"])).sum()
        n += len(rows)
    assert 0.68 < inside / n < 0.92      # 40 series, months of one series hang together


def test_the_reading_says_when_a_lead_could_be_chance():
    rng = np.random.default_rng(2)
    noise = monthly(100 * np.exp(0.1 * rng.normal(size=44)))
    b = backtest(noise, ("theta",), kind="flow", origins=6)
    assert b.grade().ratio < 1
    assert "could still be chance" in b.reading("en") and "偶然" in b.reading("zh")
    trend = monthly(1000 * np.exp(np.arange(44) * 0.04 + 0.002 * rng.normal(size=44)))
    assert "chance" not in backtest(trend, ("drift",), kind="flow").reading("en")


# --- orders and functions ---------------------------------------------------------------------------------------------

def last_year(y, horizon):
    return np.tile(y.iloc[-12:], -(-horizon // 12))[:horizon]


def test_a_function_is_scored_as_a_method_that_says_the_same():
    scores = backtest(growth(n=60), [last_year, "theta"], origins=3).scores().set_index("model")
    same = ["n", "mase", "rmsse", "smape", "wape", "bias", "ratio"]
    assert np.allclose(scores.loc["last_year", same], scores.loc["snaive", same])
    stated = [c for c in scores if c.startswith(("coverage", "msis"))]
    assert scores.loc["last_year", stated].isna().all() and scores.loc["theta", stated].notna().all()
    assert np.isclose(scores.loc["last_year", "crps"], scores.loc["last_year", "mase"])       # of a point


def test_a_function_sees_the_months_known_then_in_their_own_unit_and_may_spoil_what_it_is_given():
    y, seen = growth(n=40), []

    def spy(known, horizon):
        seen.append(known.copy())
        known[:] = 0
        return np.ones(horizon)

    before = y.copy()
    b = backtest(y, [spy], horizon=3, origins=2)
    assert [len(s) for s in seen] == [36, 37] and all(s.equals(y.iloc[: len(s)]) for s in seen)
    assert y.equals(before) and b.table.loc[b.table["model"] == "spy", "y"].tolist() == [*y.iloc[36:39], *y.iloc[37:40]]


def test_two_orders_on_the_last_twelve_months_are_their_own_models_month_by_month():
    y = growth(n=50)
    b = backtest(y, [(1, 1, 0), (0, 1, 1)], horizon=1, origins=12, kind="flow")
    assert b.models == ("ARIMA(1,1,0)", "ARIMA(0,1,1)", "snaive", "drift")
    assert sorted(b.table["month"].unique()) == list(y.index[-12:])
    said = b.table[(b.table["model"] == "ARIMA(0,1,1)") & (b.table["month"] == y.index[-1])]["y_hat"].item()
    assert np.isclose(said, np.exp(fit_arma(np.log(y.iloc[:-1]), (0, 1, 1)).forecast(1)["y_hat"].item()))
    assert "ARIMA(1,1,0)" in b._repr_html_() and b.reading("zh")


def test_a_function_that_fails_is_named_with_its_reason_and_spares_the_others():
    def picky(y, horizon):
        if len(y) < 30:
            raise ValueError("thirty months, please")
        return y.iloc[-horizon:]        # the months of the past are not those asked for

    b = backtest(growth(n=40), [picky, "drift"], horizon=6, origins=12)
    (failed,) = b.failures.itertuples(index=False)
    assert failed.model == "picky" and failed.origins == 12 and "no finite" in failed.reason
    first = b.table[b.table["model"] == "picky"].iloc[0]
    assert "thirty" in first["reason"] and "picky" in b.to_html("en")
    assert set(b.scores()["model"]) == {"snaive", "drift"}


@pytest.mark.parametrize("models, error, said", [
    ([lambda y, horizon: [1.0]], SeriesError, "a function returned too few values or too many; found .1"),
    ([lambda y, h: np.ones(h), lambda y, h: np.zeros(h)], ConfigError, "two methods have one name; found '<lambda>'"),
    (["no_such"], UnknownNameError, "no_such"), ([], UnknownNameError, "forecast model")])
def test_what_cannot_be_tested_is_refused(models, error, said):
    with pytest.raises(error, match=said):
        backtest(growth(), models, origins=1)


def test_a_bug_in_a_function_is_not_swallowed():
    def broken(y, horizon):
        return y.no_such_thing

    with pytest.raises(AttributeError):
        backtest(growth(), [broken], origins=1)


def test_the_calendar_is_the_forecasts_own():
    y = growth(n=48)
    b = backtest(y, ["drift"], horizon=2, origins=1, calendar="china")
    f = forecast(y.iloc[:-2], 2, models="drift", calendar="china")
    assert np.allclose(b.table.loc[b.table["model"] == "drift", "y_hat"].astype(float), f.table["y_hat"])
