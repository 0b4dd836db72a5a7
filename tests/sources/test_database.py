"""Databases read like tables, and a query reads: nothing that it says writes, leaves its transaction or never ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ebank_lib.errors import ConfigError, SourceError
from ebank_lib.sources import open_source

pytest.importorskip("sqlalchemy")


def source(folder, said, limits=""):
    """A source whose only entry asks the database; `said` is its query or its table."""
    folder.files("- " + json.dumps({"url_env": "EBANK_TEST_URL", "branch": "a", "columns": {"b": "online"},
                                    "month": {"from": "column", "column": "m"}} | said, ensure_ascii=False))
    if limits:
        folder.edit("files:", f"limits: {limits}\nfiles:")
    return folder.open()


# ---------------------------------------------------------------- what is read


@pytest.mark.parametrize("said", [
    {"query": "SELECT m, a, b FROM victim"}, {"query": "-- why; not\n  select m, a, b from victim;  -- all of it"},
    {"query": "/* why */ WITH x AS (SELECT * FROM victim) SELECT m, a, b FROM x WHERE a LIKE '东%' AND a <> '%s;'"},
    {"query": "VALUES ('2010-01', '东城', 1)", "branch": 1}, {"table": "victim"}])
def test_a_query_that_reads_is_answered(folder, database, said):
    if said.pop("branch", None):
        first, second, third = {"sqlite": ("column1", "column2", "column3"), "duckdb": ("col0", "col1", "col2"),
                                "postgresql": ("column1", "column2", "column3")}[database.kind]
        said |= {"branch": second, "columns": {third: "online"}, "month": {"from": "column", "column": first}}
    cells = source(folder, said).cells()
    assert cells[["branch", "text"]].to_numpy().tolist() == [["东城", "1"]]
    assert cells.month.astype(str).tolist() == ["2010-01"]


def test_numbers_and_dates_are_alike_in_every_database(folder, database):
    database.run("""CREATE TABLE t (m DATE, a VARCHAR(9), b NUMERIC(18, 4));
        INSERT INTO t VALUES ('2010-02-28', '0351', 48806), ('2010-01-31', '0351', 35.4500),
        ('2010-03-31', '351', NULL)""")
    cells = source(folder, {"table": "t"}).cells()
    assert cells[["branch", "text"]].to_numpy().tolist() == [["0351", "35.45"], ["0351", "48806"], ["351", ""]]
    assert cells.month.astype(str).tolist() == ["2010-01", "2010-02", "2010-03"]    # a table is read by its keys


def test_a_tables_name_is_a_name(folder, database):
    database.run('CREATE TABLE "two words" (m VARCHAR(9), a VARCHAR(9), b INTEGER); '
                 "INSERT INTO \"two words\" VALUES ('2010-01', '西城', 2)")
    assert source(folder, {"table": "two words"}).cells().branch.tolist() == ["西城"]
    schema = {"sqlite": "main", "duckdb": "main", "postgresql": "public"}[database.kind]
    assert source(folder, {"table": f"{schema}.victim"}).cells().branch.tolist() == ["东城"]
    with pytest.raises(SourceError, match="query failed"):
        source(folder, {"table": 'victim"; DROP TABLE victim; --'}).cells()
    assert database.ask("SELECT count(*) FROM victim") == [(1,)]


def test_either_a_query_or_a_table(folder):
    for said in ({}, {"query": "SELECT 1", "table": "t"}):
        with pytest.raises(ConfigError, match="either a query or a table"):
            source(folder, said)


def test_what_no_table_holds_is_refused(folder, database):
    value = {"sqlite": "x'00'", "duckdb": "[1, 2]", "postgresql": "ARRAY[1, 2]"}[database.kind]
    with pytest.raises(SourceError, match="column 'b': has a column that is no table's"):
        source(folder, {"query": f"SELECT m, a, {value} AS b FROM victim"}).cells()


def test_an_answer_without_end_is_cut_off(folder, database):
    endless = ("WITH RECURSIVE n(b) AS (SELECT 1 UNION ALL SELECT b + 1 FROM n) "
               "SELECT '2010-01' AS m, 'x' AS a, b FROM n")
    if database.kind == "duckdb":   # which ends a recursion before it answers
        endless = "SELECT '2010-01' AS m, 'x' AS a, range AS b FROM range(1000000000000)"
    with pytest.raises(SourceError, match=r"has too many rows; found .more than 20000.*limits\.table_cells"):
        source(folder, {"query": endless}, "{table_cells: 60000}").cells()


# ---------------------------------------------------------------- what is not written

WRITES = [
    "select 1; COMMIT; insert into victim values ('x', 'x', 2); select * from victim",
    "COMMIT; insert into victim values ('x', 'x', 2)", "select * from victim; insert into victim values ('x', 'x', 2)",
    "INSERT INTO victim VALUES ('x', 'x', 2) RETURNING m, a, b", "DELETE FROM victim RETURNING m, a, b",
    "UPDATE victim SET b = 2 RETURNING m, a, b", "DROP TABLE victim", "TRUNCATE victim", "COMMIT", "ROLLBACK",
    "WITH x AS (SELECT 1) DELETE FROM victim", "WITH x AS (DELETE FROM victim RETURNING *) SELECT * FROM x",
    "/* /* */ select */ DELETE FROM victim", "-- select\nDROP TABLE victim", "select '; -- ' ; drop table victim",
    "CREATE TABLE other AS SELECT * FROM victim", "CREATE TEMP TABLE other AS SELECT * FROM victim",
    "BEGIN", "SET TRANSACTION READ WRITE", "EXPLAIN ANALYZE DELETE FROM victim", "", ";", "select 1 from (victim"]
MORE = {
    "sqlite": ["ATTACH DATABASE 'escaped' AS y", "VACUUM INTO 'escaped'", "PRAGMA query_only = OFF",
               "PRAGMA writable_schema = ON", "SELECT load_extension('x')", "SELECT writefile('escaped', 'x')",
               "SELECT * FROM pragma_table_info('victim')", "REPLACE INTO victim VALUES ('x', 'x', 2)"],
    "duckdb": ["ATTACH 'escaped'", "COPY victim TO 'escaped'", "/* /* */ select */ COPY victim TO 'escaped'",
               "INSTALL httpfs", "LOAD httpfs", "EXPORT DATABASE 'escaped'", "PRAGMA database_list",
               "SET lock_configuration = false", "SET enable_external_access = true", "CHECKPOINT",
               "CALL pragma_version()",
               "SELECT content AS m, content AS a, 1 AS b FROM read_text('sources.yaml')", "FROM 'branches.csv'",
               "SELECT * FROM read_csv('branches.csv')", "SELECT * FROM glob('*')", "PREPARE x AS SELECT 1",
               "CREATE SECRET (TYPE s3)"],
    "postgresql": [
        "SELECT set_config('transaction_read_only', 'off', false) AS m", "SELECT INTO other FROM victim",
        "COPY victim TO '{folder}/escaped'", "COPY victim TO PROGRAM 'touch {folder}/escaped'",
        "/* /* */ select */ COPY victim TO PROGRAM 'touch {folder}/escaped'", "DO $$ BEGIN COMMIT; END $$",
        "select $a$ ; $a$; drop table victim", "select E'\\'; drop table victim; --'; drop table victim",
        "SELECT lo_export(lo_creat(-1), '{folder}/escaped')::text AS m, 'x' AS a, 1 AS b", "LOAD 'plpgsql'",
        "SELECT nextval('counted')::text AS m, 'x' AS a, 1 AS b",
        "SELECT pg_read_file('PG_VERSION') AS m, 'x' AS a, 1 AS b", "SELECT * FROM victim FOR UPDATE",
        "SELECT pg_ls_dir('.') AS m, 'x' AS a, 1 AS b", "SELECT erasing()::text AS m, 'x' AS a, 1 AS b",
        "SELECT query_to_xml('DELETE FROM victim', false, false, '')::text AS m, 'x' AS a, 1 AS b",
        "SELECT set_config('transaction_read_only', 'off', true), erasing()::text AS m, 'x' AS a, 1 AS b",
        "SELECT set_config('session_authorization', 'default', true) AS m, 'x' AS a, erasing() AS b"]}


@pytest.mark.parametrize("database", ["sqlite", "duckdb", "postgresql"], indirect=True)
def test_a_query_changes_nothing(folder, database, monkeypatch, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    outside.chmod(0o777)
    monkeypatch.chdir(folder.path)
    if database.kind == "postgresql":
        database.run("CREATE SEQUENCE counted; CREATE FUNCTION erasing() RETURNS integer LANGUAGE plpgsql AS "
                     "$$ BEGIN DELETE FROM victim; RETURN 1; END $$")
    before, objects = database.ask("SELECT * FROM victim"), _objects(database)
    files = sorted(folder.path.iterdir())
    for query in WRITES + MORE[database.kind]:
        with pytest.raises((SourceError, ConfigError)) as caught:   # an empty query is the YAML's fault
            source(folder, {"query": query.replace("{folder}", str(outside))}).cells()
        assert "escaped" not in {p.name for p in [*outside.iterdir(), *folder.path.iterdir()]}, query
        assert "s3cret" not in str(caught.value)
    assert database.ask("SELECT * FROM victim") == before
    assert _objects(database) == objects
    assert sorted(folder.path.iterdir()) == files


def _objects(database):
    """The names of all that there is in a database."""
    return database.ask({"sqlite": "SELECT name FROM sqlite_master", "duckdb": "SELECT table_name FROM duckdb_tables()",
                         "postgresql": "SELECT relname FROM pg_class UNION SELECT oid::text FROM "
                                       "pg_largeobject_metadata ORDER BY 1"}[database.kind])


def test_a_user_of_postgresql_who_may_write_does_not_either(folder, database, monkeypatch):
    if database.kind != "postgresql":
        pytest.skip("of PostgreSQL's users")
    database.run("DROP ROLE IF EXISTS clerk; CREATE ROLE clerk LOGIN; GRANT ALL ON victim TO clerk; "
                 "GRANT ALL ON SCHEMA public TO clerk; ALTER ROLE clerk SET default_transaction_read_only = off")
    monkeypatch.setenv("EBANK_TEST_URL", database.url.replace("ebank:", "clerk:"))
    assert len(source(folder, {"query": "SELECT * FROM victim"}).cells()) == 1
    for query in WRITES:
        with pytest.raises((SourceError, ConfigError)):
            source(folder, {"query": query}).cells()
    assert database.ask("SELECT count(*) FROM victim") == [(1,)]


def test_a_file_that_is_not_there_is_not_made(folder, monkeypatch, tmp_path):
    for kind in ("sqlite", "duckdb"):
        if kind == "duckdb":
            pytest.importorskip("duckdb")
        monkeypatch.setenv("EBANK_TEST_URL", f"{kind}:///{tmp_path / 'absent.db'}")
        with pytest.raises(SourceError, match="does not open"):
            source(folder, {"query": "SELECT 1"}).cells()
    assert not (tmp_path / "absent.db").exists()


# ---------------------------------------------------------------- what does not end

HANGING = {"sqlite": "WITH RECURSIVE n(b) AS (SELECT 1 UNION ALL SELECT b + 1 FROM n) SELECT count(*) AS b FROM n",
           "duckdb": "SELECT count(*) AS b FROM range(10000000000) AS x, range(10000) AS y WHERE x.range % 7 = y.range",
           "postgresql": "SELECT set_config('statement_timeout', '0', false), pg_sleep(1000)"}


def test_a_query_that_takes_too_long_is_ended(folder, database):
    began = time.monotonic()
    with pytest.raises(SourceError, match=r"takes too long; found 'no answer after 1 s'; .*limits\.query_seconds"):
        source(folder, {"query": HANGING[database.kind]}, "{query_seconds: 1}").cells()
    assert time.monotonic() - began < 4
    _nobody_asks(database)


def test_whoever_interrupts_a_query_need_not_wait(folder, database):
    opened = source(folder, {"query": HANGING[database.kind]})
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        opened.cells()
    assert 0.9 < time.monotonic() - began < 3
    _nobody_asks(database)


def test_nobody_waits_for_a_server_that_does_not_answer_the_door(folder, monkeypatch):
    pytest.importorskip("psycopg")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("EBANK_TEST_URL", f"postgresql://u:s3cret@127.0.0.1:{silent.getsockname()[1]}/x")
        with pytest.raises(SourceError, match="takes too long"):
            source(folder, {"query": "SELECT 1"}, "{query_seconds: 1}").cells()
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            source(folder, {"query": "SELECT 1"}).cells()
        assert time.monotonic() - began < 2
    for thread in threading.enumerate():
        if thread.name == "query":
            thread.join(20)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_the_command_ends_its_query_when_it_is_told_to_end(folder, database):
    source(folder, {"query": HANGING["postgresql"]})
    command = subprocess.Popen([sys.executable, "-m", "ebank_lib", "check", "--source", str(folder.path)],
                               stderr=subprocess.PIPE, text=True)
    try:
        _wait_until(lambda: database.ask(ASKED) == [(1,)], 200)
        command.terminate()
        began = time.monotonic()
        assert command.stderr.readline() == "ebank: interrupted\n"
        assert time.monotonic() - began < 5
        _nobody_asks(database)
        assert command.wait(100) == 130     # all that was imported is put away, which takes its time on a busy machine
    finally:
        command.kill()
        command.communicate()


ASKED = ("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%FETCH%ebank%' AND state = 'active' "
         "AND pid <> pg_backend_pid()")


def _nobody_asks(database):
    if database.kind == "postgresql":
        _wait_until(lambda: database.ask(ASKED) == [(0,)], 5)
    assert not [one for one in threading.enumerate() if one.name == "query"]


def _wait_until(holds, seconds):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


# ---------------------------------------------------------------- what is not said


def test_an_error_says_what_the_database_says_and_not_where_it_is(folder, database):
    with pytest.raises(SourceError, match="the query failed; found .*nowhere") as caught:
        source(folder, {"query": "SELECT nowhere FROM victim"}).cells()
    assert "s3cret" not in str(caught.value)
    assert str(folder.path) not in str(caught.value)


@pytest.mark.parametrize("url", [
    "postgresql+nodriver://user:s3cret@host/db", "sqlite:///missing/s3cret.db", "s3cret", "", "mysql://u:s3cret@host/db",
    "postgresql://s3cret:s3cret@/s3cret?host=/s3cret", "duckdb:///missing/s3cret.db", "duckdb:///:memory:?s3cret=s3cret",
    "postgresql://u:s3cret@127.0.0.1:1/s3cret", "sqlite:///file:s3cret?mode=ro&password=s3cret&uri=true"])
def test_a_databases_address_is_never_shown(folder, monkeypatch, url):
    monkeypatch.setenv("EBANK_TEST_URL", url)
    opened = source(folder, {"query": "SELECT 1"})
    with pytest.raises(SourceError) as caught:
        opened.cells()
    chain, error = [], caught.value
    while error is not None:
        chain.append(repr(error) + str(error))
        error = error.__cause__ or error.__context__
    assert "s3cret" not in "".join(chain) + repr(opened)


def test_another_kind_of_database_is_refused_by_its_name(folder, monkeypatch):
    monkeypatch.setenv("EBANK_TEST_URL", "mysql+pymysql://u:p@host/db")
    with pytest.raises(SourceError, match=r"found 'mysql\+pymysql'; expected sqlite.*Of others, have a CSV"):
        source(folder, {"query": "SELECT 1"}).cells()


# ---------------------------------------------------------------- a bank's tables, in three databases


def test_one_table_reads_alike_from_three_databases(shared_data, tmp_path, database, monkeypatch):
    given = shared_data / "layouts" / "24_database"
    if not given.is_dir():
        pytest.skip("reference data absent")
    if database.kind == "sqlite":
        (tmp_path / "figures.db").write_bytes((given / "ebank.sqlite").read_bytes())
    else:
        database.run((given / f"ebank_{database.kind}.sql").read_text(encoding="utf-8"))
    about = yaml.safe_load((given / "about.yaml").read_text(encoding="utf-8"))
    _describe(tmp_path, about)
    found = []
    for said in ("table: eb_monthly", "query: SELECT o.name_zh AS org_id, stat_date, ind_name AS ind_code, "
                 "'' AS ind_name, ind_value, unit FROM eb_monthly JOIN org AS o USING (org_id)"):
        (tmp_path / "sources.yaml").write_text(textwrap.dedent(f"""\
            title: {{zh: 试验, en: Trial}}
            catalog: catalog.yaml
            branches: branches.csv
            files:
              - url_env: EBANK_TEST_URL
                {said}
                branch: org_id
                month: {{from: column, column: stat_date}}
                indicator: ind_code
                value: ind_value
                unit: unit
                ignore: [ind_name]
                headings: {json.dumps({n: i['key'] for i in about['indicators'] for (n,) in i['printed']})}
            """), encoding="utf-8")
        found.append(_values(tmp_path))
    expected = pd.read_csv(given / "expected.csv", dtype=str).sort_values(["branch", "month", "indicator"])
    expected = {tuple(row[:3]): float(row[3]) for row in expected.itertuples(index=False)}
    for values in found:
        assert values.keys() == expected.keys()
        assert all(values[key] == pytest.approx(expected[key], rel=1e-12) for key in expected)


def _describe(folder: Path, about: dict) -> None:
    """Write the catalogue and the branches that `about` describes."""
    units = {"户": ("户", 1), "笔": ("笔", 1), "万笔": ("笔", 1e4), "元": ("元", 1), "万元": ("元", 1e4),
             "%": ("1", 0.01)}
    (folder / "catalog.yaml").write_text(yaml.safe_dump({
        "units": {name: {"base": base, "factor": factor} for name, (base, factor) in units.items()},
        "base_units": {base: {"zh": base, "en": base} for base in ("户", "笔", "元", "1")},
        "groups": {"all": {"zh": "全部", "en": "All"}},
        "indicators": [{key: i[key] for key in ("key", "zh", "en", "kind", "unit")} | {"group": "all"}
                       for i in about["indicators"]]}, allow_unicode=True), encoding="utf-8")
    lines = [f"{b['id']},{b['printed'][1]},{b['printed'][2]},branch,,," for b in about["branches"]]
    (folder / "branches.csv").write_text("\n".join(["branch,zh,en,role,aliases,merged_into,merged_month", *lines, ""]),
                                         encoding="utf-8")


def _values(folder: Path) -> dict:
    """Return the printed figures of a source in base units, by branch, month and indicator."""
    opened = open_source(folder)
    names = {n: b.id for b in opened.catalog.branches.values() for n in (b.id, b.zh, b.en)}
    cells = opened.cells()
    cells = cells[cells["text"] != ""]
    return {(names[c.branch], str(c.month), c.indicator): float(c.text) * opened.catalog.units[c.unit].factor
            for c in cells.itertuples()}
