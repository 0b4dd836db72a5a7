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

    def __init__(self, lang: str, stream: TextIO | None = None):
        super().__init__(stream)
        self._lang = lang

    def __call__(self, event: Mapping[str, Any]) -> None:
        lang, label = self._lang, event.get("label") or event.get("branch", "")
        if event["event"] == "failed":
            self._print("ebank: " + t("cli.failed", lang, branch=label, message=event["message"]))
            if event["kind"] != "disk":
                self._print("  " + t("cli.rerun", lang, command=event["command"]))
        elif event["event"] == "done":
            for stage, end in event["not_done"].items():    # the data are the reason, not the run: no failure
                self._print("ebank: " + t("cli.not_done", lang, branch=label, stage=stage, cell=end["cell"] or "?",
                                          message=end["message"]))
            for line in event["warnings"]:
                self._print("ebank: " + t("cli.warned", lang, text=line))


class Lines(Quiet):
    """A line for whatever ends, and on a terminal one that says what runs and how long it will take."""

    def __init__(self, lang: str, workers: int, stages: bool, stream: TextIO | None = None,
                 clock: Callable[[], float] = time.monotonic):
        super().__init__(lang, stream)
        self._workers, self._stages, self._clock = workers, stages, clock
        self._live = self._stream.isatty()
        self._shown = False
        self._running: dict[str, tuple[str, dict[str, float]]] = {}
        self._took: list[float] = []
        self._todo = 0

    def __call__(self, event: Mapping[str, Any]) -> None:
        kind, name, lang = event["event"], event.get("branch", ""), self._lang
        label = event.get("label") or name
        if kind in ("summary", "interrupted"):      # said in other words
            return
        if kind == "waiting":
            self._print(t("cli.waiting", lang, who=event["message"]))
        elif kind == "plan":
            self._todo = event["todo"]
            if event["unchanged"] and event["todo"]:
                self._print(t("cli.unchanged_some", lang, n=event["unchanged"], todo=event["todo"]))
        elif kind == "prepared":
            self._running.pop("", None)
            self._print(t("cli.prepared", lang, branches=event["branches"], seconds=f"{event['seconds']:.1f}"))
        elif kind == "learnt":
            self._running.pop("", None)
            self._print(t("cli.unlearnt", lang, message=event["message"]) if event["message"] else
                        t("cli.learnt", lang, seconds=f"{event['seconds']:.1f}"))
        elif kind == "start":
            self._running[name] = (label, {})
        elif kind == "stage" and event["what"] == "start":
            self._running.get(name, (label, {}))[1][event["stage"]] = self._clock()
        elif kind == "stage":
            self._running.get(name, (label, {}))[1].pop(event["stage"], None)
            if self._stages:
                mark = f"  {t('cli.stage_failed', lang)}" if event["what"] == "failed" else ""
                self._print(f"  {event['stage']:<28} {event['seconds']:5.1f} s{mark}")
        elif kind in ("done", "failed"):
            self._running.pop(name, None)
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
            parts.append(t("cli.left", self._lang, minutes=f"{left / 60:.0f}", seconds=f"{left % 60:02.0f}"))
        # Cut to what most terminals show in a line: one that breaks could not be taken back.
        super()._print("\r\x1b[K" + " · ".join(parts)[:100], end="")
        self._shown = True

    def clear(self) -> None:
        """Take the living line away."""
        if self._shown:
            super()._print("\r\x1b[K", end="")
            self._shown = False
