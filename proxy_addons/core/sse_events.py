# SPDX-License-Identifier: Apache-2.0
"""Server-sent events (WHATWG HTML, section 9.2) from bytes cut anywhere: the data of each event, and nothing else.

Comments, event names, ids and retry times are dropped: OpenAI's dialects do not use them, and what is not examined does
not pass.
"""

from collections.abc import Iterator
from typing import Final

_BOM: Final = b"\xef\xbb\xbf"


class EventTooLarge(Exception):
    """One event has more bytes than are held."""


class EventReader:
    """Gives the data of each event once the event is complete. An event that the stream's end cuts off is dropped."""

    def __init__(self, *, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._line = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._after_cr = False
        self._at_start = True

    def receive(self, piece: bytes) -> Iterator[bytes]:
        """Give the data of the events that `piece` completes. Raises EventTooLarge."""
        for line in self._lines(piece):
            if not line:
                if self._data:
                    yield b"\n".join(self._data)
                    self._data.clear()
                self._data_bytes = 0
                continue
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
                self._count(len(value))

    def _lines(self, piece: bytes) -> Iterator[bytes]:
        """Give the lines that `piece` completes; a line ends with CR LF, LF or CR."""
        position = 0
        if self._after_cr and piece:
            # The LF of a CR LF whose CR ended the line already.
            position = 1 if piece[:1] == b"\n" else 0
            self._after_cr = False
        while position < len(piece):
            ends = [end for end in (piece.find(b"\n", position), piece.find(b"\r", position)) if end >= 0]
            if not ends:
                break
            end = min(ends)
            self._line += piece[position:end]
            yield self._taken_line()
            position = end + 1
            if piece[end : end + 1] == b"\r":
                if position == len(piece):
                    self._after_cr = True
                elif piece[position : position + 1] == b"\n":
                    position += 1
        self._line += piece[position:]
        if len(self._line) + self._data_bytes > self._max_event_bytes:
            raise EventTooLarge

    def _taken_line(self) -> bytes:
        line = bytes(self._line)
        self._line.clear()
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        self._count(0, pending=len(line))
        return line

    def _count(self, more: int, pending: int = 0) -> None:
        self._data_bytes += more
        if self._data_bytes + pending > self._max_event_bytes:
            raise EventTooLarge
