"""The warm parent: a process that has imported what reports need, holds no data, and forks on request.

Started by :mod:`~ebank_lib.reports.forking` with one end of a socket pair. What arrives there are sockets, each with
two files for the process's output. A line of JSON on such a socket says what to run; from then on the socket is that
process's: closed by its holder it means kill, a line ``{"signal": n}`` is passed on, and how the process ended is said
on it. A job that is forked gets a socket pair of its own for its requests.

Forking is only safe from a single thread and only honest from a state that a new process would have: warnings not yet
shown, its own random numbers, no open file, nothing drawn. Without an argument this module is a plain process that
makes one call, for where processes cannot be forked.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import ModuleType

from ..pools import end_with
from ..wording import t, words
from . import forked
from .forked import Filters
from .forking import remove_own

# In the order in which a kernel comes to them: what it imports itself, what notebooks import, what only jobs import.
_KERNEL = ("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.debugger",
           "IPython.core.completer", "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.oinspect",
           "IPython.core.pylabtools", "IPython.extensions.storemagic", "tornado.platform.asyncio", "psutil",
           "faulthandler")
# Not matplotlib_inline.backend_inline: its import is what ties pictures to a kernel, and belongs into the kernel.
_NOTEBOOKS = ("numpy", "pandas", "pyarrow.parquet", "scipy.stats", "scipy.optimize", "statsmodels.api",
              "arch.unitroot", "numba", "matplotlib.pyplot", "matplotlib.backends.backend_agg", "seaborn", "ipywidgets")
_JOBS = ("papermill", "nbclient", "nbconvert", "xlsxwriter")


# ---------------------------------------------------------------- warming up

def warm_up(still_wanted: Callable[[], None] = lambda: None) -> Filters:
    """Import what notebooks and jobs use, load the compiled engine; `still_wanted` is called now and then."""
    for name in _KERNEL:
        importlib.import_module(name)
    of_kernel = list(warnings.filters)
    for name in chain(_NOTEBOOKS, _modules(of_jobs=False)):
        _import(name)
        still_wanted()
    of_notebook = list(warnings.filters)
    for name in chain(_JOBS, _modules(of_jobs=True)):
        _import(name)
        still_wanted()
    of_job = list(warnings.filters)
    import matplotlib as mpl

    with warnings.catch_warnings(), mpl.rc_context():
        warnings.simplefilter("ignore")
        words()
        _load_engine()
        _load_faces()
        _load_pages()
    # A kernel's own filters come before its imports' (see forked), and what was warned of here was not seen there.
    warnings.filters[:] = of_kernel
    for module in [m for m in sys.modules.values() if isinstance(m, ModuleType)]:
        vars(module).pop("__warningregistry__", None)
    return Filters([one for one in of_notebook if one not in of_kernel],
                   [one for one in of_job if one not in of_kernel])


def _modules(of_jobs: bool) -> Iterator[str]:
    """Yield this package's modules: those that notebooks come to, or those of the command and its reports."""
    package = importlib.import_module(__package__.partition(".")[0])
    own = (f"{package.__name__}.reports", f"{package.__name__}.cli")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name.startswith(own) == of_jobs and not module.name.endswith("__main__"):
            yield module.name


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError:     # needs an extra that is not installed; whoever needs it will be told
        traceback.print_exc()


def _load_engine() -> None:
    """Run what is compiled once on invented numbers, so that every fork finds it loaded."""
    import numpy as np
    import pandas as pd

    import ebank_lib as eb
    from ebank_lib.events import find_interventions
    from ebank_lib.forecasting import backtest
    from ebank_lib.forecasting.ets import fit_ets

    months = np.arange(44.0)
    wave = 0.02 * months + 0.1 * np.sin(months * np.pi / 6) + 0.05 * np.cos(months * months)
    y = pd.Series(np.exp(5 + wave), index=pd.period_range("2007-01", periods=44, freq="M"))
    eb.forecast(y, kind="flow", calendar="china")
    backtest(y, origins=2).scores()
    fit_ets(y.to_numpy(), "AAdN").residuals(y.to_numpy())
    eb.unit_root_battery(y)
    eb.select_order(np.log(y).diff().dropna())
    find_interventions(y)


