# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.secrets.form import ALNUM, LOWER
from tests.unit.policies.detectors.secrets.recognising import recognised


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("np" + f"m_{ALNUM[:36]}", {"npm-token": ["np" + f"m_{ALNUM[:36]}"]}, id="npm"),
        pytest.param("npm_config_registry_of_all_my_packages_1", {}, id="a-setting-of-npm"),
        pytest.param(
            "py" + f"pi-AgEIcHlwaS5vcmc{ALNUM[:80]}",
            {"pypi-token": ["py" + f"pi-AgEIcHlwaS5vcmc{ALNUM[:80]}"]},
            id="pypi",
        ),
        pytest.param("oy" + f"2{LOWER[:43]}", {"nuget-key": ["oy" + f"2{LOWER[:43]}"]}, id="nuget"),
    ],
)
def test_names_the_registry(text, want):
    assert want == recognised(text)
