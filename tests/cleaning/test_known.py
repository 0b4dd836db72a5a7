"""Known answers: provinces spoilt by hand, and every row of the ledger that cleaning must write about them.

The expected rows stand in ``known.csv``, checked by eye against the mistakes below: whatever moves a threshold, a month
or a vote moves a row.
"""

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from .conftest import MONTHS, Province

KNOWN = Path(__file__).with_name("known.csv")
COLUMNS = ["file", "row", "branch", "month", "indicator", "text", "rule", "decision", "before", "after", "reason"]


def times(province, branch, month, key, factor):
    text = province.cells.loc[province.at(branch, month, key), "text"].iloc[0]
    province.print(branch, month, key, f"{float(text) * factor:.12g}")


def column(province, months, key, factor, branches=slice(None)):
    """Print a column of some months in another unit."""
    mask = province.cells["month"].astype(str).isin(months) & (province.cells["indicator"] == key)
    if not isinstance(branches, slice):
        mask &= province.cells["branch"].isin([province.catalog.branches[b].zh for b in branches])
    province.cells.loc[mask, "text"] = [f"{float(t) * factor:.12g}" for t in province.cells.loc[mask, "text"]]


def swap(province, month, one, two):
    first, second = province.at(one, month), province.at(two, month)
    texts = province.cells.loc[first, "text"].to_numpy().copy()
    province.cells.loc[first, "text"] = province.cells.loc[second, "text"].to_numpy()
    province.cells.loc[second, "text"] = texts


def again(province, branch, month):
    """Paste a row's numbers of the month before."""
    before = province.at(branch, str(pd.Period(month, "M") - 1))
    province.cells.loc[province.at(branch, month), "text"] = province.cells.loc[before, "text"].to_numpy()


def take_over(province):
    """From its merger on a branch's numbers are its heir's."""
    for n, month in enumerate(MONTHS[12:], start=12):
        sums = {key: int(province.true["old"][key][n]) for key in province.true["old"]}
        for branch in ("lake", "all"):
            row = province.cells[province.at(branch, str(month))].set_index("indicator")["text"]
            new = {key: int(row[key]) + value for key, value in sums.items()}
            for key, value in (new | {"activity": round(100 * new["active"] / new["stock"], 2)}).items():
                province.print(branch, str(month), key, value)


def single():
    """One cell at a time, each proven by identities or by its neighbours, or by nothing."""
    p = Province(seed=1)
    times(p, "east", "2010-04", "a", 10)
    times(p, "all", "2009-05", "both", 0.01)
    p.print("west", "2010-09", "stock", p.number("west", "2010-09", "stock") + 777)
    p.print("hill", "2009-07", "new", p.number("hill", "2009-07", "new") + 31)
    times(p, "north", "2010-02", "activity", 1.07)
    times(p, "south", "2010-12", "sales", 2.3)
    p.print("lake", "2011-02", "a", "")
    p.print("hill", "2011-03", "sales", "-")
    p.print("east", "2011-05", "sales", "-")
    p.print("all", "2011-05", "sales", "-")
    p.print("north", "2009-10", "active", p.number("north", "2009-10", "stock") + 5)
    return p


def lonely():
    """Without a total row, without anything that proves sales."""
    p = Province(total=False, seed=2)
    times(p, "east", "2010-04", "sales", 10)
    times(p, "west", "2009-06", "sales", 0.1)
    times(p, "south", "2010-12", "sales", 2.3)
    times(p, "hill", "2009-04", "sales", 0.45)
    p.print("north", "2010-07", "sales", p.number("north", "2010-06", "sales"))
    for month in MONTHS[18:]:
        times(p, "lake", str(month), "sales", 2.4)
    column(p, ["2011-03"], "sales", 1e-4)
    return p


def columns():
    """Columns in another unit: one month, three months, some rows put right by hand, until the end; rows misplaced."""
    p = Province(seed=3)
    column(p, ["2009-06"], "both", 1e-4)
    column(p, ["2010-02", "2010-03", "2010-04"], "activity", 0.01)
    column(p, ["2010-09"], "sales", 1e-4, ["north", "south", "east", "west", "hill", "all"])
    column(p, [str(m) for m in MONTHS[26:]], "a", 0.1)
    swap(p, "2009-10", "east", "hill")
    swap(p, "2010-07", "north", "south")
    again(p, "west", "2010-11")
    again(p, "lake", "2011-01")
    return p


