"""Names and units as they are compared: which unit a heading, a row or a column of its own, or a line prints."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
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
