# SPDX-License-Identifier: Apache-2.0
"""Decision records on their way into the log: what ingestion hands to the store, and what a query gets back."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRecord:
    """One verified record. `envelope` and `payload` are the bytes as received; the rest was read from the envelope."""

    tenant: str
    environment: str
    source_id: str
    boot_id: str
    seq: int
    record_id: str
    request_id: str
    kind: str
    time: datetime
    subject: str | None
    outcome: str
    verdict: str | None
    model: str | None
    revision: str | None
    serial: int | None
    reasons: tuple[str, ...]
    policies: tuple[str, ...]
    envelope: bytes
    envelope_digest: str
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedLine:
    """A line that can never become a record, kept with its reason. `line` may be cut; `digest` is of all of it."""

    tenant: str
    reason: str
    digest: str
    line: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """How many lines were stored now, had been stored before, and were put into quarantine."""

    stored: int
    duplicates: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFilter:
    """What an auditor looks for. Values of one member are alternatives; members all hold. `until` is exclusive."""

    subjects: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    revisions: tuple[str, ...] = ()
    request_ids: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRecord:
    """One record as the log keeps it. `payload` is None once it was erased."""

    log_index: int
    received_at: datetime
    envelope: bytes
    payload: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDecision:
    """One request: its admission record, its terminal record, or both. `log_index` is that of the first."""

    request_id: str
    log_index: int
    admission: LoggedRecord | None
    terminal: LoggedRecord | None
