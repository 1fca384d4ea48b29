# SPDX-License-Identifier: Apache-2.0
"""The chunked coding of a request body, in the form that is taken: extensions are dropped, trailers refused."""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

# Sixteen digits name 2^64 - 1 bytes. A parser that reads more may wrap around and see another length than we do.
# Extensions mean nothing to us and are never forwarded: plain tokens pass, since legitimate clients send them; quoted
# ones do not, since parsers differ about where they end.
_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[0-9A-Za-z_-]+(?:=[0-9A-Za-z_.-]+)?)*\r\n")
_MAX_SIZE_LINE_BYTES: Final = 64
# A chunk costs the same however little it holds: a megabyte of one-byte chunks held a worker for ten seconds. Whoever
# writes a body piece by piece writes pieces longer than this, or has fewer of them.
_SMALL_BYTES: Final = 64
_MAX_SMALL_CHUNKS: Final = 4096
_CRLF: Final = b"\r\n"


class ChunkFault(Exception):
    """The bytes are not chunks in the permitted form."""


@dataclass(frozen=True, slots=True)
class ChunkStep:
    """`consumed` bytes of the buffer were read; they held `content`, and the end of the body if `ended`."""

    consumed: int
    content: bytes
    ended: bool


class _Stage(Enum):
    SIZE = auto()
    CONTENT = auto()
    AFTER_CONTENT = auto()
    AFTER_LAST = auto()
    ENDED = auto()


class ChunkReader:
    """Reads one body. Each `read` goes as far as the next content, the end, or the end of the buffer."""

    def __init__(self) -> None:
        self._stage = _Stage.SIZE
        self._left = 0
        self._small_chunks = 0

    def read(self, buffer: bytearray) -> ChunkStep:
        """Return the next step. The caller removes `consumed` bytes. Raises ChunkFault."""
        at = 0
        while self._stage is not _Stage.CONTENT:
            taken = self._take_size(buffer, at) if self._stage is _Stage.SIZE else self._take_line_end(buffer, at)
            at += taken
            if not taken or self._stage is _Stage.ENDED:
                return ChunkStep(at, b"", ended=self._stage is _Stage.ENDED)
        content = bytes(buffer[at : at + self._left])
        self._left -= len(content)
        if not self._left:
            self._stage = _Stage.AFTER_CONTENT
        return ChunkStep(at + len(content), content, ended=False)

    def _take_size(self, buffer: bytearray, at: int) -> int:
        end = buffer.find(b"\n", at, at + _MAX_SIZE_LINE_BYTES) + 1
        if not end:
            if len(buffer) - at >= _MAX_SIZE_LINE_BYTES:
                raise ChunkFault
            return 0
        line = bytes(buffer[at:end])
        found = _SIZE_LINE.fullmatch(line)
        if found is None:
            raise ChunkFault
        self._left = int(found[1], 16)
        if 0 < self._left < _SMALL_BYTES:
            self._small_chunks += 1
            if self._small_chunks > _MAX_SMALL_CHUNKS:
                raise ChunkFault
        self._stage = _Stage.CONTENT if self._left else _Stage.AFTER_LAST
        return len(line)

    def _take_line_end(self, buffer: bytearray, at: int) -> int:
        found = bytes(buffer[at : at + 2])
        if not _CRLF.startswith(found):
            raise ChunkFault  # also a trailer field: none is taken
        if found != _CRLF:
            return 0
        self._stage = _Stage.ENDED if self._stage is _Stage.AFTER_LAST else _Stage.SIZE
        return len(found)
