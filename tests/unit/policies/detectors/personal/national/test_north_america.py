# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.national.north_america import CA_SIN, MX_CURP, MX_RFC
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("detector", "value", "before", "lenient", "want"),
    [
        pytest.param(CA_SIN, "123-456-782", "SIN ", False, 1.0, id="canadian"),
        pytest.param(CA_SIN, "123-456-783", "SIN ", True, 0.5, id="canadian-mistyped"),
        pytest.param(MX_CURP, "HEGG560427MVZRRL04", "", False, 0.7, id="mexican"),
        pytest.param(MX_RFC, "GODE561231GR8", "", False, 0.7, id="mexican-tax-number"),
        pytest.param(MX_RFC, "GODE561231GR7", "", True, None, id="mexican-tax-number-mistyped"),
    ],
)
def test_weighs_check_and_context(detector, value, before, lenient, want):
    assert want == score(detector, value, before, lenient=lenient)
