# SPDX-License-Identifier: Apache-2.0
"""A rule that no request can ever match: it stands there, and its author believes in it."""

from collections.abc import Iterator, Sequence

from policies.compiler.lints.lint import ANY, Lint, Linted, named, rules_for_texts
from policies.contracts.snapshot import Grant, PolicySnapshot, RedactionPolicy, RedactionRule
from policies.contracts.upstreams import UpstreamRule

CODE = "never-matches"


def never_matches(linted: Linted) -> Iterator[Lint]:
    """Give the rules whose selectors no request meets."""
    for access in linted.snapshot.access:
        for number, grant in enumerate(access.grants):
            if why := _grant(grant, linted):
                yield _lint(access.id, f"/spec/grants/{number}", f"The grant {grant.id!r}", why)
    for redaction in linted.snapshot.redactions:
        for number, rule in enumerate(redaction.rules):
            if why := _apart(redaction, rule):
                yield _lint(redaction.id, f"/spec/rules/{number}", f"The rule {rule.id!r}", why)
    yield from _upstreams(linted)
    for policy, pointer, what, operations in _selected(linted.snapshot):
        if linted.unrouted(operations):
            yield _lint(policy, pointer, what, _no_route(operations))


def _upstreams(linted: Linted) -> Iterator[Lint]:
    for upstreams in linted.snapshot.upstreams:
        for number, entry in enumerate(upstreams.upstreams):
            if why := _entry(entry, linted):
                yield _lint(upstreams.id, f"/spec/upstreams/{number}", f"The entry {entry.name!r}", why)


def _selected(snapshot: PolicySnapshot) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Give what selects operations beside grants: its policy, where that stands, what it is called, the operations."""
    for redaction in snapshot.redactions:
        yield redaction.id, "/spec/operations", "The policy", redaction.operations
        for number, rule in enumerate(redaction.rules):
            yield redaction.id, f"/spec/rules/{number}", f"The rule {rule.id!r}", rule.operations
    for tools in snapshot.tools:
        for number, of_tools in enumerate(tools.rules):
            yield tools.id, f"/spec/rules/{number}", f"The rule {of_tools.id!r}", of_tools.operations
    for policy, pointer, what, of_texts in rules_for_texts(snapshot):
        yield policy, pointer, what, of_texts.operations
    for logging in snapshot.logging:
        yield logging.id, "/spec/operations", "The policy", logging.operations


def _grant(grant: Grant, linted: Linted) -> str:
    if linted.unrouted(grant.operations):
        return _no_route(grant.operations)
    if not linted.operations:
        return ""
    # A grant with models is for requests that name one, a grant without for those that name none.
    fitting = linted.naming if grant.models else linted.not_naming
    if ANY in grant.operations or not fitting.isdisjoint(grant.operations):
        return ""
    if grant.models:
        return f"requests for {named(grant.operations)} name no model, and it lists models"
    return f"requests for {named(grant.operations)} name a model, and it lists none"


def _entry(entry: UpstreamRule, linted: Linted) -> str:
    if linted.unrouted(entry.operations):
        return _no_route(entry.operations)
    if not (entry.operations and entry.models and linted.operations):
        return ""
    if ANY in entry.operations or not linted.naming.isdisjoint(entry.operations):
        return ""
    return f"requests for {named(entry.operations)} name no model, and it lists models"


def _apart(policy: RedactionPolicy, rule: RedactionRule) -> str:
    for what, wide, narrow in (
        ("operations", policy.operations, rule.operations),
        ("models", policy.models, rule.models),
    ):
        if wide and narrow and ANY not in (*wide, *narrow) and set(wide).isdisjoint(narrow):
            return f"its {what} are none of its policy's"
    return ""


def _no_route(operations: Sequence[str]) -> str:
    return f"no route has the operation {named(operations)}"


def _lint(policy: str, pointer: str, what: str, why: str) -> Lint:
    fix = "Correct its selectors, or remove it."
    return Lint(code=CODE, policy=policy, pointer=pointer, message=f"{what} never matches: {why}.", fix=fix)
