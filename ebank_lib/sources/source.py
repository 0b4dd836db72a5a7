"""A source: what ``sources.yaml`` describes, opened and read once."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

import pandas as pd

from ..catalog import Catalog, Texts, fold
from ..errors import ConfigError, SourceError
from ..files import CORRECTIONS, find_source, is_table
from ..store import digest, kept_frames, store
from .grids import csv_grid, files_under, read_bytes, workbook_grids
from .months import search
from .sheets import Block, accounting_frame, cells_frame, files_frame, read_sheet
from .spec import DatabaseSpec, Limits, LongSpec, Part, Revision, SheetSpec, SourceSpec, WideSpec, load_spec
from .units import Naming

_WORKBOOKS, _TABLES, _TEXTS = (".xlsx", ".xls", ".ods"), (".csv", ".csv.gz", ".parquet"), (".csv", ".csv.gz")


@dataclass(frozen=True, repr=False)
class Source:
    """Workbooks and the description of how to read them. Made by :func:`open_source`; read when first asked.

    Attributes
    ----------
    path : Path
        The ``sources.yaml``.
    config : SourceSpec
        What it says.
    parts : tuple
        Its entries of `files`, each by its layout.
    catalog : Catalog
        What is measured, and the branches.
    root : Path
        The folder that holds the files.
    """

    path: Path
    config: SourceSpec
    parts: tuple[Part, ...]
    catalog: Catalog
    root: Path

    @property
    def title(self) -> Texts:
        """What the source is called, zh and en."""
        return self.config.title

    @property
    def simulated(self) -> bool:
        """Whether the data describe no real institution; every page says so."""
        return self.config.simulated

    def __repr__(self) -> str:
        # The folder is left out: what is shown must not depend on the machine.
        branches, indicators = len(self.catalog.branches), len(self.catalog.indicators)
        return f"Source({self.title.en!r}, {branches} branches, {indicators} indicators)"

    def cells(self) -> pd.DataFrame:
        """Return every printed cell of the tables, one row a cell.

        Returns
        -------
        DataFrame
            ``file, sheet, row, column`` (the address), ``branch`` (as printed), ``month`` (monthly period),
            ``indicator`` (key, "" for a kept heading), ``text`` (as printed, "" for blank), ``unit`` (as printed for
            the column, in the catalogue's spelling where it knows it), ``revision`` (0 first), ``merged`` (the merged
            range in which the cell, or the name of its branch, lies without being its first cell) and ``hidden``
            (what hides the cell: ``sheet``, ``row`` or ``column``) and ``cumulative`` (``year``: the sum from January
            on). In the order of files, sheets, rows, columns.
            Columns of repeated texts are categories.

        Raises
        ------
        SourceError
            With file, sheet, row and column, what was found and what was expected.
        """
        return self._tables["cells"].copy()

    def notes(self) -> pd.DataFrame:
        """Return the texts of the sheets that are neither headings nor cells: ``file, sheet, row, column, text``."""
        return self._tables["notes"].copy()

    def accounting(self) -> pd.DataFrame:
        """Return one row a sheet: how many non-blank cells it prints and what each was taken for.

        Returns
        -------
        DataFrame
            ``file, sheet, mapped, printed, headings, cells, notes, ignored, absent``; ``printed`` is the sum of the
            counts. Headings include the names of branches and months beside the rows; ``ignored`` are columns and
            sheets that the YAML leaves out, ``absent`` the indicators whose headings a sheet may lack and does.
        """
        return self._tables["accounting"].copy()

    def files(self) -> pd.DataFrame:
        """Return one row a file: ``file, first, last`` (months), ``revision, cells, bytes, sha256``."""
        return self._tables["files"].copy()

    def without_unit(self) -> pd.DataFrame:
        """Return the indicators of money or counts whose numbers stand without any unit: a row an indicator, how many
        ``cells`` do, and ``file, sheet, column`` of the first. They are taken to be in the catalogue's unit."""
        cells = self._tables["cells"]
        counted = [key for key, indicator in self.catalog.indicators.items() if indicator.unit != "1"]
        bare = cells[(cells["unit"] == "") & cells["indicator"].isin(counted)
                     & cells["text"].str.fullmatch(r"[\s\d.,+-]*\d[\s\d.,+-]*")]
        found = bare.groupby("indicator", sort=False, observed=True)
        return found.agg(cells=("text", "size"), **{name: (name, "first") for name in ("file", "sheet", "column")}
                         ).reset_index()

    @cached_property
    def content(self) -> str | None:
        """The hash of all that is read: what the YAML says, the files' names and bytes. None where a database is read,
        which has no bytes to hash.

        Raises
        ------
        SourceError
            A file cannot be read, or is too large.
        """
        return None if self._hashes is None else digest(
            "source", repr(self.config), repr(self.parts), repr(self.catalog), list(self._hashes.items()), self.stated)

    @cached_property
    def stated(self) -> bytes:
        """What a reader says of printed cells: the file ``corrections.csv`` beside the YAML; empty where none is."""
        path = self.path.parent / CORRECTIONS
        return read_bytes(path, path.name, self.config.limits) if path.is_file() else b""

    @cached_property
    def _hashes(self) -> dict[str, str] | None:
        files, limits = _listed(self), self.config.limits
        if any(path is None for _, path, _ in files):
            return None
        return {name: hashlib.sha256(read_bytes(path, name, limits)).hexdigest() for name, path, _ in files}

    @cached_property
    def _tables(self) -> dict[str, pd.DataFrame]:
        if store() is None or self.content is None:
            return _read(self)
        return kept_frames("source", (self.content,), lambda: _read(self, self._hashes))


