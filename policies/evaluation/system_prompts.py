# SPDX-License-Identifier: Apache-2.0
"""Whether a request has the system prompt that policy wants, and which one is to be put in.

Rules: a system text is approved where it equals an approved one character by character. It is the only one, and stands
first: what a later system message says could take everything back. A rule in mode `warn` or `observe` puts nothing in.
Where two policies put in different texts, there is no telling which is meant: the request is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policies.contracts.decision import EngineAnswer, Mode, Outcome, PolicyAnswer, Reason
from policies.contracts.prompts import NOT_APPROVED, ApprovedPrompt, OnOwn, PromptRule, PromptsPolicy
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import Dialect, PolicySnapshot
from policies.engines.groups import selectors_of
from policies.engines.per_snapshot import per_snapshot
from policies.redaction.selection import selects

ENGINE: Final = "prompts"
# What is generated from a text without roles has no place for a system prompt: a client's text may stand for one.
WITHOUT_ROLES: Final = frozenset({Dialect.COMPLETIONS})
WITH_ROLES: Final = frozenset({Dialect.CHAT, Dialect.RESPONSES})


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemTexts:
    """What a request says as its system or developer, in order; None for a message that is more than one plain text.

    `leads`: nothing stands before the first. `has_roles`: its dialect has a place for a system prompt at all.
    """

    texts: tuple[str | None, ...] = ()
    leads: bool = True
    has_roles: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPrompt:
    """The approved prompt that a request was allowed with. `inserted`: the proxy puts it in."""

    policy: str
    rule: str
    prompt: ApprovedPrompt
    inserted: bool
    on_own: OnOwn = OnOwn.REFUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPrompts:
    answer: EngineAnswer
    prompt: SystemPrompt | None = None


def judge_prompts(snapshot: PolicySnapshot, request: EvaluationRequest, said: SystemTexts | None) -> JudgedPrompts:
    """Return what the prompts policies answer; `said` is None where the request asks for no text of a model."""
    if said is None:
        return JudgedPrompts(answer=_neutral(snapshot))
    refused: dict[str, PolicyAnswer] = {}
    chosen: SystemPrompt | None = None
    approved = _approved(snapshot)
    for policy in snapshot.prompts:
        rule = rule_for(policy, request, snapshot)
        if rule is None:
            continue
        prompt = _allowed(rule, said, approved[policy.id])
        enforced = policy.mode is Mode.ENFORCE
        if prompt is not None and enforced:
            found = SystemPrompt(
                policy=policy.id, rule=rule.id, prompt=prompt, inserted=rule.insert is not None, on_own=rule.on_own
            )
            if chosen is None or (found.inserted and not chosen.inserted):
                chosen = found
            elif found.inserted and found.prompt.text != chosen.prompt.text:
                prompt = None
        if prompt is None:
            reason = Reason(code=NOT_APPROVED, policy=policy.id, rule=rule.id)
            refused[policy.id] = PolicyAnswer(
                policy=policy.id, mode=policy.mode, outcome=Outcome.DENY, reasons=(reason,)
            )
    neutral = _neutral(snapshot)
    if not refused:
        return JudgedPrompts(answer=neutral, prompt=chosen)
    answers = tuple(refused.get(answer.policy, answer) for answer in neutral.answers)
    return JudgedPrompts(answer=EngineAnswer(engine=ENGINE, answers=answers), prompt=chosen)


def rule_for(policy: PromptsPolicy, request: EvaluationRequest, snapshot: PolicySnapshot) -> PromptRule | None:
    """Return the first rule of `policy` that selects the request."""
    selectors = selectors_of(snapshot, request.subject)
    model = request.resource.id if request.resource.type == "model" else None
    selecting = (
        rule for rule in policy.rules if selects(rule, operation=request.action, model=model, subject=selectors)
    )
    return next(selecting, None)


def _allowed(rule: PromptRule, said: SystemTexts, approved: Mapping[str, ApprovedPrompt]) -> ApprovedPrompt | None:
    """Return the prompt that `rule` allows the request with, None where it refuses it."""
    if not said.has_roles:
        return None
    if rule.insert is not None:
        return approved[rule.insert] if rule.on_own is OnOwn.KEEP or not said.texts else None
    if len(said.texts) != 1 or not said.leads:
        return None
    return next((approved[name] for name in rule.require if approved[name].text == said.texts[0]), None)


@per_snapshot
def _approved(snapshot: PolicySnapshot) -> Mapping[str, Mapping[str, ApprovedPrompt]]:
    return {policy.id: {prompt.name: prompt for prompt in policy.prompts} for policy in snapshot.prompts}


@per_snapshot
def _neutral(snapshot: PolicySnapshot) -> EngineAnswer:
    answers = (
        PolicyAnswer(policy=policy.id, mode=policy.mode, outcome=Outcome.NOT_APPLICABLE) for policy in snapshot.prompts
    )
    return EngineAnswer(engine=ENGINE, answers=tuple(answers))
