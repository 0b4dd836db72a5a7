"""The pages around the reports, set from their summaries: ``index.html``, ``changes.html``, a failed branch's own page.

The index ranks the branches: what will be short of the targets, the odds of the hardest, growth against the others; and
says what is wrong with a report or its data. It is one file that loads nothing, for a file share without a server.
Without script everything is shown and can be read; the one script, named by its hash, sorts and searches what is there.

The page of changes says which forecasts moved against the previous run, grades and odds too. A branch is compared with
the last summary of it that said something else (``previous.json``). Only forecasts of the same indicator and the same
month are compared.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from statistics import mean, median
from typing import Any
from urllib.parse import quote

from ..scenarios.odds import hardest_of
from ..wording import has, percent, t
from .page import set_page
from .record import plain
from .summary import OPEN, STILL, change_text, month_text, range_text, value_text

# In the order of a reader's worry; see reports/summary.py for the rules.
CODES = ("failed", "not_done", "no_latest", "grade", "outside", "suspicious")
_FILES = {"page": "report.html", "brief": "brief.docx", "workbook": "tables.xlsx"}


def _set(template: str, lang: str, about: Mapping[str, Any], **values: Any) -> str:
    """Return a page; its template writes values, changes and months of summaries in the page's language."""
    return set_page(template, lang, simulated=about.get("simulated"), has=has, percent=percent,
                    value=lambda *figure: value_text(*figure, lang), change=lambda *figure: change_text(*figure, lang),
                    limits=lambda *figures: range_text(*figures, lang), month=lambda text: month_text(text, lang),
                    **values)


def _href(branch: str, *rest: str) -> str:
    return "/".join(quote(part, safe="") for part in (branch, *rest))


# ---------------------------------------------------------------- the index

def build_index(summaries: Iterable[Mapping[str, Any]], failed: Iterable[Mapping[str, Any]],
                run: Mapping[str, Any], lang: str) -> str:
    """Return the index as HTML: failed branches, then the others, of whom most will be short of their targets first.

    Of branches that failed (see :func:`build_failed_page`) an older report is linked. `run` says ``title`` {zh, en} and
    ``simulated`` of the source, where there is no summary to say it; both may be left out.
    """
    summaries, failed = list(summaries), list(failed)
    gone = {one["branch"] for one in failed}
    made = [one for one in summaries if one["branch"] not in gone]
    branches = [one for one in made if one["role"] == "branch"]
    whole = next((_row(one, lang) for one in made if one["role"] == "total"), None)
    months = [min(one["months"][0] for one in branches), max(one["months"][1] for one in branches)] if branches else []
    about = summaries[0]["source"] if summaries else run
    title = about.get("title")
    rows = _ranked([_row(one, lang) for one in branches])
    rows = [_failed_row(one, lang) for one in failed] + rows
    # What all have tells none from the others.
    common = [chip for chip in rows[0]["chips"] if all(chip in row["chips"] for row in rows)] if len(rows) > 1 else []
    for row in rows:
        row["chips"] = [chip for chip in row["chips"] if chip not in common]
    return _set(
        "index.html.j2", lang, about, script="index.js", rows=rows, months=months,
        title=t("index.title", lang, source=title[lang]) if title else t("index.title_bare", lang),
        reasons=_reasons(branches, failed, lang), whole=whole, said=_said(whole, rows, lang), failed=len(failed),
        mixed=len({row["indicator"]["key"] for row in rows if row["indicator"]}) > 1,
        targeted=any(row["short"] is not None for row in rows),
        noted=any(row["chips"] for row in rows), rule=t("forecasting.grade_rule", lang),
        horizon=max((len(one["forecast"]) for one in branches), default=0))


