"""The choice says where its numbers stand, and is repeated on series drawn from its model."""

import numpy as np
import pandas as pd
import pytest

from ebank_lib.arma import select_order
from ebank_lib.arma.selection import draws, picks
from ebank_lib.store import VARIABLE


def test_drawn_series_are_those_of_the_model_and_what_is_clear_is_picked_each_time():
    rng = np.random.default_rng(3)
    a = rng.standard_normal(241)
    selection = select_order(a[1:] + 0.9 * a[:-1], 1, 1, d=0, criterion="bic", seasonal=False)
    drawn = draws(selection, 400, 0)
    ma = selection.best.params["ma1"]
    assert (drawn[:, 1:] * drawn[:, :-1]).mean() == pytest.approx(ma / (1 + ma**2), abs=0.01)
    assert dict(zip(*picks(selection, 10, 0)[:, [1, -1]].T.tolist(), strict=True)).get(1, 0) >= 9


def test_a_short_series_where_large_orders_have_no_aicc():
    selection = select_order(np.random.default_rng(4).standard_normal(14), d=0)
    assert picks(selection, 5, 0)[:, -1].sum() == 5


def test_a_seasonal_factor_counts_in_every_order():
    y = np.random.default_rng(3).standard_normal(48).cumsum()
    selection = select_order(y, 2, 2, d=1, seasonal=(1, 0, 1, 4))
    d = selection.design
    table = selection.table
    for row in table.itertuples():
        model = selection.fit(row.p, row.q)
        assert row.k == model.k == row.p + row.q + 2 + len(d.x.columns) + 1
        assert row.aicc == pytest.approx(model.criterion("aicc"))


def test_four_values_bear_a_mean_and_no_more():
    chosen = select_order([1.0, 3.0, 2.0, 5.0], d=0)
    assert chosen.order == (0, 0, 0) and len(chosen.table) == 1


def cells_of(text):
    """What a sentence states: (as printed, table, column, rows)."""
    return [(text[start:end], ref.table, ref.column, dict(ref.rows)) for start, end, refs in text.cells for ref in refs]


def figure(table, column, rows):
    """The cell, or the number of rows, that a reference picks."""
    for key, value in rows.items():
        how, against = (value[:2], value[2:]) if isinstance(value, str) else ("==", value)
        table = table.query(f"{key} {how} {against}")
    return table[column].item() if column else len(table)


@pytest.mark.parametrize(("seed", "passed_over", "rivals"), [(3, True, 0), (4, False, 1)])
def test_the_choice_knows_the_cells_it_states(seed, passed_over, rivals):
    rng = np.random.default_rng(seed)
    chosen = select_order(np.diff(rng.standard_normal(61)), 2, 2, d=0, seasonal=False) if passed_over else select_order(
        rng.standard_normal(44), 2, 2, d=0)
    assert (chosen.raw != chosen.chosen) == passed_over
    for lang in ("zh", "en"):
        stated = cells_of(chosen.why(lang))
        if not passed_over:         # the months, of which there are too few for a season
            assert stated.pop()[:2] == ("44", "series")
        assert [(name, column) for _, name, column, _ in stated] == [
            ("orders", "aicc"), *[("orders", "aicc")] * passed_over, *[("orders", "")] * bool(rivals),
            ("orders", "ljung_box_p")]
        for text, _, column, rows in stated:
            assert float(text) == pytest.approx(figure(chosen.table, column, rows), abs=5e-3)
        counted = [text for text, _, column, _ in stated if not column]
        assert counted == [str(rivals)] * bool(rivals) and len(chosen.near) == rivals + 1


def test_the_table_has_a_row_an_order_and_its_columns_by_name():
    chosen = select_order(np.random.default_rng(4).standard_normal(44), 2, 1, d=0)
    table = chosen.table
    assert table[["p", "q"]].values.tolist() == [[p, q] for p in range(3) for q in range(2)]
    for row in table.itertuples():
        model = chosen.fit(row.p, row.q)
        assert (row.k, row.loglik, row.sigma2) == (model.k, pytest.approx(model.loglik), pytest.approx(model.sigma2))
        assert [getattr(row, name) for name in ("aic", "aicc", "bic", "hqic")] == pytest.approx(
            [model.criterion(name) for name in ("aic", "aicc", "bic", "hqic")])
        moduli = {part: 1 / roots["modulus"].max() for part, roots in model.roots().groupby("part")}
        assert (row.min_ar_root, row.min_ma_root) == pytest.approx(
            (moduli.get("ar", np.inf), moduli.get("ma", np.inf)))
        p_values = model.tests(lang="en")["p_value"].tolist()
        assert [row.ljung_box_p, row.jarque_bera_p, row.arch_p] == pytest.approx(p_values)
    assert table["delta"].tolist() == pytest.approx((table["aicc"] - table["aicc"].min()).tolist())
    assert table["weight"].tolist() == pytest.approx(np.exp(-table["delta"] / 2) / np.exp(-table["delta"] / 2).sum())
    pd.testing.assert_series_equal(table["rank"], table["aicc"].rank().astype("Int64"), check_names=False)


def test_what_the_store_has_of_a_series_is_what_was_worked_out(tmp_path, monkeypatch):
    y = np.random.default_rng(8).standard_normal(44).cumsum()
    wanted = select_order(y, 1, 1, d=1).selection_uncertainty(n=5)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    for _ in range(2):
        pd.testing.assert_frame_equal(select_order(y, 1, 1, d=1).selection_uncertainty(n=5), wanted, check_exact=True)
        monkeypatch.setattr("ebank_lib.arma.selection.picks", None)   # not asked again
    with pytest.raises(TypeError):
        select_order(y, 1, 1, d=1, criterion="bic").selection_uncertainty(n=5)
