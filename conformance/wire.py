# SPDX-License-Identifier: Apache-2.0
"""One conversation over a raw socket: bytes go out as a row says, and whatever comes back is kept.

Rules: every wait is bounded by one deadline for the whole row, so that no gateway can make the suite hang. It reads
while it writes: a gateway that answers early, or stops reading, is met as it is.
"""

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from conformance.answers import AnswerReader

# After the last answer that is due: long enough for a smuggled request to be answered on this machine or the next.
_LINGER_S: Final = 0.03
_CLOSE_PATIENCE_S: Final = 4.0
_READ_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is sent for `seconds`, or, for a continue, until `100 Continue` came."""

    seconds: float
    until_continue: bool = False


Piece: TypeAlias = bytes | Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How to reach the gateway."""

    host: str
    port: int
    context: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came back. `closed`: the gateway ended the connection. `handshake`: why TLS failed."""

    reader: AnswerReader
    closed: bool
    elapsed_s: float
    alpn: str | None = None
    handshake: str | None = None


def converse(
    line: Line,
    pieces: Iterable[Piece],
    *,
    answers_due: int,
    awaits_close: Callable[[AnswerReader], bool],
    within_s: float,
) -> Heard:
    """Send `pieces`, and return what came back. Raises OSError where no connection is to be had.

    Once `answers_due` answers are complete, `awaits_close` tells whether the end of the connection is due as well.
    """
    began = time.monotonic()
    deadline = began + within_s
    plain = socket.create_connection((line.host, line.port), timeout=within_s)
    reader = AnswerReader()
    connection: socket.socket = plain
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if line.context is not None:
            try:
                connection = line.context.wrap_socket(plain, server_hostname=line.host)
            except OSError as exc:
                problem = getattr(exc, "reason", None) or type(exc).__name__
                return Heard(reader=reader, closed=True, elapsed_s=time.monotonic() - began, handshake=problem)
        connection.settimeout(0)
        talk = _Talk(connection, reader, iter(pieces), deadline)
        talk.run(answers_due=answers_due, awaits_close=awaits_close)
        alpn = connection.selected_alpn_protocol() if isinstance(connection, ssl.SSLSocket) else None
        return Heard(reader=reader, closed=talk.closed, elapsed_s=time.monotonic() - began, alpn=alpn)
    finally:
        with contextlib.suppress(OSError):
            connection.close()


class _Talk:
    def __init__(
        self, connection: socket.socket, reader: AnswerReader, pieces: Iterator[Piece], deadline: float
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._pieces: Iterator[Piece] | None = pieces
        self._deadline = deadline
        self._left: memoryview = memoryview(b"")
        self._silent_until = 0.0
        self._awaits_continue = False
        self.closed = False

    def run(self, *, answers_due: int, awaits_close: Callable[[AnswerReader], bool]) -> None:
        enough_at: float | None = None
        while not self.closed and not self._reader.overlong and (now := time.monotonic()) < self._deadline:
            if self._reader.complete >= answers_due or self._reader.unreadable:
                enough_at = enough_at or now
                self._pieces = None
            if enough_at is not None:
                patience_s = _CLOSE_PATIENCE_S if awaits_close(self._reader) else _LINGER_S
                if now > enough_at + patience_s:
                    return
            if not self._receive() and not self._send(now):
                self._wait(now)

    def _receive(self) -> bool:
        try:
            piece = self._connection.recv(_READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            piece = b""
        self.closed = not piece
        self._reader.feed(piece)
        return True

    def _send(self, now: float) -> bool:
        if self._awaits_continue and self._reader.interim:
            self._silent_until, self._awaits_continue = 0.0, False
        if self._pieces is None or now < self._silent_until:
            return False
        if not self._left:
            match next(self._pieces, None):
                case None:
                    self._pieces = None
                    return False
                case Pause() as pause:
                    self._silent_until, self._awaits_continue = now + pause.seconds, pause.until_continue
                    return True  # so that what has arrived meanwhile is looked at before anybody waits
                case piece:
                    self._left = memoryview(piece)
        try:
            sent = self._connection.send(self._left)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            # The gateway reads no more; its answer may still be in our buffer.
            self._pieces = None
            return False
        self._left = self._left[sent:]
        return True

    def _wait(self, now: float) -> None:
        sends = self._pieces is not None and bool(self._left)
        quiet_s = self._silent_until - now if self._pieces is not None and self._silent_until > now else _LINGER_S / 3
        wait_s = max(0.0, min(quiet_s, self._deadline - now))
        select.select([self._connection], [self._connection] if sends else [], [], wait_s)


def cut_whole(raw: bytes) -> Sequence[bytes]:
    return [raw]


def cut_at_head(raw: bytes) -> Sequence[bytes]:
    head, separator, rest = raw.partition(b"\r\n\r\n")
    return [each for each in (head, separator, rest) if each]


def cut_to_bytes(raw: bytes) -> Sequence[bytes]:
    return [raw[at : at + 1] for at in range(len(raw))]
