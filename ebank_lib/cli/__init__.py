"""The command ``ebank``: reports, what a source holds, what cleaning did, and the way back to a printed cell.

What is heavy is imported by the command that needs it, so that ``ebank --help`` answers at once. Errors of input are
one line and exit code 2; exit code 1 says that the work was done and something in it is bad.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import TextIO

from .. import __version__
from ..errors import EbankError, nearest
from . import report

__all__ = ["main"]

_EXAMPLES = """examples:
  ebank new ~/returns --from ~/returns
  ebank new ebank --from 2019.xlsx 2020.xlsx --lang en
  ebank new ebank --from-db EBANK_DB --table monthly
  ebank report --source data/shandong --branch rizhao --lang zh
  ebank report --source data/shandong --branch rizhao --indicator mobile -p horizon=18
  ebank report --source data/shandong --all
  ebank report --source data/shandong --province
  ebank branches --source data/shandong
  ebank check --source data/shandong --branch rizhao --strict
  ebank trace --source data/shandong --branch rizhao --indicator sms --month 2008-10
  ebank trace reports/rizhao "Figure 3"
  ebank trace reports/rizhao/report.html "growth[sms].y_last"
  ebank trace reports/rizhao "+149%" --all
  ebank export --source data/shandong --to EBANK_URL --branch rizhao
  ebank verify reports
  ebank verify reports/rizhao --source data/shandong

exit code: 0 done; 1 done, but a branch failed, cells were rejected (--strict) or a report is not as it was written;
2 the input is wrong; 3 not done, for the machine gave up (no room on a disk, no memory, a cluster that is gone);
130 interrupted; 141 whoever reads the output does not want more of it
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
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)

    def command(name: str, text: str, module: str, source: bool = True) -> argparse.ArgumentParser:
        """Add a command: the function of its name in a module, which is imported when it is run."""
        examples = [line for line in _EXAMPLES.splitlines() if line.startswith(f"  ebank {name} ")]
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False,
                                  formatter_class=argparse.RawDescriptionHelpFormatter,
                                  epilog="\n".join(["examples:", *examples]) if examples else "")
        sub.set_defaults(module=module)
        if source:
            sub.add_argument("--source", required=True, metavar="S", help="folder with sources.yaml, or that file")
        sub.add_argument("--lang", choices=("zh", "en"), default="zh", help="language of what is written (default: zh)")
        return sub

    new = command("new", "draft the description of files that nobody has described", "answers", source=False)
    new.add_argument("folder", metavar="DIR", help="where sources.yaml, catalog.yaml and branches.csv go: best the "
                     "folder of the files; those of an earlier draft are kept if they were edited, and added to")
    new.add_argument("--from", dest="paths", nargs="+", metavar="PATH", help="workbooks, CSV or Parquet files, folders")
    new.add_argument("--from-db", metavar="URL_ENV", help="the environment variable that holds a database's URL")
    new.add_argument("--table", metavar="T", help="the database's table (default: those that hold months)")
    report.add_options(command("report", "run the notebooks for a branch and write its report", "report"))
    command("branches", "list the branches of a source", "answers")
    command("indicators", "list the indicators of a source", "answers")
    check = command("check", "say what cleaning did, rule by rule", "answers")
    check.add_argument("--branch", metavar="B", help="the cells of one branch only")
    check.add_argument("--strict", action="store_true", help="exit code 1 when cells were rejected")
    export = command("export", "write panel, ledger and forecasts to tables of a database", "export")
    export.add_argument("--to", required=True, metavar="NAME", help="the environment variable with the database's URL")
    for name, what in (("--branch", "this branch only"), ("--indicator", "forecast this one")):
        export.add_argument(name, action="append", metavar=name[2].upper(), help=f"{what}; may be repeated")
    export.add_argument("--horizon", type=report.positive, default=12, metavar="N", help="months ahead (default: 12)")
    trace = command("trace", "show the printed cells that a number of a report, or one value, comes from",
                    "trace", source=False)
    trace.add_argument("report", nargs="?", metavar="REPORT", help="a report's folder or its report.html")
    trace.add_argument("what", nargs="?", metavar="WHAT",
                       help='"Figure 3", "Table 2", a cell ("growth[sms].y_last") or a number as printed ("+149%%")')
    trace.add_argument("--source", metavar="S", help="folder with sources.yaml (default: the one of the report)")
    for name in ("--branch", "--indicator"):
        trace.add_argument(name, metavar=name[2].upper())
    trace.add_argument("--month", metavar="YYYY-MM")
    trace.add_argument("--all", action="store_true", help="list every printed cell and every place")
    verify = command("verify", "compare a report or a whole run with its hashes, its panel with the source",
                     "trace", source=False)
    verify.add_argument("folder", metavar="DIR", help="a report's folder, or the output folder of a run")
    verify.add_argument("--source", metavar="S", help="the source (default: the one that run.json names, if at hand)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")   # a terminal without Chinese shows codes, not a traceback
    options = _parser().parse_args(argv)
    with contextlib.suppress(ValueError):   # only the main thread may set a handler
        signal.signal(signal.SIGTERM, _ended)
    try:
        from ..wording import use_language

        use_language(options.lang)
        code = getattr(importlib.import_module(f".{options.module}", __package__), options.command)(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("ebank: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:     # ebank ... | head
        _to_nowhere(sys.stdout)
        return 141
    except (EbankError, OSError, MemoryError) as error:
        from ..reports.tasks import is_machine

        if not isinstance(error, EbankError) and not is_machine(error):
            raise
        _to_nowhere(sys.stdout)     # what could not be written is not tried again as this process ends
        with contextlib.suppress(OSError):
            print(f"ebank: {str(error) or type(error).__name__}", file=sys.stderr)
        return 3 if is_machine(error) else 2


def _to_nowhere(stream: TextIO) -> None:
    """Have what is still to be written go nowhere, where it cannot go anywhere else."""
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _ended(number: int, frame: object) -> None:
    """Take a polite request to end as Ctrl-C is taken: kernels end and nothing half-written stays."""
    raise KeyboardInterrupt
