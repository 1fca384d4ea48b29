# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from policies.contracts.decision import Mode
from policies.contracts.snapshot import RedactionAction
from policies.redaction.rules import ActiveRules
from proxy_addons.core.answers import AnswerInvalid, RedactedAnswer
from proxy_addons.core.responses_answer import redact_response
from tests.responses import called, item_of, response
from tests.streams import CARD, EMAIL, rules

LOOKING = rules(mode=Mode.OBSERVE)
USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7, "output_tokens_details": {"reasoning_tokens": 0}}


def redacted(answer: object, *, active: ActiveRules | None = None) -> RedactedAnswer:
    return redact_response(json.dumps(answer).encode(), rules=active or rules(), max_bytes=10_000)


@pytest.mark.parametrize("shape", ["output_text", "refusal", "reasoning_text", "summary_text"])
def test_every_text_is_redacted(shape):
    left = json.loads(redacted(response(item_of(shape, f"pay {CARD}", f"ask {EMAIL}"))).body)
    assert left["output"] == [item_of(shape, "pay [redacted:payment-card]", "ask [redacted:email]")]


def test_arguments_are_redacted_as_json():
    call = called(['{"card": "\\u0034111 1111 1111 1111"}'])[-1]["item"]
    (left,) = json.loads(redacted(response(call)).body)["output"]
    assert json.loads(left["arguments"]) == {"card": "[redacted:payment-card]"}


def test_an_answer_without_findings_is_unchanged():
    answer = response(item_of("output_text", "Hi"), instructions="Be kind.", usage=USAGE, top_logprobs=0, billing={})
    examined = redacted(answer)
    assert json.loads(examined.body) == answer
    assert "output.*.content.*.text" in examined.coverage.scanned
    assert examined.coverage.not_scanned == ()


def test_what_is_repeated_of_the_request_is_redacted():
    left = json.loads(redacted(response(instructions=f"ask {EMAIL}", metadata={EMAIL: "x"})).body)
    assert (left["instructions"], left["metadata"]) == ("ask [redacted:email]", {"[redacted:email]": "x"})


def test_what_spells_the_text_once_more_leaves_empty():
    said, thought = item_of("output_text", "Hi"), {**item_of("summary_text", "Hm"), "encrypted_content": "gAAAA"}
    said["content"][0]["logprobs"] = [{"token": "4111", "logprob": 0, "bytes": [52], "top_logprobs": []}]
    examined = redacted(response(said, thought))
    left = json.loads(examined.body)["output"]
    assert (left[0]["content"][0]["logprobs"], left[1]["encrypted_content"]) == ([], None)
    assert examined.coverage.not_scanned == (
        ("output.*.content.*.logprobs", "dropped"),
        ("output.*.encrypted_content", "dropped"),
    )
    assert json.loads(redacted(response(said, thought), active=LOOKING).body)["output"] == [said, thought]


def test_a_rule_may_block():
    assert redacted(response(item_of("output_text", EMAIL)), active=rules(RedactionAction.BLOCK)).blocked is not None


@pytest.mark.parametrize(
    "item",
    [
        {"type": "web_search_call", "id": "ws_1"},
        {"type": "image_generation_call", "result": "AAAA"},
        {"type": "message", "content": [{"type": "output_audio", "data": "AAAA", "transcript": "x"}]},
        {"type": "message", "content": [{"type": "reasoning_text", "text": "x"}]},
        {"type": "message", "content": [{"type": "output_text", "text": ["x"]}]},
        {"type": "message", "content": "x"},
        {"type": ["message"]},
        {},
        "message",
    ],
)
def test_an_item_that_nobody_examines_is_no_answer_where_a_rule_may_redact(item):
    with pytest.raises(AnswerInvalid, match="item-not-examinable"):
        redacted(response(item))
    assert json.loads(redacted(response(item), active=LOOKING).body)["output"] == [item]


@pytest.mark.parametrize("answer", [{}, {"object": "response"}, {"object": "x", "output": []}, {"choices": []}, []])
def test_what_is_no_answer_of_the_dialect_is_refused(answer):
    with pytest.raises(AnswerInvalid):
        redacted(answer)
