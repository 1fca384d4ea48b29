# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.national.british_isles import IE_PPS, UK_NHS, UK_NINO, UK_UTR
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("detector", "value", "before", "lenient", "want"),
    [
        pytest.param(UK_NHS, "943 476 5919", "NHS ", False, 1.0, id="nhs"),
        pytest.param(UK_NHS, "943 476 5918", "NHS ", True, 0.5, id="nhs-mistyped"),
        pytest.param(UK_NHS, "943 476 5918", "id number ", True, None, id="mistyped-and-no-name-of-its-own"),
        pytest.param(UK_NINO, "AB123456C", "", False, 0.7, id="nino"),
        pytest.param(UK_NINO, "DA123456C", "", True, None, id="a-prefix-not-given"),
        pytest.param(UK_UTR, "1123456789", "taxpayer ", False, 1.0, id="utr"),
        pytest.param(IE_PPS, "1234567T", "", False, 0.7, id="pps"),
        pytest.param(IE_PPS, "1234567A", "PPSN ", True, 0.5, id="pps-mistyped"),
    ],
)
def test_weighs_check_and_context(detector, value, before, lenient, want):
    assert want == score(detector, value, before, lenient=lenient)
