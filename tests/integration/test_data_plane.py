# SPDX-License-Identifier: Apache-2.0
"""The data plane as it runs in a worker: our layer and all addons, before an upstream of the test.

What a client reads, what the upstream received, and what was recorded are all that counts here.
"""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from policies.contracts.snapshot import Dialect, Encoding, Modality, Route, UnknownFields
from proxy_addons.core.multipart_form import Field, write_form
from proxy_addons.http1.bounds import Bounds
from tests.layer_rig import Gateway, Respond, answering, error_code, gateway, on_uvloop, status
from tests.unit.proxy_addons.harness import CARD, Harness, active_policy, chat, key_of, key_ring, route
from tests.unit.proxy_addons.harness import plain_answer as plain_body
from tests.unit.proxy_addons.harness import streamed_answer as streamed_body

MARKER = "brown-marmot"
REDACTED = "[redacted:payment-card]"
KEY = key_of("alice")


class Plane:
    """A gateway with the real addons. Every answer that was told must have exactly one terminal record."""

    def __init__(self, gate: Gateway, harness: Harness) -> None:
        self.gate, self.harness = gate, harness

    @property
    def terminal(self) -> list[dict]:
        return [record for record in self.harness.sink.envelopes if record["kind"] == "terminal"]

    async def ask(self, raw: bytes) -> bytes:
        return await self.gate.exchange(raw)

    def only_record(self, answer: bytes) -> dict:
        (record,) = self.terminal
        assert record["request_id"].encode() == re.findall(rb"x-request-id: (\S+)", answer)[0]
        assert record["http"]["status"] == status(answer)
        return record


@asynccontextmanager
async def plane(
    respond: Respond | None = None, *, bounds: Bounds | None = None, routes: Sequence[Route] | None = None
) -> AsyncIterator[Plane]:
    harness = Harness(policy=active_policy(**({} if routes is None else {"routes": tuple(routes)})), keys=key_ring())
    bounds = bounds or Bounds(drain_s=1, head_s=0.3, first_byte_s=0.5, upstream_idle_s=0.3)
    async with gateway(harness.addons, respond or plain(CARD), bounds=bounds) as gate:
        yield Plane(gate, harness)


def raw(
    body: bytes | dict, line: str = "POST /v1/chat/completions HTTP/1.1", fields: Sequence[str] = (), *, key: str = KEY
) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = fields or (f"Content-Length: {len(content)}",)
    head = [line, "Host: gateway.example", f"Authorization: Bearer {key}", "Content-Type: application/json"]
    return "\r\n".join([*head, "Connection: close", *fields]).encode("latin-1") + b"\r\n\r\n" + content


def http(content: bytes, *, head: bytes = b"HTTP/1.1 200 OK", media_type: bytes = b"application/json") -> bytes:
    return b"%s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (head, media_type, len(content), content)


def plain(text: str) -> Respond:
    return answering(http(b"".join(plain_body(text).pieces)))


def event_stream(content: bytes, *, length: int = 0) -> bytes:
    """Return an answer that streams `content` in chunks of `length` bytes, without the chunk that ends it."""
    step = length or len(content)
    pieces = [content[at : at + step] for at in range(0, len(content), step)]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def streamed(text: str, *, length: int = 0) -> Respond:
    return answering(event_stream(b"".join(streamed_body(text).pieces), length=length) + b"0\r\n\r\n")


def said(answer: bytes) -> str:
    """Return the text that a client puts together from a streamed answer."""
    body = b"".join(re.findall(rb"\r\n[0-9a-f]+\r\n(.*?)(?=\r\n[0-9a-f]+\r\n)", answer, flags=re.DOTALL))
    events = [json.loads(line) for line in re.findall(rb"data: (\{.*\})", body)]
    choices = [choice for event in events for choice in event.get("choices", ())]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


@on_uvloop
async def test_a_plain_answer_leaves_redacted_and_recorded():
    async with plane(plain(f"it is {CARD}")) as it:
        answer = await it.ask(raw(chat("hello")))
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["choices"][0]["message"]["content"] == f"it is {REDACTED}"
        record = it.only_record(answer)
        assert (record["outcome"], record["verdict"], record["subject"]["type"]) == ("allow", "redacted", "user")
        (sent,) = it.gate.upstream.requests
        assert KEY.encode() not in sent
        assert record["request_id"].encode() in sent


