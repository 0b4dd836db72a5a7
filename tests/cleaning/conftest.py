"""A small province whose numbers are known: six branches, one merged away, a total row, thirty months."""

from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ebank_lib.catalog import Branch, Catalog, Identity, Indicator, Texts, Unit
from ebank_lib.cleaning import clean

MONTHS = pd.period_range("2009-01", periods=30, freq="M")
BRANCHES = ["north", "south", "east", "west", "hill", "lake"]


def _indicator(key, kind="flow", unit="户", **more):
    return Indicator(key=key, zh=key, en=key, group="all", kind=kind, unit=unit, **more)


def small_catalog(total=True, merged=False):
    indicators = [_indicator("stock", "stock"), _indicator("new"), _indicator("active", "stock"),
                  _indicator("activity", "ratio", "1", numerator="active", denominator="stock"),
                  _indicator("a"), _indicator("b"), _indicator("both"), _indicator("sales", unit="元")]
    branches = [Branch(b, f"{b}分行", b.title(), aliases=(f"{b}市分行",)) for b in BRANCHES]
    if merged:
        branches.append(Branch("old", "old支行", "Old", "merged", (), "lake", MONTHS[12]))
    if total:
        branches.append(Branch("all", "全部合计", "All", "total", ("合计",)))
    parts = {
        "indicators": {i.key: i for i in indicators},
        "units": {"户": Unit(base="户", factor=1.0), "万户": Unit(base="户", factor=1e4),
                  "元": Unit(base="元", factor=1.0), "万元": Unit(base="元", factor=1e4),
                  "%": Unit(base="1", factor=0.01)},
        "base_units": {"户": Texts(zh="户", en="customers"), "元": Texts(zh="元", en="yuan"), "1": Texts(zh="", en="")},
        "groups": {"all": Texts(zh="全部", en="All")},
        "identities": (Identity(kind="sum", total="both", parts=["a", "b"]),
                       Identity(kind="change", total="stock", parts=["new"]),
                       Identity(kind="within", total="stock", parts=["active"])),
        "branches": {b.id: b for b in branches}}
    # What else a catalogue may carry is of no matter to cleaning.
    return Catalog(**{f.name: parts.get(f.name, ()) for f in fields(Catalog)})


def true_numbers(seed=0, extra=()):
    """Return branch -> indicator -> 30 whole numbers that obey every identity."""
    rng = np.random.default_rng(seed)
    out = {}
    for n, b in enumerate([*BRANCHES, *extra]):
        new = rng.poisson(300 * (n + 1), len(MONTHS)) + 50
        stock = 20_000 * (n + 1) + np.cumsum(new)
        rate = 0.4 + 0.002 * np.arange(len(MONTHS)) + 0.01 * rng.normal(size=len(MONTHS))
        active = np.round(stock * rate).astype(int)
        a, bb = (rng.poisson(k * (n + 1) * 1.02 ** np.arange(len(MONTHS))) for k in (9000, 4000))
        sales = rng.poisson(50_000 * (n + 1) * np.exp(0.05 * rng.normal(size=len(MONTHS))))
        out[b] = {"stock": stock, "new": new, "active": active, "a": a, "b": bb, "both": a + bb, "sales": sales}
    return out


class Province:
    """Cells of a province as a workbook prints them; change `cells`, then :meth:`clean`."""

    def __init__(self, total=True, merged=False, seed=0):
        self.catalog = small_catalog(total, merged)
        self.true = true_numbers(seed, ("old",) if merged else ())
        rows = []
        for m, month in enumerate(MONTHS):
            names = [b for b in self.true if b != "old" or m < 12]
            numbers = {b: {k: int(v[m]) for k, v in self.true[b].items()} for b in names}
            if total:
                numbers["all"] = {k: sum(numbers[b][k] for b in names) for k in numbers[names[0]]}
            for r, (b, values) in enumerate(numbers.items(), start=4):
                values = {**values, "activity": None}
                for c, key in enumerate(self.catalog.indicators):
                    text = (repr(round(100 * values["active"] / values["stock"], 2)) if key == "activity"
                            else str(values[key]))
                    unit = "%" if key == "activity" else "元" if key == "sales" else "户"
                    rows.append((f"{month}.xlsx", "表", r, chr(ord("B") + c), self.catalog.branches[b].zh, month, key,
                                 text, unit, 0, ""))
        self.cells = pd.DataFrame(rows, columns=["file", "sheet", "row", "column", "branch", "month", "indicator",
                                                 "text", "unit", "revision", "merged"])
        self.cells["month"] = pd.PeriodIndex(self.cells["month"], freq="M")

    def at(self, branch, month, indicator=slice(None)):
        name = self.catalog.branches[branch].zh
        mask = (self.cells["branch"] == name) & (self.cells["month"] == pd.Period(month, "M"))
        return mask if isinstance(indicator, slice) else mask & (self.cells["indicator"] == indicator)

    def print(self, branch, month, indicator, text):
        mask = self.at(branch, month, indicator)
        assert mask.sum() == 1
        self.cells.loc[mask, "text"] = str(text)

    def number(self, branch, month, indicator):
        return int(self.true[branch][indicator][MONTHS.get_loc(pd.Period(month, "M"))])

    def clean(self, policy="conservative", **options):
        return clean(SimpleNamespace(catalog=self.catalog), policy, cells=self.cells, **options)


@pytest.fixture
def province():
    return Province()


@pytest.fixture
def lonely():
    """Without a total row."""
    return Province(total=False)


@pytest.fixture
def merged():
    return Province(merged=True)


@pytest.fixture
def rules_at():
    def rules(cleaned, branch, month, indicator):
        found = cleaned.trace(branch, month, indicator)
        return dict(zip(found["rule"].astype(str), found["decision"].astype(str), strict=True))
    return rules
