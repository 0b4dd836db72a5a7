"""What a process looked at is written down as it grows, and never less than it was."""

import json
import multiprocessing

import pytest

from ebank_lib import reads
from ebank_lib.errors import ConfigError


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv(reads.VARIABLE, str(tmp_path / "reads.json"))
    monkeypatch.delenv(reads._OWNER, raising=False)
    yield tmp_path / "reads.json"
    monkeypatch.delenv(reads._OWNER, raising=False)


def names(file):
    return json.loads(file.read_text(encoding="utf-8"))


def test_names_are_written_sorted_and_once(file):
    for name in ("panel", "about", "panel", "branch:日照"):
        reads.note(name, "a")
    assert names(file) == ["about", "branch:日照", "panel"]
    assert reads.noted() == {"about", "branch:日照", "panel"}


def test_another_file_begins_anew(file, monkeypatch):
    reads.note("panel", "a")
    monkeypatch.setenv(reads.VARIABLE, str(file.with_name("second.json")))
    reads.note("about", "b")
    assert names(file.with_name("second.json")) == ["about"] and names(file) == ["panel"]


def test_without_a_file_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv(reads.VARIABLE, raising=False)
    reads.note("panel", "a")
    assert "panel" in reads.noted() and not list(tmp_path.iterdir())


@pytest.mark.parametrize("second", [("b", ("conservative", None, None)), ("a", ("none", None, None))])
def test_a_second_source_or_way_of_cleaning_has_no_fingerprint(file, second):
    reads.note("about", "a")
    reads.note("panel", "a", ("conservative", None, None))
    reads.note("counts", *second)
    assert names(file) == ["about", "other", "panel"]


def test_the_files_of_the_source_are_its_own_however_it_is_cleaned(file):
    reads.note("panel", "a", ("none", None, None))
    reads.note("accounting", "a")
    assert names(file) == ["accounting", "panel"]


def test_a_worker_does_not_write_over_what_its_parent_noted(file):
    reads.note("panel", "a")
    worker = multiprocessing.get_context("spawn").Process(target=reads.note, args=("about", "a"))
    worker.start()
    worker.join(60)
    assert worker.exitcode == 0 and names(file) == ["panel"]


def test_a_file_that_cannot_be_written_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv(reads.VARIABLE, str(tmp_path / "absent" / "reads.json"))
    monkeypatch.delenv(reads._OWNER, raising=False)
    with pytest.raises(ConfigError, match="cannot be written"):
        reads.note("panel", "a")
    monkeypatch.delenv(reads._OWNER, raising=False)
