# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.us_social_security import US_ITIN, US_SSN
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("value", "before", "lenient", "want"),
    [
        pytest.param("219-09-9999", "", False, 0.7, id="its-form"),
        pytest.param("219-09-9999", "SSN ", False, 1.0, id="its-form-in-context"),
        pytest.param("219099999", "", True, None, id="a-bare-row"),
        pytest.param("219099999", "SSN ", False, 1.0, id="a-bare-row-in-context"),
        pytest.param("219-09-9999", "order ", True, None, id="another-number"),
        pytest.param("912-00-3456", "SSN ", True, 0.5, id="no-such-area"),
        pytest.param("912-00-3456", "SSN ", False, None, id="no-such-area-but-strict"),
        pytest.param("912-70-3456", "SSN ", True, None, id="a-tax-number"),
    ],
)
def test_weighs_parts_and_context(value, before, lenient, want):
    assert want == score(US_SSN, value, before, lenient=lenient)


@pytest.mark.parametrize(
    ("value", "before", "want"),
    [
        pytest.param("912-70-3456", "", 0.7, id="its-form"),
        pytest.param("912703456", "", None, id="a-bare-row"),
        pytest.param("912703456", "tax id: ", 1.0, id="a-bare-row-in-context"),
        pytest.param("912-66-3456", "ITIN ", None, id="no-such-group"),
    ],
)
def test_a_tax_number_has_a_group_of_its_own(value, before, want):
    assert want == score(US_ITIN, value, before)
