# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.national.romance import (
    ES_DNI,
    ES_NIE,
    FR_NIR,
    FR_TAX_NUMBER,
    IT_FISCAL_CODE,
    PT_CITIZEN_CARD,
    PT_NIF,
    RO_CNP,
)
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("detector", "value", "before", "lenient", "want"),
    [
        pytest.param(FR_NIR, "1 85 05 78 006 084 91", "", False, 0.7, id="french"),
        pytest.param(FR_NIR, "1 85 05 2A 006 084 35", "", False, 0.7, id="corsican"),
        pytest.param(FR_TAX_NUMBER, "3023217600053", "numéro fiscal ", False, 1.0, id="french-tax-number"),
        pytest.param(ES_DNI, "12345678Z", "pedido ", False, None, id="spanish-but-an-order"),
        pytest.param(ES_NIE, "Y1234567X", "", False, 0.7, id="foreigner-in-spain"),
        pytest.param(IT_FISCAL_CODE, "RSSMRA85T10A562S", "", False, 0.7, id="italian"),
        pytest.param(PT_NIF, "123456789", "NIF ", False, 1.0, id="portuguese"),
        pytest.param(PT_CITIZEN_CARD, "00000000 0 ZZ4", "", False, 0.7, id="portuguese-card"),
        pytest.param(RO_CNP, "1630615123457", "CNP ", False, 1.0, id="romanian"),
    ],
)
def test_weighs_check_and_context(detector, value, before, lenient, want):
    assert want == score(detector, value, before, lenient=lenient)
