"""The battery against R (urca, tseries, forecast), its verdicts on series of known nature, and what it refuses."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from arch.unitroot import ADF, DFGLS, KPSS, PhillipsPerron, ZivotAndrews

from ebank_lib.errors import SeriesError
from ebank_lib.stationarity import (
    MIN_MONTHS,
    choose_D,
    choose_d,
    seasonal_strength,
    unit_root_battery,
    without_gaps,
)
from ebank_lib.wording import use_language


def series(values, start="2008-01"):
    return pd.Series(np.asarray(values, dtype=float), pd.period_range(start, periods=len(values), freq="M"), name="y")


def walk(n=120, seed=0, drift=0.0):
    return series(100 + np.cumsum(drift + np.random.default_rng(seed).normal(size=n)))


def noise(n=120, seed=0):
    return series(100 + np.random.default_rng(seed).normal(size=n))


# --- against R

@pytest.fixture(scope="module")
def oracle(shared_data):
    folder = shared_data / "oracle"
    return json.loads((folder / "arma_oracle.json").read_text(encoding="utf-8")), folder / "series"


def r_series(folder, name):
    return pd.read_csv(folder / f"{name}.csv")["value"].to_numpy(dtype=float)


def test_adf_is_that_of_urca(oracle):
    figures, folder = oracle
    trends = {"none": "n", "drift": "c", "trend": "ct"}
    for entry in figures["unitroot"]:
        y = r_series(folder, entry["id"])
        for case in entry["urdf"]:
            # The scale of the series must not matter: the battery standardises first.
            found = ADF(y if case["type"] == "none" else (y - y.mean()) / y.std(), lags=1, trend=trends[case["type"]])
            assert found.stat == pytest.approx(case["lag1"], rel=1e-6), (entry["id"], case["type"])


def test_kpss_and_phillips_perron_are_those_of_tseries(oracle):
    figures, folder = oracle
    for entry in figures["unitroot"]:
        y = r_series(folder, entry["id"])
        for trend, key in (("c", "kpss_level_short"), ("ct", "kpss_trend_short")):
            assert KPSS(y, trend=trend, lags=entry[key]["lag"]).stat == pytest.approx(entry[key]["stat"], rel=1e-6)
            assert entry[key]["lag"] == int(4 * (len(y) / 100) ** 0.25)      # the battery's rule
        for lag, (level, trend) in enumerate(zip(entry["kpss_mu_lag0to8"], entry["kpss_tau_lag0to8"], strict=True)):
            assert KPSS(y, trend="c", lags=lag).stat == pytest.approx(level, rel=1e-6)
            assert KPSS(y, trend="ct", lags=lag).stat == pytest.approx(trend, rel=1e-6)
        for kind, key in (("tau", "pp_Zt"), ("rho", "pp_Zalpha")):
            found = PhillipsPerron(y, trend="ct", lags=entry[key]["lag"], test_type=kind)
            # tseries takes the trend's moments by sums of large numbers, which costs it the fifth digit.
            assert found.stat == pytest.approx(entry[key]["stat"], rel=1e-4)


def test_the_battery_s_rows_carry_r_s_statistics(oracle):
    """The whole way through unit_root_battery: KPSS on the level, about a level and about a trend."""
    figures, folder = oracle
    for entry in figures["unitroot"]:
        rows = unit_root_battery(series(r_series(folder, entry["id"]), "1900-01")).table
        rows = rows[(rows["transform"] == "level") & (rows["test"] == "kpss")].set_index("trend")["statistic"]
        assert rows["c"] == pytest.approx(entry["kpss_level_short"]["stat"], rel=1e-6)
        assert rows["ct"] == pytest.approx(entry["kpss_trend_short"]["stat"], rel=1e-6)


def test_choose_d_is_r_s_ndiffs(oracle):
    figures, folder = oracle
    for entry in figures["auto"]:
        assert choose_d(series(r_series(folder, entry["id"]), "1900-01")) == entry["ndiffs_kpss"], entry["id"]


# urca 1.3.3: ur.ers(type = "DF-GLS", lag.max = 1) and ur.za(model = "intercept", lag = 1), the break within 15..85%.
DFGLS_R = {"usaccdeaths": (-3.80489, -3.935129), "lakehuron": (-2.90826, -4.170326), "nile": (-2.80872, -4.709415)}
ZA_R = {"usaccdeaths": (-4.63759063, 11), "lakehuron": (-5.37344346, 67), "nile": (-6.85900894, 28)}


@pytest.mark.parametrize("name", DFGLS_R)
def test_df_gls_and_zivot_andrews_are_those_of_urca(oracle, name):
    y = r_series(oracle[1], name)
    y = (y - y.mean()) / y.std()
    assert [DFGLS(y, lags=1, trend=t).stat for t in ("c", "ct")] == pytest.approx(DFGLS_R[name], rel=1e-5)
    assert ZivotAndrews(y, lags=1, trend="c").stat == pytest.approx(ZA_R[name][0], rel=1e-6)


def test_seasonal_strength_is_that_of_r_s_forecast(oracle):
    """forecast 8.20: 1 - var(remainder) / var(remainder + seasonal) of mstl; nsdiffs gives 1 for both."""
    for name, strength in (("usaccdeaths", 0.9447945), ("log_airpassengers", 0.964454)):
        y = series(r_series(oracle[1], name))
        assert seasonal_strength(y) == pytest.approx(strength, rel=1e-6)
        assert choose_D(y) == 1


# --- on series whose nature is known

def test_a_random_walk_is_differenced_once_and_noise_is_not():
    walked, still = unit_root_battery(walk()), unit_root_battery(noise())
    assert (walked.conclusion("log"), walked.d) == ("unit_root", 1)
    assert walked.conclusion("dlog") == "stationary"
    assert (still.conclusion("log"), still.d) == ("stationary", 0)
    assert choose_d(series(np.cumsum(walk(300)))) == 2


def test_a_straight_trend_is_told_from_a_unit_root():
    y = series(100 + 2.0 * np.arange(120) + np.random.default_rng(1).normal(size=120))
    found = unit_root_battery(y)
    assert found.conclusion("level") == "stationary"
    assert (found.finding("level"), found.finding("diff")) == ("stationary_about_trend", "stationary")
    assert "about a straight trend" in unit_root_battery(y - y.mean()).verdict("en")    # no logs: the level speaks


def test_a_level_shift_is_dated():
    """A jump that stays, as a bank's policy push: Zivot-Andrews names its month."""
    y = np.random.default_rng(3).normal(size=60) + np.where(np.arange(60) >= 25, 30, 0) + 100
    found = unit_root_battery(series(y))
    row = found.table.query("test == 'za' and transform == 'log'").iloc[0]
    assert row["break_month"] == pd.Period("2010-02", "M")
    assert row["rejects"]
    assert "Feb 2010" in found.verdict("en")
    assert "2010年2月" in found.verdict("zh")


