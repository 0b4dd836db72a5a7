"""A look into a workbook before it is read: how far its cells reach, and what it prints that the reader leaves out.

The reader reserves rows x columns of every sheet at once, so a file of a kilobyte could ask for terabytes: what the
cells span is added up here first, in one way for ``.xlsx``, ``.ods`` and ``.xls``. What it leaves out are error cells,
formulas that were never calculated, number formats that scale, and that rows and columns are hidden.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

from ..errors import SourceError
from .numbers import scales
from .spec import Limits

__all__ = ["PARTS", "Extras", "ods_extras", "xls_extras", "xlsx_extras"]

# The parts of a workbook that hold what its cells show: nothing else of it is read.
PARTS = re.compile(r"(?:\[Content_Types\]\.xml|_rels/\.rels|xl/workbook\.xml|xl/_rels/workbook\.xml\.rels"
                   r"|xl/styles\.xml|xl/sharedStrings\.xml|xl/worksheets/[^/]+\.xml"
                   r"|mimetype|content\.xml|META-INF/manifest\.xml)", re.IGNORECASE)
_ADDRESS = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
_COPIES = 4          # times the limit of what is unpacked, for texts that many cells refer to
_MAX_SHEETS, _MAX_COLUMNS = 1_000, 16_384
_BUILT_IN = {9: "0%", 10: "0.00%"}     # number formats that scale and are in no list
_TRUE = ("1", "true")
_LONGEST_ERROR, _LONGEST_CODE = 40, 255


@dataclass
class Extras:
    """By (row, column) from 0: texts of cells that the reader leaves blank, and the number formats of cells that show
    their number as another; the rows and the columns that are hidden."""

    texts: dict[tuple[int, int], str] = field(default_factory=dict)
    formats: dict[tuple[int, int], str] = field(default_factory=dict)
    rows: set[int] = field(default_factory=set)
    columns: set[int] = field(default_factory=set)


class _Extent:
    """How far the cells of a workbook's sheets reach, checked while they are counted."""

    def __init__(self, name: str, limits: Limits):
        self.name, self.limits = name, limits
        self.sheet, self.sheets, self.before, self.rows, self.columns = "", 0, 0, 0, 0

    def begin(self, sheet: str) -> None:
        """Go on to the next sheet."""
        self.before += self.rows * self.columns
        self.sheet, self.sheets, self.rows, self.columns = sheet, self.sheets + 1, 0, 0

    def reach(self, rows: int, columns: int) -> None:
        """Take in a cell that is not blank, the last one of so many rows and columns."""
        if rows <= self.rows and columns <= self.columns:
            return
        self.rows, self.columns = max(self.rows, rows), max(self.columns, columns)
        area, limits = self.rows * self.columns, self.limits
        if area > limits.sheet_cells:
            raise limits.refuse("sheet_cells", "has too large a used area",
                                f"{self.rows} rows x {self.columns} columns", file=self.name, sheet=self.sheet)
        if self.before + area > limits.book_cells:
            raise limits.refuse("book_cells", "has too large used areas",
                                f"{self.before + area} cells in {self.sheets} sheets or more", file=self.name)


def _parse(content: bytes, name: str, part: str, walk: object = None):
    """Return the tree of a part, or take `walk` (with start, end, data) through it; nothing is fetched, and a part with
    a document type does not come so far."""
    try:
        return ElementTree.fromstring(content, ElementTree.XMLParser(target=walk, encoding="UTF-8"))
    except ElementTree.ParseError as error:
        raise SourceError("is no plain workbook", file=name, sheet=part, found=str(error),
                          expected="well-formed XML") from None


# --- .xlsx -----------------------------------------------------------------------------------------------------------

def xlsx_extras(parts: Mapping[str, bytes], name: str, limits: Limits) -> dict[str, Extras]:
    """Check the used areas of an ``.xlsx``, whose parts come by their names in lower case; return by the sheet's name
    what the reader leaves out."""
    styles = _styles(parts["xl/styles.xml"], name) if "xl/styles.xml" in parts else {}
    extent, copies, found = _Extent(name, limits), 0, {}
    for part in (p for p in parts if p.startswith("xl/worksheets/")):
        extent.begin(part)
        walk = _Sheet(extent, styles)
        _parse(parts[part], name, part, walk)
        found[part] = walk.extras
        copies += walk.copies
    # Every cell that refers to a text becomes a copy of it.
    longest = max(map(len, parts.get("xl/sharedstrings.xml", b"").split(b"</si>")))
    if longest * copies > _COPIES * limits.unpacked_bytes:
        raise limits.refuse("unpacked_bytes", "unpacks to too much", f"a text of {longest} bytes, {copies} times",
                            file=name)
    return {sheet: found[part] for sheet, part in _sheet_parts(parts, name).items() if part in found}


