"""Measures by hand and against other software, the grade's rule, tests of a difference: parity, honest size."""

import re

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.fft import dct
from scipy.integrate import quad
from utilsforecast import losses

from ebank_lib.errors import UnknownNameError
from ebank_lib.forecasting import Comparison, Grade, backtest, compare, diebold_mariano, forecast
from ebank_lib.forecasting.forecast import distribution
from ebank_lib.forecasting.scoring import crps, grade_rule, scores_of

from .test_forecast import growth

TAU = (np.arange(400) + 0.5) / 400


@pytest.mark.parametrize("z", [-3.0, -1.0, 0.0, 0.4, 2.5])
def test_crps_of_the_normal_is_its_closed_form(z):
    """Gneiting & Raftery (2007), eq. 21."""
    exact = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi)
    assert np.isclose(crps(stats.norm.ppf(TAU)[:, None], [z])[0], exact, rtol=2e-3)


@pytest.mark.parametrize("law", [stats.lognorm(0.5), stats.t(4), stats.gamma(2)])
@pytest.mark.parametrize("y", [0.2, 1.0, 5.0])
def test_crps_is_the_integral_of_the_squared_error_of_probabilities(law, y):
    low, high = law.ppf(1e-9), law.ppf(1 - 1e-9)
    exact = (quad(lambda x: law.cdf(x) ** 2, low, y, limit=200)[0]
             + quad(lambda x: law.sf(x) ** 2, y, high, limit=200)[0])
    assert np.isclose(crps(law.ppf(TAU)[:, None], [y])[0], exact, rtol=6e-3)


def test_crps_is_twice_the_mean_quantile_loss_of_utilsforecast():
    points = np.sort(np.random.default_rng(0).gamma(2, size=(50, 3)), axis=0)
    y = np.array([0.5, 2.0, 9.0])
    tau = (np.arange(50) + 0.5) / 50
    names = [f"q{i}" for i in range(50)]
    frame = pd.DataFrame(points.T, columns=names).assign(unique_id=range(3), y=y)
    loss = losses.mqloss(frame, {"m": names}, tau)["m"]
    assert np.allclose(crps(points, y), 2 * loss)


def test_a_point_scores_its_absolute_error_and_a_missing_month_nothing():
    assert crps(np.full((400, 2), 3.0), [5.0, np.nan])[0] == pytest.approx(2.0)
    assert np.isnan(crps(np.full((400, 1), 3.0), [np.nan])[0])


@pytest.mark.parametrize("model", ["combination", "ets", "snaive"])
def test_the_distribution_is_the_one_of_the_limits(model):
    f = forecast(growth(2), models=(model,), kind="stock")
    points = distribution(f, model, 4000)
    for column, q in (("lo-95", 0.025), ("lo-80", 0.1), ("y_hat", 0.5), ("hi-80", 0.9), ("hi-95", 0.975)):
        assert np.allclose(np.quantile(points, q, axis=0), f.block()[column], rtol=2e-3)


A = [2.1, 2.4, 3.3, 2.9, 2.7, 1.8, 1.2, 0.9, 1.1, 1.5, 3.1, 3.6]
B = [1.9, 1.7, 2.4, 2.2, 2.1, 1.9, 1.6, 1.1, 1.5, 1.8, 2.2, 2.4]


def overlapping(rng, n, horizon):
    return np.convolve(rng.normal(size=n + horizon - 1), np.ones(horizon), "valid")


def test_one_month_ahead_it_is_as_the_package_dieboldmariano_says():
    """Version 1.1.0 of that package, itself tested against forecast::dm.test of R."""
    found = diebold_mariano(A, B)
    assert (found.variance, found.n) == ("autocovariances", 12)
    assert np.isclose(found.difference, np.mean(A) - np.mean(B))
    assert np.isclose(found.statistic, 1.8922746461174826) and np.isclose(found.p_value, 0.08505470673792274)


@pytest.mark.parametrize("seed", range(5))
def test_one_month_ahead_it_is_a_regression_on_a_constant(seed):
    d = np.random.default_rng(seed).normal(size=30) + 0.5
    fit = sm.OLS(d, np.ones(30)).fit()
    found = diebold_mariano(d, np.zeros(30))
    assert np.isclose(found.statistic, np.sqrt(29 / 30) * fit.tvalues[0] * np.sqrt(30 / 29))
    assert np.isclose(found.p_value, fit.pvalues[0])


