"""What a reader says of printed cells: ``corrections.csv`` beside the source, applied before anything is judged.

One line a cell: ``file, sheet, cell, value, reason, who``. The value is written as it should have been printed there,
under the heading's unit (or with one of its own); the printed one confirms it, ``-`` says that no number is right. The
ledger has every line as *stated*, and nothing is guessed about these cells, whatever the policy.
"""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from ..errors import SourceError
from ..files import CORRECTIONS
from .parsing import read_number

COLUMNS = ["file", "sheet", "cell", "value", "reason", "who"]


def cell_name(column: str, row: int) -> str:
    """Return a cell's name as a spreadsheet has it; a column with a name of its own follows the row."""
    letters = column.isupper() and column.isascii() and len(column) <= 3
    return f"{column}{row}" if letters else f"{row} {column}"


def stated_cells(source, cells: pd.DataFrame) -> np.ndarray:
    """Return for every cell what is stated of it (``value, reason, who``) or None.

    Raises
    ------
    SourceError
        Naming the line: a cell that is not printed or stated twice, a value that is no number, nobody who says so.
    """
    stated, content = np.full(len(cells), None, object), getattr(source, "stated", b"")
    if not content:
        return stated
    try:
        lines = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except ValueError as error:
        raise SourceError("cannot be read as CSV in UTF-8", file=CORRECTIONS, found=str(error)) from error
    if missing := [name for name in COLUMNS if name not in lines]:
        raise SourceError("lacks columns", file=CORRECTIONS, found=", ".join(lines), expected=", ".join(missing))
    names = [cell_name(*pair) for pair in zip(cells["column"].astype(str), cells["row"], strict=True)]
    at = cells.assign(cell=names).groupby(["file", "sheet", "cell"], observed=True).indices
    for n, line in enumerate(lines[COLUMNS].to_dict("records"), start=2):
        where = line["file"], line["sheet"], line["cell"].strip()
        number = read_number(line["value"])
        wrong = ("no such cell is printed" if where not in at else
                 "the cell is stated twice" if stated[at[where][0]] is not None else
                 "is no number, nor - where none is right" if number.failed not in ("", "dash") else
                 "nobody says so" if not line["who"].strip() else "")
        if wrong:
            raise SourceError(wrong, file=CORRECTIONS, row=n, found=" ".join((*where, line["value"])),
                              expected=", ".join(COLUMNS))
        stated[at[where]] = {name: line[name].strip() for name in ("value", "reason", "who")}
    return stated
