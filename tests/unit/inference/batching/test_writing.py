# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.batching.writing import Writer
from inference.job import FinishReason, Job

END = 258


def decode(tokens):
    return bytes(token for token in tokens if token < 256).decode(errors="replace")


def write(tokens, *, step=1, **how):
    """Feeds all tokens so far, so many more each time, as a batch does."""
    writer = Writer(Job(prompt=(1,), max_tokens=100, **how), decode=decode, end_tokens=frozenset({END}))
    text = []
    for end in range(step, len(tokens) + step, step):
        text.append(writer.feed(tokens[:end]))
        if writer.stopped:
            break
    rest, finished = writer.finish()
    return "".join([*text, rest]), finished.reason, finished.completion_tokens


@pytest.mark.parametrize("step", [1, 2, 3, 50])
@pytest.mark.parametrize(
    ("tokens", "how", "want"),
    [
        pytest.param([*b"abc"], {}, ("abc", FinishReason.LENGTH, 3), id="length"),
        pytest.param([*b"abc", END], {}, ("abc", FinishReason.STOP, 4), id="end-token-is-counted-and-not-shown"),
        pytest.param([*b"one two three"], {"stop": (" th", "zzz")}, ("one two", FinishReason.STOP, 10), id="stop"),
        pytest.param([*b"abcabx!"], {"stop": ("abx",)}, ("abc", FinishReason.STOP, 6), id="stop-begun-twice"),
        pytest.param([*b"ab", END], {"stop": ("abc",)}, ("ab", FinishReason.STOP, 3), id="begun-stop-is-text"),
        pytest.param([*"größer".encode()], {"stop": ("ß",)}, ("grö", FinishReason.STOP, 6), id="stop-of-two-tokens"),
        pytest.param([*b"x", 0xC3], {}, ("x\ufffd", FinishReason.LENGTH, 2), id="half-a-character-at-the-end"),
        pytest.param([*b"ab", END, *b"cd"], {}, ("ab", FinishReason.STOP, 3), id="nothing-behind-the-end"),
    ],
)
def test_text_and_count_are_the_same_however_tokens_arrive(tokens, how, want, step):
    assert write(tokens, step=step, **how) == want
