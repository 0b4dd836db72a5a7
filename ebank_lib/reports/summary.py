"""One branch in a page of JSON: what the index says of it, what the next run is compared with, whom to attend to.

``summary.json``::

    schema       1
    branch       id;  role "branch" or "total" (the province's own report);  label {zh, en}
    source       {title {zh, en}, simulated}
    indicator    {key, label {zh, en}, unit {zh, en}, kind: stock | flow | ratio}: what is forecast
    months       [first, last] of the report
    spark        {months, y}: the last 36 months, null where nothing is known
    latest       {month, y, yoy}; of a ratio yoy is a difference, else a rate; null without any value. Neither it nor
                 `spark` has values in doubt
    forecast     [{month, y_hat, lo-80, hi-80, lo-95, hi-95}]; [] where the stage was not reached
    trust        {grade, why {zh, en}, cells}, of the forecast above; null without a backtest
    targets      [{key, label {zh, en}, deadline, odds, ratio, said, verdict, goal {zh, en}, then {zh, en}, short}];
                 odds that it is reached *in* the deadline's month, how they are said; needed over today's pace; the
                 goal and what is expected then, as they are said, and the part of the goal that will be short
    state        [{name, text, cells}]: the lines of the first screen, in the page's language
    attention    [{code, level: act | watch, text {zh, en}, cells}] of a branch; [] when all is well
    not_done     {notebook: {cell, message}}: stages that the data do not allow

A branch needs attention (``act`` before ``watch``) for what ``rule_*`` in the wording's ``index.yaml`` say.

``cells`` are the ids (reports/cells.py) of the recorded cells that a text states, where it states any. Floats have
ten significant digits; there is no time of day, machine or path in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from ..forecasting import Grade
from ..scenarios import load_strategy, said_odds
from ..scenarios.odds import said_value
from ..wording import LANGUAGES, goal_text, listed, month_name, number, percent, t
from .cells import Row
from .record import plain

SCHEMA = 1
OPEN = ("at_risk", "on_course", "slowing", "behind", "far", "away")     # verdicts of targets that may still be missed
STILL = 0.0005      # what is below half a per mille is no change
_SPARK = 36
_RECENT = 3


def summarise(about, content, cleaned) -> dict[str, Any]:
    """Return the summary of a report as plain JSON.

    Of the executed notebooks' content the tables ``forecast`` (or ``province_forecast``), ``grade``, ``check``,
    ``growth`` and ``targets`` are used where they were recorded.
    """
    catalog, source = cleaned.catalog, cleaned.source
    indicator, one = catalog.indicator(about.indicator), catalog.branches.get(about.branch)
    key = indicator.key
    y = _figures(cleaned, about.branch, key).loc[about.first:about.last]
    tables = content.rows
    made = {
        "schema": SCHEMA,
        "branch": about.branch,
        "role": "total" if one is None or one.role == "total" else "branch",
        "label": labels_of(catalog, about.branch),
        "source": {"title": both(source.title), "simulated": bool(source.simulated)},
        "indicator": {"key": key, "label": both(indicator.label), "kind": indicator.kind,
                      "unit": both(lambda lang: catalog.unit_label(key, lang))},
        "months": [str(about.first), str(about.last)],
        "spark": {"months": [str(m) for m in y.index[-_SPARK:]], "y": [plain(v) for v in y.iloc[-_SPARK:]]},
        "latest": _latest(y, indicator.kind),
        "forecast": _forecast(tables, key),
        "trust": _trust(tables.get("grade", [])),
        "targets": _targets(tables.get("targets", []), catalog, source),
        "state": [{name: getattr(line, name) for name in ("name", "text", "cells")} for line in content.state],
        "not_done": {book.name: book.not_done for book in content.executed if book.not_done},
    }
    return made | {"attention": [*attention(made, tables, cleaned)] if made["role"] == "branch" else []}


def summary_bytes(summary: Mapping[str, Any]) -> bytes:
    """Return a summary as ``summary.json`` holds it."""
    return (json.dumps(summary, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n").encode("utf-8")


def _figures(cleaned, branch: str, key: str) -> pd.Series:
    """Return a branch's figures, or all branches together; a ratio that has no parts to be made from has no sum."""
    if branch in cleaned.branches:
        return cleaned.series(branch, key)
    total, one = cleaned.total()[key], cleaned.catalog.indicator(key)
    return total if one.kind != "ratio" or one.denominators else total.where(total.isna())


# ---------------------------------------------------------------- its figures

def _latest(y: pd.Series, kind: str) -> dict[str, Any] | None:
    month = y.last_valid_index()
    if month is None:
        return None
    now, before = float(y[month]), float(y.get(month - 12, math.nan))
    yoy = plain(now - before) if kind == "ratio" else plain(now / before - 1) if before > 0 else None
    return {"month": str(month), "y": plain(y[month]), "yoy": yoy}


def _forecast(tables: Mapping[str, list[Row]], key: str) -> list[dict[str, Any]]:
    rows = tables.get("forecast") or [row for row in tables.get("province_forecast", []) if row["indicator"] == key]
    names = ("month", "y_hat", "lo-80", "hi-80", "lo-95", "hi-95")
    return [{name: row.get(name) for name in names} for row in rows if row.get("model", "combination") == "combination"
            and row.get("y_hat") is not None]


def _trust(rows: list[Row]) -> dict[str, Any] | None:
    if not rows:
        return None
    names = ("letter", "ratio", "smape", "coverage", "level", "origins")
    grade = Grade(*(math.nan if rows[0][name] is None else rows[0][name] for name in names))
    return {"grade": grade.letter, "why": both(grade.reading), "cells": rows[0].ids(*names)}


