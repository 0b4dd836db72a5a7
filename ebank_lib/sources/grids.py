"""Files become grids, within limits: rows of cells as printed, from A1 on, with merged ranges where there are any.

What a workbook prints and its reader leaves out is read besides: error cells, formulas that were never calculated,
number formats that scale, and that rows and columns are hidden. All sheets are gone through once before they are read:
the reader reserves rows x columns of a sheet at once, so how far its cells reach is checked here.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

import python_calamine
from python_calamine import SheetVisibleEnum
from xlsxwriter.utility import xl_cell_to_rowcol
from xlsxwriter.utility import xl_col_to_name as letters

from ..errors import EbankError, SourceError
from ..files import read_limited
from .spec import Limits
from .units import as_text, scales, shown

_ENCODINGS = {"utf-8": "utf-8-sig", "gb18030": "gb18030", "utf-16": "utf-16", "cp1252": "cp1252"}
_SEPARATOR = re.compile(r'"?sep=([,;\t|])"?\r?\n')
# Programs that export write them, and call them .xls.
_MISNAMED = {b"urn:schemas-microsoft-com:office:spreadsheet": "XML of Excel 2003", b"<html": "a web page",
             b"<table": "a web page", b"mime-version:": "a web page in one file"}
_BUILT_IN = {"9": "0%", "10": "0.00%"}     # number formats that scale and are in no list
_MAX_COLUMNS = 16_384
# In a row's XML: blank cells, but for one before a cell without an address, which is counted from it. In a sheet's:
# cells that are not blank, their styles; signs of what the reader leaves out, or of another spelling.
_BLANK = re.compile(rb'<c r="\w+"(?: s="\d+")?/>(?=<c r=|\Z)')
_CELL, _STYLE = re.compile(rb'<c r="([A-Za-z]+)(\d+)"[^/>]*>'), re.compile(rb'<c r="[^/>]*\ss="(\d+)"[^/>]*>')
_MORE = (b"hidden", b'ht="0"', b'width="0"', b't="e"', b"<v/>", b"<v></v>", b":row", b"='", b' ="', b'= "', b"&#",
         b"\0")
_UNUSUAL = re.compile(rb'<c(?! r="[A-Za-z]+\d+"[ >])[\s/>]')


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
class Extras:
    """By (row, column) from 0: texts of cells that the reader leaves blank, and the number formats of cells that show
    their number as another; the rows and the columns that are hidden, or whether all of the sheet is."""

    texts: dict[tuple[int, int], str] = field(default_factory=dict)
    formats: dict[tuple[int, int], str] = field(default_factory=dict)
    rows: set[int] = field(default_factory=set)
    columns: set[int] = field(default_factory=set)
    hidden: bool = False

    def hides(self, row: int, column: int) -> str:
        """What hides a cell: "sheet", "row", "column" or nothing ("")."""
        return "sheet" if self.hidden else "row" if row in self.rows else "column" if column in self.columns else ""


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
        sheets = _xls_sheets
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


# --- what the reader of a workbook leaves out -------------------------------------------------------------------------

def package_extras(data: bytes, name: str, limits: Limits) -> dict[str, Extras]:
    """Check the size of an ``.xlsx`` or ``.ods`` and of its sheets; return by the sheet's name what the reader leaves
    out."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {e.filename.replace("\\", "/").lstrip("/").lower(): e for e in archive.infolist()}
        size = sum(entry.file_size for part, entry in entries.items() if part.endswith(".xml"))
        limits.refuse("unpacked_bytes", size, "unpacks to too much", f"{size} bytes", file=name)
        if "content.xml" in entries:
            return _ods(archive.open(entries["content.xml"]), name, limits)
        about = {part: archive.read(entries[part]) for part in (
            "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml") if part in entries}
        styles = _styles(about.get("xl/styles.xml", b"<none/>"))
        # One sheet at a time is in memory.
        return {sheet: _xlsx(archive.read(entries[part]), styles, name, sheet, limits)
                for sheet, part in _sheet_parts(about) if part.startswith("xl/worksheets/") and part in entries}


def check_area(rows: int, columns: int, name: str, sheet: str | None, limits: Limits) -> None:
    """Refuse a sheet whose cells span too much."""
    limits.refuse("sheet_cells", rows * columns, "has too large a used area", f"{rows} rows x {columns} columns",
                  file=name, sheet=sheet)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


# --- .xlsx -----------------------------------------------------------------------------------------------------------

