# SPDX-License-Identifier: Apache-2.0
"""Which recording terms hold for a request, and where logging policies of one snapshot contradict each other."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from policies.contracts.recording import USUAL_TERMS, LoggingPolicy, RecordingTerms, united
from policies.contracts.request import Subject
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.groups import selectors_of
from policies.engines.per_snapshot import per_snapshot

_ANY: Final = "*"
_MOST_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Two policies that mean the same requests and differ in `member`: what `loser` says of it holds nowhere."""

    member: str
    loser: str
    winner: str


def recording_terms(
    snapshot: PolicySnapshot, *, subject: Subject | None, operation: str | None, model: str | None
) -> RecordingTerms:
    """Return what holds for a request. What is not known of it is None, and no policy that asks for it selects it.

    So a request that is refused before anybody knows who asks is under the policies without selectors alone.
    """
    if not snapshot.logging:
        return USUAL_TERMS
    remembered, key = _terms(snapshot), (subject, operation, model)
    known = remembered.get(key)
    if known is None:
        if len(remembered) >= _MOST_REMEMBERED:
            remembered.clear()
        selectors = () if subject is None else selectors_of(snapshot, subject)
        known = remembered[key] = united(
            policy
            for policy in snapshot.logging
            if is_for(policy, selectors=selectors, operation=operation, model=model)
        )
    return known


def is_for(policy: LoggingPolicy, *, selectors: Collection[str], operation: str | None, model: str | None) -> bool:
    """Tell whether a policy is for a request of a subject whom `selectors` mean."""
    return (
        _lists(policy.operations, operation)
        and _lists(policy.models, model)
        and (not policy.subjects or not set(policy.subjects).isdisjoint(selectors))
    )


def contradictions(policies: Sequence[LoggingPolicy]) -> Iterator[Contradiction]:
    """Give each pair of policies with the same selectors that say different things about one member."""
    for one, other in combinations(policies, 2):
        if _selectors(one) != _selectors(other):
            continue
        together = united((one, other))
        for member in ("records", "prompts", "answers", "max_bytes"):
            first, second = getattr(one, member), getattr(other, member)
            if first is not None and second is not None and first != second:
                loser, winner = (other, one) if first == getattr(together, member) else (one, other)
                yield Contradiction(member=member, loser=loser.id, winner=winner.id)


@per_snapshot
def _terms(_: PolicySnapshot) -> dict[tuple[Subject | None, str | None, str | None], RecordingTerms]:
    return {}


def _lists(listed: Sequence[str], value: str | None) -> bool:
    return not listed or (value is not None and (value in listed or _ANY in listed))


def _selectors(policy: LoggingPolicy) -> tuple[frozenset[str], ...]:
    # A list with `*` selects what an empty one does.
    return tuple(
        frozenset(() if _ANY in listed else listed) for listed in (policy.operations, policy.models, policy.subjects)
    )
