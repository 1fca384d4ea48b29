# SPDX-License-Identifier: Apache-2.0
"""Follow the log: the decisions that arrive, each as its newest record describes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.decisions import Decisions, DecisionView, view_of
from controlplane.services.dimensions import DECISION_KINDS, request_id_of
from controlplane.services.errors import Invalid, Problem
from controlplane.services.model import Principal
from controlplane.services.ports import Store

# Entries looked at in one step: two megabytes of envelopes at most, mostly half of one.
_STEP: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A record that arrived at `index` of the log, and the decision as it stood then."""

    index: int
    view: DecisionView


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a step found in the entries before `end`; `is_last` where the log ends there."""

    arrived: tuple[Arrived, ...]
    end: int
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tails:
    store: Store
    decisions: Decisions

    def wanted(self, actor: Principal, asked: DecisionFilter) -> DecisionFilter:
        """Return the question as it is put to records. Raises Invalid for what arriving records cannot tell."""
        if asked.has_gap is not None:
            fix = "Ask GET /v1/decisions for it."
            problem = Problem(code="query-invalid", message="Not known yet.", pointer="/has_gap", fix=fix)
            raise Invalid("query-invalid", "'has_gap' is not known while records arrive.", problems=(problem,))
        return self.decisions.sought(actor, asked)

    def size(self, tenant: str) -> int:
        with self.store.read() as session:
            return session.decisions.size(tenant)

    def step(self, tenant: str, wanted: DecisionFilter, first: int) -> Step:
        """Look at the entries from `first` on, a bounded number of them."""
        with self.store.read() as session:
            size = session.decisions.size(tenant)
            end = min(size, first + _STEP)
            index = session.decision_index
            arrived = []
            for at, members in sorted(index.envelopes(tenant, first, end).items()):
                request_id = request_id_of(members)
                if request_id is None or not _is_wanted(wanted, members):
                    continue
                decision = index.by_request(tenant, request_id, as_of=at + 1)
                # A record that repeats what another one said, or an admission record behind its end, tells no news.
                last = None if decision is None else decision.terminal or decision.admission
                if decision is not None and last is not None and last.log_index == at:
                    arrived.append(Arrived(index=at, view=view_of(decision)))
        return Step(arrived=tuple(arrived), end=max(first, end), is_last=end >= size)


def _is_wanted(wanted: DecisionFilter, members: Mapping[str, Any]) -> bool:
    return (
        members.get("kind") in DECISION_KINDS
        and (not wanted.request_ids or members.get("request_id") in wanted.request_ids)
        and (not wanted.record_ids or members.get("record_id") in wanted.record_ids)
        and wanted.holds_for(members)
    )
