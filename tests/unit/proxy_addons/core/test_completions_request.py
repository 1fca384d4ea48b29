# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.request import RequestFacts
from policies.contracts.snapshot import Dialect
from proxy_addons.core.completions_request import read_completions
from proxy_addons.core.refused import Refused
from proxy_addons.core.unknown_fields import Reading
from tests.unit.proxy_addons.harness import route

READING = Reading(route(Dialect.COMPLETIONS))


def test_facts_of_a_request():
    body = {"model": "m", "prompt": ["ab", "c"], "suffix": "d", "max_tokens": 3, "echo": True, "logprobs": 2}
    assert read_completions(body, READING, body_bytes=9) == (
        "m",
        RequestFacts(max_tokens=3, text_chars=4, body_bytes=9),
    )


def test_a_prompt_may_be_scored_alone():
    body = {"model": "m", "prompt": "ab", "max_tokens": 0, "echo": True, "logprobs": 0}
    assert read_completions(body, READING, body_bytes=9)[1].max_tokens == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": [1, 2]},
        {"prompt": [[1]]},
        {"prompt": None},
        {"prompt": []},
        {"logprobs": 6},
        {"logprobs": True},
        {"messages": []},
        {"best_of": -1},
    ],
)
def test_what_cannot_be_examined_is_refused(changes):
    with pytest.raises(Refused):
        read_completions({"model": "m", "prompt": "p"} | changes, READING, body_bytes=0)
