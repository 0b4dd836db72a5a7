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
from .formats import Extras, ods_extras, xls_extras, xlsx_extras
from .spec import Limits

__all__ = ["Package", "files_under", "open_package", "read_bytes", "unpack_gzip"]

_RATIO_FROM = 1_000_000
_MAX_PARTS = 5_000
_SMALL_PART = 16_000_000     # styles, names and relations: Excel itself stops far below
_PARTS = re.compile(r"(?:\[Content_Types\]\.xml|_rels/\.rels|xl/workbook\.xml|xl/_rels/workbook\.xml\.rels"
                    r"|xl/styles\.xml|xl/sharedStrings\.xml|xl/worksheets/[^/]+\.xml"
                    r"|mimetype|content\.xml|META-INF/manifest\.xml)", re.IGNORECASE)


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
        return Package(data, xls_extras(data, name, limits))
    parts = _parts(data, name, limits)
    lower = {part.lower(): content for part, content in parts.items()}
    for part, content in lower.items():
        if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:200] or b"<!DOCTYPE" in content:
            raise SourceError("is no plain workbook", file=name, sheet=part,
                              found="a document type or another encoding", expected="XML in UTF-8 as Excel writes it")
        large = part.startswith("xl/worksheets/") or part in ("xl/sharedstrings.xml", "content.xml")
        if len(content) > _SMALL_PART and not large:
            raise SourceError("is no plain workbook", file=name, sheet=part, found=f"{len(content)} bytes",
                              expected=f"at most {_SMALL_PART}")
    content = lower.get("content.xml")
    extras = ods_extras(content, name, limits) if content is not None else xlsx_extras(
        lower, name, limits, _PARTS.fullmatch)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for part, content in parts.items():
            archive.writestr(zipfile.ZipInfo(part), content)
    return Package(out.getvalue(), extras)


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
