# SPDX-License-Identifier: Apache-2.0
"""Is a log what it was when it was last signed?"""

from collections.abc import Callable
from typing import Final

from controlplane.audit.checkpoints import Checkpoint, open_checkpoint
from controlplane.audit.frontier import Frontier, split
from controlplane.audit.hashes import leaf_hash
from controlplane.audit.note_keys import VerifierKey
from controlplane.audit.notes import NoteMalformed, NoteNotSigned
from controlplane.audit.tiles import (
    TILE_WIDTH,
    TileReader,
    TileUnreadable,
    TreeReader,
    read_tile,
)
from controlplane.services.checkpoints import SignedCheckpoint
from controlplane.services.ports import LogReader
from controlplane.services.records import Head, TileMissing

# The newest entries, which nobody outside may have seen yet, are compared with their hashes byte by byte.
TAIL: Final = 4 * TILE_WIDTH


class LogAltered(Exception):
    """What is stored is not what was signed, or contradicts itself. The text says where."""


class StoredTiles:
    """`controlplane.audit.tiles.TileReader` over the log of one tenant."""

    def __init__(self, log: LogReader, tenant: str) -> None:
        self._log = log
        self._tenant = tenant

    def tile(self, level: int, number: int, width: int) -> bytes:
        try:
            return self._log.tile(self._tenant, level, number, width)
        except TileMissing as exc:
            raise TileUnreadable(str(exc)) from exc


def check_head(tiles: TileReader, head: Head, last: SignedCheckpoint | None, key: VerifierKey) -> None:
    """Raise LogAltered unless tiles, head and the last checkpoint agree. Reads a few tiles: made before each signature.

    What the tiles hold below those few is `check_leaves`' question.
    """
    if last is not None:
        check_signed(last, key)
        if last.size > head.size:
            raise LogAltered(f"{last.size} entries were signed, the log has {head.size}")
        if root_of(tiles, last.size) != last.root:
            raise LogAltered(f"the tiles of the first {last.size} entries have another root than the one signed")
    if root_of(tiles, head.size) != head.root:
        raise LogAltered(f"the tiles of {head.size} entries have another root than the log's head")


def check_signed(last: SignedCheckpoint, key: VerifierKey) -> None:
    """Raise LogAltered unless `key` signed the checkpoint, and for what stands beside it."""
    try:
        opened = open_checkpoint(last.note.encode(), [key])
    except (NoteMalformed, NoteNotSigned) as exc:
        raise LogAltered(f"the checkpoint of size {last.size} is not signed by the log's key ({exc})") from exc
    if opened.checkpoint != Checkpoint(key.name, last.size, last.root):
        raise LogAltered(f"the checkpoint of size {last.size} is stored beside another size or root than it states")


def check_leaves(
    tiles: TileReader, head: Head, last: SignedCheckpoint | None, *, awake: Callable[[], None] = lambda: None
) -> None:
    """Raise LogAltered unless the leaf hashes alone give the signed root and the head's. Calls `awake` now and then.

    Reads every tile of leaf hashes, in bounded memory.
    """
    frontier = Frontier()
    for size, root in ([(last.size, last.root)] if last else []) + [(head.size, head.root)]:
        while frontier.size < size:
            number, offset = divmod(frontier.size, TILE_WIDTH)
            frontier = frontier.append(_leaves(tiles, size, number)[offset:])
            awake()
        if frontier.root() != root:
            raise LogAltered(f"the leaf hashes of the first {size} entries do not give the root that was kept of them")


def check_tail(log: LogReader, tenant: str, head: Head) -> None:
    """Raise LogAltered unless each of the newest entries is there and has the hash that stands in its tile.

    Retention drops whole days, and never the last one: of a day that has entries none may be missing.
    """
    begin = max(0, head.size - TAIL) // TILE_WIDTH * TILE_WIDTH
    for day in log.days(tenant):
        missing: int | None = None
        kept = day.end_index == head.size
        for entry in log.entries(tenant, max(begin, day.first_index), day.end_index - 1):
            if entry.envelope is None:
                missing = entry.log_index if missing is None else missing
            elif leaf_hash(entry.envelope) != entry.leaf_hash:
                raise LogAltered(f"entry {entry.log_index} is not what it was when it was appended")
            else:
                kept = True
        if kept and missing is not None:
            raise LogAltered(f"entry {missing} is missing")


def root_of(tiles: TileReader, size: int) -> bytes:
    """Return the root that the tiles give for the first `size` entries."""
    try:
        return TreeReader(tiles, size).frontier().root()
    except TileUnreadable as exc:
        raise LogAltered(str(exc)) from exc


def _leaves(tiles: TileReader, size: int, number: int) -> list[bytes]:
    try:
        return list(split(read_tile(tiles, size, 0, number)))
    except TileUnreadable as exc:
        raise LogAltered(str(exc)) from exc
