# SPDX-License-Identifier: Apache-2.0
"""Compile documents and run their tests: the same for a release and for the command line."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controlplane.services.documents import rejected
from controlplane.services.model import DEFAULT_ENVIRONMENT, DEFAULT_TENANT, PolicyTestResult
from controlplane.services.rego_engines import OpaNotStarted, RegoEngines
from policies.compiler.compile import compile_files
from policies.contracts.decision import Mode
from policies.contracts.errors import Diagnostic, PolicyRejected, Position
from policies.contracts.snapshot import PolicySnapshot
from policies.document.model import PolicyDocument
from policies.engines.rego_plan import RegoRefused
from policies.evaluation.coverage import RuleCoverage, RuleRef, coverage, uncovered
from policies.evaluation.policy_tests import run_tests


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedRelease:
    """Documents compiled as one release, and what their tests gave."""

    documents: tuple[PolicyDocument, ...]
    snapshot: PolicySnapshot
    tests: tuple[PolicyTestResult, ...]

    @property
    def failed(self) -> tuple[PolicyTestResult, ...]:
        return tuple(test for test in self.tests if not test.passed)

    @property
    def coverage(self) -> tuple[RuleCoverage, ...]:
        """Every rule that a test could try, with the passing tests that did."""
        return coverage(self.documents, self.tests)

    @property
    def uncovered(self) -> tuple[RuleRef, ...]:
        """The rules of enforcing policies that no passing test tried."""
        return uncovered(self.documents, self.tests)


def try_release(
    files: Mapping[str, bytes],
    *,
    tenant: str = DEFAULT_TENANT,
    environment: str = DEFAULT_ENVIRONMENT,
    rego: RegoEngines,
) -> TriedRelease:
    """Return `files` compiled as one release, and what their tests gave. Raises PolicyRejected."""
    return asyncio.run(_try(files, tenant=tenant, environment=environment, rego=rego))


async def test_release(files: Mapping[str, bytes], *, rego: RegoEngines) -> tuple[PolicyTestResult, ...]:
    """Return what the tests of `files` give when they are one release. Raises PolicyRejected."""
    tried = await _try(files, tenant=DEFAULT_TENANT, environment=DEFAULT_ENVIRONMENT, rego=rego)
    return tried.tests


def compile_and_test(files: Mapping[str, bytes], *, tenant: str, environment: str, rego: RegoEngines) -> TriedRelease:
    """Return what `try_release` does. Raises Invalid with every diagnostic."""
    try:
        return try_release(files, tenant=tenant, environment=environment, rego=rego)
    except PolicyRejected as exc:
        raise rejected(exc.diagnostics) from exc


async def _try(files: Mapping[str, bytes], *, tenant: str, environment: str, rego: RegoEngines) -> TriedRelease:
    documents, snapshot = compile_files(
        files,
        tenant=tenant,
        environment=environment,
        opa_binary=rego.opa_binary,
        engines={rego.nodes},
    )
    try:
        async with rego.guard(snapshot) as guard:
            results = await run_tests(documents, snapshot, guard_engine=guard)
    except RegoRefused as exc:
        raise _refused("rego-refused", exc) from exc
    except OpaNotStarted as exc:
        raise _refused("rego-untested", exc) from exc
    tests = tuple(
        PolicyTestResult(
            policy=result.policy,
            name=result.name,
            passed=result.passed,
            problem=result.problem,
            exercised=result.exercised,
        )
        for result in results
    )
    return TriedRelease(documents=documents, snapshot=snapshot, tests=tests)


def _refused(code: str, cause: Exception) -> PolicyRejected:
    return PolicyRejected([Diagnostic(code=code, at=Position(file="(release)"), message=f"{cause}.")])


def coverage_json(found: Sequence[RuleCoverage]) -> dict[str, Any]:
    """Return the rules of a release with what tried them, as JSON."""
    items = [
        {
            "policy": each.ref.policy,
            "rule": each.ref.rule,
            "pointer": each.ref.pointer,
            "mode": each.mode.value,
            "tests": list(each.tests),
        }
        for each in found
    ]
    return {
        "rules": len(items),
        "covered": sum(bool(item["tests"]) for item in items),
        "uncovered": [item for item in items if not item["tests"] and item["mode"] == Mode.ENFORCE],
        "items": items,
    }
