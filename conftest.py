"""Doctests are of the modules that everybody imports."""

import contextlib
import importlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def pytest_collect_file(file_path, parent):
    """Import a module of the package by its name before pytest does by its path.

    pytest would load a second copy of a module that its own package imports, put it into the first one's place, and
    what a test then replaces in one of them the other does not see.
    """
    if file_path.suffix == ".py" and file_path.is_relative_to(ROOT / "ebank_lib") and file_path.stem != "__main__":
        with contextlib.suppress(Exception):        # pytest says itself what cannot be imported
            importlib.import_module(".".join(file_path.relative_to(ROOT).with_suffix("").parts))
