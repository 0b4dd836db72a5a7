"""The answer to a query, which only reads: one statement, and the database itself says that it is one that reads.

SQLite asks an authorizer about every part of a statement before it runs. DuckDB parses the query, and has opened its
file to be read and nothing besides. PostgreSQL is asked through a cursor, which takes nothing but a query, in a
transaction that was made read-only before. All are asked beside the main thread, which hears Ctrl-C and the clock.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import SourceError
from .long import Table, read_lines
from .sheets import Block
from .spec import DatabaseSpec, Limits
from .units import Naming

_PLAIN = (str, bool, int, float, Decimal, dt.date, dt.time, uuid.UUID, type(None))
_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_CLOSED = {"access_mode": "READ_ONLY", "enable_external_access": "false", "autoinstall_known_extensions": "false",
           "autoload_known_extensions": "false", "allow_community_extensions": "false", "lock_configuration": "true"}
# What writes files on the server or reads them is a superuser's: such a user asks as one who may read all tables. Where
# rows are kept from that one, the query fails rather than see fewer.
_SETTINGS = """SELECT set_config('statement_timeout', %s, true), (SELECT set_config('row_security', 'off', true)
    || set_config('role', rolname, true) FROM pg_roles
    WHERE rolname = 'pg_read_all_data' AND current_setting('is_superuser') = 'on')"""
_GRACE = 2                # seconds that a query which was told to end is waited for
_BLOCK = 10_000           # rows


def read_query(name: str, spec: DatabaseSpec, limits: Limits, naming: Naming) -> tuple[Block, int, str]:
    """Read the answer to a query, and its size in characters and its hash."""
    table, digest = answer(name, spec, limits), hashlib.sha256()
    for row in zip(*table.columns):
        digest.update(repr(row).encode())
    return read_lines(table, spec, 0, naming), sum(map(len, chain(*table.columns))), digest.hexdigest()


def address(variable: str, name: str) -> Any:
    """Return SQLAlchemy's URL of SQLite, DuckDB or PostgreSQL (with the driver psycopg) that stands in an environment
    variable and is shown nowhere; errors call the database by its `name`."""
    written, url = os.environ.get(variable), None
    if not written:
        raise SourceError("needs the address of a database", file=name, found=f"{variable} is not set",
                          expected=f"its URL in the environment variable {variable}")
    try:
        import sqlalchemy
    except ImportError:
        raise SourceError("needs SQLAlchemy", file=name, expected="pip install 'ebank[db]'") from None
    with suppress(Exception):   # whatever is wrong with it, it is not quoted
        url = sqlalchemy.make_url(written)
    driver = url and _DRIVERS.get(url.drivername)
    if not driver:
        raise SourceError("is no address of a database that can be read", file=name,
                          found=url.drivername if url else f"what {variable} holds",
                          expected="sqlite:///FILE, duckdb:///FILE or postgresql://USER@HOST/NAME (driver psycopg)",
                          hint="Of others, have a CSV or Parquet file made")
    return url.set(drivername=driver)


def answer(name: str, spec: DatabaseSpec, limits: Limits) -> Table:
    """Ask, wait for the answer, and end the query if that takes too long or somebody does not want to wait."""
    question = _Question(address(spec.url_env, name), _statement(spec), limits)
    question.start()
    began = time.monotonic()
    try:
        while not question.done.wait(0.2):  # one long wait would not hear Ctrl-C on every system
            limits.refuse("query_seconds", time.monotonic() - began, "takes too long",
                          f"no answer after {limits.query_seconds} s", file=name)
    finally:
        question.stop()
    if question.failure:
        at_door = not question.connected
        raise SourceError("does not open" if at_door else "the query failed", file=name, found=question.failure,
                          expected="a database that can be read" if at_door else
                          "one statement that reads and that the database answers")
    limits.refuse("table_cells", len(question.rows) * len(question.names), "has too many rows",
                  f"more than {question.most}", file=name)
    columns = list(zip(*question.rows)) or [()] * len(question.names)
    for heading, column in zip(question.names, columns):
        odd = next((type(value).__name__ for value in column if not isinstance(value, _PLAIN)), None)
        if odd is not None:
            raise SourceError("has a column that is no table's", file=name, column=heading, found=odd,
                              expected="texts, numbers or dates")
    return Table(name, question.names, columns, 1)


def _statement(spec: DatabaseSpec) -> str:
    """Return the query, or one for all of a table, in the order of its keys: a table has none of its own."""
    if spec.table is None:
        return spec.query
    from sqlalchemy.engine.default import DefaultDialect

    quoted = DefaultDialect().identifier_preparer.quote_identifier
    places = (spec.branch, spec.month, spec.indicator)
    keys = ", ".join(quoted(place.column) for place in places if place and place.column)
    return f"SELECT * FROM {'.'.join(map(quoted, spec.table.split('.')))}" + (f" ORDER BY {keys}" if keys else "")


class _Question(threading.Thread):
    """A query asked beside the main thread; `done` is set when `rows` (one more than `most`, if there are more) or the
    `failure` are there."""

    def __init__(self, url: Any, statement: str, limits: Limits):
        super().__init__(name="query", daemon=True)
        self._url, self._statement, self._limits = url, statement, limits
        self._cancel: Callable[[], object] = lambda: None
        self._unwanted = False
        self.done, self.connected = threading.Event(), False
        self.names: list[str] = []
        self.rows: list[tuple] = []
        self.most, self.failure = 0, ""

    def run(self) -> None:
        try:
            with _OPEN[self._url.drivername](self._url, self._limits.query_seconds) as (execute, self._cancel):
                self.connected = True
                self._read(execute)
        except Exception as error:  # drivers raise what they like
            self.failure = self._words(error)
        finally:
            self.done.set()

    def _read(self, execute: Callable[[str], Any]) -> None:
        cursor = None if self._unwanted else execute(self._statement)
        self.names = [column[0] for column in cursor.description or ()] if cursor else []
        self.most = most = self._limits.table_cells // max(1, len(self.names))
        while not self._unwanted and len(self.rows) <= most and (
                block := cursor.fetchmany(min(_BLOCK, most + 1 - len(self.rows)))):
            self.rows += block

    def stop(self) -> None:
        """End the query, if it is not at its end; what only waits to be let in is left to itself."""
        self._unwanted = True
        for _ in range(10 * _GRACE):
            if self.done.is_set() or not self.connected:
                return
            with suppress(Exception):
                self._cancel()
            self.done.wait(0.1)

    def _words(self, error: Exception) -> str:
        """Return what a driver says about the query; of the way to the database no more than the kind of error."""
        if not self.connected:
            absent = isinstance(error, ImportError)
            return f"no {error.name} (pip install 'ebank[db]')" if absent else type(error).__name__
        diagnosis = getattr(error, "diag", None)
        text = (getattr(diagnosis, "message_primary", None) or str(error) or type(error).__name__).splitlines()[0]
        for secret in (self._url.password, *map(str, self._url.query.values()), self._url.database):
            # A name such as "bank" is a word as well, a path is none.
            if secret and (secret != self._url.database or not secret.isidentifier()):
                text = text.replace(secret, "***")
        return text


# ---------------------------------------------------------------- how a database is opened so that it can only be read

@contextmanager
def _sqlite(url: Any, seconds: int) -> Iterator[tuple[Callable, Callable]]:
    (file, *_), options = url.get_dialect()().create_connect_args(url)
    if not options.get("uri"):
        file = Path(file).absolute().as_uri() + "?mode=ro"
    options = {**options, "uri": True, "check_same_thread": False}  # another thread interrupts it
    with closing(sqlite3.connect(file, **options)) as connection:
        connection.execute("SELECT 1 FROM sqlite_master").close()  # opens the file, which connecting does not
        connection.set_authorizer(lambda act, *_: sqlite3.SQLITE_OK if act in _READING else sqlite3.SQLITE_DENY)
        yield connection.execute, connection.interrupt


@contextmanager
def _duckdb(url: Any, seconds: int) -> Iterator[tuple[Callable, Callable]]:
    import duckdb

    with closing(duckdb.connect(url.database or ":memory:", config={**url.query, **_CLOSED})) as connection:
        def execute(query: str) -> Any:
            statements = connection.extract_statements(query)
            if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
                raise ValueError("several statements, or one that is no SELECT")
            return connection.execute(statements[0])

        yield execute, connection.interrupt


@contextmanager
def _postgresql(url: Any, seconds: int) -> Iterator[tuple[Callable, Callable]]:
    import psycopg

    args, options = url.get_dialect()().create_connect_args(url)
    with closing(psycopg.connect(*args, **{"connect_timeout": seconds, **options})) as connection:  # rolls back
        connection.read_only = True
        connection.execute(_SETTINGS, [f"{seconds + 1}s"])     # a second after the clock here, which says why
        # A named cursor: DECLARE ... CURSOR FOR takes nothing but a query, and the protocol one statement.
        with connection.cursor("ebank") as cursor:
            yield cursor.execute, partial(connection.cancel_safe, timeout=_GRACE)


_OPEN = {"sqlite": _sqlite, "duckdb": _duckdb, "postgresql+psycopg": _postgresql}
_DRIVERS = {"sqlite": "sqlite", "sqlite+pysqlite": "sqlite", "duckdb": "duckdb", "postgresql": "postgresql+psycopg",
            "postgresql+psycopg": "postgresql+psycopg"}
