# SPDX-License-Identifier: Apache-2.0
"""What happened, in the words of OCSF and ECS: one table for both (`docs/reference/exports.md` shows it)."""

from dataclasses import dataclass
from typing import Final

from controlplane.exports.rows import ExportRow
from policies.contracts.decision import Effect, Verdict
from policies.contracts.record import RecordOutcome

_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Told:
    """Numbers of OCSF's `action_id`, `disposition_id`, `status_id` and `severity_id`; ECS' `event.outcome`."""

    action: int
    disposition: int
    status: int
    severity: int
    ecs_outcome: str


ACTIONS: Final = {1: "Allowed", 2: "Denied", 3: "Observed", 4: "Modified"}
DISPOSITIONS: Final = {1: "Allowed", 2: "Blocked", 11: "Corrected", 15: "Detected", 26: "Unauthorized", 27: "Error"}
STATUSES: Final = {0: "Unknown", 1: "Success", 2: "Failure"}
SEVERITIES: Final = {1: "Informational", 2: "Low", 3: "Medium"}

_ALLOW, _DENY, _ERROR = RecordOutcome.ALLOW.value, RecordOutcome.DENY.value, RecordOutcome.ERROR_DENY.value
# By outcome and verdict; None is an admission record, whose request had not ended.
TOLD: Final[dict[tuple[str, str | None], Told]] = {
    (_ALLOW, None): Told(1, 1, 0, 1, "unknown"),
    (_ALLOW, Verdict.FORWARDED.value): Told(1, 1, 1, 1, "success"),
    (_ALLOW, Verdict.REDACTED.value): Told(4, 11, 1, 2, "success"),
    # Policy allowed it, but it did not arrive, or not all of it: the client or the model server left.
    (_ALLOW, Verdict.BLOCKED.value): Told(1, 27, 2, 2, "failure"),
    (_ALLOW, Verdict.CUT.value): Told(1, 27, 2, 2, "failure"),
    (_DENY, None): Told(2, 2, 0, 3, "unknown"),
    (_DENY, Verdict.BLOCKED.value): Told(2, 2, 2, 3, "failure"),
    (_DENY, Verdict.CUT.value): Told(2, 2, 2, 3, "failure"),
    (_ERROR, Verdict.BLOCKED.value): Told(2, 27, 2, 3, "failure"),
    (_ERROR, Verdict.CUT.value): Told(2, 27, 2, 3, "failure"),
}
# Allowed while a policy in mode `warn` or `observe` would have denied it.
WOULD_HAVE_DENIED: Final = Told(3, 15, 1, 2, "success")
# Refused with 401: nobody was identified.
UNAUTHORIZED: Final = Told(2, 26, 2, 3, "failure")
# An outcome and a verdict that do not go together. It is no `allow`, so that nobody reads it as one.
OTHERWISE: Final = Told(2, 27, 2, 3, "failure")


def told(row: ExportRow) -> Told:
    outcome, verdict = row.read.text("outcome"), row.read.text("verdict")
    if outcome != _ALLOW and row.read.number("http", "status") == _UNAUTHORIZED:
        return UNAUTHORIZED
    if (outcome, verdict) == (_ALLOW, Verdict.FORWARDED.value) and row.read.text("would_have") == Effect.DENY.value:
        return WOULD_HAVE_DENIED
    return TOLD.get((outcome or "", verdict), OTHERWISE)
