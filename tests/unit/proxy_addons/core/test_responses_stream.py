# SPDX-License-Identifier: Apache-2.0
"""Every rule of examined streams of responses, one by one; that cuts do not matter is shown in tests/property."""

import json
from typing import Any

import pytest

from policies.contracts.decision import Mode, Reason
from policies.contracts.snapshot import RedactionAction
from policies.redaction.findings import Tally
from policies.redaction.pseudonyms import Pseudonyms
from policies.redaction.rules import ActiveRules
from proxy_addons.core.responses_stream import ResponsesEnforcer
from proxy_addons.core.restoring import Restoring, Shared
from tests.responses import (
    TEXTS,
    answered,
    called,
    error_of,
    events,
    item_of,
    left,
    response,
    spoken,
    stream,
    texts,
    wholes,
    wire,
)
from tests.streams import CARD, EMAIL, MAX_EVENT_BYTES, by_length, rules

SECRET, REDACTED = f"Pay with {CARD}, {EMAIL}.", "Pay with [redacted:payment-card], [redacted:email]."
LOOKING = rules(mode=Mode.OBSERVE)
HELLO = answered(spoken("output_text", ["Hello ", "there."]))


def whole(*told: dict[str, Any], active: ActiveRules | None = None) -> bytes:
    return left([wire(*told)], stream(active))


def without_numbers(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in each.items() if name != "sequence_number"} for each in told]


def changed(told: list[dict[str, Any]], kind: str, change: Any) -> list[dict[str, Any]]:
    """Return the events with `change` made to a copy of each of this kind."""
    made = json.loads(json.dumps(told))
    for each in made:
        if each["type"] == kind:
            change(each)
    assert made != told
    return made


# What leaves, and when.


def test_an_answer_without_findings_leaves_as_it_came():
    padded = changed(HELLO, "response.output_text.done", lambda event: event.update(logprobs=[]))
    padded = changed(padded, "response.output_text.delta", lambda event: event.update(logprobs=[]))
    told = events(whole(*padded))
    assert texts(told) == texts(HELLO)
    assert [each for each in told if "delta" not in each] == [
        {**each, "sequence_number": told_one["sequence_number"]}
        for each, told_one in zip(
            [each for each in padded if "delta" not in each],
            [each for each in told if "delta" not in each],
            strict=True,
        )
    ]


@pytest.mark.parametrize("shape", TEXTS)
def test_every_kind_of_text_is_redacted_in_pieces_and_whole(shape: str):
    told = events(whole(*answered(spoken(shape, by_length(SECRET, 3), ["Bye."]))))
    path = f"0.{TEXTS[shape][0].removeprefix('response.')}"
    assert texts(told) == {f"{path}.0": REDACTED, f"{path}.1": "Bye."}
    assert wholes(told) == {f"{path}.0": {REDACTED}, f"{path}.1": {"Bye."}}


def test_text_leaves_at_once_and_what_may_grow_into_a_finding_is_held():
    told = answered(spoken("output_text", ["pay with 4111 1111", " 1111 1111", ". Done."]))
    enforcer = stream()
    said = [texts(events(enforcer.feed(wire(each)))).get("0.output_text.0", "") for each in told]
    assert list(filter(None, said)) == ["pay with ", "[redacted:payment-card]. ", "Done."]


def test_what_is_held_leaves_as_a_piece_before_the_text_is_told_whole():
    told = events(whole(*answered(spoken("output_text", ["the year ", "2024"]))))
    kinds = [each["type"].removeprefix("response.") for each in told]
    assert kinds[4:7] == ["output_text.delta", "output_text.delta", "output_text.done"]
    assert [told[5]["delta"], told[6]["text"]] == ["2024", "the year 2024"]


def test_the_end_is_left_to_finish():
    enforcer = stream()
    assert b"response.completed" not in enforcer.feed(wire(*HELLO))
    assert enforcer.done
    (last,) = events(enforcer.finish())
    assert last["response"] == HELLO[-1]["response"]


def test_what_comes_after_the_end_is_not_looked_at():
    enforcer = stream()
    enforcer.feed(wire(*HELLO) + wire(*spoken("output_text", [EMAIL])))
    assert enforcer.feed(b"data: {\n\n" + b"x" * (2 * MAX_EVENT_BYTES)) == b""
    assert [each["type"] for each in events(enforcer.finish())] == ["response.completed"]


