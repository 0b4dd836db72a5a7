"""Facts held against the figures: the table, its sentences and its HTML."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pandas as pd

from ebank_lib.catalog import Catalog
from ebank_lib.display import html_table
from ebank_lib.facts.spec import FactFile
from ebank_lib.facts.statistics import in_points, written
from ebank_lib.wording import language, month_name, percent, t

__all__ = ["Facts"]


@dataclass(frozen=True)
class Facts:
    """What a study states, held against the figures.

    Attributes
    ----------
    numbers : DataFrame
        One row a check, neutral in language: ``fact, part, statistic, item, other, value, lo, hi, level, side,
        threshold, verdict``; `item` (and `other`, for pairs) is the one least favourable to the claim, which decides.
    """

    branch: str
    catalog: Catalog = field(repr=False)
    numbers: pd.DataFrame = field(repr=False)
    spec: FactFile | None = field(default=None, repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """The checks in the language in use: ``fact, statement, statistic, value, lo, hi, level, verdict, reading``."""
        return self.labelled()

    def labelled(self, lang: str | None = None) -> pd.DataFrame:
        """Return the checks with texts in `lang`; ``verdict`` stays holds | fails | unclear."""
        lang = language(lang)
        out = self.numbers[["fact", "part", "value", "lo", "hi", "level", "verdict"]].copy()
        out.insert(2, "statement", [self._statement(n, lang) for n in self.numbers["fact"]])
        out.insert(3, "statistic", [self._statistic(row, lang) for row in self.numbers.itertuples()])
        out["reading"] = [self._sentence(row, lang) for row in self.numbers.itertuples()]
        return out

    @property
    def verdicts(self) -> pd.DataFrame:
        """One row a fact: ``fact, statement, verdict``."""
        rows = [{"fact": n, "statement": self._statement(n, language()), "verdict": _together(group["verdict"])}
                for n, group in self.numbers.groupby("fact", sort=False)]
        return pd.DataFrame(rows, columns=["fact", "statement", "verdict"])

    def reading(self, lang: str | None = None) -> str:
        """Say in one sentence how many facts hold."""
        lang = language(lang)
        if self.numbers.empty:
            return t("facts.none", lang)
        found = self.verdicts.groupby("verdict")["fact"].apply(list)
        gap = "、" if lang == "zh" else ", "
        parts = [t(f"facts.count_{v}", lang, n=len(found[v]), which=gap.join(map(str, found[v])))
                 for v in ("holds", "fails", "unclear") if v in found.index]
        return t("facts.reading", lang, branch=self.catalog.branch(self.branch).label(lang),
                 n=len(self.verdicts), parts=("；" if lang == "zh" else "; ").join(parts))

    def plot(self, lang: str | None = None):
        """Draw each check's interval beside its threshold; returns the Figure."""
        from ebank_lib.charts.facts import plot_facts

        return plot_facts(self, lang)

    def _statement(self, number: int, lang: str) -> str:
        return next(getattr(f, lang) for f in self.spec.facts if f.fact == number)

    def _check(self, row):
        fact = next(f for f in self.spec.facts if f.fact == row.fact)
        return fact, fact.checks[ord(row.part) - ord("a")]

    def _statistic(self, row, lang: str) -> str:
        """Say what is measured, with the unit where its figures may stand without one."""
        return self._what(row, lang) + (t("facts.in_points", lang) if in_points(row.statistic) else "")

    def _what(self, row, lang: str) -> str:
        fact, check = self._check(row)
        label = {k: self.catalog.indicators[k].short_label(lang) for k in [*check.indicators, *check.against]}
        everything = ("、" if lang == "zh" else ", ").join(label[k] for k in check.indicators)
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

    def _repr_html_(self) -> str:
        if self.numbers.empty:
            return f'<p class="note">{self.reading()}</p>'
        shown, lang = self.labelled(), language()
        shown["statement"] = [f"{n}. {text}" if part == "a" else "" for n, part, text in
                              zip(shown["fact"], shown["part"], shown["statement"], strict=True)]
        for name in ("value", "lo", "hi"):
            shown[name] = [written(s, v, lang) for s, v in zip(self.numbers["statistic"], shown[name], strict=True)]
        shown["interval"] = [t("facts.from_to", lo=lo, hi=hi) if lo != hi else lo
                             for lo, hi in zip(shown["lo"], shown["hi"], strict=True)]
        shown["needs"] = [f"{t('facts.side_' + side)} {written(s, v, lang)}" for s, side, v in zip(
            self.numbers["statistic"], self.numbers["side"], self.numbers["threshold"], strict=True)]
        shown["verdict"] = [t(f"facts.verdict_{v}") for v in shown["verdict"]]
        shown = shown[["statement", "statistic", "value", "interval", "needs", "verdict"]]
        heads = {name: t(f"facts.head_{name}") for name in shown.columns}
        return html_table(shown, caption=t("facts.caption", branch=self.catalog.branch(self.branch).label()),
                          heads=heads, notes=[t("facts.rule", level=percent(self.spec.level, 0)), *self._doubling()])

    def _doubling(self) -> list[str]:
        """Say by which bound a fact that speaks of doubling is judged, where that is less than 100%."""
        bounds = {(f.fact, c.threshold) for f in self.spec.facts for c in f.checks
                  if "翻番" in f.zh and c.statistic == "annual_growth" and c.side == "above" and 0 < c.threshold < 1}
        return [t("facts.doubling", fact=fact, bound=percent(bound, 0)) for fact, bound in sorted(bounds)]


def _together(verdicts: pd.Series) -> str:
    return "fails" if (verdicts == "fails").any() else "holds" if (verdicts == "holds").all() else "unclear"
