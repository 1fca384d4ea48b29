# SPDX-License-Identifier: Apache-2.0
"""The access matrix, asked of Casbin: may this subject use this resource for this action at all?

Theory: casbin goes through all rows of a policy for each question, 5 µs a row. Every name in a row is exact or stands
for all, so that the rows that can match are found by subject (or a group of it), resource and action in a dictionary.
Casbin is given those few and says what they come to; `tests/property/test_casbin_verdicts.py` holds it to plain casbin.
What was asked before is remembered, and so is what a set of rows came to, whoever was asked for: every row of the set
matches each subject it was found for. What a resource is not named by any row it is not told apart by either, so that a
client who makes up model names fills no memory.

Facts about pycasbin 2.8 that this depends on, each pinned by a test:

* A row with an effect it does not know, and a row too short, are accepted and fail later or never: rows are made here,
  from typed grants only.
* An effect of denials alone allows what nothing matches: ours needs an allow.
* `!` in a matcher is rewritten even within quotes: ours has neither `!` nor names from documents.
* `load_policy`, `add_policy` and `enable_enforce` change an enforcer that others are asking: an enforcer is filled
  once, for one question, never given out, and refuses `enable_enforce`.

Warning: not for use by several threads at once. A worker is one thread and has its own.
"""

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Final

import casbin

from policies.contracts.decision import Effect, EngineAnswer, Outcome, PolicyAnswer, Reason
from policies.contracts.request import EvaluationRequest, Resource, Subject
from policies.contracts.snapshot import AccessPolicy, Grant, PolicySnapshot
from policies.engines.groups import groups_by_member, groups_of, selectors_of

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
# Where more rows match one question, casbin is asked each time: what is remembered of a policy has some 1 MiB.
_REMEMBERED_SETS: Final = 1_024
_LARGEST_REMEMBERED_SET: Final = 64

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
        self._matrices = tuple(map(_Matrix, policies))
        self._groups = groups_by_member(snapshot)
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

    def rows_for(self, request: EvaluationRequest) -> Iterator[tuple[str, tuple[Row, ...]]]:
        """Give, for each policy by id, its rows that match `request`, in their order: what its answer comes from."""
        subjects = selectors_of(self._snapshot, request.subject)
        resource = self._known(request.resource)
        yield from ((matrix.id, matrix.matching(subjects, resource, request.action)) for matrix in self._matrices)

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
        groups = [f"group:{name}" for name in self._groups.get(subject, ())]
        return tuple(matrix.ask(subject, groups, resource, action) for matrix in self._matrices)


def _stronger(one: PolicyAnswer, other: PolicyAnswer) -> PolicyAnswer:
    """Return which of two answers of one policy stands: a denial, else an allow."""
    return next((answer for outcome in _DECIDES for answer in (one, other) if answer.outcome is outcome), one)


class _Matrix:
    """One access policy: its rows by what they name, and what sets of them came to."""

    def __init__(self, policy: AccessPolicy) -> None:
        self._policy = policy
        self.id = policy.id
        self._rows = tuple(dict.fromkeys(rows_of(policy.grants)))
        self._places: dict[tuple[str, str, str], list[int]] = {}
        for place, (subject, resource, action, _, _) in enumerate(self._rows):
            self._places.setdefault((subject, resource, action), []).append(place)
        self._came_to: dict[tuple[int, ...], PolicyAnswer] = {}
        self.resources = frozenset(row[1] for row in self._rows)
        self.actions = frozenset(row[2] for row in self._rows)

    def ask(self, subject: str, groups: Sequence[str], resource: str, action: str) -> PolicyAnswer:
        """Return what the rows come to that match `subject`, which belongs to `groups`."""
        places = self._matching((subject, *groups, "*"), resource, action)
        if not places:
            return self._answer(Outcome.NOT_APPLICABLE)
        known = self._came_to.get(places)
        if known is None:
            known = self._judge([self._rows[place] for place in places], subject, groups, resource, action)
            if len(places) <= _LARGEST_REMEMBERED_SET:
                if len(self._came_to) >= _REMEMBERED_SETS:
                    self._came_to.clear()
                self._came_to[places] = known
        return known

    def matching(self, subjects: Sequence[str], resource: str, action: str) -> tuple[Row, ...]:
        """Return the rows that match any of `subjects`, the selectors of one."""
        return tuple(self._rows[place] for place in self._matching(subjects, resource, action))

    def _matching(self, subjects: Sequence[str], resource: str, action: str) -> tuple[int, ...]:
        """Return where the rows stand that can match, in the policy's order: casbin names the first that decides."""
        wildcard = _ANY_MODEL if resource.startswith("model:") else _ANY_ROUTE
        keys = dict.fromkeys(product(subjects, (resource, wildcard), (action, "*")))
        return tuple(sorted(place for key in keys for place in self._places.get(key, ())))

    def _judge(self, rows: list[Row], subject: str, groups: Sequence[str], resource: str, action: str) -> PolicyAnswer:
        enforcer = _SealedEnforcer(rows, [(subject, group) for group in groups])
        allowed, row = enforcer.enforce_ex(subject, resource, action)
        if allowed is True:
            return self._answer(Outcome.ALLOW)
        if not row:  # the row that decided; there is none where no row matched
            return self._answer(Outcome.NOT_APPLICABLE)
        return self._answer(Outcome.DENY, Reason(code="access-denied", policy=self._policy.id, rule=row[-1]))

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
