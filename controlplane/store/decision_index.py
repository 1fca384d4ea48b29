# SPDX-License-Identifier: Apache-2.0
"""Decisions as they are asked for (`controlplane.services.ports.DecisionIndex`)."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.decision_index import DescribedDecision, DescribedDecisions
from controlplane.services.records import FoundDecisions, LoggedDecision, LoggedRecord
from controlplane.store.decision_query import WORK, WORK_OF_A_CANDIDATE, DecisionQuery, Hit, described_by
from controlplane.store.index_geometry import GEOMETRY, Geometry
from controlplane.store.log_reader import SqlLogReader
from controlplane.store.lookup import Lookup


class SqlDecisionIndex:
    def __init__(self, connection: Connection, log: SqlLogReader, *, geometry: Geometry = GEOMETRY) -> None:
        self._connection = connection
        self._geometry = geometry
        self._log = log

    def find(
        self,
        tenant: str,
        wanted: DecisionFilter,
        *,
        after: int | None,
        as_of: int,
        descending: bool,
        limit: int,
        work: int = WORK,
    ) -> FoundDecisions:
        query = DecisionQuery(
            self._connection, tenant, wanted, as_of=as_of, descending=descending, geometry=self._geometry, work=work
        )
        hits = query.run(after=after, limit=limit)
        return FoundDecisions(items=self._decisions(tenant, hits.found), at=hits.at)

    def described(
        self, tenant: str, wanted: DecisionFilter, *, after: int | None, as_of: int, limit: int
    ) -> DescribedDecisions:
        query = DecisionQuery(
            self._connection,
            tenant,
            wanted,
            as_of=as_of,
            descending=False,
            geometry=self._geometry,
            work=WORK + limit * WORK_OF_A_CANDIDATE,
        )
        hits = query.run(after=after, limit=limit)
        payloads = self._log.payloads_at(tenant, {described_by(hit): _digest(hit) for hit in hits.found})
        items = tuple(
            DescribedDecision(hit.request_id, at, hit.members or {}, payloads[at])
            for hit in hits.found
            for at in (described_by(hit),)
        )
        return DescribedDecisions(items, hits.at)

    def by_request(self, tenant: str, request_id: str, *, as_of: int) -> LoggedDecision | None:
        found = self.find(
            tenant, DecisionFilter(request_ids=(request_id,)), after=None, as_of=as_of, descending=False, limit=1
        )
        return found.items[0] if found.items else None

    def by_record(self, tenant: str, record_id: str, *, as_of: int) -> LoggedDecision | None:
        found = self.find(
            tenant, DecisionFilter(record_ids=(record_id,)), after=None, as_of=as_of, descending=False, limit=1
        )
        return found.items[0] if found.items else None

    def envelopes(self, tenant: str, first: int, end: int) -> Mapping[int, Mapping[str, Any]]:
        return Lookup(self._connection, tenant, self._geometry).envelopes(range(first, end))

    def index_of(self, tenant: str, record_id: str, *, as_of: int) -> int | None:
        return Lookup(self._connection, tenant, self._geometry).entry(record_id, as_of=as_of)

    def records(self, tenant: str, request_id: str, *, as_of: int) -> tuple[LoggedRecord, ...]:
        decision = self.by_request(tenant, request_id, as_of=as_of)
        if decision is None:
            return ()
        repeated = Lookup(self._connection, tenant, self._geometry).repeated(request_id, as_of=as_of)
        found = (decision.admission, decision.terminal, *self._log.records_at(tenant, repeated).values())
        return tuple(sorted(filter(None, found), key=lambda record: record.log_index))

    def _decisions(self, tenant: str, hits: Sequence[Hit]) -> tuple[LoggedDecision, ...]:
        places = {index for hit in hits for index in (hit.admission_index, hit.terminal_index) if index is not None}
        kept = self._log.records_at(tenant, places)
        return tuple(
            LoggedDecision(
                request_id=hit.request_id,
                log_index=hit.log_index,
                admission=kept.get(-1 if hit.admission_index is None else hit.admission_index),
                terminal=kept.get(-1 if hit.terminal_index is None else hit.terminal_index),
                members=hit.members,
            )
            for hit in hits
        )


def _digest(hit: Hit) -> str | None:
    named = None if hit.members is None else hit.members.get("payload_digest")
    return named if isinstance(named, str) else None
