# SPDX-License-Identifier: Apache-2.0
"""Server-sent events (WHATWG HTML, section 9.2) from bytes cut anywhere: the data of each event, and nothing else.

Comments, event names, ids and retry times are dropped: OpenAI's dialects do not use them, and what is not examined does
not pass.
"""

import re
from typing import Final

from proxy_addons.core.sse_template import Template

_DATA: Final = b"data: "
_NAME: Final = b"event: "
_CR: Final = 0x0D
_BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


class EventTooLarge(Exception):
    """One event has more bytes than are held."""


class EventReader:
    """Gives the data of each event once the event is complete. An event that the stream's end cuts off is dropped.

    An event that lies whole in one piece, in one line of data, is cut out of it; others are put together line by line.
    """

    def __init__(self, *, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._piece = b""
        self._at = 0  # up to where the piece is read
        self._line = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._after_cr = False
        self._at_start = True
        self.end = b"\n\n"  # what the last event cut out ended with

    def receive(self, piece: bytes) -> None:
        """Take the next piece. Of the one before, every event has been read."""
        self._piece, self._at = piece, 0

    def next(self) -> bytes | None:
        """Return the data of the next event that the piece completes, or None. Raises EventTooLarge."""
        if self._at == len(self._piece):
            return None
        if self._is_between_events() and (data := self._cut_out()) is not None:
            return data
        while (line := self._next_line()) is not None:
            if line:
                self._take(line)
                continue
            event = b"\n".join(self._data) if self._data else None
            self._data.clear()
            self._data_bytes = 0
            if event is not None:
                return event
        return None

    def run(self, template: Template) -> list[str]:
        """Return the texts of the events of this form that come next, one behind the other."""
        if self._at == len(self._piece) or not self._is_between_events() or len(self._piece) > self._max_event_bytes:
            return []
        texts, self._at = template.texts(self._piece, self._at)
        return texts

    def _is_between_events(self) -> bool:
        return not (self._line or self._data or self._after_cr or self._at_start)

    def _cut_out(self) -> bytes | None:
        """Return the data of an event that is one line of data and a blank one, or None for any other.

        A line with its name may stand before them: names are dropped.
        """
        piece, at = self._piece, self._at
        if piece.startswith(_NAME, at):
            at = piece.find(b"\n", at) + 1
            if at == 0 or piece.find(b"\r", self._at, at) != -1:
                return None
        if not piece.startswith(_DATA, at):
            return None
        stop = piece.find(b"\n", at)
        end = b"\n\n"
        if piece.startswith(b"\r\n", stop + 1) and piece[stop - 1] == _CR:
            stop -= 1
            end = b"\r\n\r\n"
        if stop < 0 or not piece.startswith(end, stop) or stop - self._at > self._max_event_bytes:
            return None
        if piece.find(b"\r", at, stop) != -1:
            return None
        self._at, self.end = stop + len(end), end
        return piece[at + len(_DATA) : stop]

    def unfinished(self) -> bytes:
        """Return the data of an event whose last line's end, or whose blank line, did not come. Ends the reading."""
        self._take(self._taken_line())
        return b"\n".join(self._data)

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._data_bytes += len(line)

    def _next_line(self) -> bytes | None:
        """Return the next line that the piece completes, or None; a line ends with CR LF, LF or CR."""
        piece = self._piece
        if self._after_cr and self._at < len(piece):
            # The LF of a CR LF whose CR ended the line already.
            self._at += piece.startswith(b"\n", self._at)
            self._after_cr = False
        end = _LINE_END.search(piece, self._at)
        if end is None:
            self._grow(piece[self._at :])
            self._at = len(piece)
            return None
        self._grow(piece[self._at : end.start()])
        self._at = end.end()
        self._after_cr = self._at == len(piece) and piece.endswith(b"\r")
        return self._taken_line()

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
