"""Which month a text, a name or a cell says, in the ways in which people write months.

What can be read in two ways is not read: `why_not` then says why, and which line of the YAML decides.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from ..config import Strict

LONGEST = 255           # characters of a text that is searched: as long as a file name may be
Text = Annotated[str, Field(min_length=1, max_length=500)]
Place = Literal["file", "sheet", "title", "column", "heading", "row", "constant"]

_DIGITS = str.maketrans("〇零○一二三四五六七八九", "000123456789")
_MONTHS = {c: n for n, c in enumerate("一二三四五六七八九", 1)} | {"元": 1, "十": 10, "十一": 11, "十二": 12}
_MONTHS |= {name.lower(): n for n, name in enumerate(calendar.month_abbr) if n}

# --- forms: in all of them no digit stands before or behind a number, no letter before or behind a name
_Y, _YY = r"(?P<year>(?:19|20)\d\d)(?!\d)", r"(?P<year>\d\d)(?!\d)"
_M, _D = r"(?P<month>1[0-2]|0?[1-9])(?!\d)", r"(?:3[01]|[12]\d|0?[1-9])(?!\d)"
_CN = r"(?P<month>十[一二]?|[元一二三四五六七八九])"
_WORD = (r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
         r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![A-Za-z])\.?")
_NAME = rf"(?:(?<![A-Za-z])|(?<=[a-z])(?=[A-Z][a-z]))(?P<month>{_WORD})"
_TH = r"(?:st|nd|rd|th)?(?![A-Za-z])"
# With a year. Every form is tried on what the forms before it have left.
_DATES = [re.compile(form) for form in (
    rf"(?<!\d)(?P<year>(?:19|20)?\d\d|[〇零○一二三四五六七八九]{{4}})\s*年度?\s*(?:(?P<digits>1[0-2]|0?[1-9])|{_CN})"
    r"\s*(?:月|$)",
    rf"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<sep>[-./_]){_M}(?:(?P=sep){_D})?",
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<month>0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])?(?!\d)",
    rf"(?<!\d)(?P<year>(?:19|20)\d\d)[-_ ]?[Mm]{_M}",
    rf"(?<![\d./-])(?P<first>\d\d?)(?P<sep>[-./])(?P<second>\d\d?)(?P=sep){_Y}",
    rf"(?<!\d)(?<!\d[-./~–—至到]){_M}[-./_]{_Y}",
    rf"(?<!\d){_D}{_TH}(?:\s*of)?[-\s./_,]*{_NAME}[-\s./_,'’‘]*{_Y}",
    rf"(?<!\d){_D}{_TH}[-\s./]*{_NAME}(?:[-\s./]|\s?['’‘]){_YY}",
    rf"{_NAME}[-\s._]*{_D}{_TH}[\s,]+{_Y}",
    rf"{_NAME}[-\s./_,'’‘]*{_Y}",
    rf"(?<!\d)(?P<year>(?:19|20)\d\d)[-\s./_,]*{_NAME}(?:[-\s./]*{_D})?",
    rf"{_NAME}(?P<link>\s*['’‘]\s*|[-_./]|\s*){_YY}",
)]
# Without a year. A month in Chinese digits stands by itself: 三月 is one, 三月天 is none.
_BARE = [re.compile(form) for form in (
    r"(?<![\d.])(?P<digits>1[0-2]|0?[1-9])\s*月(?!期)", rf"(?<![一-鿿]){_CN}月(?=[份末底]|[^一-鿿]|$)", _NAME)]
_ALONE = re.compile(rf"(?i:m|month\s*)?{_M}|{_WORD}")
_WEAK = re.compile(r"(?:may|mar|march)\.?")    # words and names, too: months beside a year, or alone
_LONE_YEAR = re.compile(r"(?<!\d)(?<!FY)(?<!FY )((?:19|20)\d\d)(?!\d)|(?<![\d一-鿿])(\d\d)年(?![期间来以内])"
                        r"|([〇零○一二三四五六七八九]{4})年")
_TWO_YEARS = re.compile(r"(?<!\d)(?:19|20)(\d\d)\s*[-/~–—至到]\s*(?:19|20)?(\d\d)(?!\d)")

# --- what is no month
_SPAN = r"\s*[-–—~～至到、,和及&]\s*"
_N = r"(?:1[0-2]|0?[1-9]|十[一二]?|[元一二三四五六七八九])"
_SEVERAL = re.compile(
    rf"(?<!\d){_N}\s*月?{_SPAN}{_N}\s*月|(?<![A-Za-z]){_WORD}\s*(?:[-–—~/&,]|to\b|till\b|through\b|thru\b|and\b)\s*{_WORD}"
    rf"|\d[-~–—至到]\d\d?[./](?:19|20)\d\d|[1-4一二三四]\s*季|季度|[上下]半年|[近前每]\s*{_N}\s*个?月|{_N}\s*个月"
    r"|(?i:(?<![a-z])(?:q[1-4]|h[12])(?![0-9a-z])|\d[qh](?![a-z])|\b(?:quarter|half[- ]?year|semester)\b)")
_OTHER = r"(?:(?:19|20)\d\d\s*[-年./]\s*)?(?:\d{1,2}|十[一二]?|[一二三四五六七八九])"
# What makes of a month the first of several: 2010年1-3月, 1月至3月, 1、2月, 3季度, 2010.1-3, 201001-03.
_GOES_ON = re.compile(rf"\s*(?:季|个月|月?{_SPAN}{_OTHER}\s*月|月?\s*[–—~～至到]\s*{_OTHER}(?!\d))"
                      r"|(?<=[年./]\d)-\d|(?<=[年./]\d\d)-\d|(?<=\d{6})-\d\d(?!\d)")
# ... or the last: 8月累计, YTD Aug 2013.
_SUM_AFTER = re.compile(r"\s*月?[份末底]?\s*\(?\s*(?:本年)?累[计計积積]|[\s(_.,-]*(?i:ytd|year[- ]to[- ]date|cumul)")
_SUM_BEFORE = re.compile(r"(?:累[计計](?:截?[至到止])|(?i:ytd|year[- ]to[- ]date|cumulative))[\s:(_-]*$")
_LAST_YEAR = re.compile(r"[上去前]一?年|同期|(?i:last|previous|prior) year")
# A date on which a table was made: 制表日期：2018年1月8日, Printed on 8 Jan 2018.
_MADE = re.compile(r"(?:[制编填]表|打印|编[制报]|填报|导出|生成|报送|上报|下载|出表|查询)\s*(?:日期?|时间|于)"
                   r"|(?i:\b(?:print|prepar|generat|creat|export|download|produc)\w*\s*(?:date|time|on\b|at\b|:)"
                   r"|\b(?:date|time) (?:print|prepar|generat|creat|export|download|produc)ed)")
_REMARK = re.compile(r"[(\[【〔][^()\[\]【】〔〕]*[)\]】〕]")
_ENDING = re.compile(r"(?:\.(?:xlsx?|xlsm|csv|txt|tsv|gz|parquet))+$", re.IGNORECASE)
JANUARY_OR_OCTOBER = re.compile(r"(?:19|20)\d\d\.1")

_WHY_SEVERAL = "several months or a sum up to a month, where one is needed; a `pattern` says which month counts"
_WHY_MADE = "the date on which it was made says no month of its figures; a `pattern` says what does"
_WHY_TWO = "more than one month; a `pattern` says which"
_WHY_NO_YEAR = "a month without its year: `year:` says where that stands, such as `year: {from: file}`"
_WHY_JANUARY = ('January or October? `format: "%Y.%m"` says October, '
                r'''`pattern: '(?P<year>\d{4})\.(?P<month>\d+)'` January''')


def _ordinal(year: int, month: int) -> int | None:
    """Return the number of a monthly period, None for a month that cannot be."""
    return (year - 1970) * 12 + month - 1 if 1900 <= year <= 2199 and 1 <= month <= 12 else None


def _year(text: str) -> int | None:
    """Return the year of four digits or two, Chinese or Arabic; two are of 1969 to 2068, as in date formats."""
    digits = text.translate(_DIGITS)
    if not digits.isdecimal() or len(digits) not in (2, 4):
        return None
    return int(digits) + (0 if len(digits) == 4 else 1900 if int(digits) > 68 else 2000)


def _month(text: str) -> int | None:
    return int(text) if text.isdecimal() else _MONTHS.get(text[:3].lower() if re.fullmatch(_WORD, text) else text)


def _plain(text: str) -> str:
    """Return a text without full-width signs and a file's ending."""
    return _ENDING.sub("", unicodedata.normalize("NFKC", text[:LONGEST])).strip()


