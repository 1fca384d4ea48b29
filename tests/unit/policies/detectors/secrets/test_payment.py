# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.secrets.form import ALNUM, HEX, UUID
from tests.unit.policies.detectors.secrets.recognising import recognised


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("sk_" + f"live_{ALNUM[:24]}", {"stripe-key": ["sk_" + f"live_{ALNUM[:24]}"]}, id="stripe"),
        pytest.param("ta" + f"sk_test_{ALNUM[:24]}", {}, id="within-a-word"),
        pytest.param("shp" + f"at_{HEX[:32]}", {"shopify-token": ["shp" + f"at_{HEX[:32]}"]}, id="shopify"),
        pytest.param("access-" + f"sandbox-{UUID}", {"plaid-token": [f"access-sandbox-{UUID}"]}, id="plaid"),
    ],
)
def test_names_who_is_paid(text, want):
    assert want == recognised(text)
