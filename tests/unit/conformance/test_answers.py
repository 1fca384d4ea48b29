# SPDX-License-Identifier: Apache-2.0
import pytest

from conformance.answers import AnswerReader

ONE = b"HTTP/1.1 400 No\r\nContent-Length: 3\r\n\r\none"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
TO_THE_END = b"HTTP/1.1 200 OK\r\n\r\nthree"


def read(raw: bytes, *, at_a_time: int = 0) -> AnswerReader:
    reader = AnswerReader()
    step = at_a_time or len(raw) or 1
    for at in range(0, len(raw), step):
        reader.feed(raw[at : at + step])
    reader.feed(b"")
    return reader


@pytest.mark.parametrize("at_a_time", [0, 1, 7])
@pytest.mark.parametrize(
    ("raw", "want"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(ONE, [(400, b"one", True)], id="by-length"),
        pytest.param(CHUNKS, [(200, b"two", True)], id="by-chunks"),
        pytest.param(TO_THE_END, [(200, b"three", True)], id="to-the-end"),
        pytest.param(ONE + CHUNKS + ONE, [(400, b"one", True), (200, b"two", True), (400, b"one", True)], id="three"),
        pytest.param(ONE[:-1], [(400, b"on", False)], id="cut-short"),
        pytest.param(CHUNKS[:-5], [(200, b"two", False)], id="without-the-last-chunk"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + ONE, [(400, b"one", True)], id="after-an-interim-one"),
    ],
)
def test_answers_are_read_however_they_are_cut(raw, want, at_a_time):
    reader = read(raw, at_a_time=at_a_time)
    assert [(answer.status, answer.body, answer.complete) for answer in reader.answers] == want
    assert reader.complete == sum(complete for *_, complete in want)
    assert reader.unreadable == (raw in (ONE[:-1], CHUNKS[:-5]))


@pytest.mark.parametrize("raw", [b"SSH-2.0-x\r\n\r\n", ONE + b"rubbish\r\n\r\n", b"HTTP/1.1 200 OK\r\nX\r\n\r\n"])
def test_what_is_no_answer_is_said_to_be_none(raw):
    assert read(raw).unreadable


def test_interim_answers_are_no_final_ones():
    reader = read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n")
    assert (reader.interim, reader.answers) == ([100, 103], [])


@pytest.mark.parametrize(
    ("head", "want"),
    [(b"Content-Length: 0", False), (b"Content-Length: 3\r\nTransfer-Encoding: chunked", True)],
)
def test_an_answer_that_states_its_length_twice_is_known(head, want):
    (answer,) = read(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n").answers
    assert answer.two_lengths is want
