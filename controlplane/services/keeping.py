# SPDX-License-Identifier: Apache-2.0
"""How long what the log keeps is kept: holds, erasures, retention policies and drops, as frozen values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import orjson

from controlplane.services.times import parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHold:
    """What must stay. The members that are given all hold, each of a record's own envelope; `until` is exclusive.

    `subject` is a pseudonym. A hold that was released is kept, with who did it.
    """

    tenant: str
    id: str
    reason: str
    since: datetime | None
    until: datetime | None
    subject: str | None
    request_ids: tuple[str, ...]
    policy: str | None
    placed_by: str
    placed_at: datetime
    released_by: str | None = None
    released_at: datetime | None = None

    def holds(self, envelope: Mapping[str, Any]) -> bool:
        """Return whether the record of `envelope` must stay."""
        return (
            (self.subject is None or (envelope.get("subject") or {}).get("pseudonym") == self.subject)
            and (not self.request_ids or envelope.get("request_id") in self.request_ids)
            and (self.policy is None or self.policy in set(_policies(envelope)))
            and (self.since is None or parse_time(envelope["time"]) >= self.since)
            and (self.until is None or parse_time(envelope["time"]) < self.until)
        )


def holding(holds: Sequence[LegalHold], envelope: bytes | None) -> LegalHold | None:
    """Return the first hold under which the record of `envelope` must stay; of one that was dropped there is none."""
    if not holds or envelope is None:
        return None
    members = orjson.loads(envelope)
    return next((hold for hold in holds if hold.holds(members)), None)


def _policies(envelope: Mapping[str, Any]) -> Iterator[str]:
    """Return every policy that took part: answered, gave a reason, or a finding."""
    answers = (answer for engine in envelope.get("engines") or () for answer in engine.get("answers") or ())
    for part in (*answers, *(envelope.get("reasons") or ()), *(envelope.get("findings") or ())):
        if isinstance(part.get("policy"), str):
            yield part["policy"]


class ErasureKind(StrEnum):
    PERIOD = "period"
    SUBJECT = "subject"
    REQUEST = "request"


class ErasureState(StrEnum):
    """HELD: a hold that came in between stopped it; what was erased before stays so."""

    RUNNING = "running"
    DONE = "done"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """`target` is a day, a pseudonym or a request id. `position` is the log index below which it is done."""

    tenant: str
    id: str
    kind: ErasureKind
    target: str
    state: ErasureState
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None = None
    payload_count: int = 0
    key_count: int = 0
    position: int = 0
    held_by: str | None = None

    @property
    def day(self) -> date:
        return date.fromisoformat(self.target)


class RetentionClass(StrEnum):
    """PAYLOADS: what is sealed beside the log. RECORDS: envelopes too; the tree, checkpoints and roll-ups stay."""

    PAYLOADS = "payloads"
    RECORDS = "records"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """How many whole days before today are kept of a class; None is for good, as without a policy."""

    tenant: str
    of: RetentionClass
    days: int | None
    set_by: str
    set_at: datetime


class DropState(StrEnum):
    """ANNOUNCED: nothing is gone yet, or not all. PARTIAL: all is gone but what a hold covers."""

    ANNOUNCED = "announced"
    DONE = "done"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A day of the log of which a class is dropped: its entries from `first_index` up to, and not with, `end_index`.

    `position` is the index up to which it is done, `kept_count` how many were passed over since a hold covers them.
    """

    tenant: str
    id: str
    of: RetentionClass
    day: date
    first_index: int
    end_index: int
    state: DropState
    announced_by: str
    announced_at: datetime
    position: int
    kept_count: int = 0
    finished_at: datetime | None = None
