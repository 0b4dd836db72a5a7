"""Half of the work in a copy of the process: its answer, or none; never a wrong one, never a process left behind."""

import os
import sys
import time

import numpy as np
import pandas as pd
import pytest

from ebank_lib.forecasting import Context, backtest_indicator, halving, sharing
from ebank_lib.forecasting import context as context_module
from ebank_lib.forecasting.sharing import beside, spare_core
from ebank_lib.store import VARIABLE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


@pytest.fixture(autouse=True)
def _no_copy_left(monkeypatch):
    copies, fork = [], os.fork
    monkeypatch.setattr(sharing.os, "fork", lambda: copies.append(fork()) or copies[-1])
    yield
    for pid in copies:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_both_halves_are_done_each_in_its_process():
    pids = []
    big = np.arange(100_000.0)      # more than a pipe holds
    got = beside(lambda: {"pid": np.array([os.getpid()]), "big": big}, lambda: pids.append(os.getpid()))
    assert pids == [os.getpid()] != got["pid"].tolist() and np.array_equal(got["big"], big)


@pytest.mark.parametrize("fails", ["raises", "hangs", "dies"])
def test_a_copy_that_does_not_answer_says_nothing(fails, monkeypatch):
    monkeypatch.setattr(sharing, "_GRACE", 0.2)
    how = {"raises": lambda: 1 / 0, "hangs": lambda: time.sleep(60), "dies": lambda: os.kill(os.getpid(), 9)}[fails]
    assert beside(how, lambda: None) is None


def test_an_error_of_our_own_half_is_raised_and_the_copy_is_gone():
    with pytest.raises(ZeroDivisionError):
        beside(lambda: time.sleep(60), lambda: 1 / 0)


def test_no_core_is_taken_from_a_batch(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert not spare_core()


def test_the_errors_are_the_same_on_one_core_and_on_two(cleaned, monkeypatch):
    found = []
    for long, cores in ((10**9, False), (1, True)):
        monkeypatch.setattr(context_module, "_LONG", long)
        monkeypatch.setattr(context_module, "spare_core", lambda cores=cores: cores)
        context = Context(cleaned.panel[["counter_txn", "mobile_txn"]], cleaned.catalog, most=5)
        found.append(context.shape("mobile_txn").quantiles)
    assert np.array_equal(*found)


def test_a_backtest_says_the_same_on_one_core_and_on_two(cleaned, monkeypatch):
    found = []
    for cores in (False, True):
        monkeypatch.setattr(halving, "spare_core", lambda cores=cores: cores)
        cleaned.contexts.clear()
        found.append(backtest_indicator(cleaned, "rizhao", "mobile_txn", origins=4, peers=5).table)
    cleaned.contexts.clear()
    pd.testing.assert_frame_equal(*found, check_exact=True)
