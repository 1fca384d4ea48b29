# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.national.asia import (
    CN_RESIDENT_ID,
    ID_NIK,
    IN_AADHAAR,
    IN_PAN,
    IN_VOTER,
    JP_MY_NUMBER,
    KR_RRN,
    MY_NRIC,
    PK_CNIC,
    SG_NRIC,
    TH_PIN,
)
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("detector", "value", "before", "lenient", "want"),
    [
        pytest.param(IN_AADHAAR, "2341 2341 2346", "Aadhaar ", False, 1.0, id="aadhaar"),
        pytest.param(IN_AADHAAR, "2341 2341 2347", "Aadhaar ", True, 0.5, id="aadhaar-mistyped"),
        pytest.param(IN_PAN, "ABCPE1234F", "", False, 0.7, id="pan"),
        pytest.param(IN_VOTER, "WKH1186253", "voter ID ", False, 1.0, id="voter"),
        pytest.param(CN_RESIDENT_ID, "11010519491231002X", "", False, 0.7, id="chinese"),
        pytest.param(CN_RESIDENT_ID, "11010519490231002X", "", False, None, id="no-such-day"),
        pytest.param(JP_MY_NUMBER, "123456789018", "My Number ", False, 1.0, id="japanese"),
        pytest.param(KR_RRN, "900101-1234568", "", False, 0.7, id="korean"),
        pytest.param(SG_NRIC, "S1234567D", "", False, 0.7, id="singaporean"),
        pytest.param(SG_NRIC, "M1234567K", "", False, 0.7, id="singaporean-of-the-m-series"),
        pytest.param(TH_PIN, "1-2345-67890-12-1", "", False, 0.7, id="thai"),
        pytest.param(MY_NRIC, "770305-02-1234", "", False, 0.7, id="malaysian"),
        pytest.param(ID_NIK, "3171015708450001", "NIK ", False, 1.0, id="indonesian"),
        pytest.param(PK_CNIC, "34201-0891231-8", "", False, 0.7, id="pakistani"),
    ],
)
def test_weighs_check_and_context(detector, value, before, lenient, want):
    assert want == score(detector, value, before, lenient=lenient)
