"""A number as its cell shows it: without the dust of binary arithmetic, scaled as its number format scales it; which
texts are numbers, and which count columns.

What a workbook prints and its reader leaves out: error cells, formulas that were never calculated, number formats
that scale, and that rows and columns are hidden. All sheets are gone through once before they are read: the reader
reserves rows x columns of a sheet at once, so how far its cells reach is checked here.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import struct
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import IO
from xml.etree import ElementTree

from xlsxwriter.utility import xl_cell_to_rowcol

from ..catalog import fold
from ..errors import SourceError
from .spec import Limits

COUNT = re.compile(r"[(（\[]?(\d{1,3})[)）\]]?")
_NUMBER = re.compile(r"[约近逾≈~＇'\"(（¥￥$\s]*[-+−－]?[0-9][0-9,.\s]*(?:[eE][-+]?\d+)?\D{0,12}")

_BUILT_IN = {"9": "0%", "10": "0.00%"}     # number formats that scale and are in no list
_MAX_COLUMNS = 16_384
_DIGITS = 15           # a double holds every decimal of so many digits, and no spreadsheet stores more
_LONGEST = 255         # characters of a number format
_BITS = 5e-16          # two bits of a double: some files keep sixteen digits of it
_SHORT = 9             # what sums and products leave behind shows when what is left without it is so short
_TOKEN = re.compile(r'"(?P<quoted>[^"]*)"|[\\!](?P<escaped>.)|[_*].|\[(?P<sign>[<>]=?|=|<>)(?P<bound>-?\d+\.?\d*)\]'
                    r"|\[[^\]]*\]|(?P<mark>[0#?.,%;])|(?P<other>.)", re.DOTALL)
_SCALED = re.compile(r"[%‰]|[十百千万萬亿億]+.{0,2}|(?i:thousand|million|mn|lakhs?|crores?|cr|billion|bn)")
_HOLDS = {"<": float.__lt__, ">": float.__gt__, "<=": float.__le__, ">=": float.__ge__, "=": float.__eq__,
          "<>": float.__ne__}


def is_number(value: object, text: str) -> bool:
    """Whether a cell holds a figure, typed as one or written as one ("2.5万", "约1,200", "12*")."""
    if isinstance(value, int | float):
        return not isinstance(value, bool)
    return len(text) <= 60 and bool(_NUMBER.fullmatch(unicodedata.normalize("NFKC", text).strip()))


def counted(texts: Iterable[str]) -> int:
    """Return how many of some texts are numbers that follow one another, as those of columns do: 1, 2, 3 or (4), (5);
    0 if they do not."""
    numbers = [int(m[1]) for text in texts if (m := COUNT.fullmatch(fold(text)))]
    following = bool(numbers) and numbers[0] <= 4 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return len(numbers) if following else 0


def as_text(value: object) -> str:
    """Return a cell's value as text: a number by its decimal, a whole one without a point."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return decimal(value)
    if isinstance(value, Decimal):      # a column's noughts are not its values' own
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return str(value.date())
    return str(value)


def decimal(value: float) -> str:
    """Return the decimal that was written: the shortest that a double holds; where that is longer than anybody writes,
    the shortest that a single holds, or without the last bits of sums and products."""
    text = repr(value).removesuffix(".0")
    if len(text) <= _SHORT or value.is_integer() or abs(value) > 1e38:
        return text
    single = _single(value)
    if abs(single - value) <= _BITS * abs(value):
        short = next(t for n in range(6, 10) if _single(float(t := f"{value:.{n}g}")) == single)
        return repr(float(short)).removesuffix(".0") if _length(text) > _length(short) + 2 else text
    if _length(text) <= _DIGITS:
        return text
    long, short = (repr(float(f"{value:.{n}g}")).removesuffix(".0") for n in (_DIGITS, _DIGITS - 3))
    return short if _length(short) <= _SHORT and _length(long) >= _DIGITS - 1 else long


def _length(text: str) -> int:
    """How many digits a number has, without the noughts before them."""
    return sum(map(str.isdigit, text.partition("e")[0].lstrip("-0.")))


def _single(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def shown(value: float, code: str) -> str:
    """Return a number as its format shows it, but with all its digits: 5.3498 for 53498 shown as 5.3 by ``0!.0,``."""
    bounded = [s for s in _sections(code) if s[0]]
    others = [s for s in _sections(code) if not s[0]] or [(None, 0, "")]
    by_sign = 0 if bounded or value > 0 else 1 if value < 0 else 2
    _, power, suffix = next((s for s in bounded if _HOLDS[s[0][0]](float(value), s[0][1])),
                            others[by_sign if by_sign < len(others) else 0])
    text = format(Decimal(as_text(value)).scaleb(power), "f") if power else as_text(value)
    return (text.rstrip("0").rstrip(".") if power and "." in text else text) + suffix


def scales(code: str) -> bool:
    """Whether a number format shows some numbers as others: as a percentage, in thousands, with a unit behind."""
    return any(power or suffix for _, power, suffix in _sections(code))


@lru_cache(1000)
def _sections(code: str) -> list[tuple[tuple[str, float] | None, int, str]]:
    """Return of every section of a number format the numbers it is for (None: by their sign), the power of ten by which
    it shows them and the unit behind them."""
    found, parts = [], [[]]
    for token in _TOKEN.finditer(code[:_LONGEST]):
        parts.append([]) if token["mark"] == ";" else parts[-1].append(token)
    for part in parts:
        bound = next(((t["sign"], float(t["bound"])) for t in part if t["bound"]), None)
        literal = [t["quoted"] or t["escaped"] or t["other"] or "" for t in part]
        places = [n for n, t in enumerate(part) if t["mark"] in ("0", "#", "?")]
        if not places or any((t["other"] or " ").isascii() and (t["other"] or " ").isalpha() for t in part):
            found.append((bound, 0, ""))        # dates, General, texts
            continue
        percent = sum(t["mark"] == "%" for t in part)
        point = next((n for n, t in enumerate(part) if t["mark"] == "."), len(part))
        # Commas behind the last digit before the point, or at the end, divide by a thousand each.
        ends = {*range(max((n for n in places if n < point), default=point), point)} if point < len(part) else set()
        commas = sum(part[n]["mark"] == "," for n in ends | {*range(places[-1], len(part))})
        # A point put between the digits as a text divides by ten for every digit behind it.
        dot = next((n for n in range(places[0], places[-1]) if literal[n] in (".", "．", "·")), len(part))
        behind = 0 if point < len(part) else sum(n > dot for n in places)
        unit = "".join(literal[places[-1]:]).strip()
        suffix = "%" if percent else unit if _SCALED.fullmatch(unit) else ""
        found.append((bound, 2 * percent - 3 * commas - behind, suffix))
    return found


# --- what the reader of a workbook leaves out -------------------------------------------------------------------------

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
