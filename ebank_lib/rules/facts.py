"""Stylised facts: each statement of a study as figures that could contradict it, with intervals and a verdict by rule.

A check names a statistic of :data:`~ebank_lib.rules.statistics.FACTS`, indicators by key, a threshold and a side. It
``holds`` when the whole interval lies beyond the threshold on that side, ``fails`` when the whole interval lies on the
other side, and is ``unclear`` otherwise. Of several indicators or pairs the least favourable decides; its bound that
could contradict the claim is widened for having been picked (Bonferroni), the one that could support it needs no
correction (Berger 1982, intersection-union test). A fact holds when all its checks hold and fails when one fails.

Intervals of 90% promise that a check of one indicator holds in 5% of cases when the truth lies at its threshold. Of 300
simulated branches of 44 months, growth normal or with the tails of Student's t of 3 degrees, it held in 6 to 8% (means
and their gaps), 9 to 12% (ratios of volatility) and 6 to 10% (volatility of the second half); a share that is a random
walk was called rising in 7% (of 600). Where growth hangs together from month to month (autocorrelation 0.5) means and
gaps held in 12 to 13%, rising shares in 11 to 13%; where half of each step is taken back in the next month such a share
was called rising in 21 to 25%. A single verdict is no proof; a fact of many checks, all of which must hold, is surer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from ..catalog import Catalog
from ..config import Strict, read_yaml, validate
from ..display import Shown, describe, html_table
from ..errors import ConfigError, SeriesError, UnknownNameError
from ..files import named_file
from ..growth import as_month
from ..monthly import checked_name
from ..wording import cell, cite, join, language, listed, month_name, percent, t
from .statistics import FACTS, MIN_MONTHS, Data, as_written

VERDICTS = ("holds", "fails", "unclear")
# What a statistic needs beside indicators, a side and a threshold.
_NEEDS = {"growth_gap": "against", "volatility_ratio": "against", "typical_volatility": "against",
          "annual_ratio": "against", "annual_growth_gap": "against", "jump": "month", "other_jumps": "month"}


class Check(Strict):
    """One figure that the statement implies."""

    statistic: str
    side: Literal["above", "below"]
    threshold: float | int
    indicators: list[str] = Field(min_length=1)
    against: list[str] = []
    month: str | None = None
    fixed: list[str] = []
    limit: float | int = 10


class Fact(Strict):
    """One statement, both languages, with its checks."""

    fact: int
    zh: str
    en: str
    scope: Literal["branch", "total"] = "branch"
    year: int | None = None
    checks: list[Check] = Field(min_length=1)


class FactFile(Strict):
    """The whole ``facts.yaml``."""

    level: float = Field(default=0.9, gt=0.5, lt=1)
    replications: int = Field(default=999, ge=99, le=100_000)
    seed: int = 0
    facts: list[Fact]


def load_facts(path: Path, catalog: Catalog) -> FactFile:
    """Read a file of facts, each check held against the catalogue and what its statistic needs."""
    spec = validate(FactFile, read_yaml(path), path)
    for fact, n, check in ((one, n, check) for one in spec.facts for n, check in enumerate(one.checks)):
        at = {"file": str(path), "key": f"facts.{fact.fact}.checks.{n}"}
        if check.statistic not in FACTS:
            raise UnknownNameError("statistic", check.statistic, FACTS, **at)
        for key in [*check.indicators, *check.against]:
            if key not in catalog.indicators:
                raise UnknownNameError("indicator", key, catalog.indicators, **at)
        needs = "year" if check.statistic.startswith("annual") else _NEEDS.get(check.statistic)
        if needs and not getattr(fact if needs == "year" else check, needs):
            raise ConfigError(f"{check.statistic} needs {needs}", **at)
        for month in filter(None, [check.month, *check.fixed]):
            try:
                as_month(month)
            except SeriesError as error:
                raise ConfigError("bad month", found=month, expected="YYYY-MM", **at) from error
    return spec


@dataclass(frozen=True, repr=False)
class Facts(Shown):
    """What a study states, held against the figures; see :func:`stylised_facts`.

    Attributes
    ----------
    numbers : DataFrame
        One row a check, neutral in language: ``fact, part, statistic, item, other, value, lo, hi, level, side,
        threshold, verdict``; `item` (and `other`, for pairs) is the one least favourable to the claim, which decides.
    """

    branch: str
    catalog: Catalog
    numbers: pd.DataFrame
    spec: FactFile | None = None

    @property
    def table(self) -> pd.DataFrame:
        """The checks in the language in use: ``fact, statement, statistic, value, lo, hi, level, verdict, reading``."""
        return self.labelled()

    def labelled(self, lang: str | None = None) -> pd.DataFrame:
        """Return the checks with texts in `lang`; ``verdict`` stays holds | fails | unclear."""
        lang, rows = language(lang), list(self.numbers.itertuples())
        out = self.numbers[["fact", "part", "value", "lo", "hi", "level", "verdict"]].copy()
        out.insert(2, "statement", [getattr(self._fact(row.fact), lang) for row in rows])
        out.insert(3, "statistic", [self._what(row, lang) + (
            t("facts.in_points", lang) if FACTS[row.statistic][1] == "points" else "") for row in rows])
        return describe(out.assign(reading=[self._sentence(row, lang) for row in rows]), indicator="*")

    @property
    def verdicts(self) -> pd.DataFrame:
        """One row a fact: ``fact, statement, verdict``."""
        rows = []
        for n, verdicts in self.numbers.groupby("fact", sort=False)["verdict"]:
            whole = "fails" if "fails" in set(verdicts) else "holds" if set(verdicts) == {"holds"} else "unclear"
            rows.append((n, getattr(self._fact(n), language()), whole))
        return describe(pd.DataFrame(rows, columns=["fact", "statement", "verdict"]), indicator="*")

    def reading(self, lang: str | None = None) -> str:
        """Say in one sentence how many facts hold."""
        lang = language(lang)
        if self.numbers.empty:
            return t("facts.none", lang)
        table, found = "fact_verdicts", self.verdicts.groupby("verdict")["fact"].apply(list)
        parts = [t(f"facts.count_{v}", lang, n=cite(len(found[v]), cell(table, verdict=v)), which=listed(
            [cite(n, cell(table, "fact", fact=n)) for n in found[v]], lang)) for v in VERDICTS if v in found.index]
        return t("facts.reading", lang, branch=self.catalog.branch(self.branch).label(lang), n=cite(
            len(self.verdicts), cell(table)), parts=join(parts, "；" if lang == "zh" else "; "))

    def plot(self, lang: str | None = None):
        """Draw each check's interval beside its threshold; returns the Figure."""
        from ..charts.growth import plot_facts

        return plot_facts(self, lang)

    def _fact(self, number: int) -> Fact:
        return next(fact for fact in self.spec.facts if fact.fact == number)

    def _what(self, row, lang: str) -> str:
        fact = self._fact(row.fact)
        check = fact.checks[ord(row.part) - ord("a")]
        label = {k: self.catalog.indicators[k].short_label(lang) for k in [*check.indicators, *check.against]}
        everything = listed((label[k] for k in check.indicators), lang)
        text = t(f"facts.{row.statistic}", lang, a=label.get(row.item, everything), b=label.get(row.other, ""),
                 year=fact.year, limit=f"{check.limit:g}",
                 month=month_name(pd.Period(check.month, "M"), lang) if check.month else "")
        choices = len(check.indicators) * (len(check.against) if row.other else 1)
        return text + (t("facts.worst", lang) if row.item and choices > 1 else "")

    def _sentence(self, row, lang: str) -> str:
        if not math.isfinite(row.value):
            return t("facts.no_data", lang)
        lo, hi = written(row.statistic, row.lo, lang), written(row.statistic, row.hi, lang)
        interval = t("facts.interval", lang, level=percent(row.level, 0), lo=lo, hi=hi) if lo != hi else ""
        return t("facts.sentence", lang, statistic=self._what(row, lang), interval=interval,
                 value=written(row.statistic, row.value, lang), side=t(f"facts.side_{row.side}", lang),
                 threshold=written(row.statistic, row.threshold, lang), verdict=t(f"facts.word_{row.verdict}", lang))

    def to_html(self, lang: str | None = None) -> str:
        """Return the statements, a figure a row as HTML."""
        lang = language(lang)
        if self.numbers.empty:
            return f'<p class="note">{self.reading(lang)}</p>'
        rows, words = list(self.numbers.itertuples()), self.labelled(lang)
        ends = [(written(r.statistic, r.lo, lang), written(r.statistic, r.hi, lang)) for r in rows]
        shown = pd.DataFrame({
            "statement": [f"{r.fact}. {text}" if r.part == "a" else ""
                          for r, text in zip(rows, words["statement"], strict=True)],
            "statistic": words["statistic"], "value": [written(r.statistic, r.value, lang) for r in rows],
            "interval": [t("facts.from_to", lang, lo=lo, hi=hi) if lo != hi else lo for lo, hi in ends],
            "needs": [f"{t('facts.side_' + r.side, lang)} {written(r.statistic, r.threshold, lang)}" for r in rows],
            "verdict": [t(f"facts.verdict_{r.verdict}", lang) for r in rows]})
        # Where a fact speaks of doubling, the bound that it is judged by, if less than 100%.
        bounds = {(f.fact, c.threshold) for f in self.spec.facts for c in f.checks
                  if "翻番" in f.zh and c.statistic == "annual_growth" and c.side == "above" and 0 < c.threshold < 1}
        notes = [t("facts.rule", lang, level=percent(self.spec.level, 0)), *(
            t("facts.doubling", lang, fact=fact, bound=percent(bound, 0)) for fact, bound in sorted(bounds))]
        return html_table(shown, caption=t("facts.caption", lang, branch=self.catalog.branch(self.branch).label(lang)),
                          heads={name: t(f"facts.head_{name}", lang) for name in shown.columns}, notes=notes, lang=lang)


