# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.national.oceania import AU_MEDICARE, AU_TFN, NZ_IRD
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("detector", "value", "before", "lenient", "want"),
    [
        pytest.param(AU_TFN, "123 456 782", "TFN ", False, 1.0, id="tax-file-number"),
        pytest.param(AU_MEDICARE, "2123 45670 1", "Medicare ", False, 1.0, id="medicare"),
        pytest.param(AU_MEDICARE, "2123 45671 1", "Medicare ", True, 0.5, id="medicare-mistyped"),
        pytest.param(NZ_IRD, "49091850", "IRD ", False, 1.0, id="new-zealand"),
    ],
)
def test_weighs_check_and_context(detector, value, before, lenient, want):
    assert want == score(detector, value, before, lenient=lenient)
