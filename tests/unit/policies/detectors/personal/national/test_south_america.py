# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.national.south_america import AR_CUIT, BR_CNPJ, BR_CPF, CL_RUT, CO_NIT, EC_CI, PE_CUI
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("detector", "value", "before", "lenient", "want"),
    [
        pytest.param(BR_CPF, "111.444.777-35", "", False, 0.7, id="brazilian"),
        pytest.param(BR_CPF, "111.444.777-36", "CPF ", True, 0.5, id="brazilian-mistyped"),
        pytest.param(BR_CNPJ, "11.222.333/0001-81", "", False, 0.7, id="brazilian-company"),
        pytest.param(AR_CUIT, "20-12345678-6", "", False, 0.7, id="argentinian"),
        pytest.param(CL_RUT, "12.345.678-5", "", False, 0.7, id="chilean"),
        pytest.param(CO_NIT, "213123432-1", "NIT ", False, 1.0, id="colombian"),
        pytest.param(PE_CUI, "10117410-2", "DNI ", False, 1.0, id="peruvian"),
        pytest.param(EC_CI, "1714307103", "cédula ", False, 1.0, id="ecuadorian"),
    ],
)
def test_weighs_check_and_context(detector, value, before, lenient, want):
    assert want == score(detector, value, before, lenient=lenient)
