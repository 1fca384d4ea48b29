# SPDX-License-Identifier: Apache-2.0
"""The recording upstream: it answers, it keeps what arrives, and it plays what it is asked for."""

import json
import socket
import threading

import httpx
import pytest

from conformance.recorder import LocalRecorder, RemoteRecorder, joined, requests_in
from conformance.scripts import LEAK
from conformance.upstream import RecordingUpstream, log_server


@pytest.fixture
def upstream():
    with RecordingUpstream(0) as running:
        yield running


def raw_exchange(upstream: RecordingUpstream, raw: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", upstream.port), timeout=5) as client:
        client.sendall(raw)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def post(upstream: RecordingUpstream, path: str = "/v1/chat/completions", **body) -> httpx.Response:
    with httpx.Client(trust_env=False) as client:
        return client.post(f"http://127.0.0.1:{upstream.port}{path}", json=body, timeout=5)


def saying(text: str, **more):
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def test_it_repeats_what_it_heard(upstream):
    assert post(upstream, **saying("hello")).json()["choices"][0]["message"]["content"] == "heard hello"
    assert post(upstream, "/v1/completions", prompt="hello").json()["choices"][0]["text"] == "heard hello"
    lines = [line for line in post(upstream, **saying("hello", stream=True)).text.split("\n\n") if line]
    deltas = [json.loads(line.removeprefix("data: "))["choices"][0]["delta"] for line in lines[:-1]]
    assert "".join(delta.get("content", "") for delta in deltas) == "heard hello"
    assert lines[-1] == "data: [DONE]"


def test_it_repeats_what_it_heard_as_a_response(upstream):
    for given in ("hello", [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}]):
        told = post(upstream, "/v1/responses", input=given).json()
        assert told["output"][0]["content"][0]["text"] == "heard hello"
        blocks = post(upstream, "/v1/responses", input=given, stream=True).text.split("\n\n")[:-1]
        events = [json.loads(block.partition("\ndata: ")[2]) for block in blocks]
        assert "".join(each.get("delta", "") for each in events) == "heard hello"
        assert events[-1]["response"]["output"] == told["output"]


def test_it_plays_the_script_that_a_prompt_names(upstream):
    answer = post(upstream, **saying("script: cookies mark-1"))
    assert (answer.headers["set-cookie"].encode().count(LEAK), "mark-1" in answer.text) == (2, True)
    assert post(upstream, **saying("script: no-such-script")).status_code == 200


@pytest.mark.parametrize(
    "raw", [b"\x16\x03\x01", b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET"]
)
def test_it_keeps_what_it_cannot_read(upstream, raw):
    before = upstream.log.position()
    raw_exchange(upstream, raw)
    assert b"".join(joined(upstream.log.since(before)).values()) == raw


@pytest.mark.parametrize("body", [b"[" * 100_000, b"nonsense", b'{"messages": []}', b"[]"])
def test_a_body_that_it_does_not_understand_is_answered(upstream, body):
    answer = raw_exchange(
        upstream, b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_requests_on_one_connection_are_counted(upstream):
    one = b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"
    before = upstream.log.position()
    raw_exchange(upstream, one + one)
    arrived = joined(upstream.log.since(before))
    assert (len(arrived), requests_in(arrived)) == (1, 2)


def test_the_log_is_told_to_another_process_as_it_is(upstream):
    local = LocalRecorder(upstream.log)
    with log_server(upstream.log, 0) as pages:
        thread = threading.Thread(target=pages.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        remote = RemoteRecorder(f"http://127.0.0.1:{pages.server_address[1]}")
        before = remote.position()
        raw_exchange(upstream, b"\xff\x00 bytes")
        assert remote.since(before) == local.since(before) != []
        assert remote.position() == local.position()
        remote.close()
        pages.shutdown()
        thread.join()
