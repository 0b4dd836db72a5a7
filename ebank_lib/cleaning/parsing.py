"""What one printed cell says: the number, the digits it was rounded to, the unit written in it, the notes around it.

Each rule is a small function that takes off one kind of mess, which is noted where it finds some. What is left must be
a plain number; if it is not, the cell is rejected and never guessed at.

What a reader says of printed cells stands in ``corrections.csv`` beside the source, and is applied before anything is
judged. One line a cell: ``file, sheet, cell, value, reason, who``. The value is written as it should have been printed
there, under the heading's unit (or with one of its own); the printed one confirms it, ``-`` says that no number is
right. The ledger has every line as *stated*, and nothing is guessed about these cells, whatever the policy.
"""

from __future__ import annotations

import io
import math
import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..errors import SourceError
from ..files import CORRECTIONS
from ..sources.units import decimal

PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f"))
_SPACES = re.compile(r"[\s\u3000]+")
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2500\u30fc\ufe58\ufe63\uff0d"
_NOTHING = re.compile(rf"[{re.escape(_DASHES)}/\\.…·~～_=\s]+")
_FULL_WIDTH = {c: c - 0xFEE0 for c in range(0xFF01, 0xFF5F)}
_MARKS = "*†‡§#^※★☆●▲△" + "¹²³⁰⁴⁵⁶⁷⁸⁹" + "".join(chr(c) for c in range(0x2460, 0x2474))
_OPEN, _CLOSE = "([{<（［【〔〈《", ")]}>）］】〕〉》"
_BRACKET = re.compile(rf"\s*[{re.escape(_OPEN)}]([^{re.escape(_OPEN + _CLOSE)}]*)[{re.escape(_CLOSE)}]$")
_FOOTNOTE = re.compile(r"\d{1,2}")
# Words that may follow a number without brackets. Any other word makes the cell text: "2009年" is no 2009.
_REMARK = re.compile(r"(?<=[\d%万亿])[\s,;:，；、：]*((?:注|备注|另注|见|详见|含|其中|不含|未含|初步|初稿|"
                     r"暂|修订|更正|调整|估|待核|未核|已核|同上注|口径|"
                     r"(?:note|rev|revised|prov|provisional|est|estimate|incl|excl|see|r|p|e)\b).*)$", re.IGNORECASE)
_ABOUT = re.compile(r"^(?:大约|大概|约为|约|将近|近|approximately|approx\.?|about|circa|ca\.?|c\.|≈|~|∼|～)"
                    r"\s*(?=[\d.+-])", re.IGNORECASE)
_CURRENCY = re.compile(r"^(?:¥|￥|RMB|CNY|Rs\.?|INR|₹)\s*(?=[\d.+-])", re.IGNORECASE)
_QUOTES = "'’‘`＇\"“”"
_GROUPED = re.compile(r"(?P<sign>[+-]?)(?P<body>\d{1,4}(?:[,、']\d{2,4})+)(?P<tail>\.\d+)?", re.ASCII)
_GROUPINGS = (re.compile(r"\d{1,3}(\D)\d{3}(?:\1\d{3})*"), re.compile(r"\d{1,2}(\D)(?:\d{2}\1)*\d{3}"),
              re.compile(r"\d{1,4}(\D)\d{4}(?:\1\d{4})*"))
_DOTTED = re.compile(r"[+-]?\d{1,3}(?:\.\d{3}){2,}", re.ASCII)
_WORDED = re.compile(r"(?P<number>.*\d)\s*(?P<word>[^\d\s.,+-][^\d]*)$", re.DOTALL)
SCALES = {"百": 1e2, "千": 1e3, "万": 1e4, "萬": 1e4, "十万": 1e5, "百万": 1e6, "千万": 1e7, "亿": 1e8, "億": 1e8,
          "万亿": 1e12, "thousand": 1e3, "lakh": 1e5, "lakhs": 1e5, "lac": 1e5, "million": 1e6, "mn": 1e6, "mln": 1e6,
          "crore": 1e7, "crores": 1e7, "cr": 1e7, "billion": 1e9, "bn": 1e9, "trillion": 1e12}
# Why there is no number: an error value and a formula that was never calculated stand for one that nobody knows.
FAILED = ("blank", "dash", "error_value", "formula", "not_a_number")
_ERROR = re.compile(r"#(?:N/?A!?|REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!|ERROR!)|#{3,}|Err:\d{3}",
                    re.IGNORECASE)
