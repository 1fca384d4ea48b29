# SPDX-License-Identifier: Apache-2.0
"""A witness over HTTP/1.1: two routes, every size and time bounded, one request at a time through the witness.

The event loop itself runs the witness, and so waits for the disk: that is what makes comparing the old size with the
state and putting the new one in its place one step. A log asks every few seconds.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import h11

from controlplane.audit.notes import MAX_NOTE_BYTES
from controlplane.audit.witness import Answer, Witness

MAX_BODY_BYTES: Final = MAX_NOTE_BYTES + 4096
MAX_CONNECTIONS: Final = 64
_MAX_HEAD_BYTES: Final = 16 * 1024
# For a whole request and its answer; a log sends at most 130 kB.
_REQUEST_DEADLINE_S: Final = 15.0
# A log that asks every few seconds keeps its connection.
_IDLE_S: Final = 60.0
_READ_BYTES: Final = 64 * 1024
_CHECKPOINT: Final = re.compile(r"/([0-9a-f]{64})/checkpoint", re.ASCII)

_log = logging.getLogger("gatehouse.witness")


class _TooLarge(Exception):
    """The body is larger than any request."""


class WitnessServer:
    """Serves `witness`. `add-checkpoint` may stand behind any prefix that a proxy leaves."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._connections = 0

    async def start(self, host: str, port: int) -> asyncio.Server:
        """Listen, and serve until the server is closed."""
        return await asyncio.start_server(self._serve, host, port, limit=_READ_BYTES)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= MAX_CONNECTIONS:
                await self._converse(_Connection(reader, writer))
        except (h11.ProtocolError, OSError, TimeoutError):
            pass  # whoever speaks no HTTP, or no more, is owed no answer
        finally:
            self._connections -= 1
            writer.close()

    async def _converse(self, connection: "_Connection") -> None:
        while True:
            async with asyncio.timeout(_IDLE_S):
                request = await connection.request()
            if request is None:
                return
            async with asyncio.timeout(_REQUEST_DEADLINE_S):
                try:
                    answer = self._answered(request, await connection.body())
                except _TooLarge:
                    await connection.answer(_plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE), last=True)
                    return
                if not await connection.answer(answer):
                    return

    def _answered(self, request: h11.Request, body: bytes) -> Answer:
        path = request.target.decode("ascii", "replace").partition("?")[0]
        route: Callable[[], Answer] | None = None
        method = b"GET"
        if path == "/add-checkpoint":
            method, route = b"POST", lambda: self._witness.add_checkpoint(body)
        elif found := _CHECKPOINT.fullmatch(path):
            route = lambda: self._witness.checkpoint(found[1])  # noqa: E731 # beside its sibling
        if route is None:
            return _plain(HTTPStatus.NOT_FOUND)
        if request.method != method:
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            return route()
        except OSError:
            # Nothing was signed that is not kept: the log asks again.
            _log.exception("state_not_kept")
            return _plain(HTTPStatus.SERVICE_UNAVAILABLE)


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._reader = reader
        self._writer = writer

    async def request(self) -> h11.Request | None:
        event = await self._event()
        return event if isinstance(event, h11.Request) else None

    async def body(self) -> bytes:
        content = bytearray()
        while isinstance(event := await self._event(), h11.Data):
            content += event.data
            if len(content) > MAX_BODY_BYTES:
                raise _TooLarge
        if not isinstance(event, h11.EndOfMessage):
            raise ConnectionResetError
        return bytes(content)

    async def answer(self, answer: Answer, *, last: bool = False) -> bool:
        """Send `answer`, and return whether another request may follow."""
        headers = [
            ("content-type", answer.content_type),
            ("content-length", str(len(answer.body))),
            ("cache-control", "no-store"),
            *([("connection", "close")] if last else []),
        ]
        await self._send(
            h11.Response(status_code=answer.status, headers=headers), h11.Data(data=answer.body), h11.EndOfMessage()
        )
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def _event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[]))
            self._http.receive_data(await self._reader.read(_READ_BYTES))
        return event

    async def _send(self, *events: h11.Event) -> None:
        self._writer.write(b"".join(self._http.send(event) or b"" for event in events))
        await self._writer.drain()


def _plain(status: HTTPStatus) -> Answer:
    return Answer(status, f"{status.phrase}\n".encode())
