"""A look into a workbook before it is read: how far its cells reach, and what it prints that the reader leaves out.

The reader reserves rows x columns of every sheet at once, so a file of a kilobyte could ask for terabytes: what the
cells span is added up here first, for ``.xlsx`` and ``.ods`` (``.xls``: `xls`). What it leaves out are error cells,
formulas that were never calculated, number formats that scale, and that rows and columns are hidden. All of it is rare,
so it is searched for in the bytes: nothing here is done for every cell that is only a border.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from xml.etree import ElementTree

from ..errors import SourceError
from .blocks import letters
from .numbers import scales
from .spec import Limits

# The parts of a workbook that hold what its cells show: nothing else of it is read.
PARTS = re.compile(r"(?:\[Content_Types\]\.xml|_rels/\.rels|xl/workbook\.xml|xl/_rels/workbook\.xml\.rels"
                   r"|xl/styles\.xml|xl/sharedStrings\.xml|xl/worksheets/[^/]+\.xml"
                   r"|mimetype|content\.xml|META-INF/manifest\.xml)", re.IGNORECASE)
_MAX_COLUMNS = 16_384
_BUILT_IN = {9: "0%", 10: "0.00%"}     # number formats that scale and are in no list
_COPIES = 4          # times the limit of what is unpacked, for texts that many cells refer to


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


class Extent:
    """How far the cells of a workbook's sheets reach, and how long its texts become, checked while they are counted."""

    def __init__(self, name: str, limits: Limits):
        self.name, self.limits = name, limits
        self.sheet, self.sheets, self.before, self.rows, self.columns, self.texts = "", 0, 0, 0, 0, 0

    def begin(self, sheet: str) -> None:
        """Go on to the next sheet."""
        self.before += self.rows * self.columns
        self.sheet, self.sheets, self.rows, self.columns = sheet, self.sheets + 1, 0, 0

    def reach(self, rows: int, columns: int) -> None:
        """Take in a cell that is not blank, the last one of so many rows and columns."""
        if rows <= self.rows and columns <= self.columns:
            return
        self.rows, self.columns = max(self.rows, rows), max(self.columns, columns)
        area = self.rows * self.columns
        self.limits.refuse("sheet_cells", area, "has too large a used area",
                           f"{self.rows} rows x {self.columns} columns", file=self.name, sheet=self.sheet)
        self.limits.refuse("book_cells", self.before + area, "has too large used areas",
                           f"{self.before + area} cells in {self.sheets} sheets or more", file=self.name)

    def copy(self, size: int, times: int) -> None:
        """Take in a text that becomes so many cells', each with a copy of its own."""
        self.texts += size * times
        self.limits.refuse("unpacked_bytes", self.texts / _COPIES, "unpacks to too much",
                           f"a text of {size} bytes, {times} times", file=self.name, sheet=self.sheet or None)


def _parse(content: bytes) -> ElementTree.Element:
    """Return the tree of a part; nothing is fetched, and a part with a document type does not come so far."""
    return ElementTree.fromstring(content, ElementTree.XMLParser(encoding="UTF-8"))


# --- .xlsx -----------------------------------------------------------------------------------------------------------
# Cells that are only a border are cut out before anything else looks. A row or cell is found by how Excel writes one:
# no prefix, its address first, no sign in an attribute that might end it. A sheet that has one written otherwise, or a
# comment that might hide one, is first written anew.

# Python 3.11 before .5 loses what stands after a group that is repeated possessively: single signs only are here.
_PLACE, _MORE = rb' r="([A-Z]{1,3}+)([0-9]{1,7}+)"', rb'(?: [\w:]++="[^"<>]*+")* ?'
_BLANK = re.compile(rb'<c r="[A-Z]{1,3}+[0-9]{1,7}+"' + _MORE + rb"(?:/>|></c>)\s*+")
# Without an address where it is an odd one.
_CELLS = re.compile(rb"<(?:c(?![a-z])(?:" + _PLACE + _MORE + rb'/?>)?|row(?! r="[0-9]{1,7}+"' + _MORE
                    + rb"/?>|[a-zA-Z])|!|[^\s<>/:]++:(?:c|row)[\s/>])")
_ADDRESS = re.compile("([A-Z]{0,3})([0-9]{1,7})")
_CELL = b"<c" + _PLACE
_STYLED = re.compile(_CELL + rb'[^<>]*?\ss="([0-9]++)"')
_ERRORS = re.compile(_CELL + rb'(?=[^<>]*\st="e")[^<]*<(?:f\b[^<]*<(?:/f>[^<]*<)?)?v[^<>]*>([^<]{1,40})')
# A formula whose result is an empty text has been calculated.
_UNCALCULATED = re.compile(_CELL + rb'(?![^<>]*\st="str")[^<]*<f\b[^<>]*>([^<]*)(?:</f>[^<]*)?'
                           rb"(?:<v\s*/>[^<]*|<v[^<>]*></v>[^<]*)?</c")