@pytest.mark.parametrize("horizon, waves", [(2, 3), (3, 2), (6, 1)])
def test_overlapping_losses_are_tested_by_the_slowest_cosine_waves(horizon, waves):
    """The waves of scipy's orthonormal cosine transform; Student's t of as many degrees."""
    d = np.array(A) - B
    found = diebold_mariano(A, B, horizon)
    slow = dct(d, norm="ortho")[1: waves + 1]
    assert found.variance == "cosines" and found.horizon == horizon
    assert np.isclose(found.statistic, d.mean() / np.sqrt(np.mean(slow**2) / 12))
    assert np.isclose(found.p_value, 2 * stats.t.sf(abs(found.statistic), waves))


@given(st.lists(st.floats(0, 100), min_size=8, max_size=30), st.integers(1, 7), st.integers(0, 99))
def test_changing_sides_changes_the_sign_only(one, horizon, seed):
    other = np.random.default_rng(seed).uniform(0, 100, len(one))
    a, b = diebold_mariano(one, other, horizon), diebold_mariano(other, one, horizon)
    assert np.isclose(a.statistic, -b.statistic) and np.isclose(a.p_value, b.p_value) and 0 <= a.p_value <= 1


@pytest.mark.parametrize("n, horizon", [(12, 3), (24, 6)])
def test_equal_methods_are_called_different_about_as_often_as_promised(n, horizon):
    """Overlapping losses of equal methods: by cosines close to one in twenty (measured 5.4 to 5.7 per cent)."""
    rng = np.random.default_rng(0)
    p = [diebold_mariano(overlapping(rng, n, horizon), np.zeros(n), horizon).p_value for _ in range(1500)]
    assert 0.03 < np.mean(np.array(p) < 0.05) < 0.075


def test_nothing_to_test_is_said_not_guessed():
    same, few = diebold_mariano(A, A), diebold_mariano(A[:7], B[:7])
    assert np.isnan(same.p_value) and same.reason == "the losses never differ"
    assert np.isnan(few.p_value) and "found 7; expected at least 8" in few.reason
    assert np.isfinite(diebold_mariano(A[:8], B[:8]).p_value)
    assert "expected at least 13" in diebold_mariano(A, B, 12).reason and not diebold_mariano(A, B, 11).reason


@pytest.fixture(scope="module")
def tested():
    return backtest(growth(), ("theta", "drift"), kind="flow")


def test_a_comparison_is_of_the_mean_scaled_loss_of_each_origin(tested):
    c = compare(tested)
    assert c.table["other"].tolist() == ["drift", "snaive"] and (c.table["horizon"] == 3).all()
    assert c.null and c.alternative and "原假设" in c.to_html("zh") and "Null" in c.to_html("en")
    scored = tested.scored()
    error = ((scored["y"] - scored["y_hat"]).abs() / scored["scale"]).astype(float)
    mean = scored.assign(loss=error)[scored["horizon"] <= 3].pivot_table("loss", "cutoff", "model")
    for row in c.table.itertuples():
        direct = diebold_mariano(mean["theta"], mean[row.other], 3)
        assert (row.n, row.p_value) == (12, pytest.approx(direct.p_value))
        assert row.difference == pytest.approx(mean["theta"].mean() - mean[row.other].mean())
    assert all(("偶然" in s) or ("无从" in s) for s in c.reading("zh").split("。")[:-1])


def test_a_sentence_knows_the_row_of_each_pair(tested):
    c = compare(tested)
    text = c.reading("en")
    said = [(text[start:end], refs[0].column, dict(refs[0].rows)["other"]) for start, end, refs in text.cells]
    assert {table for _, _, refs in text.cells for table in [refs[0].table]} == {"comparison"}
    for row in c.table.itertuples():
        p = "0.001" if row.p_value < 0.0005 else f"{row.p_value:.3f}"
        assert [(p, "p_value", row.other), ("12", "n", row.other), ("3", "horizon", row.other)] == [
            one for one in said if one[2] == row.other]


def test_the_verdict_is_the_sign_where_it_is_more_than_chance():
    rows = [("a", -1.0, 0.01), ("b", 1.0, 0.01), ("c", -1.0, 0.05), ("d", np.nan, np.nan)]
    table = pd.DataFrame([{"model": "theta", "other": "drift", "n": 12, "horizon": 1, "difference": d, "statistic": 1.0,
                           "p_value": p, "variance": "", "reason": ""} for _, d, p in rows])
    shown = re.findall(r"<td>([^<]*)</td></tr>", Comparison(table).to_html("en"))
    assert shown == ["more accurate, hardly chance", "less accurate, hardly chance", "could be chance",
                     "too few origins or no difference, cannot be told"]


def test_wrong_names_are_errors(tested):
    assert compare(tested, "drift", "snaive").table[["model", "other"]].to_numpy().tolist() == [["drift", "snaive"]]
    with pytest.raises(UnknownNameError, match="theta"):
        compare(tested, other="thetta")