@pytest.mark.parametrize("end", ["completed", "incomplete"])
def test_an_answer_may_end_in_either_way(end: str):
    enforcer = stream()
    told = events(left([wire(*answered(spoken("output_text", ["Hi"]), end=end))], enforcer))
    assert (told[-1]["type"], enforcer.cut) == (f"response.{end}", None)


def test_events_are_numbered_anew_where_pieces_are_held():
    told = events(whole(*answered(spoken("output_text", by_length(SECRET, 1)))))
    assert [each["sequence_number"] for each in told] == list(range(len(told)))


def test_items_are_texts_of_their_own():
    halves = answered(spoken("output_text", ["alice@"]), spoken("output_text", ["example.com"], index=1))
    assert texts(events(whole(*halves))) == {"0.output_text.0": "alice@", "1.output_text.0": "example.com"}


def test_the_answer_may_leave_out_items_and_name_those_it_has_by_their_ids():
    items = spoken("reasoning_text", ["Hm."]), spoken("output_text", [SECRET], index=1)
    told = answered(*items)
    told[-1]["response"]["output"] = [item_of("output_text", SECRET, index=1)]
    (item,) = events(whole(*told))[-1]["response"]["output"]
    assert item["content"][0]["text"] == REDACTED


def test_a_text_of_which_no_piece_came_is_said_when_it_is_told_whole():
    silent = [each for each in answered(spoken("output_text", [SECRET])) if "delta" not in each]
    told = events(whole(*silent))
    assert (texts(told), wholes(told)) == ({"0.output_text.0": REDACTED}, {"0.output_text.0": {REDACTED}})


def test_an_item_that_is_never_done_is_told_whole_in_the_end():
    unfinished = [each for each in answered(spoken("output_text", [SECRET])) if not each["type"].endswith("done")]
    told = events(whole(*unfinished))
    assert (texts(told), wholes(told)) == ({"0.output_text.0": REDACTED}, {"0.output_text.0": {REDACTED}})


def test_names_and_raw_lines_of_events_never_pass():
    model_wrote = "a\n\nevent: error\ndata: {}\n\n"
    sent = wire(*answered(spoken("output_text", [model_wrote]))).replace(b"event: response", b": x\nid: 7\nevent: evil")
    told = events(left([sent]))
    assert texts(told) == {"0.output_text.0": model_wrote}


# Function calls.


@pytest.mark.parametrize("length", [1, 3, 100])
def test_a_call_leaves_whole_when_its_item_is_done(length: int):
    arguments = '{"card": "\\u0034111 1111 1111 1111", "days": [1, 2.50]}'
    want = json.dumps({"card": "[redacted:payment-card]", "days": [1, 2.5]})
    sent = answered(called(by_length(arguments, length)))
    enforcer = stream()
    assert not [each for each in sent[2:-2] if enforcer.feed(wire(each))] or enforcer.feed(wire(*sent[:2])) is None
    told = events(whole(*sent))
    assert [each["type"].removeprefix("response.") for each in told[2:]] == [
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"),
        "completed",
    ]
    assert (texts(told), wholes(told)) == (
        {"0.function_call_arguments.0": want},
        {"0.function_call_arguments.0": {want}},
    )
    assert (told[2]["item"]["arguments"], told[4]["name"]) == ("", "pay")


def test_arguments_without_a_finding_leave_byte_for_byte():
    arguments = '{ "city":"Bern" , "n":1.50 }'
    told = events(whole(*answered(called(by_length(arguments, 4)))))
    assert wholes(told) == {"0.function_call_arguments.0": {arguments}}


def test_a_call_that_is_never_whole_does_not_leave():
    sent = answered(called(['{"to": "', EMAIL, '"}']))
    assert b"function_call" not in left([wire(*sent[:-3])])


def test_names_and_ids_of_calls_are_redacted():
    told = whole(*answered(called(["{}"], name=f"to {EMAIL}")))
    assert EMAIL.encode() not in told
    assert events(told)[-1]["response"]["output"][0]["name"] == "to [redacted:email]"


# What a text could be spelt with beside the text itself.


