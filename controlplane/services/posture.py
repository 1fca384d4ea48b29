# SPDX-License-Identifier: Apache-2.0
"""What nodes found out about how they stand, and the findings that come of it.

Rules: a finding is of one check at one node. It opens when the check fails and closes when it passes; a check that was
skipped says nothing, so that what cannot be looked at any more does not count as mended. Findings are kept for good.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from controlplane.services.model import Page

# What a node checks (`proxy_addons/node/posture.py`). A later release may check more: its results are taken as well.
CHECKS: Final = ("upstream-reachable-around", "unauthenticated-passes", "tls", "canaries", "screen")


class CheckResult(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostureResult:
    """What a check last came to. `detail` is a code; `at` is the node's time."""

    check: str
    result: CheckResult
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Open while `closed_at` is None. `detail` is the code of the failure that opened it."""

    tenant: str
    environment: str
    id: str
    node: str
    check: str
    detail: str
    opened_at: datetime
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFilter:
    """None stands for all."""

    is_open: bool | None = None
    environment: str | None = None
    node: str | None = None
    check: str | None = None


class PostureStore(Protocol):
    def results(self, tenant: str, environment: str, node: str) -> tuple[PostureResult, ...]: ...
    def put_results(self, tenant: str, environment: str, node: str, results: Sequence[PostureResult]) -> None:
        """Keep `results` in place of those that there were."""

    def add(self, finding: Finding) -> None: ...
    def close(self, finding: Finding, *, at: datetime) -> None: ...
    def of_node(self, tenant: str, environment: str, node: str) -> tuple[Finding, ...]:
        """Return the open findings of the node."""

    def open(self) -> tuple[Finding, ...]:
        """Return the open findings of every tenant."""

    def page(self, tenant: str, wanted: FindingFilter, *, after: str | None, limit: int) -> Page[Finding]: ...


class PostureSession(Protocol):
    """The part of a transaction's view that this module is about."""

    @property
    def posture(self) -> PostureStore: ...