def stylised_facts(cleaned, branch: str, facts: str | Path | None = None) -> Facts:
    """Hold a study's facts against a branch's figures.

    Parameters
    ----------
    cleaned : Cleaned
        Its source names the file of facts (``facts:``); with none the result is empty and says so.
    branch : str
    facts : path, optional
        Another file of facts.

    Raises
    ------
    ConfigError, UnknownNameError
        The file of facts is wrong, or names an indicator or statistic that does not exist.
    """
    catalog, source = cleaned.catalog, cleaned.source
    branch = catalog.branch(branch).id
    facts = named_file(source, "facts") if facts is None else facts
    columns = ["fact", "part", "statistic", "item", "other", "value", "lo", "hi", "level", "side", "threshold",
               "verdict"]
    if facts is None:
        return Facts(branch, catalog, pd.DataFrame(columns=columns))
    spec = load_facts(Path(facts), catalog)
    checked_name(branch, "branch in the panel", cleaned.branches)
    frames = {"branch": cleaned.block(branch)}
    if any(fact.scope == "total" for fact in spec.facts):
        frames["total"] = cleaned.total()
    rows = [{"fact": fact.fact, "part": chr(ord("a") + n)} | _judge(
        check, Data(frames[fact.scope], check.indicators, spec.replications, spec.seed + 100 * fact.fact + n,
                    check.against, check.month, check.fixed, check.limit, fact.year), spec.level)
            for fact in spec.facts for n, check in enumerate(fact.checks)]
    return Facts(branch, catalog, pd.DataFrame(rows, columns=columns), spec)


