# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.secrets.form import ALNUM, HEX
from tests.unit.policies.detectors.secrets.recognising import recognised


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("AI" + f"za{ALNUM[:35]}", {"google-api-key": ["AI" + "za" + ALNUM[:35]]}, id="google"),
        pytest.param("AI" + "za" + ALNUM[:36], {}, id="google-one-too-long"),
        pytest.param("AKIA" + "IOSFODNN7EXAMPLE.", {"aws-access-key": ["AKIA" + "IOSFODNN7EXAMPLE"]}, id="aws"),
        pytest.param("AKIA" + "X" * 16, {}, id="aws-mask"),
        pytest.param(
            f"DefaultEndpointsProtocol=https;AccountKey={ALNUM[:86]}==;",
            {"azure-key": [ALNUM[:86] + "=="], "assigned-secret": [ALNUM[:86] + "=="]},
            id="azure",
        ),
        pytest.param("do" + f"p_v1_{HEX[:63]}", {}, id="digitalocean-one-too-short"),
        pytest.param("fm" + f"2_{ALNUM[:110]},next", {"fly-token": ["fm" + "2_" + ALNUM[:110]]}, id="fly"),
    ],
)
def test_names_the_cloud_and_takes_the_key_alone(text, want):
    assert want == recognised(text)