def _xlsx(content: bytes, styles: Mapping[str, str], name: str, sheet: str, limits: Limits) -> Extras:
    # A row at a time, which takes a third of the memory.
    content = b"</row>".join(_BLANK.sub(b"", row) for row in content.split(b"</row>"))
    # Most sheets hold nothing that the reader leaves out, and the walk through them takes longer than reading does.
    if not (any(sign in content for sign in _MORE) or _UNUSUAL.search(content)) and content.count(b"<f") == (
            content.count(b"</f><v>") + content.count(b"/><v>")):
        cells = _CELL.findall(content)
        width = max((xl_cell_to_rowcol(f"{column.decode().upper()}1")[1] + 1 for column in {c for c, _ in cells}),
                    default=0)
        check_area(max(map(int, {row for _, row in cells}), default=0), width, name, sheet, limits)
        if not styles or styles.keys().isdisjoint(style.decode() for style in {*_STYLE.findall(content)}):
            return Extras()
    found, row, column, height, width = Extras(), 0, 0, 0, 0
    for element in ElementTree.fromstring(content).iter():
        kind, at = _local(element.tag), element.attrib
        if kind == "row":
            row, column = int(at.get("r", row + 1)), 0
            if at.get("hidden") in ("1", "true") or at.get("ht") == "0":
                found.rows.add(row - 1)
        elif kind == "col" and (at.get("hidden") in ("1", "true") or at.get("width") == "0"):
            found.columns.update(range(int(at["min"]) - 1, min(int(at["max"]), _MAX_COLUMNS)))
        elif kind == "c":
            if "r" in at:       # a cell without an address follows the one before it
                row, column = (n + 1 for n in xl_cell_to_rowcol(at["r"].upper()))
            else:
                column += 1
            if len(element):
                height, width = max(height, row), max(width, column)
                place, inside = (row - 1, column - 1), {_local(part.tag): part.text or "" for part in element}
                if at.get("s") in styles:
                    found.formats[place] = styles[at["s"]]
                if at.get("t") == "e":
                    found.texts[place] = inside.get("v", "")
                elif "f" in inside and not inside.get("v") and at.get("t") != "str":
                    found.texts[place] = f"={inside['f']}"
    check_area(height, width, name, sheet, limits)
    return found


def _styles(content: bytes) -> dict[str, str]:
    """Return the number formats that scale by the numbers of the cell styles that have them."""
    root = ElementTree.fromstring(content)
    codes = _BUILT_IN | {f.get("numFmtId"): f.get("formatCode", "") for f in root.iterfind("{*}numFmts/{*}numFmt")}
    codes = {number: code for number, code in codes.items() if scales(code)}
    return {str(n): codes[xf.get("numFmtId")] for n, xf in enumerate(root.iterfind("{*}cellXfs/{*}xf"))
            if xf.get("numFmtId") in codes}


def _sheet_parts(parts: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    targets = {}
    for relation in ElementTree.fromstring(parts["xl/_rels/workbook.xml.rels"]):
        target = relation.get("Target", "").replace("\\", "/").lstrip("/").lower()
        targets[relation.get("Id")] = target if target.startswith("xl/") else f"xl/{target}"
    for sheet in ElementTree.fromstring(parts["xl/workbook.xml"]).iterfind("{*}sheets/{*}sheet"):
        number = next((value for key, value in sheet.items() if _local(key) == "id"), None)
        yield sheet.get("name", ""), targets.get(number, "")


# --- .ods ------------------------------------------------------------------------------------------------------------

def _ods(content: IO[bytes], name: str, limits: Limits) -> dict[str, Extras]:
    """Check the used areas of an ``.ods``, whose rows and cells may be repeated; return what the reader leaves out."""
    sheets: dict[str, Extras] = {}
    sheet, height, width, bottom, right = "", 0, 0, 0, 0
    for event, element in ElementTree.iterparse(content, ("start", "end")):
        kind, at = _local(element.tag), _attributes(element)
        hidden = at.get("visibility", "visible") != "visible"
        if at.get("display-factor", "1") != "1" or kind == "embedded-text" or (
                kind == "number-style" and scales(f'0"{"".join(element.itertext())}"')):
            raise SourceError("has a number format that scales", file=name, found="a style of an .ods",
                              expected="numbers shown as they are", hint="Saved as .xlsx it is read as shown")
        if event == "start":
            if kind == "table":
                sheet, height, width, bottom, right = at.get("name", ""), 0, 0, 0, 0
                here = sheets.setdefault(sheet, Extras())
        elif kind == "table-column":
            columns = range(right, min(right := right + _repeated(at, "columns"), _MAX_COLUMNS))
            here.columns.update(columns if hidden else ())
        elif kind == "table-row":
            top, bottom = bottom, bottom + _repeated(at, "rows")
            here.rows.update(range(top, min(bottom, limits.sheet_cells)) if hidden else ())
            left = 0
            for cell in element.iterfind("*"):
                at, place, left = _attributes(cell), (top, left), left + _repeated(_attributes(cell), "columns")
                if "value-type" in at:
                    height, width = max(height, bottom), max(width, left)
                    check_area(height, width, name, sheet, limits)
                    if at["value-type"] == "percentage":
                        here.formats |= {(r, c): "0%" for r in range(top, bottom) for c in range(place[1], left)}
                elif "formula" in at:
                    here.texts[place] = "=" + at["formula"].partition("=")[2]
            element.clear()
    return sheets


def _attributes(element: ElementTree.Element) -> dict[str, str]:
    return {_local(key): value for key, value in element.items()}


def _repeated(attributes: Mapping[str, str], what: str) -> int:
    return int(attributes.get(f"number-{what}-repeated", "1"))


# --- .xls, by xlrd ----------------------------------------------------------------------------------------------------

def _xls_sheets(data: bytes, name: str, limits: Limits) -> list[tuple[str, Callable[[], tuple]]]:
    import xlrd  # for files of that kind only
    from xlrd.xldate import XLDateError, xldate_as_datetime

    book = xlrd.open_workbook(file_contents=data, logfile=io.StringIO(), formatting_info=True, ragged_rows=True,
                              on_demand=True)

    def read(n: int) -> tuple:
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

    return [(sheet, partial(read, n)) for n, sheet in enumerate(book.sheet_names())]
