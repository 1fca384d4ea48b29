# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.secrets.form import ALNUM, DIGITS, HEX
from tests.unit.policies.detectors.secrets.recognising import recognised


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param(
            "xo" + f"xb-{DIGITS[:12]}-{DIGITS[:13]}-{ALNUM[:24]}",
            {"slack-token": ["xo" + f"xb-{DIGITS[:12]}-{DIGITS[:13]}-{ALNUM[:24]}"]},
            id="slack",
        ),
        pytest.param("xo" + "xb-my-token", {}, id="slack-stand-in"),
        pytest.param(
            f"{DIGITS[:9]}:AA{ALNUM[:33]}", {"telegram-bot-token": [f"{DIGITS[:9]}:AA{ALNUM[:33]}"]}, id="telegram"
        ),
        pytest.param("S" + f"K{HEX[:32]}", {"twilio-key": ["S" + f"K{HEX[:32]}"]}, id="twilio"),
        pytest.param("S" + f"K{HEX[:33]}", {}, id="twilio-one-too-long"),
    ],
)
def test_names_the_service(text, want):
    assert want == recognised(text)
