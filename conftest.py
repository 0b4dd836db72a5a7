"""Doctests are of the modules that everybody imports; what one test has learnt from all branches the others find."""

import contextlib
import importlib
import os
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# Results are kept for as long as the tests run, in one store of all workers, kernels and commands. Tests of the store
# itself, and those that hold what is found in it against what is made anew, name one of their own.
OURS = "" if "EBANK_CACHE" in os.environ else tempfile.mkdtemp(prefix="ebank-tests-")   # workers have it
os.environ.setdefault("EBANK_CACHE", OURS)


def pytest_unconfigure():
    if OURS:
        shutil.rmtree(OURS, ignore_errors=True)


def pytest_collect_file(file_path, parent):
    """Import a module of the package by its name before pytest does by its path.

    pytest would load a second copy of a module that its own package imports, put it into the first one's place, and
    what a test then replaces in one of them the other does not see.
    """
    if file_path.suffix == ".py" and file_path.is_relative_to(ROOT / "ebank_lib") and file_path.stem != "__main__":
        with contextlib.suppress(Exception):        # pytest says itself what cannot be imported
            importlib.import_module(".".join(file_path.relative_to(ROOT).with_suffix("").parts))
