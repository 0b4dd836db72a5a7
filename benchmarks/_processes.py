"""What /proc says of a run's processes: who belongs to it, how much memory each has. Linux only."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Usage", "descendants", "marked", "measured"]

_PROC = Path("/proc")
_OFTEN, _SELDOM = 0.05, 1.0     # seconds between two looks at one process's peak; at the memory of all


def _read(pid: int, name: str) -> str:
    """Return a file of a process, "" when that has ended."""
    try:
        return (_PROC / str(pid) / name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _pids() -> Iterator[int]:
    return (int(p.name) for p in _PROC.iterdir() if p.name.isdigit())


def _parent(pid: int) -> int:
    # The name of the program, in brackets, may hold anything.
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def descendants(pid: int) -> dict[int, int]:
    """Return the processes below one: its id to its parent's."""
    parents = {one: _parent(one) for one in _pids()}
    found: dict[int, int] = {}
    todo = [pid]
    while todo:
        above = todo.pop()
        below = [one for one, parent in parents.items() if parent == above]
        found |= dict.fromkeys(below, above)
        todo += below
    return found


def marked(mark: str) -> dict[int, str]:
    """Return the processes that were started with a text in their environment: id to command line; no zombies."""
    found = {}
    for pid in _pids():
        if mark in _read(pid, "environ") and _read(pid, "stat").rpartition(")")[2].split()[:1] != ["Z"]:
            found[pid] = _read(pid, "cmdline").replace("\0", " ").strip()
    return found


def command_lines() -> dict[int, str]:
    """Return what every process was started with."""
    return {pid: _read(pid, "cmdline").replace("\0", " ").strip() for pid in _pids()}


def _kib(text: str, name: str) -> int:
    line = next((line for line in text.splitlines() if line.startswith(name)), "")
    return int(line.split()[1]) if line else 0


@dataclass
class Usage:
    """What a run took: seconds, those of all processors, and the peaks in MiB of its first process, its fork server,
    and of all together.

    Memory that forks share counts once in the sum (the proportional set size).
    """

    seconds: float = 0.0
    processor: float = 0.0
    code: int = 0
    peak: float = 0.0
    warm: float = 0.0
    together: float = 0.0
    said: str = field(default="", repr=False)


def measured(command: Sequence[object], *, cwd: Path, env: Mapping[str, str], log: Path, told: str = "") -> Usage:
    """Run a command to its end and return what it took; it reads `told`, and what it says goes to `log`."""
    _adopt_orphans()
    usage, ended, before = Usage(), threading.Event(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("wb") as out, tempfile.TemporaryFile() as given:
        given.write(told.encode())
        given.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], cwd=cwd, env=dict(env), stdin=given, stdout=out,
                                   stderr=subprocess.STDOUT)
        watch = threading.Thread(target=_watch, args=(process.pid, usage, ended), daemon=True)
        watch.start()
        try:
            usage.code = process.wait()
            usage.seconds = time.perf_counter() - began
            _wait_for_orphans()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            usage.processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        except BaseException:
            process.terminate()     # as Ctrl-C: it ends what it started
            process.wait(30)
            raise
        finally:
            ended.set()
            watch.join()
    usage.said = log.read_text(encoding="utf-8", errors="replace")
    return usage


def _adopt_orphans() -> None:
    """Become the parent of processes whose own has ended: the fork server outlives whom it served by a moment, and
    what it took, its forks included, is known to who waits for it."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)     # PR_SET_CHILD_SUBREAPER


def _wait_for_orphans() -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _watch(pid: int, usage: Usage, ended: threading.Event) -> None:
    """Note the peaks until the run ends. The high-water mark of one process is cheap to read and never falls."""
    last = 0.0
    while not ended.wait(_OFTEN):
        usage.peak = max(usage.peak, _kib(_read(pid, "status"), "VmHWM:") / 1024)
        if time.perf_counter() - last < _SELDOM:
            continue
        last = time.perf_counter()
        below = descendants(pid)
        together = sum(_kib(_read(one, "smaps_rollup"), "Pss:") for one in (pid, *below)) / 1024
        usage.together = max(usage.together, together)
        for one, parent in below.items():
            if parent == pid and "forkserver" in _read(one, "cmdline"):
                usage.warm = max(usage.warm, _kib(_read(one, "status"), "VmHWM:") / 1024)
