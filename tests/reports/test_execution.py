"""Notebooks are run with papermill: settled, limited in time, and a failure says where."""

import json
import time

import nbformat
import pytest

from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.files import write_atomically
from ebank_lib.reports.execution import NotebookError, branch_notebooks, run_notebooks

pytestmark = pytest.mark.notebook


def run(tmp_path, *paths, **options):
    return run_notebooks("data/x", "0351", tmp_path / "out", notebooks=paths, cwd=tmp_path, **options)


def text(path):
    return json.dumps(json.loads(path.read_text(encoding="utf-8"))["cells"], ensure_ascii=False)


def test_a_branch_that_looks_like_a_number_stays_text(tmp_path, books):
    told = []
    done = run(tmp_path, books("branch, type(branch).__name__, horizon"), extra={"horizon": "18"},
               progress=lambda *event: told.append(event))
    assert done[0].parameters == {"source": "data/x", "branch": "0351", "lang": "zh", "horizon": 18}
    assert "('0351', 'str', 18)" in text(done[0].path)
    assert [event for event, *_ in told if event != "tick"] == ["start", "done"]


def test_two_runs_leave_the_same_bytes(tmp_path, books):
    path = books("print('a')\nprint('b')", "object()", "import os; os.getcwd() != ''")
    first = run(tmp_path, path)[0].path.read_bytes()
    second = run(tmp_path, path)[0].path.read_bytes()
    assert first == second and str(tmp_path).encode() not in first
    book = nbformat.reads(first.decode(), as_version=4)
    assert book.metadata.papermill == {"parameters": {"source": "data/x", "branch": "0351", "lang": "zh"}}
    assert "execution" not in str([cell.metadata for cell in book.cells]) and " at 0x" not in first.decode()


def test_what_is_written_to_stderr_is_reported(tmp_path, books):
    done = run(tmp_path, books("import warnings\nwarnings.warn('mind this')"))
    assert len(done[0].stderr) == 1 and "mind this" in done[0].stderr[0] and "ipykernel" not in done[0].stderr[0]


def test_a_failure_names_notebook_cell_and_message_and_keeps_what_there_is(tmp_path, books):
    good, bad = books("1 + 1"), books("40 + 2", "raise ValueError('no data for 2010-05')", "never", name="02_b")
    with pytest.raises(NotebookError) as caught:
        run(tmp_path, good, bad)
    error = caught.value
    assert (error.notebook, error.cell, error.error, error.message) == ("02_b", 4, "ValueError", "no data for 2010-05")
    assert str(error).startswith("02_b, cell [4]: ValueError: no data for 2010-05 (kept: ")
    assert "42" in text(error.kept) and (tmp_path / "out" / "01_a.ipynb").exists()


def test_a_cell_that_hangs_and_a_kernel_that_dies_are_failures_of_their_notebook(tmp_path, books):
    begun = time.monotonic()
    with pytest.raises(NotebookError, match="longer than 1 s"):
        run(tmp_path, books("1", "import time; time.sleep(60)"), cell_timeout=1)
    with pytest.raises(NotebookError, match="Kernel died"):
        run(tmp_path, books("import os; os._exit(1)", name="02_b"))
    assert time.monotonic() - begun < 20


def test_a_misspelt_parameter_stops_before_anything_runs(tmp_path, books):
    with pytest.raises(UnknownNameError, match="Did you mean 'horizon'"):
        run(tmp_path, books("1"), extra={"horizn": "3"})
    assert not (tmp_path / "out").exists()


def test_kernels_have_one_thread_and_are_not_the_users(tmp_path, books):
    done = run(tmp_path, books("import os, sys\nos.environ['OPENBLAS_NUM_THREADS'], os.environ['PYTHONHASHSEED']"))
    assert "('1', '0')" in text(done[0].path)


def test_a_folder_with_braces_in_its_name_is_only_a_folder(tmp_path, books):
    out = tmp_path / "{branch}"
    done = run_notebooks("s", "b", out, notebooks=[books("1")], cwd=tmp_path)
    assert done[0].path.parent == out and done[0].path.exists()


def test_only_numbered_notebooks_with_a_branch_are_a_branchs(tmp_path, make):
    for name, parameters in (("01_a", "branch = 'x'"), ("06_province", "source = 'x'"), ("notes", "branch = 'x'")):
        nbformat.write(make.notebook(parameters=parameters), tmp_path / f"{name}.ipynb")
    assert [p.stem for p in branch_notebooks(tmp_path)] == ["01_a"]
    with pytest.raises(ConfigError, match="no notebook for a branch"):
        branch_notebooks(tmp_path / "none")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a.txt"
    write_atomically(target, b"one")
    write_atomically(target, b"two")
    assert target.read_bytes() == b"two" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    with pytest.raises(ConfigError, match="cannot be written"):
        write_atomically(tmp_path / "absent" / "a.txt", b"x")
