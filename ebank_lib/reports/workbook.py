"""A report's tables as files: ``tables.xlsx`` for people, tidy CSV and Parquet for programs.

Texts are written as texts and never as formulas or links, whatever they begin with. Columns of CSV and Parquet have the
names that code uses, in every language; months are texts ``YYYY-MM``, per cent are fractions. No file carries a time,
so that the same tables give the same bytes.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import xlsxwriter

from ..cleaning.ledger import inert
from ..display import missing
from ..wording import columns_of, language, t
from .sheets import Column, Sheet

# What a kind of number looks like; any other kind is an Excel format itself.
FORMATS = {"count": "#,##0", "rank": "0", "percent": "0.0%", "change": "+0.0%;-0.0%;0.0%", "points": "+0.0;-0.0;0.0",
           "times": "0.00", "month": "yyyy-mm"}
EPOCH = dt.datetime(2000, 1, 1)   # a file must name a time; this one says nothing
_LONGEST = 32_767                  # characters in a cell
_WIDEST = 48
_PAGE = 14                         # columns that can be read on a sheet of A4
_HEAD = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#EEF1F4"}
_STYLES = {"title": {"bold": True, "font_size": 14}, "head": {**_HEAD, "indent": 1},
           "head_right": {**_HEAD, "align": "right"}, "link": {"font_color": "#0A58B0", "underline": 1},
           "note": {"font_color": "#57606A", "italic": True},
           "text": {"text_wrap": True, "valign": "top", "indent": 1},
           "month": {"num_format": FORMATS["month"], "align": "left", "valign": "top", "indent": 1}}


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


# ---------------------------------------------------------------- CSV and Parquet

def export_files(tables: Iterable[Mapping[str, Any]]) -> dict[str, bytes]:
    """Return ``tables/NAME.csv`` and ``tables/NAME.parquet`` of every record."""
    return {f"tables/{table['name']}.{kind}": made(table) for table in tables
            for kind, made in (("csv", csv_bytes), ("parquet", parquet_bytes))}


def csv_bytes(table: Mapping[str, Any]) -> bytes:
    """Return a record as CSV, in UTF-8 with a mark that spreadsheets know; no text can be taken for a formula."""
    buffer = io.StringIO()
    # The heading is a text like any other.
    csv.writer(buffer, lineterminator="\n").writerows(
        [inert(value) if isinstance(value, str) else value for value in row]
        for row in ([column["name"] for column in table["columns"]], *table["rows"]))
    return buffer.getvalue().encode("utf-8-sig", "replace")


def parquet_bytes(table: Mapping[str, Any]) -> bytes:
    """Return a record as Parquet: integers, floats, booleans and texts as what they are, what is missing as null."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"integer": pa.int64(), "number": pa.float64(), "percent": pa.float64(), "flag": pa.bool_()}
    arrays = []
    for at, column in enumerate(table["columns"]):
        values = [row[at] for row in table["rows"]]
        if column["kind"] not in kinds:
            values = [None if v is None else str(v).encode("utf-8", "replace").decode() for v in values]
        arrays.append(pa.array(values, kinds.get(column["kind"], pa.string())))
    buffer = io.BytesIO()
    parquet.write_table(pa.table(arrays, [column["name"] for column in table["columns"]]), buffer, compression="zstd",
                        store_schema=False)
    return buffer.getvalue()
