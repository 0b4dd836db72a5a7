"""Odds on shares: panels with a known truth, and the sample's own past; how often did it come?

    python -m benchmarks.shares [--panels 12] [--paths 1000] [--workers 2]

Sixteen branches, 44 months of a share known, up to 16 months ahead, odds as ``simulate_joint`` gives them. The logit of
a share has shocks that stay (half of their variance the same in all branches), noise that passes, and

- ``steady``: the same growth month by month;
- ``walk``: growth that only its shocks disturb, three times as large;
- ``wandering``: growth that itself walks at random;
- ``slowing``: growth that loses 3% of itself a month.

Goals lie a past change of the share away, drawn evenly between the least and the greatest: nothing of the forecast. The
sample's six shares are judged from 10 and 6 months before its end. ``ets`` are the same paths with their middle where
exponential smoothing of the logit puts it. Exits with 1 when a class of ten stated odds lies more than two standard
errors (clusters: panels; of the sample: branches) from what came, or the Brier score is worse than with that middle.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - after the number of threads is set
import pandas as pd  # noqa: E402

from benchmarks._scores import brier, reliability  # noqa: E402
from ebank_lib.catalog import load_catalog  # noqa: E402
from ebank_lib.forecasting import Context, forecast, simulate_joint  # noqa: E402

DATA = Path(__file__).resolve().parent.parent / "data"
MONTHS, HORIZON, KEY = 44, 16, "coverage"
PROCESSES = ("steady", "walk", "wandering", "slowing")
LEAST = 30      # odds in a class that is judged
EACH = 4        # goals a share


def grown(process: str, branches: int, rng: np.random.Generator) -> np.ndarray:
    """Return simulated shares (branches, months)."""
    months = MONTHS + HORIZON

    def shocks(sd: float) -> np.ndarray:
        return sd * (rng.standard_normal(months) + rng.standard_normal((branches, months))) / np.sqrt(2)

    growth = rng.uniform(0.015, 0.045, (branches, 1)) * np.ones(months)
    if process == "wandering":
        growth = growth + np.cumsum(shocks(0.003), axis=1)
    if process == "slowing":
        growth = growth * 0.97 ** np.arange(months)
    z = rng.uniform(-1.5, 0.2, (branches, 1)) + np.cumsum(growth + shocks(0.03 if process == "walk" else 0.01), axis=1)
    return 1 / (1 + np.exp(-z - 0.01 * rng.standard_normal((branches, months))))


def made(process: str, number: int) -> tuple[SimpleNamespace, pd.DataFrame]:
    """Return a panel of which 44 months are known, as cleaned data, and what comes."""
    catalog = load_catalog(DATA / "catalog.yaml", DATA / "branches.csv")
    rng = np.random.default_rng([20110831, PROCESSES.index(process), number])
    months = pd.period_range("2008-01", periods=MONTHS + HORIZON, freq="M", name="month")
    wide = pd.DataFrame(grown(process, len(catalog.reporting), rng).T, months, catalog.reporting)
    panel = wide.iloc[:MONTHS].melt(ignore_index=False, var_name="branch", value_name=KEY)
    panel = panel.set_index("branch", append=True).swaplevel()
    return SimpleNamespace(panel=panel, catalog=catalog), wide


def judged(cleaned, keys: list[str], truth, n: int, rng: np.random.Generator, **about) -> pd.DataFrame:
    """Draw goals for shares, give their odds, and look up what came; `truth(branch, key)` is the whole series."""
    paths = simulate_joint(cleaned, horizon=HORIZON, n=n, indicators=keys)
    rows = []
    for key in keys:
        for b, branch in enumerate(paths.branches):
            y = truth(branch, key)
            past, ahead = y[y.index <= paths.origin].dropna(), y[y.index > paths.origin].dropna()
            z, drawn = np.log(past / (1 - past)).to_numpy(), paths.array(key)[b]
            f = forecast(past, HORIZON, models=("ets",), kind="ratio").block()["y_hat"].to_numpy()
            logit = np.log(drawn / (1 - drawn))
            moved = 1 / (1 + np.exp(-(logit + (np.log(f / (1 - f)) - np.median(logit, axis=1))[:, None])))
            for h in (h for h in rng.choice([4, 8, 12, 16], EACH) if h <= len(ahead)):
                change = z[h:] - z[:-h]
                goal = 1 / (1 + np.exp(-(z[-1] + rng.uniform(change.min(), change.max()))))
                rows.append({"odds": np.mean(drawn[h - 1] >= goal), "ets": np.mean(moved[h - 1] >= goal),
                             "came": float(ahead.iloc[h - 1] >= goal), "branch": branch})
    return pd.DataFrame(rows).assign(**about)


def work(job) -> pd.DataFrame:
    """Judge one panel, or the sample at one of its past months."""
    process, number, n = job
    rng = np.random.default_rng([44, number])
    if process != "sample":
        cleaned, wide = made(process, number)
        return judged(cleaned, [KEY], lambda branch, key: wide[branch], n, rng, data=process, cluster=number)
    from ebank_lib.cleaning import clean

    whole = Context.of(clean(DATA / "shandong"))
    last = whole.last - number
    known = whole.panel[whole.panel.index.get_level_values("month") <= last]
    keys = [k for k in whole.plan.free if whole[k].kind == "ratio"]
    rows = judged(SimpleNamespace(panel=known, catalog=whole.catalog), keys, lambda branch, key: whole[key].series(
        branch), n, rng, data="sample")
    return rows.assign(cluster=rows["branch"])


def main(argv=None) -> int:
    """Run the benchmark; the exit code says whether the goals were reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panels", type=int, default=12, help="of each process")
    parser.add_argument("--paths", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(argv)
    jobs = [(process, number, options.paths) for process in PROCESSES for number in range(options.panels)]
    jobs += [("sample", back, options.paths) for back in (10, 6)]
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        rows = pd.concat(pool.map(work, jobs), ignore_index=True)
    missed, scores = [], []
    for data, here in rows.groupby("data", sort=False):
        table = reliability(here["odds"], here["came"], here["cluster"])
        print(f"{data}\n{table.round(3).to_string()}\n")
        missed += [f"{data}: stated {row['stated']:.2f}, came {row['observed']:.2f}, {row['z']:+.1f} standard errors"
                   for _, row in table[table["n"] >= LEAST].iterrows() if abs(row["z"]) > 2]
        middle = here[here["odds"].between(0.2, 0.8)]
        scores.append({"data": data, "n": len(here), "stated 20-80%": middle["odds"].mean(),
                       "came": middle["came"].mean(), "brier": brier(here["odds"], here["came"]),
                       "brier, ets": brier(here["ets"], here["came"])})
    table = pd.DataFrame(scores).set_index("data")
    print(table.round(3).to_string())
    missed += [f"{data}: Brier {row['brier']:.4f}, with ETS's middle {row['brier, ets']:.4f}"
               for data, row in table.iterrows() if row["brier"] > row["brier, ets"] + 5e-4]
    print("\n".join(["missed:", *missed]) if missed else "all goals reached")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