_LONGEST = 400  # a number with its notes; longer text is text


@dataclass
class Reading:
    """What a cell says: ``value`` in the unit that is printed (NaN: no number), ``decimals`` the digits behind the
    point, ``unit`` the unit written in the cell (a catalogue unit, ``"%"``, or ``""``), ``scale`` the number word
    beside it (2.5万: 10000; NaN: none), ``rules`` what had to be taken off, ``note`` the words taken off, ``failed``
    why there is no number (one of `FAILED`) or ``""``."""

    value: float = math.nan
    decimals: int = 0
    unit: str = ""
    scale: float = math.nan
    rules: list[str] = field(default_factory=list)
    note: str = ""
    failed: str = ""

    def used(self, rule: str) -> None:
        if rule not in self.rules:
            self.rules.append(rule)


def read_number(text: str, units: Collection[str] = ()) -> Reading:
    """Return what a printed cell says; `units` are names of the catalogue's, lower case and without blanks, that may
    stand behind a number."""
    if PLAIN.fullmatch(text):
        return _finish(Reading(), text)
    reading = Reading()
    rest = _SPACES.sub(" ", text.translate(_INVISIBLE)).strip()
    failed = ("blank" if not rest else "dash" if _NOTHING.fullmatch(rest) else
              "error_value" if _ERROR.fullmatch(rest) else "not_a_number" if len(rest) > _LONGEST else "")
    if failed:
        return Reading(failed=failed)
    for name, rule in RULES:
        before, rest = rest, rule(rest, reading, units).strip()
        if name and rest != before:
            reading.used(name)
    found = _finish(reading, rest, text)
    return Reading(failed="formula") if found.failed and text.lstrip().startswith("=") else found


def _finish(reading: Reading, rest: str, text: str = "") -> Reading:
    """Turn what is left into a number with its printed precision."""
    if not PLAIN.fullmatch(rest) or not math.isfinite(float(rest)):
        return Reading(failed="not_a_number")
    reading.value = float(rest)
    if len(rest) > 16:
        rest = decimal(reading.value)      # 17 digits of a CSV file are a double's, not anybody's
    mantissa, _, power = rest.lower().partition("e")
    reading.value = float(rest)
    reading.decimals = max(0, len(mantissa.partition(".")[2]) - int(power or 0))
    if text and not reading.rules and text != rest:
        reading.used("text_number")  # blanks around it, or signs nobody sees
    return reading


def full_width_digits(text: str, reading: Reading, units: Collection[str]) -> str:
    """１２３．４ -> 123.4; any script's decimal digits, but not ① or ², which are footnote marks."""
    out = "".join(str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else c for c in text)
    out = out.replace("．", ".")
    return out.replace("。", ".") if re.search(r"\d。\d", out) else out


def full_width_signs(text: str, reading: Reading, units: Collection[str]) -> str:
    """（万元）％ -> (万元)%."""
    return text.translate(_FULL_WIDTH)


def minus_signs(text: str, reading: Reading, units: Collection[str]) -> str:
    """A leading dash of any kind before a digit is a minus; (123) is an accountant's -123."""
    if text[:1] in _DASHES and re.match(r".\s*[\d.]", text):
        return "-" + text[1:].lstrip()
    if inner := re.fullmatch(r"\(\s*([\d.,\s、']*\d[\d.,\s、']*)(\s*%)?\s*\)", text):
        return "-" + inner[1].strip() + (inner[2] or "").strip()
    return text


def trailing_note(text: str, reading: Reading, units: Collection[str]) -> str:
    """1234*, 1234（注1）, 1234[2], 1234 r, 1234含油田 -> 1234 and the note.

    A bracket with a number of more than two digits may be anything: it stays, and the cell is rejected.
    """
    while True:
        found = _BRACKET.search(text)
        note = found[1].strip() if found else ""
        if found and found.start() and _is_note(note, units):
            text, words = text[: found.start()].rstrip(), found[0].strip()
        elif text.rstrip(_MARKS + " ") != text and text.rstrip(_MARKS + " "):
            bare = text.rstrip(_MARKS + " ")
            text, words = bare, text[len(bare):].strip()
        elif remark := _REMARK.search(text):
            text, words = text[: remark.start()].rstrip(), remark[1]
        else:
            return text
        reading.note = f"{words} {reading.note}".strip()


