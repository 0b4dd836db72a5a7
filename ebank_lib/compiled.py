"""Functions compiled by numba, whose machine code is kept where that can be done."""

from __future__ import annotations

from numba import njit


def compiled(function=None, **options):
    """Compile a function when it is first called; a decorator with or without numba's options.

    The machine code is kept in ``NUMBA_CACHE_DIR``, else beside the module, else in the user's cache, else in memory.
    """
    if function is None:
        return lambda f: compiled(f, **options)
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:        # numba found no folder that can be written to
        return njit(**options)(function)
