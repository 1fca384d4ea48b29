# SPDX-License-Identifier: Apache-2.0
import io
import os
import threading

import pytest

from inference.screen.lines import RawLine, batches_of


def lines(content, **bounds):
    return [line for batch in batches_of(io.BytesIO(content), **bounds) for line in batch]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_are_the_same_however_they_arrive(size):
    assert lines(b"one\n\nthree\nfour", read_bytes=size) == [
        RawLine(1, b"one"),
        RawLine(2, b""),
        RawLine(3, b"three"),
        RawLine(4, b"four"),
    ]


def test_nothing_has_no_lines():
    assert lines(b"") == []
    assert lines(b"\n") == [RawLine(1, b"")]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_line_too_long_is_dropped_and_the_next_is_whole(size):
    content = b"x" * 11 + b"\nshort\n" + b"y" * 11
    assert lines(content, most_bytes=10, read_bytes=size) == [RawLine(1, None), RawLine(2, b"short"), RawLine(3, None)]


def test_a_line_that_has_arrived_does_not_wait_for_the_next():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", buffering=0) as target:
        batches = batches_of(source)
        ended = threading.Timer(20, target.close)
        ended.start()
        target.write(b"one\ntwo\nthr")
        assert next(batches) == [RawLine(1, b"one"), RawLine(2, b"two")]
        target.write(b"ee\n")
        assert next(batches) == [RawLine(3, b"three")]
        target.close()
        assert list(batches) == []
        ended.cancel()
