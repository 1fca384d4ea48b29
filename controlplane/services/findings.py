# SPDX-License-Identifier: Apache-2.0
"""Open and close findings by what nodes say that their checks came to."""

from collections.abc import Sequence
from typing import Final

import structlog

from controlplane.identifiers import Clock, NewId
from controlplane.services.admin_log import note
from controlplane.services.model import Agent, Principal
from controlplane.services.ports import Session
from controlplane.services.posture import CheckResult, Finding, PostureResult

_log: Final = structlog.get_logger("gatehouse.posture")


def take_results(
    session: Session, actor: Principal, agent: Agent, results: Sequence[PostureResult], *, clock: Clock, new_id: NewId
) -> tuple[Finding, ...]:
    """Keep what a node's checks came to, open and close findings by it, and return those that opened.

    A report has each result until the next run of its check: what is known already changes nothing.
    """
    key = (agent.tenant, agent.environment, agent.id)
    known = session.posture.results(*key)
    if not results or sorted(results, key=_check) == sorted(known, key=_check):
        return ()
    session.posture.put_results(*key, results)
    standing = {finding.check: finding for finding in session.posture.of_node(*key)}
    opened = []
    for each in results:
        finding = standing.get(each.check)
        if each.result is CheckResult.FAILED and finding is None:
            found = Finding(
                tenant=agent.tenant,
                environment=agent.environment,
                id=new_id("fnd_"),
                node=agent.id,
                check=each.check,
                detail=each.detail,
                opened_at=clock(),
            )
            session.posture.add(found)
            _note(session, actor, clock, "finding_opened", found)
            opened.append(found)
        elif each.result is CheckResult.PASSED and finding is not None:
            session.posture.close(finding, at=clock())
            _note(session, actor, clock, "finding_closed", finding)
    return tuple(opened)


def tell_of_findings(opened: Sequence[Finding]) -> None:
    """Say loudly what was found."""
    for finding in opened:
        _log.error(
            "finding_opened",
            tenant=finding.tenant,
            environment=finding.environment,
            node=finding.node,
            check=finding.check,
            detail=finding.detail,
        )


def _note(session: Session, actor: Principal, clock: Clock, action: str, finding: Finding) -> None:
    note(
        session,
        actor,
        clock,
        action=action,
        target=finding.id,
        environment=finding.environment,
        node=finding.node,
        check=finding.check,
        reason=finding.detail,
    )


def _check(result: PostureResult) -> str:
    return result.check
