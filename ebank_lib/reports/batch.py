"""Every branch's report, the province's and the index: what has to be done is done, and nothing else.

This process reads no workbook: it starts jobs (:mod:`~ebank_lib.reports.job`), hears what they tell and remembers how
they ended, so its memory does not grow with the number of branches. A branch that fails costs only itself. Whatever
ends a run, everything finished stays, and the same command goes on from there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import EbankError
from ..files import own_folder
from ..paths import portable_source
from . import failing, freshness
from .listing import applicable, branch_notebooks, check_extra, learners, province_notebooks
from .lock import HOME, locked, sweep
from .orders import Order, Outcome, Task, labels_of
from .running import Runner

if TYPE_CHECKING:
    from .engines import Engine

__all__ = ["Order", "Outcome", "run_batch"]

Say = Callable[[dict], None]


def run_batch(order: Order, say: Say) -> Outcome:
    """Make the reports.

    Parameters
    ----------
    order : Order
    say : callable
        Takes dictionaries with ``event``: ``waiting, plain, plan, prepared, learnt, start, stage, done, failed, tick``.

    Raises
    ------
    OutputBusy
        Another run works in the output folder.
    EbankError
        The source, the parameters or the output folder are wrong, or the disk is full; what was finished stays.
    """
    task = None if order.everything else _one_task(order)
    one = branch_notebooks() if order.everything else []
    together = province_notebooks(must=False) if order.everything else []
    notebooks = [*one, *together] if task is None else list(task.notebooks)
    check_extra(order.extra, notebooks)
    inputs = freshness.inputs_of(order.source, notebooks).plain()
    with locked(order.out, task.name if task else None, order.command(order.branch), order.wait,
                lambda who: say({"event": "waiting", "message": who})):
        if task is None:
            sweep(order.out, order.cache)
        with _Run(order, say, inputs, order.out / task.name if task else order.out) as run:
            return run.everything(one, together) if task is None else run.single(task)


def _one_task(order: Order) -> Task:
    """Return the one report that is asked for; what does not exist is an error before anything is started."""
    from ..sources import open_source

    catalog = open_source(order.source).catalog
    if order.indicator is not None:
        catalog.indicator(order.indicator)
    branch = None if order.whole else catalog.branch(order.branch).id
    name = branch or catalog.total or failing.PROVINCE
    return Task(branch, name, labels_of(catalog, name), tuple(branch_notebooks() if branch else province_notebooks()))


class _Run:
    """One run, while the output folder is held."""

    def __init__(self, order: Order, say: Say, inputs: dict[str, Any], place: Path):
        self._order, self._say, self._inputs, self._place = order, say, inputs, place
        self._given = portable_source(order.source)
        self._state = own_folder(order.out, HOME, "state")
        self._runner = Runner(order, self._engine, say)
        self._outcome = Outcome()

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._runner.close()
        if kind is not None and self._order.everything:
            sweep(self._order.out)     # what was being written when the jobs were ended

    def _engine(self) -> Engine:
        if self._order.engine == "dask":
            from .cluster import DaskEngine

            return DaskEngine(self._order.scheduler, self._order.cache)
        from .engines import LocalEngine

        return LocalEngine(self._order.out, self._place, self._order.cache, self._order.workers, self._order.fork,
                           lambda reason: self._say({"event": "plain", "message": reason}))

    def everything(self, one: list[Path], together: list[Path]) -> Outcome:
        """Make all reports that are not as they should be, then the index."""
        source = freshness.read_json(self._state / "source.json")
        asked = (self._inputs, freshness.how_of(self._order.request))
        if (source.get("inputs"), source.get("how")) != asked or self._order.again:
            source = self._prepared()
        stale = [task for task in _tasks(source, one, together) if not self._fresh(task)]
        if stale and not self._runner.started:
            source = self._prepared()
        tasks, names = _tasks(source, one, together), {task.name for task in stale}
        self._outcome.unchanged = [task.name for task in tasks if task.name not in names]
        self._say({"event": "plan", "all": len(tasks), "todo": len(stale), "unchanged": len(tasks) - len(stale)})
        if sum(1 for task in stale if task.branch) > 1:
            self._learnt(one)
        self._runner.reports(stale, self._payload, self._ended)
        if not self._outcome.stopped:
            self._finish(source, tasks)
        return self._outcome

    def single(self, task: Task) -> Outcome:
        """Make one report."""
        self._say({"event": "plan", "all": 1, "todo": 1, "unchanged": 0})
        self._runner.reports([task], self._payload, self._ended)
        if self._outcome.failed and not self._outcome.stopped:
            self._done({"do": "finish", "name": "index", "failed": self._outcome.failed})
        return self._outcome

    def _done(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Run a job that the run cannot do without."""
        result = self._runner.alone({**self._common(self._inputs), **payload})
        if result["state"] == "failed":
            raise EbankError(failing.said(result["failure"]))
        return result

    def _common(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {"source": self._given, "out": str(self._order.out), "request": self._order.request,
                "inputs": dict(inputs)}

    def _prepared(self) -> dict[str, Any]:
        """Have the source read, and return what is in it."""
        self._say({"event": "start", "branch": "", "label": "", "stage": "prepare"})
        begun = time.monotonic()
        self._done({"do": "prepare", "name": "prepare", "workers": self._order.workers})
        source = freshness.read_json(self._state / "source.json")
        self._inputs = source["inputs"]
        self._say({"event": "prepared", "seconds": time.monotonic() - begun, "branches": len(source["branches"])})
        return source

    def _learnt(self, notebooks: list[Path]) -> None:
        """Have what several reports will ask for worked out once; without it each of them does so by itself."""
        if self._order.cache is None:
            return
        asked = learners(notebooks, self._order.extra)
        if not asked:
            return
        self._say({"event": "start", "branch": "", "label": "", "stage": "learn"})
        begun = time.monotonic()
        result = self._runner.alone({**self._common(self._inputs), "do": "learn", "name": "learn", "asked": asked,
                                     "workers": self._order.workers})
        failed = failing.said(result["failure"]) if result["state"] == "failed" else ""
        self._say({"event": "learnt", "seconds": time.monotonic() - begun, "message": failed})

    def _inputs_of(self, task: Task) -> dict[str, Any]:
        names = {path.stem for path in task.notebooks}
        return self._inputs | {"notebooks": {k: v for k, v in self._inputs["notebooks"].items() if k in names}}

    def _request_of(self, task: Task) -> dict[str, Any]:
        return self._order.request | {"extra": applicable(self._order.extra, task.notebooks)}

    def _fresh(self, task: Task) -> bool:
        return not self._order.again and freshness.report_is_fresh(
            self._order.out / task.name, freshness.read_json(self._state / f"{task.name}.json"),
            self._request_of(task), self._inputs_of(task))

    def _payload(self, task: Task, at_once: int) -> dict[str, Any]:
        return {**self._common(self._inputs_of(task)), "do": "report", "branch": task.branch, "name": task.name,
                "request": self._request_of(task), "notebooks": [str(path) for path in task.notebooks],
                "at_once": at_once, "cell_timeout": self._order.cell_timeout, "again": self._order.again}

    def _ended(self, task: Task, result: Mapping[str, Any], seconds: float) -> bool:
        """Take the end of a report's job; returns whether it makes sense to begin others."""
        told = {"branch": task.name, "label": self._runner.label(task), "seconds": seconds}
        if result["state"] == "done":
            # Not by the job itself: on a cluster the same job may still be running elsewhere.
            shutil.rmtree(self._order.out / HOME / "partial" / task.name, ignore_errors=True)
            self._outcome.done.append(task.name)
            self._outcome.warned += [f"{task.name} {line}" for line in result["warnings"]]
            self._say({"event": "done", **told, **{k: result[k] for k in ("page", "warnings", "not_done", "reused")}})
            return True
        failed = {"branch": task.name, "label": dict(task.label), "command": self._order.command(task.branch),
                  "older": (self._order.out / task.name / "report.html").is_file(), **result["failure"]}
        if failed["kind"] == "input" and not self._order.everything:
            raise EbankError(failing.said(failed))      # a wrong request is not a branch that failed
        self._outcome.failed[task.name] = failed
        if failed["kind"] == "disk":
            self._outcome.stopped = failed       # the next one would fail as well
        else:
            failing.note_failure(self._order.out, task.name, failed)
        self._say({"event": "failed", **told, "message": failing.said(failed), "command": failed["command"],
                   "kind": failed["kind"]})
        return self._outcome.stopped is None

    def _finish(self, source: Mapping[str, Any], tasks: list[Task]) -> None:
        """Make the pages around the reports unless they are what would come out again."""
        out, kept = self._order.out, freshness.read_json(self._state / "index.json")
        made_from = {"code": self._inputs["code"], "request": self._order.request, "source": self._given,
                     "title": source["title"], "failed": self._outcome.failed,
                     "reports": {task.name: freshness.sha256_of(out / task.name / "run.json") for task in tasks}}
        if kept.get("made_from") == made_from and kept["files"] == {name: freshness.sha256_of(out / name)
                                                                    for name in kept["files"]}:
            return
        # The order of what failed must not be the order in which it did.
        failed = {task.name: self._outcome.failed[task.name] for task in tasks if task.name in self._outcome.failed}
        result = self._done({"do": "finish", "name": "index", "title": source["title"],
                             "simulated": source["simulated"], "failed": failed,
                             "branches": [{"id": task.name, "label": dict(task.label)} for task in tasks]})
        freshness.write_json(self._state / "index.json", {
            "made_from": made_from, "files": {name: freshness.sha256_of(out / name) for name in result["files"]}})


def _tasks(source: Mapping[str, Any], one: list[Path], together: list[Path]) -> list[Task]:
    whole = source["whole"]
    tasks = [Task(branch["id"], branch["id"], branch["label"], tuple(one)) for branch in source["branches"]]
    return [*tasks, *([Task(None, whole["id"], whole["label"], tuple(together))] if together else [])]
