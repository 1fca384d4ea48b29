# SPDX-License-Identifier: Apache-2.0
"""The spool's files (`docs/spec/decision-record.md`): frames, and segments named by number.

Facts: one process appends (`clients/spool.py`), another reads and deletes (`node/shipper.py`). Numbers only grow, and
the highest segment is never deleted, so that a position `(number, offset)` keeps its meaning.
"""

import re
import struct
import zlib
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Final

HEADER: Final = struct.Struct(">II")  # length of the line, CRC-32 of the line
# An envelope has at most 8 KiB; the payload is facts of a request, without its text. Anything longer is a broken
# length, and must not make a reader allocate it.
MAX_LINE_BYTES: Final = 1024 * 1024

_NAME: Final = re.compile(r"([0-9]{20})\.spool")


class Broken(Enum):
    """Why there is no frame at a place: TORN may be a write under way, CORRUPT never becomes whole."""

    TORN = "torn"
    CORRUPT = "corrupt"


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


def read_frame(file: BinaryIO) -> bytes | Broken | None:
    """Return the line of the frame at the file's position and move behind it; None at the end of the file.

    Where the frame is Broken the position is unspecified.
    """
    header = file.read(HEADER.size)
    if not header:
        return None
    if len(header) < HEADER.size:
        return Broken.TORN
    length, checksum = HEADER.unpack(header)
    if not 0 < length <= MAX_LINE_BYTES:
        return Broken.CORRUPT
    line = file.read(length)
    if len(line) < length:
        return Broken.TORN
    return line if zlib.crc32(line) == checksum else Broken.CORRUPT


def whole_bytes(path: Path) -> int:
    """Return the length of the longest prefix of the segment at `path` that consists of whole frames."""
    end = 0
    with path.open("rb") as file:
        while isinstance(read_frame(file), bytes):
            end = file.tell()
    return end
