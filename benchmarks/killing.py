"""A batch killed at random moments and resumed: the same bytes, and nothing left behind.

    python -m benchmarks.killing 50 [--seed 7]

Each trial starts `ebank report --all` on a small province, kills something of it with SIGKILL at a random moment (the
orchestrator, its fork server, one of the processes forked from that, or all at once), up to three times, and gives the
same command again until it says that all is done. Every second trial starts from finished reports after one printed
number has changed. Then the output folder must equal that of a run that nobody disturbed, byte for byte; no process, no
socket and no temporary file may be left, and the project folder must be as it was. Most moments are when the
n-th file appears: half of the time nothing but libraries is loaded, and writing takes little of the rest. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from benchmarks._processes import command_lines, descendants, marked
from benchmarks.batch import environment, hashes

MARK = "EBANK_KILLING"
VICTIMS = ("orchestrator", "server", "fork", "all")
TRIES = 10              # commands until a trial must have come to an end
WITHIN = 20.0           # seconds in which orphans must have ended by themselves
LONGEST = 300.0

CATALOG = """\
units: {户: {base: 户, factor: 1}}
base_units: {户: {zh: 户, en: customers}}
groups: {all: {zh: 全部, en: All}}
indicators:
  - {key: online, zh: 网银客户数, en: Online customers, group: all, kind: stock, unit: 户}
"""
BRANCHES = """\
branch,zh,en,role,aliases,merged_into,merged_month
0351,东城分行,East,branch,东城,,
0352,西城分行,West,branch,西城,,
0353,北城分行,North,branch,北城,,
"""
SOURCES = """\
title: {zh: 试验, en: Trial}
simulated: true
catalog: catalog.yaml
branches: branches.csv
calendar: none
files:
  - path: "cells.csv"
    layout: long
    branch: branch
    month: {from: column, column: month, format: "%Y-%m"}
    columns:
      online: {indicator: online, unit: 户}
"""
READ = """\
import ebank_lib as eb
eb.setup(lang)
cleaned = eb.clean(eb.open_source(source))"""
SERIES = """\
frame = cleaned.series(branch, indicator).rename("value").to_frame()
eb.record("series", frame)
eb.show(frame.reset_index(), caption="series")"""
FORECAST = """\
y = cleaned.series(branch, indicator)
eb.record("outlook", (y.iloc[-1] * (1 + 0.01 * y.index.month.to_series(index=y.index))).rename("value").to_frame())"""
TOGETHER = """\
frame = cleaned.panel.reset_index()
eb.record("panel", frame.assign(month=frame["month"].astype(str)))"""


# ---------------------------------------------------------------- a small project

def cells(first: int = 10000) -> str:
    """Return the printed numbers: three branches of 24 months; `first` is the first of them."""
    rows = [f"{branch},{2009 + month // 12}-{month % 12 + 1:02d},"
            f"{first if branch == '东城' and not month else base + 37 * month + (month * month) % 11}"
            for branch, base in (("东城", 10000), ("西城", 7000), ("北城", 5000)) for month in range(24)]
    return "branch,month,online\n" + "\n".join(rows) + "\n"


def _book(title: str, *code: str, branch: bool = True) -> nbformat.NotebookNode:
    names = ['source = "data/small"', 'branch = "0351"' if branch else "", 'indicator = "online"', 'lang = "zh"']
    parameters = new_code_cell("\n".join(line for line in names if line), metadata={"tags": ["parameters"]})
    heads = [new_markdown_cell(f"# {title}", metadata={"tags": [f"lang-{lang}"]}) for lang in ("zh", "en")]
    book = new_notebook(cells=[parameters, *heads, *map(new_code_cell, code)])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for n, cell in enumerate(book.cells):
        cell["id"] = f"cell-{n}"
    return book


def small_project(folder: Path) -> Path:
    """Write a project of three branches with two quick notebooks, and one of all branches together."""
    data = folder / "data" / "small"
    data.mkdir(parents=True)
    (folder / "notebooks").mkdir()
    for name, text in (("catalog.yaml", CATALOG), ("branches.csv", BRANCHES), ("sources.yaml", SOURCES),
                       ("cells.csv", cells())):
        (data / name).write_text(text, encoding="utf-8")
    state = 'eb.state("last", str(branch) + " 1")'
    for name, book in (("01_data", _book("Data", READ, SERIES, state)),
                       ("02_outlook", _book("Outlook", READ, FORECAST, "frame = None")),
                       ("06_province", _book("Province", READ, TOGETHER, branch=False))):
        nbformat.write(book, folder / "notebooks" / f"{name}.ipynb")
    return folder


# ---------------------------------------------------------------- runs

@dataclass
class Place:
    """A project, its output folder, and a folder of its own for temporary files."""

    root: Path
    seconds: dict[bool, float] = field(default_factory=dict)    # of the undisturbed runs: anew, after a change
    counts: dict[bool, int] = field(default_factory=dict)       # files that they wrote
    wanted: dict[bool, dict[str, str]] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        return self.root / "p"

    @property
    def out(self) -> Path:
        return self.project / "reports"

    @property
    def temporary(self) -> Path:
        return self.root / "t"

    def start(self) -> subprocess.Popen:
        """Start the command."""
        command = [Path(sys.executable).parent / "ebank", "report", "--source", "data/small", "--all", "--quiet",
                   "--notebooks", "notebooks"]
        env = environment(self.temporary) | {MARK: str(self.root)}
        with (self.root / "log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.project, env=env, stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, start_new_session=True)

    def alive(self) -> dict[int, str]:
        """Return the processes of this trial's runs."""
        return marked(f"{MARK}={self.root}\0")

    def begin(self, changed: bool) -> None:
        """Put the output folder and the source into the state that a trial starts from."""
        shutil.rmtree(self.out, ignore_errors=True)
        if changed:
            shutil.copytree(self.root / "before", self.out, symlinks=True)
        text = cells(10001 if changed else 10000)
        (self.project / "data" / "small" / "cells.csv").write_text(text, encoding="utf-8")


