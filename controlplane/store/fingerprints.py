# SPDX-License-Identifier: Apache-2.0
"""Which entries have a value, for values that nearly every record has one of its own of.

Theory: a B-tree of ten million random keys is written all over, some kilobytes for each key. So an entry here is six
bytes, four of a value's hash and two of where it is in its group of the log, and entries are only ever appended: first
to the block of the log they are of (level 0), and when a group of blocks is full, its entries are sorted out by the
hash's first bits (level 1). A question reads one part of each group and the blocks that are not sorted out yet. What
is found is compared with its record, so that two values of one hash cost time and no wrong answer.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sqlalchemy import Connection

from controlplane.services.dimensions import Dimension
from controlplane.store.bulk import append_bytes, change, rows, write
from controlplane.store.index_geometry import Geometry
from controlplane.store.index_tables import decision_fingerprints
from controlplane.store.postings import digest_of, fresh_digest_of

_HASH: Final = 4
_ENTRY: Final = 6
# Of the first byte, so that 64 parts of a group of 65,536 entries have 6 KiB each.
_PART_SHIFT: Final = 2
# Whose values hardly ever come again: remembered, they would push out the others.
_COME_ONCE: Final = frozenset({Dimension.TRACE_ID, "record_id"})
_NAMES: Final = ("tenant", "dimension", "level", "part", "number", "entries")
_KEY: Final = "tenant, dimension, level, part, number"


class Fingerprints:
    """The fingerprints of `tenant`."""

    def __init__(self, connection: Connection, tenant: str, geometry: Geometry) -> None:
        self._connection = connection
        self._tenant = tenant
        self._geometry = geometry

    def add(self, found: Iterable[tuple[str, str, int]]) -> None:
        """Add (dimension, value, log index)."""
        blocks: defaultdict[tuple[str, int], bytearray] = defaultdict(bytearray)
        block, group = self._geometry.block, self._geometry.group
        for dimension, value, index in found:
            digest = fresh_digest_of(dimension, value) if dimension in _COME_ONCE else digest_of(dimension, value)
            entry = digest[:_HASH] + (index % group).to_bytes(2, "big")
            blocks[dimension, index // block] += entry
        self._append(
            [(self._tenant, dimension, 0, 0, block, bytes(entries)) for (dimension, block), entries in blocks.items()],
        )

    def settle(self, *, first: int, end: int) -> None:
        """Sort the groups out that an append to [first, end) has made full."""
        if first // self._geometry.group == end // self._geometry.group:
            return
        below = end // self._geometry.group * (self._geometry.group // self._geometry.block)
        known = rows(
            self._connection,
            "SELECT DISTINCT dimension FROM decision_fingerprints WHERE tenant = ? AND level = 0 AND number < ?",
            self._tenant,
            below,
        )
        for (dimension,) in known:
            self._settle(dimension, below)

    def _settle(self, dimension: str, below: int) -> None:
        one = "FROM decision_fingerprints WHERE tenant = ? AND dimension = ? AND level = 0 AND part = 0 AND number < ?"
        parts: defaultdict[tuple[int, int], bytearray] = defaultdict(bytearray)
        blocks_in_a_group = self._geometry.group // self._geometry.block
        for number, content in rows(self._connection, f"SELECT number, entries {one}", self._tenant, dimension, below):
            entries = bytes(content)
            for at in range(0, len(entries), _ENTRY):
                parts[entries[at] >> _PART_SHIFT, number // blocks_in_a_group] += entries[at : at + _ENTRY]
        change(self._connection, f"DELETE {one}", self._tenant, dimension, below)
        self._append(
            [(self._tenant, dimension, 1, part, group, bytes(entries)) for (part, group), entries in parts.items()]
        )

    def read(self, dimension: str, values: Sequence[str], first: int, last: int) -> Iterator[int]:
        """Yield the indexes from `first` to `last` of entries that may have one of `values`, in no order."""
        wanted = {digest_of(dimension, value)[:_HASH] for value in values}
        pieces = [(0, 0, self._geometry.block, wanted)]
        pieces += [
            (1, part, self._geometry.group, {one for one in wanted if one[0] >> _PART_SHIFT == part})
            for part in {sought[0] >> _PART_SHIFT for sought in wanted}
        ]
        for level, part, length, sought in pieces:
            for number, content in rows(
                self._connection,
                "SELECT number, entries FROM decision_fingerprints "
                "WHERE tenant = ? AND dimension = ? AND level = ? AND part = ? AND number BETWEEN ? AND ?",
                self._tenant,
                dimension,
                level,
                part,
                first // length,
                last // length,
            ):
                base = number * length // self._geometry.group * self._geometry.group
                for offset in _offsets(bytes(content), sought):
                    if first <= base + offset <= last:
                        yield base + offset

    def _append(self, entries: Sequence[tuple[str, str, int, int, int, bytes]]) -> None:
        grown = append_bytes(self._connection, decision_fingerprints, "entries", key=_KEY)
        write(self._connection, decision_fingerprints, _NAMES, entries, conflict=grown)


def _offsets(entries: bytes, sought: Iterable[bytes]) -> Iterator[int]:
    for one in sought:
        at = entries.find(one)
        while at >= 0:
            if at % _ENTRY == 0:
                yield int.from_bytes(entries[at + _HASH : at + _ENTRY], "big")
            at = entries.find(one, at + 1)
