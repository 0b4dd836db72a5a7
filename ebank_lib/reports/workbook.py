"""``tables.xlsx``: a report's tables for people.

It says what a person reads, in the reader's language: a row a month, a branch, an indicator or a target; headings with
their units; figures that add up where they are added. Texts are written as texts and never as formulas or links,
whatever they begin with. It carries no time, so that the same tables give the same bytes.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter

from ..cleaning import reporting
from ..config import read_yaml
from ..display import missing
from ..province.sums import TENTH, add_up, name_of, total_of
from ..scenarios.strategy import is_share
from ..wording import columns_of, language, t
from .export import EPOCH
from .page import About

_SPEC = Path(__file__).with_name("sheets.yaml")
_ORDER = ("months", "years", "branches", "league", "contributions", "carriers", "forecast", "targets", "measures",
          "ranks", "ranks_growth", "growth", "accuracy", "changes")


# What a kind of number looks like; any other kind is an Excel format itself.
FORMATS = {"count": "#,##0", "rank": "0", "percent": "0.0%", "change": "+0.0%;-0.0%;0.0%", "points": "+0.0;-0.0;0.0",
           "times": "0.00", "month": "yyyy-mm"}
_LONGEST = 32_767                  # characters in a cell
_WIDEST = 48
_PAGE = 14                         # columns that can be read on a sheet of A4
_HEAD = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#EEF1F4"}
_STYLES = {"title": {"bold": True, "font_size": 14}, "head": {**_HEAD, "indent": 1},
           "head_right": {**_HEAD, "align": "right"}, "link": {"font_color": "#0A58B0", "underline": 1},
           "note": {"font_color": "#57606A", "italic": True},
           "text": {"text_wrap": True, "valign": "top", "indent": 1},
           "month": {"num_format": FORMATS["month"], "align": "left", "valign": "top", "indent": 1}}


@dataclass(frozen=True)
class Column:
    """A heading, the values below it, and what kind of number they are, all or each: one of ``FORMATS`` (with
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


# ---------------------------------------------------------------- the workbook

class _Book(xlsxwriter.Workbook):
    """A workbook whose formats are made when they are first asked for."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
                                "strings_to_numbers": False, "nan_inf_to_errors": False})
        self._known: dict[tuple[str, bool], Any] = {}

    def style(self, kind: str, total: bool = False):
        """Return the format of a kind of cell; one that ends in ``?`` is in doubt."""
        if (kind, total) not in self._known:
            bare = kind.removesuffix("?")
            look = _STYLES.get(bare) or {"num_format": FORMATS.get(bare, bare), "valign": "top"}
            doubt = {"font_color": "#B42318", "italic": True} if bare != kind else {}
            self._known[kind, total] = self.add_format(look | doubt | ({"bold": True, "top": 1} if total else {}))
        return self._known[kind, total]


def workbook_bytes(sheets: Sequence[Sheet], title: str, notes: Iterable[str] = (), lang: str | None = None) -> bytes:
    """Return the workbook of sheets, the first of them a list of the others. Notes (the source, and that data are
    simulated) stand on the first sheet and under every table."""
    lang, notes = language(lang), [str(note) for note in notes]
    buffer = io.BytesIO()
    book = _Book(buffer)
    book.set_properties({"title": _safe(title), "created": EPOCH})
    first = t("workbook.contents", lang)
    _contents(book, book.add_worksheet(first), sheets, title, notes, lang)
    for sheet in sheets:
        _sheet(book, book.add_worksheet(sheet.name), sheet, first, notes, lang)
    book.close()
    return buffer.getvalue()


def _contents(book: _Book, page, sheets: Sequence[Sheet], title: str, notes: Sequence[str], lang: str) -> None:
    page.hide_gridlines(2)
    page.write_string(0, 0, _safe(title), book.style("title"))
    for at, (key, width) in enumerate((("sheet", 18), ("about", 72), ("file", 30))):
        page.write_string(2, at, t(f"workbook.{key}", lang), book.style("head"))
        page.set_column(at, at, width)
    for n, sheet in enumerate(sheets, start=3):
        page.write_url(n, 0, f"internal:'{sheet.name}'!A1", book.style("link"), sheet.name)
        page.write_string(n, 1, _safe(sheet.about), book.style("text"))
        page.write_string(n, 2, sheet.file, book.style("text"))
    for n, note in enumerate((t("workbook.tidy", lang), *notes), start=4 + len(sheets)):
        page.write_string(n, 0, _safe(note), book.style("note"))
    _printed(page, 1)


def _sheet(book: _Book, page, sheet: Sheet, first: str, notes: Sequence[str], lang: str) -> None:
    page.write_string(0, 0, _safe(sheet.about), book.style("title"))
    page.write_url(1, 0, f"internal:'{first}'!A1", book.style("link"), t("workbook.back", lang))
    rows = len(sheet.columns[0].values)
    for at, column in enumerate(sheet.columns):
        kinds = [column.kind] * rows if isinstance(column.kind, str) else column.kind
        page.set_column(at, at, _width(column, kinds))
        page.write_string(2, at, _safe(column.head), book.style("head" if column.worded else "head_right"))
        for n, (value, kind) in enumerate(zip(column.values, kinds, strict=True), start=1):
            total = sheet.total and n == rows
            if missing(value):
                page.write_blank(n + 2, at, None, book.style(kind, total))
            elif column.kind == "month":
                page.write_datetime(n + 2, at, pd.Period(value, "M").to_timestamp(), book.style(kind))
            elif column.worded:
                page.write_string(n + 2, at, _safe(value), book.style("text", total))
            else:
                page.write_number(n + 2, at, value, book.style(kind, total))
    for n, note in enumerate((*sheet.notes, *notes), start=4 + rows):
        page.write_string(n, 0, _safe(note), book.style("note"))
    page.freeze_panes(3, 1)
    page.repeat_rows(2)
    page.repeat_columns(0)
    _printed(page, -(-len(sheet.columns) // _PAGE))


def _printed(page, wide: int) -> None:
    page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(wide, 0)


def _width(column: Column, kinds: Sequence[str]) -> float:
    """Return a width in which the texts or figures fit, and the heading in a few lines; Chinese signs count double."""
    def shown(value, kind: str) -> str:
        return str(value) if column.worded else f"{value:,.0f}" + kind.partition(";")[0].replace("#,##", "")

    longest = max((columns_of(shown(value, kind)) for value, kind in zip(column.values, kinds, strict=True)
                   if not missing(value)), default=0)
    return min(_WIDEST, max(9, longest + 2, columns_of(column.head) / 3 + 3))


def _safe(text: object) -> str:
    """Return a text that fits a cell: not too long, without what XML cannot hold."""
    plain = re.sub("[\ud800-\udfff\ufffe\uffff]", "\ufffd", str(text))
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"
