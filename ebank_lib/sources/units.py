"""Names and units as they are compared: which unit a heading, a row or a column of its own, or a line prints.
Numbers as their cells show them: without the dust of binary arithmetic, scaled as their number formats scale them."""

from __future__ import annotations

import datetime as dt
import re
import struct
import unicodedata
from collections.abc import Container, Iterable
from decimal import Decimal
from functools import lru_cache

from ..catalog import Catalog, fold

_OPEN, _CLOSE = r"(（\[［{｛<＜【〔〖〈《「『", r")）\]］}｝>＞】〕〗〉》」』"
_BRACKETS = re.compile(rf"[{_OPEN}]([^{_OPEN}{_CLOSE}]*)[{_CLOSE}]")
_MARKS = re.compile(r"[*＊※†‡§#＃①-⑳¹²³⁴-⁹]|[\[［【(（]\s*(?:注\s*)?(?:\d{1,2}\s*)?[\]］】)）]"
                    r"|注\s*\d{1,2}$")
# 单位：万元, 金额单位（万元）, 单位为万元, Unit: Rs. Crore; but 填报单位：日照分行, 单位负责人 name organisations.
_LINE = re.compile(rf"(?<!填报)(?<!编报)(?<!报送)(?<!填表)(?<!制表)(?<!编制)(?<!报告)(?<!上报)(?<!所属)(?<!统计)"
                   rf"(?:单位|[Uu]nits?)(?!名称|负责人|盖章|公章|代码|编号)\s*(?:[:：]|为|是|(?=[{_OPEN}\s]))"
                   rf"[\s{_OPEN}]*([^{_OPEN}{_CLOSE}]{{1,60}})")
# Words beside a unit, of a text without its blanks: amount in Rs. Crore, 人民币万元.
_WORDS = re.compile(r"^(?:(?:金额|计量|货币|数量|计价)?单位[:：为]?|人民币|rmb|cny|[:：]|"
                    r"(?:all)?(?:amounts?|values?|figures?|numbers?|volumes?)?(?:are)?in(?=\W*[a-z\d]{2}))+"
                    r"|(?:人民币|rmb|cny)$")
# What looks like a unit, without those words: thousands, Rs. mn, 百万元.
_LIKE = re.compile(r"(?:rs\.?|inr|us\$|usd|[¥￥₹$])?(?:in)?"
                   r"(?:[十百千]*[万萬亿億]|[百千]|['’]?000s?|(?:thousand|million|billion|lakh|lac|crore|mn|mln|bn|cr)s?)"
                   r"(?:of)?(?:美?元|户|笔|个|人|人次|件|张|份|yuan|[a-z]+s)?")
_OTHERWISE = re.compile(r"\d{4}\s*[-年./]|\d\s*[月日页]|[:：见除]|[行部局处科室社县市省区]$|公司|中心|日期|保留")
_NOTE = re.compile(r"(?i)\s*(?:注|说明|备注|notes?\b)")
_BETWEEN = re.compile(r"[、,，;；/|]|和|及")
_PER_CENT = ("%", "percent", "pct", "百分比", "百分数")
# Rows and columns that are sums over branches, of all of them or of some.
SUBTOTAL = re.compile(r"小\s*计|小結|片区计|其中|sub-?\s?total|of\s*which", re.IGNORECASE)
_TOTAL = re.compile(r"[合总]\s*计|合計|總計|汇\s*总|总\s*和|^全[省行辖市区体部国]|^总数$|^all\b|^province$|^bank$"
                    r"|^(?:sum|overall|whole|grand)\b(?=$|\W+(?:total|sum|bank|province|of))"
                    r"|\btotals?\W*(?:$|\d|of|for|all|branch|bank|province)", re.IGNORECASE)
_ONE = re.compile(r"[支分]行|分理处|储蓄所|网点|营业[部室所厅]|\bbranch\b|\boffice\b", re.IGNORECASE)
_UNIT_HEADING = ("单位", "计量单位", "(单位)", "unit", "units", "uom")


@lru_cache(20_000)
def plain(text: str) -> str:
    """Return a heading as it is compared: footnote marks taken off, then folded."""
    return fold(_MARKS.sub("", text))


def is_line(text: str) -> bool:
    """Whether a text is no heading, but says something about units (or of an organisation, which is 单位 as well)."""
    return bool(re.search(r"(?:单位|[Uu]nits?)\s*[:：]", text[:500]) or _LINE.search(text[:500]))


def is_unit_heading(text: str) -> bool:
    """Whether a heading is that of a column, or of a row, of units."""
    return plain(text) in _UNIT_HEADING


def is_total(name: str) -> bool:
    """Whether a name is one of a sum over all branches: 全省合计, All branches; but not 汇总支行."""
    found = _TOTAL.search(name.strip())
    return bool(found) and not _ONE.search(name.strip()[found.end():])


def longest_in(text: str, names: Iterable[str]) -> str | None:
    """Return the one of some names that a text holds, the longest of several within one another."""
    found = [name for name in names if name and name in text]
    found = [name for name in found if not any(name != other and name in other for other in found)]
    return found[0] if len(found) == 1 else None


