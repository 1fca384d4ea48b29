# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.national.german_speaking import (
    AT_SOCIAL_INSURANCE,
    AT_TAX_NUMBER,
    CH_AHV,
    DE_TAX_ID,
    DE_TAX_NUMBER,
)
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("detector", "value", "before", "lenient", "want"),
    [
        pytest.param(DE_TAX_ID, "47036892816", "Steuer-ID ", False, 1.0, id="german-tax-id"),
        pytest.param(DE_TAX_ID, "47036892815", "Steuer-ID ", False, None, id="german-tax-id-mistyped"),
        pytest.param(DE_TAX_NUMBER, "181/815/08155", "Steuernummer ", False, 1.0, id="german-tax-number"),
        pytest.param(AT_SOCIAL_INSURANCE, "1237 010180", "SVNR ", False, 1.0, id="austrian"),
        pytest.param(AT_TAX_NUMBER, "59-119/9013", "Steuernummer ", False, 1.0, id="austrian-tax-number"),
        pytest.param(CH_AHV, "756.1234.5678.97", "", False, 0.7, id="swiss"),
        pytest.param(CH_AHV, "756.1234.5678.96", "AHV-Nr. ", True, 0.5, id="swiss-mistyped"),
    ],
)
def test_weighs_check_and_context(detector, value, before, lenient, want):
    assert want == score(detector, value, before, lenient=lenient)
