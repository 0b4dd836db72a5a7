"""An installed ebank needs no checkout: a wheel in an environment of its own makes a report from another folder."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from math import sin
from pathlib import Path

import nbformat
import pytest

from benchmarks.killing import CATALOG, SOURCES

pytestmark = [pytest.mark.slow, pytest.mark.notebook]
BRANCHES = "branch,zh,en,role,aliases,merged_into,merged_month\n0351,东城分行,East,branch,东城,,\n"
PLANTED = "open('planted', 'w')\nimport ebank_lib as eb\neb.setup(lang)"


def run(*words, cwd):
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([str(word) for word in words], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=root)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An environment with this wheel, which for all else sees the packages of the one that runs the tests."""
    folder = tmp_path_factory.mktemp("env")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    assert run(python, "-c", "import ebank_lib; print(ebank_lib.__file__)", cwd=folder).startswith(str(site))
    return site


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with a source of one branch, and with notebooks that whoever runs ebank there did not ask for."""
    source = tmp_path / "data" / "small"
    source.mkdir(parents=True)
    rows = [f"东城,{2009 + n // 12}-{n % 12 + 1:02d},{10000 + 40 * n + 300 * sin(n * n):.0f}" for n in range(40)]
    for name, text in (("catalog.yaml", CATALOG), ("branches.csv", BRANCHES), ("sources.yaml", SOURCES),
                       ("cells.csv", "branch,month,online\n" + "\n".join(rows) + "\n")):
        (source / name).write_text(text, encoding="utf-8")
    book = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell('source = branch = indicator = start = end = ""\nlang = "zh"',
                                  metadata={"tags": ["parameters"]}),
        nbformat.v4.new_markdown_cell("# 一", metadata={"tags": ["lang-zh"]}),
        nbformat.v4.new_markdown_cell("# One", metadata={"tags": ["lang-en"]}),
        nbformat.v4.new_code_cell(PLANTED)])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (tmp_path / "notebooks").mkdir()
    nbformat.write(book, tmp_path / "notebooks" / "01_data_cleaning.ipynb")
    return tmp_path


def test_the_wheel_holds_all_that_the_library_reads(wheel, root):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = root / "ebank_lib"
    wanted = {path.relative_to(root).as_posix() for path in package.rglob("*")
              if path.is_file() and "__pycache__" not in path.parts}
    wanted |= {f"ebank_lib/notebooks/{path.name}" for path in (root / "notebooks").glob("*.ipynb")}
    wanted |= {"ebank_lib/data/reference/facts.csv", "ebank_lib/data/catalog.yaml", "ebank_lib/data/problems.yaml"}
    assert wanted <= names
    assert not [name for name in names if name.startswith(("tests", "tools", "benchmarks", "data", "notebooks"))]


def test_a_report_from_another_folder_runs_the_notebooks_of_the_package(installed, elsewhere):
    ebank = installed.parents[2] / "bin" / "ebank"
    run(ebank, "report", "--source", "data/small", "--branch", "0351", "--lang", "en", "--quiet", "--out", "out",
        cwd=elsewhere)
    made = sorted((elsewhere / "out" / "0351" / "notebooks").glob("*.ipynb"))
    ours = sorted((installed / "ebank_lib" / "notebooks").glob("0[1-5]*.ipynb"))
    assert [path.name for path in made] == [path.name for path in ours]
    codes = [[cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"
              and not {"parameters", "injected-parameters"} & set(cell.metadata.get("tags", []))]
             for path in (made[0], ours[0])]
    assert codes[0] == codes[1]
    assert (elsewhere / "out" / "0351" / "report.html").exists() and not (elsewhere / "planted").exists()
