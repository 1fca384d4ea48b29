# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.national.eastern_europe import (
    BG_EGN,
    CZ_BIRTH_NUMBER,
    EE_LT_PERSONAL_CODE,
    GR_AFM,
    GR_AMKA,
    HR_OIB,
    LV_PERSONAL_CODE,
    PL_NIP,
    PL_PESEL,
    RU_INN,
    SI_EMSO,
    UA_TAX_NUMBER,
)
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("detector", "value", "before", "lenient", "want"),
    [
        pytest.param(PL_PESEL, "44051401458", "PESEL ", False, 1.0, id="polish"),
        pytest.param(PL_NIP, "123-456-32-18", "NIP ", False, 1.0, id="polish-tax-number"),
        pytest.param(CZ_BIRTH_NUMBER, "780103/3548", "", False, 0.7, id="czech"),
        pytest.param(EE_LT_PERSONAL_CODE, "37605030299", "isikukood ", False, 1.0, id="estonian"),
        pytest.param(LV_PERSONAL_CODE, "161175-19997", "", False, 0.7, id="latvian"),
        pytest.param(BG_EGN, "8001011236", "ЕГН ", False, 1.0, id="bulgarian"),
        pytest.param(HR_OIB, "33392005961", "OIB ", False, 1.0, id="croatian"),
        pytest.param(SI_EMSO, "0101006500006", "EMŠO ", False, 1.0, id="slovene"),
        pytest.param(GR_AMKA, "01018012342", "ΑΜΚΑ ", False, 1.0, id="greek"),
        pytest.param(GR_AFM, "123456783", "ΑΦΜ ", False, 1.0, id="greek-tax-number"),
        pytest.param(RU_INN, "123456789047", "ИНН ", False, 1.0, id="russian"),
        pytest.param(UA_TAX_NUMBER, "1759013577", "РНОКПП ", False, 1.0, id="ukrainian"),
    ],
)
def test_weighs_check_and_context(detector, value, before, lenient, want):
    assert want == score(detector, value, before, lenient=lenient)
