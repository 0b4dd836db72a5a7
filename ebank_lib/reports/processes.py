"""The processes that do the tasks of a batch: a fresh one for each, limited in time, none of which outlives its batch.

They are forks of the fork server of :mod:`multiprocessing`, which has everything loaded (:mod:`.preload`); where there
is none, new ones. A started process usually imports the script that it was started from again, which a plain script
without ``if __name__ == "__main__"`` does not survive; no task is defined in a script, so these do not.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future, TimeoutError
from multiprocessing import util
from pathlib import Path
from types import ModuleType
from typing import Any

from ..paths import project_root
from . import failed as failing
from . import tasks

__all__ = ["Processes", "outcome_of", "server_folder"]

_KILLED = -9
_LONGEST_FOLDER = 70        # a socket's address has 107 bytes at most
# Small matrices: a second thread costs more than it brings, and a task keeps a core busy anyway.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
               "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")
_ENVIRONMENT = {
    "EBANK_FORK_SERVER": "1",
    **dict.fromkeys(_ONE_THREAD, "1"), "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",          # as in a kernel
    "JE_ARROW_MALLOC_CONF": "background_thread:false",                  # a fork must find no thread
}


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """The variables that a process reads as it begins, and the fork server whenever it does: it may begin again."""
    before = {name: os.environ.get(name) for name in (*_ENVIRONMENT, "PYTHONWARNINGS")}
    os.environ.update(_ENVIRONMENT)
    os.environ.pop("PYTHONWARNINGS", None)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


class _NoScript:
    """A process that is started as if from no script."""

    def start(self) -> None:
        script = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            with _environment():
                super().start()
        finally:
            sys.modules["__main__"] = script


class _Spawned(_NoScript, multiprocessing.get_context("spawn").Process):
    pass


class _Spawn(type(multiprocessing.get_context("spawn"))):
    Process = _Spawned


if "forkserver" in multiprocessing.get_all_start_methods():
    class _Forked(_NoScript, multiprocessing.get_context("forkserver").Process):
        pass

    class _ForkServer(type(multiprocessing.get_context("forkserver"))):
        Process = _Forked


class Processes:
    """Processes of this machine, a fresh one for each task: forks of a server that has everything loaded, or new ones.

    Parameters
    ----------
    workers : int
    fork : bool
        False for new processes everywhere.
    root : str, optional
        Where they work; else the project's folder.
    work : Path, optional
        Where the fork server's socket may lie, so that the next run finds what a killed one left; its name may be too
        long for that.
    """

    def __init__(self, workers: int, fork: bool = True, root: str | None = None, work: Path | None = None):
        from pebble import ProcessPool

        self.capacity = workers
        how = "forkserver" if fork and sys.platform == "linux" else "spawn"     # on macOS a fork is not safe
        processes = _ForkServer() if how == "forkserver" else _Spawn()
        with _environment():
            environ, litter = dict(os.environ), ""
            if how == "forkserver":
                from multiprocessing import forkserver

                processes.set_forkserver_preload([f"{__package__}.preload"])
                litter = server_folder(work, make=True)
                forkserver.ensure_running()
        # One more than work at once, so that each task finds a process that waits for it.
        self._pool = ProcessPool(workers + 1, max_tasks=1, initializer=_begin, context=processes,
                                 initargs=(environ, root or str(project_root()), litter))

    def submit(self, do: str, cache: str | None, given: dict[str, Any], timeout: float) -> Future:
        """Begin a task as soon as a process is free."""
        return self._pool.schedule(tasks.perform, args=(do, cache, given), timeout=timeout)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.stop()
        self._pool.join()


_server = ""      # the folder of this process's fork server


def server_folder(work: Path | None = None, make: bool = False) -> str:
    """Return the folder with the socket of this process's fork server, made in `work` if that is not too long a name;
    "" where there is none, or it is another process's."""
    global _server
    if make and multiprocessing.parent_process() is None and not _server:
        before = tempfile.tempdir
        places = [*([str(work)] if work else []), tempfile.gettempdir(), "/tmp"]    # the usual one may be too long too
        tempfile.tempdir = next((p for p in places if len(os.fsencode(p)) <= _LONGEST_FOLDER), before)
        _server = util.get_temp_dir()
        tempfile.tempdir = before
    return _server


def _begin(environ: Mapping[str, str], cwd: str, litter: str = "") -> None:
    """Make this process ready for its task; called once, as it begins.

    Parameters
    ----------
    environ, cwd
        The whole environment, and the folder to work in.
    litter : str
        A folder that nobody else removes if the process that started this one is killed.
    """
    starter = multiprocessing.parent_process().pid

    def leave() -> None:
        if litter and not _runs(starter):
            shutil.rmtree(litter, ignore_errors=True)
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)    # with all that a notebook has started
        os._exit(1)

    if hasattr(os, "setsid"):
        os.setsid()     # besides: a scheduler that shares the processor out by session then counts each task
        signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    threading.Thread(target=lambda: (multiprocessing.parent_process().join(), leave()), daemon=True).start()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    import numpy as np

    from . import preload  # noqa: F401  there already in a fork

    random.seed()
    np.random.seed()    # noqa: NPY002  the generator that forks would share


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def outcome_of(future: Future, limit: float = 0.0) -> dict[str, Any]:
    """Return how a task ended, however it did: with a result, an error, too late, or killed."""
    from pebble import ProcessExpired

    try:
        return future.result()
    except TimeoutError:
        failed = failing.failure("time", "Timeout", f"the whole report took longer than {limit:g} s")
    except ProcessExpired as error:
        failed = failing.failure(
            "memory" if error.exitcode == _KILLED else "crash", "",
            f"the process was ended from outside (status {error.exitcode}); it may have run out of memory")
    except CancelledError:
        raise failing.Unfinished("the Dask cluster has dropped a task: its scheduler is gone") from None
    except Exception as error:  # its kind is said
        failed = failing.failure_of(error)
    return {"state": "failed", "seconds": 0.0, "failure": failed}
