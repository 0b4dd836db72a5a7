"""A number as its cell shows it: without the dust of binary arithmetic, scaled as its number format scales it; which
texts are numbers, and which count columns."""

from __future__ import annotations

import datetime as dt
import re
import struct
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from ..catalog import fold

COUNT = re.compile(r"[(（\[]?(\d{1,3})[)）\]]?")
_NUMBER = re.compile(r"[约近逾≈~＇'\"(（¥￥$\s]*[-+−－]?[0-9][0-9,.\s]*(?:[eE][-+]?\d+)?\D{0,12}")

_DIGITS = 15           # a double holds every decimal of so many digits, and no spreadsheet stores more
_LONGEST = 255         # characters of a number format
_BITS = 5e-16          # two bits of a double: some files keep sixteen digits of it
_SHORT = 9             # what sums and products leave behind shows when what is left without it is so short
_TOKEN = re.compile(r'"(?P<quoted>[^"]*)"|[\\!](?P<escaped>.)|[_*].|\[(?P<sign>[<>]=?|=|<>)(?P<bound>-?\d+\.?\d*)\]'
                    r"|\[[^\]]*\]|(?P<mark>[0#?.,%;])|(?P<other>.)", re.DOTALL)
_SCALED = re.compile(r"[%‰]|[十百千万萬亿億]+.{0,2}|(?i:thousand|million|mn|lakhs?|crores?|cr|billion|bn)")
_HOLDS = {"<": float.__lt__, ">": float.__gt__, "<=": float.__le__, ">=": float.__ge__, "=": float.__eq__,
          "<>": float.__ne__}


def is_number(value: object, text: str) -> bool:
    """Whether a cell holds a figure, typed as one or written as one ("2.5万", "约1,200", "12*")."""
    if isinstance(value, int | float):
        return not isinstance(value, bool)
    return len(text) <= 60 and bool(_NUMBER.fullmatch(unicodedata.normalize("NFKC", text).strip()))


def counted(texts: Iterable[str]) -> int:
    """Return how many of some texts are numbers that follow one another, as those of columns do: 1, 2, 3 or (4), (5);
    0 if they do not."""
    numbers = [int(m[1]) for text in texts if (m := COUNT.fullmatch(fold(text)))]
    following = bool(numbers) and numbers[0] <= 4 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return len(numbers) if following else 0


def as_text(value: object) -> str:
    """Return a cell's value as text: a number by its decimal, a whole one without a point."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return decimal(value)
    if isinstance(value, Decimal):      # a column's noughts are not its values' own
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return str(value.date())
    return str(value)


def decimal(value: float) -> str:
    """Return the decimal that was written: the shortest that a double holds; where that is longer than anybody writes,
    the shortest that a single holds, or without the last bits of sums and products."""
    text = repr(value).removesuffix(".0")
    if len(text) <= _SHORT or value.is_integer() or abs(value) > 1e38:
        return text
    single = _single(value)
    if abs(single - value) <= _BITS * abs(value):
        short = next(t for n in range(6, 10) if _single(float(t := f"{value:.{n}g}")) == single)
        return repr(float(short)).removesuffix(".0") if _length(text) > _length(short) + 2 else text
    if _length(text) <= _DIGITS:
        return text
    long, short = (repr(float(f"{value:.{n}g}")).removesuffix(".0") for n in (_DIGITS, _DIGITS - 3))
    return short if _length(short) <= _SHORT and _length(long) >= _DIGITS - 1 else long


def _length(text: str) -> int:
    """How many digits a number has, without the noughts before them."""
    return sum(map(str.isdigit, text.partition("e")[0].lstrip("-0.")))


def _single(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def shown(value: float, code: str) -> str:
    """Return a number as its format shows it, but with all its digits: 5.3498 for 53498 shown as 5.3 by ``0!.0,``."""
    bounded = [s for s in _sections(code) if s[0]]
    others = [s for s in _sections(code) if not s[0]] or [(None, 0, "")]
    by_sign = 0 if bounded or value > 0 else 1 if value < 0 else 2
    _, power, suffix = next((s for s in bounded if _HOLDS[s[0][0]](float(value), s[0][1])),
                            others[by_sign if by_sign < len(others) else 0])
    text = format(Decimal(as_text(value)).scaleb(power), "f") if power else as_text(value)
    return (text.rstrip("0").rstrip(".") if power and "." in text else text) + suffix


def scales(code: str) -> bool:
    """Whether a number format shows some numbers as others: as a percentage, in thousands, with a unit behind."""
    return any(power or suffix for _, power, suffix in _sections(code))


@lru_cache(1000)
def _sections(code: str) -> list[tuple[tuple[str, float] | None, int, str]]:
    """Return of every section of a number format the numbers it is for (None: by their sign), the power of ten by which
    it shows them and the unit behind them."""
    found, parts = [], [[]]
    for token in _TOKEN.finditer(code[:_LONGEST]):
        parts.append([]) if token["mark"] == ";" else parts[-1].append(token)
    for part in parts:
        bound = next(((t["sign"], float(t["bound"])) for t in part if t["bound"]), None)
        literal = [t["quoted"] or t["escaped"] or t["other"] or "" for t in part]
        places = [n for n, t in enumerate(part) if t["mark"] in ("0", "#", "?")]
        if not places or any((t["other"] or " ").isascii() and (t["other"] or " ").isalpha() for t in part):
            found.append((bound, 0, ""))        # dates, General, texts
            continue
        percent = sum(t["mark"] == "%" for t in part)
        point = next((n for n, t in enumerate(part) if t["mark"] == "."), len(part))
        # Commas behind the last digit before the point, or at the end, divide by a thousand each.
        ends = {*range(max((n for n in places if n < point), default=point), point)} if point < len(part) else set()
        commas = sum(part[n]["mark"] == "," for n in ends | {*range(places[-1], len(part))})
        # A point put between the digits as a text divides by ten for every digit behind it.
        dot = next((n for n in range(places[0], places[-1]) if literal[n] in (".", "．", "·")), len(part))
        behind = 0 if point < len(part) else sum(n > dot for n in places)
        unit = "".join(literal[places[-1]:]).strip()
        suffix = "%" if percent else unit if _SCALED.fullmatch(unit) else ""
        found.append((bound, 2 * percent - 3 * commas - behind, suffix))
    return found
