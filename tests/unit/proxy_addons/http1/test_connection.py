# SPDX-License-Identifier: Apache-2.0
"""The client's connection before a transport of the test: what it holds for a slow reader, and what it then asks of
the upstream."""

import asyncio
import time
from datetime import UTC, datetime

import pytest
from mitmproxy.options import Options
from mitmproxy.proxy.mode_specs import ProxyMode

from proxy_addons.http1.admission import Admission
from proxy_addons.http1.bounds import Bounds
from proxy_addons.http1.connection import ClientConnection
from proxy_addons.http1.hooks import HookTable
from proxy_addons.http1.messages import UpstreamAnswered, UpstreamContent, UpstreamFinished
from proxy_addons.http1.refusal import refusal_response
from proxy_addons.http1.surroundings import Surroundings
from proxy_addons.http1.turn import Terms
from tests.layer_rig import AllowAll, Shouting, Streams, error_code, exchange_of, request, status
from tests.sans_io import ORIGIN

STREAM = ((b"content-type", b"text/event-stream"),)
PIECE = b"x" * 16_000


class FakeTransport:
    """Holds what the client has not read, and tells the connection when that is too much, as asyncio's do."""

    def __init__(self, connection):
        self.connection, self.sent, self.held, self.most, self.did = connection, b"", 0, 0, []
        self.reading, self.closing = True, False
        connection.connection_made(self)

    def get_extra_info(self, name):
        return {"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 2), "socket": self}.get(name)

    def setsockopt(self, *option):
        self.did.append(option)

    def set_write_buffer_limits(self, *, high):
        self.high = high

    def get_write_buffer_size(self):
        return self.held

    def is_closing(self):
        return self.closing

    def write(self, content):
        self.sent += content if len(self.sent) < 10_000 else b""
        before, self.held = self.held, self.held + len(content)
        self.most = max(self.most, self.held)
        if before <= self.high < self.held:
            self.connection.pause_writing()

    def client_reads(self, count):
        before, self.held = self.held, max(self.held - count, 0)
        if before > self.high // 4 >= self.held:
            self.connection.resume_writing()

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def write_eof(self):
        self.did.append("eof")

    def close(self):
        self.closing = True

    def abort(self):
        self.closing = True
        self.did.append("abort")
        self.connection.connection_lost(None)


class FakeCall:
    def __init__(self, asked, sink):
        self.asked, self.sink = asked, sink
        self.paused = self.ended = self.abandoned = False

    def pause(self):
        self.paused = True

    def resume(self):
        self.paused = False

    def abandon(self):
        self.abandoned = self.ended = True


class FakePool:
    """The upstream is the test, and keeps the pace it is asked for."""

    def __init__(self):
        self.calls = []

    def call(self, asked, sink):
        self.calls.append(FakeCall(asked, sink))
        return self.calls[-1]


class FakeRegistry:
    def __init__(self):
        self.open = 0

    def opened(self, connection):
        self.open += 1

    def closed(self, connection):
        self.open -= 1


class Rig:
    def __init__(self, *addons, bounds=None):
        bounds = bounds or Bounds()
        hooks, self.pool, self.registry, self.admission = HookTable(addons), FakePool(), FakeRegistry(), Admission(9)
        terms = Terms(
            bounds=bounds,
            admission=self.admission,
            hooks=hooks,
            origin=ORIGIN,
            utc_now=lambda: datetime.now(UTC),
            monotonic_ns=time.monotonic_ns,
            parting=lambda: False,
            draining=lambda: False,
        )
        mode = ProxyMode.parse("reverse:http://upstream.example")
        self.connection = ClientConnection(
            Surroundings(hooks=hooks, pool=self.pool, terms=terms, options=Options(), mode=mode, registry=self.registry)
        )
        self.transport = FakeTransport(self.connection)

    @property
    def call(self):
        return self.pool.calls[-1]

    def ask(self, raw=None):
        self.connection.data_received(raw or request(close=False))

    def stream(self):
        self.call.sink(UpstreamAnswered(self.call.asked, 200, STREAM))

    def piece(self, content=PIECE):
        self.call.sink(UpstreamContent(self.call.asked, content))

    def finish(self):
        self.call.ended = True
        self.call.sink(UpstreamFinished(self.call.asked))


async def test_a_slow_reader_of_50_megabytes_costs_one_buffer_and_one_piece():
    rig = Rig(AllowAll(), Streams(Shouting()))
    rig.ask()
    rig.stream()
    pauses = produced = 0
    while produced < 50_000_000:
        while not rig.call.paused:
            rig.piece()
            produced += len(PIECE)
        pauses += 1
        rig.transport.client_reads(8000)
    rig.transport.client_reads(rig.transport.held)
    rig.finish()
    assert rig.transport.most <= Bounds().client_buffer_bytes + len(PIECE) + 100
    assert pauses > 500
    turn_holds = rig.connection._layer._parser.pending_bytes, len(rig.connection._events)
    assert turn_holds == (0, 0)


async def test_the_upstream_is_not_read_while_a_hook_is_waited_for():
    go_on = asyncio.Event()

    class Waits:
        async def responseheaders(self, flow):
            await go_on.wait()

    rig = Rig(AllowAll(), Streams(Shouting()), Waits())
    rig.ask()
    rig.stream()
    assert rig.call.paused
    assert not rig.transport.sent
    go_on.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not rig.call.paused
    assert rig.transport.sent.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_what_a_client_sends_while_a_hook_is_waited_for_is_bounded():
    go_on = asyncio.Event()

    class Waits:
        async def request(self, flow):
            await go_on.wait()

    rig = Rig(AllowAll(), Waits(), bounds=Bounds(pipelined_bytes=1000))
    rig.ask()
    rig.connection.data_received(b"P" * 500)
    assert rig.transport.reading
    rig.connection.data_received(b"P" * 501)
    assert not rig.transport.reading
    go_on.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(rig.pool.calls) == 1


class RefusesHead:
    def requestheaders(self, flow):
        flow.response = refusal_response("credentials-missing", exchange_of(flow).request_id)


async def test_what_another_client_asks_is_answered_before_the_last_of_many_that_arrived_together():
    order = []

    class Notes(RefusesHead):
        def requestheaders(self, flow):
            order.append(flow.request.path)
            super().requestheaders(flow)

    crowd, other = Rig(Notes()), Rig(Notes())
    crowd.ask(b"".join(request(b"", path=f"/{number}", close=False) for number in range(100)))
    asyncio.get_running_loop().call_soon(other.ask, request(b"", path="/other", close=False))
    while len(order) < 101:
        before = len(order)
        await asyncio.sleep(0)
        assert 0 < len(order) - before <= 10
    assert order.index("/other") <= 10
    order.remove("/other")
    assert order == [f"/{number}" for number in range(100)]
    assert crowd.connection.idle


async def test_hooks_that_wait_do_not_let_more_of_them_through_at_once():
    go_on, order = asyncio.Event(), []

    class WaitsOnce(RefusesHead):
        async def requestheaders(self, flow):
            order.append(flow.request.path)
            super().requestheaders(flow)
            if len(order) == 1:
                await go_on.wait()

    rig = Rig(WaitsOnce())
    for _ in range(50):  # each a read of its own
        rig.ask(request(b"", close=False))
    go_on.set()
    while len(order) < 50:
        before = len(order)
        await asyncio.sleep(0)
        assert len(order) - before <= 10


async def test_a_client_that_does_not_read_its_refusals_gets_no_more_of_them():
    rig = Rig(RefusesHead(), bounds=Bounds(client_buffer_bytes=3000, pipelined_bytes=4000))
    while rig.transport.reading:
        rig.ask(request(b"", close=False) * 10)
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    held, pending = rig.transport.held, rig.connection._layer._parser.pending_bytes
    assert held < 3000 + 10 * 1000
    assert 4000 < pending < 8000
    while not rig.connection.idle:
        rig.transport.client_reads(held)
        await asyncio.sleep(0)
    assert rig.transport.reading


async def test_a_client_that_leaves_while_its_requests_wait_gets_none_of_them_begun():
    rig = Rig(RefusesHead())
    rig.ask(request(b"", close=False) * 100)
    before = len(rig.transport.sent)
    rig.connection.connection_lost(None)
    await asyncio.sleep(0)
    assert len(rig.transport.sent) == before
    assert rig.registry.open == 0


async def test_each_event_of_a_stream_is_one_write():
    rig = Rig(AllowAll(), Streams(Shouting()))
    rig.ask()
    rig.stream()
    before = len(rig.transport.sent)
    rig.piece(b"one ")
    assert rig.transport.sent[before:] == b"4\r\nONE \r\n"


async def test_the_head_of_a_stream_and_what_came_with_it_are_one_write():
    go_on = asyncio.Event()

    class Waits:
        async def responseheaders(self, flow):
            await go_on.wait()

    rig = Rig(AllowAll(), Streams(Shouting()), Waits())
    writes = []
    write = rig.transport.write
    rig.transport.write = lambda content: (writes.append(content), write(content))
    rig.ask()
    rig.stream()
    rig.piece(b"one ")
    assert not writes
    go_on.set()
    for _ in range(5):
        await asyncio.sleep(0)
    (only,) = writes
    assert only.startswith(b"HTTP/1.1 200 OK\r\n")
    assert only.endswith(b"\r\n\r\n4\r\nONE \r\n")


async def test_what_leaves_is_written_before_a_hook_is_waited_for_and_before_the_connection_ends():
    forever = asyncio.Event()

    class Waits:
        async def response(self, flow):
            await forever.wait()

    rig = Rig(AllowAll(), Streams(Shouting()), Waits())
    rig.ask()
    rig.stream()
    rig.piece(b"one ")
    rig.finish()
    assert rig.transport.sent.endswith(b"4\r\nONE \r\n")
    forever.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert rig.transport.sent.endswith(b"0\r\n\r\n")


async def test_a_piece_whose_examination_fails_is_examined_once_and_told_as_an_error():
    enforcer = Shouting(fails_at="feed")
    rig = Rig(AllowAll(), Streams(enforcer))
    rig.ask()
    rig.stream()
    rig.piece(b"secret")
    assert b"ABORTED evaluation-failed" in rig.transport.sent
    assert b"secret" not in rig.transport.sent.lower()
    assert enforcer.aborted_with == ["evaluation-failed"]


async def test_a_client_that_is_lost_gives_back_all_it_held():
    rig = Rig(addon := AllowAll())
    rig.ask()
    assert (rig.registry.open, rig.admission.in_flight) == (1, 1)
    rig.connection.connection_lost(None)
    assert rig.call.abandoned
    assert (rig.registry.open, rig.admission.in_flight) == (0, 0)
    assert addon.seen[-1] == ("error", "client-disconnected")


async def test_an_exception_that_the_layer_cannot_refuse_ends_the_connection(monkeypatch):
    rig = Rig(AllowAll())

    def broken(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(rig.connection._layer, "handle_event", broken)
    rig.ask()
    assert rig.transport.did[-1] == "abort"
    assert not rig.transport.sent


async def test_an_exception_while_a_piece_is_passed_on_ends_the_connection_and_gives_back_its_place(monkeypatch):
    rig = Rig(AllowAll(), Streams(Shouting()))
    rig.ask()
    rig.stream()

    def broken(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(rig.connection._layer, "_framed", broken)
    rig.piece()
    assert rig.transport.did[-1] == "abort"
    assert (rig.registry.open, rig.admission.in_flight) == (0, 0)


@pytest.mark.parametrize("refused", [True, False])
async def test_the_rest_of_a_refused_request_is_dropped_within_bounds(refused):
    rig = Rig(AllowAll(max_body_bytes=10), bounds=Bounds(linger_bytes=1000))
    rig.ask(b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    assert (status(rig.transport.sent), error_code(rig.transport.sent)) == (413, "body-too-large")
    assert rig.transport.did[-1] == "eof"
    rig.connection.data_received(b"x" * 1000)
    assert rig.transport.did[-1] == "eof"
    if refused:
        rig.connection.data_received(b"x")
        assert rig.transport.did[-1] == "abort"
    else:
        assert not rig.connection.eof_received()
