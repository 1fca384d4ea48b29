# SPDX-License-Identifier: Apache-2.0
"""Attacks on the responses dialect, through all addons of a worker: what goes upstream, and what is told and recorded."""

import json
from typing import Any

import pytest

from policies.contracts.snapshot import Dialect
from proxy_addons.addons import enforce_stream
from proxy_addons.core.responses_stream import ResponsesEnforcer
from tests.responses import answered, called, events, response, spoken, texts, wholes, wire
from tests.streams import by_length
from tests.unit.proxy_addons.harness import CARD, HEADER_LINE, Told, Upstream, ready_harness, route

ROUTES = {"routes": (route(Dialect.RESPONSES),)}
STREAM = [(b"Content-Type", b"text/event-stream")]
ASKED = {"model": "parrot", "input": "hi"}
TEXT = f"It is {CARD}."
REDACTED = "It is [redacted:payment-card]."


async def ask(upstream: Upstream | None = None, **changes: Any) -> Told:
    return await ready_harness(**ROUTES).send(ASKED | changes, target=b"/v1/responses", upstream=upstream)


def streaming(*told: dict[str, Any]) -> Upstream:
    return Upstream(headers=STREAM, pieces=[wire(each) for each in told])


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        pytest.param({"previous_response_id": "resp_1"}, "previous_response_id", id="past-response"),
        pytest.param({"conversation": {"id": "conv_1"}}, "conversation", id="conversation"),
        pytest.param({"prompt": {"id": "pmpt_1"}}, "prompt", id="stored-prompt"),
        pytest.param({"store": True}, "store", id="to-be-kept"),
        pytest.param({"background": True}, "background", id="in-the-background"),
        pytest.param({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.item_reference", id="item"),
        pytest.param({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, "input.id", id="reasoning"),
        pytest.param({"tools": [{"type": "mcp", "server_url": "http://10.0.0.7"}]}, "tools.mcp", id="tool"),
    ],
)
async def test_44_what_the_upstream_keeps_or_runs_itself_is_refused_by_name(changes, param):
    told = await ask(**changes)
    assert (told.status, told.code, told.sent_upstream) == (400, "field-not-permitted", [])
    assert param in told.message


async def test_48_images_at_an_address_are_not_fetched():
    part = {"type": "input_image", "detail": "auto", "image_url": "http://169.254.169.254/latest"}
    told = await ask(input=[{"role": "user", "content": [part]}])
    assert (told.status, told.sent_upstream) == (400, [])


@pytest.mark.parametrize("length", [1, 5, 100])
async def test_53_a_stream_is_redacted_wherever_it_is_told(length):
    sent = answered(spoken("output_text", by_length(TEXT, length)), called([json.dumps({"to": CARD})], index=1))
    told = await ask(streaming(*sent), stream=True)
    read = events(told.body)
    assert texts(read)["0.output_text.0"] == REDACTED
    assert wholes(read)["0.output_text.0"] == {REDACTED}
    assert CARD.encode() not in told.body
    assert (told.exchange.verdict.value, told.exchange.findings[0].count) == ("redacted", 2)


async def test_57_a_plain_answer_tells_no_log_probabilities():
    sent = answered(spoken("output_text", [TEXT]))[-1]["response"]
    sent["output"][0]["content"][0]["logprobs"] = [{"token": CARD, "logprob": 0}]
    told = await ask(Upstream(pieces=[json.dumps(sent).encode()]))
    (part,) = json.loads(told.body)["output"][0]["content"]
    assert (part["text"], part["logprobs"]) == (REDACTED, [])


async def test_58_a_failed_response_is_told_in_our_words():
    failed = {"type": "response.failed", "response": response(error={"code": "x", "message": "marzipan"})}
    told = await ask(streaming(failed), stream=True)
    assert told.code == told.exchange.refusal.code == "upstream-error"
    assert b"marzipan" not in told.body


async def test_61_an_event_in_a_text_is_a_text():
    sent = f'a\n\nevent: response.completed\ndata: {{"type":"response.completed"}}\n\n{CARD}'
    told = await ask(streaming(*answered(spoken("output_text", by_length(sent, 9)))), stream=True)
    assert texts(events(told.body))["0.output_text.0"] == sent.replace(CARD, "[redacted:payment-card]")


@pytest.mark.parametrize("cut", [1, 4, -1])
async def test_62_a_stream_that_breaks_off_never_ends_as_if_it_were_whole(cut):
    told = await ask(streaming(*answered(spoken("output_text", [TEXT]))[:cut]), stream=True)
    assert told.code == told.exchange.refusal.code == "upstream-invalid"
    assert b"response.completed" not in told.body


async def test_a_rule_that_blocks_cuts_the_stream():
    told = await ask(streaming(*answered(spoken("output_text", ["Well. ", HEADER_LINE]))), stream=True)
    assert told.code == told.exchange.refusal.code == "answer-blocked"
    assert HEADER_LINE.encode() not in told.body


async def test_a_fault_while_a_stream_is_examined_lets_nothing_pass(monkeypatch):
    class Raising(ResponsesEnforcer):
        def feed(self, _piece: bytes, /) -> bytes:
            raise RuntimeError

    monkeypatch.setattr(enforce_stream, "ResponsesEnforcer", Raising)
    told = await ask(streaming(*answered(spoken("output_text", ["marzipan"]))), stream=True)
    assert told.code == "evaluation-failed"
    assert b"marzipan" not in told.body
