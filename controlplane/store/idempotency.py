# SPDX-License-Identifier: Apache-2.0
"""Answers that are kept for requests with a key (`controlplane.services.idempotency_ports.IdempotencyKeys`).

Theory: the primary key decides who is first, among threads and among replicas. Whoever comes second waits for the
first one's insert, then locks the row, so that of two that find a lease over one takes it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, select, update

from controlplane.sealing import KeyRing, KeyUnknown, PayloadAltered
from controlplane.services.idempotency_ports import Claim, Found, KeyName
from controlplane.store.idempotency_tables import idempotency_keys as table
from controlplane.store.rows import add_if_absent


class SqlIdempotencyKeys:
    def __init__(self, connection: Connection, ring: KeyRing) -> None:
        self._connection = connection
        self._ring = ring

    def claim(self, claim: Claim, *, now: datetime) -> Found | None:
        taken = {
            "fingerprint": claim.fingerprint,
            "attempt": claim.attempt,
            "leased_until": claim.leased_until,
            "expires_at": claim.expires_at,
            "status": None,
            "answer": None,
        }
        if add_if_absent(self._connection, table, _columns(claim.name) | taken):
            return None
        row = self._connection.execute(select(table).where(_is(claim.name)).with_for_update()).one_or_none()
        if row is None:  # let go or pruned in between
            return None if add_if_absent(self._connection, table, _columns(claim.name) | taken) else _under_way(claim)
        is_over = row.expires_at <= now
        is_dead = row.status is None and row.leased_until <= now and row.fingerprint == claim.fingerprint
        if is_over or is_dead:
            self._connection.execute(update(table).where(_is(claim.name)).values(taken))
            return None
        return Found(
            fingerprint=row.fingerprint,
            leased_until=row.leased_until,
            status=row.status,
            answer=None if row.answer is None else self._opened(claim.name, bytes(row.answer)),
        )

    def keep(self, claim: Claim, status: int, answer: bytes) -> bool:
        sealed = self._ring.seal(answer, _place(claim.name))
        kept = update(table).where(_is(claim.name), table.c.attempt == claim.attempt)
        return self._connection.execute(kept.values(status=status, answer=sealed)).rowcount == 1

    def let_go(self, claim: Claim) -> None:
        self._connection.execute(delete(table).where(_is(claim.name), table.c.attempt == claim.attempt))

    def prune(self, *, now: datetime) -> int:
        return self._connection.execute(delete(table).where(table.c.expires_at <= now)).rowcount

    def _opened(self, name: KeyName, sealed: bytes) -> bytes | None:
        try:
            return self._ring.open(sealed, _place(name))
        except (KeyUnknown, PayloadAltered):
            return None


def _under_way(claim: Claim) -> Found:
    return Found(fingerprint=claim.fingerprint, leased_until=claim.leased_until, status=None, answer=None)


def _columns(name: KeyName) -> dict[str, object]:
    return {"tenant": name.tenant, "principal": name.principal, "route": name.route, "key": name.key}


def _is(name: KeyName) -> Any:
    return and_(*(table.c[column] == value for column, value in _columns(name).items()))


def _place(name: KeyName) -> bytes:
    return f"gatehouse kept answer\0{name.tenant}\0{name.principal}\0{name.route}\0{name.key}".encode()
