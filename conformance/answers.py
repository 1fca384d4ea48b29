# SPDX-License-Identifier: Apache-2.0
"""The answers on a connection, from the bytes a client reads, without I/O. Bounded, since a gateway may be hostile."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import h11

MAX_BYTES: Final = 8 * 1024 * 1024
_MAX_HEAD_BYTES: Final = 256 * 1024


@dataclass(slots=True)
class Answer:
    """A final answer. `complete` is false where the connection ended within it."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    reason: bytes = b""
    raw_body: bytearray = field(default_factory=bytearray)
    complete: bool = False

    @property
    def body(self) -> bytes:
        return bytes(self.raw_body)

    @property
    def two_lengths(self) -> bool:
        """Its head says in two ways where it ends: the next reader may go by the other."""
        names = [name.lower() for name, _ in self.headers]
        return names.count(b"content-length") + names.count(b"transfer-encoding") > 1


class AnswerReader:
    """Feed bytes; read `answers`, `interim` (statuses below 200), and `unreadable` where they are no HTTP."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.interim: list[int] = []
        self.unreadable = False
        self.raw = bytearray()
        self._connection = _awaiting_answer()

    @property
    def complete(self) -> int:
        """How many answers are there to their end."""
        return sum(answer.complete for answer in self.answers)

    @property
    def overlong(self) -> bool:
        return len(self.raw) > MAX_BYTES

    def feed(self, piece: bytes) -> None:
        """Take the next bytes; empty ones mean the end of the connection."""
        self.raw += piece
        if self.unreadable or (not piece and self._connection.their_state is h11.CLOSED):
            return
        try:
            self._connection.receive_data(piece)
            while self._read_event():
                pass
        except h11.RemoteProtocolError:
            # Between two answers the end of the connection is no fault, and h11 says so in other words.
            self.unreadable = bool(piece) or self._within_answer

    @property
    def _within_answer(self) -> bool:
        return bool(self.answers) and not self.answers[-1].complete

    def _read_event(self) -> bool:
        event = self._connection.next_event()
        match event:
            case h11.InformationalResponse():
                self.interim.append(event.status_code)
            case h11.Response():
                self.answers.append(Answer(event.status_code, list(event.headers.raw_items()), bytes(event.reason)))
            case h11.Data():
                self.answers[-1].raw_body += event.data
            case h11.EndOfMessage():
                self.answers[-1].complete = True
                return self._start_next()
            case _:
                return False
        return True

    def _start_next(self) -> bool:
        if self._connection.their_state is not h11.DONE or self._connection.our_state is not h11.DONE:
            return False
        rest, _ = self._connection.trailing_data
        self._connection = _awaiting_answer()
        if rest:
            self._connection.receive_data(rest)
        return bool(rest)


def _awaiting_answer() -> h11.Connection:
    """Return a client's side that has sent its request: what really was sent is no valid one in most rows."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    return connection
