# SPDX-License-Identifier: Apache-2.0
"""Tiles of entries (C2SP tlog-tiles): up to 256 entries, each after its length in two bytes."""

from collections.abc import Iterable
from typing import Final

MAX_ENTRY_BYTES: Final = 0xFFFF
_LENGTH_BYTES: Final = 2


def entries_tile(entries: Iterable[bytes]) -> bytes:
    """Return the tile that holds `entries`. Raises OverflowError where one has more than 65,535 bytes."""
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES, "big") + entry for entry in entries)


def parse_entries_tile(tile: bytes) -> tuple[bytes, ...]:
    """Return the entries of a tile, or raise ValueError where it ends within one."""
    entries: list[bytes] = []
    at = 0
    while at < len(tile):
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(tile[at:begin], "big")
        if begin > len(tile) or at > len(tile):
            raise ValueError("the tile ends within an entry")
        entries.append(tile[begin:at])
    return tuple(entries)
