"""One run at a time in an output folder; what a killed run left there is cleared away by the next."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import ConfigError
from ..files import own_folder

try:
    import fcntl
except ImportError:     # Windows: there, keeping two runs apart is left to the user
    fcntl = None

__all__ = ["HOME", "OutputBusy", "locked", "sweep"]

HOME = ".ebank"
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}")     # as write_atomically calls a file that is not finished
_ASK_EVERY = 0.2
_ABANDONED = 3600.0


class OutputBusy(ConfigError):
    """Another run works in the output folder."""


@contextlib.contextmanager
def locked(out: Path, branch: str | None, command: str, wait: bool = False,
           waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold an output folder, or one branch in it, until the end of the block or of this process.

    A run of everything holds the folder alone; runs of single branches hold it together, and each its branch alone.

    Parameters
    ----------
    out : Path
    branch : str or None
        None for everything.
    command : str
        Told to whoever comes second.
    wait : bool
        Wait for the other run instead of refusing.
    waiting : callable, optional
        Told once who is waited for.

    Raises
    ------
    OutputBusy
        Another run holds it.
    ConfigError
        The folder cannot be made or written to.
    """
    home = own_folder(out, HOME)
    names = ["lock"] if branch is None else ["lock", f"lock-{branch}"]
    with contextlib.ExitStack() as stack:
        for name in names:
            alone = branch is None or name != "lock"
            handle = stack.enter_context(_opened(home / name))
            if fcntl is None:
                continue
            _take(handle, out, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, wait, waiting)
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps({"pid": os.getpid(), "command": command}).encode(), 0)
        yield


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
    except OSError as error:
        raise ConfigError("cannot be written", file=str(path), found=error.strerror) from error
    try:
        yield handle
    finally:
        os.close(handle)     # and the lock with it


def _take(handle: int, out: Path, how: int, wait: bool, waiting: Callable[[str], None] | None) -> None:
    told = False
    while True:
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            who = _holder(handle)
            if not wait:
                raise OutputBusy("is in use by another run", file=str(out), found=who,
                                 hint="Wait for it (--wait), or name another folder (--out).") from None
            if not told and waiting:
                waiting(who)
            told = True
            time.sleep(_ASK_EVERY)
        except OSError as error:
            raise ConfigError("cannot be locked", file=str(out), found=error.strerror,
                              expected="a file system with locks") from error


def _holder(handle: int) -> str:
    try:
        said = json.loads(os.pread(handle, 4096, 0))
        return f"process {int(said['pid'])}: {said['command']!s}"
    except (ValueError, KeyError, TypeError):
        return "a process that is just beginning"


def sweep(out: Path, cache: Path | None = None, keep: str = "") -> None:
    """Remove unfinished files of a run that was killed. Only for whoever holds `out` alone; `keep` is a folder of ours.

    Raises
    ------
    ConfigError
        Something of it cannot be removed.
    """
    home = own_folder(out, HOME)
    folders = [out, *(p for p in sorted(out.iterdir()) if p.is_dir() and not p.is_symlink() and p != home)]
    folders += [folder / name for folder in folders[1:] for name in ("notebooks", "tables", "failed")]
    try:
        for folder in [*folders, home, *(p for p in home.rglob("*") if p.is_dir() and not p.is_symlink())]:
            if folder.is_dir() and not folder.is_symlink():
                _remove(folder.iterdir(), 0.0)
        if cache is not None and not cache.is_relative_to(home) and cache.is_dir():
            _remove(cache.rglob(".*"), _ABANDONED)      # another run may be writing there now
        for old in own_folder(home, "work").iterdir():
            if str(old) != keep:
                shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise ConfigError("cannot be cleared", file=str(error.filename or out), found=error.strerror) from error


def _remove(found: Iterator[Path], older_than: float) -> None:
    for path in list(found):
        if _TEMPORARY.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime >= older_than:
                    path.unlink()
