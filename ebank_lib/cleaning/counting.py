"""What is counted over a whole ledger and panel, once: a province's notebooks ask for it hundreds of times."""

from __future__ import annotations

import pandas as pd

from ..catalog import Catalog
from .ledger import DECISIONS

__all__ = ["JUDGED", "count", "decisions"]

JUDGED = ("corrected", "flagged", "filled")


def decisions(entries: pd.DataFrame) -> dict[str, int]:
    """Return how many numbers each decision was made on."""
    found = entries.drop_duplicates(["cell", "decision", "branch", "month", "indicator"])["decision"].value_counts()
    return {name: int(found.get(name, 0)) for name in DECISIONS}


def count(entries: pd.DataFrame, panel: pd.DataFrame, catalog: Catalog) -> dict:
    """Return the counts that tables and sentences are made from, as JSON can say them."""
    rules = entries.groupby(["decision", "rule"], observed=True).size().rename("cells").reset_index()
    rules = rules.sort_values(["decision", "cells", "rule"], ascending=[True, False, True], kind="stable")
    once = entries[entries["cell"] >= 0].drop_duplicates(["cell", "decision"])
    cells = pd.crosstab(once["branch"].astype(str), once["decision"].astype(str))
    cells = cells.reindex(columns=list(DECISIONS), fill_value=0)
    fills = entries[entries["decision"] == "filled"].groupby("branch", observed=True).size()
    used = panel.notna().any().pipe(lambda s: s.index[s])
    missing = panel[used].isna().sum(axis=1).groupby(level=0, sort=False).sum()
    return {"rules": [[str(r), str(d), int(n)] for d, r, n in rules.itertuples(index=False)],
            "decisions": decisions(entries),
            "cells": {b: [int(n) for n in cells.loc[b]] for b in catalog.branches if b in cells.index},
            "filled": {str(b): int(n) for b, n in fills.items() if b in catalog.branches},
            "missing": {str(b): int(n) for b, n in missing.items()}, "used": len(used),
            "missing_share": float(panel.isna().to_numpy().mean())}
