"""A look into an ``.xls`` before it is read: how large its sheets are, where its error cells and percentages stand.

Only as much of the format as that takes: the compound file's sector chains (MS-CFB) and the heads of cell records
(MS-XLS). The reader allocates rows x columns for every sheet at once, so a file of a kilobyte could ask for terabytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..errors import SourceError
from .extras import Extras
from .spec import Limits

__all__ = ["scan"]

_END = 0xFFFFFFFA            # sector numbers from here on are marks
_MAX_SHEETS = 1_000
_ERRORS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A"}
_BOF, _EOF, _LOCKED, _SHEET, _XF, _FORMAT = 0x0809, 0x000A, 0x002F, 0x0085, 0x00E0, 0x041E
_FORMULA, _NUMBER, _RK, _MULRK, _BOOL_OR_ERROR, _DIMENSIONS = 0x0006, 0x0203, 0x027E, 0x00BD, 0x0205, 0x0200
_VALUED = {_FORMULA, _NUMBER, _RK, _MULRK, _BOOL_OR_ERROR, 0x00FD, 0x0204, 0x00D6}   # the last three: texts


def scan(data: bytes, name: str, limits: Limits) -> dict[int, Extras]:
    """Check the used areas of an ``.xls``; return by the sheet's number what the reader leaves out.

    Raises
    ------
    SourceError
        Damaged, locked by a password, or larger than the limits.
    """
    try:
        stream = _workbook_stream(data)
        return _scan_book(stream, name, limits) if stream is not None else {}
    except (struct.error, IndexError) as error:
        raise SourceError("is damaged or no workbook", file=name, found=str(error), expected="an .xls file") from None


def _workbook_stream(data: bytes) -> bytes | None:
    """Return the stream that holds the workbook; None when there is none."""
    shift, mini_shift = struct.unpack_from("<HH", data, 30)
    if shift not in (9, 12) or mini_shift != 6:
        raise IndexError("sectors of another size")
    size = 1 << shift
    first_directory, = struct.unpack_from("<I", data, 48)
    cutoff, first_mini, _, difat, _ = struct.unpack_from("<5I", data, 56)
    fat_sectors = [s for s in struct.unpack_from("<109I", data, 76) if s < _END]
    for _ in range(len(data) // size):
        if difat >= _END:
            break
        part = struct.unpack(f"<{size // 4}I", _sector(data, difat, size))
        fat_sectors += [s for s in part[:-1] if s < _END]
        difat = part[-1]
    fat = [n for s in fat_sectors[: len(data) // size + 1]
           for n in struct.unpack(f"<{size // 4}I", _sector(data, s, size))]
    directory = _chain(data, fat, first_directory, size)
    entries = {}
    for at in range(0, len(directory) - 127, 128):
        length, kind = struct.unpack_from("<HB", directory, at + 64)
        title = directory[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace").lower()
        entries.setdefault("root" if kind == 5 else title, struct.unpack_from("<II", directory, at + 116))
    found = entries.get("workbook") or entries.get("book")
    if found is None:
        return None
    start, length = found
    if length >= cutoff or "root" not in entries:
        return _chain(data, fat, start, size)[:length]
    mini = _chain(data, fat, first_mini, size)
    mini_fat = list(struct.unpack(f"<{len(mini) // 4}I", mini[: len(mini) // 4 * 4]))
    return _chain(_chain(data, fat, entries["root"][0], size), mini_fat, start, 64, offset=0)[:length]


def _sector(data: bytes, number: int, size: int, offset: int | None = None) -> bytes:
    at = number * size + (size if offset is None else offset)
    part = data[at : at + size]
    if not part:
        raise IndexError("a sector outside the file")
    return part.ljust(size, b"\0")


def _chain(data: bytes, fat: list[int], start: int, size: int, offset: int | None = None) -> bytes:
    parts, seen, number = [], set(), start
    while number < _END:
        if number in seen:
            raise IndexError("a chain of sectors that runs in a circle")
        seen.add(number)
        parts.append(_sector(data, number, size, offset))
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


def _scan_book(stream: bytes, name: str, limits: Limits) -> dict[int, Extras]:
    starts: list[int] = []
    formats: list[int] = []
    percent = {9, 10}   # built in: 0% and 0.00%
    for kind, at, length in _records(stream, 0):
        if kind == _LOCKED:
            raise SourceError("is locked by a password", file=name, expected="a workbook without one")
        if kind == _SHEET:
            starts.append(struct.unpack_from("<I", stream, at)[0])
        elif kind == _XF:
            formats.append(struct.unpack_from("<H", stream, at + 2)[0])
        elif kind == _FORMAT and b"%" in stream[at + 2 : at + length]:
            percent.add(struct.unpack_from("<H", stream, at)[0])
    if len(starts) > _MAX_SHEETS:
        raise SourceError("has too many sheets", file=name, found=len(starts), expected=f"at most {_MAX_SHEETS}")
    as_percent = {n for n, number in enumerate(formats) if number in percent}
    total, found = 0, {}
    for n, start in enumerate(starts):
        rows, columns, found[n] = _scan_sheet(stream, start, as_percent)
        total += rows * columns
        if rows * columns > limits.sheet_cells:
            raise limits.refuse("sheet_cells", "has too large a used area", f"{rows} rows x {columns} columns",
                                file=name, sheet=f"number {n + 1}")
        if total > limits.book_cells:
            raise limits.refuse("book_cells", "has too large used areas", f"{total} cells in {n + 1} sheets or more",
                                file=name)
    return found


def _scan_sheet(stream: bytes, start: int, as_percent: set[int]) -> tuple[int, int, Extras]:
    rows = columns = 0
    extras = Extras()
    for kind, at, length in _records(stream, start):
        if kind == _DIMENSIONS and length >= 12:
            # What the sheet says of itself is reserved at once, if not filled: more than the format holds is a lie.
            _, last_row, _, last_column = struct.unpack_from("<IIHH", stream, at)
            if last_row > 65_536 or last_column > 256:
                raise IndexError(f"{last_row} rows x {last_column} columns, more than the format allows")
        if kind not in _VALUED or length < 6:
            continue
        row, column, style = struct.unpack_from("<HHH", stream, at)
        last = struct.unpack_from("<H", stream, at + length - 2)[0] if kind == _MULRK else column
        rows, columns = max(rows, row + 1), max(columns, column + 1, last + 1)
        error = None
        if kind == _BOOL_OR_ERROR and length >= 8 and stream[at + 7]:
            error = stream[at + 6]
        elif kind == _FORMULA and length >= 14 and stream[at + 12 : at + 14] == b"\xff\xff" and stream[at + 6] == 2:
            error = stream[at + 8]
        if error is not None:
            extras.texts[row, column] = _ERRORS.get(error, "#ERROR!")
        elif kind == _MULRK:
            for n in range(max(0, last - column + 1)):
                if at + 4 + 6 * n + 2 > at + length:
                    break
                if struct.unpack_from("<H", stream, at + 4 + 6 * n)[0] in as_percent:
                    extras.percent.add((row, column + n))
        elif kind in (_NUMBER, _RK, _FORMULA) and style in as_percent:
            extras.percent.add((row, column))
    return rows, columns, extras
