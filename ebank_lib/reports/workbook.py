"""Recorded tables for those who go on working with the figures: ``tables.xlsx``, a sheet each, tidy CSV and Parquet.

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

import xlsxwriter

from ..cleaning.ledger import inert
from ..wording import columns_of, language, t

_EPOCH = dt.datetime(2000, 1, 1)   # xlsx must name a time; this one says nothing
_LONGEST = 32_767                  # characters in a cell
_WIDEST = 48
_HEAD = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#EEF1F4"}
_STYLES = {"title": {"bold": True, "font_size": 14}, "head": _HEAD, "head_right": {**_HEAD, "align": "right"},
           "link": {"font_color": "#0A58B0", "underline": 1}, "note": {"font_color": "#57606A", "italic": True},
           "text": {"text_wrap": True, "valign": "top"}}
_FORMATS = {"percent": "0.00%", "integer": "#,##0", "month": "yyyy-mm", "date": "yyyy-mm-dd"}
# About four digits of the usual size.
_SIZES = ((1000, "#,##0"), (10, "#,##0.00"), (0.1, "0.000"), (1e-3, "0.00000"), (1e-300, "0.00E+00"), (0, "0.000"))


def workbook_bytes(tables: Sequence[Mapping[str, Any]], title: str, notes: Iterable[str] = (),
                   lang: str | None = None) -> bytes:
    """Return the workbook of records, as :func:`~ebank_lib.reports.record.table_of` makes them, with ``notebook`` and
    ``prompt`` where known. Notes (the source, and that data are simulated) stand on the first sheet and under every
    table."""
    lang, notes = language(lang), [str(note) for note in notes]
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
                                        "strings_to_numbers": False, "nan_inf_to_errors": False})
    book.set_properties({"title": _safe(title), "created": _EPOCH})
    numbers = {pattern: {"num_format": pattern, "valign": "top"}
               for pattern in (*_FORMATS.values(), *(pattern for _, pattern in _SIZES))}
    styles = {name: book.add_format(style) for name, style in (_STYLES | numbers).items()}
    first = t("report.workbook_contents", lang)
    _contents(book.add_worksheet(first), tables, title, notes, styles, lang)
    for table in tables:
        _sheet(book.add_worksheet(table["name"]), table, first, notes, styles, lang)
    book.close()
    return buffer.getvalue()


def _contents(sheet, tables: Sequence[Mapping], title: str, notes, styles, lang) -> None:
    sheet.hide_gridlines(2)
    sheet.write_string(0, 0, _safe(title), styles["title"])
    for at, key in enumerate(("sheet", "what", "rows", "made_by")):
        sheet.write_string(2, at, t(f"report.{key}", lang), styles["head"])
    for n, table in enumerate(tables, start=3):
        sheet.write_url(n, 0, f"internal:'{table['name']}'!A1", styles["link"], table["name"])
        sheet.write_string(n, 1, _safe(table["title"]), styles["text"])
        sheet.write_number(n, 2, len(table["rows"]), styles["#,##0"])
        sheet.write_string(n, 3, _origin(table))
    for n, note in enumerate(notes, start=4 + len(tables)):
        sheet.write_string(n, 0, _safe(note), styles["note"])
    for at, width in enumerate((30, 60, 10, 32)):
        sheet.set_column(at, at, width)
    sheet.freeze_panes(3, 0)


def _sheet(sheet, table, first, notes, styles, lang) -> None:
    columns, rows = table["columns"], table["rows"]
    sheet.write_string(0, 0, _safe(table["title"]), styles["title"])
    sheet.write_url(1, 0, f"internal:'{first}'!A1", styles["link"], t("report.back", lang))
    for at, column in enumerate(columns):
        kind, values = column["kind"], [row[at] for row in rows]
        number = kind in ("integer", "number", "percent")
        sheet.write_string(2, at, _safe(column["head"]), styles["head_right" if number else "head"])
        style = styles[_FORMATS.get(kind) or _pattern(values)]
        for n, value in enumerate(values, start=3):
            if isinstance(value, bool):
                sheet.write_string(n, at, t("report.yes" if value else "report.no", lang))
            elif isinstance(value, (int, float)):
                sheet.write_number(n, at, value, style)
            elif kind in ("month", "date") and value and (day := _day(value)):
                sheet.write_datetime(n, at, day, style)
            elif value is not None:
                sheet.write_string(n, at, _safe(value), styles["text"])
        sheet.set_column(at, at, _width(column, values[:500]))
    below = [*notes, *filter(None, [_origin(table)])]
    for n, note in enumerate(below, start=4 + len(rows)):
        sheet.write_string(n, 0, _safe(note), styles["note"])
    sheet.freeze_panes(3, 1)
    if rows:
        sheet.autofilter(2, 0, 2 + len(rows), len(columns) - 1)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(2)


def _day(text: str) -> dt.datetime | None:
    """Return a month or a day as Excel's date; None for what Excel's calendar does not have."""
    try:
        day = dt.datetime.fromisoformat(text if len(text) > 7 else f"{text}-01")
    except ValueError:
        return None
    return day if day.year >= 1900 else None


def _pattern(values: Sequence[Any]) -> str:
    """Return a number format that shows about four digits of the column's usual size."""
    sizes = sorted(abs(v) for v in values if isinstance(v, (int, float)) and not isinstance(v, bool) and v)
    usual = sizes[len(sizes) // 2] if sizes else 0.0
    return next(pattern for size, pattern in _SIZES if usual >= size)


def _width(column: Mapping[str, Any], values: Sequence[Any]) -> float:
    """Return a width in which the heading and the texts fit, Chinese signs counting double."""
    shown = [f"{v:,.3f}" if isinstance(v, float) else str(v) for v in values if v is not None]
    longest = max((columns_of(text[:14] if column["kind"] in ("number", "integer") else text) for text in shown),
                  default=0)
    return min(_WIDEST, max(9, longest + 2, min(columns_of(column["head"]), 24) + 3))


def _origin(table: Mapping[str, Any]) -> str:
    return f"{table['notebook']}.ipynb [{table['prompt']}]" if table.get("notebook") else ""


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
        try:
            arrays.append(pa.array(values, kinds.get(column["kind"], pa.string())))
        except (pa.ArrowException, OverflowError, UnicodeError):     # not every value is what the column's kind says
            arrays.append(pa.array([None if v is None else str(v).encode("utf-8", "replace").decode() for v in values]))
    buffer = io.BytesIO()
    parquet.write_table(pa.table(arrays, [column["name"] for column in table["columns"]]), buffer, compression="zstd",
                        store_schema=False)
    return buffer.getvalue()
