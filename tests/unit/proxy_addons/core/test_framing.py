# SPDX-License-Identifier: Apache-2.0
"""Requests from bytes: what is taken, what is refused and why, and that no cut of the bytes changes either."""

import base64
import gzip
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_addons.core.framing import (
    MAX_FIELDS,
    MAX_HEAD_BYTES,
    BodyPiece,
    Fault,
    RequestEnd,
    RequestHead,
    RequestParser,
)

HOST = b"Host: a\r\n"
POST = b"POST /v1/x HTTP/1.1\r\n" + HOST


def read(raw: bytes, *, cuts: tuple[int, ...] = ()) -> list[object]:
    """Return the events of `raw`, delivered in pieces; adjoining body pieces are one."""
    parser, events = RequestParser(), []
    edges = [0, *sorted(cut % (len(raw) + 1) for cut in cuts), len(raw)]
    for start, end in itertools.pairwise(edges):
        parser.receive(raw[start:end])
        while (event := parser.next_event()) is not None:
            if events and isinstance(event, BodyPiece) and isinstance(events[-1], BodyPiece):
                event = BodyPiece(events.pop().content + event.content)
            events.append(event)
    return events


def chunked(body: bytes) -> bytes:
    return POST + b"Transfer-Encoding: chunked\r\n\r\n" + body


