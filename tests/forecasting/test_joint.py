"""Futures drawn together: margins are the forecasts' limits, months and series hang together, sums are exact."""

import numpy as np
import pandas as pd
import pytest

from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.forecasting import simulate_joint
from ebank_lib.forecasting.joint import Dependence, dependence_of, shrunk_correlation
from ebank_lib.forecasting.pooling import surprises_of
from ebank_lib.forecasting.series import prepare

SOME = ("mobile_active", "income_total", "sms_new", "echannel_share")


@pytest.fixture(scope="module")
def paths(cleaned):
    return simulate_joint(cleaned, horizon=14, n=4000, branches=["rizhao", "jinan"], indicators=SOME)


def test_what_is_asked_for_comes_with_what_it_follows_from(paths):
    assert set(SOME) < set(paths.indicators) and "phone" not in paths.indicators
    assert paths.branches == ("rizhao", "jinan") and str(paths.months[0]) == "2011-09" and paths.n == 4000


def test_quantiles_of_paths_are_the_limits_of_each_forecast(paths):
    for (branch, key), f in paths.forecasts.items():
        if f.transform.monotone:
            continue
        drawn, block = paths.of(branch, key), f.block().iloc[-14:]
        for column, q in (("lo-80", 0.1), ("y_hat", 0.5), ("hi-80", 0.9)):
            assert np.allclose(drawn.quantile(q, axis=1), block[column], rtol=0.05), (branch, key, column)


def test_sums_changes_and_ratios_hold_on_every_path_and_in_the_table(paths):
    parts = sum(paths.array(k) for k in ("sms_income", "personal_online_income", "corporate_online_income"))
    assert np.allclose(parts, paths.array("income_total"))
    assert np.allclose(paths.array("mobile_active"), paths.array("mobile_activity") * paths.array("mobile"))
    assert np.allclose(paths.array("mobile_new")[:, 1:], np.diff(paths.array("mobile"), axis=1))
    totals = paths.totals().pivot_table("mean", "month", "indicator")
    assert np.allclose(totals["income_total"], totals[["sms_income", "personal_online_income",
                                                       "corporate_online_income"]].sum(axis=1))


def test_the_totals_are_quantiles_of_the_sums_of_paths(paths):
    rows = paths.totals().query("indicator == 'sms'").set_index("horizon")
    drawn = paths.array("sms").sum(axis=0)
    assert (rows["month"] == paths.months).all() and rows["branch"].eq("shandong").all()
    for column, q in (("lo-80", 0.1), ("y_hat", 0.5), ("hi-80", 0.9), ("lo-95", 0.025), ("hi-95", 0.975)):
        assert np.allclose(rows[column], np.quantile(drawn, q, axis=1))
    share = paths.totals().query("indicator == 'mobile_activity'")["y_hat"]
    assert np.allclose(share, np.median(paths.array("mobile_active").sum(axis=0) / paths.array("mobile").sum(axis=0),
                                        axis=1))


def test_a_branch_has_the_same_futures_alone_and_more_paths_begin_with_the_fewer(cleaned, paths):
    alone = simulate_joint(cleaned, horizon=14, n=1000, branches=["jinan"], indicators=SOME)
    for key in alone.indicators:
        assert np.array_equal(alone.of("jinan", key), paths.of("jinan", key).iloc[:, :1000])


def test_the_province_is_the_sum_of_its_branches(paths):
    assert np.allclose(paths.total("sms"), paths.array("sms").sum(axis=0))
    share = paths.total("mobile_activity").to_numpy()
    assert np.allclose(share, paths.array("mobile_active").sum(axis=0) / paths.array("mobile").sum(axis=0))
    assert ((share > 0) & (share < 1)).all()


def test_a_stock_that_never_fell_falls_on_no_path(paths):
    monotone = [at for at, f in paths.forecasts.items() if f.transform.monotone]
    assert monotone
    for branch, key in monotone:
        last = paths.history.loc[(branch, paths.origin), key]
        assert (np.diff(np.vstack([np.full(paths.n, last), paths.of(branch, key)]), axis=0) >= 0).all()


