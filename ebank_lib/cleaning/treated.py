"""What was done to a branch's numbers, for reading: a row a number or a group treated alike, in words."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..catalog import Catalog
from ..wording import language, percent, t
from .ledger import plain, shown, with_reasons

__all__ = ["treated"]

_NUMBER = ["month", "decision", "file", "sheet", "row", "column", "indicator"]


def treated(entries: pd.DataFrame, catalog: Catalog, lang: str | None) -> pd.DataFrame:
    """Return rows of the ledger for reading, see :meth:`ebank_lib.cleaning.Cleaned.of`."""
    proofs = [_proof(d, lang) for d in entries["detail"]]
    rows = with_reasons(entries, lang).astype({"decision": str, "indicator": str})
    rows["reason"] = list(zip(rows["reason"], proofs, strict=True))
    single = rows.groupby(_NUMBER, sort=False, dropna=False, observed=True).agg(
        text=("text", "first"), after=("after", "last"),
        reason=("reason", lambda r: t("cleaning.and", lang).join(_once(r))))
    rows = single.reset_index().groupby(["month", "decision", "reason"], sort=False).agg(
        {"indicator": ["first", "size"], "file": "first", "sheet": "first", "column": "first", "row": "first",
         "text": "first", "after": "first"})
    rows.columns = ["indicator", "numbers", *rows.columns.get_level_values(0)[2:]]
    rows = rows.reset_index().sort_values("month", kind="stable", ignore_index=True)
    printed = rows["file"].fillna("").astype(str) != ""
    return pd.DataFrame({
        "month": rows["month"],
        "indicator": [catalog.indicator(k).label(lang) for k in rows["indicator"]],
        "numbers": rows["numbers"],
        "address": [_address(r) if p else None for r, p in zip(rows.itertuples(), printed, strict=True)],
        "text": rows["text"].astype(object).where(printed),
        "after": [_value(catalog, k, v, lang) for k, v in zip(rows["indicator"], rows["after"], strict=True)],
        "decision": [t(f"cleaning.{d}", lang) for d in rows["decision"]],
        "reason": rows["reason"]})


def _value(catalog: Catalog, key: str, value: float, lang: str | None) -> str:
    if pd.isna(value) or catalog.indicators[key].kind == "ratio":
        return percent(value, 2)
    return f"{plain(value)}{'' if language(lang) == 'zh' else ' '}{catalog.unit_label(key, lang)}"


def _address(cell) -> str:
    """Return where a cell stands as a spreadsheet writes it; a column with a name of its own follows the row."""
    letters = cell.column.isupper() and cell.column.isascii() and len(cell.column) <= 3
    return f"{cell.file} {cell.sheet}!" + (f"{cell.column}{cell.row}" if letters else f"{cell.row} {cell.column}")


def _proof(detail: object, lang: str | None) -> str:
    """Return the proof that ends a reason, in words."""
    return shown("proof", detail["proof"], lang) if isinstance(detail, dict) and "proof" in detail else ""


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
