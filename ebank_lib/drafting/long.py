"""Long tables - Parquet, a database - as sheets that nobody has described, and names of branches from other tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from ..errors import SourceError
from ..sources.database import address, answer
from ..sources.grids import Grid
from ..sources.long import Table, read_columns
from ..sources.spec import BranchAt, DatabaseSpec, Limits

_MOST = 500           # texts of a column that names something
_LISTS = {"sqlite": "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"}
_LIST = ("SELECT CASE WHEN table_schema IN ('main', 'public') THEN '' ELSE table_schema || '.' END || table_name "
         "FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')")


@dataclass
class LongTable:
    """A table: its name, its rows as a sheet, the lines of the YAML that say where it is, other names of branches; why
    it is not read."""

    name: str
    grid: Grid
    place: list[str]
    names: dict[str, list[str]] = field(default_factory=dict)
    error: str = ""


def parquet_table(data: bytes, name: str) -> LongTable:
    """Read a Parquet file."""
    return LongTable(name, _grid(read_columns(data, name, None, Limits())), [f'path: "{name}"'])


def database_tables(url_env: str, wanted: str | None) -> list[LongTable]:
    """Return the tables of a database, or the one that is wanted; the others name what its codes mean."""
    kind = address(url_env, url_env).drivername
    names = _ask(url_env, query=_LISTS.get(kind, _LIST)).columns[0]
    if wanted is not None and wanted not in names:
        raise SourceError("has no such table", file=url_env, found=", ".join(names) or "none", expected=wanted)
    answers, errors = {}, {}
    for name in names:
        try:
            answers[name] = _ask(url_env, table=name)
        except SourceError as error:        # one of pictures beside those of figures
            if name == wanted:
                raise
            errors[name] = str(error)
    return [LongTable(name, _grid(table), [f"url_env: {url_env}", f"table: {name}"],
                      _names(table, [other for key, other in answers.items() if key != name]))
            for name, table in answers.items() if wanted in (None, name)] + [
        LongTable(name, Grid(name, "", [], [], {}), [], error=error) for name, error in errors.items() if not wanted]


def _ask(url_env: str, query: str | None = None, table: str | None = None) -> Table:
    nowhere = BranchAt.model_construct(source="constant", column=None)
    return answer(url_env, DatabaseSpec.model_construct(url_env=url_env, query=query, table=table, branch=nowhere,
                                                        month=nowhere), Limits())


def _grid(table: Table) -> Grid:
    """Return a table as a sheet."""
    texts = [list(row) for row in (table.names, *zip(*table.columns))]
    values = [list(row) for row in (table.names, *zip(*table.values))]
    values = [[float(v) if isinstance(v, Decimal) else v for v in row] for row in values]
    return Grid(table.file, "", values, texts, {})


def _names(table: Table, others: Sequence[Table]) -> dict[str, list[str]]:
    """Return other names of a table's codes: the texts beside them in a table that lists each once, as it does the
    names, unlike levels and areas."""
    for other in others:
        for column in other.columns:
            codes = {*column}
            mine = [texts for one in table.columns if 1 < len(texts := {*one}) <= _MOST]
            if len(codes) < len(column) or not any(texts <= codes for texts in mine):
                continue
            names = [texts for texts in other.columns if len(said := [*filter(str.strip, texts)]) == len({*said})]
            return {code: [text for texts in names if (text := texts[row].strip()) and text not in codes]
                    for row, code in enumerate(column)}
    return {}