def _folded(text: str) -> str:
    """Return a plain text, of figures only without the blanks between them: 2013 - 08."""
    text = _plain(text)
    numbers = re.fullmatch(r"[-\d\s./_]+", text)
    return re.sub(r"\s*([-./_])\s*|\s+", lambda sign: sign[1] or "-", text) if numbers else text


@dataclass
class _Reading:
    """What one text says: ``dates`` with a year, ``months`` without one (`weak` ones may be other words), ``years``,
    and why there is no month."""

    dates: set[int | None] = field(default_factory=set)
    months: set[int] = field(default_factory=set)
    weak: set[int] = field(default_factory=set)
    years: set[int] = field(default_factory=set)
    why: str = ""


def _read(text: str, year: int | None = None) -> _Reading:
    found = _Reading()
    if _MADE.search(text):
        found.why = _WHY_MADE
        return found
    if _ALONE.fullmatch(text):
        found.months.add(_month(re.sub(r"(?i)^m(?:onth)?\s*(?=\d)", "", text)))
        return found

    def take(forms: list[re.Pattern], rest: str) -> str:
        for form in forms:
            for match in form.finditer(rest):
                rest = rest[: match.start()] + "\0" * len(match[0]) + rest[match.end():]
                found.why = found.why or _take(found, match, text, year)
        return rest

    rest = take(_DATES, text)
    if found.dates:     # what stands in brackets behind a date is a remark: 2010年3月（1-3月累计）
        rest = _REMARK.sub(lambda remark: "\0" * len(remark[0]), rest)
    said = _REMARK.sub(" ", text) if found.dates else text
    found.years |= {_year("".join(numbers)) for numbers in _LONE_YEAR.findall(take(_BARE, rest))}
    if not found.why and _SEVERAL.search(said):
        found.why = _WHY_SEVERAL
    if not found.why and re.fullmatch(r"\d\d?[-./]\d\d?", text):
        found.why = 'a day, a month or a year? Say `format: "%m/%y"` or another (`"%m/%d"` with `year:`)'
    return found