def _load_faces() -> None:
    """Draw a picture, so that the faces of both scripts have been found and read."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from ..charts.style import use_style

    use_style()
    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    figure.subplots().plot([1, 2])
    figure.suptitle("预测 forecast")
    figure.savefig(io.BytesIO(), format="png")


def _load_pages() -> None:
    """Set an invented page in each language, so that templates are compiled and every function's line is looked up.

    No table is written: pyarrow would start threads.
    """
    import nbformat
    import pandas as pd

    import ebank_lib as eb

    from ..wording import LANGUAGES
    from .content import Content, Item, Stage, set_prose
    from .origin import Reader
    from .page import About, build_page

    nbformat.validate(nbformat.v4.new_notebook())
    items = (Item("prose", set_prose("# 1\n\n*x* $y_1$", "s01", [])),)
    origin = Reader("01").read("\n".join(f"eb.{name}()" for name in eb.__all__), 1)
    month = pd.Period("2007-01", freq="M")
    for lang in LANGUAGES:
        build_page(Content([Stage("s01", "1", "01", (*items, Item("block", "", origin=origin)), ())]),
                   About("b", "b", "i", "s", True, month, month, lang))


# ---------------------------------------------------------------- the parent

@dataclass(eq=False)
class _Life:
    """A socket somebody sent, and the process that it stands for."""

    conn: socket.socket
    files: list[int]
    unread: bytes = b""
    pid: int | None = None
    unsaid: bytes = b""


@dataclass
class _Parent:
    channel: socket.socket
    folder: Path
    owner: str
    filters: Filters
    news: selectors.BaseSelector = field(default_factory=selectors.PollSelector)
    lives: list[_Life] = field(default_factory=list)
    alarm: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)

    def serve(self) -> Callable[[], int] | None:
        """Fork until the channel ends. Returns None in the parent, in each fork what that is to do."""
        bell, ring = self.alarm
        bell.setblocking(False)
        ring.setblocking(False)
        signal.set_wakeup_fd(ring.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.news.register(self.channel, selectors.EVENT_READ, self._arrived)
        self.news.register(bell, selectors.EVENT_READ, self._reap)
        # Before the first fork, so that forks share the memory: a collection would write into all of it.
        gc.collect()
        gc.freeze()
        self.channel.send(b"{}")
        while True:
            # Only a status that nobody reads yet is waited for by the clock.
            for key, _ in self.news.select(1.0 if any(life.unsaid for life in self.lives) else None):
                try:
                    work = key.data(key.fileobj)
                except EOFError:
                    return None
                if work:
                    return work
            for life in [one for one in self.lives if one.unsaid]:
                self._say(life)

    def _arrived(self, channel: socket.socket) -> None:
        """Take a socket that somebody sent."""
        try:
            message, files, _, _ = socket.recv_fds(channel, 16, 3)
        except OSError:
            message, files = b"", []
        if not message:
            if channel is self.channel:
                raise EOFError
            self.news.unregister(channel)
            channel.close()
            return
        conn = socket.socket(fileno=files[0])
        conn.setblocking(False)
        life = _Life(conn, files[1:])
        self.lives.append(life)
        self.news.register(conn, selectors.EVENT_READ, lambda _, life=life: self._heard(life))

    def _heard(self, life: _Life) -> Callable[[], int] | None:
        """Read what the holder of a socket says: what to run, then signals; its end is the process's."""
        if life not in self.lives:      # forgotten since the news came
            return None
        try:
            chunk = life.conn.recv(1 << 16)
        except BlockingIOError:
            return None
        except OSError:
            chunk = b""
        if not chunk:
            self.news.unregister(life.conn)
            if life.pid is None:
                self._forget(life)
            else:
                _kill(life.pid)
            return None
        *lines, life.unread = (life.unread + chunk).split(b"\n")
        for line in lines:
            said = json.loads(line)
            if "signal" not in said:
                return self._fork(life, said)
            if life.pid is not None:
                _send(life.pid, said["signal"])
        return None

    def _fork(self, life: _Life, request: dict) -> Callable[[], int] | None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        me = os.getpid()
        try:
            life.pid = os.fork()
        except OSError as error:        # no memory, or too many processes
            theirs.close()
            ours.close()
            life.unsaid = json.dumps({"raised": ["OSError", str(error)]}).encode() + b'\n{"exited": 1}\n'
            return None
        if life.pid:
            theirs.close()
            while life.files:
                os.close(life.files.pop())
            if request["do"] == "call":
                self.news.register(ours, selectors.EVENT_READ, self._arrived)
            else:
                ours.close()
            return None
        os.setsid()
        end_with(me)
        ours.close()
        self._let_go(life)
        forked.become(request, life.files)
        return lambda: forked.work(request, life.conn, theirs, self.filters, self.folder)

    def _let_go(self, own: _Life) -> None:
        """In a fork: close what belongs to the parent and to other processes."""
        signal.set_wakeup_fd(-1)
        for key in list(self.news.get_map().values()):
            if key.fileobj is not own.conn:
                key.fileobj.close()
        self.news.close()
        self.alarm[1].close()
        for life in self.lives:
            if life is not own:
                life.conn.close()
                while life.files:
                    os.close(life.files.pop())
        own.conn.setblocking(True)

    def _reap(self, bell: socket.socket) -> None:
        """Say of each process that has ended how, and end what it had started."""
        with contextlib.suppress(BlockingIOError):
            while bell.recv(4096):
                pass
        for life in list(self.lives):
            if life.pid and os.waitid(os.P_PID, life.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                _kill(life.pid)         # its group; not waited for yet, so the id is still its own
                _, status = os.waitpid(life.pid, 0)
                # On a new line: it may have been killed in the middle of one.
                life.unsaid = b'\n{"exited": %d}\n' % os.waitstatus_to_exitcode(status)
                life.pid = None
                self._say(life)

    def _say(self, life: _Life) -> None:
        try:
            life.unsaid = life.unsaid[life.conn.send(life.unsaid):]
        except BlockingIOError:     # its holder has not read what the process told
            return
        except OSError:             # it has no holder any more
            life.unsaid = b""
        if not life.unsaid:
            with contextlib.suppress(KeyError):
                self.news.unregister(life.conn)
            self._forget(life)

    def _forget(self, life: _Life) -> None:
        life.conn.close()
        while life.files:
            os.close(life.files.pop())
        self.lives.remove(life)

    def end(self) -> None:
        """Kill what was forked, remove the private folder."""
        running = [life.pid for life in self.lives if life.pid]
        for pid in running:
            _kill(pid)
        for pid in running:
            os.waitpid(pid, 0)
        remove_own(self.folder, self.owner)


def _send(pid: int, number: int) -> None:
    """Signal a process and its group; a process just forked may not lead one yet."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _kill(pid: int) -> None:
    _send(pid, signal.SIGKILL)


def main(argv: list[str]) -> int:
    """Be the warm parent: the socket's number, the private folder and whose it is, whether to warm up. Without these
    arguments make one call.
    """
    if not argv:
        return forked.plain()
    channel, folder, owner = socket.socket(fileno=int(argv[0])), Path(argv[1]), argv[2]
    channel.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)        # Ctrl-C is for the orchestrator, which then ends this
    if sys.path[0] == str(Path.cwd()):                  # where -m was run; a kernel puts its own there
        del sys.path[0]
    gc.disable()

    def still_wanted() -> None:
        hung_up = select.poll()
        hung_up.register(channel, select.POLLHUP)
        if any(event & select.POLLHUP for _, event in hung_up.poll(0)):
            remove_own(folder, owner)
            sys.exit(0)

    filters = warm_up(still_wanted) if argv[3] == "warm" else Filters([], [])
    parent = _Parent(channel, folder, owner, filters)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        channel.send(json.dumps({"refused": t("cli.fork_threads", threads=threads)}).encode())
        return 1
    work = parent.serve()
    if work is None:
        parent.end()
        return 0
    forked.finish(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
