# SPDX-License-Identifier: Apache-2.0
"""Every rule of examined streams, one by one; that cuts do not matter is shown in tests/property."""

import json
from typing import Any

import pytest

from policies.contracts.decision import Mode, Reason
from policies.contracts.snapshot import Dialect, RedactionAction
from policies.redaction.rules import ActiveRules
from proxy_addons.core.sse_calls import MAX_HELD_CHARS
from tests.streams import (
    CARD,
    EMAIL,
    KEY,
    MAX_EVENT_BYTES,
    by_length,
    error_of,
    event,
    events,
    left,
    rules,
    said,
    stream,
    text_of,
    texts,
    wire,
)

LOOKING = rules(mode=Mode.OBSERVE)
NONE = ActiveRules.none()
ARGUMENTS = "choices[0].delta.tool_calls[0].function.arguments"
CARD_IN_LATIN_DIGITS = "4111111111111111"


def one(*choices: dict[str, Any], done: bool = False, **more: Any) -> bytes:
    return wire(event(*choices, **more), done=done)


def whole(*events_: Any, active: ActiveRules | None = None, dialect: Dialect = Dialect.CHAT) -> bytes:
    return b"".join(left([wire(*events_)], stream(active, dialect)))


def call(function: dict[str, Any], *, index: int = 0, **more: Any) -> dict[str, Any]:
    return event(said({"tool_calls": [{"index": index, "function": function, **more}]}))


def legacy(text: str, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return event({"index": 0, "text": text, "finish_reason": finish, **more}, object="text_completion")


END = event(said({}, finish="stop"))


# What leaves, and when.


def test_text_leaves_at_once_and_what_may_grow_into_a_finding_is_held():
    enforcer = stream()
    assert text_of(enforcer.feed(one(said({"content": "pay with 4111 1111"})))) == "pay with "
    assert enforcer.feed(one(said({"content": " 1111"}))) == b""
    assert text_of(enforcer.feed(one(said({"content": " 1111. Done"})))) == "[redacted:payment-card]. "


def test_held_text_leaves_in_an_event_of_its_own_before_the_finish_reason():
    output = whole(event(said({"content": "the year 2024"})), END)
    choices = [each["choices"][0] for each in events(output)[:-1]]
    want = [({"content": "the year "}, None), ({"content": "2024"}, None), ({}, "stop")]
    assert want == [(choice["delta"], choice["finish_reason"]) for choice in choices]
    assert events(output)[-1] == "[DONE]"


def test_text_beside_a_finish_reason_leaves_before_it():
    output = whole(event(said({"content": f"mail {EMAIL}"}, finish="stop")))
    choices = [each["choices"][0] for each in events(output)[:-1]]
    assert text_of(output) == "mail [redacted:email]"
    assert [None] * (len(choices) - 1) + ["stop"] == [choice["finish_reason"] for choice in choices]


def test_events_made_here_carry_the_members_of_the_upstreams_events():
    output = whole(event(said({"content": "2024"}), system_fingerprint="fp"), END)
    members = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    for each in events(output)[:-1]:
        assert {**each, **members} == each
    assert events(output)[0]["system_fingerprint"] == "fp"


def test_done_is_left_to_finish():
    enforcer = stream()
    assert b"[DONE]" not in enforcer.feed(wire(END))
    assert enforcer.done
    assert enforcer.finish() == b"data: [DONE]\n\n"


def test_what_comes_after_done_is_not_looked_at():
    enforcer = stream()
    enforcer.feed(wire(END) + one(said({"content": EMAIL})))
    assert enforcer.feed(b"data: {\n\n" + b"x" * (2 * MAX_EVENT_BYTES)) == b""
    assert enforcer.finish() == b"data: [DONE]\n\n"


@pytest.mark.parametrize("last", [b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE] \r\n"])
def test_the_end_of_the_stream_ends_done(last: bytes):
    enforcer = stream()
    assert text_of(b"".join(left([one(said({"content": "hi"})) + last], enforcer))) == "hi"
    assert enforcer.cut is None


def test_a_stream_without_done_gives_what_was_held_redacted_and_an_error():
    enforcer = stream()
    enforcer.feed(one(said({"content": f"2024 {EMAIL}"})))
    output = enforcer.finish()
    assert texts(events(output)[:-1])["choices[0].delta.content"].endswith("[redacted:email]")
    assert error_of(output) == "upstream-invalid"
    assert b"[DONE]" not in output
    assert enforcer.cut == Reason(code="upstream-invalid")


def test_an_event_cut_off_by_the_end_is_dropped():
    output = b"".join(left([one(said({"content": "hi. "})) + one(said({"content": "you"}))[:-2]], stream()))
    assert text_of(output) == "hi. "
    assert error_of(output) == "upstream-invalid"


def test_a_choice_that_never_ended_gives_what_was_held_before_done():
    assert text_of(whole(event(said({"content": f"2024 {EMAIL}"})))) == "2024 [redacted:email]"


def test_a_role_and_an_empty_text_pass_at_once():
    output = stream().feed(one(said({"role": "assistant", "content": ""})))
    assert events(output)[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}


def test_usage_leaves_as_it_came_in_an_event_without_choices():
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 0, "x": None}}
    output = whole(END, event(usage=usage))
    assert events(output)[-2] == {**event(), "usage": usage}


