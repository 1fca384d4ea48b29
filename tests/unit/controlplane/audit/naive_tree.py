# SPDX-License-Identifier: Apache-2.0
"""RFC 6962 and RFC 9162 as they are written: recursive, over all leaves, with nothing of ours. And tiles in a dictionary."""

import hashlib
from collections.abc import Sequence


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def leaves(count: int, salt: str = "") -> list[bytes]:
    return [leaf(f"entry {number}{salt}".encode()) for number in range(count)]


def split_at(count: int) -> int:
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def root(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    middle = split_at(len(hashes))
    return hashlib.sha256(b"\x01" + root(hashes[:middle]) + root(hashes[middle:])).digest()


def path(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    middle = split_at(len(hashes))
    if index < middle:
        return [*path(index, hashes[:middle]), root(hashes[middle:])]
    return [*path(index - middle, hashes[middle:]), root(hashes[:middle])]


def subproof(first: int, hashes: Sequence[bytes], *, known: bool) -> list[bytes]:
    if first == len(hashes):
        return [] if known else [root(hashes)]
    middle = split_at(len(hashes))
    if first <= middle:
        return [*subproof(first, hashes[:middle], known=known), root(hashes[middle:])]
    return [*subproof(first - middle, hashes[middle:], known=False), root(hashes[:middle])]


def proof(first: int, hashes: Sequence[bytes]) -> list[bytes]:
    return [] if first in (0, len(hashes)) else subproof(first, hashes, known=True)


class KeptTiles:
    """Tiles as a store keeps them: each a string of hashes that grows at its end."""

    def __init__(self) -> None:
        self.hashes: dict[tuple[int, int], bytes] = {}
        self.read: list[tuple[int, int, int]] = []

    def put(self, update) -> None:
        had = self.hashes.get((update.level, update.number), b"")
        assert len(had) == update.offset * 32
        self.hashes[update.level, update.number] = had + update.hashes

    def tile(self, level: int, number: int, width: int) -> bytes:
        self.read.append((level, number, width))
        return self.hashes.get((level, number), b"")[: width * 32]


def flipped(text: bytes):
    """Yield `text` with each of its bits the other way, one at a time."""
    for bit in range(len(text) * 8):
        yield text[: bit // 8] + bytes([text[bit // 8] ^ 1 << bit % 8]) + text[bit // 8 + 1 :]
