# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.api.embedding_request import EmbeddingRequest, parse_embedding, require_dimensions
from inference.api.errors import RequestRefused


def param(members) -> str | None:
    with pytest.raises(RequestRefused) as refused:
        parse_embedding({"model": "m", "input": "x", **members})
    assert refused.value.refusal.status == 400
    return refused.value.refusal.param


def test_one_text_and_several_are_read():
    want = EmbeddingRequest(model="m", texts=("x",), base64=False, dimensions=None)
    assert want == parse_embedding({"model": "m", "input": "x", "user": "u", "encoding_format": None})
    several = parse_embedding({"model": "m", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 3})
    assert (several.texts, several.base64, several.dimensions) == (("a", "b"), True, 3)


@pytest.mark.parametrize(
    ("members", "want"),
    [
        pytest.param({"input": None}, "input", id="no-input"),
        pytest.param({"input": ""}, "input", id="an-empty-text"),
        pytest.param({"input": []}, "input", id="no-texts"),
        pytest.param({"input": ["x"] * 2049}, "input", id="too-many-texts"),
        pytest.param({"input": [1, 2]}, "input", id="tokens"),
        pytest.param({"input": [[1], [2]]}, "input", id="arrays-of-tokens"),
        pytest.param({"input": ["a", ""]}, "input[1]", id="one-empty-text"),
        pytest.param({"input": ["a", 1]}, "input[1]", id="a-number-among-texts"),
        pytest.param({"input": {"image_url": "http://x"}}, "input", id="an-object"),
        pytest.param({"input": "\ud800"}, "input", id="half-a-surrogate-pair"),
        pytest.param({"encoding_format": "int8"}, "encoding_format", id="another-format"),
        pytest.param({"encoding_format": ["float"]}, "encoding_format", id="a-list-of-formats"),
        pytest.param({"dimensions": 0}, "dimensions", id="no-dimensions"),
        pytest.param({"user": 5}, "user", id="user-a-number"),
        pytest.param({"truncate": "END"}, "truncate", id="unknown"),
        pytest.param({"model": None}, "model", id="no-model"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(members, want):
    assert want == param(members)


def test_a_vector_is_not_cut():
    require_dimensions(None, 384)
    require_dimensions(384, 384)
    with pytest.raises(RequestRefused) as refused:
        require_dimensions(256, 384)
    assert refused.value.refusal.param == "dimensions"
