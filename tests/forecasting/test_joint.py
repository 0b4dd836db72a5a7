"""What follows from what, and futures drawn together: identities and sums are exact, margins are the limits."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebank_lib.catalog import Identity, load_catalog
from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.forecasting import Context, forecast_indicator, simulate_joint
from ebank_lib.forecasting.context import surprises_of
from ebank_lib.forecasting.joint import Dependence, Rule, dependence_of, follow, plan_of, shrunk_correlation
from ebank_lib.forecasting.series import prepare

SOME = ("mobile_active", "income_total", "sms_new", "echannel_share")


@pytest.fixture(scope="module")
def catalog(root):
    return load_catalog(root / "data" / "catalog.yaml", root / "data" / "branches.csv")


def test_every_indicator_is_either_modelled_or_follows(catalog):
    plan = plan_of(catalog)
    assert set(plan.free) | set(plan.derived) == set(catalog.indicators) and not set(plan.free) & set(plan.derived)
    done = set(plan.free)
    for key, rule in plan.derived.items():
        assert done.issuperset(rule.parts)
        done.add(key)


def test_a_share_of_a_whole_is_modelled_and_its_numerator_follows(catalog):
    plan = plan_of(catalog)
    assert plan.derived["mobile_active"] == Rule("part", ("mobile_activity", "mobile"))
    assert plan.derived["echannel_share"].kind == "ratio" and plan.derived["mobile_new"].kind == "change"
    assert plan.movers("income_total") == ("sms_income", "personal_online_income", "corporate_online_income")


def test_relations_with_what_is_not_there_do_not_count(catalog):
    plan = plan_of(catalog, ["mobile_active", "mobile_activity", "etxn_total", "mobile_txn"])
    assert not plan.derived and plan.free == ("mobile_active", "mobile_activity", "mobile_txn", "etxn_total")


def test_a_stock_with_several_changes_follows_from_them(catalog):
    def of(*identities):
        return plan_of(type(catalog)(catalog.indicators, {}, {}, {}, identities, catalog.branches, ()))

    plan = of(Identity(kind="change", total="sms", parts=["sms_new", "phone_new"]))
    assert plan.derived["sms"] == Rule("level", ("sms_new", "phone_new"))
    ring = of(Identity(kind="sum", total="sms", parts=["phone"]), Identity(kind="sum", total="phone", parts=["sms"]))
    assert set(ring.derived) - set(plan_of(catalog).derived) == {"sms"}      # the second would close a ring


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_identities_hold_on_every_path(catalog, seed):
    plan, rng = plan_of(catalog), np.random.default_rng(seed)
    free = {k: rng.uniform(0.05, 0.95, (3, 5, 7)) * (1 if k in _SHARES else 1e5) for k in plan.free}
    last = {k: rng.uniform(1, 1e5, 3) for k in catalog.indicators}
    values = plan.complete(free, last)
    for identity in catalog.identities:
        parts, total = sum(values[p] for p in identity.parts), values[identity.total]
        if identity.kind == "sum":
            assert np.allclose(parts, total)
        elif identity.kind == "within":
            assert (parts <= total * (1 + 1e-12)).all()
        else:
            before = np.concatenate([np.broadcast_to(last[identity.total][:, None, None], (3, 1, 7)),
                                     total[:, :-1]], axis=1)
            assert np.allclose(total - before, parts)
    for ind in catalog.indicators.values():
        if ind.numerator:
            assert np.allclose(values[ind.key], values[ind.numerator] / sum(values[d] for d in ind.denominators))


_SHARES = ("personal_online_activity", "mobile_activity", "synchronisation", "conversion", "coverage",
           "mortgage_coverage", "investment_share")


def test_only_what_depends_on_a_change_is_computed_again(catalog):
    plan = plan_of(catalog)
    assert plan.touched(["mobile"]) == ["mobile_active", "mobile_new"]
    assert plan.touched(["mobile_txn"]) == ["etxn_total", "echannel_share", "echannel_counter_ratio"]
    assert plan.touched([]) == []


def test_a_ratio_over_nothing_is_no_number():
    assert np.isnan(follow(Rule("ratio", ("a", "b")), {"a": np.ones((1, 1)), "b": np.zeros((1, 1))}, {})).all()


@pytest.fixture(scope="module")
def paths(cleaned):
    return simulate_joint(cleaned, horizon=14, n=4000, branches=["rizhao", "jinan"], indicators=SOME)


def test_what_is_asked_for_comes_with_what_it_follows_from(paths):
    assert set(SOME) < set(paths.indicators) and "phone" not in paths.indicators
    assert paths.branches == ("rizhao", "jinan") and str(paths.months[0]) == "2011-09" and paths.n == 4000


def test_quantiles_of_paths_are_the_limits_of_each_forecast(paths):
    for (branch, key), f in paths.forecasts.items():
        drawn, block = paths.of(branch, key), f.block().iloc[-14:]
        for column, q in (("lo-80", 0.1), ("y_hat", 0.5), ("hi-80", 0.9)):      # of 4,000 paths, and of 1,000 values
            assert np.allclose(drawn.quantile(q, axis=1), block[column], rtol=1e-3), (branch, key, column)


def test_sums_changes_and_ratios_hold_on_every_path_and_in_the_table(paths):
    parts = sum(paths.array(k) for k in ("sms_income", "personal_online_income", "corporate_online_income"))
    assert np.allclose(parts, paths.array("income_total"))
    assert np.allclose(paths.array("mobile_active"), paths.array("mobile_activity") * paths.array("mobile"))
    assert np.allclose(paths.array("mobile_new")[:, 1:], np.diff(paths.array("mobile"), axis=1))
    totals = paths.outlook().pivot_table("mean", "month", "indicator")
    assert np.allclose(totals["income_total"], totals[["sms_income", "personal_online_income",
                                                       "corporate_online_income"]].sum(axis=1))


def test_the_totals_are_quantiles_of_the_sums_of_paths(paths):
    rows = paths.outlook().query("indicator == 'sms'").set_index("horizon")
    drawn = paths.array("sms").sum(axis=0)
    assert (rows["month"] == paths.months).all() and rows["branch"].eq("shandong").all()
    for column, q in (("lo-80", 0.1), ("y_hat", 0.5), ("hi-80", 0.9), ("lo-95", 0.025), ("hi-95", 0.975)):
        assert np.allclose(rows[column], np.quantile(drawn, q, axis=1, method="hazen"))
    share = paths.outlook().query("indicator == 'mobile_activity'")["y_hat"]
    assert np.allclose(share, np.median(paths.array("mobile_active").sum(axis=0) / paths.array("mobile").sum(axis=0),
                                        axis=1))


def test_a_path_is_the_same_whatever_else_is_asked_for(cleaned, paths):
    alone = simulate_joint(cleaned, horizon=24, n=4000, branches=["jinan"], indicators=["income_total"])
    for key in alone.indicators:
        assert np.array_equal(alone.of("jinan", key).iloc[:14], paths.of("jinan", key))


def test_a_forecast_says_what_its_paths_say(cleaned):
    paths = simulate_joint(cleaned, horizon=12, branches=["rizhao"], indicators=["mobile", "income_total"])
    for key in paths.indicators:        # a stock that never fell, what is modelled, what follows
        block, drawn = forecast_indicator(cleaned, "rizhao", key).block(), paths.of("rizhao", key).to_numpy()
        for column, q in (("lo-95", 0.025), ("lo-80", 0.1), ("y_hat", 0.5), ("hi-80", 0.9), ("hi-95", 0.975)):
            assert np.allclose(block[column], np.quantile(drawn, q, axis=1, method="hazen"), rtol=1e-12), (key, column)
        assert np.allclose(block["mean"], drawn.mean(axis=1), rtol=1e-12)


def test_what_follows_from_others_needs_no_method_of_its_own(cleaned):
    f = forecast_indicator(cleaned, "rizhao", "income_total", models="combination")
    assert f.table["model"].unique().tolist() == ["combination"] and list(f.parts) == ["combination"]
    assert not any(key == "forecasting.fallback" for key, _ in f.notes)


def test_all_branches_together_are_their_sum(cleaned):
    whole = forecast_indicator(cleaned, "shandong", "mobile_txn", models=("combination", "snaive"))
    paths = simulate_joint(cleaned, horizon=12, indicators=["mobile_txn"])
    assert np.allclose(whole.block()["mean"], paths.array("mobile_txn").mean(axis=2).sum(axis=0))
    means = [forecast_indicator(cleaned, b, "mobile_txn").block()["mean"].to_numpy() for b in paths.branches]
    assert np.allclose(whole.block()["mean"], np.sum(means, axis=0))
    assert "各分行之和" in whole.remarks("zh")[0] and whole.block("snaive")["y_hat"].notna().all()


def test_what_follows_from_a_series_that_cannot_be_forecast_is_forecast_by_itself(cleaned):
    class Few:
        catalog, panel = cleaned.catalog, cleaned.panel.loc[["rizhao", "jinan", "zibo", "yantai"]]

    branch, month = (Few.panel.index.get_level_values(k) for k in ("branch", "month"))
    Few.panel.loc[(branch == "rizhao") & (month < pd.Period("2011-07", "M")), "sms_income"] = np.nan
    f = Context.of(Few).forecast("rizhao", "income_total")
    assert not f.paths and "combination" in f.parts
    assert Context.of(Few).forecast("jinan", "income_total").paths


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
    with pytest.raises(SeriesError, match="an indicator that follows from others cannot be set"):
        paths.with_free({"mobile_active": paths.array("mobile_active")})
    with pytest.raises(SeriesError, match="paths of another shape"):
        paths.with_free({"mobile": np.ones(3)})


def test_a_series_that_ends_early_or_is_not_there_keeps_its_reason(cleaned):
    class Few:
        catalog, panel = cleaned.catalog, cleaned.panel.loc[["rizhao", "jinan", "zibo", "yantai"], ["mobile", "sms"]]

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
    with pytest.raises(UnknownNameError, match="unknown branch with paths 'zibo'.*jinan"):
        paths.of("zibo", "sms")
    with pytest.raises(UnknownNameError, match="unknown indicator .nowhere"):
        paths.array("nowhere")
    with pytest.raises(UnknownNameError, match="unknown indicator with paths"):
        paths.array("phone")


def known(rho, own, months=120, branches=12, seed=0):
    """A panel of random walks whose shocks hang together as told."""
    d = Dependence(np.full(2, rho), np.eye(2), np.array([[1.0, own], [own, 1.0]]))
    names = [f"b{i}" for i in range(branches)]
    index = pd.period_range("2000-01", periods=months, freq="M", name="month")
    blocks = {name: pd.DataFrame(np.exp(0.03 * np.cumsum(shocks[:, 0], axis=1).T), index, ["a", "b"])
              for name, shocks in zip(names, d.draw(names, 0, months, 1, seed), strict=True)}
    return pd.concat(blocks, names=["branch", "month"]), names


@pytest.mark.parametrize("rho, own", [(0.0, 0.0), (0.5, 0.6), (0.8, -0.4)])
def test_a_known_dependence_is_found_again(rho, own):
    panel, names = known(rho, own)

    months = panel.loc["b0"].index
    got = dependence_of([
        surprises_of({name: prepare(panel.loc[name, key], "flow") for name in names}, names, months) for key in "ab"])
    assert np.allclose(got.rho, rho, atol=0.12) and np.isclose(got.own[0, 1], own, atol=0.12)


def test_draws_have_the_dependence_they_are_asked_for():
    d = Dependence(np.array([0.3, 0.6]), np.array([[1, 0.5], [0.5, 1]]), np.array([[1, -0.2], [-0.2, 1]]))
    x, y = d.draw(("one", "two"), 0, 1, 60_000)
    together = np.corrcoef(np.vstack([x[:, :, 0], y[:, :, 0]]))
    across = 0.5 * np.sqrt(0.3 * 0.6)
    assert np.allclose(np.diag(together[:2, 2:]), [0.3, 0.6], atol=0.02)
    assert np.isclose(together[0, 3], across, atol=0.02)
    assert np.isclose(together[0, 1], across - 0.2 * np.sqrt(0.7 * 0.4), atol=0.02)
    assert np.isclose(x.std(), 1, atol=0.01)


def test_a_shrunk_correlation_can_be_drawn_from_however_few_the_months():
    x = np.random.default_rng(1).standard_normal((8, 20))
    x[3:, 2] = np.nan
    correlation = shrunk_correlation(x)
    assert np.linalg.eigvalsh(correlation)[0] > 0 and np.allclose(np.diag(correlation), 1)
    assert np.abs(correlation - np.eye(20)).max() < 1
