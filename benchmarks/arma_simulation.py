"""How often is the right order chosen, and do the intervals cover? A simulation study.

    python benchmarks/arma_simulation.py [--series 1000] [--seed 20110831] [--out benchmarks/results]

Series of known order and T = 44, 120: the share of right choices by criterion (raw, and passing over irregular orders,
which is the default), the coverage of 95% Wald and profile intervals of the true model's parameters, and of 80% and
95% forecast limits of the chosen and of the true model, 1 and 12 months ahead. Writes `arma_simulation.md`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import brentq, minimize
from scipy.special import ndtri

from ebank_lib.arma import fit_arma, select_order
from ebank_lib.arma.levels import prepare
from ebank_lib.arma.likelihood import objective
from ebank_lib.arma.model import ARMA, CRITERIA
from ebank_lib.arma.search import POLISH, minimise
from ebank_lib.arma.selection import choose

MODELS = {"AR(1) 0.6": ([0.6], []), "AR(2) 1.2 -0.5": ([1.2, -0.5], []), "MA(1) 0.6": ([], [0.6]),
          "ARMA(1,1) 0.7 0.4": ([0.7], [0.4]), "white noise": ([], [])}
LENGTHS = (44, 120)
HORIZONS = (1, 12)


def simulate(rng, ar, ma, n: int) -> np.ndarray:
    """Return n values of an ARMA about 10, after 200 that are thrown away."""
    a = rng.standard_normal(n + 200)
    y = np.zeros(n + 200)
    for i in range(2, n + 200):
        y[i] = a[i] + sum(c * y[i - j - 1] for j, c in enumerate(ar)) + sum(c * a[i - j - 1] for j, c in enumerate(ma))
    return y[200:] + 10


def one(rng, ar, ma, n: int) -> list[tuple[str, str, float]]:
    """(measure, of what, hit) of one series."""
    full = simulate(rng, ar, ma, n + max(HORIZONS))
    y, future = full[:n], full[n:]
    chosen, out = select_order(y, d=0, seasonal=False), []
    for criterion in CRITERIA:
        passing, raw = (order[:2] for order in choose(chosen.audit, criterion))
        out += [("right order", f"{criterion}, regular orders", passing == (len(ar), len(ma))),
                ("right order", f"{criterion}, raw", raw == (len(ar), len(ma)))]
    true = fit_arma(y, (len(ar), 0, len(ma)))
    for name, value in zip(true.params.index, [*ar, *ma, 10.0]):
        interval = profile_interval(true, name)
        out += [("95% interval", f"{name}, profile", interval["lower"] <= value <= interval["upper"]),
                # No standard error, no interval: counted as a miss.
                ("95% interval", f"{name}, Wald", interval["wald_lower"] <= value <= interval["wald_upper"])]
    for who, model in (("chosen model", chosen.best), ("true order", true)):
        limits = model.forecast(max(HORIZONS))
        for level in (80, 95):
            for h in HORIZONS:
                inside = limits[f"lo-{level}"].iloc[h - 1] <= future[h - 1] <= limits[f"hi-{level}"].iloc[h - 1]
                out.append((f"{level}% forecast limits", f"{who}, {h} ahead", inside))
    return out


def profile_interval(model: ARMA, term: str, level: float = 95) -> pd.Series:
    """Return the interval of one parameter from its profile likelihood, beside the Wald one.

    Every value is kept whose best likelihood, all else refitted, is within chi-square reach of the maximum. The limit
    is infinite where the profile stays flat.
    """
    estimate, se = float(model.params[term]), float(model.std_errors[term])
    z = ndtri(0.5 + level / 200)
    reach, best = z**2 / 2, model.optimum.value
    step = se if np.isfinite(se) else (0.1 if term[-1:].isdigit() else model.design.scale)
    drop = profile_of(model, term)
    limits = []
    for sign in (-1, 1):
        inside, outside, limit = estimate, estimate + sign * step, sign * np.inf
        for _ in range(40):
            if not np.isfinite(drop(outside)):
                outside = 0.5 * (inside + outside)  # beyond stationarity: the edge itself may be the limit
                if abs(outside - inside) < 1e-6:
                    limit = outside
                    break
            elif drop(outside) - best > reach:
                limit = brentq(lambda v: drop(v) - best - reach, inside, outside, xtol=1e-6 * step)
                break
            else:
                inside, outside = outside, outside + sign * step
        limits.append(limit)
    return pd.Series({"estimate": estimate, "lower": limits[0], "upper": limits[1],
                      "wald_lower": estimate - z * se, "wald_upper": estimate + z * se}, name=term)


def profile_of(model: ARMA, term: str):
    """The concentrated negative log-likelihood as a function of one parameter's value."""
    d, at, c = model.design, list(model.params.index).index(term), model._coefficients
    none = np.empty(len(d.columns) - d.gaps)
    if at >= len(c):
        column = d.x[term].to_numpy()

        def drop(value):
            moved = d.y - value * column
            new = prepare(moved, d.d, d.big_d, d.season, trend="n")
            x = model.optimum.angles.copy()
            lowest = minimise(x, model.shape, new.columns, new.gaps, POLISH, x, np.nan)[0]
            return -new.loglik(lowest) + d.loglik(0.0)

        return drop
    start = np.delete(c, at)

    def drop(value):
        def f(x):
            gradient = np.empty(len(c))
            value_here = objective(np.insert(x, at, value), model.shape, True, d.columns, d.gaps, none, gradient)
            return (value_here, np.delete(gradient, at)) if np.isfinite(value_here) else (1e10, np.zeros(len(x)))

        if len(start) == 0:
            got = f(start)[0]
        else:
            got = minimize(f, start, jac=True, method="BFGS", options={"gtol": 1e-5}).fun
        return got if got < 1e9 else np.inf

    return drop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=1000, help="in all, spread over models and lengths")
    parser.add_argument("--seed", type=int, default=20110831)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    cells = [(name, n) for name in MODELS for n in LENGTHS]
    each, rows = max(args.series // len(cells), 1), []
    for i, (name, n) in enumerate(cells):
        rng = np.random.default_rng([args.seed, i])
        for _ in range(each):
            rows += [(name, n, *r) for r in one(rng, *MODELS[name], n)]
        print(f"{name}, T = {n}: {each} series", flush=True)
    hits = pd.DataFrame(rows, columns=["model", "T", "measure", "of", "share"])
    args.out.mkdir(parents=True, exist_ok=True)
    wide = hits.pivot_table(index=["measure", "of"], columns=["model", "T"], values="share", sort=False)
    text = (100 * wide).round(0).fillna(-1).astype(int).astype(str).replace("-1", "")
    lines = ["| measure | of | " + " | ".join(f"{m}, T={n}" for m, n in text.columns) + " |",
             "|---|---|" + "---:|" * text.shape[1]]
    lines += ["| " + " | ".join([*key, *row]) + " |" for key, row in zip(text.index, text.to_numpy().tolist())]
    head = (f"# Simulation study of order selection\n\nPer cent of {each} series a column (standard error at most "
            f"{50 / np.sqrt(each):.1f} points), seed {args.seed}; see `benchmarks/arma_simulation.py`.\n\n")
    (args.out / "arma_simulation.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    print(head + "\n".join(lines))


if __name__ == "__main__":
    main()
