"""Where things are: the project's root and its sources, whatever folder a notebook or a batch was started in."""

from __future__ import annotations

from pathlib import Path

from .errors import SourceError

__all__ = ["find_source", "portable_source", "project_root"]

CONFIG = "sources.yaml"


def project_root() -> Path:
    """Return the nearest folder above the working directory, or above this package, with ``data`` and ``notebooks``.

    Raises
    ------
    SourceError
        Neither lies in such a folder.
    """
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            if (folder / "data").is_dir() and (folder / "notebooks").is_dir():
                return folder
    raise SourceError("no project folder found", found=str(Path.cwd()), expected="a folder with data/ and notebooks/")


def find_source(source: str | Path) -> Path:
    """Return the ``sources.yaml`` of a source given as that file or its folder.

    A relative path is tried from the working directory, then from the project's root.

    Raises
    ------
    SourceError
        Nothing is there; the message names the places tried.
    """
    given = Path(source).expanduser()
    tried = []
    for place in [lambda: Path()] if given.is_absolute() else [Path.cwd, project_root]:
        path = place() / given
        path = path / CONFIG if path.is_dir() else path
        if path.is_file():
            return path.resolve()
        tried.append(str(path))
    raise SourceError("no such source", found=str(source), expected=f"a folder with {CONFIG}",
                      hint="Tried " + ", ".join(dict.fromkeys(tried)))


def portable_source(source: str | Path) -> str:
    """Return a source as notebooks are given it: relative to the project where it lies inside.

    Raises
    ------
    SourceError
        As :func:`find_source`.
    """
    path = find_source(source)
    folder = path.parent if path.name == CONFIG else path
    root = project_root()
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)
