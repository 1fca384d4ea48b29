# SPDX-License-Identifier: Apache-2.0
"""Roll-ups: what is counted of requests as their records arrive (a part of `controlplane.services.ports`).

Rules: a request is counted once, when its terminal record arrives, in the bucket of that record's time and under every
value it has in a dimension. Of one dimension an hour keeps MOST_VALUES values, those that came first, and adds the
others up: a client that invents names makes no table grow.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from controlplane.services.dimensions import Dimension, Value
from controlplane.services.latencies import quantiles

MINUTE_S: Final = 60
HOUR_S: Final = 3600
MOST_VALUES: Final = 200
# The dimension of all requests, and the value of all that have none of their own.
TOTAL: Final = "total"
OTHER: Final = ""
# The dimension of what decided: one serial of one environment, by minute, with the time that deciding took.
SERVING: Final = "serving"
# What nearly every request has one of its own of is no group, and a process is no more than its source for a while.
UNGROUPED: Final = frozenset({Dimension.TRACE_ID, Dimension.BOOT})
# Few values each, so that a table by minute stays small.
BY_MINUTE: Final = frozenset(
    {
        Dimension.ENVIRONMENT,
        Dimension.OUTCOME,
        Dimension.VERDICT,
        Dimension.REASON,
        Dimension.MODEL,
        Dimension.ACTION,
        Dimension.ROUTE,
        Dimension.STATUS,
    },
)
# What is counted of requests beside their number, and the value by which it is told.
COUNTED: Final[Mapping[str, Value]] = {
    "denied": (Dimension.OUTCOME, "deny"),
    "failed": (Dimension.OUTCOME, "error_deny"),
    "redacted": (Dimension.VERDICT, "redacted"),
    "blocked": (Dimension.VERDICT, "blocked"),
    "cut": (Dimension.VERDICT, "cut"),
}


def serving_value(environment: str, serial: int | str) -> str:
    """Return the value that requests have in SERVING."""
    return f"{serial} {environment}"


@dataclass(slots=True, kw_only=True)
class Tally:
    """What is counted of some requests. What is neither denied nor failed was allowed."""

    requests: int = 0
    denied: int = 0
    failed: int = 0
    redacted: int = 0
    blocked: int = 0
    cut: int = 0
    latencies: dict[int, int] = field(default_factory=dict)

    def add(self, other: "Tally") -> None:
        self.requests += other.requests
        self.denied += other.denied
        self.failed += other.failed
        self.redacted += other.redacted
        self.blocked += other.blocked
        self.cut += other.cut
        for bucket, count in other.latencies.items():
            self.latencies[bucket] = self.latencies.get(bucket, 0) + count

    def quantiles_us(self, *shares: float) -> list[float] | None:
        """Return what each of `shares`, ascending, of the requests did not take longer than, within `latencies.ERROR`.

        None where no latency is known.
        """
        return quantiles(self.latencies, shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledUp:
    """A row of the roll-ups. `latencies` is packed; None where rows of several values were added up."""

    bucket: int
    value: str
    requests: int
    denied: int
    failed: int
    redacted: int
    blocked: int
    cut: int
    latencies: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Roll-ups of one width, a minute or an hour, and dimension, from second `first` up to, and not with, `end`."""

    width_s: int
    dimension: str
    first: int
    end: int


class Rollups(Protocol):
    def top(self, tenant: str, extent: Extent, *, among: Sequence[str], limit: int) -> list[str]:
        """Return the values with the most requests, of `among` where it names some."""

    def rows(self, tenant: str, extent: Extent, *, values: Sequence[str]) -> Iterable[RolledUp]: ...
    def others(self, tenant: str, extent: Extent, *, values: Sequence[str]) -> Iterable[RolledUp]:
        """Return what all values but `values` have, added up, by bucket."""

    def span(self, tenant: str, *, width_s: int) -> tuple[int, int] | None:
        """Return the first and the last second of a bucket there is."""
