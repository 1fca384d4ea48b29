# SPDX-License-Identifier: Apache-2.0
"""Hostile bytes on a real socket: a typed refusal, the connection closed, and not a byte at the upstream."""

import asyncio

import pytest

from tests.layer_rig import AllowAll, error_code, gateway, on_uvloop, request, status

HOST = b"Host: a\r\n"

HOSTILE = {
    "length-and-coding": (
        b"POST /v1/x HTTP/1.1\r\n" + HOST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
        "ambiguous-framing",
    ),
    "two-lengths": (
        b"POST /v1/x HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "ambiguous-framing",
    ),
    "bare-lf": (b"POST /v1/x HTTP/1.1\nHost: a\nContent-Length: 0\n\n", "malformed-request"),
    "nul": (b"GET /v1/x HTTP/1.1\r\n" + HOST + b"A: \x00\r\n\r\n", "malformed-request"),
    "folded": (b"GET /v1/x HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n", "malformed-request"),
    "absolute-form": (b"GET http://other/ HTTP/1.1\r\n" + HOST + b"\r\n", "protocol-not-permitted"),
    "tunnel": (b"CONNECT other:443 HTTP/1.1\r\n" + HOST + b"\r\n", "protocol-not-permitted"),
    "http-2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "protocol-not-permitted"),
    "websocket": (
        b"GET /v1/x HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "protocol-not-permitted",
    ),
    "trailer": (
        b"POST /v1/x HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nAuthorization: b\r\n\r\n",
        "malformed-request",
    ),
    "chunk-size-beyond-64-bits": (
        b"POST /v1/x HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n",
        "malformed-request",
    ),
    "endless-head": (b"GET /v1/x HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 20_000, "headers-too-large"),
}


@pytest.mark.parametrize(("raw", "want"), HOSTILE.values(), ids=HOSTILE.keys())
@on_uvloop
async def test_hostile_bytes_are_refused_and_go_nowhere(raw, want):
    async with gateway([addon := AllowAll()]) as gate:
        # What follows must be neither a body nor a second request.
        answer = await gate.exchange(raw + request())
        assert not gate.upstream.received
        assert gate.upstream.connections == 0
    assert error_code(answer) == want
    assert status(answer) in (400, 431)
    assert b"Connection: close\r\n" in answer
    assert addon.hooks.count("response") == 1


@on_uvloop
async def test_hostile_bytes_in_single_steps_are_refused_the_same():
    raw, want = HOSTILE["length-and-coding"]
    async with gateway([AllowAll()]) as gate:
        reader, writer = await gate.connect()
        writer.transport.set_write_buffer_limits(0)
        for byte in raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n":
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        answer = await reader.read()
        writer.close()
        assert not gate.upstream.received
    assert error_code(answer) == want


@on_uvloop
async def test_a_request_hidden_in_a_body_is_a_body():
    hidden = request(b"{}", path="/hidden")
    async with gateway([AllowAll()]) as gate:
        answer = await gate.exchange(request(hidden))
        assert len(gate.upstream.requests) == 1
        assert gate.upstream.requests[0].endswith(hidden)
    assert answer.count(b"HTTP/1.1 ") == 1


@on_uvloop
async def test_a_connection_header_takes_no_header_away():
    class Checks:
        def requestheaders(self, flow):
            assert flow.request.headers["Authorization"] == "Bearer k"

    async with gateway([AllowAll(), Checks()]) as gate:
        answer = await gate.exchange(request(headers=["Authorization: Bearer k", "Connection: Authorization"]))
    assert status(answer) == 200
