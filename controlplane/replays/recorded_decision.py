# SPDX-License-Identifier: Apache-2.0
"""A decision of the log as a replay needs it, or why it cannot be decided again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from controlplane.replays.comparison import Cause, Judged, recorded
from controlplane.replays.tally import Seen
from controlplane.services.decision_index import DescribedDecision
from controlplane.services.payload_state import OpenedPayload, PayloadState
from controlplane.services.records import EntryKind, LoggedDecision
from policies.contracts.request import EvaluationRequest
from policies.evaluation.recorded import InputUnreadable, request_of

# Another enforcement point asked, about attributes of its own.
_OF_OTHERS: Final = frozenset({EntryKind.OPA, EntryKind.EVALUATION})
_NOT_KEPT: Final = {
    PayloadState.ERASED: Cause.PAYLOAD_ERASED,
    PayloadState.UNREADABLE: Cause.PAYLOAD_UNREADABLE,
    PayloadState.NONE: Cause.PAYLOAD_MISSING,
}


@dataclass(slots=True, kw_only=True)
class Replayable:
    """A decision that can be asked again, and what it came to then. Its request is made when somebody wants it."""

    request_id: str
    log_index: int
    scope: tuple[str, str]
    was: Judged
    envelope: Mapping[str, Any]
    payload: Mapping[str, Any]
    key: bytes | None = None
    _made: EvaluationRequest | None = None

    @property
    def request(self) -> EvaluationRequest:
        """Raises InputUnreadable; never of what `read_described` returned."""
        if self._made is None:
            tenant, environment = self.scope
            self._made = request_of(self.payload, request_id=self.request_id, tenant=tenant, environment=environment)
        return self._made

    @property
    def seen(self) -> Seen:
        return Seen.of(self.request_id, self.log_index, self.envelope)


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
    payload = OpenedPayload(shown.payload_state, shown.payload)
    described = DescribedDecision(decision.request_id, shown.log_index, envelope, payload)
    return read_described(described, scope=(tenant, environment))


def read_described(
    decision: DescribedDecision,
    *,
    scope: tuple[str, str],
    key_of: Callable[[Mapping[str, Any]], bytes | None] = lambda _: None,
) -> Replayable | NotReplayable:
    """Return the decision as it is asked again in `scope`. A payload of which `key_of` gives a key is a request's."""
    request_id, log_index, envelope, opened = decision
    if envelope.get("kind") in _OF_OTHERS:
        return NotReplayable(request_id=request_id, cause=Cause.OTHER_SOURCE)
    if envelope.get("revision") is None:
        return _not(decision, Cause.REFUSED_BEFORE_DECISION)
    payload = _payload(opened)
    if isinstance(payload, Cause):
        return _not(decision, payload)
    found = Replayable(
        request_id=request_id,
        log_index=log_index,
        scope=scope,
        was=recorded(envelope),
        envelope=envelope,
        payload=payload,
        key=key_of(payload),
    )
    if found.key is None:
        try:
            _ = found.request
        except InputUnreadable:
            return _not(decision, Cause.INPUT_UNREADABLE)
    return found


def _not(decision: DescribedDecision, cause: Cause) -> NotReplayable:
    return NotReplayable(request_id=decision.request_id, cause=cause, codes=tuple(_codes(decision.members)))


def _payload(opened: OpenedPayload) -> Mapping[str, Any] | Cause:
    if opened.content is None:
        return _NOT_KEPT.get(opened.state, Cause.PAYLOAD_MISSING)
    try:
        payload = orjson.loads(opened.content)
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
