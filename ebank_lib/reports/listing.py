"""The notebooks and their parameters, read as plain JSON: which ones a branch has, which ones all have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..files import read_limited
from ..paths import shipped
from .parameters import MAX_BYTES, TAG, assigned, plan

__all__ = ["applicable", "branch_notebooks", "check_extra", "learners", "parameters_of", "province_notebooks"]

# The verbs that learn from all branches, as far as a notebook's text tells: what is not found only comes later.
_LEARN = re.compile(r"\beb\.(?:forecast_indicator|backtest_indicator|revise_indicator|simulate_joint|simulate_for)\(")


def branch_notebooks(folder: Path | None = None) -> list[Path]:
    """Return the numbered notebooks that take a ``branch``, in order: the package's own or those of a folder.

    Raises
    ------
    ConfigError
        There is none.
    """
    return _numbered(folder, of_a_branch=True)


def province_notebooks(folder: Path | None = None, must: bool = True) -> list[Path]:
    """Return the numbered notebooks that look at all branches together (they take no ``branch``), in order.

    Raises
    ------
    ConfigError
        There is none and there must be one.
    """
    return _numbered(folder, of_a_branch=False, must=must)


def _numbered(folder: Path | None, of_a_branch: bool, must: bool = True) -> list[Path]:
    folder = shipped("notebooks") if folder is None else folder
    numbered = sorted(p for p in folder.glob("*.ipynb") if re.match(r"\d\d_", p.name))
    chosen = [p for p in numbered if ("branch" in parameters_of(p)) == of_a_branch]
    if must and not chosen:
        raise ConfigError(f"holds no notebook for {'a branch' if of_a_branch else 'all branches'}", file=str(folder),
                          expected=f"notebooks called NN_name.ipynb {'with' if of_a_branch else 'without'} a parameter "
                                   "branch")
    return chosen


def parameters_of(path: Path) -> dict[str, Any]:
    """Return the parameters of a notebook with their defaults, without opening it as a notebook.

    Raises
    ------
    ConfigError
        The file cannot be read, is no notebook, or has no cell of plain assignments tagged ``parameters``.
    """
    sources = [source for source, tagged in _code(path) if tagged]
    if not sources:
        raise ConfigError("has no parameters", file=path.name, expected=f"a code cell tagged {TAG!r}")
    try:
        return assigned(sources[0])
    except SyntaxError as error:
        raise ConfigError("has a parameters cell that is no Python", file=path.name, row=error.lineno,
                          found=error.msg) from error


def learners(notebooks: Iterable[Path], extra: Mapping[str, str]) -> list[dict[str, int]]:
    """Return what notebooks that forecast will ask of :func:`~ebank_lib.forecasting.learn`, each once.

    Parameters
    ----------
    notebooks : iterable of Path
    extra : mapping of parameter to text
        As a user typed them.

    Returns
    -------
    list of dict
        ``horizon`` and ``origins`` where a notebook has both, else nothing, which is what is asked for by default; no
        element where none of the notebooks forecasts.
    """
    asked: list[dict[str, int]] = []
    found = [path for path in notebooks if any(_LEARN.search(source) for source, _ in _code(path))]
    for path in found:
        known = {name: value for name, value in parameters_of(path).items() if name in ("horizon", "origins")}
        typed = {name: text for name, text in extra.items() if name in known}
        one = plan({path.stem: known}, known, typed)[path.stem]
        if len(one) == 2 and one not in asked:
            asked.append(one)
    return asked or [{} for _ in found[:1]]


def _code(path: Path) -> list[tuple[str, bool]]:
    """Return the code of a notebook's cells, and whether each holds the parameters."""
    try:
        raw = read_limited(path, MAX_BYTES)
    except OSError as error:
        raise ConfigError("cannot be read", file=str(path), found=error.strerror, expected="a notebook") from error
    if len(raw) > MAX_BYTES:
        raise ConfigError("is too large", file=str(path), expected=f"at most {MAX_BYTES} bytes")
    try:
        return [(cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"]),
                 TAG in cell["metadata"].get("tags", ()))
                for cell in json.loads(raw)["cells"] if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError("is no notebook", file=str(path), found=f"{type(error).__name__}: {error}",
                          expected="Jupyter's JSON, version 4") from error


def check_extra(extra: Mapping[str, str], notebooks: Iterable[Path] | None = None) -> None:
    """Check parameters as a user typed them, before anything is read.

    Raises
    ------
    UnknownNameError, ConfigError
        As :func:`~ebank_lib.reports.parameters.plan`.
    """
    paths = list(notebooks) if notebooks is not None else branch_notebooks()
    plan({path.stem: parameters_of(path) for path in paths}, {}, extra)


def applicable(extra: Mapping[str, str], notebooks: Iterable[Path]) -> dict[str, str]:
    """Return those of the parameters that any of the notebooks has."""
    known = {name for path in notebooks for name in parameters_of(path)}
    return {name: text for name, text in extra.items() if name in known}
