"""Every branch's report and the province's: against plain papermill, with and without a store, and of many branches.

    python -m benchmarks.batch                                     # everything: the better part of two hours
    python -m benchmarks.batch --branches 3 --scale                # a look: three branches, no scaling
    python -m benchmarks.batch --scale 34 340 --skip-compare       # scaling alone

One run compares `ebank report --all` into an empty folder, again with the store kept but every report made anew, and
again with nothing to do, with papermill's own loop over the same notebooks (a fresh stock kernel each, one after
another, nothing else made of them). All processes have one BLAS thread, which is also the faster way for the loop; what
is compiled once an installation is compiled before the clock starts. Then provinces of invented branches, of which the
second has ten times as many.

Goals: from an empty store at least 5 times faster than the loop; nothing to do in under 3 s; the seconds a branch of
the largest province within 15% of the smallest one's, the orchestrator's peak memory within 10%. The exit code says
whether they were reached, every run succeeded, and the numbers were the same in all of them. Linux only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._processes import Usage, measured
from benchmarks.cleaning import make_sample

ROOT = Path(__file__).resolve().parent.parent
BRANCHES = 16       # of the sample in the repository
FASTER, NOTHING, LINEAR, FLAT = 5.0, 3.0, 0.15, 0.10
_WARM = "import ebank_lib.reports.preload"


# ---------------------------------------------------------------- a project to run in

def project(folder: Path, notebooks: list[str] | None = None) -> Path:
    """Make a project folder as the repository's, without sources; `notebooks` are the numbers wanted, else all."""
    (folder / "data").mkdir(parents=True)
    for path in sorted((ROOT / "data").iterdir()):
        if path.is_file():
            shutil.copyfile(path, folder / "data" / path.name)
        elif path.name == "reference":
            shutil.copytree(path, folder / "data" / path.name)
    (folder / "notebooks").mkdir()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        if notebooks is None or path.name[:2] in notebooks:
            shutil.copyfile(path, folder / "notebooks" / path.name)
    return folder


def add_source(folder: Path, branches: int) -> str:
    """Add a source of so many reporting branches to a project and return it as a command names it.

    The repository's own where that has so many; fewer are unspoilt, more are invented and spoilt like the sample.
    """
    name = f"of{branches}"
    if branches == BRANCHES:
        ignored = shutil.ignore_patterns("__pycache__", "*.py")
        shutil.copytree(ROOT / "data" / "shandong", folder / "data" / name, ignore=ignored)
    else:
        # One more for the branch that merged into another one.
        count = branches + (branches > BRANCHES)
        make_sample()(folder / "data" / name, branches=count, spoil=branches > BRANCHES)
    return f"data/{name}"


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of every run: one BLAS thread, temporary files in `folder`, no store but the run's own."""
    one = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EBANK_")}
    return kept | dict.fromkeys(one, "1") | {"PYTHONUTF8": "1", "TMPDIR": str(folder),
                                             "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


# ---------------------------------------------------------------- runs

@dataclass
class Bench:
    """Where the runs take place."""

    folder: Path        # a project
    temporary: Path
    workers: int

    def ebank(self, source: str, out: Path, *more: str) -> Usage:
        """Run the batch."""
        command = [Path(sys.executable).parent / "ebank", "report", "--source", source, "--all", "--out", out,
                   "--workers", self.workers, *more]
        return self._run(command, f"{out.name}.log")

    def plain(self, runs: list[dict[str, Any]]) -> Usage:
        """Run papermill's loop."""
        return self._run([sys.executable, "-m", "benchmarks._plain"], "plain.log", json.dumps(runs))

    def _run(self, command: list, log: str, told: str = "") -> Usage:
        env = environment(self.temporary) | {"PYTHONPATH": str(ROOT)}
        usage = measured(command, cwd=self.folder, env=env, log=self.temporary / log, told=told)
        if usage.code:
            print(f"exit code {usage.code}: {' '.join(map(str, command))}\n" + usage.said[-3000:], file=sys.stderr)
        return usage


def plain_runs(folder: Path, source: str, target: Path) -> list[dict[str, Any]]:
    """Return what the batch runs, as papermill is told it: notebook, target and parameters of each."""
    from ebank_lib.reports.parameters import numbered_notebooks
    from ebank_lib.sources import open_source

    catalog = open_source(folder / source).catalog
    given = {"source": source, "indicator": catalog.headline[0], "lang": "zh"}
    runs = [(book, branch, given | {"branch": branch}) for branch in catalog.reporting
            for book in numbered_notebooks(folder / "notebooks")[0]]
    runs += [(book, catalog.total, given) for book in numbered_notebooks(folder / "notebooks")[1]]
    return [{"notebook": f"notebooks/{book.name}", "target": str(target / place / "notebooks" / book.name),
             "parameters": parameters} for book, place, parameters in runs]


def files(out: Path) -> Iterator[Path]:
    """Yield the files of a result: what a run keeps for the next one, in ``.ebank``, is none of it."""
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.relative_to(out).parts[0] != ".ebank":
            yield path


def size(out: Path) -> float:
    """Return a result's MiB."""
    return sum(path.stat().st_size for path in files(out)) / 2**20


def hashes(out: Path) -> dict[str, str]:
    """Return the hash of every file of a result."""
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files(out)}


