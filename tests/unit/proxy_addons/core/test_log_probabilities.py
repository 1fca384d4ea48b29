# SPDX-License-Identifier: Apache-2.0
import pytest

from proxy_addons.core.log_probabilities import parameter_asking


@pytest.mark.parametrize(
    ("body", "want"),
    [
        ({}, None),
        ({"logprobs": False, "top_logprobs": None}, None),
        ({"logprobs": True}, "logprobs"),
        ({"logprobs": 0}, "logprobs"),
        ({"logprobs": 5}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"include": ["reasoning.encrypted_content"]}, None),
        ({"include": None}, None),
    ],
)
def test_the_parameter_that_asks_is_named(body, want):
    assert parameter_asking(body) == want
