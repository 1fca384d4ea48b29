# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.iban import IBAN
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("value", "lenient", "want"),
    [
        pytest.param("GB82 WEST 1234 5698 7654 32", False, 1.0, id="right"),
        pytest.param("GB82 WEST 1234 5698 7654 31", True, 0.6, id="mistyped"),
        pytest.param("GB82 WEST 1234 5698 7654 31", False, None, id="mistyped-but-strict"),
        pytest.param("GB82 WEST 1234 5698 7654", True, None, id="too-short"),
        pytest.param("NO12 some text abcd", True, None, id="words-of-the-right-length"),
        pytest.param("US82 WEST 1234 5698 7654 32", True, None, id="no-such-country"),
    ],
)
def test_weighs_country_length_and_check_digits(value, lenient, want):
    assert want == score(IBAN, value, lenient=lenient)
