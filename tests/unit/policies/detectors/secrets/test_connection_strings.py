# SPDX-License-Identifier: Apache-2.0
import pytest

from tests.unit.policies.detectors.secrets.recognising import recognised


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("postgres://bob:" + "s3cret!x@db/x", {"connection-string": ["s3cret!x"]}, id="postgres"),
        pytest.param("redis://:" + "pa55w0rdx@cache", {"connection-string": ["pa55w0rdx"]}, id="without-a-user"),
        pytest.param("postgres://bob:${PASSWORD}@db/x", {}, id="a-variable"),
        pytest.param("postgres://bob@db/x", {}, id="no-password"),
        pytest.param("http://localhost:8080/@me", {}, id="a-port"),
    ],
)
def test_takes_the_password_alone(text, want):
    assert want == recognised(text)
