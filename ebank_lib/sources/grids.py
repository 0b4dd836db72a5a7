"""Files become grids, within limits: rows of cells as printed, from A1 on, with merged ranges where there are any."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import python_calamine
from python_calamine import SheetVisibleEnum
from xlsxwriter.utility import xl_col_to_name as letters

from ..errors import EbankError, SourceError
from ..files import read_limited
from .numbers import Extras, as_text, check_area, package_extras, shown
from .spec import Limits

_ENCODINGS = {"utf-8": "utf-8-sig", "gb18030": "gb18030", "utf-16": "utf-16", "cp1252": "cp1252"}
_SEPARATOR = re.compile(r'"?sep=([,;\t|])"?\r?\n')
# Programs that export write them, and call them .xls.
_MISNAMED = {b"urn:schemas-microsoft-com:office:spreadsheet": "XML of Excel 2003", b"<html": "a web page",
             b"<table": "a web page", b"mime-version:": "a web page in one file"}


def files_under(root: Path, pattern: str) -> list[Path]:
    """Return the files a glob names below `root`, in the order of their names; none of them lies outside it."""
    try:
        found = sorted(p for p in root.glob(pattern) if p.is_file() and not p.name.startswith(("~$", ".")))
        there = [] if found else sorted(p.name for p in root.iterdir())[:20]
    except (OSError, ValueError, IndexError, NotImplementedError) as error:   # IndexError: "."
        raise SourceError("cannot be searched for", file=pattern, found=str(error),
                          expected="a file or a glob") from None
    if not found:
        raise SourceError("no file matches", file=pattern, found="nothing", expected="at least one file in the folder",
                          hint=f"There are {', '.join(there) or 'no files'}")
    for path in found:
        if not path.resolve().is_relative_to(root):
            raise SourceError("a path that leaves the source's folder", file=path.relative_to(root).as_posix(),
                              found="another folder", expected="a file inside the folder")
    return found


def read_bytes(path: Path, name: str, limits: Limits) -> bytes:
    """Return a file's bytes, unless it is too large or cannot be read."""
    try:
        data = read_limited(path, limits.file_bytes)
    except OSError as error:
        raise SourceError("cannot be read", file=name, found=error.strerror, expected="a readable file") from None
    limits.refuse("file_bytes", len(data), "is too large", f"more than {limits.file_bytes} bytes", file=name)
    return data


