# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.driving_licence import DRIVING_LICENCE
from tests.unit.policies.detectors.judging import score
from tests.unit.policies.detectors.reference import findings


@pytest.mark.parametrize(
    ("value", "before", "lenient", "want"),
    [
        pytest.param("A1234567", "driver's license ", False, 0.7, id="american"),
        pytest.param("A1234567", "", True, None, id="without-words"),
        pytest.param("MORGA753116SM9IJ", "", False, 0.7, id="british"),
        pytest.param("MORGA753116SM9IJ", "driving licence ", False, 1.0, id="british-in-context"),
        pytest.param("1111111", "driver license ", True, None, id="all-alike"),
        pytest.param("A1234567", "driver license plate ", True, None, id="a-plate"),
    ],
)
def test_weighs_form_and_context(value, before, lenient, want):
    assert want == score(DRIVING_LICENCE, value, before, lenient=lenient)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("licencia de conducir 12-345-678.", ["12-345-678"], id="groups"),
    ],
)
def test_takes_all_of_it_and_no_more(text, want):
    assert want == findings(DRIVING_LICENCE, text)
