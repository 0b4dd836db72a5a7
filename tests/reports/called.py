"""Functions that the tests call in processes of their own."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


def tells(payload, tell):
    for n in range(payload["n"]):
        tell({"n": n})
    print("printed")
    return {"doubled": payload["n"] * 2}


def much(payload, tell):
    for _ in range(4):
        tell({"text": "数" * 300_000})
    return {}


def raises(payload, tell):
    raise KeyError("no such month")


def killed(payload, tell):
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(payload, tell):
    """Hang, with a child that would outlive this."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    tell({"pid": os.getpid(), "child": child.pid})
    time.sleep(300)


def hangs_with_kernel(payload, tell):
    """Hang as a job does: a kernel asked for through the way that it has inherited."""
    from ebank_lib.reports.forking import inherited

    kernel = inherited().kernel(["-f", str(Path(os.environ["TMPDIR"]) / "k.json"), "--IPKernelApp.transport=ipc"],
                                env=os.environ)
    while not kernel.ready and kernel.poll() is None:
        time.sleep(0.01)
    (Path(os.environ["TMPDIR"]) / "left").write_text("behind")
    tell({"pid": os.getpid(), "child": kernel.pid})
    time.sleep(300)


def looks(payload, tell):
    """Say in what state this process is."""
    here = Path("/proc/self")
    return {"environment": {k: v for k, v in os.environ.items() if k.startswith("EB")},
            "cwd": str(Path.cwd()), "threads": threading.active_count(), "tasks": len(list((here / "task").iterdir())),
            "sockets": sum("socket" in str(f.readlink()) for f in (here / "fd").iterdir() if f.exists()),
            "files": sorted({str(f.readlink()) for f in (here / "fd").iterdir() if f.exists() and f.name in "012"}),
            "random": random.random(), "hash": hash("日照"),
            "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD,
                                                           signal.SIGPIPE)],
            "session": os.getsid(0) == os.getpid()}
