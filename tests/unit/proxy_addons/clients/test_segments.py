# SPDX-License-Identifier: Apache-2.0
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_addons.clients import segments as segments_module
from proxy_addons.clients.segments import MAGIC, Broken, frame
from tests.spools import old_frame, read_frames, whole_bytes_of

LINE = b'{"envelope":"a","payload":""}\n'
ONE = frame(LINE)


def read(path, content: bytes, **options) -> tuple[list[tuple[bytes, int]], Broken | None]:
    path.write_bytes(content)
    return read_frames(path, **options)


BROKEN = [
    pytest.param(lambda _: b"", None, id="end-of-file"),
    pytest.param(lambda _: b"\x00\x01", Broken.TORN, id="half-a-header"),
    pytest.param(lambda one: one[:-1], Broken.TORN, id="a-byte-short"),
    pytest.param(lambda one: one[:-1] + b"x", Broken.CORRUPT, id="an-altered-byte"),
    pytest.param(lambda _: b"\x00\xff" * 16, Broken.CORRUPT, id="an-absurd-length"),
    pytest.param(lambda _: bytes(4) + b"\x01" + bytes(11), Broken.CORRUPT, id="no-length-but-a-checksum"),
    pytest.param(lambda _: bytes(1), Broken.UNWRITTEN, id="one-zero"),
    pytest.param(lambda _: bytes(16), Broken.UNWRITTEN, id="zeros-written-ahead"),
    pytest.param(lambda _: bytes(1_000_000), Broken.UNWRITTEN, id="many-zeros"),
]


@pytest.mark.parametrize(("content", "want"), BROKEN)
@pytest.mark.parametrize(
    ("begins", "framed"), [pytest.param(MAGIC, frame, id="crc-32c"), pytest.param(b"", old_frame, id="crc-32")]
)
def test_says_why_no_frame_follows(tmp_path, begins, framed, content, want):
    path, one = tmp_path / "segment", framed(LINE)
    assert read(path, begins + content(one)) == ([], want)
    assert read(path, begins + one + content(one)) == ([(LINE, len(begins + one))], want)
    assert whole_bytes_of(path) == len(begins + one)


@pytest.mark.parametrize(
    ("content", "want"),
    [
        pytest.param(MAGIC[:3], Broken.TORN, id="half-of-what-a-segment-begins-with"),
        pytest.param(b"GHSPOOL\x03" + ONE, Broken.CORRUPT, id="a-later-version"),
        pytest.param(old_frame(LINE)[:-2] + b"xy", Broken.CORRUPT, id="an-earlier-version-altered"),
        pytest.param(MAGIC + old_frame(LINE), Broken.CORRUPT, id="the-checksum-of-an-earlier-version"),
        pytest.param(ONE, Broken.CORRUPT, id="a-frame-without-the-beginning"),
    ],
)
def test_knows_a_segment_by_its_beginning(tmp_path, content, want):
    assert read(tmp_path / "segment", content) == ([], want)


def test_begins_where_it_is_told(tmp_path):
    path = tmp_path / "segment"
    first = len(MAGIC + ONE)
    assert read(path, MAGIC + ONE * 3, offset=first) == (
        [(LINE, first + len(ONE)), (LINE, first + 2 * len(ONE))],
        None,
    )
    old = old_frame(LINE)
    assert read(path, old * 2, offset=len(old)) == ([(LINE, 2 * len(old))], None)


LINES = [b'{"envelope":"%d","payload":"%s"}\n' % (number, b"x" * number) for number in range(12)]
SEGMENT = MAGIC + b"".join(map(frame, LINES))


def frame_at(position: int) -> int | None:
    """Return which line's frame holds the byte at `position`; None for what the segment begins with."""
    end = len(MAGIC)
    for number, line in enumerate(LINES):
        end += len(frame(line))
        if len(MAGIC) <= position < end:
            return number
    return None


@pytest.mark.parametrize("bit", [0, 4, 7])
@pytest.mark.parametrize("position", random.Random(5).sample(range(len(SEGMENT)), 60))
def test_a_flipped_bit_costs_its_own_frame_and_no_other(tmp_path, position, bit):
    content = bytearray(SEGMENT)
    content[position] ^= 1 << bit
    hit = frame_at(position)
    want = [line for number, line in enumerate(LINES) if number != hit]
    assert [line for line, _ in read(tmp_path / "segment", bytes(content), past_damage=True)[0]] == want
    if hit != len(LINES) - 1:  # of the last nobody can say that it was whole before
        assert whole_bytes_of(tmp_path / "segment") == len(SEGMENT)


def test_zeros_between_records_cost_the_records_that_they_replaced(tmp_path):
    content = bytearray(SEGMENT)
    content[100:300] = bytes(200)
    want = [line for number, line in enumerate(LINES) if number not in {frame_at(at) for at in range(100, 300)}]
    assert [line for line, _ in read(tmp_path / "segment", bytes(content), past_damage=True)[0]] == want


def test_what_is_behind_damage_is_left_alone_unless_asked_for(tmp_path):
    content = MAGIC + ONE + bytes(1_000_000) + ONE
    assert read(tmp_path / "segment", content) == ([(LINE, len(MAGIC + ONE))], Broken.CORRUPT)
    assert len(read(tmp_path / "segment", content, past_damage=True)[0]) == 2


@given(
    contents=st.lists(st.binary(min_size=1, max_size=40)),
    block=st.integers(1, 64),
    ahead=st.integers(0, 70),
    drawn=st.data(),
)
def test_reads_the_same_however_blocks_fall(tmp_path_factory, contents, block, ahead, drawn):
    path = tmp_path_factory.mktemp("spool") / "segment"
    begins, wrap = drawn.draw(st.sampled_from([(MAGIC, frame), (b"", old_frame)]))
    content = begins + b"".join(map(wrap, contents))
    kept = drawn.draw(st.integers(0, len(content)))
    whole, want = len(begins), []
    for line in contents:
        if whole + len(wrap(line)) > kept:
            break
        whole += len(wrap(line))
        want.append((line, whole))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(segments_module, "_BLOCK_BYTES", block)
        assert read(path, content[:kept])[0] == want
        assert read(path, content + bytes(ahead)) == (read(path, content)[0], Broken.UNWRITTEN if ahead else None)
