# SPDX-License-Identifier: Apache-2.0
"""What a document says, typed, with the places that later stages point at."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from policies.contracts.codec import JSON
from policies.contracts.decision import Effect, Mode
from policies.contracts.errors import Position
from policies.contracts.snapshot import Grant, Rate, RedactionRule, Route


class Kind(StrEnum):
    ACCESS = "access"
    GUARD = "guard"
    ROUTES = "routes"
    LIMITS = "limits"
    REDACTION = "redaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A name with the place where it stands."""

    name: str
    at: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    name: Placed
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSpec:
    """`group_uses` are the groups that grants name, each with its place."""

    groups: tuple[Group, ...]
    grants: tuple[Grant, ...]
    group_uses: tuple[Placed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSpec:
    """`module_at` is the place of the module's first line, for diagnostics within it."""

    module: str
    module_at: Position
    data: Mapping[str, JSON]
    reasons: Mapping[str, str]
    reasons_at: Mapping[str, Position]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutesSpec:
    routes: tuple[Route, ...]
    routes_at: tuple[Position, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsSpec:
    subjects: tuple[str, ...]
    max_body_bytes: int | None
    rate: Rate | None
    group_uses: tuple[Placed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionSpec:
    """`detector_uses` are the detectors that rules name, each with its place."""

    operations: tuple[str, ...]
    models: tuple[str, ...]
    rules: tuple[RedactionRule, ...]
    detector_uses: tuple[Placed, ...]


Spec: TypeAlias = AccessSpec | GuardSpec | RoutesSpec | LimitsSpec | RedactionSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleRequest:
    """The request of a test. `facts` are members of `input.request`; those left out have their defaults."""

    subject: str
    operation: str
    model: str | None
    facts: Mapping[str, JSON]
    time: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What must come of it. None: not looked at."""

    effect: Effect | None
    reasons: tuple[str, ...] | None
    redacted: str | None
    blocked: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTest:
    name: str
    at: Position
    request: ExampleRequest
    answer: str | None
    expect: Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDocument:
    """One policy as written. `mode` is ENFORCE for routes, which have none."""

    kind: Kind
    id: str
    version: str
    mode: Mode
    description: str
    spec: Spec
    tests: tuple[PolicyTest, ...]
    at: Position
    id_at: Position
