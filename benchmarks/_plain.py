"""What a batch does without one: papermill's own loop, a fresh stock kernel for every notebook, one after another.

Run by :mod:`benchmarks.batch`, which hands the list of runs over on standard input and measures this process.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import papermill


def main() -> int:
    runs = json.load(sys.stdin)
    for n, run in enumerate(runs, 1):
        Path(run["target"]).parent.mkdir(parents=True, exist_ok=True)
        papermill.execute_notebook(run["notebook"], run["target"], parameters=run["parameters"], kernel_name="python3",
                                   progress_bar=False)
        print(f"{n}/{len(runs)} {run['target']}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
