# SPDX-License-Identifier: Apache-2.0
"""One request and its answer between the entrance and a replica: ASGI's own messages, several at a time.

Both ends are here and neither knows Ray. `answer` runs the application in the replica; the entrance hands on what
`Answering` yields. An answer is complete only with ASGI's own last message: where a replica fails in the middle none
comes, and the client sees a connection that was closed too early, as it does without a cluster.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from starlette.types import ASGIApp, Message, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request with its whole body."""

    method: str
    path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def scope(self) -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": self.query,
            "root_path": "",
            "headers": list(self.headers),
            # The peer is the proxy, whoever asked it; the entrance has checked its certificate.
            "client": None,
            "server": None,
            "state": {},
        }


class Overloaded(Exception):
    """Every replica has as much as it takes, and as many requests wait as may."""


class ReplicaLost(Exception):
    """No replica is there, or the one that answered has died."""


class Answering(Protocol):
    """An answer on its way. Iterating raises Overloaded, ReplicaLost, or CancelledError after `cancel`."""

    def __aiter__(self) -> AsyncIterator[list[Message]]: ...

    def cancel(self) -> None:
        """Nobody waits any more: the replica ends the request. May be called twice, and after the end."""


Ask = Callable[[Asked], Answering]


async def answer(application: ASGIApp, asked: Asked) -> AsyncGenerator[list[Message], None]:
    """Runs the application over one request and yields what it sends, as it is sent.

    What has gathered meanwhile goes in one piece: each piece is an object in the cluster, which costs more than a
    token does.
    """
    sent: asyncio.Queue[Message | None] = asyncio.Queue()
    gone = asyncio.Event()
    request: list[Message] = [{"type": "http.request", "body": asked.body, "more_body": False}]

    async def receive() -> Message:
        if request:
            return request.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await sent.put(message)

    running = asyncio.ensure_future(application(asked.scope(), receive, send))
    running.add_done_callback(lambda _: sent.put_nowait(None))
    try:
        ended = False
        while not ended:
            pieces = [await sent.get()]
            while not sent.empty():
                pieces.append(sent.get_nowait())
            ended = pieces[-1] is None
            if messages := [piece for piece in pieces if piece is not None]:
                yield messages
    finally:
        # Closed early: the application sees that its client has left, which frees the generation.
        gone.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
