# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.secrets.form import ALNUM, HEX
from tests.unit.policies.detectors.secrets.recognising import recognised


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("hv" + f"s.{ALNUM[:95]}", {"vault-token": ["hv" + f"s.{ALNUM[:95]}"]}, id="vault"),
        pytest.param(f"s.{ALNUM[:24]}", {"vault-token-legacy": [f"s.{ALNUM[:24]}"]}, id="vault-of-before"),
        pytest.param("s.acceptanceTimeout30Seconds", {}, id="a-member-of-s"),
        pytest.param("s.makeKubeConfigController(1)", {}, id="a-call"),
        pytest.param("aws-cli@sha" + f"256:{HEX[:64]}", {}, id="an-image"),
        pytest.param("sha" + f"256~{ALNUM[:43]}", {"openshift-token": ["sha" + f"256~{ALNUM[:43]}"]}, id="openshift"),
    ],
)
def test_names_what_it_opens(text, want):
    assert want == recognised(text)
