# SPDX-License-Identifier: Apache-2.0
"""The witness over HTTP: routes, bounds, and the log server's own client."""

import asyncio
import hashlib
from contextlib import suppress

import pytest

from controlplane.audit import witness_server
from controlplane.audit.note_keys import KeyKind, SignerKey
from controlplane.audit.witness import Answer, Witness
from controlplane.audit.witness_server import MAX_BODY_BYTES, WitnessServer
from controlplane.services.witnesses import Witness as Asked
from controlplane.witness_client import WitnessClient
from tests.unit.controlplane.audit.archives import LOG_KEY, ORDERLY, Log
from tests.unit.controlplane.audit.test_witness import KEY, Kept, asked

LOG = Log(ORDERLY)
PATH = f"/{hashlib.sha256(LOG_KEY.name.encode()).hexdigest()}/checkpoint"


@pytest.fixture
async def served():
    """A witness that listens, and its port."""
    server = await WitnessServer(Witness(KEY, [LOG_KEY.verifier], Kept(), lambda: 1.0)).start("127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def sent(port, *pieces):
    """Send bytes and return all that is answered until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def post(body, *, path="/add-checkpoint", more=b"connection: close\r\n"):
    return b"POST %s HTTP/1.1\r\nhost: w\r\ncontent-length: %d\r\n%s\r\n" % (path.encode(), len(body), more) + body


def get(path, method="GET"):
    return f"{method} {path} HTTP/1.1\r\nhost: w\r\nconnection: close\r\n\r\n".encode()


def status(answer):
    return int(answer.split(b" ")[1])


async def test_it_speaks_the_protocol(served):
    assert status(await sent(served, get(PATH))) == 404
    answer = await sent(served, post(asked(0, 7)))
    assert status(answer) == 200
    assert answer.endswith(b"\n")
    conflict = await sent(served, post(asked(0, 9)))
    assert (status(conflict), conflict.endswith(b"\r\n\r\n7\n")) == (409, True)
    assert b"content-type: text/x.tlog.size\r\n" in conflict
    assert LOG.note(7).text in await sent(served, get(PATH))


async def test_the_log_server_s_client_gets_its_cosignature(served):
    witness = Asked(url=f"http://127.0.0.1:{served}", key=KEY.verifier)

    def ask():
        with WitnessClient() as client:
            return [client(witness, asked(old, size)) for old, size in [(0, 7), (0, 9), (7, 9)]]

    first, conflict, second = await asyncio.to_thread(ask)
    assert (bool(first.lines), conflict.knows_size, bool(second.lines)) == (True, 7, True)


@pytest.mark.parametrize(
    ("request_", "want"),
    [
        (get("/"), 404),
        (get("/add-checkpoint"), 405),
        (get(PATH, "POST"), 405),
        (get(PATH.upper()), 404),
        (get("/../add-checkpoint"), 404),
        (post(b"nothing"), 400),
        (post(bytes(MAX_BODY_BYTES + 1)), 413),
        (b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 999999999\r\n\r\n" + bytes(MAX_BODY_BYTES + 1), 413),
    ],
)  # fmt: skip
async def test_what_it_has_no_answer_to_has_a_status(served, request_, want):
    assert status(await sent(served, request_)) == want


@pytest.mark.parametrize("garbage", [b"\0" * 100, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 9000, b"\r\n\r\n" * 20_000])
async def test_who_speaks_no_http_is_cut_off(served, garbage):
    with suppress(ConnectionResetError):
        assert not await sent(served, garbage)
    assert status(await sent(served, get(PATH))) == 404


async def test_a_connection_serves_one_request_after_another(served):
    answers = await sent(served, post(asked(0, 7), more=b""), post(asked(7, 9), more=b""), post(asked(9, 30)))
    assert answers.count(b"HTTP/1.1 200") == 3


async def test_who_is_slow_is_cut_off(served, monkeypatch):
    monkeypatch.setattr(witness_server, "_REQUEST_DEADLINE_S", 0.1)
    assert await sent(served, post(asked(0, 7))[:-5]) == b""
    monkeypatch.setattr(witness_server, "_IDLE_S", 0.1)
    assert await sent(served, b"GET ") == b""


async def test_connections_are_bounded(served, monkeypatch):
    monkeypatch.setattr(witness_server, "MAX_CONNECTIONS", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", served)
    writer.write(b"GET ")
    await writer.drain()
    await asyncio.sleep(0.05)
    with suppress(ConnectionResetError):
        assert await sent(served, get(PATH)) == b""
    writer.close()
    await reader.read()
    await asyncio.sleep(0.05)
    assert status(await sent(served, get(PATH))) == 404


async def test_a_disk_that_is_full_is_said_to_be_the_witness_s_trouble():
    class Full(Kept):
        def keep(self, note, signed):
            raise OSError(28, "No space left on device")

    key = SignerKey.generate("w", KeyKind.COSIGNATURE)
    server = await WitnessServer(Witness(key, [LOG_KEY.verifier], Full(), lambda: 1.0)).start("127.0.0.1", 0)
    async with server:
        answer = await sent(server.sockets[0].getsockname()[1], post(asked(0, 7)))
    assert (status(answer), b"No space" in answer) == (503, False)


async def test_who_waits_to_be_asked_for_the_body_is_asked(served):
    body = asked(0, 7)
    head = post(body, more=b"expect: 100-continue\r\nconnection: close\r\n")[: -len(body)]
    reader, writer = await asyncio.open_connection("127.0.0.1", served)
    writer.write(head)
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10) == b"HTTP/1.1 100 \r\n\r\n"
    writer.write(body)
    assert status(await asyncio.wait_for(reader.read(), 10)) == 200
    writer.close()


def test_an_answer_is_text_unless_said_otherwise():
    assert Answer(200, b"").content_type == "text/plain; charset=utf-8"
