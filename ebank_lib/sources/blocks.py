"""The block of a table that was read from a sheet or a file, and the frame of all their cells."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd


@dataclass
class Block:
    """What was read of one table: lines x columns of cells.

    What is said of cells (`branches`, `months` as numbers of monthly periods, `indicators`, `units`, `cumulative`, the
    `merged` range, what makes them `hidden`, and the `files` and `sheets` that a long table may name) is an array, or
    what makes one, that spreads over lines and columns: one entry for all, one a line (n x 1), one a column (1 x n), or
    one a cell. Cells of months out of the `span` are not asked for. The counts are those of all the sheet, and stand in
    its first block.
    """

    file: str
    sheet: str = ""
    revision: int = 0
    rows: Sequence[int] = ()                                  # from 1
    columns: Sequence[str] = ()                               # letters, or names
    texts: Sequence[Sequence[str]] = ()
    branches: object = ""
    months: object = 0
    indicators: object = ""                                   # "": a kept heading that is no indicator's
    units: object = ""
    cumulative: object = ""
    files: object = None
    sheets: object = None
    merged: object = ""
    hidden: object = ""
    span: tuple[float, float] = (-math.inf, math.inf)         # the first and the last month that is kept
    notes: list[tuple[int, str, str]] = field(default_factory=list)    # row, letters, text
    printed: int = 0
    headings: int = 0
    ignored: int = 0
    mapped: bool = True
    absent: list[str] = field(default_factory=list)           # indicators whose headings it does not have

    def __post_init__(self):
        # Sixteen bytes a text, where a list of them takes eighty.
        self.texts = np.array(self.texts, np.dtypes.StringDType()).reshape(self.shape)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), len(self.columns)

    @cached_property
    def inside(self) -> np.ndarray:
        """Which cells are kept."""
        months = np.broadcast_to(np.asarray(self.months), self.shape)
        return (self.span[0] <= months) & (months <= self.span[1])

    @property
    def cells(self) -> int:
        """The kept cells that are not blank."""
        return int(np.count_nonzero((self.texts != "") & self.inside))

    @property
    def outside(self) -> int:
        """The other cells that are not blank."""
        return int(np.count_nonzero((self.texts != "") & ~self.inside))


def cells_frame(blocks: list[Block]) -> pd.DataFrame:
    """Return the cells of all blocks, in their order, row by row: repeated texts are categories, no object a cell."""
    blocks = [b for b in blocks if all(b.shape)]

    def every(values: Callable[[Block], object], kind: type) -> np.ndarray:
        parts = [np.broadcast_to(np.asarray(values(b), kind), b.shape)[b.inside] for b in blocks]
        return np.concatenate([np.empty(0, kind), *parts])

    def texts(values: Callable[[Block], object]) -> pd.Categorical:
        codes, known = pd.factorize(every(values, object))
        return pd.Categorical.from_codes(codes, pd.Index(known, dtype="str"))

    return pd.DataFrame({
        "file": texts(lambda b: b.file if b.files is None else b.files),
        "sheet": texts(lambda b: b.sheet if b.sheets is None else b.sheets),
        "row": every(lambda b: np.array(b.rows)[:, None], np.int64),
        "column": texts(lambda b: [b.columns]),
        "branch": texts(lambda b: b.branches),
        "month": pd.PeriodIndex.from_ordinals(every(lambda b: b.months, np.int64), freq="M"),
        "indicator": texts(lambda b: b.indicators),
        "text": pd.array([text for b in blocks for text in b.texts[b.inside].tolist()], dtype="str"),
        "unit": texts(lambda b: b.units),
        "revision": every(lambda b: b.revision, np.int64),
        "merged": texts(lambda b: b.merged),
        "hidden": texts(lambda b: b.hidden),
        "cumulative": texts(lambda b: b.cumulative)})


def accounting_frame(sheets: Iterable[list[Block]]) -> pd.DataFrame:
    """Return what each sheet prints and what it was taken for, a row a sheet of so many blocks."""
    counts = [(b.file, b.sheet, b.mapped, b.printed, b.headings, sum(block.cells for block in sheet), len(b.notes),
               b.ignored, " ".join(b.absent)) for sheet in sheets for b in sheet[:1]]
    return pd.DataFrame(counts, columns=["file", "sheet", "mapped", "printed", "headings", "cells", "notes", "ignored",
                                         "absent"])


def files_frame(files: list[tuple[str, int, str]], blocks: list[Block]) -> pd.DataFrame:
    """Return what was read, a row a file: its name, size and hash, and what its blocks hold."""
    found = defaultdict(list)
    for block in blocks:
        found[block.file].append(block)
    rows = []
    for name, size, sha256 in dict.fromkeys(files):       # two entries of the source may read one file
        months = np.concatenate([np.empty(0, np.int64), *(
            np.broadcast_to(np.asarray(b.months), b.shape)[b.inside] for b in found[name] if all(b.shape))])
        ends = (pd.Period(ordinal=end(months), freq="M") if months.size else pd.NaT for end in (min, max))
        rows.append((name, *ends, max((b.revision for b in found[name]), default=0), sum(b.cells for b in found[name]),
                     size, sha256))
    frame = pd.DataFrame(rows, columns=["file", "first", "last", "revision", "cells", "bytes", "sha256"])
    return frame.assign(**{name: pd.PeriodIndex(frame[name], freq="M") for name in ("first", "last")})
