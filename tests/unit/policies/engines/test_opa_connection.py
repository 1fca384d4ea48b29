# SPDX-License-Identifier: Apache-2.0
"""One answer for one question, whatever the server sends and when. Each case against a server that says just that."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from policies.engines.opa_connection import OpaConnections, OpaRefused

HEAD = b"POST /v1/data/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: "


def answer(body: bytes, *more: bytes) -> bytes:
    head = b"".join(b"%s\r\n" % line for line in (b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *more))
    return head + b"\r\n" + body


class Said:
    """A server on a Unix socket: gives each question what `say` makes of its body, in the pieces it makes."""

    def __init__(self, say: Callable[[bytes], list[bytes]]) -> None:
        self.say = say
        self.connections = 0
        self.asked: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(head.rpartition(b"Content-Length: ")[2]))
                self.asked.append(head + body)
                for piece in self.say(body):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def serving(path: Path, say: Callable[[bytes], list[bytes]]) -> AsyncIterator[tuple[Said, OpaConnections]]:
    said = Said(say)
    connections = OpaConnections(str(path / "opa.sock"), deadline_s=2)
    async with await asyncio.start_unix_server(said.serve, path / "opa.sock"):
        try:
            yield said, connections
        finally:
            connections.close()
            await asyncio.sleep(0.01)  # for the server's ends to see it


async def test_asks_what_it_is_given_on_one_connection(tmp_path) -> None:
    async with serving(tmp_path, lambda body: [answer(body)]) as (said, connections):
        assert [await connections.ask(HEAD, body) for body in (b"{}", b'{"a":1}')] == [b"{}", b'{"a":1}']
    assert said.asked == [HEAD + b"2\r\n\r\n{}", HEAD + b'7\r\n\r\n{"a":1}']
    assert said.connections == 1


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(lambda whole: [whole[at : at + 1] for at in range(len(whole))], id="byte-by-byte"),
        pytest.param(lambda whole: [whole[:20], whole[20:]], id="within-the-head"),
        pytest.param(lambda whole: [whole[:-1], whole[-1:]], id="before-the-last-byte"),
    ],
)
async def test_reads_an_answer_in_pieces(tmp_path, cut) -> None:
    async with serving(tmp_path, lambda body: cut(answer(body))) as (said, connections):
        assert [await connections.ask(HEAD, b"one"), await connections.ask(HEAD, b"two")] == [b"one", b"two"]
    assert said.connections == 1


async def test_reads_a_chunked_answer(tmp_path) -> None:
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{"\r\n3\r\na"}\r\n0\r\n\r\n'
    async with serving(tmp_path, lambda _body: [chunked]) as (_, connections):
        assert await connections.ask(HEAD, b"{}") == b'{"a"}'


async def test_questions_at_once_get_each_its_own_answer(tmp_path) -> None:
    async with serving(tmp_path, lambda body: [answer(body)]) as (said, connections):
        bodies = [b"%d" % number for number in range(200)]
        assert await asyncio.gather(*(connections.ask(HEAD, body) for body in bodies)) == bodies
    assert said.connections <= 64


@pytest.mark.parametrize(
    ("say", "problem"),
    [
        pytest.param([b"nonsense\r\n\r\n"], "not HTTP", id="not-http"),
        pytest.param([answer(b"{}").replace(b"200", b"500")], "status 500", id="an-error"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n", answer(b"{}")], "status 100", id="an-answer-before-the-answer"),
        pytest.param([answer(b"x" * 1_048_577)], "too large", id="larger-than-an-answer-may-be"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"4000\r\n%s\r\n" % (b"x" * 16384) * 65],
            "too large",
            id="larger-in-chunks",
        ),
    ],
)
async def test_refuses_what_is_no_answer_and_closes(tmp_path, say, problem) -> None:
    replies = [say, [answer(b"{}")]]
    async with serving(tmp_path, lambda _body: replies.pop(0)) as (said, connections):
        with pytest.raises(OpaRefused, match=problem):
            await connections.ask(HEAD, b"{}")
        assert await connections.ask(HEAD, b"{}") == b"{}"
    assert said.connections == 2


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(answer(b"forged"), id="a-second-answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfor", id="a-part-of-one"),
        pytest.param(b"\x00\x01", id="bytes"),
    ],
)
async def test_what_nobody_asked_for_is_no_answer_to_the_next_question(tmp_path, more) -> None:
    replies = [[answer(b"one") + more], [answer(b"two")]]
    async with serving(tmp_path, lambda _body: replies.pop(0)) as (said, connections):
        assert await connections.ask(HEAD, b"{}") == b"one"
        assert await connections.ask(HEAD, b"{}") == b"two"
    assert said.connections == 2


async def test_what_comes_while_nobody_waits_is_no_answer_to_the_next_question(tmp_path) -> None:
    replies = [[answer(b"one"), answer(b"forged")], [answer(b"two")]]
    async with serving(tmp_path, lambda _body: replies.pop(0)) as (said, connections):
        assert await connections.ask(HEAD, b"{}") == b"one"
        await asyncio.sleep(0.05)
        assert await connections.ask(HEAD, b"{}") == b"two"
    assert said.connections == 2


async def test_a_late_answer_is_no_answer_to_the_next_question(tmp_path) -> None:
    async with serving(tmp_path, lambda body: [] if body == b"late" else [answer(body)]) as (said, connections):
        connections._deadline_s = 0.05
        with pytest.raises(TimeoutError):
            await connections.ask(HEAD, b"late")
        connections._deadline_s = 2
        assert await connections.ask(HEAD, b"next") == b"next"
    assert said.connections == 2


async def test_an_answer_to_one_who_left_is_no_answer_to_the_next_question(tmp_path) -> None:
    async with serving(tmp_path, lambda body: [] if body == b"left" else [answer(body)]) as (said, connections):
        leaving = asyncio.ensure_future(connections.ask(HEAD, b"left"))
        await asyncio.sleep(0.05)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert await connections.ask(HEAD, b"next") == b"next"
    assert said.connections == 2


async def test_asks_on_another_connection_where_it_was_told_to_close(tmp_path) -> None:
    async with serving(tmp_path, lambda body: [answer(body, b"Connection: close")]) as (said, connections):
        assert [await connections.ask(HEAD, b"1"), await connections.ask(HEAD, b"2")] == [b"1", b"2"]
    assert said.connections == 2


async def test_waiting_for_a_connection_counts_to_the_deadline(tmp_path) -> None:
    async with serving(tmp_path, lambda _body: []) as (_, connections):
        connections._deadline_s = 0.1
        answers = await asyncio.gather(*(connections.ask(HEAD, b"{}") for _ in range(70)), return_exceptions=True)
    assert {type(each) for each in answers} == {TimeoutError}


async def test_a_connection_that_was_in_use_while_all_were_closed_is_closed_too(tmp_path) -> None:
    async with serving(tmp_path, lambda body: [answer(body)]) as (_, connections):
        asking = asyncio.ensure_future(connections.ask(HEAD, b"1"))
        await asyncio.sleep(0)
        connections.close()
        assert await asking == b"1"
        assert connections._idle == []


async def test_nobody_listens(tmp_path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await OpaConnections(str(tmp_path / "nobody.sock"), deadline_s=1).ask(HEAD, b"{}")