TAKEN = {
    "no-body": b"GET /v1/models?limit=1 HTTP/1.1\r\n" + HOST + b"\r\n",
    "length": POST + b"Content-Length: 3\r\n\r\nabc",
    "chunks": chunked(b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"),
    "chunk-extension": chunked(b"3;a=b\r\nabc\r\n0\r\n\r\n"),
    "length-with-zeros": POST + b"Content-Length: 003\r\n\r\nabc",
    "two-in-a-row": POST + b"Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "host-with-port": b"GET / HTTP/1.1\r\nHost: a.example:8443\r\n\r\n",
    "host-with-the-last-port": b"GET / HTTP/1.1\r\nHost: a:65535\r\n\r\n",
    "host-address-of-two-kinds": b"GET / HTTP/1.1\r\nHost: [::ffff:192.0.2.1]\r\n\r\n",
    "host-address": b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
    "old": b"GET / HTTP/1.0\r\n" + HOST + b"\r\n",
    "expects": POST + b"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
}

REFUSED = {
    "length-and-coding": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "ambiguous-framing"),
    "differing-lengths": (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n", "ambiguous-framing"),
    "repeated-length": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\n", "ambiguous-framing"),
    "signed-length": (POST + b"Content-Length: +3\r\n\r\n", "ambiguous-framing"),
    "negative-length": (POST + b"Content-Length: -3\r\n\r\n", "ambiguous-framing"),
    "list-of-lengths": (POST + b"Content-Length: 3, 3\r\n\r\n", "ambiguous-framing"),
    "hexadecimal-length": (POST + b"Content-Length: 0x3\r\n\r\n", "ambiguous-framing"),
    "length-with-space": (POST + b"Content-Length: 1 2\r\n\r\n", "ambiguous-framing"),
    "empty-length": (POST + b"Content-Length:\r\n\r\n", "ambiguous-framing"),
    "other-coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n", "ambiguous-framing"),
    "two-codings": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n", "ambiguous-framing"),
    "coding-twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "ambiguous-framing"),
    "coding-with-control-byte": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n", "malformed-request"),
    "coding-of-old": (b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n", "ambiguous-framing"),
    "bare-lf": (b"GET / HTTP/1.1\nHost: a\n\n", "malformed-request"),
    "bare-cr": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\rc\r\n\r\n", "malformed-request"),
    "nul": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\x00c\r\n\r\n", "malformed-request"),
    "folded": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n", "malformed-request"),
    "space-before-colon": (b"GET / HTTP/1.1\r\n" + HOST + b"A : b\r\n\r\n", "malformed-request"),
    "empty-name": (b"GET / HTTP/1.1\r\n" + HOST + b": b\r\n\r\n", "malformed-request"),
    "no-colon": (b"GET / HTTP/1.1\r\n" + HOST + b"A\r\n\r\n", "malformed-request"),
    "leading-line": (b"\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n", "malformed-request"),
    "no-host": (b"GET / HTTP/1.1\r\n\r\n", "malformed-request"),
    "empty-host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", "malformed-request"),
    "two-hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "malformed-request"),
    "host-with-no-such-port": (b"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", "malformed-request"),
    "host-with-colons-alone": (b"GET / HTTP/1.1\r\nHost: [:::::]\r\n\r\n", "malformed-request"),
    "host-address-of-9-groups": (b"GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7:8:9]\r\n\r\n", "malformed-request"),
    "host-old-address-in-brackets": (b"GET / HTTP/1.1\r\nHost: [192.0.2.1]\r\n\r\n", "malformed-request"),
    "host-with-path": (b"GET / HTTP/1.1\r\nHost: a/?\r\n\r\n", "malformed-request"),
    "host-with-userinfo": (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "malformed-request"),
    "http-2-preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "protocol-not-permitted"),
    "http-0.9": (b"GET /\r\n", "protocol-not-permitted"),
    "http-1.2": (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", "protocol-not-permitted"),
    "lower-case-version": (b"GET / http/1.1\r\n" + HOST + b"\r\n", "malformed-request"),
    "two-spaces": (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", "malformed-request"),
    "tunnel": (b"CONNECT a:443 HTTP/1.1\r\n" + HOST + b"\r\n", "protocol-not-permitted"),
    "trace": (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", "protocol-not-permitted"),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", "protocol-not-permitted"),
    "absolute": (b"GET http://b/ HTTP/1.1\r\n" + HOST + b"\r\n", "protocol-not-permitted"),
    "fragment": (b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n", "malformed-request"),
    "not-ascii-target": (b"GET /\xc3\xa4 HTTP/1.1\r\n" + HOST + b"\r\n", "malformed-request"),
    "upgrade": (b"GET / HTTP/1.1\r\n" + HOST + b"Upgrade: websocket\r\n\r\n", "protocol-not-permitted"),
    "other-expectation": (POST + b"Expect: 200-ok\r\n\r\n", "expectation-failed"),
    "tls-hello": (b"\x16\x03\x01\x02\x00", "malformed-request"),
    "unknown-method": (b"FROB / HTTP/1.1\r\n" + HOST + b"\r\n", "malformed-request"),
    "long-head": (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"b" * MAX_HEAD_BYTES, "headers-too-large"),
    "many-fields": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * MAX_FIELDS + b"\r\n", "headers-too-large"),
    "chunk-extension-quoted": (chunked(b'3;a="b"\r\nabc\r\n0\r\n\r\n'), "malformed-request"),
    "chunk-extension-endless": (chunked(b"3;" + b"a" * 99), "malformed-request"),
    "chunk-size-17-digits": (chunked(b"0" * 16 + b"3\r\nabc\r\n0\r\n\r\n"), "malformed-request"),
    "chunk-size-signed": (chunked(b"+3\r\nabc\r\n0\r\n\r\n"), "malformed-request"),
    "chunk-size-empty": (chunked(b"\r\nabc\r\n0\r\n\r\n"), "malformed-request"),
    "chunk-ends-in-lf": (chunked(b"3\nabc\r\n0\r\n\r\n"), "malformed-request"),
    "chunk-longer-than-said": (chunked(b"3\r\nabcd\r\n0\r\n\r\n"), "malformed-request"),
    "trailer": (chunked(b"3\r\nabc\r\n0\r\nAuthorization: x\r\n\r\n"), "malformed-request"),
}


@pytest.mark.parametrize("raw", TAKEN.values(), ids=TAKEN.keys())
def test_takes(raw):
    events = read(raw)
    assert isinstance(events[0], RequestHead)
    assert isinstance(events[-1], RequestEnd)


@pytest.mark.parametrize(("raw", "want"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses(raw, want):
    assert read(raw)[-1] == Fault(want)


@pytest.mark.parametrize("raw", [*TAKEN.values(), *(raw for raw, _ in REFUSED.values())], ids=[*TAKEN, *REFUSED])
def test_byte_by_byte_is_the_same(raw):
    assert read(raw, cuts=tuple(range(len(raw)))) == read(raw)


@given(
    st.sampled_from([*TAKEN.values(), *(raw for raw, _ in REFUSED.values())]),
    st.lists(st.integers(min_value=0, max_value=2**15), max_size=6),
)
def test_no_cut_changes_what_is_read(raw, cuts):
    assert read(raw, cuts=tuple(cuts)) == read(raw)


@given(st.binary(max_size=300), st.lists(st.integers(min_value=0, max_value=300), max_size=4))
def test_no_bytes_make_it_raise_and_nothing_follows_a_fault(tail, cuts):
    for raw in (tail, b"POST / HTTP/1.1\r\n" + tail, chunked(tail)):
        events = read(raw, cuts=tuple(cuts))
        assert events == read(raw)
        assert not any(isinstance(event, Fault) for event in events[:-1])


def test_a_pipelined_request_waits_in_the_buffer():
    parser = RequestParser()
    parser.receive(TAKEN["two-in-a-row"])
    while not isinstance(parser.next_event(), RequestEnd):
        pass
    assert parser.pending_bytes == len(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")


def test_the_body_is_what_was_sent():
    assert read(TAKEN["chunks"])[1] == BodyPiece(b"abc0123456789")


# Rows the corpus calls safe and we refuse, each for a rule of ours that is stricter than RFC 9112.
STRICTER = {
    "e607f6aa4523134b": "HTTP/1.0 without Host",
    "2f0cb6fc94add92a": "absolute-form target",
    "c603a3c1519d59f0": "absolute-form target",
    "c62a2db00069ee5a": "fragment in the target",
    "ba09b33aefffc86b": "percent sign in Host",
}
# How many of the corpus's 988 reject rows are bad framing. The others are well-framed requests, most of them paths and
# parameters that a web application firewall dislikes: the path check, the route list and the body's firewall refuse them.
LEAST_FAULTS = 72


@pytest.mark.corpus
def test_rows_of_the_corpus(corpora):
    with gzip.open(corpora / "http" / "requests.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    refused = {}
    faults = 0
    for row in rows:
        raw = base64.b64decode(row["raw_b64"])
        events = read(raw)
        assert events == read(raw, cuts=tuple(range(0, len(raw), 7)))
        fault = events[-1].code if events and isinstance(events[-1], Fault) else None
        if row["expect"] == "safe-forward" and (fault or not any(isinstance(e, RequestEnd) for e in events)):
            refused[row["id"]] = (row["name"], fault, raw[:160])
        faults += row["expect"] == "reject" and fault is not None
    assert refused.keys() == STRICTER.keys(), refused
    assert faults >= LEAST_FAULTS
