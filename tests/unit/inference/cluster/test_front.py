# SPDX-License-Identifier: Apache-2.0
"""The entrance before replicas that are fakes."""

import asyncio
import json

import pytest

from inference.cluster.exchange import Overloaded, ReplicaLost
from inference.cluster.front import Front

START = {"type": "http.response.start", "status": 200, "headers": []}
PIECE = {"type": "http.response.body", "body": b"piece", "more_body": True}
END = {"type": "http.response.body", "body": b"", "more_body": False}


class FakeAnswer:
    """Yields batches, raises what is among them, and waits for ever at None, until it is cancelled."""

    def __init__(self, *batches) -> None:
        self.batches = batches
        self.cancelled = asyncio.Event()

    async def __aiter__(self):
        for batch in self.batches:
            if isinstance(batch, Exception):
                raise batch
            if batch is None:
                await self.cancelled.wait()
                raise asyncio.CancelledError
            yield batch

    def cancel(self) -> None:
        self.cancelled.set()


class Exchange:
    """One request at the entrance: what a replica was asked, and what the client got."""

    def __init__(self, answer: FakeAnswer | None = None, *, ready: bool = True) -> None:
        self.answer = answer or FakeAnswer([START, END])
        self.asked = []
        self.sent = []
        self.client_leaves = asyncio.Event()
        self.front = Front(self._ask, is_ready=lambda: ready)

    def _ask(self, asked):
        self.asked.append(asked)
        return self.answer

    async def request(self, method: str, path: str, body: bytes = b"{}", media_type: bytes = b"application/json"):
        request = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive():
            if request:
                return request.pop()
            await self.client_leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            self.sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"q",
            "headers": [(b"content-type", media_type)],
        }
        await self.front(scope, receive, send)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def code(self) -> str:
        return json.loads(self.sent[1]["body"])["error"]["code"]


async def test_a_request_reaches_a_replica_whole_and_its_answer_the_client():
    exchange = Exchange(FakeAnswer([START], [PIECE, PIECE], [END]))
    await exchange.request("POST", "/v1/chat/completions", b'{"a": 1}')
    assert exchange.sent == [START, PIECE, PIECE, END]
    [asked] = exchange.asked
    assert (asked.method, asked.path, asked.query, asked.body) == ("POST", "/v1/chat/completions", b"q", b'{"a": 1}')
    assert asked.headers == ((b"content-type", b"application/json"),)


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)], ids=["a-replica-runs", "none-runs"])
async def test_is_ready_when_a_replica_runs_and_alive_in_any_case(ready, status):
    health, readiness = Exchange(ready=ready), Exchange(ready=ready)
    await health.request("GET", "/healthz")
    await readiness.request("GET", "/readyz")
    assert (200, status) == (health.status, readiness.status)
    assert health.asked + readiness.asked == []


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        pytest.param(b"{}", b"text/plain", 415, id="not-json"),
        pytest.param(b" " * (5 * 1024 * 1024), b"application/json", 413, id="too-large"),
    ],
)
async def test_refuses_by_itself_what_no_replica_needs_to_see(body, media_type, status):
    exchange = Exchange()
    await exchange.request("POST", "/v1/chat/completions", body, media_type)
    assert (status, []) == (exchange.status, exchange.asked)


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        pytest.param(Overloaded(), 429, "engine_overloaded", id="every-queue-is-full"),
        pytest.param(ReplicaLost(), 503, "not_ready", id="no-replica"),
        pytest.param(ValueError("what a client sent"), 500, "internal_error", id="anything-else"),
    ],
)
async def test_a_failure_before_the_answer_is_a_refusal(failure, status, code):
    exchange = Exchange(FakeAnswer(failure))
    await exchange.request("POST", "/v1/chat/completions")
    assert (status, code) == (exchange.status, exchange.code)
    assert b"what a client sent" not in exchange.sent[1]["body"]


async def test_a_replica_that_is_lost_in_the_middle_leaves_the_answer_without_its_end():
    exchange = Exchange(FakeAnswer([START, PIECE], ReplicaLost()))
    await exchange.request("POST", "/v1/chat/completions")
    assert exchange.sent == [START, PIECE]


async def test_a_client_that_leaves_cancels_the_answer():
    exchange = Exchange(FakeAnswer([START, PIECE], None))
    asking = asyncio.create_task(exchange.request("POST", "/v1/chat/completions"))
    await asyncio.sleep(0)
    assert not exchange.answer.cancelled.is_set()
    exchange.client_leaves.set()
    await asking
    assert exchange.answer.cancelled.is_set()
    assert exchange.sent == [START, PIECE]


async def test_a_server_that_stops_cancels_the_answer_and_does_not_hide_that_it_was_cancelled():
    exchange = Exchange(FakeAnswer([START, PIECE], None))
    asking = asyncio.create_task(exchange.request("POST", "/v1/chat/completions"))
    while len(exchange.sent) < 2:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert exchange.answer.cancelled.is_set()


async def test_an_answer_that_is_delivered_is_cancelled_too_so_that_nothing_of_it_is_kept():
    exchange = Exchange()
    await exchange.request("GET", "/v1/models")
    assert exchange.answer.cancelled.is_set()


async def test_nothing_but_http_is_spoken():
    exchange = Exchange()
    await exchange.front({"type": "websocket"}, None, None)
    assert exchange.asked == []
