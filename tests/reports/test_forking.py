"""Processes forked from a warm parent: what they tell, how they end, and that nothing outlives whom it belongs to."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebank_lib.errors import ConfigError, EbankError
from ebank_lib.reports import forking
from ebank_lib.reports.calls import Call, CallFailed
from ebank_lib.reports.forking import WarmParent, available, inherited, private_folder

forks = pytest.mark.skipif(available() != "", reason="processes are not forked on this system")
HERE = Path(__file__).parent


def started(folder, **how):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        return WarmParent.start(folder, **{"warm": False} | how)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A parent that forks and has imported nothing: there in no time."""
    with started(tmp_path_factory.mktemp("warm") / "private") as parent:
        assert not parent.reason
        yield parent


@pytest.fixture(params=[pytest.param("bare", marks=forks), "plain"])
def parent(request, tmp_path):
    """Both kinds of process."""
    if request.param == "bare":
        yield request.getfixturevalue("bare")
    else:
        with started(tmp_path / "private", fork=False) as plain:
            assert plain.reason
            yield plain


def call(parent, name, log=None, **payload):
    return parent.call(f"called:{name}", payload, env={**os.environ, "PYTHONPATH": str(HERE)}, log=log)


def told(of):
    """Wait for the first thing that a process tells."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        events = of.events()
        if events:
            return events[0]
        assert of.poll() is None
        time.sleep(0.01)
    raise AssertionError("nothing told")


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def gone(*pids, within=10.0):
    end = time.monotonic() + within
    while any(runs(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.02)
    return not any(runs(pid) for pid in pids)


# ---------------------------------------------------------------- a call

def test_a_function_tells_returns_and_prints_into_its_log(parent, tmp_path):
    of = call(parent, "tells", tmp_path / "log", n=3)
    assert of.result() == {"doubled": 6} and of.wait() == of.poll() == 0
    assert of.events() == [{"n": 0}, {"n": 1}, {"n": 2}] and of.events() == []
    assert (tmp_path / "log").read_text() == "printed\n"


def test_what_is_told_may_be_long(parent):
    of = call(parent, "much")
    assert of.result() == {} and [len(e["text"]) for e in of.events()] == [300_000] * 4


def test_an_error_is_named_and_its_traceback_is_in_the_log(parent, tmp_path):
    with pytest.raises(CallFailed, match="KeyError: 'no such month'") as caught:
        call(parent, "raises", tmp_path / "log").result()
    assert (caught.value.error, caught.value.status) == ("KeyError", 1)
    assert "Traceback" in (tmp_path / "log").read_text()


def test_a_killed_process_is_seen_at_once(parent):
    begun = time.monotonic()
    with pytest.raises(CallFailed) as caught:
        call(parent, "killed").result()
    assert caught.value.status == -signal.SIGKILL and time.monotonic() - begun < 20


@pytest.mark.parametrize("end", ["kill", "close", "terminate"])
def test_who_is_ended_takes_along_what_it_started(parent, end):
    of = call(parent, "hangs")
    pids = told(of)
    with pytest.raises(subprocess.TimeoutExpired):
        of.wait(0.05)
    getattr(of, end)()
    assert gone(*pids.values())
    assert of.wait(5) in (-signal.SIGKILL, -signal.SIGTERM)


@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=20), max_size=2), max_size=5),
       st.integers(1, 40), st.integers(0, 12))
def test_events_do_not_depend_on_how_they_are_cut(events, size, cut):
    ours, theirs = socket.socketpair()
    lines = b"".join(json.dumps({"event": e}).encode() + b"\n" for e in events)
    # A process killed in the middle of a word, then what its parent says of it.
    whole = lines + b'{"event": {"a'[:cut] + b'\n{"exited": -9}\n'
    with Call(ours) as of, theirs:
        heard = []
        for at in range(0, len(whole), size):
            theirs.sendall(whole[at: at + size])
            heard += of.events()
        assert heard == events and of.poll() == -9


def test_a_parent_that_ends_without_a_word_has_taken_its_processes_along():
    ours, theirs = socket.socketpair()
    of = Call(ours)
    assert of.poll() is None
    theirs.close()
    assert of.poll() == -signal.SIGKILL


# ---------------------------------------------------------------- the state of a fork

@forks
def test_a_fork_is_as_a_new_process_is(bare, tmp_path):
    env = {"EB_OWN": "1", "PATH": os.environ["PATH"], "PYTHONPATH": str(HERE)}
    with call(bare, "hangs") as other:
        told(other)     # somebody else's sockets and files are open in the parent now
        one, two = (bare.call("called:looks", {}, env=env, log=tmp_path / "log", cwd=tmp_path).result()
                    for _ in range(2))
    assert one["environment"] == {"EB_OWN": "1"} and one["cwd"] == str(tmp_path) and one["session"]
    assert one["threads"] == one["tasks"] == 1
    assert one["sockets"] == 2 and one["files"] == sorted([os.devnull, str(tmp_path / "log")])
    assert one["random"] != two["random"] and one["hash"] == two["hash"]
    fresh = json.loads(subprocess.run(
        [sys.executable, "-c", "import called, json; print(json.dumps(called.looks({}, None)))"],
        env=env | {"PYTHONHASHSEED": "0"}, capture_output=True, check=True).stdout)
    assert (one["signals"], one["hash"]) == (fresh["signals"], fresh["hash"])


@forks
def test_the_parent_does_not_grow_and_keeps_nothing_open(bare):
    def size():
        status = Path(f"/proc/{bare._process.pid}/status").read_text()
        files = len(list(Path(f"/proc/{bare._process.pid}/fd").iterdir()))
        return int(status.partition("VmRSS:")[2].split()[0]), files
    call(bare, "tells", n=1).result()
    before = size()
    for _ in range(10):
        call(bare, "tells", n=1).result()
    after = size()
    # What the last one held is let go of a moment after its end was said.
    assert after[0] - before[0] < 1024 and abs(after[1] - before[1]) <= 1


def test_only_a_job_has_inherited_a_way_to_its_parent():
    assert inherited() is None


# ---------------------------------------------------------------- whose end is whose

ORCHESTRATOR = """
import os, sys, time, called
from pathlib import Path
from ebank_lib.reports.forking import WarmParent
with WarmParent.start(Path(sys.argv[1]), warm=False) as parent:
    of = parent.call("called:hangs_with_kernel", {})
    while not (events := of.events()):
        time.sleep(0.01)
    print(parent._process.pid, *events[0].values(), flush=True)
    print(of.wait(), flush=True)
