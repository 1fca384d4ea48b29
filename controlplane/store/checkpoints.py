# SPDX-License-Identifier: Apache-2.0
"""What the sequencer signed. A size has one root for ever, and sizes only grow."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from controlplane.services.checkpoints import Contradiction, SignedCheckpoint, Superseded
from controlplane.services.model import Page
from controlplane.store.checkpoint_tables import checkpoints, sequencer_terms
from controlplane.store.log_tables import log_heads
from controlplane.store.pages import page_of


class SqlCheckpoints:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tenants(self) -> tuple[str, ...]:
        return tuple(self._connection.execute(select(log_heads.c.tenant).order_by(log_heads.c.tenant)).scalars())

    def latest(self, tenant: str) -> SignedCheckpoint | None:
        query = select(checkpoints).where(checkpoints.c.tenant == tenant).order_by(checkpoints.c.size.desc()).limit(1)
        return _checkpoint(self._connection.execute(query).one_or_none())

    def covering(self, tenant: str, size: int) -> SignedCheckpoint | None:
        query = select(checkpoints).where(checkpoints.c.tenant == tenant, checkpoints.c.size >= size)
        return _checkpoint(self._connection.execute(query.order_by(checkpoints.c.size).limit(1)).one_or_none())

    def cosigned(self, tenant: str, size: int) -> SignedCheckpoint | None:
        query = select(checkpoints).where(
            checkpoints.c.tenant == tenant, checkpoints.c.size >= size, checkpoints.c.cosignatures != ""
        )
        return _checkpoint(self._connection.execute(query.order_by(checkpoints.c.size.desc()).limit(1)).one_or_none())

    def page(self, tenant: str, *, after: int | None, limit: int) -> Page[SignedCheckpoint]:
        query = select(checkpoints).where(checkpoints.c.tenant == tenant).order_by(checkpoints.c.size)
        if after is not None:
            query = query.where(checkpoints.c.size > after)
        rows = self._connection.execute(query.limit(limit + 1)).all()
        return page_of(rows, limit=limit, item=_row_checkpoint, key="size")

    def lead(self, fence: int) -> None:
        query = select(sequencer_terms.c.fence).where(sequencer_terms.c.id == 1).with_for_update()
        if self._connection.execute(query).scalar_one_or_none() != fence:
            raise Superseded

    def sign(self, tenant: str, *, size: int, root: bytes, note: str, at: datetime) -> None:
        last = self.latest(tenant)
        if last is None or last.size < size:
            values = {"size": size, "root": root, "note": note, "cosignatures": "", "signed_at": at}
            self._connection.execute(insert(checkpoints).values(tenant=tenant, first_signed_at=at, **values))
        elif last.size > size:
            raise Contradiction(f"size {size} after size {last.size}")
        elif last.root != root:
            raise Contradiction(f"another root for size {size}")
        else:
            self._change(tenant, size, note=note, signed_at=at)

    def cosign(self, tenant: str, *, size: int, lines: str) -> None:
        self._change(tenant, size, cosignatures=lines)

    def _change(self, tenant: str, size: int, **values: Any) -> None:
        known = (checkpoints.c.tenant == tenant) & (checkpoints.c.size == size)
        self._connection.execute(update(checkpoints).where(known).values(**values))


def _checkpoint(row: Any) -> SignedCheckpoint | None:
    return None if row is None else _row_checkpoint(row)


def _row_checkpoint(row: Any) -> SignedCheckpoint:
    return SignedCheckpoint(
        tenant=row.tenant,
        size=row.size,
        root=bytes(row.root),
        note=row.note,
        cosignatures=row.cosignatures,
        first_signed_at=row.first_signed_at,
        signed_at=row.signed_at,
    )
