# SPDX-License-Identifier: Apache-2.0
"""The access matrix, asked of Casbin: may this subject use this resource for this action at all?

Theory: casbin goes through all rows of a policy for each question, 5 µs a row. So each access policy is split by the
resource its rows name, into one small enforcer a resource and one for every resource that no row names; a question goes
to one of them, and its answer is remembered. What a resource is not named by any row it is not told apart by either, so
that a client who makes up model names fills no memory.

Facts about pycasbin 2.8 that this depends on, each pinned by a test:

* A row with an effect it does not know, and a row too short, are accepted and fail later or never: rows are made here,
  from typed grants only.
* An effect of denials alone allows what nothing matches: ours needs an allow.
* `!` in a matcher is rewritten even within quotes: ours has neither `!` nor names from documents.
* `load_policy`, `add_policy` and `enable_enforce` change an enforcer that others are asking: an enforcer is filled
  once, never given out, and refuses `enable_enforce`.

Warning: not for use by several threads at once. A worker is one thread and has its own.
"""

import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

import casbin

from policies.contracts.decision import Effect, EngineAnswer, Outcome, PolicyAnswer, Reason
from policies.contracts.request import EvaluationRequest, Resource, Subject
from policies.contracts.snapshot import AccessPolicy, Grant, PolicySnapshot
from policies.engines.groups import groups_of

ENGINE: Final = "casbin"

# keyMatch is equality unless the row's resource is `model:*` or `route:*`; a name in a document cannot have `*`.
MODEL_TEXT: Final = """
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, eft, rule
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = (p.sub == "*" || g(r.sub, p.sub)) && keyMatch(r.obj, p.obj) && (p.act == "*" || r.act == p.act)
"""

# An answer takes about 1 KiB here. A worker that serves more different (subject, resource, action) at a time is large.
_REMEMBERED_ANSWERS: Final = 16_384

# Rows that match deny before others allow, as in the model's effect.
_DECIDES: Final = (Outcome.DENY, Outcome.ALLOW)

_ANY_MODEL: Final = "model:*"
_ANY_ROUTE: Final = "route:*"

Row = tuple[str, str, str, str, str]


class CasbinAccess:
    """An AccessEngine over the access policies of one snapshot. Immutable: a new snapshot gets a new one."""

    def __init__(self, snapshot: PolicySnapshot) -> None:
        self._snapshot = snapshot
        policies = sorted(snapshot.access, key=lambda policy: policy.id)
        self._matrices = tuple(_Matrix(policy, snapshot.groups) for policy in policies)
        self._named = frozenset(resource for matrix in self._matrices for resource in matrix.resources)
        self._actions = frozenset(action for matrix in self._matrices for action in matrix.actions)
        self._answers = lru_cache(_REMEMBERED_ANSWERS)(self._ask)

    def evaluate(self, request: EvaluationRequest) -> EngineAnswer:
        """Return one answer for each access policy, by id."""
        started = time.perf_counter_ns()
        resource = self._known(request.resource)
        action = request.action if request.action in self._actions else ""
        answers = self._answers(str(request.subject), resource, action)
        # A group that a token names is a role that this subject has now. Casbin takes a role for a subject too, and the
        # effect is one over all rows that match: so each is asked by itself, and a denial of any of them stands.
        for group in request.subject.groups:
            answers = tuple(map(_stronger, answers, self._answers(f"group:{group}", resource, action)))
        return EngineAnswer(
            engine=ENGINE,
            answers=answers,
            duration_us=(time.perf_counter_ns() - started) // 1000,
        )

    def groups_of(self, subject: Subject) -> tuple[str, ...]:
        """Return the groups of `subject`, sorted."""
        return groups_of(self._snapshot, subject)

    def _known(self, resource: Resource) -> str:
        """Return `resource` as rows name it; one that no row names is what the wildcards of its type apply to."""
        name = str(resource)
        if name in self._named:
            return name
        return f"{resource.type}:*"

    def _ask(self, subject: str, resource: str, action: str) -> tuple[PolicyAnswer, ...]:
        return tuple(matrix.ask(subject, resource, action) for matrix in self._matrices)


