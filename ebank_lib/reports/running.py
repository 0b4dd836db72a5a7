"""Jobs run so many at a time, heard, limited in time, and taken as they end: with a result, an error, or killed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from . import failing
from .orders import Order, Task

if TYPE_CHECKING:
    from .engines import Engine, Job

__all__ = ["Runner"]

_HEAR = 1.0     # seconds between two ticks of a clock that somebody looks at
_KILLED = -9


class Runner:
    """Runs the jobs of one order.

    Parameters
    ----------
    order : Order
    engine : callable
        Returns the engine; called when the first job is there.
    say : callable
        Takes the events of :func:`~ebank_lib.reports.batch.run_batch`.
    """

    def __init__(self, order: Order, engine: Callable[[], Engine], say: Callable[[dict], None]):
        self._order, self._make, self._say = order, engine, say
        self._engine: Engine | None = None

    @property
    def started(self) -> bool:
        """Whether any job was run."""
        return self._engine is not None

    def _ready(self) -> Engine:
        if self._engine is None:
            self._engine = self._make()
        return self._engine

    def close(self) -> None:
        """End all that runs."""
        if self._engine is not None:
            self._engine.close()

    def alone(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Run one job that others wait for, and return its result."""
        engine, begun = self._ready(), time.monotonic()
        job = engine.start(payload)
        while job.poll() is None:
            engine.wait([job], _HEAR)
            self._heard(job, "", "")
            self._say({"event": "tick"})
            if time.monotonic() - begun > self._order.job_timeout:
                job.close()
                return self._too_long()
        self._heard(job, "", "")
        return _result(job)

    def reports(self, tasks: Iterable[Task], payload: Callable[[Task, int], dict[str, Any]],
                ended: Callable[[Task, Mapping[str, Any], float], bool]) -> None:
        """Run a job for each report.

        Parameters
        ----------
        tasks : iterable of Task
        payload : callable
            Given a task and how many notebooks it may run at once, returns its job's payload.
        ended : callable
            Told each task, its result and its seconds; returns whether to begin others.
        """
        # The province's one notebook takes longest: begun first, nobody waits for it at the end.
        queue = deque(sorted(tasks, key=lambda task: task.branch is not None))
        running: dict[str, tuple[Task, Job, float]] = {}
        while queue or running:
            engine = self._ready()
            while queue and len(running) < (capacity := engine.capacity):
                task = queue.popleft()
                few = len(queue) + len(running) + 1 < capacity
                running[task.name] = (task, engine.start(payload(task, 2 if few else 1)), time.monotonic())
                self._say({"event": "start", "branch": task.name, "label": self.label(task), "stage": ""})
            engine.wait([job for _, job, _ in running.values()], _HEAR)
            for task, job, begun in list(running.values()):
                status, seconds = job.poll(), time.monotonic() - begun
                self._heard(job, task.name, self.label(task))
                if status is None and seconds <= self._order.job_timeout:
                    continue
                if status is None:
                    job.close()
                del running[task.name]
                if not ended(task, self._too_long() if status is None else _result(job), seconds):
                    queue.clear()
            self._say({"event": "tick"})

    def label(self, task: Task) -> str:
        """Return what a report is called in the reader's language."""
        return task.label.get(self._order.lang, task.name)

    def _heard(self, job: Job, name: str, label: str) -> None:
        for event in job.events():
            self._say({"event": "stage", "branch": name, "label": label, "what": event["event"],
                       "stage": event["stage"], "seconds": event["seconds"]})

    def _too_long(self) -> dict[str, Any]:
        message = f"the whole report took longer than {self._order.job_timeout:g} s"
        return {"state": "failed", "failure": failing.failure("time", "Timeout", message)}


def _result(job: Job) -> dict[str, Any]:
    """Return how a job ended, however it did."""
    from .calls import CallFailed

    try:
        return job.result()
    except CallFailed as error:
        kind = "bug" if error.error else "memory" if error.status == _KILLED else "crash"
        return {"state": "failed", "failure": failing.failure(kind, error.error, error.message)}
