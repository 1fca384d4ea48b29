# SPDX-License-Identifier: Apache-2.0
import pytest


@pytest.fixture(scope="session")
def minilm():
    from inference.embeddings.bundled import bundled_encoder
    from inference.embeddings.loading import load_encoder

    return load_encoder(bundled_encoder().directory)
