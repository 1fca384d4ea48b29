# SPDX-License-Identifier: Apache-2.0
"""What was asked of an activation, and where it stands (`docs/spec/life-cycle.md`).

Rules: an activation is a rollout from the moment it is asked for; the bundle that it publishes at its serial comes
later, or never. `STATES` has every transition there is; what is not in it is a bug, and raises.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from controlplane.services.model import Activation
from controlplane.services.times import format_time, parse_time
from policies.bundle.environment import Candidate, CandidateMode
from policies.contracts.codec import JSON

LEAST_REQUESTS: Final = 100


class RolloutState(StrEnum):
    """`pending` and `active` are in force, `failed` is where there is nothing to go back to, or not yet gone back."""

    SCHEDULED = "scheduled"
    CANDIDATE = "candidate"
    PENDING = "pending"
    ACTIVE = "active"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


_S: Final = RolloutState
_OVER: Final = frozenset({_S.ROLLED_BACK, _S.SUPERSEDED, _S.EXPIRED})
STATES: Final[Mapping[RolloutState, frozenset[RolloutState]]] = {
    _S.SCHEDULED: frozenset({_S.CANDIDATE, _S.PENDING, _S.FAILED, _S.EXPIRED, _S.CANCELLED}),
    _S.CANDIDATE: frozenset({_S.PENDING, _S.FAILED, _S.CANCELLED}) | _OVER,
    _S.PENDING: frozenset({_S.ACTIVE, _S.FAILED}) | _OVER,
    _S.ACTIVE: frozenset({_S.FAILED}) | _OVER,
    # A first activation stays in force though it failed: once every worker enforces it, it did not.
    _S.FAILED: frozenset({_S.ACTIVE}) | _OVER,
    _S.ROLLED_BACK: frozenset(),
    _S.SUPERSEDED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.CANCELLED: frozenset(),
}
IN_FORCE: Final = frozenset({_S.PENDING, _S.ACTIVE, _S.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How much worse than what is in force a candidate may be; None: any. Points are hundredths of requests."""

    denied_points: int | None = None
    error_points: int | None = None
    latency_p95_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """The share that a candidate decides for, and when that ends. Without `promote_after_s` somebody promotes it."""

    subjects_percent: int | None = None
    workers_percent: int | None = None
    promote_after_s: int | None = None
    thresholds: Thresholds = Thresholds()
    at_least_requests: int = LEAST_REQUESTS


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    reason: str
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a release is to be put to work. `rolls_back` is the activation in whose place an old release came back."""

    mode: CandidateMode = CandidateMode.ENFORCE
    canary: Canary | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None
    acknowledge_within_s: int | None = None
    break_glass: BreakGlass | None = None
    rolls_back: str | None = None

    @property
    def tries(self) -> bool:
        """Whether it is tried beside what is in force, before it is in force itself or instead of that."""
        return self.canary is not None or self.mode is not CandidateMode.ENFORCE

    def begins_as(self, now: datetime) -> RolloutState:
        """Return the state that what is asked for at `now` takes at once."""
        if self.not_before is not None and now < self.not_before:
            return RolloutState.SCHEDULED
        return RolloutState.CANDIDATE if self.tries else RolloutState.PENDING

    def to_json(self) -> dict[str, JSON]:
        """Return what was asked, without what was not."""
        said: dict[str, JSON] = {"mode": self.mode.value}
        if self.canary is not None:
            limits = self.canary.thresholds
            said["canary"] = {
                "subjects_percent": self.canary.subjects_percent,
                "workers_percent": self.canary.workers_percent,
                "promote_after_s": self.canary.promote_after_s,
                "thresholds": {
                    "denied_points": limits.denied_points,
                    "error_points": limits.error_points,
                    "latency_p95_ms": limits.latency_p95_ms,
                },
                "at_least_requests": self.canary.at_least_requests,
            }
        if self.break_glass is not None:
            said["break_glass"] = {"reason": self.break_glass.reason, "minutes": self.break_glass.minutes}
        for name in ("not_before", "expires_at"):
            if (at := getattr(self, name)) is not None:
                said[name] = format_time(at)
        for name in ("acknowledge_within_s", "rolls_back"):
            if (value := getattr(self, name)) is not None:
                said[name] = value
        return said

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        canary, glass = said.get("canary"), said.get("break_glass")
        times = {name: parse_time(said[name]) for name in ("not_before", "expires_at") if name in said}
        return cls(
            mode=CandidateMode(said["mode"]),
            canary=None if canary is None else Canary(**canary | {"thresholds": Thresholds(**canary["thresholds"])}),
            break_glass=None if glass is None else BreakGlass(**glass),
            acknowledge_within_s=said.get("acknowledge_within_s"),
            rolls_back=said.get("rolls_back"),
            **times,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What somebody else said of a break-glass afterwards."""

    by: str
    at: datetime
    approved: bool
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """An activation as it stands.

    `serial` is None before anything was published. `previous` is the serial whose release a rollback brings back.
    `began_at` is when it became a candidate or came into force, whichever was later; by `acknowledge_by` every live
    worker must have said so (None: the clock does not run).
    """

    tenant: str
    environment: str
    id: str
    release: str
    revision: str
    by: str
    created_at: datetime
    asked: Asked
    state: RolloutState
    serial: int | None = None
    previous: int | None = None
    began_at: datetime | None = None
    in_force_at: datetime | None = None
    acknowledge_by: datetime | None = None
    glass_until: datetime | None = None
    review: Review | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is something to do yet without anybody asking for it."""
        match self.state:
            case RolloutState.SCHEDULED | RolloutState.CANDIDATE | RolloutState.PENDING:
                return True
            case RolloutState.ACTIVE:
                return self.asked.expires_at is not None or self.glass_is_open
            case RolloutState.FAILED:
                return self.falls_back
        return False

    @property
    def glass_is_open(self) -> bool:
        return self.glass_until is not None and self.review is None

    @property
    def awaits_review(self) -> bool:
        """Whether it was put to work by one person and nobody else has looked at that, also once it is over."""
        return self.asked.break_glass is not None and self.review is None

    @property
    def falls_back(self) -> bool:
        """Whether its failure brings back what was before.

        A rollback that fails does not: history would be walked back release by release while nothing answers.
        """
        return self.in_force_at is not None and self.previous is not None and self.asked.rolls_back is None

    def candidate(self, etag: str) -> Candidate:
        """Return how the environment document names it. MUST be one that has a serial."""
        if self.serial is None:
            raise ValueError(f"{self.id} has no serial, and is no candidate")
        canary = self.asked.canary or Canary()
        return Candidate(
            serial=self.serial,
            etag=etag,
            mode=self.asked.mode,
            subjects_percent=canary.subjects_percent,
            workers_percent=canary.workers_percent,
            salt=self.id,
        )

    @classmethod
    def of_publication(cls, activation: Activation, *, in_force: int) -> Self:
        """Return what a publication stands for that was made by a release that knew of no rollouts."""
        state = RolloutState.SUPERSEDED
        if activation.serial >= in_force:
            state = RolloutState.PENDING if activation.active_at is None else RolloutState.ACTIVE
        return cls(
            tenant=activation.tenant,
            environment=activation.environment,
            id=activation.id,
            release=activation.release,
            revision=activation.revision,
            by=activation.by,
            created_at=activation.created_at,
            asked=Asked(),
            state=state,
            serial=activation.serial,
            previous=activation.serial - 1 or None,
            began_at=activation.created_at,
            in_force_at=activation.created_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One line of an activation's history. `by` is a principal's id, or `system`; `why` is for people."""

    at: datetime
    state: RolloutState
    by: str
    why: str
