# SPDX-License-Identifier: Apache-2.0
"""The days of `records` and `payloads` on PostgreSQL: each a partition, made ahead; a default one takes the rest.

Facts: a row of a day without partition goes to the default one, so that nothing is ever refused for want of a
partition. From then on that day cannot have its own, and retention deletes its rows instead of dropping a table.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from sqlalchemy import Connection, text

from controlplane.store.columns import day_number
from controlplane.store.log_tables import PARTITIONED

# A month for whoever forgets to have them made; each costs two empty tables and four empty indexes.
DAYS_AHEAD: Final = 35
_SHORT: Final = 7
_NAME: Final = re.compile(rf"(?:{'|'.join(PARTITIONED)})_(?:[0-9]{{8}}|default)")
_TOAST: Final = {"records": "envelope", "payloads": "content"}


def is_partition(name: str) -> bool:
    """Tell whether a table of this name is one day, or the rest, of a table of the log."""
    return _NAME.fullmatch(name) is not None


def partition_name(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"


def is_short_of_partitions(connection: Connection, today: date) -> bool:
    """Return whether new ones should be made now, and this role may: where roles are apart, `init` alone makes them."""
    if connection.dialect.name != "postgresql":
        return False
    owned = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'records'::regclass"
    if not connection.execute(text(owned)).scalar_one():
        return False
    return not _exists(connection, partition_name("records", today + timedelta(days=_SHORT)))


def make_partitions(connection: Connection, today: date, *, days: int = DAYS_AHEAD) -> tuple[date, ...]:
    """Make what is missing of the partitions from `today` on, and return the days that were added. Not on SQLite."""
    if connection.dialect.name != "postgresql":
        return ()
    wanted = [today + timedelta(days=number) for number in range(days)]
    missing = [day for day in wanted if not _exists(connection, partition_name("records", day))]
    if missing:
        # Two that make them at once would wait for each other's locks in different orders.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('gatehouse log partitions'))"))
    return tuple(day for day in missing if _make(connection, day))


def default_partitions() -> Iterator[str]:
    """Yield the statements that make the default partition of each table and keep its rows uncompressed.

    Envelopes and payloads are below a page in nearly every case. Compressing them would cost more time than all else
    that is done with a row, and sealed payloads do not shrink.
    """
    for table in PARTITIONED:
        yield f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT WITH (toast_tuple_target = 8160)"
        yield f"ALTER TABLE {table} ALTER COLUMN {_TOAST[table]} SET STORAGE EXTERNAL"
        yield f"ALTER TABLE {table}_default ALTER COLUMN {_TOAST[table]} SET STORAGE EXTERNAL"


def _make(connection: Connection, day: date) -> bool:
    number = day_number(day)
    if _exists(connection, partition_name("records", day)) or _in_default(connection, number):
        return False
    for table in PARTITIONED:
        name = partition_name(table, day)
        connection.exec_driver_sql(
            f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ({number}) TO ({number + 1}) "
            "WITH (toast_tuple_target = 8160)",
        )
        connection.exec_driver_sql(f"ALTER TABLE {name} ALTER COLUMN {_TOAST[table]} SET STORAGE EXTERNAL")
    return True


def _exists(connection: Connection, name: str) -> bool:
    return connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar_one() is not None


def _in_default(connection: Connection, number: int) -> bool:
    return any(
        connection.execute(text(f"SELECT 1 FROM {table}_default WHERE day = :day LIMIT 1"), {"day": number}).first()  # noqa: S608  # a name of ours
        for table in PARTITIONED
    )
