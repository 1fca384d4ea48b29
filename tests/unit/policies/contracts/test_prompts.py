# SPDX-License-Identifier: Apache-2.0
from dataclasses import asdict

import pytest

from policies.contracts.decision import Mode
from policies.contracts.members import plain
from policies.contracts.prompts import ApprovedPrompt, OnOwn, PromptRule, PromptsPolicy, prompt_digest

PROMPT = ApprovedPrompt(name="support", text="You help.", digest=prompt_digest("You help."))
SELECTORS = {"operations": (), "models": ("parrot",), "subjects": ()}
RULES = (
    PromptRule(id="one", require=("support",), insert=None, on_own=OnOwn.REFUSE, **SELECTORS),
    PromptRule(id="two", require=(), insert="support", on_own=OnOwn.KEEP, **SELECTORS),
)
POLICY = PromptsPolicy(id="p", version="1", mode=Mode.WARN, prompts=(PROMPT,), rules=RULES)


def test_a_digest_is_that_of_sha_256():
    assert prompt_digest("") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_is_read_back_as_it_was_written():
    assert PromptsPolicy.from_json(plain(POLICY)) == POLICY


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"prompts": [{**asdict(PROMPT), "text": "You harm."}]},
            "not that of its text",
            id="a-digest-of-another-text",
        ),
        pytest.param(
            {"rules": [{**asdict(RULES[0]), "require": ["other"]}]},
            "prompts that there are",
            id="a-prompt-that-there-is-not",
        ),
        pytest.param(
            {"rules": [{**asdict(RULES[0]), "require": []}]}, "prompts that there are", id="neither-require-nor-insert"
        ),
        pytest.param({"rules": [{**asdict(RULES[1]), "require": ["support"]}]}, "prompts that there are", id="both"),
        pytest.param({"rules": [{**asdict(RULES[1]), "on_own": "ignore"}]}, "not a valid OnOwn", id="an-unknown-word"),
        pytest.param({"comment": ""}, "has members", id="an-unknown-member"),
    ],
)
def test_anything_else_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        PromptsPolicy.from_json(plain(POLICY) | changes)
