# SPDX-License-Identifier: Apache-2.0
"""Run the tests that policy documents bring along, by the very evaluation that the proxy uses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from policies.contracts.decision import Decision, Effect, Reason
from policies.contracts.request import EvaluationRequest, Resource
from policies.contracts.snapshot import PolicySnapshot
from policies.document.model import PolicyDocument, PolicyTest
from policies.engines.casbin import CasbinAccess
from policies.engines.ports import GuardEngine
from policies.evaluation.limits import body_limit
from policies.evaluation.pipeline import TakeToken, decide
from policies.redaction.engine import Redaction


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
            problem = "; ".join((*_of_decision(test, decision), *_of_answer(test, redaction)))
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


def _of_answer(test: PolicyTest, redaction: Redaction) -> Iterator[str]:
    if test.text is None:
        return
    left = redaction.text(operation=test.request.operation, model=test.request.model, text=test.text.text)
    if test.expect.blocked is not None and left.blocked is not test.expect.blocked:
        yield "the answer is blocked" if left.blocked else "the answer is not blocked"
    if test.expect.redacted is not None and (left.blocked or left.text != test.expect.redacted):
        yield "the text that leaves differs from 'redacted'"
