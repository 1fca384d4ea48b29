# SPDX-License-Identifier: Apache-2.0
"""The bytes we write, to both sides."""

from types import SimpleNamespace

import pytest
from mitmproxy import http

from proxy_addons.http1 import wire


def response(status: int = 200, fields=((b"Content-Type", b"application/json"),), content: bytes = b"{}"):
    return http.Response(b"HTTP/1.1", status, b"", http.Headers(fields), content, None, 0.0, None)


def whole(answer: http.Response, *, keep_alive: bool = True, to_head_request: bool = False) -> bytes:
    return wire.whole_answer(answer, request_id="req_1", keep_alive=keep_alive, to_head_request=to_head_request)


def test_an_answer_has_our_framing_whatever_an_addon_wrote():
    written = [(b"content-length", b"99"), (b"Transfer-Encoding", b"chunked"), (b"Server", b"x"), (b"X-A", b"b")]
    head, _, body = whole(response(fields=written)).partition(b"\r\n\r\n")
    names = [line.partition(b":")[0] for line in head.split(b"\r\n")[1:]]
    assert names == [b"X-A", b"x-request-id", b"Date", b"Content-Length"]
    assert b"Content-Length: 2" in head
    assert body == b"{}"


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_has_no_length(status):
    answer = whole(response(status))
    assert b"Content-Length" not in answer
    assert answer.endswith(b"\r\n\r\n")


def test_the_answer_to_head_says_the_length_and_has_no_body():
    answer = whole(response(), to_head_request=True)
    assert b"\r\nContent-Length: 2\r\n\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(("keep_alive", "said"), [(True, False), (False, True)])
def test_the_last_answer_of_a_connection_says_so(keep_alive, said):
    assert (b"Connection: close\r\n" in whole(response(), keep_alive=keep_alive)) is said


@pytest.mark.parametrize(
    "field",
    [
        pytest.param((b"x-a", b"b\r\nSet-Cookie: c=d"), id="line-end-in-value"),
        pytest.param((b"x-a", b"b\nc"), id="bare-line-feed"),
        pytest.param((b"x-a", b"b\x00"), id="nul"),
        pytest.param((b"x a", b"b"), id="space-in-name"),
        pytest.param((b"x-a: b\r\nx-c", b"d"), id="line-end-in-name"),
        pytest.param((b"", b"b"), id="no-name"),
    ],
)
def test_a_field_that_would_end_its_line_is_not_written(field):
    with pytest.raises(wire.UnsafeField):
        whole(response(fields=[field]))


def test_nothing_is_no_chunk():
    assert wire.chunk(b"") == b""
    assert wire.chunk(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"


def test_a_status_unknown_to_the_standard_has_no_phrase():
    assert whole(response(499)).startswith(b"HTTP/1.1 499 \r\n")


@pytest.mark.parametrize("parent", [b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", b"broken", None])
def test_a_trace_state_goes_upstream_only_beside_a_valid_parent(parent):
    given = [] if parent is None else [(b"traceparent", parent)]
    request = http.Request.make("GET", "http://a/v1/models", b"", http.Headers([*given, (b"tracestate", b"a=1")]))
    origin = SimpleNamespace(host_field=b"a", api_key=None)
    sent = wire.upstream_request(request, origin, "req_1")
    assert (b"\r\ntracestate: a=1\r\n" in sent) is (parent is not None and parent.startswith(b"00-"))
