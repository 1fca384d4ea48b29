# SPDX-License-Identifier: Apache-2.0
"""Which decisions have a value: a bitmap for each value and chunk of the log.

Theory: an append adds one segment to each bitmap that it touches and reads none, so that its cost does not depend on
how long the log is. A bitmap that has grown long by many small appends is written anew as one segment, sixteen times
in a chunk. Values stand as 64-bit hashes: no client can make a dictionary of them grow, nothing of them is kept in
memory, and any text is a key. A chunk of the log is chosen so that a bitmap is about one page of the database.
"""

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from controlplane.store.bitmaps import packed, unpacked
from controlplane.store.bulk import append_bytes, change, rows, rows_of, write
from controlplane.store.index_geometry import Geometry
from controlplane.store.index_tables import decision_postings

# A value is at most some hundred characters, so this is a few megabytes.
_REMEMBERED: Final = 16_384
_TIDIED_IN_A_CHUNK: Final = 16


def fresh_digest_of(dimension: str, value: str) -> bytes:
    """Return the 8 bytes that a value of a dimension is known by. For values that come once: none is remembered."""
    return hashlib.blake2b(f"{dimension}\0{value}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


digest_of: Final = functools.lru_cache(maxsize=_REMEMBERED)(fresh_digest_of)


def term_of(dimension: str, value: str) -> int:
    return int.from_bytes(digest_of(dimension, value), "big", signed=True)


class Postings:
    """The bitmaps of `tenant`."""

    def __init__(self, connection: Connection, tenant: str, geometry: Geometry) -> None:
        self._connection = connection
        self._tenant = tenant
        self._geometry = geometry

    def add(self, bits: Mapping[tuple[int, int], int]) -> None:
        """Add sets by (chunk, term)."""
        write(
            self._connection,
            decision_postings,
            ("tenant", "term", "chunk", "bits"),
            [(self._tenant, term, chunk, packed(numbers)) for (chunk, term), numbers in sorted(bits.items())],
            conflict=append_bytes(self._connection, decision_postings, "bits", key="tenant, term, chunk"),
        )

    def tidy(self, touched: Iterable[tuple[int, int]], *, first: int, end: int) -> None:
        """Write the bitmaps of these (chunk, term) as one segment where an append to [first, end) made that due."""
        step = max(1, self._geometry.chunk // _TIDIED_IN_A_CHUNK)
        if first // step == end // step:
            return
        by_chunk: dict[int, list[int]] = {}
        for chunk, term in touched:
            by_chunk.setdefault(chunk, []).append(term)
        for chunk, terms in by_chunk.items():
            statement = (
                "SELECT term, bits FROM decision_postings "
                "WHERE tenant = ? AND chunk = ? AND length(bits) > ? AND term {among}"
            )
            longest = self._geometry.chunk // 8 + 4
            for row in list(rows_of(self._connection, statement, self._tenant, chunk, longest, among=terms)):
                change(
                    self._connection,
                    "UPDATE decision_postings SET bits = ? WHERE tenant = ? AND term = ? AND chunk = ?",
                    packed(unpacked(bytes(row.bits))),
                    self._tenant,
                    row.term,
                    chunk,
                )

    def read(self, terms: Sequence[int], first_chunk: int, last_chunk: int) -> tuple[dict[int, int], int]:
        """Return the union of the sets of `terms` by chunk, and how many bitmaps that took."""
        found: dict[int, int] = {}
        count = 0
        for term in terms:
            statement = (
                "SELECT chunk, bits FROM decision_postings WHERE tenant = ? AND term = ? AND chunk BETWEEN ? AND ?"
            )
            for chunk, bits in rows(self._connection, statement, self._tenant, term, first_chunk, last_chunk):
                found[chunk] = found.get(chunk, 0) | unpacked(bits)
                count += 1
        return found, count
