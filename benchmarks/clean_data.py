"""Cleaning of clean data: sources of many shapes in which every number is true, and none may be changed.

    python -m benchmarks.clean_data                     # 300 sources
    python -m benchmarks.clean_data --seeds 3 17 --show

Branches that enter and leave, small and large ones, columns that move together, seasonal flows, ratios, totals printed
or not, whole numbers and decimals, 1 to 150 branches, 12 to 120 months, levels that jump and stay, true zeros, growth
of 100% a month. Goals: no value altered, the panel equal to the truth, under 0.2% of all numbers flagged.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, fields
from types import SimpleNamespace

import numpy as np
import pandas as pd

from ebank_lib.catalog import Branch, Catalog, Identity, Indicator, Texts, Unit
from ebank_lib.cleaning import Cleaned, clean

SOURCES, FLAGGED = 300, 0.002
_RAMP = np.array([0.05, 0.4, 0.8])      # of its size a branch has in its first months, and in its last


@dataclass(frozen=True)
class CleanSource:
    """A catalogue, the cells that are printed, and ``truth``: what each of them says, in the base unit."""

    catalog: Catalog
    cells: pd.DataFrame
    truth: np.ndarray
    shape: str

    def clean(self, policy: str = "conservative") -> Cleaned:
        return clean(SimpleNamespace(catalog=self.catalog), policy, cells=self.cells)


def make(seed: int, most: int = 150) -> CleanSource:
    """Return a clean source of at most so many branches; its shape is drawn by the seed."""
    rng = np.random.default_rng(seed)
    branches = min(int(rng.choice([1, 1, 2, 3, 4, 6, 8, 12, 16, 25, 40, 80, 150])), most)
    fast = rng.random() < 0.08                          # doubling every month, which nothing does for long
    months = int(rng.integers(12, 19) if fast else rng.choice([12, 18, 24, 36, 44, 60, 90, 120]))
    family = rng.choice(["together", "customers", "flows"])
    level = np.exp(rng.normal(np.log(3e4 if family == "customers" else 3000), 1.6, branches))
    growth = np.log(2) if fast else rng.uniform(0.0, 0.03)
    noise = rng.choice([0.002, 0.01, 0.03, 0.08])
    path = np.exp(growth * np.arange(months) + noise * rng.normal(size=(branches, months))
                  + rng.choice([0.0, 0.02]) * rng.normal(size=months))
    if rng.random() < 0.5:
        path *= np.exp(rng.choice([0.05, 0.25]) * rng.normal(size=12))[np.arange(months) % 12]
    there = np.ones((branches, months), bool)
    for b in range(branches):
        kind = rng.random()
        if kind < 0.15 and months >= 18:                # enters
            first = int(rng.integers(1, months - 8))
            there[b, :first] = False
            path[b, first:first + 3] *= _RAMP
        elif kind < 0.22 and months >= 18:              # leaves
            last = int(rng.integers(8, months - 1))
            there[b, last + 1:] = False
            path[b, last - 2:last + 1] *= _RAMP[::-1]
        elif kind < 0.27:                               # a level that jumps and stays
            path[b, int(rng.integers(1, months)):] *= rng.choice([0.4, 1.6, 3.0])
    size = level[:, None] * path
    columns, identities = {"together": _together, "customers": _customers, "flows": _flows}[family](rng, size, noise)
    total = rng.random() < 0.5 and branches > 1
    return _print(columns, identities, there, total, rng, f"{family}, {branches} branches, {months} months, "
                  f"noise {noise}, growth {growth:.1%}, {'total' if total else 'no total'}")


def _together(rng, size, noise):
    """Twelve columns that move as one: two ways, counts and values, two kinds and their sum."""
    out = {}
    for way in ("in", "out"):
        for what, scale in (("count", 1.0), ("value", 40.0)):
            a, b = (np.round(size * scale * rng.uniform(0.3, 1) * np.exp(0.3 * noise * rng.normal(size=size.shape)))
                    for _ in range(2))
            out |= {f"{way}_{what}_a": a, f"{way}_{what}_b": b, f"{way}_{what}_all": a + b}
    sums = [Identity(kind="sum", total=f"{k}_all", parts=[f"{k}_a", f"{k}_b"])
            for k in ("in_count", "in_value", "out_count", "out_value")]
    return out, sums if rng.random() < 0.5 else []


def _customers(rng, size, noise):
    """A stock, its net new, how many are active, and their share, printed as a percentage with two decimals."""
    stock = np.round(np.maximum(size, 50))
    new = np.diff(stock, axis=1, prepend=np.nan)
    share = 0.5 + 0.05 * rng.normal() + 0.3 * noise * rng.normal(size=size.shape)
    active = np.round(stock * np.clip(share, 0.05, 0.95))
    out = {"stock": stock, "new": new, "active": active, "activity": np.round(active / stock, 4)}
    return out, [Identity(kind="change", total="stock", parts=["new"]),
                 Identity(kind="within", total="stock", parts=["active"])]


def _flows(rng, size, noise):
    """Amounts with decimals; small ones have months without any business."""
    digits, out = int(rng.choice([0, 2, 4])), {}
    for n in range(int(rng.integers(1, 4))):
        flow = size * np.exp(noise * rng.normal(size=size.shape)) / 10.0 ** int(rng.integers(0, 3))
        flow[rng.random(size.shape) < 0.001 * (np.median(flow, axis=1) < 300)[:, None]] = 0.0
        out[f"flow_{n}"] = np.round(flow, digits)
    return out, []


def _print(columns, identities, there, total, rng, shape) -> CleanSource:
    branches, months = there.shape
    period = pd.period_range("2010-01", periods=months, freq="M")
    ratio = {k for k in columns if k == "activity"}
    if total:
        sums = {k: np.where(np.isnan(v).all(axis=0), np.nan, np.nansum(np.where(there, v, np.nan), axis=0))
                for k, v in columns.items() if k not in ratio}
        if np.diff(there, axis=1).any():        # with a branch the total takes on customers that are nobody's new ones
            identities = [i for i in identities if i.kind != "change"]
        if ratio:
            sums["activity"] = np.round(sums["active"] / sums["stock"], 4)
        columns = {k: np.vstack([v, sums[k]]) for k, v in columns.items()}
        there = np.vstack([there, np.ones(months, bool)])
    names = [f"b{n}" for n in range(branches)] + ["all"] * total
    ind = {k: Indicator(key=k, zh=k, en=k, group="g", kind="ratio" if k in ratio else "flow",
                        unit="1" if k in ratio else "u",
                        **({"numerator": "active", "denominator": "stock"} if k in ratio else {})) for k in columns}
    made = {"indicators": ind, "units": {"u": Unit(base="u", factor=1.0), "%": Unit(base="1", factor=0.01)},
            "base_units": {"u": Texts(zh="u", en="u"), "1": Texts(zh="", en="")},
            "groups": {"g": Texts(zh="g", en="g")},
            "identities": tuple(identities),
            "branches": {n: Branch(n, n, n, "total" if n == "all" else "branch") for n in names}}
    catalog = Catalog(**{f.name: made.get(f.name, ()) for f in fields(Catalog)})
    value = np.stack([columns[k] for k in columns], axis=2)
    unit, month, key = np.nonzero(there[:, :, None] & ~np.isnan(value))
    truth = value[unit, month, key]
    keys = np.array(list(columns), object)[key]
    text = [f"{100 * v:.2f}" if k in ratio else repr(float(v)).removesuffix(".0") if abs(v) < 1e15 else f"{v:.0f}"
            for v, k in zip(truth, keys, strict=True)]
    when = period[month]
    cells = pd.DataFrame({
        "file": when.astype(str) + ".xlsx", "sheet": "t", "row": unit + 4,
        "column": [chr(ord("B") + k) for k in key], "branch": np.array(names, object)[unit], "month": when,
        "indicator": keys, "text": text, "unit": np.where(np.isin(keys, list(ratio)), "%", "u"), "revision": 0,
        "merged": ""})
    return CleanSource(catalog, cells, truth, shape)


def score(source: CleanSource, cleaned: Cleaned) -> dict:
    """Return how many numbers there are, how many were altered or filled, how many differ in the panel, are flagged."""
    e = cleaned.entries
    e = e.assign(decision=e["decision"].astype(str))
    at = pd.MultiIndex.from_frame(source.cells[["branch", "month"]])
    column = cleaned.panel.columns.get_indexer(source.cells["indicator"])
    got = cleaned.panel.to_numpy()[cleaned.panel.index.get_indexer(at), column]
    off = ~np.isclose(got, source.truth, rtol=1e-12, atol=1e-12)
    flagged = e[(e["decision"] == "flagged") & (e["cell"] >= 0)]
    return {"numbers": len(source.cells), "altered": int(e["decision"].isin(["corrected", "filled"]).sum()),
            "different": int(off.sum()), "flagged": flagged["cell"].nunique(),
            "rules": flagged.drop_duplicates(["cell", "rule"])["rule"].astype(str).value_counts().to_dict()}


def main(argv=None) -> int:
    """Print what is wrong source by source and the sums; the exit code says whether the goals were reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=range(1, SOURCES + 1))
    parser.add_argument("--show", action="store_true", help="every source, not only those with something wrong")
    options = parser.parse_args(argv)
    rows, rules = [], pd.Series(dtype=int)
    for seed in options.seeds:
        source = make(seed)
        found = score(source, source.clean())
        rules = rules.add(pd.Series(found.pop("rules"), dtype=int), fill_value=0)
        rows.append(found)
        if options.show or found["altered"] or found["different"] or found["flagged"] > FLAGGED * found["numbers"]:
            print(f"{seed:>4}  {found}  {source.shape}", flush=True)
    sums = pd.DataFrame(rows).sum()
    share = sums["flagged"] / sums["numbers"]
    print(f"{len(rows)} sources, {sums['numbers']:,} numbers: {sums['altered']} altered, "
          f"{sums['different']} different, {share:.3%} flagged {rules.astype(int).to_dict()}")
    reached = not sums["altered"] and not sums["different"] and share < FLAGGED
    print("all goals reached" if reached else "goals missed")
    return int(not reached)


if __name__ == "__main__":
    sys.exit(main())
