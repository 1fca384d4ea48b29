# SPDX-License-Identifier: Apache-2.0
"""The tests of documents in the form in which they are tried, and in which a snapshot takes some of them along."""

from collections.abc import Iterable, Iterator

from policies.contracts.canaries import LONGEST_TEXT, MOST_CANARIES, Canary, TrialText
from policies.contracts.errors import Diagnostic
from policies.document.model import PolicyDocument, PolicyTest, TestsSpec


def names_of(document: PolicyDocument) -> str:
    """Return the id of the policy whose names the tests of `document` use."""
    return document.spec.policy if isinstance(document.spec, TestsSpec) else document.id


def trial_of(document: PolicyDocument, test: PolicyTest) -> Canary:
    """Return what `test`, one of `document`, asks and expects."""
    asked, expect, text = test.request, test.expect, test.text
    return Canary(
        policy=names_of(document),
        name=test.name,
        subject=asked.subject,
        operation=asked.operation,
        model=asked.model,
        facts=asked.facts,
        time=asked.at.isoformat(),
        effect=expect.effect,
        reasons=expect.reasons,
        text=None
        if text is None
        else TrialText(
            direction=text.direction,
            field=text.field,
            text=text.text,
            redacted=expect.redacted,
            blocked=expect.blocked,
            findings=expect.findings,
            screened=expect.screened,
            score_bp=text.score_bp,
        ),
    )


def canaries_of(documents: Iterable[PolicyDocument]) -> tuple[Canary, ...]:
    """Return the tests that go along with the snapshot, in the order of `documents`."""
    return tuple(trial_of(document, test) for document in documents for test in document.tests if test.canary)


def check_canaries(documents: Iterable[PolicyDocument]) -> Iterator[Diagnostic]:
    """Give what is wrong with the canaries of a release."""
    count = 0
    for document in documents:
        for number, test in enumerate(document.tests):
            if not test.canary:
                continue
            count += 1
            if count == MOST_CANARIES + 1:
                at = document.places.at(f"/tests/{number}/canary")
                message = f"The release has more than {MOST_CANARIES} canaries."
                fix = "Keep those that would show the worst mistakes."
                yield Diagnostic(code="too-many-canaries", at=at, message=message, fix=fix)
            if test.text is not None and len(test.text.text) > LONGEST_TEXT:
                at = document.places.at(f"/tests/{number}")
                message = f"The text of a canary has more than {LONGEST_TEXT} characters."
                fix = "Shorten it: each worker of each node tries it."
                yield Diagnostic(code="text-too-long", at=at, message=message, fix=fix)
            if test.expect.obligations is not None or test.calls:
                at = document.places.at(f"/tests/{number}/expect")
                message = "A canary expects nothing of obligations and calls: a node does not try them."
                fix = "Make it two tests, one of them a canary."
                yield Diagnostic(code="canary-not-repeatable", at=at, message=message, fix=fix)