def _take(found: _Reading, match: re.Match, text: str, year: int | None) -> str:
    """Note what one form has read, or return why it cannot be."""
    parts = match.groupdict()
    if parts.get("first"):
        month, day = sorted((int(parts["first"]), int(parts["second"])))
        if day <= 12 and day != month:
            return 'day or month first? `format: "%d/%m/%Y"` or `"%m/%d/%Y"` (as it is written) says it'
        if 1 <= month <= 12 and day <= 31:
            found.dates.add(_ordinal(int(parts["year"]), month))
            found.years.add(int(parts["year"]))
        return ""
    name = "digits" if parts.get("digits") else "month"
    month = _month(parts[name])
    if (_GOES_ON.match(text, match.end(name)) or _SUM_AFTER.match(text, match.end())
            or _SUM_BEFORE.search(text[: match.start()])):
        return _WHY_SEVERAL
    own = _year(parts["year"]) if parts.get("year") else None
    link = parts.get("link")
    if link is not None and not set(link) & set("'’‘") and 1 <= int(parts["year"]) <= 31 and own != year:
        # Aug-13 may be a day as well: of a year that is given elsewhere, or where a blank stands between.
        if link.isspace() == (year is None):
            return f'a day or a year? `format: "%b{link}%y"` says a year, `year:` that the year stands elsewhere'
        own = own if year is None else None
    if own is not None:
        found.dates.add(_ordinal(own, month))
        found.years.add(own)
    elif not _WEAK.fullmatch(parts[name].lower()):
        found.months.add(month)
    elif parts[name][0].isupper():      # "may" within a sentence is none
        found.weak.add(month)
    return ""


