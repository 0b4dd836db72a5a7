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
from dataclasses import dataclass
from pathlib import Path

from ..errors import SourceError
from ..files import read_limited
from .biff import scan as scan_xls
from .extras import Extras, percent_styles, place, sheet_extras
from .ods import ods_extras
from .spec import Limits
from .tags import parse

__all__ = ["Package", "files_under", "open_package", "read_bytes", "unpack_gzip"]

_RATIO_FROM = 1_000_000
_MAX_PARTS = 5_000
_SMALL_PART = 16_000_000     # styles, names and relations: Excel itself stops far below
_COPIES = 4
_PARTS = re.compile(r"(?:\[Content_Types\]\.xml|_rels/\.rels|xl/workbook\.xml|xl/_rels/workbook\.xml\.rels"
                    r"|xl/styles\.xml|xl/sharedStrings\.xml|xl/worksheets/[^/]+\.xml"
                    r"|mimetype|content\.xml|META-INF/manifest\.xml)", re.IGNORECASE)
_REF = re.compile(rb"""(?<![\w:])r\s*=\s*["']([^"']*)["']""")
_SHARED = re.compile(rb"""\bt\s*=\s*["']s["']""")
_CELL_TAG, _ROW_TAG = re.compile(rb"<(?:\w+:)?c[\s/>]"), re.compile(rb"<(?:\w+:)?row[\s/>]")


@dataclass
class Package:
    """A workbook that may be opened, and what its reader leaves out, by the sheet's name or number."""

    data: bytes
    extras: dict[str | int, Extras]


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
        raise SourceError("cannot be searched for", file=pattern, found=str(error),
                          expected="a file or a glob") from None
    if not found:
        raise SourceError("no file matches", file=pattern, found="nothing", expected="at least one file in the folder")
    if len(found) > limits.files:
        raise limits.refuse("files", "matches too many files", len(found), file=pattern)
    for path in found:
        if not path.resolve().is_relative_to(root):
            raise SourceError("a link that leaves the source's folder", file=path.relative_to(root).as_posix(),
                              found="a link to another folder", expected="a file inside the folder")
    return found


def read_bytes(path: Path, name: str, limits: Limits) -> bytes:
    """Return a file's bytes, unless it is too large or cannot be read."""
    try:
        data = read_limited(path, limits.file_bytes)
    except OSError as error:
        raise SourceError("cannot be read", file=name, found=error.strerror, expected="a readable file") from None
    if len(data) > limits.file_bytes:
        raise limits.refuse("file_bytes", "is too large", f"more than {limits.file_bytes} bytes", file=name)
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
    if total > limits.unpacked_bytes:
        raise limits.refuse("unpacked_bytes", "unpacks to too much", f"{total} bytes or more", file=name, sheet=part)
    if size > _RATIO_FROM and size > packed * limits.packing_ratio:
        raise limits.refuse("packing_ratio", "is packed too tightly for a table", f"{size} bytes from {packed}",
                            file=name, sheet=part)


def open_package(data: bytes, name: str, limits: Limits) -> Package:
    """Unpack, weigh and repack an ``.xlsx`` or ``.ods``; check an ``.xls``.

    Raises
    ------
    SourceError
        Not such a file, encrypted, too large in any respect, or with document type declarations.
    """
    if data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return Package(data, scan_xls(data, name, limits))
    parts = _parts(data, name, limits)
    lower = {part.lower(): content for part, content in parts.items()}
    longest = 0
    areas: dict[str, tuple[int, int]] = {}
    for part, content in lower.items():
        if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:200] or b"<!DOCTYPE" in content:
            raise SourceError("is no plain workbook", file=name, sheet=part,
                              found="a document type or another encoding", expected="XML in UTF-8 as Excel writes it")
        if part.startswith("xl/worksheets/"):
            areas[part] = _sheet_extent(part, content, name, limits)
        elif part == "xl/sharedstrings.xml":
            longest = max(map(len, content.split(b"</si>")))
        elif len(content) > _SMALL_PART and part != "content.xml":
            raise SourceError("is no plain workbook", file=name, sheet=part, found=f"{len(content)} bytes",
                              expected=f"at most {_SMALL_PART}")
    _book_extent(areas, lower, name, limits)
    extras = ods_extras(lower["content.xml"], name, limits) if "content.xml" in lower else _extras(lower, name)
    # Every cell that refers to a text becomes a copy of it.
    copies = sum(len(_SHARED.findall(content)) for part, content in lower.items() if part.startswith("xl/worksheets/"))
    if longest * copies > _COPIES * limits.unpacked_bytes:
        raise limits.refuse("unpacked_bytes", "unpacks to too much", f"a text of {longest} bytes, {copies} times",
                            file=name)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for part, content in parts.items():
            archive.writestr(zipfile.ZipInfo(part), content)
    return Package(out.getvalue(), extras)


