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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError, EbankError
from ..files import own_folder, portable_source
from ..sources import open_source
from ..versions import code_version
from ..wording import t
from . import seal, tasks
from .parameters import check_extra, learners, numbered_notebooks, parameters_of, plan
from .processes import Cluster, Processes, outcome_of, server_folder

Say = Callable[[dict], None]
_HEAR = 1.0         # seconds between two ticks of a clock that somebody looks at


@dataclass(frozen=True)
class Order:
    """What a user asks for."""

    source: str
    out: Path
    asked: str                              # as a command,
    command: Callable[[str | None], str]    # and the one that makes a branch's (None: the province's) report again
    branch: str | None = None               # one branch; None for all of them or, with `whole`, for all together
    whole: bool = False
    lang: str = "zh"
    indicator: str | None = None
    start: str | None = None
    end: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)      # further parameters of the notebooks, as typed
    workers: int = 2
    cell_timeout: float = 300.0             # seconds that a cell may take,
    job_timeout: float = 3600.0             # and a whole report
    again: bool = False                     # do everything again, whatever is there
    cache: Path | None = None               # the store's folder
    wait: bool = False                      # for another run in the same folder
    fork: bool = True                       # tasks from a server that has everything loaded, where there is one
    scheduler: str | None = None            # of a Dask cluster, where the tasks run then
    notebooks: Path | None = None           # the folder of the numbered notebooks, instead of the package's own

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

    @property
    def seconds(self) -> float:
        """How long it has been worked on."""
        return 0.0 if self.begun is None else time.monotonic() - self.begun


def run_batch(order: Order, say: Say) -> Outcome:
    """Make the reports, and `say` dictionaries whose ``event`` is ``waiting, plan, prepared, learnt, start, stage,
    done, failed`` or ``tick``. Whatever is raised, what was finished stays."""
    one, together = numbered_notebooks(order.notebooks)
    asked, what = (together, "without") if order.whole else (one, "with")
    if not asked:
        raise ConfigError("holds no such notebook", file=str(order.notebooks),
                          expected=f"notebooks called NN_name.ipynb {what} a parameter branch")
    check_extra(order.extra, [*one, *together] if order.everything else asked)
    tasks.source_hash(order.source)     # what cannot be read is said before anything is made
    with tasks.locked(order.out, None if order.everything else _name_of(order), order.asked, order.wait,
                      lambda who: say({"event": "waiting", "message": who})):
        if order.everything:
            tasks.sweep(order.out, keep=server_folder())
        try:
            with contextlib.ExitStack() as stack:
                return _Run(order, say, stack, one, together).reports()
        except BaseException:
            if order.everything:
                tasks.sweep(order.out, keep=server_folder())     # what was being written when the tasks were ended
            raise


def _name_of(order: Order) -> str:
    """Return the name of the one report that is asked for; what does not exist is an error before anything starts."""
    from .branch import PROVINCE

    catalog = open_source(order.source).catalog
    if order.indicator is not None:
        catalog.indicator(order.indicator)
    return catalog.total or PROVINCE if order.whole else catalog.branch(order.branch).id


