# SPDX-License-Identifier: Apache-2.0
"""Run the tests that policy documents bring along, by the very evaluation that the proxy uses."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from policies.contracts.decision import Decision, Effect, Reason
from policies.contracts.request import EvaluationRequest, Resource
from policies.contracts.snapshot import PolicySnapshot
from policies.detectors.catalogue import own_name
from policies.document.model import PolicyDocument, PolicyTest
from policies.engines.casbin import CasbinAccess
from policies.engines.groups import selectors_of
from policies.engines.ports import GuardEngine
from policies.evaluation.limits import body_limit
from policies.evaluation.pipeline import TakeToken, decide
from policies.redaction.engine import Redaction
from policies.redaction.examination import Asked, examine, rules_of
from policies.redaction.findings import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """How a test went; `problem` says what differs, and is empty where it passed."""

    __test__ = False  # not for pytest, whatever its name

    policy: str
    name: str
    problem: str

    @property
    def passed(self) -> bool:
        return not self.problem


async def run_tests(
    documents: Sequence[PolicyDocument],
    snapshot: PolicySnapshot,
    *,
    guard_engine: GuardEngine,
) -> tuple[TestResult, ...]:
    """Return the result of every test of `documents`, each run against the whole of `snapshot`.

    Rates are not counted: every test finds a full bucket.
    """
    access = CasbinAccess(snapshot)
    redaction = Redaction.of(snapshot.redactions)
    results = []
    for document in sorted(documents, key=lambda document: document.id):
        for test in document.tests:
            request = _request(test, snapshot)
            decision = _on_the_head(request, snapshot)
            if decision is None:
                decision = await decide(
                    request,
                    snapshot=snapshot,
                    access=access,
                    guard=guard_engine,
                    take_token=_always_there,
                )
            problem = "; ".join((*_of_decision(test, decision), *_of_text(test, document.id, redaction, snapshot)))
            results.append(TestResult(policy=document.id, name=test.name, problem=problem))
    return tuple(results)


def _request(test: PolicyTest, snapshot: PolicySnapshot) -> EvaluationRequest:
    asked = test.request
    named = asked.model is not None
    return EvaluationRequest(
        request_id="req_test",
        tenant=snapshot.tenant,
        environment=snapshot.environment,
        subject=asked.subject,
        action=asked.operation,
        resource=Resource(type="model" if named else "route", id=asked.model or asked.operation),
        facts=asked.facts,
        at=asked.at,
    )


def _on_the_head(request: EvaluationRequest, snapshot: PolicySnapshot) -> Decision | None:
    """Return the refusal that the proxy gives before there is anything to decide, None where it gives none."""
    if all(request.action != route.operation for route in snapshot.routes):
        code = "route-not-listed"
    elif request.facts.body_bytes > body_limit(snapshot, request.subject):
        code = "body-too-large"
    else:
        return None
    return Decision(effect=Effect.DENY, reasons=(Reason(code=code),), obligations=(), revision=snapshot.revision)


async def _always_there(_token: TakeToken) -> float:
    return 0.0


def _of_decision(test: PolicyTest, decision: Decision) -> Iterator[str]:
    reasons = tuple(sorted({reason.code for reason in decision.reasons}))
    if test.expect.effect is not None and decision.effect is not test.expect.effect:
        yield f"effect is {decision.effect}, not {test.expect.effect} (reasons: {', '.join(reasons) or 'none'})"
    if test.expect.reasons is not None and reasons != test.expect.reasons:
        yield f"reasons are {', '.join(reasons) or 'none'}, not {', '.join(test.expect.reasons) or 'none'}"


def _of_text(test: PolicyTest, policy: str, redaction: Redaction, snapshot: PolicySnapshot) -> Iterator[str]:
    """Give what differs of a test's text; `policy` is the document that the test is in."""
    if test.text is None:
        return
    asked = Asked(
        direction=test.text.direction,
        operation=test.request.operation,
        model=test.request.model,
        subject=frozenset(selectors_of(snapshot, test.request.subject)),
    )
    left = examine(rules_of(redaction, asked), test.text.text, Tally(), field=test.text.field)
    blocked, what = left.blocked is not None, test.text.direction
    if test.expect.blocked is not None and blocked is not test.expect.blocked:
        yield f"the {what} is blocked" if blocked else f"the {what} is not blocked"
    if test.expect.redacted is not None and (blocked or left.text != test.expect.redacted):
        yield "the text that leaves differs from 'redacted'"
    if test.expect.findings is not None:
        found = {finding.detector.removeprefix(own_name(policy, "")) for finding in left.findings}
        wanted = {name.removeprefix(own_name(policy, "")) for name in test.expect.findings}
        if found != wanted:
            yield f"findings are of {_listed(found)}, not of {_listed(wanted)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
