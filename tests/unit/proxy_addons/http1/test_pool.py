# SPDX-License-Identifier: Apache-2.0
"""Upstream connections before transports of the test: which are used again, what is sent twice, and what is dialled."""

import asyncio

import pytest

from proxy_addons.http1.bounds import Bounds
from proxy_addons.http1.messages import (
    CallUpstream,
    UpstreamAnswered,
    UpstreamContent,
    UpstreamFailed,
    UpstreamFinished,
)
from proxy_addons.http1.pool import UpstreamPool
from tests.layer_rig import ANSWER
from tests.sans_io import ORIGIN


class FakeTransport:
    def __init__(self):
        self.sent, self.closing, self.reading = b"", False, True

    def write(self, content):
        self.sent += content

    def is_closing(self):
        return self.closing

    def abort(self):
        self.closing = True

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True


class Upstreams:
    """Stands where the loop would dial, and notes where to."""

    def __init__(self, monkeypatch, bounds=None):
        self.dialled, self.connections, self.problem = [], [], None
        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", self._connect)
        self.pool = UpstreamPool(ORIGIN, bounds or Bounds())
        self.events = []

    async def _connect(self, protocol, host, port, *, ssl, server_hostname):
        self.dialled.append((host, port, ssl, server_hostname))
        if self.problem:
            raise self.problem
        connection = protocol()
        transport = FakeTransport()
        connection.connection_made(transport)
        self.connections.append((connection, transport))
        return transport, connection

    async def call(self, *, resendable=True):
        asked = CallUpstream(b"GET / HTTP/1.1\r\n\r\n", to_head_request=False, resendable=resendable)
        call = self.pool.call(asked, self.events.append)
        for _ in range(5):
            await asyncio.sleep(0)
        return call

    def outcome(self):
        events = [(type(event), getattr(event, "code", None)) for event in self.events]
        self.events.clear()
        return events


ANSWERED = [(UpstreamAnswered, None), (UpstreamContent, None), (UpstreamFinished, None)]


@pytest.fixture
async def upstreams(monkeypatch):
    made = Upstreams(monkeypatch)
    yield made
    made.pool.close()


async def test_only_the_origin_of_the_settings_is_dialled_whatever_is_answered(upstreams):
    redirect = b"HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\nContent-Length: 0\r\n\r\n"
    for answer in (ANSWER, redirect, redirect.replace(b"302 Found", b"307 Temporary Redirect")):
        await upstreams.call()
        upstreams.connections[-1][0].data_received(answer)
        upstreams.pool.close()
    assert set(upstreams.dialled) == {("upstream.example", 80, None, None)}
    assert len(upstreams.dialled) == 3


async def test_a_connection_is_used_again_after_an_answer_that_ended_where_it_said(upstreams):
    for _ in range(3):
        await upstreams.call()
        upstreams.connections[0][0].data_received(ANSWER)
        assert upstreams.outcome() == ANSWERED
    assert len(upstreams.dialled) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ANSWER + b"HTTP/1.1 200 OK\r\n", id="bytes-after-its-end"),
        pytest.param(ANSWER.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n"), id="said-to-be-the-last"),
    ],
)
async def test_a_connection_is_not_used_again_after(upstreams, answer):
    await upstreams.call()
    connection, transport = upstreams.connections[0]
    connection.data_received(answer)
    assert upstreams.outcome() == ANSWERED
    assert transport.closing
    await upstreams.call()
    assert len(upstreams.dialled) == 2


async def test_bytes_that_nobody_asked_for_are_no_answer_to_the_next_request(upstreams):
    await upstreams.call()
    connection, transport = upstreams.connections[0]
    connection.data_received(ANSWER)
    connection.data_received(ANSWER)
    assert transport.closing
    upstreams.outcome()
    await upstreams.call()
    assert upstreams.outcome() == []


