"""Beside statsmodels, and the stored simulation study: what the sentences say is what the tables hold."""

import warnings

import numpy as np
import pandas as pd
import pytest

from ebank_lib.arma import select_order, simulation_study
from ebank_lib.store import VARIABLE


@pytest.fixture(scope="module")
def y():
    rng = np.random.default_rng(8)
    steps = 0.4 + rng.standard_normal(44) - 0.5 * np.r_[0, rng.standard_normal(43)]
    return pd.Series(steps.cumsum(), index=pd.period_range("2008-01", periods=44, freq="M"), name="y")


@pytest.mark.parametrize("d", [0, 1])
def test_statsmodels_is_judged_by_the_same_likelihood(y, d):
    chosen = select_order(y, 1, 2, d=d)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # its warnings are counted, not shown
        got = chosen.against_statsmodels()
    table = got.table
    assert len(table) == 6 and table[["p", "d", "q"]].drop_duplicates().shape == (6, 3)
    np.testing.assert_allclose(table["loglik"], chosen.table["loglik"])
    # Ours is the optimum of a likelihood of which theirs is one value.
    assert not table["better"].any() and (table["missed"] > -1e-6).all()
    # An order without local maxima ends at the same place.
    assert table.query("p == 0 and q == 0")["missed"].item() == pytest.approx(0, abs=1e-6)
    assert (table["misses"] == (table["missed"] > 1e-3)).all()
    best = table.loc[table["criterion_theirs"].idxmin()]
    assert got.their_order == "({},{},{})".format(*best[["p", "d", "q"]])
    for lang in ("zh", "en"):
        assert "statsmodels" in got.reading(lang) and "{" not in got.reading(lang)
    assert "<table>" in got._repr_html_()


def test_only_the_smaller_orders_are_compared_where_that_is_asked_for(y):
    chosen = select_order(y, 2, 1, d=1)
    whole, small = (chosen.against_statsmodels(max_order=most).table for most in (None, 1))
    assert small[["p", "q"]].values.tolist() == [[0, 0], [0, 1], [1, 0]]
    kept = whole[whole["p"] + whole["q"] <= 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(small, kept, check_exact=True)


def test_statsmodels_with_gaps_regressors_and_a_seasonal_factor(y):
    x = pd.Series(np.sin(np.arange(44)), index=y.index, name="x")
    chosen = select_order(y.where(np.arange(44) != 20), 1, 0, d=0, exog=x, seasonal=(1, 0, 0))
    table = chosen.against_statsmodels().table
    assert table["loglik_theirs"].notna().all() and (table["missed"] > -1e-6).all()


def test_study_says_what_its_table_holds():
    study = simulation_study()
    rows = study.table.query("measure == 'right order' and of == 'bic, raw' and T == 44")
    summary = study.summary("en")
    row = summary[summary["of"] == "BIC, all orders"].iloc[0]
    assert row["44 months: mean"] == pytest.approx(100 * rows["share"].mean())
    assert row["44 months: worst model"] == pytest.approx(100 * rows["share"].min())
    for lang in ("zh", "en"):
        covered = study.table[study.table["of"].str.endswith("profile") & (study.table["T"] == 44)]["share"].mean()
        assert f"{100 * covered:.0f}%" in study.reading(lang)
        assert "<table>" in study._repr_html_() and study.summary(lang).notna().all(axis=None)


def test_what_the_store_has_of_a_series_is_what_was_worked_out(y, tmp_path, monkeypatch):
    direct = select_order(y, 1, 1, d=1)
    wanted = direct.selection_uncertainty(n=5), direct.against_statsmodels().table
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    for _ in range(2):
        kept = select_order(y, 1, 1, d=1)
        for a, b in zip((kept.selection_uncertainty(n=5), kept.against_statsmodels().table), wanted, strict=True):
            pd.testing.assert_frame_equal(a, b, check_exact=True)
        monkeypatch.setattr("ebank_lib.arma.selection.picks", None)   # not asked again
        monkeypatch.setattr("ebank_lib.arma.comparison._theirs", None)
    other = select_order(y, 1, 1, d=1, criterion="bic")
    with pytest.raises(TypeError):
        other.selection_uncertainty(n=5)
