"""What a process forked from the warm parent does: take on the state of a new process, be a kernel or make a call."""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

__all__ = ["Filters", "become", "finish", "plain", "work"]


@dataclass(frozen=True)
class Filters:
    """The warning filters that imports set, as they would stand before those of a kernel or a plain process."""

    of_notebook: list
    of_job: list


def become(request: dict, files: list[int]) -> None:
    """Take on the state that a new process would have."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (2, 1):
        os.dup2(files[-1], number)
        os.close(files.pop())
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    tempfile.tempdir = None
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()      # the generator that forks would share
    gc.enable()


def work(request: dict, conn: socket.socket, channel: socket.socket, filters: Filters, folder: Path) -> int:
    """Do what was asked for and return the exit status."""
    say = _speaker(conn)
    say({"pid": os.getpid()})
    if request["do"] == "kernel":
        channel.close()
        return _kernel(request["argv"], conn, say, filters)
    from . import forking

    warnings.filters[:0] = filters.of_job
    if "matplotlib" in sys.modules:
        sys.modules["matplotlib"].use(os.environ.get("MPLBACKEND", "agg"))
    forking._inherited = forking.WarmParent(folder, channel, reason="")
    return _called(request, say)


def _kernel(argv: list[str], conn: socket.socket, say: Callable[[dict], None], filters: Filters) -> int:
    """Be a kernel until it is asked to end."""
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = [find_spec("ipykernel_launcher").origin, *argv]
    app = IPKernelApp.instance(parent_handle=0)     # the kernel of this system, not a poller, watches the parent
    app.initialize(argv)
    if "ipywidgets" in sys.modules:
        sys.modules["ipywidgets"].register_comm_target()        # what its import does in a kernel
    if "pandas" in sys.modules:
        sys.modules["pandas"].set_option("display.max_columns", 20)     # its import asks whether this is a terminal
    # Where a notebook's imports would have put them: before those that the kernel set.
    warnings.filters[:0] = filters.of_notebook
    say({"ready": True})
    conn.close()
    app.start()
    return 0


def _speaker(conn: socket.socket) -> Callable[[dict], None]:
    lock = threading.Lock()

    def say(what: dict) -> None:
        line = json.dumps(what).encode() + b"\n"
        with lock:
            conn.sendall(line)
    return say


def _called(request: dict, say: Callable[[dict], None]) -> int:
    """Call the function and say what it returned or raised; the traceback goes to the log."""
    module, _, name = request["function"].partition(":")
    try:
        function = getattr(importlib.import_module(module), name)
        say({"result": function(request["payload"], lambda event: say({"event": event}))})
    except Exception as error:
        traceback.print_exc()
        say({"raised": [type(error).__name__, str(error)]})
        return 1
    return 0


def finish(work: Callable[[], int]) -> None:
    """Do a fork's work and end as a process does, except that nothing is taken apart object by object."""
    status = 1
    try:
        status = work()
    except SystemExit as asked:
        status = asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            threading._shutdown()
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)


def plain() -> int:
    """Make one call in a process that was not forked: asked on standard input, telling on standard output."""
    with os.fdopen(os.dup(1), "wb", buffering=0) as told:
        os.dup2(2, 1)
        request = json.loads(sys.stdin.buffer.readline())
        threading.Thread(target=_end_with_caller, daemon=True).start()
        lock = threading.Lock()

        def say(what: dict) -> None:
            with lock:
                told.write(json.dumps(what).encode() + b"\n")
        return _called(request, say)


def _end_with_caller() -> None:
    while os.read(0, 1):        # not through sys.stdin, whose lock would be held when the interpreter ends
        pass
    if os.name == "posix":
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)
