# SPDX-License-Identifier: Apache-2.0
"""Many rows in one statement, and rows by many keys, without what an expression language costs for each row.

Values are always bound. What is put into the text of a statement are names of our own tables and columns.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, LargeBinary, Table, Text

_POSTGRES_TYPES: Final = ((BigInteger, "bigint"), (LargeBinary, "bytea"), (Text, "text"))
# Below the 32,766 parameters that SQLite takes.
_MOST_KEYS: Final = 10_000


def write(
    connection: Connection, table: Table, names: Sequence[str], rows: Sequence[tuple[Any, ...]], *, conflict: str = ""
) -> None:
    """Insert `rows` of the columns `names`; `conflict` says what becomes of those that are there already."""
    if not rows:
        return
    columns = ", ".join(names)
    if is_postgres(connection):
        arrays = ", ".join(f"%b::{_type(table, name)}[]" for name in names)
        # An ORDER would be that of the arrays anyway: two transactions never write these tables of one tenant at once.
        statement = f"INSERT INTO {table.name} ({columns}) SELECT * FROM unnest({arrays}) {conflict}"  # noqa: S608  # names of ours
        connection.exec_driver_sql(statement, tuple(map(list, zip(*rows, strict=True))))
        return
    marks = ", ".join("?" * len(names))
    connection.exec_driver_sql(f"INSERT INTO {table.name} ({columns}) VALUES ({marks}) {conflict}", list(rows))  # noqa: S608  # as above


def rows_of(connection: Connection, statement: str, *bound: Any, among: Sequence[int] | Sequence[str]) -> Iterator[Any]:
    """Yield the rows of `statement`, whose `?` are `bound` and whose one `{among}` is a condition on these values."""
    for begin in range(0, len(among), _MOST_KEYS):
        some = among[begin : begin + _MOST_KEYS]
        if is_postgres(connection):
            text = "text" if isinstance(some[0], str) else "bigint"
            asked = statement.replace("?", "%s").replace("{among}", f"= ANY(%b::{text}[])")
            yield from connection.exec_driver_sql(asked, (*bound, list(some))).all()
        else:
            asked = statement.replace("{among}", f"IN ({', '.join('?' * len(some))})")
            yield from connection.exec_driver_sql(asked, (*bound, *some)).all()


def rows_at(
    connection: Connection, table: Table, names: Sequence[str], statement: str, keys: Sequence[tuple[Any, ...]]
) -> Iterator[Any]:
    """Yield the rows of `statement`, in which `{keys}` stands as a table of the columns `names`, to be joined with."""
    columns = ", ".join(names)
    for begin in range(0, len(keys), _MOST_KEYS // len(names)):
        some = keys[begin : begin + _MOST_KEYS // len(names)]
        if is_postgres(connection):
            arrays = ", ".join(f"%b::{_type(table, name)}[]" for name in names)
            asked = statement.replace("{keys}", f"unnest({arrays}) AS wanted ({columns})")
            yield from connection.exec_driver_sql(asked, tuple(map(list, zip(*some, strict=True))))
        else:
            marks = ", ".join([f"({', '.join('?' * len(names))})"] * len(some))
            asked = f"WITH wanted ({columns}) AS (VALUES {marks}) {statement.replace('{keys}', 'wanted')}"
            yield from connection.exec_driver_sql(asked, tuple(part for key in some for part in key))


def rows(connection: Connection, statement: str, *bound: Any) -> Sequence[Any]:
    """Return the rows of `statement`, whose `?` are `bound`."""
    asked = statement.replace("?", "%s") if is_postgres(connection) else statement
    return connection.exec_driver_sql(asked, bound).all()


def change(connection: Connection, statement: str, *bound: Any) -> None:
    """Run `statement`, whose `?` are `bound`."""
    asked = statement.replace("?", "%s") if is_postgres(connection) else statement
    connection.exec_driver_sql(asked, bound)


def append_bytes(connection: Connection, table: Table, column: str, *, key: str) -> str:
    """Return the `conflict` by which the bytes of a row that is there already grow by those of the new one."""
    joined = f"{table.name}.{column} || excluded.{column}"
    # SQLite calls what it joins a text, whatever it was, and keeps its bytes.
    joined = joined if is_postgres(connection) else f"CAST({joined} AS BLOB)"
    return f"ON CONFLICT ({key}) DO UPDATE SET {column} = {joined}"


def is_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


def _type(table: Table, name: str) -> str:
    kind = table.c[name].type
    kind = getattr(kind, "impl_instance", kind)
    return next(word for sql, word in _POSTGRES_TYPES if isinstance(kind, sql))
