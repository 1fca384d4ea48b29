# SPDX-License-Identifier: Apache-2.0
"""Count what the entries of a period say, one at a time and in bounded memory.

Rules: envelopes come from sources that may lie, so that a member of another type counts for nothing and stops nothing,
and of one thing at most `MOST_NAMES` names are told apart: what comes then counts as `(others)`.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from controlplane.audit.completeness import Completeness, CompletenessReport
from controlplane.exports.rows import EnvelopeReader
from policies.contracts.record import RecordKind, RecordOutcome

MOST_NAMES: Final = 500
OTHERS: Final = "(others)"
_DAY: Final = slice(0, 10)
_LONGEST_NAME: Final = 200


@dataclass(slots=True)
class DayTally:
    """The requests that ended on one day."""

    requests: int = 0
    denied: int = 0
    failed: int = 0
    redacted: int = 0
    cut: int = 0


@dataclass(slots=True)
class RevisionTally:
    """The requests that one snapshot decided, by the times their records name."""

    requests: int = 0
    first_at: str = ""
    last_at: str = ""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What the entries of one environment come to. Call `add` for each entry of the range, in order."""

    environment: str
    from_first: bool
    to_last: bool
    entries: int = 0
    dropped: int = 0
    payloads: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    detectors: Counter[str] = field(default_factory=Counter)
    policies: Counter[str] = field(default_factory=Counter)
    would_have: int = 0
    days: dict[str, DayTally] = field(default_factory=dict)
    revisions: dict[str, RevisionTally] = field(default_factory=dict)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    _completeness: Completeness = field(init=False)

    def __post_init__(self) -> None:
        self._completeness = Completeness(from_first=self.from_first, to_last=self.to_last)

    def add(self, index: int, envelope: bytes | None, *, has_payload: bool) -> None:
        self.entries += 1
        self.payloads += has_payload
        if envelope is None:
            self.dropped += 1
            self._completeness.drop(index)
            return
        members = json.loads(envelope)
        self._completeness.add(members)
        read = EnvelopeReader(members)
        kind = read.text("kind") or OTHERS
        _count(self.kinds, kind)
        if kind in {"gap", "loss"}:
            self._gap(index, kind, read)
        if read.text("environment") != self.environment:
            return
        if kind == RecordKind.TERMINAL:
            self._request(read)

    def completeness(self) -> CompletenessReport:
        """Judge what was read. To be asked once, at the end."""
        return self._completeness.report()

    def _request(self, read: EnvelopeReader) -> None:
        outcome, verdict, at = read.text("outcome") or OTHERS, read.text("verdict") or OTHERS, read.text("time") or ""
        _count(self.outcomes, outcome)
        _count(self.verdicts, verdict)
        day = self._day(at[_DAY])
        day.requests += 1
        day.denied += outcome == RecordOutcome.DENY
        day.failed += outcome == RecordOutcome.ERROR_DENY
        day.redacted += verdict == "redacted"
        day.cut += verdict == "cut"
        self.would_have += read.text("would_have") == "deny"
        codes = [reason.text("code") for reason in read.each("reasons")]
        _count_all(self.failures if outcome == RecordOutcome.ERROR_DENY else self.reasons, codes)
        _count_all(self.policies, {one.text("policy") for one in read.each("reasons")})
        _count(self.actions, read.text("action") or "(none)")
        if read.text("resource", "type") == "model":
            _count(self.models, read.text("resource", "id") or "(none)")
        for finding in read.each("findings"):
            _count(self.detectors, finding.text("detector") or OTHERS, finding.number("count") or 0)
        self._revision(read.text("revision") or "(none was asked)", at)

    def _day(self, day: str) -> DayTally:
        if day not in self.days and len(self.days) >= MOST_NAMES:
            day = OTHERS
        return self.days.setdefault(day, DayTally())

    def _revision(self, revision: str, at: str) -> None:
        if revision not in self.revisions and len(self.revisions) >= MOST_NAMES:
            revision = OTHERS
        seen = self.revisions.setdefault(revision, RevisionTally())
        seen.requests += 1
        seen.first_at = min(seen.first_at or at, at)
        seen.last_at = max(seen.last_at, at)

    def _gap(self, index: int, kind: str, read: EnvelopeReader) -> None:
        if len(self.gaps) < MOST_NAMES:
            told = read.envelope.get(kind) if isinstance(read.envelope, dict) else None
            self.gaps.append({"log_index": index, "kind": kind, "time": read.text("time"), "told": told})


def _count_all(counter: Counter[str], names: Iterable[str | None]) -> None:
    for name in names:
        if name:
            _count(counter, name)


def _count(counter: Counter[str], name: str, by: int = 1) -> None:
    name = name[:_LONGEST_NAME]
    counter[name if name in counter or len(counter) < MOST_NAMES else OTHERS] += by
