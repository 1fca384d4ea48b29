# SPDX-License-Identifier: Apache-2.0
"""Which requests have ended: what a terminal record is held against before it is stored."""

from collections.abc import Collection

from sqlalchemy import Connection

from controlplane.store.requests import decisions_of


def ended_requests(connection: Connection, tenant: str, request_ids: Collection[str]) -> set[str]:
    """Return those of `request_ids` whose terminal record is stored."""
    found = decisions_of(connection, tenant, request_ids)
    return {row.request_id for row in found if row.terminal_index is not None}
