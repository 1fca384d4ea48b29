# SPDX-License-Identifier: Apache-2.0
"""Compile documents and run their tests: the same for a release and for the command line."""

import asyncio
from collections.abc import Mapping

from policies.compiler.compile import compile_release
from policies.evaluation.policy_tests import run_tests

from controlplane.services.documents import rejected
from controlplane.services.model import DEFAULT_ENVIRONMENT, DEFAULT_TENANT, PolicyTestResult
from policies.bundle.members import guard_data, rego_modules
from policies.contracts.errors import Diagnostic, PolicyRejected, Position
from policies.contracts.snapshot import PolicySnapshot
from policies.document.loader import load_documents
from policies.engines.embedded_rego import EmbeddedGuard
from policies.engines.rego_plan import RegoRefused


def compile_and_test(
    files: Mapping[str, bytes],
    *,
    tenant: str,
    environment: str,
    opa_binary: str | None,
) -> tuple[PolicySnapshot, tuple[PolicyTestResult, ...]]:
    """Return the snapshot of `files` and what their tests gave. Raises Invalid with every diagnostic."""
    try:
        return asyncio.run(_compile_and_test(files, tenant=tenant, environment=environment, opa_binary=opa_binary))
    except PolicyRejected as exc:
        raise rejected(exc.diagnostics) from exc


async def test_release(files: Mapping[str, bytes], *, opa: str | None) -> tuple[PolicyTestResult, ...]:
    """Return what the tests of `files` give when they are one release. Raises PolicyRejected."""
    _, results = await _compile_and_test(
        files,
        tenant=DEFAULT_TENANT,
        environment=DEFAULT_ENVIRONMENT,
        opa_binary=opa,
    )
    return results


async def _compile_and_test(
    files: Mapping[str, bytes],
    *,
    tenant: str,
    environment: str,
    opa_binary: str | None,
) -> tuple[PolicySnapshot, tuple[PolicyTestResult, ...]]:
    documents = load_documents(files)
    snapshot = compile_release(documents, tenant=tenant, environment=environment, opa_binary=opa_binary)
    try:
        guard = EmbeddedGuard(snapshot, modules=rego_modules(snapshot), data=guard_data(snapshot))
    except RegoRefused as exc:
        raise PolicyRejected([Diagnostic(code="rego-refused", at=Position(file="release"), message=str(exc))]) from exc
    try:
        results = await run_tests(documents, snapshot, guard_engine=guard)
    finally:
        await guard.close()
    return snapshot, tuple(
        PolicyTestResult(policy=result.policy, name=result.name, passed=result.passed, problem=result.problem)
        for result in results
    )
