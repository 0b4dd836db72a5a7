"""Two thousand spoilt sources, each opened, cleaned and written out: only typed errors, none slow, none large.

    python -m benchmarks.mutations [--count 2000] [--seed 0] [--workers 2] [--only N]

Small sources (workbooks of three months as .xlsx, .ods, .xls and .csv, long tables as .csv, .csv.gz and Parquet, with
catalogue, branches, strategy, problems and facts) are spoilt where it hurts: hostile texts in cells, rows and columns
moved, sheets renamed, XML parts edited, bytes flipped, keys and values of the YAML changed, pipes and links in the
place of files. Each case runs in a child process of its own. It must end within 60 s, with at most 2 GiB of memory, in

- ``read``: then every printed cell is accounted for, in the source and in the ledger, and what is written for a reader
  holds no markup from a cell and no formula; or
- ``refused``: an error of the package's own types, one printable line, without the password that a case writes into
  the YAML.

Anything else breaks a rule: the case is printed with the command that repeats it, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from benchmarks import _mutating as mutating  # noqa: E402 - after the number of threads is set

SECONDS, MOST_BYTES = 60.0, 2 << 30
_FENCE = 6 << 30      # of address space: the libraries reserve more than a gigabyte of it without using it


@dataclass
class Case:
    """One case as it ended."""

    number: int
    kind: str
    outcome: str
    said: str = ""
    seconds: float = 0.0
    bytes: int = 0


@dataclass
class _Child:
    number: int
    begun: float
    pid: int
    pipe: int
    said: bytes = field(default=b"")


def examine(place: Path) -> tuple[str, str]:
    """Open, clean and write out one source; return how it ended and a word about it."""
    from ebank_lib.cleaning import clean
    from ebank_lib.errors import EbankError
    from ebank_lib.rules import load_problems
    from ebank_lib.scenarios import load_strategy
    from ebank_lib.sources import open_source

    try:
        source = open_source(place)
        cells, accounting = source.cells(), source.accounting()
        parts = accounting[["headings", "cells", "notes", "ignored"]].sum(axis=1)
        if not (accounting["printed"] == parts).all():
            return "broken", "printed cells are not all accounted for"
        cleaned = clean(source)
        kept = int(cleaned.conservation.iloc[0]["cells"])
        if kept != len(cells):
            return "broken", f"{len(cells)} cells, {kept} in the ledger"
        written = written_for_readers(cleaned, place)
        if written:
            return "broken", written
        load_strategy(source)
        load_problems(source)
    except EbankError as error:
        text = str(error)
        if not all(sign.isprintable() for sign in text) or len(text) > 2_500:
            return "broken", f"an error of {len(text)} characters, or not on one printable line: {text[:100]!r}"
        if "s3cret" in text:
            return "broken", "an error quotes a password"
        return "refused", f"{type(error).__name__} {text}"
    return "read", f"{len(cells)} cells"


def written_for_readers(cleaned, place: Path) -> str:
    """Return what is wrong with what a reader is given: markup or a formula that stood in a cell."""
    import csv

    shown = cleaned._repr_html_() + cleaned.source.title("en")
    if "<script" in shown.lower() or "onerror" in shown.lower().split("<img")[0]:
        return "markup from the source in HTML"
    for path in cleaned.save(place / "saved", "en"):
        if path.suffix != ".csv":
            continue
        with path.open(encoding="utf-8-sig", newline="", errors="surrogatepass") as file:
            for row in csv.reader(file):
                formula = next((text for text in row if text[:1] in tuple("=+@＝＋＠\t\r")), None)
                if formula is not None:
                    return f"a formula in {path.name}: {formula[:40]!r}"
    return ""


def _run_child(number: int, seed: int, pipe: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_FENCE, _FENCE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)     # the reader's own words on a damaged file; the error says it too
    kind = list(mutating.KINDS)[number % len(mutating.KINDS)]
    with tempfile.TemporaryDirectory(prefix="mutated-") as folder:
        begun = time.monotonic()
        try:
            mutating.build(number, seed, Path(folder))
            begun = time.monotonic()
            outcome, said = examine(Path(folder))
        except BaseException as error:
            trace = traceback.extract_tb(error.__traceback__)
            where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(trace[-4:]))
            outcome, said = "broken", f"{type(error).__name__}: {str(error)[:200]} ({where})"
        said = said.replace(folder, "FOLDER")
        answer = {"kind": kind, "outcome": outcome, "said": said[:600], "seconds": time.monotonic() - begun}
    os.write(pipe, json.dumps(answer).encode())


def _start(number: int, seed: int) -> _Child:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            os.setpgid(0, 0)
            _run_child(number, seed, writer)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    return _Child(number, time.monotonic(), pid, reader)


def _end(child: _Child, late: bool) -> Case:
    if late:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
    _, status, used = os.wait4(child.pid, 0)
    os.close(child.pipe)
    size = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    kind = list(mutating.KINDS)[child.number % len(mutating.KINDS)]
    if late:
        return Case(child.number, kind, "broken", f"took longer than {SECONDS:g} s", SECONDS, size)
    if not child.said:
        return Case(child.number, kind, "broken", f"the process ended by itself (status {status})", 0.0, size)
    case = Case(child.number, bytes=size, **json.loads(child.said))
    if size > MOST_BYTES:
        case.outcome, case.said = "broken", f"took {size >> 20} MiB: {case.said}"
    return case


def run(numbers: list[int], seed: int, workers: int, tell=lambda done, cases: None) -> list[Case]:
    """Run cases, `workers` at a time, each in a process of its own that is forked from this one."""
    _warm()
    waiting, alive, cases = list(reversed(numbers)), {}, []
    while waiting or alive:
        while waiting and len(alive) < workers:
            child = _start(waiting.pop(), seed)
            alive[child.pipe] = child
        ready, _, _ = select.select(list(alive), [], [], 0.5)
        for pipe in list(alive):
            child = alive[pipe]
            block = os.read(pipe, 65_536) if pipe in ready else None
            late = time.monotonic() - child.begun > SECONDS
            if block:
                child.said += block
            elif block == b"" or late:
                del alive[pipe]
                cases.append(_end(child, late and block is None))
                tell(len(cases), cases)
    return cases


def _warm() -> None:
    """Import what every case needs, before the first fork; no thread may run by then."""
    import pyarrow.compute
    import pyarrow.parquet  # noqa: F401

    from ebank_lib.cleaning import clean  # noqa: F401
    from ebank_lib.rules import load_problems  # noqa: F401
    from ebank_lib.scenarios import load_strategy  # noqa: F401
    from ebank_lib.sources import open_source  # noqa: F401
    from ebank_lib.wording import words

    words()


def report(cases: list[Case], seed: int) -> str:
    """Return the table by kind of mutation, and the cases that broke a rule."""
    lines = [f"{'mutated':<28}{'cases':>6}{'read':>6}{'refused':>9}{'broken':>8}{'slowest s':>11}{'peak MiB':>10}"]
    groups = [(kind, [c for c in cases if c.kind == kind]) for kind in mutating.KINDS]
    for kind, some in [*groups, ("all", cases)]:
        if some:
            count = Counter(c.outcome for c in some)
            lines.append(f"{kind:<28}{len(some):>6}{count['read']:>6}{count['refused']:>9}{count['broken']:>8}"
                         f"{max(c.seconds for c in some):>11.1f}{max(c.bytes for c in some) / 2**20:>10.0f}")
    for case in sorted((c for c in cases if c.outcome == "broken"), key=lambda c: c.number):
        lines += [f"case {case.number} ({case.kind}): {case.said}",
                  f"    python -m benchmarks.mutations --seed {seed} --only {case.number}"]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0, help="another one gives other sources (default: 0)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int, metavar="N", help="this case alone, with what it said")
    options = parser.parse_args(argv)
    if not hasattr(os, "fork"):
        print("skipped: this system cannot fork")
        return 0
    begun = time.monotonic()
    live = sys.stderr.isatty()

    def tell(done: int, cases: list[Case]) -> None:
        if live and done % 10 == 0:
            print(f"\r{done}", end="", file=sys.stderr, flush=True)

    numbers = list(range(options.count)) if options.only is None else [options.only]
    cases = run(numbers, options.seed, options.workers, tell)
    print(("\r" if live else "") + report(cases, options.seed))
    if options.only is not None:
        print(cases[0].outcome, cases[0].said)
    print(f"{len(cases)} cases in {time.monotonic() - begun:.0f} s")
    return 1 if any(case.outcome == "broken" for case in cases) else 0


if __name__ == "__main__":
    sys.exit(main())
