"""Cells of recorded tables, their ids, sentences that state them, and the notebook's cell that each figure is from.

An id is the same in every language: ``growth[personal_online].mean_index``. ::

    TABLE[ROW].COLUMN     one cell; ROW names the row by the columns that tell rows apart: forecast[2011-12,combination]
    TABLE[#3].COLUMN      by its position, where no columns tell the rows apart
    TABLE[A=x,B>0]        how many rows are so (= != > < >= <=; A= means missing); TABLE[] how many there are
    TABLE[A=x].COLUMN     the cells of a column in the rows that are so
"""

from __future__ import annotations

import ast
import html
import inspect
import itertools
import operator
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ..display import missing
from ..wording import Ref, Text, t

_ORDER = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}
_ID = re.compile(r"([A-Za-z_]\w*)(?:\[([^\[\]]*)\])?(?:\.([^\[\]]+))?", re.S | re.A)
_WORD = re.compile(r"[A-Za-z0-9_.+-]*", re.ASCII)
_CONDITION = re.compile(r"([^=<>!]+?)\s*(!=|<=|>=|=|<|>)\s*(.*)", re.S)
_SIGN = re.compile(r"(!=|<=|>=|=|<|>)?(.*)", re.S)

eb = import_module("..", __package__)
# Every cell calls some of these; they say nothing of where a figure comes from.
_HOUSEKEEPING = ("setup", "show", "say", "record", "state", "t")


@dataclass(frozen=True)
class Origin:
    """Where something on the page was made: the notebook, the prompt number that JupyterLab shows, the code, and the
    library's functions that it calls, each as the cell does and with file and line: ``(name, "file:line")``."""

    notebook: str
    prompt: int
    code: str
    calls: tuple[tuple[str, str], ...] = ()

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
        return Origin(self.notebook, prompt or 0, source,
                      tuple((name, _place(function)) for name, function in found.items()))

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
            method = getattr(_returned(verb), name, None)
            if inspect.isfunction(method) and method.__module__.startswith(eb.__name__):
                yield f"{owner}.{name}", method


def _returned(function: Callable) -> type | None:
    """Return the class that a function is declared to return."""
    declared = function.__annotations__.get("return")
    found = vars(sys.modules[function.__module__]).get(declared) if isinstance(declared, str) else declared
    return found if isinstance(found, type) else None


@cache
def _place(function: Callable) -> str:
    file, line = Path(inspect.getsourcefile(function)), inspect.getsourcelines(function)[1]
    return f"{file.relative_to(Path(eb.__file__).parent.parent).as_posix()}:{line}"


# ---------------------------------------------------------------- rows and cells

@dataclass(frozen=True)
class Cell:
    """One cell of a recorded table, under its heading, or a number of its rows (then without a column)."""

    table: str
    row: str
    column: str
    value: Any
    at: int = -1
    head: str = ""

    @property
    def id(self) -> str:
        """Return the id."""
        return f"{self.table}[{self.row}]" + (f".{self.column}" if self.column else "")


class Row(dict):
    """A row of a recorded table, column to value, that knows its place and what names it there."""

    def __init__(self, table: Mapping[str, Any], at: int, name: str):
        super().__init__(zip((column["name"] for column in table["columns"]), table["rows"][at], strict=True))
        self.table, self.at, self.name = table["name"], at, name
        self._heads = {column["name"]: column["head"] for column in table["columns"]}

    def ref(self, column: str) -> Ref:
        """Return the reference by which a text cites a cell."""
        return Ref(self.table, column, tuple(self.items()))

    def cells(self, column: str | None = None) -> list[Cell]:
        """Return the cell of a column, of None all cells."""
        return [Cell(self.table, self.name, name, value, self.at, self._heads[name])
                for name, value in self.items() if column in (None, name)]

    def ids(self, *columns: str) -> list[str]:
        """Return the ids of some cells."""
        return [cell.id for column in columns for cell in self.cells(column)]


