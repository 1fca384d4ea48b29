# SPDX-License-Identifier: Apache-2.0
"""Try a question on a snapshot and its engines, by the very evaluation that the proxy uses, and say what differs.

The tests of documents are tried so where a release is made; those that are its canaries, where it is put to work.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from policies.contracts.canaries import Canary, TrialText
from policies.contracts.decision import Decision
from policies.contracts.request import EvaluationRequest, Resource
from policies.contracts.snapshot import PolicySnapshot
from policies.detectors.catalogue import own_name
from policies.engines.groups import selectors_of
from policies.engines.ports import AccessEngine, GuardEngine
from policies.evaluation.head import refused_on_head
from policies.evaluation.pipeline import TakeToken, decide
from policies.evaluation.screening import Screening
from policies.evaluation.trial_texts import TrialTexts
from policies.redaction.engine import Redaction
from policies.redaction.examination import Asked, Examined, examine, rules_of
from policies.redaction.findings import Tally


class CanaryFailed(Exception):
    """Something else was answered than a canary of the snapshot expects. The text names it, and no content."""

    def __init__(self, canary: Canary) -> None:
        super().__init__(f"{canary.policy}/{canary.name}")


async def run_canaries(
    snapshot: PolicySnapshot,
    *,
    access: AccessEngine,
    guard: GuardEngine,
    redaction: Redaction,
    screening: Screening | None = None,
) -> None:
    """Return if every canary of `snapshot` is answered as it expects. Raises CanaryFailed with the first that is not.

    `redaction` has no key for hashes: a test writes what stands in place of one.
    """
    for canary in snapshot.canaries:
        if await problem_of(
            canary, snapshot=snapshot, access=access, guard=guard, redaction=redaction, screening=screening
        ):
            raise CanaryFailed(canary)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a trial came to; `problems` is what is answered differently from what it expects."""

    request: EvaluationRequest
    decision: Decision
    examined: Examined | None
    problems: tuple[str, ...]
    screened: tuple[tuple[str, str], ...] = ()  # the screening rules that found something


async def problem_of(
    trial: Canary,
    *,
    snapshot: PolicySnapshot,
    access: AccessEngine,
    guard: GuardEngine,
    redaction: Redaction,
    screening: Screening | None = None,
) -> str:
    """Return what is answered differently from what `trial` expects, empty where nothing is."""
    tried = await try_on(trial, snapshot=snapshot, access=access, guard=guard, redaction=redaction, screening=screening)
    return "; ".join(tried.problems)


async def try_on(
    trial: Canary,
    *,
    snapshot: PolicySnapshot,
    access: AccessEngine,
    guard: GuardEngine,
    redaction: Redaction,
    screening: Screening | None = None,
) -> Tried:
    """Return what `trial` comes to. Rates are not counted: every trial finds a full bucket."""
    request = _request(trial, snapshot)
    texts = TrialTexts(trial, request, snapshot, screening)
    decision = refused_on_head(request, snapshot)
    if decision is None:
        decision = await decide(
            request,
            snapshot=snapshot,
            access=access,
            guard=guard,
            take_token=_always_there,
            texts=texts.judge,
        )
    examined = None if trial.text is None else _examined(trial, trial.text, redaction, snapshot)
    differs = () if trial.text is None or examined is None else tuple(_of_text(trial.text, trial.policy, examined))
    return Tried(
        request=request,
        decision=decision,
        examined=examined,
        problems=(*_of_decision(trial, decision), *differs, *texts.problems()),
        screened=texts.screened,
    )


def _request(trial: Canary, snapshot: PolicySnapshot) -> EvaluationRequest:
    named = trial.model is not None
    return EvaluationRequest(
        request_id="req_test",
        tenant=snapshot.tenant,
        environment=snapshot.environment,
        subject=trial.subject,
        action=trial.operation,
        resource=Resource(type="model" if named else "route", id=trial.model or trial.operation),
        facts=trial.facts,
        at=trial.at,
    )


async def _always_there(_token: TakeToken) -> float:
    return 0.0


def _of_decision(trial: Canary, decision: Decision) -> Iterator[str]:
    reasons = tuple(sorted({reason.code for reason in decision.reasons}))
    if trial.effect is not None and decision.effect is not trial.effect:
        yield f"effect is {decision.effect}, not {trial.effect} (reasons: {', '.join(reasons) or 'none'})"
    if trial.reasons is not None and reasons != trial.reasons:
        yield f"reasons are {', '.join(reasons) or 'none'}, not {', '.join(trial.reasons) or 'none'}"


def _examined(trial: Canary, text: TrialText, redaction: Redaction, snapshot: PolicySnapshot) -> Examined:
    asked = Asked(
        direction=text.direction,
        operation=trial.operation,
        model=trial.model,
        subject=frozenset(selectors_of(snapshot, trial.subject)),
    )
    return examine(rules_of(redaction, asked), text.text, Tally(), field=text.field)


def _of_text(text: TrialText, policy: str, left: Examined) -> Iterator[str]:
    """Give what differs of a trial's text; `policy` is the one whose names it says without saying whose they are."""
    blocked, what = left.blocked is not None, text.direction
    if text.blocked is not None and blocked is not text.blocked:
        yield f"the {what} is blocked" if blocked else f"the {what} is not blocked"
    if text.redacted is not None and (blocked or left.text != text.redacted):
        yield "the text that leaves differs from 'redacted'"
    if text.findings is not None:
        found = {finding.detector.removeprefix(own_name(policy, "")) for finding in left.findings}
        wanted = {name.removeprefix(own_name(policy, "")) for name in text.findings}
        if found != wanted:
            yield f"findings are of {_listed(found)}, not of {_listed(wanted)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
