# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.core.answered_by import model_digest

DIGEST = b"sha256:" + b"0a" * 32


@pytest.mark.parametrize(
    ("values", "want"),
    [
        pytest.param([DIGEST], DIGEST.decode(), id="a-digest"),
        pytest.param([], None, id="none"),
        pytest.param([DIGEST, DIGEST], None, id="two"),
        pytest.param([DIGEST + b", " + DIGEST], None, id="a-list"),
        pytest.param([DIGEST.upper()], None, id="another-spelling"),
        pytest.param([DIGEST + b"\n"], None, id="a-line-end"),
        pytest.param([b"sha256:" + b"secret" * 10 + b"0000"], None, id="a-text"),
    ],
)
def test_nothing_but_one_digest_is_taken(values, want):
    fields = [(b"content-type", b"application/json"), *((b"gatehouse-model-digest", value) for value in values)]
    assert want == model_digest(fields)
