# SPDX-License-Identifier: Apache-2.0
"""What the use cases need to keep payloads and to let them go (a part of `controlplane.services.ports`)."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Protocol

from controlplane.services.keeping import Drop, Erasure, LegalHold, RetentionClass, RetentionPolicy
from controlplane.services.model import Page


class PayloadVault(Protocol):
    """The keys that payloads are sealed under. What the log gives as a payload was opened with them."""

    def destroy(self, tenant: str, day: date, *, at: datetime) -> int:
        """Destroy the keys of `day` for good, and return how many there were."""

    def delete(self, tenant: str, indexes: Collection[int]) -> int:
        """Delete the payloads at `indexes`, and return how many there were."""

    def delete_plain(self, tenant: str, first: int, end: int) -> tuple[int, bool]:
        """Delete what was stored in plain from `first` up to `end`. Return how many, and whether more may follow."""

    def blank_quarantine(self, tenant: str, day: date) -> None:
        """Keep of the lines put aside on `day` their digest and reason alone: they may hold payloads in plain."""

    def rewrap(self) -> int:
        """Wrap the keys that are under another under the current key, and return how many those were."""

    def unknown_keys(self) -> int:
        """Return how many keys are wrapped under a key that the key file lacks."""


class LegalHolds(Protocol):
    def lock(self, tenant: str) -> None:
        """Wait until nobody else places a hold, erases or drops, and keep it so until the transaction ends."""

    def add(self, hold: LegalHold) -> None: ...
    def get(self, tenant: str, hold_id: str) -> LegalHold | None: ...
    def active(self, tenant: str) -> tuple[LegalHold, ...]: ...
    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[LegalHold]: ...
    def release(self, tenant: str, hold_id: str, *, by: str, at: datetime) -> bool:
        """Note the release. False, and nothing changed, where it was released already."""


class Erasures(Protocol):
    def add(self, erasure: Erasure) -> None: ...
    def put(self, erasure: Erasure) -> None:
        """Write how far it came."""

    def get(self, tenant: str, erasure_id: str) -> Erasure | None: ...
    def running(self) -> tuple[Erasure, ...]:
        """Return those of every tenant that were begun and are not done."""

    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[Erasure]: ...


class Retention(Protocol):
    def policies(self, tenant: str | None = None) -> tuple[RetentionPolicy, ...]:
        """Return the policies that were set, of one tenant or of all."""

    def put_policy(self, policy: RetentionPolicy) -> None: ...
    def add(self, drop: Drop) -> None: ...
    def put(self, drop: Drop) -> None:
        """Write how far it came."""

    def get(self, tenant: str, drop_id: str) -> Drop | None: ...
    def known(self, tenant: str, of: RetentionClass) -> frozenset[date]:
        """Return the days whose drop was announced."""

    def open(self) -> tuple[Drop, ...]:
        """Return the drops of every tenant that are not done, those of which a hold kept something included."""

    def is_logged(self, drop: Drop, action: str) -> bool:
        """Return whether the admin event that announced the drop has its place in the log."""

    def page(self, tenant: str, *, after: str | None, limit: int) -> Page[Drop]: ...
    def drop_partitions(self, drop: Drop) -> None:
        """Drop the day as a whole, where the database can and no other tenant is in it."""

    def envelopes(self, drop: Drop, first: int, end: int) -> Sequence[tuple[int, bytes]]:
        """Return what is still there from `first` up to `end`, by index."""

    def delete_range(self, drop: Drop, first: int, end: int) -> None: ...
    def delete(self, drop: Drop, indexes: Sequence[int]) -> None: ...
    def delete_index(self, drop: Drop) -> None:
        """Delete what only dropped records were found by."""


class KeepingSession(Protocol):
    """The part of a transaction's view that this module is about."""

    @property
    def payloads(self) -> PayloadVault: ...
    @property
    def legal_holds(self) -> LegalHolds: ...
    @property
    def erasures(self) -> Erasures: ...
    @property
    def retention(self) -> Retention: ...
