# SPDX-License-Identifier: Apache-2.0
"""The question an auditor asks, as SQL: alternatives within a member, all members together."""

from typing import Any

from sqlalchemy import Select, Table, select

from controlplane.services.records import DecisionFilter
from controlplane.store.tables import decision_policies, decision_reasons, decisions


def decisions_like(tenant: str, wanted: DecisionFilter) -> Select[Any]:
    """Return the query of the decisions of `tenant` that satisfy `wanted`, in no order yet."""
    query = select(decisions).where(decisions.c.tenant == tenant)
    for column, values in (
        (decisions.c.subject, wanted.subjects),
        (decisions.c.outcome, wanted.outcomes),
        (decisions.c.verdict, wanted.verdicts),
        (decisions.c.model, wanted.models),
        (decisions.c.revision, wanted.revisions),
        (decisions.c.request_id, wanted.request_ids),
    ):
        if values:
            query = query.where(column.in_(values))
    if wanted.reasons:
        query = query.where(_named(decision_reasons, "code", wanted.reasons))
    if wanted.policies:
        query = query.where(_named(decision_policies, "policy", wanted.policies))
    if wanted.since is not None:
        query = query.where(decisions.c.time >= wanted.since)
    if wanted.until is not None:
        query = query.where(decisions.c.time < wanted.until)
    return query


def _named(table: Table, column: str, values: tuple[str, ...]) -> Any:
    return (
        select(table.c.log_index)
        .where(
            table.c.tenant == decisions.c.tenant,
            table.c.log_index == decisions.c.log_index,
            table.c[column].in_(values),
        )
        .exists()
    )
