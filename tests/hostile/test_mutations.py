"""Eighty of the two thousand spoilt sources of ``benchmarks/mutations.py``: read and accounted for, or refused."""

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="cases run in forked processes")
def test_spoilt_sources_are_read_in_full_or_refused_by_name(root):
    done = subprocess.run([sys.executable, "-m", "benchmarks.mutations", "--count", "80", "--seed", "7"], cwd=root,
                          capture_output=True, text=True, encoding="utf-8", timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    totals = next(line.split() for line in done.stdout.splitlines() if line.startswith("all "))
    assert totals[1] == "80" and int(totals[2]) > 15, "enough of them can be read for the rules to be tried"
