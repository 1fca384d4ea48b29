# SPDX-License-Identifier: Apache-2.0
"""Bodies that come slowly, break off, or never end: each at the ASGI interface, message by message."""

import asyncio

import pytest
from starlette.requests import Request

from inference.api import body
from inference.api.errors import RequestRefused


def request(*messages, headers=((b"content-type", b"application/json"),)) -> Request:
    """A request whose body arrives in these messages; after the last of them nothing comes any more."""
    left = iter(messages)

    async def receive():
        if (message := next(left, None)) is None:
            await asyncio.Event().wait()
        return message

    return Request({"type": "http", "method": "POST", "headers": list(headers)}, receive)


def chunk(content: bytes, *, more: bool) -> dict:
    return {"type": "http.request", "body": content, "more_body": more}


async def refused(asked: Request) -> tuple[int, str]:
    with pytest.raises(RequestRefused) as told:
        await body.read_json_body(asked)
    return told.value.refusal.status, told.value.refusal.code


async def test_a_body_in_pieces_is_whole():
    assert await body.read_json_body(request(chunk(b'{"a"', more=True), chunk(b":1}", more=False))) == b'{"a":1}'


async def test_a_body_that_stops_coming_is_given_up(monkeypatch):
    monkeypatch.setattr(body, "BODY_TIMEOUT_S", 0.05)
    assert await refused(request(chunk(b"{", more=True))) == (408, "body_timeout")


async def test_a_body_that_breaks_off_is_given_up():
    assert await refused(request(chunk(b"{", more=True), {"type": "http.disconnect"})) == (400, "incomplete_body")


async def test_a_body_without_a_length_is_given_up_where_it_is_too_large():
    endless = (chunk(b" " * 65_536, more=True) for _ in range(1_000_000))
    assert await refused(request(*[next(endless) for _ in range(65)])) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("length", "want"),
    [
        pytest.param(str(body.MOST_BODY_BYTES + 1).encode(), (413, "body_too_large"), id="one-byte-too-many"),
        pytest.param(b"9" * 30, (413, "body_too_large"), id="beyond-any-disk"),
    ],
)
async def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(length, want):
    headers = ((b"content-type", b"application/json"), (b"content-length", length))
    assert want == await refused(request(headers=headers))


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param((), "unsupported_media_type", id="no-type"),
        pytest.param(((b"content-type", b"text/plain"),), "unsupported_media_type", id="text"),
        pytest.param(((b"content-type", b"multipart/form-data; boundary=x"),), "unsupported_media_type", id="a-form"),
        pytest.param(
            ((b"content-type", b"application/json"), (b"content-encoding", b"gzip")), "unsupported_encoding", id="gzip"
        ),
    ],
)
async def test_what_is_not_plain_json_is_refused_by_its_head(headers, code):
    assert await refused(request(headers=headers)) == (415, code)
