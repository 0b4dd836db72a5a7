"""An executed notebook settled: what differs from run to run though no result does is taken out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import nbformat

from ..errors import ConfigError
from .parameters import INJECTED, TAG, stopped_by_data, tags

__all__ = ["last_run", "settle", "stderr_of", "stopped_at", "without_traceback"]

# What Python calls the file of a cell: it holds the kernel's process id.
_CELL_FILE = re.compile(r"\S*ipykernel_\d+\S*\.py")


def settle(book: nbformat.NotebookNode, original: nbformat.NotebookNode,
           parameters: Mapping[str, Any]) -> nbformat.NotebookNode:
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


def without_traceback(book: nbformat.NotebookNode) -> None:
    """Leave of an error what it says: its traceback names files of this machine."""
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            if stopped_by_data(output):
                output["traceback"] = [f"{output.ename}: {output.evalue}"]


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def stderr_of(book: nbformat.NotebookNode) -> Iterator[str]:
    """Yield what cells wrote to stderr: the cell's prompt number and the first line."""
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream" and output.name == "stderr" and _joined(output.text).strip():
                yield f"[{cell.execution_count}] {_joined(output.text).strip().splitlines()[0]}"


def stopped_at(book: nbformat.NotebookNode) -> tuple[int | None, str] | None:
    """Return the prompt number of the cell where the data did not allow what was asked of them, and the message."""
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            if stopped_by_data(output):
                return cell.get("execution_count"), str(output["evalue"])
    return None


def last_run(book: nbformat.NotebookNode) -> int | None:
    """Return the prompt number of the last cell that ran."""
    counts = [cell.get("execution_count") for cell in book.cells if cell.cell_type == "code"]
    return max((c for c in counts if c), default=None)
