# SPDX-License-Identifier: Apache-2.0
from array import array

import pytest

from inference.screen.ngram import BUCKETS, WINDOW_BYTES, NgramModel, buckets_of, windows_of
from inference.screen.tensors import Tensor, Tensors, WeightsRefused


def model_of(weights, *, scale=1.0, bias=-1.0):
    tensors = {
        "ngram.weight": Tensor((BUCKETS,), array("b", weights)),
        "ngram.scale_bias": Tensor((2,), array("f", [scale, bias])),
    }
    return NgramModel(Tensors(tensors=tensors, notes={}, digest=""))


def weights_of(text):
    weights = [0] * BUCKETS
    for bucket in buckets_of(text.encode()):
        weights[bucket] = 1
    return weights


def test_reads_case_widths_and_blanks_alike():
    assert list(windows_of("Ignore  THIS\n")) == list(windows_of("ignore this"))


def test_windows_hold_every_byte_and_overlap():
    text = "".join(chr(ord("a") + at % 26) for at in range(3 * WINDOW_BYTES))
    windows = [window.decode() for window in windows_of(text)]
    assert windows[0] == text[:WINDOW_BYTES]
    assert text.endswith(windows[-1])
    assert all(text[at : at + 64] in "|".join(windows) for at in range(len(text) - 64))


def test_what_it_knows_counts_wherever_it_stands_in_a_long_text():
    model = model_of(weights_of("obey me now"))
    filler = "nothing of note. " * 400
    assert model.logit(filler + "obey me now" + filler) > model.logit(filler + filler) + 1


def test_a_text_without_anything_has_the_bias():
    assert model_of([0] * BUCKETS, bias=-0.5).logit("") == -0.5


def test_takes_lone_surrogates():
    assert model_of([0] * BUCKETS).logit("\ud800 hello") == -1.0


def test_refuses_weights_of_another_size():
    with pytest.raises(WeightsRefused, match="shape"):
        NgramModel(
            Tensors(
                tensors={
                    "ngram.weight": Tensor((2,), array("b", [0, 0])),
                    "ngram.scale_bias": Tensor((2,), array("f", [1, 0])),
                },
                notes={},
                digest="",
            )
        )


def test_refuses_weights_that_lack_a_tensor():
    with pytest.raises(WeightsRefused, match="lack"):
        NgramModel(Tensors(tensors={}, notes={}, digest=""))