def open_source(source: str | Path, root: str | Path | None = None) -> Source:
    """Open a source; nothing but the YAML, the catalogue and the branches is read yet.

    Parameters
    ----------
    source : path
        A folder with ``sources.yaml``, or that file; or a CSV or Parquet file of a panel, see :func:`from_frame`;
        relative to the working directory or the project's root.
    root : path, optional
        The folder that holds the files, where it is not the YAML's own. Without it, the folder in the environment
        variable that ``root_env`` names.

    Raises
    ------
    ConfigError, UnknownNameError, SourceError
        Naming the file and key.
    """
    path = find_source(source)
    if is_table(path):
        from .frame import open_table

        return open_table(path)
    return Source(path, *load_spec(path, None if root is None else Path(root)))


def _listed(source: Source) -> list[tuple[str, Path | None, Part]]:
    """Return the files to read: name, path (None: a database) and the entry of `files` in the YAML that names it."""
    files: list[tuple[str, Path | None, Part]] = []
    seen: dict[Path, list[Part]] = defaultdict(list)
    # A glob such as *.csv is not meant to find what describes the source.
    described = {(source.path.parent / name).resolve()
                 for name in (source.config.catalog, source.config.branches, CORRECTIONS)}
    for n, part in enumerate(source.parts):
        if isinstance(part, DatabaseSpec):
            files.append((part.name or part.url_env, None, part))
            continue
        for path in files_under(source.root, part.path):
            name = path.relative_to(source.root).as_posix()
            if path in described:
                continue
            # Two entries may share a file's months between them.
            if any(other.span[0] <= part.span[1] and part.span[0] <= other.span[1] for other in seen[path]):
                raise ConfigError("names a file twice", file=str(source.path), key=f"files.{n}.path", found=name,
                                  expected="each file under one entry of `files`, or entries of other months",
                                  hint="`to: 2018-12` in one and `from: 2019-01` in the other share them")
            seen[path].append(part)
            suffixes = _TABLES if isinstance(part, LongSpec) else _WORKBOOKS + _TEXTS
            if not name.lower().endswith(suffixes):
                raise SourceError("is of another kind", file=name, found=path.suffix or "no ending",
                                  expected=" ".join(suffixes))
            files.append((name, path, part))
    return files


def _revision(rule: Revision | None, file: str, sheet: str) -> int:
    match = search(rule.pattern, file.rpartition("/")[2] if rule.source == "file" else sheet) if rule else None
    digits = (match["revision"] or "1") if match else "0"
    if not digits.isdecimal() or len(digits) > 6:
        raise SourceError("names no revision", file=file, sheet=sheet or None, found=digits, expected="digits")
    return int(digits)


def _read(source: Source, hashes: Mapping[str, str] | None = None) -> dict[str, pd.DataFrame]:
    """Read all files; those that have been hashed before must not have changed since."""
    limits, naming = source.config.limits, Naming(source.catalog)
    sheets: list[list[Block]] = []
    files: list[tuple[str, int, str]] = []
    for name, path, part in _listed(source):
        data = b"" if path is None else read_bytes(path, name, limits)
        size, sha256 = len(data), hashlib.sha256(data).hexdigest()
        if isinstance(part, WideSpec):
            sheets += _sheets(data, name, part, limits, naming)
        elif path is None:
            from .database import read_query  # what reads databases and Parquet is loaded for them

            block, size, sha256 = read_query(name, part, limits, naming)
            sheets.append([block])
        else:
            from .long import read_columns, read_lines

            table = read_columns(data, name, part.encoding, limits)
            sheets.append([read_lines(table, part, _revision(part.revision, name, ""), naming)])
        if hashes is not None and hashes.get(name) != sha256:
            raise SourceError("was changed while it was read", file=name, found="other bytes than a moment before",
                              expected="files that keep still", hint="Run it again")
        files.append((name, size, sha256))
    blocks = [block for sheet in sheets for block in sheet]
    notes = [(b.file, b.sheet, *note) for b in blocks for note in b.notes]
    return {"cells": cells_frame(blocks), "files": files_frame(files, blocks),
            "notes": pd.DataFrame(notes, columns=["file", "sheet", "row", "column", "text"]),
            "accounting": accounting_frame(sheets)}


def _sheets(data: bytes, file: str, part: WideSpec, limits: Limits, naming: Naming) -> list[list[Block]]:
    if file.lower().endswith(_TEXTS):
        sheets = [("", lambda: csv_grid(data, file, part.encoding, limits))]
    else:
        sheets = list(workbook_grids(data, file, limits))
    specs = [(spec, _matching(spec, [name for name, _ in sheets])) for spec in part.sheets]
    blocks = []
    for name, read in sheets:
        mine = [spec for spec, names in specs if name in names and fold(name) not in map(fold, spec.ignore)]
        if not mine:
            printed = sum(1 for row in read().texts for text in row if text)
            blocks.append([Block(file, name, mapped=False, printed=printed, ignored=printed)])
            continue
        exact = [spec for spec in mine if fold(spec.sheet) == fold(name)] or [
            spec for spec in mine if spec.sheet == mine[0].sheet]
        blocks.append(read_sheet(read(), exact, part.month, naming, _revision(part.revision, file, name), part.span))
    for spec, names in specs:
        if not names and not spec.optional:
            raise SourceError("has no such sheet", file=file, found=", ".join(n for n, _ in sheets) or "no sheet",
                              expected=f"a sheet {spec.sheet}", hint="`optional: true` lets workbooks lack it")
    return blocks


def _matching(spec: SheetSpec, names: list[str]) -> list[str]:
    if names == [""]:
        return names  # a CSV file has one sheet, whatever it is called
    wanted = fold(spec.sheet)
    return [n for n in names if fold(n) == wanted] or [n for n in names if fnmatchcase(fold(n), wanted)]
