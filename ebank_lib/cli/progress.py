"""What ``ebank report`` says while it works: a bar on a terminal, plain lines elsewhere, JSON for machines.

Each takes the events of :func:`~ebank_lib.reports.batch.run_batch`, then ``summary`` or ``interrupted``.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from tqdm import tqdm

from ..wording import t

_FORMAT = "{bar:24} {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}"


class JsonLines:
    """An event a line, as JSON; what only moves a clock is not said."""

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream or sys.stderr

    def __call__(self, event: Mapping[str, Any]) -> None:
        if event["event"] != "tick":
            said = {key: round(value, 3) if isinstance(value, float) else value for key, value in event.items()
                    if key != "label"}
            self._print(json.dumps(said, ensure_ascii=False))

    def clear(self) -> None:
        """Take away what lives on a terminal: nothing does."""

    def _print(self, text: str) -> None:
        # A stream that nobody reads, or a full disk below it, does not stop the work.
        with contextlib.suppress(OSError):
            print(text, file=self._stream, flush=True)


class Quiet(JsonLines):
    """Says nothing but what went wrong."""

    def __call__(self, event: Mapping[str, Any]) -> None:
        label = event.get("label") or event.get("branch", "")
        if event["event"] == "failed":
            self._print("ebank: " + t("cli.failed", branch=label, message=event["message"]))
            if event["kind"] != "disk":
                self._print("  " + t("cli.rerun", command=event["command"]))
        elif event["event"] == "done":
            for stage, end in event["not_done"].items():    # the data are the reason, not the run: no failure
                self._print("ebank: " + t("cli.not_done", branch=label, stage=stage, cell=end["cell"] or "?",
                                          message=end["message"]))
            for line in event["warnings"]:
                self._print("ebank: " + t("cli.warned", text=line))


class Lines(Quiet):
    """A line for whatever ends, and on a terminal a bar with what runs and how long it will take."""

    def __init__(self, stages: bool, stream: TextIO | None = None):
        super().__init__(stream)
        self._stages, self._ended = stages, 0
        self._running: dict[str, dict[str, float]] = {}
        self._bar = tqdm(total=0, file=self._stream, disable=None, leave=False, dynamic_ncols=True, bar_format=_FORMAT)

    def __call__(self, event: Mapping[str, Any]) -> None:
        kind, label = event["event"], event.get("label") or event.get("branch", "")
        if kind in ("prepared", "learnt", "done", "failed"):
            self._running.pop(label, None)
        if kind == "waiting":
            self._print(t("cli.waiting", who=event["message"]))
        elif kind == "plan":
            self._bar.reset(event["todo"])
            if event["unchanged"] and event["todo"]:
                self._print(t("cli.unchanged_some", n=event["unchanged"], todo=event["todo"]))
        elif kind == "prepared":
            self._print(t("cli.prepared", branches=event["branches"], seconds=f"{event['seconds']:.1f}"))
        elif kind == "learnt":
            self._print(t("cli.unlearnt", message=event["message"]) if event["message"] else
                        t("cli.learnt", seconds=f"{event['seconds']:.1f}"))
        elif kind == "stage":
            begun = self._running.setdefault(label, {})
            begun.pop(event["stage"], None)
            if event["what"] == "start":
                begun[event["stage"]] = time.monotonic()
            elif self._stages:
                mark = f"  {t('cli.stage_failed')}" if event["what"] == "failed" else ""
                self._print(f"  {event['stage']:<28} {event['seconds']:5.1f} s{mark}")
        elif kind in ("done", "failed"):
            self._ended += 1
            self._bar.update()
            if kind == "done" and not self._stages:
                self._print(f"  [{self._ended}/{self._bar.total}] {label}  {event['seconds']:.1f} s")
        super().__call__(event)
        now = time.monotonic()
        self._bar.set_postfix_str(" · ".join(
            " ".join([label, *(f"{stage} {now - begun:.0f} s" for stage, begun in sorted(stages.items()))])
            for label, stages in self._running.items()))

    def _print(self, text: str) -> None:
        with tqdm.external_write_mode(self._stream, nolock=True):
            super()._print(text)

    def clear(self) -> None:
        """Take the bar away."""
        self._bar.close()
