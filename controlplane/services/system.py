# SPDX-License-Identifier: Apache-2.0
"""What the control plane does by itself, for somebody who asked for it earlier or by a policy, has an author too."""

from controlplane.identifiers import Clock
from controlplane.services.model import Principal, Role


def system(tenant: str, asked_by: str, clock: Clock) -> Principal:
    """Return the author of what is done on behalf of `asked_by`, to be noted with it."""
    return Principal(tenant=tenant, id=asked_by, name=asked_by, role=Role.ADMIN, created_at=clock())
