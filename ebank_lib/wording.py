"""Every label and sentence, zh and en, from one place: the YAML files in ``words/``, one a stage.

A key is ``file.name``; its two texts hold the same ``{placeholders}``. The language is the one chosen by
:func:`use_language` unless a call names its own.

A number put into a text can carry the cell of the recorded table that it states (:func:`cite`); the text that results
knows its cells, and where in it they are stated.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

from .config import read_yaml
from .errors import UnknownNameError

if TYPE_CHECKING:
    import pandas as pd  # a batch that has nothing to do says so before pandas would be loaded

LANGUAGES = ("zh", "en")
_WORDS = Path(__file__).parent / "words"
_language: ContextVar[str] = ContextVar("language", default="zh")


def use_language(lang: str) -> str:
    """Choose the language of everything that is shown from here on; returns the one used before."""
    before = _language.get()
    _language.set(language(lang))
    return before


def language(lang: str | None = None) -> str:
    """Return `lang`, checked, or the language in use when it is None."""
    if lang is not None and lang not in LANGUAGES:
        raise UnknownNameError("language", lang, LANGUAGES)
    return lang or _language.get()


@cache
def words() -> dict[str, dict[str, str]]:
    """Return every entry: key -> {"zh": text, "en": text}."""
    entries: dict[str, dict[str, str]] = {}
    for path in sorted(_WORDS.glob("*.yaml")):
        for name, texts in read_yaml(path).items():
            entries[f"{path.stem}.{name}"] = {lang: str(texts[lang]) for lang in LANGUAGES}
    return entries


def t(key: str, lang: str | None = None, **values: object) -> str:
    """Return the text of `key` with its placeholders filled.

    Examples
    --------
    >>> t("general.months", "en", n=3)
    '3 months'
    """
    try:
        text = words()[key][language(lang)]
    except KeyError:
        raise UnknownNameError("wording key", key, words()) from None
    return _filled(text, values) if values else text


def _filled(text: str, values: dict[str, object]) -> str:
    """Fill placeholders; texts that know their cells keep them."""
    if not any(isinstance(value, Text) for value in values.values()):
        return text.format(**values)
    form, parts = Formatter(), []
    for before, name, spec, conversion in form.parse(text):
        parts.append(before)
        if name is not None:
            value = form.get_field(name, (), values)[0]
            plain = isinstance(value, Text) and not spec and not conversion
            parts.append(value if plain else form.format_field(form.convert_field(value, conversion), spec))
    return join(parts)


# ---------------------------------------------------------------- texts that know their cells

@dataclass(frozen=True)
class Ref:
    """A cell of a recorded table: its column, and the values of other columns that pick its row.

    None is a missing value. Without a column it is the number of rows that conditions pick: a condition is a value, or
    a text that begins with one of ``= != > < >= <=``; ``"!="`` alone means "not missing".
    """

    table: str
    column: str = ""
    rows: tuple[tuple[str, object], ...] = ()


class Text(str):
    """A text that knows which cells it states: ``cells`` holds ``(start, end, refs)`` in the order of the text."""

    cells: tuple[tuple[int, int, tuple[Ref, ...]], ...]

    def __new__(cls, text: str = "", cells: Iterable[tuple[int, int, tuple[Ref, ...]]] = ()):
        made = super().__new__(cls, text)
        made.cells = tuple(cells)
        return made

    def __add__(self, other: str) -> Text:
        return join([self, other])

    def __radd__(self, other: str) -> Text:
        return join([other, self])


def cell(table: str, column: str = "", **rows: object) -> Ref:
    """Name a cell of a recorded table, or without a column the number of rows that are so; see :class:`Ref`."""
    return Ref(table, column, tuple(rows.items()))


def cite(text: object, *cells: Ref) -> Text:
    """Return a number's text as one that knows the cells it states: one as a rule, two for a difference of two."""
    text = str(text)
    return Text(text, [(0, len(text), cells)] if cells and text else ())


def join(parts: Iterable[str], between: str = "") -> Text:
    """Join texts as ``str.join`` does; each keeps its cells."""
    text, cells = "", []
    for n, part in enumerate(parts):
        text += between if n else ""
        cells += [(start + len(text), end + len(text), refs) for start, end, refs in getattr(part, "cells", ())]
        text += str(part)
    return Text(text, cells)


def listed(names: Iterable[str], lang: str | None = None) -> Text:
    """Return names as a sentence lists them."""
    return join(names, "、" if language(lang) == "zh" else ", ")


def columns_of(text: str) -> int:
    """Return how many columns a text takes, a Chinese sign being two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def has(key: str) -> bool:
    """Whether a text exists for `key`."""
    return key in words()


def month_name(month: pd.Period, lang: str | None = None) -> str:
    """Return a month as it is written: 2008年10月, or Oct 2008."""
    if month is None or month != month:
        return "–"
    if language(lang) == "zh":
        return f"{month.year}年{month.month}月"
    return f"{_MONTHS[month.month - 1]} {month.year}"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SCALES = {"zh": ((1e8, "亿"), (1e4, "万")), "en": ((1e9, " bn"), (1e6, " m"), (1e3, " k"))}


def number(value: float, unit: str = "", lang: str | None = None) -> str:
    """Return a figure as a reader says it: three significant digits, 万/亿 or k/m/bn, then the unit.

    A missing value is written ``–``.
    """
    if value is None or not math.isfinite(value):
        return "–"
    lang = language(lang)
    scale, suffix = next(((s, w) for s, w in _SCALES[lang] if abs(value) >= s), (1.0, ""))
    scaled = value / scale
    decimals = min(max(0, 2 - math.floor(math.log10(abs(scaled)))), 6) if scaled else 0
    text = f"{scaled:,.{decimals}f}" if scaled else "0"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    gap = " " if lang == "en" and unit and unit != "%" else ""
    return f"{text}{suffix}{gap}{unit}"


def percent(value: float, digits: int = 1, sign: bool = False) -> str:
    """Return a fraction as per cent; with `sign`, a growth rate with its sign."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value * 100:{'+' if sign else ''},.{digits}f}%"


def goal_text(said: str) -> str:
    """Return a value as a goal is said, which is a round figure: 100%, not 100.0%."""
    return said.replace(".0%", "%")
