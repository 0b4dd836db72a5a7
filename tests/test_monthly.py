"""One door: every verb takes the same months, and what is not monthly, or no argument, is refused in its own words."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ebank_lib as eb
from ebank_lib.arma import fit_arma
from ebank_lib.errors import EbankError, SeriesError
from ebank_lib.forecasting import backtest, simulate_paths
from ebank_lib.scenarios import Strategy

RNG = np.random.default_rng(1)
MONTHS = pd.period_range("2008-01", periods=48, freq="M")
Y = pd.Series(np.exp(np.cumsum(0.02 + 0.05 * RNG.standard_normal(48))), MONTHS)
VERBS = {
    "forecast": lambda y: eb.forecast(y, 3, models=("drift",)).table["y_hat"],
    "forecast_many": lambda y: eb.forecast_many({"y": y}, 3, models=("drift",)),
    "backtest": lambda y: backtest(y, models=("drift",), horizon=3, origins=2).table["y_hat"],
    "seasonally_adjust": lambda y: eb.seasonally_adjust(y)["adjusted"],
    "select_order": lambda y: eb.select_order(y, max_p=1, max_q=1).best.forecast(3)["y_hat"],
    "fit_arma": lambda y: fit_arma(y, (1, 1, 0)).forecast(3)["y_hat"],
    "modelling_scale": lambda y: eb.modelling_scale(y, "flow"),
    "growth_rates": eb.growth_rates,
    "unit_root_battery": lambda y: eb.unit_root_battery(y).table.iloc[:, -1],
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("way", ["start", "end", "mid", "shuffled"])
def test_dates_and_disorder_are_the_months_that_they_are(verb, way):
    if way == "shuffled":
        same = Y.sample(frac=1, random_state=2)
    else:
        days = {"start": "1 D", "end": "28 D", "mid": "15 D"}[way]
        same = Y.set_axis(Y.index.to_timestamp() + pd.Timedelta(days) - pd.Timedelta("1 D"))
    got, expected = VERBS[verb](same), VERBS[verb](Y)
    pd.testing.assert_frame_equal(pd.DataFrame(got), pd.DataFrame(expected), check_freq=False)


@pytest.mark.parametrize("verb", [v for v in VERBS if v != "forecast_many"])
@pytest.mark.parametrize("freq, says", [("QS", "a figure a quarter"), ("YS", "a figure a year"),
                                        ("W", "several figures a month"), ("D", "several figures a month")])
def test_what_is_not_monthly_is_refused_with_the_way_out(verb, freq, says):
    y = pd.Series(Y.to_numpy(), pd.date_range("1960-01-01", periods=48, freq=freq))
    with pytest.raises(SeriesError, match=f"is not monthly; found '{says}'; expected a figure a month.*resample"):
        VERBS[verb](y)
    if freq != "D":
        with pytest.raises(SeriesError, match="is not monthly; found 'frequency"):
            VERBS[verb](y.set_axis(pd.period_range("1960-01", periods=48, freq=freq[0])))


@pytest.mark.parametrize("verb", [v for v in VERBS if v != "forecast_many"])
@pytest.mark.parametrize("step, says", [(3, "a figure a quarter"), (6, "a figure every half year"),
                                        (12, "a figure a year")])
def test_a_quarter_that_is_missing_does_not_make_months_of_the_others(verb, step, says):
    months = pd.PeriodIndex([MONTHS[0] + step * i for i in range(48)], freq="M")
    y = pd.Series(Y.to_numpy(), months).drop(months[24 // step])
    with pytest.raises(SeriesError, match=f"is not monthly; found '{says}'.*as NaN"):
        VERBS[verb](y)


def test_months_with_gaps_are_months():
    y = Y.drop(MONTHS[[3, 6, 7, 20]])
    assert eb.forecast(y, 3, models="drift").y.isna().sum() == 4
    pd.testing.assert_series_equal(eb.modelling_scale(y, "flow"), np.log(y.reindex(MONTHS)), check_freq=False)


def test_numbers_such_as_200801_are_months_in_every_verb():
    numbers = Y.set_axis(MONTHS.year * 100 + MONTHS.month)
    for verb in VERBS.values():
        pd.testing.assert_frame_equal(pd.DataFrame(verb(numbers)), pd.DataFrame(verb(Y)), check_freq=False)


def test_numbered_values_keep_their_numbers_on_the_modelling_scale():
    assert eb.modelling_scale(pd.Series([1.0, np.e], [5, 6])).index.tolist() == [5, 6]
    assert eb.modelling_scale([1, np.e]).tolist() == [0, 1]


@pytest.mark.parametrize("level", [0.95, 0, 100, "95", None, True, (80, 0.95), -5, float("nan")])
def test_a_level_is_in_per_cent_or_refused(level):
    fit = fit_arma(Y, (1, 0, 0))
    for verb in (lambda: eb.forecast(Y, models="drift", level=level), lambda: fit.forecast(2, level)):
        with pytest.raises(SeriesError, match="a level is out of range.*0.95 is written 95"):
            verb()


@pytest.mark.parametrize("horizon", [None, "12", 0, -1, 2.5, True, float("nan"), float("inf"), 10_000])
def test_a_horizon_is_a_number_of_months_or_refused(horizon):
    for verb in (lambda: eb.forecast(Y, horizon, models="drift"), lambda: fit_arma(Y, (1, 0, 0)).forecast(horizon)):
        with pytest.raises(SeriesError, match="the horizon is out of range"):
            verb()


def test_a_regressor_goes_by_its_months():
    x = pd.Series(RNG.standard_normal(60), pd.period_range("2007-01", periods=60, freq="M"), name="x")
    y = 2 * x.loc["2008-01":"2011-12"] + 0.01 * RNG.standard_normal(48)
    fit = fit_arma(y, (0, 0, 0), exog=x.set_axis(x.index.to_timestamp()))
    assert fit.params["x"] == pytest.approx(2, abs=0.02)
    with pytest.raises(SeriesError, match="exog lacks months of the series"):
        fit_arma(y, (0, 0, 0), exog=x.set_axis(x.index - 24))
    with pytest.raises(SeriesError, match="exog lacks months of the series"):
        fit.forecast(12, exog=x.loc[:"2008-12"])


def long(ids, ds, y):
    return pd.DataFrame({"unique_id": ids, "ds": ds, "y": y})


def test_a_batch_reads_months_as_they_are_written_and_stops_for_nobody():
    months = [str(m) for m in Y.index]
    data = pd.concat([long(["a"] * 48, months, Y.to_numpy()), long(["b"] * 48, [m.replace("-", "") for m in months],
                                                                   Y.to_numpy()),
                      long(["c"] * 48, [*months[:-1], "soon"], Y.to_numpy())])
    table = eb.forecast_many(data, 2, models=("drift",))
    a, b, c = (table[table["unique_id"] == name] for name in "abc")
    assert np.array_equal(a[["month", "y_hat"]], b[["month", "y_hat"]]) and str(a["month"].iloc[0]) == "2012-01"
    assert "no date" in c["reason"].iloc[0] and c["y_hat"].isna().all()


def test_a_batch_in_which_all_fail_has_the_columns_of_one_in_which_none_does():
    good = eb.forecast_many({"a": Y}, 2, models=("drift",))
    bad = eb.forecast_many({"a": Y.iloc[:2]}, 2, models=("drift",))
    assert list(bad.columns) == list(good.columns) and "too few months" in bad["reason"].iloc[0]


def test_a_batch_refuses_what_it_would_mistake():
    with pytest.raises(SeriesError, match="rows have no unique_id; found '1 rows'"):
        eb.forecast_many(long(["a", None], ["2008-01", "2008-02"], [1, 2]))
    for data in (long([1, "1"], ["2008-01", "2008-02"], [1, 2]), {1: Y, "1": Y}, pd.DataFrame({1: Y, "1": Y})):
        with pytest.raises(SeriesError, match="two series have one name; found '1'"):
            eb.forecast_many(data)
    with pytest.raises(SeriesError, match=r"a frame of one series or of many\?.*assign\(unique_id.*set_index\('ds'\)"):
        eb.forecast_many(long("a", MONTHS.astype(str), Y.to_numpy()).drop(columns="unique_id"))
    wide = pd.DataFrame({"opened": Y.index.to_timestamp(), "y": Y.to_numpy()}, Y.index)
    table = eb.forecast_many(wide, 2, models=("drift",)).set_index("unique_id")
    assert "holds something that is no number" in table.loc["opened", "reason"]
    assert np.isfinite(table.loc["y", "y_hat"]).all()


def test_a_batch_takes_a_kind_where_there_is_one():
    data = pd.concat([long("a", MONTHS, Y.to_numpy()).assign(kind=np.nan),
                      long("b", MONTHS, Y.to_numpy()).assign(kind="stock"),
                      long("c", MONTHS, Y.to_numpy()).assign(kind=["stock", "flow"] * 24)])
    table = eb.forecast_many(data, 2, models="drift").groupby("unique_id")["reason"].first()
    assert table[["a", "b"]].eq("").all() and "is of two kinds; found 'stock, flow'" in table["c"]


def test_a_batch_reads_whole_numbers_as_the_months_that_their_texts_are():
    numbers = MONTHS.year * 100 + MONTHS.month
    a, b = (eb.forecast_many(long("a", ds, Y.to_numpy()), 2, models="drift") for ds in (numbers, numbers.astype(str)))
    pd.testing.assert_frame_equal(a, b)
    assert str(a["month"].iloc[0]) == "2012-01"


def test_a_batch_says_what_a_forecast_says_of_its_series():
    y = Y.drop(MONTHS[[3, 7]])
    said = eb.forecast_many({"a": y}, 2, models="drift")["remarks"].iloc[0]
    assert said == " ".join(eb.forecast(y, 2, models="drift").remarks()) and "2" in said


def test_numbered_months_are_called_by_their_numbers():
    y = pd.Series(Y.to_numpy())
    y.iloc[30:] *= 4
    f = eb.forecast(y, 3, models=("combination",))
    assert "The level shift of period 30 was taken out" in f.remarks("en")[-1]


INDEXES = st.sampled_from([
    pd.period_range("2008-01", periods=30, freq="M"), pd.period_range("2008", periods=30, freq="Q"),
    pd.date_range("2008-01-31", periods=30, freq="ME"), pd.date_range("2008-01-01", periods=30, freq="D"),
    pd.RangeIndex(30), pd.Index([f"m{i}" for i in range(30)]), pd.Index([0.5 * i for i in range(30)]),
    pd.DatetimeIndex([pd.NaT] * 30), pd.Index([1] * 30), pd.date_range("2008-01-01", periods=30, freq="MS", tz="UTC")])
VALUES = st.sampled_from([np.arange(30.0), np.zeros(30), np.full(30, np.nan), np.array(["a"] * 30, dtype=object),
                          np.array([None] * 30, dtype=object), -np.arange(30.0), np.r_[np.inf, np.ones(29)],
                          np.exp(RNG.standard_normal(30)), np.array(pd.date_range("2008", periods=30))])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(verb=st.sampled_from(sorted(VERBS)), index=INDEXES, values=VALUES, cut=st.sampled_from([0, 1, 5, 30]))
def test_whatever_is_given_there_is_a_result_or_an_error_of_the_package(verb, index, values, cut):
    try:
        assert VERBS[verb](pd.Series(values, index).iloc[:cut]) is not None
    except EbankError as error:
        assert str(error)


BAD = [None, "x", 0, -1, 2.5, True, float("nan"), float("inf"), 10**30, [], [1], {}, np.array([1, 2]), pd.NaT, b"x", 1j]
FIT = fit_arma(Y, (1, 0, 0))
DRIFT = eb.forecast(Y, 3, models="drift")
ARGUMENTS = {
    "forecast horizon": lambda c, bad: eb.forecast(Y, bad, models="drift"),
    "forecast level": lambda c, bad: eb.forecast(Y, 2, bad, models="drift"),
    "forecast models": lambda c, bad: eb.forecast(Y, 2, models=bad),
    "forecast kind": lambda c, bad: eb.forecast(Y, 2, models="drift", kind=bad),
    "forecast calendar": lambda c, bad: eb.forecast(Y, 2, models="drift", calendar=bad),
    "forecast_many data": lambda c, bad: eb.forecast_many(bad, 2, models="drift"),
    "forecast_many kind": lambda c, bad: eb.forecast_many({"a": Y}, 2, models="drift", kind=bad),
    "backtest models": lambda c, bad: backtest(Y, bad, 2, 1),
    "backtest origins": lambda c, bad: backtest(Y, "drift", 2, bad),
    "backtest kind": lambda c, bad: backtest(Y, "drift", 2, 1, kind=bad),
    "simulate_paths n": lambda c, bad: simulate_paths(DRIFT, bad),
    "simulate_paths model": lambda c, bad: simulate_paths(DRIFT, 2, bad),
    "simulate_paths seed": lambda c, bad: simulate_paths(DRIFT, 2, seed=bad),
    "modelling_scale kind": lambda c, bad: eb.modelling_scale(Y, bad),
    "select_order max_p": lambda c, bad: eb.select_order(Y, bad, 1),
    "select_order d": lambda c, bad: eb.select_order(Y, 1, 1, bad),
    "select_order criterion": lambda c, bad: eb.select_order(Y, 1, 1, criterion=bad),
    "select_order seasonal": lambda c, bad: eb.select_order(Y, 1, 1, seasonal=bad),
    "select_order seed": lambda c, bad: eb.select_order(Y, 1, 1, seed=bad),
    "select_order max_order": lambda c, bad: eb.select_order(Y, 1, 1, max_order=bad),
    "fit_arma order": lambda c, bad: fit_arma(Y, bad),
    "growth_rates kind": lambda c, bad: eb.growth_rates(Y, bad),
    "forecast_indicator indicator": lambda c, bad: eb.forecast_indicator(c, "rizhao", bad, models="drift"),
    "forecast_indicator horizon": lambda c, bad: eb.forecast_indicator(c, "rizhao", "sms", bad, models="drift"),
    "backtest_indicator peers": lambda c, bad: eb.backtest_indicator(c, "rizhao", "sms", 1, 1, 80, "drift", bad),
    "backtest_many indicators": lambda c, bad: eb.backtest_many(c, "rizhao", bad, "drift", 1, 1) if bad is not None
    else 0,
    "revise_indicator months": lambda c, bad: eb.revise_indicator(c, "rizhao", "sms", bad, models="drift"),
    "simulate_joint seed": lambda c, bad: eb.simulate_joint(c, 1, 2, bad, ["rizhao"], "sms"),
    "simulate_joint branches": lambda c, bad: eb.simulate_joint(c, 1, 2, 0, bad, "sms"),
    "simulate_joint indicators": lambda c, bad: eb.simulate_joint(c, 1, 2, 0, "rizhao", bad) if bad is not None else 0,
    "evaluate_targets targets": lambda c, bad: eb.evaluate_targets(c, "rizhao", bad) if bad is not None else 0,
    "evaluate_targets deadline": lambda c, bad: eb.evaluate_targets(c, "rizhao", [], deadline=bad),
}


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_whatever_an_argument_is_there_is_a_result_or_an_error_of_the_package(cleaned, argument):
    for bad in BAD:
        try:
            assert ARGUMENTS[argument](cleaned, bad) is not None
        except EbankError as error:
            assert str(error)


def test_what_is_no_target_is_named(cleaned):
    with pytest.raises(EbankError, match="is no target; found 'sms'; expected a Target"):
        eb.evaluate_targets(cleaned, "rizhao", ["sms"])


@pytest.mark.parametrize("seed", [-1, 2.5, "7", None, True])
def test_a_seed_is_a_whole_number_from_0(cleaned, seed):
    paths = eb.simulate_joint(cleaned, 24, 2, branches="rizhao", indicators="sms")
    for verb in (lambda: simulate_paths(DRIFT, 2, seed=seed), lambda: eb.select_order(Y, 1, 1, seed=seed),
                 lambda: eb.simulate_joint(cleaned, 1, 2, seed, indicators="sms"),
                 lambda: eb.run_scenarios(paths, "rizhao", Strategy(), seed=seed) if seed is not None else paths.of(
                     "rizhao", None)):
        with pytest.raises(EbankError, match="the seed is out of range; .*expected a whole number from 0|unknown"):
            verb()
