# SPDX-License-Identifier: Apache-2.0
"""What keeping answers needs of the store (a part of `controlplane.services.ports`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyName:
    """What a key is one of: the same text of somebody else, or for another route, is another key."""

    tenant: str
    principal: str
    route: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A try of a request. `fingerprint` tells requests apart, `attempt` the tries of one."""

    name: KeyName
    fingerprint: str
    attempt: str
    leased_until: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of a key. `status` is None while a try is under way, `answer` where it cannot be opened."""

    fingerprint: str
    leased_until: datetime
    status: int | None
    answer: bytes | None


class IdempotencyKeys(Protocol):
    def claim(self, claim: Claim, *, now: datetime) -> Found | None:
        """Take the key for this try, and return None; or return what there is, which stays.

        A key is free that nobody took, whose time is over, or whose try of the same request outlived its lease. Of
        many that claim at once one gets it.
        """

    def keep(self, claim: Claim, status: int, answer: bytes) -> bool:
        """Keep the answer, sealed. False, and nothing changed, where another try has the key by now."""

    def let_go(self, claim: Claim) -> None:
        """Forget the try, unless another has the key by now."""

    def prune(self, *, now: datetime) -> int:
        """Delete the keys whose time is over, and return how many those were."""


class IdempotencySession(Protocol):
    """The part of a transaction's view that this module is about."""

    @property
    def idempotency_keys(self) -> IdempotencyKeys: ...
