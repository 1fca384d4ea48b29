# SPDX-License-Identifier: Apache-2.0
"""Payloads on their way into the database and out of it: sealed and opened under the keys that the database keeps.

Theory: a key is read in the transaction that uses it and kept no longer, so that a key which is destroyed is gone for
every replica at once. Appends and destructions both hold the lock of the tenant's log head: no append seals under a
key that is being destroyed. Destroying all keys of a day while it lasts makes the next append take a new one.
"""

import re
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import orjson
import structlog
from sqlalchemy import Connection, delete, func, insert, select, update

from controlplane.sealing import (
    KEY_PREFIX_BYTES,
    SEALED,
    DataKey,
    KeyId,
    KeyRing,
    KeyUnknown,
    PayloadAltered,
    key_of,
    wrapping_key_id,
)
from controlplane.services.errors import StoreUnavailable
from controlplane.services.payload_state import OpenedPayload, PayloadState
from controlplane.store.free_pages import Freed, freed
from controlplane.store.log_tables import log_heads, payloads, quarantine
from controlplane.store.payload_tables import payload_keys

_DIGEST: Final = re.compile(rb'"payload_digest":"(sha256:[0-9a-f]{64})"')

_NONE: Final = OpenedPayload(PayloadState.NONE, None)
_ERASED: Final = OpenedPayload(PayloadState.ERASED, None)

_log = structlog.get_logger("gatehouse.payloads")

Seal = Callable[[int, bytes, str], bytes]


