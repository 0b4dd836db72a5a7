"""Accuracy and limits where the package is used: the RBI's banks (NEFT, mobile), India's UPI, and the sample.

    python -m benchmarks.domain [--data FOLDER] [--banks 40] [--origins 10] [--half judge] [--fast]

Rolling origins, twelve months ahead, each forecast with all that the branches say (``Context.forecast``); UPI, one
series, by itself. Banks are the largest of those that report throughout the last four years; every second one is chosen
by (``--half choose``: every constant of the package that was set on these data was set on them), the others judge.
``former`` is the combination as it was before growth had a share: half the growth, half-equal weights, each series by
itself. ``ratio`` is the geometric mean over series (bank and indicator) of the mean absolute error over former's;
``bias`` the mean over series of the summed error over the summed figures, in per cent (of ratios the mean error in
points).

Exits with 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - after the number of threads is set
import pandas as pd  # noqa: E402

from ebank_lib.errors import EbankError  # noqa: E402
from ebank_lib.forecasting import Context, forecast  # noqa: E402
from ebank_lib.forecasting.calendar import LATE  # noqa: E402
from ebank_lib.forecasting.candidates import MEMBERS, predict  # noqa: E402
from ebank_lib.forecasting.ets import select_ets  # noqa: E402
from ebank_lib.forecasting.series import Work, prepare  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
HORIZON, LEVEL, HALVES = 12, (80, 95), ("choose", "judge")
FAST = ("combination", *MEMBERS, "snaive")
# last origin and the months between two, newest first; of the sample, whose last has nine months after it
ORIGINS = {"NEFT": ("2015-10", 6), "mobile": ("2015-08", 6), "UPI": ("2024-03", 6), "sample": ("2010-11", 3)}
RATIO = {"sample": 0.72, "NEFT": 0.98, "mobile": 1.00}      # of the mean absolute error to former's, at most
BEST = {"sample": 1.02, "NEFT": 1.0, "mobile": 1.0}         # of the combination's to the best member's, at most
BIAS = {"sample": 1.5, "NEFT": 1.5, "sample, ratios": 0.3}  # per cent, and points
OFF = {"coverage-80": (80, 4), "coverage-95": (95, 1.5)}    # points


@cache
def panel(name: str, banks: int) -> tuple[Context, list[str]]:
    """Return the context of a panel and the branches that are forecast."""
    from ebank_lib.cleaning import clean

    if name == "sample":
        context = Context.of(clean(ROOT / "data" / "shandong"))
        return context, context.branches
    context = Context.of(clean(ROOT / "tests" / "rbi" / name.lower()))
    rows = context.panel.reset_index()
    wide = rows.pivot_table(rows.columns[2], "month", "branch").drop(columns="all-banks").iloc[-48:]
    wide = wide.loc[:, wide.notna().mean() > 0.95]
    largest = wide.median().sort_values(ascending=False).index[:banks].tolist()
    kept = context.panel[context.panel.index.get_level_values("branch").isin(largest)]
    return replace(context, panel=kept, now=None, grid=None, last=None), largest


def half_growth(work: Work, horizon: int) -> np.ndarray:
    """Last year's month plus half of last year's growth."""
    growth = 0.5 * (work.values[-12:] - work.values[-24:-12]).mean()
    return np.resize(work.values[-12:], horizon) + growth * (np.arange(horizon) // 12 + 1)


def former(y: pd.Series, kind: str | None, horizon: int = HORIZON) -> np.ndarray:
    """Return the earlier combination's medians (horizon,), of a series by itself."""
    ready = prepare(y, kind)

    def said(work: Work, horizon: int) -> np.ndarray:
        ets = select_ets(work.values).forecast(horizon)[0]
        others = [predict(m, work, horizon).mean for m in ("theta", "damped")]
        return np.array([ets, *others, *([half_growth(work, horizon)] if len(work.values) > 24 else [])])

    now, n = said(ready.work, horizon), len(ready.work.values)
    late = [np.abs(said(ready.work.until(back), back) - ready.work.values[-back:]).mean(axis=1)
            for back in LATE if n - back > 24]
    weights = np.full(len(now), 1 / len(now))
    if late:
        own = 1 / np.mean(late, axis=0) ** 2
        weights = weights / 2 + own / own.sum() / 2
    return ready.transform.back(weights @ now)


def rows_of(f, came: pd.Series, old: np.ndarray, **about) -> pd.DataFrame:
    """Lay out what the methods and the former combination said beside what came."""
    columns = ["month", "horizon", "model", "y_hat", *(f"{side}-{lv}" for lv in LEVEL for side in ("lo", "hi"))]
    rows = f.table.loc[f.table["reason"] == "", columns]
    rows = pd.concat([rows, f.block().loc[:, ["month", "horizon"]].assign(model="former", y_hat=old)])
    y = f.y.to_numpy()
    return rows.assign(y=came.reindex(rows["month"]).to_numpy(), scale=np.nanmean(np.abs(y[12:] - y[:-12])),
                       **about).dropna(subset=["y"])


