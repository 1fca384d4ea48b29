# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.secrets.assigned import ASSIGNED
from policies.detectors.secrets.form import ALNUM, HEX
from tests.unit.policies.detectors.reference import findings

KEY = HEX[:32]


@pytest.mark.parametrize(
    "template",
    [
        *("api_key = {}", "apiKey: '{}'", 'API_KEY="{}"', '"api_key" => "{}"', "apiKey := `{}`", "api_key ?= {}"),
        *('{{\\"apiKey\\": \\"{}\\"}}', "<apiKey>{}</apiKey>", '("API_KEY", "{}")', "setApiKey('{}')", "--api-key {}"),
        *("--api-key={}", "- name: API_KEY\n  value: {}", 'apiKey: &str = "{}"', 'config["api_key"] = "{}"'),
        *("https://example.com/?api_key={}&x=1", "the API key is {}.", "X-Api-Key: {}", "key: {}", "API_KEY={}\nX=1"),
    ],
)
def test_finds_the_value_and_no_more_however_it_is_given(template):
    assert findings(ASSIGNED, template.format(KEY)) == [KEY]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"commit {KEY}", id="a-commit"),
        pytest.param(f'etag: "{KEY}"', id="an-etag"),
        pytest.param(f"integrity sha512-{ALNUM[:86]}==", id="an-integrity"),
        pytest.param(f"public_key = {ALNUM[:43]}", id="a-public-key"),
        pytest.param("Sec-WebSocket-Key: dGhlIHNhbXBs" + "ZSBub25jZQ==", id="a-key-of-a-handshake"),
        pytest.param(f"token = make_{KEY}(1)", id="a-call"),
        pytest.param(f"the token of {KEY}", id="no-sign"),
    ],
)
def test_leaves_what_no_name_calls_a_secret(text):
    assert findings(ASSIGNED, text) == []