class SqlPayloadVault:
    """The keys of one transaction (`controlplane.services.ports.PayloadVault`)."""

    def __init__(self, connection: Connection, ring: KeyRing) -> None:
        self._connection = connection
        self._ring = ring
        self._opened: dict[tuple[str, KeyId], DataKey | None] = {}
        self._by_prefix: dict[tuple[str, bytes], DataKey | None] = {}

    def sealer(self, tenant: str, day: date, *, at: datetime) -> Seal:
        """Return what seals the payloads of one append: `(log_index, payload, payload_digest) -> bytes`.

        The caller MUST hold the lock of the tenant's log head. Raises StoreUnavailable where the key file lacks the
        key: a payload that cannot be sealed is not stored.
        """
        newest = self._connection.execute(
            select(payload_keys.c.number, payload_keys.c.wrapped)
            .where(payload_keys.c.tenant == tenant, payload_keys.c.day == day.isoformat())
            .order_by(payload_keys.c.number.desc())
            .limit(1),
        ).one_or_none()
        if newest is not None and newest.wrapped is not None:
            key_id, wrapped = KeyId(day, newest.number), bytes(newest.wrapped)
        else:
            key_id = KeyId(day, 1 if newest is None else newest.number + 1)
            wrapped = self._ring.new_key(tenant, key_id)
            self._connection.execute(insert(payload_keys).values(_row(tenant, key_id, wrapped, at)))
        try:
            return self._ring.data_key(wrapped, tenant, key_id).seal
        except (KeyUnknown, PayloadAltered) as exc:
            raise StoreUnavailable(f"{exc}; GATEHOUSE_PAYLOAD_KEY_FILE must hold the key it was wrapped under") from exc

    def open(self, tenant: str, log_index: int, envelope: bytes | None, content: Any) -> OpenedPayload:
        """Return what the column of a payload holds, opened. Never raises for what was stored there.

        What releases before there were keys stored in plain is returned as it is.
        """
        if envelope is None:
            return _NONE
        return self.open_named(tenant, log_index, _digest(envelope), content)

    def open_named(self, tenant: str, log_index: int, digest: str | None, content: Any) -> OpenedPayload:
        """Return the same as `open`, for a record whose envelope names its payload by `digest`."""
        if content is None:
            return _ERASED if digest else _NONE
        sealed = bytes(content)
        try:
            place = (tenant, sealed[:KEY_PREFIX_BYTES])
            if place in self._by_prefix:
                key = self._by_prefix[place]
            else:
                key_id = key_of(sealed)
                if key_id is None:
                    return OpenedPayload(PayloadState.KEPT, sealed)
                key = self._by_prefix[place] = self._key(tenant, key_id)
            if key is None:
                return _ERASED
            return OpenedPayload(PayloadState.KEPT, key.open(log_index, sealed, digest or ""))
        except (KeyUnknown, PayloadAltered) as exc:
            _log.error("payload_unreadable", tenant=tenant, log_index=log_index, problem=str(exc))
            return OpenedPayload(PayloadState.UNREADABLE, None)

    def destroy(self, tenant: str, day: date, *, at: datetime) -> int:
        """Destroy the keys of `day` for good, and return how many there were."""
        self._connection.execute(
            select(log_heads.c.size).where(log_heads.c.tenant == tenant).with_for_update(),
        ).one_or_none()
        with freed(self._connection, Freed.OVERWRITTEN):
            destroyed = self._connection.execute(
                update(payload_keys)
                .where(
                    payload_keys.c.tenant == tenant,
                    payload_keys.c.day == day.isoformat(),
                    payload_keys.c.wrapped.is_not(None),
                )
                .values(wrapped=None, destroyed_at=at),
            ).rowcount
        self._opened.clear()
        self._by_prefix.clear()
        return destroyed

    def delete(self, tenant: str, indexes: Collection[int]) -> int:
        """Delete the payloads at `indexes`, and return how many there were."""
        if not indexes:
            return 0
        with freed(self._connection, Freed.OVERWRITTEN):
            return self._connection.execute(
                delete(payloads).where(payloads.c.tenant == tenant, payloads.c.log_index.in_(indexes)),
            ).rowcount

    def delete_plain(self, tenant: str, first: int, end: int) -> tuple[int, bool]:
        """Delete what was stored in plain from `first` up to `end`. Return how many, and whether more may follow.

        None follows on a sealed one: since there are keys, everything is sealed.
        """
        rows = self._connection.execute(
            select(payloads.c.log_index, func.substr(payloads.c.content, 1, 1).label("begins"))
            .where(payloads.c.tenant == tenant, payloads.c.log_index >= first, payloads.c.log_index < end)
            .order_by(payloads.c.log_index),
        ).all()
        plain = [row.log_index for row in rows if bytes(row.begins) != SEALED]
        return self.delete(tenant, plain), len(plain) == len(rows)

    def blank_quarantine(self, tenant: str, day: date) -> None:
        """Keep of the lines put aside on `day` their digest and reason alone: they may hold payloads in plain."""
        begin = datetime.combine(day, datetime.min.time(), tzinfo=UTC)
        with freed(self._connection, Freed.OVERWRITTEN):
            self._connection.execute(
                update(quarantine)
                .where(
                    quarantine.c.tenant == tenant,
                    quarantine.c.received_at >= begin,
                    quarantine.c.received_at < begin + timedelta(days=1),
                )
                .values(line=b""),
            )

    def rewrap(self) -> int:
        """Wrap the keys that are under another under the current key, and return how many those were.

        Raises KeyUnknown, PayloadAltered.
        """
        query = select(payload_keys).where(payload_keys.c.wrapped.is_not(None)).with_for_update()
        kept = self._connection.execute(query).all()
        rows = [row for row in kept if wrapping_key_id(bytes(row.wrapped)) != self._ring.current]
        for row in rows:
            key_id = KeyId(date.fromisoformat(row.day), row.number)
            wrapped = self._ring.rewrap(bytes(row.wrapped), row.tenant, key_id)
            one = (payload_keys.c.tenant, payload_keys.c.day, payload_keys.c.number)
            self._connection.execute(
                update(payload_keys)
                .where(*(column == getattr(row, column.name) for column in one))
                .values(wrapped=wrapped),
            )
        return len(rows)

    def unknown_keys(self) -> int:
        """Return how many keys are wrapped under a key that the key file lacks."""
        wrapped = self._connection.execute(select(payload_keys.c.wrapped).where(payload_keys.c.wrapped.is_not(None)))
        return sum(not self._ring.knows(wrapping_key_id(bytes(each))) for each in wrapped.scalars())

    def _key(self, tenant: str, key_id: KeyId) -> DataKey | None:
        place = (tenant, key_id)
        if place not in self._opened:
            wrapped = self._connection.execute(
                select(payload_keys.c.wrapped).where(
                    payload_keys.c.tenant == tenant,
                    payload_keys.c.day == key_id.day.isoformat(),
                    payload_keys.c.number == key_id.number,
                ),
            ).scalar_one_or_none()
            self._opened[place] = None if wrapped is None else self._ring.data_key(bytes(wrapped), tenant, key_id)
        return self._opened[place]


def _digest(envelope: bytes | None) -> str | None:
    """Return the digest by which an envelope names its payload; None where it has none."""
    found = _DIGEST.findall(envelope or b"")
    if len(found) == 1:
        return str(found[0].decode())
    named = orjson.loads(envelope)["payload_digest"] if found and envelope else None
    return named if isinstance(named, str) else None


def _row(tenant: str, key_id: KeyId, wrapped: bytes, at: datetime) -> dict[str, object]:
    return {
        "tenant": tenant,
        "day": key_id.day.isoformat(),
        "number": key_id.number,
        "wrapped": wrapped,
        "created_at": at,
        "destroyed_at": None,
    }
