# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.secrets.form import ALNUM, HEX
from tests.unit.policies.detectors.secrets.recognising import recognised


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("gs" + f"k_{ALNUM[:52]}", {"groq-key": ["gs" + "k_" + ALNUM[:52]]}, id="groq"),
        pytest.param(
            "sk-" + f"ant-api03-{ALNUM[:93]}AA",
            {"anthropic-key": ["sk-" + f"ant-api03-{ALNUM[:93]}AA"]},
            id="anthropic",
        ),
        pytest.param("sk-" + HEX[:32], {"model-key": ["sk-" + HEX[:32]]}, id="of-no-vendor"),
        pytest.param("r" + "hf_generatedByHomeAppForDebuggingPurpo", {}, id="a-name-of-code"),
        pytest.param("sk-" + "learn-is-a-library-of-python-for-us", {}, id="words"),
    ],
)
def test_names_who_serves_the_model(text, want):
    assert want == recognised(text)
