# SPDX-License-Identifier: Apache-2.0
"""Decisions as they are asked for (`controlplane.services.ports.DecisionIndex`)."""

from sqlalchemy import Connection

from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.records import FoundDecisions, LoggedDecision, LoggedRecord
from controlplane.store.decision_query import WORK, DecisionQuery, Hit
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
        return FoundDecisions(items=tuple(self._decision(tenant, hit) for hit in hits.found), at=hits.at)

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

    def index_of(self, tenant: str, record_id: str, *, as_of: int) -> int | None:
        return Lookup(self._connection, tenant, self._geometry).entry(record_id, as_of=as_of)

    def records(self, tenant: str, request_id: str, *, as_of: int) -> tuple[LoggedRecord, ...]:
        decision = self.by_request(tenant, request_id, as_of=as_of)
        if decision is None:
            return ()
        repeated = Lookup(self._connection, tenant, self._geometry).repeated(request_id, as_of=as_of)
        found = (decision.admission, decision.terminal, *(self._record(tenant, index) for index in repeated))
        return tuple(sorted(filter(None, found), key=lambda record: record.log_index))

    def _decision(self, tenant: str, hit: Hit) -> LoggedDecision:
        return LoggedDecision(
            request_id=hit.request_id,
            log_index=hit.log_index,
            admission=self._record(tenant, hit.admission_index),
            terminal=self._record(tenant, hit.terminal_index),
        )

    def _record(self, tenant: str, index: int | None) -> LoggedRecord | None:
        entry = None if index is None else self._log.entry(tenant, index)
        if entry is None or entry.envelope is None or entry.received_at is None:
            return None
        return LoggedRecord(
            log_index=entry.log_index,
            received_at=entry.received_at,
            envelope=entry.envelope,
            payload=entry.payload,
            payload_state=entry.payload_state,
        )
