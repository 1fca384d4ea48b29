# SPDX-License-Identifier: Apache-2.0
"""A decision of the log as a replay needs it, or why it cannot be decided again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from controlplane.replays.comparison import Cause, Judged, recorded
from controlplane.replays.tally import Seen
from controlplane.services.payload_state import PayloadState
from controlplane.services.records import EntryKind, LoggedDecision, LoggedRecord
from policies.contracts.request import EvaluationRequest
from policies.evaluation.recorded import InputUnreadable, request_of

# Another enforcement point asked, about attributes of its own.
_OF_OTHERS: Final = frozenset({EntryKind.OPA, EntryKind.EVALUATION})
_NOT_KEPT: Final = {
    PayloadState.ERASED: Cause.PAYLOAD_ERASED,
    PayloadState.UNREADABLE: Cause.PAYLOAD_UNREADABLE,
    PayloadState.NONE: Cause.PAYLOAD_MISSING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayable:
    """A decision that can be asked again, and what it came to then."""

    log_index: int
    request: EvaluationRequest
    was: Judged
    envelope: Mapping[str, Any]
    payload: Mapping[str, Any]

    @property
    def seen(self) -> Seen:
        return Seen.of(self.request.request_id, self.log_index, self.envelope)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReplayable:
    """`codes` are the reasons that its record has."""

    request_id: str
    cause: Cause
    codes: tuple[str, ...] = ()


def read_decision(decision: LoggedDecision, *, tenant: str, environment: str) -> Replayable | NotReplayable:
    """Return the decision as it is asked again in `environment`."""
    shown = decision.terminal or decision.admission
    if shown is None:
        return NotReplayable(request_id=decision.request_id, cause=Cause.RECORD_DROPPED)
    envelope = orjson.loads(shown.envelope) if decision.members is None else decision.members
    if envelope.get("kind") in _OF_OTHERS:
        return NotReplayable(request_id=decision.request_id, cause=Cause.OTHER_SOURCE)
    codes = tuple(_codes(envelope))
    if envelope.get("revision") is None:
        return NotReplayable(request_id=decision.request_id, cause=Cause.REFUSED_BEFORE_DECISION, codes=codes)
    payload = _payload(shown)
    if isinstance(payload, Cause):
        return NotReplayable(request_id=decision.request_id, cause=payload, codes=codes)
    try:
        request = request_of(payload, request_id=decision.request_id, tenant=tenant, environment=environment)
    except InputUnreadable:
        return NotReplayable(request_id=decision.request_id, cause=Cause.INPUT_UNREADABLE, codes=codes)
    return Replayable(
        log_index=shown.log_index,
        request=request,
        was=recorded(envelope),
        envelope=envelope,
        payload=payload,
    )


def _payload(record: LoggedRecord) -> Mapping[str, Any] | Cause:
    if record.payload is None:
        return _NOT_KEPT.get(record.payload_state, Cause.PAYLOAD_MISSING)
    try:
        payload = orjson.loads(record.payload)
    except ValueError:  # ingestion vouches for a payload's digest only
        return Cause.INPUT_UNREADABLE
    if not isinstance(payload, dict):
        return Cause.INPUT_UNREADABLE
    # A worker that was killed leaves a record of its request, in which nobody knows any more what was asked.
    return payload if payload.get("input") else Cause.PAYLOAD_MISSING


def _codes(envelope: Mapping[str, Any]) -> list[str]:
    reasons = envelope.get("reasons")
    return (
        [str(reason.get("code")) for reason in reasons if isinstance(reason, dict)] if isinstance(reasons, list) else []
    )
