# SPDX-License-Identifier: Apache-2.0
"""The spool's files (`docs/spec/decision-record.md`): frames, and segments named by number.

Facts: one process appends (`clients/spool.py`), another reads and deletes (`node/shipper.py`). Numbers only grow, and
the highest segment is never deleted, so that a position `(number, offset)` keeps its meaning.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Final

HEADER: Final = struct.Struct(">II")  # length of the line, CRC-32 of the line
# An envelope has at most 8 KiB; the payload is facts of a request, without its text. Anything longer is a broken
# length, and must not make a reader allocate it.
MAX_LINE_BYTES: Final = 1024 * 1024
_BLOCK_BYTES: Final = 256 * 1024

_NAME: Final = re.compile(r"([0-9]{20})\.spool")


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
    return HEADER.pack(len(line), zlib.crc32(line)) + line


class Frames:
    """The whole frames from the position of `file` on, each as its line and the position behind it.

    When the iteration has ended, `broken` says why no frame follows; None at the end of the file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.broken: Broken | None = None
        self._file = file

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        # Reads blocks: two reads a frame take longer than all that is done with it.
        position, block, at = self._file.tell(), b"", 0
        wanted = HEADER.size
        while True:
            if len(block) - at < wanted:
                block, at = block[at:] + self._file.read(max(wanted, _BLOCK_BYTES)), 0
                if len(block) < wanted:
                    # Fewer zeros than a header has are the end of those written ahead.
                    self.broken = None if not block else Broken.TORN if any(block) else Broken.UNWRITTEN
                    return
            length, checksum = HEADER.unpack_from(block, at)
            wanted = HEADER.size + length
            if not 0 < length <= MAX_LINE_BYTES:
                unwritten = not length and self._only_zeros(block, at)
                self.broken = Broken.UNWRITTEN if unwritten else Broken.CORRUPT
                return
            if len(block) - at < wanted:
                continue
            line = block[at + HEADER.size : at + wanted]
            if zlib.crc32(line) != checksum:
                self.broken = Broken.CORRUPT
                return
            at += wanted
            position += wanted
            wanted = HEADER.size
            yield line, position

    def _only_zeros(self, block: bytes, at: int) -> bool:
        while block:
            if block.count(0, at) < len(block) - at:
                return False
            block, at = self._file.read(_BLOCK_BYTES), 0
        return True


def whole_bytes(path: Path) -> int:
    """Return the length of the longest prefix of the segment at `path` that consists of whole frames."""
    with path.open("rb") as file:
        return max((behind for _, behind in Frames(file)), default=0)
