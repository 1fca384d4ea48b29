# SPDX-License-Identifier: Apache-2.0
"""What the use cases need of the index of decisions (a part of `controlplane.services.ports`)."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.payload_state import OpenedPayload
from controlplane.services.records import FoundDecisions, LoggedDecision, LoggedRecord


class DescribedDecision(NamedTuple):
    """A decision by the record that says most of it: its index, the members of its envelope, and its payload."""

    request_id: str
    log_index: int
    members: Mapping[str, Any]
    payload: OpenedPayload


class DescribedDecisions(NamedTuple):
    """A page of many. `at` is the index after which the next one begins, None where there is none."""

    items: tuple[DescribedDecision, ...]
    at: int | None


class DecisionIndex(Protocol):
    """One item for each request, found by what its records say, as the log was at size `as_of`."""

    def find(
        self,
        tenant: str,
        wanted: DecisionFilter,
        *,
        after: int | None,
        as_of: int,
        descending: bool,
        limit: int,
    ) -> FoundDecisions:
        """Return decisions by the index of their first record, at most `limit`.

        There may be fewer, and even none, although more follow: what one page costs is bounded.
        """

    def described(
        self, tenant: str, wanted: DecisionFilter, *, after: int | None, as_of: int, limit: int
    ) -> DescribedDecisions:
        """Return what `find` does in the order of the log, each by one record: for who reads a hundred thousand."""

    def by_request(self, tenant: str, request_id: str, *, as_of: int) -> LoggedDecision | None: ...
    def by_record(self, tenant: str, record_id: str, *, as_of: int) -> LoggedDecision | None:
        """Return the decision that the record with that id is of, also where it repeats what another one said."""

    def envelopes(self, tenant: str, first: int, end: int) -> Mapping[int, Mapping[str, Any]]:
        """Return the members of the envelopes from `first` up to, and not with, `end`, of entries of any kind."""

    def index_of(self, tenant: str, record_id: str, *, as_of: int) -> int | None:
        """Return the index of the entry, of whatever kind, that has this record id."""

    def records(self, tenant: str, request_id: str, *, as_of: int) -> tuple[LoggedRecord, ...]:
        """Return all records of the request in the order of the log, those that repeat one included."""
