"""What a sheet prints and the reader does not tell: error cells, formulas never calculated, percentages."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from xml.sax.saxutils import unescape

__all__ = ["Extras", "column_number", "percent_styles", "percent_text", "place", "sheet_extras"]

_REF = re.compile(rb"""(?<![\w:])r\s*=\s*["']([^"']*)["']""")
_PLAIN_REF = re.compile(rb"([A-Za-z]{0,3})([0-9]{1,7})")
# No two repeats meet that could share a character, so all of these are linear in the sheet's length, whatever it holds.
_TAG = re.compile(rb"<c\s([^<>]{1,1000})>")
_VALUED = re.compile(rb"<c\s([^<>]{1,1000})>\s*(?:<f\b(?:[^<>]*/>|[^<>]*>[^<>]*</f>)\s*)?<v>([^<>]{1,40})</v>")
_BARE_FORMULA = re.compile(rb"<c\s([^<>]{1,1000})>\s*<f\b(?:[^<>]*/>|[^<>]*>([^<>]{0,500})</f>)\s*"
                           rb"(?:(?:<v\s*/>|<v></v>)\s*)?</c>")
_IS_ERROR = re.compile(rb"""(?<![\w:])t\s*=\s*["']e["']""")
_STYLE = re.compile(rb"""(?<![\w:])s\s*=\s*["'](\d{1,6})["']""")
_QUOTED = re.compile(r'"[^"]*"|\\.')


@dataclass
class Extras:
    """By (row, column) from 0: texts of cells that the reader leaves blank, and numbers shown as percentages."""

    texts: dict[tuple[int, int], str] = field(default_factory=dict)
    percent: set[tuple[int, int]] = field(default_factory=set)


def column_number(letters: str) -> int:
    """Return the 0-based number of a column's letters.

    Examples
    --------
    >>> column_number("A"), column_number("AA")
    (0, 26)
    """
    n = 0
    for c in letters.upper():
        n = n * 26 + ord(c) - 64
    return n - 1


@lru_cache(maxsize=100_000)  # the same addresses in every sheet
def place(ref: bytes) -> tuple[int, int] | None:
    """Return (row, column) from 0 of "C5", or of a row's "5" with column -1; None when it is neither."""
    match = _PLAIN_REF.fullmatch(ref)
    return (int(match[2]) - 1, column_number(match[1].decode())) if match else None


def percent_text(value: float) -> str:
    """Return a fraction as the percentage that its cell shows, with all its digits.

    Examples
    --------
    >>> percent_text(0.3456), percent_text(1.0), percent_text(1e-07)
    ('34.56%', '100%', '0.00001%')
    """
    text = format(Decimal(repr(value)).scaleb(2), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"


def is_percent_format(code: str) -> bool:
    """Whether a number format shows a fraction as a percentage."""
    return "%" in _QUOTED.sub("", code)


def percent_styles(formats: dict[int, str], styles: list[int]) -> set[int]:
    """Return the numbers of the cell styles whose number format is a percentage.

    Parameters
    ----------
    formats : dict
        Custom number formats by id; 9 and 10 are built in.
    styles : list of int
        The format's id of every cell style.
    """
    percent = {9, 10} | {n for n, code in formats.items() if is_percent_format(code)}
    return {n for n, id_ in enumerate(styles) if id_ in percent}


def sheet_extras(content: bytes, percent: set[int]) -> Extras:
    """Read them off the XML of an ``.xlsx`` sheet."""
    extras = Extras()
    if b'"e"' in content or b"'e'" in content:
        for attributes, value in _VALUED.findall(content):
            if _IS_ERROR.search(attributes) and (at := _address(attributes)):
                extras.texts[at] = unescape(value.decode("utf-8", "replace"))
    if b"<f" in content:
        for attributes, formula in _BARE_FORMULA.findall(content):
            if at := _address(attributes):
                extras.texts[at] = "=" + unescape(formula.decode("utf-8", "replace"))
    if percent:
        for attributes in _TAG.findall(content):
            style = _STYLE.search(attributes)
            if style and int(style[1]) in percent and (at := _address(attributes)):
                extras.percent.add(at)
    return extras


def _address(attributes: bytes) -> tuple[int, int] | None:
    ref = _REF.search(attributes)
    return place(ref[1]) if ref else None
