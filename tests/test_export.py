"""``ebank export``: tables of a database hold what the library says, all or none, and nobody else's is touched."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ebank_lib.cleaning import clean
from ebank_lib.cli import main
from ebank_lib.forecasting import forecast_indicator
from ebank_lib.sources import open_source

pytest.importorskip("sqlalchemy")

CATALOG = """\
units: {户: {base: 户, factor: 1}}
base_units: {户: {zh: 户, en: customers}}
groups: {all: {zh: 全部, en: All}}
indicators: [{key: online, zh: 网银客户数, en: Online customers, group: all, kind: stock, unit: 户}]
"""
SOURCES = """\
title: {zh: 试验, en: Trial}
catalog: catalog.yaml
branches: branches.csv
files:
  - {path: figures.csv, layout: long, branch: branch, month: month, columns: {n: online}}
"""
BRANCHES = """\
branch,zh,en,role,aliases,merged_into,merged_month
0101,东城,East,branch,,,
west,西城,West,branch,,,
new,北城,North,branch,,,
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two branches, forty months; one that is new, and a line of none."""
    path = tmp_path_factory.mktemp("source")
    rng, months = np.random.default_rng(0), pd.period_range("2010-01", periods=40, freq="M").astype(str)
    lines = [(name, month, f"{1000 * 1.02 ** n + rng.normal(0, 5):.0f}") for name in ("0101", "西城")
             for n, month in enumerate(months)]
    frame = pd.DataFrame([*lines, ("北城", "2013-04", "7"), ("南城", "2010-01", "5")], columns=["branch", "month", "n"])
    frame.to_csv(path / "figures.csv", index=False)
    for name, text in (("catalog.yaml", CATALOG), ("sources.yaml", SOURCES), ("branches.csv", BRANCHES)):
        (path / name).write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def run(folder, capsys):
    """Run the command on the source and return its exit code and what it said."""
    def ran(*words):
        code = main(["export", "--source", str(folder), "--to", "EBANK_TEST_URL", "--lang", "en", *words])
        return code, capsys.readouterr()
    return ran


def test_three_tables_hold_panel_ledger_and_forecasts(folder, run, database):
    code, said = run("--horizon", "3")
    assert code == 0, said.err
    assert said.out.splitlines() == ["ebank_panel: 81 rows", "ebank_ledger: 82 rows", "ebank_forecast: 18 rows"]
    assert said.err.startswith("new online: no forecast (")
    cleaned = clean(folder)
    panel = database.ask("SELECT branch, month, value, unit, doubtful FROM ebank_panel WHERE indicator = 'online'")
    assert {(b, m): v for b, m, v, *_ in panel} == {
        (b, str(m)): v for (b, m), v in cleaned.panel["online"].dropna().items()}     # to the last bit
    assert {row[3:] for row in panel} == {("户", 0)}
    ledger = database.ask("SELECT branch, month, text, rule, after FROM ebank_ledger WHERE decision = 'rejected'")
    assert ledger == [("南城", "2010-01", "5", "unknown_branch", None)]
    ahead = database.ask("SELECT month, y_hat, lo_80, hi_95 FROM ebank_forecast WHERE branch = '0101' "
                         "AND model = 'combination' ORDER BY horizon")
    expected = forecast_indicator(cleaned, "0101", "online", horizon=3).block("combination")
    assert [row[0] for row in ahead] == expected["month"].astype(str).tolist()
    assert [row[1:] for row in ahead] == [*expected[["y_hat", "lo-80", "hi-95"]].itertuples(index=False, name=None)]
    assert database.ask("SELECT name, title, rows FROM ebank_export ORDER BY name") == [
        ("ebank_forecast", "Trial", 18), ("ebank_ledger", "Trial", 82), ("ebank_panel", "Trial", 81)]


def test_what_was_written_before_is_replaced_and_all_else_stays(run, database):
    assert run("--horizon", "2")[0] == 0
    database.run("CREATE VIEW mine AS SELECT count(*) AS n FROM ebank_panel")
    code, said = run("--branch", "west", "--horizon", "1")
    assert code == 0, said.err
    assert said.out.splitlines() == ["ebank_panel: 40 rows", "ebank_ledger: 40 rows", "ebank_forecast: 3 rows"]
    assert database.ask("SELECT DISTINCT branch FROM ebank_panel") == [("west",)]
    assert database.ask("SELECT n FROM mine") == [(40,)]
    assert database.ask("SELECT * FROM victim") == [("2010-01", "东城", 1)]


@pytest.mark.parametrize("name", ["ebank_panel", "ebank_forecast", "ebank_export"])
@pytest.mark.parametrize("what", ["TABLE", "VIEW"])
def test_a_table_of_somebody_else_is_left_alone_and_nothing_is_written(run, database, name, what):
    database.run(f"CREATE {what} {name} AS SELECT 1 AS mine")
    code, said = run("--branch", "west")
    assert (code, said.out) == (2, "")
    assert f"key '{name}': is a table that ebank did not make, or that was changed since; found 'mine'" in said.err
    assert database.ask(f"SELECT * FROM {name}") == [(1,)]
    others = {"ebank_panel", "ebank_ledger", "ebank_forecast", "ebank_export"} - {name}
    assert not others & tables(database)


def test_a_table_that_was_changed_since_is_left_alone(run, database):
    assert run("--branch", "west")[0] == 0
    database.run("ALTER TABLE ebank_ledger ADD COLUMN remark VARCHAR(9)")
    code, said = run("--branch", "0101")
    assert code == 2 and "ebank_ledger" in said.err
    assert database.ask("SELECT DISTINCT branch FROM ebank_panel") == [("west",)]


def test_all_tables_or_none(run, database, monkeypatch):
    assert run("--branch", "west")[0] == 0
    before = database.ask("SELECT * FROM ebank_panel")
    monkeypatch.setattr("ebank_lib.cli.export.__version__", object())   # the record, the last table, cannot be written
    code, said = run("--branch", "0101")
    assert (code, said.out) == (2, "")
    assert "EBANK_TEST_URL': could not be written to" in said.err and "Nothing was written" in said.err
    assert "s3cret" not in said.err
    assert database.ask("SELECT * FROM ebank_panel") == before


def test_a_panel_that_was_exported_is_a_source(run, database, folder, tmp_path):
    assert run("--horizon", "1")[0] == 0
    for name in ("catalog.yaml", "branches.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "sources.yaml").write_text(SOURCES.split("files:")[0] + "files:\n  - " + (
        "{url_env: EBANK_TEST_URL, table: ebank_panel, branch: branch, month: month, indicator: indicator, "
        "value: value, unit: unit, headings: {online: online}, ignore: [doubtful]}\n"), encoding="utf-8")
    pd.testing.assert_frame_equal(clean(open_source(tmp_path)).panel, clean(folder).panel)


@pytest.mark.parametrize("url", ["", "mysql://u:s3cret@host/db", "sqlite:///missing/s3cret.db",
                                 "duckdb:///missing/s3cret.db", "postgresql://u:s3cret@127.0.0.1:1/s3cret"])
def test_an_address_is_of_the_environment_and_is_not_shown(run, monkeypatch, url):
    monkeypatch.setenv("EBANK_TEST_URL", url)
    code, said = run("--branch", "west", "--horizon", "1")
    assert code == 2
    assert "EBANK_TEST_URL" in said.err
    assert "s3cret" not in said.err + said.out


@pytest.mark.parametrize(("words", "says"), [
    (["--indicator", "onlin"], "Did you mean 'online'"), (["--branch", "wes"], "Did you mean 'west'"),
    (["--branch", "new"], "no series allows a forecast")])
def test_what_cannot_be_exported_is_named(run, monkeypatch, words, says):
    monkeypatch.setenv("EBANK_TEST_URL", "sqlite:///unused.db")
    code, said = run(*words)
    assert code == 2 and says in said.err


def tables(database):
    """The names of all tables and views."""
    return {name for name, in database.ask(
        "SELECT name FROM sqlite_master" if database.kind == "sqlite" else
        "SELECT table_name FROM information_schema.tables")}
