# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.crypto_wallet import CRYPTO_WALLET
from tests.unit.policies.detectors.judging import score


@pytest.mark.parametrize(
    ("value", "before", "lenient", "want"),
    [
        pytest.param("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "", False, 1.0, id="bitcoin"),
        pytest.param("LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9", "", False, 1.0, id="litecoin"),
        pytest.param("TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", "", False, 1.0, id="tron"),
        pytest.param("bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr", "", False, 1.0, id="taproot"),
        pytest.param("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "", False, 1.0, id="bech32-in-capitals"),
        pytest.param("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", "", False, 0.6, id="ethereum-without-capitals"),
        pytest.param(
            "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED", "wallet ", False, 1.0, id="ethereum-in-capitals-in-context"
        ),
        pytest.param(
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "wallet ", True, 0.5, id="a-wrong-capital-in-context"
        ),
        pytest.param("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "wallet ", False, None, id="a-wrong-capital"),
    ],
)
def test_weighs_form_and_context(value, before, lenient, want):
    assert want == score(CRYPTO_WALLET, value, before, lenient=lenient)
