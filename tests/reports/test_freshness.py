"""What was made from what: a report and a notebook are kept only when they are what would come out again."""

import shutil

import pytest

from ebank_lib.errors import ConfigError, UnknownNameError
from ebank_lib.reports.freshness import inputs_of, notebook_is_fresh, read_json, report_is_fresh, write_json
from ebank_lib.reports.listing import learners, parameters_of

NOW = {"described": "d", "data": "1", "code": "c", "notebooks": {"01": "n"}}


@pytest.fixture
def copied(project, tmp_path, monkeypatch):
    root = shutil.copytree(project, tmp_path / "project", ignore=shutil.ignore_patterns("reports", "again"))
    monkeypatch.chdir(root)
    return root


def inputs(root):
    return inputs_of("data/small", sorted((root / "notebooks").glob("*.ipynb")))


@pytest.mark.parametrize("change, moved", [
    ("data/small/cells.csv", "data"), ("data/small/branches.csv", "described"),
    ("data/small/sources.yaml", "described"), ("data/catalog.yaml", "described"),
    ("notebooks/01_cleaning.ipynb", "notebooks"),
])
def test_every_file_that_a_run_reads_is_among_its_inputs(copied, change, moved):
    before = inputs(copied).plain()
    path = copied / change
    path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n")
    after = inputs(copied).plain()
    assert [name for name in before if before[name] != after[name]] == [moved]
    assert inputs(copied).plain() == after


def test_a_new_file_that_the_source_would_read_counts_and_another_does_not(copied):
    path = copied / "data/small/sources.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("cells.csv", "cells*.csv"), encoding="utf-8")
    before = inputs(copied)
    (copied / "data/small/notes.txt").touch()
    (copied / "data/small/.cells2.csv").touch()
    assert inputs(copied) == before
    (copied / "data/small/cells2.csv").touch()
    assert inputs(copied).data != before.data


def test_where_the_project_lies_is_no_input_and_a_database_is_not_known_beforehand(project, copied, monkeypatch):
    here = inputs(copied)
    path = copied / "data/small/sources.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace('path: "cells.csv"', "url_env: X"), encoding="utf-8")
    assert inputs(copied).data is None
    monkeypatch.chdir(project)
    assert inputs(project) == here


@pytest.mark.parametrize("then, reads, fresh", [
    ({}, None, True),                                           # the same data: whatever it looked at
    ({"data": "0"}, None, False),                               # other data, and nobody knows what it looked at
    ({"data": "0"}, {"about": "a", "branch:x": "b"}, True),     # all of it is as it was
    ({"data": "0"}, {"about": "a", "branch:y": "old"}, False),
    ({"data": "0"}, {"about": "a", "other": None}, False),      # a part without a fingerprint
    ({"data": None}, {"about": "a"}, True),
    ({"described": "e"}, {"about": "a"}, False),
    ({"code": "e"}, {"about": "a"}, False),
])
def test_a_notebook_is_kept_when_all_it_looked_at_is_as_it_was(then, reads, fresh):
    kept = {"parameters": {"x": 1}, "notebook": "n", "inputs": {**NOW, **then}, "reads": reads}
    prints = {"about": "a", "branch:x": "b", "branch:y": "new"}
    assert notebook_is_fresh(kept, {"x": 1}, "n", NOW, prints) is fresh
    assert not notebook_is_fresh(kept, {"x": 2}, "n", NOW, prints)
    assert not notebook_is_fresh(kept, {"x": 1}, "m", NOW, prints)
    assert not notebook_is_fresh({}, {"x": 1}, "n", NOW, prints)


def test_a_report_is_kept_when_request_inputs_and_every_file_are_as_they_were(tmp_path):
    from ebank_lib.reports.freshness import file_hashes

    folder = tmp_path / "a"
    (folder / "tables").mkdir(parents=True)
    for name in ("report.html", "tables/t.csv"):
        (folder / name).write_text(name)
    state = {"request": {"lang": "zh"}, "inputs": NOW, "files": file_hashes(folder)}
    assert report_is_fresh(folder, state, {"lang": "zh"}, NOW)
    assert not report_is_fresh(folder, state, {"lang": "en"}, NOW)
    assert not report_is_fresh(folder, state, {"lang": "zh"}, {**NOW, "data": "2"})
    assert not report_is_fresh(folder, {}, {"lang": "zh"}, NOW)
    (folder / "previous.json").touch()                          # what was before is no part of what is
    assert report_is_fresh(folder, state, {"lang": "zh"}, NOW)
    (folder / "failed").mkdir()
    assert not report_is_fresh(folder, state, {"lang": "zh"}, NOW)
    (folder / "failed").rmdir()
    (folder / "tables" / "t.csv").write_text("x")
    assert not report_is_fresh(folder, state, {"lang": "zh"}, NOW)


def test_what_is_kept_comes_back_and_what_is_damaged_is_nothing(tmp_path):
    path = tmp_path / "state.json"
    write_json(path, {"a": ["\udce4", 1.5, None]})
    assert read_json(path)["a"] == ["\udce4", 1.5, None]
    for damage in (b"", b"{", b"[]", b"[" * 100_000, b'{"schema": 0}', b"\xff"):
        path.write_bytes(damage)
        assert read_json(path) == {}
    assert read_json(tmp_path / "none.json") == {}


# ---------------------------------------------------------------- notebooks read as plain JSON

def test_parameters_are_those_that_the_notebook_has(root):
    from ebank_lib.reports.parameters import defaults, read_notebook

    for path in sorted((root / "notebooks").glob("*.ipynb")):
        assert parameters_of(path) == defaults(read_notebook(path), path.name)


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
