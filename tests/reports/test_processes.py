"""Processes of a batch: scripts need no guard, none outlives the one that started it, the script is itself again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ebank_lib.reports.processes import _Spawn

pytestmark = [pytest.mark.notebook, pytest.mark.slow]

# No guard around what is done, and no chance to end what was started.
KILLED = """
import os, signal, sys, time
from pathlib import Path
from ebank_lib.reports.processes import Processes
print("script", flush=True)
with Processes(1, fork=sys.argv[1] == "fork", root=".") as processes:
    hang = {"out": ".", "name": "b", "path": "01_hangs.ipynb", "parameters": {}, "key": "", "cell_timeout": 600}
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
def test_a_script_needs_no_guard_and_no_process_outlives_a_killed_one(how, tmp_path, books, monkeypatch):
    (tmp_path / "killed.py").write_text(KILLED)
    books(HANGS, name="01_hangs")
    (tmp_path / "t").mkdir()
    with (tmp_path / "said").open("wb") as said:        # a pipe would stay open as long as they live
        run = subprocess.run([sys.executable, "killed.py", how], cwd=tmp_path, stdout=said, timeout=120,
                             env={**os.environ, "TMPDIR": str(tmp_path / "t")})
    assert run.returncode == -signal.SIGKILL and (tmp_path / "said").read_text() == "script\n"
    pid = (tmp_path / "pid").read_text()
    until = time.monotonic() + 30
    while (alive(pid) or list((tmp_path / "t").iterdir())) and time.monotonic() < until:
        time.sleep(0.02)
    assert not alive(pid) and list((tmp_path / "t").iterdir()) == []


def test_the_script_is_itself_again_once_a_process_has_started():
    before = sys.modules["__main__"]
    process = _Spawn().Process(target=os.getpid)
    process.start()
    process.join()
    assert sys.modules["__main__"] is before and process.exitcode == 0
