# SPDX-License-Identifier: Apache-2.0
"""What policy says of the text of a test, as if it were all that the request says."""

from collections.abc import Awaitable, Callable

from policies.contracts.canaries import Canary, TrialText
from policies.contracts.decision import EngineAnswer
from policies.contracts.redaction import Direction, FieldClass
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import PolicySnapshot
from policies.evaluation.pipeline import AskTexts
from policies.evaluation.system_prompts import WITH_ROLES, WITHOUT_ROLES, SystemTexts, judge_prompts


def judge_of(
    trial: Canary, request: EvaluationRequest, snapshot: PolicySnapshot
) -> Callable[[AskTexts], Awaitable[EngineAnswer]] | None:
    """Return who judges the text of `trial`; None where it has none of a request, so that none is asked about."""
    text = trial.text
    if text is None or text.direction is not Direction.REQUEST:
        return None

    async def judge(_ask: AskTexts) -> EngineAnswer:
        return judge_prompts(snapshot, request, _said_as_system(text, request.action, snapshot)).answer

    return judge


def _said_as_system(text: TrialText, operation: str, snapshot: PolicySnapshot) -> SystemTexts | None:
    dialects = {route.dialect for route in snapshot.routes if route.operation == operation}
    if dialects & WITHOUT_ROLES:
        return SystemTexts(has_roles=False)
    if not dialects & WITH_ROLES:
        return None
    of_system = text.field in (FieldClass.SYSTEM, FieldClass.DEVELOPER)
    return SystemTexts(texts=(text.text,) if of_system else ())
