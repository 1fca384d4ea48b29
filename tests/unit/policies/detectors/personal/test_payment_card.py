# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.payment_card import PAYMENT_CARD
from tests.unit.policies.detectors.judging import score
from tests.unit.policies.detectors.reference import findings


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("4012888888881881", id="visa"),
        pytest.param("4222222222222", id="visa-of-13-digits"),
        pytest.param("5105105105105100", id="mastercard"),
        pytest.param("2223003122003222", id="mastercard-of-the-2-series"),
        pytest.param("371449635398431", id="american-express"),
        pytest.param("6011000990139424", id="discover"),
        pytest.param("3530111333300000", id="jcb"),
        pytest.param("30569309025904", id="diners-club"),
        pytest.param("6200000000000005", id="unionpay"),
        pytest.param("6759649826438453", id="maestro"),
        pytest.param("2200000000000004", id="mir"),
    ],
)
@pytest.mark.parametrize("separator", ["", " ", "-"])
def test_finds_every_brand_however_its_digits_are_parted(number, separator):
    assert findings(PAYMENT_CARD, f"It is {separator.join(number)}.") == [separator.join(number)]


@pytest.mark.parametrize(
    ("value", "before", "lenient", "want"),
    [
        pytest.param("4111111111111112", "my card ", True, 0.6, id="mistyped-in-context"),
        pytest.param("4111111111111112", "my card ", False, None, id="mistyped-in-context-but-strict"),
        pytest.param("4111 1111 1111 1112", "", True, 0.5, id="mistyped-in-groups"),
        pytest.param("4111111111111112", "", True, None, id="mistyped-in-a-row"),
        pytest.param("9111111111111112", "my card ", True, 0.5, id="no-brand-and-mistyped-in-context"),
        pytest.param("9111111111111112", "", True, None, id="no-brand-and-mistyped"),
        pytest.param("911111111111112", "SIM card, order ", True, None, id="no-brand-and-another-number-mistyped"),
        pytest.param("9999999999999995", "my card ", False, 0.6, id="no-brand-in-context"),
        pytest.param("9999999999999995", "card, order ", False, None, id="no-brand-and-another-number"),
        pytest.param("4111111111111111", "order ", False, 0.9, id="another-number-but-right"),
    ],
)
def test_weighs_check_digit_and_context(value, before, lenient, want):
    assert want == score(PAYMENT_CARD, value, before, lenient=lenient)
