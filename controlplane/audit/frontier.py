# SPDX-License-Identifier: Apache-2.0
"""The frontier: all that a log has to remember of its leaves to take more of them and to know its root.

A tree of `size` leaves consists of complete subtrees, one for each bit that is set in `size`, the largest leftmost.
Their roots, left to right, are the frontier. Appending merges equal neighbours as addition carries bits.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from controlplane.audit.hashes import EMPTY_ROOT, HASH_BYTES, node_hash


@dataclass(frozen=True, slots=True)
class Nodes:
    """Roots of neighbouring complete subtrees of `2**height` leaves; `first` such subtrees are to their left."""

    height: int
    first: int
    hashes: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Frontier:
    """The complete subtrees of the first `size` leaves. `hashes` has one root for each bit set, largest first."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            msg = f"a frontier of {self.size} leaves cannot have {len(self.hashes)} hashes"
            raise ValueError(msg)

    @classmethod
    def from_bytes(cls, size: int, stored: bytes) -> Self:
        """Return what `to_bytes` wrote of a frontier of `size` leaves. Raises ValueError where it cannot be that."""
        if size < 0 or len(stored) != size.bit_count() * HASH_BYTES:
            msg = f"{len(stored)} bytes are no frontier of {size} leaves"
            raise ValueError(msg)
        return cls(size, tuple(split(stored)))

    def to_bytes(self) -> bytes:
        """Return the hashes one after another: 32 bytes for each bit set in `size`."""
        return b"".join(self.hashes)

    def root(self) -> bytes:
        """Return the root of the tree (RFC 9162, 2.1.1)."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def append(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """Return the frontier after `leaf_hashes`."""
        return self.grow(leaf_hashes)[0]

    def grow(self, leaf_hashes: Iterable[bytes]) -> tuple["Frontier", tuple[Nodes, ...]]:
        """Return the frontier after `leaf_hashes`, and every node that became complete by them, lowest first.

        Height by height over the whole batch: one hash for each leaf in the long run, half a microsecond.
        """
        sha256 = hashlib.sha256  # looked up once: this loop is the hot path of ingestion
        fresh = list(leaf_hashes)
        end = self.size + len(fresh)
        complete: list[Nodes] = []
        kept: list[bytes] = []  # smallest first
        left = list(self.hashes)
        height = 0
        while left or fresh:
            first = self.size >> height
            if fresh:
                complete.append(Nodes(height, first, fresh))
            # An odd position means that the frontier holds the left neighbour of what comes next.
            row = [left.pop(), *fresh] if first & 1 else fresh
            if len(row) & 1:
                kept.append(row[-1])
            fresh = [sha256(b"\x01" + row[at] + row[at + 1]).digest() for at in range(0, len(row) - 1, 2)]
            height += 1
        return Frontier(end, tuple(reversed(kept))), tuple(complete)

    def push(self, height: int, root: bytes) -> "Frontier":
        """Return the frontier after a complete subtree of `2**height` leaves whose root is known.

        Raises ValueError where none can begin: `size` is not a multiple of its leaves.
        """
        if height < 0 or self.size & ((1 << height) - 1):
            msg = f"no complete subtree of height {height} begins at leaf {self.size}"
            raise ValueError(msg)
        hashes = list(self.hashes)
        carried = height
        while self.size >> carried & 1:
            root = node_hash(hashes.pop(), root)
            carried += 1
        return Frontier(self.size + (1 << height), (*hashes, root))


def split(hashes: bytes) -> Iterator[bytes]:
    """Yield the hashes that stand one after another in `hashes`."""
    return (hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES))


def complete_subtrees(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the fewest complete subtrees that together are the leaves from `begin` to before `end`, left to right.

    Each as (height, index): its leaves begin at `index << height`.
    """
    while begin < end:
        fits = (end - begin).bit_length() - 1
        height = min(fits, (begin & -begin).bit_length() - 1) if begin else fits
        yield height, begin >> height
        begin += 1 << height
