"""Where a draft goes: three files in a folder. What nobody edited is drafted anew, what somebody did is kept and added
to; what cannot be added is written beside it, and said."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..catalog import branches_csv, fold
from ..errors import ConfigError, EbankError, SourceError
from ..files import write_atomically
from ..sources import Source, open_source
from ..sources.grids import files_under
from ..sources.spec import DatabaseSpec
from ..store import digest
from ..wording import t
from .description import NAMES, Draft, read_by
from .draft import draft, find_files
from .long import LongTable, database_tables

_SEAL = re.compile(r"# ebank new: ([0-9a-f]{16})\b.*\n")


@dataclass
class Written:
    """What was written where, what is said of it, and the draft."""

    draft: Draft | None
    files: list[Path] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def _seal(texts: dict[str, str]) -> str:
    return digest(*(texts[name] for name in NAMES))[:16]


def _sealed(texts: dict[str, str]) -> dict[str, str]:
    """Return the three texts with the mark by which it is seen later whether somebody edited them."""
    return texts | {"sources.yaml": f"# ebank new: {_seal(texts)} {t('drafting.seal')}\n{texts['sources.yaml']}"}


def draft_into(folder: Path, given: Sequence[Path], url_env: str | None = None, table: str | None = None) -> Written:
    """Draft a description of some files, or folders of files, and write it into a folder, which may hold an earlier
    draft. `url_env` is the environment variable that holds a database's URL, `table` one of its tables.

    A SourceError or ConfigError says that there is no table, or that what stands in the folder cannot be read.
    """
    files = find_files(given) if given else []
    tables = database_tables(url_env, table) if url_env else []
    present = [name for name in NAMES if (folder / name).is_file()]
    if not present:
        return _anew(folder, files, tables, [])
    if len(present) < len(NAMES):
        raise ConfigError("holds a part of a source", file=str(folder), found=", ".join(present),
                          expected=", ".join(NAMES) + ", or none of them")
    source = open_source(folder)
    old = _listed(source)
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in NAMES}
    seal = _SEAL.match(texts["sources.yaml"])
    if seal and seal[1] == _seal(texts | {"sources.yaml": texts["sources.yaml"][seal.end():]}):
        return _anew(folder, list(dict.fromkeys([*old, *files])), tables, [t("drafting.redrafted")])
    new = [path for path in files if path not in old]
    known = {part.url_env for part in source.parts if isinstance(part, DatabaseSpec)}
    tables = [one for one in tables if url_env not in known]
    if not new and not tables:
        return _grown(folder, source, texts, draft(old, source.root, known=source.catalog) if old else None)
    outside = next((path for path in new if not path.is_relative_to(source.root)), None)
    if outside is not None:
        raise ConfigError("lies outside the source's folder, and its sources.yaml was edited", file=str(outside),
                          expected=f"a file below {source.root}")
    return _added(folder, source, texts, draft(new, source.root, known=source.catalog, tables=tables))


def _listed(source: Source) -> list[Path]:
    found: list[Path] = []
    for part in (part for part in source.parts if not isinstance(part, DatabaseSpec)):
        with suppress(SourceError):     # a file that is gone
            found += files_under(source.root, part.path)
    return found


def _anew(folder: Path, files: Sequence[Path], tables: Sequence[LongTable], said: list[str]) -> Written:
    folder = folder.resolve()
    root, where = folder, ""
    if not all(path.is_relative_to(folder) for path in files):
        root = Path(os.path.commonpath([path.parent for path in files]))
        where = Path(os.path.relpath(root, folder)).as_posix() if root.anchor == folder.anchor else root.as_posix()
    folder.mkdir(parents=True, exist_ok=True)     # the reader is asked what it makes of a draft, in this folder
    found = draft(files, root, where, tables=tables)
    return _written(folder, _sealed(found.texts()), found, said)


def _grown(folder: Path, source: Source, texts: dict[str, str], found: Draft | None) -> Written:
    """Add the branches to edited files that are new in what they read already, and say which headings are."""
    if found is None:
        return Written(None, said=[t("drafting.nothing_new")])
    known = source.catalog.branches
    more = [row["zh"] for key, row in found.rows.items()
            if key not in known or row["aliases"] != ";".join(known[key].aliases)]
    parts = [sheet for part in source.parts for sheet in getattr(part, "sheets", [part])]
    known = {fold(name) for part in parts for name in part.headings}
    lines = [f"{path}: {key}" for path, key in found.headings.items() if fold(path) not in known]
    said = [t("drafting.more_branches", names="、".join(more))] if more else []
    said += [t("drafting.more_headings", lines="; ".join(lines))] if lines else []
    table = branches_csv(found.rows.values())
    if table == texts["branches.csv"] or not said:
        return Written(found, said=said or [t("drafting.nothing_new")])
    return _written(folder, {"branches.csv": table}, found, said)


def _added(folder: Path, source: Source, texts: dict[str, str], found: Draft) -> Written:
    """Add to edited files what they lack; where the result would not be read, write the draft beside them."""
    catalog, known = texts["catalog.yaml"], source.catalog
    for part, lines in found.catalog.items():
        more = [line for key, line in lines.items() if key not in getattr(known, part)]
        catalog = _with_lines(catalog, part, more, last=part == "indicators")
    texts = {"sources.yaml": _with_lines(texts["sources.yaml"], "files", found.entries, last=True),
             "catalog.yaml": catalog, "branches.csv": branches_csv(found.rows.values())}
    ending, said = "", t("drafting.kept")
    try:
        read_by(texts, source.root)
    except EbankError as error:
        ending, said, texts = ".new", t("drafting.beside", message=str(error)), found.texts()
    return _written(folder, texts, found, [said], ending)


def _written(folder: Path, texts: dict[str, str], found: Draft, said: list[str], ending: str = "") -> Written:
    for name, text in texts.items():
        write_atomically(folder / f"{name}{ending}", text.encode())
    return Written(found, [folder / f"{name}{ending}" for name in texts], said)


def _with_lines(text: str, key: str, more: Sequence[str], last: bool) -> str:
    """Return a YAML text with lines more under a key of its own, as the first of it or as the last."""
    if not more:
        return text
    start = re.search(rf"^{key}:[^\n]*\n?", text, re.MULTILINE)
    if start is None:
        return f"{text.rstrip()}\n{key}:\n" + "\n".join(more) + "\n"
    end = re.compile(r"^[A-Za-z_]", re.MULTILINE).search(text, start.end()) if last else None
    place = start.end() if not last else end.start() if end else len(text)
    before = text[:place] if text[:place].endswith("\n") else text[:place] + "\n"
    return before + "\n".join(more) + "\n" + text[place:]
