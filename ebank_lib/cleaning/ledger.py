"""The ledger: one row a decision, neutral in language; its reasons in words; its safe export.

The stages collect decisions in a :class:`Book`: arrays, not rows, for a province prints forty thousand cells.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from ..catalog import Branch, Catalog
from ..wording import has, language, number, percent, t
from .parsing import cell_name

DECISIONS = ("parsed", "converted", "corrected", "flagged", "rejected", "filled")
JUDGED = ("corrected", "flagged", "filled")
_ADDRESS = ["file", "sheet", "row", "column", "branch", "month", "indicator", "text", "unit"]
COLUMNS = [*_ADDRESS, "decision", "rule", "reason", "before", "after"]


def phrase(key: str, **values) -> dict:
    """Return a sentence inside another: the wording ``cleaning.<key>`` with its values."""
    return {"say": key, **values}


def in_both(branch: Branch) -> dict[str, str]:
    """Return a branch's name in both languages, as a detail of a decision."""
    return {"zh": branch.zh, "en": branch.en}


class ConservationError(RuntimeError):
    """A cell was lost or counted twice, or a number has no cell: a bug of the library, never of the input."""


class Book:
    """Collects decisions. ``cell`` is the position of the cell in the cells frame; -1 where no cell was printed."""

    def __init__(self) -> None:
        self._read: list[list[np.ndarray]] = []      # how a cell was read stands before what became of it
        self._later: list[list[np.ndarray]] = []
        self._loose: list[dict] = []
        self.add([], "", "")

    def add(self, cells, decision: str, rule: str, before=np.nan, after=np.nan, detail: Mapping | list | None = None,
            reading: bool = False) -> None:
        """Write one decision on many cells (`before`, `after`, `detail` one for each, or one for all)."""
        cells = np.atleast_1d(np.asarray(cells, dtype=np.int64))
        said = [np.full(cells.shape, value, kind) for value, kind in (
            (decision, object), (rule, object), (before, float), (after, float), (detail, object))]
        (self._read if reading else self._later).append([cells, *said])

    def add_loose(self, branch: str, month: pd.Period, indicator: str, decision: str, rule: str,
                  after: float = np.nan, detail: Mapping | None = None) -> None:
        """Write a decision on a value or a month that no cell printed."""
        self._loose.append({"branch": branch, "month": month, "indicator": indicator, "decision": decision,
                            "rule": rule, "after": after, "detail": detail})

    def entries(self, cells: pd.DataFrame, branch: np.ndarray) -> pd.DataFrame:
        """Return the decisions in the order of the cells: the ledger with ``detail`` and ``cell``, without ``reason``;
        `branch` is for each cell the branch id, or the printed name where it is unknown."""
        at, decision, rule, before, after, detail = map(np.concatenate, zip(*self._read, *self._later))
        order = np.argsort(at, kind="stable")
        frame = cells[[c for c in _ADDRESS if c != "branch"]].take(at[order]).reset_index(drop=True)
        frame.insert(4, "branch", pd.Categorical(np.asarray(branch, object)[at[order]]))
        frame = frame.assign(
            decision=pd.Categorical(decision[order], DECISIONS), rule=pd.Categorical(rule[order]),
            before=before[order], after=after[order], detail=detail[order], cell=at[order])
        return pd.concat([frame, self._loose_frame()], ignore_index=True) if self._loose else frame

    def _loose_frame(self) -> pd.DataFrame:
        rows = pd.DataFrame(self._loose)
        rows = rows.assign(file="", sheet="", row=0, column="", text="", unit="", before=np.nan, cell=-1,
                           decision=pd.Categorical(rows["decision"], DECISIONS))
        rows = rows[[*_ADDRESS, "decision", "rule", "before", "after", "detail", "cell"]]
        return rows.sort_values(["month", "branch", "indicator", "rule"], kind="stable")


# --- in words --------------------------------------------------------------------------------------------------------

def with_reasons(entries: pd.DataFrame, lang: str | None = None) -> pd.DataFrame:
    """Return entries as rows of the ledger, with the reason of each in words: ``cleaning.<rule>``, or
    ``cleaning.<rule>_<decision>`` where one exists, its placeholders filled from `detail`."""
    kind = entries["rule"].astype(str) + "|" + entries["decision"].astype(str)
    keys = {k: _key(*k.split("|")) for k in kind.unique()}
    reason = kind.map({k: t(key, lang) for k, key in keys.items()}).astype(object)
    said, kinds = reason.to_numpy(copy=True), kind.to_numpy()
    details = entries["detail"].to_numpy()
    for n in np.flatnonzero(entries["detail"].notna().to_numpy()):
        said[n] = t(keys[kinds[n]], lang, **{k: _shown(k, v, lang) for k, v in details[n].items()})
    return entries.assign(reason=pd.Series(said, entries.index, dtype=object))[COLUMNS]


def _key(rule: str, decision: str) -> str:
    return f"cleaning.{rule}_{decision}" if has(f"cleaning.{rule}_{decision}") else f"cleaning.{rule}"


def _shown(name: str, value: object, lang: str | None) -> str:
    if isinstance(value, Mapping) and "say" in value:
        return t(f"cleaning.{value['say']}", lang, **{k: _shown(k, v, lang) for k, v in value.items() if k != "say"})
    if isinstance(value, Mapping):  # a label in both languages
        return str(value[language(lang)])
    if isinstance(value, list):
        return t("cleaning.comma", lang).join(_shown(name, v, lang) for v in value)
    if isinstance(value, float):
        return percent(value) if name.startswith("share") else plain(value) if abs(value) < 1e15 else number(value)
    return str(value)


