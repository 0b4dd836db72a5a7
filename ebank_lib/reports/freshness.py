"""What was made from what: so that a run does again what has to be done again, and says so when nothing has.

For every report there is a file ``OUT/.ebank/state/BRANCH.json``, written after the report's seal. It holds what was
asked for, the hashes of all that went in, and the hashes of all that came out. ``source.json`` beside them holds what
was found in the source: its branches and the fingerprints of its parts. Neither is part of a result, and a run without
them makes the same bytes.

Nothing here needs pandas: a run with nothing to do has its answer before pandas would be loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..config import read_yaml
from ..errors import EbankError
from ..files import write_atomically
from ..paths import find_source, project_root
from ..versions import page_version

__all__ = ["Inputs", "file_hashes", "how_of", "inputs_of", "notebook_hashes", "notebook_is_fresh", "read_json",
           "reads_hold", "report_is_fresh", "sha256_of", "write_json"]

SCHEMA = 1


def sha256_of(path: Path) -> str | None:
    """Return the hash of a file; None for one that is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


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


@dataclass(frozen=True)
class Inputs:
    """All that a run reads: what describes the source, its files, the notebooks' own sources, the code.

    ``data`` is None where only reading tells whether it changed: a database.
    """

    described: str
    data: str | None
    notebooks: Mapping[str, str]
    code: str

    def plain(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "notebooks": dict(self.notebooks)}


def inputs_of(source: str | Path, notebooks: Iterable[Path]) -> Inputs:
    """Hash what a run reads, without opening any of it but ``sources.yaml``.

    Raises
    ------
    SourceError, ConfigError
        There is no such source, or its ``sources.yaml`` is no YAML.
    """
    path = find_source(source)
    spec = read_yaml(path)
    parts = [part for part in spec.get("files") or [] if isinstance(part, dict)]
    variable = spec.get("root_env")
    root = Path(os.environ.get(variable, "")) if isinstance(variable, str) else path.parent
    described = [path, *(path.parent / str(spec[key]) for key in ("catalog", "branches", "facts", "strategies",
                                                                  "problems") if spec.get(key))]
    patterns = [str(part["path"]) for part in parts if part.get("path")]
    data = None if any("path" not in part for part in parts) else _hash([_tree(root, pattern) for pattern in patterns])
    return Inputs(_hash([[str(root.resolve()) if variable else "", *map(sha256_of, described)], _surroundings()]),
                  data, notebook_hashes(notebooks), page_version())


def _tree(root: Path, pattern: str) -> list[list[str | None]]:
    """Return the files that a pattern names, each with its hash; one that cannot be searched for is the reader's."""
    try:
        found = sorted(p for p in root.glob(pattern) if p.is_file() and not p.name.startswith(("~$", ".")))
    except (OSError, ValueError, NotImplementedError, RecursionError):
        return [[pattern, None]]
    return [[p.relative_to(root).as_posix(), sha256_of(p)] for p in found]


def _surroundings() -> list[list[str | None]]:
    """Return the project's own catalogue, targets, problems and reference facts: notebooks may read them too."""
    try:
        data = project_root() / "data"
    except EbankError:
        return []
    return [[p.relative_to(data).as_posix(), sha256_of(p)]
            for folder in (data, data / "reference") for p in sorted(folder.glob("*")) if p.is_file()]


def notebook_hashes(notebooks: Iterable[Path]) -> dict[str, str]:
    """Return the hash of each notebook's file, by its name."""
    return {path.stem: sha256_of(path) or "" for path in notebooks}


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode("utf-8", "surrogatepass")).hexdigest()


def how_of(request: Mapping[str, Any]) -> list[str | None]:
    """Return how a request has the source cleaned: policy, first and last month; None is the default of each."""
    return [request["extra"].get("policy") or None, request["start"] or None, request["end"] or None]


def file_hashes(folder: Path) -> dict[str, str]:
    """Return the hash of every file of a finished report, by its path in the folder."""
    return {path.relative_to(folder).as_posix(): sha256_of(path) or "" for path in sorted(folder.rglob("*"))
            if path.is_file() and path.relative_to(folder).parts[0] not in ("failed", "previous.json", "report.pdf")}


def report_is_fresh(folder: Path, state: Mapping[str, Any], request: Mapping[str, Any],
                    inputs: Mapping[str, Any]) -> bool:
    """Whether a report is what would come out again: the same request, the same inputs, every file as it was written.

    Parameters
    ----------
    folder : Path
        The report's.
    state : mapping
        What :func:`read_json` returned of it.
    request, inputs : mapping
        Of today.
    """
    return (state.get("request") == request and state.get("inputs") == inputs and inputs.get("data") is not None
            and not (folder / "failed").exists() and bool(state.get("files")) and state["files"] == file_hashes(folder))


def notebook_is_fresh(kept: Mapping[str, Any], parameters: Mapping[str, Any], sha256: str,
                      inputs: Mapping[str, Any], fingerprints: Mapping[str, str]) -> bool:
    """Whether an executed notebook is what would come out again.

    Parameters
    ----------
    kept : mapping
        What was noted when it was executed: ``parameters, notebook, inputs, reads``.
    parameters : mapping
        It would be run with.
    sha256 : str
        Of the notebook that would be run.
    inputs : mapping
        Of today.
    fingerprints : mapping of part of the data to hash
        Of today.
    """
    then = kept.get("inputs") or {}
    if (kept.get("parameters") != dict(parameters) or kept.get("notebook") != sha256
            or then.get("code") != inputs["code"]):
        return False
    same = all(then.get(name) == inputs[name] for name in ("described", "data")) and inputs["data"] is not None
    return same or (then.get("described") == inputs["described"] and reads_hold(kept.get("reads"), fingerprints))


def reads_hold(reads: Mapping[str, str | None] | None, fingerprints: Mapping[str, str]) -> bool:
    """Whether all parts of the data that were read are as they were then.

    Examples
    --------
    >>> reads_hold({"about": "1", "branch:a": "2"}, {"about": "1", "branch:a": "2", "branch:b": "3"})
    True
    >>> reads_hold({"about": "1", "branch:a": "2"}, {"about": "1", "branch:a": "4"}), reads_hold(None, {})
    (False, False)
    >>> reads_hold({"other": None}, {"about": "1"})
    False
    """
    return bool(reads) and all(now is not None and fingerprints.get(part) == now for part, now in reads.items())