def work(job) -> pd.DataFrame:
    """Forecast the series of one panel at one origin."""
    name, cutoff, banks, half, models, folder = job
    os.environ["EBANK_SHARED"] = str(folder.parent)
    if name == "UPI":
        data = pd.read_csv(folder / "upi" / "upi_monthly.csv", skipinitialspace=True)
        months = pd.to_datetime(data.iloc[:, 0].str.strip() + data.iloc[:, 1].astype(str), format="%B%Y")
        y = pd.Series(data.iloc[:, 3].to_numpy(float), pd.PeriodIndex(months, freq="M"))
        then = y[y > 0].loc[:cutoff]
        f = forecast(then, HORIZON, LEVEL, models, "flow")
        return rows_of(f, y, former(then, "flow"), panel=name, series="count", cutoff=cutoff)
    whole, branches = panel(name, banks)
    context, found = whole.until(cutoff), []
    for branch in branches[HALVES.index(half)::2]:
        for key in whole.available:
            known = context[key]
            if branch not in context.present or (key not in whole.plan.free and known.kind != "ratio"):
                continue
            try:
                f = context.forecast(branch, key, HORIZON, LEVEL, models)
                if len(f.y) < 24 or f.y.index[-1] != cutoff or f.transform.name == "none":
                    continue
                old = former(known.series(branch), known.kind)
            except EbankError:
                continue        # too short or no share yet: nothing to compare
            found.append(rows_of(f, whole[key].series(branch), old, series=f"{branch} {key}", cutoff=cutoff,
                                 panel=f"{name}, ratios" if known.kind == "ratio" else name))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()     # mobile banking was too young


def scores(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of each method on each panel; of ratios 6 to 12 months ahead."""
    rows = rows[(rows["horizon"] >= 6) | ~rows["panel"].str.endswith("ratios")]
    rows = rows.assign(error=rows["y_hat"] - rows["y"])
    low, high, y = rows["lo-95"], rows["hi-95"], rows["y"]
    width = high - low + 40 * (low - y).clip(lower=0) + 40 * (y - high).clip(lower=0)
    rows = rows.assign(mae=rows["error"].abs(), mase=rows["error"].abs() / rows["scale"], msis=width / rows["scale"],
                       **{f"coverage-{lv}": 100.0 * rows["y"].between(rows[f"lo-{lv}"], rows[f"hi-{lv}"])
                          for lv in LEVEL})
    out = []
    for (name, model), here in rows.groupby(["panel", "model"], sort=False):
        each = here.groupby("series")[["mae", "error", "y"]].mean()
        base = rows[(rows["panel"] == name) & (rows["model"] == "former")].groupby("series")["mae"].mean()
        share = name.endswith("ratios")
        bias = 100 * (each["error"] if share else each["error"] / each["y"]).mean()
        out.append({"panel": name, "model": model, "series": len(each),
                    "ratio": np.exp(np.log(each["mae"] / base).mean()), "bias": bias,
                    **here[["mase", "coverage-80", "coverage-95", "msis"]].mean()})
    table = pd.DataFrame(out).set_index(["panel", "model"])
    table.loc[table.index.get_level_values("model") == "former", ["coverage-80", "coverage-95", "msis"]] = np.nan
    return table


def missed(table: pd.DataFrame) -> list[str]:
    """Return the goals that are missed, each in a line."""
    out = []

    def at_most(what: str, value: float, goal: float) -> None:
        if not value <= goal:
            out.append(f"{what}: {value:.3f}, goal at most {goal:g}")

    for name in table.index.get_level_values("panel").unique():
        here = table.loc[name]
        mine = here.loc["combination"]
        if name in RATIO:
            at_most(f"{name}: error over former's", mine["ratio"], RATIO[name])
            best = here.loc[list(MEMBERS), "ratio"].min()
            at_most(f"{name}: error over the best member's", mine["ratio"] / best, BEST[name])
            for column, (goal, off) in OFF.items():
                at_most(f"{name}: {column} off", abs(mine[column] - goal), off)
        if name in BIAS:
            at_most(f"{name}: bias", abs(mine["bias"]), BIAS[name])
        if name == "sample, ratios":
            at_most(f"{name}: MASE over ETS's", mine["mase"] / here.loc["ets", "mase"], 1.15)
    return out


def main(argv=None) -> int:
    """Run the benchmark; the exit code says whether the goals were reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path,
                        default=Path(os.environ.get("EBANK_SHARED", ROOT.parent / "shared")) / "data")
    parser.add_argument("--banks", type=int, default=40, help="so many of each RBI table, half of them forecast")
    parser.add_argument("--origins", type=int, default=10, help="so many of each panel, four of the sample")
    parser.add_argument("--half", choices=HALVES, default="judge")
    parser.add_argument("--panels", nargs="*", default=list(ORIGINS), choices=ORIGINS)
    parser.add_argument("--fast", action="store_true", help="without ARIMA")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args(argv)
    if not args.data.is_dir():
        parser.error(f"reference data absent: {args.data}; --data says where they are")
    models = FAST if args.fast else (*FAST, "arima")
    jobs = [(name, pd.Period(last, "M") - step * i, args.banks, args.half, models, args.data.resolve())
            for name, (last, step) in ((name, ORIGINS[name]) for name in args.panels)
            for i in range(min(args.origins, 4 if name == "sample" else args.origins))]
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        rows = pd.concat(pool.map(work, jobs), ignore_index=True)
    table = scores(rows)
    print(table.round({"ratio": 3, "bias": 2, "mase": 3, "coverage-80": 1, "coverage-95": 1, "msis": 2}).to_string())
    short = missed(table)
    print("\n".join(["missed:", *short]) if short else "all goals reached")
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
