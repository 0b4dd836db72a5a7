"""One branch in a page of JSON: what the index says of it, what the next run is compared with, whom to attend to.

``summary.json``::

    schema       1
    branch       id;  role "branch" or "total" (the province's own report);  label {zh, en};  lang of its page
    source       {title {zh, en}, simulated}
    indicator    {key, label {zh, en}, unit {zh, en}, kind: stock | flow | ratio}: what is forecast
    months       [first, last] of the report
    spark        {months, y}: the last 36 months, null where nothing is known
    latest       {month, y, yoy, mom}; of a ratio yoy and mom are differences, else rates; null without any value
    forecast     [{month, y_hat, lo-80, hi-80, lo-95, hi-95}]; [] where the stage was not reached
    trust        {grade, why {zh, en}, cells}, of the forecast above; null without a backtest
    targets      [{key, label {zh, en}, deadline, odds, said, verdict, cells}]; odds that it is reached *in* the
                 deadline's month, and how they are said
    state        [{name, text, level, cells}]: the lines of the first screen, in the page's language
    attention    [{code, level: act | watch, text {zh, en}, cells}]; [] when all is well
    not_done     {notebook: {cell, message}}: stages that the data do not allow
    parameters   {name: value} that the notebooks were run with
    hashes       {panel: of this branch's rows, code: of this package and of its libraries' versions,
                 notebooks {name: of its code}}
    ebank        version
    files        [{file, sha256}] of the source

A branch needs attention when, in this order (``act`` before ``watch``)

=============  =====  ==================================================================================
``not_done``   act    the data do not allow a stage
``no_latest``  act    what is forecast has no value for the report's last month
``grade``      act    trust D (no better than last year's month) or E (cannot be judged)
``outside``    act    the last month came outside the 95% limits that were forecast a month before
``odds``       watch  targets, not reached yet, whose odds are below 20%
``falling``    watch  what is forecast is lower than a year ago
``suspicious`` watch  cells of the last three months are suspicious, left as they were printed
=============  =====  ==================================================================================

``cells`` are the ids (reports/cells.py) of the recorded cells that a text states, where it states any. Floats have
ten significant digits; there is no time of day, machine or path in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .. import __version__
from ..forecasting import Grade
from ..scenarios import load_strategy, said_odds
from ..wording import LANGUAGES, percent, t
from .cells import row_ids
from .figures import change_text, month_text, value_text
from .parameters import INJECTED, tags
from .record import plain
from .seal import frame_sha256, library_versions, package_sha256, text_sha256

__all__ = ["LOW_ODDS", "SCHEMA", "summarise", "summary_bytes"]

SCHEMA = 1
LOW_ODDS = 0.2
_SPARK = 36
_RECENT = 3
_OPEN = ("on_course", "behind", "far", "away")      # verdicts of targets that have odds and are not reached yet


def summarise(about, content, cleaned, executed) -> dict[str, Any]:
    """Return the summary of a report as plain JSON.

    Parameters
    ----------
    about : About
    content : Content
        Of the executed notebooks; the tables ``forecast`` (or ``province_forecast``), ``grade``, ``check`` and
        ``targets`` are used where they were recorded.
    cleaned : Cleaned
        The whole source or a part of it that holds the branch.
    executed : iterable of Executed
    """
    executed = list(executed)
    catalog, source = cleaned.catalog, cleaned.source
    parameters = _parameters(executed)
    key = catalog.indicator(parameters.get("indicator") or "").key
    y = _series(cleaned, about.branch, key).loc[about.first:about.last]
    tables = {table["name"]: _rows(table) for table in content.tables}
    one = catalog.branches.get(about.branch)
    whole = one is None or one.role == "total"
    made = {
        "schema": SCHEMA,
        "branch": about.branch,
        "role": "total" if whole else "branch",
        "label": _both(lambda lang: t("report.all_branches", lang) if one is None else one.label(lang)),
        "lang": about.lang,
        "source": {"title": _both(source.title), "simulated": bool(source.simulated)},
        "indicator": _indicator(catalog, key),
        "months": [str(about.first), str(about.last)],
        "spark": {"months": [str(m) for m in y.index[-_SPARK:]], "y": [plain(v) for v in y.iloc[-_SPARK:]]},
        "latest": _latest(y, catalog.indicator(key).kind),
        "forecast": _forecast(tables, key),
        "trust": _trust(tables.get("grade", [])),
        "targets": _targets(tables.get("targets", []), source),
        "state": [{name: getattr(line, name) for name in ("name", "text", "level", "cells")} for line in content.state],
        "not_done": {book.name: {"cell": book.not_done.cell, "message": book.not_done.message}
                     for book in executed if book.not_done},
        "parameters": parameters,
        "hashes": {"panel": _panel_hash(cleaned, about.branch), "code": _code(),
                   "notebooks": {book.name: _notebook_hash(book.path) for book in executed}},
        "ebank": __version__,
        "files": [{"file": file["file"], "sha256": file["sha256"]} for file in about.files],
    }
    made["attention"] = [] if whole else _attention(made, tables, cleaned)
    return made


def summary_bytes(summary: Mapping[str, Any]) -> bytes:
    """Return a summary as ``summary.json`` holds it."""
    return (json.dumps(summary, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n").encode("utf-8")


def _both(text) -> dict[str, str]:
    return {lang: str(text(lang)) for lang in LANGUAGES}


def _rows(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a recorded table's rows; ``_id`` names the row within the table."""
    names = [column["name"] for column in table["columns"]]
    return [dict(zip(names, row, strict=True), _id=name) for row, name in zip(table["rows"], row_ids(table),
                                                                              strict=True)]


