"""``index.html``: every branch on one page, who needs attention and why, what failed; and a failed branch's own page.

One file that loads nothing, for a file share without a server. Without script everything is shown and can be read;
the one script, named by its hash, sorts, searches and filters what is there.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ..wording import has, language, t
from .figures import change_text, month_text, range_text, spark, value_text
from .page import set_page

__all__ = ["CODES", "build_failed_page", "build_index"]

# In the order of a reader's worry; see reports/summary.py for the rules.
CODES = ("failed", "not_done", "no_latest", "grade", "outside", "odds", "falling", "suspicious")
_OPEN = ("on_course", "behind", "far", "away", "reached")
# More than these are folded away.
_SHOWN = 10


def build_index(summaries: Iterable[Mapping[str, Any]], failed: Iterable[Mapping[str, Any]],
                run: Mapping[str, Any], lang: str) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    summaries : iterable of mapping
        Of :func:`~ebank_lib.reports.summary.summarise`, in the order of the table. One whose role is ``total`` stands
        above it.
    failed : iterable of mapping
        As :func:`build_failed_page` takes them; an older report is linked.
    run : mapping
        ``title`` {zh, en} and ``simulated``: of the source, where there is no summary to say it; ``changes``: whether
        ``changes.html`` stands beside the page (default: yes). All may be left out.
    lang : {"zh", "en"}

    Raises
    ------
    ConfigError
        The page would be larger than 3 MB.
    """
    lang = language(lang)
    summaries, failed = list(summaries), list(failed)
    gone, old = {one["branch"] for one in failed}, {one["branch"] for one in summaries}
    failed = [{"older": one["branch"] in old, **one} for one in failed]
    branches = [one for one in summaries if one["role"] == "branch" and one["branch"] not in gone]
    whole = next((one for one in summaries if one["role"] == "total" and one["branch"] not in gone), None)
    keys = {one["indicator"]["key"] for one in branches}
    last = max((one["months"][1] for one in branches), default=None)
    about = summaries[0]["source"] if summaries else {"title": run.get("title"), "simulated": run.get("simulated")}
    rows = [_row(one, lang, at, len(keys) > 1, last) for at, one in enumerate(branches)]
    rows += [_failed_row(one, lang, len(branches) + at) for at, one in enumerate(failed)]
    reasons = _reasons(branches, failed, lang)
    return set_page(
        "index.html.j2", lang, script="index.js",
        title=t("index.title", lang, source=about["title"][lang]) if about["title"] else t("index.title_bare", lang),
        simulated=about["simulated"], changes=run.get("changes", True), rows=rows, reasons=reasons,
        months=t("report.months", lang, first=month_text(min(one["months"][0] for one in branches), lang),
                 last=month_text(last, lang)) if branches else "",
        focus=branches[0]["indicator"]["label"][lang] if len(keys) == 1 else "",
        whole=_whole(whole, lang) if whole else None, shown=_SHOWN, reports=len(branches), failed=len(failed),
        attention=sum(1 for row in rows if row["chips"]),
        acute=sum(1 for row in rows if any(chip["level"] == "act" for chip in row["chips"])),
        grades=[{"letter": letter, "n": n, "means": t(f"index.grade_{letter}", lang)} for letter in "ABCDE"
                if (n := sum(1 for row in rows if row["grade"] == letter))],
        ungraded=sum(1 for row in rows if not row["grade"]), rule=t("forecasting.grade_rule", lang),
        horizon=max((len(one["forecast"]) for one in branches), default=0))


def _href(branch: str, *rest: str) -> str:
    return "/".join(quote(part, safe="") for part in (branch, *rest))


def _named(one: Mapping[str, Any], lang: str, at: int) -> dict[str, Any]:
    words = " ".join([one["branch"], *one["label"].values()])
    return {"at": at, "branch": one["branch"], "label": one["label"][lang],
            "search": unicodedata.normalize("NFKC", words).lower()}


