"""Where the package's files and sources are; files read within limits, written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from .errors import ConfigError, SourceError

CONFIG = "sources.yaml"
CORRECTIONS = "corrections.csv"     # beside it: what a reader says of printed cells
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
    """Return the ``sources.yaml`` of a source given as that file or its folder, or a table that is one by itself: a
    relative path is tried from the working directory, then from the project's root. A SourceError names the places."""
    given = Path(source).expanduser()
    tried = []
    for place in [Path] if given.is_absolute() else [Path.cwd, project_root]:
        path = place() / given
        path = path / CONFIG if path.is_dir() else path
        if path.is_file() and (is_table(path) or path.suffix.lower() in (".yaml", ".yml")):
            return path.resolve()
        tried.append(str(path))
    raise SourceError("no such source", found=str(source), expected=f"a folder with {CONFIG}, or a CSV or Parquet file",
                      hint=f"Tried {', '.join(dict.fromkeys(tried))}. `ebank new DIR --from PATH` drafts a {CONFIG}")


def is_table(path: Path) -> bool:
    """Whether a source is one table by itself and no folder with a ``sources.yaml``."""
    return path.name.lower().endswith((".csv", ".csv.gz", ".parquet"))


def named_file(source, key: str) -> Path | None:
    """Return the file that an opened source's YAML names under a key, None where it names none."""
    name = getattr(source.config, key)
    return None if name is None else (Path(source.path).parent / name).resolve()


def portable_source(source: str | Path) -> str:
    """Return a source as notebooks are given it: relative to the project where it lies inside."""
    path = find_source(source)
    folder = path.parent if path.name == CONFIG else path
    root = project_root()
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)


def read_limited(path: Path, most: int) -> bytes:
    """Return a file's bytes, at most one more than `most`: whoever asks knows then that it is larger.

    An OSError if it cannot be read, or is no plain file: a pipe would wait for ever, a device never ends.
    """
    # Opening a pipe waits for its other end; so it is opened without waiting, and looked at once it is held.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(None, "no plain file", str(path))
    with os.fdopen(handle, "rb") as file:
        return file.read(most + 1)


def own_folder(root: Path, *names: str) -> Path:
    """Return the folder `names` below `root`, made where it is missing; none of them may be a link.

    What is written below it, or cleared away, lies inside `root`, whatever somebody has planted there.
    """
    folder = Path(root)
    for name in names:
        if name in ("", ".", "..") or Path(name).name != name:
            raise ConfigError("is no name of a folder", found=name, expected="one name, without a path")
        folder = folder / name
        if folder.is_symlink() or (hasattr(folder, "is_junction") and folder.is_junction()):
            raise ConfigError("leads out of the output folder", file=str(folder), found="a link",
                              expected="a folder of its own", hint="Remove the link, or name another output folder.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError("cannot be made", file=str(folder), found=error.strerror,
                              expected="a folder") from error
    return folder


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: into a neighbour first, then renamed."""
    try:
        handle, neighbour = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(neighbour).chmod(0o644)
            Path(neighbour).replace(path)
        except BaseException:
            Path(neighbour).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError("cannot be written", file=str(path), found=error.strerror) from error


def renew(path: Path, content: bytes) -> None:
    """Write a file unless it holds just that; with a page that changes goes the PDF that it was printed to."""
    try:
        if not path.is_symlink() and path.read_bytes() == content:
            return
    except OSError:
        pass        # it is written then, or said why not
    if path.suffix == ".html":
        path.with_suffix(".pdf").unlink(missing_ok=True)
    write_atomically(path, content)
