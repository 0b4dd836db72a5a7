"""A researcher in JupyterLab: a notebook is opened, its branch changed, all cells run, and the pictures are there."""

import json
import os
import re
import shutil
import subprocess
import sys
import time

import pytest

# What the researcher does by hand, through the application that JupyterLab shows when asked to.
CHANGE = """(() => { const cells = jupyterapp.shell.currentWidget.content.model.sharedModel.cells;
  const cell = cells.find((c) => (c.metadata.tags || []).includes("parameters"));
  cell.setSource(cell.getSource().replace(/branch = "rizhao"/, 'branch = "weifang"')); return cell.getSource() })()"""
OUTPUTS = """jupyterapp.shell.currentWidget.content.model.sharedModel.cells.filter((c) => c.cell_type === "code")
  .map((c) => ({count: c.execution_count, outputs: c.outputs}))"""


@pytest.fixture
def lab(root, tmp_path, browser):
    """JupyterLab on a copy of the notebooks: its address."""
    shutil.copytree(root / "notebooks", tmp_path / "notebooks")
    (tmp_path / "data").symlink_to(root / "data")
    environment = {**os.environ, "PYTHONPATH": str(root), "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
                   "JUPYTER_DATA_DIR": str(tmp_path / "state"), "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    with (tmp_path / "log").open("w+", encoding="utf-8") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0", "--ip=127.0.0.1",
             "--expose-app-in-browser", "--IdentityProvider.token=x", "--ServerApp.root_dir=" + str(tmp_path),
             "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"],
            env=environment, stdout=log, stderr=log, cwd=tmp_path)
        try:
            yield until(lambda: re.search(r"http://127\.0\.0\.1:\d+/", (tmp_path / "log").read_text()))[0]
            browser.open("about:blank")     # what JupyterLab has to say on leaving is not the next page's
        finally:
            server.terminate()
            server.wait(30)


def until(asked, seconds: float = 120):
    """Return the first true answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := asked():
            return answer
        time.sleep(0.2)
    raise TimeoutError("nothing came")


@pytest.mark.slow
@pytest.mark.notebook
def test_a_branch_is_changed_and_the_notebook_run_in_jupyterlab(browser, lab):
    browser.open(lab + "lab/tree/notebooks/02_indicator_analysis.ipynb?token=x")
    until(lambda: browser.run("!!(window.jupyterapp?.shell?.currentWidget?.content?.model?.cells?.length)"))
    browser.run("jupyterapp.shell.currentWidget.context.ready.then(() => "
                "jupyterapp.shell.currentWidget.sessionContext.ready).then(() => 0)")
    assert 'branch = "weifang"' in browser.run(CHANGE)
    browser.run("jupyterapp.commands.execute('notebook:run-all-cells').then(() => 0)")
    cells = browser.run(OUTPUTS)
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert [output for output in outputs if output["output_type"] == "error"] == []
    assert all(cell["count"] for cell in cells)
    shown = json.dumps(outputs, ensure_ascii=False)
    assert "潍坊" in shown and "日照" not in shown
    drawn = "[...document.querySelectorAll('.jp-OutputArea img')].filter((i) => i.naturalWidth > 300).length"
    assert browser.run(drawn) >= 3
