"""Parts of the site that the code says itself: how pages follow, every command, every error."""

from __future__ import annotations

import argparse
import ast
import inspect
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import ebank_lib as eb
from ebank_lib.citations import known_methods
from ebank_lib.cli import _parser

ROOT = Path(__file__).resolve().parents[1]
PAGES = {       # a page, and those below it
    "README": ["docs/start", "docs/how-to/index", "docs/notebooks", "docs/reference/index", "docs/why/index",
               "CONTRIBUTING", "CHANGELOG", "中文 <README.zh>"],
    "docs/how-to/index": ["workbook", "dataframe", "database", "strategy", "corrections", "trace", "province", "cron",
                          "dask", "nbval", "indicator", "paper", "security"],
    "docs/notebooks": [f"/notebooks/{path.stem}" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))],
    "docs/reference/index": ["verbs", "results", "/docs/sources", "commands", "errors", "methods", "architecture"],
    "docs/why/index": ["cleaning", "arma", "forecasting", "odds", "province", "speed"],
}
STAGES = {
    "sources": "Sources", "cleaning": "Cleaning", "growth": "Growth", "quarters": "Quarters",
    "reference": "Facts of the world",
    "peers": "Peers", "stationarity": "Stationarity", "arma": "ARMA", "rules": "Facts and problems",
    "forecasting": "Forecasts", "province": "The province", "scenarios": "Strategy",
    "reports": "In a notebook and as a file",
    "display": "Shown in a notebook", "wording": "Words", "citations": "References"}
ERRORS = {"SourceError", "ConfigError", "SeriesError", "UnknownNameError"}


def contents(page: str) -> str:
    """Return the list of the pages below one."""
    return "\n```{toctree}\n:hidden:\n\n" + "\n".join(PAGES[page]) + "\n```\n"


def _directive(name: str, what: str, *options: str) -> str:
    return "\n".join([f".. {name}:: {what}", *(f"   {option}" for option in options), "", ""])


def _of(stage: str) -> list[str]:
    return [verb for verb in eb.__all__ if getattr(eb, verb).__module__.split(".")[1] == stage]


def verbs() -> str:
    """Return every verb, by the stage that it belongs to."""
    return "".join(f"\n## {title}\n\n```{{eval-rst}}\n" + "".join(
        _directive("autofunction", f"ebank_lib.{verb}") for verb in _of(stage)) + "```\n"
        for stage, title in STAGES.items())


def results() -> str:
    """Return every class that a verb returns, with its tables and methods."""
    found = {}
    for stage in STAGES:
        for verb in _of(stage):
            name = str(inspect.signature(getattr(eb, verb)).return_annotation)
            for home in (f"ebank_lib.{stage}", getattr(eb, verb).__module__):
                one = getattr(import_module(home), name, None)
                if inspect.isclass(one) and one.__module__.startswith("ebank_lib"):
                    found.setdefault(name, f"{home}.{name}")
    return "".join(f"\n## {name}\n\n```{{eval-rst}}\n{_directive('autoclass', where, ':members:')}```\n"
                   for name, where in found.items() if not name.startswith("_"))


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _options(parser: argparse.ArgumentParser) -> str:
    rows = []
    for action in parser._actions[1:]:      # without --help
        taken = action.metavar or ("" if action.nargs == 0 else "\\|".join(action.choices or [action.dest]))
        names = ", ".join(f"`{name}`" for name in action.option_strings)
        rows.append([f"{names} {taken}".strip(), (action.help or "").replace("%%", "%")])
    return _table(["option", "what it does"], rows)


