# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_addons.clients import segments as segments_module
from proxy_addons.clients.segments import Broken, Frames, frame, whole_bytes

LINE = b"line\n"
ONE = frame(LINE)


def read(path, content: bytes) -> tuple[list[tuple[bytes, int]], Broken | None]:
    path.write_bytes(content)
    with path.open("rb", buffering=0) as file:
        frames = Frames(file)
        return list(frames), frames.broken


@pytest.mark.parametrize(
    ("content", "want"),
    [
        pytest.param(b"", None, id="end-of-file"),
        pytest.param(b"\x00\x01", Broken.TORN, id="half-a-header"),
        pytest.param(ONE[:-1], Broken.TORN, id="a-byte-short"),
        pytest.param(ONE[:-1] + b"x", Broken.CORRUPT, id="an-altered-byte"),
        pytest.param(b"\xff" * 16, Broken.CORRUPT, id="an-absurd-length"),
        pytest.param(bytes(4) + b"\x01" + bytes(11), Broken.CORRUPT, id="no-length-but-a-checksum"),
        pytest.param(bytes(1), Broken.UNWRITTEN, id="one-zero"),
        pytest.param(bytes(16), Broken.UNWRITTEN, id="zeros-written-ahead"),
        pytest.param(bytes(1_000_000), Broken.UNWRITTEN, id="many-zeros"),
        pytest.param(bytes(1_000_000) + ONE, Broken.CORRUPT, id="a-hole-between-records"),
    ],
)
def test_says_why_no_frame_follows(tmp_path, content, want):
    path = tmp_path / "segment"
    assert read(path, content) == ([], want)
    assert read(path, ONE + content) == ([(LINE, len(ONE))], want)
    assert whole_bytes(path) == len(ONE)


def test_begins_where_the_file_stands(tmp_path):
    path = tmp_path / "segment"
    path.write_bytes(ONE * 3)
    with path.open("rb") as file:
        file.seek(len(ONE))
        assert list(Frames(file)) == [(LINE, 2 * len(ONE)), (LINE, 3 * len(ONE))]


@given(
    lines=st.lists(st.binary(min_size=1, max_size=40)),
    block=st.integers(1, 64),
    ahead=st.integers(0, 70),
    cut=st.data(),
)
def test_reads_the_same_however_blocks_fall(tmp_path_factory, lines, block, ahead, cut):
    path = tmp_path_factory.mktemp("spool") / "segment"
    content = b"".join(map(frame, lines))
    kept = cut.draw(st.integers(0, len(content)))
    whole, want = 0, []
    for line in lines:
        if whole + len(frame(line)) > kept:
            break
        whole += len(frame(line))
        want.append((line, whole))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(segments_module, "_BLOCK_BYTES", block)
        assert read(path, content[:kept])[0] == want
        assert read(path, content + bytes(ahead)) == (read(path, content)[0], Broken.UNWRITTEN if ahead else None)
