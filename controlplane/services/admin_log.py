# SPDX-License-Identifier: Apache-2.0
"""Write down who changed what, in the transaction of the change."""

from controlplane.identifiers import Clock
from controlplane.services.model import AdminEvent, Principal
from controlplane.services.ports import Session
from policies.contracts.codec import JSON


def note(session: Session, actor: Principal, clock: Clock, *, action: str, target: str, **detail: JSON) -> None:
    """Append an admin event to the transaction of `session`. `detail` MUST NOT hold sources, tokens or keys."""
    session.admin_events.add(
        AdminEvent(
            tenant=actor.tenant,
            seq=0,
            at=clock(),
            principal=actor.id,
            role=actor.role.value,
            action=action,
            target=target,
            detail=detail,
        ),
    )
