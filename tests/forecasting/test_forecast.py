"""The public verb: limits always, reasons for what failed, bounds kept, bad input named."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.forecasting import backtest, forecast, forecast_many, simulate_paths
from ebank_lib.forecasting.candidates import CANDIDATES

FAST = ("ets", "theta", "snaive", "drift")


def monthly(values, start="2008-01"):
    return pd.Series(np.asarray(values, float), index=pd.period_range(start, periods=len(values), freq="M"), name="y")


def growth(seed=0, n=44, season=0.1):
    rng = np.random.default_rng(seed)
    level = np.cumsum(0.02 + 0.03 * rng.normal(size=n))
    return monthly(1e5 * np.exp(level + season * np.cos(np.arange(n) * np.pi / 6)))


def test_the_table_has_a_block_a_model_with_limits_in_order():
    f = forecast(growth(), models=FAST, kind="flow")
    assert list(f.table.columns) == ["unique_id", "month", "horizon", "model", "y_hat", "lo-80", "hi-80", "lo-95",
                                     "hi-95", "mean", "reason"]
    assert f.table["model"].drop_duplicates().tolist() == list(FAST)
    assert str(f.table["month"].iloc[0]) == "2011-09" and len(f.table) == 48
    ordered = f.table[["lo-95", "lo-80", "y_hat", "hi-80", "hi-95"]].to_numpy()
    assert (np.diff(ordered, axis=1) > 0).all()
    assert f.failures.empty and f.headline == "ets"


@pytest.mark.parametrize("model", [m for m in CANDIDATES if "ar" not in m])
def test_every_candidate_has_limits_that_never_narrow_within_a_year(model):
    f = forecast(growth(season=0), models=(model,), kind="flow")
    width = np.log(f.table["hi-95"]) - np.log(f.table["lo-95"])
    assert (np.diff(width) > -1e-9).all() and width.iloc[0] > 0


def test_seasonal_naive_repeats_last_year_with_the_spread_of_yearly_changes():
    y = growth(3)
    f = forecast(y, models=("snaive",), horizon=24)
    z = np.log(y.to_numpy())
    spread = np.sqrt(np.mean((z[12:] - z[:-12]) ** 2))
    middle = np.sqrt(f.table["lo-95"] * f.table["hi-95"]).to_numpy()
    assert np.allclose(middle, np.tile(y.to_numpy()[-12:], 2))
    assert np.isclose(np.log(f.table["hi-95"].iloc[0] / middle[0]), 1.959964 * spread, rtol=1e-3)


@pytest.mark.parametrize("model", ["drift", "combination"])
def test_the_forecast_is_the_median_and_the_mean_is_without_bias(model):
    f = forecast(growth(), models=(model,), kind="flow")
    paths = simulate_paths(f, 40_000)
    assert np.allclose(paths.median(axis=1), f.block()["y_hat"], rtol=0.01)
    assert np.allclose(paths.mean(axis=1), f.block()["mean"], rtol=0.01)
    assert (f.block("drift")["mean"] > f.block("drift")["y_hat"]).all() if model == "drift" else True


@pytest.mark.parametrize("model", ["combination", "ets", "snaive", "damped"])
def test_quantiles_of_paths_are_the_limits(model):
    f = forecast(growth(4), models=(model,), kind="flow", horizon=18)
    paths = simulate_paths(f, 40_000, seed=1)
    for column, q in (("lo-95", 0.025), ("lo-80", 0.1), ("hi-80", 0.9), ("hi-95", 0.975)):
        assert np.allclose(paths.quantile(q, axis=1), f.block()[column], rtol=0.02)


def test_months_of_a_path_hang_together():
    f = forecast(growth(4), models=("ets",), kind="flow")
    paths = simulate_paths(f, 5000)
    total = paths.sum().std()
    apart = np.sqrt((paths.std(axis=1) ** 2).sum())
    assert total > 1.3 * apart          # treating months as independent understates an annual total's spread


def test_a_share_stays_within_bounds_and_a_stock_that_never_fell_does_not_fall():
    share = monthly(1 / (1 + np.exp(-np.linspace(-1, 5, 44))))
    f = forecast(share, models=FAST, kind="ratio", horizon=60)
    numbers = f.table.filter(regex="y_hat|lo-|hi-")
    assert ((numbers >= 0) & (numbers <= 1)).all().all() and f.transform.name == "logit"
    stock = monthly(np.cumsum(np.random.default_rng(0).uniform(0, 10, 44)) + 100)
    g = forecast(stock, models=FAST, kind="stock")
    bounded = g.table[g.table["model"] != "snaive"]
    assert (bounded.filter(regex="lo-") >= stock.iloc[-1] - 1e-9).all().all()
    assert np.allclose(g.block("snaive")["y_hat"], stock.iloc[-12:])       # last year's month is said as it was


def test_zeros_take_the_square_root_and_negative_flows_stay_as_they_are():
    zeros = monthly(np.r_[np.zeros(10), np.arange(30.0)])
    f = forecast(zeros, models=FAST, kind="flow")
    assert f.transform.name == "sqrt" and (f.table["lo-95"] >= 0).all()
    either = monthly(np.random.default_rng(0).normal(size=40))
    assert forecast(either, models=FAST, kind="flow").transform.name == "none"


def test_gaps_are_said_and_left_blank():
    y = growth()
    y.iloc[[10, 11]] = np.nan
    f = forecast(y.dropna(), models=FAST)
    assert f.y.isna().sum() == 2 and ("forecasting.gaps", {"n": 2}) in f.notes
    late = growth()
    late.iloc[-3:] = np.nan
    g = forecast(late, models=FAST)
    assert str(g.table["month"].iloc[0]) == "2011-06" and ("forecasting.late", {"n": 3}) in g.notes


@pytest.mark.parametrize("n", [3, 5, 8, 13])
def test_a_short_series_gets_a_forecast_with_limits_and_says_so(n):
    f = forecast(growth(n=n), models=("combination", "snaive"))
    block = f.block()
    assert block.filter(regex="y_hat|lo-|hi-").notna().all().all()
    assert any(key == "forecasting.short" for key, _ in f.notes)
    failed = f.table[f.table["reason"] != ""]
    assert failed["y_hat"].isna().all() and f.table.loc[f.table["reason"] == "", "y_hat"].notna().all()
    if n < 10:
        assert f.headline == "naive" and set(f.failures["model"]) >= {"combination"}


def test_a_constant_is_forecast_as_it_is():
    f = forecast(monthly(np.full(30, 7.0)), models=("ets", "snaive"), kind="stock")
    assert (f.table[["y_hat", "lo-95", "hi-95"]] == 7).all().all()
    assert ("forecasting.constant", {}) in f.notes


@pytest.mark.parametrize("given_, error", [
    ({"horizon": 0}, "the horizon is out of range"), ({"horizon": 121}, "horizon"), ({"horizon": 2.5}, "horizon"),
    ({"level": (80, 120)}, "a level is out of range"), ({"level": 0}, "level"), ({"level": ()}, "level")])
def test_an_argument_out_of_range_is_an_error(given_, error):
    with pytest.raises(SeriesError, match=error):
        forecast(growth(), models=("drift",), **given_)


@pytest.mark.parametrize("y, error", [
    ([1.0, 2.0], "too few months to forecast"), ([np.nan] * 20, "too few months"),
    (["a", "b", "c"], "holds something that is no number"),
    ([1.0, np.inf, 2.0, 3.0], "holds an infinite value"), (np.ones((3, 3)), "no series"), ([], "too few months")])
def test_what_is_no_series_is_an_error(y, error):
    with pytest.raises(SeriesError, match=error):
        forecast(y, models=("drift",))


def test_index_errors_are_named():
    twice = growth()
    twice.index = [*twice.index[:-1], twice.index[0]]
    with pytest.raises(SeriesError, match="a month stands twice"):
        forecast(twice, models=("drift",))
    with pytest.raises(SeriesError, match="not monthly"):
        forecast(pd.Series(range(12), index=pd.period_range("2008Q1", periods=12, freq="Q")), models=("drift",))
    with pytest.raises(SeriesError, match="no months"):
        forecast(pd.Series(range(4), index=list("abcd")), models=("drift",))
    with pytest.raises(SeriesError, match="a share lies outside 0..1"):
        forecast(monthly([0.5, 1.5, 0.4]), kind="ratio", models=("drift",))
    with pytest.raises(UnknownNameError, match="unknown forecast model 'snaivee'. Did you mean 'snaive'"):
        forecast(growth(), models=("snaivee",))
    with pytest.raises(UnknownNameError, match="stock, flow"):
        forecast(growth(), models=("drift",), kind="level")


def test_dates_integers_and_order_of_the_index_do_not_matter():
    y = growth()
    dated = pd.Series(y.to_numpy(), index=y.index.to_timestamp())
    shuffled = y.sample(frac=1, random_state=1)
    plain = forecast(y, models=FAST).table["y_hat"]
    for other in (dated, shuffled):
        assert np.array_equal(forecast(other, models=FAST).table["y_hat"], plain)
    numbered = forecast(y.to_numpy(), models=FAST).table
    assert numbered["month"].iloc[0] == 44 and np.array_equal(numbered["y_hat"], plain)


def test_scale_of_the_data_changes_nothing():
    y = growth()
    a, b = forecast(y, models=FAST).table, forecast(y * 1e-7, models=FAST).table
    assert np.allclose(a["hi-95"] * 1e-7, b["hi-95"], rtol=1e-6)


def test_weights_lean_to_the_member_that_was_right_but_not_all_the_way():
    y = monthly(1000 * np.exp(np.arange(44) * 0.04 + 0.002 * np.random.default_rng(0).normal(size=44)))
    f = forecast(y, models=("combination",))
    weights = f.parts["combination"].weights
    assert np.isclose(sum(weights.values()), 1, atol=0.02) and min(weights.values()) >= 0.06
    assert weights["ets"] > weights["snaive_drift"] > weights["theta"]     # all of the growth lasts, not half of it
    assert "%" in f.remarks("en")[1] and "组合的权重" in f.remarks("zh")[1]
    short = forecast(growth(n=26), models=("combination",)).parts["combination"].weights
    assert len(set(short.values())) == 1      # nothing to learn from: equal


def test_twice_the_same_bytes():
    a, b = forecast(growth(), models=FAST), forecast(growth(), models=FAST)
    assert a._repr_html_() == b._repr_html_()
    assert simulate_paths(a, 50, seed=3).equals(simulate_paths(b, 50, seed=3))


@settings(max_examples=40)
@given(st.lists(st.one_of(st.floats(-1e9, 1e9), st.just(float("nan")), st.just(0.0)), min_size=0, max_size=50),
       st.integers(1, 60))
def test_any_numbers_give_a_forecast_with_limits_or_a_typed_error(values, horizon):
    try:
        f = forecast(monthly(values), horizon, models=("ets", "theta", "damped", "snaive"))
    except SeriesError as error:
        assert "too few" in str(error)
        return
    good = f.table[f.table["reason"] == ""]
    assert len(good) and np.isfinite(good.filter(regex="y_hat|lo-|hi-").to_numpy()).all()
    assert (good["lo-95"] <= good["hi-95"]).all()
    assert f.table.loc[f.table["y_hat"].isna(), "reason"].ne("").all()


def test_sentences_in_both_languages_carry_the_figures():
    f = forecast(growth(), models=("drift",), kind="flow", unit="户", label="短信")
    last = f.block().iloc[-1]
    assert f.said(last["y_hat"], "zh") in f.reading("zh") and "2012年8月" in f.reading("zh")
    assert "Aug 2012" in f.reading("en") and "95%" in f.reading("en")
    assert f.remarks("en")[0].startswith("Modelled on the log scale")
    change = last["y_hat"] / f.y.iloc[-1] - 1
    assert f"{'增长' if change > 0 else '下降'}{abs(change):.1%}" in f.reading("zh")
    assert f"{change:+.1%}" in f.reading("en")


def test_why_a_method_failed_is_told_in_the_language_asked_for():
    f = forecast(growth(n=9), models=("theta", "drift"))
    assert "只有9个月，这一方法至少要10个月" in f.remarks("zh")[-1] and "too few" in f.failures["reason"].iloc[0]
    assert "needs at least 10" in f.remarks("en")[-1]


@pytest.mark.parametrize("bad", ["x", 5, None, {"a": 1}, [[1, 2], [3]]])
def test_what_is_no_series_is_named(bad):
    with pytest.raises(SeriesError, match="is no series"):
        forecast(bad)


def test_many_series_and_one_that_cannot_be_forecast():
    frame = pd.concat([pd.DataFrame({"unique_id": n, "ds": growth(i).index.to_timestamp(), "y": growth(i).to_numpy()})
                       for i, n in enumerate("ab")], ignore_index=True)
    frame.loc[len(frame)] = ["c", pd.Timestamp("2008-01-01"), 1.0]
    got = forecast_many(frame, 6, models=("ets", "snaive"))
    assert got.groupby("unique_id").size().to_dict() == {"a": 12, "b": 12, "c": 2}
    assert got.loc[got["unique_id"] == "c", "reason"].str.contains("too few").all()
    alone = forecast(growth(0), 6, models=("ets", "snaive")).table
    assert np.array_equal(got.loc[got["unique_id"] == "a", "y_hat"], alone["y_hat"])
    wide = pd.DataFrame({"a": growth(0), "b": growth(1)})
    assert np.array_equal(forecast_many(wide, 6, models=("ets", "snaive"))["y_hat"], got["y_hat"].dropna())
    with pytest.raises(SeriesError, match="a long frame needs more columns; .*unique_id, ds, y"):
        forecast_many(frame.drop(columns="y"))


def test_many_series_are_forecast_in_a_plain_script_without_a_guard(tmp_path):
    """With 16 series and more processes were started, which ran the script again and broke."""
    script = tmp_path / "plain.py"
    script.write_text("import numpy as np, pandas as pd, ebank_lib as eb\n"
                      "months = pd.period_range('2008-01', periods=30, freq='M')\n"
                      "wide = pd.DataFrame({n: np.arange(30.0) + n for n in range(17)}, index=months)\n"
                      "print(eb.forecast_many(wide, 3, models='drift')['unique_id'].nunique())\n", encoding="utf-8")
    out = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert (out.stdout.strip(), out.returncode) == ("17", 0), out.stderr


def test_the_studys_arma_stands_beside_seasonal_naive():
    f = forecast(growth(season=0, n=30), models=("arma", "snaive"), kind="stock")
    assert f.failures.empty and "arma" in f.parts
    width = np.log(f.block("arma")["hi-95"] / f.block("arma")["lo-95"])
    assert (width > 0).all()


def test_the_backtest_of_a_forecast_and_the_forecast_itself_agree():
    y = growth()
    table = backtest(y, models=("ets",), horizon=6, origins=1).table
    alone = forecast(y.iloc[:38], 6, models=("ets",)).table
    assert np.array_equal(table.loc[table["model"] == "ets", "y_hat"].astype(float), alone["y_hat"])


def test_a_level_shift_beyond_doubt_is_not_forecast_to_happen_again():
    y = growth(season=0)
    shifted = y.copy()
    shifted.iloc[9:] *= 4
    f, plain = forecast(shifted, models=("combination",)), forecast(y, models=("combination",))
    width = [np.log(x.block()["hi-95"].iloc[-1] / x.block()["lo-95"].iloc[-1]) for x in (f, plain)]
    assert width[0] < 1.25 * width[1]
    assert ("forecasting.out_level_shift", {"month": "2008-10"}) in f.notes and "2008-10" in f.remarks("zh")[-1]
    assert np.array_equal(f.y.to_numpy(), shifted.to_numpy())      # the history that is shown stays as it was
    last_year = forecast(shifted, models=("snaive",)).block()["y_hat"]
    assert np.allclose(last_year, shifted.to_numpy()[-12:])
