# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.national.middle_east_africa import (
    IL_IDENTITY_NUMBER,
    TR_IDENTITY_NUMBER,
    ZA_IDENTITY_NUMBER,
)
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("detector", "value", "before", "lenient", "want"),
    [
        pytest.param(TR_IDENTITY_NUMBER, "17310808660", "TCKN ", False, 1.0, id="turkish"),
        pytest.param(IL_IDENTITY_NUMBER, "123456782", "teudat zehut ", False, 1.0, id="israeli"),
        pytest.param(ZA_IDENTITY_NUMBER, "8001015009087", "identity number ", False, 1.0, id="south-african"),
        pytest.param(ZA_IDENTITY_NUMBER, "8001015009087", "", True, None, id="south-african-without-words"),
    ],
)
def test_weighs_check_and_context(detector, value, before, lenient, want):
    assert want == score(detector, value, before, lenient=lenient)
