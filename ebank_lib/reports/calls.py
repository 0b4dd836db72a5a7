"""A process that was started for somebody, as its caller sees it: what it tells, what it returns, how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import threading
import time

from ..errors import EbankError
from ..wording import t

__all__ = ["Call", "CallFailed"]

# What ends a process at once, and the exit status that tells of it.
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


class CallFailed(EbankError):
    """A called function that gave no result.

    Attributes
    ----------
    error, message, status
        The kind of its error ("" when it was ended from outside), what it said, its exit status (negative: the signal).
    """

    def __init__(self, error: str, message: str, status: int):
        self.error, self.message, self.status = error, message, status
        super().__init__(f"{error}: {message}" if error else message)


class Call:
    """A process, as its caller sees it; it is killed when this is closed or its holder ends.

    Usable where :class:`subprocess.Popen` is: ``pid``, ``returncode``, ``poll``, ``wait``, ``send_signal``.
    """

    stdin = stdout = stderr = None

    def __init__(self, conn: socket.socket, process: subprocess.Popen | None = None):
        self.pid: int | None = None
        self.returncode: int | None = None
        self.ready = False
        self._conn, self._process = conn, process
        self._lock = threading.Lock()
        self._unread = b""
        self._events: list[dict] = []
        self._result: dict | None = None
        self._raised: tuple[str, str] = ("", "")
        conn.setblocking(False)

    def fileno(self) -> int:
        """Return what a selector can wait for: readable when there is news (then :meth:`events` or :meth:`poll`)."""
        return self._conn.fileno()

    @property
    def news(self) -> bool:
        """Whether :meth:`poll` has brought events that nobody has taken yet: a selector does not tell of them."""
        return bool(self._events)

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while the process runs."""
        with self._lock:
            while self.returncode is None:
                try:
                    chunk = self._conn.recv(1 << 16)
                except BlockingIOError:
                    break
                except OSError:     # reset: the other side ended with something of ours unread
                    chunk = b""
                if not chunk:       # nobody was left to say how it ended: the warm parent was killed, and it with it
                    self.returncode = -KILL
                    break
                *lines, self._unread = (self._unread + chunk).split(b"\n")
                for line in lines:
                    self._take(line)
            if self.returncode is not None:
                self._conn.close()
        return self.returncode

    def _take(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except ValueError:          # the beginning of what a killed process wanted to say
            return
        match said:
            case {"event": event}:
                self._events.append(event)
            case {"result": result}:
                self._result = result
            case {"raised": [error, message]}:
                self._raised = (error, message)
            case {"pid": pid}:
                self.pid = pid
            case {"ready": _}:
                self.ready = True
            case {"exited": status}:
                self.returncode = status

    def _until(self, reached, timeout: float | None) -> bool:
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None and not reached():
            left = 0.2 if end is None else min(0.2, end - time.monotonic())
            if left <= 0:
                return False
            with contextlib.suppress(ValueError, OSError), selectors.DefaultSelector() as news:
                news.register(self._conn, selectors.EVENT_READ)     # closed by another thread: seen by poll
                news.select(left)
        return True

    def started(self, timeout: float | None = None) -> int | None:
        """Wait for the process id; None if there is none in time."""
        self._until(lambda: self.pid is not None, timeout)
        return self.pid

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status.

        Raises
        ------
        subprocess.TimeoutExpired
        """
        if not self._until(lambda: False, timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return self.returncode

    def events(self) -> list[dict]:
        """Return what the called function has told since the last time, without waiting."""
        self.poll()
        with self._lock:
            told, self._events = self._events, []
        return told

    def result(self) -> dict:
        """Wait for the end and return what the called function returned.

        Raises
        ------
        CallFailed
            It raised an error, or was killed.
        """
        status = self.wait()
        if status or self._result is None:
            raise CallFailed(*self._raised if self._raised[0] else ("", t("cli.call_killed", status=status)), status)
        return self._result

    def send_signal(self, number: int) -> None:
        """Send a signal to the process and what it started; nothing if it has ended."""
        if self.poll() is not None:
            return
        if self._process is not None:
            _signal(self._process, number)
        else:       # by the warm parent, which knows whether the id is still this process's
            with contextlib.suppress(OSError):
                self._conn.send(b'{"signal": %d}\n' % number)

    def terminate(self) -> None:
        """Ask the process to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process."""
        self.send_signal(KILL)

    def close(self) -> None:
        """Kill the process if it runs, and let go of it."""
        if self.poll() is None:
            if self._process is not None:
                _signal(self._process, KILL)
            with self._lock:
                self._conn.close()
                self.returncode = -KILL

    def __enter__(self) -> Call:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _signal(process: subprocess.Popen, number: int) -> None:
    """Signal a plain process and its group; it leads one where there are groups."""
    if os.name == "posix" and process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
    else:
        process.send_signal(number)
