# SPDX-License-Identifier: Apache-2.0
"""Judge a candidate by the decisions it made, beside those that what is in force made meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from controlplane.services.latencies import add_packed
from controlplane.services.model import Environment
from controlplane.services.ports import Session
from controlplane.services.rollout import Canary, Rollout
from controlplane.services.rollups import MINUTE_S, SERVING, Extent, Tally, serving_value

_HUNDRED: Final = 100
_P95: Final = 0.95
# Where too little is decided meanwhile, as when a candidate decides for all, what is in force is judged by this before.
_LOOK_BACK: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the candidate and what is in force decided since the candidate began, in whole minutes."""

    candidate: Tally
    baseline: Tally


def measure(session: Session, rollout: Rollout, environment: Environment, *, now: datetime) -> Measured:
    """Count the decisions of a candidate and of what is in force since it began."""
    began = rollout.began_at or now
    canary = rollout.asked.canary or Canary()

    def of(serial: int, since: datetime) -> Tally:
        return _tally(session, rollout.tenant, serving_value(rollout.environment, serial), since, now)

    baseline = of(environment.serial, began)
    if baseline.requests < canary.at_least_requests:
        baseline = of(environment.serial, began - _LOOK_BACK)
    return Measured(candidate=of(rollout.serial or 0, began), baseline=baseline)


def exceeded(canary: Canary, measured: Measured) -> str | None:
    """Return the threshold that the candidate exceeds, in words; None where none is, or too little was decided."""
    if measured.candidate.requests < canary.at_least_requests:
        return None
    limits = canary.thresholds
    for most, named, count in (
        (limits.denied_points, "denied", _denied),
        (limits.error_points, "failed", _failed),
    ):
        ours, theirs = _share(measured.candidate, count), _share(measured.baseline, count)
        if most is not None and ours - theirs > most:
            return f"{named} {ours:.1f} % of requests, {theirs:.1f} % are without it: more than {most} points above"
    ours_ms, theirs_ms = _p95_ms(measured.candidate), _p95_ms(measured.baseline)
    most_ms = limits.latency_p95_ms
    if most_ms is not None and ours_ms is not None and theirs_ms is not None and ours_ms - theirs_ms > most_ms:
        return f"decided within {ours_ms:.1f} ms (p95), {theirs_ms:.1f} ms without it: more than {most_ms} ms above"
    return None


def is_proven(canary: Canary, measured: Measured, *, began_at: datetime, now: datetime) -> bool:
    """Return whether the candidate decided enough for long enough to be promoted by itself."""
    if canary.promote_after_s is None or measured.candidate.requests < canary.at_least_requests:
        return False
    return now - began_at >= timedelta(seconds=canary.promote_after_s) and exceeded(canary, measured) is None


def _tally(session: Session, tenant: str, value: str, since: datetime, now: datetime) -> Tally:
    first = int(since.timestamp()) // MINUTE_S * MINUTE_S
    extent = Extent(width_s=MINUTE_S, dimension=SERVING, first=first, end=int(now.timestamp()) + MINUTE_S)
    tally = Tally()
    for row in session.rollups.rows(tenant, extent, values=(value,)):
        tally.add(Tally(requests=row.requests, denied=row.denied, failed=row.failed))
        if row.latencies is not None:
            add_packed(tally.latencies, row.latencies)
    return tally


def _denied(tally: Tally) -> int:
    return tally.denied


def _failed(tally: Tally) -> int:
    return tally.failed


def _share(tally: Tally, count: Callable[[Tally], int]) -> float:
    return _HUNDRED * count(tally) / tally.requests if tally.requests else 0.0


def _p95_ms(tally: Tally) -> float | None:
    found = tally.quantiles_us(_P95)
    return None if found is None else found[0] / 1000
