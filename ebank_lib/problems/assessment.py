"""A register held against one branch's figures: verdicts, the figures behind them, sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ebank_lib.catalog import Catalog
from ebank_lib.display import html_table
from ebank_lib.errors import UnknownNameError
from ebank_lib.problems.spec import KINDS, Entry, Rule, load_problems
from ebank_lib.problems.statistics import STATISTICS, Asked, Figure
from ebank_lib.reference import reference_facts
from ebank_lib.wording import language, percent, t

__all__ = ["VERDICTS", "Assessment", "assess_problems"]

VERDICTS = ("shows", "not", "unknown")
_RULE_COLUMNS = ["problem", "rule", "statistic", "item", "value", "lo", "hi", "compare", "threshold", "verdict",
                 "missing"]
_COLUMNS = ["problem", "kind", "number", "verdict", "statistic", "item", "value", "lo", "hi", "compare", "threshold",
            "missing"]


@dataclass(frozen=True)
class Assessment:
    """What a register says of one branch; see :func:`assess_problems`.

    Attributes
    ----------
    table : DataFrame
        One row an entry: ``problem`` (its key), ``kind, number, verdict`` (``shows``, ``not``, ``unknown``: the data
        cannot say), and of the rule that decides ``statistic, item`` (the indicator), ``value, lo, hi, compare,
        threshold, missing`` (why there is no figure: ``not_measured, too_few, no_peers, no_growth, no_events``,
        ``straddles``: the interval lies on both sides, or ``partly``: the rule is not met, which does not refute the
        entry).
    rules : DataFrame
        One row a rule of every entry, the same columns.
    """

    branch: str
    catalog: Catalog = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    rules: pd.DataFrame = field(repr=False)
    entries: tuple[Entry, ...] = field(default=(), repr=False)

    def labelled(self, lang: str | None = None, kind: str | None = None) -> pd.DataFrame:
        """Return texts: ``kind, number, statement, verdict, figure, threshold, reason`` (of a kind of entry only)."""
        lang = language(lang)
        rows = []
        for entry, row in self.of_kind(kind):
            rule = self._rule(entry, row["problem"])
            told = rule is not None and row["verdict"] != "unknown"
            reason = getattr(rule, lang) if told else self._why(entry, row, lang)
            rows.append((t(f"problems.kind_{entry.kind}", lang), entry.number, getattr(entry, lang),
                         t(f"problems.verdict_{row['verdict']}", lang), self.figure(row, lang),
                         "–" if rule is None else self.threshold(row, lang), reason))
        return pd.DataFrame(rows, columns=["kind", "number", "statement", "verdict", "figure", "threshold", "reason"])

    def sentences(self, lang: str | None = None, kind: str | None = None) -> list[str]:
        """Return a sentence for each entry (of a kind): statement, verdict, figure, threshold and its reason."""
        lang = language(lang)
        return [self._sentence(entry, row, lang) for entry, row in self.of_kind(kind)]

    def reading(self, lang: str | None = None, kind: str = "problem") -> str:
        """Say in one sentence how many entries of a kind show, do not show, and cannot be told."""
        lang = language(lang)
        rows = [row for _, row in self.of_kind(kind)]
        who = self.catalog.branch(self.branch).label(lang)
        if self.table.empty:
            return t("problems.nothing", lang)
        if not rows:
            return t("problems.none", lang, kind=t(f"problems.kind_{kind}", lang))
        count = {v: sum(r["verdict"] == v for r in rows) for v in VERDICTS}
        return t("problems.reading", lang, branch=who, kinds=t(f"problems.kinds_{kind}", lang), n=len(rows), **count)

    def figure(self, row: dict, lang: str | None = None) -> str:
        """Return the figure of a row as it is said, with the indicator it is of."""
        if not math.isfinite(row["value"]):
            return "–"
        lang = language(lang)
        text = self._said(row["statistic"], row["value"], lang)
        if math.isfinite(row["lo"]):
            text += t("problems.interval", lang, lo=self._said(row["statistic"], row["lo"], lang),
                      hi=self._said(row["statistic"], row["hi"], lang))
        return t("problems.figure", lang, what=self._what(row, lang), value=text)

    def threshold(self, row: dict, lang: str | None = None) -> str:
        """Return the threshold of a row as it is said."""
        lang = language(lang)
        return t(f"problems.{row['compare']}", lang, value=self._said(row["statistic"], row["threshold"], lang))

    def _said(self, statistic: str, value: float, lang: str) -> str:
        form = STATISTICS[statistic].form
        if form == "percent":
            whole = statistic == "percentile" or abs(value * 100 - round(value * 100)) < 1e-9
            return percent(value, 0 if whole else 1)
        return t("problems.months", lang, n=f"{value:.0f}") if form == "months" else f"{value:.2f}"

    def _what(self, row: dict, lang: str) -> str:
        entry = next(e for e in self.entries if e.key == row["problem"])
        rule = self._rule(entry, row["problem"], row)
        name = {k: self.catalog.indicators[k].short_label(lang) for k in [*rule.indicators, *rule.of]}
        join = "、" if lang == "zh" else ", "
        key = f"problems.{row['statistic']}"
        if row["statistic"] == "percentile":
            key += "_per" if rule.of else f"_{rule.measure}"
        elif row["statistic"] == "gap_months":
            key += f"_{rule.measure}"
        return t(key, lang, item=name.get(row["item"], join.join(name[k] for k in rule.indicators)),
                 of=join.join(name[k] for k in rule.of))

    def of_kind(self, kind: str | None = None) -> list[tuple[Entry, dict]]:
        """Return the entries (of a kind), each with its row of the table.

        Raises
        ------
        UnknownNameError
            No such kind.
        """
        if kind is not None and kind not in KINDS:
            raise UnknownNameError("kind of entry", kind, KINDS)
        pairs = zip(self.entries, self.table.to_dict("records"), strict=True)
        return [(entry, row) for entry, row in pairs if kind in (None, entry.kind)]

    def _rule(self, entry: Entry, problem: str, row: dict | None = None) -> Rule | None:
        if not entry.rules:
            return None
        number = row.get("rule") if row else None
        if number is None:
            mine = self.rules[self.rules["problem"] == problem]
            number = _deciding(mine["verdict"].tolist(), entry.shows)
        return entry.rules[int(number)]

    def _why(self, entry: Entry, row: dict, lang: str) -> str:
        why = t(f"problems.missing_{row['missing']}", lang)
        return why if entry.needs is None else t("problems.needs", lang, why=why, needs=entry.needs(lang))

    def _sentence(self, entry: Entry, row: dict, lang: str) -> str:
        gap = "；" if lang == "zh" else "; "
        facts = [reference_facts().fact(id)[lang] for id in entry.facts]
        about = {"statement": getattr(entry, lang), "verdict": t(f"problems.verdict_{row['verdict']}", lang),
                 "cited": t("problems.cited", lang, facts=gap.join(facts)) if facts else ""}
        known = self.rules[(self.rules["problem"] == entry.key) & self.rules["value"].notna()].to_dict("records")
        if row["verdict"] == "unknown":
            # What can be seen of it is still told.
            seen = [self._measured(r, lang) for r in known]
            told = "".join(s + gap for s in seen) + self._why(entry, row, lang)
            return t("problems.sentence_unknown", lang, told=_capital(told), **about)
        rule = self._rule(entry, entry.key)
        measured = _capital(self._measured(row, lang))
        return t("problems.sentence", lang, measured=measured, reason=getattr(rule, lang), **about)

    def _measured(self, row: dict, lang: str) -> str:
        return t("problems.measured", lang, figure=self.figure(row, lang), threshold=self.threshold(row, lang))

    def to_html(self, lang: str | None = None, kind: str | None = None) -> str:
        """Return the verdicts as an HTML table."""
        lang = language(lang)
        shown = self.labelled(lang, kind)
        number = shown.pop("number")
        shown["statement"] = [f"{n:.0f}. {s}" if pd.notna(n) else s for n, s in zip(number, shown["statement"])]
        heads = {c: t(f"problems.head_{c}", lang) for c in shown.columns}
        caption = t("problems.caption", lang, branch=self.catalog.branch(self.branch).label(lang))
        return html_table(shown, caption=caption, heads=heads, notes=[t("problems.method", lang)], lang=lang)

    def _repr_html_(self) -> str:
        return self.to_html()

    def plot(self, lang: str | None = None, kind: str | None = None):
        """Draw a strip: a row an entry, its verdict as a mark, its figure against the threshold; returns the Figure."""
        from ebank_lib.charts.problems import plot_problems

        return plot_problems(self, lang, kind)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


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
    here = cleaned.panel.index.get_level_values("branch").unique()
    if branch not in here:
        raise UnknownNameError("branch in the panel", branch, here)
    entries = load_problems(cleaned.source if problems is None else problems, catalog)
    rules, rows = [], []
    for entry in entries:
        mine = [_judge(entry, n, rule, cleaned, branch) for n, rule in enumerate(entry.rules)]
        rules += mine
        head = {"problem": entry.key, "kind": entry.kind, "number": entry.number}
        if not mine:
            rows.append(head | {"verdict": "unknown", "statistic": "", "item": "", "value": np.nan, "lo": np.nan,
                                "hi": np.nan, "compare": "", "threshold": np.nan, "missing": "not_measured"})
            continue
        decides = mine[_deciding([r["verdict"] for r in mine], entry.shows)]
        rows.append(head | {k: v for k, v in decides.items() if k not in ("problem", "rule")})
    return Assessment(branch, catalog, pd.DataFrame(rows, columns=_COLUMNS),
                      pd.DataFrame(rules, columns=_RULE_COLUMNS), tuple(entries))


def _deciding(verdicts: list[str], shows: str) -> int:
    """Return the rule whose verdict is the entry's: the strongest there is for `any` or `all`."""
    order = ("shows", "unknown", "not") if shows == "any" else ("not", "unknown", "shows")
    return next(verdicts.index(v) for v in order if v in verdicts)


