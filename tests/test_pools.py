"""Processes that share work out: what they return, and that none outlives the one that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ebank_lib.pools import end_with, pool

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")

# Starts processes that wait, says who they are, and is killed without a chance to end them.
KILLED = """
import os, signal, sys, time
from ebank_lib.pools import pool
if __name__ == "__main__":
    with pool(2, sys.argv[1]) as processes:
        pids = {processes.submit(os.getpid).result()}
        waiting = [processes.submit(time.sleep, 600) for _ in range(4)]
        pids |= set(processes._processes)
        print(*sorted(pids), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("how", ["spawn", pytest.param("fork", marks=linux)])
def test_work_comes_back_in_order(how, recwarn):
    with pool(2, how) as processes:
        assert list(processes.map(abs, [-3, 2, -1])) == [3, 2, 1]


@linux
@pytest.mark.parametrize("how", ["spawn", "fork"])
def test_no_process_outlives_a_killed_one(how, tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    with (tmp_path / "said").open("wb") as said:        # a pipe would stay open as long as they live
        run = subprocess.run([sys.executable, script, how], stdout=said, stderr=subprocess.DEVNULL, timeout=120)
    pids = [int(pid) for pid in (tmp_path / "said").read_text().split()]
    assert run.returncode == -signal.SIGKILL and len(pids) == 2
    until = time.monotonic() + 30
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    left = [pid for pid in pids if alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


@linux
def test_a_process_whose_parent_is_gone_already_ends_at_once():
    run = subprocess.run([sys.executable, "-c", "from ebank_lib.pools import end_with; end_with(1); print(1)"],
                         capture_output=True, timeout=120)
    assert (run.returncode, run.stdout) == (1, b"")


@linux
def test_a_process_stays_while_its_parent_does():
    said = subprocess.run(
        [sys.executable, "-c", "import sys; from ebank_lib.pools import end_with; end_with(int(sys.argv[1])); print(1)",
         str(os.getpid())], capture_output=True, timeout=120)
    assert (said.returncode, said.stdout) == (0, b"1\n")


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr("ebank_lib.pools._libc", None)
    end_with(1)
