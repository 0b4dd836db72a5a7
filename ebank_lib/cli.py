"""The command ``ebank``: reports, what a source holds, what cleaning did, and the way back to a printed cell.

What is heavy is imported by the command that needs it, so that ``ebank --help`` answers at once. Errors of input are
one line and exit code 2; exit code 1 says that the work was done and something in it is bad.
"""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
import sys
import time
import unicodedata
from collections.abc import Sequence
from functools import partial
from typing import Any, TextIO

from . import __version__
from .errors import ConfigError, EbankError, nearest

__all__ = ["main"]

_EXAMPLES = """examples:
  ebank report --source data/shandong --branch rizhao --lang zh
  ebank report --source data/shandong --branch rizhao --indicator mobile -p horizon=18
  ebank report --source data/shandong --all
  ebank report --source data/shandong --province
  ebank branches --source data/shandong
  ebank check --source data/shandong --branch rizhao --strict
  ebank trace --source data/shandong --branch rizhao --indicator sms --month 2008-10

exit code: 0 done; 1 done, but a branch failed or cells were rejected (--strict); 2 the input is wrong
"""


class _Parser(argparse.ArgumentParser):
    """Errors in one line, with the nearest right word."""

    def error(self, message: str):
        if "invalid choice" in message:
            given = message.split("invalid choice: ", 1)[1].split(" (choose")[0].strip("'")
            near = nearest(given, [c for action in self._actions if action.choices for c in action.choices])
            message += f". Did you mean {near!r}?" if near else ""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ebank", allow_abbrev=False, epilog=_EXAMPLES,
                     formatter_class=argparse.RawDescriptionHelpFormatter,
                     description="From a province's monthly e-banking workbooks to a report per branch.")
    parser.add_argument("--version", action="version", version=f"ebank {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True, parser_class=_Parser)

    def command(name: str, text: str, run) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False,
                                  formatter_class=argparse.RawDescriptionHelpFormatter, epilog=_examples_of(name))
        sub.set_defaults(run=run)
        sub.add_argument("--source", required=True, metavar="S", help="folder with sources.yaml, or that file")
        sub.add_argument("--lang", choices=("zh", "en"), default="zh", help="language of what is written (default: zh)")
        return sub

    report = command("report", "run the notebooks for a branch and write its report", _report)
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
    report.add_argument("--workers", type=_positive, default=2, metavar="N", help="notebooks at once (default: 2)")
    report.add_argument("--cell-timeout", type=_positive, default=300, metavar="SECONDS",
                        help="longest that one cell may take (default: 300)")
    report.add_argument("--strict", action="store_true", help="exit code 1 when a notebook wrote to stderr")
    report.add_argument("--quiet", action="store_true", help="no progress")

    command("branches", "list the branches of a source", _branches)
    command("indicators", "list the indicators of a source", _indicators)
    check = command("check", "say what cleaning did, rule by rule", _check)
    check.add_argument("--branch", metavar="B", help="the cells of one branch only")
    check.add_argument("--strict", action="store_true", help="exit code 1 when cells were rejected")
    trace = command("trace", "show the printed cells that one value comes from", _trace)
    trace.add_argument("--branch", required=True, metavar="B")
    trace.add_argument("--indicator", required=True, metavar="I")
    trace.add_argument("--month", required=True, metavar="YYYY-MM")
    return parser


def _examples_of(name: str) -> str:
    lines = [line for line in _EXAMPLES.splitlines() if line.startswith(f"  ebank {name} ")]
    return "examples:\n" + "\n".join(lines) if lines else ""


