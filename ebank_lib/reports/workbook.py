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
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import xlsxwriter

from ..cleaning.ledger import inert
from ..wording import language, t

__all__ = ["csv_bytes", "export_files", "parquet_bytes", "sheet_names", "workbook_bytes"]

_EPOCH = dt.datetime(2000, 1, 1)   # xlsx must name a time; this one says nothing
_LONGEST = 32_767                  # characters in a cell
_WIDEST = 48
_FORMATS = {"percent": "0.00%", "integer": "#,##0", "month": "yyyy-mm", "date": "yyyy-mm-dd"}


def sheet_names(tables: Iterable[Mapping[str, Any]], taken: Iterable[str] = ()) -> list[str]:
    """Return a name for each table's sheet: allowed by Excel, and no two alike.

    Examples
    --------
    >>> sheet_names([{"name": "a" * 40}, {"name": "a" * 41}])
    ['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaa_2']
    """
    used = {name.lower() for name in taken} | {"history"}
    names = []
    for table in tables:
        base = re.sub(r"[\[\]:*?/\\\x00-\x1f]", "_", table["name"]).strip("'")[:31] or "table"
        name, n = base, 2
        while name.lower() in used:
            name, n = f"{base[:28]}_{n}", n + 1
        used.add(name.lower())
        names.append(name)
    return names


def workbook_bytes(tables: Sequence[Mapping[str, Any]], title: str, notes: Iterable[str] = (),
                   lang: str | None = None) -> bytes:
    """Return the workbook.

    Parameters
    ----------
    tables : sequence of records
        As :func:`~ebank_lib.reports.record.table_of` makes them, with ``notebook`` and ``prompt`` where known.
    title : str
        Stands on the first sheet.
    notes : iterable of str
        Stand on the first sheet and under every table: the source, and that data are simulated.
    """
    lang, notes = language(lang), [str(note) for note in notes]
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
                                        "strings_to_numbers": False, "nan_inf_to_errors": False})
    book.set_properties({"title": _safe(title), "created": _EPOCH})
    styles = _Styles(book)
    first = t("report.workbook_contents", lang)
    names = sheet_names(tables, taken=[first])
    _contents(book.add_worksheet(first), tables, names, title, notes, styles, lang)
    for table, name in zip(tables, names, strict=True):
        _sheet(book.add_worksheet(name), table, first, notes, styles, lang)
    book.close()
    return buffer.getvalue()


class _Styles:
    """The few formats of the workbook."""

    def __init__(self, book: xlsxwriter.Workbook):
        self._book, self._numbers = book, {}
        self.title = book.add_format({"bold": True, "font_size": 14})
        head = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#EEF1F4"}
        self.head = book.add_format(head)
        self.head_right = book.add_format({**head, "align": "right"})
        self.link = book.add_format({"font_color": "#0A58B0", "underline": 1})
        self.note = book.add_format({"font_color": "#57606A", "italic": True})
        self.text = book.add_format({"text_wrap": True, "valign": "top"})

    def number(self, pattern: str):
        if pattern not in self._numbers:
            self._numbers[pattern] = self._book.add_format({"num_format": pattern, "valign": "top"})
        return self._numbers[pattern]


def _contents(sheet, tables, names, title, notes, styles, lang) -> None:
    sheet.hide_gridlines(2)
    sheet.write_string(0, 0, _safe(title), styles.title)
    heads = [t(f"report.{key}", lang) for key in ("sheet", "what", "rows", "made_by")]
    for at, head in enumerate(heads):
        sheet.write_string(2, at, head, styles.head)
    for n, (table, name) in enumerate(zip(tables, names, strict=True), start=3):
        quoted = name.replace("'", "''")
        sheet.write_url(n, 0, f"internal:'{quoted}'!A1", styles.link, name)
        sheet.write_string(n, 1, _safe(table["title"]), styles.text)
        sheet.write_number(n, 2, len(table["rows"]), styles.number("#,##0"))
        sheet.write_string(n, 3, _origin(table))
    for n, note in enumerate(notes, start=4 + len(tables)):
        sheet.write_string(n, 0, _safe(note), styles.note)
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 60)
    sheet.set_column(2, 2, 10)
    sheet.set_column(3, 3, 32)
    sheet.freeze_panes(3, 0)


def _sheet(sheet, table, first, notes, styles, lang) -> None:
    columns, rows = table["columns"], table["rows"]
    sheet.write_string(0, 0, _safe(table["title"]), styles.title)
    quoted = first.replace("'", "''")
    sheet.write_url(1, 0, f"internal:'{quoted}'!A1", styles.link, t("report.back", lang))
    for at, column in enumerate(columns):
        number = column["kind"] in ("integer", "number", "percent")
        sheet.write_string(2, at, _safe(column["head"]), styles.head_right if number else styles.head)
        pattern = _FORMATS.get(column["kind"]) or _pattern([row[at] for row in rows])
        for n, row in enumerate(rows, start=3):
            _cell(sheet, n, at, row[at], column["kind"], pattern, styles, lang)
        sheet.set_column(at, at, _width(column, [row[at] for row in rows[:500]]))
    origin = _origin(table)
    below = [*table["notes"], *notes, *([origin] if origin else [])]
    for n, note in enumerate(below, start=4 + len(rows)):
        sheet.write_string(n, 0, _safe(note), styles.note)
    sheet.freeze_panes(3, 1)
    if rows:
        sheet.autofilter(2, 0, 2 + len(rows), len(columns) - 1)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(2)


