"""The command ``ebank report``."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TextIO

from ..errors import ConfigError, EbankError

__all__ = ["add_options", "report"]


def add_options(report: argparse.ArgumentParser, positive: Callable[[str], int]) -> None:
    """Give the command its options."""
    which = report.add_mutually_exclusive_group(required=True)
    which.add_argument("--branch", metavar="B", help="id of the branch (see: ebank branches)")
    which.add_argument("--all", action="store_true",
                       help="every branch, then all together; one that fails does not stop the others")
    which.add_argument("--province", action="store_true", help="all branches together")
    report.add_argument("--indicator", metavar="I", help="what is forecast (see: ebank indicators)")
    report.add_argument("--start", metavar="YYYY-MM", help="first month")
    report.add_argument("--end", metavar="YYYY-MM", help="last month")
    report.add_argument("--out", default="reports", metavar="DIR", help="written into DIR/branch (default: reports)")
    report.add_argument("-p", action="append", default=[], metavar="NAME=VALUE", dest="extra",
                        help="a further parameter of the notebooks; may be repeated")
    report.add_argument("--workers", type=positive, default=2, metavar="N", help="notebooks at once (default: 2)")
    report.add_argument("--cell-timeout", type=positive, default=300, metavar="SECONDS",
                        help="longest that one cell may take (default: 300)")
    report.add_argument("--strict", action="store_true", help="exit code 1 when a notebook wrote to stderr")
    report.add_argument("--quiet", action="store_true", help="no progress")


def report(options: argparse.Namespace) -> int:
    from ..reports.branch import make_province_report, make_report, open_province
    from ..reports.execution import NotebookError, applicable, branch_notebooks, check_extra, province_notebooks
    from ..wording import t

    extra = _extra(options.extra)
    one = [] if options.province else branch_notebooks()
    together = province_notebooks(must=options.province) if options.all or options.province else []
    check_extra(extra, [*one, *together])
    _say(options, t("cli.reading", options.lang, source=options.source))
    province = open_province(options.source)
    branches = [province.catalog.branch(options.branch).id] if options.branch is not None else [
        *(province.catalog.reporting if options.all else ()), *([None] if together else [])]
    done, failed = 0, 0
    for branch in branches:
        begun = time.monotonic()
        label = (province.catalog.branch(branch).label(options.lang) if branch
                 else t("report.all_branches", options.lang))
        if options.all:
            _say(options, f"{label} ({done + failed + 1}/{len(branches)})")
        progress = _Progress(sys.stderr, options.quiet)
        try:
            make = partial(make_report, province, branch) if branch else partial(make_province_report, province)
            report = make(lang=options.lang, indicator=options.indicator, start=options.start, end=options.end,
                          out=options.out, extra=applicable(extra, one if branch else together),
                          workers=options.workers, cell_timeout=options.cell_timeout, progress=progress)
        except EbankError as error:
            progress.clear()
            if len(branches) == 1 and not isinstance(error, NotebookError):
                raise
            failed += 1   # one branch costs only itself
            print("ebank: " + t("cli.failed", options.lang, branch=label, message=error), file=sys.stderr)
            print("  " + t("cli.rerun", options.lang, command=_again(options, branch)), file=sys.stderr)
            continue
        progress.clear()
        for stage, end in report.not_done.items():   # the data are the reason, not the run: no failure
            print("ebank: " + t("cli.not_done", options.lang, branch=label, stage=stage, cell=end.cell or "?",
                                message=end.message), file=sys.stderr)
        for line in report.warnings:
            print("ebank: " + t("cli.warned", options.lang, text=line), file=sys.stderr)
        if report.warnings and options.strict:
            failed += 1
        done += 1
        print(t("cli.done", options.lang, page=report.page, seconds=f"{time.monotonic() - begun:.0f}"))
    if options.all:
        print(t("cli.summary", options.lang, done=done, failed=failed))
    return 1 if failed else 0


def _extra(pairs: Sequence[str]) -> dict[str, str]:
    extra = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError("wrong parameter", key="-p", found=pair, expected="NAME=VALUE")
        if name in ("source", "branch", "lang"):
            raise ConfigError("has an option of its own", key="-p", found=pair, expected=f"--{name}")
        extra[name] = value
    return extra


def _again(options: argparse.Namespace, branch: str | None) -> str:
    """Return the command that does this branch again."""
    which = ["--branch", branch] if branch else ["--province"]
    words = ["ebank", "report", "--source", options.source, *which, "--lang", options.lang]
    for name in ("indicator", "start", "end"):
        words += [f"--{name}", getattr(options, name)] if getattr(options, name) else []
    words += ["--out", options.out] if options.out != "reports" else []
    for pair in options.extra:
        words += ["-p", pair]
    return shlex.join(words)


def _say(options: argparse.Namespace, text: str) -> None:
    if not options.quiet:
        print(text, file=sys.stderr)


class _Progress:
    """A line for each notebook as it ends; on a terminal also one that lives, saying what is running."""

    def __init__(self, stream: TextIO, quiet: bool):
        self._stream, self._quiet = stream, quiet
        self._live = stream.isatty() and not quiet
        self._running: dict[str, float] = {}

    def __call__(self, event: str, name: str, seconds: float) -> None:
        if event == "start":
            self._running[name] = time.monotonic()
        elif event in ("done", "failed"):
            self._running.pop(name, None)
            self.clear()
            if not self._quiet:
                print(f"  {name:<28} {seconds:5.1f} s{'' if event == 'done' else '  FAILED'}", file=self._stream)
        if self._live and self._running:
            now = time.monotonic()
            told = ", ".join(f"{name} {now - begun:.0f} s" for name, begun in sorted(self._running.items()))
            print(f"\r\x1b[K  … {told}", end="", file=self._stream, flush=True)

    def clear(self) -> None:
        """Take the living line away."""
        if self._live:
            print("\r\x1b[K", end="", file=self._stream, flush=True)