def test_replacing_a_free_indicator_moves_what_follows_and_nothing_else(paths):
    same = paths.with_free({"mobile": paths.array("mobile").copy()})
    assert all(np.array_equal(same.array(k), paths.array(k)) for k in paths.indicators)
    more = paths.with_free({"mobile": paths.array("mobile") * 2})
    assert np.allclose(more.array("mobile_active"), 2 * paths.array("mobile_active"))
    assert np.array_equal(more.array("sms"), paths.array("sms"))
    with pytest.raises(SeriesError, match="follows from others"):
        paths.with_free({"mobile_active": paths.array("mobile_active")})
    with pytest.raises(SeriesError, match="shape"):
        paths.with_free({"mobile": np.ones(3)})


def test_a_series_that_ends_early_or_is_not_there_keeps_its_reason(cleaned):
    class Few:
        catalog, panel = cleaned.catalog, cleaned.panel[["mobile", "sms"]].copy()

    branch, month = (Few.panel.index.get_level_values(k) for k in ("branch", "month"))
    Few.panel.loc[(branch == "zibo") | (branch == "jinan") & (month >= pd.Period("2011-06", "M")), "sms"] = np.nan
    got = simulate_joint(Few, horizon=6, n=200)
    assert list(got.reasons) == [("zibo", "sms")] and "too few months" in got.reasons["zibo", "sms"]
    assert got.of("jinan", "sms").notna().all().all() and got.of("zibo", "sms").isna().all().all()
    others = [b for b in got.branches if b != "zibo"]
    assert np.allclose(got.total("sms"), sum(got.of(b, "sms") for b in others))


def test_wrong_questions_are_errors(cleaned, paths):
    for wrong in ({"horizon": 0}, {"n": 0}, {"horizon": 121}):
        with pytest.raises(SeriesError, match="out of range"):
            simulate_joint(cleaned, **wrong)
    with pytest.raises(UnknownNameError, match="mobile"):
        simulate_joint(cleaned, indicators=["mobil"])
    with pytest.raises(UnknownNameError, match="jinan"):
        paths.of("zibo", "sms")


def known(rho, own, months=120, branches=12, seed=0):
    """A panel of random walks whose shocks hang together as told."""
    d = Dependence(("a", "b"), np.full(2, rho), np.eye(2), np.array([[1.0, own], [own, 1.0]]))
    names = [f"b{i}" for i in range(branches)]
    index = pd.period_range("2000-01", periods=months, freq="M", name="month")
    blocks = {name: pd.DataFrame(np.exp(0.03 * np.cumsum(shocks[:, 0], axis=1).T), index, ["a", "b"])
              for name, shocks in zip(names, d.draw(tuple(names), months, 1, seed), strict=True)}
    return pd.concat(blocks, names=["branch", "month"]), names


@pytest.mark.parametrize("rho, own", [(0.0, 0.0), (0.5, 0.6), (0.8, -0.4)])
def test_a_known_dependence_is_found_again(rho, own):
    panel, names = known(rho, own)

    months = panel.loc["b0"].index
    got = dependence_of(("a", "b"), [
        surprises_of({name: prepare(panel.loc[name, key], "flow") for name in names}, names, months) for key in "ab"])
    assert np.allclose(got.rho, rho, atol=0.12) and np.isclose(got.own[0, 1], own, atol=0.12)


def test_draws_have_the_dependence_they_are_asked_for():
    d = Dependence(("a", "b"), np.array([0.3, 0.6]), np.array([[1, 0.5], [0.5, 1]]), np.array([[1, -0.2], [-0.2, 1]]))
    x, y = d.draw(("one", "two"), 1, 60_000)
    together = np.corrcoef(np.vstack([x[:, :, 0], y[:, :, 0]]))
    across = 0.5 * np.sqrt(0.3 * 0.6)
    assert np.allclose(np.diag(together[:2, 2:]), [0.3, 0.6], atol=0.02)
    assert np.isclose(together[0, 3], across, atol=0.02)
    assert np.isclose(together[0, 1], across - 0.2 * np.sqrt(0.7 * 0.4), atol=0.02)
    assert np.isclose(x.std(), 1, atol=0.01)


def test_a_shrunk_correlation_can_be_drawn_from_however_few_the_months():
    x = np.random.default_rng(1).standard_normal((8, 20))
    x[3:, 2] = np.nan
    correlation, shrunk = shrunk_correlation(x)
    assert np.linalg.eigvalsh(correlation)[0] > 0 and np.allclose(np.diag(correlation), 1) and 0 < shrunk <= 1
