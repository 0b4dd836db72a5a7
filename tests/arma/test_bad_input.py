"""Bad input: a typed error that says what was found and what is needed."""

import numpy as np
import pandas as pd
import pytest

from ebank_lib.arma import fit_arma, select_order
from ebank_lib.errors import SeriesError, UnknownNameError

MONTHS = pd.period_range("2008-01", periods=44, freq="M")
Y = pd.Series(np.random.default_rng(0).normal(100, 5, 44), index=MONTHS)


@pytest.mark.parametrize(("y", "says"), [
    (Y * 0 + 3, "the series does not vary"),
    (Y * np.nan, "the series has no value"),
    (Y.iloc[:0], "no value"),
    (Y.iloc[:3], "the series is too short"),
    (Y.where(Y.index != MONTHS[7], np.inf), "holds an infinite value"),
    (Y.astype(str) + "?", "holds something that is no number"),
    (Y.astype(complex), "no number"),
    (pd.concat([Y, Y.iloc[-1:]]), "a month stands twice"),
    (Y.set_axis([f"m{i:02d}" for i in range(44)]), "has no months"),
    (np.ones((4, 4)), "is no series"),
])
@pytest.mark.parametrize("call", [lambda y: fit_arma(y, (1, 0, 1)), lambda y: select_order(y, d=0)])
def test_series(y, says, call):
    with pytest.raises(SeriesError, match=says):
        call(y)


@pytest.mark.parametrize("order", [(-1, 0, 0), (0, 0, -1), (13, 0, 0), (0, 0, 13), (0, 3, 0), (1, 0), (0.5, 0, 0)])
def test_order(order):
    with pytest.raises(SeriesError, match="found"):
        fit_arma(Y, order)


@pytest.mark.parametrize(("seasonal", "says"), [((1, 0, 0, 1), "a seasonal part needs its season"),
                                                ((3, 0, 0, 12), "P out of range"),
                                                ((0, 1), "4 whole numbers"),
                                                ((0, 2, 0, 12), "D out of range")])
def test_seasonal_order(seasonal, says):
    with pytest.raises(SeriesError, match=says):
        fit_arma(Y, (1, 0, 0), seasonal)


def test_too_short_says_the_minimum():
    with pytest.raises(SeriesError, match="the series is too short for this order; found '10 values'.*14"):
        fit_arma(Y.iloc[:10], (5, 0, 5))


@pytest.mark.parametrize(("exog", "says"), [
    (np.ones(44), "the regressors are collinear, with one another or with the trend"),
    (np.ones((44, 2)) * np.arange(44)[:, None], "collinear"),
    (np.where(np.arange(44) == 3, np.nan, 1.0 * np.arange(44)), "exog holds missing or infinite values"),
    (np.ones(40), "exog and series differ in length"),
    (pd.Series(1.0, index=MONTHS[:40]), "exog lacks months of the series"),
    (pd.Series(np.arange(44.0), index=MONTHS + 12), "lacks months"),
    (pd.Series(np.arange(44.0)), "lacks months"),
])
def test_exog(exog, says):
    with pytest.raises(SeriesError, match=says):
        fit_arma(Y, (1, 0, 0), exog=exog)


def test_exog_goes_by_its_months_not_by_its_order():
    x = pd.Series(np.sin(np.arange(60)), index=pd.period_range(MONTHS[0] - 8, periods=60, freq="M"), name="x")
    as_given = fit_arma(Y, (1, 0, 0), exog=x.reindex(MONTHS))
    shuffled = fit_arma(Y, (1, 0, 0), exog=x.sample(frac=1, random_state=1))
    pd.testing.assert_series_equal(as_given.params, shuffled.params)
    ahead = as_given.forecast(6, exog=x.shift(6, freq="M"))
    with pytest.raises(SeriesError, match="lacks months"):
        as_given.forecast(12, exog=x)
    assert ahead.shape == (6, 5)


def test_forecast_needs_the_future_of_its_regressors():
    model = fit_arma(Y, (1, 0, 0), exog=np.sin(np.arange(44)))
    with pytest.raises(SeriesError, match=r"the model has regressors: forecast\(exog=...\) needs their future"):
        model.forecast(6)
    assert model.forecast(6, exog=np.sin(np.arange(44, 50))).shape == (6, 5)


@pytest.mark.parametrize("wrong", [0, 1.5, 10**6])
def test_horizon(wrong):
    with pytest.raises(SeriesError, match="the horizon is out of range"):
        fit_arma(Y, (1, 0, 0)).forecast(wrong)


def test_names_are_suggested():
    for call in (lambda: select_order(Y, criterion="aicx"), lambda: select_order(Y, mode="thorogh"),
                 lambda: select_order(Y, 1, 1, d=0).fit(2, 2)):
        with pytest.raises(UnknownNameError):
            call()
    with pytest.raises(SeriesError, match="unknown trend; found 'linear'"):
        fit_arma(Y, (1, 0, 0), trend="linear")


def test_six_months_bear_only_the_smallest_orders():
    chosen = select_order(Y.iloc[:6], d=0)
    assert len(chosen.table) < 16 and chosen.table["loglik"].notna().all()
    assert "(0,0,0)" in chosen.why("en")


@pytest.mark.slow
def test_two_thousand_months():
    rng = np.random.default_rng(0)
    y = pd.Series(rng.standard_normal(2000), index=pd.RangeIndex(2000))
    y = y.ewm(alpha=0.3).mean()
    chosen = select_order(y, 2, 2, d=0, criterion="bic")
    assert chosen.order == (1, 0, 0) and chosen.best.forecast(3).notna().all(axis=None)
    assert np.isfinite(fit_arma(Y, (12, 0, 12)).loglik)  # both orders at their limit


def test_indexes_that_are_accepted():
    values = Y.to_numpy()
    reference = fit_arma(Y, (1, 0, 0))
    for y in (values, list(values), Y.reset_index(drop=True), Y.set_axis(pd.RangeIndex(5, 49))):
        assert fit_arma(y, (1, 0, 0)).loglik == reference.loglik
    assert reference.forecast(2).index.equals(pd.period_range("2011-09", periods=2, freq="M"))
    left_out = fit_arma(Y.drop(MONTHS[5]), (1, 0, 0))
    assert left_out.nobs == 43 and left_out.loglik == fit_arma(Y.where(MONTHS != MONTHS[5]), (1, 0, 0)).loglik
