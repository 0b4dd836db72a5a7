"""Processes started from a warm parent: in a tenth of a second instead of seconds, since the libraries are there.

The warm parent (:mod:`~ebank_lib.reports.warm`) has imported what reports need and holds no data; each process is a
fork of it. A request is a socket handed over through a socket pair, so there is no address that a stranger could
connect to and no file that could be left. That socket is the process's life: it says the process id, what the
process tells, its result and how it ended; when it is closed (by choice, or because its holder died) the process is
killed. A job that dies thus takes its kernels along, and an orchestrator that dies takes all.

Where processes cannot be forked the same calls start plain processes (:attr:`WarmParent.reason` says why).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ..errors import ConfigError, EbankError
from ..wording import t
from .calls import Call
from .kernels import environment

__all__ = ["WarmParent", "available", "inherited", "private_folder"]

# The first compilation of the engine after an installation takes the better part of this.
_WARM_WITHIN = 300.0
_LIBRARY = Path(__file__).parents[2]
# The file in a private folder that says which warm parent it belongs to.
OWNER = "owner"
# Set in a job that was forked: its own way to the warm parent.
_inherited: WarmParent | None = None


def available() -> str:
    """Return "" where processes can be forked from a warm parent, else the reason why not.

    Only Linux: on macOS a fork after its frameworks were loaded is unsafe, and nothing there ends a process together
    with its parent.
    """
    if not sys.platform.startswith("linux"):
        return t("cli.fork_platform", platform=sys.platform)
    return ""


def private_folder(out: Path) -> Path:
    """Return the folder for the sockets and temporary files of all runs into `out`: the next run finds what a killed
    one left. Its name is short, since a socket's address may have 107 bytes.
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    key = hashlib.sha256(os.fsencode(Path(out).resolve())).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"ebank-{user}-{key}"


def _made_anew(folder: Path) -> str:
    """Make a private folder, after removing what an ended run left; never one of somebody else. Returns whose it is."""
    end = time.monotonic() + 5.0        # processes of a run that was just killed may still be ending in it
    while True:
        try:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
                raise ConfigError("is in the way", file=str(folder), expected="a folder of this user, or nothing")
            shutil.rmtree(folder)
        except FileNotFoundError:
            pass
        except OSError:
            if time.monotonic() > end:
                raise
        try:
            folder.mkdir(mode=0o700)
            break
        except FileExistsError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)
    owner = secrets.token_hex(8)
    (folder / OWNER).write_text(owner)
    return owner


def remove_own(folder: Path, owner: str) -> None:
    """Remove a private folder, unless another run has made it its own."""
    with contextlib.suppress(OSError):
        if (folder / OWNER).read_text() == owner:
            shutil.rmtree(folder, ignore_errors=True)


