# SPDX-License-Identifier: Apache-2.0
"""What the use cases of change control need of the store (a part of `controlplane.services.ports`)."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from controlplane.services.approval import Approval
from controlplane.services.environment_rules import EnvironmentRules, KeptRules
from controlplane.services.gate import Gate, GateEvidence
from controlplane.services.model import Page


class RulesOfEnvironments(Protocol):
    def get(self, tenant: str, environment: str) -> EnvironmentRules:
        """Return the rules in force; those of before there were rules where nobody set any."""

    def kept(self, tenant: str, environment: str) -> KeptRules:
        """As `get`, with who set them when; of version 0 where nobody did."""

    def put(self, kept: KeptRules) -> None: ...


class ApprovalsOfReleases(Protocol):
    def add(self, approval: Approval) -> None: ...
    def get(self, tenant: str, release: str, approval_id: str) -> Approval | None: ...
    def of_release(self, tenant: str, release: str) -> tuple[Approval, ...]:
        """Return every word that was given for the release, the withdrawn ones included, the oldest first."""

    def page(self, tenant: str, release: str, *, after: str | None, limit: int) -> Page[Approval]: ...
    def withdraw(self, approval: Approval, *, at: datetime) -> bool:
        """Note the withdrawal. False, and nothing changed, where it was withdrawn already."""


class GatesOfReleases(Protocol):
    def add(self, evidence: GateEvidence) -> None: ...
    def page(self, tenant: str, release: str, *, after: str | None, limit: int) -> Page[GateEvidence]: ...
    def passed(self, tenant: str, releases: Collection[str]) -> frozenset[Gate]:
        """Return the gates that any of these releases has evidence for."""

    def serials(self, tenant: str, environment: str, release: str) -> frozenset[int]:
        """Return the serials at which the release was put to work."""

    def enforced(self, tenant: str, environment: str, pins: Sequence[tuple[str, str]]) -> frozenset[str]:
        """Return the releases of exactly these pins that every live worker of the environment once enforced."""


class ChangeSession(Protocol):
    """The part of a transaction's view that this module is about."""

    @property
    def environment_rules(self) -> RulesOfEnvironments: ...
    @property
    def approvals(self) -> ApprovalsOfReleases: ...
    @property
    def gates(self) -> GatesOfReleases: ...