def _cells(table: str, row: Mapping[str, Any], *columns: str) -> list[str]:
    return [f"{table}[{row['_id']}].{column}" for column in columns]


def _parameters(executed) -> dict[str, Any]:
    """Return what the notebooks were given; of a source outside the project its name only."""
    given = {name: value for book in executed for name, value in book.parameters.items()}
    if "source" in given and Path(str(given["source"])).is_absolute():
        given["source"] = Path(str(given["source"])).name
    return {name: given[name] for name in sorted(given)}


def _indicator(catalog, key: str) -> dict[str, Any]:
    one = catalog.indicator(key)
    return {"key": key, "label": _both(one.label), "unit": _both(lambda lang: catalog.unit_label(key, lang)),
            "kind": one.kind}


def _series(cleaned, branch: str, key: str) -> pd.Series:
    """Return a branch's series; of all branches together, where no total is printed, their sum."""
    panel = cleaned.panel
    if branch in panel.index.get_level_values("branch"):
        return panel.xs(branch, level="branch")[key]
    one = cleaned.catalog.indicator(key)
    if one.kind == "ratio" and (one.numerator is None or not one.denominators):
        return panel[key].groupby(level="month").mean().where(lambda y: y.isna())
    keys = [key] if one.kind != "ratio" else [one.numerator, *one.denominators]
    reporting = panel.loc[panel.index.get_level_values("branch").isin(cleaned.catalog.reporting), keys]
    known = reporting.notna().groupby(level="month").all()
    total = reporting.groupby(level="month").sum().where(known)
    return total[key] if one.kind != "ratio" else cleaned.catalog.derive(total, key)


def _code() -> str:
    return text_sha256(f"{package_sha256()} {sorted(library_versions().items())}")


