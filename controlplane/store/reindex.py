# SPDX-License-Identifier: Apache-2.0
"""Make the index of the log again where it is missing, behind, or of another make: in bounded slices."""

from typing import Final

from sqlalchemy import Connection, Engine

from controlplane.store.bulk import change, rows
from controlplane.store.engine import WRITES
from controlplane.store.index_geometry import GEOMETRY, Geometry
from controlplane.store.lookup import Lookup
from controlplane.store.projection import MAKE, Entry, index_entries

# Some megabytes of envelopes in memory, and a transaction of well under a second.
_SLICE: Final = 1000
_TABLES: Final = (
    "decisions",
    "decision_postings",
    "decision_fingerprints",
    "decision_zones",
    "decision_rollups",
    "decision_index_heads",
)


def reindex(engine: Engine, *, geometry: Geometry = GEOMETRY, slice_length: int = _SLICE) -> None:
    """Bring the index of every tenant to the end of its log. It may be interrupted, and goes on where it was."""
    with engine.connect() as connection:
        logs = rows(connection, "SELECT tenant, size FROM log_heads")
    for tenant, size in logs:
        while _index_a_slice(engine, tenant, size, geometry, slice_length):
            pass


def is_behind(connection: Connection) -> bool:
    """Return whether a tenant's index is not that of all of its log."""
    statement = (
        "SELECT 1 FROM log_heads LEFT JOIN decision_index_heads AS heads ON heads.tenant = log_heads.tenant "
        "WHERE log_heads.size > 0 AND (heads.size IS NULL OR heads.size < log_heads.size OR heads.make <> ?)"
    )
    return bool(rows(connection, statement, MAKE))


def forget_index(connection: Connection, tenant: str) -> None:
    """Empty the index of `tenant`."""
    for table in _TABLES:
        change(connection, f"DELETE FROM {table} WHERE tenant = ?", tenant)  # noqa: S608  # names of ours


def _index_a_slice(engine: Engine, tenant: str, size: int, geometry: Geometry, length: int) -> bool:
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        head = rows(connection, "SELECT make, size FROM decision_index_heads WHERE tenant = ?", tenant)
        if head and head[0].make != MAKE:
            forget_index(connection, tenant)
            return True
        begin = head[0].size if head else 0
        end = min(size, begin + length)
        if begin >= end:
            return False
        found = [
            Entry(index, members)
            for index, members in sorted(Lookup(connection, tenant, geometry).envelopes(range(begin, end)).items())
        ]
        index_entries(connection, tenant, found, first=begin, end=end, geometry=geometry)
        return True