def tables(out: Path) -> dict[tuple[str, str, str], str]:
    """Return every table that notebooks recorded: branch, notebook and name to the table as text."""
    found = {}
    for path in sorted(out.glob("*/notebooks/*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", ()):
                table = output.get("metadata", {}).get("ebank", {}).get("table")
                if table:
                    found[path.parts[-3], path.stem, table["name"]] = json.dumps(table, sort_keys=True)
    return found


# ---------------------------------------------------------------- what is compared

def compare(bench: Bench, branches: int, skip_plain: bool) -> dict[str, Any]:
    """Run the batch cold, warm and with nothing to do, then papermill's loop; return what each took."""
    source, out = add_source(bench.folder, branches), bench.folder / "reports"
    rows: dict[str, Any] = {}
    usage = bench.ebank(source, out)
    rows["cold"] = told(usage, branches, out)
    first = hashes(out)
    store, kept = out / ".ebank" / "cache", bench.folder / "kept"
    rows["store_mib"] = sum(p.stat().st_size for p in store.rglob("*") if p.is_file()) / 2**20
    store.rename(kept)
    shutil.rmtree(out)
    store.parent.mkdir(parents=True)
    kept.rename(store)
    rows["warm"] = told(bench.ebank(source, out), branches, out)
    rows["nothing"] = told(bench.ebank(source, out), branches, out)
    rows["same_bytes"] = first == hashes(out)
    if not skip_plain:
        target = bench.folder / "plain"
        rows["plain"] = told(bench.plain(plain_runs(bench.folder, source, target)), branches, target)
        rows["ratio"] = rows["plain"]["seconds"] / rows["cold"]["seconds"]
        rows["same_tables"] = tables(target) == tables(out)
    return rows


def scale(bench: Bench, counts: list[int]) -> list[dict[str, Any]]:
    """Run the batch on provinces of so many branches; return what each took."""
    rows = []
    for count in counts:
        source, out = add_source(bench.folder, count), bench.folder / f"reports{count}"
        rows.append({"branches": count} | told(bench.ebank(source, out), count, out))
        print(scaling_line(rows[-1]), file=sys.stderr, flush=True)
        shutil.rmtree(out, ignore_errors=True)
        shutil.rmtree(bench.folder / source)
    return rows


def told(usage: Usage, branches: int, out: Path) -> dict[str, Any]:
    """Return a run's figures as JSON says them."""
    return {"seconds": usage.seconds, "processor": usage.processor, "a_branch": usage.seconds / branches,
            "code": usage.code, "peak_mib": usage.peak, "warm_mib": usage.warm, "together_mib": usage.together,
            "output_mib": size(out) if out.exists() else 0.0}


def goals(found: Mapping[str, Any]) -> dict[str, bool]:
    """Return what was to be reached, said, and whether it was."""
    rows, grown = found.get("compare", {}), found.get("scale", [])
    runs = [row for row in [*rows.values(), *grown] if isinstance(row, dict)]
    said = {"every run succeeded": all(row["code"] == 0 for row in runs)}
    if rows:
        said[f"nothing to do: {rows['nothing']['seconds']:.2f} s (goal < {NOTHING:g})"] = (
            rows["nothing"]["seconds"] < NOTHING)
        said["with a store and without: the same bytes"] = rows["same_bytes"]
    if "ratio" in rows:
        said[f"from an empty store {rows['ratio']:.2f} times as fast (goal >= {FASTER:g})"] = rows["ratio"] >= FASTER
        said["papermill's loop recorded the same tables"] = rows["same_tables"]
    if len(grown) > 1:
        few, many = grown[0], grown[-1]
        time, memory = (many[key] / few[key] for key in ("a_branch", "peak_mib"))
        names = f"{few['branches']} to {many['branches']} branches"
        said[f"{names}: seconds a branch x {time:.3f} (goal <= {1 + LINEAR:g})"] = time <= 1 + LINEAR
        said[f"{names}: the orchestrator's peak x {memory:.3f} (goal <= {1 + FLAT:g})"] = memory <= 1 + FLAT
    return said


# ---------------------------------------------------------------- what is printed

NAMES = {"plain": "papermill in a loop", "cold": "`ebank report --all`, empty store",
         "warm": "every report anew, store kept", "nothing": "nothing changed"}


def comparison(rows: Mapping[str, Any]) -> str:
    """Return the comparison as docs/why/speed.md shows it."""
    lines = ["| run | seconds | faster | processor | a branch | all processes' peak | output |",
             "|---|---|---|---|---|---|---|"]
    for key, name in NAMES.items():
        if key in rows:
            row = rows[key]
            ratio = f"{rows['plain']['seconds'] / row['seconds']:.1f} x" if "plain" in rows else "–"
            lines.append(f"| {name} | {row['seconds']:.1f} | {ratio} | {row['processor']:.1f} s | "
                         f"{row['a_branch']:.2f} s | {row['together_mib']:,.0f} MiB | {row['output_mib']:,.1f} MiB |")
    return "\n".join(lines)


def scaling_line(row: Mapping[str, Any]) -> str:
    """Return a line of the table of scaling."""
    return (f"| {row['branches']} | {row['seconds']:.0f} | {row['a_branch']:.2f} s | {row['peak_mib']:,.1f} MiB | "
            f"{row['warm_mib']:,.0f} MiB | {row['together_mib']:,.0f} MiB | {row['output_mib']:,.0f} MiB |")


def scaling(rows: list[dict[str, Any]]) -> str:
    """Return the scaling as docs/why/speed.md shows it."""
    heads = "| branches | seconds | a branch | orchestrator's peak | fork server's | all processes' | output |"
    return "\n".join([heads, "|---|---|---|---|---|---|---|", *map(scaling_line, rows)])


def main(argv: list[str] | None = None) -> int:
    """Print the tables and the goals; the exit code says whether all were reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--branches", type=int, default=BRANCHES, help="of the comparison (default: 16, the sample)")
    parser.add_argument("--skip-plain", action="store_true", help="without papermill's loop")
    parser.add_argument("--skip-compare", action="store_true", help="scaling only")
    parser.add_argument("--scale", type=int, nargs="*", default=[34, 340], metavar="N", help="provinces (none: skip)")
    parser.add_argument("--notebooks", nargs="+", metavar="NN", help="only these, such as 02 06")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to work (340 branches leave gigabytes; default: temporary)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the figures as JSON")
    args = parser.parse_args(argv)
    if not Path("/proc/self/smaps_rollup").exists():
        parser.error("measured from /proc: Linux only")
    found: dict[str, Any] = {"workers": args.workers}
    with tempfile.TemporaryDirectory(prefix="eb-", dir=args.folder, ignore_cleanup_errors=True) as folder:
        temporary = Path(folder) / "t"
        temporary.mkdir()
        bench = Bench(project(Path(folder) / "project", args.notebooks), temporary, args.workers)
        measured([sys.executable, "-c", _WARM], cwd=ROOT, env=environment(temporary), log=temporary / "warm.log")
        if not args.skip_compare:
            found["compare"] = compare(bench, args.branches, args.skip_plain)
            print(comparison(found["compare"]) + "\n", flush=True)
        if args.scale:
            found["scale"] = scale(bench, args.scale)
            print(scaling(found["scale"]) + "\n", flush=True)
    found["goals"] = goals(found)
    for text, reached in found["goals"].items():
        print(text + ("" if reached else "  MISSED"))
    if args.out:
        args.out.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return int(not all(found["goals"].values()))


if __name__ == "__main__":
    sys.exit(main())
