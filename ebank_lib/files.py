"""Files read within limits and written whole or not at all; folders that no link leads out of."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from .errors import ConfigError

__all__ = ["holds", "own_folder", "read_limited", "write_atomically"]


def read_limited(path: Path, most: int) -> bytes:
    """Return a file's bytes, at most one more than `most`: whoever asks knows then that it is larger.

    Raises
    ------
    OSError
        It cannot be read, or is no plain file: a pipe would wait for ever, a device never ends.
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

    Raises
    ------
    ConfigError
        One of them is a link, no folder, or cannot be made.
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


def holds(path: Path, content: bytes) -> bool:
    """Whether a file, not a link to one, holds just that: then it need not be written again."""
    try:
        return not path.is_symlink() and path.read_bytes() == content
    except OSError:
        return False


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: into a neighbour first, then renamed.

    Raises
    ------
    ConfigError
        The folder cannot be written to.
    """
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