class _Sheet:
    """The walk through a worksheet; a cell or row without an address follows the one before it."""

    def __init__(self, extent: _Extent, styles: Mapping[str, str]):
        self.extent, self.styles, self.extras = extent, styles, Extras()
        self.row = self.column = self.copies = 0
        self.kind = self.value = self.formula = ""
        self.inside, self.has_formula = "", False     # the element in the cell being read; whether there was a formula

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag, ref = _local(tag), attributes.get("r")
        if tag == "c":
            if ref is not None:
                self.row, self.column = self._place(ref)
            self.kind, self.value, self.formula, self.has_formula = attributes.get("t", ""), "", "", False
            self.copies += self.kind == "s"
            if attributes.get("s") in self.styles:
                self.extras.formats[self.row, self.column] = self.styles[attributes["s"]]
        elif tag in ("v", "f", "is"):
            self.extent.reach(self.row + 1, self.column + 1)
            self.inside, self.has_formula = tag, self.has_formula or tag == "f"
        elif tag == "row":
            self.row = self.row if ref is None else self._place(f"A{ref}")[0]
            self.column = 0
            if attributes.get("hidden") in _TRUE or attributes.get("ht") == "0":
                self.extras.rows.add(self.row)
        elif tag == "col" and (attributes.get("hidden") in _TRUE or attributes.get("width") == "0"):
            first, last = (int(text) if text.isdecimal() and len(text) < 6 else 0
                           for text in (attributes.get("min", ""), attributes.get("max", "")))
            self.extras.columns.update(range(first - 1, min(last, _MAX_COLUMNS)))

    def data(self, characters: str) -> None:
        if self.inside == "v" and len(self.value) < _LONGEST_ERROR:
            self.value += characters[:_LONGEST_ERROR]
        elif self.inside == "f" and len(self.formula) <= self.extent.limits.text_length:
            self.formula += characters

    def end(self, tag: str) -> None:
        tag = _local(tag)
        if tag == "c":
            if self.kind == "e" and self.value:
                self.extras.texts[self.row, self.column] = self.value
            elif self.has_formula and not self.value:
                self.extras.texts[self.row, self.column] = "=" + self.formula
            self.column += 1
        elif tag == "row":
            self.row += 1
        elif tag == self.inside:
            self.inside = ""

    def _place(self, ref: str) -> tuple[int, int]:
        match = _ADDRESS.fullmatch(ref)
        if not match:
            raise SourceError("has a cell without an address", file=self.extent.name, sheet=self.extent.sheet,
                              found=ref, expected="an address such as C5")
        column = 0
        for letter in match[1].upper():
            column = 26 * column + ord(letter) - 64
        return int(match[2]) - 1, column - 1


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _styles(content: bytes, name: str) -> dict[str, str]:
    """Return the number formats that scale by the numbers of the cell styles that have them."""
    root = _parse(content, name, "xl/styles.xml")
    codes = {str(n): code for n, code in _BUILT_IN.items()} | {
        f.get("numFmtId"): f.get("formatCode", "") for f in root.iterfind("{*}numFmts/{*}numFmt")}
    codes = {number: code for number, code in codes.items() if scales(code)}
    return {str(n): codes[xf.get("numFmtId")] for n, xf in enumerate(root.iterfind("{*}cellXfs/{*}xf"))
            if xf.get("numFmtId") in codes}


def _sheet_parts(parts: Mapping[str, bytes], name: str) -> dict[str, str]:
    """Return the parts of an ``.xlsx`` by the names of their sheets."""
    relations, book = "xl/_rels/workbook.xml.rels", "xl/workbook.xml"
    targets: dict[str | None, str] = {}
    for relation in _parse(parts[relations], name, relations) if relations in parts else ():
        target = relation.get("Target", "").replace("\\", "/").lstrip("/").lower()
        targets[relation.get("Id")] = target = target if target.startswith("xl/") else f"xl/{target}"
        # Without its styles a date or a percentage would become another number, in silence.
        if PARTS.fullmatch(target) and target not in parts:
            raise SourceError("is damaged", file=name, found=f"no part {target}", expected="every part it names")
    sheets = _parse(parts[book], name, book).iterfind("{*}sheets/{*}sheet") if book in parts else ()
    return {sheet.get("name", ""): targets.get(next((v for k, v in sheet.items() if _local(k) == "id"), None), "")
            for sheet in sheets}


# --- .ods ------------------------------------------------------------------------------------------------------------

_TABLE, _STYLE, _DATA_STYLE, _OFFICE = (
    f"{{urn:oasis:names:tc:opendocument:xmlns:{name}:1.0}}" for name in ("table", "style", "datastyle", "office"))


def ods_extras(parts: Mapping[str, bytes], name: str, limits: Limits) -> dict[str, Extras]:
    """Check the used areas of an ``.ods``, whose rows and cells may be repeated; return what the reader leaves out."""
    walk = _Tables(_Extent(name, limits))
    _parse(parts["content.xml"], name, "content.xml", walk)
    return walk.sheets


