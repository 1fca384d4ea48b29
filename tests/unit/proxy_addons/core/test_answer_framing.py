# SPDX-License-Identifier: Apache-2.0
"""Answers from bytes: what is read, that no cut changes it, and when a connection may be used again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_addons.core.answer_framing import AnswerEnd, AnswerHead, AnswerInvalid, AnswerParser

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nhello"


def read(raw, *, cuts=(), to_head_request=False):
    """Return status, body, whether it ended, and whether the connection may be used again."""
    parser = AnswerParser(to_head_request=to_head_request)
    edges = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    events = []
    for start, end in zip(edges, edges[1:], strict=False):  # noqa: RUF007  # as it reads best
        events += parser.receive(raw[start:end])
    reusable = parser.reusable
    events += parser.close()
    heads = [event.status for event in events if isinstance(event, AnswerHead)]
    body = b"".join(event for event in events if isinstance(event, bytes))
    return heads, body, events.count(AnswerEnd()), reusable


@pytest.mark.parametrize(
    ("raw", "reusable"),
    [
        pytest.param(LENGTH, True, id="length"),
        pytest.param(CHUNKS, True, id="chunks"),
        pytest.param(INTERIM, True, id="after-an-interim-answer"),
        pytest.param(UNTIL_CLOSE, False, id="until-close"),
        pytest.param(LENGTH + b"x", False, id="bytes-after-its-end"),
        pytest.param(LENGTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), False, id="last"),
    ],
)
def test_an_answer_is_read_and_its_connection_judged(raw, reusable):
    assert read(raw) == ([200], b"hello", 1, reusable)
    assert read(raw, cuts=range(len(raw))) == ([200], b"hello", 1, reusable)


@given(st.sampled_from([LENGTH, CHUNKS, INTERIM]), st.lists(st.integers(min_value=0, max_value=200), max_size=5))
def test_no_cut_changes_what_is_read(raw, cuts):
    assert read(raw, cuts=cuts) == read(raw)


def test_an_answer_to_head_has_no_body_whatever_it_says():
    assert read(LENGTH.removesuffix(b"hello"), to_head_request=True) == ([200], b"", 1, False)


@given(st.binary(max_size=200))
def test_other_bytes_are_invalid_and_nothing_else(tail):
    for raw in (tail, b"HTTP/1.1 200 OK\r\n" + tail, CHUNKS[:-7] + tail):
        try:
            read(raw)
        except AnswerInvalid:
            continue
