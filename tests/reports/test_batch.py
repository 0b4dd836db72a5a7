"""All reports in one run: what has changed is done again and nothing else, a bad branch costs only itself, and the
bytes are the same whichever way they were made.
"""

import errno
import html
import json
import os
import posixpath
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from ebank_lib.cli import main
from ebank_lib.errors import ConfigError
from ebank_lib.files import write_atomically
from ebank_lib.reports import batch, tasks
from ebank_lib.reports.tasks import locked

pytestmark = pytest.mark.notebook

ALL = ["report", "--source", "data/small", "--all", "--lang", "en", "--notebooks", "notebooks"]
BAD = "assert False, 'a bad day'"


@pytest.fixture
def ours(whole_project, tmp_path, monkeypatch):
    """A project to change."""
    monkeypatch.chdir(shutil.copytree(whole_project, tmp_path / "project"))
    return tmp_path / "project"


@pytest.fixture
def done(finished, tmp_path, monkeypatch):
    """A project with all its reports, to change."""
    sockets = shutil.ignore_patterns("work")
    monkeypatch.chdir(shutil.copytree(finished, tmp_path / "project", ignore=sockets))
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
    for name, page in made.items():
        if name.endswith(".html"):
            links = {posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
                     for link in re.findall(r'href="([^"#]+)', page.decode())}
            assert links <= {*made} and (name == "index.html" or "index.html" in links), name
    before = {p: p.stat().st_mtime_ns for p in (ours / "all").rglob("*") if p.is_file() and p.name != "lock"}
    code, out, events, _ = told(capsys, "--out", "all")
    assert code == 0 and "nothing to do: data, parameters, notebooks and code of all 3 reports are as they were" in out
    assert [e["event"] for e in events] == ["plan", "summary"]
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_a_run_with_nothing_to_do_says_so_and_loads_nothing_heavy(done, capsys):
    code = ("import sys; from ebank_lib.cli import main; c = main(sys.argv[1:]); "
            "print(c, sorted({'papermill', 'nbformat', 'matplotlib', 'statsmodels'} & set(sys.modules)))")
    command = [sys.executable, "-c", code, *ALL, "--out", "all"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "nothing to do" in run.stdout and run.stdout.endswith("0 []\n")


def test_a_changed_cell_does_every_report_again_and_the_bytes_are_a_fresh_runs(files_of, done, capsys):
    change_a_cell(done)
    same = [done / "all/west" / name for name in ("tables.xlsx", "notebooks/02_forecast.ipynb")]
    before = [path.stat().st_mtime_ns for path in same]
    code, out, _, _ = told(capsys, "--out", "all")
    assert code == 0 and "3 reports done, 0 unchanged" in out
    assert [path.stat().st_mtime_ns for path in same] == before       # what did not change is not written again
    assert main([*ALL, "--out", "fresh", "--quiet", "--no-cache"]) == 0
    assert files_of(done / "all", history=False) == files_of(done / "fresh", history=False)
    moved = json.loads((done / "all" / "0351" / "previous.json").read_bytes())
    assert moved["branch"] == "0351" and not (done / "fresh" / "0351" / "previous.json").exists()


def test_a_changed_notebook_or_parameter_runs_again_where_it_counts(done, capsys):
    path = done / "notebooks" / "02_forecast.ipynb"
    book = nbformat.read(path, as_version=4)
    book.cells[4].source = "plt.plot(range(horizon), 'k');"
    nbformat.write(book, path)
    every = [(branch, book) for branch in ("0351", "west") for book in ("01_cleaning", "02_forecast")]
    assert executed(told(capsys, "--out", "all")[2]) == every
    assert executed(told(capsys, "--out", "all", "-p", "horizon=6")[2]) == every


def test_a_bad_branch_costs_only_itself_and_is_said_wherever_one_looks(files_of, ours, finished, capsys):
    (ours / "west.bad").write_text(BAD)
    code, out, events, said = told(capsys, "--out", "all")
    assert code == 1 and "2 reports done, 0 unchanged, 1 failed" in out
    failed = [e for e in events if e["event"] == "failed"]
    assert [(e["branch"], e["kind"]) for e in failed] == [("west", "notebook")] and said == []
    assert failed[0]["command"] == (
        "ebank report --source data/small --branch west --lang en --notebooks notebooks --out all")
    made = files_of(ours / "all")
    assert {name for name in made if name.startswith("west/")} == {
        "west/failed/02_forecast.ipynb", "west/failed/index.html"}
    page = made["west/failed/index.html"].decode()
    assert "a bad day" in page and failed[0]["command"] in page
    assert "west/failed/index.html" in made["index.html"].decode()
    # Said again, not hidden, with --keep-going; and what was executed before it failed is not executed again.
    code, out, events, _ = told(capsys, "--out", "all", "--keep-going")
    assert code == 0 and "0 reports done, 2 unchanged, 1 failed" in out
    assert executed(events) == [("west", "02_forecast")]
    (ours / "west.bad").unlink()
    assert executed(told(capsys, "--out", "all")[2]) == [("west", "02_forecast")]
    assert files_of(ours / "all") == files_of(finished / "all") and not (ours / "all/.ebank/partial/west").exists()


def test_a_single_branch_that_would_come_out_again_is_left_as_it_is_unless_it_is_forced(files_of, done, capsys):
    before = files_of(done / "all" / "west")
    one = ["report", "--source", "data/small", "--branch", "west", "--lang", "en", "--notebooks", "notebooks",
           "--out", "all", "--log", "json"]
    for words, stages in (([], []), (["--force"], ["start", "done"] * 2)):
        assert main([*one, *words]) == 0
        out, err = capsys.readouterr()
        assert "report.html" in out
        events = [json.loads(line) for line in err.splitlines()]
        assert sorted(e["what"] for e in events if e["event"] == "stage") == sorted(stages)
        assert files_of(done / "all" / "west") == before


def test_a_failure_leaves_the_report_before_it(files_of, done, capsys):
    before = files_of(done / "all" / "0351")
    (done / "0351.bad").write_text(BAD)
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
    assert code == 0 and {branch for branch, _ in executed(events)} == {"0351", "province", "west"}
    assert files_of(done / "all") == good


# ---------------------------------------------------------------- tasks that end badly

@pytest.mark.parametrize("does, kind, says", [
    ("os.kill(os.getpid(), 9)", "memory", "(status -9)"),
    ("os._exit(3)", "crash", "(status 3)"),
    ("1 / 0", "notebook", "ZeroDivisionError: division by zero"),
    ("time.sleep(600)", "time", "longer than 2 s"),
    ("try:\n    time.sleep(600)\nexcept Exception:\n    time.sleep(600)", "time", "longer than 2 s"),
    ("import signal; signal.signal(signal.SIGALRM, signal.SIG_IGN); time.sleep(600)", "time", "the whole report"),
], ids=["killed", "ended", "error", "hangs", "holds on", "whole report"])
def test_however_a_task_ends_the_others_go_on(done, capsys, does, kind, says):
    (done / "0351.bad").write_text(does)
    change_a_cell(done)
    code, out, events, said = told(capsys, "--out", "all", "--cell-timeout", "2", "--job-timeout", "12")
    assert code == 1 and "2 reports done, 0 unchanged, 1 failed" in out and said == []
    failure, = [e for e in events if e["event"] == "failed"]
    assert failure["kind"] == kind and says in failure["message"] and "02_forecast" in failure["message"]
    assert says in html.unescape((done / "all/0351/failed/index.html").read_text(encoding="utf-8"))


def test_a_task_with_an_error_of_ours_is_one_too(tmp_path):
    found = tasks.perform("page", None, {"what": "no such argument"})
    assert found["state"] == "failed" and found["failure"]["kind"] == "bug" and "TypeError" in tasks.reason(
        found["failure"])


def test_after_a_pool_that_breaks_the_same_command_goes_on(done, capsys, monkeypatch):
    change_a_cell(done)
    whole, times = batch.Processes.submit, []

    def submit(self, *asked):
        times.append(asked[0])
        if len(times) == 3:
            os.kill(batch_server(), signal.SIGKILL)
        return whole(self, *asked)

    monkeypatch.setattr(batch.Processes, "submit", submit)
    code, out, events, said = told(capsys, "--out", "all")
    assert ("reports done" in out) if code in (0, 1) else (code == 3 and "ended from outside" in said[-1])
    assert all(e["kind"] in ("crash", "memory") for e in events if e["event"] == "failed")
    assert main([*ALL, "--out", "all", "--quiet"]) == 0


def batch_server():
    from benchmarks._processes import command_lines, descendants

    return next(pid for pid in descendants(os.getpid()) if "forkserver" in command_lines().get(pid, ""))


# ---------------------------------------------------------------- a source that does not keep still, or is none

EDIT = """
path = pathlib.Path("data/small/cells.csv")
path.write_text(path.read_text(encoding="utf-8").replace("东城,2009-03,1007", "东城,2009-03,1008"), encoding="utf-8")
"""


def test_a_source_that_is_edited_while_it_is_read_is_read_anew_by_the_same_command(files_of, done, capsys):
    change_a_cell(done)
    (done / "west.bad").write_text(EDIT)
    code, _, events, said = told(capsys, "--out", "all")
    assert code == 3 and "the same command reads it anew" in said[-1]
    assert not [e for e in events if e["event"] == "failed"]
    (done / "west.bad").unlink()
    assert told(capsys, "--out", "all")[0] == 0
    assert "10085" in (done / "all/0351/tables/series.csv").read_text(encoding="utf-8")
    assert main([*ALL, "--out", "fresh", "--quiet", "--no-cache"]) == 0
    assert files_of(done / "all", history=False) == files_of(done / "fresh", history=False)


def device(data):
    (data / "catalog.yaml").unlink()
    (data / "catalog.yaml").symlink_to("/dev/zero")


def pipe(data):
    (data / "branches.csv").unlink()
    os.mkfifo(data / "branches.csv")


def endless(data):
    os.truncate(data / "cells.csv", 300 * 10**9)


def elsewhere(data):
    text = (data / "sources.yaml").read_text(encoding="utf-8")
    (data / "sources.yaml").write_text(text.replace("cells.csv", "../../../usr/**/*"), encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="no such files")
@pytest.mark.parametrize("spoil", [device, pipe, endless, elsewhere])
def test_what_check_refuses_is_refused_as_quickly(ours, capsys, spoil):
    spoil(ours / "data" / "small")
    begun = time.monotonic()
    assert main(["check", "--source", "data/small"]) == 2
    said = capsys.readouterr().err
    assert main([*ALL, "--out", "all"]) == 2 and capsys.readouterr().err == said
    assert time.monotonic() - begun < 20 and not (ours / "all").exists()


# ---------------------------------------------------------------- a machine that gives up

def test_a_full_disk_ends_the_run_and_what_there_was_stays(files_of, done, capsys, monkeypatch):
    change_a_cell(done)
    whole = batch.outcome_of

    def outcome(future, limit=0.0):
        found = whole(future, limit)
        return {**found, "failure": tasks.failure("disk", "OSError", "No space left")} if "page" in found else found

    monkeypatch.setattr(batch, "outcome_of", outcome)
    monkeypatch.setattr(tasks, "_page", None)
    code, _, events, said = told(capsys, "--out", "all", "--workers", "1")
    assert code == 3 and "the disk is full" in said[-1] and "--all" in said[-1]
    assert sum(1 for e in events if e["event"] == "failed") == 1 and not list((done / "all").glob("*/failed"))


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_a_file_that_may_not_grow_is_no_wrong_input(ours):
    command = f"ulimit -f 4; exec {sys.executable} -m ebank_lib {' '.join(ALL)} --out all"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert run.returncode == 3 and "too large" in run.stderr and "Traceback" not in run.stderr, run


def test_a_file_that_finds_no_room_is_a_full_disk_in_any_language(tmp_path, monkeypatch):
    def full(**_):
        raise OSError(errno.ENOSPC, "Auf dem Gerät ist kein Speicherplatz mehr verfügbar")

    monkeypatch.setattr("ebank_lib.files.tempfile.mkstemp", full)
    with pytest.raises(ConfigError) as caught:
        write_atomically(tmp_path / "a", b"")
    assert tasks.failure_of(caught.value)["kind"] == "disk" and tasks.is_machine(caught.value)
    other = ConfigError("cannot be written", found="Permission denied")
    assert tasks.failure_of(other)["kind"] == "input" and not tasks.is_machine(other)
    assert tasks.failure_of(MemoryError())["kind"] == "memory" and tasks.is_machine(MemoryError())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_an_output_that_takes_nothing_more_is_no_success(done, capsys):
    def run(to, *words):
        return subprocess.run([sys.executable, "-m", "ebank_lib", *words], stdout=to, check=False,
                              stderr=subprocess.PIPE).returncode

    with Path("/dev/full").open("w") as full:
        assert run(full, "branches", "--source", "data/small") == run(full, *ALL, "--out", "all") == 3
    read, write = os.pipe()
    os.close(read)
    assert run(write, "branches", "--source", "data/small") == 141
    change_a_cell(done)
    assert run(write, *ALL, "--out", "all") == 0        # all is done, though nobody hears of it
    os.close(write)
    assert "of all 3 reports are as they were" in told(capsys, "--out", "all")[1]


def test_a_closed_stderr_does_not_stop_the_work(files_of, done, finished):
    (done / "all" / "west" / "report.html").unlink()
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run([sys.executable, "-m", "ebank_lib", *ALL, "--out", "all"], stdout=subprocess.PIPE,
                         stderr=write, check=False, text=True)
    os.close(write)
    assert run.returncode == 0 and "1 reports done" in run.stdout
    assert files_of(done / "all") == files_of(finished / "all")


@pytest.mark.slow
def test_new_processes_everywhere_make_the_same_bytes(files_of, ours, finished):
    one = " ".join(ALL).replace("--all", "--branch west").split()
    (ours / "all").mkdir()
    (ours / "all" / "index.html").touch()       # to which the page leads, as in a run of all
    assert main([*one, "--out", "all", "--quiet", "--no-fork"]) == 0
    whole = files_of(finished / "all")
    made = {name: content for name, content in files_of(ours / "all").items() if name != "index.html"}
    assert made == {name: whole[name] for name in whole if name.startswith("west/")}


# ---------------------------------------------------------------- one run at a time, and what a killed one left

def test_a_second_run_is_refused(ours, capsys):
    with locked(ours / "all", None, "ebank report --all"):
        code = main([*ALL, "--out", "all", "--quiet"])
    err = capsys.readouterr().err
    assert code == 2 and f"process {os.getpid()}: ebank report --all" in err and "--wait" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_a_run_that_is_ended_goes_on_where_it_was(files_of, ours, finished, capsys, number):
    """Ended when the first report is there; then the same command makes the bytes of a run that nobody ended."""
    run = subprocess.Popen([sys.executable, "-m", "ebank_lib", *ALL, "--out", "all"], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    state = Path("all", ".ebank", "state")      # written when all of a report is
    while run.poll() is None and not {p.stem for p in state.glob("*.json")} & {"0351", "west", "province"}:
        time.sleep(0.02)
    run.send_signal(number)
    _, said = run.communicate(timeout=60)
    assert run.returncode == (130 if number != signal.SIGKILL else -9), said
    if number != signal.SIGKILL:
        assert said.splitlines()[-1] == (
            "ebank: interrupted; every finished report is kept. Go on with: "
            "ebank report --source data/small --all --lang en --notebooks notebooks --out all")
        assert not [p for p in Path("all").rglob(".*.*") if p.is_file()]
    _, out, events, _ = told(capsys, "--out", "all")
    assert " 0 unchanged" not in out and len(executed(events)) < 5
    assert files_of(ours / "all") == files_of(finished / "all")
