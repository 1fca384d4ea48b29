# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.national.benelux import BE_NATIONAL_NUMBER, NL_BSN
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("detector", "value", "before", "lenient", "want"),
    [
        pytest.param(NL_BSN, "111222333", "BSN ", False, 1.0, id="dutch"),
        pytest.param(NL_BSN, "111222334", "BSN ", True, 0.5, id="dutch-mistyped"),
        pytest.param(NL_BSN, "111222333", "", True, None, id="dutch-without-words"),
        pytest.param(BE_NATIONAL_NUMBER, "85.07.30-033.28", "", False, 0.7, id="belgian"),
    ],
)
def test_weighs_check_and_context(detector, value, before, lenient, want):
    assert want == score(detector, value, before, lenient=lenient)
