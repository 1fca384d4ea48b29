# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.digits import digits_of, luhn


def test_keeps_ascii_digits_only():
    assert digits_of("+1 (23)-4x٥") == "1234"


@pytest.mark.parametrize(
    ("digits", "want"),
    [
        pytest.param("79927398713", True, id="the-textbook-number"),
        pytest.param("79927398710", False, id="another-check-digit"),
        pytest.param("97927398713", False, id="two-digits-swapped"),
    ],
)
def test_luhn(digits, want):
    assert want == luhn(digits)