@pytest.mark.parametrize("length", [1, 7, 100, 0])
@on_uvloop
async def test_a_stream_leaves_redacted_however_it_was_cut(length):
    async with plane(streamed(f"it is {CARD}, yes", length=length)) as it:
        answer = await it.ask(raw(chat("hello", stream=True)))
        assert said(answer) == f"it is {REDACTED}, yes"
        assert answer.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        assert [record["kind"] for record in it.harness.sink.envelopes] == ["admission", "terminal"]
        assert it.only_record(answer)["verdict"] == "redacted"


BODY = json.dumps(chat()).encode()
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
LENGTH = f"Content-Length: {len(BODY)}"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param(raw(CHUNKED, fields=(LENGTH, "Transfer-Encoding: chunked")), "ambiguous-framing", id="two-framings"),
        pytest.param(raw(BODY, fields=(LENGTH, "Content-Length: 5")), "ambiguous-framing", id="two-lengths"),
        pytest.param(raw(BODY, fields=(LENGTH, "X: a\0b")), "malformed-request", id="nul-in-a-field"),
        pytest.param(raw(BODY).replace(b"\r\n", b"\n", 2), "malformed-request", id="bare-line-feeds"),
        pytest.param(b"\x16\x03\x01\x00\xc8" + bytes(200), "malformed-request", id="tls"),
        pytest.param(raw(BODY, fields=(LENGTH, "Upgrade: h2c")), "protocol-not-permitted", id="upgrade"),
        pytest.param(raw(BODY)[:90], "request-timeout", id="half-a-head"),
        pytest.param(raw(BODY, key="gh_x_y"), "credentials-invalid", id="unknown-key"),
        pytest.param(raw(BODY, fields=(LENGTH, "x-api-key: z")), "credentials-ambiguous", id="two-credentials"),
        pytest.param(raw(BODY, "POST /v1/x/../chat/completions HTTP/1.1"), "path-not-canonical", id="dots"),
        pytest.param(raw(BODY, "POST /v1/%63hat/completions HTTP/1.1"), "path-not-canonical", id="escapes"),
        pytest.param(raw(BODY, "POST /v1/embeddings HTTP/1.1"), "route-not-listed", id="no-such-route"),
        pytest.param(raw(b"", "GET /v1/models HTTP/1.1", ("Content-Length: 1",)), "body-not-permitted", id="body-on-get"),
        pytest.param(raw(b"x" * 20_001), "body-too-large", id="large-body"),
        pytest.param(raw(b"5000\r\n" + b" " * 0x5000 + b"\r\n", fields=("Transfer-Encoding: chunked",)), "body-too-large", id="large-chunks"),
        pytest.param(raw(gzip.compress(BODY), fields=("Content-Encoding: gzip", f"Content-Length: {len(gzip.compress(BODY))}")), "encoding-not-permitted", id="gzip"),
        pytest.param(raw(b'{"model":"a","model":"parrot"}'), "body-not-json", id="member-twice"),
        pytest.param(raw(chat(guided_json={})), "field-not-permitted", id="unknown-member"),
        pytest.param(raw(chat(temperature="hot")), "field-invalid", id="wrong-type"),
        pytest.param(raw(chat(model="gpt-4")), "no-applicable-policy", id="model-not-granted"),
        pytest.param(raw(chat(tools=[{"type": "function", "function": {"name": "shell"}}])), "tool-not-permitted", id="guard"),
    ],
)  # fmt: skip
@on_uvloop
async def test_a_refused_request_reaches_nobody_and_is_recorded_once(asked, code):
    async with plane() as it:
        answer = await it.ask(asked)
        assert error_code(answer) == code
        record = it.only_record(answer)
        assert (record["verdict"], record["reasons"][0]["code"]) == ("blocked", code)
        assert it.gate.upstream.received == b""
        assert it.gate.upstream.connections == 0


