"""Plain papermill on the project's notebooks, from any folder, as somebody who knows papermill expects it to work."""

import subprocess
import sys

import nbformat
import pytest

pytestmark = pytest.mark.notebook

CELL = """\
import ebank_lib as eb
eb.setup(lang)
cleaned = eb.clean(source)
cleaned.series(branch, indicator).name, cleaned.catalog.branch(branch).id, type(branch).__name__"""


@pytest.fixture(scope="module")
def book(project, make, tmp_path_factory):
    path = tmp_path_factory.mktemp("papermill") / "01_look.ipynb"
    nbformat.write(make.notebook(make.code(CELL)), path)
    return path


def papermill(book, cwd, *words):
    """Run papermill's command; return its exit code, what it said, and what the last cell showed."""
    out = cwd / "out.ipynb"
    command = [sys.executable, "-m", "papermill", str(book), "out.ipynb", "-k", "python3", "--no-progress-bar", *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    cell = nbformat.read(out, as_version=4).cells[-1]
    shown = [output["data"]["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]
    return done.returncode, done.stderr, shown[0] if shown else ""


def test_a_branch_that_looks_like_a_number_is_found_from_any_folder_of_the_project(project, book):
    below = project / "notebooks" / "mine"
    below.mkdir(exist_ok=True)
    # papermill takes what looks like a number for one: 351
    assert papermill(book, below, "-p", "branch", "0351")[::2] == (0, "('online', '0351', 'int')")


def test_a_raw_parameter_stays_as_it_was_typed_and_a_source_may_be_elsewhere(project, book, tmp_path):
    source = ["-r", "source", str(project / "data" / "small")]
    words = ["-r", "branch", "0351", "-r", "indicator", "phone"]
    assert papermill(book, tmp_path, *source, *words)[::2] == (0, "('phone', '0351', 'str')")


def test_a_number_that_is_no_branch_is_said_and_so_is_octal(project, book, tmp_path):
    source = ["-p", "source", str(project / "data" / "small")]
    code, said, _ = papermill(book, tmp_path, *source, "-y", "branch: 0351")       # YAML 1.1: 3 * 64 + 5 * 8 + 1
    assert code != 0 and "unknown branch" in said and "233" in said and "0351" in said


def test_a_misspelt_parameter_stops_the_notebook_and_suggests_the_right_one(project, book, tmp_path):
    source = ["-p", "source", str(project / "data" / "small")]
    code, said, _ = papermill(book, tmp_path, *source, "-p", "indicatr", "online")
    assert code != 0 and "unknown parameter" in said and "Did you mean 'indicator'?" in said