def test_usage_leaves_though_the_text_beside_it_is_held():
    output = stream().feed(one(said({"content": "4111"}), usage={"total_tokens": 3}))
    assert (events(output)[0]["choices"], events(output)[0]["usage"]) == ([], {"total_tokens": 3})


def test_texts_within_usage_are_dropped():
    output = whole(END, event(usage={"total_tokens": 3, "note": EMAIL, "more": [EMAIL], "in": {"it": EMAIL}}))
    assert events(output)[-2]["usage"] == {"total_tokens": 3, "in": {}}


def test_interleaved_choices_are_texts_of_their_own():
    pieces = [event(said({"content": text}, index=index)) for text in by_length(f"{CARD}.", 4) for index in (0, 1, 2)]
    ends = [event(said({}, index=index, finish="stop")) for index in (2, 0, 1)]
    put = texts(events(whole(*pieces, *ends)))
    assert [put[f"choices[{index}].delta.content"] for index in range(3)] == ["[redacted:payment-card]."] * 3


def test_halves_in_different_choices_are_no_finding():
    output = whole(event(said({"content": "alice@"}), said({"content": "example.com"}, index=1)))
    put = texts(events(output))
    assert (put["choices[0].delta.content"], put["choices[1].delta.content"]) == ("alice@", "example.com")


@pytest.mark.parametrize("field", ["content", "reasoning_content", "reasoning", "refusal", "thinking", "musings"])
def test_every_field_of_a_delta_is_a_text(field: str):
    output = whole(*(event(said({field: piece})) for piece in by_length(f"I am {EMAIL}, {CARD}.", 3)), END)
    assert text_of(output, f"choices[0].delta.{field}") == "I am [redacted:email], [redacted:payment-card]."


def test_texts_within_objects_and_lists_of_a_delta_are_texts():
    pieces = [event(said({"x": [{"index": 7, "y": {"z": piece}}]})) for piece in by_length(f"to {EMAIL}.", 2)]
    assert text_of(whole(*pieces, END), "choices[0].delta.x[7].y.z") == "to [redacted:email]."


def test_content_in_parts_is_text_and_their_kinds_pass():
    pieces = [event(said({"content": [{"type": "text", "text": piece}]})) for piece in by_length(f"to {EMAIL}.", 2)]
    put = texts(events(whole(*pieces, END)))
    assert put["choices[0].delta.content[0].text"] == "to [redacted:email]."


def test_numbers_long_enough_for_a_card_are_looked_at():
    number = int(CARD_IN_LATIN_DIGITS)
    delta = {"n": number, "f": float(number), "s": 12, "b": True, "z": None}
    shown = events(whole(event(said(delta)), END))[0]["choices"][0]["delta"]
    want = {"n": "[redacted:payment-card]", "f": "[redacted:payment-card].0", "s": 12, "b": True, "z": None}
    assert want == shown


def test_names_of_members_are_redacted():
    assert EMAIL.encode() not in whole(event(said({EMAIL: "x", "y": {EMAIL: 1}})), END)


def test_a_legacy_text_is_redacted():
    pieces = [legacy(piece) for piece in by_length(f"I am {EMAIL}, {CARD}", 3)]
    output = whole(*pieces, legacy("", "length"), dialect=Dialect.COMPLETIONS)
    assert text_of(output, "choices[0].text") == "I am [redacted:email], [redacted:payment-card]"
    assert events(output)[-2]["choices"] == [{"index": 0, "text": "", "finish_reason": "length"}]


