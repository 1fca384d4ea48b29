# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.core.sse_events import EventReader, EventTooLarge
from proxy_addons.core.sse_template import Template

CASES = [
    pytest.param(b"data: a\n\ndata: b\n\n", [b"a", b"b"], id="line-feeds"),
    pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"], id="carriage-return-and-line-feed"),
    pytest.param(b"data: a\r\ndata: b\r\n\r\n", [b"a\nb"], id="carriage-returns-within-an-event"),
    pytest.param(b"data: a\r\rdata: b\r\r", [b"a", b"b"], id="carriage-returns"),
    pytest.param(b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", [b"a", b"b", b"c"], id="line-ends-mixed"),
    pytest.param(b"\n\n\r\n\rdata: a\n\n\n\n", [b"a"], id="blank-lines-around"),
    pytest.param(b"\xef\xbb\xbfdata: a\n\n", [b"a"], id="byte-order-mark-first"),
    pytest.param(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"], id="byte-order-mark-later-makes-another-name"),
    pytest.param(b": hi\n\n:\ndata: a\n: in between\n\n", [b"a"], id="comments"),
    pytest.param(b"event: x\nid: 1\nretry: 9\nfoo: bar\ndata: a\n\n", [b"a"], id="other-fields"),
    pytest.param(b"event: x\ndata: a\n\nevent: y\ndata: b\n\n", [b"a", b"b"], id="named-events"),
    pytest.param(b"event: x\r\ndata: a\r\n\r\nevent: y\r\ndata: b\r\n\r\n", [b"a", b"b"], id="named-events-with-crlf"),
    pytest.param(b"event: x\rdata: a\n\nevent: y\rdata: b\n\n", [b"a", b"b"], id="name-ended-by-carriage-return"),
    pytest.param(b"event: x\nevent: y\ndata: a\n\nevent: x\n\ndata: b\n\n", [b"a", b"b"], id="two-names-and-none"),
    pytest.param(b"event: x\n\nid: 1\n\n", [], id="events-without-data"),
    pytest.param(b"data: a\ndata: b\ndata:c\n\n", [b"a\nb\nc"], id="several-data-lines"),
    pytest.param(b"data:a\n\ndata:  b\n\n", [b"a", b" b"], id="one-space-is-taken-off"),
    pytest.param(b"data\n\n", [b""], id="data-without-a-colon"),
    pytest.param(b"Data: a\n\ndata : b\n\n data: c\n\n", [], id="other-spellings-are-other-names"),
    pytest.param(b"data: a: b\n\n", [b"a: b"], id="colon-in-the-value"),
    pytest.param("data: é\u2028\u0085\n\n".encode(), ["é\u2028\u0085".encode()], id="line-ends-of-unicode-are-none"),
    pytest.param(b"data: a\n\ndata: b\n", [b"a"], id="unfinished-event"),
    pytest.param(b"", [], id="nothing"),
]


def read(pieces: list[bytes], max_event_bytes: int = 1_000) -> list[bytes]:
    reader = EventReader(max_event_bytes=max_event_bytes)
    return [data for piece in pieces for data in received(reader, piece)]


def received(reader: EventReader, piece: bytes) -> list[bytes]:
    reader.receive(piece)
    return list(iter(reader.next, None))


@pytest.mark.parametrize(("stream", "want"), CASES)
def test_gives_the_data_of_each_event(stream: bytes, want: list[bytes]):
    assert want == read([stream])


def test_a_name_is_held_to_the_bound_like_any_line():
    event = b"event: " + b"x" * 2_000 + b"\ndata: a\n\n"
    for pieces in ([b": \n" + event], [bytes([byte]) for byte in event], [event[:1_500], event[1_500:]]):
        with pytest.raises(EventTooLarge):
            read(pieces)


@pytest.mark.parametrize(("stream", "want"), CASES)
def test_gives_the_same_wherever_the_bytes_are_cut(stream: bytes, want: list[bytes]):
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1):
            assert want == read([stream[:first], stream[first:second], b"", stream[second:]])
    assert want == read([bytes([byte]) for byte in stream])


@pytest.mark.parametrize(
    ("endless", "ended"),
    [
        pytest.param(b"data: " + b"x" * 94, b"data: " + b"x" * 95, id="data"),
        pytest.param(b":" + b"x" * 99, b":" + b"x" * 100, id="comment"),
        pytest.param(b"data: " + b"x" * 44 + b"\ndata: " + b"x" * 44, b"data: x\n" * 15, id="data-in-lines"),
        pytest.param(b"data:\n" * 20, b"data:\n" * 21, id="empty-data-lines"),
    ],
)
def test_holds_no_more_than_its_bound(endless: bytes, ended: bytes):
    assert read([endless], max_event_bytes=100) == []
    for pieces in ([ended], [bytes([byte]) for byte in ended]):
        with pytest.raises(EventTooLarge):
            read(pieces, max_event_bytes=100)


SAID = b'{"choices":[{"index":0,"text":"%b"}]}'
TEMPLATE = Template.of(
    SAID % b"x",
    "x",
    end=b"\n\n",
    index=0,
    path=(),
    event={"choices": [{"index": 0, "text": "gatehouse:text"}]},
    written=b"gatehouse:text",
)


def said(*texts: bytes) -> bytes:
    return b"".join(b"data: " + SAID % text + b"\n\n" for text in texts)


def test_events_of_a_form_are_taken_together_where_one_may_begin():
    reader = EventReader(max_event_bytes=1_000)
    reader.receive(b": hi\n\n" + said(b"a", b"b") + b"data: c\n\n" + said(b"d") + said(b"e")[:-1])
    assert reader.run(TEMPLATE) == []  # a byte order mark may stand here, or a comment
    assert reader.next() == SAID % b"a"
    assert (reader.run(TEMPLATE), reader.run(TEMPLATE)) == (["b"], [])
    assert (reader.next(), reader.run(TEMPLATE)) == (b"c", ["d"])
    assert (reader.next(), reader.run(TEMPLATE)) == (None, [])
    reader.receive(b"\n" + said(b"f"))
    assert (reader.run(TEMPLATE), reader.next()) == ([], SAID % b"e")
    assert (reader.run(TEMPLATE), reader.next()) == (["f"], None)


def test_events_of_a_form_are_told_one_by_one_where_one_may_be_too_large():
    reader = EventReader(max_event_bytes=100)
    reader.receive(said(b"a"))
    assert reader.next() == SAID % b"a"
    reader.receive(said(*[b"b"] * 10))
    assert (reader.run(TEMPLATE), reader.next()) == ([], SAID % b"b")


def test_many_events_within_the_bound_pass():
    assert len(read([b"data: x\n\n" * 1_000], max_event_bytes=20)) == 1_000


@pytest.mark.parametrize(
    ("stream", "want"),
    [
        pytest.param(b"data: a\n\ndata: b", b"b", id="line-without-an-end"),
        pytest.param(b"data: b\n", b"b", id="event-without-an-end"),
        pytest.param(b"data: a\n\n", b"", id="nothing-unfinished"),
        pytest.param(b"data: a\n\n: c", b"", id="comment"),
    ],
)
def test_tells_what_the_end_of_the_stream_cut_off(stream: bytes, want: bytes):
    reader = EventReader(max_event_bytes=100)
    received(reader, stream)
    assert want == reader.unfinished()
