"""A new month against the forecast: contributions add up, nothing new says so, off track when months agree."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from ebank_lib.errors import SeriesError
from ebank_lib.forecasting import (
    forecast,
    forecast_indicator,
    interventions_indicator,
    revise,
    revise_indicator,
    simulate_paths,
)

from .test_forecast import growth, monthly

FAST = ("theta", "snaive")


def walk(seed=0, n=44):
    """A series whose forecast by drift is right."""
    return monthly(1000 * np.exp(np.cumsum(0.01 + 0.05 * np.random.default_rng(seed).normal(size=n))))


@given(st.integers(0, 5), st.integers(1, 4),
       st.lists(st.tuples(st.integers(0, 38), st.floats(0.5, 2)), max_size=4, unique_by=lambda x: x[0]))
@settings(max_examples=12)
def test_contributions_add_up_to_the_change_of_every_month(seed, months, restated):
    y = growth(seed)
    before = forecast(y.iloc[:-months], models=FAST, kind="flow")
    now = y.copy()
    for at, factor in restated:
        now.iloc[at] *= factor
    r = revise(before, now)
    added = r.moved.groupby("month")["contribution"].sum().reindex(r.table["month"])
    assert len(r.table) == 12 - months
    assert np.allclose(added, r.table["change"], rtol=1e-9, atol=1e-9 * y.max())
    # the new forecast is the one that anybody would make from the new data
    direct = forecast(now, models=FAST, kind="flow").block().set_index("month")["y_hat"]
    assert np.allclose(r.table["new"], direct.loc[r.table["month"]])
    assert (r.contributions()["cause"] == "revised").sum() == len([f for _, f in restated if f != 1])


def test_nothing_new_is_an_empty_revision_that_says_so():
    f = forecast(growth(), models=FAST, kind="flow")
    r = revise(f, growth())
    assert r.status == "nothing_new" and r.check.empty and r.moved.empty
    assert (r.table["change"] == 0).all() and r.after is f
    assert "nothing new" in r.reading("en") and "没有新数据" in r.reading("zh") and "<table" in r.to_html("en")


def test_a_month_that_comes_as_forecast_is_no_news():
    y = growth()
    before = forecast(y, models=FAST, kind="flow")
    now = pd.concat([y, pd.Series([before.block()["y_hat"].iloc[0]], [y.index[-1] + 1])])
    r = revise(before, now)
    news = r.moved[r.moved["cause"] == "news"]["contribution"]
    assert np.allclose(news, 0, atol=1e-6 * y.max()) and r.check["pit"].iloc[0] == pytest.approx(0.5, abs=1e-3)
    assert r.status == "inside" and r.check["inside-80"].all()


def test_the_place_is_the_probability_of_less():
    """Where the forecast is lognormal its distribution function is known."""
    y = walk()
    before = forecast(y.iloc[:-1], models=("drift",), kind="flow")
    part = before.parts["drift"]
    exact = norm.cdf((np.log(y.iloc[-1]) - part.mean[0]) / part.sd[0])
    assert revise(before, y).check["pit"].iloc[0] == pytest.approx(exact, abs=1e-3)


def test_outside_the_limits_is_said_with_what_was_expected():
    y = growth()
    before = forecast(y.iloc[:-1], models=FAST, kind="flow", unit="transactions", label="Mobile")
    y.iloc[-1] *= 3
    r = revise(before, y)
    assert r.status == "outside" and r.check["pit"].iloc[0] > 0.99
    assert "outside the 95% limits" in r.reading("en") and "Mobile" in r.reading("en") and "区间" in r.reading("zh")
    assert r.table["change"].iloc[-1] > 0 and r.contributions()["cause"].tolist() == ["passing", "news"]


@pytest.mark.parametrize("months", [2, 4])
def test_off_track_is_as_rare_as_promised_where_the_forecast_is_right_and_usual_where_it_is_not(months):
    """Paths of the forecast itself leave the track about once in twenty; shifted by two spreads, mostly."""
    y = walk()
    f = forecast(y, models=("drift",), kind="flow")
    paths = simulate_paths(f, 200, seed=1).iloc[:months]
    spread = np.exp(2.5 * f.parts["drift"].sd[:months])[:, None]
    from ebank_lib.forecasting.revision import _check

    lead = f.block().set_index(pd.PeriodIndex(f.block()["month"]))

    def rate(values):
        return np.mean([_check(f, values[c], lead, "drift")[1] < 0.05 for c in values])

    paths.index = lead.index[:months]
    assert 0.01 < rate(paths) < 0.1
    assert rate(paths * spread) > 0.6
    shifted = pd.concat([y, (paths * np.exp(4 * f.parts["drift"].sd[:months])[:, None])[0]])
    r = revise(f, shifted)
    assert r.status == "off_track" and "off track" in r.reading("en") and "偏离轨道" in r.reading("zh")


def test_restated_history_without_a_new_month():
    y = growth()
    f = forecast(y, models=FAST, kind="flow")
    now = y.copy()
    now.iloc[-1] *= 1.1
    r = revise(f, now)
    assert r.status == "restated" and r.check.empty
    assert r.contributions()["cause"].tolist() == ["revised"] and r.contributions()["datum"].iloc[0] == y.index[-1]
    assert np.allclose(r.moved["contribution"], r.table["change"]) and r.table["change"].abs().max() > 0
    assert "restated" not in r.reading("en") or "2011" in r.reading("en")


def test_data_that_end_too_early_or_after_all_months_are_over():
    y = growth(n=44)
    with pytest.raises(SeriesError, match="the new data end before the old forecast starts; found '2011-07'.*2011-08"):
        revise(forecast(y, models=FAST, kind="flow"), y.iloc[:-1])
    with pytest.raises(SeriesError, match="no month"):
        revise(forecast(y, models=FAST, kind="flow"), y * np.nan)
    r = revise(forecast(y.iloc[:-3], models=FAST, kind="flow", horizon=2), y)
    assert r.table.empty and len(r.check) == 2 and "已过去" in r.reading("zh") and "<table" in r.to_html("zh")


def test_a_missing_month_among_the_new_ones_is_no_datum():
    y = growth()
    before = forecast(y.iloc[:-3], models=FAST, kind="flow")
    y.iloc[-2] = np.nan
    r = revise(before, y)
    assert len(r.check) == 2 and set(r.contributions()["datum"]) == {y.index[-3], y.index[-1]}
    assert np.allclose(r.moved.groupby("month")["contribution"].sum(), r.table["change"])


def test_a_share_moves_by_points():
    share = growth() / growth().max() * 0.6
    r = revise(forecast(share.iloc[:-1], models=("theta",), kind="ratio"), share)
    assert "points" in r.reading("en") or "hardly" in r.reading("en")
    assert "change_pct" not in r.to_html("zh") and "%" in r.to_html("zh")


def test_a_constant_that_goes_on_is_no_surprise():
    r = revise(forecast(monthly(np.full(30, 5.0)), models=("theta",)), monthly(np.full(31, 5.0)))
    assert r.status == "inside" and r.check["pit"].iloc[0] == 0.5 and "hardly changes" in r.reading("en")


def test_the_last_month_of_a_branch_with_what_is_known_beside_it(cleaned):
    r = revise_indicator(cleaned, "rizhao", "sms", months=2, models=FAST)
    assert len(r.check) == 2 and r.before.y.index[-1] == cleaned.months[-3] and len(r.table) == 10
    added = r.moved.groupby("month")["contribution"].sum().reindex(r.table["month"])
    assert np.allclose(added, r.table["change"])
    assert set(r.contributions()["cause"]) >= {"passing", "news"} and "短信" in r.reading("zh")
    with pytest.raises(SeriesError, match="the number of months back is out of range"):
        revise_indicator(cleaned, "rizhao", "sms", months=43)


def test_a_short_series_is_said_not_to_be_searched(shandong, cleaned):
    from ebank_lib.cleaning import clean

    assert {"month", "kind", "size"} <= set(interventions_indicator(cleaned, "rizhao", "sms").table.columns)
    young = clean(shandong, end="2008-08")
    assert "无法查找" in repr(interventions_indicator(young, "rizhao", "sms"))


def test_what_follows_from_others_moves_by_their_new_figures(cleaned):
    told = revise_indicator(cleaned, "rizhao", "income_total")
    assert told.moved["cause"].unique().tolist() == ["parts"]
    assert np.allclose(told.moved["contribution"], told.table["change"])
    now = forecast_indicator(cleaned, "rizhao", "income_total").block().set_index("month")["y_hat"]
    assert np.allclose(told.table["new"], now[told.table["month"]])
    assert len(told.check) == 1 and "算出它的各项有了新数据" in told.to_html("zh")
