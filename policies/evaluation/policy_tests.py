# SPDX-License-Identifier: Apache-2.0
"""Run the tests that policy documents bring along, by the very evaluation that the proxy uses."""

from collections.abc import Sequence
from dataclasses import dataclass

from policies.contracts.snapshot import PolicySnapshot
from policies.document.canaries import trial_of
from policies.document.model import PolicyDocument
from policies.engines.casbin import CasbinAccess
from policies.engines.ports import GuardEngine
from policies.evaluation.canaries import problem_of
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
            problem = await problem_of(
                trial_of(document, test), snapshot=snapshot, access=access, guard=guard_engine, redaction=redaction
            )
            results.append(TestResult(policy=document.id, name=test.name, problem=problem))
    return tuple(results)
