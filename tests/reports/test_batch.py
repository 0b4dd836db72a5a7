"""All reports in one run: what has changed is done again and nothing else, a bad branch costs only itself, and the
bytes are the same whichever way they were made.
"""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest

from ebank_lib.cli import main
from ebank_lib.errors import ConfigError
from ebank_lib.files import write_atomically
from ebank_lib.reports import engines, failing
from ebank_lib.reports.calls import CallFailed
from ebank_lib.reports.forking import available
from ebank_lib.reports.job import run_job
from ebank_lib.reports.lock import OutputBusy, locked, sweep

pytestmark = [pytest.mark.notebook, pytest.mark.skipif(bool(available()), reason="jobs are forked"),
              pytest.mark.usefixtures("one_warm_parent")]

ALL = ["report", "--source", "data/small", "--all", "--lang", "en"]


@pytest.fixture
def ours(whole_project, tmp_path, monkeypatch):
    """A project to change."""
    monkeypatch.chdir(shutil.copytree(whole_project, tmp_path / "project"))
    return tmp_path / "project"


@pytest.fixture
def done(finished, tmp_path, monkeypatch):
    """A project with all its reports, to change."""
    monkeypatch.chdir(shutil.copytree(finished, tmp_path / "project"))
    return tmp_path / "project"


def told(capsys, *words):
    """Run the command; return its exit code, its output, and the events it tells."""
    code = main([*ALL, "--log", "json", *words])
    out, err = capsys.readouterr()
    lines = err.splitlines()
    return code, out, [json.loads(line) for line in lines if line.startswith("{")], [
        line for line in lines if not line.startswith("{")]


def executed(events):
    return sorted((e["branch"], e["stage"]) for e in events if e["event"] == "stage" and e["what"] == "start"
                  and e["branch"])


def change_a_cell(root):
    path = root / "data" / "small" / "cells.csv"
    text = path.read_text(encoding="utf-8")
    assert "东城,2009-03,10074," in text
    path.write_text(text.replace("东城,2009-03,10074,", "东城,2009-03,10075,"), encoding="utf-8")


