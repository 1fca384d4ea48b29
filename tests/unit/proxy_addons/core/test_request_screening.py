# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.decision import Mode
from policies.contracts.request import RequestFacts
from policies.contracts.screening import ScreenEffect, ScreeningPolicy, ScreeningRule
from policies.contracts.snapshot import Dialect, FieldClass, PolicySnapshot
from policies.evaluation.screening import Screening
from policies.redaction.findings import Tally
from proxy_addons.core.multipart_form import Field
from proxy_addons.core.openai_request import ReadForm, ReadRequest
from proxy_addons.core.request_screening import screen_request, texts_of
from tests.unit.proxy_addons.core.test_judged_texts import ASKED

RULE = ScreeningRule(
    id="r",
    effect=ScreenEffect.DENY,
    phrases=("purple marzipan",),
    expressions=(),
    fields=(),
    operations=(),
    models=(),
    subjects=(),
    reason="prompt-screened",
)
POLICY = ScreeningPolicy(id="p", version="1", mode=Mode.ENFORCE, rules=(RULE,))
SNAPSHOT = PolicySnapshot(tenant="default", environment="production", groups={}, screening=(POLICY,))
SCREENING = Screening.of((POLICY,))


def count(read, dialect):
    tally = Tally()
    screen_request(read, dialect=dialect, rules=SCREENING.rules_for(ASKED, SNAPSHOT), tally=tally)
    return sum(found.count for found in tally.findings)


def part(text):
    return {"type": "text", "text": text}


@pytest.mark.parametrize(
    ("message", "found"),
    [
        pytest.param({"role": "user", "content": "purple marzipan"}, True, id="a-text"),
        pytest.param({"role": "user", "content": "purple soup"}, False, id="another-text"),
        pytest.param({"role": "user", "content": [part("purple "), part("marzipan")]}, True, id="cut-in-two-parts"),
        pytest.param({"role": "tool", "tool_call_id": "c", "content": "purple marzipan"}, True, id="a-tool-result"),
        pytest.param(
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "c",
                        "type": "function",
                        "function": {"name": "f", "arguments": json.dumps({"purple": "marzipan"})},
                    }
                ],
            },
            True,
            id="over-a-member-of-arguments",
        ),
        pytest.param({"role": "user", "name": "purple-marzipan", "content": "hi"}, True, id="a-name"),
    ],
)
def test_every_text_is_looked_at(message, found):
    value = {"model": "parrot", "messages": [message]}
    read = ReadRequest(model="parrot", facts=RequestFacts(), body=b"{}", value=value)
    assert (count(read, Dialect.CHAT) > 0) is found
    assert value == {"model": "parrot", "messages": [message]}


def test_the_fields_of_a_form_are_looked_at():
    parts = (Field(name="model", text="parrot"), Field(name="prompt", text="Purple  marzipan."))
    read = ReadRequest(model="parrot", facts=RequestFacts(), body=b"", form=ReadForm(parts, "a.wav", "audio/wav"))
    assert count(read, Dialect.TRANSCRIPTIONS) == 1


EVERY = frozenset(FieldClass)


def collected(value, fields=EVERY, most=2048, dialect=Dialect.CHAT):
    read = ReadRequest(model="parrot", facts=RequestFacts(), body=b"{}", value=value)
    texts, whole = texts_of(read, dialect=dialect, fields=fields, most=most)
    return {(each.field.value, each.text) for each in texts}, whole


def of_user(*contents):
    return {"model": "parrot", "messages": [{"role": "user", "content": content} for content in contents]}


def test_texts_are_collected_by_class():
    texts, whole = collected(of_user("one", "two", "one", [part("three"), part("four")]), {FieldClass.USER})
    assert (texts, whole) == ({("user", each) for each in ("one", "two", "three", "four")}, True)


def test_what_is_of_another_class_is_not():
    assert collected(of_user("one"), {FieldClass.TOOL_RESULT}) == (set(), True)


def test_a_blank_text_is_none():
    assert collected(of_user(" \n"), {FieldClass.USER}) == (set(), True)


def test_what_is_beyond_the_bound_is_told():
    texts, whole = collected(of_user("one", "two", "three"), {FieldClass.USER}, most=2)
    assert (len(texts), whole) == (2, False)


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        pytest.param('{"page": "two"}', {"page", "two"}, id="an-object"),
        pytest.param('{"page": "\\u0074wo"}', {"page", "two"}, id="with-escapes"),
        pytest.param('{"page": "\\u0074wo"', {'{"page": "\\u0074wo"', '{"page": "two"'}, id="a-broken-one"),
    ],
)
def test_arguments_are_collected_as_a_reader_sees_them(arguments, want):
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    value = {"model": "parrot", "messages": [{"role": "assistant", "tool_calls": [call]}]}
    texts, _ = collected(value, {FieldClass.TOOL_ARGUMENTS})
    assert {text for _, text in texts} >= want


def test_words_of_the_protocol_are_not_asked_about():
    texts, _ = collected({**of_user("one"), "temperature": 0.5, "seed": 4111111111111111})
    assert {text for _, text in texts} == {"one"}


def test_the_fields_of_a_form_are_collected():
    parts = (Field(name="model", text="parrot"), Field(name="prompt", text="Purple  marzipan."))
    read = ReadRequest(model="parrot", facts=RequestFacts(), body=b"", form=ReadForm(parts, "a.wav", "audio/wav"))
    texts, _ = texts_of(read, dialect=Dialect.TRANSCRIPTIONS, fields=EVERY, most=9)
    assert "Purple  marzipan." in {each.text for each in texts}


def test_what_was_said_before_is_said_again():
    read = ReadRequest(
        model="parrot", facts=RequestFacts(), body=b"{}", value=of_user("instructions", "ignore all", "instructions")
    )
    texts, _ = texts_of(read, dialect=Dialect.CHAT, fields=EVERY, most=9)
    assert [each.text for each in texts if each.field is FieldClass.USER] == [
        "instructions",
        "ignore all",
        "instructions",
    ]


def test_a_message_that_is_the_name_of_a_parameter_is_one():
    assert ("user", "stop") in collected(of_user("stop"))[0]
