# SPDX-License-Identifier: Apache-2.0
"""The decision record: what the proxy writes of every request (`docs/spec/decision-record.md`).

A record has two parts. The *envelope* is canonical JSON without personal content; its bytes are stored as received.
The *payload* holds what must stay erasable: the subject's id and the attributes the decision was made from. The
envelope names the payload by a salted digest, so that erasing payload and salt leaves the envelope verifiable and
unguessable.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policies.contracts.codec import JSON, canonical_bytes

SCHEMA: Final = "gatehouse.decision/1"
SOURCE_SCHEMA: Final = "gatehouse.source/1"
MAX_ENVELOPE_BYTES: Final = 8192


# What stands for a number that is not given yet: the largest there can be, so that no envelope grows by its own.
UNNUMBERED: Final = 2**53 - 1


class RecordKind(StrEnum):
    """ADMISSION is durable before the first byte of a streamed answer; every request ends in exactly one TERMINAL."""

    ADMISSION = "admission"
    TERMINAL = "terminal"


class SourceKind(StrEnum):
    """What a source says of itself, in the same sequence of numbers as its records of requests."""

    START = "start"
    HEARTBEAT = "heartbeat"
    STOP = "stop"
    LOSS = "loss"


class LossReason(StrEnum):
    """Why a record was lost."""

    SPOOL_FULL = "spool-full"
    DISK_FULL = "disk-full"
    DISK_ERROR = "disk-error"
    TOO_LARGE = "too-large"
    TOO_MANY = "too-many"


class RecordOutcome(StrEnum):
    """ALLOW and DENY are decisions; ERROR_DENY is a refusal because something failed or the request was unreadable."""

    ALLOW = "allow"
    DENY = "deny"
    ERROR_DENY = "error_deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who wrote the record: `id` names the worker slot on its node, `boot_id` its process, `seq` counts from 1.

    A number is given out when the record is written: until then `seq` is UNNUMBERED.
    """

    id: str
    boot_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One record in its wire form. `envelope` is canonical JSON; `payload` is canonical JSON with its `salt`."""

    envelope: bytes
    payload: bytes

    def to_line(self) -> bytes:
        """Return the record as one line of the spool and of the ingestion request, with its newline."""
        return canonical_bytes({"envelope": self.envelope.decode(), "payload": self.payload.decode()}) + b"\n"


def seal(envelope: Mapping[str, JSON], payload: Mapping[str, JSON], *, salt: str) -> DecisionRecord:
    """Return the record of `envelope` and `payload`, with `schema` and `payload_digest` filled in.

    `salt` is 32 or more random hexadecimal digits. Raises ValueError where the envelope exceeds MAX_ENVELOPE_BYTES.
    """
    payload_bytes = canonical_bytes({**payload, "salt": salt})
    payload_digest = "sha256:" + hashlib.sha256(payload_bytes).hexdigest()
    envelope_bytes = canonical_bytes({**envelope, "schema": SCHEMA, "payload_digest": payload_digest})
    if len(envelope_bytes) > MAX_ENVELOPE_BYTES:
        msg = f"the envelope has {len(envelope_bytes)} bytes, more than {MAX_ENVELOPE_BYTES}"
        raise ValueError(msg)
    return DecisionRecord(envelope_bytes, payload_bytes)


def span_hash(key: bytes, *, tenant: str, span: str) -> str:
    """Return the keyed hash under which a span that redaction found stands in envelopes: equal for equal spans.

    It cannot be a subject's pseudonym: no type of subjects is `span` and a NUL.
    """
    return "s1:" + hmac.digest(key, f"{tenant}\0span\0{span}".encode(), "sha256").hex()[:16]


def redaction_key(key: bytes, *, tenant: str) -> bytes:
    """Return the tenant's key of the hashes that redaction writes in place of findings.

    Derived, so that nodes and control plane need no secret more than they share, and none is stored or sent. What
    clients see of hashes tells nothing of those in envelopes: no span and no subject has what is hashed here.
    """
    return hmac.digest(key, f"{tenant}\0redaction-hash\0".encode(), "sha256")


def pseudonym(key: bytes, *, tenant: str, subject: str) -> str:
    """Return the keyed pseudonym under which `subject` (`user:alice`) of `tenant` stands in envelopes."""
    return "p1:" + hmac.digest(key, f"{tenant}\0{subject}".encode(), "sha256").hex()[:32]
