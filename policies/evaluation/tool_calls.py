# SPDX-License-Identifier: Apache-2.0
"""Decide the tool calls of an answer: by the rules of tools policies, and by what guards say of them.

Rules, for a call of a model that at least one tools policy of mode `enforce` is in force for: it must be of a tool that
the request offered; no `deny` rule may apply to it; an `allow` rule must. What a guard denies is refused as well. A
call whose arguments are not one strict JSON object is refused whatever a rule says, since nobody can tell how a client
reads them; a `deny` rule that looks at arguments applies to it. Policies in mode `warn` and `observe` change nothing:
what each alone would have refused is told beside.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from policies.contracts.decision import Decision, Effect, EngineAnswer, Mode, Reason
from policies.contracts.errors import EvaluationFailed
from policies.contracts.request import EvaluationRequest
from policies.contracts.snapshot import GuardPolicy, PolicySnapshot
from policies.contracts.tools import (
    ANY_REST,
    AskedCall,
    DeniedCall,
    OnRefusal,
    RefusedCall,
    ToolRule,
    ToolsPolicy,
    strictest,
)
from policies.engines.groups import selectors_of
from policies.engines.ports import GuardEngine
from policies.evaluation.argument_schema import ArgumentCheck, argument_check

NOT_OFFERED: Final = "call-not-offered"
NOT_PERMITTED: Final = "call-not-permitted"
ARGUMENTS_NOT_PERMITTED: Final = "call-arguments-not-permitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallVerdict:
    """What becomes of the call at `index`: it leaves unless `refused`. `observed` is what other modes would have."""

    index: int
    refused: RefusedCall | None = None
    observed: tuple[RefusedCall, ...] = ()

    @property
    def action(self) -> OnRefusal | None:
        return None if self.refused is None else OnRefusal(self.refused.action)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRules:
    """The tools policies of one snapshot, their schemas compiled. Built off the path of requests; immutable."""

    policies: tuple[ToolsPolicy, ...]
    checks: Mapping[tuple[str, str], ArgumentCheck]

    @classmethod
    def of(cls, policies: Sequence[ToolsPolicy]) -> Self:
        """Return the rules of `policies`. Raises SchemaRefused (ValueError) for a schema that cannot be held to."""
        checks = {
            (policy.id, rule.id): check
            for policy in policies
            for rule in policy.rules
            if (check := argument_check(rule.arguments, rule.patterns)) is not None
        }
        return cls(policies=tuple(policies), checks=checks)


NO_RULES: Final = CallRules(policies=(), checks={})


def decide_calls(
    calls: Sequence[AskedCall],
    *,
    rules: CallRules,
    request: EvaluationRequest,
    snapshot: PolicySnapshot,
    denied: Sequence[DeniedCall] = (),
) -> tuple[CallVerdict, ...]:
    """Return a verdict for each of `calls`, which are those of one choice. `denied` is what the guards said of them."""
    guards = {guard.id: guard for guard in snapshot.guards}
    asked = _Asked(
        rules=rules,
        request=request,
        selectors=frozenset(selectors_of(snapshot, request.subject)),
        offered=() if request.facts.tool_choice == "none" else request.facts.tools,
        guarded=[guard.calls for guard in snapshot.guards if guard.calls is not None and guard.mode is Mode.ENFORCE],
    )
    return tuple(asked.verdict(call, [each for each in denied if each.index == call.index], guards) for call in calls)


def taking(
    call: AskedCall, *, rules: CallRules, request: EvaluationRequest, snapshot: PolicySnapshot
) -> tuple[tuple[str, ToolRule], ...]:
    """Return the rules that select `call` and whose arguments are as it has them, each with its policy's id."""
    selectors = frozenset(selectors_of(snapshot, request.subject))
    asked = _Asked(rules=rules, request=request, selectors=selectors, offered=(), guarded=[])
    return tuple(
        (policy.id, rule) for policy in rules.policies for rule in policy.rules if asked.takes(policy, rule, call)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Whose calls are decided, and by what."""

    rules: CallRules
    request: EvaluationRequest
    selectors: Collection[str]
    offered: Sequence[str]
    guarded: list[OnRefusal]  # what guards of mode `enforce` do about a call

    def verdict(self, call: AskedCall, denied: Sequence[DeniedCall], guards: Mapping[str, GuardPolicy]) -> CallVerdict:
        name = call.name if call.name is not None and call.name in self.offered else ANY_REST
        enforced = [policy for policy in self.rules.policies if policy.mode is Mode.ENFORCE]
        found = self._refusal(call, enforced) if enforced or self.guarded else None
        refusals = [] if found is None else [found]
        refusals += [
            (each.reason, guards[each.reason.policy].calls or OnRefusal.CUT)
            for each in denied
            if each.mode is Mode.ENFORCE
        ]
        observed = [(policy.mode, self._refusal(call, [policy])) for policy in self.rules.policies]
        told = [
            *((mode, alone[0]) for mode, alone in observed if mode is not Mode.ENFORCE and alone is not None),
            *((each.mode, each.reason) for each in denied if each.mode is not Mode.ENFORCE),
        ]
        refused = None
        if refusals:
            # The first reason is told; where several refuse, the strictest of what they ask for is done.
            reason, action = refusals[0][0], strictest([action for _, action in refusals])
            by = guards.get(reason.policy)
            message = None if by is None else by.reasons.get(reason.code)
            refused = RefusedCall(name=name, reason=reason, action=action.value, message=message)
        return CallVerdict(
            index=call.index,
            refused=refused,
            observed=tuple(RefusedCall(name=name, reason=reason, action=mode.value) for mode, reason in told),
        )

    def _refusal(self, call: AskedCall, policies: Sequence[ToolsPolicy]) -> tuple[Reason, OnRefusal] | None:
        """Return why `policies` together refuse `call`, and what is done about it; None where they allow it."""
        strict = strictest([policy.on_refusal for policy in policies] or self.guarded)
        by = next((policy.id for policy in policies if policy.on_refusal is strict), "")
        if call.name is None or (policies and call.name not in self.offered):
            return Reason(code=NOT_OFFERED, policy=by), strict
        if not policies:
            return None if call.arguments is not None else (Reason(code=ARGUMENTS_NOT_PERMITTED), strict)
        selected = [(policy, rule) for policy in policies for rule in policy.rules if self._selects(rule, call.name)]
        for policy, rule in selected:
            if rule.effect is Effect.DENY and self._takes(policy, rule, call):
                return Reason(code=NOT_PERMITTED, policy=policy.id, rule=rule.id), policy.on_refusal
        allowing = [(policy, rule) for policy, rule in selected if rule.effect is Effect.ALLOW]
        if any(self._takes(policy, rule, call) for policy, rule in allowing):
            return None
        if allowing:
            policy, rule = allowing[0]
            return Reason(code=ARGUMENTS_NOT_PERMITTED, policy=policy.id, rule=rule.id), strict
        return Reason(code=NOT_PERMITTED, policy=by), strict

    def takes(self, policy: ToolsPolicy, rule: ToolRule, call: AskedCall) -> bool:
        """Whether `rule` is for `call`, whatever other rules say of it."""
        return call.name is not None and self._selects(rule, call.name) and self._takes(policy, rule, call)

    def _selects(self, rule: ToolRule, name: str) -> bool:
        request = self.request
        model = request.resource.id if request.resource.type == "model" else None
        return is_for(rule, selectors=self.selectors, operation=request.action, model=model) and any(
            _names(tool, name) for tool in rule.tools
        )

    def _takes(self, policy: ToolsPolicy, rule: ToolRule, call: AskedCall) -> bool:
        """Whether the arguments of `call` are as `rule` has it. Where that cannot be told, it is what refuses more."""
        check = self.rules.checks.get((policy.id, rule.id))
        denies = rule.effect is Effect.DENY
        if call.arguments is None:
            return denies
        return check is None or check.takes(call.arguments, unclear=denies)


def is_for(rule: ToolRule, *, selectors: Collection[str], operation: str, model: str | None) -> bool:
    """Tell whether a rule is for a request of a subject whom `selectors` mean, whatever tools it names."""
    return (
        any(subject in selectors for subject in rule.subjects)
        and _listed(rule.operations, operation)
        and (not rule.models or (model is not None and _listed(rule.models, model)))
    )


def _listed(listed: Sequence[str], value: str) -> bool:
    return not listed or value in listed or "*" in listed


def _names(tool: str, name: str) -> bool:
    return name.startswith(tool[:-1]) if tool.endswith(ANY_REST) else name == tool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallJudge:
    """Decides the tool calls of one answer. `access` is what the access engine said of its request."""

    rules: CallRules
    guard: GuardEngine
    snapshot: PolicySnapshot
    request: EvaluationRequest
    access: EngineAnswer

    @property
    def enforces(self) -> bool:
        """Whether a verdict may change the answer."""
        rules, guards = self.rules.policies, self.snapshot.guards
        return any(policy.mode is Mode.ENFORCE for policy in rules) or any(
            guard.calls is not None and guard.mode is Mode.ENFORCE for guard in guards
        )

    async def judge(self, calls: Sequence[AskedCall]) -> tuple[CallVerdict, ...]:
        """Return a verdict for each of `calls`, which are those of one choice. Raises EvaluationFailed."""
        denied: tuple[DeniedCall, ...] = ()
        if judges_calls(self.snapshot):
            # Of those that are refused anyhow nobody asks: a guard would have to know what cannot be read.
            readable = [call for call in calls if call.name is not None and call.arguments is not None]
            if readable:
                denied = await self._denied(readable)
        return decide_calls(calls, rules=self.rules, request=self.request, snapshot=self.snapshot, denied=denied)

    async def _denied(self, calls: Sequence[AskedCall]) -> tuple[DeniedCall, ...]:
        try:
            return await self.guard.judge(self.request, self.access, calls)
        except EvaluationFailed:
            raise
        except Exception as exc:
            raise EvaluationFailed("guard", f"unexpected {type(exc).__name__}") from exc


def judges_calls(snapshot: PolicySnapshot) -> bool:
    """Return whether a guard of `snapshot` is asked about the tool calls of answers."""
    return any(guard.calls is not None for guard in snapshot.guards)


def judge_of(
    decision: Decision, request: EvaluationRequest, *, rules: CallRules, guard: GuardEngine, snapshot: PolicySnapshot
) -> CallJudge | None:
    """Return who decides the calls in the answer to `request`; None where no policy of `snapshot` speaks of them."""
    if not rules.policies and not judges_calls(snapshot):
        return None
    # The engine of access is asked first of all, and a decision that allowed has its answer.
    access = next((answer for answer in decision.engines if answer.engine == "casbin"), None)
    if access is None:
        raise EvaluationFailed("evaluation", "the decision has no answer of the access engine")
    return CallJudge(rules=rules, guard=guard, snapshot=snapshot, request=request, access=access)
