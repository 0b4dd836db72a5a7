"""Jobs on the workers of a Dask cluster that shares this file system.

Each worker has a warm parent of its own, started with its first job, and the job is a fork of it; so a job that dies
costs its worker nothing. A worker that dies takes its jobs with it, and Dask runs them on another: a job writes the
same bytes however often it is run. A job ends soon after nobody wants its result any more.
"""

from __future__ import annotations

import contextlib
import selectors
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, EbankError
from ..paths import project_root
from ..versions import page_version
from . import failing
from .calls import CallFailed
from .engines import Jobs

__all__ = ["DaskEngine", "DaskJob", "run_here"]

_TOPIC = "ebank"
_RETRIES = 2
_KILLED = -9
_LOOK = 0.5     # seconds between two looks at whether the result is still wanted
_jobs: Jobs | None = None
_starting = threading.Lock()


class DaskEngine:
    """Starts jobs on a Dask cluster.

    Parameters
    ----------
    scheduler : str
        Its address, ``tcp://host:8786``.
    cache : Path or None
        The store; all workers reach it.

    Raises
    ------
    ConfigError
        The extra ``dask`` is not installed, or there is no scheduler at that address.
    """

    def __init__(self, scheduler: str, cache: Path | None):
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
        self._cache, self._jobs, self._news = cache, {}, threading.Event()
        self._client.subscribe_topic(_TOPIC, self._told)

    @property
    def capacity(self) -> int:
        """How many jobs the cluster's workers run at once; one is waited for if there is none yet."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        return max(1, sum(worker["nthreads"] for worker in workers))

    def start(self, payload: Mapping[str, Any]) -> DaskJob:
        """Submit a job."""
        name = f"ebank-{payload.get('name')}-{len(self._jobs)}"
        future = self._client.submit(run_here, dict(payload), name, str(self._cache) if self._cache else None,
                                     str(project_root()), key=f"{name}-{id(self):x}", pure=False, retries=_RETRIES)
        future.add_done_callback(lambda _: self._news.set())
        self._jobs[name] = DaskJob(future)
        return self._jobs[name]

    def _told(self, event: tuple[float, Mapping[str, Any]]) -> None:
        said = event[1]
        job = self._jobs.get(said.get("job"))
        if job is not None:
            job.hear(said["event"])
            self._news.set()

    def wait(self, jobs: Iterable[DaskJob], seconds: float) -> None:
        """Return when there is news of one of the jobs, or after so many seconds."""
        if all(job.poll() is None for job in jobs):
            self._news.wait(seconds)
        self._news.clear()

    def close(self) -> None:
        """Let go of all jobs; those that run are ended by their workers."""
        self._client.unsubscribe_topic(_TOPIC)
        for job in self._jobs.values():
            job.close()
        self._client.close()


class DaskJob:
    """A job somewhere in the cluster, seen as :class:`~ebank_lib.reports.calls.Call` is."""

    def __init__(self, future: Any):
        self.future = future
        self._lock, self._events = threading.Lock(), []

    def hear(self, event: dict) -> None:
        """Take what the job has told."""
        with self._lock:
            self._events.append(event)

    def events(self) -> list[dict]:
        """Return what it has told since the last time."""
        with self._lock:
            told, self._events = self._events, []
        return told

    def poll(self) -> int | None:
        """Return its exit status; None while it waits or runs."""
        return {"pending": None, "finished": 0}.get(self.future.status, 1)

    def result(self) -> dict:
        """Return its result.

        Raises
        ------
        CallFailed
            It raised an error, or its workers died again and again.
        """
        if self.future.status in ("cancelled", "lost"):
            raise CallFailed("", f"the cluster has {self.future.status} it", 1)
        error = self.future.exception()
        if error is None:
            return self.future.result()
        if isinstance(error, CallFailed):
            raise error
        if type(error).__name__ == "KilledWorker":
            raise CallFailed("", str(error), _KILLED)
        raise CallFailed(type(error).__name__, str(error), 1)

    def close(self) -> None:
        """End it."""
        self.future.cancel(force=True)


# ---------------------------------------------------------------- on a worker

def run_here(payload: dict, name: str, cache: str | None, cwd: str) -> dict:
    """Run a job as a fork of this worker's warm parent, and tell what it tells.

    Parameters
    ----------
    payload : dict
        Of :func:`~ebank_lib.reports.job.run_job`.
    name : str
        Under which its events are told.
    cache, cwd : str
        The store's folder and the project's, on every machine of the cluster.

    Raises
    ------
    CallFailed
        The job gave no result.
    EbankError
        Nobody wants the result any more.
    """
    from distributed import get_worker
    from distributed.worker import thread_state

    worker = get_worker()
    if page_version() != payload["inputs"]["code"]:
        return {"state": "failed", "failure": failing.failure(
            "input", "ConfigError", f"the worker {worker.name} has other versions of ebank, its libraries or Python, "
                                    "or another kind of processor, than the machine that gave the order")}
    if not Path(cwd).is_dir() or not Path(payload["out"]).is_dir():
        return {"state": "failed", "failure": failing.failure(
            "input", "ConfigError", f"the worker {worker.name} does not see the project's and the output folder")}
    with _of_this_worker(worker).start(payload, Path(cache) if cache else None, cwd=Path(cwd)) as call:
        while call.poll() is None:
            with selectors.DefaultSelector() as news, contextlib.suppress(ValueError, OSError):
                news.register(call.fileno(), selectors.EVENT_READ)      # closed: it has just ended
                news.select(_LOOK)
            _tell(worker, name, call.events())
            task = worker.state.tasks.get(thread_state.key)
            if task is None or task.state == "cancelled":
                raise EbankError("nobody wants the result any more")
        _tell(worker, name, call.events())
        return call.result()


def _tell(worker: Any, name: str, events: list[dict]) -> None:
    for event in events:
        if event.get("event") != "tick":
            worker.log_event(_TOPIC, {"job": name, "event": event})


def _of_this_worker(worker: Any) -> Jobs:
    """Return the way to this process's warm parent, which ends with it; Dask removes the folder."""
    global _jobs
    with _starting:
        if _jobs is None:
            _jobs = Jobs(Path(worker.local_directory) / "ebank")
        return _jobs
