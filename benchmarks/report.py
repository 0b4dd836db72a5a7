"""One branch's report from its workbooks to its page, as a user starts it; and the library's own share of it.

    python -m benchmarks.report

Goals: the report under 60 s on two cores, of which reading, cleaning and panel under 3 s (each the best of three).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORT, LIBRARY = 60.0, 3.0


def library() -> tuple[float, float]:
    """Return the seconds of opening and reading, and of cleaning to a panel."""
    from ebank_lib.cleaning import clean
    from ebank_lib.sources import open_source

    start = time.perf_counter()
    source = open_source(ROOT / "data" / "shandong")
    source.cells()
    read = time.perf_counter()
    clean(source)
    return read - start, time.perf_counter() - read


def report() -> float:
    """Return the seconds of one report in a process of its own."""
    folder = Path(tempfile.mkdtemp())
    try:
        start = time.perf_counter()
        command = [Path(sys.executable).parent / "ebank", "report", "--source", "data/shandong", "--branch", "rizhao"]
        subprocess.run([*command, "--lang", "zh", "--out", folder], cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - start
    finally:
        shutil.rmtree(folder)


def main() -> int:
    read, cleaned = min((library() for _ in range(3)), key=sum)
    whole = min(report() for _ in range(3))
    print(f"{'reading':<24}{read:8.2f} s\n{'cleaning and panel':<24}{cleaned:8.2f} s\n"
          f"{'both (goal ' + format(LIBRARY, 'g') + ' s)':<24}{read + cleaned:8.2f} s\n"
          f"{'report (goal ' + format(REPORT, 'g') + ' s)':<24}{whole:8.2f} s")
    return read + cleaned > LIBRARY or whole > REPORT


if __name__ == "__main__":
    sys.exit(main())