def test_a_run_of_all_leaves_reports_an_index_and_what_moved_and_then_has_nothing_to_do(files_of, ours, capsys):
    code, out, events, _ = told(capsys, "--out", "all")
    assert code == 0 and "3 reports done, 0 unchanged, 0 failed" in out
    made = files_of(ours / "all")
    assert {name for name in made if "/" not in name} == {"index.html", "changes.html", "run.json"}
    assert {name.split("/")[0] for name in made if "/" in name} == {"0351", "west", "province"}
    assert [one["state"] for one in json.loads(made["run.json"])["branches"]] == ["done"] * 3
    assert b"East" in made["index.html"] and len(executed(events)) == 5
    before = {p: p.stat().st_mtime_ns for p in (ours / "all").rglob("*") if p.is_file() and p.name != "lock"}
    code, out, events, _ = told(capsys, "--out", "all")
    assert code == 0 and "nothing to do: data, parameters, notebooks and code of all 3 reports are as they were" in out
    assert [e["event"] for e in events] == ["plan", "summary"]
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_a_run_with_nothing_to_do_says_so_and_loads_nothing_heavy(done, capsys):
    code = ("import sys; from ebank_lib.cli import main; c = main(sys.argv[1:]); "
            "print(c, sorted({'pandas', 'papermill', 'nbformat', 'matplotlib'} & set(sys.modules)))")
    command = [sys.executable, "-c", code, *ALL, "--out", "all"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "nothing to do" in run.stdout and run.stdout.endswith("0 []\n")


def test_one_changed_cell_runs_all_again_and_the_bytes_are_a_fresh_runs(files_of, done, capsys):
    change_a_cell(done)
    same = [done / "all/west" / name for name in ("tables.xlsx", "notebooks/02_forecast.ipynb")]
    before = [path.stat().st_mtime_ns for path in same]
    code, _, events, _ = told(capsys, "--out", "all")
    assert code == 0 and [path.stat().st_mtime_ns for path in same] == before       # not even written again
    assert {branch for branch, _ in executed(events)} == {"0351", "west", "province"}
    assert main([*ALL, "--out", "fresh", "--quiet", "--no-cache"]) == 0
    assert files_of(done / "all", history=False) == files_of(done / "fresh", history=False)
    moved = json.loads((done / "all" / "0351" / "previous.json").read_bytes())
    assert moved["branch"] == "0351" and not (done / "fresh" / "0351" / "previous.json").exists()


def test_a_changed_notebook_or_parameter_runs_again_where_it_counts(done, capsys):
    path = done / "notebooks" / "02_forecast.ipynb"
    book = nbformat.read(path, as_version=4)
    book.cells[4].source = "plt.plot(range(horizon), 'k');"
    nbformat.write(book, path)
    assert executed(told(capsys, "--out", "all")[2]) == [("0351", "02_forecast"), ("west", "02_forecast")]
    assert executed(told(capsys, "--out", "all", "-p", "horizon=6")[2]) == [
        (branch, book) for branch in ("0351", "west") for book in ("01_cleaning", "02_forecast")]


def test_a_bad_branch_costs_only_itself_and_is_said_wherever_one_looks(files_of, ours, finished, capsys):
    (ours / "west.bad").touch()
    code, out, events, said = told(capsys, "--out", "all")
    assert code == 1 and "2 reports done, 0 unchanged, 1 failed" in out
    failed = [e for e in events if e["event"] == "failed"]
    assert [(e["branch"], e["kind"]) for e in failed] == [("west", "notebook")] and said == []
    assert failed[0]["command"] == "ebank report --source data/small --branch west --lang en --out all"
    made = files_of(ours / "all")
    assert {name for name in made if name.startswith("west/")} == {
        "west/failed/02_forecast.ipynb", "west/failed/failed.json", "west/failed/index.html"}
    page = made["west/failed/index.html"].decode()
    assert "a bad day" in page and failed[0]["command"] in page and "west.bad" not in made["index.html"].decode()
    assert "west/failed/index.html" in made["index.html"].decode()
    # Said again, not hidden, with --keep-going; and what was executed before it failed is not executed again.
    code, out, events, _ = told(capsys, "--out", "all", "--keep-going")
    assert code == 0 and "0 reports done, 2 unchanged, 1 failed" in out
    assert executed(events) == [("west", "02_forecast")]
    (ours / "west.bad").unlink()
    assert executed(told(capsys, "--out", "all")[2]) == [("west", "02_forecast")]
    assert files_of(ours / "all") == files_of(finished / "all") and not (ours / "all/.ebank/partial/west").exists()


def test_a_failure_leaves_the_report_before_it(files_of, done, capsys):
    before = files_of(done / "all" / "0351")
    (done / "0351.bad").touch()
    change_a_cell(done)
    assert told(capsys, "--out", "all")[0] == 1
    after = files_of(done / "all" / "0351")
    assert {k: v for k, v in after.items() if not k.startswith("failed/")} == before
    assert "report.html" in after["failed/index.html"].decode()     # the way to the older report


def test_a_damaged_file_is_made_again(files_of, done, capsys):
    good = files_of(done / "all")
    for name in ("west/report.html", "0351/notebooks/01_cleaning.ipynb", "index.html"):
        (done / "all" / name).write_bytes(b"x")
    (done / "all" / ".ebank" / "state" / "province.json").write_bytes(b"{")
    code, _, events, _ = told(capsys, "--out", "all")
    assert code == 0 and executed(events) == [("0351", "01_cleaning"), ("province", "06_all")]
    assert files_of(done / "all") == good


# ---------------------------------------------------------------- jobs that end badly

class Ends:
    """An engine whose jobs end as they are told to."""

    capacity = 1

    def __init__(self, how):
        self.how, self.ended = how, 0

    def start(self, payload):
        how, engine = self.how(payload), self

        class Job:
            def events(self):
                return []

            def poll(self):
                return None if how == "hangs" else 0

            def result(self):
                if isinstance(how, Exception):
                    raise how
                return how

            def close(self):
                engine.ended += 1

        return Job()

    def wait(self, jobs, seconds):
        time.sleep(0.05)

    def close(self):
        pass


@pytest.fixture
def ends(done, monkeypatch):
    """Prepare a run whose next jobs for a branch end so."""
    change_a_cell(done)
    made = []

    def set_up(branch):
        def how(payload):
            if payload["do"] != "report":
                return run_job(payload, lambda event: None)
            good = {"state": "done", "page": "", "warnings": [], "reused": [], "not_done": {}}
            return branch if payload["branch"] == "0351" else good

        def engine(*_):
            made.append(Ends(how))
            return made[0]
        monkeypatch.setattr(engines, "LocalEngine", engine)
        return made
    return set_up


@pytest.mark.parametrize("end, kind, says", [
    (CallFailed("", "the process was ended from outside (status -9); it may have run out of memory", -9), "memory",
     "memory"),
    (CallFailed("", "status 3", 3), "crash", "status 3"),
    (CallFailed("ZeroDivisionError", "division by zero", 1), "bug", "ZeroDivisionError: division by zero"),
    ("hangs", "time", "longer than 1 s"),
])
def test_however_a_job_ends_the_others_go_on(ends, done, capsys, end, kind, says):
    made = ends(end)
    code, out, events, _ = told(capsys, "--out", "all", "--job-timeout", "1")
    assert code == 1 and "2 reports done, 0 unchanged, 1 failed" in out
    failed, = [e for e in events if e["event"] == "failed"]
    assert failed["kind"] == kind and says in failed["message"] and made[0].ended == (end == "hangs")
    assert json.loads((done / "all/0351/failed/failed.json").read_bytes())["kind"] == kind
    assert (done / "all/0351/failed/index.html").is_file()


def test_a_full_disk_stops_the_run_and_says_how_to_go_on(files_of, ends, done, capsys):
    ends({"state": "failed", "failure": {"kind": "disk", "error": "OSError", "message": "No space left on device",
                                         "notebook": None, "cell": None}})
    before = files_of(done / "all")
    code, _, _, said = told(capsys, "--out", "all", "--workers", "1")
    assert code == 1 and "the disk is full" in said[-1] and "--all" in said[-1]
    assert files_of(done / "all") == before


def test_a_file_that_finds_no_room_is_a_full_disk_in_any_language(tmp_path, monkeypatch):
    def full(**_):
        raise OSError(errno.ENOSPC, "Auf dem Gerät ist kein Speicherplatz mehr verfügbar")

    monkeypatch.setattr("ebank_lib.files.tempfile.mkstemp", full)
    with pytest.raises(ConfigError) as caught:
        write_atomically(tmp_path / "a", b"")
    assert failing.failure_of(caught.value)["kind"] == "disk"
    assert failing.failure_of(ConfigError("cannot be written", found="Permission denied"))["kind"] == "input"


def test_a_job_on_a_full_disk_says_so_and_leaves_no_unfinished_file(files_of, ours, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("ebank_lib.reports.artefacts.write_atomically", full)
    request = {"lang": "en", "indicator": None, "start": None, "end": None, "extra": {}}
    notebook = str(ours / "notebooks" / "06_all.ipynb")
    result = run_job({"do": "report", "out": str(ours / "all"), "source": "data/small", "request": request,
                      "inputs": {"described": "", "data": "", "code": "", "notebooks": {}}, "branch": None,
                      "name": "province", "notebooks": [notebook], "at_once": 1, "cell_timeout": 60, "again": False},
                     lambda event: None)
    assert result["state"] == "failed" and result["failure"]["kind"] == "disk"
    assert files_of(ours / "all") == {}


# ---------------------------------------------------------------- one run at a time, and what a killed one left

def test_a_second_run_is_refused_or_waits(ours, capsys):
    with locked(ours / "all", None, "ebank report --all"):
        code = main([*ALL, "--out", "all", "--quiet"])
        err = capsys.readouterr().err
        assert code == 2 and f"process {os.getpid()}: ebank report --all" in err and "--wait" in err
        with pytest.raises(OutputBusy), locked(ours / "all", "west", "ebank report --branch west"):
            pass
    with (locked(ours / "all", "west", "one"), locked(ours / "all", "0351", "two"),      # two branches do not meet
          pytest.raises(OutputBusy), locked(ours / "all", "west", "three")):
        pass
    heard = []
    with locked(ours / "all", "west", "one"):
        late = threading.Thread(target=lambda: locked_once(ours / "all", heard))
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


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_a_run_that_is_ended_goes_on_where_it_was(files_of, ours, finished, capsys, tmp_path, number):
    """Ended when the first report is there; then the same command makes the bytes of a run that nobody ended."""
    (tmp_path / "t").mkdir()
    env = {**os.environ, "TMPDIR": str(tmp_path / "t")}
    run = subprocess.Popen([sys.executable, "-m", "ebank_lib", *ALL, "--out", "all"], env=env, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    state = Path("all", ".ebank", "state")      # written when all of a report is
    while run.poll() is None and not {p.stem for p in state.glob("*.json")} & {"0351", "west", "province"}:
        time.sleep(0.02)
    run.send_signal(number)
    _, said = run.communicate(timeout=60)
    assert run.returncode == (130 if number != signal.SIGKILL else -9), said
    if number != signal.SIGKILL:
        assert said.splitlines()[-1] == ("ebank: interrupted; every finished report is kept. Go on with: "
                                         "ebank report --source data/small --all --lang en --out all")
        assert not [p for p in Path("all").rglob(".*.*") if p.is_file()]
    end = time.monotonic() + 20
    while list((tmp_path / "t").iterdir()) and time.monotonic() < end:      # removed by the warm parent as it ends
        time.sleep(0.05)
    assert list((tmp_path / "t").iterdir()) == []
    _, out, events, _ = told(capsys, "--out", "all")
    assert " 0 unchanged" not in out and len(executed(events)) < 5
    assert files_of(ours / "all") == files_of(finished / "all")
