# SPDX-License-Identifier: Apache-2.0
"""Decision records on their way into the log: what ingestion hands to the store, and what a query gets back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from controlplane.services.payload_state import PayloadState

SOURCE_SCHEMA: Final = "gatehouse.source/1"
"""The schema of what a source says of itself: START, HEARTBEAT, STOP, LOSS."""


class EntryKind(StrEnum):
    """What an entry of the log tells of. A source writes the first six, the control plane the others."""

    ADMISSION = "admission"
    TERMINAL = "terminal"
    START = "start"
    HEARTBEAT = "heartbeat"
    STOP = "stop"
    LOSS = "loss"
    GAP = "gap"
    ADMIN = "admin"
    OPA = "opa"
    EVALUATION = "evaluation"


@dataclass(slots=True, kw_only=True)
class ReceivedRecord:
    """One verified record on its way into the log. Nobody changes one; a frozen one would take three times as long.

    `envelope` and `payload` are the bytes as received, `members` is the envelope as it was read, from which the rest
    was taken. What does not apply to a kind is None: only a record of a request has `request_id`, only what a source
    numbered has `source_id`, `boot_id` and `seq`.
    """

    tenant: str
    environment: str | None
    source_id: str | None
    boot_id: str | None
    seq: int | None
    record_id: str
    request_id: str | None
    kind: str
    time: datetime
    envelope: bytes
    leaf_hash: bytes
    payload: bytes | None
    members: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedLine:
    """A line that can never become a record, kept with its reason. `line` may be cut; `digest` is of all of it."""

    tenant: str
    reason: str
    digest: str
    line: bytes


class GapState(StrEnum):
    """OPEN: the numbers are missing. CLOSED: they were said to be, and have been stored since."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Numbers of one process of a source, from `first_seq` to `last_seq`, both included."""

    source_id: str
    boot_id: str
    environment: str | None
    first_seq: int
    last_seq: int
    state: GapState

    @property
    def count(self) -> int:
        return self.last_seq - self.first_seq + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one request brought: its records, and its lines that are none."""

    records: Sequence[ReceivedRecord]
    quarantined: Sequence[QuarantinedLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """How many lines were stored now, had been stored before, and were put into quarantine; what is found missing."""

    stored: int
    duplicates: int
    quarantined: int
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceClaim:
    """What a node says of one process of a source: the number it gave last."""

    source_id: str
    boot_id: str
    environment: str | None
    last_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReading:
    """A source as the log knows it: its processes together. `missing` numbers are in gaps that nothing has closed."""

    source_id: str
    environment: str | None
    boots: int
    missing: int
    last_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRecord:
    """One record as the log keeps it. `payload` is None unless it is kept."""

    log_index: int
    received_at: datetime
    envelope: bytes
    payload: bytes | None
    payload_state: PayloadState = PayloadState.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDecision:
    """One request: its admission record, its terminal record, or both. `log_index` is that of the first.

    `members` is the envelope of the last one as it was read already, None where it was not.
    """

    request_id: str
    log_index: int
    admission: LoggedRecord | None
    terminal: LoggedRecord | None
    members: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDecisions:
    """A page. `at` is the index after which the next one begins, None where there is none."""

    items: tuple[LoggedDecision, ...]
    at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How far a log goes: its number of entries, the root of the tree over them, the day of the last one."""

    size: int
    root: bytes
    day: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One entry. `envelope` is None once retention dropped it, `payload` unless it is kept."""

    log_index: int
    kind: str | None
    received_at: datetime | None
    envelope: bytes | None
    payload: bytes | None
    leaf_hash: bytes
    payload_state: PayloadState = PayloadState.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDay:
    """The entries of one day of the log: from `first_index` up to, and not with, `end_index`."""

    day: date
    first_index: int
    end_index: int


class TileMissing(LookupError):
    """The log has no such tile of that width yet."""
