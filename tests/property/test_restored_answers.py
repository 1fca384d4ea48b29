# SPDX-License-Identifier: Apache-2.0
"""Pseudonyms of a request come back as the client's values, however the upstream cut its bytes, and last of all.

The promise about forbidden spans is judged before that: without the mapping, no output has the values.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.contracts.snapshot import Dialect
from policies.redaction.engine import ActiveRules
from policies.redaction.findings import Tally
from policies.redaction.pseudonyms import Pseudonyms
from proxy_addons.core.answers import redact_answer
from proxy_addons.core.restoring import Restoring, Shared
from proxy_addons.core.sse import SseEnforcer
from tests.streams import CARD, EMAIL, MAX_EVENT_BYTES, by_length, event, events, left, rules, said, texts, wire

QUOTED = 'Bob "the \\ Builder"\n+1'
FIELDS = ["content", "reasoning_content", "refusal"]
ARGUMENTS = "choices[0].delta.tool_calls[0].function.arguments"
SPEECH = "Höre [EMAIL-1], 漢字 [NAME-1][EMAIL-1] [EMAIL-2] [[NAME-1] [EMA"
WANT = SPEECH.replace("[EMAIL-1]", EMAIL).replace("[NAME-1]", QUOTED)


def shared(*, json_content: bool = False) -> Shared:
    pseudonyms = Pseudonyms()
    pseudonyms.of("email", EMAIL)
    pseudonyms.of("name", QUOTED)
    return Shared(Tally(pseudonyms), Restoring(pseudonyms, json_content=json_content))


def enforcer(
    active: ActiveRules | None = None, dialect: Dialect = Dialect.CHAT, *, json_content: bool = False
) -> SseEnforcer:
    return SseEnforcer(
        dialect=dialect,
        rules=rules() if active is None else active,
        request_id="req_1",
        max_event_bytes=MAX_EVENT_BYTES,
        shared=shared(json_content=json_content),
    )


def saying(pieces: list[str], field: str = "content", index: int = 0) -> list[Any]:
    return [
        *(event(said({field: piece}, index=index)) for piece in pieces),
        event(said({}, index=index, finish="stop")),
    ]


@pytest.mark.parametrize("active", [None, ActiveRules.none()], ids=["answers-redacted", "no-rules-for-answers"])
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("length", [1, 2, 3, 5, 1000])
def test_a_text_is_restored_wherever_events_cut_it(active, field, length):
    output = b"".join(left([wire(*saying(by_length(SPEECH, length), field))], enforcer(active)))
    assert texts(events(output))[f"choices[0].delta.{field}"] == WANT


def test_every_cut_of_the_bytes_gives_the_same():
    sent = wire(*saying(by_length(SPEECH, 7)))
    want = texts(events(b"".join(left([sent], enforcer()))))
    for at in range(len(sent) + 1):
        assert texts(events(b"".join(left([sent[:at], sent[at:]], enforcer())))) == want
    assert want["choices[0].delta.content"] == WANT


@given(data=st.data())
def test_choices_and_fields_that_alternate_are_restored_each_by_itself(data):
    keys = [(index, field) for index in (0, 1) for field in FIELDS]
    rest = {key: by_length(SPEECH, data.draw(st.integers(1, 9))) for key in keys}
    sent = []
    while any(rest.values()):
        index, field = data.draw(st.sampled_from([key for key in keys if rest[key]]))
        sent.append(event(said({field: rest[index, field].pop(0)}, index=index)))
    sent += [event(said({}, index=index, finish="stop")) for index in (0, 1)]
    put = texts(events(b"".join(left([wire(*sent)], enforcer()))))
    assert {put[f"choices[{index}].delta.{field}"] for index, field in keys} == {WANT}


@pytest.mark.parametrize("active", [None, ActiveRules.none()], ids=["answers-redacted", "no-rules-for-answers"])
@pytest.mark.parametrize("length", [1, 4, 1000])
def test_arguments_in_fragments_are_restored_as_json(active, length):
    arguments = json.dumps({"to": "[EMAIL-1]", "cc": ["[NAME-1]", "[NAME-2]"]})
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "send", "arguments": ""}}
    pieces = [{"index": 0, "function": {"arguments": piece}} for piece in by_length(arguments, length)]
    sent = [event(said({"tool_calls": [piece]})) for piece in (call, *pieces)]
    output = b"".join(left([wire(*sent, event(said({}, finish="tool_calls")))], enforcer(active)))
    assert json.loads(texts(events(output))[ARGUMENTS]) == {"to": EMAIL, "cc": [QUOTED, "[NAME-2]"]}


def test_an_answer_in_json_stays_json():
    sent = wire(*saying(by_length(json.dumps({"name": "[NAME-1]"}), 3)))
    output = b"".join(left([sent], enforcer(json_content=True)))
    assert json.loads(texts(events(output))["choices[0].delta.content"]) == {"name": QUOTED}


def test_completions_are_restored():
    pieces = by_length(SPEECH, 2)
    sent = [{"choices": [{"index": 0, "text": piece, "finish_reason": None}]} for piece in pieces]
    end = {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
    output = b"".join(left([wire(*sent, end)], enforcer(dialect=Dialect.COMPLETIONS)))
    assert texts(events(output))["choices[0].text"] == WANT


def test_what_the_model_says_itself_is_redacted_and_the_clients_own_comes_back():
    text = f"[EMAIL-1] paid with {CARD}, cc carol@example.com"
    want = f"{EMAIL} paid with [redacted:payment-card], cc [redacted:email]"
    output = b"".join(left([wire(*saying(by_length(text, 4)))], enforcer()))
    assert texts(events(output))["choices[0].delta.content"] == want
    body = json.dumps({"choices": [{"index": 0, "message": {"content": text}}]}).encode()
    plain = redact_answer(body, dialect=Dialect.CHAT, rules=rules(), max_bytes=10_000, shared=shared())
    assert json.loads(plain.body)["choices"][0]["message"]["content"] == want


def test_text_without_the_beginning_of_a_pseudonym_leaves_at_once():
    restored = enforcer(ActiveRules.none())
    for piece in ("plain ", "[1] ", "[EMAIL-2] ", "a[0] "):
        output = restored.feed(wire(event(said({"content": piece})), done=False))
        assert texts(events(output))["choices[0].delta.content"] == piece


@pytest.mark.parametrize("cut_at", range(1, 9))
def test_a_stream_that_breaks_off_inside_a_pseudonym_gives_none_of_the_value(cut_at):
    restored = enforcer()
    output = restored.feed(wire(event(said({"content": "x [EMAIL-1]"[: 2 + cut_at]})), done=False))
    output += restored.abort("upstream-timeout")
    assert EMAIL.encode() not in output
