"""Kernels forked from a warm parent are as new ones are, only sooner there; what hangs or dies is seen."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from ebank_lib.reports import forking, kernels
from ebank_lib.reports.execution import NotebookError, run_notebooks
from ebank_lib.reports.forking import WarmParent, available

pytestmark = [pytest.mark.notebook, pytest.mark.skipif(available() != "", reason="kernels are not forked here")]


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    with WarmParent.start(tmp_path_factory.mktemp("warm") / "private") as parent:
        assert not parent.reason
        yield parent


@pytest.fixture
def bare(tmp_path):
    with WarmParent.start(tmp_path / "private", warm=False) as parent:
        yield parent


def both_ways(monkeypatch, warm, out, *paths, **how):
    """Run notebooks in new kernels and in forked ones; the bytes that they leave."""
    left = []
    for name, parent in (("new", None), ("forked", warm)):
        monkeypatch.setattr(forking, "_inherited", parent)
        left.append([done.path.read_bytes() for done in run_notebooks(
            out=out / name, notebooks=paths, **{"source": "data/x", "branch": "0351"} | how)])
    return left


# Each shows something that a process with a past could get wrong.
STATE = """
import sys, os, signal, threading, logging, tempfile
print(sys.argv[0].rpartition("/")[2], sys.path[0], __name__, sys.flags.utf8_mode, hash("日照"))
print(sorted(k for k in os.environ if k.startswith(("MPL", "PYTHON"))), os.environ.get("MPLBACKEND"))
print([signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)], tempfile.tempdir)
print(sorted({t.name.split("-")[0] for t in threading.enumerate()} - {"Thread"}), logging.getLogger().level)
---
import warnings
import numpy as np, pandas as pd, scipy.stats, statsmodels.api as sm, seaborn, matplotlib as mpl
import ebank_lib
from statsmodels.tools.sm_exceptions import ConvergenceWarning
for _ in range(2):
    warnings.warn("seen once", UserWarning)
    warnings.warn("always", ConvergenceWarning)
    warnings.warn("deprecated", DeprecationWarning)
