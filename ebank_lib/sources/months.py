"""Which month a text, a name or a cell says, in the ways in which people write months."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from contextlib import suppress
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ..config import Strict
from .patterns import LONGEST, check_pattern, search

__all__ = ["Month", "Text", "common_month"]

Text = Annotated[str, Field(min_length=1, max_length=500)]

_WRITTEN = (
    re.compile(r"(?<!\d)((?:19|20)\d\d)\s*(?:年|[-./_])\s*(1[0-2]|0?[1-9])(?!\d)"),
    re.compile(r"(?<!\d)((?:19|20)\d\d)(0[1-9]|1[0-2])(?:[0-3]\d)?(?!\d)"),
)
_CHINESE = re.compile(r"([〇零○一二三四五六七八九]{4})\s*年\s*(十[一二]?|[一二三四五六七八九])\s*月")
# What makes of a month the first of several: 2010年1-3月, 1月至3月, 1、2月, 3季度, 2010.1-3, 201001-03.
_OTHER = r"(?:(?:19|20)\d\d\s*[-年./]\s*)?(?:\d{1,2}|十[一二]?|[一二三四五六七八九])"
_GOES_ON = re.compile(rf"\s*(?:季|个月|月?\s*[-–—~～至到、,和及&]\s*{_OTHER}\s*月|月?\s*[–—~～至到]\s*{_OTHER}(?!\d))"
                      r"|(?<=[年./]\d)-\d|(?<=[年./]\d\d)-\d|(?<=\d{6})-\d\d(?!\d)")
_DIGITS = {c: str(i) for i, c in enumerate("〇一二三四五六七八九")} | {"零": "0", "○": "0"}
_MONTHS = {c: i for i, c in enumerate("一二三四五六七八九", 1)} | {"十": 10, "十一": 11, "十二": 12}


def _check_format(form: str) -> str:
    """Return a date format that can tell a month."""
    sample = dt.datetime(2010, 3, 1)
    with suppress(ValueError):
        if dt.datetime.strptime(sample.strftime(form), form).replace(day=1) == sample:
            return form
    raise ValueError("a date format such as %Y-%m")


def _ordinal(year: int, month: int) -> int | None:
    """Return the number of a monthly period, None for a month that cannot be."""
    return (year - 1970) * 12 + month - 1 if 1900 <= year <= 2199 and 1 <= month <= 12 else None


def common_month(text: str) -> int | None:
    """Return the one month written in a text as 2010年3月, 2010-03, 2010/3, 201003, 20100331 or 二〇一〇年三月; None
    for several months or a quarter."""
    text = unicodedata.normalize("NFKC", text[:LONGEST])
    written = [(m, int(m[1]), int(m[2])) for form in _WRITTEN for m in form.finditer(text)]
    written += [(m, int("".join(_DIGITS[c] for c in m[1])), _MONTHS[m[2]]) for m in _CHINESE.finditer(text)]
    found = {_ordinal(year, month) for _, year, month in written}
    several = len(found) > 1 or any(_GOES_ON.match(text, m.end(2)) for m, *_ in written)
    return found.pop() if found and not several else None


class Month(Strict):
    """Where the month is written; without a pattern or format the common ways of writing a month are tried."""

    source: Literal["file", "sheet", "title", "column"] = Field(alias="from")
    pattern: Annotated[str, AfterValidator(partial(check_pattern, groups=("year", "month")))] | None = None
    column: Text | None = None
    format: Annotated[str, AfterValidator(_check_format)] | None = None

    @property
    def expected(self) -> str:
        """What a cell or name has to hold, in words."""
        return self.format or self.pattern or "one month, such as 2010-03 or 2010年3月"

    def in_text(self, text: str) -> int | None:
        """Return the month that a text names (as a period's number), None if it names none or several."""
        if self.pattern is None:
            return common_month(text)
        match = search(self.pattern, text)
        if not match or _GOES_ON.match(match.string, match.end("month")):
            return None
        year, month = match["year"] or "", match["month"] or ""
        month = str(_MONTHS.get(month, month))
        if not (year.isdecimal() and month.isdecimal()) or len(year) not in (2, 4):
            return None
        return _ordinal(int(year) + (2000 if len(year) == 2 else 0), int(month))

    def in_cell(self, value: object, text: str) -> int | None:
        """Return the month in a cell of a month column: a date, a text, or a whole number such as 201003."""
        if isinstance(value, dt.date):
            return _ordinal(value.year, value.month)
        if isinstance(value, float) and not value.is_integer():
            return None  # 2010.10 typed as a number has become 2010.1: nobody knows which month was meant
        if self.format is None:
            return self.in_text(text)
        with suppress(ValueError):
            value = dt.datetime.strptime(unicodedata.normalize("NFKC", text.strip()), self.format)
        return _ordinal(value.year, value.month) if isinstance(value, dt.date) else None
