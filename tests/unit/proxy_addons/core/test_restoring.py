# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.snapshot import FieldClass
from policies.redaction.findings import Tally
from policies.redaction.pseudonyms import Pseudonyms
from policies.redaction.rules import ActiveRules
from proxy_addons.core.restoring import Restoring

VALUE = 'a"b\\c@example.com'


@pytest.fixture
def pseudonyms() -> Pseudonyms:
    made = Pseudonyms()
    made.of("email", VALUE)
    return made


def answer(text: str) -> dict:
    message = {
        "content": text,
        "reasoning_content": text,
        "refusal": text,
        "tool_calls": [{"id": text, "function": {"name": text, "arguments": json.dumps({"to": text})}}],
    }
    return {"id": text, "model": text, "choices": [{"index": 0, "message": message}]}


def test_texts_are_restored_and_what_the_protocol_compares_is_not(pseudonyms):
    restored = Restoring(pseudonyms, json_content=False).value(answer("[EMAIL-1]"))
    message = restored["choices"][0]["message"]
    assert [message[name] for name in ("content", "reasoning_content", "refusal")] == [VALUE] * 3
    [call] = message["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"to": VALUE}
    assert [restored["id"], restored["model"], call["id"], call["function"]["name"]] == ["[EMAIL-1]"] * 4


def test_an_answer_in_json_stays_json(pseudonyms):
    restored = Restoring(pseudonyms, json_content=True).value(answer('{"mail":"[EMAIL-1]"}'))
    assert json.loads(restored["choices"][0]["message"]["content"]) == {"mail": VALUE}


@pytest.mark.parametrize(("field", "want"), [(FieldClass.ASSISTANT_TEXT, VALUE), (FieldClass.OTHER, "[EMAIL-1]")])
def test_a_text_of_a_stream_is_restored_behind_its_redactor(pseudonyms, field, want):
    redactor = Restoring(pseudonyms, json_content=False).behind(ActiveRules.none().stream(Tally()), field)
    assert redactor.feed("[EMA") + redactor.feed("IL-1]") + redactor.finish() == want