def test_the_head_stays_as_it_was_said_first_but_for_words_and_numbers():
    sent = answered(spoken("output_text", ["Hi"]), instructions="alice@", service_tier="auto", completed_at=None)
    sent[-1]["response"] |= {"instructions": "example.com", "service_tier": "default", "completed_at": 7}
    sent[-1]["response"]["usage"] = usage = {"input_tokens": 1, "output_tokens_details": {"reasoning_tokens": 2}}
    last = events(whole(*sent))[-1]["response"]
    assert [last["instructions"], last["service_tier"], last["completed_at"]] == ["alice@", "default", 7]
    assert last["usage"] == usage


def test_a_finding_in_the_head_is_redacted_and_counted_once():
    enforcer = stream()
    told = left([wire(*answered(spoken("output_text", ["Hi"]), instructions=f"ask {EMAIL}"))], enforcer)
    assert EMAIL.encode() not in told
    assert [found.count for found in enforcer.findings] == [1]


def test_a_text_told_four_times_is_counted_once():
    enforcer = stream()
    left([wire(*answered(spoken("output_text", [SECRET]), called([json.dumps({"to": EMAIL})], index=1)))], enforcer)
    assert {found.detector: found.count for found in enforcer.findings} == {"payment-card": 1, "email": 2}


def test_what_the_dialect_does_not_have_is_dropped_where_a_rule_may_redact():
    sent = changed(HELLO, "response.output_text.delta", lambda event: event.update(obfuscation="alice@"))
    sent = changed(sent, "response.completed", lambda event: event["response"].update(output_text="alice@"))
    sent.insert(3, {"type": "response.note", "note": EMAIL, "sequence_number": 2.5})
    enforcer = stream()
    told = left([wire(*sent)], enforcer)
    assert b"alice@" not in told
    assert enforcer.cut is None
    assert ("*", "dropped") in enforcer.coverage.not_scanned
    assert events(whole(*sent, active=LOOKING)) == sent


def test_log_probabilities_are_dropped_where_a_rule_may_redact():
    spelt = [{"token": "4111", "logprob": 0, "top_logprobs": []}]
    sent = answered(spoken("output_text", ["a "]))
    for each in sent:
        for holder in (each, each.get("part", {}), *each.get("item", {}).get("content", ())):
            if "delta" in each or "text" in holder:
                holder["logprobs"] = spelt
    enforcer = stream()
    told = left([wire(*sent)], enforcer)
    assert b"4111" not in told
    assert ("output.*.content.*.logprobs", "dropped") in enforcer.coverage.not_scanned
    assert b"4111" in whole(*sent, active=LOOKING)


def test_reasoning_that_is_encrypted_is_dropped_where_a_rule_may_redact():
    sent = answered(spoken("summary_text", ["Hm."]))
    for item in (sent[-2]["item"], sent[-1]["response"]["output"][0]):
        item["encrypted_content"] = "gAAAA"
    enforcer = stream()
    assert b"gAAAA" not in left([wire(*sent)], enforcer)
    assert ("output.*.encrypted_content", "dropped") in enforcer.coverage.not_scanned
    assert b"gAAAA" in whole(*sent, active=LOOKING)


def test_annotations_are_redacted_and_counted_once():
    cited = {"type": "url_citation", "url": f"mailto:{EMAIL}", "title": "t", "start_index": 0, "end_index": 1}
    sent = answered(spoken("output_text", ["a "]))
    for each in sent:
        for holder in (each.get("part", {}), *each.get("item", {}).get("content", ())):
            if "annotations" in holder and each["type"].endswith("done"):
                holder["annotations"] = [cited]
    at = {"item_id": "msg_0", "output_index": 0, "content_index": 0, "annotation_index": 0}
    sent.insert(5, {"type": "response.output_text.annotation.added", **at, "annotation": cited})
    enforcer = stream()
    told = events(left([wire(*without_numbers(sent))], enforcer))
    shown = {**cited, "url": "mailto:[redacted:email]"}
    assert [each["annotation"] for each in told if "annotation" in each] == [shown]
    assert told[-1]["response"]["output"][0]["content"][0]["annotations"] == [shown]
    assert [found.count for found in enforcer.findings] == [1]


# What ends a stream.


def bad_item(event: dict[str, Any]) -> None:
    event["item"] = {"type": "web_search_call", "id": "ws_1", "status": "completed"}


def _whole_text(event: dict[str, Any], text: str) -> None:
    for holder in (event, event.get("part", {})):
        if "text" in holder:
            holder["text"] = text
    for item in (event.get("item"), *event.get("response", {}).get("output", ())):
        if item is not None:
            item["content"][0]["text"] = text