@lru_cache(10_000)
def _one_month(text: str, year: int | None) -> tuple[int | None, str]:
    """Return the month that a folded text says, or None and why."""
    said = _read(text, year)
    if said.why:
        return None, said.why
    if len(said.dates) > 1 or len({d % 12 + 1 for d in said.dates if d is not None} | said.months | said.weak) > 1:
        return None, _WHY_TWO
    if said.dates:
        return said.dates.pop(), ""
    if not said.months:
        return None, "a month, or a word or name? A `pattern` says it" if said.weak else ""
    if len(said.years) > 1 or _LAST_YEAR.search(text):
        return None, "a month of which year? A `pattern` says it"
    own = said.years.pop() if said.years else year
    return (None, _WHY_NO_YEAR) if own is None else (_ordinal(own, said.months.pop()), "")


def month_in_text(text: str, year: int | None = None) -> int | None:
    """Return the one month that a text says, as the number of a monthly period; None if it says none, several, or one
    that can be read in two ways. `year` is that of a month without one.

    Examples
    --------
    >>> month_in_text("2013年8月") == month_in_text("report_Aug2013.xlsx") == month_in_text("31/08/2013") == 523
    True
    >>> month_in_text("8月", 2013), month_in_text("8月"), month_in_text("Jan to Aug 2013"), month_in_text("01/02/2013")
    (523, None, None, None)
    """
    return _one_month(_folded(text), year)[0]


def year_in_text(text: str) -> int | None:
    """Return the one year that a text says, alone or within a month; None if it says none or several.

    Examples
    --------
    >>> year_in_text("2018年电子银行报表.xlsx"), year_in_text("201808"), year_in_text("2018-2019")
    (2018, 2018, None)
    """
    text = _folded(text)
    spans = any((int(last) - int(first)) % 100 == 1 for first, last in _TWO_YEARS.findall(text))
    years = _read(text).years if not spans or month_in_text(text) is not None else set()
    return years.pop() if len(years) == 1 else None


class Years:
    """Years of months that are written one behind another, of which some do not say theirs.

    Examples
    --------
    >>> years = Years()
    >>> years.along(2018, month_in_text("2018年11月")), years.along(None, 11), years.along(None, 0)
    (2018, 2018, None)
    """

    _last: int | None = None

    def along(self, year: int | None, month: int | None) -> int | None:
        """Return the year of the next month: its own, else that of the month before; None behind a later one, which is
        of another year."""
        if year is None and None not in (self._last, month) and month % 12 >= self._last % 12:
            year = 1970 + self._last // 12
        self._last = None if None in (year, month) else (year - 1970) * 12 + month % 12
        return year


def why_not(text: str, year: int | None = None) -> str:
    """Return why a text that speaks of months says no month, and which line of the YAML decides; "" for any other text.

    Examples
    --------
    >>> why_not("Aug 13")
    'a day or a year? `format: "%b %y"` says a year, `year:` that the year stands elsewhere'
    """
    text = _folded(text)
    return _WHY_JANUARY if JANUARY_OR_OCTOBER.fullmatch(text) else _one_month(text, year)[1]


def _date(text: str, form: str, year: int | None) -> dt.datetime:
    """Return the date that a text of a format says; of the given year where the format has none."""
    if re.search("%[Yycx]", form):
        return dt.datetime.strptime(text, form)
    return dt.datetime.strptime(f"{year or ''} {text}", f"%Y {form}")


# --- records of the YAML ----------------------------------------------------------------------------------------------

def check_pattern(pattern: str, groups: tuple[str, ...]) -> str:
    """Return `pattern` if it is a regular expression with these named groups."""
    try:
        named = re.compile(pattern).groupindex
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"a regular expression ({error})") from None
    if missing := [g for g in groups if g not in named]:
        raise ValueError("named groups " + ", ".join(f"(?P<{g}>...)" for g in missing))
    return pattern


