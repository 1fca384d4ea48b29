# SPDX-License-Identifier: Apache-2.0
"""What SQLite does with the bytes of what is deleted. PostgreSQL's are its own affair."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from sqlalchemy import Connection


class Freed(StrEnum):
    """OVERWRITTEN: zeros take their place. AS_IS: where that costs a write of its own, they stay until others come."""

    OVERWRITTEN = "ON"
    AS_IS = "FAST"


@contextmanager
def freed(connection: Connection, how: Freed) -> Iterator[None]:
    """Have what is deleted within the block treated like that."""
    if connection.dialect.name != "sqlite":
        yield
        return
    before = {0: "OFF", 1: "ON", 2: "FAST"}[connection.exec_driver_sql("PRAGMA secure_delete").scalar_one()]
    connection.exec_driver_sql(f"PRAGMA secure_delete = {how}")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA secure_delete = {before}")
