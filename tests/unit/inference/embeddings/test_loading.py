# SPDX-License-Identifier: Apache-2.0
import json
import math
import shutil

import pytest

from inference.embeddings.bundled import bundled_encoder
from inference.embeddings.loading import Pooling, load_encoder
from inference.settings import ModelRefused


def vector(encoder, text: str) -> list[float]:
    return encoder.encode([encoder.prompts.encode_bare(text)])[0]


def likeness(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


@pytest.fixture
def copied(tmp_path):
    """The encoder's small files, to be changed; its weights are linked in by their bytes."""
    shutil.copytree(bundled_encoder().directory, tmp_path / "m")
    return tmp_path / "m"


def test_the_directory_says_pooling_and_limits(minilm):
    assert (minilm.pooling, minilm.context_tokens, minilm.dimensions) == (Pooling.MEAN, 256, 384)
    assert minilm.digest == "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def test_texts_that_mean_the_same_are_near_each_other(minilm):
    said, again, other = (
        vector(minilm, text)
        for text in ("The cat sleeps on the mat.", "A cat is asleep on a rug.", "Interest rates rose last week.")
    )
    assert math.isclose(likeness(said, said), 1.0, rel_tol=1e-5)
    assert likeness(said, again) > 0.6
    assert likeness(said, other) < 0.2


def test_a_text_has_the_same_vector_whatever_shares_its_batch(minilm):
    tokens = [minilm.prompts.encode_bare(text) for text in ("a cat", "a much longer text about something else " * 9)]
    together = minilm.encode(tokens)
    for alone, shared in zip((minilm.encode([text])[0] for text in tokens), together, strict=True):
        assert all(math.isclose(a, b, abs_tol=1e-5) for a, b in zip(alone, shared, strict=True))


def test_a_marker_in_a_text_is_text(minilm):
    ends = minilm.prompts.encode_bare("")
    assert len(ends) == 2
    inner = minilm.prompts.encode_bare("stop [SEP] here")[1:-1]
    assert not set(ends) & set(inner)


@pytest.mark.parametrize(
    ("name", "pooling"), [("pooling_mode_cls_token", Pooling.FIRST), ("pooling_mode_lasttoken", Pooling.LAST)]
)
def test_each_pooling_reads_its_own_token(minilm, copied, name, pooling):
    (copied / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 384, name: True}))
    encoder = load_encoder(copied, max_context=100)
    assert (encoder.pooling, encoder.context_tokens) == (pooling, 100)
    short, long = vector(encoder, "cat"), vector(encoder, "the cat sleeps")
    padded = encoder.encode([encoder.prompts.encode_bare(text) for text in ("cat", "the cat sleeps")])
    assert math.isclose(likeness(padded[0], short), 1.0, rel_tol=1e-4)
    assert math.isclose(likeness(padded[1], long), 1.0, rel_tol=1e-4)
    assert likeness(short, vector(minilm, "cat")) < 0.99


def test_what_would_be_embedded_wrongly_is_refused(copied):
    (copied / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(ModelRefused, match="pooling that is not supported"):
        load_encoder(copied)
    (copied / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    (copied / "2_Dense").mkdir()
    with pytest.raises(ModelRefused, match="dense layer"):
        load_encoder(copied)
