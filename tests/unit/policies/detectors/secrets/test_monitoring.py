# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.secrets.form import HEX, UPPER
from tests.unit.policies.detectors.secrets.recognising import recognised


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("NR" + f"AK-{UPPER[:27]}", {"new-relic-key": ["NR" + f"AK-{UPPER[:27]}"]}, id="new-relic"),
        pytest.param("sntr" + f"yu_{HEX[:64]}", {"sentry-token": ["sntr" + f"yu_{HEX[:64]}"]}, id="sentry"),
        pytest.param("sntr" + f"yu_{HEX[:63]}", {}, id="sentry-one-too-short"),
        pytest.param("sq" + f"u_{HEX[:40]}", {"sonarqube-token": ["sq" + f"u_{HEX[:40]}"]}, id="sonarqube"),
    ],
)
def test_names_what_watches(text, want):
    assert want == recognised(text)
