"""The processes that do the tasks of a batch: a fresh one for each, limited in time, none of which outlives its batch.

They are forks of the fork server of :mod:`multiprocessing`, which has everything loaded (:mod:`.preload`); where there
is none, new ones.

On a Dask cluster that shares this file system each worker runs them in the same way, so that one that dies costs its
worker nothing. A worker that dies takes its tasks with it, and Dask runs them on another: a task writes the same bytes
however often it is run.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future, TimeoutError
from multiprocessing import util
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..files import project_root
from ..versions import code_version
from . import tasks

_KILLED = -9
_NAME = "ebank-task"
_GONE = "the batch's processes were ended from outside; the same command goes on from here"
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
    """The variables that a process reads as it begins, and the fork server whenever it does: it may begin again. A
    batch keeps them while it lasts."""
    before = dict(os.environ)
    os.environ.update(_ENVIRONMENT)
    os.environ.pop("PYTHONWARNINGS", None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Processes(contextlib.AbstractContextManager):
    """Processes of this machine, so many at once: forks of a server that has everything loaded, or (without `fork`) new
    ones. They work in `root`, else in the project's folder; the server's socket lies in `work`, so that the next run
    finds what a killed one left, unless its name is too long for that.
    """

    def __init__(self, workers: int, fork: bool = True, root: str | None = None, work: Path | None = None):
        self.capacity = workers
        how = "forkserver" if fork and sys.platform == "linux" else "spawn"     # on macOS a fork is not safe
        self._processes = multiprocessing.get_context(how)
        self._variables = contextlib.ExitStack()
        self._variables.enter_context(_environment())
        if how == "forkserver":
            from multiprocessing import forkserver

            self._processes.set_forkserver_preload([f"{__package__}.preload"])
            server_folder(work, make=True)
            forkserver.ensure_running()
        self._about = dict(os.environ), root or str(project_root())

    def submit(self, do: str, cache: str | None, given: dict[str, Any], timeout: float) -> Future:
        """Begin a task in a process of its own.

        Each has its own pipe: what a pool's processes share, one that is killed may hold for ever.
        """
        from pebble import concurrent

        task = functools.partial(_perform, *self._about, do, cache, given)
        try:
            # The type stubs of pebble lack the argument.
            # pyrefly: ignore [unexpected-keyword]
            return concurrent.process(name=_NAME, timeout=timeout, context=self._processes)(task)()
        except (OSError, EOFError):     # the fork server has ended below us
            raise tasks.Unfinished(_GONE) from None

    def __exit__(self, *_: object) -> None:
        for process in multiprocessing.active_children():
            if process.name == _NAME:
                process.terminate()
                process.join()
        self._variables.close()


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


def _perform(environ: Mapping[str, str], cwd: str, *task: Any) -> dict[str, Any]:
    """Do one task, as the whole life of a process, with this environment and in this folder. The process ends with the
    one that started it."""
    def leave() -> None:
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
    return tasks.perform(*task)


def outcome_of(future: Future, limit: float = 0.0) -> dict[str, Any]:
    """Return how a task ended, however it did: with a result, an error, too late, or killed."""
    from pebble import ProcessExpired

    try:
        return future.result()
    except TimeoutError:
        failed = tasks.failure("time", "Timeout", f"the whole report took longer than {limit:g} s")
    except ProcessExpired as error:
        failed = tasks.failure(
            "memory" if error.exitcode == _KILLED else "crash", "",
            f"the process was ended from outside (status {error.exitcode}); it may have run out of memory")
    except CancelledError:
        raise tasks.Unfinished("the Dask cluster has dropped a task: its scheduler is gone") from None
    except Exception as error:  # its kind is said
        failed = tasks.failure_of(error)
    return {"state": "failed", "seconds": 0.0, "failure": failed}


# ---------------------------------------------------------------- on a cluster

class Cluster(contextlib.AbstractContextManager):
    """The workers of a Dask cluster whose scheduler has the address `scheduler`, ``tcp://host:8786``."""

    def __init__(self, scheduler: str):
        try:
            import distributed
        except ImportError as error:
            raise ConfigError("needs the extra dask", key="--engine", found=str(error),
                              expected="pip install 'ebank[dask]'") from error
        try:
            self._client = distributed.Client(scheduler, timeout=10, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConfigError("no Dask scheduler answers", key="--scheduler", found=scheduler,
                              expected="an address like tcp://127.0.0.1:8786") from error
        self._executor = self._client.get_executor(pure=False, retries=2)

    @property
    def capacity(self) -> int:
        """How many tasks the cluster's workers run at once; one is waited for if there is none yet."""
        workers = self._client.scheduler_info(n_workers=-1).get("workers", {}).values()
        return max(1, sum(worker["nthreads"] for worker in workers))

    def submit(self, do: str, cache: str | None, given: dict[str, Any], timeout: float) -> Future:
        """Begin a task as soon as a worker is free."""
        return self._executor.submit(run_here, do, cache, given, timeout, code_version(), str(project_root()))

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(wait=False)
        self._client.close()


_here: Processes | None = None
_starting = threading.Lock()


def run_here(do: str, cache: str | None, given: Mapping[str, Any], timeout: float, version: str,
             root: str) -> dict[str, Any]:
    """Run a task in a process of this worker and return its result."""
    global _here
    found = None
    if code_version() != version:
        found = ("has other versions of ebank, its libraries or Python, or another kind of processor, than the machine "
                 "that gave the order")
    elif not Path(root).is_dir() or ("out" in given and not Path(given["out"]).is_dir()):
        found = "does not see the project's and the output folder"
    if found:
        return {"state": "failed", "seconds": 0.0,
                "failure": tasks.failure("input", "ConfigError", f"a worker of the cluster {found}")}
    with _starting:
        if _here is None:
            multiprocessing.current_process().daemon = False    # a daemon may start no process
            _here = Processes(1, root=root)
    return outcome_of(_here.submit(do, cache, dict(given), timeout), timeout)
