# SPDX-License-Identifier: Apache-2.0
"""Which rules of a release some passing test has shown at work, and which none has.

Theory: a rule is covered if a test passes whose outcome it had a part in, and which looks at that outcome. A test that
looks only at a text says nothing of grants, and one whose request a guard refuses says nothing of the grant that would
have allowed it. What a run of the tests exercised is told by `policies.evaluation.exercise`; here it is held against
the rules that the documents have.

Rules of identity and logging policies, and rates, are no rules here: no test of a document can ask for them.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from policies.contracts.decision import Mode
from policies.document.model import (
    AccessSpec,
    GuardSpec,
    LimitsSpec,
    PolicyDocument,
    PromptsSpec,
    RedactionSpec,
    RoutesSpec,
    ScreeningSpec,
    ToolsSpec,
    UpstreamsSpec,
)

# What the two rules of a guard are called that give no reason code. No code of `spec.reasons` is `allow` by chance: it
# would then be covered by either, which is told to nobody's harm.
ALLOW: Final = "allow"
OBLIGATIONS: Final = "obligations"
BODY_LIMIT: Final = "max_body_bytes"
_OF_MODULE: Final = re.compile(r"^(?:default[ \t]+)?(allow|obligations)\b", re.MULTILINE)


class _Rule(Protocol):
    @property
    def id(self) -> str: ...


class Tested(Protocol):
    """What is asked of a test's result."""

    @property
    def policy(self) -> str:
        """Return the id of the document that the test is in."""

    @property
    def name(self) -> str: ...

    @property
    def passed(self) -> bool: ...

    @property
    def exercised(self) -> Sequence[tuple[str, str]]:
        """Return the rules that had a part in what the test looks at, each as its policy and its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRef:
    """One rule: its policy, its id (a guard's reason code, say) and its place in the document, a JSON pointer."""

    policy: str
    rule: str
    pointer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCoverage:
    """A rule, the mode of its policy, and the passing tests that exercised it, each as `POLICY: NAME`."""

    ref: RuleRef
    mode: Mode
    tests: tuple[str, ...]


def rules_of(document: PolicyDocument) -> tuple[RuleRef, ...]:
    """Return the rules of `document` that a test can exercise, in the order they are written in."""
    return tuple(
        RuleRef(policy=document.id, rule=rule, pointer=pointer) for rule, pointer in dict(_rules(document)).items()
    )


def coverage(documents: Sequence[PolicyDocument], results: Iterable[Tested]) -> tuple[RuleCoverage, ...]:
    """Return every rule of `documents`, ordered by policy, with the tests among `results` that exercised it."""
    by_rule: dict[tuple[str, str], list[str]] = {}
    for result in results:
        if result.passed:
            for rule in result.exercised:
                by_rule.setdefault(rule, []).append(f"{result.policy}: {result.name}")
    return tuple(
        RuleCoverage(ref=ref, mode=document.mode, tests=tuple(by_rule.get((ref.policy, ref.rule), ())))
        for document in sorted(documents, key=lambda document: document.id)
        for ref in rules_of(document)
    )


def uncovered(documents: Sequence[PolicyDocument], results: Iterable[Tested]) -> tuple[RuleRef, ...]:
    """Return the rules of policies in mode `enforce` that no passing test exercised."""
    return tuple(each.ref for each in coverage(documents, results) if each.mode is Mode.ENFORCE and not each.tests)


def _of_rules(rules: Sequence[_Rule]) -> Iterator[tuple[str, str]]:
    yield from ((rule.id, f"/spec/rules/{number}") for number, rule in enumerate(rules))


def _rules(document: PolicyDocument) -> Iterator[tuple[str, str]]:
    spec = document.spec
    match spec:
        case AccessSpec():
            yield from ((grant.id, f"/spec/grants/{number}") for number, grant in enumerate(spec.grants))
        case GuardSpec():
            yield from ((code, f"/spec/reasons/{code}") for code in spec.reasons)
            yield from ((found[1], "/spec/module") for found in _OF_MODULE.finditer(spec.module))
        case RoutesSpec():
            yield from ((route.id, f"/spec/routes/{number}") for number, route in enumerate(spec.routes))
        case LimitsSpec():
            if spec.max_body_bytes is not None:
                yield BODY_LIMIT, f"/spec/{BODY_LIMIT}"
        case ScreeningSpec():
            yield from _of_rules(spec.rules)
            yield from ((rule.id, f"/spec/classifier/{number}") for number, rule in enumerate(spec.classifier))
        case PromptsSpec() | RedactionSpec() | ToolsSpec():
            yield from _of_rules(spec.rules)
        case UpstreamsSpec():
            yield from ((rule.name, f"/spec/upstreams/{number}") for number, rule in enumerate(spec.upstreams))
        case _:
            return
