"""``run.json`` as it is written and checked: the hash of every file, and a seal over itself.

The seal finds accidents and careless changes. It is no signature: who changes a file and computes every hash after it
anew is found only by making the report again, which ``ebank verify`` does as far as notebooks and source are at hand.
"""

from __future__ import annotations

import functools
import json
import platform
import re
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any

from .trace import text_sha256

__all__ = ["library_versions", "package_sha256", "plain_path", "run_json_bytes", "seal_problem"]

_LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels", "arch", "numba", "matplotlib", "pillow", "papermill",
              "nbconvert", "xlsxwriter", "pyarrow")
_TEXT = (".py", ".yaml", ".csv", ".j2", ".css", ".js", ".json")


def run_json_bytes(run: Mapping[str, Any], files: Mapping[str, bytes | str]) -> bytes:
    """Return ``run.json``: `run` with the hash of every file beside it, and the seal.

    Parameters
    ----------
    run : mapping
        Plain JSON; it must name no time, no machine and no credential.
    files : mapping of relative path to bytes or sha256
        All files that belong to the run, ``run.json`` itself apart.
    """
    hashes = {name: content if isinstance(content, str) else text_sha256(content)
              for name, content in sorted(files.items())}
    whole = {**run, "artefacts": hashes}
    whole.pop("seal", None)
    return _canonical({**whole, "seal": text_sha256(_canonical(whole))})


def _canonical(run: Mapping[str, Any]) -> bytes:
    return (json.dumps(run, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8", "replace")


def seal_problem(content: bytes) -> tuple[str, str] | None:
    """Return the expected and the found hash of a ``run.json`` that is not as it was written; None for one that is.

    Examples
    --------
    >>> good = run_json_bytes({"ebank": "1"}, {"a.html": b"x"})
    >>> seal_problem(good), seal_problem(good.replace(b'"1"', b'"2"')) is None, seal_problem(good + b" ") is None
    (None, False, False)
    """
    try:
        run = json.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        run = None
    if not isinstance(run, dict):
        return "a sealed run.json", text_sha256(content)
    said = str(run.pop("seal", ""))
    expected = text_sha256(_canonical(run))
    if said != expected:
        return said or "a sealed run.json", expected
    whole = _canonical({**run, "seal": said})       # white space is content here: one byte more is one too many
    return None if whole == content else (text_sha256(whole), text_sha256(content))


def plain_path(name: str) -> bool:
    """Whether a path in ``run.json`` stays below its folder.

    Examples
    --------
    >>> plain_path("tables/growth.csv"), plain_path("../x"), plain_path("/x"), plain_path("a//b"), plain_path("c:x")
    (True, False, False, False, False)
    """
    return (bool(re.fullmatch(r"[^\\:\x00-\x1f]+", name)) and not PurePosixPath(name).is_absolute()
            and not {"", ".", ".."} & set(name.split("/")))


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that make numbers and files."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@functools.cache
def package_sha256() -> str:
    """Return the hash of this package's own files: what makes the page of a notebook, on every machine the same."""
    folder = Path(__file__).resolve().parents[1]
    files = sorted((p.relative_to(folder).as_posix(), p) for p in folder.rglob("*")
                   if p.is_file() and p.suffix in _TEXT and not any(x.startswith(".") for x in p.parts[-3:]))
    plain = [(name, path.read_bytes().replace(b"\r\n", b"\n")) for name, path in files]
    return text_sha256("\n".join(f"{name} {text_sha256(content)}" for name, content in plain))
