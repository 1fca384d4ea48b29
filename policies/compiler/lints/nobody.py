# SPDX-License-Identifier: Apache-2.0
"""A grant, or a rule, that nobody has: each of its groups is empty."""

from collections.abc import Iterator

from policies.compiler.lints.lint import Lint, Linted, named, rules_for_texts
from policies.contracts.snapshot import PolicySnapshot

CODE = "nobody-has-it"


def nobody(linted: Linted) -> Iterator[Lint]:
    """Give what is for members of empty groups only."""
    for policy, pointer, what, subjects in _selected(linted.snapshot):
        if linted.nobody(subjects):
            message = f"{what} is for nobody: {named(subjects)} has no members."
            fix = "Give the group members, or remove it."
            yield Lint(code=CODE, policy=policy, pointer=pointer, message=message, fix=fix)


def _selected(snapshot: PolicySnapshot) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Give all that selects subjects: its policy, where that stands, what it is called, and the subjects."""
    for access in snapshot.access:
        for number, grant in enumerate(access.grants):
            yield access.id, f"/spec/grants/{number}/subjects", f"The grant {grant.id!r}", grant.subjects
    for limit in snapshot.limits:
        yield limit.id, "/spec/subjects", "The limit", limit.subjects
    for redaction in snapshot.redactions:
        yield redaction.id, "/spec/subjects", "The policy", redaction.subjects
        for number, rule in enumerate(redaction.rules):
            yield redaction.id, f"/spec/rules/{number}/subjects", f"The rule {rule.id!r}", rule.subjects
    for tools in snapshot.tools:
        for number, of_tools in enumerate(tools.rules):
            yield tools.id, f"/spec/rules/{number}/subjects", f"The rule {of_tools.id!r}", of_tools.subjects
    for policy, pointer, what, of_texts in rules_for_texts(snapshot):
        yield policy, f"{pointer}/subjects", what, of_texts.subjects
    for logging in snapshot.logging:
        yield logging.id, "/spec/subjects", "The policy", logging.subjects