def rows_of(y, y_hat, model="m", **more):
    """Rows as a backtest scores them, limits 1 to each side (80%) and 2 (95%)."""
    y, y_hat = np.asarray(y, float), np.asarray(y_hat, float)
    return pd.DataFrame({"model": model, "y": y, "y_hat": y_hat, "lo-80": y_hat - 1, "hi-80": y_hat + 1,
                         "lo-95": y_hat - 2, "hi-95": y_hat + 2, "crps": 0.5, "scale": 4.0, "scale2": 20.0} | more)


def test_measures_computed_by_hand():
    rows = pd.concat([rows_of([10, 20, 30], [11, 17, 30]), rows_of([10, 20, 30], [12, 14, 30], "snaive")])
    s = scores_of(rows, (80, 95)).set_index("model").loc["m"]
    assert s["n"] == 3 and s["mase"] == pytest.approx(4 / 3 / 4) and s["rmsse"] == pytest.approx(np.sqrt(10 / 3 / 20))
    assert s["smape"] == pytest.approx(200 / 3 * (1 / 21 + 3 / 37)) and s["wape"] == pytest.approx(100 * 4 / 60)
    assert s["bias"] == pytest.approx(100 * -2 / 60) and s["crps"] == pytest.approx(0.5 / 4)
    assert s["ratio"] == pytest.approx(4 / 8)
    drift = rows_of([10, 20, 30], [10, 18, 30], "drift")      # now this is the better simple rule
    assert scores_of(pd.concat([rows, drift]), (80, 95)).set_index("model").loc["m", "ratio"] == pytest.approx(4 / 2)
    assert s["coverage-80"] == pytest.approx(2 / 3) and s["coverage-95"] == pytest.approx(2 / 3)
    # width, and what lies outside times 2 / alpha: 20 lies 2 above 17 + 1 and 1 above 17 + 2
    assert s["msis-80"] == pytest.approx((2 + (2 + 10 * 2) + 2) / 3 / 4)
    assert s["msis-95"] == pytest.approx((4 + (4 + 40 * 1) + 4) / 3 / 4)


def test_a_row_without_a_scale_counts_for_nothing_that_is_scaled_and_naive_without_error_gives_no_ratio():
    rows = pd.concat([rows_of([10, 20], [11, 18], scale=[4.0, 0.0], scale2=[20.0, 0.0]),
                      rows_of([10, 20], [10, 20], "snaive")])
    s = scores_of(rows, (80, 95)).set_index("model")
    assert s.loc["m", "mase"] == pytest.approx(1 / 4) and s.loc["m", "rmsse"] == pytest.approx(np.sqrt(1 / 20))
    assert s.loc["m", "crps"] == pytest.approx(0.5 / 4) and s.loc["m", "wape"] == pytest.approx(100 * 3 / 30)
    assert s["ratio"].isna().all()
    assert scores_of(rows.iloc[:0], (80, 95)).columns.tolist() == [*s.reset_index().columns]


def test_a_fractional_level_is_scored_as_itself():
    rows = rows_of([10.0], [10.0], **{"lo-99.5": 9.0, "hi-99.5": 12.0})
    s = scores_of(rows, (99.5,)).iloc[0]
    assert s["coverage-99.5"] == 1 and s["msis-99.5"] == pytest.approx(3 / 4)


@pytest.mark.parametrize("figures, letter", [
    ((0.5, 5, 0.95, 95, 12), "A"), ((0.75, 50, 0.85, 95, 6), "A"), ((0.76, 5, 0.95, 95, 12), "B"),
    ((0.5, 5, 0.84, 95, 12), "B"), ((0.9, 20, 0.1, 95, 12), "B"), ((0.91, 5, 0.95, 95, 12), "C"),
    ((1.0, 5, 0.95, 95, 12), "C"), ((1.09, 5, 0.1, 95, 12), "C"), ((1.1, 1, 0.95, 95, 12), "D"),
    ((0.1, 1, 1, 95, 5), "E"), ((float("nan"), 1, 1, 95, 12), "E")])
def test_the_grade_follows_its_written_rule(figures, letter):
    assert grade_rule(figures[0], *figures[2:]) == letter
    said = Grade(letter, *figures).reading("en", model="theta")
    shown = {refs[0].column: said[start:end] for start, end, refs in said.cells}
    assert shown["origins"] == str(figures[4]) and f"Trust {letter}" in said
    if letter != "E":
        assert shown["ratio"] == f"{(figures[0] if letter == 'C' else abs(1 - figures[0])) * 100:.0f}%"
        assert shown["smape"] == f"{figures[1]:.1f}" and "simple rules" in said
    if letter in "ABC":
        assert shown["level"] == "95"
        assert shown["coverage"] == f"{figures[2] * 100:.0f}%"
