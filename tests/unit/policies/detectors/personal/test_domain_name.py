# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.domain_name import DOMAIN_NAME
from tests.unit.policies.detectors.judging import score
from tests.unit.policies.detectors.reference import findings


@pytest.mark.parametrize(
    ("value", "before", "lenient", "want"),
    [
        pytest.param("https://example.travel/", "", False, 1.0, id="with-a-scheme"),
        pytest.param("www.example.travel", "", False, 1.0, id="with-www"),
        pytest.param("example.org", "", False, 0.7, id="a-name"),
    ],
)
def test_weighs_form_and_context(value, before, lenient, want):
    assert want == score(DOMAIN_NAME, value, before, lenient=lenient)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("see https://www.example.com/path", ["https://www.example.com"], id="without-the-path"),
    ],
)
def test_takes_all_of_it_and_no_more(text, want):
    assert want == findings(DOMAIN_NAME, text)