def _judge(entry: Entry, number: int, rule: Rule, cleaned, branch: str) -> dict:
    out = {"problem": entry.key, "rule": number, "statistic": rule.statistic, "item": "", "value": np.nan, "lo": np.nan,
           "hi": np.nan, "compare": rule.compare, "threshold": float(rule.value), "verdict": "unknown", "missing": ""}
    statistic = STATISTICS[rule.statistic]
    if any(k not in cleaned.panel.columns for k in [*rule.indicators, *rule.of]):
        return out | {"missing": "too_few"}
    figures = statistic.compute(Asked(cleaned, branch, rule))
    known = [f for f in figures if not f.missing]
    sign = 1 if rule.compare == "above" else -1
    if known:
        worst = max(known, key=lambda f: sign * f.value)
        verdict = _verdict(worst, sign, rule.value, statistic.decides)
        missing = "straddles" if verdict == "unknown" else ""
        if verdict == "not" and rule.otherwise == "unknown":
            verdict, missing = "unknown", "partly"
        out |= {"item": worst.item, "value": worst.value, "lo": worst.lo, "hi": worst.hi, "verdict": verdict,
                "missing": missing}
        if verdict == "shows" or len(known) == len(figures):
            return out
    # One of several indicators is unknown and no other shows it.
    return out | {"verdict": "unknown", "missing": next(f.missing for f in figures if f.missing)}


def _verdict(figure: Figure, sign: int, threshold: float, by_interval: bool) -> str:
    if by_interval and math.isfinite(figure.lo):
        near, far = (figure.lo, figure.hi) if sign > 0 else (figure.hi, figure.lo)
        return "shows" if sign * near > sign * threshold else "not" if sign * far <= sign * threshold else "unknown"
    return "shows" if sign * figure.value > sign * threshold else "not"
