# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.secrets.form import HEX
from policies.detectors.secrets.http_credentials import HTTP_CREDENTIALS
from tests.unit.policies.detectors.reference import findings

HEADER, USER, NETRC, PASSWORD = HTTP_CREDENTIALS


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param(f"Authorization: Bearer {HEX[:32]}", [HEX[:32]], id="bearer"),
        pytest.param(f'-H "Authorization:{HEX[:32]}"', [HEX[:32]], id="without-a-scheme"),
        pytest.param("Authorization: Basic YTpi" + "Y2RlZg==", ["YTpiY2RlZg=="], id="basic"),
        pytest.param("Authorization: Bearer YOUR_TOKEN", [], id="stand-in"),
        pytest.param("Authorization: Bearer accessTokenOfTheUser", [], id="words"),
        pytest.param("authorization: required", [], id="prose"),
    ],
)
def test_takes_what_a_header_says(text, want):
    assert want == findings(HEADER, text)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("curl -u bob:" + "Tr0ub4dor http://x", ["bob:Tr0ub4dor"], id="bare"),
        pytest.param("curl -u ':" + "Tr0ub4dor' http://x", ["':Tr0ub4dor'"], id="no-name"),
        pytest.param('curl --user "bob":"' + 'Tr0ub4dor"', ['"bob":"Tr0ub4dor"'], id="quoted-each"),
        pytest.param("docker run -u 1000:998 image", [], id="numbers-of-a-user-and-a-group"),
        pytest.param('curl -u "${A}:${B}" http://x', [], id="variables"),
        pytest.param("curl -u user:pass http://x", [], id="stand-in"),
    ],
)
def test_takes_name_and_password(text, want):
    assert want == findings(USER, text)


def test_takes_the_password_of_a_netrc():
    assert findings(NETRC, "machine x login bob password " + "Tr0ub4dor\nmachine y") == ["Tr0ub4dor"]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("mysql -h db -u root -p" + "S3cretPw shop", ["S3cretPw"], id="without-a-space"),
        pytest.param("redis-cli -h cache -a " + "Zk9x2mQp", ["Zk9x2mQp"], id="with-one"),
        pytest.param("mysql -u root -p shop", [], id="asked-for"),
        pytest.param("mysql -u root -p$PASSWORD1", [], id="a-variable"),
    ],
)
def test_takes_what_a_tool_is_told(text, want):
    assert want == findings(PASSWORD, text)
