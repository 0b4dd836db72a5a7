"""The numbered notebooks and their parameters: read from the cell tagged ``parameters``, checked before anything runs.

papermill passes on whatever it is given and only warns about a name that the notebook does not have. Here a misspelt
name stops the run and the nearest right one is suggested; a value is taken as the type of the default it replaces, so
that a branch called ``0351`` stays ``"0351"``. What a batch asks is read as plain JSON: nbformat takes a second to
load.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import hidden_sign, read_text
from ..errors import ConfigError, SeriesError, UnknownNameError
from ..files import shipped

if TYPE_CHECKING:
    import nbformat

TAG, INJECTED = "parameters", "injected-parameters"
_MOST_BYTES = 50_000_000
_LONGEST_MESSAGE = 500


# ---------------------------------------------------------------- notebooks

def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a notebook."""
    import nbformat

    return _of_notebook(path, lambda text: nbformat.reads(text, as_version=4), nbformat.ValidationError)


def _of_notebook(path: Path, read: Callable[[str], Any], *errors: type[Exception]) -> Any:
    """Return what is read from a notebook's text; what is none is an error that names the file."""
    text = read_text(path, "a notebook", _MOST_BYTES)
    try:
        return read(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, *errors) as error:
        raise ConfigError("is no notebook", file=str(path), found=f"{type(error).__name__}: {one_line(error)}",
                          expected="Jupyter's JSON, version 4") from error


def numbered_notebooks(folder: Path | None = None) -> tuple[list[Path], list[Path]]:
    """Return the numbered notebooks that take a ``branch``, and those that look at all branches together (and take
    none), in order: the package's own or those of a folder."""
    folder = shipped("notebooks") if folder is None else folder
    numbered = sorted(p for p in folder.glob("*.ipynb") if re.match(r"\d\d_", p.name))
    one = [p for p in numbered if "branch" in parameters_of(p)]
    return one, [p for p in numbered if p not in one]


def parameters_of(path: Path) -> dict[str, Any]:
    """Return the parameters of a notebook with their defaults."""
    sources = _of_notebook(path, lambda text: ["".join(cell["source"]) for cell in json.loads(text)["cells"]
                                               if cell["cell_type"] == "code" and TAG in tags(cell)])
    if not sources:
        raise ConfigError("has no parameters", file=path.name, expected=f"a code cell tagged {TAG!r}")
    try:
        return assigned(sources[0])
    except SyntaxError as error:
        raise ConfigError("has a parameters cell that is no Python", file=path.name, row=error.lineno,
                          found=error.msg) from error


def learners(notebooks: Iterable[Path], extra: Mapping[str, str]) -> list[dict[str, int]]:
    """Return what notebooks will ask of :func:`~ebank_lib.forecasting.learn`, each once: those that have a ``horizon``
    and ``origins``. What is asked for otherwise is learnt by whoever comes first."""
    known = {path.stem: {name: value for name, value in parameters_of(path).items() if name in ("horizon", "origins")}
             for path in notebooks}
    asked = [default | typed for default, typed in zip(known.values(), plan(known, {}, extra).values())]
    return [one for n, one in enumerate(asked) if len(one) == 2 and one not in asked[:n]]


def tags(cell: Mapping[str, Any]) -> set[str]:
    """Return a cell's tags."""
    return set(cell["metadata"].get("tags", ()))


def stopped_by_data(output: Mapping[str, Any]) -> bool:
    """Whether a cell's output is the error that says that the data do not allow what was asked of them."""
    return output["output_type"] == "error" and output["ename"] == SeriesError.__name__


def one_line(message: object, most: int = _LONGEST_MESSAGE) -> str:
    """Return an error's message as it may stand in a sentence: one line, printable, not too long.

    Examples
    --------
    >>> one_line("too short;\\n found 3")
    'too short; found 3'
    """
    text = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(str(message).split()))
    return text if len(text) <= most else text[: most - 1] + "…"


# ---------------------------------------------------------------- parameters

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
         extra: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the parameters that each notebook is run with; of all that is given it gets what it has.

    `known` says which those are, with their defaults; `given` are the run's own (source, branch, lang, ...), of which
    None leaves the default; `extra` are texts as a user typed them, read as the type of the default.
    """
    return {notebook: {name: value for name, value in given.items() if value is not None and name in parameters}
            | {name: _like(parameters[name], text, name) for name, text in extra.items() if name in parameters}
            for notebook, parameters in known.items()}


def check_extra(extra: Mapping[str, str], notebooks: Iterable[Path]) -> None:
    """Check parameters as a user typed them, before anything is read: each must exist in at least one notebook."""
    known = {path.stem: parameters_of(path) for path in notebooks}
    names = list(dict.fromkeys(name for parameters in known.values() for name in parameters))
    for name in extra:
        if name not in names:
            raise UnknownNameError("parameter", name, names)
    plan(known, {}, extra)


def _like(default: Any, text: str, name: str) -> Any:
    """Read what a user typed as the type of the default: text stays text, whatever it looks like."""
    if sign := hidden_sign(text):
        raise ConfigError("holds a control character", key=name, found=sign, expected="text that can be read")
    if default is None or isinstance(default, str):
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
        raise ConfigError("wrong value", key=name, found=text, expected=f"a value like {default!r}")
    return value


def check_parameters(cells: list[str] | None = None) -> None:
    """Stop a notebook that plain papermill gave a parameter it does not have.

    papermill writes what it was given into a cell of its own, after the notebook's. Called in a notebook's first
    line after that, this compares the two. `cells` are the sources run so far; else those of the running notebook.
    """
    if cells is None:
        from IPython import get_ipython

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
