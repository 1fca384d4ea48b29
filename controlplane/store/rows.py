# SPDX-License-Identifier: Apache-2.0
"""Rows that two writers may add at once. What is not there yet cannot be locked, so that only the database can tell."""

from collections.abc import Mapping

from sqlalchemy import Connection, Table, insert
from sqlalchemy.exc import IntegrityError


def add_if_absent(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Insert a row, and return whether it was not there. Waits for another writer that is just adding it."""
    try:
        with connection.begin_nested():
            connection.execute(insert(table).values(dict(values)))
    except IntegrityError:
        return False
    return True