EVENT = b"".join(streamed_body("well, ").pieces[:2])
TOLD = json.dumps({"error": {"message": MARKER}}).encode()


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(http(TOLD, head=b"HTTP/1.1 500 brown-marmot"), "upstream-error", id="error"),
        pytest.param(http(TOLD, head=b"HTTP/1.1 422 No"), "upstream-refused", id="refusal"),
        pytest.param(http(TOLD, head=b"HTTP/1.1 302 Found\r\nLocation: http://brown-marmot/"), "upstream-invalid", id="redirect"),
        pytest.param(http(MARKER.encode(), media_type=b"text/plain"), "upstream-invalid", id="text"),
        pytest.param(http(gzip.compress(TOLD), head=b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip"), "upstream-invalid", id="gzip"),
        pytest.param(http(b'{"choices": [brown-marmot'), "upstream-invalid", id="no-json"),
        pytest.param(b"brown-marmot\r\n\r\n", "upstream-invalid", id="no-http"),
        pytest.param(http(TOLD)[:-9], "upstream-timeout", id="half-an-answer"),
        pytest.param(b"", "upstream-timeout", id="silence"),
        pytest.param(b"HTTP/1.1 101 Switching\r\nUpgrade: brown-marmot\r\n\r\n", "upstream-invalid", id="upgrade"),
        pytest.param(event_stream(b"data: {brown-marmot\n\n"), "upstream-invalid", id="event-no-json"),
        pytest.param(event_stream(b"data: " + TOLD + b"\n\n"), "upstream-error", id="event-error"),
        pytest.param(event_stream(EVENT) + b"0\r\n\r\n", "upstream-invalid", id="stream-without-end"),
        pytest.param(event_stream(EVENT), "upstream-timeout", id="stream-that-stalls"),
    ],
)  # fmt: skip
@on_uvloop
async def test_what_an_upstream_does_wrong_is_told_in_our_words(sent, code):
    async with plane(answering(sent)) as it:
        answer = await it.ask(raw(chat("hello", stream=True)))
        assert MARKER.encode() not in answer
        assert f'"code":"{code}"'.encode() in answer
        record = it.only_record(answer)
        assert (record["verdict"], record["reasons"][0]["code"]) == (
            "cut" if status(answer) == 200 else "blocked",
            code,
        )


