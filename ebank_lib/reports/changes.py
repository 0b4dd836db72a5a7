"""``changes.html``: which forecasts moved against the previous run, grades and odds too, and what differs behind them.

A branch is compared with the last summary of it that said something else (``previous.json``). Only forecasts of the
same indicator and the same month are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ..wording import LANGUAGES, language, percent, t
from .figures import change_text, month_text, value_text
from .page import set_page

__all__ = ["build_changes", "changes"]

# What is below half a per mille is not said to have moved.
_STILL = 0.0005
_NAMED = 6


def changes(previous: Mapping[str, Any] | None, now: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs between two summaries of a branch, as plain JSON.

    Returns
    -------
    dict
        ``branch``, ``label``, ``role``; ``first``: there is nothing to compare with; ``forecasts``:
        ``[{month, old, new, change, share}]`` of the months that both speak of, ``change`` in the indicator's unit,
        ``share`` of the old value (null of a ratio or of nothing); ``came``:
        ``[{month, actual, old, lo-80, hi-80, lo-95, hi-95}]``, months that were forecast then and are known now;
        ``grade``: ``[old, new]`` where it changed, else null; ``odds``: ``[{key, label, old, new, said}]`` that
        changed; ``why``: ``[{code, text {zh, en}}]``, what else differs: new months, source files, the branch's own
        data, parameters, the indicator, notebooks, the program.

    Examples
    --------
    >>> changes(None, {"branch": "a", "label": {"zh": "甲", "en": "A"}, "role": "branch"})["first"]
    True
    """
    made = {"branch": now["branch"], "label": now["label"], "role": now["role"], "first": previous is None,
            "forecasts": [], "came": [], "grade": None, "odds": [], "why": []}
    if previous is None:
        return made
    same = previous["indicator"] == now["indicator"]
    grades = [(one["trust"] or {}).get("grade") for one in (previous, now)]
    return made | {
        "forecasts": _forecasts(previous, now) if same else [], "came": _came(previous, now) if same else [],
        "grade": grades if same and grades[0] != grades[1] else None, "odds": _odds(previous, now),
        "why": [{"code": code, "text": text} for code, text in _why(previous, now)],
    }


def _forecasts(previous, now) -> list[dict[str, Any]]:
    before = {row["month"]: row["y_hat"] for row in previous["forecast"]}
    rows = []
    for row in now["forecast"]:
        old, new = before.get(row["month"]), row["y_hat"]
        if old is not None and new is not None:
            ratio = now["indicator"]["kind"] == "ratio"
            rows.append({"month": row["month"], "old": old, "new": new, "change": _ten(new - old),
                         "share": None if ratio or not old else _ten(new / old - 1)})
    return rows


def _ten(value: float) -> float:
    return float(f"{value:.10g}")


def _came(previous, now) -> list[dict[str, Any]]:
    known = dict(zip(now["spark"]["months"], now["spark"]["y"], strict=True))
    rows = [row for row in previous["forecast"] if known.get(row["month"]) is not None]
    return [{"month": row["month"], "actual": known[row["month"]], "old": row["y_hat"],
             **{name: row[name] for name in ("lo-80", "hi-80", "lo-95", "hi-95")}} for row in rows]


def _odds(previous, now) -> list[dict[str, Any]]:
    before = {(one["key"], one["deadline"]): one for one in previous["targets"]}
    pairs = [(before[one["key"], one["deadline"]], one) for one in now["targets"]
             if (one["key"], one["deadline"]) in before]
    return [{"key": one["key"], "label": one["label"], "old": old["odds"], "new": one["odds"],
             "said": [old["said"], one["said"]]} for old, one in pairs if old["said"] != one["said"]]


# ---------------------------------------------------------------- what differs behind

def _why(previous, now) -> Iterable[tuple[str, dict[str, str]]]:
    old, new = previous["months"][1], now["months"][1]
    if old != new:
        yield "months", _both("index.because_months" if new > old else "index.because_fewer",
                              old=lambda lang: month_text(old, lang), new=lambda lang: month_text(new, lang))
    if previous["months"][0] != now["months"][0]:
        yield "start", _both("index.because_start", **{name: lambda lang, one=one: month_text(one["months"][0], lang)
                                                       for name, one in (("old", previous), ("new", now))})
    if previous["indicator"] != now["indicator"]:
        yield "indicator", _both("index.because_indicator", **{
            name: lambda lang, one=one: one["indicator"]["label"][lang] for name, one in (("old", previous),
                                                                                          ("new", now))})
    files = [{file["file"]: file["sha256"] for file in one["files"]} for one in (previous, now)]
    for code, names in (("added", [name for name in files[1] if name not in files[0]]),
                        ("changed", [n for n in files[1] if n in files[0] and files[0][n] != files[1][n]]),
                        ("gone", [name for name in files[0] if name not in files[1]])):
        if names:
            yield f"files_{code}", _both(f"index.because_{code}", n=len(names), files=lambda lang, names=names: (
                _listed(names, lang)))
    if previous["hashes"]["panel"] == now["hashes"]["panel"]:
        if files[0] != files[1]:
            yield "others", _both("index.because_others")
    elif files[0] == files[1] and previous["months"] == now["months"]:
        yield "panel", _both("index.because_panel")
    for name in sorted({*previous["parameters"], *now["parameters"]} - {"lang", "indicator", "branch", "start", "end"}):
        before, after = (one["parameters"].get(name, "–") for one in (previous, now))
        if before != after:
            yield "parameter", _both("index.because_parameter", name=name, old=before, new=after)
    # Summaries of a version before this one do not name notebooks.
    books = [one["hashes"].get("notebooks", {}) for one in (previous, now)]
    other = sorted(name for name in books[0].keys() & books[1].keys() if books[0][name] != books[1][name])
    if other:
        yield "notebooks", _both("index.because_notebooks", n=len(other), names=lambda lang: _listed(other, lang))
    if previous["hashes"]["code"] != now["hashes"]["code"]:
        yield "code", _both("index.because_code")


