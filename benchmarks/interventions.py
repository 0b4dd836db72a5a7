"""Planted events found again: 200 series of 44 months an event, and 200 clean ones.

    python benchmarks/interventions.py [--series 200]

Each noise (random walk, smoothed level, white) has shocks of standard deviation 1 on the log scale times 3%; events are
four such shocks large. Prints recall (month within one), false alarms a clean series, and the error of the size.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from ebank_lib.events import find_interventions
from ebank_lib.events.interventions import KINDS, _shape
from ebank_lib.events.moving import festival

MONTHS, UNIT, SIZE = 44, 0.03, 4.0
INDEX = pd.period_range("2008-01", periods=MONTHS, freq="M")


def noise(rng, form: str) -> np.ndarray:
    """Return a clean series on the log scale, in units of its shocks."""
    e = rng.standard_normal(MONTHS)
    level = {"walk": np.cumsum(e), "smoothed": e + 0.3 * np.r_[0, np.cumsum(e)[:-1]], "white": e}[form]
    return level + 0.5 * np.arange(MONTHS)


def planted(z: np.ndarray, **search) -> pd.DataFrame:
    """Return what is found in a series given in units of its shocks."""
    return find_interventions(pd.Series(np.exp(UNIT * z), index=INDEX), **search).table


def study(n: int, seed: int = 0) -> pd.DataFrame:
    """Return one row a noise: recall of each kind, false alarms, median error of the size in per cent of it."""
    rng = np.random.default_rng(seed)
    rows = []
    for form in ("walk", "smoothed", "white"):
        row = {"noise": form, "false_alarms": np.mean([len(planted(noise(rng, form))) for _ in range(n)])}
        errors = []
        for kind in KINDS:
            hits = 0
            for _ in range(n):
                at = int(rng.integers(6, MONTHS - 5))
                table = planted(noise(rng, form) + SIZE * _shape(kind, at, MONTHS))
                near = table[np.array([abs((m - INDEX[at]).n) <= 1 for m in table["month"]], dtype=bool)]
                hits += len(near) > 0
                errors += (100 * (np.log1p(near["size"]) / (SIZE * UNIT) - 1)).tolist()
            row[kind] = hits / n
        row["size_error_%"] = float(np.median(np.abs(errors)))
        row["festival_false"] = np.mean([len(planted(noise(rng, form) + SIZE * festival(INDEX).to_numpy(),
                                                     calendar="china")) for _ in range(n // 2)])
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=200)
    print(study(parser.parse_args().series).round(3).to_string(index=False))
