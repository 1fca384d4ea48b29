# SPDX-License-Identifier: Apache-2.0
"""What is known of a log beside its entries, as counts to compare with them."""

from sqlalchemy import Connection, func, select

from controlplane.services.checkpoints import Census
from controlplane.store.index_tables import decision_index_heads
from controlplane.store.log_tables import source_runs


class SqlCensus:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, tenant: str) -> Census:
        runs, index = source_runs.c, decision_index_heads.c
        numbered = select(func.sum(runs.last_seq - runs.first_seq + 1)).where(runs.tenant == tenant)
        indexed = select(index.size).where(index.tenant == tenant)
        return Census(
            numbered=int(self._connection.execute(numbered).scalar_one_or_none() or 0),
            indexed=int(self._connection.execute(indexed).scalar_one_or_none() or 0),
        )
