# SPDX-License-Identifier: Apache-2.0
"""A turn's beginning, and what its flow says of an upstream's head."""

from datetime import UTC, datetime

import pytest
from mitmproxy.connection import Client, Server

from policies.contracts.decision import Decision, Effect, Reason
from proxy_addons.core.exchange import EXCHANGE
from proxy_addons.core.framing import RequestParser
from proxy_addons.http1.admission import Admission
from proxy_addons.http1.bounds import Bounds
from proxy_addons.http1.hooks import HookTable
from proxy_addons.http1.turn import Terms, Turn, begin, examinable, is_event_stream, upstream_response
from tests.sans_io import ORIGIN

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def turn(head: bytes | None) -> Turn:
    parsed = None
    if head is not None:
        parser = RequestParser()
        parser.receive(head + b"\r\n\r\n")
        parsed = parser.next_event()
    terms = Terms(
        bounds=Bounds(),
        admission=Admission(1),
        hooks=HookTable([]),
        origin=ORIGIN,
        utc_now=lambda: NOW,
        monotonic_ns=lambda: 5,
        parting=lambda: False,
        draining=lambda: False,
    )
    client = Client(peername=("192.0.2.1", 1), sockname=("192.0.2.2", 2), timestamp_start=0.0)
    return begin(parsed, client, Server(address=("h", 1)), terms=terms, started_ns=3)


def test_a_flow_has_the_request_as_it_came_and_the_upstream_of_the_settings():
    begun = turn(b"POST /v1/x?a=b HTTP/1.1\r\nHost: other.example\r\nX: y\r\nContent-Length: 3")
    asked = begun.flow.request
    assert (asked.method, asked.data.path, asked.headers["x"]) == ("POST", b"/v1/x?a=b", "y")
    assert (asked.host, asked.port, asked.scheme) == ("upstream.example", 80, "http")
    exchange = begun.flow.metadata[EXCHANGE]
    assert (exchange.started_ns, exchange.received_at, begun.flow.id) == (3, NOW, exchange.request_id)


@pytest.mark.parametrize(
    ("head", "want"),
    [
        (b"GET / HTTP/1.1\r\nHost: a", (True, True, False)),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close", (True, False, True)),
        (b"GET / HTTP/1.0\r\nHost: a", (False, False, False)),
        (None, (True, False, False)),
    ],
)
def test_how_an_answer_is_framed_is_known_from_the_head(head, want):
    begun = turn(head)
    assert (begun.modern, begun.keep_alive, begun.to_head_request) == want


@pytest.mark.parametrize(
    ("effect", "refusal", "want"),
    [
        (Effect.ALLOW, None, True),
        (Effect.DENY, None, False),
        (None, None, False),
        (Effect.ALLOW, Reason(code="rate-limited"), False),
    ],
)
def test_only_a_decision_that_allows_and_no_refusal_beside_it_allows(effect, refusal, want):
    begun = turn(None)
    if effect is not None:
        begun.exchange.decision = Decision(effect=effect, reasons=(), obligations=(), revision="r")
    begun.exchange.refusal = refusal
    assert begun.allowed is want


def test_an_answer_is_known_by_status_and_media_type_alone():
    answer = upstream_response(200, ((b"server", b"secret/1"), (b"content-type", b"a/b"), (b"x", b"y")), unix_s=1.0)
    assert (answer.status_code, answer.headers.fields) == (200, ((b"Content-Type", b"a/b"),))


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ((), True),
        (((b"content-encoding", b"Identity"),), True),
        (((b"content-encoding", b"gzip"),), False),
        (((b"content-encoding", b"identity"), (b"content-encoding", b"identity")), False),
        (((b"content-type", b"a/b"), (b"content-type", b"text/event-stream")), False),
    ],
)
def test_what_is_compressed_or_of_two_types_cannot_be_examined(fields, want):
    assert examinable(fields) is want


@pytest.mark.parametrize(
    ("media_type", "want"),
    [(b"Text/Event-Stream; charset=utf-8", True), (b" text/event-stream", True), (b"application/json", False)],
)
def test_an_event_stream_is_known_however_it_is_written(media_type, want):
    assert is_event_stream(upstream_response(200, ((b"content-type", media_type),), unix_s=1.0)) is want
