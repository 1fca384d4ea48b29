# SPDX-License-Identifier: Apache-2.0
"""What an environment demands of a change before it goes live there, and of its nodes once it has.

Rules: whatever was never set is as it was before there were rules, so that nobody's first release waits for somebody
to set them. A rule counts from the moment it is kept: what was approved under looser ones is judged by those of today.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from controlplane.services.model import Role
from policies.contracts.codec import JSON

# Whose word may count. The others only read, or are programs.
MAY_APPROVE: Final = (Role.ADMIN, Role.AUTHOR, Role.APPROVER)


class WhenStale(StrEnum):
    """What nodes do once their policy is older than `max_staleness_s`."""

    DENY = "deny"
    SERVE = "serve"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRules:
    """`approver_roles` are the roles whose word counts. `promote_from` is the environment that a release must have
    been in force in before, and where it must have passed the gates that are closed. `untested_needs_reason` is of
    enforcing rules without a passing test. The rest is for those who activate and for the nodes.
    """

    approvals_required: int = 1
    approver_roles: tuple[str, ...] = (Role.APPROVER.value,)
    promote_from: str | None = None
    gate_suite: bool = False
    gate_must_refuse: bool = False
    untested_needs_reason: bool = True
    acknowledge_within_s: int = 30
    max_staleness_s: int | None = None
    when_stale: WhenStale = WhenStale.DENY
    posture_every_s: int = 300

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave, also of a release that knew fewer rules or more."""
        known = {field.name: members[field.name] for field in fields(cls) if field.name in members}
        if "approver_roles" in known:
            known["approver_roles"] = tuple(known["approver_roles"])
        if "when_stale" in known:
            known["when_stale"] = WhenStale(known["when_stale"])
        return cls(**known)

    def to_json(self) -> dict[str, JSON]:
        return asdict(self) | {"approver_roles": list(self.approver_roles), "when_stale": self.when_stale.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRules:
    """Rules as somebody set them. `version` counts from 1; 0 is that nobody did."""

    tenant: str
    environment: str
    version: int
    rules: EnvironmentRules
    set_by: str = ""
    set_at: datetime | None = None


# Releases that were made before there were rules gave no reasons, and their makers still give none.
UNSET: Final = EnvironmentRules(untested_needs_reason=False)
