# SPDX-License-Identifier: Apache-2.0
"""What a release passed where it was in force before, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from policies.contracts.codec import JSON
from policies.contracts.decision import Effect
from policies.contracts.request import Subject


class Gate(StrEnum):
    """SUITE: `gatehouse conformance`. MUST_REFUSE: the release's own requests that must be refused and must pass."""

    SUITE = "suite"
    MUST_REFUSE = "must-refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateEvidence:
    """That a release passed a gate. `digest` names the report, `summary` is what it came to, without its rows."""

    tenant: str
    id: str
    release: str
    environment: str
    gate: Gate
    by: str
    role: str
    given_at: datetime
    digest: str
    decision_count: int
    summary: Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One request of the gate `must-refuse`, and what must become of it. `body` is None where a route takes none."""

    policy: str
    name: str
    subject: Subject
    operation: str
    model: str | None
    method: str
    path: str
    body: Mapping[str, JSON] | None
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """The requests of a release; `unsendable` are the tests that no request can stand for, as POLICY: NAME."""

    sendable: tuple[Trial, ...]
    unsendable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a report says of one request; the members that are None it says nothing of. `about` is where it says so."""

    request_id: str
    status: int
    about: str
    effect: Effect | None = None
    subject: Subject | None = None
    operation: str | None = None
    model: str | None = None
