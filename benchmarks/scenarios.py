"""The strategy of a whole province: 1,000 paths, 16 branches, every indicator, 24 months, all scenarios.

    python -m benchmarks.scenarios [--paths 1000] [--horizon 24]

Prints the seconds of the forecasts and paths and of the scenarios, and the greatest memory of a process; exits non-zero
when both together take 20 s or more, or a process more than 1 GiB. Reading and cleaning come before the clock starts.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

from ebank_lib.cleaning import clean
from ebank_lib.events import known_events
from ebank_lib.forecasting import simulate_joint
from ebank_lib.scenarios import learn_evidence, load_strategy, run_scenarios

SOURCE = Path(__file__).resolve().parent.parent / "data" / "shandong"
SECONDS, MEMORY = 20.0, 1.0     # on two cores; GiB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=int, default=1000)
    parser.add_argument("--horizon", type=int, default=24)
    options = parser.parse_args()
    cleaned = clean(SOURCE)
    strategy = load_strategy(cleaned.source)
    # What is compiled once for good is compiled before the clock starts.
    simulate_joint(cleaned, 2, 10, branches=["rizhao"], indicators=["mobile"])
    began = time.perf_counter()
    paths = simulate_joint(cleaned, options.horizon, options.paths)
    simulated = time.perf_counter()
    evidence = learn_evidence(paths, strategy.levers, known_events(cleaned.source))
    results = [run_scenarios(paths, branch, strategy, evidence=evidence) for branch in paths.branches]
    ended = time.perf_counter()
    count = results[0].table["scenario"].nunique()
    # Linux counts in KiB; processes of the pool are children.
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**20
    print(f"{options.paths} paths, {len(paths.branches)} branches, {len(paths.indicators)} indicators, "
          f"{options.horizon} months: {simulated - began:.1f} s; {count} scenarios: {ended - simulated:.1f} s")
    goals = [("seconds in all", ended - began, SECONDS), ("GiB in one process", peak, MEMORY)]
    for name, value, goal in goals:
        print(f"{name}: {value:.2f} (goal < {goal:g}){'' if value < goal else '  MISSED'}")
    return int(any(value >= goal for _, value, goal in goals))


if __name__ == "__main__":
    sys.exit(main())
