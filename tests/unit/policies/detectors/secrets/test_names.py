# SPDX-License-Identifier: Apache-2.0
import re

import pytest

from policies.detectors.secrets.names import Says, says

KEYWORD = re.compile("token|secret|key|auth|(?:access|client)_?id", re.IGNORECASE)


@pytest.mark.parametrize(
    ("before", "want"),
    [
        pytest.param("githubToken = ", Says.SECRET, id="a-word-of-a-name"),
        pytest.param('"client_secret": "', Says.SECRET, id="quoted"),
        pytest.param("AWS_API_KEY=", Says.SECRET, id="a-key-of-a-kind"),
        pytest.param("the API key is ", Says.SECRET, id="prose"),
        pytest.param("tokenValue: ", Says.SECRET, id="the-value-of-one"),
        pytest.param("loki_key: ", Says.MAYBE, id="some-key"),
        pytest.param("auth: ", Says.MAYBE, id="some-authentication"),
        pytest.param("SUMO_ACCESS_ID = ", Says.VENDOR, id="an-id-of-a-vendor"),
        pytest.param("newRelicClientId = ", Says.VENDOR, id="a-vendor-of-two-words"),
        pytest.param("clientId = ", Says.NOTHING, id="an-id"),
        pytest.param("tokenLength = ", Says.NOTHING, id="about-a-token"),
        pytest.param("access_token_url=", Says.NOTHING, id="where-it-comes-from"),
        pytest.param("public_key = ", Says.NOTHING, id="public"),
        pytest.param("author = ", Says.NOTHING, id="another-word"),
        pytest.param("keyboard: ", Says.NOTHING, id="a-longer-word"),
        pytest.param("pipelineRun = ", Says.NOTHING, id="no-keyword"),
        pytest.param("token_type = bearer; key = ", Says.MAYBE, id="the-nearest"),
        pytest.param("", Says.NOTHING, id="nothing"),
    ],
)
def test_reads_the_last_name_with_a_keyword(before, want):
    assert want is says(before, KEYWORD)
