"""A notebook run in a process: settled, limited in time, and a failure says where; the same as in a kernel."""

import json
import os
import subprocess
import sys
import time

import nbformat
import papermill
import pytest
from IPython.core.interactiveshell import InteractiveShell

from ebank_lib.errors import EbankError
from ebank_lib.reports.content import executed_from
from ebank_lib.reports.notebook import NotebookFailed, run_notebook, settle
from ebank_lib.reports.parameters import numbered_notebooks, read_notebook
from ebank_lib.reports.processes import Processes

pytestmark = pytest.mark.notebook

GIVEN = {"source": "data/x", "branch": "0351", "lang": "zh"}


def run(path, cell_timeout=60, **given):
    return run_notebook(read_notebook(path), GIVEN | given, cell_timeout)


def text(book):
    return json.dumps(book.cells, ensure_ascii=False)


def test_a_branch_that_looks_like_a_number_stays_text(books):
    book = run(books("branch, type(branch).__name__, horizon"), horizon=18)
    assert "('0351', 'str', 18)" in text(book)
    assert book.metadata.papermill == {"parameters": GIVEN | {"horizon": 18}}


def test_two_runs_leave_the_same_bytes(tmp_path, books):
    path = books("print('a')\nprint('b')", "object()", "import os; os.getcwd() != ''")
    first, second = (nbformat.writes(run(path)) for _ in range(2))
    assert first == second and str(tmp_path) not in first and " at 0x" not in first
    assert "execution" not in str([cell.metadata for cell in nbformat.reads(first, as_version=4).cells])


def test_what_is_written_to_stderr_is_told(books):
    done = executed_from("01", run(
        books("import sys\nprint('/x/ipykernel_1/2.py:1: mind this\\nand that', file=sys.stderr)")))
    assert done.stderr == ("[3] cell:1: mind this",)


def test_a_failure_names_cell_and_message_and_keeps_what_there_is(books):
    with pytest.raises(NotebookFailed) as caught:
        run(books("40 + 2", "raise ValueError('no data for 2010-05')", "never"))
    error = caught.value
    assert (error.cell, error.error, error.message) == (4, "ValueError", "no data for 2010-05")
    assert "42" in text(error.book) and error.book.cells[-1].execution_count is None


def test_a_cell_that_hangs_is_ended_in_time_whatever_it_catches(books):
    begun = time.monotonic()
    with pytest.raises(NotebookFailed, match="Timeout: a cell took longer than 1 s"):
        run(books("import time\ntry:\n    time.sleep(60)\nexcept Exception:\n    pass"), cell_timeout=1)
    assert time.monotonic() - begun < 20


def test_a_process_that_is_a_notebook_already_is_left_alone(books):
    shell = InteractiveShell.instance()
    try:
        with pytest.raises(EbankError) as error:
            run(books("1"))
        assert str(error.value) == "the engine ebank needs a process to itself, and this one runs IPython already"
        assert InteractiveShell.instance() is shell
    finally:
        shell.restore_sys_module_state()
        InteractiveShell.clear_instance()


def test_a_module_planted_in_the_working_directory_is_not_run(tmp_path, books):
    (tmp_path / "planted.py").write_text("print('planted')")
    code = ("import sys; from pathlib import Path; from ebank_lib.reports.notebook import run_notebook\n"
            "from ebank_lib.reports.parameters import read_notebook\n"
            f"run_notebook(read_notebook(Path({str(books('import planted'))!r})), {GIVEN!r})")
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "No module named 'planted'" in done.stderr and "planted\n" not in done.stdout


def test_papermill_finds_the_engine_by_its_name(tmp_path, books):
    path = books("import sys\nprint(branch, 'ipykernel' in sys.modules)")
    code = ("import sys, papermill, ebank_lib.reports.notebook; "
            "papermill.execute_notebook(*sys.argv[1:], {'branch': '0351'}, engine_name='ebank', progress_bar=False)")
    subprocess.run([sys.executable, "-c", code, path, tmp_path / "out.ipynb"], check=True, capture_output=True)
    assert "0351 False" in text(nbformat.read(tmp_path / "out.ipynb", as_version=4))