def _cell(sheet, row, column, value, kind, pattern, styles, lang) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_string(row, column, t("report.yes" if value else "report.no", lang))
    elif isinstance(value, (int, float)):
        sheet.write_number(row, column, value, styles.number(pattern))
    elif kind in ("month", "date") and (day := _day(value)) is not None:
        sheet.write_datetime(row, column, day, styles.number(pattern))
    else:
        sheet.write_string(row, column, _safe(value), styles.text)


def _day(text: str) -> dt.datetime | None:
    """Return a month or a day as Excel's date; None for what Excel's calendar does not have."""
    match = re.fullmatch(r"(\d{4})-(\d{2})(?:-(\d{2}))?", text)
    try:
        day = dt.datetime(int(match[1]), int(match[2]), int(match[3] or 1)) if match else None
    except ValueError:
        return None
    return day if day and day.year >= 1900 else None


def _pattern(values: Sequence[Any]) -> str:
    """Return a number format that shows about four digits of the column's usual size."""
    sizes = sorted(abs(v) for v in values if isinstance(v, (int, float)) and not isinstance(v, bool) and v)
    usual = sizes[len(sizes) // 2] if sizes else 0.0
    patterns = ((1000, "#,##0"), (10, "#,##0.00"), (0.1, "0.000"), (1e-3, "0.00000"))
    return next((pattern for size, pattern in patterns if usual >= size), "0.00E+00" if usual else "0.000")


def _width(column: Mapping[str, Any], values: Sequence[Any]) -> float:
    """Return a width in which the heading and the texts fit, Chinese signs counting double."""
    shown = [f"{v:,.3f}" if isinstance(v, float) else str(v) for v in values if v is not None]
    if column["kind"] in ("number", "integer"):
        shown = [text[:14] for text in shown]
    longest = max((_columns(text) for text in shown), default=0)
    return min(_WIDEST, max(9, longest + 2, min(_columns(column["head"]), 24) + 3))


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _origin(table: Mapping[str, Any]) -> str:
    return f"{table['notebook']}.ipynb [{table['prompt']}]" if table.get("notebook") else ""


def _safe(text: object) -> str:
    """Return a text that fits a cell: not too long, without what XML cannot hold."""
    plain = re.sub("[\ud800-\udfff\ufffe\uffff]", "\ufffd", str(text))
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"


# ---------------------------------------------------------------- CSV and Parquet

def export_files(tables: Iterable[Mapping[str, Any]]) -> dict[str, bytes]:
    """Return ``tables/NAME.csv`` and ``tables/NAME.parquet`` of every record.

    Parameters
    ----------
    tables : iterable of records
        As :func:`~ebank_lib.reports.record.table_of` makes them; their names are plain ASCII words.
    """
    files = {}
    for table in tables:
        files[f"tables/{table['name']}.csv"] = csv_bytes(table)
        files[f"tables/{table['name']}.parquet"] = parquet_bytes(table)
    return files


def csv_bytes(table: Mapping[str, Any]) -> bytes:
    """Return a record as CSV, in UTF-8 with a mark that spreadsheets know; no text can be taken for a formula.

    Examples
    --------
    >>> csv_bytes({"columns": [{"name": "a"}, {"name": "b"}], "rows": [["=1+1", 0.5]]}).decode("utf-8-sig")
    "a,b\\n'=1+1,0.5\\n"
    """
    names = [column["name"] for column in table["columns"]]
    buffer = io.StringIO()
    lines = csv.writer(buffer, lineterminator="\n")
    for row in [names, *table["rows"]]:     # the heading is a text like any other
        lines.writerow([inert(v) if isinstance(v, str) else None if v != v else v for v in row])
    return buffer.getvalue().encode("utf-8-sig", "replace")


def parquet_bytes(table: Mapping[str, Any]) -> bytes:
    """Return a record as Parquet: integers, floats, booleans and texts as what they are, what is missing as null."""
    import pyarrow as pa
    from pyarrow import parquet

    fields, arrays = [], []
    for at, column in enumerate(table["columns"]):
        values = [row[at] for row in table["rows"]]
        kind = _type(column["kind"], values)
        as_type = {"int64": int, "double": float, "bool": bool, "string": _text}[kind]
        arrays.append(pa.array([None if v is None else as_type(v) for v in values], getattr(pa, _MAKERS[kind])()))
        fields.append(pa.field(column["name"], arrays[-1].type))
    buffer = io.BytesIO()
    parquet.write_table(pa.table(arrays, pa.schema(fields)), buffer, compression="zstd", store_schema=False)
    return buffer.getvalue()


_MAKERS = {"int64": "int64", "double": "float64", "bool": "bool_", "string": "string"}


def _type(kind: str, values: list) -> str:
    """Return the type of a column: what its kind says, if every value is of it."""
    present = [v for v in values if v is not None]
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in present)
    if kind == "integer" and all(isinstance(v, int) and not isinstance(v, bool) and abs(v) < 2**63 for v in present):
        return "int64"
    if kind in ("integer", "number", "percent") and numbers:
        return "double"
    if kind == "flag" and all(isinstance(v, bool) for v in present):
        return "bool"
    return "string"


def _text(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode("utf-8")
