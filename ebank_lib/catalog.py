"""What is measured: indicators, units, identities and branches, from ``catalog.yaml`` and ``branches.csv``.

Nothing here knows a province: a source names its own catalogue and its own branches.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import yaml
from pydantic import AfterValidator, Field, PositiveFloat

from .config import Strict, read_rows, read_yaml, validate
from .errors import ConfigError, UnknownNameError, nearest
from .files import write_atomically
from .wording import language

# Ids become folder names, URLs and papermill parameters; some names are no folder's on Windows.
ID = re.compile(r"(?!(?i:con|prn|aux|nul|com\d|lpt\d)\Z)[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LONGEST_LABEL = 200


def as_period(month: object) -> pd.Period | None:
    """Return a month given as a Period, a date or a text YYYY-MM; None for anything else: pandas would take 2010 for
    January, 2010Q3 for July, and "Oct" for one of a year that depends on the clock."""
    if isinstance(month, pd.Period | dt.date) and month is not pd.NaT:
        return pd.Period(month, "M") if getattr(month, "freqstr", "M") == "M" else None
    return pd.Period(month, "M") if re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", str(month), re.ASCII) else None


@lru_cache(20_000)     # sheets of a source repeat their texts
def fold(text: str) -> str:
    """Return a name as it is compared: without blanks, width and case."""
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def _plain_id(text: str) -> str:
    if not ID.fullmatch(text):
        raise ValueError("letters, digits, _ and - (at most 64, beginning with a letter or digit)")
    return text


Id = Annotated[str, AfterValidator(_plain_id)]


def _plain_label(text: str) -> str:
    """A label is shown beside figures, on one line, to readers who must be able to tell it from others."""
    if len(text) > _LONGEST_LABEL:
        raise ValueError(f"at most {_LONGEST_LABEL} characters")
    if any(unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp") for sign in text):
        raise ValueError("text on one line, without characters that nobody sees")
    return text


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("a text that is not empty")
    return _plain_label(text)


Label = Annotated[str, AfterValidator(_plain_label)]
Name = Annotated[str, AfterValidator(_name)]


class Texts(Strict):
    """One text in both languages."""

    zh: str
    en: str

    def __call__(self, lang: str | None = None) -> str:
        return getattr(self, language(lang))


class Labels(Texts):
    """One label in both languages; a ratio's unit is an empty one."""

    zh: Label
    en: Label


class Unit(Strict):
    """A printed unit: one of it is `factor` of the base unit; a scale alone (thousand) has none, "", and is one of
    whatever the indicator is counted in."""

    base: str
    factor: PositiveFloat


class Indicator(Strict):
    """One thing that is reported every month.

    ``kind`` is ``stock`` (level at the month's end), ``flow`` (sum over the month) or ``ratio``
    (``numerator / denominator``, within 0..1 unless ``bounded`` is false; ``denominator`` may be a sum).
    """

    key: Id
    zh: Name
    en: Name
    group: Id
    kind: Literal["stock", "flow", "ratio"]
    unit: str
    short: Labels | None = None
    numerator: str | None = None
    denominator: str | list[str] | None = None
    bounded: bool = True

    def label(self, lang: str | None = None) -> str:
        """Return the full label."""
        return getattr(self, language(lang))

    def short_label(self, lang: str | None = None) -> str:
        """Return the label that fits a chart."""
        return self.short(lang) if self.short else self.label(lang)

    @property
    def denominators(self) -> list[str]:
        """The indicators whose sum is the denominator; empty when the ratio is only printed, never derived."""
        return [self.denominator] if isinstance(self.denominator, str) else list(self.denominator or [])


class Identity(Strict):
    """What the numbers must obey: ``sum`` (total = sum of parts), ``change`` (total(t) - total(t-1) = sum of parts)
    or ``within`` (parts add up to no more than the total)."""

    kind: Literal["sum", "change", "within"]
    total: str
    parts: list[str] = Field(min_length=1)


class _File(Strict):
    units: dict[Label, Unit]
    base_units: dict[Label, Labels]
    groups: dict[Id, Labels]
    indicators: list[Indicator] = Field(min_length=1)
    identities: list[Identity] = []
    headline: list[str] = []


