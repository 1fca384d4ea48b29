# SPDX-License-Identifier: Apache-2.0
"""For each reason to fail a row: what was right, and what differs in one thing from it."""

import json

import pytest

from conformance.answers import AnswerReader
from conformance.case import ANSWERED, Upstream, Want, refused, row
from conformance.judge import Seen, describe, judge
from conformance.wire import Heard

REFUSED = refused(400, "malformed-request", closes=True)
CUT = Want(answered=frozenset({200}), absent=(b"ochre",), cut=True)


def http(status: int, body: bytes = b"", *fields: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d x" % status, *fields, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def error(code: str, status: int = 400, text: str = "") -> bytes:
    return http(status, json.dumps({"error": {"code": code, "message": text}}).encode())


def seen(raw: bytes, *, arrived=None, closed: bool = True, gatehouse: bool = True, handshake=None) -> Seen:
    reader = AnswerReader()
    reader.feed(raw)
    if closed:
        reader.feed(b"")
    heard = Heard(reader=reader, closed=closed, elapsed_s=0, handshake=handshake)
    return Seen(heard=heard, arrived=arrived, gatehouse=gatehouse, mark=b"mark-1")


GOOD = http(200, b"heard mark-1")
ASKED = b"POST /v1/chat/completions HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize(
    ("each", "what", "want"),
    [
        pytest.param(row("x", REFUSED), seen(error("malformed-request"), arrived={}), None, id="refused"),
        pytest.param(row("x", REFUSED), seen(error("malformed-request"), arrived={1: b"abc"}), "3 B arrived", id="refused-but-sent"),
        pytest.param(row("x", REFUSED), seen(error("other")), "refused as other", id="another-code"),
        pytest.param(row("x", REFUSED), seen(error("malformed-request", 401)), "answered 401", id="another-status"),
        pytest.param(row("x", REFUSED), seen(error("malformed-request"), closed=False), "stays open", id="not-closed"),
        pytest.param(row("x", REFUSED), seen(GOOD), "answered 200", id="let-through"),
        pytest.param(row("x", REFUSED), seen(error("malformed-request") + GOOD), "2 answers to 1", id="answered-twice"),
        pytest.param(row("x", REFUSED), seen(b""), "closed without an answer", id="silence-of-ours"),
        pytest.param(row("x", REFUSED), seen(b"", gatehouse=False, arrived={}), None, id="silence-of-another"),
        pytest.param(row("x", REFUSED), seen(b"", gatehouse=False, arrived={1: b"a"}), "1 B arrived", id="silence-but-sent"),
        pytest.param(row("x", REFUSED), seen(b"", closed=False), "no answer in time", id="no-answer"),
        pytest.param(row("x", REFUSED), seen(http(431), gatehouse=False), None, id="another-refusal-of-another"),
        pytest.param(row("x", REFUSED), seen(http(500), gatehouse=False), "answered 500", id="a-failure-of-another"),
        pytest.param(row("x", REFUSED), seen(b"rubbish\r\n\r\n"), "no HTTP", id="rubbish"),
        pytest.param(row("x", ANSWERED), seen(GOOD, arrived={1: ASKED}), None, id="answered"),
        pytest.param(row("x", ANSWERED), seen(http(200, b"heard mark-2")), "lacks", id="the-answer-of-another"),
        pytest.param(row("x", ANSWERED), seen(GOOD, arrived={1: ASKED * 2}), "2 requests", id="smuggled"),
        pytest.param(row("x", ANSWERED), seen(http(200, b"c\r\nheard mark-1\r\n0\r\n\r\n", b"Transfer-Encoding: chunked")), "twice", id="two-lengths"),
        pytest.param(row("x", ANSWERED, upstream=Upstream(absent=(b"X-Y",))), seen(GOOD, arrived={1: b"x-y: 1"}), "'X-Y' arrived", id="a-field-too-many"),
        pytest.param(row("x", ANSWERED, upstream=Upstream(present=(b"<MARK>",))), seen(GOOD, arrived={1: b"x"}), "did not arrive", id="a-body-too-few"),
        pytest.param(row("x", ANSWERED, then=ANSWERED), seen(GOOD + GOOD), None, id="two-in-order"),
        pytest.param(row("x", ANSWERED, then=ANSWERED), seen(GOOD, closed=False), "no answer in time", id="one-of-two"),
        pytest.param(row("x", REFUSED, then=ANSWERED), seen(error("malformed-request")), None, id="refused-and-closed"),
        pytest.param(row("x", CUT, scripted=True), seen(http(200, b'data: {"error": {}}')), None, id="cut-with-an-error"),
        pytest.param(row("x", CUT, scripted=True), seen(http(200, b"data: {}")), "as if it were whole", id="cut-in-silence"),
        pytest.param(row("x", CUT, scripted=True), seen(http(200, b'{"error": "ochre"}')), "it tells 'ochre'", id="leak"),
        pytest.param(row("x", CUT, scripted=True), seen(http(103, b"", b"X: ochre") + http(200, b'"error"')), "it tells", id="leak-before"),
    ],
)  # fmt: skip
def test_a_row_passes_or_says_what_is_wrong(each, what, want):
    problem = judge(each, what)
    assert (want is None and problem is None) or (want is not None and want in (problem or "")), problem


def test_what_was_seen_is_told_in_a_line():
    assert (
        describe(seen(error("malformed-request"), arrived={1: b"abc"})) == "400 malformed-request, closed, 3 B upstream"
    )
    assert describe(seen(b"", closed=False)) == "no answer"
    assert describe(seen(b"", handshake="NO_PROTOCOLS")) == "no TLS (NO_PROTOCOLS), closed"
