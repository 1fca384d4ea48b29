# SPDX-License-Identifier: Apache-2.0
"""What the proxy refuses before there is anything to decide, for those who decide without a proxy."""

from typing import Final

from policies.contracts.decision import Decision, Effect, Reason
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.engines.per_snapshot import per_snapshot
from policies.evaluation.limits import body_limit

ROUTE_NOT_LISTED: Final = "route-not-listed"
BODY_TOO_LARGE: Final = "body-too-large"


def refused_on_head(request: EvaluationRequest, snapshot: PolicySnapshot) -> Decision | None:
    """Return the refusal that the proxy gives before there is anything to decide, None where it gives none."""
    code = head_code(request, snapshot)
    if code is None:
        return None
    return Decision(effect=Effect.DENY, reasons=(Reason(code=code),), obligations=(), revision=snapshot.revision)


def head_code(request: EvaluationRequest, snapshot: PolicySnapshot) -> str | None:
    """Return the reason of that refusal."""
    if request.action not in _operations(snapshot):
        return ROUTE_NOT_LISTED
    if request.facts.body_bytes > body_limit(snapshot, request.subject):
        return BODY_TOO_LARGE
    return None


@per_snapshot
def _operations(snapshot: PolicySnapshot) -> frozenset[str]:
    return frozenset(route.operation for route in snapshot.routes)
