"""Notebooks run for a branch, and made into what a manager receives: a page, a workbook and the chain of hashes.

Loaded when first used: a notebook needs :func:`record` and :func:`state` only, and neither papermill nor nbconvert.
"""

from importlib import import_module

_HOME = {
    "record": "record", "state": "record",
    "check_parameters": "parameters", "setup": "opening",
    "NotebookError": "execution", "run_notebooks": "execution",
    "build_page": "pages", "workbook_bytes": "workbook",
    "Report": "branch", "make_report": "branch",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'ebank_lib.reports' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
