"""The register of problems and risks: what ``problems.yaml`` may say, and the checks on it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from ebank_lib.catalog import Catalog, Id, Texts
from ebank_lib.config import Strict, read_yaml, validate
from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.problems.statistics import STATISTICS
from ebank_lib.reference import reference_facts

__all__ = ["KINDS", "Entry", "Rule", "load_problems"]

KINDS = ("problem", "strength", "weakness", "risk")


class Rule(Strict):
    """A figure on one side of a threshold, with the reason for that threshold; true of any of the indicators counts.

    ``otherwise``: what it means when the figure is not on that side; ``unknown`` where it covers only part of the
    statement.
    """

    statistic: str
    indicators: list[str] = Field(min_length=1)
    of: list[str] = []
    measure: Literal["level", "growth"] = "level"
    words: list[str] = []
    compare: Literal["above", "below"]
    value: float | int
    otherwise: Literal["not", "unknown"] = "not"
    zh: str
    en: str


class Entry(Strict):
    """One statement. ``shows``: whether any or all of its rules must be met. ``facts``: ids of facts of the world that
    say the same. ``needs``: what would have to be reported where the data cannot say."""

    key: Id
    kind: Literal["problem", "strength", "weakness", "risk"]
    number: int | None = Field(default=None, ge=1)
    zh: str
    en: str
    shows: Literal["any", "all"] = "any"
    rules: list[Rule] = []
    facts: list[str] = []
    needs: Texts | None = None


class _File(Strict):
    entries: list[Entry] = Field(min_length=1)


def load_problems(source, catalog: Catalog | None = None) -> list[Entry]:
    """Read the register that a source names under ``problems:``; none when it names no file.

    Parameters
    ----------
    source : Source, or path of a YAML file
    catalog : Catalog, optional
        Default: the source's; without one, indicators are not checked.

    Raises
    ------
    ConfigError
        Wrong YAML or key; a key or number that stands twice; a threshold that makes no sense; an entry with neither
        rules nor needs; a rule without what its statistic needs.
    UnknownNameError
        A statistic, indicator or fact that does not exist; suggests the nearest.
    """
    if isinstance(source, (str, Path)):
        path = Path(source)
    else:
        named = source.config.problems
        if named is None:
            return []
        path, catalog = (Path(source.path).parent / named).resolve(), catalog or source.catalog
    spec = validate(_File, read_yaml(path), path)
    seen: set[object] = set()
    for n, entry in enumerate(spec.entries):
        at = {"file": str(path), "key": f"entries.{n}"}
        for name in {entry.key, (entry.kind, entry.number)} - {(entry.kind, None)}:
            if name in seen:
                raise ConfigError("stands twice", found=name, expected="each key and number once", **at)
            seen.add(name)
        if not entry.rules and entry.needs is None:
            raise ConfigError("has neither rules nor needs", found="nothing",
                              expected="rules, or needs: what would have to be reported", **at)
        for m, rule in enumerate(entry.rules):
            _check(rule, catalog, {"file": str(path), "key": f"entries.{n}.rules.{m}"})
    cited = [(n, fact) for n, entry in enumerate(spec.entries) for fact in entry.facts]
    known = set(reference_facts().table["id"]) if cited else set()
    for n, fact in cited:
        if fact not in known:
            raise UnknownNameError("fact", fact, sorted(known), file=str(path), key=f"entries.{n}.facts")
    return list(spec.entries)


def _check(rule: Rule, catalog: Catalog | None, where: dict) -> None:
    if rule.statistic not in STATISTICS:
        raise UnknownNameError("statistic", rule.statistic, STATISTICS, **where)
    statistic = STATISTICS[rule.statistic]
    if not statistic.low <= rule.value <= statistic.high:
        raise ConfigError("is a threshold that nothing can pass", found=rule.value,
                          expected=f"{statistic.low:g} to {statistic.high:g}", file=where["file"],
                          key=f"{where['key']}.value")
    if (statistic.whole == "needed" and not rule.of) or (statistic.whole == "none" and rule.of):
        raise ConfigError("of: does not fit the statistic", found=rule.of or "nothing", file=where["file"],
                          expected="the parts of the whole" if statistic.whole == "needed" else "no `of`",
                          key=f"{where['key']}.of")
    if (rule.statistic == "instability_after_events") != bool(rule.words):
        raise ConfigError("words: go with instability_after_events", found=rule.words or "nothing",
                          expected="words that mark a system event", file=where["file"], key=f"{where['key']}.words")
    for key in [*rule.indicators, *rule.of] if catalog is not None else []:
        if key not in catalog.indicators:
            raise UnknownNameError("indicator", key, catalog.indicators, **where)
    for key in rule.indicators if catalog is not None else []:
        if catalog.indicators[key].kind not in statistic.kinds:
            raise ConfigError("cannot be asked of this indicator", found=f"{key}: {catalog.indicators[key].kind}",
                              expected=" or ".join(statistic.kinds), **where)
