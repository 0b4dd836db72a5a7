"""Mistakes planted in published tables: how many of them cleaning finds.

    python -m benchmarks.planted [--data FOLDER] [--plants 200] [--seed 1]

The Reserve Bank of India's tables of NEFT and mobile banking, half of the plants in each: rows of two banks that stand
beside one another exchanged, the figures of the month before pasted again, a single figure 10 or 100 times too large or
too small. A bank has one of them at most, among months that are printed without a gap and are not in doubt before. A
plant is found when the ledger has a row of its kind for that bank and month.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from ebank_lib.cleaning import Cleaned, clean

ROOT = Path(__file__).resolve().parent.parent
TABLES = {"neft": ["outward_txn", "outward_amount", "inward_txn", "inward_amount"], "mobile": ["volume", "value"]}
RULES = {"swap": {"swapped_rows"}, "stale": {"stale_repeat"}, "single": {"spike", "decimal_slip", "unit_slip", "edge"}}
AROUND = 4          # months on each side that must be there


def cleaned_of(name: str, rows: pd.DataFrame, folder: Path) -> Cleaned:
    """Write a table's rows where its description looks for them, and clean it."""
    place = folder / "data" / "rbi"
    place.mkdir(parents=True, exist_ok=True)
    rows.to_csv(place / f"{name}_bank_month_raw.csv.gz", index=False)
    os.environ["EBANK_SHARED"] = str(folder)
    return clean(ROOT / "tests" / "rbi" / name)


def plant(rows: pd.DataFrame, figures: list[str], doubted: set, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Spoil the rows in place; return ``kind, banks, month`` of each plant."""
    values = rows[figures].apply(lambda c: pd.to_numeric(c.str.replace(",", ""), errors="coerce"))
    able = rows["row_type"].eq("bank") & (values > 0).all(axis=1)
    months = pd.PeriodIndex(rows["month"], freq="M").asi8
    every = enumerate(zip(rows["bank_raw"], months, strict=True))
    at = {place: row for (row, place), good in zip(every, able, strict=True) if good}

    def steady(bank: str, month: int) -> bool:
        return all((bank, m) in at and (bank, m) not in doubted for m in range(month - AROUND, month + AROUND + 1))

    places = [place for place in at if steady(*place)]
    done, used, columns = [], set(), [rows.columns.get_loc(c) for c in figures]
    for pick in rng.permutation(len(places)):
        bank, month = places[pick]
        kind, row = list(RULES)[len(done) % len(RULES)], at[bank, month]
        other = rows["bank_raw"].iloc[row + 1] if row + 1 < len(rows) else ""
        banks = (bank, other) if kind == "swap" else (bank,)
        if used & {*banks} or (kind == "swap" and not steady(other, month)):
            continue
        if kind == "swap":
            rows.iloc[[row, row + 1], columns] = rows.iloc[[row + 1, row], columns].to_numpy()
        elif kind == "stale":
            rows.iloc[row, columns] = rows.iloc[at[bank, month - 1], columns].to_numpy()
        else:
            k = rng.integers(len(figures))
            rows.iloc[row, columns[k]] = repr(float(values.iloc[row, k] * rng.choice([0.01, 0.1, 10, 100])))
        done.append((kind, banks, month))
        used |= {*banks}
        if len(done) == n:
            break
    return pd.DataFrame(done, columns=["kind", "banks", "month"])


def said(cleaned: Cleaned) -> pd.DataFrame:
    """Return the suspicious and corrected cells of the ledger as ``branch, month, rule``."""
    ledger = cleaned.ledger
    of = ledger[ledger["decision"].isin(["flagged", "corrected"])]
    return pd.DataFrame({"branch": of["branch"].astype(str), "month": [m.ordinal for m in of["month"]],
                         "rule": of["rule"].astype(str)})


def main(argv=None) -> int:
    """Print what was found of each kind in each table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path,
                        default=Path(os.environ.get("EBANK_SHARED", ROOT.parent / "shared")) / "data")
    parser.add_argument("--plants", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    if not args.data.is_dir():
        parser.error(f"reference data absent: {args.data}; --data says where they are")
    rng, found = np.random.default_rng(args.seed), []
    for name, figures in TABLES.items():
        rows = pd.read_csv(args.data / "rbi" / f"{name}_bank_month_raw.csv.gz", dtype=str, keep_default_na=False)
        with tempfile.TemporaryDirectory() as folder:
            before = cleaned_of(name, rows, Path(folder))
            known = said(before)
            named = {before.catalog.branch(text).id: text for text in rows["bank_raw"].unique()}
            doubted = {(named.get(b), m) for b, m in zip(known["branch"], known["month"], strict=True)}
            plants = plant(rows, figures, doubted, args.plants // 2, rng)
            after = said(cleaned_of(name, rows, Path(folder)))
        rules = after.groupby(["branch", "month"])["rule"].agg(set)
        for one in plants.itertuples():
            hits = [rules.get((before.catalog.branch(bank).id, one.month), set()) for bank in one.banks]
            found.append({"table": name, "kind": one.kind, "found": all(RULES[one.kind] & hit for hit in hits),
                          "doubted": any(hits)})
    table = pd.DataFrame(found).groupby(["table", "kind"])[["found", "doubted"]].agg(["sum", "size"])
    print(table.droplevel(1, axis=1).to_string())
    return 0


if __name__ == "__main__":
    sys.exit(main())
