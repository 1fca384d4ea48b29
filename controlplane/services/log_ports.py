# SPDX-License-Identifier: Apache-2.0
"""What the sequencer, and whoever looks at its work, need of a store."""

from datetime import datetime
from typing import Protocol

from controlplane.services.checkpoints import Census, SignedCheckpoint
from controlplane.services.model import Page


class Checkpoints(Protocol):
    """What was signed of each log."""

    def tenants(self) -> tuple[str, ...]:
        """Return the tenants that have a log."""

    def latest(self, tenant: str) -> SignedCheckpoint | None: ...
    def covering(self, tenant: str, size: int) -> SignedCheckpoint | None:
        """Return the smallest checkpoint of at least `size` entries."""

    def cosigned(self, tenant: str, size: int) -> SignedCheckpoint | None:
        """Return the largest checkpoint of at least `size` entries that a witness has cosigned."""

    def page(self, tenant: str, *, after: int | None, limit: int) -> Page[SignedCheckpoint]: ...
    def lead(self, fence: int) -> None:
        """Raise Superseded unless the leader of that number still leads; if so, nobody follows it until the end of the
        transaction.
        """

    def sign(self, tenant: str, *, size: int, root: bytes, note: str, at: datetime) -> None:
        """Keep a note, or the renewed note of the last size. Raises Contradiction for another root of that, or less."""

    def cosign(self, tenant: str, *, size: int, lines: str) -> None: ...


class LogCensus(Protocol):
    def of(self, tenant: str) -> Census:
        """Count what is known of the log beside its entries."""


class Leadership(Protocol):
    """How the processes over one database agree on which of them is the sequencer."""

    def claim(self) -> int | None:
        """Return this leader's number, or None where another leads. MUST be called again every few seconds."""

    def close(self) -> None:
        """Lead no more."""
