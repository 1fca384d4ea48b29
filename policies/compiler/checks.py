# SPDX-License-Identifier: Apache-2.0
"""What must hold between the documents of a release."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from policies.compiler.prompts_checks import check_prompts
from policies.compiler.redaction_checks import check_redactions
from policies.compiler.screening_checks import check_screening
from policies.compiler.upstreams_checks import check_upstreams
from policies.contracts.decision import Mode
from policies.contracts.errors import Diagnostic, Position
from policies.contracts.prompts import PromptRule
from policies.contracts.reasons import REASONS
from policies.contracts.screening import INJECTION, ClassifierRule, ScreeningRule
from policies.contracts.snapshot import RedactionRule
from policies.contracts.tools import ToolRule
from policies.detectors.catalogue import Named
from policies.document.canaries import check_canaries
from policies.document.model import (
    AccessSpec,
    GuardSpec,
    IdentitySpec,
    LimitsSpec,
    LoggingSpec,
    PolicyDocument,
    PromptsSpec,
    RedactionSpec,
    RoutesSpec,
    ScreeningSpec,
    TestsSpec,
    ToolsSpec,
)
from policies.document.tree import escaped
from policies.evaluation.argument_schema import SchemaRefused, compiled_pattern, compiled_schema

_Selecting: TypeAlias = RedactionRule | ToolRule | PromptRule | ScreeningRule | ClassifierRule
_RELEASE = Position(file="(release)")


def check_each(documents: Sequence[PolicyDocument], detectors: Iterable[Named]) -> list[Diagnostic]:
    """Return what is wrong with each of `documents` whatever release it is in, but for their Rego."""
    return [
        *check_screening(documents),
        *_reasons(documents),
        *check_redactions(documents, detectors),
        *_arguments(documents),
    ]


def check_together(documents: Sequence[PolicyDocument], detectors: Iterable[Named]) -> list[Diagnostic]:
    """Return what is wrong with `documents` as one release, but for their Rego."""
    return [
        *_ids(documents),
        *_tested(documents),
        *_groups(documents),
        *_issuers(documents),
        *_claimed_groups(documents),
        *_routes(documents),
        *check_prompts(documents),
        *check_upstreams(documents),
        *check_each(documents, detectors),
        *check_canaries(documents),
        *_enough(documents),
    ]


def _ids(documents: Sequence[PolicyDocument]) -> Iterator[Diagnostic]:
    seen: dict[str, PolicyDocument] = {}
    for document in documents:
        if document.id in seen:
            at = document.places.at("/id")
            message = f"{seen[document.id].places.at('/id').file} has the id {document.id!r} too."
            yield Diagnostic(code="duplicate-id", at=at, message=message, fix="Rename one.")
        seen.setdefault(document.id, document)


def _tested(documents: Sequence[PolicyDocument]) -> Iterator[Diagnostic]:
    ids = {document.id for document in documents if not isinstance(document.spec, TestsSpec)}
    for document in documents:
        if isinstance(document.spec, TestsSpec) and document.spec.policy not in ids:
            at = document.places.at("/spec/for")
            message = f"The release has no policy {document.spec.policy!r}."
            yield Diagnostic(code="unknown-policy", at=at, message=message, fix="Name the policy these tests are for.")


def _groups(documents: Sequence[PolicyDocument]) -> Iterator[Diagnostic]:
    owners: dict[str, PolicyDocument] = {}
    for document in documents:
        for pointer, name in _defined_groups(document):
            if name in owners:
                at = document.places.at(pointer)
                message = f"{owners[name].places.at('').file} defines the group {name!r} too."
                yield Diagnostic(code="duplicate-group", at=at, message=message, fix="A group has one owner.")
            owners.setdefault(name, document)
    for document in documents:
        for pointer, subject in _subjects(document):
            if subject.startswith("group:") and subject.removeprefix("group:") not in owners:
                message = f"No document of the release defines {subject!r}."
                fix = "Add it to spec.groups of an access policy."
                yield Diagnostic(code="unknown-group", at=document.places.at(pointer), message=message, fix=fix)


def _defined_groups(document: PolicyDocument) -> Iterator[tuple[str, str]]:
    """Give the groups that `document` owns: an access policy those it lists, an issuer those its tokens may name."""
    if isinstance(document.spec, AccessSpec):
        for name in document.spec.groups:
            yield f"/spec/groups/{escaped(name)}", name
    if isinstance(document.spec, IdentitySpec):
        for number, issuer in enumerate(document.spec.issuers):
            named = {} if issuer.groups is None else issuer.groups.names
            # Two values of one issuer may mean one group.
            for name, value in {name: value for value, name in named.items()}.items():
                yield f"/spec/issuers/{number}/groups/names/{escaped(value)}", name


def _issuers(documents: Sequence[PolicyDocument]) -> Iterator[Diagnostic]:
    seen: set[str] = set()
    for document in documents:
        if not isinstance(document.spec, IdentitySpec):
            continue
        for number, issuer in enumerate(document.spec.issuers):
            for member, value in (("id", issuer.id), ("issuer", issuer.issuer)):
                if f"{member} {value}" in seen:
                    at = document.places.at(f"/spec/issuers/{number}/{member}")
                    message = f"There is an issuer with the {member} {value!r} already."
                    yield Diagnostic(code="duplicate-issuer", at=at, message=message, fix="Keep one.")
                seen.add(f"{member} {value}")


def _claimed_groups(documents: Sequence[PolicyDocument]) -> Iterator[Diagnostic]:
    """A test may ask with groups, but only with those that a token can name: others are the access policy's own."""
    known = {
        name
        for document in documents
        if isinstance(document.spec, IdentitySpec)
        for _, name in _defined_groups(document)
    }
    for document in documents:
        for number, test in enumerate(document.tests):
            for name in test.request.subject.groups:
                if name not in known:
                    at = document.places.at(f"/tests/{number}/request/groups")
                    message = f"No issuer of the release names the group {name!r}."
                    fix = "A group that an access policy lists follows from the subject."
                    yield Diagnostic(code="unknown-group", at=at, message=message, fix=fix)


