# SPDX-License-Identifier: Apache-2.0
"""Keep-alive connections to the upstream, shared by all clients of a worker. One call at a time on each.

Rules: a connection is given back only after an answer that ended exactly where its framing said; any other end closes
it. A call that fails ends in exactly one UpstreamFailed; an abandoned one ends in silence.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, cast

import structlog

from proxy_addons.core.answer_framing import (
    AnswerEnd,
    AnswerEvent,
    AnswerHead,
    AnswerInvalid,
    AnswerParser,
)
from proxy_addons.http1.bounds import Bounds
from proxy_addons.http1.messages import (
    CallUpstream,
    UpstreamAnswered,
    UpstreamContent,
    UpstreamEvent,
    UpstreamFailed,
    UpstreamFinished,
)
from proxy_addons.http1.origin import UpstreamOrigin
from proxy_addons.http1.timer import Deadline

_log: Final = structlog.get_logger()


class UpstreamPool:
    """Connections to one origin. `call` sends a request on an idle one, or on a new one."""

    def __init__(self, origin: UpstreamOrigin, bounds: Bounds) -> None:
        self.origin = origin
        self.bounds = bounds
        self.open_count = 0
        self._idle: list[UpstreamConnection] = []
        self._dialling: set[asyncio.Task[None]] = set()

    def call(self, asked: CallUpstream, sink: Callable[[UpstreamEvent], None]) -> "UpstreamCall":
        call = UpstreamCall(self, asked, sink)
        if self._idle:
            # The one used last is the one least likely to have been closed by the upstream meanwhile.
            call.run_on(self._idle.pop(), reused=True)
        else:
            self.dial(call)
        return call

    def dial(self, call: "UpstreamCall") -> None:
        task = asyncio.get_running_loop().create_task(self._dial(call))
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)

    def give_back(self, connection: "UpstreamConnection") -> None:
        if len(self._idle) < self.bounds.pool_size:
            self._idle.append(connection)
            connection.deadline.set(self.bounds.pool_idle_s)
        else:
            connection.close()

    @property
    def idle_count(self) -> int:
        return len(self._idle)

    def forget(self, connection: "UpstreamConnection") -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        for task in self._dialling:
            task.cancel()
        for connection in tuple(self._idle):
            connection.close()
        self._idle.clear()

    async def _dial(self, call: "UpstreamCall") -> None:
        loop, origin = asyncio.get_running_loop(), self.origin
        try:
            async with asyncio.timeout(self.bounds.connect_s):
                _, connection = await loop.create_connection(
                    lambda: UpstreamConnection(self),
                    origin.host,
                    origin.port,
                    ssl=origin.tls,
                    server_hostname=origin.host if origin.tls else None,
                )
        except (OSError, TimeoutError) as exc:  # a refused certificate is an ssl.SSLError, hence an OSError
            _log.warning("upstream_unavailable", error=type(exc).__name__)
            call.fail("upstream-unavailable")
            return
        if call.ended:
            self.give_back(connection)
        else:
            call.run_on(connection, reused=False)


class UpstreamCall:
    """One request and its answer. `pause` and `resume` carry the client's pace to the upstream."""

    def __init__(self, pool: UpstreamPool, asked: CallUpstream, sink: Callable[[UpstreamEvent], None]) -> None:
        self.asked = asked
        self.ended = False
        self.paused = False
        self._pool = pool
        self._sink = sink
        self._connection: UpstreamConnection | None = None
        self._reused = False
        self._answered = False

    def run_on(self, connection: "UpstreamConnection", *, reused: bool) -> None:
        self._connection, self._reused = connection, reused
        connection.start(self)

    def pause(self) -> None:
        self.paused = True
        if self._connection is not None:
            self._connection.pace()

    def resume(self) -> None:
        self.paused = False
        if self._connection is not None:
            self._connection.pace()

    def abandon(self) -> None:
        """End in silence; the upstream sees its connection closed."""
        self.ended = True
        if self._connection is not None:
            self._connection.close()

    def progress(self) -> None:
        """A byte of the answer came: from here on the request must not be sent again."""
        self._answered = True

    def give(self, event: UpstreamEvent) -> None:
        if not self.ended:
            self.ended = isinstance(event, UpstreamFinished | UpstreamFailed)
            if self.ended:
                self._connection = None  # it may carry another call by the time this one is abandoned
            self._sink(event)

    def give_content(self, content: bytes) -> None:
        if not self.ended:
            self._sink(UpstreamContent(self.asked, content))

    def fail(self, code: str) -> None:
        self.give(UpstreamFailed(self.asked, code))

    def lost(self, *, nothing_sent: bool = False) -> None:
        """The connection ended without an answer."""
        if self._reused and not self._answered and (self.asked.resendable or nothing_sent) and not self.ended:
            # The upstream gave up an idle connection just as we used it. Once: the next connection is a fresh one.
            self._connection = None
            self._pool.dial(self)
        else:
            self.fail("upstream-invalid" if self._answered else "upstream-unavailable")


