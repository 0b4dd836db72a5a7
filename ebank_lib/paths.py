"""Where things are: what travels in the package, and a source, whatever folder a notebook or a batch was started in."""

from __future__ import annotations

from pathlib import Path

from .errors import SourceError

__all__ = ["find_source", "portable_source", "project_root", "shipped"]

CONFIG = "sources.yaml"
_PACKAGE = Path(__file__).resolve().parent


def shipped(*names: str) -> Path:
    """Return the place of something that belongs to the package: ``notebooks``, ``data/reference/facts.csv``.

    In an installed package that is inside it, in a checkout beside it; the working directory has no say.
    """
    inside = _PACKAGE.joinpath(*names)
    return inside if inside.exists() else _PACKAGE.parent.joinpath(*names)


def project_root() -> Path:
    """Return where relative sources are looked for besides the working directory: data only, never code.

    The nearest folder above the working directory, or else this package's checkout, with ``data`` and ``notebooks``: a
    notebook replayed in its own folder then finds what it finds from the project's. Without one, the working directory.
    """
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents, _PACKAGE.parent)
                 if (folder / "data").is_dir() and (folder / "notebooks").is_dir()), here)


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
    for place in [Path] if given.is_absolute() else [Path.cwd, project_root]:
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
