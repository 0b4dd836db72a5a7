"""Every branch's report, the province's and the index: what has to be done is done, and nothing else.

This process reads no workbook: it starts jobs (:mod:`~ebank_lib.reports.job`), hears what they tell and remembers how
they ended, so its memory does not grow with the number of branches. A branch that fails costs only itself. Whatever
ends a run, everything finished stays, and the same command goes on from there.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EbankError
from ..files import own_folder
from ..paths import portable_source
from . import failing, freshness
from .listing import applicable, branch_notebooks, check_extra, province_notebooks
from .lock import HOME, locked, sweep

if TYPE_CHECKING:
    from .engines import Engine, Job

__all__ = ["Order", "Outcome", "run_batch"]

Say = Callable[[dict], None]
_HEAR = 1.0     # seconds between two ticks of a clock that somebody looks at
_MOST_LEARNT = 4


@dataclass(frozen=True)
class Order:
    """What a user asks for.

    Attributes
    ----------
    source, out, lang, indicator, start, end, extra
        See :func:`~ebank_lib.reports.branch.make_report`.
    branch : str, optional
        One branch; None for all of them, or, with `whole`, for all together.
    whole : bool
        Only the report of all branches together.
    workers : int
        Jobs at a time.
    cell_timeout, job_timeout : float
        Seconds that a cell, and a whole job, may take.
    again : bool
        Do everything again, whatever is there.
    cache : Path, optional
        The store's folder.
    wait : bool
        Wait for another run in the same folder.
    fork : bool
        Fork jobs and kernels from a warm parent.
    engine : {"local", "dask"}
    scheduler : str, optional
        Of the Dask cluster.
    command : callable
        Given a branch (None: the province), returns the command that makes its report again.
    """

    source: str
    out: Path
    command: Callable[[str | None], str]
    branch: str | None = None
    whole: bool = False
    lang: str = "zh"
    indicator: str | None = None
    start: str | None = None
    end: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    workers: int = 2
    cell_timeout: float = 300.0
    job_timeout: float = 3600.0
    again: bool = False
    cache: Path | None = None
    wait: bool = False
    fork: bool = True
    engine: str = "local"
    scheduler: str | None = None

    @property
    def everything(self) -> bool:
        """Whether all reports are asked for."""
        return self.branch is None and not self.whole

    @property
    def request(self) -> dict[str, Any]:
        """What a report depends on, as JSON."""
        return {name: getattr(self, name) for name in ("lang", "indicator", "start", "end")} | {
            "extra": dict(self.extra)}


@dataclass
class Outcome:
    """How a batch ended: the reports that were made, those that were as they should be, what went wrong with others."""

    done: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)
    stopped: dict[str, Any] | None = None
    page: str | None = None


@dataclass(frozen=True)
class _Task:
    """One report: the branch (None: all together), its folder's name, its label, its notebooks."""

    branch: str | None
    name: str
    label: Mapping[str, str]
    notebooks: tuple[Path, ...]


def run_batch(order: Order, say: Say) -> Outcome:
    """Make the reports.

    Parameters
    ----------
    order : Order
    say : callable
        Takes dictionaries with ``event``: ``waiting, plain, plan, start, stage, done, failed, tick``.

    Raises
    ------
    OutputBusy
        Another run works in the output folder.
    EbankError
        The source, the parameters or the output folder are wrong; nothing was run.
    """
    one = [] if order.whole else branch_notebooks()
    together = province_notebooks(must=order.whole) if order.branch is None else []
    check_extra(order.extra, [*one, *together])
    inputs = freshness.inputs_of(order.source, [*one, *together]).plain()
    alone = None if order.everything else order.branch or failing.PROVINCE
    with locked(order.out, alone, order.command(None if order.everything else order.branch), order.wait,
                lambda who: say({"event": "waiting", "message": who})):
        if order.everything:
            sweep(order.out, order.cache)
        with _Run(order, say, inputs, one, together, order.out / alone if alone else order.out) as run:
            return run.everything() if order.everything else run.single()


