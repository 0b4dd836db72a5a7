"""The hash of every part of a cleaned source that a notebook can look at; see :mod:`ebank_lib.reads`."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd

from ..catalog import Catalog
from ..errors import SourceError
from ..files import read_limited
from ..keeping import to_plain
from ..paths import project_root
from ..store import digest
from .counting import JUDGED
from .ledger import Say
from .totals import total_frame

__all__ = ["about", "fingerprints_of", "missing_and_judged"]

_MOST_BYTES = 64_000_000


def about(source, catalog: Catalog, panel: pd.DataFrame, policy: str) -> str:
    """Return the hash of all that is no number: the YAML files and what they name, and what the panel's axes are."""
    names = [panel.index.get_level_values(n).unique() for n in ("branch", "month")]
    config, files = getattr(source, "config", None), []
    if config is not None:
        folder = Path(source.path).parent
        named = [folder / name for name in (config.facts, config.strategies, config.problems) if name is not None]
        files = [(path.name, _content(path)) for path in [*named, *_reference()]]
    return digest("about", repr(config), repr(getattr(source, "title", None)), repr(catalog), policy,
                  list(names[0].astype(str)), pd.PeriodIndex(names[1], freq="M"), list(panel.columns), files)


def _reference() -> list[Path]:
    """Facts of the outside world stand beside every source."""
    try:
        return sorted((project_root() / "data" / "reference").glob("*.csv"))
    except SourceError:
        return []


def _content(path: Path) -> bytes | None:
    return read_limited(path, _MOST_BYTES) if path.is_file() else None


def missing_and_judged(panel: pd.DataFrame, judged: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return where the panel has no number, and ``branch, month, indicator, decision`` of what was judged."""
    places = judged[["branch", "month", "indicator", "decision"]].astype(
        {"branch": object, "indicator": object, "decision": object}).drop_duplicates(ignore_index=True)
    return panel.isna(), places


def fingerprints_of(source, catalog: Catalog, panel: pd.DataFrame, entries: pd.DataFrame, cells: pd.DataFrame,
                    policy: str, counts: dict) -> dict[str, str]:
    """Return the hash of every part by its name."""
    rows, at = _hashed(entries.drop(columns="cell")), entries["cell"].to_numpy()
    judged = entries[entries["decision"].isin(JUDGED)]
    gone, places = missing_and_judged(panel, judged)
    total = total_frame(panel, catalog)
    # A branch merged into another belongs to it, as it does in the panel.
    owner = {b.id: b.merged_into or b.id for b in catalog.branches.values()}
    mine = pd.Series(entries["branch"].astype(str).to_numpy()).map(owner).to_numpy()
    numbers, branch = panel.to_numpy(), panel.index.get_level_values("branch")
    out = {"about": about(source, catalog, panel, policy), "panel": _sha(numbers), "ledger": _sha(rows, at),
           "cells": _sha(_hashed(cells)), "judged": _sha(rows[judged.index.to_numpy()]),
           "total": _sha(total.to_numpy(float)), "counts": digest(json.dumps(counts, sort_keys=True)),
           "map": _sha(gone.to_numpy(), _hashed(places))}
    if hasattr(source, "table"):
        out |= {name: _sha(_hashed(source.table(name))) for name in ("accounting", "files")}
    for name in branch.unique():
        here = np.flatnonzero(mine == name)
        # Where a cell stands among all cells is no matter of this branch.
        own = np.where(at[here] < 0, -1, pd.factorize(at[here])[0])
        out[f"branch:{name}"] = _sha(numbers[branch == name], rows[here], own)
    return out


def _sha(*arrays: np.ndarray) -> str:
    return digest(*arrays)


def _hashed(frame: pd.DataFrame) -> np.ndarray:
    """Return rows x columns of numbers that are the same just if the values are."""
    out = np.empty((len(frame), len(frame.columns)), np.uint64)
    for n, name in enumerate(frame.columns):
        out[:, n] = _column(frame[name])
    return out


def _column(column: pd.Series) -> np.ndarray:
    kind = column.dtype
    if isinstance(kind, pd.PeriodDtype):
        return pd.PeriodIndex(column).asi8.view(np.uint64)
    if isinstance(kind, np.dtype) and kind.kind == "f":
        values = column.to_numpy(np.float64)
        return np.where(np.isnan(values), np.nan, values).view(np.uint64)
    if isinstance(kind, np.dtype) and kind.kind in "biu":
        return column.to_numpy().astype(np.int64).view(np.uint64)
    known: dict[int, int] = {}
    if isinstance(kind, np.dtype) and kind.kind == "O":
        for value in column:
            if id(value) not in known:
                text = json.dumps(to_plain(value, {"say": Say}), ensure_ascii=False)
                known[id(value)] = _number(text)
        return np.fromiter((known[id(value)] for value in column), np.uint64, len(column))
    codes, texts = pd.factorize(column)
    numbers = np.array([*map(_number, texts), 0], np.uint64)
    return numbers[codes]


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
