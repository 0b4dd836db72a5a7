"""What adds up to what: the catalogue's sums crossed with branches, and what sums need of incomplete reports; tables
that add up to the last unit: every cell and margin on a neighbouring whole number, all sums exact."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ebank_lib.catalog import Branch, Catalog, Identity, Indicator, Texts, Unit
from ebank_lib.errors import ConfigError, SeriesError, UnknownNameError
from ebank_lib.province import add_up, hierarchy_of
from ebank_lib.province.sums import complete, hierarchies, table_unit


def catalog_of(sums, branches=("a", "b"), total=None, ratios=()):
    """A small catalogue: {total: parts} and ratios (key, numerator, denominator)."""
    keys = list(dict.fromkeys(k for t, parts in sums.items() for k in (t, *parts)))
    flows = {k: Indicator(key=k, zh=k, en=k, group="g", kind="flow", unit="n") for k in keys}
    shares = {k: Indicator(key=k, zh=k, en=k, group="g", kind="ratio", unit="n", numerator=n, denominator=d)
              for k, n, d in ratios}
    places = {b: Branch(b, b, b) for b in branches} | ({total: Branch(total, total, total, "total")} if total else {})
    return Catalog(flows | shares, {"n": Unit(base="n", factor=1.0)}, {"n": Texts(zh="", en="")},
                   {"g": Texts(zh="g", en="g")},
                   tuple(Identity(kind="sum", total=t, parts=list(p)) for t, p in sums.items()), places, (keys[0],))


def panel_of(**branches):
    """{branch: {indicator: values}} from 2008-01."""
    frames = {b: pd.DataFrame(f, index=pd.period_range("2008-01", periods=len(next(iter(f.values()))), freq="M"))
              for b, f in branches.items()}
    return pd.concat(frames, names=["branch", "month"]).astype(float)


def test_the_sample_has_channels_and_products_by_branches(cleaned):
    catalog = cleaned.catalog
    found = hierarchies(catalog, [k for k, i in catalog.indicators.items() if i.kind != "ratio"])
    shapes = {h.indicators[0]: h.S.shape for h in found}
    assert shapes["personal_online_txn"] == (1 + 5 + 16 + 80, 80)
    assert shapes["sms_income"] == (1 + 3 + 16 + 48, 48)
    assert {s for k, s in shapes.items() if k not in ("personal_online_txn", "sms_income")} == {(17, 16)}


def test_nodes_stand_sums_first_and_every_row_of_S_is_their_sum():
    h = hierarchy_of(catalog_of({"all": ("x", "y")}), "x")
    assert h.nodes.tolist() == [("total", "all"), ("total", "x"), ("total", "y"), ("a", "all"), ("b", "all"),
                                ("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    assert h.level == ("province", "province_part", "province_part", "branch", "branch", *["branch_part"] * 4)
    assert h.S[:5].astype(int).tolist() == [[1, 1, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1]]
    assert (h.S @ [1, 2, 3, 4]).tolist() == [10, 4, 6, 3, 7, 1, 2, 3, 4]


def test_the_province_has_the_name_that_the_source_prints():
    assert hierarchy_of(catalog_of({"all": ("x", "y")}, total="whole"), "x").nodes[0] == ("whole", "all")


def test_sums_of_sums_and_two_sums_of_the_same_parts_hang_together():
    nested = catalog_of({"part": ("x", "y"), "all": ("part", "z")})
    h = hierarchy_of(nested, "z")
    assert h.indicators == ["x", "y", "z"] and ("a", "part") in h.upper and ("total", "all") == h.nodes[0]
    assert h.S[h.nodes.get_loc(("a", "all"))].sum() == 3
    crossed = hierarchy_of(catalog_of({"cards": ("x", "y"), "online": ("y", "z")}), "x")
    assert set(crossed.indicators) == {"x", "y", "z"}
    assert crossed.S[crossed.nodes.get_loc(("total", "online"))].sum() == 4


def test_a_total_with_a_missing_part_is_no_total():
    h = hierarchy_of(catalog_of({"all": ("x", "y")}), "x", available=["x", "all"])
    assert h.nodes.tolist() == [("total", "x"), ("a", "x"), ("b", "x")]


def test_one_branch_is_its_own_province():
    catalog = catalog_of({"all": ("x", "y")}, branches=("a",))
    assert hierarchy_of(catalog, "x").nodes.tolist() == [("a", "all"), ("a", "x"), ("a", "y")]


def test_ratios_unknown_names_and_cycles_are_refused():
    catalog = catalog_of({"all": ("x", "y")}, ratios=[("r", "x", "all")])
    with pytest.raises(SeriesError, match="a ratio does not add up over branches"):
        hierarchy_of(catalog, "r")
    with pytest.raises(UnknownNameError, match="Known"):
        hierarchy_of(catalog, "x", ["a", "nowhere"])
    with pytest.raises(ConfigError, match="a total is a part of itself"):
        hierarchy_of(catalog_of({"x": ("y", "z"), "y": ("x", "w")}), "x")


def test_gaps_lie_between_their_neighbours_and_a_new_branch_began_at_nothing():
    nan = np.nan
    panel = panel_of(a={"x": [1, nan, 4, 8], "y": [0, nan, 2, 3]}, b={"x": [nan, nan, 5, nan], "y": [nan, 1, 1, 1]})
    full, filled = complete(panel, [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")])
    assert full["a", "x"].tolist() == pytest.approx([1, 2, 4, 8])       # positive: on the line of the logarithms
    assert full["a", "y"].tolist() == [0, 1, 2, 3]                      # a zero: on the straight line
    assert full["b", "y"].tolist() == [0, 1, 1, 1]                      # b reported nothing in the first month
    # In the second b reported something else, so x is unknown; and so is what is missing at the end.
    assert full["b", "x"].isna().tolist() == [False, True, False, True]
    assert filled.sum().sum() == 2


def test_sums_of_the_history_are_those_of_the_completed_branches(cleaned):
    h = hierarchy_of(cleaned.catalog, "income_total")
    history = h.history(cleaned.panel)
    sums = history.loc["2008-06":, h.upper].to_numpy()
    bottom = history.loc["2008-06":, h.bottom].to_numpy()
    assert sums == pytest.approx((h.S @ bottom.T).T[:, : len(h.upper)])
    assert history[h.upper].notna().all(axis=None)                     # May 2008 never came, and is filled
    assert history.loc["2008-05", h.bottom].isna().all()               # but not as a branch's own figure


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