class _Run:
    """One run, while the output folder is held."""

    def __init__(self, order: Order, say: Say, inputs: dict[str, Any], one: list[Path], together: list[Path],
                 place: Path):
        self._order, self._say, self._inputs = order, say, inputs
        self._one, self._together, self._place = tuple(one), tuple(together), place
        self._given = portable_source(order.source)
        self._state = own_folder(order.out, HOME, "state")
        self._engine: Engine | None = None
        self.outcome = Outcome()

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if self._engine is not None:
            self._engine.close()
            if kind is not None and self._order.everything:
                sweep(self._order.out)     # what was being written when the jobs were ended

    # ------------------------------------------------------------ all reports

    def everything(self) -> Outcome:
        source = freshness.read_json(self._state / "source.json")
        asked = (self._inputs, freshness.how_of(self._order.request))
        if (source.get("inputs"), source.get("how")) != asked or self._order.again:
            source = self._prepared()
        stale = [task for task in self._tasks(source) if not self._fresh(task)]
        if stale and self._engine is None:
            source = self._prepared()
        tasks = self._tasks(source)
        names = {task.name for task in stale}
        self.outcome.unchanged = [task.name for task in tasks if task.name not in names]
        self._say({"event": "plan", "all": len(tasks), "todo": len(stale), "unchanged": len(tasks) - len(stale)})
        self._reports(stale)
        self._finish(source, tasks)
        return self.outcome

    def _prepared(self) -> dict[str, Any]:
        """Have the source read, and return what is in it."""
        self._say({"event": "start", "branch": "", "label": "", "stage": "prepare"})
        begun = time.monotonic()
        result = self._alone({**self._common(self._inputs), "do": "prepare", "name": "prepare",
                              "workers": self._order.workers})
        if result["state"] == "failed":
            raise EbankError(failing.said(result["failure"]))
        source = freshness.read_json(self._state / "source.json")
        self._inputs = source["inputs"]
        self._say({"event": "prepared", "seconds": time.monotonic() - begun, "branches": len(source["branches"])})
        return source

    def _tasks(self, source: Mapping[str, Any]) -> list[_Task]:
        tasks = [_Task(one["id"], one["id"], one["label"], self._one) for one in source["branches"]]
        whole = source["whole"]
        return [*tasks, *([_Task(None, whole["id"], whole["label"], self._together)] if self._together else [])]

    def _inputs_of(self, task: _Task) -> dict[str, Any]:
        names = {path.stem for path in task.notebooks}
        return self._inputs | {"notebooks": {k: v for k, v in self._inputs["notebooks"].items() if k in names}}

    def _request_of(self, task: _Task) -> dict[str, Any]:
        return self._order.request | {"extra": applicable(self._order.extra, task.notebooks)}

    def _fresh(self, task: _Task) -> bool:
        return not self._order.again and freshness.report_is_fresh(
            self._order.out / task.name, freshness.read_json(self._state / f"{task.name}.json"),
            self._request_of(task), self._inputs_of(task))

    # ------------------------------------------------------------ one report

    def single(self) -> Outcome:
        order = self._order
        task = _Task(order.branch, order.branch or failing.PROVINCE, {}, self._together if order.whole else self._one)
        from ..sources import open_source

        catalog = open_source(order.source).catalog
        if order.indicator is not None:
            catalog.indicator(order.indicator)
        if order.whole:
            name = catalog.total or failing.PROVINCE
            task = _Task(None, name, {}, self._together)
        else:
            name = catalog.branch(order.branch).id
            task = _Task(name, name, {}, self._one)
        one = catalog.branches.get(name)
        from ..wording import LANGUAGES, t

        label = {lang: one.label(lang) if one else t("report.all_branches", lang) for lang in LANGUAGES}
        self._say({"event": "plan", "all": 1, "todo": 1, "unchanged": 0})
        self._reports([_Task(task.branch, name, label, task.notebooks)])
        if self.outcome.failed and not self.outcome.stopped:
            self._alone({**self._common(self._inputs), "do": "finish", "name": "index", "failed": self.outcome.failed})
        return self.outcome

    # ------------------------------------------------------------ jobs

    def _common(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {"source": self._given, "out": str(self._order.out), "request": self._order.request,
                "inputs": dict(inputs)}

    def _started(self) -> Engine:
        if self._engine is None:
            if self._order.engine == "dask":
                from .cluster import DaskEngine

                self._engine = DaskEngine(self._order.scheduler, self._order.cache)
            else:
                from .engines import LocalEngine

                self._engine = LocalEngine(self._order.out, self._place, self._order.cache, self._order.fork,
                                           lambda reason: self._say({"event": "plain", "message": reason}))
        return self._engine

    def _alone(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Run one job that others wait for."""
        engine = self._started()
        job = engine.start(payload)
        begun = time.monotonic()
        while job.poll() is None:
            engine.wait([job], _HEAR)
            self._heard(job, "", "")
            if time.monotonic() - begun > self._order.job_timeout:
                job.close()
                return {"state": "failed", "failure": _too_long(self._order.job_timeout)}
        return _result(job)

    def _heard(self, job: Job, name: str, label: str) -> None:
        for event in job.events():
            self._say({"event": "stage", "branch": name, "label": label, "what": event["event"],
                       "stage": event["stage"], "seconds": event["seconds"]})

    def _reports(self, tasks: list[_Task]) -> None:
        """Run a job for each report, so many at a time."""
        # The province's one notebook takes longest: begun first, nobody waits for it at the end.
        queue = deque(sorted(tasks, key=lambda task: task.branch is not None))
        running: dict[str, tuple[_Task, Job, float]] = {}
        while queue or running:
            engine = self._started()
            while queue and len(running) < self._order.workers and not self.outcome.stopped:
                task = queue.popleft()
                left = len(queue) + len(running) + 1
                running[task.name] = (task, engine.start(self._payload(task, left)), time.monotonic())
                self._say({"event": "start", "branch": task.name, "label": self._label(task), "stage": ""})
            if self.outcome.stopped and not running:
                return
            engine.wait([job for _, job, _ in running.values()], _HEAR)
            for task, job, begun in list(running.values()):
                self._heard(job, task.name, self._label(task))
                seconds = time.monotonic() - begun
                if job.poll() is None and seconds > self._order.job_timeout:
                    job.close()
                    self._ended(task, {"state": "failed", "failure": _too_long(self._order.job_timeout)}, seconds)
                elif job.poll() is not None:
                    self._heard(job, task.name, self._label(task))
                    self._ended(task, _result(job), seconds)
                else:
                    continue
                del running[task.name]
            self._say({"event": "tick"})

    def _label(self, task: _Task) -> str:
        return task.label.get(self._order.lang, task.name)

    def _payload(self, task: _Task, left: int) -> dict[str, Any]:
        return {**self._common(self._inputs_of(task)), "do": "report", "branch": task.branch, "name": task.name,
                "request": self._request_of(task), "notebooks": [str(path) for path in task.notebooks],
                "at_once": 1 if left >= self._order.workers else 2, "cell_timeout": self._order.cell_timeout,
                "again": self._order.again}

    def _ended(self, task: _Task, result: Mapping[str, Any], seconds: float) -> None:
        told = {"branch": task.name, "label": self._label(task), "seconds": seconds}
        if result["state"] == "done":
            self.outcome.done.append(task.name)
            self.outcome.warned += [f"{task.name} {line}" for line in result["warnings"]]
            self._say({"event": "done", **told, **{k: result[k] for k in ("page", "warnings", "not_done", "reused")}})
            return
        failed = {"branch": task.name, "label": dict(task.label), "command": self._order.command(task.branch),
                  "older": (self._order.out / task.name / "report.html").is_file(), **result["failure"]}
        self.outcome.failed[task.name] = failed
        if failed["kind"] == "input" and not self._order.everything:
            raise EbankError(failing.said(failed))      # a wrong request is not a branch that failed
        if failed["kind"] == "disk":
            self.outcome.stopped = failed       # the next one would fail as well
        else:
            failing.note_failure(self._order.out, task.name, failed)
        self._say({"event": "failed", **told, "message": failing.said(failed), "command": failed["command"],
                   "kind": failed["kind"]})

    # ------------------------------------------------------------ the pages around them

    def _finish(self, source: Mapping[str, Any], tasks: list[_Task]) -> None:
        """Make the index unless it is what would come out again."""
        out, kept = self._order.out, freshness.read_json(self._state / "index.json")
        made_from = {"inputs": self._inputs["code"], "request": self._order.request, "source": self._given,
                     "title": source["title"], "failed": self.outcome.failed,
                     "reports": {task.name: freshness.sha256_of(out / task.name / "run.json") for task in tasks}}
        self.outcome.page = str(out / "index.html")
        if self.outcome.stopped or (kept.get("made_from") == made_from and kept["files"] == {
                name: freshness.sha256_of(out / name) for name in kept["files"]}):
            return
        result = self._alone({**self._common(self._inputs), "do": "finish", "name": "index",
                              "title": source["title"], "simulated": source["simulated"],
                              "branches": [{"id": task.name, "label": dict(task.label)} for task in tasks],
                              "failed": self.outcome.failed})
        if result["state"] == "failed":
            raise EbankError(failing.said(result["failure"]))
        freshness.write_json(self._state / "index.json", {
            "made_from": made_from, "files": {name: freshness.sha256_of(out / name) for name in result["files"]}})


def _too_long(seconds: float) -> dict[str, Any]:
    return failing.failure("time", "Timeout", f"the whole report took longer than {seconds:g} s")


def _result(job: Job) -> dict[str, Any]:
    """Return how a job ended, however it did."""
    from .calls import CallFailed

    try:
        return job.result()
    except CallFailed as error:
        if error.error:
            return {"state": "failed", "failure": failing.failure("bug", error.error, error.message)}
        kind = "memory" if error.status == -9 else "crash"
        return {"state": "failed", "failure": failing.failure(kind, "", error.message)}
