"""The sample against its truth: what is found, what is changed, what is flagged in vain, on three seeds."""

import importlib.util
import sys

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def bench(root):
    spec = importlib.util.spec_from_file_location("benchmark_of_cleaning", root / "benchmarks" / "cleaning.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def check(figures):
    misses = figures.kinds[figures.kinds["mean"] < 0.9]
    assert figures.found >= 0.95 and misses.empty, figures.kinds.to_string()
    assert figures.changed.empty, figures.changed.to_string()
    assert figures.flagged <= 0.01


def test_the_sample(bench, root, cleaned):
    truth = pd.read_csv(root / "data" / "shandong" / "truth.csv", dtype=str, keep_default_na=False)
    check(bench.score(cleaned, truth))


@pytest.mark.slow
def test_another_province(bench, tmp_path):
    bench.make_sample()(tmp_path / "sample", seed=7, truth_panel=tmp_path / "panel.csv")
    figures, *_ = bench.run(tmp_path / "sample", tmp_path / "panel.csv")
    check(figures)


def test_the_policy_push_survives(cleaned):
    """Rizhao's SMS customers jump in 2008-10 and stay: a fact."""
    rows = cleaned.trace("rizhao", "2008-10", "sms")
    assert not set(rows["decision"].astype(str)) & {"corrected", "rejected", "filled", "flagged"}
    y = cleaned.series("rizhao", "sms")
    assert y["2008-10"] / y["2008-09"] > 1.5 and y["2008-11"] >= y["2008-10"]