def merged():
    """A branch that merges in 2010-01, with mistakes on both sides of that month."""
    p = Province(merged=True, seed=4)
    take_over(p)
    times(p, "old", "2009-05", "a", 10)
    p.print("lake", "2009-12", "sales", "-")
    p.print("old", "2009-12", "b", "-")
    times(p, "lake", "2010-01", "sales", 3)
    p.print("old", "2009-08", "new", p.number("old", "2009-08", "new") + 9)
    p.cells = p.cells[p.cells["month"] != "2010-06"].reset_index(drop=True)
    return p


def printed():
    """What is printed in other words: units, marks, aliases, subtotals, revisions, doubles, other months."""
    p = Province(merged=True, seed=5)
    take_over(p)
    p.print("east", "2010-04", "sales", f"{p.number('east', '2010-04', 'sales') / 1e4!r}万元")
    p.print("west", "2010-04", "a", f"{p.number('west', '2010-04', 'a'):,}*")
    p.print("hill", "2010-04", "activity", "41%")
    p.cells.loc[p.at("lake", "2010-05", "sales"), "unit"] = "万户"
    p.cells.loc[p.at("south", "2010-05", "sales"), "unit"] = "万圆"
    p.cells.loc[p.at("north", "2010-05"), "branch"] = "north市分行（注1）"
    extra = p.cells[p.at("east", "2010-05")]
    late = p.cells[p.at("old", "2009-12")].assign(month=pd.Period("2010-01", "M"), file="2010-01.xlsx", row=40)
    twice = p.cells[p.at("east", "2010-08")].assign(row=41)
    twice.loc[twice["indicator"] == "b", "text"] = "77"
    newer = p.cells[p.at("west", "2010-09")].assign(revision=1, file="2010-09_1.xlsx")
    newer.loc[newer["indicator"] == "sales", "text"] = "200123"
    p.cells = pd.concat([p.cells, extra.assign(branch="鲁东小计", row=30), extra.assign(branch="总计", row=31),
                         extra.assign(branch="机构", text="客户数", row=32), extra.assign(branch="eastt分行", row=33),
                         late, twice, newer], ignore_index=True)
    p.cells.loc[p.at("hill", "2010-10", "a"), "merged"] = "F8:F9"
    return p


def rough():
    """Swaps that only columns speak for, rows with gaps, spikes that also mislead equations, rows pasted twice."""
    p = Province(total=False, seed=6)
    swap(p, "2009-08", "west", "lake")
    p.print("west", "2009-08", "sales", "")
    swap(p, "2010-05", "east", "west")
    again(p, "north", "2010-10")
    again(p, "hill", "2010-02")
    times(p, "hill", "2010-02", "stock", 10)
    times(p, "south", "2009-05", "a", 1.6)
    times(p, "south", "2009-05", "b", 0.7)
    times(p, "east", "2011-06", "sales", 10)
    times(p, "east", "2009-01", "both", 100)
    p.print("lake", "2010-12", "stock", "")
    p.print("lake", "2010-12", "new", "")
    p.print("west", "2011-02", "active", p.number("west", "2011-02", "stock") * 2)
    p.print("west", "2011-02", "activity", "-")
    p.print("south", "2011-01", "activity", "140")
    return p


PROVINCES = {f.__name__: f for f in (single, lonely, columns, merged, printed, rough)}


@functools.cache
def cleaned_by(name, policy="conservative"):
    return PROVINCES[name]().clean(policy)


def judged(name):
    """Return the rows of the ledger but for numbers that are simply taken as printed."""
    rows = cleaned_by(name).ledger
    rows = rows[(rows["rule"] != "number") & ~((rows["rule"] == "unit_heading") & (rows["text"].str.len() > 0)
                                                & (rows["indicator"] == "activity"))
                & ~((rows["rule"] == "merger") & (rows["month"] < pd.Period("2009-12", "M")))]
    return rows.assign(province=name)[["province", *COLUMNS]].astype({"month": str}).reset_index(drop=True)


@pytest.fixture(scope="module")
def known():
    return pd.read_csv(KNOWN, dtype=dict.fromkeys(["text"], str), keep_default_na=False,
                       na_values={"before": [""], "after": [""]})


@pytest.mark.parametrize("name", PROVINCES)
def test_every_row_of_the_ledger_is_the_one_that_is_known(known, name):
    expected = known[known["province"] == name].reset_index(drop=True)
    got = judged(name)
    for column_ in ("before", "after"):
        assert np.array_equal(got[column_].to_numpy(), expected[column_].to_numpy(float), equal_nan=True)
    rest = [c for c in got if c not in ("before", "after")]
    pd.testing.assert_frame_equal(got[rest].astype(str), expected[rest].astype(str), check_dtype=False)
