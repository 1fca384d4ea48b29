# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.secrets.form import ALNUM, DIGITS, HEX
from tests.unit.policies.detectors.secrets.recognising import recognised


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("li" + f"n_api_{ALNUM[:40]}", {"linear-key": ["li" + f"n_api_{ALNUM[:40]}"]}, id="linear"),
        pytest.param("li" + f"n_api_{ALNUM[:39]}", {}, id="linear-one-too-short"),
        pytest.param(f"{DIGITS[:16]}|{ALNUM[:27]}", {"facebook-token": [f"{DIGITS[:16]}|{ALNUM[:27]}"]}, id="facebook"),
        pytest.param(
            "PM" + f"AK-{HEX[:24]}-{HEX[:34]}", {"postman-key": ["PM" + f"AK-{HEX[:24]}-{HEX[:34]}"]}, id="postman"
        ),
    ],
)
def test_names_the_service(text, want):
    assert want == recognised(text)
