"""What sums need of incomplete reports; tables that add up to the last unit: every cell and margin on a neighbouring
whole number, all sums exact."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ebank_lib.errors import SeriesError
from ebank_lib.province import add_up
from ebank_lib.province.sums import full_years, table_unit


def panel_of(**branches):
    """{branch: {indicator: values}} from 2008-01."""
    frames = {b: pd.DataFrame(f, index=pd.period_range("2008-01", periods=len(next(iter(f.values()))), freq="M"))
              for b, f in branches.items()}
    return pd.concat(frames, names=["branch", "month"]).astype(float)


def test_gaps_lie_between_their_neighbours_and_a_new_branch_began_at_nothing():
    nan = np.nan
    panel = panel_of(a={"x": [1, nan, 4, 8], "y": [0, nan, 2, 3]}, b={"x": [nan, nan, 5, nan], "y": [nan, 1, 1, 1]})
    full, filled = full_years(panel, [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")], SimpleNamespace(kind="stock"))
    assert full["a", "x"].tolist() == pytest.approx([1, 2, 4, 8])       # positive: on the line of the logarithms
    assert full["a", "y"].tolist() == [0, 1, 2, 3]                      # a zero: on the straight line
    assert full["b", "y"].tolist() == [0, 1, 1, 1]                      # b reported nothing in the first month
    # In the second b reported something else, so x is unknown; and so is what is missing at the end.
    assert full["b", "x"].isna().tolist() == [False, True, False, True]
    assert filled.sum().sum() == 2


# --- rounded

tables = arrays.arrays(float, st.tuples(st.integers(1, 16), st.integers(1, 6)),
                       elements=st.floats(-1e6, 1e6).map(lambda v: round(v, 3)))


@given(tables, st.sampled_from([1, 10, 0.5]))
def test_rows_columns_and_margins_add_up_and_nothing_moves_a_whole_unit(values, unit):
    out = add_up(pd.DataFrame(values), unit).to_numpy()
    units = out / unit
    assert np.array_equal(units, np.round(units))
    assert np.array_equal(out[:-1, -1], out[:-1, :-1].sum(axis=1))
    assert np.array_equal(out[-1], out[:-1].sum(axis=0))
    full = np.block([[values, values.sum(axis=1, keepdims=True)], [values.sum(axis=0), values.sum()]])
    assert (np.abs(out - full) < unit * (1 + 1e-6)).all()
    assert abs(out[-1, -1] - full[-1, -1]) <= unit * (0.5 + 1e-3)       # the total of all is the nearest


@given(arrays.arrays(np.int64, (4, 3), elements=st.integers(-1000, 1000)))
def test_whole_numbers_stay(values):
    assert np.array_equal(add_up(pd.DataFrame(values)).to_numpy()[:-1, :-1], values)


def test_the_least_movement_in_sum():
    # Of all zero-one tables with the margins' neighbours, tried one by one.
    values = np.array([[0.9, 0.3], [0.4, 0.7]])
    full = np.block([[values, values.sum(axis=1, keepdims=True)], [values.sum(axis=0), values.sum()]])
    best = np.inf
    for code in range(16):
        cells = np.array([code >> n & 1 for n in range(4)]).reshape(2, 2)
        table = np.block([[cells, cells.sum(axis=1, keepdims=True)], [cells.sum(axis=0), cells.sum()]])
        if (np.abs(table - full) < 1).all() and table[-1, -1] == 2:
            best = min(best, np.abs(table - full).sum())
    assert np.abs(add_up(pd.DataFrame(values)).to_numpy() - full).sum() == pytest.approx(best)


def test_branches_by_channels_of_the_sample_in_ten_thousands(cleaned):
    parts = ["sms_income", "personal_online_income", "corporate_online_income"]
    frame = cleaned.panel[parts].xs(cleaned.months[-1], level="month").loc[cleaned.catalog.reporting]
    out = add_up(frame, 1e4, "shandong")
    assert out.index.tolist() == [*cleaned.catalog.reporting, "shandong"] and list(out) == [*parts, "shandong"]
    assert (out.iloc[:-1, :-1] - frame).abs().max(axis=None) < 1e4
    assert out.equals(add_up(frame, 1e4, "shandong"))                   # the same each time
    with pytest.raises(SeriesError, match="cannot be rounded to sums; found '1 figures missing'"):
        add_up(frame.mask(frame == frame.iloc[2, 1]))


@pytest.mark.parametrize(("largest", "zh", "en", "step", "written"), [
    (5.0, "户", "n", 1.0, "5"), (99_999.0, "户", "k n", 1.0, "99,999"), (100_000.0, "万户", "k n", 100.0, "10.00"),
    (1_000_000.0, "万户", "k n", 1000.0, "100.0"), (2_345_678.0, "万户", "k n", 1000.0, "234.6"),
    (99_999_999.0, "万户", "m n", 1000.0, "10,000.0"), (1e9, "亿户", "m n", 1e6, "10.00"),
    (1e12, "亿户", "bn n", 1e8, "10,000"), (0.0, "户", "n", 1.0, "0")])
def test_one_unit_for_a_table(largest, zh, en, step, written):
    unit = table_unit(largest, "户", "zh")
    assert (unit.text, table_unit(largest, "n", "en").text, unit.step) == (zh, en, step)
    assert unit.write(largest) == written and unit.write(np.nan) == "–"
