# SPDX-License-Identifier: Apache-2.0
"""The HTTP/1.1 layer over real sockets, between a raw client and a recording upstream."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest
from mitmproxy import http

from policies.contracts.decision import Decision, Effect, Reason
from proxy_addons.http1.bounds import Bounds
from proxy_addons.http1.hooks import MisspeltHook
from proxy_addons.http1.refusal import refusal_response
from proxy_addons.lean_master import UnsafeOption
from proxy_addons.worker import Connections, serve
from tests.layer_rig import (
    ANSWER,
    AllowAll,
    Shouting,
    Streams,
    Upstream,
    answering,
    error_code,
    exchange_of,
    gateway,
    on_uvloop,
    request,
    status,
    upstream_settings,
)
from tests.ports import unused_port

ROOT = Path(__file__).resolve().parents[2]
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
    return head + await reader.readexactly(length)


# ── what passes, and how ──


@on_uvloop
async def test_an_allowed_request_is_answered_and_told_to_every_hook_once():
    addon = AllowAll()
    async with gateway([addon]) as gate:
        answer = await gate.exchange(request())
    assert status(answer) == 200
    assert answer.endswith(b'{"ok":true}')
    assert addon.hooks == ["requestheaders", "request", "responseheaders", "response"]


@on_uvloop
async def test_headers_to_the_upstream_are_an_allow_list():
    asked = request(
        headers=[
            "Authorization: Bearer gh_secret",
            "X-Api-Key: k",
            "X-Forwarded-For: 1.2.3.4",
            "X-Original-URL: /admin",
            "Cookie: a=b",
            "Accept-Encoding: gzip",
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "x-request-id: mine",
        ],
    )
    addon = AllowAll()
    async with gateway([addon]) as gate:
        await gate.exchange(asked)
        head = gate.upstream.requests[0].split(b"\r\n\r\n")[0]
        names = {line.split(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
        assert b"Host: 127.0.0.1:%d" % gate.upstream.port in head
    assert names == {
        b"host",
        b"user-agent",
        b"accept-encoding",
        b"accept",
        b"x-request-id",
        b"traceparent",
        b"content-type",
        b"content-length",
    }
    assert b"Accept-Encoding: identity" in head
    assert b"mine" not in head


@on_uvloop
async def test_the_upstream_key_is_sent_from_its_file(tmp_path):
    key_file = tmp_path / "key"
    key_file.write_text("upstream-key\n")
    async with gateway([AllowAll()], settings=upstream_settings("", api_key_file=key_file)) as gate:
        await gate.exchange(request(headers=["Authorization: Bearer mine"]))
        assert b"Authorization: Bearer upstream-key\r\n" in gate.upstream.requests[0]
        assert b"mine" not in gate.upstream.requests[0]


@on_uvloop
async def test_headers_to_the_client_are_an_allow_list():
    async with gateway([AllowAll()]) as gate:
        head = (await gate.exchange(request())).split(b"\r\n\r\n")[0]
    names = [line.split(b":")[0] for line in head.split(b"\r\n")[1:]]
    assert names == [b"Content-Type", b"x-request-id", b"Date", b"Content-Length", b"Connection"]


@on_uvloop
async def test_what_addons_made_of_body_and_answer_is_what_travels():
    class Rewrites:
        def request(self, flow):
            flow.request.content = b'{"canonical":1}'

        def response(self, flow):
            flow.response.content = b'{"redacted":1}'
            flow.response.headers["x-gatehouse-warning"] = "w"

    async with gateway([AllowAll(), Rewrites()]) as gate:
        answer = await gate.exchange(request())
        assert gate.upstream.requests[0].endswith(b'Content-Length: 15\r\n\r\n{"canonical":1}')
    assert answer.endswith(b'{"redacted":1}')
    assert b"x-gatehouse-warning: w\r\n" in answer


@on_uvloop
async def test_requests_in_one_packet_are_answered_in_order_one_after_the_other():
    async with gateway([AllowAll()]) as gate:
        raw = request(b'{"n":1}', close=False) + request(b'{"n":2}', close=False) + request(b'{"n":3}')
        answer = await gate.exchange(raw)
        assert [sent.rpartition(b"\r\n")[2] for sent in gate.upstream.requests] == [b'{"n":1}', b'{"n":2}', b'{"n":3}']
    assert answer.count(b"HTTP/1.1 200 OK") == 3


@on_uvloop
async def test_asynchronous_hooks_are_awaited_before_anything_moves():
    class Slow:
        async def request(self, flow):
            await asyncio.sleep(0.05)
            assert not gate.upstream.received

        async def response(self, flow):
            await asyncio.sleep(0.05)
            flow.response.content = b"late"

    async with gateway([AllowAll(), Slow()]) as gate:
        answer = await gate.exchange(request())
    assert answer.endswith(b"late")


@on_uvloop
async def test_a_chunked_request_body_arrives_whole_with_its_length():
    raw = b"POST /v1/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with gateway([AllowAll()]) as gate:
        await gate.exchange(raw)
        assert gate.upstream.requests[0].endswith(b"Content-Length: 5\r\n\r\nabcde")
        assert b"chunked" not in gate.upstream.requests[0]


@on_uvloop
async def test_expect_continue_is_answered_only_when_the_head_was_not_refused():
    head, _, body = request(headers=["Expect: 100-continue"]).partition(b"\r\n\r\n")
    async with gateway([AllowAll()]) as gate:
        reader, writer = await gate.connect()
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert status(await reader.read()) == 200
        writer.close()


@on_uvloop
async def test_a_head_request_is_answered_without_body():
    async with gateway([AllowAll(route=None)], answering(ANSWER.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")) as gate:
        answer = await gate.exchange(request(b"", method="HEAD"))
    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\n")


# ── the pool ──


@on_uvloop
async def test_upstream_connections_are_shared_between_clients():
    async with gateway([AllowAll()]) as gate:
        for _ in range(4):
            assert status(await gate.exchange(request())) == 200
        assert gate.upstream.connections == 1


@on_uvloop
async def test_a_stale_connection_is_replaced_once_without_the_client_noticing():
    async def respond(upstream: Upstream, reader, writer):
        await upstream.read_request(reader)
        writer.write(ANSWER)
        await reader.readuntil(b"\r\n\r\n")  # the second request's head: gone before an answer

    async with gateway([AllowAll()], respond) as gate:
        assert status(await gate.exchange(request())) == 200
        assert status(await gate.exchange(request(b"", method="GET"))) == 200
        assert gate.upstream.connections == 2


@on_uvloop
async def test_a_post_that_was_sent_is_not_sent_again():
    async def respond(upstream: Upstream, reader, writer):
        await upstream.read_request(reader)
        writer.write(ANSWER)
        await reader.readuntil(b"\r\n\r\n")

    async with gateway([AllowAll()], respond) as gate:
        assert status(await gate.exchange(request())) == 200
        assert error_code(await gate.exchange(request())) == "upstream-unavailable"
        assert gate.upstream.connections == 1


@on_uvloop
async def test_a_fresh_connection_that_dies_is_not_tried_again():
    async def respond(upstream: Upstream, reader, writer):
        await upstream.read_request(reader)

    async with gateway([AllowAll()], respond) as gate:
        assert error_code(await gate.exchange(request())) == "upstream-unavailable"
        assert gate.upstream.connections == 1


@on_uvloop
async def test_a_connection_with_bytes_after_the_answer_is_not_used_again():
    async with gateway([AllowAll()], answering(ANSWER + b"HTTP/1.1 200 OK\r\n")) as gate:
        for _ in range(2):
            assert status(await gate.exchange(request())) == 200
        assert gate.upstream.connections == 2


# ── what is refused ──


@on_uvloop
async def test_an_early_refusal_does_not_wait_for_a_declared_gigabyte():
    async with gateway([addon := AllowAll(max_body_bytes=100)]) as gate:
        reader, writer = await gate.connect()
        writer.write(b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 50)
        answer = await asyncio.wait_for(reader.read(), 2)
        writer.close()
        assert not gate.upstream.received
    assert (status(answer), error_code(answer)) == (413, "body-too-large")
    assert addon.seen == [("requestheaders", None), ("request", "body-too-large"), ("response", "body-too-large")]


@on_uvloop
async def test_a_client_that_sends_on_while_refused_still_reads_the_refusal():
    async with gateway([AllowAll(max_body_bytes=100)]) as gate:
        with socket.create_connection(("127.0.0.1", gate.port)) as client:
            client.settimeout(0)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, b"POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n")
            await loop.sock_sendall(client, b"x" * 900_000)
            answer = b""
            while piece := await loop.sock_recv(client, 65536):
                answer += piece
    assert error_code(answer) == "body-too-large"


@on_uvloop
async def test_a_chunked_body_is_cut_at_the_limit():
    async with gateway([AllowAll(max_body_bytes=100)]) as gate:
        reader, writer = await gate.connect()
        writer.write(b"POST /v1/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"x" * 60))
        await asyncio.sleep(0.05)
        writer.write(chunk(b"x" * 60))
        answer = await asyncio.wait_for(reader.read(), 2)
        writer.close()
        assert not gate.upstream.received
    assert error_code(answer) == "body-too-large"


class RefusesHead:
    def requestheaders(self, flow):
        flow.response = refusal_response("credentials-missing", exchange_of(flow).request_id)


@on_uvloop
async def test_a_refusal_on_the_head_leaves_the_connection_usable_where_no_body_is_due():
    async with gateway([addon := AllowAll(), RefusesHead()]) as gate:
        reader, writer = await gate.connect()
        for _ in range(2):
            writer.write(request(b"", method="GET", close=False))
            answer = await read_answer(reader)
            assert status(answer) == 401
            assert b"WWW-Authenticate: Bearer" in answer
        writer.close()
        assert not gate.upstream.received
    assert addon.hooks == ["requestheaders", "response"] * 2


@on_uvloop
async def test_a_refusal_on_the_head_closes_where_a_body_would_follow():
    async with gateway([AllowAll(), RefusesHead()]) as gate:
        answer = await gate.exchange(request(close=False, headers=["Expect: 100-continue"]))
        assert not gate.upstream.received
    assert b"Connection: close\r\n" in answer
    assert b"100 Continue" not in answer


@on_uvloop
async def test_a_request_that_nobody_allowed_is_refused():
    class SetsLimitOnly:
        def requestheaders(self, flow):
            exchange_of(flow).max_body_bytes = 100

    async with gateway([SetsLimitOnly()]) as gate:
        answer = await gate.exchange(request())
        assert not gate.upstream.received
    assert (status(answer), error_code(answer)) == (503, "policy-unavailable")


@on_uvloop
async def test_a_request_that_was_denied_is_refused_although_nobody_answered_it():
    class Denies:
        def request(self, flow):
            exchange_of(flow).decision = Decision(effect=Effect.DENY, reasons=(), obligations=(), revision="r")

    async with gateway([AllowAll(), Denies()]) as gate:
        assert error_code(await gate.exchange(request())) == "policy-unavailable"
        assert not gate.upstream.received


@pytest.mark.parametrize("asynchronous", [False, True], ids=["plain", "asynchronous"])
@pytest.mark.parametrize("hook", ["requestheaders", "request", "responseheaders", "response"])
@on_uvloop
async def test_a_hook_that_raises_refuses(hook, asynchronous):
    def plain(self, flow):
        raise RuntimeError("secret")

    async def awaited(self, flow):
        await asyncio.sleep(0)
        raise RuntimeError("secret")

    addon = type("Raises", (), {hook: awaited if asynchronous else plain})()
    async with gateway([AllowAll(), addon]) as gate:
        answer = await gate.exchange(request())
        if hook in ("requestheaders", "request"):
            assert not gate.upstream.received
    assert error_code(answer) == "policy-unavailable"
    assert b"secret" not in answer


@on_uvloop
async def test_a_killed_and_an_intercepted_flow_are_refused():
    class Kills:
        def request(self, flow):
            flow.kill()

    class Intercepts:
        def request(self, flow):
            flow.intercept()

    for addon in (Kills(), Intercepts()):
        async with gateway([AllowAll(), addon]) as gate:
            assert error_code(await gate.exchange(request())) == "policy-unavailable"
            assert not gate.upstream.received


@on_uvloop
async def test_a_field_that_would_end_its_line_is_refused_and_not_written():
    class Injects:
        def response(self, flow):
            flow.response.headers.fields = ((b"x-a", b"b\r\nSet-Cookie: c=d"),)

    async with gateway([AllowAll(), Injects()]) as gate:
        answer = await gate.exchange(request())
    assert status(answer) == 503
    assert b"Set-Cookie" not in answer


# ── the upstream fails ──


@pytest.mark.parametrize(
    ("raw", "then_close"),
    [
        pytest.param(b"SSH-2.0-OpenSSH\r\n", False, id="not-http"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", False, id="cl-and-te"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", False, id="two-lengths"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", True, id="cut-short"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False, id="bad-chunk"),
        pytest.param(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", False, id="switch"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n", False, id="many-fields"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", False, id="compressed"
        ),
        pytest.param(STREAM_HEAD + chunk(b"data: x\n\n"), False, id="stream-nobody-examines"),
    ],
)
@on_uvloop
async def test_an_answer_that_cannot_be_examined_is_not_told(raw, then_close):
    async with gateway([addon := AllowAll()], answering(raw, then_close=then_close)) as gate:
        answer = await gate.exchange(request())
    assert (status(answer), error_code(answer)) == (502, "upstream-invalid")
    assert addon.hooks[-2:] == ["error", "response"]
    assert b"127.0.0.1" not in answer


@on_uvloop
async def test_an_upstream_that_is_not_there_is_named_to_nobody(free_port):
    async with gateway([addon := AllowAll()], upstream_port=free_port) as gate:
        answer = await gate.exchange(request())
    assert (status(answer), error_code(answer)) == (502, "upstream-unavailable")
    assert str(free_port).encode() not in answer
    assert b"127.0.0.1" not in answer
    assert addon.seen[-2:] == [("error", "upstream-unavailable"), ("response", "upstream-unavailable")]


@on_uvloop
async def test_an_upstream_that_does_not_answer_is_given_up():
    async with gateway([AllowAll()], answering(b""), bounds=Bounds(first_byte_s=0.1, drain_s=1)) as gate:
        answer = await gate.exchange(request())
        await asyncio.wait_for(gate.upstream.closed.wait(), 1)
    assert (status(answer), error_code(answer)) == (504, "upstream-timeout")


@on_uvloop
async def test_an_answer_beyond_the_bound_is_refused():
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000
    async with gateway([AllowAll()], answering(raw), bounds=Bounds(answer_bytes=4000, drain_s=1)) as gate:
        assert error_code(await gate.exchange(request())) == "upstream-invalid"


@on_uvloop
async def test_interim_answers_are_skipped_and_a_body_may_end_with_its_connection():
    raw = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil the end"
    async with gateway([AllowAll()], answering(raw, then_close=True)) as gate:
        answer = await gate.exchange(request())
    assert answer.endswith(b"\r\n\r\nuntil the end")
    assert b"Link" not in answer


# ── streams ──


def body_of(answer: bytes) -> bytes:
    """The content of a chunked answer, which must end cleanly."""
    rest = answer.partition(b"\r\n\r\n")[2]
    content = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            assert rest == b"\r\n"
            return content
        content, rest = content + rest[:length], rest[length + 2 :]


def in_two_pieces(go_on: asyncio.Event):
    """An upstream whose stream says `one `, waits for `go_on`, and says `two `."""

    async def respond(upstream: Upstream, reader, writer):
        await upstream.read_request(reader)
        writer.write(STREAM_HEAD + chunk(b"one "))
        await go_on.wait()
        writer.write(chunk(b"two ") + b"0\r\n\r\n")
        await reader.read()

    return respond


@on_uvloop
async def test_only_what_the_enforcer_gives_leaves_and_it_leaves_at_once():
    go_on = asyncio.Event()
    async with gateway([AllowAll(), Streams(Shouting())], in_two_pieces(go_on)) as gate:
        reader, writer = await gate.connect()
        writer.write(request())
        head = await reader.readuntil(b"\r\n\r\n")
        assert await asyncio.wait_for(reader.readexactly(9), 1) == chunk(b"ONE ")
        go_on.set()
        rest = await reader.read()
        writer.close()
    assert body_of(head + chunk(b"ONE ") + rest) == b"ONE TWO FINISHED"


@on_uvloop
async def test_an_old_client_gets_a_stream_that_ends_with_the_connection():
    raw = STREAM_HEAD + chunk(b"one ") + b"0\r\n\r\n"
    async with gateway([AllowAll(), Streams(Shouting())], answering(raw)) as gate:
        answer = await gate.exchange(b"POST /v1/x HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
    assert answer.endswith(b"\r\n\r\nONE FINISHED")
    assert b"chunked" not in answer


@on_uvloop
async def test_an_upstream_that_fails_in_the_middle_ends_the_stream_with_an_error_event():
    enforcer = Shouting()
    raw = STREAM_HEAD + chunk(b"one ")
    async with gateway([addon := AllowAll(), Streams(enforcer)], answering(raw, then_close=True)) as gate:
        answer = await gate.exchange(request())
    assert body_of(answer) == b"ONE ABORTED upstream-invalid"
    assert addon.seen[-2:] == [("error", "upstream-invalid"), ("response", "upstream-invalid")]


@pytest.mark.parametrize(("fails_at", "want"), [("feed", b""), ("finish", b"ONE ")])
@on_uvloop
async def test_an_enforcer_that_raises_ends_the_stream_with_an_error_event(fails_at, want):
    raw = STREAM_HEAD + chunk(b"one ") + b"0\r\n\r\n"
    async with gateway([AllowAll(), Streams(Shouting(fails_at=fails_at))], answering(raw)) as gate:
        answer = await gate.exchange(request())
    assert body_of(answer) == want + b"ABORTED evaluation-failed"


@on_uvloop
async def test_the_last_bytes_of_a_stream_wait_for_the_response_hook_and_yield_to_its_refusal():
    class CannotRecord:
        async def response(self, flow):
            await asyncio.sleep(0.05)
            exchange_of(flow).refusal = Reason(code="record-unavailable")

    raw = STREAM_HEAD + chunk(b"one ") + b"0\r\n\r\n"
    async with gateway([AllowAll(), Streams(Shouting()), CannotRecord()], answering(raw)) as gate:
        answer = await gate.exchange(request())
    assert body_of(answer) == b"ONE ABORTED record-unavailable"


async def ticking(upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await upstream.read_request(reader)
    writer.write(STREAM_HEAD)
    while True:
        writer.write(chunk(b"tick "))
        await writer.drain()
        await asyncio.sleep(0.01)


async def endless(upstream: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await upstream.read_request(reader)
    writer.write(STREAM_HEAD)
    while True:
        writer.write(chunk(b"x" * 16_000))
        await writer.drain()
        upstream.received += b"x" * 16_000
        await asyncio.sleep(0)


@on_uvloop
async def test_a_client_that_leaves_a_stream_cancels_the_upstream_within_100_ms():
    async def respond(upstream: Upstream, reader, writer):
        await upstream.read_request(reader)
        writer.write(STREAM_HEAD + chunk(b"one "))
        await reader.read()

    async with gateway([addon := AllowAll(), Streams(Shouting())], respond) as gate:
        reader, writer = await gate.connect()
        writer.write(request())
        await reader.readuntil(b"ONE ")
        writer.close()
        await asyncio.wait_for(gate.upstream.closed.wait(), 0.1)
        await asyncio.sleep(0)
    assert addon.seen[-1] == ("error", "client-disconnected")
    assert addon.hooks.count("response") == 0


@on_uvloop
async def test_a_client_that_leaves_while_it_waits_cancels_the_upstream_within_100_ms():
    async with gateway([addon := AllowAll()], answering(b"")) as gate:
        _, writer = await gate.connect()
        writer.write(request())
        while not gate.upstream.received:
            await asyncio.sleep(0.01)
        writer.close()
        await asyncio.wait_for(gate.upstream.closed.wait(), 0.1)
    assert addon.seen[-1] == ("error", "client-disconnected")


@on_uvloop
async def test_a_client_that_half_closes_gets_its_answer():
    release = asyncio.Event()

    async def respond(upstream: Upstream, reader, writer):
        await upstream.read_request(reader)
        await release.wait()
        writer.write(ANSWER)
        await reader.read()

    async with gateway([AllowAll()], respond) as gate:
        reader, writer = await gate.connect()
        writer.write(request(close=False))
        writer.write_eof()
        while not gate.upstream.received:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.15)  # the upstream is not cancelled meanwhile
        assert not gate.upstream.closed.is_set()
        release.set()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert status(answer) == 200
    assert answer.endswith(b'{"ok":true}')


@on_uvloop
async def test_a_client_that_half_closes_reads_its_stream_to_the_end():
    release = asyncio.Event()
    async with gateway([AllowAll(), Streams(Shouting())], in_two_pieces(release)) as gate:
        reader, writer = await gate.connect()
        writer.write(request())
        first = await reader.readuntil(b"ONE ")
        writer.write_eof()
        await asyncio.sleep(0.05)
        release.set()
        answer = first + await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert body_of(answer) == b"ONE TWO FINISHED"


@on_uvloop
async def test_a_client_that_half_closes_and_then_leaves_cancels_the_upstream_with_the_next_event():
    async with gateway([addon := AllowAll(), Streams(Shouting())], endless) as gate:
        reader, writer = await gate.connect()
        writer.write(request())
        writer.write_eof()
        await reader.readuntil(b"X")
        writer.close()
        await asyncio.wait_for(gate.upstream.closed.wait(), 1)
    assert addon.seen[-1] == ("error", "client-disconnected")


@on_uvloop
async def test_an_upstream_that_streams_for_ever_is_ended_with_an_error_event():
    async with gateway(
        [addon := AllowAll(), Streams(Shouting())], ticking, bounds=Bounds(upstream_total_s=0.3, drain_s=1)
    ) as gate:
        answer = await gate.exchange(request())
    assert answer.endswith(chunk(b"ABORTED upstream-timeout") + b"0\r\n\r\n")
    assert addon.seen[-2:] == [("error", "upstream-timeout"), ("response", "upstream-timeout")]


@on_uvloop
async def test_connections_beyond_the_bound_are_told_so_unread_and_then_closed_in_silence():
    bounds = Bounds(connections=2, turned_away=1, drain_s=1)
    async with gateway([addon := AllowAll()], bounds=bounds) as gate:
        held = [await gate.connect() for _ in range(2)]
        await asyncio.sleep(0.05)
        reader, writer = await gate.connect()
        writer.write(request())
        answer = await asyncio.wait_for(reader.read(), 5)
        assert (status(answer), error_code(answer)) == (503, "overloaded")
        assert b"\r\nRetry-After: 1\r\n" in answer
        one_more, other = await gate.connect()
        assert await nothing_from(one_more.read())
        other.close()
        writer.close()
        await asyncio.sleep(0.05)
        assert addon.seen == []
        for _, open_writer in held:
            open_writer.close()
        await asyncio.sleep(0.05)
        assert status(await gate.exchange(request())) == 200


async def nothing_from(reading) -> bool:
    try:
        return await asyncio.wait_for(reading, 5) == b""
    except OSError:
        return True


@on_uvloop
async def test_requests_beyond_the_bound_are_refused_and_taken_again_when_one_ended():
    release = asyncio.Event()

    async def respond(upstream: Upstream, reader, writer):
        while True:
            await upstream.read_request(reader)
            await release.wait()
            writer.write(ANSWER)

    async with gateway([AllowAll()], respond, bounds=Bounds(requests=1, drain_s=1)) as gate:
        waiting = asyncio.create_task(gate.exchange(request()))
        while not gate.upstream.received:
            await asyncio.sleep(0.01)
        assert error_code(await gate.exchange(request())) == "overloaded"
        release.set()
        assert status(await waiting) == 200
        assert status(await gate.exchange(request())) == 200


@on_uvloop
async def test_a_client_that_leaves_before_its_body_is_told_once_and_nothing_is_sent():
    async with gateway([addon := AllowAll()]) as gate:
        _, writer = await gate.connect()
        writer.write(request(b"x" * 100)[:-50])
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.sleep(0.05)
        assert not gate.upstream.received
    assert addon.seen == [("requestheaders", None), ("error", "client-disconnected")]


@on_uvloop
async def test_a_slow_reader_holds_the_upstream_back():
    async with gateway([AllowAll(), Streams(Shouting())], endless) as gate:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
            client.connect(("127.0.0.1", gate.port))
            client.sendall(request())
            await asyncio.sleep(0.3)
            first = len(gate.upstream.received)
            await asyncio.sleep(0.3)
            # Kernel buffers on three sockets are full by now. Without backpressure hundreds of megabytes would follow.
            assert len(gate.upstream.received) == first
            assert first < 16_000_000


@on_uvloop
async def test_a_client_that_takes_nothing_is_cut_off():
    bounds = Bounds(client_stall_s=0.2, drain_s=1)
    async with gateway([addon := AllowAll(), Streams(Shouting())], endless, bounds=bounds) as gate:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
            client.connect(("127.0.0.1", gate.port))
            client.sendall(request())
            await asyncio.wait_for(gate.upstream.closed.wait(), 5)
    assert addon.seen[-1] == ("error", "client-disconnected")


# ── time ──


@pytest.mark.parametrize(
    ("sent", "bounds"),
    [
        pytest.param(b"POST /v1/x HT", Bounds(head_s=0.1, drain_s=1), id="head"),
        pytest.param(request(b"x" * 99)[:-9], Bounds(body_idle_s=0.1, drain_s=1), id="body"),
        pytest.param(request(b"x" * 99)[:-9], Bounds(body_total_s=0.1, drain_s=1), id="body-total"),
    ],
)
@on_uvloop
async def test_a_request_that_does_not_arrive_in_time_is_refused(sent, bounds):
    async with gateway([addon := AllowAll()], bounds=bounds) as gate:
        answer = await gate.exchange(sent)
        assert not gate.upstream.received
    assert (status(answer), error_code(answer)) == (408, "request-timeout")
    assert addon.hooks[-1] == "response"


@on_uvloop
async def test_an_idle_connection_is_closed_in_silence():
    async with gateway([addon := AllowAll()], bounds=Bounds(keep_alive_s=0.1, drain_s=1)) as gate:
        assert await gate.exchange(b"") == b""
    assert addon.seen == []


# ── the worker ──


@on_uvloop
async def test_a_worker_that_stops_finishes_what_it_has_and_takes_nothing_more():
    release = asyncio.Event()

    async def respond(upstream: Upstream, reader, writer):
        await upstream.read_request(reader)
        await release.wait()
        writer.write(ANSWER)
        await reader.read()

    async with gateway([AllowAll()], respond) as gate:
        idle_reader, idle_writer = await gate.connect()
        reader, writer = await gate.connect()
        writer.write(request(close=False))
        while not gate.upstream.received:
            await asyncio.sleep(0.01)
        gate.stop.set()
        assert await asyncio.wait_for(idle_reader.read(), 1) == b""
        with pytest.raises(OSError):
            await gate.connect()
        release.set()
        answer = await reader.read()
        writer.close()
        idle_writer.close()
    assert status(answer) == 200
    assert b"Connection: close\r\n" in answer


@on_uvloop
async def test_a_worker_that_stops_answers_a_last_request_on_an_open_connection():
    async with gateway([AllowAll()], bounds=Bounds(parting_s=5, drain_s=6)) as gate:
        reader, writer = await gate.connect()
        gate.stop.set()
        await asyncio.sleep(0.05)
        writer.write(request(close=False))
        answer = await asyncio.wait_for(reader.read(), 1)
        writer.close()
    assert status(answer) == 200
    assert b"Connection: close\r\n" in answer


async def start(addons, options):
    with socket.create_server(("127.0.0.1", 0)) as sock:
        await serve(
            sock=sock,
            addons=addons,
            upstream=upstream_settings("http://127.0.0.1:1"),
            stop=asyncio.Event(),
            options=options,
        )


@pytest.mark.parametrize("name", ["stream_large_bodies", "ignore_hosts", "allow_hosts", "ssl_insecure", "modify_body"])
@on_uvloop
async def test_a_worker_does_not_start_with_an_option_that_switches_inspection_off(name):
    with pytest.raises(UnsafeOption, match=name):
        await start([AllowAll()], {name: ["x"]})


@on_uvloop
async def test_a_worker_does_not_start_with_an_option_that_nobody_reads():
    with pytest.raises(UnsafeOption, match="no_such"):
        await start([AllowAll()], {"no_such": True})


@on_uvloop
async def test_an_addon_cannot_switch_inspection_off_later():
    from mitmproxy import ctx, exceptions

    async with gateway([AllowAll()]):
        with pytest.raises(exceptions.OptionsError):
            ctx.options.update(ignore_hosts=["x"])
        assert ctx.options.ignore_hosts == []


@on_uvloop
async def test_a_misspelt_hook_is_an_error_at_start():
    class Misspelt:
        def responce(self, flow: http.HTTPFlow) -> None: ...

    with pytest.raises(MisspeltHook, match="responce"):
        await start([Misspelt()], {})


@on_uvloop
async def test_a_public_method_that_is_declared_is_no_hook():
    class Declared:
        NOT_HOOKS = frozenset({"activate"})

        def activate(self) -> None: ...

    async with gateway([AllowAll(), Declared()]) as gate:
        assert status(await gate.exchange(request())) == 200


# ── memory ──


@pytest.fixture
def connections(monkeypatch):
    """Every client connection that the worker opens."""
    opened = []
    keep = Connections.opened

    def note(self, connection):
        opened.append(connection)
        keep(self, connection)

    monkeypatch.setattr(Connections, "opened", note)
    return opened


@on_uvloop
async def test_a_slow_reader_of_50_megabytes_holds_one_buffer_of_them(connections):
    size = 50_000_000

    async def respond(upstream: Upstream, reader, writer):
        await upstream.read_request(reader)
        writer.write(STREAM_HEAD)
        for _ in range(size // 50_000):
            writer.write(chunk(b"x" * 50_000))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await reader.read()

    async with gateway([AllowAll(), Streams(Shouting())], respond) as gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port, limit=65_536)
        writer.write(request())
        got = most = 0
        while piece := await reader.read(65_536):
            got += len(piece)
            (connection,) = connections
            most = max(most, connection._transport.get_write_buffer_size())
            assert not connection._events
            await asyncio.sleep(0)
        writer.close()
    assert got > size
    # The mark, and the largest read that the loop makes of the upstream before it hears of it.
    assert most <= Bounds().client_buffer_bytes + 256 * 1024 + 1000


def test_a_thousand_idle_connections_cost_less_than_20_megabytes(tmp_path):
    """In a process of its own, so that nothing else is measured; each connection has had a request."""
    port, upstream_port = unused_port(), unused_port()
    worker = subprocess.Popen(
        [sys.executable, "-O", "-m", "benchmarks.http_layer", str(port), str(upstream_port)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with ExitStack() as stack:
        stack.callback(worker.wait)
        stack.callback(worker.kill)

        def connect(count: int) -> list[socket.socket]:
            made = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(count)]
            for client in made:
                client.sendall(request(b"", method="GET", close=False))
            assert all(client.recv(4096).startswith(b"HTTP/1.1 5") for client in made)
            return made

        for _ in range(100):
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.2)
        connect(50)
        before = psutil.Process(worker.pid).memory_info().rss
        connect(800)
        cost = (psutil.Process(worker.pid).memory_info().rss - before) / 800
    assert cost * 1000 < 20_000_000


# ── draining under load ──


@on_uvloop
async def test_streams_finish_before_the_deadline_and_no_request_is_lost_when_a_worker_stops():
    async def respond(upstream: Upstream, reader, writer):
        while True:
            await upstream.read_request(reader)
            writer.write(STREAM_HEAD)
            for _ in range(10):
                writer.write(chunk(b"tick "))
                await asyncio.sleep(0.02)
            writer.write(b"0\r\n\r\n")

    async with gateway([AllowAll(), Streams(Shouting())], respond, bounds=Bounds(parting_s=0.05, drain_s=10)) as gate:
        idle = [await gate.connect() for _ in range(5)]
        streams = [asyncio.create_task(gate.exchange(request(close=False))) for _ in range(20)]
        while len(gate.upstream.requests) < 20:
            await asyncio.sleep(0.01)
        gate.stop.set()
        for reader, writer in idle:
            assert await asyncio.wait_for(reader.read(), 1) == b""
            writer.close()
        assert not any(stream.done() for stream in streams), "idle connections go first"
        assert [body_of(answer) for answer in await asyncio.gather(*streams)] == [b"TICK " * 10 + b"FINISHED"] * 20


@on_uvloop
async def test_a_stream_beyond_the_drain_deadline_is_cut_and_told():
    async with gateway(
        [addon := AllowAll(), Streams(Shouting())], ticking, bounds=Bounds(parting_s=0.05, drain_s=0.3)
    ) as gate:
        reader, writer = await gate.connect()
        writer.write(request())
        await reader.readuntil(b"TICK ")
        gate.stop.set()
        with suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await asyncio.wait_for(gate.upstream.closed.wait(), 1)
    assert addon.seen[-1] == ("error", "client-disconnected")


@on_uvloop
async def test_requests_on_open_connections_are_answered_or_told_to_come_back_while_a_worker_stops():
    async with gateway([AllowAll()], bounds=Bounds(parting_s=0.3, drain_s=5)) as gate:
        answers, lost = [], 0

        async def client() -> None:
            nonlocal lost
            reader, writer = await gate.connect()
            while True:
                writer.write(request(close=False))
                try:
                    answer = await read_answer(reader)
                except asyncio.IncompleteReadError as cut:
                    lost += bool(cut.partial)
                    break
                answers.append(answer)
                if b"Connection: close\r\n" in answer:
                    break
            writer.close()

        clients = [asyncio.create_task(client()) for _ in range(10)]
        while len(answers) < 50:
            await asyncio.sleep(0)
        gate.stop.set()
        await asyncio.wait_for(asyncio.gather(*clients), 5)
    assert lost == 0
    assert {status(answer) for answer in answers} == {200}
    assert sum(b"Connection: close\r\n" in answer for answer in answers) == 10, "each was told that it was the last"
