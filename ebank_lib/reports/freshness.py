"""What a report is made from, as one hash: so that a run does again what has to be done again and nothing else.

For every report there is ``OUT/.ebank/state/BRANCH.json``, written after the report's seal: the hash of source, code,
notebooks and parameters, and the hashes of all files that came out. It is no part of a result: a run without it makes
the same bytes. Nothing here needs pandas: a run with nothing to do has its answer before pandas would be loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from ..config import read_yaml
from ..errors import ConfigError, EbankError
from ..files import read_limited, write_atomically
from ..paths import find_source, shipped

__all__ = ["file_hashes", "hash_of", "is_fresh", "notebook_hashes", "read_json", "sha256_of", "source_hash",
           "write_json"]

SCHEMA = 2
_DESCRIBED = ("catalog", "branches", "facts", "strategies", "problems")
_MOST_BYTES, _MOST_FILES = 64_000_000, 10_000       # of what is hashed without asking the reader


def sha256_of(path: Path) -> str | None:
    """Return the hash of a file; None for one that is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def hash_of(value: Any) -> str:
    """Return the hash of what JSON can say."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """Return what is kept; nothing where there is no such file or a damaged one: then it is made again."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("schema") == SCHEMA else {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Keep what :func:`read_json` returns.

    Raises
    ------
    ConfigError
        The file cannot be written.
    """
    text = json.dumps({**content, "schema": SCHEMA}, ensure_ascii=False, indent=0, sort_keys=True)
    write_atomically(path, text.encode("utf-8", "surrogatepass"))


class _Unusual(Exception):
    """Something that only the reader of sources can judge."""


def source_hash(source: str | Path) -> str | None:
    """Return the hash of what describes a source and of its files; None for a database, which only reading tells.

    Raises
    ------
    SourceError, ConfigError
        The source is none, or is refused by the reader of sources: no pipe, device or file without an end is waited
        for.
    """
    path = find_source(source)
    try:
        spec = read_yaml(path)
        parts = [part for part in spec.get("files") or [] if isinstance(part, dict)]
        variable = spec.get("root_env")
        root = Path(os.environ.get(variable, "")) if isinstance(variable, str) else path.parent
        described = [path, *(path.parent / str(spec[key]) for key in _DESCRIBED if spec.get(key))]
        read = [[str(root.resolve()) if variable else "", *map(_plain_sha256, described)], _surroundings(),
                [_tree(root, str(part["path"])) for part in parts if part.get("path")]]
    except _Unusual as unusual:
        from ..sources import open_source

        _ = open_source(path).content       # says what is wrong, as `ebank check` does
        raise ConfigError("cannot be read as a source", file=str(path), found=str(unusual)) from None
    return None if any("path" not in part for part in parts) else hash_of(read)


def _plain_sha256(path: Path) -> str | None:
    try:
        data = read_limited(path, _MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _Unusual(f"{path.name}: {error}") from None
    if len(data) > _MOST_BYTES:
        raise _Unusual(f"{path.name}: more than {_MOST_BYTES} bytes")
    return hashlib.sha256(data).hexdigest()


def _tree(root: Path, pattern: str) -> list[list[str | None]]:
    """Return the files that a pattern names, each with its hash."""
    if ".." in PurePath(pattern).parts or PurePath(pattern).is_absolute() or pattern.count("**") > 1:
        raise _Unusual(pattern)
    try:
        found = sorted(p for p in root.glob(pattern) if p.is_file() and not p.name.startswith(("~$", ".")))
    except (OSError, ValueError, NotImplementedError, RecursionError) as error:
        raise _Unusual(f"{pattern}: {error}") from None
    if len(found) > _MOST_FILES or any(p.stat().st_size > _MOST_BYTES for p in found):
        raise _Unusual(pattern)
    return [[p.relative_to(root).as_posix(), _plain_sha256(p)] for p in found]


def _surroundings() -> list[list[str | None]]:
    """Return the facts of the world, which stand beside every source."""
    return [[path.name, sha256_of(path)] for path in sorted(shipped("data", "reference").glob("*.csv"))]


def notebook_hashes(notebooks: Iterable[Path]) -> dict[str, str | None]:
    """Return the hash of each notebook's file, by its name."""
    return {path.stem: sha256_of(path) for path in notebooks}


def file_hashes(folder: Path) -> dict[str, str | None]:
    """Return the hash of every file of a finished report, by its path in the folder."""
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted(folder.rglob("*"))
            if path.is_file() and path.relative_to(folder).parts[0] not in ("failed", "previous.json", "report.pdf")}


def is_fresh(folder: Path, state: Mapping[str, Any], key: str) -> bool:
    """Whether a report is what would come out again: made from what is there today, every file as it was written.

    Parameters
    ----------
    folder : Path
        The report's.
    state : mapping
        What :func:`read_json` returned of it.
    key : str
        The hash of today.
    """
    return (state.get("key") == key and not (folder / "failed").exists() and bool(state.get("files"))
            and state["files"] == file_hashes(folder))
