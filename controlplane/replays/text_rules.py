# SPDX-License-Identifier: Apache-2.0
"""Would what a request says be refused? Where other rules look at it, nobody can tell without the text.

Facts: screening and prompts policies are asked last, and only of what everything else allows. So a request that was
allowed was allowed by the rules that looked at it then, and by no others.
"""

from controlplane.replays.comparison import Judged
from policies.contracts.codec import digest
from policies.contracts.decision import Effect, Mode
from policies.contracts.members import plain
from policies.contracts.request import EvaluationRequest
from policies.contracts.screening import ScreenEffect
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.groups import selectors_of
from policies.engines.per_snapshot import per_snapshot
from policies.redaction.selection import Selecting, selects

TextRules = frozenset[str]
"""The digests of rules that may refuse a request for what it says."""


def text_rules_for(snapshot: PolicySnapshot, request: EvaluationRequest) -> TextRules:
    """Return the rules of enforcing policies that look at the texts of `request` and may refuse it."""
    looking = _refusing(snapshot)
    if not looking:
        return frozenset()
    subject = selectors_of(snapshot, request.subject)
    model = request.resource.id if request.resource.type == "model" else None
    return frozenset(
        name for name, rule in looking if selects(rule, operation=request.action, model=model, subject=subject)
    )


def may_refuse_texts(snapshot: PolicySnapshot) -> bool:
    """Return whether any request can be refused for what it says."""
    return bool(_refusing(snapshot))


def is_settled(
    was: Judged, now: Judged, *, was_rules: TextRules | None, now_rules: TextRules, is_on_record: bool
) -> bool:
    """Return whether texts make no difference to what changed. `was_rules` is None where nobody knows them.

    `is_on_record`: `was` says what became of the request, its texts included.
    """
    if now.effect is Effect.ALLOW and now_rules:
        return was.effect is Effect.ALLOW and was_rules == now_rules
    return is_on_record or was.effect is Effect.DENY or not was_rules


@per_snapshot
def _refusing(snapshot: PolicySnapshot) -> tuple[tuple[str, Selecting], ...]:
    """Return the rules that may refuse with what tells them apart: themselves, and of prompts all that goes with one.

    Of a prompts policy the first rule that selects a request counts, so that its other rules belong to each.
    """
    prompts = [
        (digest({**plain(policy), "version": ""}), rule)
        for policy in snapshot.prompts
        if policy.mode is Mode.ENFORCE
        for rule in policy.rules
    ]
    screening = [
        (digest([policy.id, plain(rule)]), rule)
        for policy in snapshot.screening
        if policy.mode is Mode.ENFORCE
        for rule in policy.rules
        if rule.effect is ScreenEffect.DENY
    ]
    return (*prompts, *screening)
