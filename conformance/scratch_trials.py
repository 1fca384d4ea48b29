# SPDX-License-Identifier: Apache-2.0
"""Runs the cases on how policy is made, in a tenant of their own."""

import time
from collections.abc import Iterable, Iterator

import httpx

from conformance.case import Case
from conformance.runner import CaseResult, RowResult, Trial, Verdict
from conformance.scratch import Check, Scratch, Wrong

_NO_OPERATOR = "needs a tenant of its own: --api and --operator-token-file"


def run_on_control_plane(trial: Trial, cases: Iterable[Case]) -> Iterator[CaseResult]:
    """Yield the result of each case that is about how policy is made."""
    tenant: Scratch | None = None
    for case in (each for each in cases if each.checks):
        if trial.control_plane is None:
            yield CaseResult(case=case, rows=tuple(_skipped(check) for check in case.checks))
            continue
        try:
            tenant = tenant or trial.control_plane.new_tenant()
        except (Wrong, httpx.HTTPError, ValueError, LookupError) as exc:
            problem = f"no tenant can be had: {exc}"
            yield CaseResult(case=case, rows=tuple(_result(check, problem, 0.0) for check in case.checks))
            continue
        yield CaseResult(case=case, rows=tuple(_try(tenant, check) for check in case.checks))


def _try(tenant: Scratch, check: Check) -> RowResult:
    began, problem = time.monotonic(), None
    try:
        check.attack(tenant)
    except Wrong as exc:
        problem = str(exc)
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as exc:
        problem = f"its answer cannot be had or read: {type(exc).__name__}"
    return _result(check, problem, time.monotonic() - began)


def _result(check: Check, problem: str | None, elapsed_s: float) -> RowResult:
    verdict = Verdict.PASS if problem is None else Verdict.FAIL
    return RowResult(
        row=check.slug, cut="whole", verdict=verdict, seen="", problem=problem, elapsed_s=round(elapsed_s, 3)
    )


def _skipped(check: Check) -> RowResult:
    return RowResult(row=check.slug, cut="whole", verdict=Verdict.SKIP, seen=_NO_OPERATOR)
