# SPDX-License-Identifier: Apache-2.0
"""Find entries and decisions by the ids they were given."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.dimensions import request_id_of
from controlplane.services.records import EntryKind, GapState
from controlplane.store.bulk import rows_of
from controlplane.store.fingerprints import Fingerprints
from controlplane.store.index_geometry import Geometry
from controlplane.store.log_days import days_of
from controlplane.store.projection import GAPS, RECORD_ID, REPEATED
from controlplane.store.requests import decisions_of

Boot = tuple[str, str]
"""The id of a source and that of its process."""

# Values whose short hashes are the same are rare. Who makes some on purpose gets answers that leave the last ones out.
_MOST_OF_ONE_HASH: Final = 10_000


class Lookup:
    def __init__(self, connection: Connection, tenant: str, geometry: Geometry) -> None:
        self._connection = connection
        self._tenant = tenant
        self._fingerprints = Fingerprints(connection, tenant, geometry)

    def decisions(self, wanted: DecisionFilter, *, as_of: int) -> set[int]:
        """Return the indexes of the decisions that have one of the ids asked for, of requests and of records."""
        by_request = set(wanted.request_ids)
        if wanted.record_ids:
            named = {
                request_id
                for members in self._entries(RECORD_ID, "record_id", wanted.record_ids, as_of).values()
                if (request_id := request_id_of(members)) is not None
            }
            by_request = by_request & named if by_request else named
        return {row.log_index for row in decisions_of(self._connection, self._tenant, sorted(by_request))}

    def entry(self, record_id: str, *, as_of: int) -> int | None:
        """Return the index of the entry with that record id, the first where a source used it twice."""
        return min(self._entries(RECORD_ID, "record_id", (record_id,), as_of), default=None)

    def repeated(self, request_id: str, *, as_of: int) -> list[int]:
        """Return the indexes of the request's records that repeat what another one had said already."""
        return sorted(self._entries(REPEATED, "request_id", (request_id,), as_of))

    def boots_with_gaps(self, *, as_of: int) -> frozenset[Boot]:
        """Return the sources' processes of which numbers were missing when the log had that size."""
        missing: Counter[Boot] = Counter()
        indexes = sorted(set(self._fingerprints.read(GAPS, ("",), 0, as_of - 1)))
        for begin in range(0, len(indexes), _MOST_OF_ONE_HASH):
            for members in self.envelopes(indexes[begin : begin + _MOST_OF_ONE_HASH]).values():
                gap = members.get("gap") or {}
                if members.get("kind") == EntryKind.GAP and gap:
                    count = gap["count"] if gap["state"] == GapState.OPEN else -gap["count"]
                    missing[gap["source_id"], gap["boot_id"]] += count
        return frozenset(boot for boot, count in missing.items() if count > 0)

    def envelopes(self, indexes: Sequence[int]) -> dict[int, Mapping[str, Any]]:
        """Return the members of those envelopes that are still there, by index."""
        days = days_of(self._connection, self._tenant, indexes)
        if not days:
            return {}
        # The days are named, so that PostgreSQL opens their partitions and no other. They are numbers of ours.
        named = ", ".join(map(str, days))
        statement = (
            f"SELECT log_index, envelope FROM records WHERE tenant = ? AND day IN ({named}) AND log_index {{among}}"  # noqa: S608
        )
        return {
            index: orjson.loads(envelope)
            for index, envelope in rows_of(self._connection, statement, self._tenant, among=indexes)
            if envelope is not None
        }

    def _entries(self, dimension: str, member: str, values: Sequence[str], as_of: int) -> dict[int, Mapping[str, Any]]:
        indexes = sorted(set(self._fingerprints.read(dimension, values, 0, as_of - 1)))[:_MOST_OF_ONE_HASH]
        found = self.envelopes(indexes)
        return {index: members for index, members in found.items() if members.get(member) in values}
