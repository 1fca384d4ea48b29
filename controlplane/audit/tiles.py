# SPDX-License-Identifier: Apache-2.0
"""Tiles (C2SP tlog-tiles, height 8): the tree's hashes in files of up to 256, which never change once they are full.

Level 0 holds leaf hashes; each hash of a level above is the root of a full tile below. A tile's hashes only grow at
their end, so that a narrower tile is the beginning of a wider one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from controlplane.audit.frontier import Frontier, Nodes, complete_subtrees, split
from controlplane.audit.hashes import HASH_BYTES, node_hash

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
MAX_LEVEL: Final = 63
_NUMBER: Final = re.compile(r"(?:x[0-9]{3}/){0,6}[0-9]{3}", re.ASCII)
_WIDTH: Final = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_LEVEL: Final = re.compile(r"0|[1-9][0-9]?", re.ASCII)
_LEAVES_AT_ONCE: Final = 64 * TILE_WIDTH


class TileUnreadable(Exception):
    """A tile that the tree must have is missing, or is not as long as it must be."""


class TileReader(Protocol):
    """Where tiles are. `tile` returns the first `width` hashes of one, or raises TileUnreadable."""

    def tile(self, level: int, number: int, width: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class TileUpdate:
    """`hashes` are to be put behind the `offset` hashes that the tile has already."""

    level: int
    number: int
    offset: int
    hashes: bytes

    @property
    def width(self) -> int:
        """How many hashes the tile has afterwards."""
        return self.offset + len(self.hashes) // HASH_BYTES


@dataclass(frozen=True, slots=True)
class Appended:
    """A log after a batch: its frontier, and what is to be put into which tiles."""

    frontier: Frontier
    updates: tuple[TileUpdate, ...]


def append(frontier: Frontier, leaf_hashes: Iterable[bytes]) -> Appended:
    """Return the log of `frontier` after `leaf_hashes`, lowest level first, in each level by number."""
    grown, complete = frontier.grow(leaf_hashes)
    updates = [update for nodes in complete if nodes.height % TILE_HEIGHT == 0 for update in _updates(nodes)]
    return Appended(grown, tuple(updates))


def _updates(nodes: Nodes) -> Iterator[TileUpdate]:
    at = 0
    while at < len(nodes.hashes):
        number, offset = divmod(nodes.first + at, TILE_WIDTH)
        room = TILE_WIDTH - offset
        yield TileUpdate(nodes.height // TILE_HEIGHT, number, offset, b"".join(nodes.hashes[at : at + room]))
        at += room


def tile_width(size: int, level: int, number: int) -> int:
    """Return how many hashes tile `number` of `level` has in a tree of `size` leaves; 0 where it has no such tile."""
    return min(TILE_WIDTH, max(0, (size >> TILE_HEIGHT * level) - number * TILE_WIDTH))


def tile_path(level: int | str, number: int, width: int = TILE_WIDTH) -> str:
    """Return a tile's path, such as `tile/0/x001/x234/067.p/8`. Level `entries` holds the entries themselves."""
    groups = [f"{number % 1000:03}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03}")
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def parse_tile_path(path: str) -> tuple[int | str, int, int] | None:
    """Return (level, number, width) of what `tile_path` writes; None where it is not a tile's only path."""
    _, _, rest = path.partition("tile/")
    level_text, _, rest = rest.partition("/")
    number_text, partial, width_text = rest.partition(".p/")
    if _NUMBER.fullmatch(number_text) is None or (partial and _WIDTH.fullmatch(width_text) is None):
        return None
    if level_text != "entries" and _LEVEL.fullmatch(level_text) is None:
        return None
    level = level_text if level_text == "entries" else int(level_text)
    parsed = (level, int(re.sub("[x/]", "", number_text)), int(width_text) if partial else TILE_WIDTH)
    return parsed if tile_path(*parsed) == path and (isinstance(level, str) or level <= MAX_LEVEL) else None


class TreeReader:
    """The nodes of a tree of `size` leaves, out of its tiles; each tile is read once for one reader.

    It gives up with TileUnreadable. What it returns is what the tiles say: whoever doubts them compares the root.
    """

    def __init__(self, tiles: TileReader, size: int) -> None:
        self.size = size
        self._tiles = tiles
        self._read: dict[tuple[int, int], bytes] = {}

    def node(self, height: int, index: int) -> bytes:
        """Return the root of the complete subtree of `2**height` leaves that begins at leaf `index << height`."""
        level, above = divmod(height, TILE_HEIGHT)
        number, offset = divmod(index << above, TILE_WIDTH)
        tile = self._tile(level, number)
        if (offset + (1 << above)) * HASH_BYTES > len(tile):
            msg = f"a tree of {self.size} leaves has no complete subtree {index} of height {height}"
            raise ValueError(msg)
        row = list(split(tile[offset * HASH_BYTES : (offset + (1 << above)) * HASH_BYTES]))
        while len(row) > 1:
            row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
        return row[0]

    def frontier(self) -> Frontier:
        """Return the tree's frontier, and by it its root, by reading O(log size) tiles."""
        return Frontier(self.size, tuple(self.node(*subtree) for subtree in complete_subtrees(0, self.size)))

    def _tile(self, level: int, number: int) -> bytes:
        found = self._read.get((level, number))
        if found is None:
            found = self._read[level, number] = read_tile(self._tiles, self.size, level, number)
        return found


def read_tile(tiles: TileReader, size: int, level: int, number: int) -> bytes:
    """Return tile `number` of `level` as a tree of `size` leaves has it, or raise TileUnreadable."""
    width = tile_width(size, level, number)
    read = tiles.tile(level, number, width) if width else b""
    if len(read) != width * HASH_BYTES:
        msg = f"tile {number} of level {level} has {len(read)} bytes where {width} hashes must be"
        raise TileUnreadable(msg)
    return read


def appended_again(tiles: TileReader, size: int) -> Iterator[Appended]:
    """Append all leaf hashes of a tree of `size` leaves anew, out of its tiles of level 0, in pieces of 16,384.

    The last frontier has the root that the leaves give; the updates are what the tiles above must hold. Memory is
    bounded: one piece at a time.
    """
    frontier = Frontier()
    while frontier.size < size:
        end = min(size, frontier.size + _LEAVES_AT_ONCE)
        numbers = range(frontier.size // TILE_WIDTH, -(-end // TILE_WIDTH))
        leaves = (leaf for number in numbers for leaf in split(read_tile(tiles, size, 0, number)))
        appended = append(frontier, leaves)
        frontier = appended.frontier
        yield appended


def recompute(tiles: TileReader, size: int) -> Frontier:
    """Return the frontier that the leaf hashes of a tree of `size` leaves give: nothing above them is believed."""
    frontier = Frontier()
    for appended in appended_again(tiles, size):
        frontier = appended.frontier
    return frontier
