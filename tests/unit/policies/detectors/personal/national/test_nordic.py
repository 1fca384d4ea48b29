# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.national.nordic import (
    DK_CPR,
    FI_PERSONAL_CODE,
    IS_KENNITALA,
    NO_BIRTH_NUMBER,
    SE_PERSONAL_NUMBER,
)
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("detector", "value", "before", "lenient", "want"),
    [
        pytest.param(SE_PERSONAL_NUMBER, "811228-9874", "", False, 0.7, id="swedish"),
        pytest.param(DK_CPR, "211062-5629", "", True, None, id="danish-without-words"),
        pytest.param(DK_CPR, "211062-5629", "CPR ", False, 1.0, id="danish"),
        pytest.param(NO_BIRTH_NUMBER, "15107801186", "fnr ", False, 1.0, id="norwegian"),
        pytest.param(FI_PERSONAL_CODE, "131052-308T", "", False, 0.7, id="finnish"),
        pytest.param(IS_KENNITALA, "120174-3399", "kt. ", False, 1.0, id="icelandic"),
    ],
)
def test_weighs_check_and_context(detector, value, before, lenient, want):
    assert want == score(detector, value, before, lenient=lenient)
