# SPDX-License-Identifier: Apache-2.0
"""Rules that contradict each other for some requests: what holds then is fixed, and easily forgotten."""

from collections.abc import Iterator, Mapping
from itertools import product

from policies.compiler.lints.lint import ANY, Lint, Linted
from policies.contracts.decision import Effect, Mode
from policies.contracts.snapshot import AccessPolicy, PolicySnapshot, RedactionPolicy, RedactionRule
from policies.engines.grants import rows_of

CODE = "overlapping"


def overlap(linted: Linted) -> Iterator[Lint]:
    """Give the denials of what a grant allows in the same words, and pairs of rules that act on one detector.

    An allow for a group beside a denial for all is how exceptions are written, and is not told.
    """
    yield from _grants(linted.snapshot)
    for redaction in linted.snapshot.redactions:
        yield from _redactions(redaction)


def _grants(snapshot: PolicySnapshot) -> Iterator[Lint]:
    allowed: dict[tuple[str, str, str], tuple[str, str]] = {}
    enforced = [access for access in snapshot.access if access.mode is Mode.ENFORCE]
    for access in enforced:
        for subject, resource, action, effect, grant in rows_of(access.grants):
            if effect == Effect.ALLOW:
                allowed.setdefault((subject, resource, action), (access.id, grant))
    for access in enforced:
        yield from _denials(access, allowed)


def _denials(access: AccessPolicy, allowed: Mapping[tuple[str, str, str], tuple[str, str]]) -> Iterator[Lint]:
    for number, grant in enumerate(access.grants):
        if grant.effect is not Effect.DENY:
            continue
        rows = ((subject, resource, action) for subject, resource, action, _, _ in rows_of((grant,)))
        policy, by = next((allowed[row] for row in rows if row in allowed), ("", ""))
        if policy:
            message = f"{grant.id!r} denies what {by!r} of {policy!r} allows in the same words: the denial holds."
            pointer, fix = f"/spec/grants/{number}", "Remove one of the two."
            yield Lint(code=CODE, policy=access.id, pointer=pointer, message=message, fix=fix)


def _redactions(policy: RedactionPolicy) -> Iterator[Lint]:
    for (number, rule), (other_number, other) in product(enumerate(policy.rules), repeat=2):
        if number > other_number and rule.action is not other.action and _meet(rule, other):
            both = sorted(set(rule.detectors) & set(other.detectors))
            message = f"{rule.id!r} and {other.id!r} both act on {both[0]!r}: the severer action is done."
            pointer, fix = f"/spec/rules/{number}/detectors", "Let one of them leave it out."
            yield Lint(code=CODE, policy=policy.id, pointer=pointer, message=message, fix=fix)


def _meet(one: RedactionRule, other: RedactionRule) -> bool:
    return (
        not set(one.detectors).isdisjoint(other.detectors)
        and not set(one.directions).isdisjoint(other.directions)
        and all(
            not a or not b or ANY in (*a, *b) or not set(a).isdisjoint(b)
            for a, b in (
                (one.fields, other.fields),
                (one.operations, other.operations),
                (one.models, other.models),
                (one.subjects, other.subjects),
            )
        )
    )
