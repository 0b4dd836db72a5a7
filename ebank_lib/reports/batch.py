"""Every branch's report, the province's and the index: what has to be done is done, and nothing else.

This process reads no workbook. It works out what is fresh, hands tasks (:mod:`~ebank_lib.reports.tasks`) to a pool in
their order - prepare, learn, notebooks, pages, index - and remembers how they ended, so its memory does not grow with
the branches. A branch that fails costs only itself. Whatever ends a run, everything finished stays, and the same
command goes on from there.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import EbankError
from ..files import own_folder
from ..paths import portable_source
from ..versions import page_version
from . import failed as failing
from . import freshness, tasks
from .listing import applicable, branch_notebooks, check_extra, learners, parameters_of, province_notebooks
from .lock import HOME, locked, sweep
from .orders import Order, Outcome
from .parameters import plan
from .processes import Processes, outcome_of, server_folder

__all__ = ["Order", "Outcome", "make_report", "run_batch"]

Say = Callable[[dict], None]
_HEAR = 1.0         # seconds between two ticks of a clock that somebody looks at
_ATTEMPTS = 3       # at a source that changes while it is read, and at a pool that breaks


@dataclass
class _Report:
    """One report of a run: the branch (None: all together), its name and labels, its notebooks with their parameters,
    the hash of all that it is made from; and how far it is."""

    branch: str | None
    name: str
    label: Mapping[str, str]
    notebooks: dict[Path, dict[str, Any]]
    key: str
    failure: dict[str, Any] | None = None
    begun: float | None = None
    left: int = 0
    reused: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Step:
    """A task in the queue: what to do for which report, and for a notebook its path."""

    do: str
    report: _Report
    notebook: Path | None = None


def run_batch(order: Order, say: Say) -> Outcome:
    """Make the reports.

    Parameters
    ----------
    order : Order
    say : callable
        Takes dictionaries with ``event``: ``waiting, plan, prepared, learnt, start, stage, done, failed, tick``.

    Raises
    ------
    OutputBusy
        Another run works in the output folder.
    EbankError
        The source, the parameters or the output folder are wrong, or the machine gives up; what was finished stays.
    """
    one = branch_notebooks(order.notebooks)
    together = province_notebooks(order.notebooks, must=order.whole)
    check_extra(order.extra, [*one, *together] if order.everything else together if order.whole else one)
    freshness.source_hash(order.source)
    with locked(order.out, None if order.everything else _name_of(order), order.command(order.branch), order.wait,
                lambda who: say({"event": "waiting", "message": who})):
        if order.everything:
            sweep(order.out, order.cache, keep=server_folder())
        try:
            with contextlib.ExitStack() as stack:
                for attempt in range(1, _ATTEMPTS + 1):
                    run = _Run(order, say, stack, one, together, last=attempt == _ATTEMPTS)
                    try:
                        return run.everything() if order.everything else run.single()
                    except tasks.SourceChanged:
                        order = replace(order, again=False)     # what was done again need not be done once more
        except BaseException:
            if order.everything:
                sweep(order.out, keep=server_folder())     # what was being written when the tasks were ended
            raise


def make_report(source: str | Path, branch: str | None = None, *, lang: str = "zh", indicator: str | None = None,
                start: str | None = None, end: str | None = None, out: str | Path = "reports",
                extra: Mapping[str, str] | None = None, workers: int = 2,
                notebooks: str | Path | None = None) -> Path:
    """Run the notebooks for a branch, or for all together, and return the folder of the report.

    Parameters
    ----------
    source : path
    branch : str, optional
        Its id; None for the report of all branches together.
    indicator : str, optional
        What is forecast; else the first of the catalogue's headline indicators that is reported.
    start, end : str, optional
        First and last month, ``YYYY-MM``.
    out : path
        The report is written into a folder of the branch's name there.
    extra : mapping of parameter to text, optional
        Further parameters of the notebooks.
    workers : int
        Notebooks at a time.
    notebooks : path, optional
        The folder of the numbered notebooks, instead of the package's own.

    Raises
    ------
    EbankError
        Something asked for does not exist, or a notebook failed; the report of the run before stays.
    """
    folder = Path(out).absolute()
    order = Order(str(source), folder, lambda _: "", branch, branch is None, lang, indicator, start, end, extra or {},
                  workers, again=True, cache=folder / HOME / "cache",
                  notebooks=None if notebooks is None else Path(notebooks).absolute())
    outcome = run_batch(order, lambda _: None)
    for failed in outcome.failed.values():
        raise EbankError(failing.reason(failed))
    return folder / outcome.done[0]


def _name_of(order: Order) -> str:
    """Return the name of the one report that is asked for; what does not exist is an error before anything starts."""
    from ..sources import open_source
    from .branch import PROVINCE

    catalog = open_source(order.source).catalog
    if order.indicator is not None:
        catalog.indicator(order.indicator)
    return catalog.total or PROVINCE if order.whole else catalog.branch(order.branch).id


class _Run:
    """One run over a source that keeps still, while the output folder is held."""

    def __init__(self, order: Order, say: Say, stack: contextlib.ExitStack, one: list[Path], together: list[Path],
                 last: bool):
        self._order, self._say, self._stack, self._last = order, say, stack, last
        self._one, self._together = one, together
        self._source = portable_source(order.source)
        self._inputs = freshness.source_hash(order.source)
        self._state = own_folder(order.out, HOME, "state")
        self._outcome = Outcome()
        self._pool: Any = None
        self._about: dict[str, Any] = {}

    def everything(self) -> Outcome:
        """Make all reports that are not as they should be, then the index."""
        asked = freshness.hash_of([self._inputs, page_version(), self._order.request])
        self._about = freshness.read_json(self._state / "source.json")
        if self._inputs is None or self._about.get("asked") != asked or self._order.again:
            self._prepare(None)
            freshness.write_json(self._state / "source.json", {**self._about, "asked": asked})
        reports = self._reports()
        stale = [one for one in reports if one.failure or not self._fresh(one)]
        if stale and self._pool is None:
            self._prepare(None)
        names = {one.name for one in stale}
        self._outcome.unchanged = [one.name for one in reports if one.name not in names]
        self._say({"event": "plan", "all": len(reports), "todo": len(stale), "unchanged": len(reports) - len(stale)})
        if sum(1 for one in stale if one.branch) > 1:
            self._learn()
        # The province's one notebook takes longest: begun first, nobody waits for it at the end.
        self._make(sorted(stale, key=lambda one: one.branch is not None))
        if not self._outcome.stopped:
            self._finish(reports)
        return self._outcome

    def single(self) -> Outcome:
        """Make one report."""
        self._say({"event": "plan", "all": 1, "todo": 1, "unchanged": 0})
        self._prepare([None if self._order.whole else self._order.branch])
        reports = self._reports()
        if reports[0].failure:
            raise EbankError(failing.reason(reports[0].failure))     # a wrong request is not a branch that failed
        self._make(reports)
        if self._outcome.failed and not self._outcome.stopped:
            self._alone("index", out=str(self._order.out), request=self._order.request, failed=self._outcome.failed,
                        about=None, reports=[])
        return self._outcome

    # ---------------------------------------------------------------- what there is to do

    def _prepare(self, only: list[str | None] | None) -> None:
        """Have the source read, and take what is in it."""
        self._say({"event": "start", "branch": "", "label": "", "stage": "prepare"})
        begun = time.monotonic()
        self._about = self._alone("prepare", request=self._order.request, only=only)
        if only is None:
            self._say({"event": "prepared", "seconds": time.monotonic() - begun,
                       "branches": sum(1 for one in self._about["reports"] if one["branch"])})

    def _reports(self) -> list[_Report]:
        """Return the reports with the hash of all that each is made from."""
        found = []
        for one in self._about["reports"]:
            paths = self._together if one["branch"] is None else self._one
            if not paths:
                continue
            given = {"source": self._source, "branch": one["name"], "indicator": one["indicator"],
                     **{name: getattr(self._order, name) for name in ("lang", "start", "end")}}
            known = {path.stem: parameters_of(path) for path in paths}
            planned = plan(known, given, applicable(self._order.extra, paths))
            key = freshness.hash_of([self._inputs or self._about["read"], page_version(), given, planned,
                                     freshness.notebook_hashes(paths)])
            found.append(_Report(one["branch"], one["name"], one["label"], {p: planned[p.stem] for p in paths}, key,
                                 one.get("failure")))
        return found

    def _fresh(self, report: _Report) -> bool:
        state = freshness.read_json(self._state / f"{report.name}.json")
        return not self._order.again and freshness.is_fresh(self._order.out / report.name, state, report.key)

    def _learn(self) -> None:
        """Have what several reports will ask for worked out once; without it each of them does so by itself."""
        asked = learners(self._one, self._order.extra) if self._order.cache else []
        if not asked:
            return
        self._say({"event": "start", "branch": "", "label": "", "stage": "learn"})
        begun, message = time.monotonic(), ""
        try:
            for one in asked:
                given = {"request": self._order.request, "asked": one}
                # Each part of it on its own, then what needs all of them.
                n = self._capacity
                self._side_by_side([("learn", {**given, "part": (k, n)}) for k in range(n)] if n > 1 else [])
                self._alone("learn", **given, part=None)
        except EbankError as error:
            message = str(error)
        self._say({"event": "learnt", "seconds": time.monotonic() - begun, "message": message})

    # ---------------------------------------------------------------- tasks

    def _submit(self, do: str, given: Mapping[str, Any], timeout: float) -> Future:
        """Hand a task to the pool, which is made when the first one comes."""
        cache = str(self._order.cache) if self._order.cache else None
        for _ in range(_ATTEMPTS):
            if self._pool is None:
                self._pool = self._stack.enter_context(self._made())
            try:
                return self._pool.submit(do, cache, dict(given), timeout)
            except (BrokenProcessPool, RuntimeError):
                self._pool = None
        raise failing.Unfinished("no process can be started for a task")

    def _made(self) -> Any:
        order = self._order
        if order.engine == "dask":
            from .cluster import Cluster

            return Cluster(order.scheduler)
        return Processes(order.workers, order.fork, work=own_folder(order.out, HOME, "work"))

    def _alone(self, do: str, **given: Any) -> dict[str, Any]:
        """Do a task that others wait for and that the run cannot do without."""
        return self._side_by_side([(do, given)])[0]

    def _side_by_side(self, todo: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        for _ in range(_ATTEMPTS):
            futures = [self._submit(do, {"source": self._source, **given}, self._order.job_timeout)
                       for do, given in todo]
            while wait(futures, _HEAR).not_done:
                self._say({"event": "tick"})
            if not sum(self._broken(future) for future in futures):
                break
        results = [outcome_of(future, self._order.job_timeout) for future in futures]
        for failed in (result["failure"] for result in results if "failure" in result):
            machine = failed["kind"] not in ("input", "notebook")
            raise (failing.Unfinished if machine else EbankError)(failing.reason(failed))
        return results

    def _broken(self, future: Future) -> bool:
        """Whether the pool has ended below a task; then there is none, and the next task makes another."""
        if not future.cancelled() and isinstance(future.exception(), BrokenProcessPool):
            self._pool = None
            return True
        return False

    def _make(self, reports: list[_Report]) -> None:
        """Run the notebooks of each report, then set its page."""
        queue: deque[_Step] = deque()
        for report in reports:
            if report.failure:
                self._failed(report, report.failure)
                continue
            queue += self._steps(report)
        running: dict[Future, _Step] = {}
        broken = 0
        changed = False
        while queue or running:
            while queue and len(running) < self._capacity:
                step = queue.popleft()
                if step.report.failure is None:
                    running[self._start(step)] = step
            done = wait(running, _HEAR, FIRST_COMPLETED).done
            for future in done:
                step = running.pop(future)
                if self._broken(future) and (broken := broken + 1) < _ATTEMPTS * self._order.workers:
                    queue.appendleft(step)
                    continue
                result = outcome_of(future, self._order.job_timeout)
                if result.get("failure", {}).get("kind") == "changed" and not self._last:
                    changed = True
                    queue.clear()
                else:
                    queue.extendleft(self._ended(step, result))
            if self._outcome.stopped:
                queue.clear()
            self._say({"event": "tick"})
        if changed:
            raise tasks.SourceChanged("the source was changed while the run read it")

    @property
    def _capacity(self) -> int:
        return self._order.workers if self._pool is None else self._pool.capacity

    def _steps(self, report: _Report) -> Iterator[_Step]:
        """Yield the notebooks of a report that have to run; its page, where none has."""
        for path in report.notebooks:
            held = None if self._order.again else tasks.executed_before(
                self._order.out, report.name, path.stem, report.key)
            if held is None:
                report.left += 1
                yield _Step("notebook", report, path)
            else:
                report.reused.append(path.stem)
        if not report.left:
            yield _Step("page", report)

    def _start(self, step: _Step) -> Future:
        report, order = step.report, self._order
        if report.begun is None:
            report.begun = time.monotonic()
            self._say({"event": "start", "branch": report.name, "label": self._label(report), "stage": ""})
            for name in report.reused:
                self._stage(report, "held", name)
        left = max(0.1, order.job_timeout - (time.monotonic() - report.begun))
        if step.do == "notebook":
            self._stage(report, "start", step.notebook.stem)
            given = {"name": report.name, "path": str(step.notebook), "parameters": report.notebooks[step.notebook],
                     "cell_timeout": order.cell_timeout}
        else:
            given = {"source": self._source, "branch": report.branch, "request": order.request, "inputs": self._inputs,
                     "read": self._about["read"],
                     "notebooks": {path.stem: parameters for path, parameters in report.notebooks.items()}}
        return self._submit(step.do, given | {"out": str(order.out), "key": report.key}, left)

    def _ended(self, step: _Step, result: Mapping[str, Any]) -> Iterator[_Step]:
        """Take the end of a task; yield what can be done now."""
        report, failed = step.report, result.get("failure")
        if step.do == "notebook":
            self._stage(report, "failed" if failed else "done", step.notebook.stem, result["seconds"])
        if report.failure is not None:
            return
        if failed:
            if step.do == "notebook" and failed["notebook"] is None:
                failed = {**failed, "notebook": step.notebook.stem}
            self._failed(report, failed)
        elif step.do == "notebook":
            report.left -= 1
            if not report.left:
                yield _Step("page", report)
        else:
            # Not by the task itself: on a cluster the same one may still be running elsewhere.
            shutil.rmtree(tasks.partial(self._order.out, report.name), ignore_errors=True)
            self._outcome.done.append(report.name)
            self._outcome.warned += [f"{report.name} {line}" for line in result["warnings"]]
            self._say({"event": "done", **self._told(report), "reused": sorted(report.reused),
                       **{k: result[k] for k in ("page", "warnings", "not_done")}})

    def _failed(self, report: _Report, failed: Mapping[str, Any]) -> None:
        order = self._order
        report.failure = {"branch": report.name, "label": dict(report.label), "command": order.command(report.branch),
                          "older": (order.out / report.name / "report.html").is_file(), **failed}
        self._outcome.failed[report.name] = report.failure
        if failed["kind"] == "disk":
            self._outcome.stopped = report.failure       # the next one would fail as well
        else:
            failing.note_failure(order.out, report.name, report.failure)
        self._say({"event": "failed", **self._told(report), "message": failing.reason(failed),
                   "command": report.failure["command"], "kind": failed["kind"]})

    def _label(self, report: _Report) -> str:
        return report.label.get(self._order.lang, report.name)

    def _told(self, report: _Report) -> dict[str, Any]:
        seconds = 0.0 if report.begun is None else time.monotonic() - report.begun
        return {"branch": report.name, "label": self._label(report), "seconds": seconds}

    def _stage(self, report: _Report, what: str, stage: str, seconds: float = 0.0) -> None:
        self._say({"event": "stage", "branch": report.name, "label": self._label(report), "what": what,
                   "stage": stage, "seconds": seconds})

    def _finish(self, reports: list[_Report]) -> None:
        """Make the pages around the reports unless they are what would come out again."""
        out, kept = self._order.out, freshness.read_json(self._state / "index.json")
        # The order of what failed must not be the order in which it did.
        failed = {one.name: self._outcome.failed[one.name] for one in reports if one.name in self._outcome.failed}
        given = {"out": str(out), "request": self._order.request, "failed": failed,
                 "about": {name: self._about[name] for name in ("title", "simulated")},
                 "reports": [{"name": one.name, "label": dict(one.label)} for one in reports]}
        made_from = freshness.hash_of([given | {"out": ""}, self._source, page_version(), [one.key for one in reports],
                                       [freshness.sha256_of(out / one.name / "run.json") for one in reports]])
        files = kept.get("files", {})
        if kept.get("made_from") == made_from and files == {name: freshness.sha256_of(out / name) for name in files}:
            return
        result = self._alone("index", **given)
        freshness.write_json(self._state / "index.json", {
            "made_from": made_from, "files": {name: freshness.sha256_of(out / name) for name in result["files"]}})
