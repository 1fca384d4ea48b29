# SPDX-License-Identifier: Apache-2.0
"""One request run over an application, as a replica does it."""

import asyncio
from contextlib import aclosing

from inference.cluster.exchange import Asked, answer

ASKED = Asked(method="POST", path="/v1/x", query=b"a=1", headers=((b"content-type", b"text/plain"),), body=b"hello")
START = {"type": "http.response.start", "status": 200, "headers": []}


def piece(text: bytes, *, more: bool = True) -> dict[str, object]:
    return {"type": "http.response.body", "body": text, "more_body": more}


async def test_the_application_gets_the_request_and_its_messages_come_in_order():
    async def echo(scope, receive, send):
        request = await receive()
        await send(START)
        told = (scope["method"], scope["path"], scope["query_string"], scope["headers"], request["body"])
        await send(piece(repr(told).encode()))
        await send(piece(b"", more=False))

    messages = [message async for batch in answer(echo, ASKED) for message in batch]
    told = repr(("POST", "/v1/x", b"a=1", [(b"content-type", b"text/plain")], b"hello")).encode()
    assert [START, piece(told), piece(b"", more=False)] == messages


async def test_what_has_gathered_goes_in_one_piece_and_what_has_not_goes_at_once():
    go_on = asyncio.Event()

    async def application(_, __, send):
        await send(START)
        await send(piece(b"1"))
        await go_on.wait()
        await send(piece(b"2", more=False))

    batches = answer(application, ASKED)
    assert [START, piece(b"1")] == await anext(batches)
    go_on.set()
    assert [[piece(b"2", more=False)]] == [batch async for batch in batches]


async def test_an_application_that_fails_in_the_middle_ends_without_a_last_message():
    async def application(_, __, send):
        await send(START)
        raise ValueError("of what the client sent")

    assert [batch async for batch in answer(application, ASKED)] == [[START]]


async def test_closing_it_tells_the_application_that_its_client_has_left():
    ended: list[str] = []

    async def application(_, receive, send):
        await receive()
        await send(START)
        try:
            await receive()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async with aclosing(answer(application, ASKED)) as batches:
        await anext(batches)
        assert ended == []
    assert ended == ["cancelled"]


async def test_one_that_ignores_cancellation_still_hears_of_the_disconnect():
    heard: list[str] = []

    async def application(_, receive, send):
        await receive()
        await send(START)
        while not heard:
            try:
                heard.append((await receive())["type"])
            except asyncio.CancelledError:
                continue

    async with aclosing(answer(application, ASKED)) as batches:
        await anext(batches)
    assert heard == ["http.disconnect"]