# What a text could be spelt with beside the text itself.


def test_the_envelope_stays_as_it_was_said_first():
    halves = [event(said({"content": "a "}), id=half, model=half) for half in ("", "alice@", "example.com")]
    output = events(whole(*halves))[:-1]
    assert [each["id"] for each in output] == ["", "alice@", "alice@"]
    assert [each["model"] for each in output] == ["", "alice@", "alice@"]


def test_a_finding_in_the_envelope_is_redacted():
    assert events(whole(event(said({"content": "a "}), id=EMAIL)))[0]["id"] == "[redacted:email]"


@pytest.mark.parametrize("member", [{"note": "x"}, {"obfuscation": "x"}, {"prompt_token_ids": [1]}])
def test_members_that_the_dialect_does_not_have_are_dropped_where_a_rule_may_redact(member: dict[str, Any]):
    sent = event(said({"content": "a "}, **member), **member)
    enforcer = stream()
    assert not member.keys() & events(enforcer.feed(wire(sent)))[0].keys()
    assert ("choices.*.*", "dropped") in enforcer.coverage.not_scanned or "prompt_token_ids" in member
    assert member.items() <= events(stream(LOOKING).feed(wire(sent)))[0].items()


def test_roles_that_are_none_are_dropped():
    output = whole(*(event(said({"role": role, "content": "a "})) for role in ("alice@", "assistant", "example.com")))
    assert text_of(output, "choices[0].delta.role") == "assistant"


@pytest.mark.parametrize("member", ["logprobs", "top_logprobs", "token_ids"])
def test_what_spells_the_text_again_is_dropped_where_a_rule_may_redact(member: str):
    spelt = {"content": [{"token": "4111", "bytes": [52, 49], "top_logprobs": []}]}
    sent = one(said({"content": "a ", member: spelt}, **{member: spelt}))
    enforcer = stream()
    output = enforcer.feed(sent)
    assert events(output)[0]["choices"][0][member] is None
    assert member not in events(output)[0]["choices"][0]["delta"]
    assert (f"choices.*.{member}", "dropped") in enforcer.coverage.not_scanned
    assert events(stream(LOOKING).feed(sent))[0]["choices"][0][member] == spelt


def test_no_log_probabilities_stay_none():
    enforcer = stream()
    assert events(enforcer.feed(one(said({"content": "a "}, logprobs=None))))[0]["choices"][0]["logprobs"] is None
    assert enforcer.coverage.not_scanned == ()


def test_names_ids_and_raw_lines_of_events_never_pass():
    model_wrote = said({"content": "a\n\ndata: [DONE]\n\nevent: x\r\rdata: {} "})
    output = stream().feed(b": comment\nevent: x\nid: 7\nretry: 1\n" + one(model_wrote))
    assert [each["choices"][0]["delta"] for each in events(output)] == [model_wrote["delta"]]


# Tool calls.


def test_a_tool_call_leaves_whole_in_one_event_before_the_finish_reason():
    arguments = '{"city": "Bern", "days": [1, 2.50]}'
    first = call({"name": "weather", "arguments": ""}, id="call_1", type="function")
    pieces = [call({"arguments": piece}) for piece in by_length(arguments, 4)]
    output = events(whole(first, *pieces, event(said({}, finish="tool_calls"))))
    want = {"index": 0, "function": {"name": "weather", "arguments": arguments}, "id": "call_1", "type": "function"}
    assert output[0]["choices"][0]["delta"] == {"tool_calls": [want]}
    assert [output[1]["choices"][0]["finish_reason"], output[2]] == ["tool_calls", "[DONE]"]
    assert len(output) == 3


