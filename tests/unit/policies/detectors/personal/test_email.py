# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.email import EMAIL
from tests.unit.policies.detectors.reference import findings


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("see alice@example.com.", ["alice@example.com"], id="a-full-stop-behind"),
        pytest.param("o'brien@example.co.uk", ["o'brien@example.co.uk"], id="an-apostrophe"),
        pytest.param("?to=bob@example.com&x=1", ["bob@example.com"], id="in-a-url"),
        pytest.param('"a.b@example.com","c"', ["a.b@example.com"], id="in-json"),
        pytest.param("用户@例子.公司", ["用户@例子.公司"], id="beyond-ascii"),
        pytest.param("a@b.co, c@d.org", ["a@b.co", "c@d.org"], id="two"),
        pytest.param("f@example.com@example.org", ["f@example.com@example.org"], id="two-that-overlap"),
        pytest.param("x" * 80 + "@example.com", ["x" * 64 + "@example.com"], id="behind-padding"),
        pytest.param("a@" + "b" * 64 + ".com", [], id="a-label-too-long"),
        pytest.param("user@example.c0m", [], id="no-top-level"),
    ],
)
def test_takes_the_address_and_no_more(text, want):
    assert want == findings(EMAIL, text)