def other_text(event: dict[str, Any]) -> None:
    _whole_text(event, f"Hello {EMAIL}")


UNREADABLE = {
    "broken-json": wire(*HELLO[:3]) + b"data: {\n\n",
    "done-marker": wire(*HELLO[:3]) + b"data: [DONE]\n\n",
    "duplicate-key": wire(*HELLO[:3]) + b'data: {"type": "response.created", "type": "x"}\n\n',
    "no-type": wire(*HELLO[:3]) + b"data: {}\n\n",
    "type-with-a-line-end": wire(*HELLO[:3]) + b'data: {"type": "x\\ndata: {}"}\n\n',
    "too-large": wire(*HELLO[:3]) + b"data: " + b"x" * (MAX_EVENT_BYTES + 1),
    "no-end": wire(*HELLO[:-1]),
    "end-cut-off": wire(*HELLO)[:-1],
    "nothing": b"",
    "item-nobody-examines": wire(*changed(HELLO, "response.output_item.added", bad_item)),
    "other-kind-when-done": wire(*changed(HELLO, "response.output_item.done", bad_item)),
    "item-twice": wire(*HELLO[:3], HELLO[2]),
    "item-done-twice": wire(*HELLO[:-1], HELLO[-2]),
    "text-before-its-item": wire(*HELLO[:2], HELLO[4]),
    "text-after-its-end": wire(*HELLO[:7], HELLO[4]),
    "summary-of-a-message": wire(*HELLO[:3], {**HELLO[4], "type": "response.reasoning_text.delta"}),
    "arguments-of-a-message": wire(*HELLO[:3], {**HELLO[4], "type": "response.function_call_arguments.delta"}),
    "index-of-text": wire(*HELLO[:3], {**HELLO[4], "content_index": "0"}),
    "index-too-large": wire(*HELLO[:3], {**HELLO[4], "content_index": 1024}),
    "index-true": wire(*HELLO[:3], {**HELLO[4], "output_index": False}),
    "delta-of-an-object": wire(*HELLO[:3], {**HELLO[4], "delta": {"text": EMAIL}}),
    "part-nobody-examines": wire(*HELLO[:3], {**HELLO[3], "part": {"type": "output_audio", "data": "AAAA"}}),
    "part-of-a-list-that-messages-lack": wire(
        *HELLO[:3], {**HELLO[3], "type": "response.reasoning_summary_part.added", "summary_index": 0}
    ),
    "part-of-a-call": wire(*answered(called(["{}"]))[:3], HELLO[3]),
    "item-that-was-not-told": wire(
        HELLO[0], {"type": "response.completed", "response": response(item_of("output_text", EMAIL))}
    ),
    **{
        f"another-text-in-{kind}": wire(*changed(HELLO, f"response.{kind}", other_text))
        for kind in ("output_text.done", "content_part.done", "output_item.done", "completed")
    },
    "other-arguments": wire(
        *changed(answered(called(["{}"])), "response.output_item.done", lambda e: e["item"].update(arguments='{"a":1}'))
    ),
}


