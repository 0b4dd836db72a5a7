"""The notebooks tell the story and leave the work to the library; their stored outputs are what they say today.

Replaying them is nbval's work (``make test``); here are the rules they keep and the proof that a moved digit fails.
"""

import re
import subprocess
import sys

import nbformat
import pytest

NAMES = ["01_data_cleaning", "02_indicator_analysis", "03_stationarity_and_order", "04_forecasting",
         "05_strategy_scenarios", "06_province_overview"]
PARAMETERS = {"source", "branch", "indicator", "start", "end", "lang"}


def tags(cell):
    return set(cell.metadata.get("tags", []))


@pytest.fixture(params=NAMES)
def notebook(request, root):
    return nbformat.read(root / "notebooks" / f"{request.param}.ipynb", as_version=4)


def code_cells(notebook):
    return [c for c in notebook.cells if c.cell_type == "code"]


def test_it_is_parameterised_the_same_way(notebook):
    cells = [c for c in code_cells(notebook) if "parameters" in tags(c)]
    assert len(cells) == 1
    names = set(re.findall(r"^(\w+)\s*=", cells[0].source, re.M))
    # The province's notebook is the one that names no branch.
    assert PARAMETERS - names <= ({"branch"} if "06-" in notebook.cells[0]["id"] else set())


def test_its_cells_are_short_and_call_the_library(notebook):
    for cell in code_cells(notebook):
        if "parameters" in tags(cell):
            continue
        lines = [x for x in cell.source.splitlines() if x.strip() and not x.strip().startswith("#")]
        assert len(lines) <= 6, cell.source
        assert not re.search(r"^\s*(def|for|while|class|try|with|if)\b", cell.source, re.M), cell.source


def test_it_is_stored_executed_without_errors_or_warnings(notebook):
    for cell in code_cells(notebook):
        assert cell.execution_count is not None
        for out in cell.outputs:
            assert out.output_type != "error"
            assert out.get("name") != "stderr", out.text


def test_its_prose_stands_in_both_languages(notebook):
    zh = [c for c in notebook.cells if "lang-zh" in tags(c)]
    en = [c for c in notebook.cells if "lang-en" in tags(c)]
    assert len(zh) == len(en) >= 2
    assert all(re.search(r"[\u4e00-\u9fff]", c.source) for c in zh)
    assert not any(re.search(r"[\u4e00-\u9fff]{6,}", c.source) for c in en)
    assert all("lang-zh" in tags(c) or "lang-en" in tags(c) for c in notebook.cells if c.cell_type == "markdown")


def test_no_stored_output_depends_on_the_machine(notebook):
    for cell in code_cells(notebook):
        assert not re.search(r"0x[0-9a-f]{8,}|/home/|\.venv|/t" r"mp", str(cell.outputs))


@pytest.mark.slow
def test_nbval_fails_on_one_moved_digit(root, tmp_path):
    """Change one digit of a stored table of the first notebook: its replay must fail, and only there."""
    name = f"{NAMES[0]}.ipynb"
    notebook = nbformat.read(root / "notebooks" / name, as_version=4)
    cell, out = next((c, o) for c in code_cells(notebook) for o in c.outputs
                     if re.search(r'<td class="n">\d', o.get("data", {}).get("text/html", "")))
    html = out.data["text/html"]
    at = re.search(r'<td class="n">(\d)', html).start(1)
    out.data["text/html"] = html[:at] + str((int(html[at]) + 1) % 10) + html[at + 1:]
    nbformat.write(notebook, tmp_path / name)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "--nbval-sanitize-with", str(root / "tests/nbval_sanitize.cfg"),
         "--nbval-cell-timeout=120", "-p", "no:cacheprovider", "-q", "--rootdir", str(tmp_path), str(tmp_path / name)],
        cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 1, result.stdout[-2000:]
    assert re.search(r"\b1 failed\b", result.stdout), result.stdout[-2000:]
    assert cell.source.splitlines()[0] in result.stdout
