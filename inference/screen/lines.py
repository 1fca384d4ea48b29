# SPDX-License-Identifier: Apache-2.0
"""Lines of a stream, in batches as they arrive: a file's many at once, those of who waits for answers one by one."""

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

MOST_BYTES: Final = 8 * 1024 * 1024
# What a batch of prompts is scored from at once. The lines of one read are one batch.
READ_BYTES: Final = 128 * 1024
_NEWLINE: Final = b"\n"


@dataclass(frozen=True, slots=True)
class RawLine:
    """A line's number from 1 and its bytes, which are None where there were more than it may have."""

    number: int
    content: bytes | None


def batches_of(
    source: BinaryIO, *, most_bytes: int = MOST_BYTES, read_bytes: int = READ_BYTES
) -> Iterator[list[RawLine]]:
    """What has arrived, line by line, as soon as it has. Never waits for a second line to give the first."""
    cut = _Cutter(most_bytes)
    while chunk := _read(source, read_bytes):
        if lines := cut.feed(chunk):
            yield lines
    if lines := cut.finish():
        yield lines


def _read(source: BinaryIO, most: int) -> bytes:
    try:
        return os.read(source.fileno(), most)
    except io.UnsupportedOperation:  # no file: of a test, or of a caller in this process
        return source.read(most)


class _Cutter:
    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = bytearray()
        self._too_long = False
        self._number = 0

    def feed(self, chunk: bytes) -> list[RawLine]:
        *ended, rest = chunk.split(_NEWLINE)
        lines = []
        for piece in ended:
            self._hold(piece)
            lines.append(self._line())
        self._hold(rest)
        return lines

    def finish(self) -> list[RawLine]:
        return [self._line()] if self._held or self._too_long else []

    def _hold(self, piece: bytes) -> None:
        if self._too_long or len(self._held) + len(piece) > self._most:
            self._too_long = True
            self._held.clear()
        else:
            self._held += piece

    def _line(self) -> RawLine:
        self._number += 1
        content = None if self._too_long else bytes(self._held)
        self._held.clear()
        self._too_long = False
        return RawLine(self._number, content)
