# SPDX-License-Identifier: Apache-2.0
"""Decision records as proxies ship them, in any number: what the benchmarks of the log are fed with.

Subjects, models, outcomes, reasons, rules and latencies are drawn with the skew of a busy service (a few of each make
most of it), and four worker slots number their records as the proxy does. The same `seed` gives the same records.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final

import orjson
from ulid import ULID

from policies.contracts.record import pseudonym
from tests.records import PSEUDONYM_KEY

BATCH: Final = 1000
SUBJECTS: Final = 10_000
MODELS: Final = ("parrot", "llama-3-70b", "qwen-3-32b", "mixtral-8x22b", "gpt-oss-120b")
_SLOTS: Final = 4
_POLICIES: Final = ("chat-access", "answer-redaction", "caps", "prompt-guard")
_REASONS: Final = (
    ("access-denied", "chat-access"),
    ("model-not-permitted", "chat-access"),
    ("guard-denied", "caps"),
    ("rate-limited", "limits"),
    ("upstream-timeout", ""),
)
_DETECTORS: Final = ("payment-card", "email", "iban", "us-ssn", "aws-access-key")
_SORTED: Final = orjson.OPT_SORT_KEYS


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines of one request, and when it arrives. `proxies` count from 1 for each slot."""

    at: datetime
    lines: bytes


class Shipments:
    """An endless row of batches. `step` is the time between two records."""

    def __init__(self, *, start: datetime, step: timedelta, seed: int = 1) -> None:
        self._random = random.Random(seed)  # a benchmark wants the same records again
        self._at = start
        self._step = step
        self._seqs = [0] * _SLOTS
        names = [f"user:u{number}" for number in range(SUBJECTS)]
        self._subjects = [(name, pseudonym(PSEUDONYM_KEY, tenant="default", subject=name)) for name in names]
        # Zipf's law, near enough: the n-th has 1/n of the first one's share.
        self._subject_weights = list(accumulate(1 / number for number in range(1, SUBJECTS + 1)))
        self._model_weights = list(accumulate((60, 20, 10, 7, 3)))
        self._boot = f"{self._random.getrandbits(128):032x}"

    def __iter__(self) -> Iterator[Batch]:
        slot = 0
        while True:
            lines = [self._line(slot) for _ in range(BATCH)]
            slot = (slot + 1) % _SLOTS
            yield Batch(self._at, b"".join(lines))

    def _line(self, slot: int) -> bytes:
        self._at += self._step
        self._seqs[slot] += 1
        drawn = self._random.random()
        outcome = "allow" if drawn < 0.9 else "deny" if drawn < 0.99 else "error_deny"
        redacted = outcome == "allow" and drawn < 0.08
        (name, subject), *_ = self._random.choices(self._subjects, cum_weights=self._subject_weights)
        model, *_ = self._random.choices(MODELS, cum_weights=self._model_weights)
        payload = orjson.dumps(
            {
                "client_request_id": None,
                "input": {"model": model, "operation": "chat.completions", "request": {"max_tokens": 512}},
                "salt": f"{self._random.getrandbits(128):032x}",
                "subject": {"id": name[5:], "type": "user"},
            },
            option=_SORTED,
        )
        envelope = orjson.dumps(
            self._envelope(slot, outcome, subject, model, redacted=redacted)
            | {"payload_digest": "sha256:" + hashlib.sha256(payload).hexdigest()},
            option=_SORTED,
        )
        line = {"envelope": envelope.decode(), "payload": payload.decode()}
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def _envelope(self, slot: int, outcome: str, subject: str, model: str, *, redacted: bool) -> dict[str, object]:
        reason = None if outcome == "allow" else self._random.choice(_REASONS)
        detector = self._random.choice(_DETECTORS)
        total_us = int(self._random.lognormvariate(12.5, 1.1))
        time = self._at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        rule = {"policy": "answer-redaction", "rule": detector, "detector": detector, "action": "replace"}
        return {
            "schema": "gatehouse.decision/1",
            "record_id": f"dec_{ULID.from_datetime(self._at)}",
            "request_id": f"req_{ULID.from_datetime(self._at)}",
            "kind": "terminal",
            "tenant": "default",
            "environment": "production",
            "source": {"id": f"node-1/w{slot}", "boot_id": self._boot, "seq": self._seqs[slot]},
            "time": time,
            "trace_id": f"{self._random.getrandbits(128):032x}",
            "subject": {"pseudonym": subject, "type": "user", "credential": "api-key", "key_id": "01J"},
            "action": "chat.completions",
            "resource": {"type": "model", "id": model},
            "http": {
                "method": "POST",
                "route": "chat",
                "status": 200 if reason is None else 403,
                "bytes_in": self._random.randrange(200, 4000),
                "bytes_out": self._random.randrange(200, 8000),
                "stream": False,
            },
            "revision": "sha256:" + "9f" * 32,
            "serial": 7,
            "engines": [
                {
                    "engine": engine,
                    "duration_us": 14,
                    "omitted": 0,
                    "provenance": None,
                    "reused": False,
                    "answers": [{"policy": policy, "mode": "enforce", "outcome": "allow", "reasons": []}],
                }
                for engine, policy in (("casbin", _POLICIES[0]), ("opa", _POLICIES[2]))
            ],
            "outcome": outcome,
            "verdict": "redacted" if redacted else "forwarded" if outcome == "allow" else "blocked",
            "reasons": [] if reason is None else [{"code": reason[0], "policy": reason[1], "rule": "r1"}],
            "would_have": None,
            "obligations": [{"type": "redact", "policy": "answer-redaction", "status": "done"}],
            "findings": [{**rule, "count": 1}] if redacted else [],
            "remarks": [
                {**rule, "kind": "X", "path": "choices.*.message.content", "length": 19, "span_hash": "s1:" + "9b" * 8}
            ]
            if redacted
            else [],
            "remarks_omitted": 0,
            "coverage": {
                "scanned": ["choices.*.message.content"],
                "not_scanned": [{"path": "request", "reason": "no-rule"}],
                "stripped": 0,
                "by": [{"rules": ["answer-redaction/card"], "paths": ["choices.*.message.content"]}],
            },
            "latency_us": {"total": total_us, "decide": 690, "upstream": total_us - 800 if total_us > 800 else None},
        }
