"""What ``ebank report`` says while it works: a line that lives on a terminal, plain lines elsewhere, JSON for machines.

Each takes the events of :func:`~ebank_lib.reports.batch.run_batch`, then ``summary`` or ``interrupted``.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from ..wording import t

_WIDTH = 24


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

    def _print(self, text: str, end: str = "\n") -> None:
        # A stream that nobody reads, or a full disk below it, does not stop the work.
        with contextlib.suppress(OSError):
            print(text, end=end, file=self._stream, flush=True)


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
    """A line for whatever ends, and on a terminal one that says what runs and how long it will take."""

    def __init__(self, workers: int, stages: bool, stream: TextIO | None = None,
                 clock: Callable[[], float] = time.monotonic):
        super().__init__(stream)
        self._workers, self._stages, self._clock = workers, stages, clock
        self._live = self._stream.isatty()
        self._shown = False
        self._running: dict[str, tuple[str, dict[str, float]]] = {}
        self._took: list[float] = []
        self._todo = 0

    def __call__(self, event: Mapping[str, Any]) -> None:
        kind, name = event["event"], event.get("branch", "")
        label = event.get("label") or name
        if kind in ("summary", "interrupted"):      # said in other words
            return
        if kind in ("prepared", "learnt", "done", "failed"):
            self._running.pop(name, None)
        if kind == "waiting":
            self._print(t("cli.waiting", who=event["message"]))
        elif kind == "plan":
            self._todo = event["todo"]
            if event["unchanged"] and event["todo"]:
                self._print(t("cli.unchanged_some", n=event["unchanged"], todo=event["todo"]))
        elif kind == "prepared":
            self._print(t("cli.prepared", branches=event["branches"], seconds=f"{event['seconds']:.1f}"))
        elif kind == "learnt":
            self._print(t("cli.unlearnt", message=event["message"]) if event["message"] else
                        t("cli.learnt", seconds=f"{event['seconds']:.1f}"))
        elif kind == "start":
            self._running[name] = (label, {})
        elif kind == "stage":
            begun = self._running.get(name, (label, {}))[1]
            begun.pop(event["stage"], None)
            if event["what"] == "start":
                begun[event["stage"]] = self._clock()
            elif self._stages:
                mark = f"  {t('cli.stage_failed')}" if event["what"] == "failed" else ""
                self._print(f"  {event['stage']:<28} {event['seconds']:5.1f} s{mark}")
        elif kind in ("done", "failed"):
            self._took.append(event["seconds"])
            if kind == "done" and not self._stages:
                self._print(f"  [{len(self._took)}/{self._todo}] {label}  {event['seconds']:.1f} s")
        super().__call__(event)
        self._draw()

    def _print(self, text: str, end: str = "\n") -> None:
        self.clear()
        super()._print(text, end)

    def _draw(self) -> None:
        if not self._live:
            return
        now, ended, parts = self._clock(), len(self._took), []
        if self._todo > 1:
            full = round(_WIDTH * ended / self._todo)
            parts.append(f"[{'█' * full}{'·' * (_WIDTH - full)}] {ended}/{self._todo}")
        parts += [" ".join([label, *(f"{stage} {now - begun:.0f} s" for stage, begun in sorted(stages.items()))])
                  for label, stages in self._running.values()]
        if 0 < ended < self._todo:
            rounds = -(-(self._todo - ended) // self._workers)
            left = rounds * sum(self._took) / ended
            parts.append(t("cli.left", minutes=f"{left / 60:.0f}", seconds=f"{left % 60:02.0f}"))
        # Cut to what most terminals show in a line: one that breaks could not be taken back.
        super()._print("\r\x1b[K" + " · ".join(parts)[:100], end="")
        self._shown = True

    def clear(self) -> None:
        """Take the living line away."""
        if self._shown:
            super()._print("\r\x1b[K", end="")
            self._shown = False
