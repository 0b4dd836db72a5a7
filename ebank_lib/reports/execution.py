"""Notebooks run for a branch with papermill: checked before, limited in time, the same bytes for the same input.

What a run leaves is settled: cell times, ids, absolute paths and memory addresses are taken out, so that an executed
notebook differs from another only where a result differs.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from .. import reads
from ..errors import EbankError, SeriesError, quote
from ..files import write_atomically
from ..paths import project_root
from . import forking, kernels
from .listing import applicable, branch_notebooks, check_extra, province_notebooks
from .parameters import defaults, one_line, plan, read_notebook
from .settling import last_run, settle, stderr_of, stopped_at, without_traceback

__all__ = ["Executed", "Finished", "Held", "NotDone", "NotebookError", "Progress", "applicable", "branch_notebooks",
           "check_extra", "province_notebooks", "run_notebooks"]

Progress = Callable[[str, str, float], None]   # event (start|done|failed|held|tick), notebook, seconds


class NotebookError(EbankError):
    """A notebook that stopped: which one, in which cell, with what message; where its remains are kept.

    Attributes
    ----------
    notebook, cell, error, message, kept
        Its name; the prompt number of the cell, as JupyterLab shows it; the kind of error; its message; a path or None.
    """

    def __init__(self, notebook: str, cell: int | None, error: str, message: str, kept: Path | None = None):
        self.notebook, self.cell, self.error, self.message, self.kept = notebook, cell, error, message, kept
        where = f"{notebook}, cell [{cell}]" if cell else notebook
        super().__init__(f"{where}: {error}: {quote(message).strip(chr(39))}" + (f" (kept: {kept})" if kept else ""))


@dataclass(frozen=True)
class NotDone:
    """Where a notebook stopped because the data do not allow its stage, and why."""

    cell: int | None
    message: str


@dataclass(frozen=True)
class Executed:
    """One executed notebook: what it was run with, how long it took, what it wrote to stderr, where it stopped.

    ``reads`` names the parts of the data that it looked at (:mod:`ebank_lib.reads`); None where that is not known.
    """

    name: str
    path: Path
    parameters: Mapping[str, Any]
    seconds: float
    stderr: tuple[str, ...] = ()
    not_done: NotDone | None = None
    reads: tuple[str, ...] | None = None


Held = Callable[[str, Mapping[str, Any]], bytes | None]     # a notebook's name and parameters: as executed before
Finished = Callable[[Executed], None]


@dataclass
class _Running:
    """The kernels alive in this run, to be ended when it is interrupted."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    clients: set = field(default_factory=set)
    stopped: bool = False

    def end_all(self) -> None:
        with self.lock:
            self.stopped = True
            for client in self.clients:
                pid = getattr(getattr(client.km, "provisioner", None), "pid", None)
                if pid:
                    with contextlib.suppress(OSError):
                        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


