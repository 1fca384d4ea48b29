# SPDX-License-Identifier: Apache-2.0
"""How far each sink was served, and by which control plane."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from controlplane.services.pushing import SinkPosition
from controlplane.store.rows import add_if_absent
from controlplane.store.sink_tables import sink_positions


class SqlSinkPositions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, tenant: str, sink: str, *, owner: str, now: datetime, until: datetime) -> SinkPosition | None:
        if not self._hold(tenant, sink, owner=owner, now=now, until=until):
            fresh = {"tenant": tenant, "sink": sink, "next_index": 0, "lost": 0, "owner": owner, "held_until": until}
            if not add_if_absent(self._connection, sink_positions, fresh):
                return None
        row = self._connection.execute(select(sink_positions).where(*_one(tenant, sink))).one()
        return SinkPosition(next_index=row.next_index, lost=row.lost)

    def move(self, tenant: str, sink: str, position: SinkPosition, *, owner: str, until: datetime) -> bool:
        moved = self._connection.execute(
            update(sink_positions)
            .where(*_one(tenant, sink), sink_positions.c.owner == owner)
            .values(next_index=position.next_index, lost=position.lost, held_until=until)
        )
        return moved.rowcount == 1

    def _hold(self, tenant: str, sink: str, *, owner: str, now: datetime, until: datetime) -> bool:
        mine_or_free = or_(sink_positions.c.owner == owner, sink_positions.c.held_until <= now)
        held = self._connection.execute(
            update(sink_positions).where(*_one(tenant, sink), mine_or_free).values(owner=owner, held_until=until)
        )
        return held.rowcount == 1


def _one(tenant: str, sink: str) -> tuple[Any, Any]:
    return (sink_positions.c.tenant == tenant, sink_positions.c.sink == sink)
