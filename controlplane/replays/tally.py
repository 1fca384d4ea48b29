# SPDX-License-Identifier: Apache-2.0
"""Count what a replay finds, in memory that does not grow with the log.

Rules: whose requests they are is told by pseudonyms only, as records have them. Of each list of counts at most `KEPT`
values are told apart, and the most frequent are shown; what is left out is counted beside them. Examples are the first
of the log, so that the same question gives the same ones.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from controlplane.replays.comparison import Change, Judged
from policies.contracts.codec import JSON

KEPT: Final = 10_000
_SHOWN: Final = 20
_LONGEST: Final = 256


@dataclass(slots=True)
class Counts:
    """How often each value came. Values that come once there are KEPT others are counted together."""

    by_value: Counter[str] = field(default_factory=Counter)
    others: int = 0

    def add(self, value: str | None) -> None:
        value = "" if value is None else value[:_LONGEST]
        if value in self.by_value or len(self.by_value) < KEPT:
            self.by_value[value] += 1
        else:
            self.others += 1

    def to_json(self, name: str) -> dict[str, JSON]:
        """Return the most frequent values, most first, equal ones by name."""
        ranked = sorted(self.by_value.items(), key=lambda item: (-item[1], item[0]))
        left = ranked[_SHOWN:]
        return {
            "distinct": len(ranked),
            "distinct_is_exact": self.others == 0,
            "top": [{name: value or None, "count": count} for value, count in ranked[:_SHOWN]],
            "omitted": sum(count for _, count in left) + self.others,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is told of one request, whatever became of it."""

    request_id: str
    log_index: int
    time: str | None
    pseudonym: str | None
    action: str | None
    model: str | None

    @classmethod
    def of(cls, request_id: str, log_index: int, envelope: Mapping[str, Any]) -> "Seen":
        subject, resource = envelope.get("subject"), envelope.get("resource")
        is_model = isinstance(resource, dict) and resource.get("type") == "model"
        return cls(
            request_id=request_id,
            log_index=log_index,
            time=_text(envelope.get("time")),
            pseudonym=_text(subject.get("pseudonym")) if isinstance(subject, dict) else None,
            action=_text(envelope.get("action")),
            model=_text(resource.get("id")) if is_model and isinstance(resource, dict) else None,
        )

    def to_json(self) -> dict[str, JSON]:
        return {
            "request_id": self.request_id,
            "log_index": self.log_index,
            "time": self.time,
            "subject": self.pseudonym,
            "action": self.action,
            "model": self.model,
        }


@dataclass(slots=True)
class Changed:
    """The requests of which one thing changed."""

    most_examples: int
    count: int = 0
    reasons: Counts = field(default_factory=Counts)
    policies: Counts = field(default_factory=Counts)
    subjects: Counts = field(default_factory=Counts)
    models: Counts = field(default_factory=Counts)
    examples: list[dict[str, JSON]] = field(default_factory=list)

    def add(self, seen: Seen, was: Judged, now: Judged, *, deciding: Iterable[tuple[str, str]]) -> None:
        """Count a request. `deciding` are code and policy of each reason that makes the difference."""
        self.count += 1
        self.subjects.add(seen.pseudonym)
        self.models.add(seen.model)
        told = set(deciding)
        for code in {code for code, _ in told}:
            self.reasons.add(code)
        for policy in {policy for _, policy in told}:
            self.policies.add(policy)
        if len(self.examples) < self.most_examples:
            self.examples.append({**seen.to_json(), "was": _shown(was), "now": _shown(now)})

    def to_json(self) -> dict[str, JSON]:
        return {
            "count": self.count,
            "by_reason": self.reasons.to_json("reason"),
            "by_policy": self.policies.to_json("policy"),
            "by_subject": self.subjects.to_json("subject"),
            "by_model": self.models.to_json("model"),
            "examples": list(self.examples),
        }


@dataclass(slots=True)
class LeftOut:
    """The requests of which something cannot be said for one cause. `codes` are the reasons their records have."""

    most_examples: int
    count: int = 0
    codes: Counts = field(default_factory=Counts)
    examples: list[str] = field(default_factory=list)

    def add(self, request_id: str, codes: Iterable[str]) -> None:
        self.count += 1
        for code in set(codes):
            self.codes.add(code)
        if len(self.examples) < self.most_examples:
            self.examples.append(request_id)

    def to_json(self) -> dict[str, JSON]:
        return {"count": self.count, "by_reason": self.codes.to_json("reason"), "examples": list(self.examples)}


@dataclass(slots=True, kw_only=True)
class Tally:
    """All that a replay counts."""

    most_examples: int
    decisions: int = 0
    compared: int = 0
    unchanged: int = 0
    under_rates: int = 0
    would_refuse: int = 0
    changes: dict[Change, Changed] = field(init=False)
    left_out: dict[str, LeftOut] = field(default_factory=dict)
    redaction_left_out: dict[str, LeftOut] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.changes = {change: Changed(self.most_examples) for change in Change}

    def leave_out(self, cause: str, request_id: str, codes: Iterable[str] = ()) -> None:
        """Count a request of whose decision nothing can be said."""
        _of(self.left_out, cause, self.most_examples).add(request_id, codes)

    def leave_redaction_out(self, cause: str, request_id: str) -> None:
        """Count a request of whose redaction nothing can be said."""
        _of(self.redaction_left_out, cause, self.most_examples).add(request_id, ())


def _of(causes: dict[str, LeftOut], cause: str, most_examples: int) -> LeftOut:
    found = causes.get(cause)
    if found is None:
        found = causes[cause] = LeftOut(most_examples)
    return found


def _shown(judged: Judged) -> dict[str, JSON]:
    return {
        "effect": judged.effect.value,
        "reasons": [
            {"code": code, "policy": policy or None, "rule": rule or None} for code, policy, rule in judged.reasons
        ],
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