def _stronger(one: PolicyAnswer, other: PolicyAnswer) -> PolicyAnswer:
    """Return which of two answers of one policy stands: a denial, else an allow."""
    return next((answer for outcome in _DECIDES for answer in (one, other) if answer.outcome is outcome), one)


class _Matrix:
    """One access policy: its rows by the resource they name, and an enforcer for each resource once it is asked of."""

    def __init__(self, policy: AccessPolicy, groups: Mapping[str, tuple[str, ...]]) -> None:
        self._policy = policy
        self._groups = groups
        self._rows: dict[str, list[Row]] = {}
        for row in dict.fromkeys(rows_of(policy.grants)):
            self._rows.setdefault(row[1], []).append(row)
        self._enforcers: dict[str, _SealedEnforcer | None] = {}
        self.resources = frozenset(self._rows)
        self.actions = frozenset(row[2] for rows in self._rows.values() for row in rows)

    def ask(self, subject: str, resource: str, action: str) -> PolicyAnswer:
        if resource not in self._enforcers:
            self._enforcers[resource] = self._build(resource)
        enforcer = self._enforcers[resource]
        if enforcer is None:
            return self._answer(Outcome.NOT_APPLICABLE)
        allowed, row = enforcer.enforce_ex(subject, resource, action)
        if allowed is True:
            return self._answer(Outcome.ALLOW)
        if not row:  # the row that decided; there is none where no row matched
            return self._answer(Outcome.NOT_APPLICABLE)
        return self._answer(Outcome.DENY, Reason(code="access-denied", policy=self._policy.id, rule=row[-1]))

    def _build(self, resource: str) -> "_SealedEnforcer | None":
        wildcard = _ANY_MODEL if resource.startswith("model:") else _ANY_ROUTE
        patterns = dict.fromkeys((resource, wildcard))
        rows = [row for pattern in patterns for row in self._rows.get(pattern, ())]
        if not rows:
            return None
        named = {row[0].removeprefix("group:") for row in rows if row[0].startswith("group:")}
        links = [
            (member, f"group:{name}") for name in sorted(named) for member in dict.fromkeys(self._groups.get(name, ()))
        ]
        return _SealedEnforcer(rows, links)

    def _answer(self, outcome: Outcome, *reasons: Reason) -> PolicyAnswer:
        return PolicyAnswer(policy=self._policy.id, mode=self._policy.mode, outcome=outcome, reasons=reasons)


class _SealedEnforcer(casbin.Enforcer):  # type: ignore[misc]  # casbin has no types
    """An enforcer filled when it is made. It cannot be switched off."""

    def __init__(self, rows: list[Row], links: list[tuple[str, str]]) -> None:
        super().__init__(casbin.Enforcer.new_model(text=MODEL_TEXT))
        if not self.add_policies(rows) or (links and not self.add_grouping_policies(links)):
            raise ValueError("casbin did not take all rows of an access policy")

    def enable_enforce(self, enabled: bool = True) -> None:  # noqa: FBT001, FBT002  # casbin's signature
        """Refuse: switched off, casbin allows everything."""
        raise TypeError(f"an enforcer of Gatehouse is not switched on or off (enabled={enabled})")


def rows_of(grants: tuple[Grant, ...]) -> Iterator[Row]:
    """Give Casbin's rows of `grants`: subject, resource, action, effect, and the grant's id."""
    for grant in grants:
        effect = Effect(grant.effect).value
        for operation in grant.operations:
            resources = [f"model:{model}" for model in grant.models] or [f"route:{operation}"]
            for resource in resources:
                for subject in grant.subjects:
                    yield subject, resource, operation, effect, grant.id
