"""What every test may ask for. Nothing here copies reference data; tests that need it skip where it is absent."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
STORE = os.environ["EBANK_CACHE"]       # named by the root's conftest; a task takes it out of its environment

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci")

# In the background of a shell Ctrl-C is ignored, and so it would be by the processes that tests start and interrupt.
if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The reference data that lie beside the project, never in it."""
    folder = Path(os.environ.get("EBANK_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"reference data absent: {folder}")
    return folder


@pytest.fixture(scope="session")
def shandong():
    """The sample's source, opened."""
    from ebank_lib.sources import open_source

    return open_source(ROOT / "data" / "shandong")


@pytest.fixture(scope="session")
def cleaned(shandong):
    """The sample, cleaned with the default policy."""
    from ebank_lib.cleaning import clean

    return clean(shandong)


@pytest.fixture(scope="session")
def make_report():
    """Make a branch's report, or that of all together, as the command does, and return its folder; a failure raises."""
    from ebank_lib.errors import EbankError
    from ebank_lib.reports.batch import Order, run_batch
    from ebank_lib.reports.tasks import reason

    def made(source, branch=None, out="reports", notebooks=None, **asked):
        folder = Path(out).absolute()
        order = Order(str(source), folder, "", lambda _: "", branch, branch is None, again=True,
                      cache=Path(STORE),
                      notebooks=notebooks and Path(notebooks).absolute(), **asked)
        outcome = run_batch(order, lambda _: None)
        for failed in outcome.failed.values():
            raise EbankError(reason(failed))
        return folder / outcome.done[0]
    return made


@pytest.fixture(scope="session")
def summaries():
    """A maker of n branches' summaries, with a total of all if asked: plausible, to be copied before a change."""
    return _summaries


@cache
def _summaries(n: int, total: bool = False, lang: str = "zh") -> list[dict]:
    import math
    import random
    from types import SimpleNamespace

    import pandas as pd

    from ebank_lib.catalog import load_catalog
    from ebank_lib.forecasting.scoring import Grade, grade_rule
    from ebank_lib.reports.cells import rows_of
    from ebank_lib.reports.record import table_of
    from ebank_lib.reports.summary import attention

    catalog = load_catalog(ROOT / "data" / "catalog.yaml", ROOT / "data" / "branches.csv")
    known, key = [catalog.branches[name] for name in catalog.reporting], "mobile_txn"
    indicator = {"key": key, "label": {lg: catalog.indicator(key).label(lg) for lg in ("zh", "en")},
                 "unit": {lg: catalog.unit_label(key, lg) for lg in ("zh", "en")}, "kind": "flow"}
    months = [str(m) for m in pd.period_range("2008-09", periods=48, freq="M")]
    said = []
    for at in range(n + total):
        rng, whole = random.Random(at), total and at == n
        level, y = rng.uniform(2e4, 5e6), []
        for _ in range(36):
            level *= math.exp(rng.gauss(rng.choice([0.03, 0.03, -0.01]), 0.06))
            y.append(round(level))
        width = rng.uniform(0.05, 0.3)
        by = {"lo-80": -0.33, "hi-80": 0.33, "lo-95": -0.5, "hi-95": 0.5}
        ahead = [{"month": month, "y_hat": level * 1.03 ** h}
                 | {name: level * (1.03 ** h + k * width * h ** 0.5) for name, k in by.items()}
                 for h, month in enumerate(months[36:], 1)]
        figures = (rng.uniform(0.2, 1.15), rng.uniform(4, 25), 0.93, 95.0, rng.choice([12] * 9 + [4]))
        grade = Grade(grade_rule(figures[0], *figures[2:]), *figures)
        odds = [rng.random() ** (1 if at % 3 else 2) for _ in range(3)]
        names = [("存量客户转化率80%", "Conversion of existing customers 80%"),
                 ("房贷客户覆盖率100%", "Mortgage coverage 100%"),
                 ("富裕客户覆盖率70%", "Coverage of affluent customers 70%")]
        one = known[at % len(known)]
        more = f"{at // len(known) + 1}" if at >= len(known) else ""
        made = {
            "schema": 1, "branch": "shandong" if whole else one.id + more, "role": "total" if whole else "branch",
            "label": ({"zh": "山东省分行", "en": "Shandong"} if whole else
                      {"zh": one.zh + more, "en": f"{one.en} {more}".strip()}),
            "source": {"title": {"zh": "电子银行月报", "en": "Monthly workbooks"}, "simulated": True},
            "indicator": indicator, "months": [months[0], months[35]], "spark": {"months": months[:36], "y": y},
            "latest": {"month": months[35], "y": y[-1], "yoy": y[-1] / y[-13] - 1},
            "forecast": ahead, "trust": {"grade": grade.letter, "cells": ["grade[combination].letter"],
                                         "why": {lg: grade.reading(lg) for lg in ("zh", "en")}},
            "targets": [{"key": f"t{k}", "label": {"zh": zh, "en": en}, "deadline": "2012-12", "odds": p,
                         "said": f"{p:.0%}", "verdict": "on_course" if p >= 0.5 else "behind",
                         "goal": dict.fromkeys(("zh", "en"), "80.0%"), "short": max(0.0, 0.3 * (0.5 - p)),
                         "then": dict.fromkeys(("zh", "en"), f"{80 * (1 - max(0.0, 0.3 * (0.5 - p))):.1f}%")}
                        for k, (p, (zh, en)) in enumerate(zip(odds, names, strict=True))],
            "state": [], "not_done": {},
        }
        check = [{"month": months[35], "actual": y[-1], "y_hat": y[-2], "lo-95": y[-2] * 0.9, "hi-95": y[-2] * 0.95,
                  "inside-95": bool(at % 7)}]
        if at % 11 == 5:
            made["not_done"] = {"05_strategy_scenarios": {"cell": 9, "message": "needs 24 months; found 20"}}
        none = pd.DataFrame({"branch": [], "decision": [], "month": pd.PeriodIndex([], freq="M"), "indicator": []})
        made["attention"] = [] if whole else list(attention(
            made, {"check": rows_of(table_of("check", pd.DataFrame(check)))},
            SimpleNamespace(judged=none, catalog=catalog)))
        said.append(made)
    return said


@pytest.fixture(scope="session")
def failures():
    """Two branches without a report: one with an older one, one that ended before its notebooks."""
    return [
        {"branch": "linyi", "label": {"zh": "临沂分行", "en": "Linyi"}, "notebook": "04_forecasting", "cell": 6,
         "error": "SeriesError", "message": "series 'mobile_txn': has no variance", "kept": "04_forecasting.ipynb",
         "older": True, "command": "ebank report --source data/shandong --branch linyi --lang zh"},
        {"branch": "dezhou", "label": {"zh": "德州分行", "en": "Dezhou"}, "notebook": None, "cell": None,
         "error": "MemoryError", "message": "", "kept": None, "older": False,
         "command": "ebank report --source data/shandong --branch dezhou --lang zh"},
    ]


@pytest.fixture(autouse=True)
def _language_and_store_restored():
    """A test, or a command that a module's fixture ran, does not change the language or the store of the next test."""
    from ebank_lib.wording import use_language

    use_language("zh")
    os.environ["EBANK_CACHE"] = STORE
    yield
    use_language("zh")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """The folder of the socket of a PostgreSQL server that is there for the tests, with the superuser `ebank`."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "")]
    if not found[-1].is_file():
        pytest.skip("PostgreSQL is not installed")
    import pwd  # which Windows does not have

    # The server refuses to be root's; whoever it is then must reach its folder, whose name a socket's has room for.
    other = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        if other:
            shutil.chown(folder, "nobody")
        data = Path(folder) / "data"
        run = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **other}
        subprocess.run([found[-1], "-D", data, "-U", "ebank", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
                       check=True, **run)
        server = subprocess.Popen([found[-1].parent / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=",
                                   "-c", "fsync=off"], **run)
        try:
            for _ in range(300):
                if subprocess.run([found[-1].parent / "pg_isready", "-q", "-h", folder], check=False).returncode == 0:
                    break
                time.sleep(0.1)
            yield folder
        finally:
            server.send_signal(signal.SIGINT)   # ends the connections as well
            server.wait(30)


_VICTIM = """CREATE TABLE victim (m VARCHAR(9), a VARCHAR(9), b INTEGER);
    INSERT INTO victim VALUES ('2010-01', '东城', 1);"""


class Database:
    """A database with its URL, and how a test speaks to it, past ebank."""

    def __init__(self, kind: str, url: str, connect: Callable):
        self.kind, self.url, self.connect = kind, url, connect

    def run(self, script):
        with closing(self.connect()) as connection:
            if self.kind == "sqlite":
                connection.executescript(script)
            else:
                connection.execute(script)
            connection.commit()

    def ask(self, query):
        with closing(self.connect()) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(params=["sqlite", "duckdb", "postgresql"])
def database(request, tmp_path, monkeypatch):
    """One database after the other, with a table `victim` of one row; its URL is in EBANK_TEST_URL."""
    pytest.importorskip("sqlalchemy")
    kind, file = request.param, tmp_path / "figures.db"
    if kind == "sqlite":
        made = Database(kind, f"sqlite:///{file}", lambda: sqlite3.connect(file))
    elif kind == "duckdb":
        duckdb = pytest.importorskip("duckdb")
        made = Database(kind, f"duckdb:///{file}", lambda: duckdb.connect(str(file)))
    else:
        psycopg = pytest.importorskip("psycopg")
        socket = request.getfixturevalue("postgres")
        with psycopg.connect(host=socket, user="ebank", dbname="postgres", autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS figures WITH (FORCE)")
            connection.execute("CREATE DATABASE figures")
        made = Database(kind, f"postgresql://ebank:s3cret@/figures?host={socket}",
                        lambda: psycopg.connect(host=socket, user="ebank", dbname="figures"))
    made.run(_VICTIM)
    monkeypatch.setenv("EBANK_TEST_URL", made.url)
    return made
