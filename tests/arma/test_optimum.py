"""A small version of benchmarks/arma_grid.py: the best likelihood known, on every fifth series."""

import gzip
import json

import numpy as np
import pytest

from ebank_lib.arma import select_order

pytestmark = pytest.mark.real_data


def test_misses_and_choices(shared_data):
    with gzip.open(shared_data / "optimum" / "best_loglik.json.gz", "rt") as file:
        cases = json.load(file)[::5]
    p, q = np.indices((6, 6))
    low = everything = same = 0
    for case in cases:
        table = select_order(case["y"], d=0, seasonal=False).table
        gap = np.array(case["best_loglik"]) - table["loglik"].to_numpy().reshape(6, 6)
        low, everything = low + (gap > 1e-3)[p + q <= 5].sum(), everything + (gap > 1e-3).sum()
        passing = table[~table["near_unit"]].sort_values("aicc").iloc[0]
        same += [passing["p"], passing["q"]] == case["aicc_choice_no_near_unit_root"]
    assert low <= 0.03 * 21 * len(cases)
    assert everything <= 0.10 * 36 * len(cases)  # 9% of all 114; this is a sample of them
    assert same >= len(cases) - 1


def test_thorough_finds_a_narrow_hill(shared_data):
    """Of this series order (4, 5) has its optimum at a sharp peak of the spectrum, far from any smaller order's."""
    with gzip.open(shared_data / "optimum" / "best_loglik.json.gz", "rt") as file:
        case = next(c for c in json.load(file) if c["id"] == "sim44_014")
    chosen = select_order(case["y"], d=0, mode="thorough", seasonal=False)
    assert chosen.raw == (4, 5, 0, 0)
    assert chosen.fit(4, 5).loglik > case["best_loglik"][4][5] - 1e-3
