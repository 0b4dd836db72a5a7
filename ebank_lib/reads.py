"""Which part of the data a process looked at, so that a changed cell redoes what depends on it and nothing else.

A part has a name: ``about`` (what the YAML files say, the months and branches there are), ``branch:ID`` (its numbers
and its rows of the ledger), ``panel``, ``ledger``, ``cells`` (all of them), ``total``, ``counts``, ``map``, ``judged``
(what is worked out from all), ``accounting``, ``files``. Whoever asks for a part notes its name. Where the environment
variable ``EBANK_READS`` names a file, the names are written there, as a JSON list, whenever one is added. ``other`` is
a second source, or the same one cleaned in a second way: it has no fingerprint and counts as changed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from .files import write_atomically

__all__ = ["VARIABLE", "note", "noted"]

VARIABLE = "EBANK_READS"
_OWNER = "EBANK_READS_OWNER"


class _Process:
    """What this process has noted, for one file (or for none)."""

    def __init__(self, path: str):
        self.path = path
        self.names: set[str] = set()
        self.source: str | None = None
        self.how: tuple | None = None

    def same(self, source: str | None, how: tuple | None) -> bool:
        """Whether this is the source, and the way of cleaning it, that the file is about: the first one noted."""
        self.source = source if self.source is None else self.source
        if source != self.source:
            return False
        self.how = how if self.how is None else self.how
        return how in (None, self.how)


_process = _Process("")


def note(name: str, source: str | None = None, how: tuple | None = None) -> None:
    """Note that a part was looked at.

    Parameters
    ----------
    name : str
    source : str, optional
        Where the source's YAML is.
    how : tuple, optional
        How it was cleaned: policy, first and last month.

    Raises
    ------
    ConfigError
        The file that the environment names cannot be written.
    """
    global _process
    path = os.environ.get(VARIABLE, "")
    if _process.path != path:
        _process = _Process(path)
    name = name if _process.same(source, how) else "other"
    if name in _process.names:
        return
    _process.names.add(name)
    if path and _is_ours(path):
        write_atomically(Path(path), json.dumps(sorted(_process.names), ensure_ascii=False).encode())


def noted() -> frozenset[str]:
    """Return what this process has noted."""
    return frozenset(_process.names) if _process.path == os.environ.get(VARIABLE, "") else frozenset()


def _is_ours(path: str) -> bool:
    """Whether this process writes the file: the first one does, and notes itself what it sends to its workers."""
    mine, owner = f"{os.getpid()}:{path}", os.environ.get(_OWNER, "")
    if not owner.endswith(f":{path}"):
        os.environ[_OWNER] = owner = mine
    return owner == mine
