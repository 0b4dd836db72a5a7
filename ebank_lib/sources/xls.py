"""A look into an ``.xls`` before it is read: only as much of the format as that takes, the compound file's chains of
sectors (MS-CFB) and the heads of cell records (MS-XLS)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

from ..errors import SourceError
from .formats import BUILT_IN, MAX_COLUMNS, Extent, Extras
from .numbers import scales
from .spec import Limits

__all__ = ["xls_extras"]

_MAX_SHEETS = 1_000
_END = 0xFFFFFFFA            # sector numbers from here on are marks
_ERRORS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A"}
_EOF, _LOCKED, _SHEET, _XF, _FORMAT = 0x000A, 0x002F, 0x0085, 0x00E0, 0x041E
_FORMULA, _NUMBER, _RK, _MULRK, _BOOL_OR_ERROR, _DIMENSIONS = 0x0006, 0x0203, 0x027E, 0x00BD, 0x0205, 0x0200
_ROW, _COLUMNS = 0x0208, 0x007D
_VALUED = {_FORMULA, _NUMBER, _RK, _MULRK, _BOOL_OR_ERROR, 0x00FD, 0x0204, 0x00D6}   # the last three: texts


def _workbook_stream(data: bytes) -> bytes:
    """Return the stream that holds the workbook; nothing when there is none."""
    shift, mini_shift = struct.unpack_from("<HH", data, 30)
    if shift not in (9, 12) or mini_shift != 6:
        raise IndexError("sectors of another size")
    size = 1 << shift
    body = memoryview(data)[size:]
    first_directory, = struct.unpack_from("<I", data, 48)
    cutoff, first_mini, _, more, _ = struct.unpack_from("<5I", data, 56)
    tables = [*struct.unpack_from("<109I", data, 76)]     # the sectors of the allocation table, then a chain of more
    for _ in range(len(data) // size):
        if more >= _END:
            break
        *part, more = _integers(_sector(body, more, size))
        tables += part
    tables = [n for n in tables if n < _END][: len(data) // size + 1]
    fat = [n for table in tables for n in _integers(_sector(body, table, size))]
    directory = _chain(body, fat, first_directory, size)
    entries = {}
    for at in range(0, len(directory) - 127, 128):
        length, kind = struct.unpack_from("<HB", directory, at + 64)
        title = directory[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace").lower()
        entries.setdefault("root" if kind == 5 else title, struct.unpack_from("<II", directory, at + 116))
    found = entries.get("workbook") or entries.get("book")
    if found is None:
        return b""
    start, length = found
    if length >= cutoff or "root" not in entries:
        return _chain(body, fat, start, size)[:length]
    mini_fat = _integers(_chain(body, fat, first_mini, size))
    return _chain(_chain(body, fat, entries["root"][0], size), mini_fat, start, 64)[:length]


def _integers(part: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(part) // 4}I", part)


def _sector(body: bytes, number: int, size: int) -> bytes:
    part = bytes(body[number * size : (number + 1) * size])
    if not part:
        raise IndexError("a sector outside the file")
    return part.ljust(size, b"\0")


def _chain(body: bytes, fat: Sequence[int], start: int, size: int) -> bytes:
    parts, number = [], start
    while number < _END:
        if len(parts) > len(fat):
            raise IndexError("a chain of sectors that runs in a circle")
        parts.append(_sector(body, number, size))
        number = fat[number]
    return b"".join(parts)


def _records(stream: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """Yield (kind, start of its data, length) up to the end of the substream."""
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        if kind == _EOF:
            return
        yield kind, at + 4, length
        at += 4 + length


def xls_extras(data: bytes, name: str, limits: Limits) -> dict[int, Extras]:
    """Check the used areas of an ``.xls``; return by the sheet's number what the reader leaves out."""
    stream = _workbook_stream(data)
    starts, formats, codes = [], [], dict(BUILT_IN)
    for kind, at, length in _records(stream, 0):
        if kind == _LOCKED:
            raise SourceError("is locked by a password", file=name, expected="a workbook without one")
        if kind == _SHEET:
            starts.append(struct.unpack_from("<I", stream, at)[0])
        elif kind == _XF:
            formats.append(struct.unpack_from("<H", stream, at + 2)[0])
        elif kind == _FORMAT:
            codes[struct.unpack_from("<H", stream, at)[0]] = _xls_text(stream[at + 2 : at + length])
    if len(starts) > _MAX_SHEETS:
        raise SourceError("has too many sheets", file=name, found=len(starts), expected=f"at most {_MAX_SHEETS}")
    styles = {n: codes[number] for n, number in enumerate(formats) if scales(codes.get(number, ""))}
    extent = Extent(name, limits)
    return {n: _scan_sheet(stream, start, styles, extent) for n, start in enumerate(starts)}


def _xls_text(data: bytes) -> str:
    """Return a text with its length before it: two bytes and the width of its characters, or one byte in old files."""
    length, wide = struct.unpack_from("<HB", data.ljust(3, b"\0"))
    if wide <= 1 and len(data) == 3 + length * (1 + wide):
        return data[3:].decode("utf-16-le" if wide else "latin-1", "replace")
    return data[1:].decode("latin-1")


def _scan_sheet(stream: bytes, start: int, as_shown: Mapping[int, str], extent: Extent) -> Extras:
    extras = Extras()
    extent.begin(f"number {extent.sheets + 1}")
    for kind, at, length in _records(stream, start):
        if kind == _DIMENSIONS and length >= 10:
            # What the sheet says of itself is reserved at once, if not filled: more than the format holds is a lie, and
            # a last row or column that is none after the first.
            top, bottom, left, right = struct.unpack_from("<HHHH" if length == 10 else "<IIHH", stream, at)
            if bottom > 65_536 or right > 256 or top >= bottom > 0 or left >= right > 0:
                raise IndexError(f"rows {top} to {bottom}, columns {left} to {right}, which the format does not allow")
        if kind == _ROW and length >= 16 and stream[at + 12] & 0x20:
            extras.rows.add(struct.unpack_from("<H", stream, at)[0])
        elif kind == _COLUMNS and length >= 10 and stream[at + 8] & 1:
            first, last = struct.unpack_from("<HH", stream, at)
            extras.columns.update(range(first, min(last + 1, MAX_COLUMNS)))
        if kind not in _VALUED or length < 6:
            continue
        row, column, style = struct.unpack_from("<HHH", stream, at)
        last = struct.unpack_from("<H", stream, at + length - 2)[0] if kind == _MULRK else column
        extent.reach(row + 1, max(column, last) + 1)
        error, styles = None, [style] if kind in (_NUMBER, _RK, _FORMULA) else []
        if kind == _BOOL_OR_ERROR and length >= 8 and stream[at + 7]:
            error = stream[at + 6]
        elif kind == _FORMULA and length >= 14 and stream[at + 12 : at + 14] == b"\xff\xff" and stream[at + 6] == 2:
            error = stream[at + 8]
        elif kind == _MULRK:
            most = min(last - column + 1, (length - 4) // 6)
            styles = [struct.unpack_from("<H", stream, at + 4 + 6 * n)[0] for n in range(most)]
        if error is not None:
            extras.texts[row, column] = _ERRORS.get(error, "#ERROR!")
        extras.formats |= {(row, column + n): as_shown[number] for n, number in enumerate(styles) if number in as_shown}
    return extras
