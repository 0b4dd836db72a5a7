"""Notebooks run for a branch with papermill: checked before, limited in time, the same bytes for the same input.

What a run leaves is settled: cell times, ids, absolute paths and memory addresses are taken out, so that an executed
notebook differs from another only where a result differs.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from ..errors import ConfigError, EbankError, SeriesError, quote
from ..files import write_atomically
from ..paths import project_root
from . import kernels
from .parameters import INJECTED, TAG, defaults, one_line, plan, read_notebook, stopped_by_data, tags

# What Python calls the file of a cell: it holds the kernel's process id.
_CELL_FILE = re.compile(r"\S*ipykernel_\d+\S*\.py")

__all__ = ["Executed", "NotDone", "NotebookError", "applicable", "branch_notebooks", "province_notebooks",
           "run_notebooks"]

Progress = Callable[[str, str, float], None]   # event (start|done|failed|tick), notebook, seconds


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
    """One executed notebook: what it was run with, how long it took, what it wrote to stderr, where it stopped."""

    name: str
    path: Path
    parameters: Mapping[str, Any]
    seconds: float
    stderr: tuple[str, ...] = ()
    not_done: NotDone | None = None


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
            nb_man, kernel_name=kernel_name, kernel_manager_class=kernels.OwnKernelManager,
            config=kernels.config(folder, nb_man.nb.metadata.ebank_name), timeout=cell_timeout,
            startup_timeout=start_timeout, coalesce_streams=True, resources={"metadata": {"path": str(cwd_of_kernel)}})
        with running.lock:
            if running.stopped:
                raise KeyboardInterrupt
            running.clients.add(client)
        try:
            # What the kernel says outside of cells (that it was interrupted at the end, say) is not the notebook's.
            with (folder / f"{nb_man.nb.metadata.ebank_name}.log").open("wb") as log:
                return client.execute(env=kernels.environment(folder), stdout=log, stderr=log)
        finally:
            with running.lock:
                running.clients.discard(client)
            nb_man.save()


papermill_engines.register("ebank", _Engine)
# papermill's advice is on standard error; what matters of it was checked before.
logging.getLogger("papermill").setLevel(logging.CRITICAL)


def branch_notebooks(folder: Path | None = None) -> list[Path]:
    """Return the numbered notebooks that take a ``branch``, in order.

    Raises
    ------
    ConfigError
        There is none.
    """
    return _numbered(folder, of_a_branch=True)


def province_notebooks(folder: Path | None = None, must: bool = True) -> list[Path]:
    """Return the numbered notebooks that look at all branches together (they take no ``branch``), in order.

    Raises
    ------
    ConfigError
        There is none and there must be one.
    """
    return _numbered(folder, of_a_branch=False, must=must)


def _numbered(folder: Path | None, of_a_branch: bool, must: bool = True) -> list[Path]:
    folder = project_root() / "notebooks" if folder is None else folder
    numbered = sorted(p for p in folder.glob("*.ipynb") if re.match(r"\d\d_", p.name))
    chosen = [p for p in numbered if ("branch" in defaults(read_notebook(p), p.name)) == of_a_branch]
    if must and not chosen:
        raise ConfigError(f"holds no notebook for {'a branch' if of_a_branch else 'all branches'}", file=str(folder),
                          expected=f"notebooks called NN_name.ipynb {'with' if of_a_branch else 'without'} a parameter "
                                   "branch")
    return chosen


def check_extra(extra: Mapping[str, str], notebooks: Iterable[Path] | None = None) -> None:
    """Check parameters as a user typed them, before anything is read.

    Raises
    ------
    UnknownNameError, ConfigError
        As :func:`run_notebooks`.
    """
    paths = list(notebooks) if notebooks is not None else branch_notebooks()
    plan({path.stem: defaults(read_notebook(path), path.name) for path in paths}, {}, extra)


def applicable(extra: Mapping[str, str], notebooks: Iterable[Path]) -> dict[str, str]:
    """Return those of the parameters that any of the notebooks has."""
    known = {name for path in notebooks for name in defaults(read_notebook(path), path.name)}
    return {name: text for name, text in extra.items() if name in known}


def run_notebooks(source: str, branch: str, out: Path, *, lang: str = "zh", indicator: str | None = None,
                  start: str | None = None, end: str | None = None, extra: Mapping[str, str] | None = None,
                  notebooks: Iterable[Path] | None = None, workers: int = 2, cell_timeout: float = 300,
                  cwd: Path | None = None, progress: Progress | None = None) -> list[Executed]:
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
        Told ``("start" | "done" | "failed" | "tick", notebook, seconds)``.

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
            tell("start", name, 0.0)
            begun = time.monotonic()
            try:
                done = _run(name, books[name], runs[name], out, Path(private), cwd, running, cell_timeout)
            except BaseException:
                if not running.stopped:
                    tell("failed", name, time.monotonic() - begun)
                raise
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
    target = out / f"{name}.ipynb"
    written = raw.exists()
    not_done = None
    if written:
        settled = _settle(read_notebook(raw), original, parameters)
        if problem and problem[1] == SeriesError.__name__:
            not_done, problem = NotDone(problem[0], one_line(problem[2])), None
            _without_traceback(settled)
        write_atomically(target, nbformat.writes(settled).encode("utf-8") + b"\n")
    if problem:
        if running.stopped:
            raise KeyboardInterrupt
        cell = problem[0] or (_last_run(settled) if written else None)
        raise NotebookError(name, cell, problem[1], problem[2], target if written else None)
    return Executed(name, target, dict(parameters), time.monotonic() - begun, tuple(_stderr(settled)),
                    not_done)


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


def _settle(book: nbformat.NotebookNode, original: nbformat.NotebookNode, parameters) -> nbformat.NotebookNode:
    """Return an executed notebook without what differs from run to run though no result does."""
    book.cells = [cell for cell in book.cells if "papermill-error-cell-tag" not in tags(cell)]
    book.metadata = nbformat.from_dict(dict(original.metadata))
    book.metadata["papermill"] = {"parameters": dict(parameters)}
    for cell in book.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if INJECTED in tags(cell):
            cell["id"] = INJECTED
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                output["text"] = _CELL_FILE.sub("cell", _joined(output.text))
            data = output.get("data", {})
            if "text/plain" in data:
                data["text/plain"] = re.sub(r" at 0x[0-9a-fA-F]+", "", _joined(data["text/plain"]))
    if not any(INJECTED in tags(cell) for cell in book.cells) and parameters:
        raise ConfigError("parameters were not passed on", expected=f"a cell tagged {TAG!r}")
    book.nbformat, book.nbformat_minor = 4, max(5, book.nbformat_minor)
    return book


def _without_traceback(book: nbformat.NotebookNode) -> None:
    """Leave of an error what it says: its traceback names files of this machine."""
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            if stopped_by_data(output):
                output["traceback"] = [f"{output.ename}: {output.evalue}"]


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _stderr(book: nbformat.NotebookNode) -> Iterator[str]:
    """Yield what cells wrote to stderr: the cell's prompt number and the first line."""
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream" and output.name == "stderr" and _joined(output.text).strip():
                yield f"[{cell.execution_count}] {_joined(output.text).strip().splitlines()[0]}"


def _last_run(book: nbformat.NotebookNode) -> int | None:
    counts = [cell.get("execution_count") for cell in book.cells if cell.cell_type == "code"]
    return max((c for c in counts if c), default=None)
