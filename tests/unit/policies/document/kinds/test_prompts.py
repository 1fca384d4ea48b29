# SPDX-License-Identifier: Apache-2.0
import pytest

from policies.contracts.errors import PolicyRejected
from policies.contracts.prompts import OnOwn, prompt_digest
from policies.document.loader import load_documents

GOOD = """\
kind: prompts
id: approved
version: "1"
spec:
  prompts:
    - name: support
      text: |-
        You help customers.
        Be brief.
    - {name: plain, text: You answer.}
  rules:
    - {id: bots, subjects: [service:bot], require: [support, plain]}
    - {id: others, insert: plain, on_own: keep}
"""
TEXT = "You help customers.\nBe brief."


def problems(source):
    with pytest.raises(PolicyRejected) as caught:
        load_documents({"a.yaml": source.encode()})
    return [(each.code, each.at.line) for each in caught.value.diagnostics]


def test_digests_are_computed_and_rules_keep_their_order():
    [document] = load_documents({"a.yaml": GOOD.encode()})
    assert [(each.name, each.digest) for each in document.spec.prompts] == [
        ("support", prompt_digest(TEXT)),
        ("plain", prompt_digest("You answer.")),
    ]
    assert [(rule.require, rule.insert, rule.on_own) for rule in document.spec.rules] == [
        (("support", "plain"), None, OnOwn.REFUSE),
        ((), "plain", OnOwn.KEEP),
    ]


def test_a_digest_that_is_stated_must_be_that_of_the_text():
    stated = GOOD.replace("You answer.}", f"You answer., digest: '{prompt_digest('You answer.')}'}}")
    assert load_documents({"a.yaml": stated.encode()})
    assert problems(stated.replace("You answer.", "You lie.", 1)) == [("digest-differs", 10)]


@pytest.mark.parametrize(
    ("source", "want"),
    [
        pytest.param(GOOD.replace("[support, plain]", "[sup]"), [("unknown-prompt", 12)], id="an-unknown-prompt"),
        pytest.param(
            GOOD.replace("insert: plain, ", ""),
            [("require-or-insert", 13), ("option-without-effect", 13)],
            id="neither",
        ),
        pytest.param(
            GOOD.replace("insert: plain,", "insert: plain, require: [plain],"), [("require-or-insert", 13)], id="both"
        ),
        pytest.param(
            GOOD.replace("require: [support, plain]", "require: []"), [("too-few", 12)], id="nothing-approved"
        ),
        pytest.param(
            GOOD.replace("name: plain", "name: support"),
            [("duplicate-id", 10), ("unknown-prompt", 12), ("unknown-prompt", 13)],
            id="two-of-one-name",
        ),
        pytest.param(GOOD.replace("You answer.", "''"), [("bad-prompt", 10)], id="no-text"),
        pytest.param(GOOD.replace("id: others", "id: bots"), [("duplicate-id", 13)], id="two-rules-of-one-id"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(source, want):
    assert sorted(problems(source)) == sorted(want)


def test_two_names_for_one_text_are_refused():
    assert problems(GOOD.replace("You answer.", '"You help customers.\\nBe brief."')) == [("duplicate-value", 10)]