def _unpack_gzip(data: bytes, name: str, limits: Limits) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            content = stream.read(limits.unpacked_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError("is no gzip file", file=name, found=str(error), expected="a .csv.gz") from None
    limits.refuse("unpacked_bytes", len(content), "unpacks to too much", file=name)
    return content


# --- grids ------------------------------------------------------------------------------------------------------------

@dataclass
class Grid:
    """One sheet. ``values`` are as the reader gives them, ``texts`` as printed; both ``[row][column]`` from A1.
    ``merges`` maps a cell of a merged range to the range's corners; empty where the format does not tell. The `extras`
    say what of it is hidden."""

    file: str
    sheet: str
    values: list[list[object]]
    texts: list[list[str]]
    merges: dict[tuple[int, int], tuple[int, int, int, int]]
    extras: Extras = field(default_factory=Extras)

    def first_of(self, row: int, column: int) -> tuple[int, int]:
        """The cell that carries the text of this one: itself, or the first of its merged range."""
        return self.merges.get((row, column), (row, column))[:2]

    def text_of(self, row: int, column: int) -> str:
        """The text of a cell, or of the merged range it lies in."""
        row, column = self.first_of(row, column)
        return self.texts[row][column]

    def error(self, message: str, row: int | None = None, column: int | None = None, **more) -> SourceError:
        """An error at a place of this sheet."""
        return SourceError(message, file=self.file, sheet=self.sheet, row=None if row is None else row + 1,
                           column=None if column is None else letters(column), **more)


def workbook_grids(data: bytes, name: str, limits: Limits) -> Iterator[tuple[str, Callable[[], Grid]]]:
    """Yield (sheet name, function that reads its grid) for every sheet of a workbook, in the workbook's order."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    head = data[:4_000].decode("utf-16", "replace").encode() if wide else data[:4_000]
    if data[:2] != b"PK" and b"\0" not in head:
        what = next((what for sign, what in _MISNAMED.items() if sign in head.lower()), None)
        if what:
            raise SourceError("is no workbook", file=name, found=what, expected="an .xlsx, .xls or .ods file",
                              hint="Open it in Excel or WPS and save it as .xlsx")
        if b"\t" in head or b"," in head:
            yield "", partial(csv_grid, data, name, "utf-16" if wide else None, limits)
            return
    if data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        from .xls import xls_sheets as sheets  # and xlrd, for files of that kind only
    else:
        sheets = _package_sheets
    for sheet, read in _guarded(lambda: sheets(data, name, limits), name):
        yield sheet, partial(_grid, read, sheet, name)


def _package_sheets(data: bytes, name: str, limits: Limits) -> list[tuple[str, Callable[[], tuple]]]:
    extras = package_extras(data, name, limits)
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))

    def read(n: int, extras: Extras) -> tuple:
        table = book.get_sheet_by_index(n)
        values = table.to_python(skip_empty_area=False) if table.end is not None else []
        return values, table.merged_cell_ranges or (), extras

    for sheet in book.sheets_metadata:
        extras.setdefault(sheet.name, Extras()).hidden = sheet.visible != SheetVisibleEnum.Visible
    return [(sheet.name, partial(read, n, extras[sheet.name])) for n, sheet in enumerate(book.sheets_metadata)]


def _guarded(read, name: str, sheet: str | None = None):
    """Call the reader; whatever it raises, a Rust panic included, is an error with an address."""
    try:
        return read()
    except (EbankError, KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a panic is no Exception
        said = str(error) or type(error).__name__
        locked = isinstance(error, python_calamine.PasswordError) or "encrypted" in said
        raise SourceError("is locked by a password" if locked else "is damaged or no workbook", file=name, sheet=sheet,
                          found=None if locked else said, expected="a workbook without one" if locked else
                          "an .xlsx, .xls or .ods file") from None


def _grid(read: Callable[[], tuple], sheet: str, name: str) -> Grid:
    values, ranges, extras = _guarded(read, name, sheet)
    height = max([len(values), *(row + 1 for row, _ in extras.texts)])
    width = max([*map(len, values), *(column + 1 for _, column in extras.texts), 0])
    values = [[*row, *[""] * (width - len(row))] for row in [*values, *[[]] * (height - len(values))]]
    for (row, column), text in extras.texts.items():
        if values[row][column] == "":
            values[row][column] = text
    for (row, column), code in extras.formats.items():
        if row < height and column < width and type(values[row][column]) in (int, float):
            values[row][column] = shown(values[row][column], code)
    texts = [[value if type(value) is str else as_text(value) for value in row] for row in values]
    merges = {(row, column): (top, left, bottom, right) for (top, left), (bottom, right) in ranges
              for row in range(top, min(bottom + 1, height)) for column in range(left, min(right + 1, width))}
    return Grid(name, sheet, values, texts, merges, extras)


def csv_rows(data: bytes, name: str, encoding: str | None, limits: Limits,
             most: str = "table_cells") -> list[list[str]]:
    """Return the records of a CSV file: fields between commas, semicolons, tabs or bars, or what a line ``sep=`` says.

    Its text is in the declared encoding, else in UTF-16 with its mark, UTF-8 or GB18030. `most` names the limit on how
    many fields there are.
    """
    text = _decode(_unpack_gzip(data, name, limits) if name.lower().endswith(".gz") else data, name, encoding)
    said = _SEPARATOR.match(text)   # a line that spreadsheets follow, and neither show nor count
    text = text[said.end():] if said else text
    comma, size = said[1] if said else _delimiter(text[:100_000]), 0
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=comma, strict=True):
            # ="0351" is how a spreadsheet is made to show 0351.
            rows.append([field[2:-1] if field[:2] == '="' and field[-1] == '"' else field for field in row])
            size += max(1, len(row))
            limits.refuse(most, size, "has too many fields", file=name)
    except csv.Error as error:
        raise SourceError("is no CSV file", file=name, row=len(rows) + 1, found=str(error),
                          expected="quoted fields closed, one record a line") from None
    return rows


def _delimiter(text: str) -> str:
    """Return what cuts most of the first lines into equally many fields: the very first is a title, often."""
    lines = list(islice(io.StringIO(text, newline=""), 50))

    def fitting(comma: str) -> tuple[int, int, bool]:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=comma) if len(row) > 1)
        return *max(((n, width) for width, n in widths.items()), default=(0, 0)), comma == ","

    return max(",;\t|", key=fitting)


def _decode(data: bytes, name: str, encoding: str | None) -> str:
    marked = data[:2] in (b"\xff\xfe", b"\xfe\xff") and data[2:4] != b"\0\0"     # else UTF-32
    tried = [encoding] if encoding else ["utf-16"] if marked else ["utf-8", "gb18030"]
    for one in tried:
        with suppress(UnicodeDecodeError):
            text = data.decode(_ENCODINGS[one])
            if encoding or one != "gb18030" or _chinese(text):
                return text
    raise SourceError("is in another encoding", file=name,
                      found=f"bytes that are no {' and no likely '.join(map(str.upper, tried))}",
                      expected="UTF-8, GB18030 or the one declared as encoding",
                      hint=f"save it as UTF-8, or declare its `encoding`: {', '.join(_ENCODINGS)}")


def _chinese(text: str) -> bool:
    """Whether it is likely that a text was written in GB18030.

    Western European text has bytes that are Chinese characters to it, São Paulo is 'S鉶 Paulo', but hardly common ones:
    those of GB 2312, whose second byte is no letter of ASCII.
    """
    said = [c for c in text if ord(c) > 127]
    common = "".join(said).encode("gb2312", "ignore")       # two bytes each
    return len(common) >= len(said)


def csv_grid(data: bytes, name: str, encoding: str | None, limits: Limits) -> Grid:
    """Return a CSV file saved from a sheet as that sheet's grid; its merged ranges are lost."""
    rows = csv_rows(data, name, encoding, limits, "sheet_cells")
    width = max(map(len, rows), default=0)
    check_area(len(rows), width, name, None, limits)
    rows = [[*row, *[""] * (width - len(row))] for row in rows]
    return Grid(name, "", rows, rows, {})
