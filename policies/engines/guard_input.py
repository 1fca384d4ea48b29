# SPDX-License-Identifier: Apache-2.0
"""The one document guards decide by: `input`, as `docs/spec/policy-document.md` states it."""

from datetime import UTC

from policies.contracts.codec import JSON
from policies.contracts.decision import EngineAnswer, Mode, Outcome
from policies.contracts.request import EvaluationRequest

# The united answer is the first of these that an enforcing policy gave: what refuses stands before what allows.
_STRONGEST_FIRST = (Outcome.ERROR, Outcome.DENY, Outcome.ALLOW)


def guard_input(
    request: EvaluationRequest,
    *,
    groups: tuple[str, ...],
    access: EngineAnswer,
) -> dict[str, JSON]:
    """Return `input` for `request` of a subject in `groups`, which the access engine answered with `access`."""
    return {
        "subject": {"type": request.subject.type, "id": request.subject.id, "groups": groups},
        "action": {"name": request.action},
        "resource": {"type": request.resource.type, "id": request.resource.id},
        "context": {
            "tenant": request.tenant,
            "environment": request.environment,
            # RFC 3339 with Z, the form that `time.parse_rfc3339_ns` takes and the specification shows.
            "time": request.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        },
        "request": request.facts.to_json(),
        "access": {"effect": united_effect(access)},
    }


def united_effect(access: EngineAnswer) -> str:
    """Return what the enforcing policies of `access` say together: `allow`, `deny` or `not_applicable`.

    An error counts as `deny`: a guard that only acts on what access allows must not act on a failure.
    """
    given = {answer.outcome for answer in access.answers if answer.mode is Mode.ENFORCE}
    united = next((outcome for outcome in _STRONGEST_FIRST if outcome in given), Outcome.NOT_APPLICABLE)
    return str(Outcome.DENY if united is Outcome.ERROR else united)
