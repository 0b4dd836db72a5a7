"""The sheets of an ``.xls``, by xlrd."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import xlrd
from xlrd.xldate import XLDateError, xldate_as_datetime

from .numbers import Extras, check_area, scales
from .spec import Limits


def xls_sheets(data: bytes, name: str, limits: Limits) -> list[tuple[str, Callable[[], tuple]]]:
    """Return (sheet name, function that reads its values, merged ranges and extras)."""
    book = xlrd.open_workbook(file_contents=data, logfile=io.StringIO(), formatting_info=True, ragged_rows=True,
                              on_demand=True)
    return [(sheet, partial(_read, book, n, name, limits)) for n, sheet in enumerate(book.sheet_names())]


def _read(book: xlrd.book.Book, n: int, name: str, limits: Limits) -> tuple:
    sheet = book.sheet_by_index(n)
    book.unload_sheet(n)
    # Merged ranges and borders reach further than figures, over as many rows as a sheet can have.
    blank = {xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK}
    filled = [r for r in range(sheet.nrows) if not blank.issuperset(sheet.row_types(r))]
    height = max(filled, default=-1) + 1
    check_area(height, max(map(sheet.row_len, filled), default=0), name, sheet.name, limits)
    codes = {number: form.format_str for number, form in book.format_map.items() if scales(form.format_str or "")}
    styles = {n: codes[xf.format_key] for n, xf in enumerate(book.xf_list) if xf.format_key in codes}
    extras = Extras(rows={r for r, row in sheet.rowinfo_map.items() if row.hidden},
                    columns={c for c, column in sheet.colinfo_map.items() if column.hidden},
                    hidden=sheet.visibility != 0)
    values = []
    for r in range(height):
        kinds, row = sheet.row_types(r), sheet.row_values(r)
        for c, kind in enumerate(kinds):
            if kind == xlrd.XL_CELL_NUMBER and (code := styles.get(sheet.cell_xf_index(r, c))):
                extras.formats[r, c] = code
            elif kind == xlrd.XL_CELL_DATE:
                with suppress(XLDateError, OverflowError):
                    row[c] = xldate_as_datetime(row[c], book.datemode)
            elif kind == xlrd.XL_CELL_BOOLEAN:
                row[c] = bool(row[c])
            elif kind == xlrd.XL_CELL_ERROR:
                row[c] = xlrd.error_text_from_code.get(row[c], "#ERROR!")
        values.append(row)
    merges = [((top, left), (bottom - 1, right - 1)) for top, bottom, left, right in sheet.merged_cells]
    return values, merges, extras
