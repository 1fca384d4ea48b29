# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.parrot.alphabet import byte_tokenizer
from inference.text import REPLACEMENT, StopFilter, TextStream

TOKENIZER = byte_tokenizer()


def decode(tokens):
    return TOKENIZER.decode(tokens, skip_special_tokens=True)


def streamed(tokens) -> list[str]:
    stream = TextStream(decode)
    return [*(stream.feed(token) for token in tokens), stream.finish()]


@given(st.text())
def test_pieces_of_valid_text_hold_whole_characters_only(text):
    pieces = streamed(text.encode())
    assert text == "".join(pieces)
    if REPLACEMENT not in text:
        assert not any(REPLACEMENT in piece for piece in pieces)


@given(st.lists(st.one_of(st.integers(0, 259), st.sampled_from([0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0xFF]))))
def test_pieces_of_any_tokens_add_up_to_the_whole_decoding(tokens):
    assert decode(tokens) == "".join(streamed(tokens))


def test_a_character_is_given_with_its_last_byte():
    assert streamed("€".encode()) == ["", "", "€", ""]


@pytest.mark.parametrize(
    ("pieces", "want"),
    [
        pytest.param(["abc", "STOP", "x"], "abc", id="whole"),
        pytest.param(["abS", "T", "OPx"], "ab", id="cut-into-pieces"),
        pytest.param(["abST", "ay"], "abSTay", id="only-begun"),
        pytest.param(["aEND STOP"], "a", id="the-earliest-of-two"),
        pytest.param(["abST"], "abST", id="begun-at-the-very-end"),
        pytest.param(["SSTOP"], "S", id="begun-twice"),
    ],
)
def test_text_ends_before_a_stop_sequence(pieces, want):
    stops = StopFilter(["STOP", "END"])
    assert want == "".join([*(stops.feed(piece) for piece in pieces), stops.finish()])


@given(st.text("ab", max_size=30), st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3), st.data())
def test_no_cut_of_the_text_lets_a_stop_sequence_through(text, sequences, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    stops = StopFilter(sequences)
    got = "".join([*(stops.feed(piece) for piece in pieces), stops.finish()])
    found = [text.find(stop) for stop in sequences if stop in text]
    assert stops.stopped == bool(found)
    assert not any(stop in got for stop in sequences)
    assert text.startswith(got)
    if not found:
        assert text == got
