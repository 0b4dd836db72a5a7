"""The sheets of an ``.xls``, by xlrd: it is given the workbook's own stream, and of that the records that say what
cells show. All others (names, links, drawings, formatting of blank cells) are struck out before."""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import xlrd
from xlrd.compdoc import CompDoc
from xlrd.xldate import XLDateError, xldate_as_datetime

from ..errors import SourceError
from .formats import Extent, Extras
from .numbers import scales
from .spec import Limits

_BOF, _LOCKED, _SHEET, _XF, _FORMAT, _MERGED, _NOTHING = 0x0809, 0x002F, 0x0085, 0x00E0, 0x041E, 0x00E5, 0x00FF
# Besides: ends, the code page and the first day of dates; shared texts and what continues them; numbers, texts,
# formulas with their results, errors; rows and columns.
_READ = {_BOF, _SHEET, _XF, _FORMAT, _MERGED, 0x000A, 0x0042, 0x0022, 0x00FC, 0x003C, 0x0203, 0x027E, 0x00BD, 0x00FD,
         0x0204, 0x00D6, 0x0205, 0x0006, 0x0207, 0x0221, 0x04BC, 0x0236, 0x0036, 0x0208, 0x007D}
_MOST = {_SHEET: 1_000, _XF: 5_000, _FORMAT: 5_000, _MERGED: 500}      # each becomes many times as large


def xls_sheets(data: bytes, name: str, limits: Limits) -> list[tuple[str, Callable[[], tuple]]]:
    """Return (sheet name, function that reads its values, merged ranges and extras)."""
    book = xlrd.open_workbook(file_contents=_struck(data, name), logfile=io.StringIO(), formatting_info=True,
                              ragged_rows=True, on_demand=True)
    extent = Extent(name, limits)
    return [(sheet, partial(_read, book, n, sheet, extent)) for n, sheet in enumerate(book.sheet_names())]


def _struck(data: bytes, name: str) -> bytes:
    """Return the stream of the workbook with no records but those that are read."""
    document = CompDoc(data, io.StringIO())
    memory, start, length = next((found for title in ("Workbook", "Book")
                                  if (found := document.locate_named_stream(title))[0]), (b"", 0, 0))
    stream, at = bytearray(memory[start : start + length]), 0
    counts, begins, sheets = Counter(), set(), []
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        counts[kind] += 1
        if kind == _LOCKED:
            raise SourceError("is locked by a password", file=name, expected="a workbook without one")
        if kind == _BOF:
            begins.add(at)
        elif kind == _SHEET:
            sheets.append(struct.unpack_from("<I", stream, at + 4)[0])
        elif kind not in _READ:
            struct.pack_into("<H", stream, at, _NOTHING)
        at += 4 + length
    for kind, most in _MOST.items():
        if counts[kind] > most:
            raise SourceError("has too many records of one kind", file=name, found=counts[kind],
                              expected=f"at most {most} of kind {kind:#06x}")
    if not begins.issuperset(sheets):
        raise SourceError("is damaged or no workbook", file=name, found="a sheet in the middle of a record",
                          expected="a workbook saved by Excel")
    return bytes(stream)


def _read(book: xlrd.book.Book, n: int, name: str, extent: Extent) -> tuple:
    sheet = book.sheet_by_index(n)
    book.unload_sheet(n)
    # Merged ranges reach further than cells, over as many rows as a sheet can have.
    height = max((r + 1 for r in range(sheet.nrows) if any(sheet.row_types(r))), default=0)
    extent.begin(name)
    extent.reach(height, max((sheet.row_len(r) for r in range(height)), default=0))
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
