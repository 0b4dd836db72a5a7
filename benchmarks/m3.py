"""Accuracy and limits on M3: 714 monthly series, each cut to its last 44 training months, 12 ahead.

    python -m benchmarks.m3 [--data FOLDER] [--series N] [--workers 2] [--fast] [--learn]

The limits of the combination are cross-fitted: the errors they are learnt from are those of other series, and of their
training part only. ``--fast`` leaves out the slower methods (ARIMA, the study's ARMA, ARMA without differencing).
``--learn`` writes ``ebank_lib/forecasting/shapes.csv`` from the training part of all series. Exits with 1 when a goal
is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - after the number of threads is set
import pandas as pd  # noqa: E402
from utilsforecast import losses  # noqa: E402

from benchmarks._calibrating import learn_shape, shape_table  # noqa: E402
from ebank_lib.forecasting import candidates  # noqa: E402
from ebank_lib.forecasting.candidates import run_models  # noqa: E402
from ebank_lib.forecasting.forecast import assemble  # noqa: E402
from ebank_lib.forecasting.series import prepare  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
MONTHS, HORIZON, FOLDS, LEVEL = 44, 12, 5, (80, 95)
FAST = ("combination", "ets", "theta", "damped", "snaive_drift", "snaive")
SLOW = ("arima", "arma", "pure_arma")
GOALS = {"mase": (0, 0.802), "smape": (0, 12.2), "coverage-95": (94, 96), "coverage-80": (79, 81), "msis": (0, 5.85)}


def read(folder: Path, n: int | None) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Return (name, all training values, the first 12 test values) of each series; with `n`, evenly spread ones."""
    data = pd.read_csv(folder / "m3_monthly.csv.gz")
    series = []
    for name, rows in data.sort_values("t").groupby("unique_id", sort=True):
        train, test = (rows.loc[rows["split"] == part, "y"].to_numpy(dtype=float) for part in ("train", "test"))
        series.append((str(name), train, test[:HORIZON]))
    return series if n is None else [series[i] for i in np.linspace(0, len(series) - 1, n).astype(int)]


def origins(train: np.ndarray) -> list[int]:
    """Ends of the histories that the limits are learnt from: 12, 24, 36 months before the end of the training part."""
    return [len(train) - back for back in (12, 24, 36) if len(train) - back >= 36]


def work(job):
    """Everything about one series: its forecasts, and the combination's scaled errors in the training part."""
    name, train, test, models = job
    ready = prepare(train[-MONTHS:])
    parts, reasons, _ = run_models(ready, HORIZON, models)
    past = []
    for end in origins(train):
        then = prepare(train[max(0, end - MONTHS): end])
        if then.constant:
            continue
        part = run_models(then, HORIZON, ("combination",))[0].get("combination")
        if part is not None and (part.sd > 0).all():
            past.append((then.transform.forward(train[end: end + HORIZON]) - part.mean) / part.sd)
    return name, ready, parts, reasons, test, np.array(past).reshape(-1, HORIZON)


def run(series, models, workers: int) -> list:
    """Work on every series, with a line of progress."""
    jobs = [(*s, models) for s in series]
    done, began = [], time.perf_counter()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for result in pool.map(work, jobs, chunksize=4):
            done.append(result)
            if sys.stderr.isatty() or len(done) % 100 == 0 or len(done) == len(jobs):
                spent = time.perf_counter() - began
                print(f"\r{len(done)}/{len(jobs)} series, {spent:.0f} s", end="", file=sys.stderr)
    print(file=sys.stderr)
    return done


def learn(errors: list[np.ndarray]) -> candidates.ErrorShape:
    """Learn the shape of errors; every series counts once, however long it is."""
    weights = np.concatenate([np.full(len(e), 1 / max(len(e), 1)) for e in errors])
    return learn_shape(np.concatenate(errors), weights)


def tables(results, models) -> pd.DataFrame:
    """Lay out every forecast beside its actual value; the combination with limits learnt on the other folds."""
    frames = []
    fold = np.arange(len(results)) % FOLDS
    for k in range(FOLDS):
        learnt = learn([r[5] for r, f in zip(results, fold, strict=True) if f != k])
        for (name, ready, parts, reasons, test, _), f in zip(results, fold, strict=True):
            if f != k:
                continue
            shapes = {m: learnt if m == "combination" else candidates.GAUSSIAN for m in parts}
            table = assemble(ready, HORIZON, LEVEL, models, parts, shapes, reasons, unique_id=name).table
            table["y"] = np.tile(test, len(models))
            y = ready.y.to_numpy()
            table["scale"] = np.abs(y[12:] - y[:-12]).mean()
            frames.append(table)
    return pd.concat(frames, ignore_index=True)


def measure(rows: pd.DataFrame) -> dict[str, float]:
    """Mean over series of MASE and sMAPE, coverage over all months, MSIS of the 95% limits."""
    frame = rows.rename(columns={"y_hat": "m"} | {f"{s}-{lv}": f"m-{s}-{lv}" for s in ("lo", "hi") for lv in LEVEL})
    low, high, y = frame["m-lo-95"], frame["m-hi-95"], frame["y"]
    interval = high - low + 40 * (low - y).clip(lower=0) + 40 * (y - high).clip(lower=0)
    return {"mase": ((y - frame["m"]).abs() / frame["scale"]).mean(),
            "smape": 200 * losses.smape(frame, ["m"])["m"].mean(),
            "coverage-95": 100 * losses.coverage(frame, ["m"], 95)["m"].mean(),
            "coverage-80": 100 * losses.coverage(frame, ["m"], 80)["m"].mean(),
            "msis": (interval / frame["scale"]).mean(), "failed": int(rows["reason"].ne("").sum() / HORIZON)}


def main(argv=None) -> int:
    """Run the benchmark; the exit code says whether the goals were reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path,
                        default=Path(os.environ.get("EBANK_SHARED", ROOT.parent / "shared")) / "data" / "m3")
    parser.add_argument("--series", type=int, help="so many of the 714, evenly spread")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--fast", action="store_true", help="without the ARMA methods")
    parser.add_argument("--learn", action="store_true", help="write shapes.csv from the training part")
    args = parser.parse_args(argv)
    if not args.data.is_dir():
        parser.error(f"reference data absent: {args.data}; --data says where they are")
    began = time.perf_counter()
    models = FAST if args.fast else FAST + SLOW
    results = run(read(args.data, args.series), models, args.workers)
    if args.learn:
        shape = learn([r[5] for r in results])
        shape_table({"combination": shape}).to_csv(candidates.TABLE, index=False, lineterminator="\n")
    table = tables(results, models)
    scores = pd.DataFrame({m: measure(rows[rows["reason"] == ""].assign(reason="")) | {
        "failed": int(rows["reason"].ne("").sum() / HORIZON)} for m, rows in table.groupby("model", sort=False)}).T
    print(scores.round({"mase": 4, "smape": 2, "coverage-95": 1, "coverage-80": 1, "msis": 2}).to_string())
    print(f"{len(results)} series, {time.perf_counter() - began:.0f} s, {args.workers} workers")
    missed = [f"{k}: {scores.loc['combination', k]:.3f}, goal {low}..{high}" for k, (low, high) in GOALS.items()
              if not low <= scores.loc["combination", k] <= high]
    print("\n".join(["missed:", *missed]) if missed else "all goals reached")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