def pattern_with(*groups: str) -> AfterValidator:
    return AfterValidator(partial(check_pattern, groups=groups))


def search(pattern: str, text: str) -> re.Match | None:
    """Return the match of a pattern in a short text, as written or with full-width signs folded."""
    if len(text) > LONGEST:
        return None
    return re.search(pattern, text) or re.search(pattern, unicodedata.normalize("NFKC", text))


class Year(Strict):
    """Where the year is written, for months that are written without one."""

    source: Place = Field(alias="from")
    column: Text | None = None
    pattern: Annotated[str, pattern_with("year")] | None = None
    value: Annotated[int, Field(ge=1900, le=2199)] | None = None

    def in_text(self, text: str) -> int | None:
        """Return the year that a text or a cell's text says, None if it says none or several."""
        if self.pattern is None:
            return year_in_text(text)
        match = search(self.pattern, text)
        return _year(match["year"] or "") if match else None


class Month(Strict):
    """Where the month is written; without a pattern or format the common ways of writing a month are tried."""

    source: Place = Field(alias="from")
    year: Annotated[Year, BeforeValidator(
        lambda given: {"from": "constant", "value": given} if isinstance(given, int) else given)] | None = None
    column: Text | None = None
    pattern: str | None = None
    format: str | None = None
    value: Text | None = None

    @field_validator("pattern")
    @classmethod
    def _groups(cls, pattern: str, given: ValidationInfo) -> str:
        return check_pattern(pattern, ("month",) if given.data.get("year") else ("year", "month"))

    @field_validator("format")
    @classmethod
    def _tells_months(cls, form: str, given: ValidationInfo) -> str:
        sample = dt.datetime(2010, 3, 1)
        with suppress(ValueError):
            if _date(sample.strftime(form), form, 2010 if given.data.get("year") else None).replace(day=1) == sample:
                return form
        raise ValueError("a date format such as %Y-%m")

    @property
    def expected(self) -> str:
        """What a cell or name has to hold, in words."""
        return self.format or self.pattern or "one month, such as 2010-03 or 2010年3月"

    def why_not(self, text: str, year: int | None = None) -> str:
        """Return why a text says no month and which line decides, "" where a pattern or format has decided."""
        why = "" if self.pattern or self.format else why_not(text, year)
        return why[:1].upper() + why[1:]

    def in_text(self, text: str, year: int | None = None) -> int | None:
        """Return the month that a text says (as a period's number), None if it says none or several; `year` is that of
        a month without one."""
        if self.pattern is not None:
            return self._matched(text, year)
        if self.format is not None:
            return self._parsed(_plain(text), year)
        # The name of a file or sheet is never a number that lost the nought of 2013.10.
        named = self.source in ("file", "sheet")
        return month_in_text(text, year) if named or not JANUARY_OR_OCTOBER.fullmatch(_folded(text)) else None

    def in_cell(self, value: object, text: str, year: int | None = None) -> int | None:
        """Return the month in a cell: a date, a text, or a number such as 201003 or 2010.03."""
        if isinstance(value, dt.date):
            return _ordinal(value.year, value.month)
        return self.in_text(text, year)

    def _parsed(self, text: str, year: int | None) -> int | None:
        if self.format.endswith("%Y.%m") and JANUARY_OR_OCTOBER.fullmatch(text):
            text += "0"         # a format has two digits for a month, and 2013.10 typed as a number has become 2013.1
        with suppress(ValueError):
            date = _date(text, self.format, year)
            return _ordinal(date.year, date.month)
        return None

    def _matched(self, text: str, year: int | None) -> int | None:
        match = search(self.pattern, text)
        if not match or _GOES_ON.match(match.string, match.end("month")):
            return None
        month = _month((match["month"] or "").strip())
        if own := match.groupdict().get("year"):
            year = _year(own)
        return None if month is None or year is None else _ordinal(year, month)
