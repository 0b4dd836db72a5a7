"""What went wrong with a report: as plain JSON, in a line, and kept in the branch's ``failed/``."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import EbankError, quote
from ..files import own_folder, write_atomically

__all__ = ["Unfinished", "failure", "failure_of", "is_machine", "note_failure", "reason"]

FILE = "failed.json"
_LONGEST = 2000
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MACHINE = (*_FULL, errno.ENOMEM, errno.EIO, errno.ENFILE, errno.EMFILE, errno.EAGAIN)


class Unfinished(EbankError):
    """The machine ended the work, not the input: no memory, processes that end, a cluster that is gone."""


def failure(kind: str, error: str, message: str, notebook: str | None = None,
            cell: int | None = None) -> dict[str, Any]:
    """Return a failure: ``kind`` is notebook, input, disk, system, crash, memory, time, changed or bug."""
    text = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(message.split()))
    return {"kind": kind, "error": error, "message": text[:_LONGEST], "notebook": notebook, "cell": cell}


def failure_of(error: Exception) -> dict[str, Any]:
    """Return the failure that an error is."""
    causes = list(_causes(error))
    if any(isinstance(one, OSError) and one.errno in _FULL for one in causes):
        return failure("disk", type(error).__name__, str(error))
    if any(isinstance(one, MemoryError) for one in causes):
        return failure("memory", "MemoryError", str(error))
    kind = "input" if isinstance(error, EbankError) and not is_machine(error) else (
        "system" if isinstance(error, (OSError, EbankError)) else "bug")
    return failure(kind, type(error).__name__, str(error))


def is_machine(error: BaseException) -> bool:
    """Whether not the input but the machine is the reason: a full disk, no memory, a cluster that is gone."""
    return any(isinstance(one, (Unfinished, MemoryError)) or (isinstance(one, OSError) and one.errno in _MACHINE)
               for one in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def reason(failed: Mapping[str, Any]) -> str:
    """Return a failure in one line.

    Examples
    --------
    >>> reason(failure("notebook", "ValueError", "no data", "04_forecasting", 7))
    '04_forecasting, cell [7]: ValueError: no data'
    """
    if failed["kind"] in ("input", "disk", "system", "changed"):
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
