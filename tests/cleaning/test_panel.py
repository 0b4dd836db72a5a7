"""Policies, mergers and counting on a grid made by hand, to the number."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ebank_lib.cleaning.assembling import Grid
from ebank_lib.cleaning.ledger import Book, ConservationError
from ebank_lib.cleaning.panel import Finding, _note_fill, build_panel, check_origins, mergers, repair

from .conftest import MONTHS, small_catalog

KEYS = list(small_catalog().indicators)
ACTIVE, STOCK, RATIO, SALES = (KEYS.index(k) for k in ("active", "stock", "activity", "sales"))


def grid(units=("lake", "old"), months=16):
    value = np.zeros((len(units), months, len(KEYS)))
    for u in range(len(units)):
        value[u] = 100.0 * (u + 1) + np.arange(months)[:, None] + 1000 * np.arange(len(KEYS))
        value[u, :, RATIO] = 0.25
    cell = np.arange(value.size).reshape(value.shape)
    return Grid(list(units), MONTHS[:months], KEYS, value, np.full(value.shape, 0.5), cell,
                np.ones(value.shape[:2], bool), np.full(value.shape, -1), [np.arange(len(KEYS))],
                np.zeros(value.shape[1:], bool), np.zeros(value.shape, bool))


def cells_of(g):
    unit, month, key = (a.ravel() for a in np.meshgrid(*map(np.arange, g.value.shape), indexing="ij"))
    return pd.DataFrame({"file": "f", "sheet": "s", "row": unit, "column": "A", "branch": np.array(g.units)[unit],
                         "month": g.months[month], "indicator": np.array(KEYS)[key], "text": "1", "unit": ""})


def rows_of(g, book):
    entries = book.entries(cells_of(g), np.array(g.units)[np.arange(g.value.size) // g.value[0].size])
    return [(r.branch, str(r.month), r.indicator, r.decision, r.rule, r.before, r.after) for r in entries.itertuples()]


def test_a_branch_joins_its_heir_up_to_the_month_before_the_merger():
    g, catalog = grid(), small_catalog(merged=True)          # merges in 2010-01, the thirteenth month
    assert mergers(g, catalog) == [(1, 0, 12)]
    g.present[1, 12:] = False
    g.value[1, 12:], g.cell[1, 12:] = np.nan, -1
    book = Book()
    panel, in_panel = build_panel(g, catalog, book)
    assert panel.index.get_level_values("branch").unique().tolist() == ["lake"]
    stock = panel.loc["lake", "stock"].to_numpy()
    assert stock.tolist() == [*(300.0 + 2 * np.arange(12)), *(100.0 + np.arange(12, 16))]
    ratio = panel.loc["lake", "activity"].to_numpy()
    both = g.value[0] + g.value[1]
    assert np.allclose(ratio[:12], both[:12, ACTIVE] / both[:12, STOCK]) and (ratio[12:] == 0.25).all()
    assert len(in_panel) == 16 * 8 + 12 * 8
    assert sum(row[4] == "merger" for row in rows_of(g, book)) == 12 * 8


@pytest.mark.parametrize("gone", ["lake", "old"])
def test_what_only_one_of_the_two_prints_is_no_sum(gone):
    g, catalog = grid(), small_catalog(merged=True)
    g.present[1, 12:] = False
    g.value[1, 12:], g.cell[1, 12:] = np.nan, -1
    unit = g.units.index(gone)
    g.value[unit, 11, SALES], g.cell[unit, 11, SALES] = np.nan, -1
    book = Book()
    panel, in_panel = build_panel(g, catalog, book)
    assert panel["sales"].isna().to_numpy().nonzero()[0].tolist() == [11]
    other = "old" if gone == "lake" else "lake"
    lost = [row[:5] for row in rows_of(g, book) if row[3] == "rejected"]
    assert lost == [(other, "2009-12", "sales", "rejected", "merger_part")] and len(in_panel) == 16 * 8 + 12 * 8 - 2


def test_a_branch_that_ended_before_its_merger_adds_nothing_after_its_last_row():
    g, catalog = grid(), small_catalog(merged=True)
    g.present[1, 9:] = False
    g.value[1, 9:], g.cell[1, 9:] = np.nan, -1
    g.present[1, 4] = False                                  # a month without a file lies within its life
    g.value[1, 4], g.cell[1, 4] = np.nan, -1
    panel, _ = build_panel(g, catalog, Book())
    stock = panel.loc["lake", "stock"].to_numpy()
    assert np.isnan(stock[4]) and stock[8] == 316 and stock[9] == 109


def test_without_a_row_of_its_heir_a_merged_branch_is_its_history(merged):
    merged.cells = merged.cells[merged.cells["branch"] == "old支行"].reset_index(drop=True)
    cleaned = merged.clean()
    assert cleaned.branches == ["lake"] and len(cleaned.cells) == 12 * 8
    # What only one of them prints is no sum.
    assert cleaned.panel["stock"].isna().all() and cleaned.conservation["in_panel"].iloc[0] == 0


def place(unit, month, key):
    return int(np.ravel_multi_index((unit, month, key), (1, 16, len(KEYS))))


FINDINGS = [Finding(place(0, 3, SALES), "decimal_slip", "correct", 70.0), Finding(place(0, 5, SALES), "spike", "flag"),
            Finding(place(0, 7, SALES), "level_break", "flag"),
            Finding(place(0, 9, SALES), "from_identity", "fill", 7109.0)]


@pytest.mark.parametrize("policy, changed, said", [
    ("none", {}, [("flagged", "decimal_slip"), ("flagged", "spike"), ("flagged", "level_break")]),
    ("conservative", {3: 70.0, 9: 7109.0}, [("corrected", "decimal_slip"), ("flagged", "spike"),
                                            ("flagged", "level_break"), ("filled", "from_identity")]),
    ("interpolate", {3: 70.0, 5: None, 9: 7109.0}, [
        ("corrected", "decimal_slip"), ("flagged", "spike"), ("filled", "interpolated"), ("flagged", "level_break"),
        ("filled", "from_identity")])])
def test_each_policy_does_what_its_table_says(policy, changed, said):
    g = grid(("lake",))
    g.value[0, 9, SALES], g.cell[0, 9, SALES] = np.nan, -1
    book = Book()
    out = repair(g, FINDINGS, policy, book)
    y = out.value[0, :, SALES]
    expected = g.value[0, :, SALES].copy()
    for month, value in changed.items():
        expected[month] = y[month] if value is None else value
    assert np.array_equal(y, expected, equal_nan=True) and np.isnan(g.value[0, 9, SALES])
    assert [row[3:5] for row in rows_of(g, book)] == said
    if policy == "interpolate":
        scale = 0.04 * np.median(np.delete(expected, 5))
        known = np.arcsinh(np.array([expected[4], expected[6]]) / scale)
        assert y[5] == pytest.approx(np.sinh(known.mean()) * scale)


def test_interpolation_reaches_no_end_and_leaves_a_suspect_there():
    g = grid(("lake",))
    for month in (0, 7, 8, 15):
        g.value[0, month, SALES], g.cell[0, month, SALES] = np.nan, -1
    book = Book()
    out = repair(g, [Finding(place(0, 1, SALES), "spike", "flag"), Finding(place(0, 14, SALES), "spike", "flag")],
                 "interpolate", book)
    y = out.value[0, :, SALES]
    assert np.isnan(y[[0, 15]]).all() and y[1] == g.value[0, 1, SALES] and y[14] == g.value[0, 14, SALES]
    assert g.value[0, 6, SALES] < y[7] < y[8] < g.value[0, 9, SALES]
    assert [row[1:5] for row in rows_of(g, book) if row[3] == "filled"] == [
        ("2009-08", "sales", "filled", "interpolated"), ("2009-09", "sales", "filled", "interpolated")]


def test_a_fill_is_written_on_the_cell_without_a_number_where_there_is_one():
    g = grid(("lake",))
    g.value[0, 9, SALES], g.hole[0, 9, SALES], g.cell[0, 9, SALES] = np.nan, g.cell[0, 9, SALES], -1
    book = Book()
    repair(g, FINDINGS[3:], "conservative", book)
    entries = book.entries(cells_of(g), np.repeat("lake", g.value.size))
    assert entries["cell"].tolist() == [g.hole[0, 9, SALES]]


def test_a_number_from_nowhere_is_a_bug():
    g = grid(("lake",))
    empty = Book().entries(cells_of(g), np.repeat("lake", g.value.size))
    check_origins(g, empty)
    g.cell[0, 3, SALES] = -1
    with pytest.raises(ConservationError, match="1 numbers without a cell, 0 of them explained"):
        check_origins(g, empty)
    book = Book()
    book.add_loose("lake", MONTHS[3], "sales", "filled", "from_identity", 1.0)
    check_origins(g, book.entries(cells_of(g), np.repeat("lake", g.value.size)))


@pytest.mark.parametrize(("hole", "where"), [(0, "cell"), (3, "cell"), (-1, "place")])
def test_what_is_filled_stands_on_its_cell_the_first_one_too_or_on_its_place(hole, where):
    said = []
    book = SimpleNamespace(add=lambda cell, *_: said.append(("cell", cell)),
                           add_loose=lambda unit, month, key, *_: said.append(("place", unit, month, key)))
    place = SimpleNamespace(hole=np.array([[[hole]]]), value=np.zeros((1, 1, 1)), units=["east"], months=["2010-01"],
                            indicators=["sales"])
    _note_fill(place, book, 0, "from_identity", 5.0)
    assert said == [("cell", hole) if where == "cell" else ("place", "east", "2010-01", "sales")]