@pytest.mark.parametrize(
    ("resendable", "received", "want"),
    [
        pytest.param(True, b"", [], id="nothing-changes-there"),
        pytest.param(False, b"", [(UpstreamFailed, "upstream-unavailable")], id="it-may-have-been-done"),
        pytest.param(True, b"HTTP/1.1 2", [(UpstreamFailed, "upstream-invalid")], id="an-answer-began"),
    ],
)
async def test_a_request_on_a_reused_connection_that_died_is_sent_again_only_where(
    upstreams, resendable, received, want
):
    await upstreams.call()
    connection, _ = upstreams.connections[0]
    connection.data_received(ANSWER)
    upstreams.outcome()
    await upstreams.call(resendable=resendable)
    if received:
        connection.data_received(received)
    connection.connection_lost(None)
    for _ in range(5):
        await asyncio.sleep(0)
    assert upstreams.outcome() == want
    assert len(upstreams.dialled) == (2 if want == [] else 1)


async def test_a_fresh_connection_that_died_is_not_tried_again(upstreams):
    await upstreams.call()
    upstreams.connections[0][0].connection_lost(None)
    await asyncio.sleep(0)
    assert upstreams.outcome() == [(UpstreamFailed, "upstream-unavailable")]
    assert len(upstreams.dialled) == 1


async def test_an_upstream_that_cannot_be_reached_fails_the_call_without_its_address(upstreams, capsys):
    upstreams.problem = OSError(111, "upstream.example:80 refused")
    await upstreams.call()
    assert upstreams.outcome() == [(UpstreamFailed, "upstream-unavailable")]
    told = capsys.readouterr()
    assert "upstream.example" not in told.out + told.err


async def test_an_abandoned_call_closes_its_connection_in_silence(upstreams):
    call = await upstreams.call()
    connection, transport = upstreams.connections[0]
    call.abandon()
    assert transport.closing
    connection.data_received(ANSWER)
    assert upstreams.outcome() == []


async def test_a_paused_call_stops_reading_and_a_resumed_one_reads_on(upstreams):
    call = await upstreams.call()
    _, transport = upstreams.connections[0]
    call.pause()
    assert not transport.reading
    call.resume()
    assert transport.reading


@pytest.mark.parametrize("paused", [False, True], ids=["reading", "paused-for-a-slow-client"])
async def test_the_time_of_a_whole_answer_is_bounded_however_it_comes(monkeypatch, paused):
    upstreams = Upstreams(monkeypatch, Bounds(upstream_total_s=0.05, upstream_idle_s=60))
    call = await upstreams.call()
    connection, transport = upstreams.connections[0]
    connection.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    if paused:
        call.pause()
    await asyncio.sleep(0.1)
    assert upstreams.outcome()[-1] == (UpstreamFailed, "upstream-timeout")
    assert transport.closing


async def test_a_slow_client_is_not_taken_for_a_silent_upstream(monkeypatch):
    upstreams = Upstreams(monkeypatch, Bounds(first_byte_s=0.02, upstream_idle_s=0.02))
    call = await upstreams.call()
    call.pause()
    await asyncio.sleep(0.1)
    assert upstreams.outcome() == []
    call.resume()
    await asyncio.sleep(0.1)
    assert upstreams.outcome() == [(UpstreamFailed, "upstream-timeout")]


async def test_an_unused_connection_is_closed_after_its_time(monkeypatch):
    upstreams = Upstreams(monkeypatch, Bounds(pool_idle_s=0.02))
    await upstreams.call()
    connection, transport = upstreams.connections[0]
    connection.data_received(ANSWER)
    await asyncio.sleep(0.1)
    assert transport.closing
    await upstreams.call()
    assert len(upstreams.dialled) == 2


async def test_no_more_connections_are_kept_than_the_pool_holds(monkeypatch):
    upstreams = Upstreams(monkeypatch, Bounds(pool_size=1))
    await upstreams.call()
    await upstreams.call()
    for connection, _ in upstreams.connections:
        connection.data_received(ANSWER)
    assert [transport.closing for _, transport in upstreams.connections] == [False, True]
    upstreams.pool.close()
