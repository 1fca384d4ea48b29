# SPDX-License-Identifier: Apache-2.0
"""The database connection: SQLite by default, PostgreSQL by URL, both with durable commits.

Facts about SQLite: the driver's own transaction handling begins late and commits around DDL, so it is switched off and
BEGIN is ours. A transaction that will write begins IMMEDIATE: one that begins as a reader and turns writer fails with
SQLITE_BUSY at once, whatever the timeout. WAL with synchronous=FULL syncs every commit, so an acknowledged record
survives a power cut; NORMAL would not. PostgreSQL syncs a commit unless a role or a database was told not to, so each
connection asks for it. The WAL is written back once it has 64 MiB: with the default of 4 MiB that
would happen twice a second under load, each time with two more syncs. A connection's page cache grows to 16 MiB at
most, and is worth something only where the same connection writes again; so the pool gives the one that came last.
"""

from sqlite3 import Connection as SqliteConnection
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

# Longer than any write of ours takes, shorter than a client waits.
_BUSY_TIMEOUT_MS: Final = 5_000
_POOL_TIMEOUT_S: Final = 5
_STATEMENT_TIMEOUT_MS: Final = 15_000
_POOL_SIZE: Final = 24  # the WSGI threads, the feeds' reads and a reserve

_PAGE_CACHE_KIB: Final = 16 * 1024
_WAL_PAGES: Final = 16 * 1024

WRITES: Final = "gatehouse_writes"


def open_database(url: str) -> Engine:
    """Return the engine of `url` (`sqlite:///PATH`, `postgresql://…` or `postgresql+psycopg://…`)."""
    parsed = make_url(url)
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername.startswith("sqlite"):
        engine = create_engine(parsed, pool_size=_POOL_SIZE, pool_timeout=_POOL_TIMEOUT_S, pool_use_lifo=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.drivername != "postgresql+psycopg":
        raise ValueError("the database is neither sqlite:///PATH nor postgresql://…")
    return create_engine(
        parsed,
        pool_size=_POOL_SIZE,
        pool_timeout=_POOL_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": _POOL_TIMEOUT_S,
            "options": " ".join(
                (
                    f"-c statement_timeout={_STATEMENT_TIMEOUT_MS}",
                    f"-c lock_timeout={_BUSY_TIMEOUT_MS}",
                    "-c synchronous_commit=on",
                )
            ),
        },
    )


def _prepare_sqlite(connection: SqliteConnection, _record: Any) -> None:
    connection.isolation_level = None
    for statement in (
        f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        f"PRAGMA cache_size = -{_PAGE_CACHE_KIB}",
        f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}",
        f"PRAGMA journal_size_limit = {_WAL_PAGES * 4096}",
    ):
        connection.execute(statement).close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