class _Tables:
    """The walk through the styles and the tables of an ``.ods``."""

    def __init__(self, extent: _Extent):
        self.extent, self.sheets = extent, {}
        self.here = Extras()
        self.top = self.bottom = 0         # rows of the row being read: it may be repeated
        self.right = 0                     # the columns up to the cell being read
        self.codes: dict[str, str] = {}    # of number styles and of the cell styles that have them
        self.usual: dict[int, str | None] = {}   # the style of a column's cells that name none
        self.style = self.inside = self.place = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = _local(tag)
        hidden = attributes.get(f"{_TABLE}visibility", "visible") != "visible"
        if tag == "table":
            name = attributes.get(f"{_TABLE}name", "")
            self.extent.begin(name)
            self.bottom = self.right = 0
            self.usual = {}
            self.here = self.sheets.setdefault(name, Extras())
        elif tag == "table-column":
            left, self.right = self.right, self.right + self._repeated(attributes, "columns")
            columns = range(left, min(self.right, _MAX_COLUMNS))
            self.here.columns.update(columns if hidden else ())
            self.usual |= dict.fromkeys(columns, attributes.get(f"{_TABLE}default-cell-style-name"))
        elif tag == "table-row":
            self.top, self.right = self.bottom, 0
            self.bottom += self._repeated(attributes, "rows")
            self.here.rows.update(range(self.top, min(self.bottom, self.extent.limits.sheet_cells)) if hidden else ())
        elif tag in ("table-cell", "covered-table-cell"):
            left, self.right = self.right, self.right + self._repeated(attributes, "columns")
            kind = attributes.get(f"{_OFFICE}value-type")
            style = attributes.get(f"{_TABLE}style-name", self.usual.get(left))
            if kind:
                self.extent.reach(self.bottom, self.right)
            elif f"{_TABLE}formula" in attributes:
                self.here.texts[self.top, left] = "=" + attributes[f"{_TABLE}formula"].partition("=")[2]
            code = "0%" if kind == "percentage" else self.codes.get(style, "") if kind else ""
            if scales(code):
                self.here.formats |= {(r, c): code for r in range(self.top, self.bottom)
                                      for c in range(left, self.right)}
        elif tag == "p":
            self.extent.reach(self.bottom, self.right)
        else:
            self._style(tag, attributes)

    def _style(self, tag: str, attributes: dict[str, str]) -> None:
        """Take in a number style, as the code that another file would have for it, and the cell styles that have it."""
        if tag in ("number-style", "currency-style"):
            self.style = attributes.get(f"{_STYLE}name", "")
            self.codes[self.style] = ""
        elif tag == "number" and self.style:
            factor = attributes.get(f"{_DATA_STYLE}display-factor", "1")
            self.codes[self.style] += "0" + "," * ((len(factor) - 1) // 3 if re.fullmatch("10*", factor) else 0)
        elif tag in ("text", "embedded-text") and self.style:
            self.inside, self.place = tag, attributes.get(f"{_DATA_STYLE}position", "")
        elif tag == "style":
            self.codes[attributes.get(f"{_STYLE}name", "")] = self.codes.get(
                attributes.get(f"{_STYLE}data-style-name"), "")

    def data(self, characters: str) -> None:
        code = self.codes.get(self.style, "")
        if self.inside == "text" and len(code) < _LONGEST_CODE:
            self.codes[self.style] = code + f'"{characters}"'
        elif self.inside == "embedded-text" and characters == "." and re.fullmatch("[1-9]", self.place):
            # A point among the digits, so many of them before the last.
            self.codes[self.style] = code.replace("0", '0"."' + int(self.place) * "0", 1)

    def end(self, tag: str) -> None:
        self.inside = ""
        if _local(tag) in ("number-style", "currency-style"):
            self.style = ""

    @staticmethod
    def _repeated(attributes: dict[str, str], what: str) -> int:
        text = attributes.get(f"{_TABLE}number-{what}-repeated", "1")
        return int(text) if text.isdecimal() and len(text) < 9 else 10**9


# --- .xls ------------------------------------------------------------------------------------------------------------
# Only as much of the format as that takes: the compound file's sector chains (MS-CFB), heads of cell records (MS-XLS).

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
    starts, formats, codes = [], [], dict(_BUILT_IN)
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
    extent = _Extent(name, limits)
    return {n: _scan_sheet(stream, start, styles, extent) for n, start in enumerate(starts)}


def _xls_text(data: bytes) -> str:
    """Return a text with its length before it: two bytes and the width of its characters, or one byte in old files."""
    length, wide = struct.unpack_from("<HB", data.ljust(3, b"\0"))
    if wide <= 1 and len(data) == 3 + length * (1 + wide):
        return data[3:].decode("utf-16-le" if wide else "latin-1", "replace")
    return data[1:].decode("latin-1")


def _scan_sheet(stream: bytes, start: int, as_shown: Mapping[int, str], extent: _Extent) -> Extras:
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
            extras.columns.update(range(first, min(last + 1, _MAX_COLUMNS)))
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
