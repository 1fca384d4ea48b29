# SPDX-License-Identifier: Apache-2.0
"""The spool's files (`docs/spec/decision-record.md`): frames, and segments named by number.

Facts: one process appends (`clients/spool.py`), another reads and deletes (`node/shipper.py`). Numbers only grow, and
the highest segment is never deleted, so that a position `(number, offset)` keeps its meaning. Segments that begin with
MAGIC have CRC-32C; those of earlier versions begin with a frame, whose first byte is 0, and have CRC-32.
"""

import os
import re
import struct
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from proxy_addons.clients.crc32c import crc32c

MAGIC: Final = b"GHSPOOL\x02"
HEADER: Final = struct.Struct(">II")  # length of the line, checksum
# An envelope has at most 8 KiB; the payload is facts of a request, without its text. Anything longer is a broken
# length, and must not make a reader allocate it.
MAX_LINE_BYTES: Final = 1024 * 1024
_BLOCK_BYTES: Final = 256 * 1024
# What every line begins with: where a frame may be found again behind damage.
_LINE_BEGINS: Final = b'{"envelope":"'

_NAME: Final = re.compile(r"([0-9]{20})\.spool")
_LENGTH: Final = struct.Struct(">I")


class Broken(Enum):
    """Why there is no frame at a place: TORN may be a write under way, CORRUPT never becomes whole.

    UNWRITTEN are zeros that were written ahead of records: where nothing but zeros follows, the segment ends here.
    """

    TORN = "torn"
    CORRUPT = "corrupt"
    UNWRITTEN = "unwritten"


@dataclass(frozen=True, slots=True)
class Segment:
    number: int
    path: Path


def segment_path(directory: Path, number: int) -> Path:
    return directory / f"{number:020d}.spool"


def segments(directory: Path) -> list[Segment]:
    """Return the segments in `directory` in the order in which they were written."""
    named = ((_NAME.fullmatch(path.name), path) for path in directory.iterdir())
    return sorted((Segment(int(found[1]), path) for found, path in named if found), key=lambda item: item.number)


def size_of(directory: Path) -> int:
    """Return how many bytes all segments have together. A segment deleted meanwhile counts nothing."""
    total = 0
    for segment in segments(directory):
        try:
            total += segment.path.stat().st_size
        except FileNotFoundError:
            continue
    return total


def frame(line: bytes) -> bytes:
    """Return `line` with its header."""
    length = _LENGTH.pack(len(line))
    return length + _LENGTH.pack(crc32c(length, line)) + line


class Frames:
    """The whole frames of the segment `descriptor` from `offset` on, each as its line and the position behind it.

    When the iteration has ended, `broken` says why no frame follows; None at the end of the file. `past_damage` looks
    for the next whole frame behind a broken one, and notes in `damaged` that it did; in a segment of an earlier version
    there is nothing to know one by.
    """

    def __init__(self, descriptor: int, offset: int = 0, *, past_damage: bool = False) -> None:
        self.broken: Broken | None = None
        self.damaged = False
        self._descriptor = descriptor
        self._offset = offset
        self._past_damage = past_damage

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        begins = os.pread(self._descriptor, len(MAGIC), 0)
        if begins and not begins[0]:
            yield from self._whole(self._offset, _sum_of_earlier_versions)
            return
        at = max(self._offset, len(MAGIC))
        if begins == MAGIC:
            at = 1 + (yield from self._whole(at, crc32c))
        elif begins:
            self.broken = Broken.TORN if MAGIC.startswith(begins) else Broken.CORRUPT
        while self._past_damage and self.broken in {Broken.TORN, Broken.CORRUPT}:
            found = _next_whole(self._descriptor, at)
            if found is None:
                return
            self.damaged, self.broken = True, None
            at = 1 + (yield from self._whole(found, crc32c))

    def _whole(self, position: int, checksum: Callable[[bytes, bytes], int]) -> Generator[tuple[bytes, int], None, int]:
        """Yield the whole frames from `position` on, and return where the last one ends."""
        # Reads blocks: two reads a frame take longer than all that is done with it.
        block, at, read_to = b"", 0, position
        wanted = HEADER.size
        while True:
            if len(block) - at < wanted:
                more = os.pread(self._descriptor, max(wanted, _BLOCK_BYTES), read_to)
                block, at, read_to = block[at:] + more, 0, read_to + len(more)
                if len(block) < wanted:
                    # Fewer zeros than a header has are the end of those written ahead.
                    self.broken = None if not block else Broken.TORN if any(block) else Broken.UNWRITTEN
                    return position
            length, given = HEADER.unpack_from(block, at)
            wanted = HEADER.size + length
            if not 0 < length <= MAX_LINE_BYTES:
                unwritten = not length and block.count(0, at) == len(block) - at and self._only_zeros(read_to)
                self.broken = Broken.UNWRITTEN if unwritten else Broken.CORRUPT
                return position
            if len(block) - at < wanted:
                continue
            line = block[at + HEADER.size : at + wanted]
            if checksum(block[at : at + _LENGTH.size], line) != given:
                self.broken = Broken.CORRUPT
                return position
            at += wanted
            position += wanted
            wanted = HEADER.size
            yield line, position

    def _only_zeros(self, position: int) -> bool:
        while block := os.pread(self._descriptor, _BLOCK_BYTES, position):
            if block.count(0) < len(block):
                return False
            position += len(block)
        return True


def whole_bytes(descriptor: int) -> int:
    """Return the length of the segment up to the end of its last whole frame: what is behind was torn by a crash.

    Whole frames behind a broken one count: they were written after it, so that it is damaged and not torn.
    """
    return max((behind for _, behind in Frames(descriptor, past_damage=True)), default=0)


def count_frames(descriptor: int, offset: int) -> tuple[int, int]:
    """Return how many whole frames follow `offset`, by their lengths alone, and where the last one ends."""
    size = os.fstat(descriptor).st_size
    if os.pread(descriptor, len(MAGIC), 0) == MAGIC:
        offset = max(offset, len(MAGIC))
    count = 0
    while True:
        header = os.pread(descriptor, HEADER.size, offset)
        if len(header) < HEADER.size:
            return count, offset
        length, _ = HEADER.unpack(header)
        end = offset + HEADER.size + length
        if not 0 < length <= MAX_LINE_BYTES or end > size:
            return count, offset
        count, offset = count + 1, end


def _next_whole(descriptor: int, position: int) -> int | None:
    """Return where the first whole frame begins that does not begin before `position`; None where none does."""
    rest = os.pread(descriptor, max(0, os.fstat(descriptor).st_size - position), position)
    line_at = rest.find(_LINE_BEGINS, HEADER.size)
    while line_at >= 0:
        at = line_at - HEADER.size
        length, given = HEADER.unpack_from(rest, at)
        line = rest[line_at : line_at + length]
        if len(line) == length <= MAX_LINE_BYTES and crc32c(rest[at : at + _LENGTH.size], line) == given:
            return position + at
        line_at = rest.find(_LINE_BEGINS, line_at + 1)
    return None


def _sum_of_earlier_versions(_: bytes, line: bytes) -> int:
    return zlib.crc32(line)