np.array([1.0]) / 0
---
import warnings
said = [f"{f[0]} {f[1] and f[1].pattern} {f[2].__name__} {f[3]}" for f in warnings.filters]
print(sorted(said), said[-8:])     # among those of imports the first import comes last
---
import matplotlib as mpl, matplotlib.units, pandas as pd, numpy as np
print(mpl.get_backend(), mpl.is_interactive(), sorted(k.__name__ for k in matplotlib.units.registry))
print({k: v for k, v in mpl.rcParams.items() if mpl.rcParamsDefault[k] != v})
print(np.get_printoptions(), np.geterr(), pd.get_option("display.max_rows"))
---
import matplotlib.pyplot as plt
plt.plot([1, 2]);
---
ebank_lib.setup("en")
fig, ax = plt.subplots(); ax.set_title("预测");
---
import pandas as pd
from IPython import get_ipython
shell = get_ipython()
print(sorted(shell.kernel.comm_manager.targets), [f.__name__ for f in shell.events.callbacks["post_execute"]])
pd.DataFrame({"a": [1.5, 2.0]}, index=pd.period_range("2010-01", periods=2, freq="M"))
---
import ebank_lib.catalog, ebank_lib.wording
ebank_lib.wording.language(), ebank_lib.forecast(pd.Series(range(1, 45), dtype=float), 2).table.round(6).head(3)
---
1 / 0
""".strip().split("\n---\n")


def test_a_notebook_cannot_tell_a_forked_kernel_from_a_new_one(monkeypatch, warm, tmp_path, books):
    states, error = books(*STATE[:-1]), books("x = 1", *STATE[-1:], name="02_b")
    one, other = both_ways(monkeypatch, warm, tmp_path, states, cwd=tmp_path)
    assert one == other
    assert b"seen once" in one[0] and one[0].count(b"always") > 1 and b"image/png" in one[0]
    for name, parent in (("new", None), ("forked", warm)):
        monkeypatch.setattr(forking, "_inherited", parent)
        with pytest.raises(NotebookError, match=r"02_b, cell \[4\]: ZeroDivisionError"):
            run_notebooks("data/x", "0351", tmp_path / name, notebooks=[error], cwd=tmp_path)
    assert (tmp_path / "new" / "02_b.ipynb").read_bytes() == (tmp_path / "forked" / "02_b.ipynb").read_bytes()


@pytest.mark.slow
def test_notebook_two_leaves_the_same_bytes(monkeypatch, warm, tmp_path, root):
    one, other = both_ways(monkeypatch, warm, tmp_path, root / "notebooks" / "02_indicator_analysis.ipynb",
                           source="data/shandong", branch="rizhao", lang="en")
    assert one == other


def test_random_numbers_are_each_kernels_own(monkeypatch, warm, tmp_path, books):
    monkeypatch.setattr(forking, "_inherited", warm)
    cell = "import random, numpy as np\nrandom.random(), np.random.rand(), np.random.default_rng().random()"
    done = run_notebooks("s", "b", tmp_path / "out", notebooks=[books(cell), books(cell, name="02_b")], cwd=tmp_path)
    one, two = (json.loads(d.path.read_text())["cells"][-1]["outputs"][0]["data"]["text/plain"] for d in done)
    assert not set("".join(one).strip("()").split(", ")) & set("".join(two).strip("()").split(", "))


def test_a_kernel_that_is_killed_is_seen_at_once(monkeypatch, bare, tmp_path, books):
    monkeypatch.setattr(forking, "_inherited", bare)
    begun = time.monotonic()
    with pytest.raises(NotebookError, match="Kernel died"):
        run_notebooks("s", "b", tmp_path / "out", notebooks=[books("import os, signal\nos.kill(os.getpid(), 9)")],
                      cwd=tmp_path)
    assert time.monotonic() - begun < 20
    with pytest.raises(NotebookError, match="longer than 1 s"):
        run_notebooks("s", "b", tmp_path / "out", notebooks=[books("while True: pass")], cwd=tmp_path, cell_timeout=1)


def test_a_kernel_that_does_not_start_is_ended_in_time(monkeypatch, bare, tmp_path, books):
    monkeypatch.setattr(forking, "_inherited", bare)
    monkeypatch.setattr(kernels.ForkedProvisioner, "start_limit", 0.0)
    with pytest.raises(NotebookError, match="did not listen within 0 s"):
        run_notebooks("s", "b", tmp_path / "out", notebooks=[books("1")], cwd=tmp_path)
    monkeypatch.setattr(kernels.ForkedProvisioner, "start_limit", 60.0)
    with pytest.raises(NotebookError, match="ended before it listened"):
        run_notebooks("s", "b", tmp_path / "out", notebooks=[books("1")], cwd=tmp_path / "absent")


def test_interrupt_and_restart_reach_the_kernel(bare, tmp_path):
    async def lived():
        km = kernels.manager(bare)(config=kernels.config(bare.folder, "k"))
        await km.start_kernel(env=kernels.environment(bare.folder), cwd=str(tmp_path))
        client = km.client()
        client.start_channels()
        await client.wait_for_ready(60)
        ids = [km.provisioner.pid]

        async def said(code):
            content = {"status": "aborted"}
            while content["status"] == "aborted":       # so a kernel answers for a moment after an error
                content = (await client.execute(code, reply=True, timeout=30))["content"]
            return content.get("ename", content["status"])
        try:
            hung = asyncio.ensure_future(said("import time\ntime.sleep(60)"))
            await asyncio.sleep(0.5)
            await km.interrupt_kernel()
            assert await hung == "KeyboardInterrupt" and await said("x = 1") == "ok"
            await km.restart_kernel()
            await client.wait_for_ready(60)
            ids.append(km.provisioner.pid)
            assert await said("x") == "NameError" and await km.is_alive()
        finally:
            client.stop_channels()
            await km.shutdown_kernel()
        return ids, await km.is_alive()
    (one, two), alive = asyncio.run(lived())
    assert one != two and not alive and not any(Path(f"/proc/{pid}").exists() for pid in (one, two))
    assert not list(bare.folder.glob("k*")), "a file of the kernel was left"


def test_a_manager_makes_the_client_that_does_not_wait_on_a_kernel_that_has_answered():
    for made in (kernels.manager(), kernels.OwnKernelManager):
        assert type(made().client()) is kernels.OwnKernelClient