def _positive(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")   # a terminal without Chinese shows codes, not a traceback
    options = _parser().parse_args(argv)
    with contextlib.suppress(ValueError):   # only the main thread may set a handler
        signal.signal(signal.SIGTERM, _ended)
    try:
        return options.run(options)
    except EbankError as error:
        print(f"ebank: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ebank: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:   # ebank ... | head
        sys.stderr.close()
        return 0


def _ended(number: int, frame: object) -> None:
    """Take a polite request to end as Ctrl-C is taken: kernels end and nothing half-written stays."""
    raise KeyboardInterrupt


# ---------------------------------------------------------------- report

def _report(options: argparse.Namespace) -> int:
    from .reports.branch import make_province_report, make_report, open_province
    from .reports.execution import NotebookError, applicable, branch_notebooks, check_extra, province_notebooks
    from .wording import t

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


# ---------------------------------------------------------------- what a source holds

def _branches(options: argparse.Namespace) -> int:
    from .sources import open_source
    from .wording import t

    catalog = open_source(options.source).catalog
    rows = [[b.id, b.label(options.lang), t(f"cli.role_{b.role}", options.lang)] for b in catalog.branches.values()]
    _table([t("general.branch", options.lang), t("cli.label", options.lang), t("cli.role", options.lang)], rows)
    return 0


def _indicators(options: argparse.Namespace) -> int:
    from .sources import open_source
    from .wording import t

    table = open_source(options.source).catalog.table(options.lang)
    heads = [t(f"general.{name}", options.lang) for name in table.columns]
    rows = [[*row[:3], t(f"general.{row[3]}", options.lang), row[4]] for row in table.itertuples(index=False)]
    _table(heads, rows)
    return 0


def _check(options: argparse.Namespace) -> int:
    from .cleaning import clean
    from .sources import open_source
    from .wording import t, use_language

    use_language(options.lang)
    cleaned = clean(open_source(options.source))
    rejected = cleaned.rejected
    if options.branch is None:
        summary = cleaned.summary(options.lang)
    else:
        branch = cleaned.catalog.branch(options.branch).id
        ledger = cleaned.ledger[cleaned.ledger["branch"] == branch]
        rejected = rejected[rejected["branch"] == branch]
        counts = ledger.groupby(["rule", "decision"], observed=True, sort=True).size()
        summary = counts.rename("cells").reset_index()
    _frame(_in_words(summary, options.lang), options.lang)
    print(t("cli.rejected", options.lang, n=len(rejected)) if len(rejected) else t("cli.none_rejected", options.lang))
    return 1 if options.strict and len(rejected) else 0


def _trace(options: argparse.Namespace) -> int:
    from .cleaning import clean
    from .reports.trace import month_of, trace
    from .sources import open_source
    from .wording import t, use_language

    use_language(options.lang)
    cleaned = clean(open_source(options.source))
    rows = trace(cleaned, options.branch, options.indicator, options.month)
    branch, key = cleaned.catalog.branch(options.branch), cleaned.catalog.indicator(options.indicator)
    value = cleaned.panel[key.key].get((branch.id, month_of(options.month)))
    unit = cleaned.catalog.unit_label(key.key, options.lang)
    missing = value is None or value != value
    shown = t("cli.missing", options.lang) if missing else f"{value:,.10g} {unit}".strip()
    print(f"{branch.label(options.lang)} · {key.label(options.lang)} · {options.month} = {shown}")
    if rows.empty:
        print(t("cli.no_cell", options.lang))
        return 0
    keep = ["file", "sheet", "row", "column", "text", "unit", "decision", "rule", "before", "after", "reason"]
    rows = rows[[c for c in keep if c in rows.columns]]
    rows = rows.assign(row=rows["row"].astype(object).where(rows["row"] > 0))   # what no cell printed has no row
    _frame(_in_words(rows, options.lang), options.lang)
    return 0


# ---------------------------------------------------------------- tables on a terminal

def _in_words(frame: Any, lang: str) -> Any:
    """Return a table of decisions with words for their codes."""
    from .wording import t

    return frame.assign(decision=[t(f"cleaning.{code}", lang) for code in frame["decision"]])


def _frame(frame: Any, lang: str) -> None:
    from .wording import has, t

    def head(name: str) -> str:
        return next((t(key, lang) for key in (f"general.{name}", f"table.{name}") if has(key)), name)

    def text(value: object) -> str:
        if value is None or value != value:
            return "–"
        return f"{value:,.10g}" if isinstance(value, float) else str(value)

    _table([head(str(c)) for c in frame.columns], [[text(v) for v in row] for row in frame.itertuples(index=False)])


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in columns; a Chinese sign takes two places."""
    lines = [list(heads), *[["".join(c if c.isprintable() else "�" for c in str(v)) for v in row] for row in rows]]
    widths = [max(_width(line[at]) for line in lines) for at in range(len(heads))]
    for line in lines:
        print("  ".join(text + " " * (width - _width(text)) for text, width in zip(line, widths)).rstrip())


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


