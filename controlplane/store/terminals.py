# SPDX-License-Identifier: Apache-2.0
"""Which requests have ended: what a terminal record is held against before it is stored."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, select

from controlplane.store.index_tables import decisions

_AT_ONCE: Final = 1_000


def ended_requests(connection: Connection, tenant: str, request_ids: Collection[str]) -> set[str]:
    """Return those of `request_ids` whose terminal record is stored."""
    wanted, ended = list(request_ids), set[str]()
    for at in range(0, len(wanted), _AT_ONCE):
        query = select(decisions.c.request_id).where(
            decisions.c.tenant == tenant,
            decisions.c.request_id.in_(wanted[at : at + _AT_ONCE]),
            decisions.c.terminal_index.is_not(None),
        )
        ended.update(connection.execute(query).scalars())
    return ended
