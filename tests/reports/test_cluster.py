"""Branches on a Dask cluster: the same bytes as here, also when a worker is killed while it works."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from ebank_lib.cli import main
from ebank_lib.errors import ConfigError
from ebank_lib.reports.processes import Cluster

pytestmark = pytest.mark.notebook


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
                                  host="127.0.0.1", local_directory=str(tmp_path_factory.mktemp("d"))) as made:
        yield made


def run(cluster, out):
    return main(["report", "--notebooks", "notebooks", "--source", "data/small", "--all", "--lang", "en",
                 "--out", str(out), "--quiet",
                 "--no-cache", "--engine", "dask", "--scheduler", cluster.scheduler_address])


@pytest.mark.slow
def test_two_workers_one_of_which_is_killed_make_the_bytes_that_this_machine_makes(
        cluster, finished, files_of, tmp_path, monkeypatch):
    monkeypatch.chdir(finished)
    killed = []

    def kill():
        while not list((tmp_path / "one").glob(".ebank/partial/*/*/01*.ipynb")):   # a worker is amid a report
            time.sleep(0.01)
        killed.append(next(iter(cluster.workers.values())).pid)
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    assert run(cluster, tmp_path / "one") == 0
    assert killed and files_of(tmp_path / "one") == files_of(finished / "all")


@pytest.mark.slow
def test_a_scheduler_that_is_gone_is_no_wrong_input(finished, tmp_path, monkeypatch, capsys):
    dask = pytest.importorskip("dask", reason="the extra dask is not installed")
    monkeypatch.chdir(finished)
    where = tmp_path / "scheduler.json"
    start = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
             "--no-dashboard", "--scheduler-file", str(where)]
    with subprocess.Popen(start, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as scheduler:
        while not where.exists() or not where.read_text():
            assert scheduler.poll() is None
            time.sleep(0.05)
        address = json.loads(where.read_text())["address"]

        def kill():     # nobody works there: the first task waits
            time.sleep(3)
            scheduler.kill()

        threading.Thread(target=kill, daemon=True).start()
        with dask.config.set({"distributed.comm.timeouts.connect": "3s"}):
            code = main(["report", "--source", "data/small", "--all", "--out", str(tmp_path / "out"), "--quiet",
                         "--engine", "dask", "--scheduler", address])
    assert code == 3 and "scheduler is gone" in capsys.readouterr().err


def test_an_address_where_no_scheduler_answers_is_said(monkeypatch):
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")

    def nobody(address, **_):
        raise OSError(f"Timed out trying to connect to {address}")

    monkeypatch.setattr(distributed, "Client", nobody)
    with pytest.raises(ConfigError, match="no Dask scheduler answers; found 'tcp://127.0.0.1:1'"):
        Cluster("tcp://127.0.0.1:1")


def test_without_the_extra_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"--engine.*needs the extra dask.*pip install 'ebank\[dask\]'"):
        Cluster("tcp://127.0.0.1:1")
