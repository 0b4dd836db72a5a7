"""An indicator of one's own: made of others month by month, and then taken by every verb as any other."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import ebank_lib as eb
from ebank_lib.catalog import load_catalog
from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.scenarios.strategy import Target


@pytest.fixture(scope="module")
def own(cleaned):
    return (cleaned.with_indicator("per_customer", "mobile_txn", "mobile", en="Transactions per customer",
                                   zh="户均交易笔数", bounded=False)
            .with_indicator("personal", parts=["personal_online_txn", "mobile_txn"]))


def test_it_is_what_it_is_made_of_in_every_branch_and_month(cleaned, own):
    p = cleaned.panel
    ratio, total = p["mobile_txn"] / p["mobile"].where(p["mobile"] > 0), p["personal_online_txn"] + p["mobile_txn"]
    assert own.panel["per_customer"].equals(ratio.rename("per_customer"))
    assert own.panel["personal"].equals(total.rename("personal"))
    assert own.panel[p.columns].equals(p) and "personal" not in cleaned.panel
    assert "personal" not in cleaned.catalog.indicators


def test_what_is_in_doubt_below_is_in_doubt_above(cleaned, own):
    parts = ["personal_online_txn", "mobile_txn"]
    doubted = cleaned.panel[parts].notna().all(axis=1) & cleaned.trusted[parts].isna().any(axis=1)
    assert doubted.any() and own.trusted.loc[doubted, "personal"].isna().all()
    assert own.trusted.loc[~doubted, "personal"].equals(own.panel.loc[~doubted, "personal"])


def test_of_all_branches_it_is_made_of_their_sums(own):
    total = own.total()
    assert np.allclose(total["per_customer"], total["mobile_txn"] / total["mobile"], equal_nan=True)


def test_it_is_forecast_tested_simulated_held_against_a_target_and_drawn(own):
    f = eb.forecast_indicator(own, "rizhao", "per_customer", horizon=6)
    assert f.kind == "multiple" and "Transactions per customer: " in f.reading("en") and "户均" in f.reading("zh")
    assert eb.backtest_indicator(own, "rizhao", "per_customer", 3, 2, models=["drift"], peers=4).grade().origins == 2
    paths = eb.simulate_joint(own, 6, n=50, branches=["rizhao"], indicators=["per_customer", "personal"])
    at = {key: paths.of("rizhao", key) for key in ("per_customer", "personal", "mobile_txn", "mobile",
                                                   "personal_online_txn")}
    assert np.allclose(at["per_customer"], at["mobile_txn"] / at["mobile"])
    assert np.allclose(at["personal"], at["mobile_txn"] + at["personal_online_txn"])
    goal = Target(key="more", zh="更多", en="more", indicator="per_customer", goal=1.5, deadline="2012-06")
    (row,) = eb.evaluate_targets(own, "rizhao", [goal], n=200).table.itertuples()
    assert 0 < row.p_at < 1
    own.plot("rizhao", "per_customer")
    plt.close("all")


def test_figures_of_others_do_not_move(cleaned, own):
    before, after = (eb.forecast_indicator(one, "rizhao", "mobile_txn", horizon=3, models=["combination"]).table
                     for one in (cleaned, own))
    pd.testing.assert_frame_equal(before, after)


def test_the_catalogue_can_be_kept(own, tmp_path):
    own.catalog.save(tmp_path)
    assert load_catalog(tmp_path / "catalog.yaml", tmp_path / "branches.csv") == own.catalog


@pytest.mark.parametrize("asked, error, said", [
    ({"key": "mobile", "numerator": "sms", "denominator": "phone"}, ConfigError,
     "key 'mobile': stands in the catalogue already; expected a new key"),
    ({"key": "a", "numerator": "sms"}, ConfigError, "an indicator is a ratio or a sum; expected numerator and denom"),
    ({"key": "a", "numerator": "sms", "denominator": "phone", "parts": ["sms"]}, ConfigError, "a ratio or a sum"),
    ({"key": "a b", "parts": ["sms", "phone"]}, ConfigError, "letters, digits, _ and -"),
    ({"key": "a", "parts": ["sms", "sms"]}, ConfigError, "the parts do not add up; found 'sms"),
    ({"key": "a", "parts": ["sms", "sms_new"]}, ConfigError, "expected stocks or flows, of one kind and unit"),
    ({"key": "a", "parts": ["coverage", "conversion"]}, ConfigError, "the parts do not add up"),
    ({"key": "a", "numerator": "mobile_txn", "denominator": "mobile"}, ConfigError,
     "key 'a': a share lies outside 0..1; found '.*'; expected fractions. bounded=False makes"),
    ({"key": "a", "numerator": "mobil", "denominator": "sms"}, UnknownNameError, "Did you mean 'mobile'")])
def test_what_makes_no_indicator_says_why(cleaned, asked, error, said):
    with pytest.raises(error, match=said):
        cleaned.with_indicator(**asked)
