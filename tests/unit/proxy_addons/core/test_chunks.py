# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.core.chunks import ChunkFault, ChunkReader

END = b"0\r\n\r\n"


def read(raw: bytes) -> bytes:
    """Return the content of a whole body."""
    reader, buffer, content = ChunkReader(), bytearray(raw), b""
    while True:
        step = reader.read(buffer)
        del buffer[: step.consumed]
        content += step.content
        if step.ended:
            return content
        assert step.consumed, "it ends too early"


def chunks(count: int, *, each: int) -> bytes:
    return b"%x\r\n%s\r\n" % (each, b"x" * each) * count + END


@pytest.mark.parametrize(
    ("count", "each"),
    [
        pytest.param(1, 100_000, id="one-large"),
        pytest.param(4096, 1, id="as-many-small-ones-as-there-may-be"),
        pytest.param(5000, 64, id="many-that-are-not-small"),
    ],
)
def test_a_body_is_the_content_of_its_chunks(count, each):
    assert read(chunks(count, each=each)) == b"x" * count * each


@pytest.mark.parametrize("each", [1, 63])
def test_a_flood_of_small_chunks_is_refused(each):
    with pytest.raises(ChunkFault):
        read(chunks(4097, each=each))


def test_small_chunks_among_large_ones_count():
    with pytest.raises(ChunkFault):
        read((chunks(1, each=1).removesuffix(END) + chunks(1, each=100).removesuffix(END)) * 4097 + END)
