"""Half of a long computation on the second core, where there is one and nobody else was promised it."""

from __future__ import annotations

import io
import multiprocessing
import os
import select
import signal
import sys
import time
import warnings
import zipfile
from collections.abc import Callable

import numpy as np

from ebank_lib.pools import end_with
from ebank_lib.store import store

__all__ = ["beside", "spare_core"]

_GRACE = 5.0        # seconds that the other half may take longer, and then as long again as this one took


def spare_core() -> bool:
    """Return whether a copy of this process may use a second core.

    Not within a batch (it has a store and keeps every core busy) or a worker, and only where forking is sound: Linux.
    """
    if sys.platform != "linux" or store() is not None or multiprocessing.parent_process() is not None:
        return False
    return len(os.sched_getaffinity(0)) > 1


def beside(theirs: Callable[[], dict[str, np.ndarray]], mine: Callable[[], object]) -> dict[str, np.ndarray] | None:
    """Do `theirs` in a forked copy of this process while `mine` is done here.

    Returns
    -------
    dict of arrays, or None
        What `theirs` returned; None where the copy did not answer (a lock that another thread held when it was forked,
        an error, no memory). The caller then does it itself, and meets the error itself.
    """
    read, write = os.pipe()
    me = os.getpid()
    with warnings.catch_warnings():
        # Forking beside threads may leave a lock held in the copy: it is waited for within bounds.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            copy = os.fork()
        except OSError:
            os.close(read)
            os.close(write)
            mine()
            return None
    if copy == 0:
        end_with(me)
        _answer(read, write, theirs)
    os.close(write)
    try:
        begun = time.monotonic()
        mine()
        end = time.monotonic()
        return _arrays(_received(read, end + (end - begun) + _GRACE))
    finally:
        os.close(read)
        os.kill(copy, signal.SIGKILL)
        os.waitpid(copy, 0)


def _answer(read: int, write: int, theirs: Callable[[], dict[str, np.ndarray]]) -> None:
    """Write what there is to the pipe and leave at once: nothing of this process is the copy's to close."""
    code = 1
    try:
        os.close(read)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **theirs())
        with os.fdopen(write, "wb") as pipe:
            pipe.write(buffer.getvalue())
        code = 0
    finally:
        os._exit(code)


def _received(read: int, until: float) -> bytes:
    parts = []
    while select.select([read], [], [], max(0.0, until - time.monotonic()))[0]:
        part = os.read(read, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)
    return b""


def _arrays(body: bytes) -> dict[str, np.ndarray] | None:
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except (EOFError, ValueError, zipfile.BadZipFile):
        return None