def rows_of(table: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a recorded table."""
    return [Row(table, at, name) for at, name in enumerate(row_ids(table))]


def row_ids(table: Mapping[str, Any]) -> list[str]:
    """Return what names each row within its table: the values of the first and fewest columns that tell rows apart.

    Only plain words count, which are the same in every language.
    """
    rows = table["rows"]
    fit = [at for at, column in enumerate(table["columns"]) if column["kind"] in ("text", "month", "date", "integer")
           and all(row[at] is not None and _WORD.fullmatch(str(row[at])) for row in rows)][:8]
    some = itertools.chain.from_iterable(itertools.combinations(fit, many) for many in (1, 2, 3))
    keys = next((one for one in some if len({tuple(row[at] for at in one) for row in rows}) == len(rows)), ())
    return [",".join(str(row[at]) for at in keys) if keys else f"#{n}" for n, row in enumerate(rows, 1)]


def cells_at(tables: Mapping[str, list[Row]], text: str) -> list[Cell]:
    """Return the cells that an id, or a table's name for all its cells, names, in the order of the table."""
    match = _ID.fullmatch(text.strip())
    if not match or match[1] not in tables:
        return []
    rows = _named(tables[match[1]], match[2] or "")
    if match[2] is not None and not match[3]:
        return [Cell(match[1], match[2], "", len(rows))]
    return [cell for row in rows for cell in row.cells(match[3])]


def value_text(value: Any) -> str:
    """Return a cell's value in full, as the CSV has it; what is missing is a dash."""
    return "–" if value is None else repr(value) if isinstance(value, float) else str(value)


def _named(rows: list[Row], text: str) -> list[Row]:
    """Return the rows that an id names: by key values (some of them do) or conditions."""
    if text and (one := [row for row in rows if row.name == text]):
        return one
    for part in filter(None, map(str.strip, text.split(","))):
        condition = _CONDITION.fullmatch(part)
        rows = [row for row in rows if (_is(row[condition[1]], condition[2], condition[3])
                                        if condition and condition[1] in row else part in row.name.split(","))]
    return rows


def _is(value: Any, sign: str, text: str) -> bool:
    if sign in ("=", "!="):
        return (("" if value is None else str(value)) == text) == (sign == "=")
    try:
        return isinstance(value, (int, float)) and _ORDER[sign](value, float(text))
    except ValueError:
        return False


# ---------------------------------------------------------------- sentences

@dataclass(frozen=True)
class Citation:
    """A number of a sentence, from ``start`` to ``end``, and the cells that it states."""

    start: int
    end: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Sentence:
    """A sentence as a notebook said it, of its ``state`` (with a name) or a ``reading``; or a text of the ``brief``.

    ``citations`` are what the text's references are in the recorded tables.
    """

    kind: str
    text: Text
    name: str = ""
    origin: Origin | None = None
    citations: tuple[Citation, ...] = ()
    html: str = ""

    @property
    def cells(self) -> list[str]:
        """Return the ids of the cells that it states, in the order of the text."""
        return list(dict.fromkeys(cell.id for one in self.citations for cell in one.cells))


def told(said: Mapping[str, Any]) -> Text:
    """Return a text as it travelled in a notebook, see :func:`ebank_lib.display.plain_cells`."""
    return Text(said["text"], [(start, end, tuple(Ref(one["table"], one["column"], tuple(one["rows"].items()))
                                                  for one in refs)) for start, end, refs in said.get("cells", ())])


def linked(sentence: Sentence, tables: Mapping[str, list[Row]], numbers: Iterator[int], lang: str) -> Sentence:
    """Return a sentence with its citations, and as HTML in which each leads to its cell and names it on hover.

    A reference to a cell that was not recorded, or of which there are several, is left out. `tables` are the records'
    rows, `numbers` those of tooltips. A page has hundreds of such links: a keyboard need not walk through them.
    """
    found = [Citation(start, end, tuple(cell for ref in refs for cell in _cells_of(tables, ref)))
             for start, end, refs in sentence.text.cells]
    found = [one for one in found if one.cells]
    text, done, parts = sentence.text, 0, []
    for one in found:
        tip = "\n".join(_tip(cell, lang) for cell in one.cells)
        n = next(numbers)
        parts += [html.escape(text[done:one.start]),
                  f'<span class="cite"><a class="cell" tabindex="-1" href="#rec-{one.cells[0].table}" '
                  f'aria-describedby="cell-{n}">{html.escape(text[one.start:one.end])}</a>'
                  f'<span class="tip" role="tooltip" id="cell-{n}">{html.escape(tip)}</span></span>']
        done = one.end
    return replace(sentence, citations=tuple(found), html="".join(parts) + html.escape(text[done:]))


def _cells_of(tables: Mapping[str, list[Row]], ref: Ref) -> list[Cell]:
    """Return the one cell that a reference names, or the number of rows that it counts; [] for none."""
    picks = [(one, "" if missing(value) else str(value)) for one, value in ref.rows]
    if ref.table not in tables or not all(one in row for row in tables[ref.table] for one, _ in picks):
        return []
    # What picks a cell is a value, even one that begins with a sign.
    conditions = [(one, "=", text) if ref.column else (one, *_SIGN.fullmatch(text).groups("=")) for one, text in picks]
    rows = [row for row in tables[ref.table] if all(_is(row[one], sign, text) for one, sign, text in conditions)]
    if ref.column:
        return rows[0].cells(ref.column) if len(rows) == 1 else []
    return [Cell(ref.table, ",".join(map("".join, conditions)), "", len(rows))]


def _tip(cell: Cell, lang: str) -> str:
    """Return what a tooltip says of a cell: its id, the value in full, the column in words."""
    if not cell.column:
        return t("report.cell_count", lang, id=cell.id, n=cell.value)
    said = t("report.cell_value", lang, id=cell.id, value=value_text(cell.value))
    return said if cell.head == cell.column else f"{said} · {cell.head}"


def cited_tables(sentences: Iterable[Sentence]) -> dict[str, list[Cell]]:
    """Return the cells that sentences state, by table, each once."""
    found: dict[str, dict[str, Cell]] = {}
    for cell in (cell for sentence in sentences for one in sentence.citations for cell in one.cells):
        found.setdefault(cell.table, {})[cell.id] = cell
    return {name: list(cells.values()) for name, cells in found.items()}