def _both(key: str, **values) -> dict[str, str]:
    return {lang: t(key, lang, **{name: value(lang) if callable(value) else value for name, value in values.items()})
            for lang in LANGUAGES}


def _listed(names: list[str], lang: str) -> str:
    comma = "、" if lang == "zh" else ", "
    return comma.join(names[:_NAMED]) + (comma + t("index.more", lang, n=len(names) - _NAMED)
                                         if len(names) > _NAMED else "")


# ---------------------------------------------------------------- the page

def build_changes(pairs: Iterable[tuple[Mapping[str, Any] | None, Mapping[str, Any]]], run: Mapping[str, Any],
                  lang: str) -> str:
    """Return the page as HTML: what moved most first, then what stayed as it was and what is new.

    Parameters
    ----------
    pairs : iterable of (previous, now)
        Summaries of each branch; ``previous`` is None where there was none.
    run : mapping
        ``title`` {zh, en} and ``simulated``, where there is no summary to say it.
    lang : {"zh", "en"}

    Raises
    ------
    ConfigError
        The page would be larger than 3 MB.
    """
    lang = language(lang)
    pairs = list(pairs)
    rows = [_said(changes(previous, now), now, lang) for previous, now in pairs]
    moved = sorted((row for row in rows if row["differs"]), key=lambda row: -row["size"])
    compared = [row for row in rows if not row["first"]]
    # What is behind every move is said once.
    common = [line for line in (moved[0]["why"] if len(moved) > 1 else []) if all(line in row["why"] for row in moved)]
    for row in moved:
        row["own"] = [line for line in row["why"] if line not in common]
    about = pairs[0][1]["source"] if pairs else {"title": run.get("title"), "simulated": run.get("simulated")}
    return set_page(
        "changes.html.j2", lang, simulated=about["simulated"], moved=moved,
        title=t("index.changes_title", lang, source=about["title"][lang] if about["title"] else ""),
        n_moved=sum(1 for row in moved if row["size"] > _STILL), compared=len(compared), common=common,
        mixed=len({row["indicator"] for row in rows}) > 1,
        still=[row for row in compared if not row["differs"]],
        first=[row for row in rows if row["first"]])


def _said(made: dict[str, Any], now: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """Return what the page says of a branch; ``size`` is the largest relative move."""
    indicator = now["indicator"]
    moves = [{"month": month_text(row["month"], lang), "old": value_text(indicator, row["old"], lang),
              "new": value_text(indicator, row["new"], lang), "size": abs(_size(row)),
              "way": "still" if abs(_size(row)) <= _STILL else "up" if row["change"] > 0 else "down",
              "change": _change(indicator, row, lang)} for row in made["forecasts"]]
    came = [{"month": month_text(row["month"], lang), "actual": value_text(indicator, row["actual"], lang),
             "old": value_text(indicator, row["old"], lang), "where": t(f"index.came_{_where(row)}", lang)}
            for row in made["came"]]
    odds = [t("index.odds_moved", lang, target=one["label"][lang], old=one["said"][0], new=one["said"][1])
            for one in made["odds"]]
    size = max((move["size"] for move in moves), default=0.0)
    other = any(one["code"] == "indicator" for one in made["why"])
    differs = bool(other or made["grade"] or odds or came or size > _STILL)
    return {"label": made["label"][lang], "page": f"{quote(made['branch'], safe='')}/report.html",
            "first": made["first"], "indicator": indicator["label"][lang], "moves": moves,
            "last": moves[-1] if moves else None, "came": came,
            "grade": [letter or "–" for letter in made["grade"]] if made["grade"] else None, "odds": odds,
            "why": [one["text"][lang] for one in made["why"]], "size": size, "differs": differs}


def _size(row: Mapping[str, Any]) -> float:
    return row["change"] if row["share"] is None else row["share"]


def _change(indicator: Mapping[str, Any], row: Mapping[str, Any], lang: str) -> str:
    if row["share"] is not None:
        return percent(row["share"], sign=True)
    if indicator["kind"] == "ratio":
        return change_text(indicator, row["change"], lang)
    return value_text(indicator, row["change"], lang)


def _where(row: Mapping[str, Any]) -> str:
    """Return where what came lies: within the 80% limits, the 95% limits, or outside."""
    for level in ("80", "95"):
        lo, hi = row[f"lo-{level}"], row[f"hi-{level}"]
        if lo is not None and hi is not None and lo <= row["actual"] <= hi:
            return level
    return "outside"