def commands() -> str:
    """Return every command with its options, as its own help has them."""
    parser = _parser()
    (subs,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    said = {action.dest: action.help for action in subs._choices_actions}
    parts = [f"\n## ebank {name}\n\n{said[name][0].upper()}{said[name][1:]}.\n\n{_options(sub)}"
             for name, sub in subs.choices.items()]
    return "".join(parts) + f"\n## Examples\n\n```text\n{parser.epilog.strip()}\n```\n"


def methods() -> str:
    """Return the papers that each method rests on."""
    return "\n" + _table(["method", "papers"], [[f"`{name}`", "<br>".join(eb.cite(name, "text").splitlines())]
                                                for name in known_methods()[0]])


def _imported() -> dict[str, dict[str, int]]:
    """Count what each package or module of its own imports from which; not for a picture (``plot``) by a result."""
    found: dict[str, dict[str, int]] = {}
    home = ROOT / "ebank_lib"
    for path in sorted(home.rglob("*.py")):
        parts = path.relative_to(home).with_suffix("").parts
        tree = ast.parse(path.read_text(encoding="utf-8"))
        drawn = {id(node) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and f.name.startswith("plot")
                 for node in ast.walk(f)}
        mine = found.setdefault(parts[0], {})
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level == len(parts) and id(node) not in drawn:
                for name in [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]:
                    mine[name] = mine.get(name, 0) + 1
    known = {here for here in found if not here.startswith("__")}
    return {here: {there: n for there, n in mine.items() if there in known} for here, mine in found.items()
            if here in known}


def architecture() -> str:
    """Return a picture of who imports what: a row for each, a dot in the columns of what it uses, all to the left."""
    uses, cell, left, top = _imported(), 20, 100, 96
    order = list(TopologicalSorter({here: sorted(mine) for here, mine in sorted(uses.items())}).static_order())
    drawn = []
    for row, here in enumerate(order):
        x, y = left + cell * row + 10, top + cell * row + 14
        drawn += [f'<text x="{left - 6}" y="{y}" text-anchor="end">{here}</text>',
                  f'<text transform="translate({x + 4},{top - 6}) rotate(-60)">{here}</text>',
                  f'<path d="M{left},{y + 5}H{left + cell * len(order)}" stroke="currentColor" stroke-opacity="0.12"/>']
        for there, n in uses[here].items():
            at = left + cell * order.index(there) + 10
            drawn.append(f'<circle cx="{at}" cy="{y - 4}" r="{min(8, 2 + n ** 0.5):.1f}">'
                         f"<title>{here} imports {there}, {n} times</title></circle>")
    width, height = left + cell * len(order) + 60, top + cell * len(order) + 4
    return ('\n```{raw} html\n<svg role="img" aria-label="Which package imports which" fill="currentColor" '
            f'font-size="11" viewBox="0 0 {width} {height}" style="max-width:{width}px">{"".join(drawn)}</svg>\n```\n')


def _text(node: ast.AST | None) -> str:
    """Return a text of the code, with `…` where a value comes in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.IfExp):
        return f"{_text(node.body)} / {_text(node.orelse)}"
    return "" if node is None else "…"


def errors() -> str:
    """Return every error's message and what is expected instead, by the package that raises it."""
    parts = []
    for home in sorted((ROOT / "ebank_lib").iterdir()):
        found = {}
        for path in [home] if home.suffix == ".py" else sorted(home.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
                if name in ERRORS and node.args:
                    said = {one.arg: _text(one.value) for one in node.keywords}
                    message, advice = _text(node.args[0]), ". ".join(
                        filter(None, [said.get("expected"), said.get("hint")]))
                    if name == "UnknownNameError":
                        message, advice = f"unknown {message} …", "one that is known: the message lists them"
                    found[message] = [message, advice, f"`{name}`"]
        rows = [found[message] for message in sorted(found) if message.strip("… ")]
        if rows:
            parts.append(f"\n## {home.stem}\n\n{_table(['says', 'expects, advises', 'is a'], rows)}")
    return "".join(parts)


PARTS = {"docs/reference/verbs": verbs, "docs/reference/results": results, "docs/reference/commands": commands,
         "docs/reference/errors": errors, "docs/reference/methods": methods,
         "docs/reference/architecture": architecture}


def parts(page: str) -> str:
    """Return what the code has to say on a page."""
    return (PARTS[page]() if page in PARTS else "") + (contents(page) if page in PAGES else "")
