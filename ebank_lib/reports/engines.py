"""Where the jobs of a batch run: here, each a process forked from a warm parent; see ``cluster`` for elsewhere."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import subprocess
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from ..errors import EbankError
from ..files import own_folder
from ..store import VARIABLE
from .calls import Call
from .forking import WarmParent, private_folder
from .lock import HOME

__all__ = ["Engine", "Job", "Jobs", "LocalEngine"]

JOB = "ebank_lib.reports.job:run_job"
_PATIENCE = 10.0    # seconds that a plain job is given to end its kernels


class Job(Protocol):
    """A job that was started, as :class:`~ebank_lib.reports.calls.Call` is one."""

    def events(self) -> list[dict]:
        """Return what it has told since the last time."""

    def poll(self) -> int | None:
        """Return its exit status; None while it runs."""

    def result(self) -> dict:
        """Return its result; CallFailed where it has none."""

    def close(self) -> None:
        """End it."""


class Engine(Protocol):
    """Starts jobs; ``capacity`` is how many it runs at once."""

    capacity: int

    def start(self, payload: Mapping[str, Any]) -> Job:
        """Start a job."""

    def wait(self, jobs: Iterable[Job], seconds: float) -> None:
        """Return when there is news of one of the jobs, or after so many seconds."""

    def close(self) -> None:
        """End all that was started, and leave nothing of it behind."""


class Jobs:
    """Starts jobs as forks of a warm parent, and another warm parent when somebody has ended that one.

    Parameters
    ----------
    place : Path
        A private folder; what is in it is removed.
    """

    def __init__(self, place: Path, log: Path | None = None, fork: bool = True):
        self._place, self._log, self._fork = place, log, fork
        self._lock = threading.Lock()
        self._plain: weakref.WeakSet[Call] = weakref.WeakSet()
        self._warm = WarmParent.start(self._place, log, fork)

    @property
    def reason(self) -> str:
        """Why jobs are not forked, "" when they are."""
        return self._warm.reason

    def start(self, payload: Mapping[str, Any], cache: Path | None, log: Path | None = None,
              cwd: Path | None = None) -> Call:
        """Start a job."""
        environ = {name: value for name, value in os.environ.items() if name != VARIABLE}
        environ |= {VARIABLE: str(cache)} if cache else {}
        warm = self._warm
        try:
            call = warm.call(JOB, payload, env=environ, log=log, cwd=cwd)
            if warm.reason:
                self._plain.add(call)
            return call
        except EbankError:      # what ran with it has ended too, and is told as that; the next one need not suffer
            with self._lock:
                if warm is self._warm:
                    warm.close()
                    self._warm = WarmParent.start(self._place, self._log, self._fork)
            return self._warm.call(JOB, payload, env=environ, log=log, cwd=cwd)

    def close(self) -> None:
        """End all that was started."""
        # Nobody but a plain job itself knows its kernels: it is asked to end them, before it is ended.
        for call in list(self._plain):
            call.terminate()
        for call in list(self._plain):
            with contextlib.suppress(subprocess.TimeoutExpired):
                call.wait(_PATIENCE)
        self._warm.close()


class LocalEngine:
    """Processes of this machine.

    Parameters
    ----------
    out : Path
        The output folder.
    place : Path
        What of it this run holds alone: the folder itself, or one branch's.
    cache : Path or None
    capacity : int
        Jobs at once.
    fork : bool
        False for plain processes.
    told : callable
        Told in a sentence why processes are not forked, where they are not.
    """

    def __init__(self, out: Path, place: Path, cache: Path | None, capacity: int, fork: bool,
                 told: Callable[[str], None]):
        self.capacity = capacity
        self._cache = cache
        self._logs = own_folder(out, HOME, "log")
        self._jobs = Jobs(private_folder(place), self._logs / "warm.log", fork)
        self._told: Callable[[str], None] | None = told if fork else None

    def start(self, payload: Mapping[str, Any]) -> Call:
        """Start a job; its output goes to ``.ebank/log``.

        Raises
        ------
        EbankError
            The warm parent has ended, and another one too.
        """
        if self._told and self._jobs.reason:
            self._told(self._jobs.reason)
        self._told = None
        log = self._logs / f"{payload.get('name') or payload['do']}.log"
        log.unlink(missing_ok=True)
        return self._jobs.start(payload, self._cache, log)

    def wait(self, jobs: Iterable[Call], seconds: float) -> None:
        """Return when there is news of one of the jobs, or after so many seconds."""
        with selectors.DefaultSelector() as news:
            for job in jobs:
                if job.poll() is not None or job.news:
                    return
                news.register(job.fileno(), selectors.EVENT_READ)
            news.select(seconds)

    def close(self) -> None:
        """End all that was started, and leave nothing of it behind but what a job that ended badly has said."""
        self._jobs.close()
        for log in self._logs.glob("*.log"):
            if not log.stat().st_size:
                log.unlink()
        if not any(self._logs.iterdir()):
            shutil.rmtree(self._logs, ignore_errors=True)
