"""What a batch says while it works: a bar on a terminal, lines on a pipe, JSON for machines, nothing when asked."""

import io
import json

import pytest

from ebank_lib.cli.progress import JsonLines, Lines, Quiet
from ebank_lib.wording import use_language

EVENTS = [
    {"event": "plan", "all": 4, "todo": 3, "unchanged": 1},
    {"event": "start", "branch": "a", "label": "甲", "stage": ""},
    {"event": "stage", "branch": "a", "label": "甲", "what": "start", "stage": "01_x", "seconds": 0.0},
    {"event": "tick"},
    {"event": "stage", "branch": "a", "label": "甲", "what": "done", "stage": "01_x", "seconds": 4.2},
    {"event": "done", "branch": "a", "label": "甲", "seconds": 60.0, "page": "a/report.html",
     "warnings": ["01_x [3] w"], "not_done": {"02_y": {"cell": 3, "message": "too short"}}, "reused": []},
    {"event": "start", "branch": "b", "label": "乙", "stage": ""},
    {"event": "failed", "branch": "b", "label": "乙", "seconds": 1.0, "message": "02_y: no", "command": "again",
     "kind": "notebook"},
]
TROUBLE = ["ebank: 甲: the data do not allow 02_y; it ends at cell [3]: too short",
           "ebank: a notebook wrote to stderr: 01_x [3] w", "ebank: 乙 failed: 02_y: no", "  run again: again"]


@pytest.fixture(autouse=True)
def _in_english():
    before = use_language("en")
    yield
    use_language(before)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_quiet_says_what_went_wrong_and_nothing_else():
    stream = io.StringIO()
    for event in EVENTS:
        Quiet(stream)(event)
    assert stream.getvalue().splitlines() == TROUBLE


@pytest.mark.parametrize("stages, lines", [
    (False, ["1 reports are as they were, 3 are done again", "  [1/3] 甲  60.0 s"]),
    (True, ["1 reports are as they were, 3 are done again", "  01_x                           4.2 s"]),
])
def test_a_pipe_gets_plain_lines(stages, lines):
    stream = io.StringIO()
    say = Lines(stages, stream)
    for event in EVENTS:
        say(event)
    say.clear()
    said = stream.getvalue()
    assert said.splitlines() == [*lines, *TROUBLE] and "\x1b" not in said


def test_a_terminal_gets_a_bar_with_what_runs_and_it_is_taken_away():
    stream = Terminal()
    say = Lines(False, stream)
    for event in EVENTS[:4]:
        say(event)
    assert "0/3 [" in stream.getvalue() and stream.getvalue().endswith(", 甲 01_x 0 s")
    for event in EVENTS[4:6]:
        say(event)
    assert "1/3 [" in stream.getvalue().rpartition("\n")[2]
    say.clear()
    assert stream.getvalue().rpartition("\n")[2].split("\r")[-2].isspace()


def test_machines_get_an_event_a_line():
    stream = io.StringIO()
    for event in EVENTS:
        JsonLines(stream)(event)
    said = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [one["event"] for one in said] == ["plan", "start", "stage", "stage", "done", "start", "failed"]
    assert said[4]["not_done"] == {"02_y": {"cell": 3, "message": "too short"}} and "label" not in said[4]
