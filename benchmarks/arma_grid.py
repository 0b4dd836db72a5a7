"""Does the grid find the best likelihood known, does it pick the same order, and how long does it take?

    python benchmarks/arma_grid.py [--series N] [--modes fast thorough] [--no-timing] [--repeat 3] [--first-call]
    python benchmarks/arma_grid.py --seasons

Quality: 114 series of `optimum/best_loglik.json.gz` among the reference data (EBANK_SHARED, by default the folder
`shared` beside the checkout). A miss is an order whose log-likelihood is more than 0.001 below the best known.
Misses of statsmodels as it comes, on the series of 44 months: where it ends, judged by our exact likelihood.
Timing: CPU seconds for the 36 orders of one series, us (including the audit table), statsmodels, R's `arima` and
`auto.arima` where Rscript is installed; one BLAS thread.
Seasons: fits and choices of R 4.2.2 (`arima`, `auto.arima` without short cuts; `oracle/arma_oracle.json`) for the two
reference series of months; the grid of 36 plain and 75 seasonal orders of 44 months, beside the plain one of the same
series in the same run: CPU seconds, and what random starts find beyond it. Exit code 1 where a target is missed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ebank_lib.arma import fit_arma, select_order

SHARED = Path(os.environ.get("EBANK_SHARED", Path(__file__).resolve().parents[1].parent / "shared"))
MISS = 1e-3
# Per cent, at most: misses among p + q <= 5 and among all orders; at least: same choice, raw and passing over.
TARGETS = {"fast": (3.0, 9.0, 96.0, 96.0), "thorough": (1.0, 5.0, 98.0, 98.0)}
SLOWER, DIGITS = 8.0, 5e-4  # times the plain grid, at most; relative error against R, at most: three digits
P, Q = np.indices((6, 6))
R_CODE = """
y <- scan("{file}", quiet = TRUE); cpu <- function() sum(proc.time()[1:2])
t <- cpu(); for (p in 0:5) for (q in 0:5)
  try(suppressWarnings(arima(y, c(p, 0, q), method = "ML")), silent = TRUE); cat(cpu() - t, "")
if (requireNamespace("forecast", quietly = TRUE)) {{
  t <- cpu(); suppressWarnings(forecast::auto.arima(y, d = 0, max.p = 5, max.q = 5, max.order = 10, seasonal = FALSE,
    stepwise = FALSE, approximation = FALSE)); cat(cpu() - t) }}
