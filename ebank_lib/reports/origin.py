"""The way back from a figure on the page: notebook, cell, and the library's functions that the cell calls."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

__all__ = ["Call", "Origin", "Reader"]

_PACKAGE = __name__.split(".")[0]


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
    """Reads the cells of one notebook in order and remembers which variable came from which function."""

    def __init__(self, notebook: str):
        self.notebook = notebook
        self._made: dict[str, Callable] = {}

    def read(self, source: str, prompt: int | None) -> Origin:
        """Return the origin of what a cell shows; a cell that is no plain Python has no calls."""
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            return Origin(self.notebook, prompt or 0, source)
        found: dict[str, Callable] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                self._resolve(node, found)
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                self._remember(node)
        calls = [call for call in (_locate(name, function) for name, function in found.items()) if call]
        return Origin(self.notebook, prompt or 0, source, tuple(dict.fromkeys(calls)))

    def _resolve(self, node: ast.Call, found: dict[str, Callable]) -> None:
        target = node.func
        if not isinstance(target, ast.Attribute):
            return
        owner = _dotted(target.value)
        if owner == "eb":
            function = _public(target.attr)
            if function is not None and target.attr not in ("setup", "show", "say", "record", "state", "t"):
                found.setdefault(f"eb.{target.attr}", function)
        elif owner in self._made:
            # A method of a result: the function that made the result, and the method where its class is declared.
            maker = self._made[owner]
            found.setdefault(f"eb.{maker.__name__}", maker)
            method = getattr(_returned(maker), target.attr, None)
            if inspect.isfunction(method):
                found.setdefault(f"{owner}.{target.attr}", method)

    def _remember(self, node: ast.Assign) -> None:
        target = node.value.func
        if isinstance(target, ast.Attribute) and _dotted(target.value) == "eb":
            function = _public(target.attr)
            for name in node.targets:
                if isinstance(name, ast.Name) and inspect.isfunction(function):
                    self._made[name.id] = function


def _dotted(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _public(name: str) -> Callable | None:
    package = import_module(_PACKAGE)
    try:
        return getattr(package, name)
    except (AttributeError, ImportError):
        return None


def _returned(function: Callable) -> type | None:
    """Return the class that a function is declared to return."""
    declared = function.__annotations__.get("return")
    if isinstance(declared, type):
        return declared
    found = vars(sys.modules[function.__module__]).get(declared) if isinstance(declared, str) else None
    return found if isinstance(found, type) else None


@cache
def _locate(name: str, function: object) -> Call | None:
    try:
        file = Path(inspect.getsourcefile(function))
        line = inspect.getsourcelines(function)[1]
    except (OSError, TypeError):
        return None
    parts = file.parts
    if _PACKAGE not in parts:
        return None
    at = len(parts) - 1 - parts[::-1].index(_PACKAGE)
    return Call(name, "/".join(parts[at:]), line)
