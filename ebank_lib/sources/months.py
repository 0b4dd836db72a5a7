"""Which month a text names: by the source's own pattern, or by the ways months are commonly written."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from re import _parser  # the only way to look into a pattern before it is run

__all__ = ["SUCH_AS", "check_format", "check_pattern", "common_month", "month_from", "month_in_cell", "ordinal",
           "search"]

SUCH_AS = "such as 2010-03 or 2010年3月"
MAX_PATTERN = 200
MAX_SUBJECT = 255          # as long as a file name may be
_MAX_OPEN, _MAX_OPTIONAL = 3, 6

_WRITTEN = (
    re.compile(r"(?<!\d)((?:19|20)\d\d)\s*(?:年|[-./_])\s*(1[0-2]|0?[1-9])(?!\d)"),
    re.compile(r"(?<!\d)((?:19|20)\d\d)(0[1-9]|1[0-2])(?:[0-3]\d)?(?!\d)"),
)
_CHINESE = re.compile(r"([〇零○一二三四五六七八九]{4})\s*年\s*(十[一二]?|[一二三四五六七八九])\s*月")
_DIGITS = {c: str(i) for i, c in enumerate("〇一二三四五六七八九")} | {"零": "0", "○": "0"}
_MONTHS = {c: i for i, c in enumerate("一二三四五六七八九", 1)} | {"十": 10, "十一": 11, "十二": 12}


def check_pattern(pattern: str, groups: tuple[str, ...]) -> str:
    """Return `pattern` if it is a regular expression with these named groups that cannot run away."""
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern of at most {MAX_PATTERN} characters")
    try:
        tree = _parser.parse(pattern)
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError, ValueError) as error:
        raise ValueError(f"a regular expression ({error})") from None
    missing = [g for g in groups if g not in tree.state.groupdict]
    if missing:
        raise ValueError("named groups " + ", ".join(f"(?P<{g}>...)" for g in missing))
    found = {"open": 0, "optional": 0}
    _count_repeats(tree, found, inside=False)
    if found["open"] > _MAX_OPEN or found["optional"] > _MAX_OPTIONAL:
        raise ValueError(f"at most {_MAX_OPEN} open repeats (* + {{m,n}}) and {_MAX_OPTIONAL} optional parts (?)")
    return pattern


def _count_repeats(items, found: dict[str, int], inside: bool) -> None:
    for op, arg in items:
        name = str(op)
        if name == "GROUPREF":
            raise ValueError("a pattern without references to its own groups")
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            low, high, body = arg
            if inside:
                raise ValueError("a pattern without repeats inside repeats")
            found["optional" if (low, high) == (0, 1) else "open"] += high != low
            # What is merely optional is tried twice, not n times: repeats may stand inside it.
            _count_repeats(body, found, inside=high > 1)
        elif name == "BRANCH":
            if inside:
                raise ValueError("a pattern without alternatives inside repeats")
            for option in arg[1]:
                _count_repeats(option, found, inside)
        elif name in ("SUBPATTERN", "ASSERT", "ASSERT_NOT", "ATOMIC_GROUP"):
            _count_repeats(arg if name == "ATOMIC_GROUP" else arg[-1], found, inside)


def search(pattern: str, text: str) -> re.Match | None:
    """Return the match of a checked pattern in a short text, as written or with full-width signs folded."""
    if len(text) > MAX_SUBJECT:
        return None
    return re.search(pattern, text) or re.search(pattern, unicodedata.normalize("NFKC", text))


def ordinal(year: int, month: int) -> int | None:
    """Return the number of a monthly period, None for a month that cannot be."""
    return (year - 1970) * 12 + month - 1 if 1900 <= year <= 2199 and 1 <= month <= 12 else None


def month_from(text: str, pattern: str | None) -> int | None:
    """Return the month that a text names (as a period's number), None if it names none or several."""
    if pattern is None:
        return common_month(text)
    match = search(pattern, text)
    if not match:
        return None
    year, month = match["year"] or "", match["month"] or ""
    month = str(_MONTHS.get(month, month))
    if not (year.isdecimal() and month.isdecimal()) or len(year) not in (2, 4):
        return None
    return ordinal(int(year) + (2000 if len(year) == 2 else 0), int(month))


def common_month(text: str) -> int | None:
    """Return the one month written in a text as 2010年3月, 2010-03, 2010/3, 201003, 20100331 or 二〇一〇年三月."""
    text = unicodedata.normalize("NFKC", text[:MAX_SUBJECT])
    found = {ordinal(int(m[1]), int(m[2])) for written in _WRITTEN for m in written.finditer(text)}
    found |= {ordinal(int("".join(_DIGITS[c] for c in m[1])), _MONTHS[m[2]]) for m in _CHINESE.finditer(text)}
    return found.pop() if len(found) == 1 else None


def month_in_cell(value: object, text: str, pattern: str | None, form: str | None) -> int | None:
    """Return the month in a cell of a month column: a date, a text, or a whole number such as 201003."""
    if isinstance(value, dt.date):
        return ordinal(value.year, value.month)
    if isinstance(value, float) and not value.is_integer():
        return None  # 2010.10 typed as a number has become 2010.1: nobody knows which month was meant
    if form is None:
        return month_from(text, pattern)
    try:
        date = dt.datetime.strptime(unicodedata.normalize("NFKC", text.strip()), form)
    except ValueError:
        return None
    return ordinal(date.year, date.month)


def check_format(form: str) -> str:
    """Return a date format that can tell a month."""
    sample = dt.datetime(2010, 3, 1)
    try:
        if dt.datetime.strptime(sample.strftime(form), form).replace(day=1) == sample:
            return form
    except ValueError:
        pass
    raise ValueError("a date format such as %Y-%m")
