"""What a workbook prints and its reader leaves out: error cells, formulas that were never calculated, number formats
that scale, and that rows and columns are hidden. All sheets are gone through once before they are read: the reader
reserves rows x columns of a sheet at once, so how far its cells reach is checked here.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO
from xml.etree import ElementTree

from xlsxwriter.utility import xl_cell_to_rowcol

from ..errors import SourceError
from .numbers import scales
from .spec import Limits

_BUILT_IN = {"9": "0%", "10": "0.00%"}     # number formats that scale and are in no list
_MAX_COLUMNS = 16_384
# In a sheet's XML: blank cells, but for one before a cell without an address, which is counted from it; cells that are
# not blank, their styles; signs of what the reader leaves out, or of another spelling.
_BLANK = re.compile(rb'<c r="\w+"(?: s="\d+")?/>(?=<c r=|</row>)')
_CELL, _STYLE = re.compile(rb'<c r="([A-Za-z]+)(\d+)"[^/>]*>'), re.compile(rb'<c r="[^/>]* s="(\d+)"[^/>]*>')
_MORE = (b"hidden", b'ht="0"', b'width="0"', b't="e"', b"<c>", b"<c s", b"<c t", b"<v/>", b"<v></v>", b":row", b"='",
         b' ="', b'= "', b"\0")


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


def package_extras(data: bytes, name: str, limits: Limits) -> dict[str, Extras]:
    """Check the size of an ``.xlsx`` or ``.ods`` and of its sheets; return by the sheet's name what the reader leaves
    out."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {e.filename.replace("\\", "/").lstrip("/").lower(): e for e in archive.infolist()}
        size = sum(entry.file_size for part, entry in entries.items() if part.endswith(".xml"))
        limits.refuse("unpacked_bytes", size, "unpacks to too much", f"{size} bytes", file=name)
        if "content.xml" in entries:
            return _ods(archive.open(entries["content.xml"]), name, limits)
        parts = {part: archive.read(entry) for part, entry in entries.items()
                 if re.fullmatch(r"xl/(?:workbook|styles|worksheets/[^/]+)\.xml|xl/_rels/workbook\.xml\.rels", part)}
    styles = _styles(parts.get("xl/styles.xml", b"<none/>"))
    return {sheet: _xlsx(parts[part], styles, name, sheet, limits) for sheet, part in _sheet_parts(parts)
            if part in parts}


def check_area(rows: int, columns: int, name: str, sheet: str | None, limits: Limits) -> None:
    """Refuse a sheet whose cells span too much."""
    limits.refuse("sheet_cells", rows * columns, "has too large a used area", f"{rows} rows x {columns} columns",
                  file=name, sheet=sheet)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


# --- .xlsx -----------------------------------------------------------------------------------------------------------

def _xlsx(content: bytes, styles: Mapping[str, str], name: str, sheet: str, limits: Limits) -> Extras:
    # Most sheets hold nothing more, and the walk through them takes longer than reading does.
    content = _BLANK.sub(b"", content)
    if not any(sign in content for sign in _MORE) and content.count(b"<f") == (
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