"""


def series(limit: int | None = None) -> list[dict]:
    """The reference series, spread evenly where fewer are asked for."""
    with gzip.open(SHARED / "data" / "optimum" / "best_loglik.json.gz", "rt") as file:
        cases = json.load(file)
    return cases if limit is None else cases[:: max(len(cases) // limit, 1)][:limit]


def aicc_choice(loglik: np.ndarray, n: int, allowed: np.ndarray | None = None) -> tuple[int, int]:
    k = P + Q + 2
    aicc = -2 * loglik + 2 * k * n / (n - k - 1)
    value = aicc if allowed is None else np.where(allowed, aicc, np.inf)
    return tuple(int(v) for v in np.unravel_index(value.argmin(), value.shape))


def quality(cases: list[dict], mode: str) -> tuple[pd.DataFrame, list[str]]:
    """One row a series: misses, whether the choices agree; and the orders where ours is better."""
    rows, better = [], []
    for case in cases:
        start = time.process_time()
        chosen = select_order(case["y"], d=0, seasonal=False, mode=mode)
        seconds = time.process_time() - start
        core = chosen.table.sort_values(["p", "q"])
        ours = core["loglik"].to_numpy().reshape(6, 6)
        known, n = np.array(case["best_loglik"]), len(case["y"])
        gap = known - ours
        near_unit = core["near_unit"].to_numpy(dtype=bool).reshape(6, 6)
        better += [f"{case['id']} ({p},{q}) +{-gap[p, q]:.4f}" for p, q in np.argwhere(gap < -MISS)]
        raw, passing = aicc_choice(ours, n), aicc_choice(ours, n, ~near_unit)
        same_raw = raw == tuple(case["aicc_choice"])
        same_passing = passing == tuple(case["aicc_choice_no_near_unit_root"])
        # What would be chosen of the best known likelihoods, ours among them.
        best_raw = aicc_choice(np.maximum(known, ours), n)
        rows.append({
            "id": case["id"], "n": n, "seconds": seconds,
            "low": (gap > MISS)[P + Q <= 5].sum(), "all": (gap > MISS).sum(),
            "same_raw": same_raw, "same_passing": same_passing, "same_best": raw == best_raw,
            # A choice that differs because ours is the better likelihood is not a mistake.
            "by_better": (bool(not same_raw and gap[raw] < -MISS), bool(not same_passing and gap[passing] < -MISS)),
        })
    return pd.DataFrame(rows), better


def report_quality(cases, mode) -> bool:
    rows, better = quality(cases, mode)
    low, everything, raw, passing = TARGETS[mode]
    got = (100 * rows["low"].sum() / (21 * len(rows)), 100 * rows["all"].sum() / (36 * len(rows)),
           100 * rows["same_raw"].mean(), 100 * rows["same_passing"].mean())
    excused = np.array(rows["by_better"].tolist()).sum(axis=0)
    # A choice that differs from the filed one only because ours is the better optimum is no miss; any other is.
    counted = [got[2 + i] + 100 * excused[i] / len(rows) for i in (0, 1)]
    print(f"\n{mode}: {len(rows)} series, {1e3 * rows['seconds'].median():.0f} ms a series (median CPU)")
    print(f"  misses, p + q <= 5   {got[0]:5.2f} %   (target at most {low} %)")
    print(f"  misses, all 36       {got[1]:5.2f} %   (target at most {everything} %)")
    for i, (name, target) in enumerate((("raw", raw), ("passing over", passing))):
        print(f"  same choice, {name:12s} {got[2 + i]:5.1f} % as filed (target at least {target} %); "
              f"{counted[i]:.1f} % with {excused[i]} that differ because ours is the better optimum")
    print(f"  same choice, raw, of the best known with ours among them {100 * rows['same_best'].mean():.1f} %")
    print(f"  better than the best known in {len(better)} orders: " + "; ".join(better[:200]))
    for _, r in rows[~(rows["same_raw"] & rows["same_passing"])].iterrows():
        print(f"    choice differs: {r['id']} raw {bool(r['same_raw'])} passing over {bool(r['same_passing'])}"
              f", ours better {r['by_better']}")
    met = [got[0] <= low, got[1] <= everything]
    for name, value, target, pardoned in zip(("raw", "passing over"), got[2:], (raw, passing), excused):
        only_better = round(value * len(rows) / 100) + pardoned == len(rows)
        met.append(value >= target or only_better)
        if value < target and only_better:
            print(f"  {name}: below the target as filed, and every difference is one where ours is the better optimum")
    return all(met)


def cpu(call, repeat: int) -> float:
    best = np.inf
    for _ in range(repeat):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best


def statsmodels_grid(y, tuned: bool) -> None:
    from statsmodels.tsa.arima.model import ARIMA

    z = (np.asarray(y) - np.mean(y)) / np.std(y)
    for p, q in zip(P.flat, Q.flat):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of start values and convergence on most orders; only time counts
            try:
                if tuned:
                    ARIMA(z, order=(p, 0, q), concentrate_scale=True).fit(low_memory=True, cov_type="none")
                else:
                    ARIMA(y, order=(p, 0, q)).fit()
            except (ValueError, np.linalg.LinAlgError) as error:
                print(f"  statsmodels ({p},{q}): {error}")


def report_statsmodels(cases) -> None:
    """Print in how many of the orders with p + q <= 5 statsmodels ends below our optimum, judged by our likelihood."""
    from statsmodels.tsa.arima.model import ARIMA

    gaps = []
    for case in [case for case in cases if len(case["y"]) == 44][:4]:
        chosen = select_order(case["y"], d=0, seasonal=False, max_order=5)
        for ours in map(chosen.fit, *chosen.table[[*"pq"]].to_numpy().T):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fit = ARIMA(case["y"], order=ours.order).fit(cov_type="none", low_memory=True)
            gaps.append(ours.loglik - ours.design.loglik(ours._concentrated(np.r_[fit.arparams, fit.maparams])[2]))
    gaps = np.array(gaps)
    print(f"\nstatsmodels as it comes, {len(gaps)} orders: {100 * (gaps > MISS).mean():.0f} % missed, by "
          f"{gaps.max():.2f} at most; better than ours in {(gaps < -MISS).sum()}")


def r_seconds(y, repeat: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "y.txt"
        file.write_text("\n".join(map(repr, map(float, y))), encoding="utf-8")
        code = R_CODE.format(file=file.as_posix())
        runs = [[float(v) for v in subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True)
                 .stdout.split()] for _ in range(repeat)]
    return np.min(runs, axis=0).tolist()


def report_timing(cases, repeat: int) -> bool:
    long = np.random.default_rng(0)
    y480 = np.convolve(long.standard_normal(500), 0.8 ** np.arange(20))[:480]
    samples = {n: [c["y"] for c in cases if len(c["y"]) == n][:size] for n, size in ((44, 4), (120, 2))} | {480: [y480]}
    rows = []
    for n, ys in samples.items():
        for y in ys:
            row = {"T": n, "fast": cpu(lambda y=y: select_order(y, d=0, seasonal=False).order, 3 * repeat),
                   "fast_with_audit": cpu(lambda y=y: select_order(y, d=0, seasonal=False).table, repeat),
                   "thorough": cpu(lambda y=y: select_order(y, d=0, seasonal=False, mode="thorough").order, repeat)}
            if n <= 120:
                row["statsmodels"] = cpu(lambda y=y: statsmodels_grid(y, False), 1)
                row["statsmodels_tuned"] = cpu(lambda y=y: statsmodels_grid(y, True), 1)
                if shutil.which("Rscript"):
                    for name, value in zip(("R_arima", "R_auto_arima"), r_seconds(y, repeat)):
                        row[name] = value
            rows.append(row)
    table = pd.DataFrame(rows).groupby("T").mean()
    print("\nCPU seconds for 36 orders of one series\n" + table.round(4).to_string())
    at = table.loc[44]
    fine = True
    for name, target in (("R_arima", 30), ("statsmodels_tuned", 40)):
        if name in at:
            ratio = at[name] / at["fast"]
            fine &= bool(ratio >= target)
            print(f"  T = 44: fast is {ratio:.0f} times {name} (target {target})")
    print(f"  cost from T = 120 to 480: times {table.loc[480, 'fast'] / table.loc[120, 'fast']:.1f} (4 is linear)")
    return fine


def airline(rng, n: int) -> pd.Series:
    """Draw n months from the airline model."""
    w, theta, season = rng.standard_normal(n + 120), rng.uniform(-0.8, 0.2), rng.uniform(-0.8, -0.2)
    w = np.convolve(np.convolve(w, [1, theta])[:w.size], [1, *[0] * 11, season])[:w.size].cumsum()
    for i in range(12, w.size):
        w[i] += w[i - 12]
    return pd.Series(w[120:], pd.period_range("2008-01", periods=n, freq="M"))


def report_seasons(repeat: int) -> bool:
    oracle, fine = json.loads((SHARED / "data" / "oracle" / "arma_oracle.json").read_text(encoding="utf-8")), True
    auto = {entry["id"]: entry for entry in oracle["auto"]}
    print("\nseasons: ours, R's arima")
    for fit in (fit for fit in oracle["fits"] if fit["m"] == 12):
        values = pd.read_csv(SHARED / "data" / "oracle" / "series" / f"{fit['id']}.csv")["value"].to_numpy()
        y = pd.Series(values, pd.period_range("1949-01", periods=len(values), freq="M"))
        model, chosen = fit_arma(y, fit["order"], fit["seasonal"], trend="c"), select_order(y)
        ours = [*model.params, model.sigma2, model.loglik]
        theirs = [*fit["coef"].values(), fit["sigma2_ml_arima"], fit["loglik"]]
        apart = max(abs(a / b - 1) for a, b in zip(ours, theirs, strict=True))
        same = chosen.best.name() == auto[fit["id"]]["full"]
        fine &= apart < DIGITS and same
        for name, a, b in zip([*model.params.index, "sigma2", "loglik"], ours, theirs):
            print(f"  {fit['id']:18s}{name:7s}{a:14.6g}{b:14.6g}")
        print(f"  {fit['id']:18s}chosen {chosen.best.name()}, AICc {chosen.best.criterion('aicc'):.2f}; "
              f"R {auto[fit['id']]['full']}, {auto[fit['id']]['full_aicc']:.2f}")
    rng, rows = np.random.default_rng(0), []
    for _ in range(12):
        y = airline(rng, 44)
        chosen = select_order(y, seasonal="auto")
        thorough = select_order(y, mode="thorough", d=chosen.order[1], trend=chosen.design.trend)
        seasonal = chosen.table["P"] + chosen.table["Q"] > 0
        rows.append({"seasonal": cpu(lambda y=y: select_order(y).order, repeat),
                     "plain": cpu(lambda y=y: select_order(y, seasonal=False).order, repeat),
                     "seasonal_audit": cpu(lambda y=y: select_order(y).table, repeat),
                     "plain_audit": cpu(lambda y=y: select_order(y, seasonal=False).table, repeat),
                     "orders": len(chosen.table), "differenced": chosen.seasonal_order[1], "fitted": seasonal.sum(),
                     "missed": (thorough.table["loglik"] - chosen.table["loglik"] > MISS)[seasonal].sum(),
                     "same": chosen.chosen == thorough.chosen})
    table = pd.DataFrame(rows)
    mean, missed = table.mean(), table["missed"].sum() / table["fitted"].sum()
    each = table["seasonal"] / table["plain"]
    ratio, audit = mean["seasonal"] / mean["plain"], mean["seasonal_audit"] / mean["plain_audit"]
    print(f"  T = 44: {1e3 * mean['seasonal']:.0f} ms for {mean['orders']:.0f} orders (D = 1 in "
          f"{table['differenced'].sum()} of {len(table)}), plain {1e3 * mean['plain']:.0f} ms; {ratio:.1f} times, with "
          f"the audit table {audit:.1f} times (target {SLOWER:.0f}); series by series {each.min():.1f} to "
          f"{each.max():.1f}\n  missed {100 * missed:.1f}% of the seasonal orders (target 3%), the same choice with "
          f"random starts in {table['same'].sum()} of {len(table)}")
    return bool(fine and ratio <= SLOWER and audit <= SLOWER and missed <= 0.03)


FIRST = """
import time; t = time.perf_counter()
import ebank_lib.arma as a; u = time.perf_counter(); c = time.process_time()
{}
print(u - t, time.perf_counter() - u, time.process_time() - c)
"""


def report_start() -> bool:
    """Import, first call with an empty compilation cache, first call of a second process (wall seconds)."""
    call = "a.select_order([1., 3., 2., 5., 4., 6., 2., 8., 5., 9., 3., 4.], 1, 1, d=0, seasonal=False).table"
    with tempfile.TemporaryDirectory() as cache:
        runs = [subprocess.run([sys.executable, "-c", FIRST.format(call)], capture_output=True, text=True, check=True,
                               env={**os.environ, "NUMBA_CACHE_DIR": cache}).stdout.split() for _ in range(2)]
    (_, first, busy), (again, second, _) = [[float(v) for v in r] for r in runs]
    print(f"\nfirst call after install {first:.1f} s, {busy:.1f} s of CPU (target 25); import later {again:.2f} s "
          f"(target 1.5); first call of a second process {second:.2f} s")
    return first < 25 and again < 1.5 and second < 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, help="how many of the 114 series; all by default")
    parser.add_argument("--modes", nargs="+", default=["fast", "thorough"], choices=["fast", "thorough"])
    parser.add_argument("--no-timing", action="store_true")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seasons", action="store_true", help="only what is of seasons")
    parser.add_argument("--first-call", action="store_true", help="only import and first call, with an empty cache")
    args = parser.parse_args()
    if args.first_call:
        return 0 if report_start() else 1
    if not SHARED.is_dir():
        print(f"reference data absent: {SHARED}", file=sys.stderr)
        return 2
    if args.seasons:
        fine = report_seasons(args.repeat)
        print("\nall targets met" if fine else "\na target is missed")
        return 0 if fine else 1
    cases = series(args.series)
    select_order(cases[0]["y"], d=0, seasonal=False)  # compilation is not what is timed
    fine = [report_quality(cases, mode) for mode in args.modes]
    fine.append(report_seasons(args.repeat))
    if not args.no_timing:
        report_statsmodels(cases)
        fine += [report_timing(series(), args.repeat), report_start()]
    print("\nall targets met" if all(fine) else "\na target is missed")
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
