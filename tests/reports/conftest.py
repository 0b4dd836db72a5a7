"""Small notebooks, as they are before and after execution, and a project of two branches to run them in."""

from __future__ import annotations

import base64
import shutil
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ebank_lib.display import html_table
from ebank_lib.reports.page import About
from ebank_lib.reports.record import table_of

HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(2)>"\'&\u202e=cmd|'
PARAMETERS = """\
source = "data/small"
branch = "0351"
indicator = "online"
start = None
end = None
lang = "zh"
horizon = 12"""


def png(width=2, height=1) -> str:
    """A valid white picture."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\xff" * width for _ in range(height))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) \
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


def code(source, outputs=(), tags=(), count=None, **ebank):
    cell = new_code_cell(source, outputs=list(outputs), execution_count=count)
    cell.metadata.update({k: v for k, v in (("tags", list(tags)), ("ebank", ebank)) if v})
    return cell


def prose(zh, en):
    cells = [new_markdown_cell(zh), new_markdown_cell(en)]
    for cell, lang in zip(cells, ("zh", "en")):
        cell.metadata["tags"] = [f"lang-{lang}"]
    return cells


def shown(data, **metadata):
    return new_output("display_data", data=data, metadata=metadata)


def notebook(*cells, parameters=PARAMETERS):
    book = new_notebook(cells=[code(parameters, tags=["parameters"], count=1), *cells])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for n, cell in enumerate(book.cells):
        cell["id"] = f"cell-{n}"
    return book


@pytest.fixture(scope="session")
def make():
    """The makers above."""
    return SimpleNamespace(code=code, prose=prose, shown=shown, notebook=notebook, png=png, hostile=HOSTILE)


@pytest.fixture
def books(tmp_path, make):
    """Write a notebook with these cells of code."""
    def written(*sources, name="01_a"):
        path = tmp_path / f"{name}.ipynb"
        nbformat.write(make.notebook(*[make.code(s) for s in sources]), path)
        return path
    return written


@pytest.fixture
def executed(tmp_path) -> list[Path]:
    """Two executed notebooks with figures, tables, records and lines of state."""
    frame = pd.DataFrame({"indicator": [HOSTILE, "b"], "value": [1.25, float("nan")],
                          "month": pd.PeriodIndex(["2010-01", "2010-02"], freq="M")})
    first = notebook(
        *prose("# 清洗\n\n一段话，$\\phi_1$。\n\n## 第一节 <b onclick=x>\n",
               "# Cleaning\n\nProse, $\\phi_1$.\n\n## One <i>\n"),
        code("growth = eb.select_order(y)", count=2),
        code("growth.plot()", [shown({"image/png": png()}, **{"image/png": {"width": 900, "height": 500}})], count=3,
             tags=["first-screen"], caption_zh="{branch}的增长", caption_en="Growth of {branch}"),
        code("eb.show(frame)", [new_output("execute_result", data={
            "text/html": html_table(frame, caption="各项 <i>", notes=["注 & <b>"], lang="zh"), "text/plain": "x"},
            execution_count=4)], count=4),
        code("eb.record('growth', frame)", [shown({}, ebank={
            "table": table_of("growth", frame, "增长 " + HOSTILE, "zh")})], count=5),
        code("eb.state(...)", [shown({"text/html": f'<p class="reading">{"好"}</p>', "text/plain": "好"}, ebank={
            "state": {"name": "growth", "text": "客户数1.25 " + HOSTILE, "cells": [
                [3, 7, [{"table": "growth", "column": "value", "rows": {"indicator": HOSTILE}}]]]}})], count=6))
    second = notebook(
        *prose("# 预测", "# Forecast"),
        code("figure", [shown({"image/svg+xml": "<svg onload='alert(1)'/>"})], count=2, caption_zh="路径",
             caption_en="Paths"),
        code("print(1)", [new_output("stream", name="stdout", text="<u>plain</u>\n")], count=3),
        code("hidden", [shown({"text/html": "<p>secret</p>"})], tags=["not-on-page"], count=4))
    paths = [tmp_path / "01_cleaning.ipynb", tmp_path / "02_forecast.ipynb"]
    for path, book in zip(paths, (first, second)):
        nbformat.write(book, path)
    return paths


@pytest.fixture
def about():
    """What a report says of itself, in a language; the texts are hostile."""
    def made(lang="zh"):
        return About("0351", "分行 " + HOSTILE, "指标 " + HOSTILE, "来源 " + HOSTILE, True, pd.Period("2010-01", "M"),
                     pd.Period("2010-12", "M"), lang,
                     chain=({"step": "source", "count": 2, "sha256": "ab" * 32},),
                     files=({"file": "a<b>.xlsx", "bytes": 3, "sha256": "cd" * 32},))
    return made


CATALOG = """\
units: {户: {base: 户, factor: 1}}
base_units: {户: {zh: 户, en: customers}}
groups: {all: {zh: 全部, en: All}}
indicators:
  - {key: online, zh: 网银客户数, en: Online customers, group: all, kind: stock, unit: 户}
  - {key: phone, zh: 电话银行客户数, en: Phone customers, group: all, kind: stock, unit: 户}
