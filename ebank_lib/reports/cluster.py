"""The tasks of a batch on the workers of a Dask cluster that shares this file system.

Each worker runs them as the local batch does: in processes of their own, so that one that dies costs its worker
nothing. A worker that dies takes its tasks with it, and Dask runs them on another: a task writes the same bytes
however often it is run.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..paths import project_root
from ..versions import page_version
from . import failed as failing
from .processes import Processes, outcome_of

__all__ = ["Cluster", "run_here"]

_RETRIES = 2
_processes: Processes | None = None
_starting = threading.Lock()


class Cluster:
    """The workers of a cluster.

    Parameters
    ----------
    scheduler : str
        Its address, ``tcp://host:8786``.

    Raises
    ------
    ConfigError
        The extra ``dask`` is not installed, or there is no scheduler at that address.
    """

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
        self._executor = self._client.get_executor(pure=False, retries=_RETRIES)

    @property
    def capacity(self) -> int:
        """How many tasks the cluster's workers run at once; one is waited for if there is none yet."""
        workers = self._client.scheduler_info(n_workers=-1).get("workers", {}).values()
        return max(1, sum(worker["nthreads"] for worker in workers))

    def submit(self, do: str, cache: str | None, given: dict[str, Any], timeout: float) -> Future:
        """Begin a task as soon as a worker is free."""
        return self._executor.submit(run_here, do, cache, given, timeout, page_version(), str(project_root()))

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(wait=False)
        self._client.close()


def run_here(do: str, cache: str | None, given: Mapping[str, Any], timeout: float, version: str,
             root: str) -> dict[str, Any]:
    """Run a task in a process of this worker and return its result."""
    global _processes
    found = None
    if page_version() != version:
        found = ("has other versions of ebank, its libraries or Python, or another kind of processor, than the machine "
                 "that gave the order")
    elif not Path(root).is_dir() or ("out" in given and not Path(given["out"]).is_dir()):
        found = "does not see the project's and the output folder"
    if found:
        return {"state": "failed", "seconds": 0.0,
                "failure": failing.failure("input", "ConfigError", f"a worker of the cluster {found}")}
    with _starting:
        if _processes is None:
            multiprocessing.current_process().daemon = False    # a daemon may start no process
            _processes = Processes(1, root=root)
    return outcome_of(_processes.submit(do, cache, dict(given), timeout), timeout)