def _row(one: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """Return what the table says of a branch."""
    known = [target for target in one["targets"] if target["odds"] is not None]
    targets = [target for target in known if target["verdict"] in OPEN]
    short = [target["short"] for target in known if target["short"] is not None]
    codes = {item["code"]: item["level"] for item in reversed(one["attention"])}
    words = " ".join([one["branch"], *one["label"].values()])
    return {
        **{name: _href(one["branch"], file) for name, file in _FILES.items()},
        "label": one["label"][lang], "failed": False, "older": "",
        "search": unicodedata.normalize("NFKC", words).lower(), "indicator": one["indicator"],
        "latest": one["latest"] or dict.fromkeys(("month", "y", "yoy")),
        "ahead": one["forecast"][-1] if one["forecast"] else {}, "against": None, "all": len(known),
        "likely": sum(target["odds"] >= 0.5 for target in known), "short": mean(short) if short else None,
        "grade": one["trust"]["grade"] if one["trust"] else "",
        "why": one["trust"]["why"][lang] if one["trust"] else "",
        "hardest": targets[hardest_of([one["odds"] for one in targets],
                                      [one.get("ratio") for one in targets])] if targets else None,
        "chips": [{"code": code, "level": codes[code]} for code in CODES if code in codes],
    }


def _ranked(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with their growth ``against`` the median of those with the same indicator, and both as parts of
    the largest (``bar_short, bar_against``); most short of the targets first, then the slowest."""
    grown: dict[str, list[float]] = {}
    known = [row for row in rows if row["latest"]["yoy"] is not None]
    for row in known:
        grown.setdefault(row["indicator"]["key"], []).append(row["latest"]["yoy"])
    for row in known:
        if len(others := grown[row["indicator"]["key"]]) > 1:
            row["against"] = plain(row["latest"]["yoy"] - median(others))
    for name in ("short", "against"):
        most = max((abs(row[name]) for row in rows if row[name] is not None), default=0)
        for row in rows:
            row[f"bar_{name}"] = 0 if row[name] is None or not most else row[name] / most
    return sorted(rows, key=lambda row: (-(row["short"] or 0), row["against"] is None, row["against"] or 0))


def _said(whole: Mapping[str, Any] | None, rows: list[dict[str, Any]], lang: str) -> list[str]:
    """Return what is said above the table: how all together stand, and who is furthest from the targets, or slowest."""
    said = []
    if whole and whole["ahead"] and whole["latest"]["yoy"] is not None:
        indicator, now, then = whole["indicator"], whole["latest"], whole["ahead"]
        said.append(t("index.said_whole", lang, branch=whole["label"], indicator=indicator["label"][lang],
                      month=month_text(now["month"], lang), y=value_text(indicator, now["y"], lang),
                      yoy=change_text(indicator, now["yoy"], lang), ahead=month_text(then["month"], lang),
                      forecast=value_text(indicator, then["y_hat"], lang),
                      limits=range_text(indicator, then["lo-80"], then["hi-80"], lang)))
    short = [row for row in rows if row["short"] is not None]
    slow = [row for row in rows if row["against"] is not None]
    if short:
        said.append(t("index.said_targets", lang, n=len(short), all=sum(row["all"] for row in short),
                      likely=sum(row["likely"] for row in short), mean=percent(mean(row["short"] for row in short)),
                      branch=short[0]["label"], most=percent(short[0]["short"])))
    elif slow:
        last = min(slow, key=lambda row: row["against"])
        said.append(t("index.said_growth", lang, n=len(slow), branch=last["label"],
                      yoy=change_text(last["indicator"], last["latest"]["yoy"], lang),
                      median=change_text(last["indicator"], last["latest"]["yoy"] - last["against"], lang)))
    return said


def _failed_row(one: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """Return the row of a branch without a report of this run: everything a dash, and the way to what is there."""
    nothing = {"forecast": [], "latest": None, "trust": None, "targets": [], "indicator": None,
               "attention": [{"code": "failed", "level": "act"}]}
    row = _row({**one, **nothing}, lang) | {"bar_short": 0, "bar_against": 0, "failed": True}
    return row | {"page": _href(one["branch"], "failed", "index.html"), "older": row["page"] if one["older"] else ""}


def _reasons(branches, failed, lang: str) -> list[dict[str, Any]]:
    """Return what is wrong with reports and data, the gravest first, each with its branches and what is said of it."""
    said = [("failed", "act", one, _href(one["branch"], "failed", "index.html"), {
        "text": {lang: t("index.failed_in", lang, where=where_of(one, lang), message=message_of(one))}, "cells": []})
            for one in failed]
    said += [(item["code"], item["level"], one, _href(one["branch"], "report.html"), item)
             for one in branches for item in one["attention"]]
    found = []
    for code in CODES:
        of = [(level, {"label": one["label"][lang], "page": page, "text": item["text"][lang],
                       "cells": " ".join(item["cells"])}) for reason, level, one, page, item in said if reason == code]
        if of:
            found.append({"code": code, "level": of[0][0], "who": [who for _, who in of],
                          "n": len({who["page"] for _, who in of})})
    return found


# ---------------------------------------------------------------- a branch that failed

def build_failed_page(failed: Mapping[str, Any], lang: str) -> str:
    """Return ``OUT/BRANCH/failed/index.html``: what failed and where, what is left, how to try again.

    `failed` has ``branch``, ``label`` {zh, en}; ``error`` (its kind) and ``message``; ``command``: what does it again.
    May be left out: ``kind`` (notebook, input, disk, system, crash, memory, time, bug), ``notebook`` and ``cell`` where
    it failed; ``kept``: the notebook's file name in the same folder; ``older``: whether the
    report of an earlier run stands; ``index``: whether the index does (default: yes).
    """
    return _set("failed.html.j2", lang, {}, title=t("index.failed_title", lang, branch=failed["label"][lang]),
                where=where_of(failed, lang), message=message_of(failed), index=failed.get("index", True),
                advice=f"advice_{failed.get('kind')}", kept_href=quote(failed.get("kept") or "", safe=""),
                **{name: failed.get(name) for name in ("kept", "older", "command")})


def message_of(one: Mapping[str, Any]) -> str:
    """Return the kind of error and its message, one of which may be missing."""
    return ": ".join(str(part) for part in (one.get("error"), one.get("message")) if part)


def where_of(one: Mapping[str, Any], lang: str) -> str:
    """Return where a branch failed: notebook and cell, or the run itself."""
    if not one.get("notebook"):
        return t("index.in_run", lang)
    if one.get("cell"):
        return t("report.origin", lang, notebook=one["notebook"], prompt=one["cell"])
    return t("index.in_notebook", lang, notebook=one["notebook"])


# ---------------------------------------------------------------- what moved

def build_changes(pairs: Iterable[tuple[Mapping[str, Any] | None, Mapping[str, Any]]], run: Mapping[str, Any],
                  lang: str) -> str:
    """Return the page of changes as HTML: what moved most first, then what stayed as it was and what is new.

    `pairs` are the summaries of each branch, the one before (None where there was none) and today's; `run` is as in
    :func:`build_index`.
    """
    pairs = list(pairs)
    rows = [changes(*pair, lang) for pair in pairs]
    moved = sorted((row for row in rows if row["differs"]), key=lambda row: -row["size"])
    compared = [row for row in rows if not row["first"]]
    about = pairs[0][1]["source"] if pairs else run
    title = about.get("title")

    def by(row: Mapping[str, Any], move: Mapping[str, Any]) -> str:
        plain = move["share"] is None and row["indicator"]["kind"] != "ratio"       # from nothing to something
        return (value_text if plain else change_text)(row["indicator"], move["size"], lang)

    return _set("changes.html.j2", lang, about, by=by, moved=moved, compared=len(compared),
                title=t("index.changes_title", lang, source=title[lang] if title else ""),
                n_moved=sum(row["size"] > STILL for row in moved), least=STILL,
                mixed=len({row["indicator"]["label"][lang] for row in rows}) > 1,
                still=[row for row in compared if not row["differs"]], first=[row for row in rows if row["first"]])


def changes(previous: Mapping[str, Any] | None, now: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """Return what differs between two summaries of a branch.

    ``first``: there is nothing to compare with; ``forecasts``: ``[{month, old, new, change, share, size}]`` of the
    months that both speak of, ``change`` in the indicator's unit, ``share`` of the old value (None of a ratio or of
    nothing), ``size`` the one of both that is shown; ``came``: ``[{month, actual, old, where}]``, months that were
    forecast then and are known now, within the 80% limits, the 95% limits or ``outside``; ``grade``: ``[old, new]``
    where it changed, else None; ``odds``: ``[{label, said [old, new]}]`` that changed; ``before``: the label of the
    indicator that was forecast, if it was another; ``size``: the largest move of a forecast; ``differs``: there is
    something to say.
    """
    first, previous = previous is None, previous or now     # nothing differs from itself
    same = previous["indicator"] == now["indicator"]
    forecasts, came = (_forecasts(previous, now), _came(previous, now)) if same else ([], [])
    grades = [(one["trust"] or {}).get("grade") for one in (previous, now)]
    grade = grades if same and grades[0] != grades[1] else None
    before = {(one["key"], one["deadline"]): one["said"] for one in previous["targets"]}
    odds = [{"label": one["label"][lang], "said": [said, one["said"]]} for one in now["targets"]
            if (said := before.get((one["key"], one["deadline"]))) not in (None, one["said"])]
    size = max((abs(row["size"]) for row in forecasts), default=0.0)
    return {"page": _href(now["branch"], "report.html"), "label": now["label"][lang], "indicator": now["indicator"],
            "first": first, "forecasts": forecasts, "came": came, "grade": grade, "odds": odds, "size": size,
            "before": None if same else previous["indicator"]["label"][lang],
            "differs": bool(not same or grade or odds or came or size > STILL)}


def _forecasts(previous, now) -> list[dict[str, Any]]:
    before, ratio = {row["month"]: row["y_hat"] for row in previous["forecast"]}, now["indicator"]["kind"] == "ratio"
    rows = []
    for row in now["forecast"]:
        old, new = before.get(row["month"]), row["y_hat"]
        if old is not None and new is not None:
            change, share = plain(new - old), None if ratio or not old else plain(new / old - 1)
            rows.append({"month": row["month"], "old": old, "new": new, "change": change, "share": share,
                         "size": change if share is None else share})
    return rows


def _came(previous, now) -> list[dict[str, Any]]:
    known = dict(zip(now["spark"]["months"], now["spark"]["y"], strict=True))
    rows = []
    for row in previous["forecast"]:
        if (actual := known.get(row["month"])) is not None:
            limits = {level: (row[f"lo-{level}"], row[f"hi-{level}"]) for level in ("80", "95")}
            where = next((level for level, ends in limits.items() if None not in ends and ends[0] <= actual <= ends[1]),
                         "outside")
            rows.append({"month": row["month"], "actual": actual, "old": row["y_hat"], "where": where})
    return rows