def in_chunks(content: bytes) -> bytes:
    pieces = [content[at : at + 7] for at in range(0, len(content), 7)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def sent_by(request: bytes) -> dict:
    return json.loads(request.partition(b"\r\n\r\n")[2])


@on_uvloop
async def test_a_compressed_body_in_chunks_reaches_the_upstream_plain_and_stripped():
    lenient = route(encodings=(Encoding.GZIP,), unknown_fields=UnknownFields.STRIP)
    fields = ("Content-Encoding: gzip", "Transfer-Encoding: chunked", "x-request-id: run-7", "Connection: close")
    async with plane(routes=[lenient]) as at:
        body = in_chunks(gzip.compress(json.dumps(chat("hi", guided_json={"a": 1})).encode()))
        answer = await at.ask(raw(body, fields=fields))
        (received,) = at.gate.upstream.requests
        assert (status(answer), sent_by(received)) == (200, chat("hi"))
        assert b"content-encoding" not in received.lower()
        assert b"x-client-request-id: run-7" in received
        assert b"x-client-request-id: run-7" in answer
        assert at.only_record(answer)["coverage"]["stripped"] == 1


@on_uvloop
async def test_a_bomb_is_refused_and_reaches_nobody():
    bomb = gzip.compress(b" " * 10_000_000)
    fields = ("Content-Encoding: gzip", f"Content-Length: {len(bomb)}", "Connection: close")
    async with plane(routes=[route(encodings=(Encoding.GZIP,))]) as at:
        answer = await at.ask(raw(bomb, fields=fields))
        assert (status(answer), error_code(answer)) == (413, "body-too-large")
        assert at.gate.upstream.requests == []
        at.only_record(answer)


@on_uvloop
async def test_a_form_reaches_the_upstream_with_a_boundary_and_a_file_name_of_ours():
    media_type, form = write_form(
        [Field(name="model", text="parrot"), Field(name="file", content=b"OggS sound", media_type="audio/ogg")],
        file_name="../a.ogg",
        file_type="audio/ogg",
    )
    heard = answering(http(b'{"text":"hello"}'))
    async with plane(heard, routes=[route(Dialect.TRANSCRIPTIONS, allow_uncovered=(Modality.AUDIO,))]) as at:
        asked = raw(
            form, "POST /v1/audio/transcriptions HTTP/1.1", (f"Content-Length: {len(form)}", "Connection: close")
        )
        answer = await at.ask(asked.replace(b"application/json", media_type))
        (received,) = at.gate.upstream.requests
        assert (status(answer), json.loads(answer.partition(b"\r\n\r\n")[2])) == (200, {"text": "hello"})
        assert b"Content-Type: multipart/form-data; boundary=" in received
        assert b'filename="audio.ogg"' in received
        assert b"../a.ogg" not in received


@on_uvloop
async def test_an_answer_brings_no_field_of_the_upstream():
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: brown-marmot\r\nServer: brown-marmot\r\nx-request-id: brown-marmot"
    async with plane(answering(http(b"".join(plain_body("hi").pieces), head=head))) as it:
        answer = await it.ask(raw(chat("hello")))
    assert status(answer) == 200
    assert MARKER.encode() not in answer


@on_uvloop
async def test_requests_on_one_connection_are_recorded_one_by_one():
    asked = [raw(chat("hello")), raw(chat(model="gpt-4")), raw(b"{}"), raw(chat("again"))]
    kept = b"".join(one.replace(b"Connection: close\r\n", b"") for one in asked[:-1]) + asked[-1]
    async with plane() as it:
        answer = await it.ask(kept)
        ids = [found.decode() for found in re.findall(rb"x-request-id: (\S+)", answer)]
        assert [record["request_id"] for record in it.terminal] == ids
        assert [record["http"]["status"] for record in it.terminal] == [200, 403, 400, 200]
        assert len(it.gate.upstream.requests) == 2


@on_uvloop
async def test_a_client_that_leaves_a_stream_is_recorded_as_cut():
    async with plane(answering(event_stream(EVENT)), bounds=Bounds(drain_s=1)) as it:
        reader, writer = await it.gate.connect()
        writer.write(raw(chat("hello", stream=True)))
        await reader.readuntil(b"well")
        writer.close()
        await asyncio.wait_for(it.gate.upstream.closed.wait(), 2)
        async with asyncio.timeout(2):
            while not it.terminal:
                await asyncio.sleep(0.01)
        (record,) = it.terminal
        assert (record["verdict"], record["reasons"][0]["code"]) == ("cut", "client-disconnected")


@pytest.mark.parametrize("stream", [False, True])
@on_uvloop
async def test_what_cannot_be_recorded_is_refused_until_it_can(stream):
    text = f"{MARKER} {CARD}"
    async with plane(streamed(text) if stream else plain(text)) as it:
        it.harness.sink.full = True
        answer = await it.ask(raw(chat("hello", stream=stream)))
        assert (status(answer), error_code(answer)) == (503, "record-unavailable")
        assert MARKER.encode() not in answer
        it.harness.sink.full = False
        answer = await it.ask(raw(chat("hello", stream=stream)))
        assert it.only_record(answer)["verdict"] == "redacted"


@on_uvloop
async def test_a_stream_ends_under_the_policy_it_began_with():
    goes_on = asyncio.Event()

    async def respond(upstream, reader, writer):
        await upstream.read_request(reader)
        begun, rest = streamed_body(CARD).pieces[:1], streamed_body(CARD).pieces[1:]
        writer.write(event_stream(b"".join(begun)))
        await goes_on.wait()
        writer.write(event_stream(b"".join(rest)).partition(b"\r\n\r\n")[2] + b"0\r\n\r\n")
        await reader.read()

    async with plane(respond, bounds=Bounds(drain_s=1)) as it:
        asking = asyncio.create_task(it.ask(raw(chat("hello", stream=True))))
        async with asyncio.timeout(2):
            while not it.harness.sink.records:
                await asyncio.sleep(0.01)
        it.harness.feed.swap(active_policy(serial=8, redactions=()))
        assert error_code(await it.ask(raw(chat(model="gpt-4")))) == "no-applicable-policy"
        assert it.harness.released == []
        goes_on.set()
        assert said(await asyncio.wait_for(asking, 2)) == REDACTED
        assert [record["serial"] for record in it.terminal] == [8, 7]
        assert it.harness.released == [7]