@dataclass(frozen=True)
class Branch:
    """One reporting unit. ``role``: ``branch``; ``total`` (the printed province row); ``merged`` (its history belongs
    to ``merged_into``; it reports by itself before ``merged_month``)."""

    id: str
    zh: str
    en: str
    role: str = "branch"
    aliases: tuple[str, ...] = ()
    merged_into: str | None = None
    merged_month: pd.Period | None = None

    @property
    def row(self) -> dict[str, str]:
        """The branch's row of ``branches.csv``."""
        return dict(zip(BRANCH_COLUMNS, (self.id, self.zh, self.en, self.role, ";".join(self.aliases),
                                         self.merged_into or "", str(self.merged_month or "")), strict=True))

    def label(self, lang: str | None = None) -> str:
        """Return the branch's name."""
        return getattr(self, language(lang))


def _one_of_a_name(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return what goes by each name, as :func:`fold` compares them; a name that two have is left out."""
    found: dict[str, set[str]] = {}
    for name, one in named:
        found.setdefault(fold(name), set()).add(one)
    return {name: ones.pop() for name, ones in found.items() if len(ones) == 1}


def _known(what: str, said: object, name: str, known: Iterable[str], names: dict[str, str]) -> str:
    found = name if name in known else names.get(fold(name))
    if found is None:
        near = nearest(fold(name), names)
        raise UnknownNameError(what, said, known, suggestion=names[near] if near else None)
    return found


@dataclass(frozen=True)
class Catalog:
    """Indicators, units, identities and branches of one source, each by its key."""

    indicators: dict[str, Indicator]
    units: dict[str, Unit]
    base_units: dict[str, Texts]
    groups: dict[str, Texts]
    identities: tuple[Identity, ...]
    branches: dict[str, Branch]
    headline: tuple[str, ...]

    def indicator(self, key: str) -> Indicator:
        """Return an indicator by its key or one of its labels; "" is the first of the `headline` ones, those a reader
        asks about first.

        Raises
        ------
        UnknownNameError
            Naming the nearest key and all that exist.
        """
        name = (key or self.headline[0]) if isinstance(key, str) else ""
        return self.indicators[_known("indicator", key, name, self.indicators, self.labels)]

    @cached_property
    def labels(self) -> dict[str, str]:
        """The keys of the indicators by every name they go by: a key comes before a label, that before a short one."""
        every = self.indicators.values()
        return {**_one_of_a_name((text, i.key) for i in every if i.short for text in (i.short.zh, i.short.en)),
                **_one_of_a_name((text, i.key) for i in every for text in (i.zh, i.en)),
                **_one_of_a_name((i.key, i.key) for i in every)}

    @cached_property
    def names(self) -> dict[str, str]:
        """The ids of the branches by every name they go by."""
        return _one_of_a_name((text, one.id) for one in self.branches.values()
                              for text in (one.id, one.zh, one.en, *one.aliases))

    def branch(self, branch: str) -> Branch:
        """Return a branch by its id or one of its names; a number is taken as its digits (papermill turns ``0351`` into
        351).

        Raises
        ------
        UnknownNameError
            Naming the nearest branch and all that exist.
        """
        name = str(branch)
        if name.isdecimal() and fold(name) not in self.names:
            same = [b for b in self.branches if b.isdecimal() and int(b) == int(name)]
            name = same[0] if len(same) == 1 else name
        return self.branches[_known("branch", name, name, self.branches, self.names)]

    @property
    def reporting(self) -> list[str]:
        """Ids of the branches that report today, in the file's order, without totals and merged ones."""
        return [b.id for b in self.branches.values() if b.role == "branch"]

    @property
    def total(self) -> str | None:
        """Id of the printed total of all branches, if the source has one."""
        return next((b.id for b in self.branches.values() if b.role == "total"), None)

    def unit_label(self, key: str, lang: str | None = None) -> str:
        """Return the base unit of an indicator as it is written; "" for a ratio."""
        return self.base_units[self.indicator(key).unit](lang)

    def table(self, lang: str | None = None) -> pd.DataFrame:
        """Return one row per indicator: ``indicator, name, group, kind, unit``."""
        rows = [(i.key, i.label(lang), self.groups[i.group](lang), i.kind, self.unit_label(i.key, lang))
                for i in self.indicators.values()]
        return pd.DataFrame(rows, columns=["indicator", "name", "group", "kind", "unit"])

    def derive(self, panel: pd.DataFrame, key: str) -> pd.Series:
        """Return a ratio or a sum computed from its parts (NaN where one is missing, or a denominator not positive).

        Raises
        ------
        UnknownNameError, ConfigError
            The indicator does not exist, or it does not follow from others.
        """
        ind = self.indicator(key)
        key = ind.key
        for identity in self.identities:
            if (identity.kind, identity.total) == ("sum", key):
                return panel[identity.parts].sum(axis=1, skipna=False).rename(key)
        if ind.numerator is None or not ind.denominators:
            raise ConfigError("is not derived from other indicators", key=key, found=ind.kind,
                              expected="a ratio or a sum")
        below = panel[ind.denominators].sum(axis=1, skipna=False)
        return (panel[ind.numerator] / below.where(below > 0)).rename(key)

    def with_indicator(self, key: str, numerator: str | None = None, denominator: str | list[str] | None = None,
                       parts: Iterable[str] = (), en: str = "", zh: str = "", bounded: bool = True) -> Catalog:
        """Return the catalogue with one indicator more, see :meth:`ebank_lib.cleaning.Cleaned.with_indicator`."""
        parts = list(parts)
        if key in self.indicators:
            raise ConfigError("stands in the catalogue already", key=str(key), expected="a new key")
        if bool(parts) == (numerator is not None and bool(denominator)):
            raise ConfigError("an indicator is a ratio or a sum", key=str(key),
                              expected="numerator and denominator, or parts")
        of = [self.indicator(one) for one in (
            parts or [numerator, *([denominator] if isinstance(denominator, str) else denominator)])]
        keys = [one.key for one in of]
        if parts and ({one.kind for one in of} != {of[0].kind} or of[0].kind == "ratio" or len({*keys}) < len(keys)
                      or {one.unit for one in of} != {of[0].unit}):
            raise ConfigError("the parts do not add up", key=str(key), found=", ".join(
                f"{one.key} ({one.kind}, {one.unit})" for one in of), expected="stocks or flows, of one kind and unit")
        made = validate(Indicator, {"key": key, "zh": zh or key, "en": en or key, "group": of[0].group, **(
            {"kind": of[0].kind, "unit": of[0].unit} if parts else {
                "kind": "ratio", "unit": "1", "numerator": keys[0], "denominator": keys[1:] if keys[2:] else keys[1],
                "bounded": bounded})}, "with_indicator")
        sums = (Identity(kind="sum", total=key, parts=keys),) if parts else ()
        return replace(self, indicators={**self.indicators, key: made}, identities=(*self.identities, *sums),
                       base_units={"1": Labels(zh="", en=""), **self.base_units})

    def save(self, folder: str | Path) -> None:
        """Write ``catalog.yaml`` and ``branches.csv``, from which :func:`load_catalog` makes the same catalogue."""
        named = {name: {key: one.model_dump() for key, one in getattr(self, name).items()}
                 for name in ("units", "base_units", "groups")}
        spec = {**named, "headline": list(self.headline), **{
            name: [one.model_dump(exclude_defaults=True) for one in records] for name, records in (
                ("indicators", self.indicators.values()), ("identities", self.identities)) if records}}
        rows = branches_csv(branch.row for branch in self.branches.values())
        text = yaml.safe_dump(spec, allow_unicode=True, sort_keys=False, width=120)
        for name, written in (("catalog.yaml", text), ("branches.csv", rows)):
            write_atomically(Path(folder) / name, written.encode("utf-8"))


def branches_csv(rows: Iterable[dict[str, str]]) -> str:
    """Return a ``branches.csv`` of rows by their columns, of which some may be missing."""
    return pd.DataFrame(list(rows), columns=BRANCH_COLUMNS, dtype=object).to_csv(index=False, lineterminator="\n")


def load_catalog(catalog: str | Path, branches: str | Path) -> Catalog:
    """Read and check a catalogue (YAML) and its branches (CSV); a ConfigError names the file, the key or row, what was
    found and what was expected."""
    return make_catalog(read_yaml(catalog), read_rows(branches, BRANCH_COLUMNS), str(catalog), str(branches))


def make_catalog(spec: dict[str, Any], branches: Iterable[dict[str, str]], file: str = "catalog.yaml",
                 table: str = "branches.csv") -> Catalog:
    """Check what a ``catalog.yaml`` says and the rows of a ``branches.csv``; the files are what errors name."""
    spec = validate(_File, spec, file)
    indicators = {i.key: i for i in spec.indicators}
    if twice := [i.key for i in spec.indicators if i is not indicators[i.key]]:
        raise ConfigError("stands twice", file=file, key="indicators", found=twice[0], expected="each key once")
    _check_references(spec, indicators, file)
    first = spec.headline or [i.key for i in spec.indicators if i.kind != "ratio"][:3] or [spec.indicators[0].key]
    return Catalog(indicators, spec.units, spec.base_units, spec.groups, tuple(spec.identities),
                   _branches(branches, table), tuple(first))


def _check_references(spec: _File, indicators: dict[str, Indicator], file: str) -> None:
    def must(what: str, name: str, known: Iterable[str], key: str) -> None:
        if name not in known:
            raise UnknownNameError(what, name, known, file=file, key=key)

    for name, unit in spec.units.items():
        must("base unit", unit.base, ["", *spec.base_units], f"units.{name}.base")
    for ind in spec.indicators:
        at = f"indicators.{ind.key}"
        must("group", ind.group, spec.groups, f"{at}.group")
        must("base unit", ind.unit, spec.base_units, f"{at}.unit")
        for part in [ind.numerator, *ind.denominators]:
            if part is not None:
                must("indicator", part, indicators, at)
        if (ind.numerator is None) != (not ind.denominators) or (ind.numerator and ind.kind != "ratio"):
            raise ConfigError("numerator and denominator go together, on a ratio", file=file, key=at)
    for name in spec.headline:
        must("indicator", name, indicators, "headline")
    for n, identity in enumerate(spec.identities):
        for name in [identity.total, *identity.parts]:
            must("indicator", name, indicators, f"identities.{n}")


BRANCH_COLUMNS = ["branch", "zh", "en", "role", "aliases", "merged_into", "merged_month"]


def _branches(rows: Iterable[dict[str, str]], file: str) -> dict[str, Branch]:
    branches: dict[str, Branch] = {}
    names: dict[str, str] = {}
    ids: set[str] = set()
    for n, row in enumerate(rows, start=2):
        where, (branch, zh, en, role, others, into, since) = {"file": file, "row": n}, row.values()
        # Folders of East and east are one on some systems.
        if not ID.fullmatch(branch) or branch.casefold() in ids:
            raise ConfigError("bad branch id", column="branch", found=branch,
                              expected="a new id of letters, digits, _ and -", **where)
        if role not in ("branch", "total", "merged"):
            raise ConfigError("bad role", column="role", found=role, expected="branch | total | merged", **where)
        aliases = tuple(a.strip() for a in others.split(";") if a.strip())
        ids.add(branch.casefold())
        for name in sorted({branch, zh, en, *aliases}):
            try:
                _plain_label(name)
            except ValueError as fault:
                raise ConfigError("is no name", found=name, expected=str(fault), **where) from fault
            if not name.strip() or names.setdefault(fold(name), branch) != branch:
                raise ConfigError("a name must belong to one branch", found=name,
                                  expected="names used once, and none that looks like another", **where)
        if not (role == "merged") == bool(into) == bool(since):
            raise ConfigError("role merged goes with merged_into and merged_month", found=into, **where)
        if since and as_period(since) is None:
            raise ConfigError("bad month", column="merged_month", found=since, expected="YYYY-MM", **where)
        branches[branch] = Branch(branch, zh, en, role, aliases, into or None, as_period(since))
    for b in branches.values():
        if b.merged_into and branches.get(b.merged_into, b).role != "branch":
            raise UnknownNameError("branch to merge into", b.merged_into,
                                   [x.id for x in branches.values() if x.role == "branch"], file=file)
    if "province" in ids and all(b.role != "total" for b in branches.values()):
        raise ConfigError("bad branch id", file=file, found="province", expected="another id",
                          hint="The report of all branches stands in a folder of this name")
    if not any(b.role == "branch" for b in branches.values()):
        raise ConfigError("names no branch", file=file, expected="at least one row of role branch")
    return branches
