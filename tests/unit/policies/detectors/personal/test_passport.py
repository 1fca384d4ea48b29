# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.passport import PASSPORT, US_PASSPORT
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("detector", "value", "before", "want"),
    [
        pytest.param(US_PASSPORT, "340020013", "passport ", 0.7, id="american"),
        pytest.param(US_PASSPORT, "340020013", "", None, id="without-words"),
        pytest.param(US_PASSPORT, "340020013", "Canadian passport ", None, id="of-another-country"),
        pytest.param(US_PASSPORT, "111111111", "passport ", None, id="all-alike"),
        pytest.param(PASSPORT, "C01X00T47", "Reisepass ", 0.7, id="german"),
        pytest.param(PASSPORT, "C01X00T47", "", None, id="german-without-words"),
        pytest.param(PASSPORT, "TRMNFLKPC", "passport ", None, id="a-word"),
        pytest.param(PASSPORT, "123456789", "passport tracking ", None, id="another-number"),
    ],
)
def test_weighs_form_and_context(detector, value, before, want):
    assert want == score(detector, value, before, lenient=True)
