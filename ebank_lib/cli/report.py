"""The command ``ebank report``: its options made an order of a batch, how it ended told, pages printed if asked.

They are printed by a Chromium that is installed, headless and without network. Another version of the browser, or other
fonts, give other bytes, so a PDF is no part of the chain of hashes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import ConfigError
from ..files import write_atomically

_CACHE = Path(".ebank") / "cache"
VARIABLE = "EBANK_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_FLAGS = (
    "--headless", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions",
    "--disable-sync", "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
    "--disable-breakpad",
    # A container's /dev/shm is too small for a page with pictures.
    "--disable-dev-shm-usage",
    # No name is looked up: a report needs none.
    "--host-resolver-rules=MAP * ~NOTFOUND", "--no-pdf-header-footer", "--log-level=3",
)


def positive(text: str) -> int:
    """Return a whole number above 0."""
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return value


def add_options(command: argparse.ArgumentParser) -> None:
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
    add("--force", action="store_true",
        help="do everything again, notebooks too that are as they would come out again")
    add("--keep-going", action="store_true",
        help="exit code 0 although a branch failed; it is said and marked all the same")
    add("--pdf", action="store_true", help="print each page beside it too, by an installed Chromium")
    add("--wait", action="store_true", help="wait for another run in DIR instead of refusing")
    kept = command.add_mutually_exclusive_group()
    kept.add_argument("--cache", metavar="DIR", help="where intermediate results are kept (default: what EBANK_CACHE "
                      "names, else DIR of --out/.ebank/cache)")
    kept.add_argument("--no-cache", action="store_true", help="keep none; the results are the same")
    add("--no-fork", action="store_true", help="start every task as a new process, as where there is no fork server")
    add("--engine", choices=("local", "dask"), default="local", help="where branches run (default: local)")
    add("--scheduler", metavar="ADDRESS", help="of the Dask cluster, which shares this file system")
    add("--strict", action="store_true", help="exit code 1 when a notebook wrote to stderr")
    add("--log", choices=("text", "json"), default="text", help="json: an event a line on stderr, no bar")
    add("--quiet", action="store_true", help="no progress")


def report(options: argparse.Namespace) -> int:
    """Make reports."""
    from .. import store
    from ..reports.batch import Order, run_batch
    from ..wording import t
    from .progress import JsonLines, Lines, Quiet

    begun = time.monotonic()
    _agree(options)
    say = JsonLines() if options.log == "json" else Quiet() if options.quiet else Lines(not options.all)

    def command(branch: str | None) -> str:
        return _again(options, *(("--branch", branch) if branch else ("--province",)))

    asked = _again(options, "--all") if options.all else command(options.branch)
    cache = options.cache or os.environ.get(store.VARIABLE) or Path(options.out) / _CACHE
    order = Order(
        source=options.source, out=Path(options.out).absolute(), asked=asked, command=command,
        branch=options.branch, whole=options.province, lang=options.lang, indicator=options.indicator,
        start=options.start, end=options.end, extra=_extra(options.extra), workers=options.workers,
        cell_timeout=options.cell_timeout, job_timeout=options.job_timeout,
        again=options.force, wait=options.wait,
        cache=None if options.no_cache else Path(cache).absolute(),
        fork=not options.no_fork, scheduler=options.scheduler,
        notebooks=Path(options.notebooks).absolute() if options.notebooks else None)
    try:
        outcome = run_batch(order, say)
    except KeyboardInterrupt:
        say.clear()
        say({"event": "interrupted"})
        print("ebank: " + t("cli.interrupted", command=asked), file=sys.stderr)
        return 130
    finally:
        say.clear()
    seconds = f"{time.monotonic() - begun:.1f}"
    counts = {"done": len(outcome.done), "unchanged": len(outcome.unchanged), "failed": len(outcome.failed)}
    say({"event": "summary", **counts, "seconds": float(seconds)})
    if not options.all:
        for name in [*outcome.done, *outcome.unchanged]:
            _print(t("cli.done", page=Path(options.out) / name / "report.html", seconds=seconds))
    else:
        _print(t("cli.summary", **counts, seconds=seconds) if outcome.done or outcome.failed else
               t("cli.nothing_to_do", n=len(outcome.unchanged), seconds=seconds))
        _print(t("cli.index", page=Path(options.out) / "index.html"))
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
    if options.engine == "dask" and not options.scheduler:
        raise ConfigError("is missing", key="--scheduler", expected="the address of the Dask scheduler")
    if options.scheduler and options.engine != "dask":
        raise ConfigError("needs --engine dask", key="--scheduler", found=options.scheduler)


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


def _again(options: argparse.Namespace, *which: str) -> str:
    """Return the command that makes these reports again."""
    words = ["ebank", "report", "--source", options.source, *which, "--lang", options.lang]
    for name in ("indicator", "start", "end", "notebooks"):
        words += [f"--{name}", getattr(options, name)] if getattr(options, name) else []
    words += ["--out", options.out] if options.out != "reports" else []
    for pair in options.extra:
        words += ["-p", pair]
    return shlex.join(words)


# ---------------------------------------------------------------- pages printed

def find_chromium() -> Path:
    """Return the browser that prints: what ``EBANK_CHROMIUM`` names, else Chromium, Chrome or Edge on the path."""
    named = os.environ.get(VARIABLE)
    found = next(filter(None, map(shutil.which, [named] if named else _NAMES)), None)
    if found is None:
        raise ConfigError("no browser to print with", key=VARIABLE, found=named or "none on PATH",
                          expected="chromium or google-chrome", hint="Install Chromium, or name one in "
                          f"{VARIABLE}; the pages can be printed from any browser.")
    return Path(found)


def print_pdf(page: str | Path, target: str | Path, seconds: float = 120) -> Path:
    """Print an HTML file on A4; the target is written whole or not at all. What goes wrong is a ConfigError."""
    page, target = Path(page), Path(target)
    if not page.is_file():
        raise ConfigError("no such page", file=str(page))
    browser = find_chromium()
    # It refuses to run as root with its sandbox, as in a container; anybody else keeps it.
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="ebank-print-", ignore_cleanup_errors=True) as folder:
        made = Path(folder) / "page.pdf"
        command = [str(browser), *_FLAGS, *root, f"--user-data-dir={Path(folder) / 'profile'}",
                   f"--print-to-pdf={made}", page.resolve().as_uri()]
        try:
            with Path(folder, "said").open("wb") as said:
                subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
                               timeout=seconds, check=False)
            content = made.read_bytes()
        except (OSError, subprocess.TimeoutExpired) as error:
            lines = Path(folder, "said").read_text("utf-8", "replace").split("\n")
            found = f"nothing after {seconds:g} s" if isinstance(error, subprocess.TimeoutExpired) else next(
                filter(None, map(str.strip, reversed(lines))), str(error))
            raise ConfigError("was not printed", file=str(page), found=found, expected="a PDF",
                              hint=f"Name another browser in {VARIABLE}.") from error
    write_atomically(target, content)
    return target


def print_pages(options: argparse.Namespace, names: Iterable[str]) -> int:
    """Print the pages that have no PDF yet, and say how many; one that cannot be printed costs only itself.

    A PDF is removed with the page that it was printed from, so one that is there is of the page. Returns how many
    could not be printed.
    """
    from ..wording import t

    begun, out = time.monotonic(), Path(options.out)
    pages = [out / "index.html", out / "changes.html"] if options.all else []
    pages += [out / name / "report.html" for name in names]
    todo = [page for page in pages if page.is_file() and not page.with_suffix(".pdf").exists()]
    failed = 0
    for page in todo:
        try:
            print_pdf(page, page.with_suffix(".pdf"))
        except ConfigError as error:
            failed += 1
            print(f"ebank: {error}", file=sys.stderr)
    _print(t("cli.printed", options.lang, n=len(todo) - failed, seconds=f"{time.monotonic() - begun:.1f}"))
    return failed
