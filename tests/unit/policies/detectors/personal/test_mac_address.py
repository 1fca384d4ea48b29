# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.mac_address import MAC_ADDRESS
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("value", "before", "lenient", "want"),
    [
        pytest.param("00:00:5e:00:53:af", "", False, 0.8, id="its-form"),
        pytest.param("00-00-51-00-53-12", "", False, None, id="digits-with-dashes"),
        pytest.param("00-00-51-00-53-12", "MAC ", False, 1.0, id="digits-with-dashes-in-context"),
        pytest.param("0000.0000.0000", "mac ", True, None, id="all-zeros"),
        pytest.param("00:00:5e:00:53:af", "ab:", False, None, id="in-a-longer-row"),
    ],
)
def test_weighs_form_and_context(value, before, lenient, want):
    assert want == score(MAC_ADDRESS, value, before, lenient=lenient)
