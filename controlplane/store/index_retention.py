# SPDX-License-Identifier: Apache-2.0
"""Take out of the index what only dropped records were found by. Roll-ups stay: they name nobody.

Theory: the index is made of pieces of the log, and a piece goes once all of its records are gone. The piece on a border
of two days goes with the later one. Each table is reached by its key, value by value: its rows of a range of the log
lie scattered, and reading the whole table for them would take as long as the log is.
"""

from typing import Final

from sqlalchemy import Connection

from controlplane.store.bulk import change, rows
from controlplane.store.index_geometry import GEOMETRY, Geometry

# Of the first byte of a hash, as `controlplane.store.fingerprints` sorts them out.
_PARTS: Final = 64
_TERMS: Final = """
WITH RECURSIVE terms(term) AS (
  SELECT min(term) FROM decision_postings WHERE tenant = ?
  UNION ALL
  SELECT (SELECT min(term) FROM decision_postings WHERE tenant = ? AND term > terms.term)
  FROM terms WHERE terms.term IS NOT NULL
) SELECT term FROM terms WHERE term IS NOT NULL
"""
_DIMENSIONS: Final = """
WITH RECURSIVE named(dimension) AS (
  SELECT min(dimension) FROM decision_fingerprints WHERE tenant = ?
  UNION ALL
  SELECT (SELECT min(dimension) FROM decision_fingerprints WHERE tenant = ? AND dimension > named.dimension)
  FROM named WHERE named.dimension IS NOT NULL
) SELECT dimension FROM named WHERE dimension IS NOT NULL
"""


def delete_pieces(connection: Connection, tenant: str, *, first: int, end: int, geometry: Geometry = GEOMETRY) -> None:
    """Delete the pieces all of whose records are from `first` up to `end`, where nothing before `first` is in them."""
    chunks = _whole(first, end, geometry.chunk)
    if chunks:
        least, most = chunks
        change(connection, "DELETE FROM decision_zones WHERE tenant = ? AND chunk BETWEEN ? AND ?", tenant, least, most)
        for (term,) in rows(connection, _TERMS, tenant, tenant):
            statement = "DELETE FROM decision_postings WHERE tenant = ? AND term = ? AND chunk BETWEEN ? AND ?"
            change(connection, statement, tenant, term, least, most)
    for level, parts, length in ((0, 1, geometry.block), (1, _PARTS, geometry.group)):
        pieces = _whole(first, end, length)
        for (dimension,) in rows(connection, _DIMENSIONS, tenant, tenant) if pieces else ():
            for part in range(parts):
                change(
                    connection,
                    "DELETE FROM decision_fingerprints WHERE tenant = ? AND dimension = ? AND level = ? AND part = ? "
                    "AND number BETWEEN ? AND ?",
                    *(tenant, dimension, level, part, *(pieces or ())),
                )


def _whole(first: int, end: int, length: int) -> tuple[int, int] | None:
    """Return the first and the last piece of `length` that lies between `first` and `end`."""
    least, most = -(-first // length), end // length - 1
    return (least, most) if least <= most else None
