# SPDX-License-Identifier: Apache-2.0
"""Set what a release decides beside what was decided: did it change, and can that be said at all?

Theory: a record tells what a request came to, which is more than the decision: an allowed request may have been
refused or cut later, by redaction, by a tool policy, by a rate, or because an upstream failed. A replay answers for the
decision alone. Where the release refuses, the request is refused whatever would have come later. Where it allows and
the recorded refusal came from something that a replay does not do again, nobody knows, and that is what is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from policies.contracts.decision import Decision, Effect, Mode, Outcome
from policies.contracts.record import RecordOutcome

Told = tuple[str, str, str]
"""A reason: code, policy and rule."""

_RATE_LIMITED: Final = "rate-limited"
_FAILED: Final = "evaluation-failed"
# What others said, they said of texts, which a replay does not have.
_WITHOUT_TEXTS: Final = frozenset({"casbin", "opa", "rego-embedded", "limits"})


class Change(StrEnum):
    """What a release would change about a request."""

    NEWLY_REFUSED = "newly-refused"
    NEWLY_ALLOWED = "newly-allowed"
    REASONS_CHANGED = "reasons-changed"
    NO_LONGER_REDACTED = "no-longer-redacted"


class Cause(StrEnum):
    """Why it cannot be said what a release would make of a request."""

    RECORD_DROPPED = "record-dropped"
    OTHER_SOURCE = "other-source"
    REFUSED_BEFORE_DECISION = "refused-before-decision"
    PAYLOAD_ERASED = "payload-erased"
    PAYLOAD_UNREADABLE = "payload-unreadable"
    PAYLOAD_MISSING = "payload-missing"
    INPUT_UNREADABLE = "input-unreadable"
    RATE_NOT_COUNTED = "rate-not-counted"
    REFUSED_AFTER_DECISION = "refused-after-decision"
    TEXT_NOT_JUDGED = "text-not-judged"
    DECISION_FAILED = "decision-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a request came to. `unknown_if_allowed`: why an allow of the other side cannot be compared with it.

    `would_have`: what policies that warn or observe would have made of it. `redactions` are the policies it obliged to.
    """

    effect: Effect
    reasons: tuple[Told, ...] = ()
    would_have: Effect | None = None
    redactions: tuple[str, ...] = ()
    unknown_if_allowed: Cause | None = None


_PLAIN_ALLOW: Final = Judged(effect=Effect.ALLOW)


def judged(decision: Decision) -> Judged:
    """Return what `decision` says."""
    return Judged(
        effect=decision.effect,
        reasons=tuple(sorted({(reason.code, reason.policy, reason.rule) for reason in decision.reasons})),
        would_have=decision.would_have,
        redactions=tuple(sorted(owed.policy for owed in decision.obligations)),
    )


def recorded(envelope: Mapping[str, Any]) -> Judged:
    """Return what the record says of a request that was decided."""
    redactions = tuple(sorted({str(owed.get("policy")) for owed in _listed(envelope, "obligations")}))
    would_have = _effect(envelope.get("would_have"))
    outcome = envelope.get("outcome")
    if outcome == RecordOutcome.ALLOW:
        if not redactions and would_have is None:
            return _PLAIN_ALLOW
        return Judged(effect=Effect.ALLOW, would_have=would_have, redactions=redactions)
    reasons = tuple(
        sorted(
            {
                (str(reason.get("code")), str(reason.get("policy") or ""), str(reason.get("rule") or ""))
                for reason in _listed(envelope, "reasons")
            }
        )
    )
    if outcome == RecordOutcome.ERROR_DENY and _was_allowed(_listed(envelope, "engines")):
        # Policy allowed it, and then an upstream failed or a client left: that is none of the decision's.
        return Judged(effect=Effect.ALLOW, would_have=would_have, redactions=redactions)
    return Judged(
        effect=Effect.DENY, reasons=reasons, would_have=would_have, unknown_if_allowed=_unsettled(envelope, reasons)
    )


def change_of(was: Judged, now: Judged) -> Change | Cause | None:
    """Return what changed of the decision, None where nothing did, or why that cannot be said."""
    if now.effect is Effect.ALLOW:
        if was.effect is Effect.ALLOW:
            return None
        return was.unknown_if_allowed or Change.NEWLY_ALLOWED
    if was.effect is Effect.ALLOW:
        return Change.NEWLY_REFUSED
    return None if was.reasons == now.reasons else Change.REASONS_CHANGED


def _unsettled(envelope: Mapping[str, Any], reasons: Sequence[Told]) -> Cause | None:
    codes = {code for code, _, _ in reasons}
    if _RATE_LIMITED in codes:
        return Cause.RATE_NOT_COUNTED
    if _FAILED in codes:
        return Cause.DECISION_FAILED
    engines = _listed(envelope, "engines")
    if _was_allowed(engines):
        return Cause.REFUSED_AFTER_DECISION
    if _was_allowed([engine for engine in engines if engine.get("engine") in _WITHOUT_TEXTS]):
        return Cause.TEXT_NOT_JUDGED
    return None


def _was_allowed(engines: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the enforcing answers come to an allow, as `combine` unites them."""
    outcomes = {
        answer.get("outcome")
        for engine in engines
        for answer in _listed(engine, "answers")
        if answer.get("mode") == Mode.ENFORCE
    }
    return Outcome.ALLOW in outcomes and not outcomes & {Outcome.DENY, Outcome.ERROR}


def _effect(given: Any) -> Effect | None:
    return Effect(given) if given in {Effect.ALLOW, Effect.DENY} else None


def _listed(members: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = members.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
