"""What results are made with: this package's files, the libraries' versions, the kind of processor. Quick to ask."""

from __future__ import annotations

import functools
import hashlib
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_SUFFIXES = (".py", ".yaml", ".csv", ".j2", ".css", ".js", ".json")
# Those that make numbers, then those that execute, draw and write.
_LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels", "arch", "numba", "pyarrow", "holidays", "matplotlib",
              "seaborn", "pillow", "papermill", "nbconvert", "ipython", "jinja2", "xlsxwriter")


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that make numbers and files."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@functools.cache
def package_sha256() -> str:
    """Return the hash of this package's own files, on every machine the same."""
    folder = Path(__file__).resolve().parent
    files = sorted((p.relative_to(folder).as_posix(), p) for p in folder.rglob("*")
                   if p.is_file() and p.suffix in _SUFFIXES and not any(x.startswith(".") for x in p.parts[-3:]))
    plain = [(name, path.read_bytes().replace(b"\r\n", b"\n")) for name, path in files]
    return _sha256("\n".join(f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in plain))


@functools.cache
def code_version() -> str:
    """Return the hash of all that makes a result, but for its data: package, libraries, kind of processor."""
    return _sha256(" ".join([package_sha256(), str(library_versions()), platform.machine(), platform.system()]))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
