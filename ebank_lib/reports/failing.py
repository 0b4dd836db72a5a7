"""What went wrong with a report, as plain JSON: told to the orchestrator, kept in ``failed/failed.json``."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import EbankError, quote
from ..files import own_folder, write_atomically

__all__ = ["FILE", "PROVINCE", "failure", "failure_of", "is_full", "note_failure", "said"]

PROVINCE = "province"       # the folder of all branches together, where the source prints no total of them
FILE = "failed.json"
_LONGEST = 2000


def failure(kind: str, error: str, message: str, notebook: str | None = None,
            cell: int | None = None) -> dict[str, Any]:
    """Return a failure: ``kind`` is notebook, input, disk, system, crash, memory, time or bug."""
    text = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(message.split()))
    return {"kind": kind, "error": error, "message": text[:_LONGEST], "notebook": notebook, "cell": cell}


def failure_of(error: EbankError) -> dict[str, Any]:
    """Return the failure that an error is."""
    if hasattr(error, "notebook"):
        kind = "memory" if error.error == "Kernel died" else "time" if error.error == "Timeout" else "notebook"
        kept = {"kept": error.kept.name} if error.kept else {}
        return failure(kind, error.error, error.message, error.notebook, error.cell) | kept
    return failure("disk" if is_full(error.__cause__) else "input", type(error).__name__, str(error))


def is_full(error: BaseException | None) -> bool:
    """Whether an error says that there is no room left on a disk."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def said(failed: Mapping[str, Any]) -> str:
    """Return a failure in one line.

    Examples
    --------
    >>> said(failure("notebook", "ValueError", "no data", "04_forecasting", 7))
    '04_forecasting, cell [7]: ValueError: no data'
    """
    if failed["kind"] == "input":
        return failed["message"]
    where = f"{failed['notebook']}, cell [{failed['cell']}]: " if failed["cell"] else (
        f"{failed['notebook']}: " if failed["notebook"] else "")
    what = f"{failed['error']}: " if failed["error"] else ""
    return where + what + quote(failed["message"]).strip("'")


def note_failure(out: Path, name: str, failed: Mapping[str, Any]) -> None:
    """Write what went wrong into the branch's folder; its last good report stays as it is.

    Raises
    ------
    ConfigError
        It cannot be written.
    """
    text = json.dumps(dict(failed), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    write_atomically(own_folder(out, name, "failed") / FILE, text.encode("utf-8", "replace"))
