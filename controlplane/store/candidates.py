# SPDX-License-Identifier: Apache-2.0
"""Where decisions that satisfy a member of a question may be: sets of indexes by chunk, and what reading them cost."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sqlalchemy import Connection

from controlplane.services.decision_filter import DecisionFilter
from controlplane.services.dimensions import DECISION_KINDS, MANY_VALUED, Dimension
from controlplane.store.bulk import rows
from controlplane.store.fingerprints import Fingerprints
from controlplane.store.index_geometry import Geometry
from controlplane.store.lookup import Boot
from controlplane.store.postings import Postings, term_of
from controlplane.store.projection import LATENCY

_LARGEST_OCTAVE: Final = 64
# With more processes than that, every decision is a candidate.
_MOST_BOOTS: Final = 100
_ALL: Final = tuple(term_of(Dimension.KIND, kind) for kind in sorted(DECISION_KINDS))
# So many fingerprints cost about what a bitmap does.
_FINGERPRINTS: Final = 32

Source = Callable[[int, int], tuple[dict[int, int], int]]
"""Takes the first and the last chunk; gives the set of each chunk and what that cost, in bitmaps read."""


class Sources:
    def __init__(self, connection: Connection, tenant: str, geometry: Geometry) -> None:
        self._connection = connection
        self._tenant = tenant
        self._geometry = geometry
        self._postings = Postings(connection, tenant, geometry)
        self._fingerprints = Fingerprints(connection, tenant, geometry)

    def of(self, asked: DecisionFilter, *, gaps: frozenset[Boot], as_of: int) -> list[Source]:
        """Return a source for each member of what is asked for, or that of all decisions."""
        sources = [self._named(dimension, values) for dimension, values in asked.values.items() if values]
        if asked.min_latency_us is not None or asked.max_latency_us is not None:
            least = (asked.min_latency_us or 0).bit_length()
            most = _LARGEST_OCTAVE if asked.max_latency_us is None else asked.max_latency_us.bit_length()
            sources.append(self._terms([term_of(LATENCY, str(octave)) for octave in range(least, most + 1)]))
        if asked.has_gap:
            sources.append(self._with_gaps(gaps, as_of))
        return sources or [self._terms(_ALL)]

    def _named(self, dimension: Dimension, values: Sequence[str]) -> Source:
        if dimension not in MANY_VALUED:
            return self._terms([term_of(dimension, value) for value in values])

        def read(first_chunk: int, last_chunk: int) -> tuple[dict[int, int], int]:
            length = self._geometry.chunk
            first, last = first_chunk * length, (last_chunk + 1) * length - 1
            indexes = self._fingerprints.read(dimension, values, first, last)
            groups = 1 + (last - first) // self._geometry.group
            found = bits_of(indexes, length)
            return found, (groups + sum(bits.bit_count() for bits in found.values()) // _FINGERPRINTS) * len(values)

        return read

    def _terms(self, terms: Sequence[int]) -> Source:
        return lambda first, last: self._postings.read(terms, first, last)

    def _with_gaps(self, gaps: frozenset[Boot], as_of: int) -> Source:
        """Return the source of decisions that may have no terminal record, or are of a process with missing numbers."""
        if len(gaps) > _MOST_BOOTS:
            return self._terms(_ALL)
        begun, ended = ([term_of(Dimension.KIND, kind)] for kind in ("admission", "terminal"))
        boots = [term_of(Dimension.BOOT, boot) for boot in {boot for _, boot in gaps}]
        is_newest = as_of >= self._size()

        def read(first_chunk: int, last_chunk: int) -> tuple[dict[int, int], int]:
            found, cost = self._postings.read(begun, first_chunk, last_chunk)
            # At an earlier size some had not ended yet, which their records tell.
            over, more = self._postings.read(ended, first_chunk, last_chunk) if is_newest else ({}, 0)
            open_ones = {chunk: bits & ~over.get(chunk, 0) for chunk, bits in found.items()}
            left_out, most = self._postings.read(boots, first_chunk, last_chunk)
            for chunk, bits in left_out.items():
                open_ones[chunk] = open_ones.get(chunk, 0) | bits
            return open_ones, cost + more + most

        return read

    def _size(self) -> int:
        found = rows(self._connection, "SELECT size FROM decision_index_heads WHERE tenant = ?", self._tenant)
        return int(found[0].size) if found else 0


def bits_of(indexes: Iterable[int], length: int) -> dict[int, int]:
    """Return indexes as bitmaps by chunk."""
    by_chunk: dict[int, bytearray] = {}
    for index in indexes:
        bits = by_chunk.setdefault(index // length, bytearray((length + 7) // 8))
        bits[index % length // 8] |= 1 << index % length % 8
    return {chunk: int.from_bytes(bits, "little") for chunk, bits in by_chunk.items()}
