"""Processes that share work out, and that end when the one that started them does, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process

__all__ = ["end_with", "pool"]

_DIE_WITH_PARENT = 1        # PR_SET_PDEATHSIG
# Found before anything is forked: in a copy of a process with threads the loader's lock may be held.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def pool(workers: int, how: str = "spawn") -> ProcessPoolExecutor:
    """Return so many processes, to be used in a ``with`` block.

    Parameters
    ----------
    workers : int
    how : {"spawn", "fork"}
        New processes, or copies of this one, for where it has a single thread.
    """
    return ProcessPoolExecutor(workers, mp_context=get_context(how), initializer=_end_with_starter)


def end_with(parent: int) -> None:
    """Have this process killed when `parent`, the process that started it, has ended; at once if it has.

    A killed process cleans nothing up: those it started would wait for work for ever. Only Linux knows how; elsewhere
    nothing is done.
    """
    if _libc is None:
        return
    _libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _end_with_starter() -> None:
    end_with(parent_process().pid)
