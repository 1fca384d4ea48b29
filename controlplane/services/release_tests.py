# SPDX-License-Identifier: Apache-2.0
"""Compile documents and run their tests: the same for a release and for the command line."""

import asyncio
from collections.abc import Mapping

from controlplane.services.documents import rejected
from controlplane.services.model import DEFAULT_ENVIRONMENT, DEFAULT_TENANT, PolicyTestResult
from controlplane.services.rego_engines import OpaNotStarted, RegoEngines
from policies.compiler.compile import compile_release
from policies.contracts.errors import Diagnostic, PolicyRejected, Position
from policies.contracts.snapshot import PolicySnapshot
from policies.document.loader import load_documents
from policies.engines.rego_plan import RegoRefused
from policies.evaluation.policy_tests import run_tests


def compile_and_test(
    files: Mapping[str, bytes],
    *,
    tenant: str,
    environment: str,
    rego: RegoEngines,
) -> tuple[PolicySnapshot, tuple[PolicyTestResult, ...]]:
    """Return the snapshot of `files` and what their tests gave. Raises Invalid with every diagnostic."""
    try:
        return asyncio.run(_compile_and_test(files, tenant=tenant, environment=environment, rego=rego))
    except PolicyRejected as exc:
        raise rejected(exc.diagnostics) from exc


async def test_release(files: Mapping[str, bytes], *, rego: RegoEngines) -> tuple[PolicyTestResult, ...]:
    """Return what the tests of `files` give when they are one release. Raises PolicyRejected."""
    _, results = await _compile_and_test(
        files,
        tenant=DEFAULT_TENANT,
        environment=DEFAULT_ENVIRONMENT,
        rego=rego,
    )
    return results


async def _compile_and_test(
    files: Mapping[str, bytes],
    *,
    tenant: str,
    environment: str,
    rego: RegoEngines,
) -> tuple[PolicySnapshot, tuple[PolicyTestResult, ...]]:
    documents = load_documents(files)
    snapshot = compile_release(
        documents,
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
    return snapshot, tuple(
        PolicyTestResult(policy=result.policy, name=result.name, passed=result.passed, problem=result.problem)
        for result in results
    )


def _refused(code: str, cause: Exception) -> PolicyRejected:
    return PolicyRejected([Diagnostic(code=code, at=Position(file="(release)"), message=f"{cause}.")])