def _extras(parts: dict[str, bytes], name: str) -> dict[str, Extras]:
    """Return by the sheet's name what the reader leaves out of an ``.xlsx``."""
    formats: dict[int, str] = {}
    styles: list[int] = []
    targets: dict[str, str] = {}
    sheets: dict[str, str] = {}
    of_cells = [False]

    def style(tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        number = attributes.get("numFmtId", "0")
        number = int(number) if number.isdecimal() and len(number) < 9 else 0
        if tag in ("cellXfs", "cellStyleXfs", "dxfs"):
            of_cells[0] = tag == "cellXfs"
        elif tag == "numFmt":
            formats[number] = attributes.get("formatCode", "")
        elif tag == "xf" and of_cells[0]:
            styles.append(number)

    def relation(tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == "Relationship":
            target = attributes.get("Target", "").replace("\\", "/").lstrip("/").lower()
            target = target if target.startswith("xl/") else f"xl/{target}"
            targets[attributes.get("Id", "")] = target
            # Without its styles a date or a percentage would become another number, in silence.
            if _PARTS.fullmatch(target) and target not in parts:
                raise SourceError("is damaged", file=name, found=f"no part {target}", expected="every part it names")

    def sheet(tag: str, attributes: dict[str, str]) -> None:
        if tag.rpartition(":")[2] == "sheet":
            id_ = next((v for k, v in attributes.items() if k.rpartition(":")[2] == "id"), "")
            sheets[attributes.get("name", "")] = targets.get(id_, "")

    for part, start in (("xl/styles.xml", style), ("xl/_rels/workbook.xml.rels", relation), ("xl/workbook.xml", sheet)):
        if part in parts:
            parse(parts[part], start, name, part)
    percent = percent_styles(formats, styles)
    return {title: sheet_extras(parts[part], percent) for title, part in sheets.items() if part in parts}


def _parts(data: bytes, name: str, limits: Limits) -> dict[str, bytes]:
    parts: dict[str, bytes] = {}
    total = 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            names = [e.filename.replace("\\", "/").lstrip("/") for e in entries]
            if len(entries) > _MAX_PARTS or len({part.lower() for part in names}) < len(entries):
                raise SourceError("is no plain workbook", file=name, found="repeated or too many parts",
                                  expected="each part once")
            for entry, part in zip(entries, names):
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


def _book_extent(areas: dict[str, tuple[int, int]], parts: dict[str, bytes], name: str, limits: Limits) -> None:
    """Check the used areas of all sheets together: a thousand sheets of one far cell each are small as a file."""
    if sum(rows * columns for rows, columns in areas.values()) <= limits.book_cells:
        return
    valued = {part: min(area, _valued_extent(parts[part], name, part), key=lambda a: a[0] * a[1])
              for part, area in areas.items()}
    total = sum(rows * columns for rows, columns in valued.values())
    if total > limits.book_cells:
        raise limits.refuse("book_cells", "has too large used areas", f"{total} cells in {len(areas)} sheets",
                            file=name)


def _sheet_extent(part: str, content: bytes, name: str, limits: Limits) -> tuple[int, int]:
    """Return a sheet's used area, rows and columns, checked before it is allocated."""
    refs = _REF.findall(content)
    # Tags without an address follow the one before them: at worst all of them add to the last row and column.
    of_rows = sum(map(bytes.isdigit, refs))
    rows, columns = 0, 0
    loose = (max(0, len(_ROW_TAG.findall(content)) - of_rows),
             max(0, len(_CELL_TAG.findall(content)) - (len(refs) - of_rows)))
    for ref in set(refs):
        at = place(ref)
        if at is None:
            raise SourceError("has a cell without an address", file=name, sheet=part,
                              found=ref.decode("utf-8", "replace"), expected="an address such as C5")
        rows, columns = max(rows, at[0] + 1), max(columns, at[1] + 1)
    rows, columns = rows + loose[0], columns + loose[1]
    if rows * columns > limits.sheet_cells:
        if loose == (0, 0):
            rows, columns = _valued_extent(content, name, part)
        if rows * columns > limits.sheet_cells:
            raise limits.refuse("sheet_cells", "has too large a used area", f"{rows} rows x {columns} columns",
                                file=name, sheet=part)
    return rows, columns


def _valued_extent(content: bytes, name: str, part: str) -> tuple[int, int]:
    """Return rows and columns of the area of cells that hold something: formatting alone may reach further."""
    size = [0, 0]
    at: list[tuple[int, int]] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "c":
            found = place(attributes.get("r", "").encode())
            at[:] = [found] if found else []
        elif tag in ("v", "is", "f") and at:
            size[:] = max(size[0], at[0][0] + 1), max(size[1], at[0][1] + 1)

    parse(content, start, name, part)
    return size[0], size[1]
