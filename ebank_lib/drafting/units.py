"""The words by which a draft tells what stands where, from ``vocabulary.yaml``, and the units that sheets print while
no catalogue says them yet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from ..catalog import Unit
from ..config import read_yaml
from ..guessing import BRACKET, unit_named
from ..sources.grids import Grid
from ..sources.units import Naming

ONES = "个"      # the base of a printed scale that nothing is said of: thousand, '000, number
_SAID = re.compile(r"(?:单位|[Uu]nits?)\s*[:：为]?\s*([^:：（）()]{1,40})")
_BEHIND = re.compile(r"\d\s*([^\d\s.,，。:：;；()（）+-][^\d,，。:：;；()（）]{0,15})$")
_PARTS = re.compile(r"[、,，;；/|]|和|及|\s{2,}")
# Alone in a cell these are headings or marks, not units.
_WORDS = re.compile(r"(?i)no\.?|nos\.?|[a-z]|th|count|(?:sub)?total|"
                    r"[^\x00-\x7f]{2,}(?<![万亿千百][户笔元张台件])(?<!美元)(?<!人次)|"
                    r"customers?|clients?|accounts?|users?|cards?|transactions?|txns?|merchants?|outlets?|terminals?")


@cache
def words(name: str) -> re.Pattern:
    """Return the pattern of one entry.

    Examples
    --------
    >>> bool(words("branch").search("莲湖支行")), bool(words("branch").search("手机银行"))
    (True, False)
    """
    return re.compile("|".join(read_yaml(Path(__file__).with_name("vocabulary.yaml"))[name]), re.IGNORECASE)


def unit_behind(text: str) -> str:
    """Return the unit behind a figure (12,345户); "" if there is none."""
    found = _BEHIND.search(text.strip())
    return found[1].strip() if found and unit_named(found[1].strip(), ONES) is not None else ""


def naming_of(grids: Iterable[Grid]) -> tuple[Naming, dict[str, Unit]]:
    """Return the names of the units that some sheets print, and what they are."""
    found: dict[str, Unit] = {}
    for grid in grids:
        for text in dict.fromkeys(t for row in grid.texts for t in row if 0 < len(t) <= 200):
            whole = [] if len(text) > 24 or set(":：") & set(text) or _WORDS.fullmatch(text.strip()) else [text]
            said = [*_SAID.findall(text), *BRACKET.findall(text)]
            for part in map(str.strip, [*whole, *said, *(p for s in said for p in _PARTS.split(s)), unit_behind(text)]):
                if part and part not in found and not part.isdecimal() and (unit := unit_named(part, ONES)) is not None:
                    found[part] = unit if unit_named(part) else Unit(base="", factor=unit.factor)
    return Naming(SimpleNamespace(units=found, indicators={}, branches={})), found
