"""A project in which everything that a source may name is hostile, and one batch of reports made of it.

No socket of the internet opens in any of its processes, and the database's address carries a secret.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import openpyxl
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

SECRET = "s3cr3t-Passw0rd"
LABEL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
FORMULA = "=cmd|' /C calc'!A0"
DIRECTIONS = "\u202e\u2066turned\u2069\u200b"
CATALOG = """\
units: {户: {base: 户, factor: 1}}
base_units: {户: {zh: "{branch}<b>户", en: "<i onclick=x>customers"}}
groups: {all: {zh: "<svg/onload=x>", en: "@SUM(A1)"}}
indicators:
  - {key: online, zh: "网银 $\\\\frac{", en: "-1+1 <iframe src=javascript:alert(3)>", group: all, kind: stock, unit: 户}
  - {key: phone, zh: "{0.__class__}", en: "+phone ${x} %s%n", group: all, kind: stock, unit: 户}
"""
BRANCHES = f"""\
branch,zh,en,role,aliases,merged_into,merged_month
0351,"{LABEL.replace('"', '""')}","{FORMULA}",branch,东城,,
west,＝1+1 西城,"javascript:alert(4)//../../x $x_{{1",branch,西城,,
"""
SOURCES = f"""\
title: {{zh: "@题目 {{branch}}", en: '{LABEL.replace("'", "''")}'}}
catalog: catalog.yaml
branches: branches.csv
files:
  - url_env: EBANK_HOSTILE_URL
    query: SELECT month, bank, n FROM figures ORDER BY month
    name: "=DATABASE() <b>"
    branch: bank
    month: {{from: column, column: month}}
    columns: {{n: {{indicator: online, unit: 户}}}}
  - path: "*.xlsx"
    month: {{from: file, pattern: "(?P<year>\\\\d{{4}})-(?P<month>\\\\d{{2}})"}}
    sheets:
      - {{sheet: "*表*", branch: 机构, unmapped: keep, headings: {{电话: phone}}}}
"""
# What every kernel, job and parent loads first: it notes whoever asks for the internet, and refuses.
GUARD = """\
import os
import socket

def _refused(what):
    def refuse(self, address, *rest):
        # A library that is imported binds to ::1 to see whether there is IPv6: nothing is sent.
        local = what == "bind" and address[0] in ("::1", "127.0.0.1")
        if getattr(self, "family", None) in (socket.AF_INET, socket.AF_INET6) and not local:
            with open(os.environ["EBANK_GUARD"], "a") as log:
                print(what, address, file=log)
            raise OSError("the internet is closed")
        return getattr(super(Closed, self), what)(address, *rest)
    return refuse

class Closed(socket.socket):
    pass

for _name in ("connect", "connect_ex", "bind"):
    setattr(Closed, _name, _refused(_name))
socket.socket = Closed

def _no_name(*arguments, **options):
    with open(os.environ["EBANK_GUARD"], "a") as log:
        print("getaddrinfo", arguments, file=log)
    raise socket.gaierror("the internet is closed")

socket.getaddrinfo = _no_name
"""
FIRST = f"""\
import sitecustomize, socket
import matplotlib.pyplot as plt
import pandas as pd
import ebank_lib as eb
from ebank_lib.charts.style import use_style
from ebank_lib.display import describe
eb.setup(lang)
use_style()
cleaned = eb.clean(eb.open_source(source))
label = cleaned.catalog.branch(branch).label(lang)
hostile = ["<script>alert(5)</script>", "{FORMULA}", "+1", "-1", "@x", "\\t=1", "\\r=1", "＝1", "x" * 100_000,
           "\\0\\x1b[2J", "{DIRECTIONS}", "../../x", "javascript:alert(6)", "[a](javascript:alert(7))"]
print(socket.socket is sitecustomize.Closed)"""
SHOW = """\
frame = pd.DataFrame({"text": hostile, "value": range(len(hostile))})
eb.record("hostile", describe(frame, heads={"text": "=head " + label}), "=title " + label)
eb.state("hostile", label + note)
eb.show(frame, caption=label + note, notes=hostile[:3])"""
DRAW = 'plt.plot([1, 2], label=label); plt.title(label + " $x_{1"); plt.xlabel(note); plt.legend();'


@dataclass(frozen=True)
class Made:
    """A finished run: the project, its output folder, what was said, and what asked for the internet."""

    project: Path
    out: Path
    code: int
    stdout: str
    stderr: str
    network: str

    def files(self, pattern: str = "*") -> list[Path]:
        return sorted(p for p in self.out.rglob(pattern) if p.is_file() and not p.is_symlink())


def run(project: Path, *words: str) -> subprocess.CompletedProcess:
    """Run ``ebank`` in a project, without the internet."""
    guard = project / "guard"
    guard.mkdir(exist_ok=True)
    (guard / "sitecustomize.py").write_text(GUARD, encoding="utf-8")
    root = Path(__file__).resolve().parent.parent.parent
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(guard), str(root)]),
        "PYTHONUTF8": "1",
        "EBANK_GUARD": str(project / "guard" / "log"),
        "EBANK_HOSTILE_URL": f"sqlite:///file:{project / 'figures.db'}?mode=ro&token={SECRET}&uri=true",
    }
    return subprocess.run(
        [sys.executable, "-m", "ebank_lib", *words],
        cwd=project,
        env=environ,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def code(source: str, tags=(), **ebank):
    cell = new_code_cell(source)
    cell.metadata.update({k: v for k, v in (("tags", list(tags)), ("ebank", ebank)) if v})
    return cell


def write_project(root: Path) -> Path:
    """Write a project: a database, three workbooks, catalogue and two notebooks, the second of which fails for west."""
    data = root / "data" / "hostile"
    data.mkdir(parents=True)
    (root / "notebooks").mkdir()
    for name, text in (("catalog.yaml", CATALOG), ("branches.csv", BRANCHES), ("sources.yaml", SOURCES)):
        (data / name).write_text(text, encoding="utf-8")
    with sqlite3.connect(root / "figures.db") as base:
        base.execute("CREATE TABLE figures (month TEXT, bank TEXT, n INTEGER)")
        base.executemany(
            "INSERT INTO figures VALUES (?, ?, ?)",
            [
                (f"{2009 + n // 12}-{n % 12 + 1:02}", bank, start + 37 * n)
                for n in range(15)
                for bank, start in (("东城", 10_000), ("西城", 7_000), (FORMULA, 5))
            ],
        )
    base.close()
    for n in range(3):
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = "<b>表=1+1'&"
        for row in (
            [LABEL],
            ["机构", "电话", "=SUM(A1)<b>", "javascript:alert(8)"],
            ["东城", 100 + n, FORMULA, "@x"],
            ["西城", 90 + n, LABEL, "+1"],
            ["../../etc/passwd", 1, "-1+1", "=1"],
            [DIRECTIONS, "２", "{branch}", "%s"],
            ["注：" + LABEL, "", "", ""],
        ):
            sheet.append(row)
        for line in sheet.iter_rows():
            for cell in line:
                cell.data_type = "s" if isinstance(cell.value, str) else cell.data_type
        book.save(data / f"2009-0{n + 1} =cmd&<b>'.xlsx")
    parameters = ("source = 'data/hostile'\nbranch = '0351'\nindicator = 'online'\nstart = None\nend = None\n"
                  "lang = 'zh'\nnote = ''")
    books = {
        "01_first": [
            code(parameters, ["parameters"]),
            new_markdown_cell("# First\n"),
            code(FIRST),
            code(SHOW),
            code(DRAW, ["first-screen"], caption_zh="{branch}", caption_en="{branch} {indicator}"),
            code("cleaned"),
            code("cleaned.source.files(), cleaned.source"),
            code("cleaned.ledger.tail(9)"),
        ],
        "02_second": [
            code(parameters, ["parameters"]),
            new_markdown_cell("# Second\n"),
            code(FIRST),
            code("assert branch != 'west', label + note"),
        ],
    }
    for name, cells in books.items():
        book = new_notebook(cells=cells)
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        for n, cell in enumerate(book.cells):
            cell["id"] = f"cell-{n}"
        nbformat.write(book, root / "notebooks" / f"{name}.ipynb")
    return root


def run_all(project: Path, out: str, *words: str) -> subprocess.CompletedProcess:
    """Have all reports of the hostile source made."""
    return run(project, "report", "--source", "data/hostile", "--all", "--lang", "en", "--notebooks", "notebooks",
               "--out", out, *words)


NOTE = "\"'); raise SystemExit(1) #\\ {x} <script>alert(9)</script>"


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    """All reports of the hostile project; the branch west fails."""
    project = write_project(tmp_path_factory.mktemp("hostile"))
    done = run_all(project, "out", "--log", "json", "-p", f"note={NOTE}")
    log = project / "guard" / "log"
    return Made(
        project, project / "out", done.returncode, done.stdout, done.stderr, log.read_text() if log.exists() else ""
    )
