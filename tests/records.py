# SPDX-License-Identifier: Apache-2.0
"""Decision records as a proxy sends them."""

from collections.abc import Mapping
from datetime import UTC, datetime

from policies.contracts.codec import JSON
from policies.contracts.record import DecisionRecord, pseudonym, seal

PSEUDONYM_KEY = b"q" * 32
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def make_record(
    *,
    seq: int = 1,
    request_id: str | None = None,
    kind: str = "terminal",
    subject: str = "user:alice",
    outcome: str = "allow",
    reasons: tuple[tuple[str, str], ...] = (),
    model: str = "parrot",
    boot_id: str = "b0",
    time: str = "2026-11-20T18:00:00.123456Z",
    payload: Mapping[str, JSON] | None = None,
    **members: JSON,
) -> DecisionRecord:
    """Return a record as `docs/spec/decision-record.md` describes it."""
    type_, _, name = subject.partition(":")
    envelope: Mapping[str, JSON] = {
        "record_id": f"rec_{boot_id}_{seq}",
        "kind": kind,
        "tenant": "default",
        "environment": "production",
        "source": {"id": "node-1/w0", "boot_id": boot_id, "seq": seq},
        "time": time,
        "request_id": request_id or f"req_{boot_id}_{seq}",
        "trace_id": None,
        "subject": {
            "pseudonym": pseudonym(PSEUDONYM_KEY, tenant="default", subject=subject),
            "type": type_,
            "key_id": "01J",
        },
        "action": "chat.completions",
        "resource": {"type": "model", "id": model},
        "http": {"method": "POST", "route": "chat", "status": 200, "bytes_in": 1, "bytes_out": 1, "stream": False},
        "revision": "sha256:" + "9f" * 32,
        "serial": 7,
        "engines": [
            {
                "engine": "casbin",
                "duration_us": 14,
                "provenance": None,
                "answers": [{"policy": "chat-access", "mode": "enforce", "outcome": "allow", "reasons": []}],
            },
        ],
        "outcome": outcome,
        "verdict": None if kind == "admission" else ("forwarded" if outcome == "allow" else "blocked"),
        "reasons": [{"code": code, "policy": policy, "rule": ""} for code, policy in reasons],
        "would_have": None,
        "obligations": [],
        "findings": [],
        "coverage": {"scanned": [], "not_scanned": []},
        "latency_us": {"total": 1, "decide": 1, "upstream": 1},
        **members,
    }
    return seal(envelope, {"subject": {"type": type_, "id": name}, "input": {}, **(payload or {})}, salt="5a" * 16)
