# SPDX-License-Identifier: Apache-2.0
"""What an auditor looks for, and whether a decision is it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controlplane.services.dimensions import PLAIN, Dimension, called, described, latency_us_of
from controlplane.services.times import parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFilter:
    """Values of one member are alternatives; members all hold. `until` is exclusive, the latencies inclusive.

    `has_gap` asks for decisions that have no terminal record, or whose source's process left a gap in its numbers.
    """

    values: Mapping[Dimension, tuple[str, ...]] = field(default_factory=dict)
    request_ids: tuple[str, ...] = ()
    record_ids: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    min_latency_us: int | None = None
    max_latency_us: int | None = None
    has_gap: bool | None = None

    def holds_for(self, envelope: Mapping[str, Any]) -> bool:
        """Return whether the record that describes a decision satisfies all that can be told from itself."""
        return (
            self._is_in_time(envelope)
            and self._is_as_fast(envelope)
            and (not self.values or self._has_values(envelope))
        )

    def _has_values(self, envelope: Mapping[str, Any]) -> bool:
        others = False
        for dimension, alternatives in self.values.items():
            member = PLAIN.get(dimension)
            if member is None:
                others = True
            elif alternatives and called(envelope.get(member)) not in alternatives:
                return False
        return not others or self._has_others(envelope)

    def _has_others(self, envelope: Mapping[str, Any]) -> bool:
        shared, own = described(envelope)
        return all(
            any((dimension, value) in shared or (dimension, value) in own for value in alternatives)
            for dimension, alternatives in self.values.items()
            if alternatives and dimension not in PLAIN
        )

    def _is_in_time(self, envelope: Mapping[str, Any]) -> bool:
        if self.since is None and self.until is None:
            return True
        try:
            at = parse_time(envelope["time"])
        except (KeyError, TypeError, ValueError):
            return False
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)

    def _is_as_fast(self, envelope: Mapping[str, Any]) -> bool:
        if self.min_latency_us is None and self.max_latency_us is None:
            return True
        latency = latency_us_of(envelope)
        return (
            latency is not None
            and (self.min_latency_us is None or latency >= self.min_latency_us)
            and (self.max_latency_us is None or latency <= self.max_latency_us)
        )
