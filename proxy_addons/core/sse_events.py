# SPDX-License-Identifier: Apache-2.0
"""Server-sent events (WHATWG HTML, section 9.2) from bytes cut anywhere: the data of each event, and nothing else.

Comments, event names, ids and retry times are dropped: OpenAI's dialects do not use them, and what is not examined does
not pass.
"""

import re
from collections.abc import Iterator
from typing import Final

_BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


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
            if line:
                self._take(line)
                continue
            if self._data:
                yield b"\n".join(self._data)
            self._data.clear()
            self._data_bytes = 0

    def unfinished(self) -> bytes:
        """Return the data of an event whose last line's end, or whose blank line, did not come. Ends the reading."""
        self._take(self._taken_line())
        return b"\n".join(self._data)

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._data_bytes += len(line)

    def _lines(self, piece: bytes) -> Iterator[bytes]:
        """Give the lines that `piece` completes; a line ends with CR LF, LF or CR."""
        position = 0
        if self._after_cr and piece:
            # The LF of a CR LF whose CR ended the line already.
            position = 1 if piece.startswith(b"\n") else 0
            self._after_cr = False
        for end in _LINE_END.finditer(piece, position):
            self._grow(piece[position : end.start()])
            yield self._taken_line()
            position = end.end()
            self._after_cr = position == len(piece) and piece.endswith(b"\r")
        self._grow(piece[position:])

    def _grow(self, more: bytes) -> None:
        self._line += more
        if len(self._line) + self._data_bytes > self._max_event_bytes:
            raise EventTooLarge

    def _taken_line(self) -> bytes:
        line = bytes(self._line)
        self._line.clear()
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        return line