class _Run:
    """One run over a source that keeps still, while the output folder is held."""

    def __init__(self, order: Order, say: Say, stack: contextlib.ExitStack, one: list[Path], together: list[Path]):
        self._order, self._say, self._stack = order, say, stack
        self._one, self._together = one, together
        self._source = portable_source(order.source)
        self._inputs = tasks.source_hash(order.source)
        self._state = own_folder(order.out, tasks.HOME, "state")
        self._outcome = Outcome()
        self._pool: Any = None
        self._about: dict[str, Any] = {}
        self._indexed = order.everything or (order.out / "index.html").exists()     # pages lead to the index, then

    def reports(self) -> Outcome:
        """Make what is asked for and is not as it should be; of a run of all, then the index."""
        order = self._order
        asked = tasks.hash_of([self._inputs, code_version(), order.request])
        if order.everything:
            self._about = tasks.read_json(self._state / "source.json")
        if self._inputs is None or self._about.get("asked") != asked or order.again:
            self._prepare()
            if order.everything:
                tasks.write_json(self._state / "source.json", {**self._about, "asked": asked})
        reports = self._reports()
        if not order.everything and reports[0].failure:
            raise EbankError(tasks.reason(reports[0].failure))     # a wrong request is not a branch that failed
        stale = [one for one in reports if not self._is_fresh(one)]
        if stale and self._pool is None:
            self._prepare()
        names = {one.name for one in stale}
        self._outcome.unchanged = [one.name for one in reports if one.name not in names]
        self._say({"event": "plan", "all": len(reports), "todo": len(stale), "unchanged": len(reports) - len(stale)})
        if sum(1 for one in stale if one.branch) > 1:
            self._learn()
        # The province's one notebook takes longest: begun first, nobody waits for it at the end.
        self._make(sorted(stale, key=lambda one: one.branch is not None))
        if order.everything and (stale or not seal.as_written(order.out)):
            self._finish(reports, {name: self._about[name] for name in ("title", "simulated")})
        elif self._outcome.failed:
            self._finish(reports, None)
        return self._outcome

    # ---------------------------------------------------------------- what there is to do

    def _is_fresh(self, report: _Report) -> bool:
        """Whether a report was made from what is there today, every file of it as it was written."""
        folder = self._order.out / report.name
        kept = tasks.read_json(self._state / f"{report.name}.json")
        return (not self._order.again and report.failure is None and not (folder / "failed").exists()
                and kept.get("key") == report.key and kept.get("run") == tasks.sha256_of(folder / "run.json")
                and seal.as_written(folder))

    def _prepare(self) -> None:
        """Have the source read, and take what is in it."""
        self._say({"event": "start", "branch": "", "label": "", "stage": "prepare"})
        begun = time.monotonic()
        only = None if self._order.everything else [self._order.branch]
        self._about = self._alone("prepare", request=self._order.request, only=only)
        if only is None:
            self._say({"event": "prepared", "seconds": time.monotonic() - begun,
                       "branches": sum(1 for one in self._about["reports"] if one["branch"])})

    def _reports(self) -> list[_Report]:
        """Return the reports with the hash of all that each is made from."""
        found = []
        known = {path: parameters_of(path) for path in (*self._one, *self._together)}
        for one in self._about["reports"]:
            paths = self._together if one["branch"] is None else self._one
            if not paths:
                continue
            given = {"source": self._source, "branch": one["name"], "indicator": one["indicator"],
                     **{name: getattr(self._order, name) for name in ("lang", "start", "end")}}
            planned = plan({path.stem: known[path] for path in paths}, given, self._order.extra)
            key = tasks.hash_of([self._about["read"], code_version(), given, planned, self._indexed,
                                 {path.stem: tasks.sha256_of(path) for path in paths}])
            found.append(_Report(one["branch"], one["name"], one["label"], {p: planned[p.stem] for p in paths}, key,
                                 one.get("failure")))
        return found

    def _learn(self) -> None:
        """Have what several reports will ask for worked out once; without it each of them does so by itself."""
        asked = learners(self._one, self._order.extra) if self._order.cache else []
        if not asked:
            return
        self._say({"event": "start", "branch": "", "label": "", "stage": "learn"})
        begun, message, n = time.monotonic(), "", self._capacity
        try:
            for one in asked:
                given = {"request": self._order.request, "asked": one}
                # Each part of it on its own, then what needs all of them.
                self._side_by_side([("learn", {**given, "part": (k, n)}) for k in range(n)] if n > 1 else [])
                self._alone("learn", **given, part=None)
        except EbankError as error:
            message = str(error)
        self._say({"event": "learnt", "seconds": time.monotonic() - begun, "message": message})

    # ---------------------------------------------------------------- tasks

    @property
    def _capacity(self) -> int:
        return self._order.workers if self._pool is None else self._pool.capacity

    def _submit(self, do: str, given: Mapping[str, Any], timeout: float) -> Future:
        """Hand a task to the pool, which is made when the first one comes."""
        order = self._order
        if self._pool is None:
            self._pool = self._stack.enter_context(
                Cluster(order.scheduler) if order.scheduler else
                Processes(order.workers, order.fork, work=own_folder(order.out, tasks.HOME, "work")))
        return self._pool.submit(do, str(order.cache) if order.cache else None, dict(given), timeout)

    def _alone(self, do: str, **given: Any) -> dict[str, Any]:
        """Do a task that others wait for and that the run cannot do without."""
        return self._side_by_side([(do, given)])[0]

    def _side_by_side(self, todo: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        limit = self._order.job_timeout
        futures = [self._submit(do, {"source": self._source, **given}, limit) for do, given in todo]
        while wait(futures, _HEAR).not_done:
            self._say({"event": "tick"})
        results = [outcome_of(future, limit) for future in futures]
        for failed in (result["failure"] for result in results if "failure" in result):
            machine = failed["kind"] not in ("input", "notebook")
            raise (tasks.Unfinished if machine else EbankError)(tasks.reason(failed))
        return results

    def _make(self, reports: list[_Report]) -> None:
        """Run the notebooks of each report, then set its page (a step without a notebook)."""
        queue = deque(step for report in reports for step in self._steps(report))
        running: dict[Future, tuple[_Report, Path | None]] = {}
        while queue or running:
            while queue and len(running) < self._capacity:
                report, notebook = queue.popleft()
                if report.failure is None:
                    running[self._start(report, notebook)] = report, notebook
            for future in wait(running, _HEAR, FIRST_COMPLETED).done:
                if self._ended(*(step := running.pop(future)), outcome_of(future, self._order.job_timeout)):
                    queue.appendleft((step[0], None))
            self._say({"event": "tick"})

    def _steps(self, report: _Report) -> Iterator[tuple[_Report, Path | None]]:
        """Yield the notebooks of a report that have to run; its page, where none has."""
        if report.failure:
            self._failed(report, report.failure)
            return
        held = tasks.partial(self._order.out, report.name, report.key)
        for path in report.notebooks:
            if self._order.again or not (held / f"{path.stem}.ipynb").is_file():
                report.left += 1
                yield report, path
        if not report.left:
            yield report, None

    def _start(self, report: _Report, notebook: Path | None) -> Future:
        order = self._order
        if report.begun is None:
            report.begun = time.monotonic()
            self._tell("start", report, stage="")
        left = max(0.1, order.job_timeout - report.seconds)
        given = {"out": str(order.out), "key": report.key}
        if notebook is None:
            return self._submit("page", given | {
                "source": self._source, "branch": report.branch, "request": order.request, "read": self._about["read"],
                "indexed": self._indexed, "notebooks": [path.stem for path in report.notebooks]}, left)
        self._tell("stage", report, what="start", stage=notebook.stem, seconds=0.0)
        return self._submit("notebook", given | {
            "name": report.name, "path": str(notebook), "parameters": report.notebooks[notebook],
            "cell_timeout": order.cell_timeout}, left)

    def _ended(self, report: _Report, notebook: Path | None, result: Mapping[str, Any]) -> bool:
        """Take the end of a task; return whether the page can be set now."""
        failed = result.get("failure")
        if notebook is not None:
            self._tell("stage", report, what="failed" if failed else "done", stage=notebook.stem,
                       seconds=result["seconds"])
        if report.failure is not None:
            return False
        if failed:
            if failed["kind"] == "changed":
                raise tasks.Unfinished(f"{tasks.reason(failed)}; the same command reads it anew")
            self._failed(report, failed if notebook is None else {
                **failed, "notebook": failed["notebook"] or notebook.stem})
            return False
        if notebook is not None:
            report.left -= 1
            return not report.left
        # Not by the task itself: on a cluster the same one may still be running elsewhere.
        shutil.rmtree(tasks.partial(self._order.out, report.name, report.key).parent, ignore_errors=True)
        self._outcome.done.append(report.name)
        self._outcome.warned += [f"{report.name} {line}" for line in result["warnings"]]
        self._tell("done", report, seconds=report.seconds,
                   **{name: result[name] for name in ("page", "warnings", "not_done")})
        return False

    def _failed(self, report: _Report, failed: Mapping[str, Any]) -> None:
        order = self._order
        report.failure = {"branch": report.name, "label": dict(report.label), "command": order.command(report.branch),
                          "older": (order.out / report.name / "report.html").is_file(), **failed}
        self._outcome.failed[report.name] = report.failure
        self._tell("failed", report, seconds=report.seconds, message=tasks.reason(failed),
                   command=report.failure["command"], kind=failed["kind"])
        if failed["kind"] == "disk":        # the next one would fail as well
            raise tasks.Unfinished(t("cli.disk_full", order.lang, message=failed["message"], command=order.asked))

    def _tell(self, event: str, report: _Report, **more: Any) -> None:
        label = report.label.get(self._order.lang, report.name)
        self._say({"event": event, "branch": report.name, "label": label, **more})

    def _finish(self, reports: list[_Report], about: dict[str, Any] | None) -> None:
        """Make the pages around the reports: of those that failed, and what is said `about` all."""
        # The order of what failed must not be the order in which it did.
        failed = {one.name: self._outcome.failed[one.name] for one in reports if one.name in self._outcome.failed}
        self._alone("index", out=str(self._order.out), request=self._order.request, failed=failed, about=about,
                    reports=[{"name": one.name, "label": dict(one.label)} for one in reports])