class Naming:
    """What a sheet's reader needs of the catalogue: names of branches, units, and the base unit of each and of every
    indicator. Units are found whatever the width and spacing of their letters."""

    def __init__(self, catalog: Catalog):
        self._units = {fold(unit): unit for unit in catalog.units}
        hundredth = [name for name, unit in catalog.units.items() if (unit.base, unit.factor) == ("1", 0.01)][:1]
        self._units |= {word: name for name in hundredth for word in _PER_CENT if word not in self._units}
        self.bases = {name: unit.base for name, unit in catalog.units.items()}
        self.indicators = {key: i.unit for key, i in catalog.indicators.items()}
        self._path = lru_cache(20_000)(self._path_of)
        self.branches = {fold(n) for b in catalog.branches.values() for n in (b.id, b.zh, b.en, *b.aliases)}

    def counted(self, indicator: str) -> bool:
        """Whether an indicator is counted in something, so that a unit belongs to it; a ratio is not."""
        return self.indicators.get(indicator, "1") != "1"

    def unit(self, text: str) -> str | None:
        """Return the catalogue's spelling of a unit, be it in brackets or behind 人民币 or "amount in"; or None."""
        folded = fold(_BRACKETS.sub(r"\1", text))
        bare = _WORDS.sub("", folded)
        return self._units.get(folded) or self._units.get(bare) or self._units.get(bare.replace("in", "", 1))

    def is_unit(self, text: str) -> bool:
        """Whether a text is a unit or looks like one."""
        folded = fold(_BRACKETS.sub(r"\1", text))
        return self.unit(text) is not None or bool(_LIKE.fullmatch(folded) or _LIKE.fullmatch(_WORDS.sub("", folded)))

    def is_unit_row(self, key: str, texts: list[str]) -> bool:
        """Whether a row below the headings holds their units: its key says so, or is blank and half of its texts are
        units or look like some."""
        filled = [t for t in texts if t.strip()]
        units = sum(map(self.is_unit, filled))
        return units > 0 and (is_unit_heading(key) or (not key and 2 * units >= len(filled)))

    def split(self, heading: str) -> tuple[str, str]:
        """Return a heading without the brackets that hold a unit, and that unit ("" if none)."""
        unit = ""
        for match in _BRACKETS.finditer(heading):
            inner = _LINE.search(match[1])
            known = self.unit(inner[1] if inner else match[1])
            if known is not None:
                unit, heading = known, heading.replace(match[0], "", 1)
        return heading, unit

    def path(self, levels: list[str], wanted: Container[str] = ()) -> tuple[str, str]:
        """Return a heading's path as it is compared, without marks, units and whitespace, and its unit: the lower level
        speaks last. A level that is only a unit does not belong to the path, unless the path with it is `wanted`."""
        whole, bare, unit = self._path(tuple(levels))
        return whole if whole in wanted else bare, unit

    def _path_of(self, levels: tuple[str, ...]) -> tuple[str, str, str]:
        """Return a path with and without the levels that are only units, and its unit."""
        unit, names = "", []
        for text in levels:
            name, own = self.split(_MARKS.sub("", text))
            alone = (self.unit(name) or "") if len(levels) > 1 and not own else ""
            unit = own or alone or unit
            names += [(fold(name), alone)] if fold(name) else []
        return "/".join(name for name, _ in names), "/".join(name for name, alone in names if not alone), unit

    def behind(self, path: str, wanted: Container[str]) -> tuple[str, str] | None:
        """Return which wanted path this one is with a unit behind it (收入万元, 收入：万元), and that unit."""
        for folded, unit in self._units.items():
            if path.endswith(folded):
                name = path[: -len(folded)].rstrip(":-—_/、,.")
                if name in wanted:
                    return name, unit
        return None

    def unknown_unit(self, levels: list[str], units_below: bool, wanted: Container[str]) -> str:
        """Return which wanted path a heading would be but for what stands in its brackets, behind a colon or a comma,
        or in its last level, if that is a row of units; "" if none."""
        bare = [name for text in levels if (name := plain(_BRACKETS.sub("", text)))]
        whole = "/".join(bare)
        paths = (whole, re.sub(r"[:：,，、_—-][^/]*$", "", whole), "/".join(bare[:-1]) if units_below else whole)
        return next((path for path in paths if path in wanted), "")

    def line(self, texts: list[str], notes: bool = False) -> tuple[list[str], list[str]]:
        """Return the units that a row beside the table prints, and what of it looks like a unit and is none that the
        catalogue knows. A unit that stands alone, or in the brackets of a title, counts in a row of few texts; of
        `notes` below the table only those count that say that they are about units."""
        known, strange, few = [], [], sum(map(bool, texts)) <= 2
        for text in (t[:500] for t in texts if t and (not notes or _NOTE.match(t))):
            said = [m[1].rstrip("。 ") for m in _LINE.finditer(text)]
            inner = [] if said or notes or not few else [text, *(m[1] for m in _BRACKETS.finditer(text))]
            for part in (*(p for words in said for p in self._parts(words)), *filter(self.is_unit, inner)):
                unit = self.unit(part)
                known += [unit] if unit else []
                strange += [] if unit or _OTHERWISE.search(part) or fold(part) in self.branches else [part.strip()]
        return list(dict.fromkeys(known)), strange

    def _parts(self, words: str) -> list[str]:
        """Return what a line names: 户、元 are two units, Rs. Crore is one, 万元 日期 is one and something else."""
        parts = []
        for part in [words] if self.unit(words) else filter(str.strip, _BETWEEN.split(words)):
            known = [word for word in part.split() if not word.isascii() and self.unit(word)]
            parts += [part] if self.unit(part) or part.isascii() else known or part.split()
        return parts


# --- numbers ----------------------------------------------------------------------------------------------------------

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
