# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.date_of_birth import DATE_OF_BIRTH
from tests.unit.policies.detectors.judging import score
from tests.unit.policies.detectors.reference import findings


@pytest.mark.parametrize(
    ("value", "before", "lenient", "want"),
    [
        pytest.param("14/03/1985", "DOB ", False, 0.9, id="day-first"),
        pytest.param("03/14/1985", "DOB ", False, 0.9, id="month-first"),
        pytest.param("14/14/1985", "DOB ", False, None, id="no-such-month"),
        pytest.param("29.02.1985", "DOB ", False, None, id="no-such-day"),
        pytest.param("29.02.1984", "geb. am ", False, 0.9, id="a-leap-day"),
        pytest.param("14.03.85", "geboren am ", False, 0.9, id="a-short-year"),
        pytest.param("14/03/1785", "DOB ", False, None, id="too-long-ago"),
        pytest.param("14 March 1985", "", True, None, id="without-words"),
        pytest.param("14 March 1985", "born 1950, died ", True, None, id="behind-another-word"),
        pytest.param("may 14 1985", "born ", False, 0.9, id="month-in-front"),
        pytest.param("14 mayonnaise 1985", "", False, None, id="no-month"),
    ],
)
def test_weighs_form_and_context(value, before, lenient, want):
    assert want == score(DATE_OF_BIRTH, value, before, lenient=lenient)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("né le 1er août 1985 à Lyon", ["1er aout 1985"], id="french"),
        pytest.param("born on Sept. 3rd, 1985", ["Sept. 3rd, 1985"], id="english"),
        pytest.param("fecha de nacimiento 3 de enero de 1985", ["3 de enero de 1985"], id="spanish"),
    ],
)
def test_takes_all_of_it_and_no_more(text, want):
    assert want == findings(DATE_OF_BIRTH, text)
