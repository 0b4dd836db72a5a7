"""The way back from a figure on the page: notebook, cell, and the library's functions that the cell calls."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

__all__ = ["Call", "Origin", "Reader"]

eb = import_module("..", __package__)
# Every cell calls some of these; they say nothing of where a figure comes from.
_HOUSEKEEPING = ("setup", "show", "say", "record", "state", "t")


@dataclass(frozen=True)
class Call:
    """A function of the library: how the cell calls it, its file within the project, the line where it begins."""

    name: str
    file: str
    line: int


@dataclass(frozen=True)
class Origin:
    """Where something on the page was made: the notebook, the prompt number that JupyterLab shows, code and calls."""

    notebook: str
    prompt: int
    code: str
    calls: tuple[Call, ...] = ()

    @property
    def short(self) -> str:
        """Return what stands beside a figure: ``03 [7]``."""
        return f"{self.notebook.split('_')[0]} [{self.prompt}]"


class Reader:
    """Reads the cells of one notebook in order and remembers which variable came from which verb."""

    def __init__(self, notebook: str):
        self.notebook = notebook
        self._made: dict[str, Callable] = {}

    def read(self, source: str, prompt: int | None) -> Origin:
        """Return the origin of what a cell shows; a cell that is no plain Python has no calls."""
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            return Origin(self.notebook, prompt or 0, source)
        found = dict(pair for node in ast.walk(tree) for pair in self._called(node))
        for node in tree.body:
            if isinstance(node, ast.Assign) and (pair := next(self._called(node.value), None)):
                self._made |= {name.id: pair[1] for name in node.targets if isinstance(name, ast.Name)}
        calls = (_locate(name, function) for name, function in found.items())
        return Origin(self.notebook, prompt or 0, source, tuple(dict.fromkeys(call for call in calls if call)))

    def _called(self, node: ast.AST) -> Iterator[tuple[str, Callable]]:
        """Yield the verb that a call is of; of a method of a result, the verb that made the result, and the method."""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)):
            return
        owner, name = node.func.value.id, node.func.attr
        if owner == "eb" and name not in _HOUSEKEEPING and inspect.isfunction(verb := getattr(eb, name, None)):
            yield f"eb.{name}", verb
        elif owner in self._made:
            verb = self._made[owner]
            yield f"eb.{verb.__name__}", verb
            if inspect.isfunction(method := getattr(_returned(verb), name, None)):
                yield f"{owner}.{name}", method


def _returned(function: Callable) -> type | None:
    """Return the class that a function is declared to return."""
    declared = function.__annotations__.get("return")
    found = vars(sys.modules[function.__module__]).get(declared) if isinstance(declared, str) else declared
    return found if isinstance(found, type) else None


@cache
def _locate(name: str, function: Callable) -> Call | None:
    try:
        file, line = Path(inspect.getsourcefile(function)), inspect.getsourcelines(function)[1]
    except (OSError, TypeError):
        return None
    package = Path(eb.__file__).parent
    inside = file.is_relative_to(package)
    return Call(name, file.relative_to(package.parent).as_posix(), line) if inside else None
