# SPDX-License-Identifier: Apache-2.0
"""Which rules may refuse a request for what it says: where nobody has its texts, nobody can tell whether they do.

Facts: screening and prompts policies are asked last, and only of what everything else allows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from policies.contracts.codec import digest
from policies.contracts.decision import Mode
from policies.contracts.members import plain
from policies.contracts.request import EvaluationRequest
from policies.contracts.screening import ClassifierRule, ScreenEffect, ScreeningPolicy, ScreeningRule
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.groups import selectors_of
from policies.engines.per_snapshot import per_snapshot
from policies.redaction.selection import Selecting, selects

TextRules = frozenset[str]
"""The digests of rules that may refuse a request for what it says."""


@dataclass(frozen=True, slots=True)
class NotJudged:
    """What would look at the texts of a request that was decided without them: kinds, and the policies' ids."""

    kinds: tuple[str, ...]
    policies: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looking:
    kind: str
    policy: str
    digest: str
    rule: Selecting


def text_rules_for(snapshot: PolicySnapshot, request: EvaluationRequest) -> TextRules:
    """Return the rules of enforcing policies that look at the texts of `request` and may refuse it."""
    return frozenset(each.digest for each in _for(snapshot, request))


def not_judged(snapshot: PolicySnapshot, request: EvaluationRequest) -> NotJudged:
    """Return what may still refuse `request`, or put something in front of it, once its texts are there."""
    found = list(_for(snapshot, request))
    kinds, policies = ({getattr(each, name) for each in found} for name in ("kind", "policy"))
    return NotJudged(tuple(sorted(kinds)), tuple(sorted(policies)))


def may_refuse_texts(snapshot: PolicySnapshot) -> bool:
    """Return whether any request can be refused for what it says."""
    return bool(_refusing(snapshot))


def _for(snapshot: PolicySnapshot, request: EvaluationRequest) -> Iterator[_Looking]:
    looking = _refusing(snapshot)
    if not looking:
        return
    subject = selectors_of(snapshot, request.subject)
    model = request.resource.id if request.resource.type == "model" else None
    for each in looking:
        if selects(each.rule, operation=request.action, model=model, subject=subject):
            yield each


@per_snapshot
def _refusing(snapshot: PolicySnapshot) -> tuple[_Looking, ...]:
    """Return the rules that may refuse with what tells them apart: themselves, and of prompts all that goes with one.

    Of a prompts policy the first rule that selects a request counts, so that its other rules belong to each.
    """
    prompts = [
        _Looking(kind="prompts", policy=policy.id, digest=digest({**plain(policy), "version": ""}), rule=rule)
        for policy in snapshot.prompts
        if policy.mode is Mode.ENFORCE
        for rule in policy.rules
    ]
    screening = [
        _Looking(kind="screening", policy=policy.id, digest=_digest(policy, rule), rule=rule)
        for policy in snapshot.screening
        if policy.mode is Mode.ENFORCE
        for rule in policy.every_rule
        if rule.effect is ScreenEffect.DENY
    ]
    return (*prompts, *screening)


def _digest(policy: ScreeningPolicy, rule: ScreeningRule | ClassifierRule) -> str:
    """Return the digest of a rule; to one for the classifier belongs what its silence means."""
    return digest([policy.id, plain(rule), *([plain(policy.ask)] if isinstance(rule, ClassifierRule) else [])])
