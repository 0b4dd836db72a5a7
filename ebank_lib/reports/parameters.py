"""The parameters of a notebook: read from its cell tagged ``parameters``, checked before anything runs.

papermill passes on whatever it is given and only warns about a name that the notebook does not have. Here a misspelt
name stops the run and the nearest right one is suggested; a value is taken as the type of the default it replaces, so
that a branch called ``0351`` stays ``"0351"``.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import hidden_sign
from ..errors import ConfigError, SeriesError, UnknownNameError

if TYPE_CHECKING:
    import nbformat

__all__ = ["check_parameters", "plan", "read_notebook"]

TAG, INJECTED = "parameters", "injected-parameters"
MAX_BYTES = 50_000_000
_LONGEST_MESSAGE, _LONGEST_VALUE = 500, 1_000


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a notebook.

    Raises
    ------
    ConfigError
        The file is missing, too large, or no notebook.
    """
    import nbformat

    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError("is too large", file=str(path), expected=f"at most {MAX_BYTES} bytes")
        return nbformat.read(path, as_version=4)
    except OSError as error:
        raise ConfigError("cannot be read", file=str(path), found=error.strerror, expected="a notebook") from error
    except (ValueError, AttributeError, KeyError, nbformat.ValidationError) as error:
        raise ConfigError("is no notebook", file=str(path), found=str(error).splitlines()[0] if str(error) else None,
                          expected="Jupyter's JSON, version 4") from error


def tags(cell: Mapping[str, Any]) -> set[str]:
    """Return a cell's tags."""
    return set(cell["metadata"].get("tags", ()))


def stopped_by_data(output: Mapping[str, Any]) -> bool:
    """Whether a cell's output is the error that says that the data do not allow what was asked of them."""
    return output["output_type"] == "error" and output["ename"] == SeriesError.__name__


def one_line(message: object) -> str:
    """Return an error's message as it may stand in a sentence: one line, printable, not too long.

    Examples
    --------
    >>> one_line("too short;\\n found 3")
    'too short; found 3'
    """
    text = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(str(message).split()))
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


def assigned(source: str) -> dict[str, Any]:
    """Return what plain assignments of literals in `source` give: name -> value.

    Examples
    --------
    >>> assigned("branch = '0351'\\nhorizon: int = 12  # months\\nstart = None")
    {'branch': '0351', 'horizon': 12, 'start': None}
    """
    found = {}
    for node in ast.parse(source).body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                found[target.id] = None   # an expression: a parameter of no known type
                with contextlib.suppress(ValueError):
                    found[target.id] = ast.literal_eval(node.value)
    return found


def plan(known: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any],
         extra: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """Return the parameters that each notebook is run with.

    Parameters
    ----------
    known : mapping of notebook to {parameter: default}
    given : mapping
        The run's own (source, branch, lang, ...): every notebook gets those that it has; None leaves the default.
    extra : mapping of parameter to text, optional
        As typed by a user. Each must exist in at least one notebook, and is read as the type of its default.

    Raises
    ------
    UnknownNameError
        A parameter in `extra` that no notebook has.
    ConfigError
        A value that does not fit the default's type.
    """
    names = list(dict.fromkeys(name for parameters in known.values() for name in parameters))
    for name in extra or {}:
        if name not in names:
            raise UnknownNameError("parameter", name, names)
    runs = {}
    for notebook, parameters in known.items():
        own = {name: value for name, value in given.items() if value is not None and name in parameters}
        typed = {name: _like(parameters[name], text, name)
                 for name, text in (extra or {}).items() if name in parameters}
        runs[notebook] = own | typed
    return runs


def _like(default: Any, text: Any, name: str) -> Any:
    """Read what a user typed as the type of the default: text stays text, whatever it looks like."""
    if isinstance(text, str) and len(text) > _LONGEST_VALUE:
        raise ConfigError("too long a value", key=name, found=text, expected=f"at most {_LONGEST_VALUE} characters")
    if isinstance(text, str) and (sign := hidden_sign(text)):
        raise ConfigError("holds a control character", key=name, found=sign, expected="text that can be read")
    if default is None or isinstance(default, str) or not isinstance(text, str):
        return text
    if isinstance(default, bool):
        value = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower())
    else:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            value = None
        if isinstance(default, float) and type(value) is int:
            value = float(value)
    if type(value) is not type(default):
        raise ConfigError("wrong value", key=name, found=text, expected=f"{type(default).__name__}, like {default!r}")
    return value


def check_parameters(cells: list[str] | None = None) -> None:
    """Stop a notebook that plain papermill gave a parameter it does not have.

    papermill writes what it was given into a cell of its own, after the notebook's. Called in a notebook's first
    line after that, this compares the two.

    Parameters
    ----------
    cells : list of str, optional
        The sources of the cells run so far; else those of the running notebook.

    Raises
    ------
    UnknownNameError
        Naming the nearest right parameter and all that exist.
    """
    if cells is None:
        try:
            from IPython import get_ipython
        except ImportError:
            return
        shell = get_ipython()
        cells = list(shell.user_ns.get("In", [])) if shell is not None else []
    # papermill's cell begins with this comment and follows directly on the notebook's own.
    at = next((n for n, source in enumerate(cells) if source.startswith("# Parameters\n")), 0)
    if at < 1:
        return
    try:
        known, passed = assigned(cells[at - 1]), assigned(cells[at])
    except SyntaxError:
        return
    for name in passed:
        if known and name not in known:
            raise UnknownNameError("parameter", name, known)