def _targets(rows: list[Row], catalog, source) -> list[dict[str, Any]]:
    known = {target.key: target.label for target in load_strategy(source).targets} if rows else {}

    def said(row: Mapping[str, Any], value: float | None, how: Callable[[str], str] = str) -> dict[str, str]:
        return both(lambda lang: how(said_value(catalog, row["indicator"], math.nan if value is None else value, lang,
                                                row["kind"])))

    return [{"key": row["target"], "label": both(known.get(row["target"], lambda lang, key=row["target"]: key)),
             "deadline": row["deadline"], "odds": row["p_at"], "ratio": row["ratio"], "verdict": row["verdict"],
             "said": "–" if row["p_at"] is None else said_odds(row["p_at"], row["n"]).replace(" ", "\u00a0"),
             "goal": said(row, goal_of(row), goal_text), "then": said(row, row["trend_at_deadline"]),
             "short": _short(row["kind"], goal_of(row), row["trend_at_deadline"])}
            for row in rows]


def goal_of(row: Mapping[str, Any]) -> float | None:
    """Return the goal of a row of targets: printed, or what it comes to."""
    return row["reached_from"] if row["goal"] is None else row["goal"]


def _short(kind: str, goal: float | None, then: float | None) -> float | None:
    """Return which part of a goal will be short, 0 for none; of a rank which part of the way up, None where nobody
    can say."""
    goal, then = (then, goal) if kind == "rank" else (goal, then)
    return None if goal is None or then is None or goal <= 0 else plain(max(0.0, 1 - then / goal))


# ---------------------------------------------------------------- who needs attention

def attention(made: Mapping[str, Any], tables: Mapping[str, list[Row]], cleaned) -> Iterable[dict[str, Any]]:
    """Yield what the rules above say of a summary."""
    def item(code: str, text: Callable[[str], object], cells: Iterable[str] = (), level: str = "act") -> dict[str, Any]:
        return {"code": code, "level": level, "text": both(text), "cells": [*cells]}

    indicator, latest, last = made["indicator"], made["latest"], made["months"][1]
    for stage, end in made["not_done"].items():
        yield item("not_done", lambda lang, stage=stage, end=end: t(
            "index.why_not_done", lang, stage=stage, message=end["message"]))
    if latest is None:
        yield item("no_latest", lambda lang: t("index.why_no_value", lang, indicator=indicator["label"][lang]))
    elif latest["month"] < last:
        doubt = next((row for row in tables.get("doubtful", ())
                      if (row["indicator"], row["month"]) == (indicator["key"], last)), None)
        yield item("no_latest", lambda lang: t(
            "index.why_in_doubt" if doubt else "index.why_no_latest", lang, indicator=indicator["label"][lang],
            month=month_text(last, lang), value=value_text(indicator, doubt["value"] if doubt else None, lang),
            latest=month_text(latest["month"], lang)), doubt.ids("value") if doubt else [])
    if made["trust"] and made["trust"]["grade"] in "DE":
        yield item("grade", made["trust"]["why"].get, made["trust"]["cells"])
    check = tables.get("check", [])     # the last month that came, against what was forecast a month before
    if check and check[-1].get("inside-95") is False:
        row, columns = check[-1], {"actual": "actual", "expected": "y_hat", "lo": "lo-95", "hi": "hi-95"}
        yield item("outside", lambda lang: t(
            "index.why_outside", lang, indicator=indicator["label"][lang], month=month_text(row["month"], lang),
            **{name: value_text(indicator, row[column], lang) for name, column in columns.items()}),
                row.ids(*columns.values()))
    month, entries = pd.Period(last, "M"), cleaned.judged     # not the whole ledger, which is long
    cells = entries[(entries["branch"] == made["branch"]) & (entries["decision"] == "flagged")
                    & (entries["month"] > month - _RECENT) & (entries["month"] <= month)]
    cells = cells.drop_duplicates(["month", "indicator"])
    if len(cells):
        found = [one for key, one in cleaned.catalog.indicators.items() if key in set(cells["indicator"])]
        yield item("suspicious", lambda lang: t(
            "index.why_suspicious", lang, n=len(cells), months=_RECENT,
            indicators=listed([one.short_label(lang) for one in found], lang) or "–"), level="watch")


# ---------------------------------------------------------------- as a reader sees them

def both(text: Callable[[str], object]) -> dict[str, str]:
    """Return a text, given as a function of the language, in both languages."""
    return {lang: str(text(lang)) for lang in LANGUAGES}


def labels_of(catalog, name: str) -> dict[str, str]:
    """Return what a report is called: the branch's label, or words for all branches together."""
    one = catalog.branches.get(name)
    return both(lambda lang: one.label(lang) if one else t("report.all_branches", lang))


def value_text(indicator: Mapping[str, Any], value: float | None, lang: str) -> str:
    """Return a value of a summary's indicator with its unit."""
    if value is None:
        return "–"
    return percent(value) if indicator["kind"] == "ratio" else number(value, indicator["unit"][lang], lang)


def range_text(indicator: Mapping[str, Any], lo: float | None, hi: float | None, lang: str) -> str:
    """Return two limits with "to" between them, the unit once."""
    bare = {**indicator, "unit": {lang: ""}}
    return t("index.to", lang, lo=value_text(bare, lo, lang), hi=value_text(indicator, hi, lang))


def change_text(indicator: Mapping[str, Any], change: float | None, lang: str) -> str:
    """Return a ``yoy`` or ``mom`` of a summary: per cent, or percentage points of a ratio."""
    if change is not None and indicator["kind"] == "ratio":
        return t("index.points", lang, n=f"{100 * change:+.1f}")
    return percent(change, sign=True)


def month_text(month: str | None, lang: str) -> str:
    """Return the name of a summary's month; a dash for none."""
    return month_name(month and pd.Period(month, "M"), lang)
