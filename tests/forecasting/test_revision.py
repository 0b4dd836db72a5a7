"""A new month against the forecast made before: within its limits or not, off track when months agree, old and new."""

import numpy as np
import pandas as pd
import pytest
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


def revised(y, back=1, models=FAST, **about):
    return revise(forecast(y.iloc[:-back], models=models, **about), forecast(y, models=models, **about))


@pytest.mark.parametrize("back", [1, 4])
def test_the_months_that_both_speak_of_stand_side_by_side(back):
    y = growth()
    r = revised(y, back, kind="flow")
    assert len(r.table) == 12 - back and r.check["month"].tolist() == y.index[-back:].tolist()
    assert np.array_equal(r.check["actual"], y.iloc[-back:])
    old, new = (f.block().set_index("month")["y_hat"] for f in (r.before, r.after))
    assert np.array_equal(r.table["old"], old[r.table["month"]])
    assert np.array_equal(r.table["new"], new[r.table["month"]])
    assert np.allclose(r.table["old"] * (1 + r.table["change_pct"] / 100), r.table["new"])


def test_nothing_new_is_an_empty_revision_that_says_so():
    f = forecast(growth(), models=FAST, kind="flow")
    r = revise(f, f)
    assert r.check.empty and (r.table["change"] == 0).all()
    assert "nothing new" in r.reading("en") and "没有新数据" in r.reading("zh") and "<table" in r.to_html("en")


def test_the_place_is_the_probability_of_less():
    """Where the forecast is lognormal its distribution function is known."""
    y = walk()
    r = revised(y, models=("drift",), kind="flow")
    part = r.before.parts["drift"]
    exact = norm.cdf((np.log(y.iloc[-1]) - part.mean[0]) / part.sd[0])
    assert r.check["pit"].iloc[0] == pytest.approx(exact, abs=1e-3)


def test_outside_the_limits_is_said_with_what_was_expected():
    y = growth()
    y.iloc[-1] *= 3
    r = revised(y, kind="flow", unit="transactions", label="Mobile")
    assert r.check["pit"].iloc[0] > 0.99
    assert "outside the 95% limits" in r.reading("en") and "Mobile" in r.reading("en") and "区间" in r.reading("zh")
    assert r.table["change"].iloc[-1] > 0


@pytest.mark.parametrize("months", [2, 4])
def test_off_track_is_as_rare_as_promised_where_the_forecast_is_right_and_usual_where_it_is_not(months):
    """Paths of the forecast itself leave the track about once in twenty; shifted by two spreads, mostly."""
    y = walk()
    f = forecast(y, models=("drift",), kind="flow")
    paths = simulate_paths(f, 200, seed=1).iloc[:months]
    spread = np.exp(2.5 * f.parts["drift"].sd[:months])[:, None]
    from ebank_lib.forecasting.scoring import _check

    lead = f.block().set_index(pd.PeriodIndex(f.block()["month"]))

    def rate(values):
        return np.mean([_check(f, values[c], lead)[1] < 0.05 for c in values])

    paths.index = lead.index[:months]
    assert 0.01 < rate(paths) < 0.1
    assert rate(paths * spread) > 0.6
    shifted = pd.concat([y, (paths * np.exp(4 * f.parts["drift"].sd[:months])[:, None])[0]])
    r = revise(f, forecast(shifted, models=("drift",), kind="flow"))
    assert "off track" in r.reading("en") and "偏离轨道" in r.reading("zh")


def test_a_forecast_from_earlier_and_one_whose_months_are_all_over():
    y = growth(n=44)
    with pytest.raises(SeriesError, match="the new forecast starts before the old one; found '2011-07'.*2011-08"):
        revise(forecast(y, models=FAST, kind="flow"), forecast(y.iloc[:-1], models=FAST, kind="flow"))
    r = revised(y, 3, kind="flow", horizon=2)
    assert r.table.empty and len(r.check) == 2 and "已过去" in r.reading("zh") and "<table" in r.to_html("zh")


def test_a_missing_month_among_the_new_ones_is_not_checked():
    y = growth()
    y.iloc[-2] = np.nan
    assert revised(y, 3, kind="flow").check["month"].tolist() == [y.index[-3], y.index[-1]]


def test_a_share_moves_by_points():
    share = growth() / growth().max() * 0.6
    share.iloc[-1] = 0.7
    r = revised(share, models=("theta",), kind="ratio")
    assert "points" in r.reading("en") and "change_pct" not in r.to_html("zh") and "%" in r.to_html("zh")


def test_a_constant_that_goes_on_is_no_surprise():
    r = revised(monthly(np.full(31, 5.0)), models=("theta",))
    assert "within the 95% limits" in r.reading("en") and "hardly changes" in r.reading("en")
    assert r.check["pit"].iloc[0] == 0.5


@pytest.mark.parametrize("indicator", ["sms", "income_total"])
def test_the_last_months_of_a_branch_with_what_is_known_beside_them(cleaned, indicator):
    r = revise_indicator(cleaned, "rizhao", indicator, months=2)
    assert len(r.check) == 2 and r.before.y.index[-1] == cleaned.months[-3] and len(r.table) == 10
    now = forecast_indicator(cleaned, "rizhao", indicator).block().set_index("month")["y_hat"]
    assert np.allclose(r.table["new"], now[r.table["month"]])
    with pytest.raises(SeriesError, match="the number of months back is out of range"):
        revise_indicator(cleaned, "rizhao", indicator, months=43)


def test_a_short_series_is_said_not_to_be_searched(shandong, cleaned):
    from ebank_lib.cleaning import clean

    assert {"month", "kind", "size"} <= set(interventions_indicator(cleaned, "rizhao", "sms").table.columns)
    young = clean(shandong, end="2008-08")
    assert "无法查找" in repr(interventions_indicator(young, "rizhao", "sms"))