class _Engine(NBClientEngine):
    """papermill's engine with our kernels, and the notebook saved however it ends."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, *, folder: Path, cwd_of_kernel: Path, running: _Running,
                                 cell_timeout: float, start_timeout: int = 60, **_: Any):
        client = PapermillNotebookClient(
            nb_man, kernel_name=kernel_name, kernel_manager_class=kernels.manager(forking.inherited()),
            config=kernels.config(folder, nb_man.nb.metadata.ebank_name), timeout=cell_timeout,
            startup_timeout=start_timeout, coalesce_streams=True, resources={"metadata": {"path": str(cwd_of_kernel)}})
        with running.lock:
            if running.stopped:
                raise KeyboardInterrupt
            running.clients.add(client)
        try:
            # What the kernel says outside of cells (that it was interrupted at the end, say) is not the notebook's.
            name = nb_man.nb.metadata.ebank_name
            env = kernels.environment(folder) | {reads.VARIABLE: str(folder / f"{name}.reads")}
            with (folder / f"{name}.log").open("wb") as log:
                return client.execute(env=env, stdout=log, stderr=log)
        except BaseException:
            nb_man.save()       # else papermill saves it, with the error of a cell in it
            raise
        finally:
            with running.lock:
                running.clients.discard(client)


papermill_engines.register("ebank", _Engine)
# papermill's advice is on standard error; what matters of it was checked before.
logging.getLogger("papermill").setLevel(logging.CRITICAL)


def run_notebooks(source: str, branch: str, out: Path, *, lang: str = "zh", indicator: str | None = None,
                  start: str | None = None, end: str | None = None, extra: Mapping[str, str] | None = None,
                  notebooks: Iterable[Path] | None = None, workers: int = 2, cell_timeout: float = 300,
                  cwd: Path | None = None, progress: Progress | None = None,
                  held: Held | None = None, finished: Finished | None = None) -> list[Executed]:
    """Run notebooks for one branch, up to `workers` side by side.

    Parameters
    ----------
    source, branch, lang, indicator, start, end
        Given to every notebook that has such a parameter; None leaves the notebook's default.
    out : Path
        Folder in which the executed notebooks are written, each whole or not at all.
    extra : mapping of parameter to text, optional
        Further parameters as a user typed them.
    notebooks : iterable of Path, optional
        Else the project's.
    cell_timeout : float
        Seconds that one cell may take.
    cwd : Path, optional
        Working directory of the kernels; else the project's root.
    progress : callable, optional
        Told ``("start" | "done" | "failed" | "held" | "tick", notebook, seconds)``.
    held : callable, optional
        Given a notebook's name and parameters; returns it as executed before, where that is what would come out again.
    finished : callable, optional
        Told each notebook as it is executed.

    Returns
    -------
    list of Executed
        In the order of the notebooks. One that stopped with a :class:`~ebank_lib.errors.SeriesError` is among them,
        with ``not_done``: the data are the reason, not the run.

    Raises
    ------
    UnknownNameError, ConfigError
        A parameter does not exist or its value does not fit; nothing was run.
    NotebookError
        A notebook failed; what it did until then is kept beside the others.
    """
    paths = list(notebooks) if notebooks is not None else branch_notebooks()
    books = {path.stem: read_notebook(path) for path in paths}
    given = {"source": source, "branch": str(branch), "lang": lang, "indicator": indicator, "start": start, "end": end}
    runs = plan({name: defaults(book, f"{name}.ipynb") for name, book in books.items()}, given, extra)
    cwd = project_root() if cwd is None else Path(cwd)
    out.mkdir(parents=True, exist_ok=True)
    tell = progress or (lambda event, name, seconds: None)
    running = _Running()

    with tempfile.TemporaryDirectory(prefix="eb-", ignore_cleanup_errors=True) as private:
        def run(name: str) -> Executed:
            before = held(name, runs[name]) if held else None
            if before is not None:
                write_atomically(out / f"{name}.ipynb", before)
                tell("held", name, 0.0)
                return _executed(name, out / f"{name}.ipynb", runs[name], read_notebook(out / f"{name}.ipynb"))
            tell("start", name, 0.0)
            begun = time.monotonic()
            try:
                done = _run(name, books[name], runs[name], out, Path(private), cwd, running, cell_timeout)
            except BaseException:
                if not running.stopped:
                    tell("failed", name, time.monotonic() - begun)
                raise
            if finished:
                finished(done)
            tell("done", name, time.monotonic() - begun)
            return done

        return _side_by_side(run, list(books), workers, running, tell)


def _side_by_side(run, names, workers, running, tell) -> list[Executed]:
    """Run all; after a failure nothing new is begun, and the first failure in the notebooks' order is raised."""
    with ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="notebook") as pool:
        futures: list[Future] = [pool.submit(run, name) for name in names]
        try:
            waiting = set(futures)
            while waiting:
                finished, waiting = wait(waiting, timeout=1.0, return_when=FIRST_COMPLETED)
                tell("tick", "", 0.0)
                if any(f.exception() for f in finished if not f.cancelled()):
                    for future in waiting:
                        future.cancel()
        except BaseException:  # Ctrl-C: no kernel outlives the run
            for future in futures:
                future.cancel()
            running.end_all()
            raise
    for future in futures:
        if not future.cancelled() and future.exception():
            raise future.exception()
    return [future.result() for future in futures]


def _run(name, original, parameters, out, private, cwd, running, cell_timeout) -> Executed:
    """Run one notebook and write it settled; on failure what exists of it is written too."""
    begun = time.monotonic()
    raw = private / f"{name}.ipynb"
    book = copy.deepcopy(original)
    book.metadata["ebank_name"] = name
    problem = None
    with _own_loop():
        try:
            # papermill formats paths: a brace in a folder's name must not be taken for a placeholder.
            papermill.execute_notebook(
                book, str(raw).replace("{", "{{").replace("}", "}}"), parameters=dict(parameters), engine_name="ebank",
                kernel_name="python3", language="python", progress_bar=False, request_save_on_cell_execute=False,
                folder=private, cwd_of_kernel=cwd, running=running, cell_timeout=cell_timeout)
        except PapermillExecutionError as error:
            problem = (error.exec_count, error.ename, error.evalue)
        except CellTimeoutError:
            problem = (None, "Timeout", f"a cell took longer than {cell_timeout:g} s")
        except DeadKernelError:
            problem = (None, "Kernel died", "the kernel ended by itself; it may have run out of memory")
        except kernels.KernelNotStarted as error:
            problem = (None, "Kernel not started", str(error))
    target = out / f"{name}.ipynb"
    written = raw.exists()
    if written:
        settled = settle(read_notebook(raw), original, parameters)
        if problem and problem[1] == SeriesError.__name__:
            problem = None
            without_traceback(settled)
        write_atomically(target, nbformat.writes(settled).encode("utf-8") + b"\n")
    if problem:
        if running.stopped:
            raise KeyboardInterrupt
        cell = problem[0] or (last_run(settled) if written else None)
        raise NotebookError(name, cell, problem[1], problem[2], target if written else None)
    return replace(_executed(name, target, parameters, settled), seconds=time.monotonic() - begun,
                   reads=_reads(private / f"{name}.reads"))


def _executed(name: str, path: Path, parameters: Mapping[str, Any], book: nbformat.NotebookNode) -> Executed:
    """Return what an executed notebook itself tells, whenever it was executed."""
    stop = stopped_at(book)
    return Executed(name, path, dict(parameters), 0.0, tuple(stderr_of(book)),
                    NotDone(stop[0], one_line(stop[1])) if stop else None)


def _reads(path: Path) -> tuple[str, ...] | None:
    """Return the parts of the data that a kernel noted; None where it noted nothing, whatever it looked at."""
    try:
        return tuple(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def _own_loop() -> Iterator[None]:
    """The event loop that nbclient opens in this thread, closed again: it holds sockets."""
    loop = ensure_event_loop(prefer_selector_loop=True)
    try:
        yield
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        asyncio.set_event_loop(None)
