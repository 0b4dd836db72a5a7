"""A cleaned source in the store, loaded part by part: a notebook about one branch never sees the others' cells.

Kept are the panel (numbers), the ledger (Parquet, a row group a branch), what was judged (a small table) and a record
in JSON: the axes, the counts, the fingerprints. The cells are the source's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from ..catalog import Catalog
from ..keeping import frame_of, parquet_of
from ..store import Store, digest, store
from .counting import JUDGED
from .ledger import Say

__all__ = ["Kept", "Later", "key_of", "panel_of"]

_KINDS = {"say": Say}
_PARTS = ("panel", "entries", "judged")


def key_of(source, policy: str, start, end) -> str:
    """Return the key of a source cleaned in one way."""
    return digest("cleaned", source.content, policy, *(None if m is None else str(m) for m in (start, end)))


def panel_of(values: np.ndarray, branches: Sequence[str], months: pd.PeriodIndex, columns: Sequence[str]):
    """Return the panel of (branches x months, indicators) numbers."""
    index = pd.MultiIndex.from_product([list(branches), months], names=["branch", "month"])
    return pd.DataFrame(values, index=index, columns=list(columns))


@dataclass(frozen=True)
class Later:
    """A table that is loaded when it is asked for."""

    load: Callable[..., pd.DataFrame]
    args: tuple = ()

    def __call__(self) -> pd.DataFrame:
        return self.load(*self.args)


@dataclass(frozen=True)
class Kept:
    """What the store has of one cleaned source.

    Attributes
    ----------
    again : callable
        ``again()`` cleans the source anew and keeps it: for a part that is damaged or was cleared away.
    """

    place: Store
    key: str
    record: dict = field(repr=False)
    again: Callable[[], object] = field(repr=False)

    @classmethod
    def found(cls, place: Store, key: str, again: Callable[[], object]) -> Kept | None:
        """Return what is kept under a key, None when it is not."""
        record = place.data("cleaned", key)
        there = record is not None and all(place.path(f"cleaned-{name}", key).exists() for name in _PARTS)
        return cls(place, key, record, again) if there else None

    @staticmethod
    def keep(place: Store, key: str, panel: pd.DataFrame, entries: pd.DataFrame, catalog: Catalog,
             record: dict) -> None:
        """Keep a cleaned source; the record comes last, so that what it stands for is there."""
        groups = _groups(entries["branch"].astype(str), catalog)
        judged = entries[entries["decision"].isin(JUDGED)]
        place.keep_arrays("cleaned-panel", key, {"values": panel.to_numpy()})
        place.write("cleaned-entries", key, parquet_of(entries, _KINDS, list(groups.values())))
        place.write("cleaned-judged", key, parquet_of(judged.assign(**{"~at": judged.index.to_numpy()}), _KINDS))
        months = pd.PeriodIndex(panel.index.levels[1] if len(panel) else [], freq="M")
        axes = {"branches": list(panel.index.get_level_values("branch").unique()),
                "months": [int(m) for m in months.asi8], "columns": list(panel.columns)}
        place.keep_data("cleaned", key, {**record, **axes, "groups": list(groups)})

    def _body(self, part: str) -> bytes:
        body = self.place.read(f"cleaned-{part}", self.key)
        if body is None:
            self.again()
            body = self.place.read(f"cleaned-{part}", self.key)
        if body is None:
            raise OSError(f"{self.place.path(f'cleaned-{part}', self.key)} cannot be read back")
        return body

    def panel(self) -> pd.DataFrame:
        """Return the panel."""
        arrays = self.place.arrays("cleaned-panel", self.key)
        if arrays is None:
            self._body("panel")
            arrays = self.place.arrays("cleaned-panel", self.key)
        months = pd.PeriodIndex.from_ordinals(self.record["months"], freq="M")
        return panel_of(arrays["values"], self.record["branches"], months, self.record["columns"])

    def entries(self) -> pd.DataFrame:
        """Return the whole ledger, neutral in language."""
        return frame_of(self._body("entries"), _KINDS)

    @cached_property
    def _some(self) -> dict[tuple[str, ...], pd.DataFrame]:
        return {}

    def entries_of(self, names: Sequence[str]) -> pd.DataFrame:
        """Return the rows of some branches, numbered as in the whole ledger."""
        names = tuple(names)
        if names not in self._some:
            here = [n for n, name in enumerate(self.record["groups"]) if name in names]
            self._some[names] = frame_of(self._body("entries"), _KINDS, here)
        return self._some[names]

    def judged(self) -> pd.DataFrame:
        """Return the rows of numbers that were corrected, flagged or filled, numbered as in the whole ledger."""
        frame = frame_of(self._body("judged"), _KINDS)
        return frame.drop(columns="~at").set_index(pd.Index(frame["~at"].to_numpy()))

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_some"}


def _groups(branch: pd.Series, catalog: Catalog) -> dict[str, np.ndarray]:
    """Return the positions of every branch's rows; of names that are no branch's, all together."""
    codes = pd.Index(list(catalog.branches)).get_indexer(branch)
    order = np.argsort(codes, kind="stable")
    first = np.searchsorted(codes[order], np.arange(-1, len(catalog.branches) + 1))
    names = ["", *catalog.branches]
    return {name: order[first[n]:first[n + 1]] for n, name in enumerate(names) if first[n] < first[n + 1] or n == 0}


def place_for(source) -> Store | None:
    """Return the store for what is cleaned from a source, None where there is none or the source has no content."""
    return store() if hasattr(source, "content") else None
