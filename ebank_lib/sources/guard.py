"""What is checked before a reader sees a file: where it lies, how large it is, how large it would become.

A workbook is unpacked here under limits and handed on as a fresh archive of only the parts that hold cells, so that
what was weighed is what is read: no macro, link, picture or second directory gets further.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from ..errors import SourceError
from .spec import Limits

__all__ = ["Package", "files_under", "open_package", "read_bytes", "unpack_gzip"]

_RATIO_FROM = 1_000_000
_MAX_PARTS = 5_000
_PARTS = re.compile(r"(?:\[Content_Types\]\.xml|_rels/\.rels|xl/workbook\.xml|xl/_rels/workbook\.xml\.rels|xl/styles\.xml"
                    r"|xl/sharedStrings\.xml|xl/worksheets/[^/]+\.xml"
                    r"|mimetype|content\.xml|META-INF/manifest\.xml)", re.IGNORECASE)
_REF = re.compile(rb"""(?<![\w])r\s*=\s*["']([^"']*)["']""")
_CELL_TAG, _ROW_TAG = re.compile(rb"<(?:\w+:)?c[\s/>]"), re.compile(rb"<(?:\w+:)?row[\s/>]")
_PLAIN_REF = re.compile(rb"([A-Za-z]{0,3})([0-9]{1,7})")
_ERROR_CELL = re.compile(rb"""<c\s[^>]*?\bt\s*=\s*["']e["'][^>]*>.*?</c>""", re.DOTALL)
_ERROR_VALUE = re.compile(rb"<v>([^<]{1,40})</v>")
_BARE_FORMULA = re.compile(rb"<c\s[^>]*>\s*<f\b[^>]*>([^<]{0,200})</f>\s*(?:<v\s*/>|<v></v>)?\s*</c>")


@dataclass
class Package:
    """A workbook that may be opened. `extra` has what the reader leaves out: error cells and formulas never
    calculated, by sheet name and (row, column) from 0."""

    data: bytes
    extra: dict[str, dict[tuple[int, int], str]] = field(default_factory=dict)


def files_under(root: Path, pattern: str, limits: Limits) -> list[Path]:
    """Return the files a glob names below `root`, in the order of their names; none of them lies outside it.

    Raises
    ------
    SourceError
        Nothing matches, too much does, or a link leads out of the folder.
    """
    try:
        found = sorted(p for p in root.glob(pattern) if p.is_file() and not p.name.startswith(("~$", ".")))
    except (OSError, ValueError, NotImplementedError, RecursionError) as error:
        raise SourceError("cannot be searched for", file=pattern, found=str(error), expected="a file or a glob") from None
    if not found:
        raise SourceError("no file matches", file=pattern, found="nothing", expected="at least one file in the folder")
    if len(found) > limits.files:
        raise SourceError("too many files", file=pattern, found=len(found), expected=f"at most {limits.files} (limits.files)")
    for path in found:
        if not path.resolve().is_relative_to(root):
            raise SourceError("a link that leaves the source's folder", file=path.relative_to(root).as_posix(),
                              found="a link to another folder", expected="a file inside the folder")
    return found


def read_bytes(path: Path, name: str, limits: Limits) -> bytes:
    """Return a file's bytes, unless it is too large or cannot be read."""
    try:
        with path.open("rb") as stream:
            data = stream.read(limits.file_bytes + 1)
    except OSError as error:
        raise SourceError("cannot be read", file=name, found=error.strerror, expected="a readable file") from None
    if len(data) > limits.file_bytes:
        raise SourceError("is too large", file=name, found=f"more than {limits.file_bytes} bytes",
                          expected=f"at most {limits.file_bytes} bytes (limits.file_bytes)")
    return data


def unpack_gzip(data: bytes, name: str, limits: Limits) -> bytes:
    """Return the content of a ``.gz``, unless it would be too large."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            content = stream.read(limits.unpacked_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError("is no gzip file", file=name, found=str(error), expected="a .csv.gz") from None
    _weigh(name, None, len(data), len(content), len(content), limits)
    return content


def _weigh(name: str, part: str | None, packed: int, size: int, total: int, limits: Limits) -> None:
    what = name if part is None else f"{name} ({part})"
    if total > limits.unpacked_bytes:
        raise SourceError("unpacks to too much", file=what, found=f"more than {limits.unpacked_bytes} bytes",
                          expected=f"at most {limits.unpacked_bytes} bytes (limits.unpacked_bytes)")
    if size > _RATIO_FROM and size > packed * limits.packing_ratio:
        raise SourceError("is packed too tightly to be a table", file=what, found=f"{size} bytes from {packed}",
                          expected=f"at most {limits.packing_ratio} times (limits.packing_ratio)")


def open_package(data: bytes, name: str, limits: Limits) -> Package:
    """Unpack, weigh and repack an ``.xlsx`` or ``.ods``; check an ``.xls``.

    Raises
    ------
    SourceError
        Not such a file, encrypted, too large in any respect, or with document type declarations.
    """
    if data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        from .biff import scan

        return Package(data, scan(data, name, limits))
    parts = _parts(data, name, limits)
    extra = {}
    for part, content in parts.items():
        if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:200] or b"<!DOCTYPE" in content:
            raise SourceError("is no plain workbook", file=f"{name} ({part})",
                              found="a document type or another encoding", expected="XML in UTF-8 as Excel writes it")
        if part.lower().startswith("xl/worksheets/"):
            extra[part.lower()] = _sheet_extra(part, content, name, limits)
        elif part == "content.xml":
            _ods_extent(content, name, limits)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for part, content in parts.items():
            archive.writestr(zipfile.ZipInfo(part), content)
    return Package(out.getvalue(), _by_sheet(extra, parts, name))


def _by_sheet(extra: dict[str, dict], parts: dict[str, bytes], name: str) -> dict[str, dict]:
    """Turn part names into sheet names by the workbook's own list."""
    if not any(extra.values()):
        return {}
    targets: dict[str, str] = {}
    sheets: dict[str, dict] = {}

    def relation(tag: str, attributes: dict[str, str]) -> None:
        if tag.endswith("Relationship"):
            target = attributes.get("Target", "").replace("\\", "/").lstrip("/").lower()
            targets[attributes.get("Id", "")] = target if target.startswith("xl/") else f"xl/{target}"

    def sheet(tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == "sheet":
            id_ = next((v for k, v in attributes.items() if k.rpartition(":")[2] == "id"), "")
            sheets[attributes.get("name", "")] = extra.get(targets.get(id_, ""), {})

    lower = {part.lower(): content for part, content in parts.items()}
    _parse(lower.get("xl/_rels/workbook.xml.rels", b"<x/>"), relation, name)
    _parse(lower.get("xl/workbook.xml", b"<x/>"), sheet, name)
    return sheets


def _parts(data: bytes, name: str, limits: Limits) -> dict[str, bytes]:
    parts: dict[str, bytes] = {}
    total = 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > _MAX_PARTS or len({e.filename.lower() for e in entries}) < len(entries):
                raise SourceError("is no plain workbook", file=name, found="repeated or too many parts",
                                  expected="each part once")
            for entry in entries:
                part = entry.filename.replace("\\", "/").lstrip("/")
                if not _PARTS.fullmatch(part):
                    continue
                if entry.flag_bits & 1:
                    raise SourceError("is locked by a password", file=name, expected="a workbook without one")
                total += entry.file_size
                _weigh(name, part, entry.compress_size, entry.file_size, total, limits)
                with archive.open(entry) as stream:
                    parts[part] = stream.read(entry.file_size + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError,
            OverflowError, UnicodeError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError("is damaged or no workbook", file=name, found=str(error) or type(error).__name__,
                          expected="an .xlsx, .xls or .ods file") from None
    return parts


def _too_wide(name: str, part: str, rows: int, columns: int, limits: Limits) -> SourceError:
    return SourceError("has too large a used area", file=f"{name} ({part})", found=f"{rows} rows x {columns} columns",
                       expected=f"at most {limits.sheet_cells} cells (limits.sheet_cells)")


def column_number(letters: str) -> int:
    """Return the 0-based number of a column's letters.

    Examples
    --------
    >>> column_number("A"), column_number("AA")
    (0, 26)
    """
    n = 0
    for c in letters.upper():
        n = n * 26 + ord(c) - 64
    return n - 1


def _place(ref: bytes) -> tuple[int, int] | None:
    """(row, column) from 0 of "C5" or of a row's "5"."""
    match = _PLAIN_REF.fullmatch(ref)
    return (int(match[2]) - 1, column_number(match[1].decode())) if match else None


def _sheet_extra(part: str, content: bytes, name: str, limits: Limits) -> dict[tuple[int, int], str]:
    """Check a sheet's used area before it is allocated; return the texts of cells that the reader shows blank."""
    refs = _REF.findall(content)
    # Tags without an address follow the one before them: at worst all of them add to the last row and column.
    of_rows = sum(map(bytes.isdigit, refs))
    rows, columns = 0, 0
    loose = (max(0, len(_ROW_TAG.findall(content)) - of_rows),
             max(0, len(_CELL_TAG.findall(content)) - (len(refs) - of_rows)))
    for ref in set(refs):
        place = _place(ref)
        if place is None:
            raise SourceError("has a cell without an address", file=f"{name} ({part})", found=ref.decode("utf-8", "replace"),
                              expected="an address such as C5")
        rows, columns = max(rows, place[0] + 1), max(columns, place[1] + 1)
    rows, columns = rows + loose[0], columns + loose[1]
    if rows * columns > limits.sheet_cells:
        rows, columns = _valued_extent(content, name, part)
        if rows * columns > limits.sheet_cells:
            raise _too_wide(name, part, rows, columns, limits)
    extra = {}
    if b"\"e\"" in content or b"'e'" in content:
        for cell in _ERROR_CELL.findall(content):
            ref, value = _REF.search(cell), _ERROR_VALUE.search(cell)
            if ref and value and (place := _place(ref[1])):
                extra[place] = value[1].decode("utf-8", "replace")
    if b"<f" in content:
        for cell in _BARE_FORMULA.finditer(content):
            ref = _REF.search(cell[0])
            if ref and (place := _place(ref[1])):
                extra[place] = "=" + cell[1].decode("utf-8", "replace")
    return extra


def _valued_extent(content: bytes, name: str, part: str) -> tuple[int, int]:
    """Return rows and columns of the area of cells that hold something: formatting alone may reach further."""
    size = [0, 0]
    at: list[tuple[int, int]] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "c":
            place = _place(attributes.get("r", "").encode())
            at[:] = [place] if place else []
        elif tag in ("v", "is", "f") and at:
            size[:] = max(size[0], at[0][0] + 1), max(size[1], at[0][1] + 1)

    _parse(content, start, f"{name} ({part})")
    return size[0], size[1]


def _ods_extent(content: bytes, name: str, limits: Limits) -> None:
    """Check the area that the repeats of an ``.ods`` stand for."""
    # [rows so far, rows x columns with content], columns of the row, repeat of the row, whether it holds anything
    state = {"rows": 0, "columns": 0, "repeat": 1, "row_columns": 0, "last": 0, "height": 0}

    def repeated(attributes: dict[str, str], what: str) -> int:
        text = attributes.get(f"table:number-{what}-repeated", "1")
        return int(text) if text.isdecimal() and len(text) < 9 else 10**9

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "table:table":
            state.update(rows=0, columns=0, height=0)
        elif tag == "table:table-row":
            state.update(repeat=repeated(attributes, "rows"), row_columns=0)
            state["height"] += state["repeat"]
        elif tag in ("table:table-cell", "table:covered-table-cell"):
            state["row_columns"] += repeated(attributes, "columns")
            if "office:value-type" in attributes:
                held()
        elif tag == "text:p":
            held()

    def held() -> None:
        state["columns"] = max(state["columns"], state["row_columns"])
        state["rows"] = state["height"]
        if state["rows"] * state["columns"] > limits.sheet_cells:
            raise _too_wide(name, "content.xml", state["rows"], state["columns"], limits)

    _parse(content, start, name)


def _parse(content: bytes, start, name: str) -> None:
    parser = expat.ParserCreate("UTF-8")
    parser.StartElementHandler = start
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise SourceError("is no plain workbook", file=name, found=str(error), expected="well-formed XML") from None
