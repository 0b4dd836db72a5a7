"""The benchmark on 30 of the M3 series: the combination beats its members and the naive, its limits hold."""

import io
import subprocess
import sys

import pandas as pd
import pytest


@pytest.mark.slow
@pytest.mark.real_data
def test_a_small_run_of_the_benchmark(root, shared_data):
    out = subprocess.run([sys.executable, "-m", "benchmarks.m3", "--series", "30", "--data", str(shared_data / "m3")],
                         cwd=root, capture_output=True, text=True, timeout=600, check=False)
    lines = out.stdout.splitlines()
    assert len(lines) > 7, out.stderr
    scores = pd.read_fwf(io.StringIO("\n".join(["model" + lines[0][5:], *lines[1:7]]))).set_index("model")
    assert scores["failed"].eq(0).all()
    assert scores["mase"].idxmin() == "combination" and scores.loc["combination", "mase"] < 0.85
    # 30 series are few for a coverage: two binomial standard errors with a year of one series counted as two months
    assert 89 < scores.loc["combination", "coverage-95"] <= 100
    assert 70 < scores.loc["combination", "coverage-80"] < 90
