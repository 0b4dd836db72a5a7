"""What was made from what: a report is kept only when it is what would come out again."""

import shutil

import pytest

from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.reports.freshness import file_hashes, is_fresh, read_json, source_hash, write_json
from ebank_lib.reports.listing import learners, parameters_of


@pytest.fixture
def copied(project, tmp_path, monkeypatch):
    root = shutil.copytree(project, tmp_path / "project", ignore=shutil.ignore_patterns("reports", "again"))
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize("change", ["data/small/cells.csv", "data/small/branches.csv", "data/small/sources.yaml",
                                    "data/small/catalog.yaml"])
def test_every_file_that_a_run_reads_counts(copied, change):
    before = source_hash("data/small")
    path = copied / change
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n")
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
    path.write_text(path.read_text(encoding="utf-8").replace('path: "cells.csv"', "url_env: X"), encoding="utf-8")
    assert source_hash("data/small") is None
    monkeypatch.chdir(project)
    assert source_hash("data/small") == here


def test_a_report_is_kept_when_its_key_and_every_file_are_as_they_were(tmp_path):
    folder = tmp_path / "a"
    (folder / "tables").mkdir(parents=True)
    for name in ("report.html", "tables/t.csv"):
        (folder / name).write_text(name)
    state = {"key": "k", "files": file_hashes(folder)}
    assert is_fresh(folder, state, "k")
    assert not is_fresh(folder, state, "l") and not is_fresh(folder, {}, "k")
    (folder / "previous.json").touch()                          # what was before is no part of what is
    assert is_fresh(folder, state, "k")
    (folder / "failed").mkdir()
    assert not is_fresh(folder, state, "k")
    (folder / "failed").rmdir()
    (folder / "tables" / "t.csv").write_text("x")
    assert not is_fresh(folder, state, "k")


def test_what_is_kept_comes_back_and_what_is_damaged_is_nothing(tmp_path):
    path = tmp_path / "state.json"
    write_json(path, {"a": ["\udce4", 1.5, None]})
    assert read_json(path)["a"] == ["\udce4", 1.5, None]
    for damage in (b"", b"{", b"[]", b"[" * 100_000, b'{"schema": 0}', b"\xff"):
        path.write_bytes(damage)
        assert read_json(path) == {}
    assert read_json(tmp_path / "none.json") == {}


# ---------------------------------------------------------------- notebooks read as plain JSON

def test_parameters_are_those_that_the_notebook_has(root, project):
    assert parameters_of(project / "notebooks" / "02_forecast.ipynb") == {
        "source": "data/small", "branch": "0351", "indicator": "online", "start": None, "end": None, "lang": "zh",
        "horizon": 12}
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        assert {"source", "lang"} <= set(parameters_of(path))


@pytest.mark.parametrize("content, says", [
    ("", "is no notebook"), ("[1]", "is no notebook"), ('{"cells": [{}]}', "is no notebook"),
    ('{"cells": []}', "tagged"),
    ("[" * 100_000, "is no notebook"),
    ('{"cells": [{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": ["a ="]}]}', "no Python"),
])
def test_what_is_no_notebook_is_an_error_that_names_the_file(tmp_path, content, says):
    path = tmp_path / "01_bad.ipynb"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"01_bad\.ipynb.*{says}"):
        parameters_of(path)


def test_what_a_batch_learns_beforehand_is_what_its_notebooks_ask_for(root, project):
    notebooks = sorted((root / "notebooks").glob("0[1-5]*.ipynb"))
    assert learners(notebooks, {}) == [{"horizon": 12, "origins": 12}]
    assert learners(notebooks, {"horizon": "18", "lang": "en"}) == [{"horizon": 18, "origins": 12}]
    assert learners(notebooks[-1:], {}) == [{}] and learners(sorted((project / "notebooks").glob("*.ipynb")), {}) == []
    with pytest.raises(UnknownNameError):
        from ebank_lib.reports.listing import check_extra

        check_extra({"horizn": "1"}, notebooks)
