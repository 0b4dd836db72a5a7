"""Files written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .errors import ConfigError

__all__ = ["write_atomically"]


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
