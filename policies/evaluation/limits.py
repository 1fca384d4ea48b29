# SPDX-License-Identifier: Apache-2.0
"""Which limits hold for a subject. Every limit that applies holds, so the smallest body limit is the one in force."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policies.contracts.decision import Mode
from policies.contracts.request import Subject
from policies.contracts.snapshot import LimitPolicy, PolicySnapshot, Rate
from policies.engines.groups import selectors_of
from policies.engines.per_snapshot import per_snapshot

# The most a policy can state (`docs/spec/policy-document.md`), and so what holds where none states anything.
LARGEST_BODY_BYTES: Final = 67_108_864
_MOST_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedRate:
    """A rate that holds for a subject, by the policy that states it."""

    policy: str
    mode: Mode
    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """Limits by subject selector: `user:alice`, `group:staff` or `*`."""

    body_bytes: Mapping[str, int]
    rates: Mapping[str, tuple[AppliedRate, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """Limits that hold for one subject."""

    body_bytes: int
    rates: tuple[AppliedRate, ...]


def body_limit(snapshot: PolicySnapshot, subject: Subject, *, ceiling: int = LARGEST_BODY_BYTES) -> int:
    """Return how many bytes a request body of `subject` may have: at most `ceiling`.

    Only policies in mode `enforce` count: a size is refused before there is a decision to record the others in.
    """
    return min(ceiling, _held(snapshot, subject).body_bytes)


def rates_for(snapshot: PolicySnapshot, subject: Subject) -> tuple[AppliedRate, ...]:
    """Return every rate that holds for `subject`, in every mode: those that are enforced first, then by policy.

    A subject that asks again is given the same tuple.
    """
    return _held(snapshot, subject).rates


def _held(snapshot: PolicySnapshot, subject: Subject) -> _Held:
    remembered = _held_by_subject(snapshot)
    known = remembered.get(subject)
    if known is None:
        if len(remembered) >= _MOST_REMEMBERED:
            remembered.clear()
        known = remembered[subject] = _find(snapshot, subject)
    return known


def _find(snapshot: PolicySnapshot, subject: Subject) -> _Held:
    stated, selectors = _limits(snapshot), selectors_of(snapshot, subject)
    held = {rate.policy: rate for selector in selectors for rate in stated.rates.get(selector, ())}
    return _Held(
        body_bytes=min(stated.body_bytes.get(selector, LARGEST_BODY_BYTES) for selector in selectors),
        rates=tuple(sorted(held.values(), key=lambda applied: (applied.mode is not Mode.ENFORCE, applied.policy))),
    )


@per_snapshot
def _held_by_subject(_: PolicySnapshot) -> dict[Subject, _Held]:
    return {}


@per_snapshot
def _limits(snapshot: PolicySnapshot) -> _Limits:
    body_bytes: dict[str, int] = {}
    rates: dict[str, tuple[AppliedRate, ...]] = {}
    for policy in snapshot.limits:
        for selector in policy.subjects:
            if policy.max_body_bytes is not None and policy.mode is Mode.ENFORCE:
                body_bytes[selector] = min(policy.max_body_bytes, body_bytes.get(selector, policy.max_body_bytes))
            if policy.rate is not None:
                rates[selector] = (*rates.get(selector, ()), _applied(policy, policy.rate))
    return _Limits(body_bytes=body_bytes, rates=rates)


def _applied(policy: LimitPolicy, rate: Rate) -> AppliedRate:
    return AppliedRate(policy=policy.id, mode=policy.mode, rate=rate)
