# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.gps_coordinates import GPS_COORDINATES
from tests.unit.policies.detectors.judging import score
from tests.unit.policies.detectors.reference import findings


@pytest.mark.parametrize(
    ("value", "before", "lenient", "want"),
    [
        pytest.param("48.8584, 2.2945", "", False, 0.6, id="precise"),
        pytest.param("48.858, 2.294", "", False, None, id="not-precise"),
        pytest.param("48.858, 2.294", "coordinates: ", False, 1.0, id="not-precise-in-context"),
        pytest.param("48.8584, 2.2945", "1.2345, ", False, None, id="in-a-row"),
        pytest.param("91.0001, 2.2945", "GPS ", True, None, id="no-such-latitude"),
        pytest.param("41.0001, 182.2945", "GPS ", True, None, id="no-such-longitude"),
        pytest.param("91°00'00\"N 0°00'00\"E", "", False, None, id="no-such-degree"),
    ],
)
def test_weighs_form_and_context(value, before, lenient, want):
    assert want == score(GPS_COORDINATES, value, before, lenient=lenient)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param(
            '{"latitude": 48.8584, "longitude": 2.2945}', ['48.8584, "longitude": 2.2945'], id="members-of-json"
        ),
    ],
)
def test_takes_all_of_it_and_no_more(text, want):
    assert want == findings(GPS_COORDINATES, text)