def _is_note(words: str, units: Collection[str]) -> bool:
    if words.lower().replace(" ", "") in units or words.lower() in SCALES:
        return False
    return not any(c.isdigit() for c in words) or bool(_FOOTNOTE.fullmatch(words) or re.search(r"[^\d\s.,%+-]", words))


def text_number(text: str, reading: Reading, units: Collection[str]) -> str:
    """'1234, "1234", ="1234", 约1234, ￥1234 -> 1234."""
    text = re.sub(r"^=(?=[\"\d.+-])", "", text).strip(_QUOTES + " ")
    for prefix in (_ABOUT, _CURRENCY):
        if found := prefix.match(text):
            reading.note = f"{found[0].strip()} {reading.note}".strip()
            text = text[found.end():]
    return text


def percent_sign(text: str, reading: Reading, units: Collection[str]) -> str:
    """62.3% -> 62.3, in per cent whatever the heading says; 5‰ likewise."""
    for sign, scale in (("%", 0.01), ("‰", 0.001)):
        if text.endswith(sign) and text[:-1].rstrip()[-1:].isdigit():
            reading.unit, reading.scale = "%", scale
            return text[:-1].rstrip()
    return text


def inline_unit(text: str, reading: Reading, units: Collection[str]) -> str:
    """2.5万 -> 2.5 and ten thousand, 8.28 million, 12.5万元: the unit in the cell goes before the heading's."""
    found = _WORDED.fullmatch(text)
    if not found:
        return text
    word = found["word"].strip().strip("()").strip().lower()
    unit = word.replace(" ", "")
    if unit in units:
        reading.unit = unit
    elif word in SCALES:
        reading.scale = SCALES[word]
    else:
        return text
    return found["number"].rstrip(" (")


def thousands_separator(text: str, reading: Reading, units: Collection[str]) -> str:
    """1,234,567 or 1,33,460 (India) or 123,4567 (万) or 1、234: groups must be whole, so 12,34 is left and rejected."""
    if _DOTTED.fullmatch(text):
        return text.replace(".", "")
    found = _GROUPED.fullmatch(re.sub(r"(?<=[,、'])\s+(?=\d)", "", text))
    if not found or not any(g.fullmatch(found["body"]) for g in _GROUPINGS):
        return text
    return found["sign"] + re.sub(r"\D", "", found["body"]) + (found["tail"] or "")


def blanks_inside(text: str, reading: Reading, units: Collection[str]) -> str:
    """12 345 -> 12345."""
    if re.fullmatch(r"[+-]?\s*[\d.,]+(?:\s+[\d.,]+)*", text) and " " in text:
        return text.replace(" ", "")
    return text


# What each finds is noted as. The order matters: notes hide units, units hide separators.
RULES: tuple[tuple[str, Callable[[str, Reading, Collection[str]], str]], ...] = (
    ("full_width_digits", full_width_digits), ("", full_width_signs), ("text_number", text_number),
    ("text_number", minus_signs), ("trailing_note", trailing_note), ("text_number", text_number),
    ("percent_sign", percent_sign), ("inline_unit", inline_unit), ("text_number", minus_signs),
    ("text_number", blanks_inside), ("thousands_separator", thousands_separator))


# --- what a reader says of printed cells -------------------------------------------------------------------------

STATED = ["file", "sheet", "cell", "value", "reason", "who"]


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
    if missing := [name for name in STATED if name not in lines]:
        raise SourceError("lacks columns", file=CORRECTIONS, found=", ".join(lines), expected=", ".join(missing))
    names = [cell_name(*pair) for pair in zip(cells["column"].astype(str), cells["row"], strict=True)]
    at = cells.assign(cell=names).groupby(["file", "sheet", "cell"], observed=True).indices
    for n, line in enumerate(lines[STATED].to_dict("records"), start=2):
        where = line["file"], line["sheet"], line["cell"].strip()
        number = read_number(line["value"])
        wrong = ("no such cell is printed" if where not in at else
                 "the cell is stated twice" if stated[at[where][0]] is not None else
                 "is no number, nor - where none is right" if number.failed not in ("", "dash") else
                 "nobody says so" if not line["who"].strip() else "")
        if wrong:
            raise SourceError(wrong, file=CORRECTIONS, row=n, found=" ".join((*where, line["value"])),
                              expected=", ".join(STATED))
        stated[at[where]] = {name: line[name].strip() for name in ("value", "reason", "who")}
    return stated