"""
BRANCHES = """\
branch,zh,en,role,aliases,merged_into,merged_month
0351,东城分行,East,branch,东城,,
west,<script>alert(1)</script>,West & Co,branch,西城,,
"""
SOURCES = """\
title: {zh: 试验, en: Trial}
simulated: true
catalog: catalog.yaml
branches: branches.csv
calendar: none
files:
  - path: "cells.csv"
    layout: long
    branch: branch
    month: {from: column, column: month, format: "%Y-%m"}
    columns:
      online: {indicator: online, unit: 户}
      phone: {indicator: phone, unit: 户}
"""
FIRST = """\
import ebank_lib as eb
eb.setup(lang)
cleaned = eb.clean(eb.open_source(source))"""
TABLE = """\
frame = cleaned.series(branch, indicator).rename("value").to_frame()
eb.record("series", frame)
eb.show(frame.reset_index(), caption="series")"""


LAST = """\
from ebank_lib.wording import cell, cite
eb.state("last", branch + " " + cite(f"{frame['value'].iloc[0]:.0f}", cell("series", "value", month=frame.index[0])))"""


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    """A project with a source of two branches and two notebooks; the second fails for horizon 13."""
    root = tmp_path_factory.mktemp("project")
    data = root / "data" / "small"
    (root / "notebooks").mkdir()
    data.mkdir(parents=True)
    for name, text in (("catalog.yaml", CATALOG), ("branches.csv", BRANCHES), ("sources.yaml", SOURCES)):
        (data / name).write_text(text, encoding="utf-8")
    months = pd.period_range("2009-01", "2010-12", freq="M")
    rows = [f"{branch},{month},{base + 37 * n},{base // 2 + 11 * n}"
            for branch, base in (("东城", 10000), ("西城", 7000)) for n, month in enumerate(months)]
    (data / "cells.csv").write_text("branch,month,online,phone\n" + "\n".join(rows) + "\n", encoding="utf-8")
    first = notebook(*prose("# 清洗", "# Cleaning"), code(FIRST), code(TABLE),
                     code(LAST))
    second = notebook(*prose("# 预测", "# Forecast"), code("import matplotlib.pyplot as plt"),
                      code("plt.plot(range(horizon));", caption_zh="{branch}", caption_en="{branch}"),
                      code("assert horizon != 13, f'unlucky {horizon}'"), code("branch, source, horizon"))
    for name, book in (("01_cleaning", first), ("02_forecast", second)):
        nbformat.write(book, root / "notebooks" / f"{name}.ipynb")
    return root


@pytest.fixture(scope="session")
def sample_reports(root, cleaned, tmp_path_factory) -> dict[str, Path]:
    """The notebooks as they are stored, executed, made into reports: Rizhao's and the province's. Nothing runs."""
    from ebank_lib.reports.branch import Province, build, names_of
    from ebank_lib.reports.seal import run_json_bytes
    from ebank_lib.versions import library_versions, package_sha256

    made = {}
    files = cleaned.source.files()[["file", "bytes", "sha256"]].to_dict("records")
    for branch, numbers in (("rizhao", "01 02 03 04 05"), ("shandong", "06")):
        books = sorted(p for p in (root / "notebooks").glob("*.ipynb") if p.name[:2] in numbers.split())
        label, indicator = cleaned.catalog.branch(branch).label("zh"), cleaned.catalog.indicator("")
        about = About(branch, label, indicator.label("zh"), cleaned.source.title("zh"), True, cleaned.months[0],
                      cleaned.months[-1], "zh", files=tuple(files),
                      indicator=indicator.key, names=names_of(Province("data/shandong", cleaned, (), ()), "zh"))
        _, written = build(books, about)
        folder = made[branch] = tmp_path_factory.mktemp("sample") / branch
        for name, content in written.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        run = {"code": package_sha256(), "versions": library_versions(), "about": about.plain, "files": files,
               "stages": [p.stem for p in books], "source": "data/shandong", "data": [], "simulated": True,
               "parameters": {p.stem: {"branch": branch, "indicator": indicator.key} for p in books}}
        (folder / "run.json").write_bytes(run_json_bytes(run, written))
    return made


LOOK = """\
import os, pathlib, time, ebank_lib as eb
bad = pathlib.Path(f"{branch}.bad")
exec(bad.read_text() if bad.exists() else "")
eb.clean(eb.open_source(source)).series(branch, indicator).iloc[-1]"""


@pytest.fixture(scope="session")
def whole_project(project, make, tmp_path_factory):
    """A project with a notebook of all branches; the second one does what ``BRANCH.bad`` says, if there is one."""
    root = tmp_path_factory.mktemp("batch") / "project"
    shutil.copytree(project, root, ignore=shutil.ignore_patterns("reports", "again", "all", "unwanted"))
    parameters = 'source = ""\nindicator = ""\nstart = ""\nend = ""\nlang = "zh"'
    book = make.notebook(*make.prose("# 全省", "# All"), make.code("import ebank_lib as eb\neb.setup(lang)"),
                         make.code("eb.clean(eb.open_source(source)).branches"), parameters=parameters)
    nbformat.write(book, root / "notebooks" / "06_all.ipynb")
    second = nbformat.read(root / "notebooks" / "02_forecast.ipynb", as_version=4)
    second.cells[-1].source = LOOK
    nbformat.write(second, root / "notebooks" / "02_forecast.ipynb")
    return root


@pytest.fixture(scope="module")
def finished(whole_project, tmp_path_factory):
    """That project with all its reports in ``all``, made by a run that nobody disturbed."""
    from ebank_lib.cli import main

    root = shutil.copytree(whole_project, tmp_path_factory.mktemp("finished") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert main(["report", "--source", "data/small", "--all", "--lang", "en", "--out", "all", "--quiet",
                     "--notebooks", "notebooks"]) == 0
    return root


def contents(folder: Path, history: bool = True) -> dict[str, bytes]:
    """Every file of a run by its path; without what tells of the run before, if that is asked for."""
    gone = () if history else ("previous.json", "changes.html", "run.json")
    return {path: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
            and not (path := p.relative_to(folder).as_posix()).startswith(".ebank")
            and not ((path in gone or p.name == "previous.json") and gone)}


@pytest.fixture(scope="session")
def files_of():
    """The function above."""
    return contents


def executed_cells(book, pictures=True):
    """What an executed notebook shows, cell by cell, but for its numbering; of a picture, if asked, only that it is."""
    cells = []
    for cell in book.cells:
        outputs, streams = [], {}       # a kernel sends a stream in pieces, as it comes
        for one in cell.get("outputs", ()):
            if one.output_type == "stream":
                streams[one.name] = streams.get(one.name, "") + one.text
            else:
                data = {kind: content if pictures or kind != "image/png" else "" for kind, content
                        in one.get("data", {}).items()}
                outputs.append({**one, "data": data, "execution_count": None})
        if "injected-parameters" not in cell.metadata.get("tags", []):
            cells.append((cell.source, outputs, streams))
    return cells


@pytest.fixture(scope="session")
def cells_of():
    """The function above."""
    return executed_cells