def _subjects(document: PolicyDocument) -> Iterator[tuple[str, str]]:
    if isinstance(document.spec, AccessSpec):
        for number, grant in enumerate(document.spec.grants):
            for index, subject in enumerate(grant.subjects):
                yield f"/spec/grants/{number}/subjects/{index}", subject
    if isinstance(document.spec, LimitsSpec | RedactionSpec | LoggingSpec):
        for index, subject in enumerate(document.spec.subjects):
            yield f"/spec/subjects/{index}", subject
    for place, rules in _selecting(document):
        for number, rule in enumerate(rules):
            for index, subject in enumerate(rule.subjects):
                yield f"{place}/{number}/subjects/{index}", subject


def _selecting(document: PolicyDocument) -> Iterator[tuple[str, Sequence[_Selecting]]]:
    if isinstance(document.spec, RedactionSpec | ToolsSpec | PromptsSpec | ScreeningSpec):
        yield "/spec/rules", document.spec.rules
    if isinstance(document.spec, ScreeningSpec):
        yield "/spec/classifier", document.spec.classifier


def _routes(documents: Sequence[PolicyDocument]) -> Iterator[Diagnostic]:
    seen: set[tuple[str, str]] = set()
    for document in documents:
        if not isinstance(document.spec, RoutesSpec):
            continue
        for index, route in enumerate(document.spec.routes):
            if (route.method, route.path) in seen:
                at = document.places.at(f"/spec/routes/{index}/path")
                message = f"There is a route {route.method} {route.path} already."
                yield Diagnostic(code="duplicate-route", at=at, message=message, fix="Keep one.")
            seen.add((route.method, route.path))


def _reasons(documents: Sequence[PolicyDocument]) -> Iterator[Diagnostic]:
    for document in documents:
        if isinstance(document.spec, GuardSpec):
            for code in (document.spec.reasons.keys() & REASONS.keys()) - {INJECTION}:
                at = document.places.at(f"/spec/reasons/{code}")
                message = f"The reason code {code!r} is one of Gatehouse's own."
                yield Diagnostic(code="reason-taken", at=at, message=message, fix="Choose another.")


def _arguments(documents: Sequence[PolicyDocument]) -> Iterator[Diagnostic]:
    for document in documents:
        if not isinstance(document.spec, ToolsSpec):
            continue
        for number, rule in enumerate(document.spec.rules):
            place = f"/spec/rules/{number}"
            if rule.arguments is not None:
                try:
                    compiled_schema(rule.arguments)
                except SchemaRefused as exc:
                    at = document.places.at(f"{place}/arguments{exc.pointer}")
                    yield Diagnostic(code="bad-schema", at=at, message=f"{exc.problem.capitalize()}.")
            for name, pattern in (rule.patterns or {}).items():
                try:
                    compiled_pattern(name, pattern)
                except SchemaRefused as exc:
                    at = document.places.at(f"{place}/patterns/{escaped(name)}")
                    yield Diagnostic(code="bad-pattern", at=at, message=f"{exc.problem.capitalize()}.")


def _enough(documents: Sequence[PolicyDocument]) -> Iterator[Diagnostic]:
    if not any(isinstance(document.spec, RoutesSpec) for document in documents):
        yield Diagnostic(code="no-route", at=_RELEASE, message="The release has no route.", fix="Add a routes policy.")
    if not any(isinstance(document.spec, AccessSpec) and document.mode is Mode.ENFORCE for document in documents):
        message = "The release has no access policy in mode enforce."
        yield Diagnostic(code="no-access-policy", at=_RELEASE, message=message, fix="Add one.")
