# SPDX-License-Identifier: Apache-2.0
"""What reaches the model never has what a rule for requests forbids: in no field, no dialect, however the body arrives."""

import asyncio
import copy
import gzip
import json
from typing import Any

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import (
    Dialect,
    Direction,
    EmbeddingInputs,
    Encoding,
    Modality,
    RedactionAction,
    RedactionPolicy,
    RedactionRule,
    UnknownFields,
)
from proxy_addons.core.multipart_form import Field, write_form
from proxy_addons.http1.bounds import Bounds
from tests.integration.test_data_plane import http, in_chunks, raw, sent_by
from tests.layer_rig import answering, error_code, gateway, on_uvloop, status
from tests.streams import CARD, EMAIL
from tests.unit.proxy_addons.core.test_request_walk import BODIES, planted, strings
from tests.unit.proxy_addons.harness import Harness, active_policy, chat, key_ring, plain_answer, route, streamed_answer

PATHS = {
    Dialect.CHAT: "/v1/chat/completions",
    Dialect.COMPLETIONS: "/v1/completions",
    Dialect.RESPONSES: "/v1/responses",
    Dialect.EMBEDDINGS: "/v1/embeddings",
}
ANSWERS = {
    Dialect.CHAT: plain_answer("done").pieces[0],
    Dialect.COMPLETIONS: json.dumps({"choices": [{"index": 0, "text": "done", "finish_reason": "stop"}]}).encode(),
    Dialect.RESPONSES: json.dumps(
        {"id": "resp_1", "object": "response", "status": "completed", "model": "parrot", "output": []}
    ).encode(),
    Dialect.EMBEDDINGS: json.dumps(
        {"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "usage": {}}
    ).encode(),
}
# Of these the reader takes only what is of its form, so that nothing can be planted there and pass.
CLOSED = {"name", "tool_calls", "tool_call_id"}
LENIENT = {"unknown_fields": UnknownFields.PASS, "allow_fields": ("metadata",), "encodings": (Encoding.GZIP,)}


def harness(*, reversible: bool = False, **options: Any) -> Harness:
    rule = RedactionRule(
        id="prompts",
        detectors=("email", "payment-card"),
        action=RedactionAction.REPLACE,
        directions=(Direction.REQUEST,),
        reversible=reversible,
    )
    policy = RedactionPolicy(
        id="prompts",
        version="1",
        mode=Mode.ENFORCE,
        operations=(),
        models=(),
        rules=(rule,),
        embeddings=EmbeddingInputs.REDACT,
    )
    routes = (
        *(route(dialect, **LENIENT) for dialect in PATHS),
        route(Dialect.TRANSCRIPTIONS, allow_uncovered=(Modality.AUDIO,)),
    )
    return Harness(policy=active_policy(redactions=(policy,), routes=routes, **options), keys=key_ring())


def bounds() -> Bounds:
    return Bounds(drain_s=1, head_s=2, first_byte_s=2, upstream_idle_s=2)


def asked(dialect: Dialect) -> dict[str, Any]:
    body = {**copy.deepcopy(BODIES[dialect]), "model": "parrot"}
    for message in body.get("messages", ()):
        message.pop("reasoning_content", None)
    for item in body["input"] if dialect is Dialect.RESPONSES else ():
        for thought in item["content"] if item.get("type") == "reasoning" else ():
            thought["type"] = "reasoning_text"  # the reader takes no part without its type
    return body


PLACES = [
    pytest.param(dialect, path, id=f"{dialect.value}:{'.'.join(map(str, path))}")
    for dialect in PATHS
    for path in strings(asked(dialect))
    if "id" not in path and path[-1] != "name" and path[-1] not in CLOSED
]


@pytest.mark.parametrize(("dialect", "path"), PLACES)
@on_uvloop
async def test_a_secret_in_any_field_never_reaches_the_model(dialect, path):
    body = planted(asked(dialect), path, EMAIL)
    sender = harness()
    async with gateway(sender.addons, answering(http(ANSWERS[dialect])), bounds=bounds()) as gate:
        answer = await gate.exchange(raw(body, f"POST {PATHS[dialect]} HTTP/1.1"))
        received = b"".join(gate.upstream.requests)
    assert status(answer) == 200, answer
    assert EMAIL.encode() not in received
    assert b"[redacted:email]" in received
    (record,) = [said for said in sender.sink.envelopes if said["kind"] == "terminal"]
    assert record["verdict"] == "redacted"
    assert EMAIL not in json.dumps(record)


@pytest.mark.parametrize("arrives", ["whole", "chunked", "compressed", "escaped", "byte by byte"])
@on_uvloop
async def test_however_the_body_arrives_the_model_gets_the_same(arrives):
    plain = json.dumps(chat(f"to {EMAIL} {CARD}")).encode()
    fields: tuple[str, ...] = ()
    match arrives:
        case "chunked":
            fields, content = ("Transfer-Encoding: chunked",), in_chunks(plain)
        case "compressed":
            content = gzip.compress(plain)
            fields = ("Content-Encoding: gzip", f"Content-Length: {len(content)}")
        case "escaped":
            content = plain.replace(b"@", b"\\u0040").replace(b"4111", b"\\u0034111")
        case _:
            content = plain
    asked_for = raw(content, fields=fields)
    async with gateway(harness().addons, answering(http(ANSWERS[Dialect.CHAT])), bounds=bounds()) as gate:
        reader, writer = await gate.connect()
        step = 1 if arrives == "byte by byte" else len(asked_for)
        for at in range(0, len(asked_for), step):
            writer.write(asked_for[at : at + step])
            await writer.drain()
            await asyncio.sleep(0)
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        (received,) = gate.upstream.requests
    assert status(answer) == 200
    assert sent_by(received) == chat("to [redacted:email] [redacted:payment-card]")


@on_uvloop
async def test_the_prompt_of_a_transcription_is_redacted():
    fields = [
        Field(name="model", text="parrot"),
        Field(name="prompt", text=f"names: {EMAIL}"),
        Field(name="file", content=b"OggS sound", media_type="audio/ogg"),
    ]
    media_type, form = write_form(fields, file_name="a.ogg", file_type="audio/ogg")
    asked_for = raw(form, "POST /v1/audio/transcriptions HTTP/1.1").replace(b"application/json", media_type)
    sender = harness()
    async with gateway(sender.addons, answering(http(b'{"text":"hello"}')), bounds=bounds()) as gate:
        answer = await gate.exchange(asked_for)
        (received,) = gate.upstream.requests
    assert status(answer) == 200
    assert EMAIL.encode() not in received
    assert b"names: [redacted:email]" in received
    assert b"OggS sound" in received
    assert {"path": "request.file", "reason": "audio"} in sender.sink.envelopes[0]["coverage"]["not_scanned"]


@on_uvloop
async def test_an_embedding_of_a_changed_input_says_so():
    async with gateway(harness().addons, answering(http(ANSWERS[Dialect.EMBEDDINGS])), bounds=bounds()) as gate:
        answer = await gate.exchange(raw({"model": "parrot", "input": [EMAIL, CARD]}, "POST /v1/embeddings HTTP/1.1"))
    assert (status(answer), b"\r\ngatehouse-redacted: 2\r\n" in answer.lower()) == (200, True)


@pytest.mark.parametrize("length", [1, 3, 7, 1000])
@on_uvloop
async def test_values_come_back_however_the_stream_is_cut(length):
    sender = harness(reversible=True)
    content = b"".join(streamed_answer("I wrote to [EMAIL-1], [EMAIL-2].").pieces)
    pieces = [content[at : at + length] for at in range(0, len(content), length)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with gateway(sender.addons, answering(head + chunks), bounds=bounds()) as gate:
        answer = await gate.exchange(raw(chat(f"write to {EMAIL}", stream=True)))
        (received,) = gate.upstream.requests
    assert sent_by(received)["messages"][0]["content"] == "write to [EMAIL-1]"
    assert EMAIL.encode() in answer
    assert b"[EMAIL-2]" in answer
    await asyncio.sleep(0)
    assert EMAIL.encode() not in b"".join(said.envelope + said.payload for said in sender.sink.records)


@on_uvloop
async def test_an_error_of_the_upstream_that_repeats_the_prompt_tells_nothing_of_it():
    error = json.dumps({"error": {"message": f"cannot parse: {EMAIL}"}}).encode()
    failing = answering(http(error, head=b"HTTP/1.1 400 Bad Request"))
    async with gateway(Harness(policy=active_policy(), keys=key_ring()).addons, failing, bounds=bounds()) as gate:
        answer = await gate.exchange(raw(chat(EMAIL)))
    assert (status(answer), error_code(answer)) == (400, "upstream-refused")
    assert EMAIL.encode() not in answer
