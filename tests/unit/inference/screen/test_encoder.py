# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.screen.encoder import STRIDE_TOKENS, WIDTH, WINDOW_TOKENS, Encoder, package_folder
from inference.screen.tensors import WeightsRefused


def test_every_token_of_a_long_text_is_in_a_window(encoder):
    text = " ".join(str(number) for number in range(1000))
    windows = [list(piece.tokens[1:-1]) for piece in encoder.pieces([text])]
    whole = windows[0]
    for window in windows[1:-1]:
        assert window[: WINDOW_TOKENS - 2 - STRIDE_TOKENS] == whole[STRIDE_TOKENS - WINDOW_TOKENS + 2 :]
        whole += window[WINDOW_TOKENS - 2 - STRIDE_TOKENS :]
    overlap = max(size for size in range(WINDOW_TOKENS) if whole[len(whole) - size :] == windows[-1][:size])
    assert len(whole) + len(windows[-1]) - overlap == encoder.count(text)


@pytest.mark.parametrize("text", ["", " ", "\x00", "\ud7ff", "a" * 10_000, "[CLS] [SEP] [PAD]"])
def test_any_text_has_at_least_one_window(encoder, text):
    assert encoder.pieces([text])


def test_states_are_those_of_true_tokens(encoder):
    pieces = encoder.pieces(["one", "one two three four"])
    (batch,) = encoder.batches(pieces)
    assert batch.states.shape == (2, batch.mask.shape[1], WIDTH)
    assert batch.mask.sum(dim=1).tolist() == [len(piece.tokens) for piece in pieces]


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_refuses_files_other_than_those_it_was_trained_with(tmp_path, name):
    for file in package_folder().iterdir():
        if file.is_file() and file.name != name:
            (tmp_path / file.name).symlink_to(file)
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(WeightsRefused, match="SHA-256"):
        Encoder(folder=tmp_path)


def test_refuses_a_folder_without_the_files(tmp_path):
    with pytest.raises(WeightsRefused, match="cannot be read"):
        Encoder(folder=tmp_path)
