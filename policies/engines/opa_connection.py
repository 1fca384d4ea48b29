# SPDX-License-Identifier: Apache-2.0
"""Connections to one OPA server: one question at a time on each, kept alive, one try, one deadline.

Theory: the question of a guard is small, its answer too, and OPA stands on the same machine. What a general HTTP client
does for each request (sessions, tasks, timers, headers in dictionaries) then costs more than OPA does. So a question is
one write of a head made once and a body, and httptools, which parses for the proxy too, reads what comes back.

Rules: an answer belongs to the one question that waits on its connection. A connection that was late, was cut off, was
told to close, or said anything that nobody asked for is closed and never used again, so that no answer can be taken for
another's. One deadline holds for all of it: waiting for a connection, connecting, asking. Answers are bounded.

Fact: `asyncio.timeout` needs a task, and the first step of a hook is run without one: timers are the loop's own.
"""

import asyncio
from typing import Any, Final

import httptools

# OPA answers within a millisecond on a core of its own; more connections at once than this only queue inside it.
_MOST_CONNECTIONS: Final = 64
# Of 1,000 guards, each with reasons and obligations, an answer has less than a quarter of this.
_LARGEST_ANSWER_BYTES: Final = 1024 * 1024
_OK: Final = 200


class OpaRefused(Exception):
    """OPA did not answer as it must. The text has nothing of question or answer."""


class OpaConnections:
    """The connections to the OPA at `address`: the path of a Unix socket, or `HOST:PORT`. `open` counts them."""

    def __init__(self, address: str, *, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._socket_path = address.removeprefix("unix:") if "/" in address else None
        self._host, _, port = address.rpartition(":")
        if self._socket_path is None and not (self._host and port.isdecimal()):
            raise ValueError(f"{address!r} is neither the path of a Unix socket nor HOST:PORT")
        self._port = port
        self._idle: list[_Connection] = []
        self._free = asyncio.Semaphore(_MOST_CONNECTIONS)
        self._closed = False
        self.open = 0

    async def ask(self, head: bytes, body: bytes) -> bytes:
        """Return the body that answers a POST of `body`; `head` is the request's up to the length.

        Raises OpaRefused, TimeoutError, OSError.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._deadline_s
        if self._free.locked():
            await asyncio.wait_for(self._free.acquire(), self._deadline_s)
        else:
            await self._free.acquire()
        try:
            connection = self._kept() or await self._connect(loop, until)
            answer = await connection.ask(b"%s%d\r\n\r\n%s" % (head, len(body), body), until)
            if self._closed:
                connection.close()
            elif connection.usable:
                self._idle.append(connection)
            return answer
        finally:
            self._free.release()

    def close(self) -> None:
        """Close every connection, one that somebody waits on when it was answered."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:  # not closed by OPA since
                return connection
        return None

    async def _connect(self, loop: asyncio.AbstractEventLoop, until: float) -> "_Connection":
        connecting = (
            loop.create_connection(lambda: _Connection(loop, self), self._host, int(self._port))
            if self._socket_path is None
            else loop.create_unix_connection(lambda: _Connection(loop, self), self._socket_path)
        )
        _, connection = await asyncio.wait_for(connecting, until - loop.time())
        return connection


class _Connection(asyncio.Protocol):
    """One connection, not to be asked again once it is not `usable`. `among` counts those that are open."""

    def __init__(self, loop: asyncio.AbstractEventLoop, among: OpaConnections) -> None:
        self._loop = loop
        self._among = among
        self._transport: Any = None  # uvloop's transports have asyncio's methods but not its classes
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[bytes] | None = None
        self._body: list[bytes] = []
        self._size = 0
        self.usable = True

    async def ask(self, request: bytes, until: float) -> bytes:
        """Return the body that answers `request`, by the loop's time `until`."""
        self._waiting = self._loop.create_future()
        timer = self._loop.call_at(until, self._fail, TimeoutError())
        try:
            self._transport.write(request)
            return await self._waiting
        finally:
            timer.cancel()
            if self._waiting is not None:  # cancelled: what may still come is nobody's
                self.close()

    def close(self) -> None:
        self.usable = False
        self._waiting = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._among.open += 1

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(OpaRefused("the answer is not HTTP"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._among.open -= 1
        self._fail(exc if isinstance(exc, OSError) else ConnectionResetError("closed"))

    def on_message_begin(self) -> None:
        if self._waiting is None:
            self._fail(OpaRefused("an answer that nobody asked for"))

    def on_body(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > _LARGEST_ANSWER_BYTES:
            self._fail(OpaRefused("the answer is too large"))
        else:
            self._body.append(part)

    def on_message_complete(self) -> None:
        waiting = self._waiting
        if waiting is None:
            return
        status = self._parser.get_status_code()
        if status != _OK or not self._parser.should_keep_alive():
            self.usable = False
        body, self._body, self._size, self._waiting = b"".join(self._body), [], 0, None
        if not self.usable:
            self.close()
        if waiting.done():
            return
        if status == _OK:
            waiting.set_result(body)
        else:
            waiting.set_exception(OpaRefused(f"answered with status {status}"))

    def _fail(self, problem: Exception) -> None:
        """Close, and tell whoever waits why."""
        waiting = self._waiting
        self.close()
        if waiting is not None and not waiting.done():
            waiting.set_exception(problem)
