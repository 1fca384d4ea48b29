# SPDX-License-Identifier: Apache-2.0
"""The access matrix, asked of Casbin: may this subject use this resource for this action at all?

Theory: casbin goes through all rows of a policy for each question, 5 µs a row. Every name in a row is exact or stands
for all, so that the rows that can match are found by subject (or a group of it), resource and action (`grants.py`).
Casbin is given those few of each policy and says what they come to; `tests/property/test_casbin_verdicts.py` holds it
to plain casbin.
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
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import groupby, product
from typing import Final

import casbin
from casbin.util.log import disabled_logging

from policies.contracts.decision import EngineAnswer, Outcome, PolicyAnswer, Reason
from policies.contracts.request import EvaluationRequest, Resource, Subject
from policies.contracts.snapshot import AccessPolicy, PolicySnapshot
from policies.engines.grants import FoundRow, Grants, GrantsInMemory, Key, Row
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
_REMEMBERED_SETS: Final = 8_192
_LARGEST_REMEMBERED_SET: Final = 64

# Of more policies, those that do not apply are counted instead of listed: a thousand answers in each decision and in
# each record would cost more than all of the rest, and say nothing.
MOST_LISTED: Final = 64

# Rows that match deny before others allow, as in the model's effect.
_DECIDES: Final = (Outcome.DENY, Outcome.ALLOW)

_ANY_MODEL: Final = "model:*"
_ANY_ROUTE: Final = "route:*"


# An enforcer does so when it is made, after the first model of the process has been logged.
disabled_logging()


class CasbinAccess:
    """An AccessEngine over the access policies of one snapshot. Immutable: a new snapshot gets a new one.

    `grants` are its rows, where they are not to be taken from the snapshot itself.
    """

    def __init__(self, snapshot: PolicySnapshot, grants: Grants | None = None) -> None:
        self._snapshot = snapshot
        self._policies = tuple(sorted(snapshot.access, key=lambda policy: policy.id))
        self._grants = GrantsInMemory(self._policies) if grants is None else grants
        self._ends = sorted(set(self._grants.ends.values()))
        self._last = {grant: bisect_left(self._ends, end) for grant, end in self._grants.ends.items()}
        self._groups = groups_by_member(snapshot)
        self._neutral = tuple(_answer(policy, Outcome.NOT_APPLICABLE) for policy in self._policies)
        self._lists_all = len(self._policies) <= MOST_LISTED
        self._came_to: dict[tuple[tuple[int, int], ...], tuple[PolicyAnswer, ...]] = {}
        self._answers = lru_cache(_REMEMBERED_ANSWERS)(self._ask)

    def evaluate(self, request: EvaluationRequest) -> EngineAnswer:
        """Return what the access policies answer, by id; where they are many, of those that apply."""
        started = time.perf_counter_ns()
        resource = self._known(request.resource)
        action = request.action if request.action in self._grants.actions else ""
        era = self._era(request.at)
        answers = self._answers(str(request.subject), resource, action, era)
        # A group that a token names is a role that this subject has now. Casbin takes a role for a subject too, and the
        # effect is one over all rows that match: so each is asked by itself, and a denial of any of them stands.
        for group in request.subject.groups:
            answers = _united(answers, self._answers(f"group:{group}", resource, action, era))
        return EngineAnswer(
            engine=ENGINE,
            answers=answers,
            neutral=len(self._policies) - len(answers),
            duration_us=(time.perf_counter_ns() - started) // 1000,
        )

    def rows_for(self, request: EvaluationRequest) -> Iterator[tuple[str, tuple[Row, ...]]]:
        """Give, for each policy by id, its rows that match `request`, in their order: what its answer comes from."""
        subjects = selectors_of(self._snapshot, request.subject)
        found = self._find(subjects, self._known(request.resource), request.action, self._era(request.at))
        rows = {number: tuple(row for _, _, row in of) for number, of in groupby(found, key=lambda one: one.policy)}
        yield from ((policy.id, rows.get(number, ())) for number, policy in enumerate(self._policies))

    def groups_of(self, subject: Subject) -> tuple[str, ...]:
        """Return the groups of `subject`, sorted."""
        return groups_of(self._snapshot, subject)

    def _known(self, resource: Resource) -> str:
        """Return `resource` as rows name it; one that no row names is what the wildcards of its type apply to."""
        name = str(resource)
        if name in self._grants.resources:
            return name
        return f"{resource.type}:*"

    def _era(self, at: datetime) -> int:
        """Return how many of the moments at which grants end are over at `at`: between two of them nothing changes."""
        return bisect_right(self._ends, at) if self._ends else 0

    def _ask(self, subject: str, resource: str, action: str, era: int) -> tuple[PolicyAnswer, ...]:
        """Return what the rows come to that match `subject`."""
        groups = [f"group:{name}" for name in self._groups.get(subject, ())]
        found = self._find((subject, *groups, "*"), resource, action, era)
        places = tuple((policy, place) for policy, place, _ in found)
        known = self._came_to.get(places)
        if known is None:
            known = self._judged(found, (subject, resource, action), groups)
            if len(places) <= _LARGEST_REMEMBERED_SET:
                if len(self._came_to) >= _REMEMBERED_SETS:
                    self._came_to.clear()
                self._came_to[places] = known
        return known

    def _find(self, subjects: Sequence[str], resource: str, action: str, era: int) -> Sequence[FoundRow]:
        keys = product(subjects, (resource, *_wildcards(resource)), (action, "*"))
        found = self._grants.find(dict.fromkeys(keys))
        if not self._last:
            return found
        # A grant is there in the eras up to that of its end.
        return [one for one in found if self._last.get((one.policy, one.row[-1]), era) >= era]

    def _judged(self, found: Sequence[FoundRow], asked: Key, groups: Sequence[str]) -> tuple[PolicyAnswer, ...]:
        """Return what each policy says by its rows that match, in its order: casbin names the first that decides."""
        judged = {
            number: _judge(self._policies[number], [row for _, _, row in rows], asked, groups)
            for number, rows in groupby(found, key=lambda found: found.policy)
        }
        if self._lists_all:
            return tuple(judged.get(number, neutral) for number, neutral in enumerate(self._neutral))
        return tuple(judged.values())


def _united(some: tuple[PolicyAnswer, ...], others: tuple[PolicyAnswer, ...]) -> tuple[PolicyAnswer, ...]:
    """Return for each policy that answered the answer that stands: a denial, else an allow."""
    standing = {answer.policy: answer for answer in some}
    for answer in others:
        known = standing.get(answer.policy, answer)
        standing[answer.policy] = next(
            (one for stands in _DECIDES for one in (known, answer) if one.outcome is stands), known
        )
    return tuple(standing[policy] for policy in sorted(standing))


def _wildcards(resource: str) -> tuple[str, ...]:
    """Return the row for all of the resource's type; there is none for what only other enforcement points name.

    Without a row, what such a resource came to is never remembered as what a route came to, nor the other way round.
    """
    return tuple(every for every in (_ANY_MODEL, _ANY_ROUTE) if resource.startswith(every[:-1]))


def _judge(policy: AccessPolicy, rows: list[Row], asked: Key, groups: Sequence[str]) -> PolicyAnswer:
    enforcer = _SealedEnforcer(rows, [(asked[0], group) for group in groups])
    allowed, row = enforcer.enforce_ex(*asked)
    if allowed is True:
        return _answer(policy, Outcome.ALLOW)
    if not row:  # the row that decided; there is none where no row matched
        return _answer(policy, Outcome.NOT_APPLICABLE)
    return _answer(policy, Outcome.DENY, Reason(code="access-denied", policy=policy.id, rule=row[-1]))


def _answer(policy: AccessPolicy, outcome: Outcome, *reasons: Reason) -> PolicyAnswer:
    return PolicyAnswer(policy=policy.id, mode=policy.mode, outcome=outcome, reasons=reasons)


class _SealedEnforcer(casbin.Enforcer):  # type: ignore[misc]  # casbin has no types
    """An enforcer filled when it is made. It cannot be switched off."""

    def __init__(self, rows: list[Row], links: list[tuple[str, str]]) -> None:
        super().__init__(casbin.Enforcer.new_model(text=MODEL_TEXT))
        if not self.add_policies(rows) or (links and not self.add_grouping_policies(links)):
            raise ValueError("casbin did not take all rows of an access policy")

    def enable_enforce(self, enabled: bool = True) -> None:  # noqa: FBT001, FBT002  # casbin's signature
        """Refuse: switched off, casbin allows everything."""
        raise TypeError(f"an enforcer of Gatehouse is not switched on or off (enabled={enabled})")