def _judge(check: Check, data: Data, level: float) -> dict:
    """Compute a check and give the verdict of the item least favourable to the claim."""
    found = {"statistic": check.statistic, "item": "", "other": "", "value": np.nan, "lo": np.nan, "hi": np.nan,
             "level": level, "side": check.side, "threshold": float(check.threshold), "verdict": "unclear"}
    absent = [k for k in data.names if k not in data.frame or data.frame[k].notna().sum() < MIN_MONTHS]
    if absent:
        return found | {"item": absent[0]}
    estimate = FACTS[check.statistic][0](data)
    if not np.isfinite(estimate.value).all():
        return found | {"item": estimate.items[int(np.argmin(np.isfinite(estimate.value)))][0]}
    above = check.side == "above"
    plain, strict = estimate.bounds(level), estimate.bounds(1 - (1 - level) / len(estimate.items))
    # The bound that would support the claim, and the one that would contradict it, corrected for being picked.
    lo, hi = (plain[0], strict[1]) if above else (strict[0], plain[1])
    support, against, limit = (lo, hi, check.threshold) if above else (-hi, -lo, -check.threshold)
    if (against <= limit).any():
        verdict, which = "fails", int(np.argmin(against))
    else:
        verdict, which = "holds" if (support > limit).all() else "unclear", int(np.argmin(support))
    item, other = estimate.items[which]
    return found | {"item": item, "other": other, "value": float(estimate.value[which]), "lo": float(lo[which]),
                    "hi": float(hi[which]), "verdict": verdict}


def written(statistic: str, value: float, lang: str | None = None) -> str:
    """Return a figure of this statistic as text; points without their unit where no language is given."""
    return as_written(FACTS[statistic][1], value, lang)
