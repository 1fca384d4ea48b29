# SPDX-License-Identifier: Apache-2.0
"""Whether a commit survives a crash and a power cut: what the database itself says, once it is open.

What a connection can ask for, `engine` asks for. What only the server's administrator can switch is told here: a server
that runs without it acknowledges records that it may lose.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from sqlalchemy import Connection, Engine

# Of SQLite, `PRAGMA synchronous`: 2 is FULL, 3 EXTRA. Below, a commit is not synced.
_FULL: Final = 2
_SQLITE_JOURNALS: Final = frozenset({"wal", "delete", "truncate", "persist"})

# Of PostgreSQL, what loses commits or tears pages when it is off.
_ON: Final = ("fsync", "full_page_writes", "synchronous_commit")


def undurable(engine: Engine) -> tuple[str, ...]:
    """Return each setting in force that lets an acknowledged commit be lost, as `name is value`."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            return tuple(_of_sqlite(connection))
        return tuple(_of_postgres({name: _asked(connection, f"SHOW {name}") for name in _ON}))


def _of_sqlite(connection: Connection) -> Iterator[str]:
    synchronous = int(_asked(connection, "PRAGMA synchronous"))
    if synchronous < _FULL:
        yield f"synchronous is {synchronous}"
    journal = _asked(connection, "PRAGMA journal_mode")
    if journal not in _SQLITE_JOURNALS:
        yield f"journal_mode is {journal}"


def _of_postgres(shown: Mapping[str, str]) -> Iterator[str]:
    return (f"{name} is {value}" for name, value in shown.items() if value == "off")


def _asked(connection: Connection, question: str) -> str:
    return str(connection.exec_driver_sql(question).scalar_one())
