# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.detectors.personal.url_credentials import URL_CREDENTIALS
from tests.unit.policies.detectors.judging import score
from tests.unit.policies.detectors.reference import findings


@pytest.mark.parametrize(
    ("value", "before", "lenient", "want"),
    [
        pytest.param("alice:correct-horse", "https://", False, 1.0, id="a-password"),
        pytest.param("alice:my-password-7", "https://", False, 1.0, id="a-poor-one"),
        pytest.param("alice:<password>", "https://", False, None, id="a-placeholder"),
        pytest.param("alice:your_password", "https://", False, None, id="another-placeholder"),
        pytest.param("alice:********", "https://", False, None, id="masked"),
    ],
)
def test_weighs_form_and_context(value, before, lenient, want):
    assert want == score(URL_CREDENTIALS, value, before, lenient=lenient)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("https://alice:correct-horse@example.com/x", ["alice:correct-horse"], id="without-the-host"),
        pytest.param("amqp://a:b7@h, ftp://c:d7@h", ["a:b7", "c:d7"], id="two"),
        pytest.param("https://example.com/a:b@c", [], id="in-a-path"),
    ],
)
def test_takes_all_of_it_and_no_more(text, want):
    assert want == findings(URL_CREDENTIALS, text)