class WarmParent:
    """The way to processes forked from a warm parent; plain processes where that is not possible.

    Attributes
    ----------
    folder : Path
        The private folder: temporary files and sockets of every process, removed at the end.
    """

    def __init__(self, folder: Path, channel: socket.socket | None = None, process: subprocess.Popen | None = None,
                 reason: str | None = None, owner: str = ""):
        self.folder, self._owner = folder, owner
        self._channel, self._process, self._reason = channel, process, reason
        self._lock = threading.Lock()
        self._plain_calls: weakref.WeakSet[Call] = weakref.WeakSet()

    @classmethod
    def start(cls, folder: Path, log: Path | None = None, fork: bool = True, warm: bool = True) -> WarmParent:
        """Start a warm parent and return at once; the first request waits until it is warm.

        Parameters
        ----------
        folder : Path
            See :func:`private_folder`. What an ended run left there is removed: the caller sees to it that no other
            run uses it.
        log : Path, optional
            Where the warm parent writes its errors.
        fork : bool
            False for plain processes.
        warm : bool
            False for a parent that has imported nothing: there at once, and each process imports for itself.

        Raises
        ------
        ConfigError
            The folder is somebody else's.
        """
        owner = _made_anew(folder)
        reason = available() if fork else t("cli.fork_unwanted")
        if reason:
            return cls(folder, reason=reason, owner=owner)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environ = {name: value for name, value in environment(folder).items() if not name.startswith("JPY_")} | {
            # The one thread that pyarrow's memory allocator would start; a fork must find none but the main one.
            "JE_ARROW_MALLOC_CONF": "background_thread:false",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",     # as in a kernel
        }
        with contextlib.ExitStack() as stack:
            errors = stack.enter_context(log.open("ab")) if log else subprocess.DEVNULL
            command = [sys.executable, "-m", f"{__package__}.warm", str(theirs.fileno()), str(folder), owner,
                       "warm" if warm else "bare"]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, cwd=_LIBRARY,
                                       env=environ, pass_fds=[theirs.fileno()], start_new_session=True)
        theirs.close()
        return cls(folder, ours, process, owner=owner)

    @property
    def reason(self) -> str:
        """Why processes are not forked, "" when they are; waits until the warm parent is warm."""
        with self._lock:
            if self._reason is None:
                self._reason = self._hello()
            return self._reason

    def _hello(self) -> str:
        self._channel.settimeout(_WARM_WITHIN)
        try:
            said = self._channel.recv(1 << 16)
        except OSError:
            said = b""
        self._channel.settimeout(None)
        if said:
            return json.loads(said).get("refused", "")
        self._end()
        return t("cli.fork_ended")

    def call(self, function: str, payload: Mapping[str, Any], *, env: Mapping[str, str] | None = None,
             log: Path | None = None, cwd: Path | None = None) -> Call:
        """Call a function in a process of its own.

        Parameters
        ----------
        function : str
            ``module:name``; called with the payload and ``tell``, which takes dictionaries to :meth:`Call.events`
            (it waits when nobody reads them). What it returns, a dictionary, is :meth:`Call.result`. Within it,
            :func:`inherited` leads to the warm parent.
        payload : mapping
            What JSON can say.
        env : mapping, optional
            The whole environment; else this process's. ``TMPDIR`` becomes the private folder.
        log : Path, optional
            Where the process's output goes (appended).

        Raises
        ------
        EbankError
            The warm parent has ended.
        """
        environ = {**(os.environ if env is None else env), "TMPDIR": str(self.folder)}
        request = {"do": "call", "function": function, "payload": dict(payload), "env": environ,
                   "cwd": str(cwd or Path.cwd())}
        with contextlib.ExitStack() as stack:
            out = stack.enter_context((log or Path(os.devnull)).open("ab"))
            return self._plain(request, out) if self.reason else self._ask(request, out, out)

    def kernel(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path | str | None = None,
               stdout: IO | int | None = None, stderr: IO | int | None = None) -> Call:
        """Start a kernel with the arguments that ``ipykernel_launcher`` takes; ``Call.ready`` once it answers.

        Raises
        ------
        EbankError
            The warm parent has ended, or there is none.
        """
        if self.reason:
            raise EbankError(self.reason)
        request = {"do": "kernel", "argv": list(argv), "env": dict(env), "cwd": str(cwd or Path.cwd())}
        with Path(os.devnull).open("ab") as nowhere:
            return self._ask(request, stdout or nowhere, stderr or nowhere)

    def _ask(self, request: dict, out: IO | int, err: IO | int) -> Call:
        ours, theirs = socket.socketpair()
        with theirs:
            files = [theirs.fileno(), *(f if isinstance(f, int) else f.fileno() for f in (out, err))]
            try:
                socket.send_fds(self._channel, [b"."], files)
                ours.sendall(json.dumps(request).encode() + b"\n")
            except OSError as error:
                ours.close()
                raise EbankError(t("cli.fork_ended")) from error
        return Call(ours)

    def _plain(self, request: dict, out: IO) -> Call:
        ours, theirs = socket.socketpair()
        process = subprocess.Popen([sys.executable, "-m", f"{__package__}.warm"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=out, env=request["env"], cwd=request["cwd"],
                                   start_new_session=os.name == "posix")
        threading.Thread(target=_carry, args=(process, theirs, request), daemon=True).start()
        call = Call(ours, process)
        self._plain_calls.add(call)
        return call

    def _end(self) -> None:
        for call in list(self._plain_calls):
            call.close()
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def close(self) -> None:
        """End the warm parent and all that was started from it; remove the private folder."""
        self._end()
        remove_own(self.folder, self._owner)

    def __enter__(self) -> WarmParent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _carry(process: subprocess.Popen, conn: socket.socket, request: dict) -> None:
    """Do for a plain process what the warm parent does for a forked one: pass on what it says, then how it ended."""
    with conn, process:
        try:
            conn.sendall(b'{"pid": %d}\n' % process.pid)
            # Left open: its end tells the process that its caller is gone.
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            for line in process.stdout:
                conn.sendall(line)
            conn.sendall(b'\n{"exited": %d}\n' % process.wait())
        except OSError:     # nobody listens, or it ended before it was asked
            process.kill()
            with contextlib.suppress(OSError):
                conn.sendall(b'\n{"exited": %d}\n' % process.wait())


def inherited() -> WarmParent | None:
    """Return the way to the warm parent that this process was forked from; None in any other process."""
    return _inherited
