"""Imported once by the fork server of :mod:`multiprocessing`: every task begins as its fork, with everything loaded.

No data are read, and nothing is drawn: each task chooses its language and style itself. Where there is no
fork server each task imports this itself, which takes seconds.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pkgutil
import sys
import warnings
from types import ModuleType

from ..versions import code_version

_LIBRARIES = ("numpy", "pandas", "pyarrow.parquet", "scipy.stats", "scipy.optimize", "statsmodels.api", "arch.unitroot",
              "numba", "matplotlib.pyplot", "matplotlib.backends.backend_agg", "seaborn", "nbconvert", "xlsxwriter",
              "holidays", "ipywidgets", "pebble", "IPython.core.completerlib", "IPython.core.magics",
              "IPython.core.oinspect")


def _import_all() -> None:
    package = importlib.import_module(__package__.partition(".")[0])
    ours = [m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
            if not m.name.endswith("__main__")]
    for name in (*_LIBRARIES, *ours):
        with contextlib.suppress(ImportError):      # an extra is not installed: whoever needs it will be told
            importlib.import_module(name)


def _compile() -> None:
    """Run on invented numbers what is compiled once, so that every fork finds it loaded. No table is written: pyarrow
    would start threads."""
    import nbformat
    import numpy as np
    import pandas as pd

    from ..arma import select_order
    from ..events import find_interventions
    from ..forecasting import backtest, forecast
    from ..forecasting.ets import fit_ets
    from ..stationarity import unit_root_battery

    months = np.arange(44.0)
    wave = 0.02 * months + 0.1 * np.sin(months * np.pi / 6) + 0.05 * np.cos(months * months)
    y = pd.Series(np.exp(5 + wave), index=pd.period_range("2007-01", periods=44, freq="M"))
    forecast(y, kind="flow", calendar="china")
    backtest(y, origins=2).scores()
    fit_ets(y.to_numpy(), "AAdN").residuals(y.to_numpy())
    unit_root_battery(y)
    select_order(np.log(y).diff().dropna())
    find_interventions(y)
    nbformat.validate(nbformat.v4.new_notebook())


def _load() -> None:
    # Else jsonschema imports a grammar of web addresses, which nothing here asks for and takes a fifth of the start.
    sys.modules.setdefault("rfc3987_syntax", None)
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"     # as in a kernel
    _import_all()
    import matplotlib as mpl
    import pandas as pd

    code_version()      # of what is loaded here, and what every task asks for
    # Whatever goes wrong, the task that meets it says so.
    with warnings.catch_warnings(action="ignore"), mpl.rc_context(), contextlib.suppress(Exception):
        _compile()
    pd.set_option("display.max_columns", 20)    # its import asks whether this is a terminal
    # What was warned of here was seen by nobody.
    for module in [m for m in sys.modules.values() if isinstance(m, ModuleType)]:
        vars(module).pop("__warningregistry__", None)
    # Before the first fork, so that forks share the memory: a collection would write into all of it.
    gc.collect()
    gc.freeze()


if os.environ.pop("EBANK_FORK_SERVER", ""):
    # What a library advises as it is loaded, or a fork that is ended as it begins, concerns nobody.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
_load()