# ---------------------------------------------------------------- the same as in a kernel

# Each shows something that a process with a past could get wrong.
STATE = """
import sys
print(__name__, sys.flags.utf8_mode, hash("日照"), sys.stdout.isatty())
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
import matplotlib as mpl, matplotlib.units, pandas as pd, numpy as np
print(mpl.get_backend(), mpl.is_interactive(), sorted(k.__name__ for k in matplotlib.units.registry))
print(np.get_printoptions(), np.geterr(), pd.get_option("display.max_rows"), pd.get_option("display.max_columns"))
---
import matplotlib.pyplot as plt
plt.plot([1, 2]);
---
ebank_lib.setup("en")
fig, ax = plt.subplots(); ax.set_title("预测");
---
from IPython.display import display
display("one"); display("another")
print("out"); print("err", file=sys.stderr); print("out again")
pd.DataFrame({"a": [1.5, 2.0]}, index=pd.period_range("2010-01", periods=2, freq="M"))
---
import ebank_lib.catalog, ebank_lib.wording
ebank_lib.wording.language(), ebank_lib.forecast(pd.Series(range(1, 45), dtype=float), 2).table.round(6).head(3)
""".strip().split("\n---\n")


def in_process(path, given, folder, cwd, monkeypatch):
    """Execute a notebook as the batch's processes do."""
    monkeypatch.chdir(cwd)
    for name, value in (("PYTHONHASHSEED", "0"), ("PYTHONUTF8", "1"), ("IPYTHONDIR", str(folder / "ipython")),
                        ("PYDEVD_DISABLE_FILE_VALIDATION", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MPLBACKEND", raising=False)
    asked = {"out": str(folder), "name": "b", "path": str(path), "parameters": given, "key": "k", "cell_timeout": 300}
    with Processes(1, root=str(cwd)) as processes:
        result = processes.submit("notebook", os.environ["EBANK_CACHE"], asked, 600).result()
    assert result["state"] == "done", result
    return read_notebook(folder / ".ebank" / "partial" / "b" / "k" / path.name)


def test_a_notebook_cannot_tell_its_process_from_a_kernel(tmp_path, books, project, monkeypatch, cells_of):
    path = books(*STATE)
    ours = in_process(path, GIVEN, tmp_path, project, monkeypatch)
    kernels = papermill.execute_notebook(read_notebook(path), None, GIVEN, progress_bar=False, kernel_name="python3")
    settle(kernels, read_notebook(path), GIVEN)
    assert [c.get("execution_count") for c in ours.cells] == [c.get("execution_count") for c in kernels.cells]
    ours, kernels = cells_of(ours), cells_of(kernels)
    assert ours == kernels
    assert "seen once" in str(ours) and str(ours).count("always") > 1 and "image/png" in str(ours)


@pytest.mark.slow
@pytest.mark.parametrize("number", ["01", "02", "03"])      # those of the future: test_one_future.py
def test_each_notebook_is_the_same_as_it_is_stored_from_a_kernel(root, tmp_path, number, monkeypatch, cells_of):
    path = next((root / "notebooks").glob(f"{number}_*.ipynb"))
    made = in_process(path, {}, tmp_path, root, monkeypatch)
    assert cells_of(made, pictures=False) == cells_of(read_notebook(path), pictures=False)


def test_only_numbered_notebooks_with_a_branch_are_a_branchs(tmp_path, make):
    for name, parameters in (("01_a", "branch = 'x'"), ("06_province", "source = 'x'"), ("notes", "branch = 'x'")):
        nbformat.write(make.notebook(parameters=parameters), tmp_path / f"{name}.ipynb")
    assert [[p.stem for p in some] for some in numbered_notebooks(tmp_path)] == [["01_a"], ["06_province"]]
