"""Tables on a terminal: columns that line up, words for codes, nothing that is not printable."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from ..wording import has, t

__all__ = ["in_words", "print_frame", "print_ledger", "print_table"]


def in_words(given: Any, lang: str) -> Any:
    """Return a table of decisions with words for their codes."""
    return given.assign(decision=[t(f"cleaning.{code}", lang) for code in given["decision"]])


def print_ledger(rows: Any, lang: str) -> None:
    """Print rows of the ledger; what no cell printed has no row of a sheet."""
    print_frame(in_words(rows.assign(row=rows["row"].astype(object).where(rows["row"] > 0)), lang), lang)


def print_frame(given: Any, lang: str) -> None:
    """Print a DataFrame with headings in the reader's language."""
    def head(name: str) -> str:
        return next((t(key, lang) for key in (f"general.{name}", f"table.{name}") if has(key)), name)

    def text(value: object) -> str:
        if value is None or value != value:
            return "–"
        return f"{value:,.10g}" if isinstance(value, float) else str(value)

    rows = [[text(v) for v in row] for row in given.itertuples(index=False)]
    print_table([head(str(c)) for c in given.columns], rows)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in columns; a Chinese sign takes two places."""
    lines = [list(heads), *[["".join(c if c.isprintable() else "�" for c in str(v)) for v in row] for row in rows]]
    widths = [max(_width(line[at]) for line in lines) for at in range(len(heads))]
    for line in lines:
        print("  ".join(text + " " * (width - _width(text)) for text, width in zip(line, widths)).rstrip())


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
