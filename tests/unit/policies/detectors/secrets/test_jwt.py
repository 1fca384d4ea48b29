# SPDX-License-Identifier: Apache-2.0
import base64

import pytest

from policies.detectors.secrets.form import ALNUM
from policies.detectors.secrets.jwt import JWT
from tests.unit.policies.detectors.judging import score
from tests.unit.policies.detectors.reference import findings


def token(header: bytes) -> str:
    return f"{base64.urlsafe_b64encode(header).decode().rstrip('=')}.eyJzdWIiOiJhIn0.{ALNUM[:43]}"


@pytest.mark.parametrize(
    ("header", "want"),
    [
        pytest.param(b'{"alg":"RS256","typ":"JWT"}', 1.0, id="signed"),
        pytest.param(b'{\n "typ" : "JWT",\n "alg" : "HS256"}', 1.0, id="with-spaces"),
        pytest.param(b'{"alg":"none"}', 1.0, id="of-no-algorithm"),
        pytest.param(b'{"kid":"1"}', 0.7, id="no-algorithm-said"),
        pytest.param(b'{"alg":"RS2', 0.7, id="broken-off"),
        pytest.param(b'{"name":"x"}', None, id="other-json"),
        pytest.param(b'["alg"]', None, id="a-list"),
    ],
)
def test_reads_the_header(header, want):
    assert want == score(JWT, token(header))


def test_takes_all_of_it_and_no_more():
    text = token(b'{"alg":"HS256"}')
    assert findings(JWT, f"Bearer {text}, and on.") == [text]