def test_text_beside_tool_calls_leaves_at_once():
    output = stream().feed(one(said({"role": "assistant", "content": "Well, ", "tool_calls": [{"index": 0}]})))
    assert events(output)[0]["choices"][0]["delta"] == {"role": "assistant", "content": "Well, "}


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 13, 100])
@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        ('{"card": "4111 1111 1111 1111"}', {"card": "[redacted:payment-card]"}),
        ('{"card": 4111111111111111}', {"card": "[redacted:payment-card]"}),
        ('{"card": 4111111111111111.0}', {"card": "[redacted:payment-card].0"}),
        ('{"card": "\\u0034111 1111 1111 1111"}', {"card": "[redacted:payment-card]"}),
        ('{"to": ["a", "alice\\u0040example.com"]}', {"to": ["a", "[redacted:email]"]}),
        (
            '{"alice@example.com": {"x": "\\"AKIAIOSFODNN7EXAMPLE\\""}}',
            {"[redacted:email]": {"x": '"[redacted:aws-access-key]"'}},
        ),
        (
            '{"aws_secret_access_key": "wJalrXUtnFEMI\\/K7MDENG\\/bPxRfiCYEXAMPLEKEY"}',
            {"aws_secret_access_key": "[redacted:aws-access-key]"},
        ),
        (
            '{"pem": "-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n", "next": 1}',
            {"pem": "[redacted:private-key-header]\n", "next": 1},
        ),
    ],
)
def test_arguments_are_redacted_as_json(arguments: str, want: Any, length: int):
    output = whole(*(call({"arguments": piece}) for piece in by_length(arguments, length)), END)
    assert want == json.loads(text_of(output, ARGUMENTS))


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param('{"card": "4111 1111 1111 1111", "card": "x"}', id="duplicate-key"),
        pytest.param('{"card": "4111 1111 1111 1111', id="cut-off"),
        pytest.param('{"card": "\\u0034111 1111 1111 1111', id="cut-off-with-an-escape"),
        pytest.param('"\\u0034111 1111 1111 1111"', id="a-string"),
        pytest.param('["4111 1111 1111 \\u0031111"]', id="a-list"),
        pytest.param('{"a": NaN, "card": "4111 1111 1111 1111"}', id="not-a-number"),
        pytest.param("card=4111 1111 1111 1111", id="no-json"),
    ],
)
def test_arguments_that_are_no_strict_object_are_redacted_as_text(arguments: str):
    output = whole(*(call({"arguments": piece}) for piece in by_length(arguments, 3)), END)
    assert "[redacted:payment-card]" in text_of(output, ARGUMENTS)
    assert CARD not in text_of(output, ARGUMENTS).replace("\\u0034", "4").replace("\\u0031", "1")


def test_names_and_ids_of_calls_are_redacted_though_they_come_in_pieces():
    pieces = [call({"name": piece}, id=piece) for piece in by_length("do_alice@example.com", 6)]
    put = texts(events(whole(*pieces, END)))
    assert put["choices[0].delta.tool_calls[0].function.name"] == "[redacted:email]"
    assert put["choices[0].delta.tool_calls[0].id"] == "[redacted:email]"


def test_names_and_ids_said_again_are_said_once():
    pieces = [call({"name": "go", "arguments": piece}, id="call_1", type="function") for piece in ("{", "}")]
    put = texts(events(whole(*pieces, END)))
    assert (
        put["choices[0].delta.tool_calls[0].id"],
        put["choices[0].delta.tool_calls[0].function.name"],
    ) == ("call_1", "go")


def test_calls_are_told_apart_by_their_index():
    pieces = [call({"arguments": text}, index=index) for text in ('{"a', '": 1}') for index in (1, 0)]
    delta = events(whole(*pieces, END))[0]["choices"][0]["delta"]
    assert [(each["index"], each["function"]["arguments"]) for each in delta["tool_calls"]] == [
        (0, '{"a": 1}'),
        (1, '{"a": 1}'),
    ]


def test_the_older_function_call_is_held_likewise():
    pieces = by_length('{"n": "\\u0034111 1111 1111 1111"}', 3)
    output = whole(*(event(said({"function_call": {"arguments": piece}})) for piece in pieces), END)
    assert text_of(output, "choices[0].delta.function_call.arguments") == '{"n": "[redacted:payment-card]"}'


@pytest.mark.parametrize("active", [LOOKING, NONE], ids=["observing", "none"])
def test_calls_are_not_held_where_no_rule_may_redact(active: ActiveRules):
    enforcer = stream(active)
    sent = [call({"arguments": piece}) for piece in ('{"card": "\\u0034111', ' 1111 1111 1111"}')]
    assert sent == events(enforcer.feed(wire(*sent, done=False)))
    enforcer.feed(wire(END))
    enforcer.finish()
    counts = [(found.detector, found.action, found.count) for found in enforcer.findings]
    assert counts == ([("payment-card", "observe", 1)] if active is LOOKING else [])


