"""One run at a time; what a killed one left is cleared; a source is known by all that is read of it."""

import shutil
import threading
import time

import pytest

from ebank_lib.errors import ConfigError
from ebank_lib.reports.tasks import locked, read_json, source_hash, sweep, write_json

BUSY = pytest.raises(ConfigError, match="is in use by another run")


@pytest.fixture
def copied(project, tmp_path, monkeypatch):
    root = shutil.copytree(project, tmp_path / "project", ignore=shutil.ignore_patterns("reports", "again"))
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize(("name", "old", "new"), [
    ("cells.csv", "10037", "10038"), ("branches.csv", "East", "Eastern"), ("sources.yaml", "Trial", "A trial"),
    ("catalog.yaml", "Online", "On-line"), ("facts.yaml", "{}", "{} "), ("corrections.csv", "", "file,sheet")])
def test_every_file_that_a_run_reads_counts(copied, name, old, new):
    path = copied / "data/small" / name
    if name == "facts.yaml":
        path.write_text(old, encoding="utf-8")
        yaml = path.with_name("sources.yaml")
        yaml.write_text(yaml.read_text(encoding="utf-8") + "facts: facts.yaml\n", encoding="utf-8")
    before = source_hash("data/small")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert source_hash("data/small") != before
    assert source_hash("data/small") == source_hash(copied / "data/small")


def test_a_new_file_that_the_source_would_read_counts_and_another_does_not(copied):
    path = copied / "data/small/sources.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("cells.csv", "cells*.csv"), encoding="utf-8")
    before = source_hash("data/small")
    (copied / "data/small/notes.txt").touch()
    (copied / "data/small/.cells2.csv").touch()
    assert source_hash("data/small") == before
    (copied / "data/small/cells2.csv").touch()
    assert source_hash("data/small") != before


def test_where_the_project_lies_does_not_count_and_a_database_is_not_known_beforehand(project, copied, monkeypatch):
    here = source_hash("data/small")
    path = copied / "data/small/sources.yaml"
    text = path.read_text(encoding="utf-8").replace('path: "cells.csv"', 'url_env: X\n    query: "select 1"')
    path.write_text(text, encoding="utf-8")
    assert source_hash("data/small") is None
    monkeypatch.chdir(project)
    assert source_hash("data/small") == here


def test_what_is_kept_comes_back_and_what_is_damaged_is_nothing(tmp_path):
    path = tmp_path / "state.json"
    write_json(path, {"a": ["\udce4", 1.5, None]})
    assert read_json(path)["a"] == ["\udce4", 1.5, None]
    for damage in (b"", b"{", b"[]", b"[" * 100_000, b'{"schema": 0}', b"\xff"):
        path.write_bytes(damage)
        assert read_json(path) == {}
    assert read_json(tmp_path / "none.json") == {}


# ---------------------------------------------------------------- the lock

def test_a_run_of_all_and_one_of_a_branch_do_not_meet_and_who_comes_second_may_wait(tmp_path):
    with locked(tmp_path, None, "all"), BUSY, locked(tmp_path, "west", "one"):
        pass
    with (locked(tmp_path, "west", "one"), locked(tmp_path, "0351", "two"),      # two branches do not meet
          BUSY, locked(tmp_path, "west", "three")):
        pass
    heard = []
    with locked(tmp_path, "west", "one"):
        late = threading.Thread(target=lambda: locked_once(tmp_path, heard))
        late.start()
        while not heard:
            time.sleep(0.01)
        assert late.is_alive() and "one" in heard[0]
    late.join(10)
    assert heard[1:] == ["held"]


def locked_once(out, heard):
    with locked(out, None, "late", wait=True, waiting=heard.append):
        heard.append("held")


def test_unfinished_files_of_a_killed_run_are_removed_and_nothing_else(tmp_path):
    out = tmp_path / "out"
    keep = [out / name for name in ("index.html", "west/report.html", "west/.hidden", "west/notes/.x.abcdefgh",
                                    ".ebank/state/west.json")]
    gone = [out / name for name in (".index.html.abc12_de", "west/.report.html.abcdefgh",
                                    "west/notebooks/.01.ipynb.aaaaaaaa", ".ebank/cache/a/bb/.cc.12345678",
                                    ".ebank/state/.west.json.abcdefgh")]
    for path in [*keep, *gone]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    sweep(out)
    assert all(p.exists() for p in keep) and not any(p.exists() for p in gone)
