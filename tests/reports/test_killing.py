"""A batch killed at random moments: resumed it ends as one that nobody disturbed, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from benchmarks import killing
from benchmarks._processes import descendants, marked

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


@pytest.mark.slow
def test_killed_anywhere_and_resumed_the_result_is_the_same():
    # Fifty trials, from nothing too and with every kind of victim, by hand: python -m benchmarks.killing 50
    # In a folder of a short name: only then the fork server's socket lies where the next run removes it.
    with tempfile.TemporaryDirectory() as root:
        place = killing.prepare(Path(root))
        done, wrong = killing.trial(place, 1, most=1)
    assert wrong == [] and " at " in done       # something has been killed


def test_what_is_left_behind_is_seen(tmp_path):
    place = killing.Place(tmp_path)
    for folder in (place.temporary, place.project, place.out / ".ebank" / "work" / "a", place.out / "0351"):
        folder.mkdir(parents=True)
    assert killing.leftovers(place) == ["left of the work: .ebank/work/a"]
    (place.temporary / "socket-1").touch()
    (place.out / "0351" / ".report.html.abcdefgh").touch()
    (place.project / "core").touch()
    assert killing.leftovers(place) == ["temporary file left: t/socket-1",
                                        "left in the project: reports/0351/.report.html.abcdefgh",
                                        "left in the project: core", "left of the work: .ebank/work/a"]


def test_a_difference_is_named():
    assert killing._differing({"a": "1", "b": "2"}, {"a": "1", "c": "3"}) == [
        "differs from the undisturbed run: b", "differs from the undisturbed run: c"]


def test_a_process_is_found_by_its_mark_until_it_ends(tmp_path):
    mark = f"EBANK_TEST={tmp_path}"
    name, _, value = mark.partition("=")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={name: value}) as process:
        while process.pid not in marked(mark):      # the environment is there once the program has begun
            assert process.poll() is None
        assert descendants(os.getpid())[process.pid] == os.getpid()
        process.communicate(b"\n")
    assert marked(mark) == {}


def test_the_small_project_is_one_that_ebank_finds(tmp_path, monkeypatch):
    from ebank_lib.files import project_root
    from ebank_lib.reports.parameters import numbered_notebooks

    project = killing.small_project(tmp_path / "p")
    monkeypatch.chdir(project)
    assert project_root() == project
    assert [[p.stem for p in some] for some in numbered_notebooks(project / "notebooks")] == [
        ["01_data", "02_outlook"], ["06_province"]]
    assert killing.cells(10001) != killing.cells() and len(killing.cells().splitlines()) == 73
