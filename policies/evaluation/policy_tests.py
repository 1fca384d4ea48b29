# SPDX-License-Identifier: Apache-2.0
"""Run the tests that policy documents bring along, by the very evaluation that the proxy uses."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policies.contracts.decision import Decision, Effect, Reason
from policies.contracts.errors import EvaluationFailed
from policies.contracts.snapshot import PolicySnapshot
from policies.contracts.tools import ANY_REST, OnRefusal, RefusedCall
from policies.document.canaries import trial_of
from policies.document.model import PolicyDocument, PolicyTest
from policies.engines.casbin import CasbinAccess
from policies.engines.combine import EVALUATION_FAILED
from policies.engines.ports import GuardEngine
from policies.evaluation.canaries import Tried, try_on
from policies.evaluation.exercise import Exercised, by_calls, by_decision, by_text
from policies.evaluation.tool_calls import CallRules, CallVerdict, judge_of
from policies.redaction.engine import Redaction

# What a test expects of a call that leaves.
_LEAVES: Final = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """How a test went; `problem` says what differs, and is empty where it passed.

    `exercised` are the rules that had a part in what the test looks at, each as its policy and its name.
    """

    __test__ = False  # not for pytest, whatever its name

    policy: str
    name: str
    problem: str
    exercised: tuple[Exercised, ...] = ()

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
    run = _Run(
        snapshot=snapshot,
        guard=guard_engine,
        access=CasbinAccess(snapshot),
        redaction=Redaction.of(snapshot.redactions),
        rules=CallRules.of(snapshot.tools),
    )
    ordered = sorted(documents, key=lambda document: document.id)
    return tuple([await run.result(test, document) for document in ordered for test in document.tests])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run of tests: what all of them are asked of."""

    snapshot: PolicySnapshot
    guard: GuardEngine
    access: CasbinAccess
    redaction: Redaction
    rules: CallRules

    async def result(self, test: PolicyTest, document: PolicyDocument) -> TestResult:
        tried = await try_on(
            trial_of(document, test),
            snapshot=self.snapshot,
            access=self.access,
            guard=self.guard,
            redaction=self.redaction,
        )
        problems = [*tried.problems, *_of_obligations(test, tried.decision)]
        exercised: set[Exercised] = set()
        if test.expect.of_decision:
            exercised.update(by_decision(tried.decision, tried.request, snapshot=self.snapshot, access=self.access))
        if test.expect.of_text and tried.examined is not None:
            exercised.update(by_text(tried.examined))
        if test.expect.of_decision or test.expect.screened is not None:
            exercised.update(tried.screened)
        if test.calls:
            verdicts = await self._judged(test, tried)
            problems += _of_calls(test, verdicts)
            if verdicts is not None:
                exercised.update(
                    by_calls(test.calls, verdicts, tried.request, rules=self.rules, snapshot=self.snapshot)
                )
        return TestResult(
            policy=document.id, name=test.name, problem="; ".join(problems), exercised=tuple(sorted(exercised))
        )

    async def _judged(self, test: PolicyTest, tried: Tried) -> tuple[CallVerdict, ...] | None:
        """Return what becomes of the answer's calls; None where the request is refused, so that there is no answer."""
        if tried.decision.effect is not Effect.ALLOW:
            return None
        judge = judge_of(tried.decision, tried.request, rules=self.rules, guard=self.guard, snapshot=self.snapshot)
        if judge is None:
            return tuple(CallVerdict(index=call.index) for call in test.calls)
        try:
            return await judge.judge(test.calls)
        except EvaluationFailed:
            failed = Reason(code=EVALUATION_FAILED)
            return tuple(
                CallVerdict(
                    index=call.index,
                    refused=RefusedCall(name=ANY_REST, reason=failed, action=OnRefusal.CUT.value),
                )
                for call in test.calls
            )


def _of_obligations(test: PolicyTest, decision: Decision) -> Iterator[str]:
    owed = tuple(sorted(obligation.policy for obligation in decision.obligations))
    if test.expect.obligations is not None and owed != test.expect.obligations:
        yield f"obligations are redact {_listed(owed)}, not redact {_listed(test.expect.obligations)}"


def _of_calls(test: PolicyTest, verdicts: tuple[CallVerdict, ...] | None) -> Iterator[str]:
    if verdicts is None:
        yield "the request is refused, so that there is no answer with calls"
        return
    for number, (verdict, wanted) in enumerate(zip(verdicts, test.expect.calls or (), strict=False)):
        got = _LEAVES if verdict.refused is None else verdict.refused.reason.code
        if got != wanted:
            yield f"call {number} is {got}, not {wanted}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
