# SPDX-License-Identifier: Apache-2.0
"""What the use cases need to keep payloads and to let them go (a part of `controlplane.services.ports`)."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Protocol

from controlplane.services.keeping import Erasure, LegalHold
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
