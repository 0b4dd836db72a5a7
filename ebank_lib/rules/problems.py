"""A register of problems, strengths, weaknesses and risks held against one branch's figures.

A rule is one of the figures in :data:`~ebank_lib.rules.statistics.PROBLEMS` on one side of a threshold. Verdicts are
*shows, does not show, the data cannot say*.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
from pydantic import Field

from ..catalog import Catalog, Id, Texts
from ..config import Strict, read_yaml, validate
from ..display import Shown, describe, html_table
from ..errors import ConfigError, UnknownNameError
from ..files import named_file
from ..monthly import checked_name
from ..wording import cell, cite, language, listed, t
from .statistics import PROBLEMS, Asked, Figure, as_written

Kind = Literal["problem", "strength", "weakness", "risk"]
KINDS = get_args(Kind)
VERDICTS = ("shows", "not", "unknown")
_COLUMNS = ["problem", "kind", "number", "verdict", "statistic", "item", "value", "lo", "hi", "compare", "threshold",
            "missing"]


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
    """One statement. ``shows``: whether any or all of its rules must be met. ``needs``: what would have to be reported
    where the data cannot say."""

    key: Id
    kind: Kind
    number: int | None = Field(default=None, ge=1)
    zh: str
    en: str
    shows: Literal["any", "all"] = "any"
    rules: list[Rule] = []
    needs: Texts | None = None


class _File(Strict):
    entries: list[Entry] = Field(min_length=1)


def load_problems(source, catalog: Catalog | None = None) -> list[Entry]:
    """Read the register that a source names under ``problems:``, or a file of one; none when the source names no file.

    Refused with its place in the file: a key or number that stands twice, an entry with neither rules nor needs, a
    threshold that makes no sense, a rule without what its statistic needs, a name that does not exist. A file needs the
    catalogue, a source has its own.
    """
    path = Path(source) if isinstance(source, (str, Path)) else named_file(source, "problems")
    if path is None:
        return []
    spec = validate(_File, read_yaml(path), path)
    catalog = catalog or source.catalog
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
            _check(rule, catalog, str(path), f"entries.{n}.rules.{m}")
    return list(spec.entries)


def _check(rule: Rule, catalog: Catalog, file: str, at: str) -> None:
    if rule.statistic not in PROBLEMS:
        raise UnknownNameError("statistic", rule.statistic, PROBLEMS, file=file, key=at)
    asked, by_events = PROBLEMS[rule.statistic], rule.statistic == "instability_after_events"
    for wrong, said, column, found, expected in (
            (not asked.low <= rule.value <= asked.high, "is a threshold that nothing can pass", "value", rule.value,
             f"{asked.low:g} to {asked.high:g}"),
            (bool(rule.of) != (asked.whole == "needed") and asked.whole != "may", "of: does not fit the statistic",
             "of", rule.of or "nothing", "the parts of the whole" if asked.whole == "needed" else "no `of`"),
            (by_events != bool(rule.words), "words: go with instability_after_events", "words", rule.words or "nothing",
             "words that mark a system event")):
        if wrong:
            raise ConfigError(said, found=found, expected=expected, file=file, key=f"{at}.{column}")
    for key in [*rule.indicators, *rule.of]:
        if key not in catalog.indicators:
            raise UnknownNameError("indicator", key, catalog.indicators, file=file, key=at)
        if key in rule.indicators and catalog.indicators[key].kind not in asked.kinds:
            raise ConfigError("cannot be asked of this indicator", found=f"{key}: {catalog.indicators[key].kind}",
                              expected=" or ".join(asked.kinds), file=file, key=at)


@dataclass(frozen=True, repr=False)
class Assessment(Shown):
    """What a register says of one branch; see :func:`assess_problems`.

    Attributes
    ----------
    table : DataFrame
        One row an entry: ``problem`` (its key), ``kind, number, verdict`` (``shows``, ``not``, ``unknown``: the data
        cannot say), and of the rule that decides ``statistic, item`` (the indicator), ``value, lo, hi, compare,
        threshold, missing`` (why there is no figure: ``not_measured, too_few, no_peers, no_growth, no_events``,
        ``straddles``: the interval lies on both sides, or ``partly``: the rule is not met, which does not refute the
        entry).
    entries : tuple of Entry
    deciding : tuple of Rule
        Of each entry the rule that decides; None where it has none.
    """

    branch: str
    catalog: Catalog
    table: pd.DataFrame
    entries: tuple[Entry, ...]
    deciding: tuple[Rule | None, ...]

    def labelled(self, lang: str | None = None, kind: str | None = None) -> pd.DataFrame:
        """Return texts: ``kind, number, statement, verdict, figure, threshold, reason`` (of a kind of entry only)."""
        lang = language(lang)
        rows = []
        for entry, row in self.of_kind(kind):
            rule = self.deciding[self.entries.index(entry)]
            reason = self._why(entry, row, lang) if row["verdict"] == "unknown" else getattr(rule, lang)
            bound = "–" if rule is None else t(f"problems.{row['compare']}", lang, value=as_written(
                PROBLEMS[row["statistic"]].form, row["threshold"], lang))
            rows.append((t(f"problems.kind_{entry.kind}", lang), entry.number, getattr(entry, lang),
                         t(f"problems.verdict_{row['verdict']}", lang), self._figure(rule, row, lang),
                         bound, reason))
        return pd.DataFrame(rows, columns=["kind", "number", "statement", "verdict", "figure", "threshold", "reason"])

    def reading(self, lang: str | None = None, kind: str = "problem") -> str:
        """Say in one sentence how many entries of a kind show, do not show, and cannot be told."""
        lang = language(lang)
        if self.table.empty:
            return t("problems.nothing", lang)
        rows = [row for _, row in self.of_kind(kind)]
        if not rows:
            return t("problems.none", lang, kind=t(f"problems.kind_{kind}", lang))
        count = {v: cite(sum(row["verdict"] == v for row in rows), cell("problems", kind=kind, verdict=v))
                 for v in VERDICTS}
        return t("problems.reading", lang, branch=self.catalog.branch(self.branch).label(lang),
                 kinds=t(f"problems.kinds_{kind}", lang), n=cite(len(rows), cell("problems", kind=kind)), **count)

    def of_kind(self, kind: str | None = None) -> list[tuple[Entry, dict]]:
        """Return the entries (of a kind), each with its row of the table."""
        if kind is not None:
            checked_name(kind, "kind of entry", KINDS)
        pairs = zip(self.entries, self.table.to_dict("records"), strict=True)
        return [(entry, row) for entry, row in pairs if kind in (None, entry.kind)]

    def _figure(self, rule: Rule | None, row: dict, lang: str) -> str:
        if not math.isfinite(row["value"]):
            return "–"
        form = PROBLEMS[row["statistic"]].form
        text = as_written(form, row["value"], lang)
        if math.isfinite(row["lo"]):
            text += t("problems.interval", lang, **{end: as_written(form, row[end], lang) for end in ("lo", "hi")})
        name = {k: self.catalog.indicators[k].short_label(lang) for k in [*rule.indicators, *rule.of]}
        key = row["statistic"]
        if key in ("percentile", "gap_months"):
            key += "_per" if rule.of else f"_{rule.measure}"
        what = t(f"problems.{key}", lang, item=name.get(row["item"], listed((name[k] for k in rule.indicators), lang)),
                 of=listed((name[k] for k in rule.of), lang))
        return t("problems.figure", lang, what=what, value=text)

    def _why(self, entry: Entry, row: dict, lang: str) -> str:
        why = t(f"problems.missing_{row['missing']}", lang)
        return why if entry.needs is None else t("problems.needs", lang, why=why, needs=entry.needs(lang))

    def to_html(self, lang: str | None = None, kind: str | None = None) -> str:
        """Return the verdicts as an HTML table."""
        lang = language(lang)
        shown = self.labelled(lang, kind)
        number = shown.pop("number")
        shown["statement"] = [f"{n:.0f}. {s}" if pd.notna(n) else s for n, s in zip(number, shown["statement"])]
        heads = {c: t(f"problems.head_{c}", lang) for c in shown.columns}
        caption = t("problems.caption", lang, branch=self.catalog.branch(self.branch).label(lang))
        return html_table(shown, caption=caption, heads=heads, notes=[t("problems.method", lang)], lang=lang)


def assess_problems(cleaned, branch: str, problems: str | Path | None = None) -> Assessment:
    """Hold a register of problems, strengths, weaknesses and risks against a branch's figures.

    Parameters
    ----------
    cleaned : Cleaned
        Its source names the register (``problems:``); with none the result is empty and says so.
    branch : str
    problems : path, optional
        Another register.

    Returns
    -------
    Assessment
        With one row an entry. A rule that cannot be computed is no evidence either way: an entry that needs *any* rule
        shows when one does, does not show when none does, and else the data cannot say; one that needs *all*
        shows when all do, does not show when one does not, and else the data cannot say.

    Raises
    ------
    ConfigError, UnknownNameError
        The register is wrong, or the branch does not exist.
    """
    catalog = cleaned.catalog
    branch = catalog.branch(branch).id
    checked_name(branch, "branch in the panel", cleaned.panel.index.get_level_values("branch").unique())
    entries = load_problems(cleaned.source if problems is None else problems, catalog)
    rows, deciding = [], []
    for entry in entries:
        rule, row = None, {"verdict": "unknown", "statistic": "", "item": "", "compare": "", "missing": "not_measured"}
        if entry.rules:
            judged = [_judge(rule, cleaned, branch) for rule in entry.rules]
            # The strongest verdict that there is for any or all decides.
            order = ("shows", "unknown", "not") if entry.shows == "any" else ("not", "unknown", "shows")
            at = min(range(len(judged)), key=lambda n: order.index(judged[n]["verdict"]))
            rule, row = entry.rules[at], judged[at]
        deciding.append(rule)
        rows.append(row | {"problem": entry.key, "kind": entry.kind, "number": entry.number})
    table = describe(pd.DataFrame(rows, columns=_COLUMNS), indicator="item")
    return Assessment(branch, catalog, table, tuple(entries), tuple(deciding))


def _judge(rule: Rule, cleaned, branch: str) -> dict:
    out = {"statistic": rule.statistic, "item": "", "value": np.nan, "lo": np.nan, "hi": np.nan,
           "compare": rule.compare, "threshold": float(rule.value), "verdict": "unknown", "missing": "too_few"}
    if any(k not in cleaned.panel.columns for k in [*rule.indicators, *rule.of]):
        return out
    statistic, asked = PROBLEMS[rule.statistic], Asked(cleaned, branch, rule)
    figures = [statistic.compute(asked, *key) for key in ([()] if statistic.together else zip(rule.indicators))]
    known, missing = [f for f in figures if not f.missing], [f.missing for f in figures if f.missing]
    if not known:
        return out | {"missing": missing[0]}
    worst = max(known, key=lambda f: f.value if rule.compare == "above" else -f.value)
    verdict = _verdict(worst, rule)
    out |= {"item": worst.item, "value": worst.value, "lo": worst.lo, "hi": worst.hi}
    if missing and verdict != "shows":      # one of several indicators is unknown and no other shows it
        return out | {"missing": missing[0]}
    if verdict == "not" and rule.otherwise == "unknown":
        return out | {"missing": "partly"}
    return out | {"verdict": verdict, "missing": "straddles" if verdict == "unknown" else ""}


def _verdict(figure: Figure, rule: Rule) -> str:
    sign, near, far = (1 if rule.compare == "above" else -1), figure.value, figure.value
    if PROBLEMS[rule.statistic].decides and math.isfinite(figure.lo):
        near, far = (figure.lo, figure.hi) if sign > 0 else (figure.hi, figure.lo)
    return "shows" if sign * near > sign * rule.value else "not" if sign * far <= sign * rule.value else "unknown"
