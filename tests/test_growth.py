"""Growth means something or is missing: 环比, 定基, 同比, volatility and trends of one series and of a branch."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.catalog import load_catalog
from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.growth import (
    analyse_growth,
    growth_rates,
    log_growth,
    robust_sd,
    trend,
    volatility,
)
from ebank_lib.sources.spec import Event
from ebank_lib.wording import use_language


def series(values, start="2008-01"):
    return pd.Series(values, pd.period_range(start, periods=len(values), freq="M"), dtype=float)


def catalog_of(root):
    return load_catalog(root / "data" / "catalog.yaml", root / "data" / "branches.csv")


def panel_of(frames):
    """A panel from {branch: {indicator: values}}, monthly from 2008-01."""
    return pd.concat({b: pd.DataFrame({k: series(v) for k, v in f.items()}) for b, f in frames.items()},
                     names=["branch", "month"])


# --- one series

def test_growth_on_the_month_the_year_and_the_base():
    y = series(100 * 1.02 ** np.arange(30))
    assert growth_rates(y).iloc[1:].to_numpy() == pytest.approx(0.02)
    assert growth_rates(y, "yoy").dropna().to_numpy() == pytest.approx(1.02**12 - 1)
    assert growth_rates(y, "yoy").isna().sum() == 12
    assert growth_rates(y, "base", "2008-03")["2008-03"] == 1
    assert growth_rates(y, "base")["2008-02"] == pytest.approx(1.02)


def test_a_missing_month_stays_missing_and_so_does_what_needs_it():
    y = series([1.0, 2.0, np.nan, 4.0, 5.0])
    assert growth_rates(y).isna().tolist() == [True, False, True, True, False]
    # A month that is not even in the index is a gap, not a neighbour.
    assert growth_rates(y.drop(y.index[2])).isna().tolist() == [True, False, True, True, False]


def test_growth_from_zero_or_to_below_zero_is_no_number():
    assert growth_rates(series([0, 5, -3, 4])).isna().all()
    assert growth_rates(series([5, 0])).tolist()[1] == -1      # all gone: -100% is a fact
    assert growth_rates(series([0, 5]), "base").isna().all()


@given(st.lists(st.one_of(st.floats(allow_nan=True, allow_infinity=False), st.just(0.0)), min_size=1, max_size=40),
       st.sampled_from(["mom", "base", "yoy"]))
def test_growth_is_never_infinite_for_ordinary_figures(values, kind):
    y = series(values)
    y = y.where((y.abs() < 1e15) & ((y.abs() > 1e-9) | (y == 0)))
    found = growth_rates(y, kind)
    assert not np.isinf(found).any()
    assert len(found) == len(y)


@given(st.lists(st.floats(0.01, 1e9), min_size=3, max_size=40), st.floats(0.001, 1e6))
def test_growth_does_not_depend_on_the_unit(values, factor):
    y = series(values)
    scaled = growth_rates(y * factor).to_numpy()
    assert scaled == pytest.approx(growth_rates(y).to_numpy(), rel=1e-9, abs=1e-9, nan_ok=True)


def test_volatility_of_a_straight_path_is_zero_and_of_a_noisy_one_is_its_noise():
    assert volatility(series(100 * 1.05 ** np.arange(24))).dropna().to_numpy() == pytest.approx(0, abs=1e-12)
    rng = np.random.default_rng(1)
    y = series(np.exp(np.cumsum(0.01 + 0.05 * rng.normal(size=4000))), "1700-01")
    assert log_growth(y).std() == pytest.approx(0.05, rel=0.05)
    assert robust_sd(log_growth(y)) == pytest.approx(0.05, rel=0.05)


def test_one_jump_moves_the_standard_deviation_and_not_the_robust_one():
    rng = np.random.default_rng(2)
    step = 0.02 * rng.normal(size=43)
    calm = series(np.exp(np.r_[0, np.cumsum(step)]))
    step[9] += 1.4
    jump = series(np.exp(np.r_[0, np.cumsum(step)]))
    assert log_growth(jump).std() > 8 * log_growth(calm).std()
    assert robust_sd(log_growth(jump)) < 1.2 * robust_sd(log_growth(calm))


@pytest.mark.parametrize("wrong", [[1, 2, 3], pd.Series([1.0, 2.0]), pd.concat([series([1, 2]), series([1])]),
                                   pd.Series([1.0, math.inf], pd.period_range("2008-01", periods=2, freq="M")),
                                   pd.Series(["a", "b"], pd.period_range("2008-01", periods=2, freq="M")),
                                   pd.Series([1.0, 2.0], pd.period_range("2008", periods=2, freq="Y"))])
def test_what_is_no_monthly_series_is_refused_with_a_reason(wrong):
    with pytest.raises(SeriesError, match="expected"):
        growth_rates(wrong)


def test_unknown_kinds_and_months_say_what_exists():
    with pytest.raises(UnknownNameError, match="unknown kind of growth 'yoyo'. Did you mean 'yoy'"):
        growth_rates(series([1, 2]), "yoyo")
    with pytest.raises(SeriesError, match="is no month; found 'soon'; expected YYYY-MM"):
        growth_rates(series([1, 2]), "base", "soon")


# --- trends

def test_a_trend_is_found_with_its_slope_and_through_an_outlier():
    rng = np.random.default_rng(3)
    x = series(0.01 * np.arange(44) + 0.02 * rng.normal(size=44))
    x.iloc[9] = 30.0
    found = trend(x)
    assert found.verdict == "rises"
    assert found.lo < 0.01 < found.hi
    assert trend(-x).verdict == "falls"


def test_no_trend_in_constants_and_no_answer_on_a_few_months():
    assert trend(series(np.ones(30))).verdict == "none"
    assert trend(series(np.arange(11))).verdict == "unknown"
    assert trend(series([np.nan] * 30)).verdict == "unknown"


@pytest.mark.parametrize(("phi", "most"), [(-0.4, 0.12), (0.0, 0.10), (0.3, 0.12), (0.6, 0.13)])
def test_the_trend_test_keeps_its_level_on_autocorrelated_months(phi, most):
    """At a nominal 5%, 200 series of 43 months; a regression with HAC errors is at 6 to 23% here."""
    rng = np.random.default_rng(4)
    rejected = 0
    for _ in range(200):
        x = np.zeros(93)
        for i, e in enumerate(rng.standard_t(4, size=92), 1):
            x[i] = phi * x[i - 1] + e
        rejected += trend(series(x[50:])).p_value < 0.05
    assert rejected / 200 <= most


@pytest.mark.parametrize("steps, most", [("independent", 0.13), ("together", 0.17), ("none", 0.09)])
def test_a_walk_that_goes_nowhere_is_seldom_called_a_trend(steps, most):
    """At a nominal 10%, 200 series of 44 months; Mann-Kendall alone calls 40% of the independent walks a trend."""
    rng = np.random.default_rng(8)
    rejected = 0
    for _ in range(200):
        e = rng.normal(size=60)
        x = np.cumsum(e + np.r_[0, 0.3 * e[:-1]] if steps == "together" else e)
        rejected += trend(series(0.05 * rng.normal(size=44) if steps == "none" else x[16:])).p_value < 0.1
    assert rejected / 200 <= most + 0.05


def test_a_walk_with_a_drift_is_told_by_its_mean_change():
    """The exact mean change, gaps or not; steps all alike leave no doubt about it."""
    x = np.cumsum(np.r_[0, 1 + 0.3 * np.random.default_rng(1).normal(size=59)])
    holed = series(x)
    holed.iloc[[7, 30, 31]] = np.nan
    for found in (trend(series(x)), trend(holed)):
        assert found.slope == pytest.approx((x[-1] - x[0]) / 59)
        assert found.lo < 1 < found.hi
        assert found.verdict == "rises"
    assert trend(series(np.arange(30.0))).lo == pytest.approx(1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=12, max_size=30))
def test_a_reversed_series_has_the_opposite_trend(values):
    there, back = trend(series(values)), trend(series(values[::-1]))
    assert there.slope == pytest.approx(-back.slope, rel=1e-6, abs=1e-9)
    assert {there.verdict, back.verdict} in ({"none"}, {"rises", "falls"})


# --- a branch

@pytest.fixture
def analysis(root):
    months = np.arange(30)
    frames = {"rizhao": {"personal_online": 1000 * 1.03**months, "personal_online_new": np.r_[np.nan, 30 + months[1:]],
                         "phone": np.where(months == 5, np.nan, 500 * 1.01**months),
                         "sms": np.where(months < 3, 0, 100 + months),
                         "mobile_txn": 10 * 1.1**months, "echannel_share": 0.3 + 0.01 * months},
              "jinan": {k: np.full(30, np.nan) for k in ("personal_online", "personal_online_new", "phone", "sms",
                                                         "mobile_txn", "echannel_share")}}
    events = [Event(month="2008-10", indicators=["sms"], branches=["rizhao"], zh="推动", en="push"),
              Event(month="2009-01", branches=["jinan"], zh="别处", en="elsewhere")]
    return analyse_growth(panel_of(frames), "rizhao", catalog_of(root), events=events)


def test_the_table_has_a_row_an_indicator_and_month(analysis):
    assert list(analysis.table.columns) == ["indicator", "month", "y", "mom", "base", "yoy"]
    assert len(analysis.table) == 6 * 30
    row = analysis.table.query("indicator == 'mobile_txn'").iloc[-1]
    assert row[["mom", "base", "yoy"]].tolist() == pytest.approx([0.1, 1.1**29, 1.1**12 - 1])


def test_the_summary_measures_growth_and_its_steadiness(analysis):
    row = analysis.summary.set_index("indicator").loc["personal_online"]
    assert row["mean_index"] == pytest.approx(1.03)
    assert row["geo_mean"] == pytest.approx(1.03)
    assert row["last_yoy"] == pytest.approx(1.03**12 - 1)
    assert row["volatility"] == pytest.approx(0, abs=1e-12)


def test_net_new_customers_and_ratios_are_not_among_what_grows(analysis):
    assert analysis.keys() == ["personal_online", "phone", "sms", "mobile_txn"]
    assert analysis.keys(("ratio",)) == ["echannel_share"]
    assert analysis.groups() == ["customers", "transactions"]
    with pytest.raises(UnknownNameError, match="customers"):
        analysis.keys(group="customer")


def test_events_of_other_branches_are_not_ours(analysis):
    assert [e["en"] for e in analysis.events_for(["sms"])] == ["push"]
    assert analysis.events_for(["phone"]) == []


def test_the_base_month_of_a_branch_that_begins_late_is_its_own_first(root):
    late = np.r_[[np.nan] * 7, 10 * 1.1 ** np.arange(20)]
    found = analyse_growth(panel_of({"rizhao": {"phone": late, "sms": late}}), "rizhao", catalog_of(root))
    assert found.base_month == pd.Period("2008-08", "M")
    assert found.series("phone", "base").dropna().iloc[0] == 1


def test_what_cannot_be_computed_is_said(analysis):
    assert any("定基" in note for note in analysis.notes)       # SMS was zero in the base month
    assert analysis.series("sms", "base").isna().all()


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("kind", ["mom", "base", "yoy", "ratio", "volatility"])
def test_every_picture_has_a_sentence(analysis, kind, lang):
    text = analysis.reading(lang, kind)
    assert text.endswith("。" if lang == "zh" else ".")
    assert "nan" not in text and "inf" not in text and "{" not in text


def cells_of(text):
    """What a sentence states: (as printed, table, column, rows)."""
    return [(text[start:end], ref.table, ref.column, dict(ref.rows)) for start, end, refs in text.cells for ref in refs]


def test_sentences_know_the_cells_they_state(analysis):
    assert cells_of(analysis.reading("en", "yoy")) == [
        ("4", "growth", "", {"of": "size", "last_yoy": "!="}),
        ("+213.8%", "growth", "last_yoy", {"indicator": "mobile_txn"}),
        ("+10.3%", "growth", "last_yoy", {"indicator": "sms"})]
    assert cells_of(analysis.reading("en", "mom")) == [
        ("4", "growth", "", {"of": "size", "geo_mean": ">1"}),
        ("4", "growth", "", {"of": "size", "geo_mean": "!="}),
        ("+10.0%", "growth", "geo_mean", {"indicator": "mobile_txn"}),
        ("+0.9%", "growth", "geo_mean", {"indicator": "sms"})]
    assert cells_of(analysis.reading("zh", "base")) == [
        ("15.86", "growth", "base", {"indicator": "mobile_txn"}), ("1.33", "growth", "base", {"indicator": "phone"})]
    assert cells_of(analysis.reading("zh", "ratio")) == [
        ("1", "growth", "", {"of": "ratio"}), ("1", "growth", "", {"of": "ratio", "gain": ">0"}),
        ("30.0%", "growth", "y_first", {"indicator": "echannel_share"}),
        ("59.0%", "growth", "y_last", {"indicator": "echannel_share"})]
    stated = cells_of(analysis.reading("en", "volatility"))
    assert [(column, rows) for _, _, column, rows in stated] == [
        ("robust", {"indicator": "sms"}), ("robust", {"indicator": "personal_online"}),
        ("", {"of": "size", "robust": "!="})]
    rows = analysis.summary.set_index("indicator")
    assert rows["of"].to_dict() == {"personal_online": "size", "personal_online_new": "new", "phone": "size",
                                    "sms": "size", "mobile_txn": "size", "echannel_share": "ratio"}
    assert rows.loc["echannel_share", ["y_first", "y_last", "gain"]].tolist() == pytest.approx([0.30, 0.59, 0.29])
    assert rows.loc["mobile_txn", "base"] == pytest.approx(1.1**29)


def test_sentences_name_what_they_count_and_what_there_is_none_of(analysis, root):
    assert "项存量和流量指标中" in analysis.reading("zh") and "增至" in analysis.reading("zh", "base")
    alone = analyse_growth(panel_of({"rizhao": {"phone": 1000 * 1.01 ** np.arange(44)}}), "rizhao", catalog_of(root))
    assert "没有比率指标" in alone.reading("zh", "ratio") and "没有一项" in alone.reading("zh", "volatility")


def test_a_branch_without_figures_says_so(analysis, root):
    panel = panel_of({"rizhao": {"phone": [np.nan] * 5}})
    empty = analyse_growth(panel, "rizhao", catalog_of(root))
    assert "too few figures" in empty.reading("en") and "no ratio" in empty.reading("en", "ratio")
    assert "–" not in empty._repr_html_().split("</table>")[0]


def test_the_html_is_in_the_reader_s_language_and_the_same_each_time(analysis):
    use_language("en")
    html = analysis._repr_html_()
    assert html == analysis._repr_html_()
    assert "Mean monthly index" in html
    use_language("zh")
    assert "平均环比指数" in analysis._repr_html_()


def test_wrong_names_list_what_exists(analysis, root):
    panel = panel_of({"rizhao": {"phone": [1.0, 2.0]}})
    catalog = catalog_of(root)
    with pytest.raises(UnknownNameError, match="rizhao"):
        analyse_growth(panel, "rizaho", catalog)
    with pytest.raises(UnknownNameError, match="unknown branch in the panel 'jinan'"):
        analyse_growth(panel, "jinan", catalog)
    with pytest.raises(UnknownNameError, match="phone"):
        analyse_growth(panel, "rizhao", catalog).series("fone")
    with pytest.raises(UnknownNameError, match="unknown base month 2007-01.*2008-01"):
        analyse_growth(panel, "rizhao", catalog, base_month="2007-01")


def test_the_sample_s_push_of_2008_10_is_the_largest_growth_of_sms(cleaned):
    found = analyse_growth(cleaned.panel, "rizhao", cleaned.catalog)
    sms = found.series("sms", "mom")
    assert sms["2008-10"] > 2
    assert sms.idxmax() == pd.Period("2008-10", "M")
