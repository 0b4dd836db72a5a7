"""The backtest of a whole branch: every indicator of the catalogue, 12 origins, all candidates, two processes.

Each series by its own history, as notebook 04 tests a group; with the other branches beside (``--beside``) it takes
some three times as long, and no goal is set.

    python -m benchmarks.backtest [--branch rizhao] [--origins 12] [--workers 2] [--beside]

Prints the seconds in all, then the processor time of each method (one process, the same series and origins, halved for
the ARMA goal), and exits non-zero when a goal is missed: all under 60 s, ARMA under 5 s.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from ebank_lib.cleaning import clean
from ebank_lib.errors import EbankError
from ebank_lib.forecasting import backtest_many
from ebank_lib.forecasting.backtest import cutoffs_of
from ebank_lib.forecasting.candidates import CANDIDATES, predict
from ebank_lib.forecasting.series import kind_of, prepare

SOURCE = Path(__file__).resolve().parent.parent / "data" / "shandong"
WHOLE, ARMA = 60.0, 5.0     # seconds on two cores
MODELS = ("combination", *CANDIDATES)


def tested(job) -> tuple[pd.DataFrame, int]:
    """Backtest some indicators in a process of its own: their grades, and how many forecasts were made."""
    branch, keys, origins, beside = job
    made = backtest_many(clean(SOURCE), branch, keys, MODELS, origins=origins, beside=beside)
    return made.grades(), len(made.table)


def by_method(cleaned, branch: str, origins: int, horizon: int = 12) -> pd.DataFrame:
    """Return the processor time of each method at all origins of all indicators, and of what comes before it."""
    spent: dict[str, float] = defaultdict(float)
    for known in cutoffs_of(len(cleaned.months), horizon, origins):
        for key, indicator in cleaned.catalog.indicators.items():
            start = time.process_time()
            try:
                ready = prepare(cleaned.series(branch, key).iloc[:known], kind_of(indicator))
            except EbankError:
                continue        # its row says why; here only time is counted
            finally:
                spent["(events, scale)"] += time.process_time() - start
            for name in CANDIDATES:
                start = time.process_time()
                with suppress(EbankError):      # too short at this origin: the time was spent all the same
                    predict(name, ready.work, horizon)
                spent[name] += time.process_time() - start
    return pd.DataFrame({"part": spent.keys(), "cpu_seconds": spent.values()}).sort_values(
        "cpu_seconds", ascending=False, ignore_index=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--branch", default="rizhao")
    parser.add_argument("--origins", type=int, default=12)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--beside", action="store_true", help="with calendar, season and errors of all branches")
    options = parser.parse_args()
    cleaned = clean(SOURCE)
    start, before, keys = time.perf_counter(), os.times(), list(cleaned.catalog.indicators)
    jobs = [(options.branch, keys[k::options.workers], options.origins, options.beside) for k in range(options.workers)]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as processes:
        parts, counts = zip(*processes.map(tested, jobs), strict=True)
    whole, after = time.perf_counter() - start, os.times()
    cpu = sum(getattr(after, f) - getattr(before, f) for f in ("user", "system", "children_user", "children_system"))
    grades = pd.concat(parts)
    print(f"{options.branch}: {len(grades)} indicators, {options.origins} origins, {len(MODELS)} methods, "
          f"{sum(counts)} forecasts, {cpu:.1f} s of processor time")
    print("grades:", ", ".join(f"{k} {n}" for k, n in grades["letter"].value_counts().sort_index().items()))
    spent = by_method(cleaned, options.branch, options.origins)
    print(spent.round(2).to_string(index=False))
    arma = float(spent.set_index("part").loc["arma", "cpu_seconds"]) / options.workers
    goals = [("whole backtest, seconds", whole, WHOLE), ("ARMA part, seconds", arma, ARMA)]
    for name, value, goal in goals:
        print(f"{name}: {value:.1f} (goal < {goal:g}){'' if value < goal else '  MISSED'}")
    return int(not options.beside and any(value >= goal for _, value, goal in goals))


if __name__ == "__main__":
    sys.exit(main())