_HIDDEN_ROWS = re.compile(rb'<row r="([0-9]++)"[^<>]*?\s(?:hidden="(?:1|true)"|ht="0")')
_HIDDEN_COLUMNS = re.compile(rb'<col(?=[^<>]*\s(?:hidden="(?:1|true)"|width="0"))(\s[^<>]*)')
_ATTRIBUTE = re.compile(rb'\s(min|max)="([0-9]{1,6}+)"')


def xlsx_extras(parts: dict[str, bytes], name: str, limits: Limits) -> dict[str, Extras]:
    """Check the used areas of an ``.xlsx``, whose parts come by their names in lower case; return by the sheet's name
    what the reader leaves out. The sheets among the parts are left without their blank cells."""
    styles = _styles(parts["xl/styles.xml"]) if "xl/styles.xml" in parts else {}
    longest = max(map(len, parts.get("xl/sharedstrings.xml", b"").split(b"</si>")))
    extent, found = Extent(name, limits), {}
    for part in [p for p in parts if p.startswith("xl/worksheets/")]:
        extent.begin(part)
        written, parts[part] = parts[part], _without_blanks(parts[part])
        columns, rows = _reach(parts[part])
        if None in columns:
            parts[part] = _without_blanks(_plainly(written, name, part))
            columns, rows = _reach(parts[part])
        if rows:
            extent.reach(max(map(int, rows)), max(map(_number, columns)))
        extent.copy(longest, parts[part].count(b'"s"') + parts[part].count(b"'s'"))
        found[part] = _left_out(parts[part], styles)
    return {sheet: found[part] for sheet, part in _sheet_parts(parts, name).items() if part in found}


def _without_blanks(sheet: bytes) -> bytes:
    """Cut the blank cells out, a row at a time: the pieces between a million of them take four times the sheet."""
    return b"</row>".join(_BLANK.sub(b"", row) for row in sheet.split(b"</row>"))


def _reach(sheet: bytes) -> tuple[set[bytes | None], set[bytes | None]]:
    """Return the columns and the rows of the cells of a sheet; None among them where one is written in an odd way."""
    columns, rows = set(), set()
    for cell in _CELLS.finditer(sheet):
        columns.add(cell[1])
        rows.add(cell[2])
    return columns, rows


def _left_out(sheet: bytes, styles: Mapping[bytes, str]) -> Extras:
    """Return what the reader leaves out of a sheet."""
    found = Extras(rows={int(row[1]) - 1 for row in _HIDDEN_ROWS.finditer(sheet)})
    found.formats = {_place(cell): styles[cell[3]] for cell in _STYLED.finditer(sheet) if cell[3] in styles
                     } if styles else {}
    for pattern, sign, before in ((_ERRORS, b't="e"', ""), (_UNCALCULATED, b"<f", "=")):
        for cell in pattern.finditer(sheet) if sign in sheet else ():
            found.texts[_place(cell)] = before + html.unescape(cell[3].decode("utf-8", "replace"))
    for column in _HIDDEN_COLUMNS.finditer(sheet):
        at = dict(_ATTRIBUTE.findall(column[1]))
        first, last = (int(at.get(key, b"0")) for key in (b"min", b"max"))
        found.columns.update(range(first - 1, min(last, _MAX_COLUMNS)))
    return found


