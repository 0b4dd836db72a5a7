"""An indicator drafted from its name, its unit and its values, where nobody has written a catalogue yet.

Names are taken apart into the words of ``vocabulary.yaml``, in Chinese or English. A draft says why it says what it
says: it is there to be read and corrected.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from .catalog import ID, Catalog, Indicator, Labels, Unit, load_catalog
from .config import read_yaml
from .errors import ConfigError
from .files import shipped
from .wording import LANGUAGES, percent, t

_FILE = Path(__file__).with_name("vocabulary.yaml")
BRACKET = re.compile(r"[(（\[［【]([^()（）\[\]［］【】]{1,30})[)）\]］】]")
_NUMBERED = re.compile(r"^\s*(?:[(（]?(?:[一二三四五六七八九十]{1,3}|\d{1,2})[)）、.．]\s*)+")
_IN = re.compile(r"^(?:(?:计量|金额|数量|货币)?单位|units?|(?:amounts?|values?|numbers?)? ?in\b)?[ :：为]*"
                 r"(?:人民币(?=.+元))?")
_SMOOTH, _FEW = 0.05, 6         # a stock's usual change from month to month; months that say something
_RATIO = "1"
_COUNTED = dict.fromkeys(("笔", "次", "人次"), "flow") | dict.fromkeys(("户", "张", "台", "家"), "stock")


@dataclass(frozen=True)
class _Word:
    """A word of names, in both languages and as it is written besides; what it says of its indicator."""

    key: str
    zh: str
    en: str
    also: Sequence[str]
    kind: str = ""
    group: str = ""
    unit: str = ""

    @property
    def measures(self) -> bool:
        return bool(self.unit) or self.kind == "ratio"


@dataclass(frozen=True)
class _Name:
    """A name taken apart: its words in their order, each as it was written, and whether that is all of it."""

    words: tuple[tuple[_Word, str], ...]
    whole: bool

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(word.key for word, _ in self.words)


@cache
def _vocabulary() -> SimpleNamespace:
    """The vocabulary as it stands in its file, with ``words`` by their names, base units (``nouns``) by theirs, and the
    ``pattern`` that finds every word of a plain text."""
    said = read_yaml(_FILE)
    words = {_plain(name).replace("-", " "): word for word in (_Word(**one) for one in said["words"])
             for name in (word.zh, word.en, *word.also)}
    nouns = {_plain(name): key for key, base in said["bases"].items() for name in (key, base["en"], *base["also"])}
    every = sorted({*words, *map(_plain, said["silent"])}, key=len, reverse=True)
    either = [rf"(?<![a-z]){re.escape(w)}(?![a-z])" if w.isascii() else re.escape(w) for w in every]
    return SimpleNamespace(**said | {"words": words, "nouns": nouns, "pattern": re.compile("|".join(either))})


@cache
def _shipped() -> Catalog:
    return load_catalog(shipped("data", "catalog.yaml"), shipped("data", "branches.csv"))


# --- units ---------------------------------------------------------------------------------------------------------

def unit_named(text: str, base: str = "") -> Unit | None:
    """Return the unit that a text names: a scale (万, thousand, crore), what is counted (户, customers), or both.

    A scale alone is one of `base`, and no unit without it.

    Examples
    --------
    >>> unit_named("万户"), unit_named("Rs. crore").factor, unit_named("thousand", base="笔")
    (Unit(base='户', factor=10000.0), 10000000.0, Unit(base='笔', factor=1000.0))
    >>> unit_named("%"), unit_named("thousand") is unit_named("furlongs") is None
    (Unit(base='1', factor=0.01), True)
    """
    known, text = _vocabulary(), _IN.sub("", _plain(text)).strip("()[] ")
    if text in known.ratios:
        return Unit(base=_RATIO, factor=known.ratios[text])
    for scale, factor in [("", 1.0), *sorted(known.scales.items(), key=lambda pair: -len(pair[0]))]:
        # 万户, million yuan; Rs. crore and 人民币万元 have the scale behind.
        for noun in (text.removeprefix(scale), text.removesuffix(scale)) if scale in text else ():
            noun = noun.strip(" .") if noun.strip() not in known.nouns else noun.strip()
            found = known.nouns.get(noun.removeprefix("of ")) or (base if not noun and scale else None)
            if found:
                return Unit(base=found, factor=factor)
    return None


def split_unit(name: str) -> tuple[str, str]:
    """Return a name without the brackets that hold a unit, and that unit ("" if there is none).

    Examples
    --------
    >>> split_unit("手机银行客户（万户）"), split_unit("Fees (Rs. crore)"), split_unit("客户(含企业)")
    (('手机银行客户', '万户'), ('Fees', 'Rs. crore'), ('客户(含企业)', ''))
    """
    for match in BRACKET.finditer(name):
        if unit_named(match[1], base=_RATIO):
            return name.replace(match[0], "", 1).strip(), match[1].strip()
    return name.strip(), ""


def draft_tables(indicators: Iterable[Indicator], printed: Iterable[tuple[str, str]], others: Iterable[str] = ()
                 ) -> tuple[dict[str, Unit], dict[str, Labels], dict[str, Labels]]:
    """Return the units, base units and groups of a drafted catalogue.

    Units are the usual multiples, in both languages, of what the indicators are counted in, and those that are
    `printed`, each with what a scale without a noun (万) is one of. `others` are more base units.

    Examples
    --------
    >>> units, bases, groups = draft_tables([draft_indicator("mobile customers")[0]], [("百户", "户")])
    >>> units["万户"].factor, units["thousand customers"].factor, units["百户"].factor, bases["户"].en, list(groups)
    (10000.0, 1000.0, 100.0, 'customers', ['customers'])
    """
    known, indicators = _vocabulary(), list(indicators)
    used = dict.fromkeys(i.unit for i in indicators)
    said = {base: known.bases.get(base, dict.fromkeys(LANGUAGES, "" if base == _RATIO else base))
            for base in dict.fromkeys([*used, *others])}
    bases = {base: Labels(**{lang: texts[lang] for lang in LANGUAGES}) for base, texts in said.items()}
    factors: dict[str, tuple[str, float]] = {}
    for base in used:
        if base == _RATIO:
            factors |= {"%": (base, 0.01), "倍": (base, 1)}
            continue
        en = bases[base].en
        factors |= {base: (base, 1)} | {f"{scale}{base}": (base, known.scales[scale]) for scale in known.usual["zh"]}
        if en != base:
            factors |= {en: (base, 1)} | {f"{scale} {en}": (base, known.scales[scale]) for scale in known.usual["en"]}
    units = {text: Unit(base=base, factor=factor) for text, (base, factor) in factors.items()}
    for text, base in printed:
        of = unit_named(text, base)
        if of is not None and of.base in bases:
            units.setdefault(text, of)
    groups = _shipped().groups | {key: Labels(**texts) for key, texts in known.groups.items()}
    return units, bases, {i.group: groups[i.group] for i in indicators}


# --- names ---------------------------------------------------------------------------------------------------------

def _plain(text: str) -> str:
    """Return a text in lower case, with one blank between words and none between Chinese signs."""
    text = unicodedata.normalize("NFKC", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)).casefold()
    return re.sub(r"(?<=[^\x00-\x7f]) (?=[^\x00-\x7f])", "", " ".join(text.split()))


@cache
def _taken_apart(path: str) -> _Name:
    """Take a path of headings apart, the item last: a group above adds what is counted, and of what, where nothing
    below says so."""
    words, whole, known = [], True, _vocabulary()
    for level in reversed(path.split("/")):
        text = " ".join(re.sub(r"[\W_]+", " ", _plain(level)).split())
        found = [(known.words[m[0]], m[0]) for m in known.pattern.finditer(text) if m[0] in known.words]
        said = {word.measures for word, _ in words}
        more = [pair for pair in found if pair[0].measures not in said]
        if more or not words:
            words = [*more, *words]
            whole &= not known.pattern.sub("", text).strip()
    return _Name(tuple(words), bool(words) and whole)


@cache
def _known() -> dict[str | frozenset[str], Indicator | None]:
    """The indicators of the catalogue that comes with the package, by their names and by the words of their labels;
    None: of several."""
    found: dict[str | frozenset[str], Indicator | None] = {}
    for indicator in _shipped().indicators.values():
        labels, short = (indicator.zh, indicator.en), indicator.short
        names = {_plain(name) for name in (indicator.key, *labels, *((short.zh, short.en) if short else ()))}
        for name in names | {read.keys for label in labels if (read := _taken_apart(label)).whole}:
            found[name] = None if name in found else indicator
    return found


def draft_indicator(name: str, values: pd.Series | None = None, unit: str = "") -> tuple[Indicator, list[str]]:
    """Return an indicator drafted from its name, and why it is drafted so.

    Parameters
    ----------
    name : str
        As it is printed: ``手机银行客户数``, ``mobile_txn``, ``Mobile customers (thousand)``, or a path of headings
        with the item last, ``一、客户数/手机银行``. One that the package's own catalogue knows has what stands there.
    values : Series, optional
        As printed, in the order of the months; asked where the name does not say what kind it is.
    unit : str
        As printed; "" for that in the name's brackets, if there is one.

    Returns
    -------
    tuple of Indicator and list of str
        ``unit`` of the indicator is the base unit: a text that names no unit known is one of its own, "" is a plain
        number (``"1"``); a ratio's numerator and denominator need not be there. The key is of the name alone: two
        names may have one. Reasons are in the language in use.

    Raises
    ------
    ConfigError
        The name is too long, or holds what nobody sees.

    Examples
    --------
    >>> i, why = draft_indicator("手机银行交易量", unit="万笔")
    >>> i.key, i.en, i.kind, i.unit, i.group
    ('mobile_txn', 'Mobile banking transactions', 'flow', '笔', 'transactions')
    >>> i, why = draft_indicator("二、存款/微信银行", unit="亿元")
    >>> i.key, i.zh, i.en, i.kind, i.unit
    ('wechat_deposits', '微信银行存款余额', 'WeChat banking deposits', 'stock', '元')
    """
    levels = [split_unit(_NUMBERED.sub("", level)) for level in name.split("/")]
    bare = "/".join(level for level, _ in levels if level) or name
    unit, read = unit or next((own for _, own in reversed(levels) if own), ""), _taken_apart(bare)
    of = unit_named(unit)
    base = of.base if of else "" if unit_named(unit, _RATIO) else unit      # a scale alone says nothing of it
    given = [t("guessing.unit_given", unit=unit)] if unit else []
    implied = _vocabulary().implied.get(base or next((word.key for word, _ in read.words if word.key == "new"), ""))
    if implied and read.words and not any(word.measures for word, _ in read.words):
        word = next(word for word in _vocabulary().words.values() if word.key == implied)
        read = _Name((*read.words, (word, word.zh)), read.whole)
    known = _known().get(_plain(bare)) or (_known().get(read.keys) if read.whole else None)
    if known is not None and base in ("", known.unit):
        more = [t("guessing.unit_percent")] if printed_unit(known, values, unit) != unit else []
        return known, [t("guessing.known", name=known.label()), *given, *more]
    head = _head(bare, read)
    kind, why = _kind(read, head, base, unit, values)
    reasons = [why, *given]
    if not base:
        base = head[0].unit if head and kind != "ratio" else _RATIO
        if not given:
            reasons.append(t("guessing.unit_word", word=head[1], unit=_vocabulary().bases[base]["zh"]) if base != _RATIO
                           else t("guessing.unit_none"))
    says = head[0].group if head and head[0].unit == base else ""
    group = "ratios" if kind == "ratio" else says or _vocabulary().by_unit.get(base, "other")
    key, zh, en = _names(bare, read)
    multiple = kind == "ratio" and any(word.key == "ratio" for word, _ in read.words)
    try:
        indicator = Indicator(key=key, zh=zh, en=en, group=group, kind=kind, unit=base, bounded=not multiple)
    except ValueError:
        raise ConfigError("is no name of an indicator", found=name,
                          expected="a text on one line, of at most 200 characters that can be seen") from None
    if printed_unit(indicator, values, unit) != unit:
        return indicator, [*reasons[:-1], t("guessing.unit_percent")]
    factor = of.factor if of else 1.0
    beyond = kind == "ratio" and values is not None and bool(((values < 0) | (values * factor > 1)).any())
    return indicator.model_copy(update={"bounded": not (multiple or beyond)}), reasons


def printed_unit(indicator: Indicator, values: pd.Series | None, unit: str = "") -> str:
    """Return the unit in which values are printed: the given one; without one "%" for shares beyond 1 and up to 100.

    Examples
    --------
    >>> share, _ = draft_indicator("渠道占比")
    >>> printed_unit(share, pd.Series([71.5, 73.0])), printed_unit(share, pd.Series([0.715, 0.73]))
    ('%', '')
    """
    percentages = (indicator.kind == "ratio" and indicator.bounded and values is not None
                   and 1 < values.max() <= 100 and values.min() >= 0)
    return "%" if percentages and not unit else unit


def _head(name: str, read: _Name) -> tuple[_Word, str] | None:
    """Return what is counted: the last word that says so, in English the one before `of`."""
    measures = [pair for pair in read.words if pair[0].unit]
    return measures[0 if " of " in _plain(name) else -1] if measures else None


def _kind(read: _Name, head, base: str, unit: str, values: pd.Series | None) -> tuple[str, str]:
    def said(kind: str, why: str, **more) -> tuple[str, str]:
        return kind, t(f"guessing.{why}", kind=t(f"general.{kind}"), **more)

    if base == _RATIO:
        return said("ratio", "kind_unit", unit=unit)
    ratios = [pair for pair in read.words if pair[0].kind == "ratio" and not base]
    for word, written in ratios or [pair for pair in read.words if pair[0].kind == "flow" and not pair[0].unit]:
        return said(word.kind, "kind_word", word=written)
    if head is not None and base in ("", head[0].unit):
        return said(head[0].kind, "kind_word", word=head[1])
    if base in _COUNTED:
        return said(_COUNTED[base], "kind_unit", unit=unit)
    if head is not None:
        return said(head[0].kind, "kind_word", word=head[1])
    v = pd.Series(dtype=float) if values is None else values.dropna()
    if not unit and len(v) and v.between(0, 1).all() and (v % 1 != 0).any():
        return said("ratio", "kind_share")
    change = v[v > 0].pct_change().dropna()
    rising = float((change >= 0).mean()) if len(change) >= _FEW else 0.0
    if rising >= 0.8 and change.abs().median() < _SMOOTH:
        return said("stock", "kind_smooth", share=percent(rising))
    return said("flow", "kind_rough")


def _names(name: str, read: _Name) -> tuple[str, str, str]:
    """Return key, zh and en: of a name whose words are all known from these, what is counted last; else as written."""
    head = _head(name, read)
    kept = [word for word, _ in read.words if not word.unit or " of " not in _plain(name) or word is head[0]]
    ordered = sorted({word.key: word for word in kept}.values(), key=lambda word: word.measures)
    written = " ".join(re.sub(r"[_\s]+", " ", name.rsplit("/", 1)[-1] if not read.whole else name).split())
    chinese, path = not name.isascii(), "/" in name
    zh = "".join(word.zh for word in ordered) if read.whole and (path or not chinese) else written
    en = " ".join(word.en for word in ordered) if read.whole and (path or chinese) else written
    en = en if en[:1].isupper() or not en.isascii() else en[:1].upper() + en[1:]
    slug = re.sub(r"\W+", "_", _plain(name)).strip("_") if name.isascii() and not path else \
        "_".join(word.key for word in ordered)
    if not read.whole and (path or not name.isascii()):
        # What of it has no translation still tells it from others.
        slug = f"{slug or 'indicator'}_{_mark(name)}"
    slug = slug[:60].rstrip("_-") or "indicator"
    return slug if ID.fullmatch(slug) else f"{slug}_", zh, en


# --- branches ------------------------------------------------------------------------------------------------------

# The branch of figures of which nobody says whose they are.
ALONE = {"branch": "branch", "zh": "分行", "en": "Branch", "role": "branch"}


def branch_id(names: Sequence[str], taken: Iterable[str]) -> str:
    """Return an id for a branch by its names, the first of which is its own: the one that the package's own data has
    for it, a name that can be an id, one in Latin letters; or one of its first name alone, whoever comes beside.

    Examples
    --------
    >>> branch_id(["日照分行"], []), branch_id(["莲湖支行", "6101"], []), branch_id(["North Gate"], ["North_Gate"])
    ('rizhao', '6101', 'north_gate_f495')
    """
    known = {_plain(name): b.id for b in _shipped().branches.values() for name in (b.zh, *b.aliases)}
    slugs = [re.sub(r"\W+", "_", _plain(name)).strip("_")[:40] for name in names if name.isascii()]
    wanted = [*(known[plain] for plain in map(_plain, names) if plain in known), *names, *slugs]
    first, mark = next((one for one in wanted if ID.fullmatch(one)), "b"), _mark(names[0])
    taken = {"b", "total", "province", *map(str.casefold, taken)}
    return f"{first}_{mark}" if first.casefold() in taken else first


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:4]
