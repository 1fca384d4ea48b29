# SPDX-License-Identifier: Apache-2.0
"""Read what `data.gatehouse.main.guards` gave into answers, and refuse everything a guard is not allowed to say.

The form is the same whichever engine ran the Rego: `{ID: {"allow": bool, "deny": [CODE…], "obligations": [{"type":
"redact", "policy": ID}…]}}`, with exactly the guards of the snapshot. Anything else means that engine and
snapshot disagree on what is asked, so that no part of the answer can be trusted: EvaluationFailed, whatever the mode of
the guard that is at fault. Problems name guards and members, never what a guard said: that may hold content.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from policies.contracts.decision import EngineAnswer, Outcome, PolicyAnswer, Reason, Redact
from policies.contracts.errors import EvaluationFailed
from policies.contracts.snapshot import GuardPolicy, PolicySnapshot
from policies.contracts.tools import DeniedCall
from policies.engines.per_snapshot import per_snapshot

_MEMBERS: Final = {"allow", "deny", "obligations"}


def read_guards(
    result: object,
    *,
    snapshot: PolicySnapshot,
    engine: str,
    duration_us: int,
    provenance: str = "",
) -> EngineAnswer:
    """Return the answers of all guards of `snapshot`, by id. Raises EvaluationFailed for any other form."""
    try:
        guards = _object(result, {guard.id for guard in snapshot.guards}, "data.gatehouse.main.guards")
        redactions = _redaction_ids(snapshot)
        answers = tuple(
            _read(guard, guards[guard.id], redactions) for guard in sorted(snapshot.guards, key=lambda guard: guard.id)
        )
    except ValueError as exc:
        raise EvaluationFailed(engine, str(exc)) from exc
    return EngineAnswer(engine=engine, answers=answers, duration_us=duration_us, provenance=provenance)


def read_calls(
    result: object, *, snapshot: PolicySnapshot, engine: str, asked: Collection[int]
) -> tuple[DeniedCall, ...]:
    """Return what `data.gatehouse.main.calls` denies of the calls `asked`, by guard. Raises EvaluationFailed."""
    judging = sorted((guard for guard in snapshot.guards if guard.calls is not None), key=lambda guard: guard.id)
    try:
        guards = _object(result, {guard.id for guard in judging}, "data.gatehouse.main.calls")
        return tuple(each for guard in judging for each in _denied(guard, guards[guard.id], asked))
    except ValueError as exc:
        raise EvaluationFailed(engine, str(exc)) from exc


def _denied(guard: GuardPolicy, raw: object, asked: Collection[int]) -> list[DeniedCall]:
    denied: dict[tuple[int, str], DeniedCall] = {}
    for each in _array(raw, f"guard {guard.id}: deny_call"):
        said = _object(each, {"index", "reason"}, f"guard {guard.id}: a member of deny_call")
        index, code = said["index"], said["reason"]
        if not isinstance(index, int) or isinstance(index, bool) or index not in asked:
            raise ValueError(f"guard {guard.id}: deny_call names a call that there is not")
        if not isinstance(code, str) or code not in guard.reasons:
            raise ValueError(f"guard {guard.id}: deny_call has a reason that spec.reasons does not declare")
        denied[index, code] = DeniedCall(index=index, mode=guard.mode, reason=Reason(code=code, policy=guard.id))
    return [denied[key] for key in sorted(denied)]


def _read(guard: GuardPolicy, raw: object, redactions: frozenset[str]) -> PolicyAnswer:
    said = _object(raw, _MEMBERS, f"guard {guard.id}")
    if not isinstance(said["allow"], bool):
        raise ValueError(f"guard {guard.id}: allow is not a boolean")  # noqa: TRY004  # as in _array
    codes = _codes(guard, said["deny"])
    outcome = Outcome.DENY if codes else Outcome.ALLOW if said["allow"] else Outcome.NOT_APPLICABLE
    return PolicyAnswer(
        policy=guard.id,
        mode=guard.mode,
        outcome=outcome,
        reasons=tuple(Reason(code=code, policy=guard.id) for code in codes),
        obligations=_obligations(guard, said["obligations"], redactions),
    )


def _codes(guard: GuardPolicy, raw: object) -> list[str]:
    codes = [code for code in _array(raw, f"guard {guard.id}: deny") if isinstance(code, str) and code in guard.reasons]
    if codes != raw:
        raise ValueError(f"guard {guard.id}: deny has a member that spec.reasons does not declare")
    return sorted(set(codes))


def _obligations(guard: GuardPolicy, raw: object, redactions: frozenset[str]) -> tuple[Redact, ...]:
    owed: set[str] = set()
    for each in _array(raw, f"guard {guard.id}: obligations"):
        obligation = _object(each, {"type", "policy"}, f"guard {guard.id}: an obligation")
        policy = obligation["policy"]
        if obligation["type"] != "redact":
            raise ValueError(f"guard {guard.id}: an obligation of a type that is not known")
        if not isinstance(policy, str) or policy not in redactions:
            raise ValueError(f"guard {guard.id}: an obligation names no redaction policy of the release")
        owed.add(policy)
    return tuple(Redact(policy=policy) for policy in sorted(owed))


def _object(raw: object, members: set[str], place: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict) or raw.keys() != members:
        raise ValueError(f"{place} is not an object of exactly the members that are expected")
    return raw


def _array(raw: object, place: str) -> list[object]:
    if not isinstance(raw, list):
        raise ValueError(f"{place} is not a set")  # noqa: TRY004  # read_guards turns one type into EvaluationFailed
    return raw


@per_snapshot
def _redaction_ids(snapshot: PolicySnapshot) -> frozenset[str]:
    return frozenset(policy.id for policy in snapshot.redactions)
