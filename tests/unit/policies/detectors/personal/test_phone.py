# SPDX-License-Identifier: Apache-2.0
import pytest
from phonenumbers import PhoneMetadata

from policies.detectors.personal.phone import PHONE
from tests.unit.policies.detectors.judging import score
from tests.unit.policies.detectors.reference import findings


@pytest.mark.parametrize(
    ("value", "before", "lenient", "want"),
    [
        pytest.param("+44 20 7946 0958", "", False, 1.0, id="international"),
        pytest.param("+1-962-819-8200", "", False, None, id="no-such-area"),
        pytest.param("+1-962-819-8200", "", True, 0.7, id="no-such-area-but-lenient"),
        pytest.param("+19628198200", "x = ", True, 0.5, id="no-such-area-in-a-row"),
        pytest.param("+999 123 456 789", "phone ", True, None, id="no-such-country"),
        pytest.param("202-555-0143", "", False, 0.8, id="north-american"),
        pytest.param("151-081-7740", "", False, None, id="north-american-without-such-an-area"),
        pytest.param("151-081-7740", "", True, 0.5, id="north-american-form"),
        pytest.param("151 081 7740", "", True, None, id="groups-alone"),
        pytest.param("151 081 7740", "fax ", True, 0.7, id="groups-in-context"),
        pytest.param("202-555-0143", "order ", False, None, id="another-number"),
        pytest.param("020 7946 0958", "", False, 0.6, id="a-trunk-zero"),
        pytest.param("2079460958", "", True, None, id="a-bare-row"),
        pytest.param("2079460958", "mobile ", False, 0.9, id="a-bare-row-in-context"),
        pytest.param("2079460958", "office ", False, None, id="a-bare-row-near-a-weak-word"),
        pytest.param("98765 43210", "call ", False, 0.9, id="fives-in-context"),
        pytest.param("98765 43210", "", True, None, id="fives"),
        pytest.param("20.11.2024", "call on ", True, None, id="a-date"),
        pytest.param("1000000", "call ", True, None, id="a-round-number"),
        pytest.param("4111 1111 1111 1112", "call ", True, None, id="too-long"),
    ],
)
def test_weighs_form_plan_and_context(value, before, lenient, want):
    assert want == score(PHONE, value, before, lenient=lenient)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("Call +1 202 555 0143 x12, now", ["+1 202 555 0143 x12"], id="an-extension"),
        pytest.param("+46 (0)8 123 456 78", ["+46 (0)8 123 456 78"], id="a-trunk-zero-in-brackets"),
        pytest.param("(030) 901820-17", ["(030) 901820-17"], id="an-area-in-brackets"),
        pytest.param("tel 01 42 68 53 00!", ["01 42 68 53 00"], id="pairs"),
    ],
)
def test_takes_all_of_a_number(text, want):
    assert want == findings(PHONE, text)


def test_knows_the_plan_of_each_region():
    from policies.detectors.personal import phone

    assert all(PhoneMetadata.metadata_for_region(region) and phone._plan(region) for region in phone._REGIONS)