def plain(value: float) -> str:
    """Return a figure with all the digits that were printed, never with an exponent."""
    return f"{value:,.10g}" if abs(value) < 1e9 else f"{value:,.0f}"


_NUMBER = ["month", "decision", "file", "sheet", "row", "column", "indicator"]


def for_reading(entries: pd.DataFrame, catalog: Catalog, lang: str | None) -> pd.DataFrame:
    """Return rows of the ledger for reading, see :meth:`ebank_lib.cleaning.Cleaned.of`."""
    proofs = [_shown("proof", d["proof"], lang) if isinstance(d, dict) and "proof" in d else ""
              for d in entries["detail"]]
    rows = with_reasons(entries, lang).astype({"decision": str, "indicator": str})
    rows["reason"] = list(zip(rows["reason"], proofs, strict=True))
    single = rows.groupby(_NUMBER, sort=False, dropna=False, observed=True).agg(
        text=("text", "first"), after=("after", "last"),
        reason=("reason", lambda r: t("cleaning.and", lang).join(_once(r))))
    rows = single.reset_index().groupby(["month", "decision", "reason"], sort=False, as_index=False).agg(
        numbers=("indicator", "size"), **{name: (name, "first") for name in (
            "indicator", "file", "sheet", "column", "row", "text", "after")})
    rows = rows.sort_values("month", kind="stable", ignore_index=True)
    printed = rows["file"].fillna("").astype(str) != ""
    return pd.DataFrame({
        "month": rows["month"],
        "indicator": [catalog.indicator(k).label(lang) for k in rows["indicator"]],
        "numbers": rows["numbers"],
        "address": [f"{r.file} {r.sheet}!{cell_name(r.column, r.row)}" if p else None
                    for r, p in zip(rows.itertuples(), printed, strict=True)],
        "text": rows["text"].astype(object).where(printed),
        "after": [_value(catalog, k, v, lang) for k, v in zip(rows["indicator"], rows["after"], strict=True)],
        "decision": [t(f"cleaning.{d}", lang) for d in rows["decision"]],
        "reason": rows["reason"]})


def _value(catalog: Catalog, key: str, value: float, lang: str | None) -> str:
    if pd.isna(value) or catalog.indicators[key].kind == "ratio":
        return percent(value, 2)
    return f"{plain(value)}{'' if language(lang) == 'zh' else ' '}{catalog.unit_label(key, lang)}"


def _once(reasons: Iterable[tuple[str, str]]) -> list[str]:
    """Return reasons of one number without repeating any, nor the proof that several of them end on."""
    said: dict[str, None] = {}
    before: set[str] = set()
    for reason, proof in reasons:
        if proof and proof in before:
            reason = reason.removesuffix(proof).rstrip(" ,，")
        before.add(proof)
        said[reason] = None
    return list(said)


# --- for spreadsheets ------------------------------------------------------------------------------------------------

def safe_for_spreadsheets(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy in which no text can be taken for a formula: one that begins with = + - @, narrow or wide, or a
    control character gets an apostrophe in front. A carriage return ends a line whatever stands around it, so that the
    rest of the text would begin one; it becomes a line feed, which a CSV file quotes."""
    return frame.map(lambda v: inert(v) if isinstance(v, str) else v)


# The wide ones too: a spreadsheet in Chinese takes them for the narrow ones.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def inert(text: str) -> str:
    """Return a text as :func:`safe_for_spreadsheets` has it."""
    return ("'" if text.startswith(_FORMULA) else "") + text.replace("\r\n", "\n").replace("\r", "\n")


def csv_of(frame: pd.DataFrame) -> bytes:
    """Return a table as CSV in UTF-8 with a mark that spreadsheets know; no text can be taken for a formula."""
    safe = safe_for_spreadsheets(frame.assign(month=frame["month"].astype(str)))
    return safe.to_csv(index=False, lineterminator="\n").encode("utf-8-sig", "replace")


def table_files(name: str, frame: pd.DataFrame) -> dict[str, bytes]:
    """Return a table with a column `month` as ``NAME.csv`` and ``NAME.parquet``: the same bytes for the same table."""
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pandas(frame.assign(month=frame["month"].astype(str)), preserve_index=False)
    buffer = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata(None), buffer, compression="zstd", store_schema=False)
    return {f"{name}.csv": csv_of(frame), f"{name}.parquet": buffer.getvalue()}


# --- for the store ----------------------------------------------------------------------------------------------------

def packed(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables as they are kept: the panel's index as columns, for Arrow reads a column of months back as
    months, and a level of them as numbers where nothing asked for months before; what a decision was based on as JSON.
    """
    entries = tables["entries"]
    texts = [json.dumps(detail, ensure_ascii=False) for detail in entries["detail"]]
    return tables | {"panel": tables["panel"].reset_index(),
                     "entries": entries.assign(detail=pd.Series(texts, dtype="str"))}


def unpacked(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return tables as :func:`packed` had them."""
    codes, texts = pd.factorize(tables["entries"]["detail"])
    details = np.array([*map(json.loads, texts), None], object)
    panel = tables["panel"]
    index = [pd.Index(panel["branch"].unique(), name="branch"), pd.PeriodIndex(panel["month"].unique(), name="month")]
    return tables | {"panel": panel.drop(columns=["branch", "month"]).set_axis(pd.MultiIndex.from_product(index)),
                     "entries": tables["entries"].assign(detail=details[codes])}
