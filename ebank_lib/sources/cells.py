"""What was read of sheets and tables becomes one table of cells: codes and categories, no object a cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import pandas as pd

__all__ = ["Block", "accounting_frame", "cells_frame", "files_frame", "notes_frame"]

CELLS = ["file", "sheet", "row", "column", "branch", "month", "indicator", "text", "unit", "revision", "merged"]


@dataclass
class Block:
    """What was read of one sheet or table: `texts` and `units` have a row a line and a column a mapped or kept heading.

    Everything printed is a heading, a cell, a note or ignored. A long table may name the file and sheet of every line.
    """

    file: str
    sheet: str = ""
    revision: int = 0
    columns: list[str] = field(default_factory=list)          # letters, or names
    indicators: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)             # from 1
    branches: list[str] = field(default_factory=list)
    months: list[int] = field(default_factory=list)           # numbers of monthly periods
    texts: Sequence[Sequence[str]] = field(default_factory=list)
    units: Sequence[Sequence[str]] = field(default_factory=list)
    files: list[str] | None = None
    sheets: list[str] | None = None
    merged: dict[tuple[int, int], str] = field(default_factory=dict)   # (line, column) -> range
    notes: list[tuple[int, str, str]] = field(default_factory=list)    # row, letters, text
    printed: int = 0
    headings: int = 0
    ignored: int = 0
    mapped: bool = True

    @property
    def cells(self) -> int:
        """The cells that are not blank."""
        return sum(1 for row in self.texts for text in row if text)


class _Coded:
    """A column of repeated texts, collected as codes."""

    def __init__(self):
        self.known: dict[str, int] = {}
        self.codes: list[np.ndarray] = []

    def add(self, texts: Iterable[str], repeat: int = 1, tile: int = 1) -> None:
        codes = np.fromiter((self.known.setdefault(text, len(self.known)) for text in texts), np.int32)
        self.codes.append(np.tile(np.repeat(codes, repeat), tile))

    def column(self) -> pd.Categorical:
        codes = np.concatenate(self.codes) if self.codes else np.empty(0, np.int32)
        return pd.Categorical.from_codes(codes, categories=pd.Index(list(self.known), dtype="str"), validate=False)


def cells_frame(blocks: list[Block]) -> pd.DataFrame:
    """Return the cells of all blocks, in their order, row by row."""
    coded = {name: _Coded() for name in ("file", "sheet", "column", "branch", "indicator", "unit", "merged")}
    numbers: dict[str, list[np.ndarray]] = {"row": [], "month": [], "revision": []}
    texts: list[str] = []
    for block in blocks:
        height, width = len(block.rows), len(block.columns)
        if not height * width:
            continue
        coded["file"].add(block.files or [block.file] * height, repeat=width)
        coded["sheet"].add(block.sheets or [block.sheet] * height, repeat=width)
        coded["branch"].add(block.branches, repeat=width)
        coded["column"].add(block.columns, tile=height)
        coded["indicator"].add(block.indicators, tile=height)
        coded["unit"].add(chain.from_iterable(block.units))
        texts.extend(chain.from_iterable(block.texts))
        merged = [""] * (height * width)
        for (line, column), area in block.merged.items():
            merged[line * width + column] = area
        coded["merged"].add(merged)
        for name, values in (("row", block.rows), ("month", block.months), ("revision", [block.revision] * height)):
            numbers[name].append(np.repeat(np.asarray(values, np.int64), width))
    columns = {name: c.column() for name, c in coded.items()}
    columns |= {name: np.concatenate(parts) if parts else np.empty(0, np.int64) for name, parts in numbers.items()}
    columns["month"] = pd.PeriodIndex.from_ordinals(columns["month"], freq="M")
    columns["text"] = pd.array(texts, dtype="str")
    return pd.DataFrame({name: columns[name] for name in CELLS})


def notes_frame(blocks: list[Block]) -> pd.DataFrame:
    """Return the texts outside the tables with their addresses."""
    rows = [(b.file, b.sheet, *note) for b in blocks for note in b.notes]
    return pd.DataFrame(rows, columns=["file", "sheet", "row", "column", "text"])


def accounting_frame(blocks: list[Block]) -> pd.DataFrame:
    """Return the counts of every sheet."""
    rows = [(b.file, b.sheet, b.mapped, b.printed, b.headings, b.cells, len(b.notes), b.ignored) for b in blocks]
    columns = ["file", "sheet", "mapped", "printed", "headings", "cells", "notes", "ignored"]
    return pd.DataFrame(rows, columns=columns)


def files_frame(files: list[tuple[str, int, str]], blocks: list[list[Block]]) -> pd.DataFrame:
    """Return what was read, a row a file: its name, size and hash, and the blocks found in it."""
    rows = []
    for (name, size, sha256), found in zip(files, blocks, strict=True):
        months = [m for block in found for m in block.months]
        rows.append((name, *(pd.Period(ordinal=end(months), freq="M") if months else pd.NaT for end in (min, max)),
                     max((b.revision for b in found), default=0), sum(b.cells for b in found), size, sha256))
    frame = pd.DataFrame(rows, columns=["file", "first", "last", "revision", "cells", "bytes", "sha256"])
    return frame.assign(**{name: pd.PeriodIndex(frame[name], freq="M") for name in ("first", "last")})
