# SPDX-License-Identifier: Apache-2.0
"""What a source says of itself (`docs/spec/decision-record.md`): that it began, lives, lost records, ended."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from policies.contracts.codec import JSON, canonical_bytes
from policies.contracts.record import SOURCE_SCHEMA, UNNUMBERED, DecisionRecord, Source, SourceKind
from proxy_addons.clients.losses import Loss

# Ranges of numbers in one loss record; its envelope stays far below its limit. More are told as one that covers them.
_MOST_RANGES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScope:
    """Whose source it is, its program's version, and the clock and the randomness of its own records."""

    id: str
    tenant: str
    environment: str
    version: str
    clock: Callable[[], datetime]
    new_id: Callable[[], str]


class SourceRecords:
    """Writes the records that `scope`, in the process `boot_id`, has of itself, each as a line of the spool."""

    def __init__(self, scope: SourceScope, boot_id: str) -> None:
        self.boot_id = boot_id
        self._scope = scope

    @property
    def unnumbered(self) -> Source:
        """The source of a record whose number is given when it is written."""
        return Source(id=self._scope.id, boot_id=self.boot_id, seq=UNNUMBERED)

    def now(self) -> datetime:
        return self._scope.clock()

    def start(self, seq: int, *, previous: Source | None) -> bytes:
        before: JSON = None if previous is None else {"boot_id": previous.boot_id, "seq": previous.seq}
        return self._line(SourceKind.START, seq, {"version": self._scope.version, "previous": before})

    def heartbeat(self, seq: int, *, written: int, lost: int) -> bytes:
        return self._line(SourceKind.HEARTBEAT, seq, {"written": written, "lost": lost})

    def stop(self, seq: int, *, written: int, lost: int) -> bytes:
        return self._line(SourceKind.STOP, seq, {"written": written, "lost": lost})

    def loss(self, seq: int, loss: Loss) -> bytes:
        numbers = [list(span) for span in loss.numbers]
        if len(numbers) > _MOST_RANGES:
            numbers[_MOST_RANGES - 1 :] = [[numbers[_MOST_RANGES - 1][0], numbers[-1][1]]]
        told: dict[str, JSON] = {
            "count": loss.count,
            "first_at": _time(loss.first_at),
            "last_at": _time(loss.last_at),
            "outcomes": dict(loss.outcomes),
            "why": {reason.value: count for reason, count in loss.why},
            "numbers": numbers or None,
        }
        return self._line(SourceKind.LOSS, seq, told)

    def _line(self, kind: SourceKind, seq: int, told: dict[str, JSON]) -> bytes:
        envelope: dict[str, JSON] = {
            "schema": SOURCE_SCHEMA,
            "kind": kind.value,
            "record_id": self._scope.new_id(),
            "tenant": self._scope.tenant,
            "environment": self._scope.environment,
            "source": {"id": self._scope.id, "boot_id": self.boot_id, "seq": seq},
            "time": _time(self._scope.clock()),
            "payload_digest": None,
        }
        return DecisionRecord(canonical_bytes(envelope | told), b"").to_line()


def source_of(line: bytes) -> Source | None:
    """Return whose record the spool's `line` is; None where it does not say."""
    try:
        source = json.loads(json.loads(line)["envelope"])["source"]
        return Source(id=str(source["id"]), boot_id=str(source["boot_id"]), seq=int(source["seq"]))
    except (ValueError, KeyError, TypeError):
        return None


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
