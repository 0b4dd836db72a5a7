"""Seasons in the order choice: R's are found, what is too short is left without and says so, lines stay lines."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import toeplitz
from scipy.signal import lfilter

from ebank_lib.arma import fit_arma, select_order
from ebank_lib.arma.likelihood import expanded, natural, objective
from ebank_lib.arma.search import Optimum
from ebank_lib.arma.selection import LARGEST, marks
from ebank_lib.charts.arma import plot_criteria, plot_residuals
from ebank_lib.errors import SeriesError, UnknownNameError
from ebank_lib.stationarity import choose_d


def months(values, start="2008-01"):
    return pd.Series(np.asarray(values, dtype=float), pd.period_range(start, periods=len(values), freq="M"), name="y")


def airline(n, seed, ma=-0.4, sma=-0.5):
    """Draw from the airline model with its level, trend and season."""
    a = np.random.default_rng(seed).standard_normal(n + 120)
    w = np.convolve(np.convolve(a, [1, ma])[:a.size], [1, *[0] * 11, sma])[:a.size].cumsum()
    for i in range(12, w.size):
        w[i] += w[i - 12]
    return months(w[120:])


@pytest.fixture(scope="module")
def short():
    return select_order(airline(44, 4), 2, 2)


@pytest.fixture(scope="module")
def longer():
    return select_order(airline(72, 4), 2, 2)


# --- against R

def of_r(shared_data, name):
    folder = shared_data / "oracle"
    found = json.loads((folder / "arma_oracle.json").read_text(encoding="utf-8"))["auto"]
    return months(pd.read_csv(folder / "series" / f"{name}.csv")["value"], "1949-01"), next(
        entry["full"] for entry in found if entry["id"] == name)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["log_airpassengers", "usaccdeaths"])
def test_the_choice_is_that_of_r_s_auto_arima_without_short_cuts(shared_data, name):
    y, theirs = of_r(shared_data, name)
    chosen = select_order(y)
    assert chosen.best.name() == theirs == "ARIMA(0,1,1)(0,1,1)[12]"
    assert "The season is strong" in chosen.why("en") and "has a seasonal coefficient" in chosen.why("en")


@pytest.mark.real_data
def test_the_airline_model_is_box_and_jenkins(shared_data):
    """R: arima(log(AirPassengers), c(0, 1, 1), list(order = c(0, 1, 1))) gives these."""
    model = fit_arma(of_r(shared_data, "log_airpassengers")[0], (0, 1, 1), (0, 1, 1))
    assert model.params.to_dict() == pytest.approx({"ma1": -0.4018, "sma1": -0.5569}, abs=1e-4)
    assert model.std_errors.to_dict() == pytest.approx({"ma1": 0.0896, "sma1": 0.0731}, abs=2e-4)
    assert (model.sigma2, model.loglik) == (pytest.approx(0.001348, abs=5e-7), pytest.approx(244.70, abs=0.01))


# --- the grid

@pytest.mark.parametrize(("which", "top"), [("short", 1), ("longer", 2)])
def test_the_grid_has_every_order_up_to_five_and_the_plain_ones(which, top, request):
    chosen = request.getfixturevalue(which)
    table = chosen.table
    assert chosen.seasonal_order[1] == 1 and set(table["D"]) == {1} and set(table["d"]) == {chosen.order[1]}
    wanted = {(i, j, k, m) for i in range(3) for j in range(3) for k in range(top + 1) for m in range(top + 1)
              if k + m == 0 or i + j + k + m <= LARGEST}
    assert set(map(tuple, table[[*"pqPQ"]].to_numpy().tolist())) == wanted and len(table) == len(wanted)
    assert f"up to {top}, and" in chosen.why("en")
    for row in table.iloc[::7].itertuples():
        model = chosen.fit(row.p, row.q, row.P, row.Q)
        assert model.seasonal_order == (row.P, 1, row.Q, 12)
        assert (row.k, row.loglik, row.aicc) == (model.k, pytest.approx(model.loglik), pytest.approx(
            model.criterion("aicc")))
        largest = model.roots().groupby("part")["modulus"].max()
        assert (1 / row.min_ar_root, 1 / row.min_ma_root) == pytest.approx(
            (largest.get("ar", 0.0), largest.get("ma", 0.0)), rel=1e-4)


def test_a_larger_order_is_never_worse_in_any_of_four_directions(longer):
    loglik = np.full((3, 3, 3, 3), np.nan)
    loglik[tuple(longer.table[name] for name in "pqPQ")] = longer.table["loglik"]
    for axis in range(4):
        assert not (np.diff(loglik, axis=axis) < -1e-6).any()


def test_random_starts_find_no_more():
    y = airline(44, 2)
    fast, thorough = (select_order(y, 1, 1, d=1, trend="c", mode=mode) for mode in ("fast", "thorough"))
    gain = thorough.table["loglik"] - fast.table["loglik"]
    assert gain.min() > -1e-6 and (gain > 1e-3).mean() < 0.05 and fast.chosen == thorough.chosen


def test_everything_that_follows_knows_the_season():
    chosen = select_order(airline(60, 5), 1, 1)
    assert chosen.best.forecast(3).notna().all(axis=None) and "[12]" in chosen.best.name()
    picks = chosen.selection_uncertainty(n=4)
    assert picks["picks"].sum() == 4 and (picks[[*"pqPQ"]].sum(axis=1) <= LARGEST).all()
    plot_criteria(chosen, lang="en").figure.canvas.draw()
    for text in (chosen._repr_html_(), chosen.rivals()._repr_html_()):
        assert ">P<" in text and ">D<" in text
    rows = [dict(ref.rows) for _, _, refs in chosen.why("en").cells for ref in refs if ref.column == "aicc"]
    assert rows and all(len(chosen.table.query(" and ".join(f"{k} == {v}" for k, v in row.items()))) == 1
                        for row in rows)


def test_a_seasonal_root_is_judged_as_a_factor_of_its_own():
    """A seasonal coefficient of -0.9 has twelve roots at 0.991, and is no root on the circle."""
    slow, on = ({(0, 0, 0, 1): Optimum(np.array([np.arcsin(value)]), 0.0, True)} for value in (0.9, 0.995))
    assert [marks(one, 12)[0][3] for one in (slow, on)] == [False, True]
    assert marks(slow, 12)[0][1] == pytest.approx(0.9 ** (-1 / 12))


def test_a_lag_beyond_the_first_value_is_no_way_out_of_memory():
    """Two years of lags on 23 differences: the process crashed. What is right is the dense normal density."""
    shape, x, y = (1, 1, 2, 0, 12), np.array([0.5, -0.4, 0.6, 0.3]), np.random.default_rng(0).standard_normal(23)
    phi, theta = expanded(natural(x, shape), shape)
    psi = lfilter(np.r_[1.0, theta], np.r_[1.0, -phi], np.eye(1, 3000)[0])
    v = toeplitz([psi[:psi.size - k] @ psi[k:] for k in range(y.size)])
    dense = 0.5 * (y.size * np.log(y @ np.linalg.solve(v, y) / y.size) + np.linalg.slogdet(v)[1])

    def f(x, gradient):
        return objective(x, shape, False, y[None], 0, np.empty(1), gradient)

    gradient, none = np.empty(4), np.empty(0)
    assert f(x, gradient) == pytest.approx(dense, abs=1e-8)
    slope = [(f(x + step, none) - f(x - step, none)) / 2e-6 for step in 1e-6 * np.eye(4)]
    assert gradient == pytest.approx(slope, abs=1e-6)
    assert np.isfinite(fit_arma(airline(36, 3), (1, 1, 0), (2, 1, 0)).loglik)


# --- where no season is looked for, in words

def noise(n, seed=0):
    return months(np.random.default_rng(seed).standard_normal(n))


@pytest.mark.parametrize(("y", "says", "seasonal"), [
    (noise(30), "it takes 36 months, and there are 30", False),
    (noise(44), "44 months, fewer than 60, cannot tell a weak one from chance", False),
    (noise(60), "The season is not strong", True),
    (airline(44, 4), "The season is strong", True)])
def test_the_choice_says_how_a_season_was_looked_for(y, says, seasonal):
    chosen = select_order(y, 1, 1)
    assert says in chosen.why("en") and "季节性" in chosen.why("zh")
    assert bool((chosen.table[["P", "Q"]] > 0).any(axis=None)) == seasonal
    asked = select_order(y, 1, 1, seasonal=False)
    assert "season" not in asked.why("en") and len(asked.table) == 4


def test_without_a_season_a_short_series_keeps_its_numbers():
    y = noise(44).cumsum()
    auto, plain = select_order(y, 2, 2), select_order(y, 2, 2, seasonal=False)
    pd.testing.assert_frame_equal(auto.table, plain.table)


def test_a_regressor_that_repeats_every_year_is_not_differenced_away():
    y = airline(60, 1) / 10
    festival = months(np.arange(60) % 12 == 1)
    chosen = select_order(y + 9 * festival, 1, 1, exog=festival.rename("festival"))
    assert chosen.seasonal_order[1] == 0 and "a regressor repeats every year" in chosen.why("en")
    assert "festival" in chosen.best.params


def test_a_seasonal_order_is_a_triple_of_twelve_months_or_has_its_season():
    y = airline(48, 3)
    assert fit_arma(y, (0, 1, 1), (0, 1, 1)).loglik == fit_arma(y, (0, 1, 1), (0, 1, 1, 12)).loglik
    fixed = select_order(y, 1, 1, seasonal=(0, 1, 1))
    assert set(map(tuple, fixed.table[[*"PDQ"]].to_numpy().tolist())) == {(0, 1, 1)} and not fixed.season
    for wrong in ("yes", "12"):
        with pytest.raises(UnknownNameError, match="auto"):
            select_order(y, seasonal=wrong)


# --- exact lines, drift, and few values

@pytest.mark.parametrize(("y", "ahead"), [
    (np.arange(1.0, 45), [45, 46, 47]),
    (100 - 2.5 * np.arange(30), [25, 22.5, 20]),
    (np.where(np.isin(np.arange(44), (3, 20, 21, 43)), np.nan, np.arange(1.0, 45)), [45, 46, 47]),
    (np.tile([1.0, 5, 2, 4, 3, 7, 1, 2, 9, 3, 2, 5], 4)[:44] + np.arange(44), [53, 48, 48])])
def test_a_line_goes_on_as_a_line_and_its_limits_are_spoken_of(y, ahead):
    chosen = select_order(months(y))
    assert chosen.best.forecast(3)["y_hat"].tolist() == pytest.approx(ahead)
    assert "nothing varies" in chosen.why("en") and "no width" in chosen.why("en") and "没有宽度" in chosen.why("zh")
    assert (chosen.best.sigma2, chosen.best.k) == (0.0, 2)
    assert chosen.best.tests()["rejects"].isna().all() and np.isfinite(chosen.best.tidy()["std_error"]).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_criteria(chosen).figure.canvas.draw(), plot_residuals(chosen.best).canvas.draw()
        assert chosen._repr_html_() and chosen.selection_uncertainty(n=3)["picks"].tolist() == [3]


def test_a_line_leaves_an_arma_nothing():
    with pytest.raises(SeriesError, match=r"nothing varies about the drift.*\(0, 1, 0\)"):
        fit_arma(months(np.arange(1.0, 45)), (1, 1, 1))
    assert fit_arma(months(np.arange(1.0, 45)), (0, 1, 0)).params.to_dict() == pytest.approx({"drift": 1.0})


def test_one_order_and_the_choice_treat_the_constant_alike():
    rng = np.random.default_rng(4)
    rising, level = months(np.cumsum(0.5 + 0.3 * rng.standard_normal(44))), months(np.cumsum(rng.standard_normal(44)))
    for y, trend in ((rising, "ct"), (level, "c")):
        chosen, fitted = select_order(y, 1, 1, d=1), fit_arma(y, (1, 1, 1))
        assert chosen.design.trend == fitted.design.trend == trend
        pd.testing.assert_series_equal(chosen.fit(1, 1).params, fitted.params, rtol=1e-3)
    assert fit_arma(rising, (1, 1, 1), trend="c").params.index.tolist() == ["ar1", "ma1"]   # as R's arima has it


def test_errors_that_are_missing_say_why_in_the_table():
    model = fit_arma(months(np.diff(np.random.default_rng(3).standard_normal(61))), (0, 0, 1), trend="n")
    assert "unit circle" in model.tidy("en")["note"].item()
    assert "note" not in fit_arma(noise(44), (1, 0, 0)).tidy("en")


@pytest.mark.parametrize("n", [10, 11, 12, 20])
def test_a_short_trend_is_differenced(n):
    """R's ndiffs differences all of these; the second difference of ten values was once too short for the first."""
    rng = np.random.default_rng(n)
    assert {choose_d(months(np.arange(n) + 0.3 * rng.standard_normal(n))) for _ in range(50)} == {1}
