"""The command ``ebank report``."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..reports.printing import find_chromium
from .printed import print_pages

__all__ = ["add_options", "report"]

_CACHE = Path(".ebank") / "cache"


def add_options(command: argparse.ArgumentParser, positive: Callable[[str], int]) -> None:
    """Give the command its options."""
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--branch", metavar="B", help="id of the branch (see: ebank branches)")
    which.add_argument("--all", action="store_true",
                       help="every branch, all together, and the index; goes on where a run before ended, and does "
                            "again only what has changed; a branch that fails does not stop the others")
    which.add_argument("--province", action="store_true", help="all branches together")
    add = command.add_argument
    add("--indicator", metavar="I", help="what is forecast (see: ebank indicators)")
    add("--start", metavar="YYYY-MM", help="first month")
    add("--end", metavar="YYYY-MM", help="last month")
    add("--out", default="reports", metavar="DIR", help="written into DIR/branch (default: reports)")
    add("-p", action="append", default=[], metavar="NAME=VALUE", dest="extra",
        help="a further parameter of the notebooks; may be repeated")
    add("--notebooks", metavar="DIR", help="numbered notebooks to run instead of the package's own")
    add("--workers", type=positive, default=2, metavar="N",
        help="branches at once; of a single branch, notebooks at once (default: 2)")
    add("--cell-timeout", type=positive, default=300, metavar="SECONDS",
        help="longest that one cell may take (default: 300)")
    add("--job-timeout", type=positive, default=3600, metavar="SECONDS",
        help="longest that one branch may take (default: 3600)")
    add("--force", action="store_true", help="with --all: do everything again")
    add("--resume", action="store_true",
        help="with --branch or --province: keep the notebooks that are as they would come out again")
    add("--keep-going", action="store_true",
        help="exit code 0 although a branch failed; it is said and marked all the same")
    add("--pdf", action="store_true", help="print each page beside it too, by an installed Chromium")
    add("--wait", action="store_true", help="wait for another run in DIR instead of refusing")
    add("--cache", metavar="DIR", help="where intermediate results are kept (default: DIR of --out/.ebank/cache)")
    add("--no-cache", action="store_true", help="keep none; the results are the same")
    add("--no-fork", action="store_true", help="start every task as a new process, as where there is no fork server")
    add("--engine", choices=("local", "dask"), default="local", help="where branches run (default: local)")
    add("--scheduler", metavar="ADDRESS", help="of the Dask cluster, which shares this file system")
    add("--strict", action="store_true", help="exit code 1 when a notebook wrote to stderr")
    add("--log", choices=("text", "json"), default="text", help="json: an event a line on stderr, no bar")
    add("--quiet", action="store_true", help="no progress")


def report(options: argparse.Namespace) -> int:
    """Make reports."""
    from ..reports.batch import Order, run_batch
    from ..wording import t

    begun = time.monotonic()
    _agree(options)
    say = _listener(options)
    order = Order(
        source=options.source, out=Path(options.out).absolute(), command=lambda branch: _again(options, branch),
        branch=options.branch, whole=options.province, lang=options.lang, indicator=options.indicator,
        start=options.start, end=options.end, extra=_extra(options.extra), workers=options.workers,
        cell_timeout=options.cell_timeout, job_timeout=options.job_timeout,
        again=options.force if options.all else not options.resume, cache=_cache(options), wait=options.wait,
        fork=not options.no_fork, engine=options.engine, scheduler=options.scheduler,
        notebooks=Path(options.notebooks).absolute() if options.notebooks else None)
    try:
        outcome = run_batch(order, say)
    except KeyboardInterrupt:
        say.clear()
        _machine(options, say, {"event": "interrupted"})
        print("ebank: " + t("cli.interrupted", options.lang, command=_words(options)), file=sys.stderr)
        return 130
    finally:
        say.clear()
    seconds = f"{time.monotonic() - begun:.1f}"
    for name in outcome.done if not options.all else []:
        _print(t("cli.done", options.lang, page=Path(options.out) / name / "report.html", seconds=seconds))
    counts = {"done": len(outcome.done), "unchanged": len(outcome.unchanged), "failed": len(outcome.failed)}
    _machine(options, say, {"event": "summary", **counts, "seconds": float(seconds)})
    if outcome.stopped:
        print("ebank: " + t("cli.disk_full", options.lang, message=outcome.stopped["message"], command=_words(options)),
              file=sys.stderr)
        return 3
    if options.all:
        if not outcome.done and not outcome.failed:
            _print(t("cli.nothing_to_do", options.lang, n=len(outcome.unchanged), seconds=seconds))
        else:
            _print(t("cli.summary", options.lang, **counts, seconds=seconds))
        _print(t("cli.index", options.lang, page=Path(options.out) / "index.html"))
    unprinted = print_pages(options, [*outcome.done, *outcome.unchanged]) if options.pdf else 0
    bad = unprinted or (outcome.failed and not options.keep_going) or (options.strict and outcome.warned)
    return 1 if bad else 0


def _print(text: str) -> None:
    """Say on standard output what was done; who does not listen to the end does not stop what is left to do."""
    with contextlib.suppress(BrokenPipeError):
        print(text, flush=True)


def _agree(options: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    if options.pdf:
        find_chromium()     # said before the work rather than after it
    if options.cache and options.no_cache:
        raise ConfigError("contradicts --no-cache", key="--cache", found=options.cache)
    if options.engine == "dask" and not options.scheduler:
        raise ConfigError("is missing", key="--scheduler", expected="the address of the Dask scheduler")
    if options.scheduler and options.engine != "dask":
        raise ConfigError("needs --engine dask", key="--scheduler", found=options.scheduler)
    if options.force and not options.all:
        raise ConfigError("goes with --all", key="--force", expected="--all; a single branch is always done again")
    if options.resume and options.all:
        raise ConfigError("goes with --branch or --province", key="--resume", expected="--all goes on by itself")


def _cache(options: argparse.Namespace) -> Path | None:
    if options.no_cache:
        return None
    return Path(options.cache or Path(options.out) / _CACHE).absolute()


def _listener(options: argparse.Namespace) -> Any:
    from ..reports.progress import JsonLines, Lines, Quiet

    if options.log == "json":
        return JsonLines()
    if options.quiet:
        return Quiet(options.lang)
    return Lines(options.lang, options.workers, stages=not options.all)


def _machine(options: argparse.Namespace, say: Any, event: dict[str, Any]) -> None:
    """Say what people are told in other words."""
    if options.log == "json":
        say(event)


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


def _words(options: argparse.Namespace) -> str:
    """Return the command that was given, in full."""
    return _again(options, options.branch, ["--all"] if options.all else None)


def _again(options: argparse.Namespace, branch: str | None, which: list[str] | None = None) -> str:
    """Return the command that does this branch again."""
    which = which or (["--branch", branch] if branch else ["--province"])
    words = ["ebank", "report", "--source", options.source, *which, "--lang", options.lang]
    for name in ("indicator", "start", "end"):
        words += [f"--{name}", getattr(options, name)] if getattr(options, name) else []
    words += ["--notebooks", options.notebooks] if options.notebooks else []
    words += ["--out", options.out] if options.out != "reports" else []
    for pair in options.extra:
        words += ["-p", pair]
    return shlex.join(words)