@pytest.mark.parametrize("sent", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_examined_ends_the_stream(sent: bytes):
    enforcer = stream()
    output = left([sent], enforcer)
    assert error_of(output) == "upstream-invalid"
    assert enforcer.cut == Reason(code="upstream-invalid")
    assert EMAIL.encode() not in output
    assert b"response.completed" not in output
    assert enforcer.feed(wire(*HELLO)) == enforcer.finish() == b""


def test_texts_beyond_what_is_kept_end_the_stream():
    pieces = ["word " * 1000] * (MAX_EVENT_BYTES // 5000 + 1)
    assert error_of(left([wire(*answered(spoken("output_text", pieces))[:-4])])) == "upstream-invalid"


@pytest.mark.parametrize(
    "failed",
    [
        {"type": "error", "code": "server_error", "message": EMAIL, "param": None},
        {"type": "error", "error": {"message": EMAIL}},
        {"type": "response.failed", "response": response(status="failed", error={"code": "x", "message": EMAIL})},
        {"type": "response.created", "error": {"message": EMAIL}},
    ],
)
@pytest.mark.parametrize("active", [rules(), LOOKING], ids=["enforcing", "looking"])
def test_an_error_of_the_upstream_is_told_in_our_words(failed: dict[str, Any], active: ActiveRules):
    enforcer = stream(active)
    output = left([wire(*HELLO[:5], failed)], enforcer)
    assert error_of(output) == "upstream-error"
    assert EMAIL.encode() not in output
    assert enforcer.cut == Reason(code="upstream-error")


def test_a_block_cuts_before_anything_of_the_finding_left():
    active = rules(RedactionAction.BLOCK)
    for length in (1, 2, 5, 100):
        enforcer = stream(active)
        output = left(map(wire, answered(spoken("output_text", by_length(f"Well. {EMAIL}", length)))), enforcer)
        assert error_of(output) == "answer-blocked"
        assert "Well. ".startswith(texts(events(output)).get("0.output_text.0", ""))
        assert enforcer.cut == Reason(code="answer-blocked", policy="policy", rule="rule")


def test_an_error_has_the_shape_of_the_dialect_and_what_clients_raise_by():
    *before, error = events(left([wire(*HELLO[:5])]))
    told = error["error"]
    assert error["type"] == "error"
    assert (error["code"], error["message"], error["param"]) == (told["code"], told["message"], None)
    assert told["request_id"] == "req_1"
    assert error["sequence_number"] == len(before)


def test_a_stream_that_just_ends_gives_what_was_held_redacted():
    sent = answered(spoken("output_text", [f"2024 {EMAIL}"]))
    told = events(left([wire(*sent[:5])]))
    assert texts(told) == {"0.output_text.0": "2024 [redacted:email]"}


def test_abort_drops_what_was_held():
    enforcer = stream()
    enforcer.feed(wire(*answered(spoken("output_text", ["4111 1111"]))[:5]))
    assert error_of(enforcer.abort("draining")) == "draining"
    assert enforcer.finish() == b""


# Where no rule may change the answer.


@pytest.mark.parametrize("active", [ActiveRules.none(), LOOKING], ids=["no-rules", "looking"])
def test_nothing_is_held_and_events_pass_as_they_are(active: ActiveRules):
    sent = answered(
        spoken("output_text", by_length(SECRET, 3)), called(by_length(json.dumps({"to": EMAIL}), 3), index=1)
    )
    sent.insert(5, {"type": "response.new_thing", "of": "tomorrow", "sequence_number": 4.5})
    enforcer = stream(active)
    for each in sent[:-1]:
        assert events(enforcer.feed(wire(each))) == [each]
    assert enforcer.feed(wire(sent[-1])) == b""
    assert events(enforcer.finish()) == [sent[-1]]


def test_rules_that_only_look_count_each_text_once():
    enforcer = stream(LOOKING)
    left([wire(*answered(spoken("output_text", by_length(SECRET, 3))))], enforcer)
    assert {found.detector: (found.action, found.count) for found in enforcer.findings} == {
        "payment-card": ("observe", 1),
        "email": ("observe", 1),
    }


@pytest.mark.parametrize("kind", ["output_text.done", "output_item.done", "completed"])
def test_rules_that_only_look_see_what_does_not_agree_as_well(kind: str):
    sent = changed(HELLO, f"response.{kind}", other_text)
    enforcer = stream(LOOKING)
    assert events(left([wire(*sent)], enforcer)) == sent
    assert sum(found.count for found in enforcer.findings) >= 1


# Pseudonyms of the request.


def restoring() -> Shared:
    made = Pseudonyms()
    assert made.of("email", 'a"b@example.com') == "[EMAIL-1]"
    return Shared(Tally(), Restoring(made, json_content=False))


@pytest.mark.parametrize("active", [ActiveRules.none(), rules()], ids=["no-rules", "enforcing"])
@pytest.mark.parametrize("length", [1, 4, 100])
def test_pseudonyms_are_put_back_in_pieces_wholes_and_arguments(active: ActiveRules, length: int):
    said, arguments = by_length("ask [EMAIL-1] now", length), by_length('{"to":"[EMAIL-1]"}', length)
    sent = answered(spoken("output_text", said), called(arguments, index=1))
    enforcer = ResponsesEnforcer(rules=active, request_id="r", max_event_bytes=MAX_EVENT_BYTES, shared=restoring())
    told = events(left([wire(*sent)], enforcer))
    want = {"0.output_text.0": 'ask a"b@example.com now', "1.function_call_arguments.0": '{"to":"a\\"b@example.com"}'}
    assert texts(told) == want
    assert wholes(told) == {path: {text} for path, text in want.items()}
