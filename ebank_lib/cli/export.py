"""The command ``ebank export``: panel, ledger and forecasts as tables of a database, all of them or none.

A table of the same name is replaced only where ``ebank_export``, which stands beside them, says that this command made
it, and its columns are still those; its rows go, so that the rights to it and the views on it stay.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import pandas as pd

from .. import __version__
from ..cleaning import Cleaned, clean
from ..errors import ConfigError, EbankError, SeriesError, SourceError
from ..forecasting import forecast_indicator
from ..sources import open_source
from ..sources.database import address
from ..wording import t

_RECORD = "ebank_export"
_RECORDED = ["name", "columns", "rows", "title", "version"]
_MOST = 30_000      # values in one statement: SQLite takes 32,766


def export(options: argparse.Namespace) -> int:
    """Write the tables and say which."""
    cleaned = clean(open_source(options.source))
    branches = [cleaned.branch_id(b) for b in options.branch or []] or cleaned.branches
    keys = [cleaned.catalog.indicator(key).key for key in options.indicator or [""]]
    url = address(options.to, options.to)
    ledger = cleaned.ledger
    if set(branches) != {*cleaned.branches}:        # with the decisions about no known branch, if all are asked for
        ledger = ledger[ledger["branch"].isin(branches)]
    tables = {"ebank_panel": _panel(cleaned, branches), "ebank_ledger": ledger,
              "ebank_forecast": _forecasts(cleaned, branches, keys, options.horizon)}
    try:
        with (_duckdb if url.drivername == "duckdb" else _others)(url) as (run, insert):
            written = _write(tables, cleaned.source.title.en, url.drivername, run, insert)
    except EbankError:
        raise
    except Exception as error:  # drivers raise what they like, which may hold the address: only what a database says is
        cause = getattr(error, "orig", None) or error
        said = getattr(getattr(cause, "diag", None), "message_primary", None)
        said = said or (str(cause) if isinstance(cause, sqlite3.Error) else type(cause).__name__)
        raise SourceError("could not be written to", file=options.to, found=said, hint="Nothing was written",
                          expected="a database of which the user may create tables") from None
    for name, rows in written.items():
        print(t("cli.exported", table=name, rows=rows))
    return 0


# ---------------------------------------------------------------- what is written

def _panel(cleaned: Cleaned, branches: Sequence[str]) -> pd.DataFrame:
    """A row a number; those in doubt, which no analysis uses, are marked."""
    panel = cleaned.to_frame()
    panel = panel[panel["branch"].isin(branches)]
    units = {key: indicator.unit for key, indicator in cleaned.catalog.indicators.items()}     # of no language
    return panel.assign(unit=panel["indicator"].map(units), doubtful=panel["doubtful"].astype(int))


def _forecasts(cleaned: Cleaned, branches: Sequence[str], keys: Sequence[str], horizon: int) -> pd.DataFrame:
    """The forecasts as the reports have them; a series that allows none is named."""
    found = []
    for branch in branches:
        for key in keys:
            try:
                table = forecast_indicator(cleaned, branch, key, horizon=horizon).table.drop(columns="unique_id")
            except SeriesError as error:
                print(t("cli.no_forecast", branch=branch, indicator=key, message=str(error)), file=sys.stderr)
                continue
            table.insert(0, "branch", branch)
            table.insert(1, "indicator", key)
            found.append(table.assign(unit=cleaned.catalog.indicator(key).unit))
    if not found:
        raise SeriesError("no series allows a forecast", found=", ".join(keys), expected="longer series")
    return pd.concat(found, ignore_index=True).rename(columns=lambda name: name.replace("-", "_"))


# ---------------------------------------------------------------- how

def _write(tables: dict[str, pd.DataFrame], title: str, kind: str, run: Callable, insert: Callable) -> dict[str, int]:
    """Write the tables, the record of them last; nothing is written before all that is there is known to be ours."""
    there = {name: _columns(name, kind, run) for name in (_RECORD, *tables)}
    ours = dict(run(f"SELECT name, columns FROM {_RECORD}")) if there[_RECORD] == _RECORDED else {}
    ours[_RECORD] = ",".join(_RECORDED)
    for name, columns in there.items():
        if columns and ours.get(name) != ",".join(columns):
            raise ConfigError("is a table that ebank did not make, or that was changed since", key=name,
                              found=", ".join(columns),
                              expected=", ".join(ours.get(name, "no such table").split(",")),
                              hint="Nothing was written: rename it, or name another database")
    record = pd.DataFrame([(name, ",".join(frame), len(frame), title, __version__) for name, frame in tables.items()],
                          columns=_RECORDED)
    for name, frame in [*tables.items(), (_RECORD, record)]:
        same = there[name] == [*frame]
        if there[name]:
            run(f"DELETE FROM {name}" if same else f"DROP TABLE {name}")
        insert(name, frame.astype({c: str for c, kind in frame.dtypes.items() if isinstance(kind, pd.PeriodDtype)}),
               same)
    return {name: len(frame) for name, frame in tables.items()}


def _columns(name: str, kind: str, run: Callable) -> list[str]:
    """Return the columns of a table or view, none where there is none."""
    return [column for column, in run(
        f"SELECT name FROM pragma_table_info('{name}')" if kind == "sqlite" else "SELECT column_name FROM "
        f"information_schema.columns WHERE table_name = '{name}' AND table_schema = current_schema() "
        "ORDER BY ordinal_position")]


@contextmanager
def _others(url: Any) -> Iterator[tuple[Callable, Callable]]:
    """A transaction by SQLAlchemy: what runs a statement and returns its rows, what inserts a table."""
    import sqlalchemy as sa

    engine = sa.create_engine(url)
    if url.drivername == "sqlite":      # whose driver would not let CREATE and DROP wait for the end of a transaction
        sa.event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    try:
        with engine.begin() as connection:
            def run(statement: str) -> list:
                result = connection.exec_driver_sql(statement)
                return [tuple(row) for row in result] if result.returns_rows else []

            def insert(name: str, frame: pd.DataFrame, there: bool) -> None:
                types = {"f": sa.Double(), "i": sa.BigInteger()}
                frame.to_sql(name, connection, index=False, if_exists="append", method="multi",
                             chunksize=_MOST // len(frame.columns),
                             dtype={c: types.get(kind.kind, sa.Text()) for c, kind in frame.dtypes.items()})

            yield run, insert
    finally:
        engine.dispose()


@contextmanager
def _duckdb(url: Any) -> Iterator[tuple[Callable, Callable]]:
    """The same by DuckDB itself: its dialect for SQLAlchemy does not keep up with either."""
    import duckdb
    import pyarrow as pa

    with closing(duckdb.connect(url.database or ":memory:", config=dict(url.query))) as connection:
        def insert(name: str, frame: pd.DataFrame, there: bool) -> None:
            connection.register("new", pa.Table.from_pandas(frame, preserve_index=False))
            connection.execute(f"INSERT INTO {name} SELECT * FROM new" if there else
                               f"CREATE TABLE {name} AS SELECT * FROM new")
            connection.unregister("new")

        connection.begin()
        yield lambda statement: connection.execute(statement).fetchall(), insert
        connection.commit()     # closing without it leaves all as it was