def _notebook_hash(path: Path) -> str:
    """Return the hash of an executed notebook's code as it was written: without the parameters of this run."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return text_sha256("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"
                                 and INJECTED not in tags(cell)))


def _panel_hash(cleaned, branch: str) -> str:
    panel = cleaned.panel
    mine = panel.index.get_level_values("branch") == branch
    return frame_sha256(panel[mine] if mine.any() else panel)


def _latest(y: pd.Series, kind: str) -> dict[str, Any] | None:
    known = y.dropna()
    if known.empty:
        return None
    month = known.index[-1]
    return {"month": str(month), "y": plain(known.iloc[-1]), "yoy": _change(y, month, 12, kind),
            "mom": _change(y, month, 1, kind)}


def _change(y: pd.Series, month: pd.Period, months: int, kind: str) -> float | None:
    now, before = float(y[month]), float(y.get(month - months, math.nan))
    if kind == "ratio":
        return plain(now - before)
    return plain(now / before - 1) if before > 0 else None


def _forecast(tables: Mapping[str, list], key: str) -> list[dict[str, Any]]:
    rows = tables.get("forecast") or [row for row in tables.get("province_forecast", []) if row["indicator"] == key]
    names = ("month", "y_hat", "lo-80", "hi-80", "lo-95", "hi-95")
    return [{name: row.get(name) for name in names} for row in rows if row.get("model", "combination") == "combination"
            and row.get("y_hat") is not None]


def _trust(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    if not rows:
        return None
    row = {name: math.nan if value is None else value for name, value in rows[0].items()}
    cells = _cells("grade", rows[0], "letter", "ratio", "smape", "coverage", "level", "origins")
    grade = Grade(row["letter"], row["ratio"], row["smape"], row["coverage"], row["level"], int(row["origins"]))
    return {"grade": grade.letter, "why": _both(grade.reading), "cells": cells}


def _targets(rows: list[dict[str, Any]], source) -> list[dict[str, Any]]:
    known = {target.key: target.label for target in load_strategy(source).targets} if rows else {}
    return [{"key": row["target"], "label": _both(known.get(row["target"], lambda lang, key=row["target"]: key)),
             "deadline": row["deadline"], "odds": row["p_at"], "verdict": row["verdict"],
             "said": "–" if row["p_at"] is None else said_odds(row["p_at"], row["n"]).replace(" ", "\u00a0"),
             "cells": _cells("targets", row, "p_at")}
            for row in rows]


# ---------------------------------------------------------------- who needs attention

def _attention(made: Mapping[str, Any], tables: Mapping[str, list], cleaned) -> list[dict[str, Any]]:
    said = [*_stages(made), *_no_latest(made), *_grade(made), *_outside(made, tables.get("check", [])), *_odds(made),
            *_falling(made, tables.get("growth", [])), *_suspicious(made, cleaned)]
    return [{"code": code, "level": level, "text": text, "cells": cells} for code, level, text, cells in said]


def _stages(made) -> Iterable[tuple]:
    for name, end in made["not_done"].items():
        yield "not_done", "act", _both(lambda lang, name=name, end=end: t(
            "index.why_not_done", lang, stage=name, message=end["message"])), []


def _no_latest(made) -> Iterable[tuple]:
    last, label = pd.Period(made["months"][1], "M"), made["indicator"]["label"]
    latest = made["latest"]
    if latest is None:
        yield "no_latest", "act", _both(lambda lang: t("index.why_no_value", lang, indicator=label[lang])), []
    elif pd.Period(latest["month"], "M") < last:
        yield "no_latest", "act", _both(lambda lang: t(
            "index.why_no_latest", lang, indicator=label[lang], month=month_text(str(last), lang),
            latest=month_text(latest["month"], lang))), []


def _grade(made) -> Iterable[tuple]:
    if made["trust"] and made["trust"]["grade"] in "DE":
        yield "grade", "act", made["trust"]["why"], made["trust"]["cells"]


def _outside(made, check: list) -> Iterable[tuple]:
    """The last month that came, against what was forecast a month before."""
    if check and check[-1].get("inside-95") is False:
        row, indicator = check[-1], made["indicator"]
        yield "outside", "act", _both(lambda lang: t(
            "index.why_outside", lang, indicator=indicator["label"][lang],
            month=month_text(row["month"], lang),
            **{name: value_text(indicator, row[key], lang) for name, key in (
                ("actual", "actual"), ("expected", "y_hat"), ("lo", "lo-95"), ("hi", "hi-95"))})), _cells(
                    "check", row, "actual", "y_hat", "lo-95", "hi-95")


def _odds(made) -> Iterable[tuple]:
    low = [target for target in made["targets"]
           if target["verdict"] in _OPEN and target["odds"] is not None and target["odds"] < LOW_ODDS]
    if low:
        def named(lang: str) -> str:
            return ("、" if lang == "zh" else "; ").join(
                t("index.why_target", lang, target=target["label"][lang],
                  odds=target["said"]) for target in low)

        yield "odds", "watch", _both(lambda lang: t("index.why_odds", lang, n=len(low), all=len(made["targets"]),
                                                    low=percent(LOW_ODDS, 0), targets=named(lang))), [
                                                        "targets[]", *(cell for t in low for cell in t["cells"])]


def _falling(made, growth: list) -> Iterable[tuple]:
    latest, indicator = made["latest"], made["indicator"]
    if latest and latest["yoy"] is not None and latest["yoy"] < 0:
        yield "falling", "watch", _both(lambda lang: t(
            "index.why_falling", lang, indicator=indicator["label"][lang], month=month_text(latest["month"], lang),
            change=change_text(indicator, latest["yoy"], lang))), [
                cell for row in growth if row.get("indicator") == indicator["key"]
                for cell in _cells("growth", row, "last_yoy")]


def _suspicious(made, cleaned) -> Iterable[tuple]:
    last = pd.Period(made["months"][1], "M")
    entries = cleaned.judged        # the whole ledger has hundreds of thousands of rows, and is read for each report
    mine = entries[(entries["branch"] == made["branch"]) & (entries["decision"] == "flagged")
                   & (entries["month"] > last - _RECENT) & (entries["month"] <= last)]
    cells = mine.drop_duplicates(["month", "indicator"])
    keys = [key for key in cleaned.catalog.indicators if key in set(cells["indicator"])]
    if len(cells):
        def named(lang: str) -> str:
            labels = [cleaned.catalog.indicator(key).short_label(lang) for key in keys]
            return ("、" if lang == "zh" else ", ").join(labels)

        yield "suspicious", "watch", _both(lambda lang: t("index.why_suspicious", lang, n=len(cells), months=_RECENT,
                                                          indicators=named(lang) or "–")), []