def _row(one: Mapping[str, Any], lang: str, at: int, mixed: bool, last: str | None) -> dict[str, Any]:
    """Return what the table says of a branch; ``*_key`` are what its columns are sorted by."""
    indicator, latest = one["indicator"], one["latest"] or {}
    ahead = one["forecast"][-1] if one["forecast"] else {}
    trust = one["trust"] or {"grade": ""}
    targets = [target for target in one["targets"] if target["verdict"] in _OPEN and target["odds"] is not None]
    hardest = min(targets, key=lambda target: target["odds"], default=None)
    codes = {item["code"]: item["level"] for item in reversed(one["attention"])}
    chips = [{"code": code, "level": codes[code], "text": t(f"index.chip_{code}", lang)}
             for code in CODES if code in codes]
    month = latest.get("month")
    return {
        **_named(one, lang, at), "page": _href(one["branch"], "report.html"), "failed": "",
        "spark": spark(one, lang), "indicator": indicator["label"][lang] if mixed else "",
        "latest": value_text(indicator, latest.get("y"), lang), "latest_key": latest.get("y"),
        "month": month_text(month, lang) if month != last else "",
        "yoy": change_text(indicator, latest.get("yoy"), lang), "yoy_key": latest.get("yoy"),
        "ahead": value_text(indicator, ahead.get("y_hat"), lang), "ahead_key": ahead.get("y_hat"),
        "ahead_month": month_text(ahead["month"], lang) if ahead else "",
        "limits": range_text(indicator, ahead["lo-80"], ahead["hi-80"], lang) if ahead else "",
        "grade": trust["grade"], "why": trust["why"][lang] if trust["grade"] else "",
        "means": t(f"index.grade_{trust['grade'] or 'none'}", lang),
        "odds": hardest["said"] if hardest else "–", "odds_key": hardest["odds"] if hardest else None,
        "target": hardest["label"][lang] if hardest else "",
        "deadline": month_text(hardest["deadline"], lang) if hardest else "",
        "course": t("index.on_course", lang, all=len(targets), n=sum(
            1 for target in targets if target["verdict"] in ("on_course", "reached"))) if targets else "",
        "chips": chips, "chips_key": sum(10 if chip["level"] == "act" else 1 for chip in chips),
    }


def _failed_row(one: Mapping[str, Any], lang: str, at: int) -> dict[str, Any]:
    """Return the row of a branch without a report of this run: everything a dash, and the way to what is there."""
    failed = _href(one["branch"], "failed", "index.html")
    return {
        **_named(one, lang, at), "page": failed, "failed": failed,
        "older": _href(one["branch"], "report.html") if one.get("older") else "",
        "spark": "", "indicator": "", "grade": "", "why": "", "means": "–", "target": "", "deadline": "", "course": "",
        "month": "", "ahead_month": "", "limits": "",
        **dict.fromkeys(("latest", "yoy", "ahead", "odds"), "–"),
        **dict.fromkeys(("latest_key", "yoy_key", "ahead_key", "odds_key")),
        "chips": [{"code": "failed", "level": "act", "text": t("index.chip_failed", lang)}], "chips_key": 100,
    }


def _whole(one: Mapping[str, Any], lang: str) -> dict[str, str]:
    row = _row(one, lang, 0, True, one["months"][1])
    return row | {"month": month_text((one["latest"] or {}).get("month"), lang),
                  "state": [line["text"] for line in one["state"][:3]] if one["lang"] == lang else []}


def _reasons(branches, failed, lang: str) -> list[dict[str, Any]]:
    """Return why branches need attention, the gravest first: each reason with the branches and what is said of them."""
    found = []
    for code in CODES:
        if code == "failed":
            who = [{"label": one["label"][lang], "page": _href(one["branch"], "failed", "index.html"),
                    "text": t("index.failed_in", lang, where=where_of(one, lang), message=message_of(one)),
                    "cells": ""}
                   for one in failed]
        else:
            who = [{"label": one["label"][lang], "page": _href(one["branch"], "report.html"),
                    "text": item["text"][lang], "cells": " ".join(item["cells"])}
                   for one in branches for item in one["attention"] if item["code"] == code]
        if who:
            found.append({"code": code, "label": t(f"index.chip_{code}", lang), "rule": t(f"index.rule_{code}", lang),
                          "who": who, "n": len({one["page"] for one in who}),
                          "level": "act" if code in CODES[:5] else "watch"})
    return found


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


def build_failed_page(failed: Mapping[str, Any], lang: str) -> str:
    """Return ``OUT/BRANCH/failed/index.html``: what failed and where, what is left, how to try again.

    Parameters
    ----------
    failed : mapping
        ``branch``, ``label`` {zh, en}; ``error`` (its kind) and ``message``; ``command``: what does it again. May be
        left out: ``kind`` (notebook, input, disk, system, crash, memory, time, bug), ``notebook`` and ``cell`` where it
        failed; ``code`` of that cell; ``kept``: the notebook's file name in the same folder; ``older``: whether the
        report of an earlier run stands; ``index``: whether the index does (default: yes).
    lang : {"zh", "en"}
    """
    lang = language(lang)
    advice = f"index.advice_{failed.get('kind')}"
    kept = failed.get("kept")
    return set_page(
        "failed.html.j2", lang, title=t("index.failed_title", lang, branch=failed["label"][lang]), simulated=False,
        where=where_of(failed, lang), message=message_of(failed), code=failed.get("code") or "",
        advice=t(advice, lang) if has(advice) else "", kept=kept or "", kept_href=quote(str(kept or ""), safe=""),
        older=bool(failed.get("older")), index=bool(failed.get("index", True)), command=failed.get("command") or "")