def test_disagreement_is_said():
    """A short, strongly autocorrelated stationary series: unit-root tests cannot reject, KPSS neither."""
    said = {c: unit_root_battery(walk(44, seed)).conclusion("log") for seed in range(6) for c in [seed]}
    torn = [seed for seed, c in said.items() if c in ("neither_rejects", "both_reject")]
    assert torn, said
    assert "disagree" in unit_root_battery(walk(44, torn[0])).verdict("en")
    assert "不一致" in unit_root_battery(walk(44, torn[0])).verdict("zh")


def test_the_season_is_found_where_there_is_one_and_rarely_where_there_is_none():
    wave = 10 * np.sin(2 * np.pi * np.arange(60) / 12)
    assert choose_D(series(noise(60).to_numpy() + wave)) == 1
    assert sum(choose_D(make(44, seed)) for seed in range(30) for make in (walk, noise)) <= 3
    assert choose_D(series(noise(30).to_numpy() + wave[:30])) == 0      # under three years


# --- what has no answer says so

@pytest.mark.parametrize("n", [24, 26, 30])
def test_zivot_andrews_is_done_without_lags_where_its_regressions_cannot_be_solved(n):
    y = np.exp(np.arange(n) / 20 + 0.02 * np.random.default_rng(1).normal(size=n))
    tests = unit_root_battery(series(y)).table.query("test == 'za'")
    assert tests["statistic"].notna().all() and (tests["note"] == "").all() and (tests["lags"] == 0).any()


@pytest.mark.parametrize(("y", "why"), [
    (series([]), "short"), (series(np.arange(1, 9)), "short"), (series(np.full(44, np.nan)), "short"),
    (series(np.ones(44)), "constant"), (series(np.arange(44.0)), "singular"),
    (walk(60).where(np.arange(60) % 20 > 3), "short"),
])
def test_too_short_constant_or_gappy_is_a_result_with_the_reason(y, why):
    found = unit_root_battery(y)
    tests = found.table[~found.table["test"].isin(["seasonal_strength", "kruskal"])]
    assert tests["rejects"].isna().all() or why == "singular"
    assert (tests.loc[tests["rejects"].isna(), "note"] != "").all()
    assert any(why in note for note in tests["note"])
    for lang in ("zh", "en"):
        use_language(lang)
        text = found.verdict()
        assert text.startswith("无法检验" if lang == "zh" else "Stationarity cannot be tested")
        assert "None" not in found._repr_html_()


def test_a_missing_month_costs_none_of_the_others_and_is_noted():
    y = np.exp(walk(60) / 20)
    whole, gappy = unit_root_battery(y), unit_root_battery(y.drop(y.index[14]))
    assert gappy.notes == ("bridged:1",) and "中间缺1个月" in gappy._repr_html_()
    assert whole.notes == () and "中间缺" not in whole._repr_html_()
    assert set(gappy.table.query("transform == 'level'")["n"]) == {60}
    assert (gappy.table["statistic"] - whole.table["statistic"]).abs().max() < 1.0 and gappy.d == whole.d
    bridged = without_gaps(np.log(y.drop(y.index[14])))
    assert bridged.iloc[14] == pytest.approx(np.log(y).iloc[[13, 15]].mean())


