# SPDX-License-Identifier: Apache-2.0
"""The rows of decisions by their requests."""

from collections.abc import Collection, Iterator
from typing import Any, Final

from sqlalchemy import Connection

from controlplane.store.bulk import rows_at
from controlplane.store.index_tables import decisions

# A join and no list of values: SQLite, which knows nothing of how many tenants there are, would for a list rather read
# all of a tenant's decisions than look each request up.
_STATEMENT: Final = (
    "SELECT one.log_index, one.request_id, one.admission_index, one.terminal_index, one.admission_at, one.terminal_at "
    "FROM {keys} CROSS JOIN decisions AS one WHERE one.tenant = wanted.tenant AND one.request_id = wanted.request_id"
)


def decisions_of(connection: Connection, tenant: str, request_ids: Collection[str]) -> Iterator[Any]:
    """Yield the rows of those of `request_ids` that have a record."""
    named = [(tenant, request_id) for request_id in request_ids]
    return rows_at(connection, decisions, ("tenant", "request_id"), _STATEMENT, named)