def prepare(root: Path) -> Place:
    """Make a place and run the command undisturbed, into an empty folder and again after one number has changed.

    Raises
    ------
    RuntimeError
        A run that nobody disturbs does not succeed, or leaves something.
    """
    place = Place(root)
    place.temporary.mkdir()
    small_project(place.project)
    for changed in (False, True):
        place.begin(changed)
        before = _stamps(place.out)
        began = time.monotonic()
        code = place.start().wait(LONGEST)
        place.seconds[changed] = time.monotonic() - began
        if not changed:
            shutil.copytree(place.out, root / "before", symlinks=True)
        place.wanted[changed] = hashes(place.out)
        place.counts[changed] = len(_stamps(place.out) - before)
        left = leftovers(place)
        if code or left:
            log = (root / "log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError("; ".join([f"an undisturbed run ended with {code}", *left, log[-3000:]]))
    return place


def _kill(place: Place, process: subprocess.Popen, victim: str, draw: random.Random) -> str:
    """Kill; return what was killed."""
    if victim == "all":
        for pid in (process.pid, *place.alive()):
            _send(pid)
        return victim
    below = descendants(process.pid)
    lines = command_lines()
    forks = sorted(pid for pid, parent in below.items() if parent != process.pid)
    server = [pid for pid, parent in below.items() if parent == process.pid and "forkserver" in lines.get(pid, "")]
    chosen = {"server": server, "fork": forks}.get(victim) or []
    pid = draw.choice(sorted(chosen)) if chosen else process.pid
    _send(pid)
    return victim if chosen else "orchestrator"


def _send(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _wait_for(place: Place, process: subprocess.Popen, moment: float, files_written: int | None) -> bool:
    """Wait for the moment; return whether the run was still going."""
    end = time.monotonic() + moment
    stamps = _stamps(place.out)
    while process.poll() is None:
        if files_written is None:
            if time.monotonic() >= end:
                return True
            time.sleep(0.005)
        elif len(_stamps(place.out) - stamps) >= files_written:
            return True
        else:
            time.sleep(0.002)
    return False


def _stamps(out: Path) -> set[tuple[str, int]]:
    """Return the files there are now, unfinished ones too: name and inode."""
    return set(_entries(str(out)))


def _entries(folder: str) -> Iterator[tuple[str, int]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path)
        else:
            yield entry.path, entry.inode()


def trial(place: Place, seed: int, most: int = 3) -> tuple[str, list[str]]:
    """Kill, at most so many times, and resume; return what was done, and what is wrong afterwards."""
    draw = random.Random(seed)
    changed = seed % 2 == 1
    place.begin(changed)
    done, wrong = ["changed" if changed else "anew"], []
    kills = min(draw.choice((1, 1, 2, 3)), most)
    share = 0.95        # of an undisturbed run, in which the moment lies
    for attempt in range(TRIES):
        process = place.start()
        try:
            if attempt < kills or len(done) == 1:
                by_file, part, victim = draw.random() < 0.7, draw.uniform(0, share), draw.choice(VICTIMS)
                moment, count = part * place.seconds[changed], int(part * place.counts[changed]) if by_file else None
                if _wait_for(place, process, moment, count):
                    done.append(f"{_kill(place, process, victim, draw)} at "
                                + (f"file {count}" if by_file else f"{moment:.1f} s"))
                elif len(done) == 1:    # over before anything was killed: once more from the beginning
                    process.wait()
                    place.begin(changed)
                    share /= 2
            code = process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            wrong.append(f"command {attempt + 1} did not end")
            break
        finally:
            if process.poll() is None:
                _send(process.pid)
                process.wait()
        if draw.random() < 0.5 or code >= 0:    # else the next run begins while orphans may be ending
            wrong += _orphans(place)
        if code == 0 and attempt + 1 >= kills and len(done) > 1:
            break
    else:
        wrong.append(f"not done after {TRIES} commands")
    wrong += [*leftovers(place), *_differing(place.wanted[changed], hashes(place.out))]
    return ", ".join(done), wrong


def _differing(wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    names = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    return [f"differs from the undisturbed run: {name}" for name in names]


def _orphans(place: Place) -> list[str]:
    """Return the processes that have not ended by themselves in time."""
    end = time.monotonic() + WITHIN
    while (alive := place.alive()) and time.monotonic() < end:
        time.sleep(0.05)
    return [f"process left: {pid} {command}" for pid, command in alive.items()]


def leftovers(place: Place) -> list[str]:
    """Return what a finished run has left: processes, sockets, temporary files, anything new in the project."""
    left = _orphans(place)
    left += [f"temporary file left: {p.relative_to(place.root)}" for p in sorted(place.temporary.rglob("*"))]
    own = Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()
    left += [f"socket left: {line.split()[-1]}" for line in own if str(place.root) in line]
    for path in sorted(place.project.rglob("*")):
        name = path.relative_to(place.project)
        if path.is_socket() or (path.is_file() and name.parts[0] == "reports" and _unfinished(path.name)):
            left.append(f"left in the project: {name}")
    new = {p.name for p in place.project.iterdir()} - {"data", "notebooks", "reports"}
    left += [f"left in the project: {name}" for name in sorted(new)]
    work = place.out / ".ebank" / "work"
    left += [f"left of the work: {p.relative_to(place.out)}" for p in (work.rglob("*") if work.exists() else ())]
    return left


def _unfinished(name: str) -> bool:
    """Whether a file is called as one that is being written: nothing of a result begins with a dot."""
    return name.startswith(".")


def main(argv: list[str] | None = None) -> int:
    """Print a line a trial; the exit code says whether all ended as they had to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trials", type=int, nargs="?", default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the first trial")
    args = parser.parse_args(argv)
    if not Path("/proc/net/unix").exists() or not hasattr(socket, "AF_UNIX"):
        parser.error("looks into /proc: Linux only")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="ek-", ignore_cleanup_errors=True) as folder:
        place = prepare(Path(folder))
        print(f"undisturbed: {place.seconds[False]:.1f} s, {place.counts[False]} files written", flush=True)
        for seed in range(args.seed, args.seed + args.trials):
            done, wrong = trial(place, seed)
            failed += bool(wrong)
            print(f"{seed}: {done}: {'the same' if not wrong else 'WRONG'}", flush=True)
            for line in wrong[:20]:
                print(f"   {line}", flush=True)
    print(f"{args.trials - failed} of {args.trials} the same, nothing left")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
