"""One notebook run in this process: an engine of papermill's without a kernel, and what is kept of its output.

Kernels are for people. Here the cells run in IPython's own shell; being alone, limits on time and memory are the
business of whoever starts the process. What a run leaves is settled: cell times, ids and memory addresses are taken
out, so that an executed notebook differs from another only where a result differs. ``papermill --engine ebank`` runs
any notebook so.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import os
import re
import signal
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any

import nbformat
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_output
from papermill.engines import Engine, papermill_engines
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

from ..errors import EbankError
from .parameters import INJECTED, stopped_by_data, tags

_INLINE = "module://matplotlib_inline.backend_inline"
_SETTINGS = Config({"HistoryManager": {"enabled": False, "hist_file": ":memory:"}})
# What Python calls the file of a cell: it holds the process id.
_CELL_FILE = re.compile(r"\S*ipykernel_\d+\S*\.py|<ipython-input-[^>]*>")
# papermill's advice is on standard error; what matters of it was checked before.
logging.getLogger("papermill").setLevel(logging.CRITICAL)


class CellTimeout(BaseException):
    """A cell took too long; not an Exception, so that a cell's own ``except Exception`` does not swallow it."""


class _Stream(io.TextIOBase):
    """Standard output or error that becomes output of the cell that runs."""

    encoding, errors = "utf-8", "strict"

    def __init__(self, name: str, shell: InProcessShell):
        self._name, self._shell = name, shell

    def write(self, text: str) -> int:
        last = next((o for o in self._shell.outputs if o.output_type == "stream" and o.name == self._name), None)
        if last is not None:
            last.text += text
        elif text:
            self._shell.outputs.append(new_output("stream", name=self._name, text=text))
        return len(text)


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is shown as a notebook holds it: pictures as text."""
    return {kind: b64encode(value).decode() if isinstance(value, bytes) else value for kind, value in data.items()}


class _Publisher(DisplayPublisher):
    def publish(self, data, metadata=None, **_):
        self.shell.outputs.append(new_output("display_data", data=_plain(data), metadata=metadata or {}))

    def clear_output(self, wait=False):
        self.shell.outputs.clear()


class _Hook(DisplayHook):
    def write_output_prompt(self):
        pass

    def write_format_data(self, data, metadata=None):
        self.shell.outputs.append(new_output("execute_result", data=_plain(data), metadata=metadata or {},
                                             execution_count=self.prompt_count))


class InProcessShell(InteractiveShell):
    """IPython's shell, whose output is kept as a notebook keeps it."""

    kernel = None       # libraries ask whether there is one, to know a notebook from a terminal

    def __init__(self, **settings):
        self.outputs: list = []
        super().__init__(display_pub_class=_Publisher, displayhook_class=_Hook, **settings)

    def _nothing(self, *_):
        """Neither the user's settings nor a profile's are this notebook's, modules of the working directory are
        nobody's code, and there is no window to draw in."""

    init_ipython_dir = init_profile_dir = init_sys_path = enable_gui = _nothing

    def _showtraceback(self, etype, evalue, stb):
        self.outputs.append(new_output("error", ename=etype.__name__, evalue=str(evalue), traceback=stb))


class InProcessEngine(Engine):
    """Runs the cells in this process."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, *, cell_timeout: float = 300, **_: Any) -> None:
        """Run the notebook of papermill's manager up to its end or its first error."""
        os.environ.setdefault("MPLBACKEND", _INLINE)
        if InteractiveShell.initialized():
            raise EbankError("the engine ebank needs a process to itself, and this one runs IPython already")
        shell = InProcessShell.instance(colors="nocolor", config=_SETTINGS)
        try:
            with contextlib.redirect_stdout(_Stream("stdout", shell)), \
                    contextlib.redirect_stderr(_Stream("stderr", shell)):
                for at, cell in enumerate(nb_man.nb.cells):
                    if cell.cell_type != "code" or not cell.source.strip():
                        continue
                    shell.outputs = cell.outputs = []
                    cell.execution_count = shell.execution_count
                    with _limited(cell_timeout):
                        ended = shell.run_cell(cell.source, store_history=True)
                    if not ended.success and "raises-exception" not in tags(cell):
                        nb_man.cell_exception(cell, at)
                        return
        finally:
            shell.restore_sys_module_state()
            InProcessShell.clear_instance()


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Interrupt what takes longer; where there is no such clock (Windows) only the limit of the whole task holds."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def late(*_):
        raise CellTimeout(f"a cell took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


papermill_engines.register("ebank", InProcessEngine)


# ---------------------------------------------------------------- one notebook

class NotebookFailed(EbankError):
    """A notebook that stopped: in which cell, by what kind of error, with what message; and what it did until then."""

    def __init__(self, cell: int | None, error: str, message: str, book: nbformat.NotebookNode):
        self.cell, self.error, self.message, self.book = cell, error, message, book
        super().__init__(f"cell [{cell}]: {error}: {message}")


def run_notebook(original: nbformat.NotebookNode, parameters: Mapping[str, Any],
                 cell_timeout: float = 300) -> nbformat.NotebookNode:
    """Run a notebook in this process and return it settled; `cell_timeout` is in seconds.

    A cell that stops with a :class:`~ebank_lib.errors.SeriesError` is no failure: the data are the reason, not the run.
    """
    book = parameterize_notebook(load_notebook_node(copy.deepcopy(original)), dict(parameters), kernel_name="python3",
                                 language="python", engine_name="ebank")
    papermill_engines.execute_notebook_with_engine("ebank", book, "python3", progress_bar=False,
                                                   cell_timeout=cell_timeout)
    settle(book, original, parameters)
    for cell, output in _outputs(book):
        if stopped_by_data(output):
            # Its traceback names files of this machine.
            output["traceback"] = [f"{output.ename}: {output.evalue}"]
        elif output.output_type == "error" and "raises-exception" not in tags(cell):
            name = "Timeout" if output.ename == CellTimeout.__name__ else output.ename
            raise NotebookFailed(cell.execution_count, name, output.evalue, book)
    return book


def settle(book: nbformat.NotebookNode, original: nbformat.NotebookNode, parameters: Mapping[str, Any]) -> None:
    """Take out of an executed notebook what differs from run to run though no result does."""
    book.metadata = nbformat.from_dict({**original.metadata, "papermill": {"parameters": dict(parameters)}})
    for cell in book.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if INJECTED in tags(cell):
            cell["id"] = INJECTED
    for _, output in _outputs(book):
        if output.output_type == "stream":
            output["text"] = _CELL_FILE.sub("cell", output.text)
        data = output.get("data", {})
        if "text/plain" in data:
            data["text/plain"] = re.sub(r" at 0x[0-9a-fA-F]+", "", data["text/plain"])
    book.nbformat, book.nbformat_minor = 4, max(5, book.nbformat_minor)


def _outputs(book: nbformat.NotebookNode) -> Iterator[tuple[nbformat.NotebookNode, nbformat.NotebookNode]]:
    return ((cell, output) for cell in book.cells for output in cell.get("outputs", ()))