def test_a_gap_of_more_than_three_months_leaves_the_longest_stretch_and_a_note():
    y = walk(60)
    y.iloc[8:12] = np.nan
    y.iloc[30] = np.nan
    found = unit_root_battery(y)
    assert found.notes == ("bridged:1", "gaps:48")
    assert set(found.table.query("transform == 'level'")["n"]) == {48}
    assert without_gaps(y).index[0] == y.index[12]
    y.iloc[11] = 0.0
    assert without_gaps(y).index[0] == y.index[0]


def test_values_not_above_zero_have_no_logs_but_a_level():
    found = unit_root_battery(noise() - 100)
    assert not found.log
    assert set(found.table.query("transform == 'log'")["note"]) == {"not_positive"}
    assert found.table.query("transform == 'level' and test == 'adf'")["rejects"].notna().all()
    assert found.conclusion("level") == "stationary"
    assert not unit_root_battery(noise().where(np.arange(120) != 50, 0.0)).log and not unit_root_battery(series([])).log


def test_the_months_that_the_season_needs_are_said():
    rows = unit_root_battery(noise(24)).table.query("test == 'kruskal'")
    assert rows["note"].tolist() == ["short:25", "short:25"]        # of 23 changes
    assert unit_root_battery(noise(25)).table.query("test == 'kruskal'")["statistic"].notna().all()


@pytest.mark.parametrize("wrong", [[1.0, 2.0], pd.Series([1.0, 2.0]), np.ones(50),
                                   pd.Series([1.0, math.inf], pd.period_range("2008-01", periods=2, freq="M"))])
def test_what_is_no_monthly_series_is_refused(wrong):
    for verb in (unit_root_battery, choose_d, choose_D):
        with pytest.raises(SeriesError):
            verb(wrong)


def test_nothing_depends_on_the_unit():
    y = walk(drift=0.3)
    yuan, wan = unit_root_battery(y * 1e7).table, unit_root_battery(y * 1e3).table
    pd.testing.assert_frame_equal(yuan, wan, rtol=1e-5)


def test_a_warning_of_a_test_is_kept_in_its_row():
    y = series(np.r_[np.zeros(20), np.ones(24)])
    assert "invalid value encountered in sqrt" in unit_root_battery(y).table["note"].tolist()


# --- how it reads

def test_the_verdict_knows_the_cells_it_states():
    y = np.random.default_rng(3).normal(size=60).cumsum() + np.where(np.arange(60) >= 25, 30, 0) + 100
    found = unit_root_battery(series(y))
    assert found.rejections("log") == (0, 3) and found.rejections("dlog") == (3, 3)
    for lang in ("zh", "en"):
        text = found.verdict(lang)
        stated = [(text[start:end], refs[0].column, dict(refs[0].rows)) for start, end, refs in text.cells]
        month = [one for one in stated if one[1] == "break_month"]
        row = found.table.query("test == 'za' and transform == 'log'").iloc[0]
        assert bool(month) == row["rejects"] and all(m[2] == {"transform": "log", "test": "za"} for m in month)
        counts = {(rows["transform"], rows["rejects"]): int(shown) for shown, column, rows in stated if not column}
        assert counts == {("log", True): 0, ("log", "!="): 3, ("dlog", True): 3, ("dlog", "!="): 3}
        (shown, _, rows), = (one for one in stated if one[1] == "statistic")
        assert rows == {"transform": "log", "test": "seasonal_strength"}
        strength = found.table.query("transform == 'log' and test == 'seasonal_strength'")["statistic"].item()
        assert float(shown) == pytest.approx(strength, abs=5e-3)


def test_every_row_names_null_lags_statistic_p_value_and_verdict():
    table = unit_root_battery(walk()).table
    assert set(table["test"]) == {"adf", "pp", "dfgls", "za", "kpss", "seasonal_strength", "kruskal"}
    done = table[table["rejects"].notna() & (table["test"] != "kruskal")]
    assert len(done) == 22
    assert done[["null", "lags", "trend", "statistic", "p_value", "cv_5"]].notna().all().all()
    assert (done["rejects"].astype(bool) == (done["p_value"] < 0.05)).all()
    assert len(table) > MIN_MONTHS


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_verdict_and_table_read_in_both_languages_and_are_the_same_each_time(lang):
    use_language(lang)
    found = unit_root_battery(walk())
    html = found._repr_html_()
    assert html == unit_root_battery(walk())._repr_html_()
    assert found.verdict() in html.replace("&#x27;", "'")
    assert f"d={found.d}" in found.verdict().replace(" ", "")
    for text in (html, found.verdict()):
        assert "{" not in text and "nan" not in text
