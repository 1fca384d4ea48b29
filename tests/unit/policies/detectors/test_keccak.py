# SPDX-License-Identifier: Apache-2.0
import hashlib

import pytest

from policies.detectors import keccak


@pytest.mark.parametrize(
    ("message", "want"),
    [
        pytest.param(b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470", id="nothing"),
        pytest.param(b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45", id="a-word"),
    ],
)
def test_digests_as_published(message, want):
    assert want == keccak.keccak_256(message).hex()


@pytest.mark.parametrize("length", [0, 1, 134, 135, 136, 137, 500])
def test_is_sha_3_but_for_the_padding(length, monkeypatch):
    message = bytes(range(256)) * 2
    monkeypatch.setattr(keccak, "_PADDING", b"\x06")
    assert hashlib.sha3_256(message[:length]).digest() == keccak.keccak_256(message[:length])
