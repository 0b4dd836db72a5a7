"""Tables that add up to the last unit: every cell and margin on a neighbouring whole number, all sums exact."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ebank_lib.errors import SeriesError
from ebank_lib.province import add_up, hierarchy_of, round_to_sum

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


def test_a_hierarchy_of_the_sample_in_ten_thousands(cleaned):
    h = hierarchy_of(cleaned.catalog, "etxn_total")
    bottom = cleaned.panel.loc["rizhao"].iloc[-1][h.indicators].to_numpy()
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({n: h.aggregate(np.tile(bottom, 16) * rng.uniform(0.2, 5, 80)) for n in "ab"}, index=h.nodes)
    out = round_to_sum(frame, h.S, 1e4)
    assert out.index.equals(h.nodes) and list(out) == ["a", "b"]
    assert np.array_equal(out.to_numpy(), h.aggregate(out.to_numpy()[-80:]))
    assert (out - frame).abs().max(axis=None) < 1e4
    assert out.equals(round_to_sum(frame, h.S, 1e4))                    # the same each time


def test_what_cannot_be_rounded_is_said():
    S = np.array([[1, 1], [1, 0], [0, 1]])
    with pytest.raises(SeriesError, match="does not add up before"):
        round_to_sum(pd.Series([4.0, 1.2, 1.2]), S)
    with pytest.raises(SeriesError, match="1 figures missing"):
        round_to_sum(pd.Series([np.nan, 1.2, 1.2]), S)
    # Three ways of cutting: each pair of three halves is one, all three are one and a half, and no whole numbers fit.
    pairs = np.vstack([[1, 1, 0], [1, 0, 1], [0, 1, 1], np.eye(3)])
    with pytest.raises(SeriesError, match="no rounding holds"):
        round_to_sum(pd.Series([1.0, 1.0, 1.0, 0.5, 0.5, 0.5]), pairs)
