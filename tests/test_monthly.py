"""One door: every verb takes the same months, and what is not monthly, or no argument, is refused in its own words."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ebank_lib as eb
from ebank_lib.arma import fit_arma
from ebank_lib.errors import EbankError, SeriesError
from ebank_lib.forecasting import backtest

RNG = np.random.default_rng(1)
MONTHS = pd.period_range("2008-01", periods=48, freq="M")
Y = pd.Series(np.exp(np.cumsum(0.02 + 0.05 * RNG.standard_normal(48))), MONTHS)
VERBS = {
    "forecast": lambda y: eb.forecast(y, 3, models=("drift",)).table["y_hat"],
    "forecast_many": lambda y: eb.forecast_many({"y": y}, 3, models=("drift",)),
    "backtest": lambda y: backtest(y, models=("drift",), horizon=3, origins=2).table["y_hat"],
    "select_order": lambda y: eb.select_order(y, max_p=1, max_q=1).best.forecast(3)["y_hat"],
    "fit_arma": lambda y: fit_arma(y, (1, 1, 0)).forecast(3)["y_hat"],
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
    with pytest.raises(SeriesError, match="two unique_id are one name"):
        eb.forecast_many(long([1, "1"], ["2008-01", "2008-02"], [1, 2]))
    wide = pd.DataFrame({"opened": Y.index.to_timestamp(), "y": Y.to_numpy()}, Y.index)
    table = eb.forecast_many(wide, 2, models=("drift",)).set_index("unique_id")
    assert "holds no numbers" in table.loc["opened", "reason"] and np.isfinite(table.loc["y", "y_hat"]).all()


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