class UpstreamConnection(asyncio.Protocol):
    """One connection to the upstream, idle or with one call."""

    def __init__(self, pool: UpstreamPool) -> None:
        self.deadline = Deadline(self._late)
        self._total = Deadline(self._too_long)
        self._pool = pool
        self._call: UpstreamCall | None = None
        self._parser: AnswerParser | None = None
        self._transport: asyncio.Transport | None = None

    def start(self, call: UpstreamCall) -> None:
        if self._transport is None or self._transport.is_closing():
            call.lost(nothing_sent=True)
            return
        self._call = call
        self._parser = AnswerParser(to_head_request=call.asked.to_head_request)
        self.pace()
        self.deadline.set(self._pool.bounds.first_byte_s)
        self._total.set(self._pool.bounds.upstream_total_s)
        self._transport.write(call.asked.request)

    def pace(self) -> None:
        """Read, or do not read, as the call is paused or not."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._call is not None and self._call.paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
            if self._parser is not None:
                self.deadline.set(self._pool.bounds.upstream_idle_s)

    def close(self) -> None:
        self._call = self._parser = None
        self.deadline.clear()
        self._total.clear()
        self._pool.forget(self)
        if self._transport is not None:
            # abort, not close: what the upstream still sends is not wanted, and it must notice at once.
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have asyncio's methods but not its classes, so their type cannot be asked.
        self._transport = cast("asyncio.Transport", transport)
        self._pool.open_count += 1

    def data_received(self, data: bytes) -> None:
        call, parser = self._call, self._parser
        if call is None or parser is None:
            self.close()  # nobody asked: the next request must not take these bytes for its answer
            return
        call.progress()
        self.deadline.set(self._pool.bounds.upstream_idle_s)
        try:
            events = parser.receive(data)
        except AnswerInvalid:
            self._end(parser)
            call.fail("upstream-invalid")
            return
        if parser.ended:
            self._end(parser)
        _pass_on(events, call)

    def eof_received(self) -> bool:
        return False  # the transport closes, `connection_lost` follows

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.open_count -= 1
        call, parser = self._call, self._parser
        self.close()
        if call is None or parser is None:
            return
        with contextlib.suppress(AnswerInvalid):
            _pass_on([] if exc else parser.close(), call)
        if not call.ended:
            call.lost()

    def _end(self, parser: AnswerParser) -> None:
        """Let go of the call, whose answer ended or cannot be read."""
        self._call = self._parser = None
        self._total.pause()
        if parser.reusable:
            self.pace()
            self._pool.give_back(self)
        else:
            self.close()

    def _late(self) -> None:
        call = self._call
        if call is not None and call.paused:
            self.deadline.set(self._pool.bounds.upstream_idle_s)  # it is the client that is slow
            return
        self._too_long()

    def _too_long(self) -> None:
        call = self._call
        self.close()
        if call is not None:
            call.fail("upstream-timeout")


def _pass_on(events: list[AnswerEvent], call: UpstreamCall) -> None:
    """Tell the call what one read gave. Pieces of content that came together are told, and then sent, together."""
    if len(events) == 1 and isinstance(piece := events[0], bytes):
        call.give_content(piece)
        return
    content: list[bytes] = []
    for event in events:
        if isinstance(event, bytes):
            content.append(event)
            continue
        if content:
            call.give_content(b"".join(content))
            content.clear()
        match event:
            case AnswerHead(status, fields):
                call.give(UpstreamAnswered(call.asked, status, fields))
            case AnswerEnd():
                call.give(UpstreamFinished(call.asked))
    if content:
        call.give_content(b"".join(content))
