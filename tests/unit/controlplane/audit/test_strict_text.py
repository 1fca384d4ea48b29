# SPDX-License-Identifier: Apache-2.0
"""One value, one text."""

import pytest

from controlplane.audit.strict_text import decimal, from_base64, hash_from_base64, to_base64


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("10", 10), ("9223372036854775807", 2**63 - 1)])
def test_a_number_is_read(text, number):
    assert number == decimal(text)


@pytest.mark.parametrize(
    "text",
    ["", "00", "01", "-1", "+1", " 1", "1 ", "1\n", "1_0", "0x1", "1.0", "1e3", "١", "9223372036854775808", "9" * 5000],
)
def test_anything_else_is_no_number(text):
    with pytest.raises(ValueError, match="not a number"):
        decimal(text)


@pytest.mark.parametrize("data", [b"", b"\xff", bytes(32), bytes(range(256))])
def test_base64_comes_back(data):
    assert data == from_base64(to_base64(data))


@pytest.mark.parametrize(
    "text", ["_w==", "/w", "/w=", "/w===", "/x==", "/w==\n", " /w==", "/w==/w==", "é", "A", "===="]
)
def test_base64_has_one_form(text):
    with pytest.raises(ValueError, match="not base64"):
        from_base64(text)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_hash_has_32_bytes(length):
    assert bytes(32) == hash_from_base64(to_base64(bytes(32)))
    with pytest.raises(ValueError, match="32 bytes"):
        hash_from_base64(to_base64(bytes(length)))
