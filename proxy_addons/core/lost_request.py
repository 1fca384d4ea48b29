# SPDX-License-Identifier: Apache-2.0
"""What is noted of a request while it is open, and the terminal record it gets where its worker died."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Final, Self

from policies.contracts.codec import JSON, canonical_bytes
from policies.contracts.record import DecisionRecord, RecordKind, RecordOutcome, Source, seal
from proxy_addons.core.exchange import Exchange
from proxy_addons.core.record_builder import METHODS, RecordScope, subject_of

WORKER_LOST: Final = "worker-lost"

_UNKNOWN: Final = "-"
_SUBJECTS: Final = 8192
# What makes an envelope long.
_LONG: Final = ("engines", "findings", "remarks", "obligations")


class Noting:
    """Writes what `LostRequest` reads: in three parts, as more becomes known."""

    def __init__(self, scope: RecordScope) -> None:
        self._scope = scope
        self._known: dict[tuple[object, ...], str] = {}

    def begun(self, exchange: Exchange, method: str) -> bytes:
        """Return the request's name, its time and method."""
        noted = method if method in METHODS else _UNKNOWN
        return f"{exchange.request_id} {int(exchange.received_at.timestamp() * 1e6)} {noted}".encode()

    def asked(self, exchange: Exchange) -> bytes:
        """Return who asks for what, as far as it is known."""
        credential, route = exchange.credential, exchange.route
        of = None if credential is None else (credential.subject.type, credential.subject.id, credential.key_id)
        key = (of, None if route is None else route.id)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _SUBJECTS:
                self._known.clear()
            known = self._known[key] = canonical_bytes(
                {
                    "subject": subject_of(exchange, self._scope),
                    "action": None if route is None else route.operation,
                    "route": None if route is None else route.id,
                }
            ).decode()
        return f"{exchange.trace_id or _UNKNOWN} {known}".encode()

    def decided(self, exchange: Exchange) -> bytes:
        """Return by what it was decided, and about which resource."""
        policy, decision, resource = exchange.policy, exchange.decision, exchange.resource
        if policy is None or decision is None or resource is None:
            return b""
        stream = exchange.evaluation is not None and exchange.evaluation.facts.stream
        return (
            f'{{"serial":{policy.serial},"revision":"{decision.revision}","stream":{"true" if stream else "false"}'
            f',"resource":{{"type":{quoted(resource.type)},"id":{quoted(resource.id)}}}}}'
        ).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class LostRequest:
    """A request without a terminal record. `admission` is the envelope of its admission record, where it has one."""

    request_id: str
    begun_at: datetime
    method: str | None = None
    trace_id: str | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    decided: Mapping[str, Any] = field(default_factory=dict)
    admitted: bool = False
    admission: Mapping[str, Any] | None = None

    @classmethod
    def noted(cls, begun: bytes, asked: bytes, decided: bytes, *, admitted: bool) -> Self:
        """Return what `Noting` noted. Raises ValueError for anything else."""
        request_id, unix_us, method = begun.decode().split(" ")
        trace_id, _, known = asked.decode().partition(" ")
        return cls(
            request_id=request_id,
            begun_at=datetime.fromtimestamp(int(unix_us) / 1e6, UTC),
            method=None if method == _UNKNOWN else method,
            trace_id=None if trace_id in {"", _UNKNOWN} else trace_id,
            asked=json.loads(known) if known else {},
            decided=json.loads(decided) if decided else {},
            admitted=admitted,
        )

    @classmethod
    def of_admission(cls, envelope: Mapping[str, Any]) -> Self:
        """Return the request of an admission record that has no terminal one. Raises ValueError, KeyError."""
        return cls(
            request_id=envelope["request_id"],
            begun_at=datetime.fromisoformat(envelope["time"]),
            admitted=True,
            admission=envelope,
        )

    def record(self, *, scope: RecordScope, source: Source, record_id: str, salt: str, at: datetime) -> DecisionRecord:
        """Return the terminal record that says that its worker was lost."""
        noted = self._of_admission(self.admission) if self.admission is not None else self._of_notes()
        open_us = max(0, int((at - self.begun_at).total_seconds() * 1_000_000))
        said: dict[str, JSON] = {
            "kind": RecordKind.TERMINAL,
            "tenant": scope.tenant,
            "environment": scope.environment,
            "request_id": self.request_id,
            "time": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "record_id": record_id,
            "source": {"id": source.id, "boot_id": source.boot_id, "seq": source.seq},
            "outcome": RecordOutcome.ERROR_DENY,
            "verdict": "cut" if self.admitted else "blocked",
            "reasons": [{"code": WORKER_LOST, "policy": "", "rule": ""}],
            "latency_us": {**noted["latency_us"], "total": open_us},  # until it was found at the latest
        }
        payload: dict[str, JSON] = {"subject": None, "input": {}, "client_request_id": None}
        with suppress(ValueError):
            return seal(noted | said, payload, salt=salt)
        # The admission record's envelope had just room for itself.
        return seal(noted | said | {name: [] for name in _LONG}, payload, salt=salt)

    def _of_admission(self, admission: Mapping[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in admission.items() if name not in {"schema", "payload_digest", "content"}}
        owed = [{**each, "status": "partial"} for each in admission.get("obligations", ())]
        return kept | {"obligations": owed}

    def _of_notes(self) -> dict[str, Any]:
        """Return what was noted. What nobody knows any more is null, zero or nothing."""
        asked, decided = self.asked, self.decided
        return {
            "trace_id": self.trace_id,
            "subject": asked.get("subject"),
            "action": asked.get("action"),
            "resource": decided.get("resource"),
            "http": {
                "method": self.method,
                "route": asked.get("route"),
                "status": None,
                "bytes_in": 0,
                "bytes_out": 0,
                "stream": decided.get("stream", False),
            },
            "revision": decided.get("revision"),
            "serial": decided.get("serial"),
            "engines": [],
            "would_have": None,
            "obligations": [],
            "findings": [],
            "remarks": [],
            "remarks_omitted": 0,
            "coverage": {"scanned": [], "not_scanned": [], "stripped": 0, "by": []},
            "latency_us": {"total": 0, "decide": None, "upstream": None},
        }
