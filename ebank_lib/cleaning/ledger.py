"""The ledger: one row a decision, neutral in language; its conservation law; and its safe export.

Decisions are collected by the stages in a :class:`Book` (arrays, not rows: a province prints forty thousand cells) and
become one frame in the order of the cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..wording import has, number, percent, t

__all__ = ["COLUMNS", "DECISIONS", "Book", "ConservationError", "Say", "inert", "reasons", "safe_for_spreadsheets",
           "with_reasons"]

DECISIONS = ("parsed", "converted", "corrected", "flagged", "rejected", "filled")
COLUMNS = ["file", "sheet", "row", "column", "branch", "month", "indicator", "text", "unit", "decision", "rule",
           "reason", "before", "after"]
_ADDRESS = ["file", "sheet", "row", "column", "branch", "month", "indicator", "text", "unit"]


class Say(NamedTuple):
    """A sentence inside another: the wording ``cleaning.<key>`` with its values."""

    key: str
    values: dict = {}


class ConservationError(RuntimeError):
    """A cell was lost or counted twice, or a number has no cell: a bug of the library, never of the input."""


class Book:
    """Collects decisions. ``cell`` is the position of the cell in the cells frame; -1 where no cell was printed."""

    def __init__(self) -> None:
        self._read: list[dict] = []      # how a cell was read stands before what became of it
        self._later: list[dict] = []
        self._loose: list[dict] = []

    def add(self, cells, decision: str, rule: str, before=np.nan, after=np.nan, detail: Mapping | list | None = None,
            reading: bool = False) -> None:
        """Write one decision on many cells (`before`, `after`, `detail` one for each, or one for all)."""
        cells = np.atleast_1d(np.asarray(cells, dtype=np.int64))
        if not len(cells):
            return
        details = detail if isinstance(detail, list) else [detail] * len(cells)
        chunks = self._read if reading else self._later
        chunks.append({"cell": cells, "decision": decision, "rule": rule, "detail": details,
                       "before": np.broadcast_to(np.asarray(before, float), cells.shape),
                       "after": np.broadcast_to(np.asarray(after, float), cells.shape)})

    def add_loose(self, branch: str, month: pd.Period, indicator: str, decision: str, rule: str,
                  after: float = np.nan, detail: Mapping | None = None, file: str = "") -> None:
        """Write a decision on a value or a month that no cell printed."""
        self._loose.append({"branch": branch, "month": month, "indicator": indicator, "decision": decision,
                            "rule": rule, "after": after, "detail": detail, "file": file})

    def entries(self, cells: pd.DataFrame, branch: np.ndarray) -> pd.DataFrame:
        """Return the decisions in the order of the cells: the ledger with ``detail`` and ``cell``, without ``reason``.

        Parameters
        ----------
        cells : DataFrame
            The cells as printed.
        branch : array of str
            For each cell the branch id, or the printed name where it is unknown.
        """
        chunks = self._read + self._later
        at = np.concatenate([c["cell"] for c in chunks]) if chunks else np.empty(0, np.int64)
        order = np.argsort(at, kind="stable")
        size = [len(c["cell"]) for c in chunks]
        frame = cells[[c for c in _ADDRESS if c != "branch"]].take(at[order]).reset_index(drop=True)
        frame.insert(4, "branch", pd.Categorical(np.asarray(branch, object)[at[order]]))
        for name in ("decision", "rule"):
            codes = np.repeat([c[name] for c in chunks], size)[order] if size else np.empty(0, object)
            frame[name] = pd.Categorical(codes, DECISIONS if name == "decision" else None)
        for name in ("before", "after"):
            frame[name] = np.concatenate([c[name] for c in chunks])[order] if size else np.empty(0)
        details = np.empty(len(at), object)
        details[:] = [d for c in chunks for d in c["detail"]]
        frame["detail"] = details[order]
        frame["cell"] = at[order]
        return pd.concat([frame, self._loose_frame()], ignore_index=True) if self._loose else frame

    def _loose_frame(self) -> pd.DataFrame:
        rows = pd.DataFrame(self._loose)
        out = pd.DataFrame({"file": rows["file"], "sheet": "", "row": 0, "column": "", "branch": rows["branch"],
                            "month": pd.PeriodIndex(rows["month"], freq="M"), "indicator": rows["indicator"],
                            "text": "",
                            "unit": "", "decision": pd.Categorical(rows["decision"], DECISIONS), "rule": rows["rule"],
                            "before": np.nan, "after": rows["after"].astype(float), "detail": rows["detail"],
                            "cell": -1})
        return out.sort_values(["month", "branch", "indicator", "rule"], kind="stable")


def reasons(entries: pd.DataFrame, lang: str | None = None) -> pd.Series:
    """Return the reason of every decision in words.

    The text is ``cleaning.<rule>``, or ``cleaning.<rule>_<decision>`` where one exists; `detail` fills its placeholders
    (months and numbers written as a reader writes them).
    """
    kind = entries["rule"].astype(str) + "|" + entries["decision"].astype(str)
    plain = entries["detail"].isna()
    texts = {k: _template(*k.split("|"), lang) for k in kind.unique()}
    out = kind.map(texts).astype(object)
    details, kinds, said = entries["detail"].to_numpy(), kind.to_numpy(), out.to_numpy(copy=True)
    for n in np.flatnonzero(~plain.to_numpy()):
        values = {k: shown(k, v, lang) for k, v in details[n].items()}
        said[n] = t(_key(*kinds[n].split("|")), lang, **values)
    return pd.Series(said, index=out.index, dtype=object)


def with_reasons(entries: pd.DataFrame, lang: str | None = None) -> pd.DataFrame:
    """Return entries as rows of the ledger: with the reason of each in words."""
    return entries.assign(reason=reasons(entries, lang))[COLUMNS]


def _key(rule: str, decision: str) -> str:
    return f"cleaning.{rule}_{decision}" if has(f"cleaning.{rule}_{decision}") else f"cleaning.{rule}"


def _template(rule: str, decision: str, lang: str | None) -> str:
    return t(_key(rule, decision), lang)


def shown(name: str, value: object, lang: str | None) -> str:
    if isinstance(value, Say):
        return t(f"cleaning.{value.key}", lang, **{k: shown(k, v, lang) for k, v in value.values.items()})
    if isinstance(value, Mapping):  # a label in both languages
        return str(value["zh" if t("cleaning.comma", lang) == "、" else "en"])
    if isinstance(value, list):
        return t("cleaning.comma", lang).join(shown(name, v, lang) for v in value)
    if isinstance(value, float):
        return percent(value) if name.startswith("share") else plain(value) if abs(value) < 1e15 else number(value)
    return str(value)


def plain(value: float) -> str:
    """Return a figure with all the digits that were printed, never with an exponent."""
    return f"{value:,.10g}" if abs(value) < 1e9 else f"{value:,.0f}"


def safe_for_spreadsheets(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy in which no text can be taken for a formula: one that begins with = + - @, narrow or wide, or a
    control character gets an apostrophe in front. A carriage return ends a line whatever stands around it, so that the
    rest of the text would begin one; it becomes a line feed, which a CSV file quotes."""
    out = frame.copy()
    for name in out.columns:
        if isinstance(out[name].dtype, (pd.CategoricalDtype, pd.StringDtype)) or out[name].dtype == object:
            texts = out[name].astype(object)
            out[name] = texts.map(lambda v: inert(v) if isinstance(v, str) else v)
    return out


def inert(text: str) -> str:
    """Return a text as :func:`safe_for_spreadsheets` has it."""
    mark = "'" if text and text[0] in _FORMULA else ""
    return mark + text.replace("\r\n", "\n").replace("\r", "\n")


# The wide ones too: a spreadsheet in Chinese takes them for the narrow ones.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
