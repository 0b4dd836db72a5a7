"""Processes of a batch: none outlives the one that started it, and its environment is itself again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ebank_lib.reports.processes import Processes

pytestmark = [pytest.mark.notebook, pytest.mark.slow]

# No chance to end what was started.
KILLED = """
import os, signal, sys, time
from pathlib import Path
from ebank_lib.reports.processes import Processes
if __name__ == "__main__":
    with Processes(1, fork=sys.argv[1] == "fork", root=".") as processes:
        hang = {"out": ".", "name": "b", "path": "01_hangs.ipynb", "parameters": {}, "key": "k", "cell_timeout": 600}
        processes.submit("notebook", None, hang, 600)
        while not Path("pid").exists() or not Path("pid").read_text():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
"""
HANGS = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(600)"


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_no_process_outlives_a_killed_one(how, tmp_path, books, monkeypatch):
    (tmp_path / "killed.py").write_text(KILLED)
    books(HANGS, name="01_hangs")
    run = subprocess.run([sys.executable, "killed.py", how], cwd=tmp_path, timeout=120)
    assert run.returncode == -signal.SIGKILL
    pid = (tmp_path / "pid").read_text()
    until = time.monotonic() + 30
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not alive(pid)


def test_the_environment_is_itself_again_after_a_batch(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    before = dict(os.environ)
    with Processes(1, fork=False):
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert dict(os.environ) == before