"""


@pytest.fixture
def orchestrator(tmp_path):
    """A process with a warm parent, a job and the job's kernel; their ids."""
    folder = Path(private_folder(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", ORCHESTRATOR, str(folder)], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": str(HERE), "EBANK_TEST_MARK": str(tmp_path)})
    with process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 3 and all(map(runs, pids)) and (folder / "left").exists()
        yield process, pids, folder
        process.kill()


def marked(tmp_path):
    """Every process that inherited the mark of this test's environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"EBANK_TEST_MARK={tmp_path}".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@forks
@pytest.mark.slow
@pytest.mark.parametrize("victim", ["orchestrator", "warm", "job"])
def test_nothing_is_left_when_one_of_them_is_killed(orchestrator, tmp_path, victim):
    process, (warm, job, kernel), folder = orchestrator
    os.kill({"orchestrator": process.pid, "warm": warm, "job": job}[victim], signal.SIGKILL)
    assert gone(job, kernel)
    if victim != "orchestrator":        # it is told at once, and cleans up
        assert process.communicate(timeout=10)[0] == f"{-signal.SIGKILL}\n" and process.wait() == 0
    assert gone(warm) and gone(*marked(tmp_path))
    end = time.monotonic() + 5
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not folder.exists()


@forks
def test_a_parent_that_is_warming_up_ends_with_its_orchestrator(tmp_path):
    with started(tmp_path / "private", warm=True) as parent:
        parent._channel.close()
        assert parent._process.wait(60) == 0 and not (tmp_path / "private").exists()


@forks
def test_a_parent_that_was_killed_is_an_error_of_the_next_request(tmp_path):
    with started(tmp_path / "private") as parent:
        of = call(parent, "hangs")
        pids = told(of)
        parent._process.kill()
        assert of.wait(10) == -signal.SIGKILL and gone(pids["pid"])
        os.kill(pids["child"], signal.SIGKILL)
        with pytest.raises(EbankError):
            call(parent, "tells", n=1).result()
    assert not (tmp_path / "private").exists()


# ---------------------------------------------------------------- where there is no forking

def test_elsewhere_processes_are_plain_and_the_reason_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(forking.sys, "platform", "darwin")
    assert "darwin" in available()
    with WarmParent.start(tmp_path / "private") as parent:
        assert "darwin" in parent.reason
        with pytest.raises(EbankError, match="darwin"):
            parent.kernel([], env={})
    assert not (tmp_path / "private").exists()


THREADED = """
import sys, threading, time
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
from ebank_lib.reports import warm
sys.exit(warm.main(sys.argv[1:]))
"""


@forks
def test_a_parent_with_a_second_thread_refuses(tmp_path):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        process = subprocess.Popen([sys.executable, "-c", THREADED, str(theirs.fileno()), str(tmp_path), "", "bare"],
                                   pass_fds=[theirs.fileno()])
        parent = WarmParent(tmp_path, ours, process)
        assert "2" in parent.reason
        process.wait(10)


def test_a_private_folder_is_this_users_and_this_outputs(tmp_path):
    one, two = private_folder(tmp_path / "a"), private_folder(tmp_path / "b")
    assert one == private_folder(tmp_path / "x" / ".." / "a") != two and len(one.name) < 32
    own = tmp_path / "own"
    own.mkdir()
    (own / "left.sock").touch()
    with WarmParent.start(own, fork=False):     # left by a run that was killed
        assert [f.name for f in own.iterdir()] == ["owner"] and own.stat().st_mode & 0o777 == 0o700
    with WarmParent.start(own, fork=False) as killed, WarmParent.start(own, fork=False):
        killed.close()      # late, when the next run has made the folder its own
        assert own.exists()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").touch()
    own.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is in the way"):
        WarmParent.start(own, fork=False)
    assert (tmp_path / "elsewhere" / "precious").exists()