@cache
def _number(letters: bytes) -> int:
    """Return the number of a column, from 1."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


def _place(cell: re.Match) -> tuple[int, int]:
    return int(cell[2]) - 1, _number(cell[1]) - 1


def _plainly(content: bytes, name: str, part: str) -> bytes:
    """Return a sheet as Excel writes it; a cell or row without an address follows the one before it."""
    root, row, column = _parse(content), 0, 0
    for element in root.iter():
        element.tag = _local(element.tag)
        if element.tag in ("row", "c"):
            following = f"{row + 1}" if element.tag == "row" else f"{letters(column)}{row}"
            address = element.get("r", following).upper()
            match = _ADDRESS.fullmatch(address)
            if not match or bool(match[1]) != (element.tag == "c"):
                raise SourceError("has a cell without an address", file=name, sheet=part, found=address,
                                  expected="an address such as C5")
            row, column = int(match[2]), _number(match[1].encode())
            element.attrib = {"r": address} | {key: value for key, value in element.items() if key != "r"}
    return ElementTree.tostring(root)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _styles(content: bytes) -> dict[bytes, str]:
    """Return the number formats that scale by the numbers of the cell styles that have them."""
    root = _parse(content)
    codes = {str(n): code for n, code in _BUILT_IN.items()} | {
        f.get("numFmtId"): f.get("formatCode", "") for f in root.iterfind("{*}numFmts/{*}numFmt")}
    codes = {number: code for number, code in codes.items() if scales(code)}
    return {b"%d" % n: codes[xf.get("numFmtId")] for n, xf in enumerate(root.iterfind("{*}cellXfs/{*}xf"))
            if xf.get("numFmtId") in codes}


def _sheet_parts(parts: Mapping[str, bytes], name: str) -> dict[str, str]:
    """Return the parts of an ``.xlsx`` by the names of their sheets."""
    relations, book = "xl/_rels/workbook.xml.rels", "xl/workbook.xml"
    targets: dict[str | None, str] = {}
    for relation in _parse(parts[relations]) if relations in parts else ():
        target = relation.get("Target", "").replace("\\", "/").lstrip("/").lower()
        targets[relation.get("Id")] = target = target if target.startswith("xl/") else f"xl/{target}"
        # Without its styles a date or a percentage would become another number, in silence.
        if PARTS.fullmatch(target) and target not in parts:
            raise SourceError("is damaged", file=name, found=f"no part {target}", expected="every part it names")
    sheets = _parse(parts[book]).iterfind("{*}sheets/{*}sheet") if book in parts else ()
    return {sheet.get("name", ""): targets.get(next((v for k, v in sheet.items() if _local(k) == "id"), None), "")
            for sheet in sheets}


# --- .ods ------------------------------------------------------------------------------------------------------------

def ods_extras(parts: Mapping[str, bytes], name: str, limits: Limits) -> dict[str, Extras]:
    """Check the used areas of an ``.ods``, whose rows and cells may be repeated; return what the reader leaves out."""
    extent, sheets = Extent(name, limits), {}
    codes: dict[str, str] = {}    # of number styles and of the cell styles that have them
    usual: dict[int, str] = {}    # the style of a column's cells that name none
    bottom = right = 0
    for event, element in ElementTree.iterparse(io.BytesIO(parts["content.xml"]), ("start", "end"),
                                                ElementTree.XMLParser(encoding="UTF-8")):
        kind, at = _local(element.tag), _attributes(element)
        hidden = at.get("visibility", "visible") != "visible"
        if event == "start":
            if kind == "table":
                extent.begin(at.get("name", ""))
                bottom = right = 0
                usual, here = {}, sheets.setdefault(extent.sheet, Extras())
        elif kind in ("number-style", "currency-style"):
            codes[at.get("name", "")] = "".join(map(_code, element))[:255]
        elif kind == "style":
            codes[at.get("name", "")] = codes.get(at.get("data-style-name", ""), "")
        elif kind == "table-column":
            columns = range(right, min(right := right + _repeated(at, "columns"), _MAX_COLUMNS))
            here.columns.update(columns if hidden else ())
            usual |= dict.fromkeys(columns, at.get("default-cell-style-name", ""))
        elif kind == "table-row":
            top, bottom = bottom, bottom + _repeated(at, "rows")
            here.rows.update(range(top, min(bottom, limits.sheet_cells)) if hidden else ())
            _take_row(element, range(top, bottom), codes, usual, here, extent)
            element.clear()
    return sheets


def _take_row(row: ElementTree.Element, rows: range, codes: Mapping[str, str], usual: Mapping[int, str], here: Extras,
              extent: Extent) -> None:
    right = 0
    for cell in row.iterfind("*"):
        at, left = _attributes(cell), right
        right += _repeated(at, "columns")
        kind, text = at.get("value-type"), sum(map(len, (*cell.itertext(), *cell.attrib.values())))
        if kind or len(cell):
            extent.reach(rows.stop, right)
            extent.copy(text, len(rows) * (right - left))
        if not kind and "formula" in at:
            here.texts[rows.start, left] = "=" + at["formula"].partition("=")[2]
        code = codes.get(at.get("style-name", usual.get(left, "")), "") if kind else ""
        if scales(code := "0%" if kind == "percentage" else code):
            here.formats |= {(r, c): code for r in rows for c in range(left, right)}


def _attributes(element: ElementTree.Element) -> dict[str, str]:
    return {_local(key): value for key, value in element.items()}


def _repeated(attributes: Mapping[str, str], what: str) -> int:
    text = attributes.get(f"number-{what}-repeated", "1")
    return int(text) if text.isdecimal() and len(text) < 9 else 10**9


def _code(part: ElementTree.Element) -> str:
    """Return what a part of an ``.ods``'s number style is in the code that another file would have for it."""
    at = _attributes(part)
    if _local(part.tag) == "text":
        return f'"{part.text or ""}"'
    if _local(part.tag) != "number":
        return ""
    # A point among the digits, so many of them before the last.
    places = [_attributes(inner).get("position", "") for inner in part if inner.text == "."]
    factor, digits = at.get("display-factor", "1"), [f'0"."{int(p) * "0"}' for p in places if re.fullmatch("[1-9]", p)]
    return (digits or ["0"])[0] + "," * ((len(factor) - 1) // 3 if re.fullmatch("10*", factor) else 0)
