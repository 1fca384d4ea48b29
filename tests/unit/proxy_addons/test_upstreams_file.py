# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts import upstreams
from proxy_addons.upstreams_file import DEFAULT, read_upstreams


@pytest.fixture
def written(tmp_path):
    (tmp_path / "token").write_text("s3cret-token")

    def write(content):
        path = tmp_path / "upstreams.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_paths_are_relative_to_the_file(written, tmp_path):
    found = read_upstreams(written({"gpu": {"url": "https://gpu.example:8443", "token_file": "token"}}))
    assert (found["gpu"].url, found["gpu"].api_key_file) == ("https://gpu.example:8443", tmp_path / "token")
    assert (found["gpu"].ca_file, found["gpu"].cert_file) == (None, None)
    assert read_upstreams(None) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("not json", "cannot be read", id="no-json"),
        pytest.param("[]", "must be an object", id="a-list"),
        pytest.param({"default": {"url": "http://a"}}, "GATEHOUSE_UPSTREAM_URL", id="the-default"),
        pytest.param({"GPU": {"url": "http://a"}}, "is no name", id="a-name-in-capitals"),
        pytest.param({"gpu": {}}, "must have a url", id="no-url"),
        pytest.param({"gpu": {"url": "http://a", "token": "s3cret-token"}}, "nothing else", id="a-secret-in-the-file"),
        pytest.param({"gpu": {"url": "http://a/v1"}}, "no origin", id="a-path"),
        pytest.param({"gpu": {"url": "http://u:s3cret-token@a"}}, "no origin", id="a-password"),
        pytest.param({"gpu": {"url": "ftp://a"}}, "no origin", id="another-protocol"),
        pytest.param({"gpu": {"url": "http://a:99999"}}, "no origin", id="no-port"),
        pytest.param({"gpu": {"url": "http://a", "cert_file": "token"}}, "both or neither", id="half-a-certificate"),
        pytest.param({"gpu": {"url": "http://a", "token_file": "absent"}}, "is no file", id="a-file-that-is-not-there"),
        pytest.param({"gpu": {"url": "http://a", "token_file": None}}, "is no path", id="null"),
        pytest.param('{"gpu": {"url": "http://a"}, "gpu": {"url": "http://b"}}', "a key twice", id="a-name-twice"),
    ],
)
def test_what_is_wrong_is_said_without_a_secret(written, content, said):
    with pytest.raises(ValueError, match=said) as caught:
        read_upstreams(written(content))
    assert "s3cret" not in str(caught.value)


def test_the_default_is_called_the_same_in_policy():
    assert upstreams.DEFAULT == DEFAULT
