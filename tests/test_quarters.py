"""Quarters: flows add up, stocks are the last month's, ratios follow from their parts; nothing is summed in part."""

import numpy as np
import pandas as pd
import pytest

import ebank_lib as eb
from ebank_lib.errors import SeriesError, UnknownNameError

MONTHS = pd.period_range("2011-01", periods=8, freq="M")
Y = pd.Series([1.0, 2, 3, 4, np.nan, 6, 7, 8], MONTHS)


@pytest.mark.parametrize("kind, values", [("flow", [6, np.nan, np.nan]), ("stock", [3, 6, np.nan]),
                                          ("ratio", [3, 6, np.nan]), ("multiple", [3, 6, np.nan])])
def test_a_series_by_its_kind(kind, values):
    q = eb.to_quarters(Y, kind)
    assert q["quarter"].tolist() == list(pd.period_range("2011Q1", periods=3, freq="Q"))
    assert q["months"].tolist() == [3, 2, 2] and np.array_equal(q["value"], values, equal_nan=True)
    assert ((q["reason"] == "") == q["value"].notna()).all() and q["reason"].iloc[-1]


def test_dates_in_any_order_and_a_start_within_a_quarter():
    shuffled = Y.dropna().to_timestamp().iloc[[3, 0, 5, 1, 4, 2, 6]].drop(pd.Timestamp("2011-01-01"))
    q = eb.to_quarters(shuffled, "flow")
    assert q["value"].isna().all() and q["months"].tolist() == [2, 2, 2]


def test_a_source_is_the_same_branch_by_branch(cleaned):
    q = eb.to_quarters(cleaned).set_index(["branch", "indicator", "quarter"]).sort_index()
    for branch in ("rizhao", "jinan", cleaned.catalog.total):
        for key in ("mobile_txn", "mobile", "sms_income"):
            alone = eb.to_quarters(cleaned.series(branch, key), cleaned.catalog.indicator(key).kind)
            assert np.allclose(q.loc[(branch, key), "value"], alone["value"], equal_nan=True)
            assert q.loc[(branch, key), "months"].tolist() == alone["months"].tolist()
    made = {key: q["value"].xs(key, level="indicator") for key in ("echannel_share", "etxn_total", "counter_txn")}
    assert np.allclose(made["echannel_share"], made["etxn_total"] / (made["etxn_total"] + made["counter_txn"]),
                       equal_nan=True)


def test_a_sum_of_the_source_is_the_sum_of_its_parts_in_quarters_too(cleaned):
    own = cleaned.with_indicator("both", parts=["mobile_txn", "phone_txn"])
    q = eb.to_quarters(own).set_index(["indicator", "branch", "quarter"])["value"].sort_index()
    assert np.allclose(q["both"], q["mobile_txn"] + q["phone_txn"], equal_nan=True)


@pytest.mark.parametrize("data, kind, error, said", [
    (Y, None, UnknownNameError, "unknown kind"), (Y, "level", UnknownNameError, "Known: stock, flow, ratio, multiple"),
    (Y.to_frame(), "flow", SeriesError, "is no series"),
    (pd.Series([1.0, 2, 3], pd.period_range("2011Q1", periods=3, freq="Q")), "flow", SeriesError, "is not monthly")])
def test_what_has_no_quarters_says_why(data, kind, error, said):
    with pytest.raises(error, match=said):
        eb.to_quarters(data, kind)