# What ends a stream.

DEEP = '{"choices":[],"x":' + "[" * 70 + "]" * 70 + "}"
INVALID = [
    pytest.param(b"data: {\n\n", id="broken-json"),
    pytest.param(b"data:\n\n", id="empty-data"),
    pytest.param(b"data: []\n\n", id="not-an-object"),
    pytest.param(b"data: {}{}\n\n", id="two-objects"),
    pytest.param(b'data: {"a":1,"a":2,"choices":[]}\n\n', id="duplicate-key"),
    pytest.param(b'data: {"choices":[],"x":"\xff"}\n\n', id="not-utf-8"),
    pytest.param(b'data: {"choices":[],"x":"\\ud800"}\n\n', id="lone-surrogate"),
    pytest.param(b'data: {"choices":[],"x":NaN}\n\n', id="not-a-number"),
    pytest.param(f"data: {DEEP}\n\n".encode(), id="too-deep"),
    pytest.param(b"data: " + b"x" * (MAX_EVENT_BYTES + 1), id="oversize-event"),
    pytest.param(b": " + b"x" * (MAX_EVENT_BYTES + 1), id="oversize-comment"),
    pytest.param(b'event: error\ndata: {"message": "at 10.0.0.7"}\n\n', id="no-choices"),
    pytest.param(wire({"choices": "text"}), id="choices-not-a-list"),
    pytest.param(wire({"choices": ["text"]}), id="choice-not-an-object"),
    pytest.param(wire({"choices": [{"delta": {}}]}), id="no-index"),
    pytest.param(wire({"choices": [{"index": True, "delta": {}}]}), id="index-true"),
    pytest.param(wire({"choices": [{"index": -1, "delta": {}}]}), id="index-negative"),
    pytest.param(wire({"choices": [{"index": 10**6, "delta": {}}]}), id="index-too-large"),
    pytest.param(wire({"choices": [{"index": "0", "delta": {}}]}), id="index-a-text"),
    pytest.param(one(said({}), said({})), id="one-choice-twice-in-an-event"),
    pytest.param(wire({"choices": [{"index": 0, "delta": "x"}]}), id="delta-a-text"),
    pytest.param(one(said({"x": [{"index": "0", "y": "z"}]})), id="item-index-a-text"),
    pytest.param(one(said({"tool_calls": [{"index": None, "y": "z"}]})), id="call-without-index"),
    pytest.param(one({"index": 0, "delta": {}, "finish_reason": 1}), id="finish-reason-a-number"),
    pytest.param(one(said({}, finish="a")) + one(said({}, finish="b")), id="two-finish-reasons"),
    pytest.param(one(said({}, finish="a")) + one(said({"content": "x"})), id="text-after-the-end"),
    pytest.param(one(said({}, finish="a")) + wire(call({"arguments": "x"})), id="call-after-the-end"),
    pytest.param(
        wire(*[call({"arguments": "x" * (MAX_HELD_CHARS // 8)}, index=index % 2) for index in range(9)]),
        id="calls-too-long",
    ),
    pytest.param(
        wire(*[event(said({f"f{number + 100 * part}": "x" for number in range(100)})) for part in range(42)]),
        id="too-many-fields",
    ),
    pytest.param(
        wire(call({"arguments": "x"}), event(said({"tool_calls": [{"index": 0, "function": "y"}]})), END),
        id="calls-that-fit-no-one-value",
    ),
]
FAILED = [
    pytest.param(wire({"error": {"message": "at 10.0.0.7: secret"}}), id="error"),
    pytest.param(wire({"error": "secret", "choices": []}), id="error-beside-choices"),
]


def check_cut(wrong: bytes, code: str) -> None:
    enforcer = stream()
    first = enforcer.feed(one(said({"content": "Hello there. 4111"}, index=9)))
    assert text_of(first, "choices[9].delta.content") == "Hello there. "
    output = b"".join(left([wrong], enforcer))
    assert code == error_of(output)
    assert events(output)[-1]["error"]["request_id"] == "req_1"
    assert b"4111" not in output
    assert b"10.0.0.7" not in output
    assert b"[DONE]" not in output
    assert enforcer.cut == Reason(code=code)
    assert enforcer.feed(one(said({"content": "more"}))) == b""
    assert enforcer.finish() == b""


@pytest.mark.parametrize("wrong", INVALID)
def test_what_cannot_be_examined_ends_the_stream(wrong: bytes):
    check_cut(wrong, "upstream-invalid")


@pytest.mark.parametrize("wrong", FAILED)
def test_an_error_of_the_upstream_ends_the_stream_and_stays_here(wrong: bytes):
    check_cut(wrong, "upstream-error")


@pytest.mark.parametrize(
    "after", [said({"role": "assistant", "content": ""}), said({}, finish="stop"), said({"content": None})]
)
def test_what_says_nothing_may_follow_a_finish_reason(after: dict[str, Any]):
    enforcer = stream()
    left([wire(event(said({"content": "hi"})), END, event(after, usage={"total_tokens": 1}))], enforcer)
    assert enforcer.cut is None


def test_an_empty_finish_reason_is_none():
    output = whole(event(said({"content": "alice@"}, finish="")), event(said({"content": "example.com"}, finish="")))
    assert text_of(output) == "[redacted:email]"


def test_a_block_cuts_and_names_policy_and_rule():
    enforcer = stream(rules(RedactionAction.BLOCK))
    output = enforcer.feed(one(said({"content": f"Fine. {KEY} "})))
    assert error_of(output) == "answer-blocked"
    assert KEY.encode() not in output
    assert enforcer.cut == Reason(code="answer-blocked", policy="policy", rule="rule")
    assert [(one.detector, one.action, one.count) for one in enforcer.findings] == [("aws-access-key", "block", 1)]


def test_a_finding_that_only_the_end_makes_certain_is_blocked_in_the_end():
    enforcer = stream(rules(RedactionAction.BLOCK))
    enforcer.feed(wire(event(said({"content": CARD_IN_LATIN_DIGITS}))))
    assert error_of(enforcer.finish()) == "answer-blocked"
    assert enforcer.cut == Reason(code="answer-blocked", policy="policy", rule="rule")


def test_events_before_a_block_leave():
    output = whole(
        event(said({"content": "Fine. "})), event(said({"content": KEY + " "})), active=rules(RedactionAction.BLOCK)
    )
    assert texts(events(output)[:-1])["choices[0].delta.content"] == "Fine. "


def test_abort_drops_what_was_held():
    enforcer = stream()
    enforcer.feed(one(said({"content": "2024"})))
    assert [each["error"]["code"] for each in events(enforcer.abort("evaluation-failed"))] == ["evaluation-failed"]
    assert enforcer.feed(one(said({"content": "x"}))) == b""
    assert enforcer.finish() == b""
    assert enforcer.cut == Reason(code="evaluation-failed")


def test_abort_may_follow_finish():
    enforcer = stream()
    left([wire(END)], enforcer)
    assert error_of(enforcer.abort("record-unavailable")) == "record-unavailable"


# What is reported.


def test_findings_are_counted_for_the_whole_answer():
    enforcer = stream()
    left([wire(event(said({"content": f"{EMAIL} {EMAIL} {CARD}"}), said({"content": EMAIL}, index=1)))], enforcer)
    counts = [(found.detector, found.policy, found.rule, found.action, found.count) for found in enforcer.findings]
    assert counts == [("email", "policy", "rule", "replace", 3), ("payment-card", "policy", "rule", "replace", 1)]


def test_observing_rules_count_and_hold_nothing():
    enforcer = stream(LOOKING)
    assert text_of(enforcer.feed(one(said({"content": CARD})))) == CARD
    left([wire(END)], enforcer)
    assert [(one.detector, one.action, one.count) for one in enforcer.findings] == [("payment-card", "observe", 1)]


def test_coverage_names_what_was_scanned_and_no_name_that_a_model_wrote():
    enforcer = stream()
    calls = call({"name": "go", "arguments": '{"alice": {"name": "x"}}'})
    left([wire(event(said({"content": "x", "alice": "y", "b": [{"text": "z"}]})), calls, END)], enforcer)
    function = "choices.*.delta.tool_calls.*.function"
    want = {"choices.*.delta.content", "choices.*.delta.*", "choices.*.delta.*.*.text", "choices.*.finish_reason"}
    want |= {"id", "object", "model", f"{function}.name", f"{function}.arguments"}
    assert want == set(enforcer.coverage.scanned)
    assert enforcer.coverage.not_scanned == ()
