"""What results are made with: this package's files, the libraries' versions, the kind of processor. Quick to ask."""

from __future__ import annotations

import functools
import hashlib
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["code_version", "page_version"]

_SUFFIXES = (".py", ".yaml", ".csv", ".j2", ".css", ".js", ".json")
_NUMBERS = ("numpy", "pandas", "scipy", "statsmodels", "arch", "numba", "pyarrow", "holidays", "utilsforecast")
_PAGES = ("matplotlib", "seaborn", "pillow", "papermill", "nbclient", "nbconvert", "ipykernel", "ipython", "jinja2",
          "xlsxwriter")


@functools.cache
def code_version() -> str:
    """Return the hash of this package's files, the libraries' versions and the kind of processor."""
    parts = [platform.python_version(), platform.machine(), platform.system(), *_versions(_NUMBERS)]
    folder = Path(__file__).parent
    for path in sorted(p for p in folder.rglob("*") if p.suffix in _SUFFIXES and p.is_file()):
        parts += [path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()]
    return _hash(parts)


@functools.cache
def page_version() -> str:
    """Return :func:`code_version` with the versions of what executes, draws and writes: all that makes a page."""
    return _hash([code_version(), *_versions(_PAGES)])


def _versions(names: tuple[str, ...]) -> list[str]:
    found = []
    for name in names:
        with suppress(PackageNotFoundError):
            found += [name, version(name)]
    return found


def _hash(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
