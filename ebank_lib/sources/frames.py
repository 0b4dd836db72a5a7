"""Blocks become one table of cells: codes and categories, no object a cell."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pandas as pd

from .long import LongBlock
from .tables import Block

__all__ = ["accounting_frame", "cells_frame", "files_frame", "notes_frame"]

CELLS = ["file", "sheet", "row", "column", "branch", "month", "indicator", "text", "unit", "revision", "merged"]


class _Coded:
    """A column of repeated texts, collected as codes."""

    def __init__(self):
        self.known: dict[str, int] = {}
        self.codes: list[np.ndarray] = []

    def code(self, text: str) -> int:
        return self.known.setdefault(text, len(self.known))

    def add(self, texts: list[str], repeat: int = 1, tile: int = 1) -> None:
        codes = np.fromiter(map(self.code, texts), np.int32, len(texts))
        self.codes.append(np.tile(np.repeat(codes, repeat), tile))

    def column(self) -> pd.Categorical:
        codes = np.concatenate(self.codes) if self.codes else np.empty(0, np.int32)
        return pd.Categorical.from_codes(codes, categories=pd.Index(list(self.known), dtype="str"), validate=False)


def cells_frame(blocks: list[Block | LongBlock]) -> pd.DataFrame:
    """Return the cells of all blocks, in their order, row by row."""
    coded = {name: _Coded() for name in ("file", "sheet", "column", "branch", "indicator", "unit", "merged")}
    rows: list[np.ndarray] = []
    months: list[np.ndarray] = []
    revisions: list[np.ndarray] = []
    texts: list[str] = []
    for block in blocks:
        height, width = len(block.rows), len(block.columns)
        if not height * width:
            continue
        long = isinstance(block, LongBlock)
        coded["file"].add(block.files if long else [block.file] * height, repeat=width)
        coded["sheet"].add(block.sheets if long else [block.sheet] * height, repeat=width)
        coded["column"].add(block.columns, tile=height)
        coded["branch"].add(block.branches, repeat=width)
        coded["indicator"].add(block.indicators, tile=height)
        if long:
            coded["unit"].add(list(chain.from_iterable(zip(*block.units))))
            texts.extend(chain.from_iterable(zip(*block.texts)))
        else:
            coded["unit"].add(block.units, tile=height)
            texts.extend(chain.from_iterable(block.texts))
        merged = [""] * (height * width)
        for (line, column), area in ({} if long else block.merged).items():
            merged[line * width + column] = area
        coded["merged"].add(merged)
        rows.append(np.repeat(np.asarray(block.rows, np.int64), width))
        months.append(np.repeat(np.asarray(block.months, np.int64), width))
        revisions.append(np.full(height * width, block.revision, np.int64))
    columns = {name: c.column() for name, c in coded.items()}
    columns["row"] = _joined(rows)
    columns["revision"] = _joined(revisions)
    columns["month"] = pd.PeriodIndex.from_ordinals(_joined(months), freq="M")
    columns["text"] = pd.array(texts, dtype="str")
    return pd.DataFrame({name: columns[name] for name in CELLS})


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def notes_frame(blocks: list[Block | LongBlock]) -> pd.DataFrame:
    """Return the texts outside the tables with their addresses."""
    rows = [(b.file, b.sheet, *note) for b in blocks if isinstance(b, Block) for note in b.notes]
    return pd.DataFrame(rows, columns=["file", "sheet", "row", "column", "text"])


def accounting_frame(blocks: list[Block | LongBlock]) -> pd.DataFrame:
    """Return the counts of every sheet."""
    rows = [(b.file, "", True, b.printed, b.headings, b.cells, 0, b.ignored) if isinstance(b, LongBlock) else
            (b.file, b.sheet, b.mapped, b.printed, b.headings, b.cells, len(b.notes), b.ignored) for b in blocks]
    columns = ["file", "sheet", "mapped", "printed", "headings", "cells", "notes", "ignored"]
    return pd.DataFrame(rows, columns=columns)


def files_frame(rows: list[tuple]) -> pd.DataFrame:
    """Return what was read, a row a file."""
    frame = pd.DataFrame(rows, columns=["file", "first", "last", "revision", "cells", "bytes", "sha256"])
    for name in ("first", "last"):
        frame[name] = pd.PeriodIndex([pd.NaT if m is None or m != m else pd.Period(ordinal=int(m), freq="M")
                                      for m in frame[name]], freq="M")
    return frame
