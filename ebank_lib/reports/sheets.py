"""What ``tables.xlsx`` says: the panel and the recorded tables as a person reads them, in the reader's language.

A row a month, a branch, an indicator or a target; headings with their units; figures that add up where they are added.
The tidy tables, with every column and the names that code uses, are the CSV and Parquet files that the contents name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..cleaning import reporting
from ..config import read_yaml
from ..province.sums import TENTH, add_up, name_of, total_of
from ..scenarios.strategy import is_share
from ..wording import t
from .page import About

_SPEC = Path(__file__).with_name("sheets.yaml")
_ORDER = ("months", "years", "branches", "league", "contributions", "carriers", "forecast", "targets", "measures",
          "ranks", "ranks_growth", "growth", "accuracy", "changes")


@dataclass(frozen=True)
class Column:
    """A heading, the values below it, and what kind of number they are, all or each: one of ``workbook.FORMATS`` (with
    a ``?`` behind it one that is in doubt), or an Excel format."""

    head: str
    values: Sequence[Any]
    kind: str | Sequence[str] = "text"

    @property
    def worded(self) -> bool:
        """Whether texts or months stand in it."""
        return self.kind in ("text", "month")


@dataclass(frozen=True)
class Sheet:
    """A sheet: its name, what it is for, its columns, the file with more, notes below it, and whether its last row is
    the sum of the others."""

    name: str
    about: str
    columns: Sequence[Column]
    file: str
    notes: Sequence[str] = ()
    total: bool = False


def sheets_of(tables: Iterable[Mapping[str, Any]], cleaned, about: About) -> list[Sheet]:
    """Return the sheets of a report, of those that its recorded tables and the panel have something for."""
    made, spec = _Sheets({table["name"]: table for table in tables}, cleaned, about), read_yaml(_SPEC)
    sheets = (made.recorded(name, **spec[name]) if name in spec else getattr(made, name)() for name in _ORDER)
    return [sheet for sheet in sheets if sheet]


class _Sheets:
    """The sheets of a report; a method returns None where there is nothing to show."""

    def __init__(self, tables: Mapping[str, Mapping[str, Any]], cleaned, about: About):
        self.tables, self.cleaned, self.about, self.lang = tables, cleaned, about, about.lang
        self.catalog, self.total = cleaned.catalog, total_of(cleaned.catalog)
        self.whole = about.branch == self.total or about.branch not in cleaned.branches
        self.named = about.names["targets"] | about.names["levers"]

    def say(self, key: str, **values: object) -> str:
        return t(f"workbook.{key}", self.lang, **values)

    def sheet(self, name: str, columns: Sequence[Column], file: str, notes: Iterable[str] = (),
              total: bool = False) -> Sheet:
        about = self.say(f"{name}_about", indicator=self.head(self.about.indicator))
        return Sheet(self.say(name), about, columns, file, [*notes], total)

    def head(self, key: str, unit: str = "") -> str:
        """Return an indicator's label with its unit."""
        unit, label = unit or self.catalog.unit_label(key, self.lang), self.catalog.indicator(key).label(self.lang)
        return self.say("with_unit", label=label, unit=unit) if unit else label

    def kind(self, key: str, kind: str = "level") -> str:
        """Return what kind of number an indicator is, or a target of some kind on it."""
        if kind in ("rank", "growth"):
            return {"rank": "rank", "growth": "change"}[kind]
        if kind == "share" or is_share(self.catalog, key):
            return "percent"
        return "times" if self.catalog.indicator(key).kind == "ratio" else "count"

    def table(self, *names: str) -> pd.DataFrame | None:
        """Return the first of some tables that was recorded and has rows."""
        table = next((self.tables[name] for name in names if name in self.tables and self.tables[name]["rows"]), None)
        return table and pd.DataFrame(table["rows"], columns=[column["name"] for column in table["columns"]])

    def panel(self, doubtful: str) -> pd.DataFrame:
        """Return months x indicators of the report's branch, or of all together, without indicators that it has not."""
        known = self.cleaned.total(doubtful) if self.whole else self.cleaned.block(self.about.branch, doubtful)
        return known.loc[self.about.first:self.about.last].dropna(axis=1, how="all")

    def by_month(self, name: str, months: pd.Index, columns: Sequence[Column], notes: Iterable[str] = ()) -> Sheet:
        month = Column(self.say("head_month"), months.astype(str), "month")
        return self.sheet(name, [month, *columns], "panel.csv", notes)

    # --- the panel -------------------------------------------------------------------------------------------------

    def months(self) -> Sheet:
        y = self.panel("keep")
        sure = y.isna() | self.panel("omit").reindex(columns=y.columns).notna()
        columns = [Column(self.head(key), y[key], [self.kind(key) + "?" * (not held) for held in sure[key]])
                   for key in y]
        return self.by_month("months", y.index, columns, [] if sure.all(axis=None) else [self.say("doubt")])

    def years(self) -> Sheet | None:
        y = self.panel("omit")
        grown, points = y / y.shift(12).where(lambda before: before > 0) - 1, 100 * (y - y.shift(12))
        columns = [Column(self.head(key, self.say("points")), points[key].iloc[12:], "points")
                   if is_share(self.catalog, key) else
                   Column(self.catalog.indicator(key).label(self.lang), grown[key].iloc[12:], "change") for key in y]
        return self.by_month("years", y.index[12:], columns) if len(y) > 12 else None

    def branches(self) -> Sheet | None:
        key, whole = self.about.indicator, self.panel("keep")
        if not self.whole or key not in whole:
            return None
        y = whole[key]
        each = [Column(name_of(self.catalog, branch, self.lang), self.cleaned.panel.loc[branch, key].reindex(y.index),
                       self.kind(key)) for branch in reporting(self.catalog, self.cleaned.panel)]
        return self.by_month("branches", y.index, [*each, Column(t("province.total", self.lang), y, self.kind(key))])

    # --- recorded tables -------------------------------------------------------------------------------------------

    def league(self) -> Sheet | None:
        f = self.table("league")
        if f is None:
            return None
        names = [name_of(self.catalog, one, self.lang) for one in f["branch"].unique()]
        columns = [Column(self.say("head_branch"), names)]
        for key, one in f.groupby("indicator", sort=False):
            share, what = is_share(self.catalog, key), self.catalog.indicator(key)
            if what.kind != "ratio":
                one = self._added(self._added(one, ["value"], 1), ["share"], TENTH)
            year = what.kind == "flow" and self.say("year_of", unit=self.catalog.unit_label(key, self.lang))
            columns += [Column(self.head(key, year or ""), one["value"], self.kind(key))]
            columns += [Column(self.say("head_share"), one["share"], "percent")] * (what.kind != "ratio")
            columns += [Column(self.say("head_points" if share else "head_year"), one["growth"] * (100 if share else 1),
                               "points" if share else "change"), Column(self.say("head_rank"), one["rank"], "rank")]
        return self.sheet("league", columns, "league.csv", total=True)

    def measures(self) -> Sheet | None:
        f = self.table("scenarios")
        if f is None:
            return None
        first = f.drop_duplicates("scenario")
        columns = [Column(self.say("head_case"), [self.named.get(key, t("scenarios.baseline", self.lang))
                                                  for key in first["scenario"]]),
                   Column(self.say("head_sort"), [t(f"scenarios.kind_{kind}", self.lang) for kind in first["kind"]])]
        columns += [Column(self.named.get(key, key), one["p_at"], [_odds(n) for n in one["n"]])
                    for key, one in f.groupby("target", sort=False)]
        return self.sheet("measures", columns, "scenarios.csv")

    def recorded(self, name: str, of: Sequence[str], columns: Mapping[str, Sequence[str]],
                 where: Mapping[str, str] | None = None, adds: Sequence[str] = (),
                 shares: Sequence[str] = ()) -> Sheet | None:
        """Return a sheet as ``sheets.yaml`` describes it."""
        f = self.table(*of)
        if f is None:
            return None
        for column, value in (where or {}).items():
            f = f[f[column] == value] if column in f else f
        if "goal" in f:     # the branch's own, where the strategy sets none
            f = f.assign(goal=f["goal"].fillna(f["reached_from"]))
        if adds:
            f = self._added(self._added(f, adds, 1), shares, TENTH)
        made = [Column(self.say(f"head_{head}"), *self._shown(f, column, what))
                for head, (column, what) in columns.items()]
        notes = [t("province.year_note", self.lang)] if adds else []
        return self.sheet(name, made, next(f"{one}.csv" for one in of if one in self.tables), notes, bool(adds))

    def _added(self, f: pd.DataFrame, columns: Sequence[str], unit: float) -> pd.DataFrame:
        """Return a table rounded to a unit in some columns, so that all rows but the last add up to it; of three
        columns the first two to the third."""
        known = f[list(columns[:2])].iloc[:-1].astype(float).dropna()
        if known.empty:
            return f
        done = add_up(known, unit, f.index[-1]).set_axis([*columns[:2], *(columns[2:] or ["sum"])], axis=1)
        return f.assign(**{column: done[column].reindex(f.index) for column in columns})

    def _shown(self, f: pd.DataFrame, column: str, what: str) -> tuple[Sequence[Any], str | Sequence[str]]:
        """Return the values of a column and what kind of number each is."""
        y, catalog, lang = f[column], self.catalog, self.lang
        worded = {"indicator": lambda key: catalog.indicator(key).label(lang),
                  "unit": lambda key: "%" if is_share(catalog, key) else catalog.unit_label(key, lang),
                  "branch": lambda one: one and name_of(catalog, one, lang),
                  "target": lambda key: self.named.get(key, key),
                  "verdict": lambda one: t(f"scenarios.short_{one}", lang)}
        if what in worded:
            return list(map(worded[what], y)), "text"
        keys = f["indicator"] if "indicator" in f else [self.about.indicator] * len(f)
        share = [is_share(catalog, key) for key in keys] if what in ("pace", "rate", "change") else []
        times, points = [100 if of else 1 for of in share], '+{0}"{1}";-{0}"{1}";{0}"{1}"'
        match what:
            case "value":
                kinds = f["kind"] if "kind" in f else ["level"] * len(f)
                return y, [self.kind(*pair) for pair in zip(keys, kinds, strict=True)]
            case "odds":
                return y, [_odds(n) for n in f["n"]]
            case "pace":
                said = points.format("0.00", self.say("points"))
                return y * times, [said if of else "+#,##0;-#,##0;0" for of in share]
            case "change":
                said = points.format("0.0", self.say("points"))
                return y * times, [said if of else what for of in share]
            case "rate":
                return (y - 1).where([not of for of in share]), "change"
            case "hundredth":
                return y / 100, "percent"
            case "hundredfold":
                return 100 * y, "points"
        return y, what


def _odds(n: float) -> str:
    """Return a format that writes odds counted on n paths as :func:`ebank_lib.scenarios.said_odds` says them."""
    edge = max(1, math.ceil(300 / max(n, 1)))
    return f'[<{edge / 100}]"< {edge}%";[>{1 - edge / 100}]"> {100 - edge}%";0%'
