"""What a run keeps of itself in ``OUT/.ebank``: the lock, and what each report was made from.

One run at a time works in an output folder; what a killed one left there is cleared away by the next. For every report
there is ``state/BRANCH.json``, written after the report's seal: the hash of source, code, notebooks and parameters, and
that of the sealed ``run.json``, which has the hashes of all files that came out; so a run does again what has to be
done again and nothing else. It is no part of a result: a run without it makes the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..config import read_text
from ..errors import ConfigError
from ..files import named_file, own_folder, shipped, write_atomically
from ..sources import Source, open_source

try:
    import fcntl
except ImportError:     # Windows: there, keeping two runs apart is left to the user
    fcntl = None

HOME = ".ebank"
SCHEMA = 2
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}")     # as write_atomically calls a file that is not finished
_ASK_EVERY = 0.2


# ---------------------------------------------------------------- the lock

@contextlib.contextmanager
def locked(out: Path, branch: str | None, command: str, wait: bool = False,
           waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold an output folder, or one branch in it, until the end of the block or of this process.

    A run of everything (no `branch`) holds the folder alone; runs of single branches hold it together, and each its
    branch alone. `command` is told to whoever comes second: that one is refused, or waits, and `waiting` is told for
    whom.
    """
    home = own_folder(out, HOME)
    with contextlib.ExitStack() as stack:
        for name in ["lock"] if branch is None else ["lock", f"lock-{branch}"]:
            try:
                handle = os.open(home / name, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
            except OSError as error:
                raise ConfigError("cannot be written", file=str(home / name), found=error.strerror) from error
            stack.callback(os.close, handle)     # and the lock with it
            if fcntl is not None:
                alone = branch is None or name != "lock"
                _take(handle, out, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, wait, waiting)
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"process {os.getpid()}: {command}".encode(), 0)
        yield


def _take(handle: int, out: Path, how: int, wait: bool, waiting: Callable[[str], None] | None) -> None:
    while True:
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            who = os.pread(handle, 4096, 0).decode("utf-8", "replace") or "a process that is just beginning"
            if not wait:
                raise ConfigError("is in use by another run", file=str(out), found=who,
                                  hint="Wait for it (--wait), or name another folder (--out).") from None
            if waiting:
                waiting(who)
                waiting = None
            time.sleep(_ASK_EVERY)
        except OSError as error:
            raise ConfigError("cannot be locked", file=str(out), found=error.strerror,
                              expected="a file system with locks") from error


def sweep(out: Path) -> None:
    """Remove unfinished files of a run that was killed. Only for whoever holds `out` alone."""
    whole = out.resolve()
    try:
        for pattern in (".*", "*/.*", "*/notebooks/.*", "*/tables/.*", "*/failed/.*", f"{HOME}/**/.*"):
            for path in list(out.glob(pattern)):
                # Behind a link lies what is not ours.
                ours = path.is_file() and path.resolve() == whole / path.relative_to(out)
                if ours and _TEMPORARY.fullmatch(path.name):
                    path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError("cannot be cleared", file=str(error.filename or out), found=error.strerror,
                          expected="a folder that may be written") from error


# ---------------------------------------------------------------- what was made from what

def sha256_of(path: Path) -> str | None:
    """Return the hash of a file; None for one that is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def hash_of(value: Any) -> str:
    """Return the hash of what JSON can say."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def read_json(path: Path, schema: int = SCHEMA) -> dict[str, Any]:
    """Return what is kept; nothing where there is no such file or a damaged one: then it is made again."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("schema") == schema else {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Keep what :func:`read_json` returns."""
    text = json.dumps({**content, "schema": SCHEMA}, ensure_ascii=False, indent=0, sort_keys=True)
    write_atomically(path, text.encode("utf-8", "surrogatepass"))


def source_hash(source: str | Path | Source) -> str | None:
    """Return the hash of a source with what it names besides its files, and of the facts of the world that stand beside
    every source; None for a database, which only reading tells."""
    opened = source if isinstance(source, Source) else open_source(source)
    named = filter(None, (named_file(opened, key) for key in ("facts", "strategies", "problems")))
    world = sorted(shipped("data", "reference").glob("*.csv"))
    return opened.content and hash_of([opened.content, [read_text(path, "a YAML file") for path in named],
                                       [[path.name, sha256_of(path)] for path in world]])
