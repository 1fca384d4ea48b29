# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.unit.policies.detectors.secrets.recognising import recognised


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param(
            "-----BEGIN EC PRIVATE KEY-----\nMHcC", {"private-key-header": ["-----BEGIN EC PRIVATE KEY-----"]}, id="pem"
        ),
        pytest.param("-----BEGIN PUBLIC KEY-----\nMHcC", {}, id="public"),
        pytest.param("PuTTY-User-Key-File-2: ssh-rsa", {"putty-private-key": ["PuTTY-User-Key-File-2:"]}, id="putty"),
    ],
)
def test_lasts_to_the_end_line_of_whatever_label(text, want):
    assert want == recognised(text)
